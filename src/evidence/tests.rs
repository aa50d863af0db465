//! The worked example of `docs/evidence.md`, made again. Its texts were made by another program, so
//! that a mistake here is not copied there.

use super::checkpoint::{Checkpoint, SignedCheckpoint};
use super::key::SecretKey;
use super::note::{KeyName, TextLine};
use super::proof::inclusion_at;
use super::rotation::{LostKey, Rotation};
use super::tlog_proof::TlogProof;
use super::tree::{Frontier, leaf_hash};
use crate::id::StoreId;

const PAGE: &str = include_str!("../../docs/evidence.md");

#[test]
fn the_worked_example_is_what_the_code_writes() {
    let name = KeyName::of_store(&StoreId::from_bytes([0x5a; 16]));
    let key = |first: u8| {
        let mut bytes = first..;
        let seed = std::array::from_fn(|_| bytes.next().expect("few bytes"));
        SecretKey::from_seed(name.clone(), &seed)
    };
    let (old, new) = (key(0), key(32));
    let lines = ["{\"event\":1}", "{\"event\":2}", "{\"event\":3}"];
    let leaves = lines.map(|line| leaf_hash(line.as_bytes()));
    let mut tree = Frontier::new();
    for leaf in &leaves {
        tree.push_hash(*leaf);
    }
    let checkpoint = Checkpoint::of(old.verifier().name().into(), &tree);
    let signed = SignedCheckpoint::sign(checkpoint, &[&old]).expect("signed");
    let hashes = inclusion_at(3, 1, leaves).expect("in range");
    let reason = TextLine::new("the disk of line 3 died").expect("a line");
    let (_, example) = PAGE
        .split_once("\n## Worked example\n")
        .expect("an example");
    for text in [
        format!("{}\n{}\n", old.verifier(), new.verifier()),
        lines.join("\n") + "\n",
        signed.to_string(),
        TlogProof::new(1, hashes, &signed).to_string(),
        Rotation::sign(&old, &new).expect("signed").to_string(),
        LostKey::sign(old.verifier(), &new, reason)
            .expect("signed")
            .to_string(),
    ] {
        let block = format!("\n```text\n{text}```\n");
        assert!(example.contains(&block), "not on the page:\n{text}");
    }
    assert!(PAGE.contains(&format!("\n{}\n", super::key_file::FIRST_LINE)));
    assert!(old.to_secret_text().starts_with("PRIVATE+KEY+annals/5a5a"));
}

/// A log in production says what it has in `{:?}`; a secret must not be there.
#[test]
fn debug_shows_the_public_part_only() {
    let key = SecretKey::from_seed(KeyName::new("annals/a").expect("a name"), &[7; 32]);
    let shown = format!("{key:?}");
    assert!(shown.contains(&key.verifier().to_string()), "{shown}");
    let secret = key.to_secret_text();
    let last = secret.rsplit('+').next().expect("a part");
    assert!(!shown.contains(last) && !shown.contains("7, 7"), "{shown}");
}
