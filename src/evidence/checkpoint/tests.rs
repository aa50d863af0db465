//! A log that lost its end, or that shows two histories, must not pass for one that grew.

use proptest::prelude::*;

use super::*;
use crate::evidence::key::SecretKey;
use crate::evidence::note::{KeyName, SignatureLine};
use crate::evidence::proof::consistency_at;
use crate::evidence::tree::{leaf_hash, root_of};

/// `https://sum.golang.org/latest` on 2024-09-23.
const GO: &str = "go.sum database tree\n30055305\nmXfgRcJ0bG0j3CPdKwgGWtUzBUbX67saZGRmFuJGGsM=\n\n\
                  \u{2014} sum.golang.org Az3grpgEild5qw7+5dtV13Kf1C2Xurm8q4fhdxvcsDHnqNTaxL2AFjBY+\
                  2TyGKevucFcAAlWFJJYle3EJlDCrQ+y3A8=\n";
const GO_KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

fn line(text: &str) -> TextLine {
    TextLine::new(text).expect("a line")
}

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new(name).expect("a name"), &[seed; 32])
}

fn leaves(count: u64) -> Vec<TreeHash> {
    (0..count)
        .map(|number| leaf_hash(&number.to_le_bytes()))
        .collect()
}

fn checkpoint(leaves: &[TreeHash]) -> Checkpoint {
    Checkpoint::new(line("annals/a"), leaves.len() as u64, root_of(leaves))
}

#[test]
fn a_checkpoint_of_the_go_checksum_database_is_verified() {
    let trusted = [VerifierKey::parse(GO_KEY).expect("a key")];
    let origin = line("go.sum database tree");
    let opened = SignedCheckpoint::open_of(&origin, GO.as_bytes(), &trusted).expect("signed");
    assert_eq!(opened.checkpoint().size, 30_055_305);
    assert_eq!(opened.checkpoint().origin, origin);
    assert_eq!(opened.signed_by(), trusted);
    assert_eq!(opened.to_string(), GO);
    // Its key has another name than the log.
    let refused = SignedCheckpoint::open(GO.as_bytes(), &trusted);
    assert_eq!(refused, Err(OpenError::OtherName(origin.clone())));

    let changed = GO.replace("30055305", "30055306");
    let refused = SignedCheckpoint::open_of(&origin, changed.as_bytes(), &trusted);
    assert!(matches!(
        refused,
        Err(OpenError::Verify(VerifyError::WrongSignature(..)))
    ));
    let refused = SignedCheckpoint::open_of(&line("other"), GO.as_bytes(), &trusted);
    assert!(matches!(refused, Err(OpenError::OtherOrigin { .. })));
}

#[test]
fn a_key_cannot_speak_for_the_log_of_another() {
    let (a, b) = (key("annals/a", 1), key("annals/b", 2));
    let of_a = checkpoint(&leaves(3));
    let trusted = [a.verifier().clone(), b.verifier().clone()];
    let forged = SignedCheckpoint::sign(of_a.clone(), &[&b]).expect("signed");
    let refused = SignedCheckpoint::open(forged.to_string().as_bytes(), &trusted);
    assert_eq!(refused, Err(OpenError::OtherName(line("annals/a"))));
    let both = SignedCheckpoint::sign(of_a, &[&b, &a]).expect("signed");
    let opened = SignedCheckpoint::open(both.to_string().as_bytes(), &trusted).expect("by its own");
    assert_eq!(opened, both);
    assert_eq!(opened.signed_by().len(), 2);
}

/// A device that answers with the signature of another text or another key.
struct Liar(SecretKey, SecretKey);

impl Signer for Liar {
    fn vkey(&self) -> &VerifierKey {
        self.0.verifier()
    }

    fn sign(&self, text: &[u8]) -> Result<SignatureLine, SignError> {
        self.1.sign(text)
    }
}

#[test]
fn a_signer_that_lies_is_found_out_before_anything_is_handed_out() {
    let of_a = checkpoint(&leaves(3));
    let liar = Liar(key("annals/a", 1), key("annals/a", 2));
    let refused = SignedCheckpoint::sign(of_a.clone(), &[&liar]);
    assert!(
        matches!(refused, Err(SignError::WrongSignature(_))),
        "{refused:?}"
    );
    let honest = Liar(key("annals/a", 1), key("annals/a", 1));
    SignedCheckpoint::sign(of_a.clone(), &[&honest]).expect("its own signature");
    assert!(matches!(
        SignedCheckpoint::sign(of_a, &[]),
        Err(SignError::NoSigner)
    ));
}

