//! One file, given to a customer with one report, has to convince without the log, and must not
//! convince of any other event.

use proptest::prelude::*;

use super::*;
use crate::evidence::checkpoint::Checkpoint;
use crate::evidence::key::SecretKey;
use crate::evidence::note::{KeyName, TextLine};
use crate::evidence::proof::inclusion_at;

const LINES: [&[u8]; 5] = [
    b"{\"a\":1}",
    b"{\"a\":2}",
    b"{\"a\":3}",
    b"{\"a\":4}",
    b"{\"a\":5}",
];

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new("annals/test").expect("a name"), &[seed; 32])
}

fn proof_of(index: u64) -> TlogProof {
    let hashes = LINES.map(leaf_hash);
    let mut tree = crate::evidence::tree::Frontier::new();
    for hash in &hashes {
        tree.push_hash(*hash);
    }
    let origin = TextLine::new("annals/test").expect("a line");
    let signed = SignedCheckpoint::sign(Checkpoint::of(origin, &tree), &[&key(1)]).expect("signed");
    TlogProof::new(
        index,
        inclusion_at(5, index, hashes).expect("in range"),
        &signed,
    )
}

#[test]
fn a_proof_convinces_of_its_event_only() {
    let trusted = [key(1).verifier().clone()];
    for (index, own) in (0..).zip(LINES) {
        let text = proof_of(index).to_string();
        let proof = TlogProof::parse(text.as_bytes()).expect("a proof");
        assert_eq!(proof.to_string(), text);
        for (at, line) in (0..).zip(LINES) {
            let verified = proof.verify(line, &trusted);
            assert_eq!(verified.is_ok(), at == index, "{verified:?}");
        }
        let elsewhere = text.replace(
            &format!("index {index}\n"),
            &format!("index {}\n", index + 1),
        );
        let elsewhere = TlogProof::parse(elsewhere.as_bytes()).expect("a proof");
        let refused = elsewhere.verify(own, &trusted);
        assert!(
            matches!(refused, Err(ProofRefused::NotIncluded { .. })),
            "{refused:?}"
        );
    }
    let refused = proof_of(0).verify(LINES[0], &[key(2).verifier().clone()]);
    assert!(
        matches!(refused, Err(ProofRefused::Checkpoint(_))),
        "{refused:?}"
    );
}

#[test]
fn extra_data_travels_along_and_proves_nothing() {
    let plain = proof_of(3);
    for extra in [&b""[..], b"entry 7", &[0xff; 100]] {
        let text = plain.clone().with_extra(extra.to_vec()).to_string();
        let parsed = TlogProof::parse(text.as_bytes()).expect("a proof");
        assert_eq!(parsed.extra(), Some(extra));
        assert_eq!(parsed.to_string(), text);
        parsed
            .verify(LINES[3], &[key(1).verifier().clone()])
            .expect("the same proof");
    }
    assert_eq!(plain.extra(), None);
}

#[test]
fn each_malformed_proof_has_its_own_error() {
    use TlogProofError as E;
    let sound = proof_of(3).to_string();
    let hash = encode_base64(&[1; 32]);
    let many = format!(
        "{HEADER}\nindex 0\n{}\n",
        format!("{hash}\n").repeat(HASHES_MAX + 1)
    );
    for (text, error) in [
        (String::new(), E::Header),
        (HEADER.to_owned(), E::Header),
        (sound.replace("@v1", "@v2"), E::Header),
        (format!("{HEADER}\n"), E::Index),
        (format!("{HEADER}\nextra AQI=\n"), E::Index),
        (format!("{HEADER}\nextra AQI\nindex 0\n"), E::Extra),
        (format!("{HEADER}\nextra AQI="), E::Extra),
        (sound.replace("index 3", "index 03"), E::Index),
        (sound.replace("index 3", "index -3"), E::Index),
        (sound.replace("index 3", "index"), E::Index),
        (format!("{HEADER}\nindex 0"), E::Index),
        (format!("{HEADER}\nindex 0\n"), E::NoCheckpoint),
        (format!("{HEADER}\nindex 0\n{hash}\n"), E::NoCheckpoint),
        (format!("{HEADER}\nindex 0\n{hash}\nAQI=\n\n"), E::Hash(2)),
        (
            format!("{HEADER}\nindex 0\n\n"),
            E::Checkpoint(NoteError::Unsigned),
        ),
        (many, E::TooManyHashes),
        (
            " ".repeat(TLOG_PROOF_BYTES_MAX + 1),
            E::TooLarge(TLOG_PROOF_BYTES_MAX + 1),
        ),
    ] {
        assert_eq!(TlogProof::parse(text.as_bytes()), Err(error), "{text:.120}");
    }
    assert_eq!(TlogProof::parse(b"\xff"), Err(E::Utf8));
}

proptest! {
    #[test]
    fn no_changed_byte_convinces(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let trusted = [key(1).verifier().clone()];
        let mut bytes = proof_of(2).to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let convinced = TlogProof::parse(&bytes).is_ok_and(|proof| proof.verify(LINES[2], &trusted).is_ok());
        prop_assert!(!convinced);
    }
}
