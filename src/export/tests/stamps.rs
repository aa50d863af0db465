//! An owner shows a time stamp beside a log that it is not about.

use super::sample::{Plant, look};
use crate::event::{Body, CheckpointSigned, CheckpointTimestamped};
use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::evidence::note::KeyName;
use crate::evidence::timestamp::TimestampToken;
use crate::evidence::timestamp::tests::token;
use crate::export::{Verdict, Verified, What, WithContents};
use crate::id::EventSeq;

/// Records a checkpoint and a stamp over it, which may be changed first, and verifies the export.
fn verified(
    signed: impl FnOnce(&Plant) -> SignedCheckpoint,
    change: impl FnOnce(&mut CheckpointTimestamped),
) -> Verified {
    let mut plant = Plant::busy();
    let note = signed(&plant).to_string();
    let checkpoint = plant.record(Body::CheckpointSigned(CheckpointSigned {
        note: note.clone(),
    }));
    let mut stamp = CheckpointTimestamped {
        checkpoint,
        server: "https://tsa.example".to_owned(),
        token: over(&note),
    };
    change(&mut stamp);
    plant.record(Body::CheckpointTimestamped(stamp));
    let disk = plant.export(What::Whole, WithContents::No);
    look(&disk, &plant.trust())
}

fn over(text: &str) -> String {
    let token = token(text.as_bytes(), b"20260301083000Z", None);
    TimestampToken::parse(&token).expect("a token").to_base64()
}

#[test]
fn a_stamp_over_a_checkpoint_of_this_log__is_told() {
    let found = verified(Plant::sign, |_| {});
    assert!(found.ok, "{found:?}");
    let told = "the first 10 events were there at 2026-03-01T08:30:00.000000+00:00";
    assert!(
        found.notes.iter().any(|note| note.starts_with(told)),
        "{:?}",
        found.notes
    );
}

#[test]
fn a_stamp_over_anything_else__is_noticed() {
    let wrong = [
        verified(Plant::sign, |stamp| stamp.token = over("another text")),
        verified(Plant::sign, |stamp| stamp.token = "no base64".to_owned()),
        verified(Plant::sign, |stamp| stamp.checkpoint = EventSeq(1)),
        // The stamp is over a checkpoint of another history, or of one that is gone.
        verified(
            |plant| {
                let mut other = plant.clone();
                other.lines[3] = other.lines[3].replace("kari", "nora");
                other.sign()
            },
            |_| {},
        ),
        verified(
            |plant| {
                let origin = (&KeyName::of_store(&super::sample::STORE)).into();
                let checkpoint = Checkpoint::new(origin, 1_000, [7; 32]);
                SignedCheckpoint::sign(checkpoint, &[&plant.key()]).expect("signed")
            },
            |_| {},
        ),
    ];
    for (nth, found) in wrong.iter().enumerate() {
        assert_eq!(found.verdict, Verdict::Tampered, "{nth}: {found:?}");
    }
}