#[test]
fn each_malformed_checkpoint_has_its_own_error() {
    use CheckpointError as E;
    let root = encode_base64(&[5; 32]);
    for (text, error) in [
        (String::new(), E::Line(1)),
        ("\n".to_owned(), E::Line(1)),
        ("a\n".to_owned(), E::Line(2)),
        (format!("a\n\n{root}\n"), E::Line(2)),
        ("a\n1\n".to_owned(), E::Line(3)),
        (format!("a\n1\n{root}"), E::Line(3)),
        (format!("a\n1\n{root}\n\n"), E::Line(4)),
        (format!("a\n1\n{root}\next"), E::Line(4)),
        (format!("a\n01\n{root}\n"), E::Size),
        (format!("a\n-1\n{root}\n"), E::Size),
        (format!("a\n1\n{root}=\n"), E::Root),
        ("a\n1\nAQI=\n".to_owned(), E::Root),
        (format!("a\n0\n{root}\n"), E::EmptyRoot),
    ] {
        assert_eq!(Checkpoint::parse(&text), Err(error), "{text}");
    }
    let text = format!("a log\n1\n{root}\nfirst\nsecond \n");
    let parsed = Checkpoint::parse(&text).expect("a checkpoint");
    assert_eq!(parsed.extensions, [line("first"), line("second ")]);
    assert_eq!(parsed.to_string(), text);
    let empty = Checkpoint::of(line("a"), &Frontier::new());
    assert_eq!(Checkpoint::parse(&empty.to_string()), Ok(empty));
}

#[test]
fn growing_shrinking_and_forking_are_told_apart() {
    let all = leaves(9);
    let proof = consistency_at(5, 9, all.iter().copied()).expect("in range");
    let (old, new) = (checkpoint(&all[..5]), checkpoint(&all));
    assert_eq!(compare(&old, &new, &proof), Comparison::Consistent);
    assert_eq!(compare(&old, &old, &[]), Comparison::Consistent);
    let shrunk = Comparison::RolledBack { older: 9, newer: 5 };
    assert_eq!(compare(&new, &old, &proof), shrunk);

    let mut other = all.clone();
    other[2] = leaf_hash(b"changed");
    let fork = checkpoint(&other[..5]);
    assert_eq!(compare(&old, &fork, &[]), Comparison::Forked { size: 5 });
    let rewritten = consistency_at(5, 9, other.iter().copied()).expect("in range");
    let tampered = Comparison::Tampered { older: 5, newer: 9 };
    assert_eq!(compare(&old, &checkpoint(&other), &rewritten), tampered);
    assert_eq!(compare(&old, &new, &[]), tampered);

    let mut foreign = new.clone();
    foreign.origin = line("annals/b");
    let verdict = compare(&old, &foreign, &proof);
    assert!(matches!(verdict, Comparison::OtherLog { .. }), "{verdict}");
    // From the empty log, every log continues.
    let empty = Checkpoint::of(line("annals/a"), &Frontier::new());
    assert_eq!(compare(&empty, &new, &[]), Comparison::Consistent);
}

proptest! {
    #[test]
    fn what_is_parsed_prints_as_it_was(origin in "[ -~]{1,20}", size in 1..u64::MAX, root in any::<[u8; 32]>(), more in prop::collection::vec("[ -~]{1,9}", 0..3)) {
        let mut made = Checkpoint::new(line(&origin), size, root);
        made.extensions = more.iter().map(|text| line(text)).collect();
        let parsed = Checkpoint::parse(&made.to_string());
        prop_assert_eq!(parsed, Ok(made));
    }

    #[test]
    fn a_signed_checkpoint_does_not_survive_any_change(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let signer = key("annals/a", 1);
        let trusted = [signer.verifier().clone()];
        let signed = SignedCheckpoint::sign(checkpoint(&leaves(3)), &[&signer]).expect("signed");
        let mut bytes = signed.to_string().into_bytes();
        prop_assert!(SignedCheckpoint::open(&bytes, &trusted).is_ok());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(SignedCheckpoint::open(&bytes, &trusted).is_err());
    }
}
