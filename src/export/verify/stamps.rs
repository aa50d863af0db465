//! Time stamps in the log of a bundle: each is over the note of a checkpoint that this log gives.
//!
//! That its server signed it is not verified here; docs/evidence.md says how to.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::bundle::Bundle;
use super::outcome::{Verdict, Verified};
use crate::event::{Body, CheckpointTimestamped, Event};
use crate::evidence::checkpoint::Checkpoint;
use crate::evidence::note::Note;
use crate::evidence::timestamp::{TimestampError, TimestampToken};
use crate::evidence::tree::Frontier;
use crate::export::bag;
use crate::export::lines::{Lines, Next};
use crate::id::EventSeq;

/// Checkpoints and the stamps over them, gathered event by event.
#[derive(Default)]
pub(super) struct Stamps {
    notes: BTreeMap<EventSeq, (Checkpoint, [u8; 32])>,
    /// By how many events the stamped checkpoint covers.
    stamps: BTreeMap<u64, Stamp>,
}

struct Stamp {
    seq: EventSeq,
    checkpoint: Checkpoint,
    token: TimestampToken,
    server: String,
}

impl Stamps {
    /// Takes the next event.
    pub(super) fn look(&mut self, event: &Event, found: &mut Verified) {
        match &event.body {
            Body::CheckpointSigned(fact) => {
                let note = Note::parse(fact.note.as_bytes());
                let text = note.ok().map(|note| Checkpoint::parse(note.text()));
                if let Some(Ok(checkpoint)) = text {
                    let digest = Sha256::digest(fact.note.as_bytes()).into();
                    self.notes.insert(event.seq, (checkpoint, digest));
                }
            }
            Body::CheckpointTimestamped(fact) => {
                if let Err(why) = self.stamp(event.seq, fact) {
                    found.find(
                        Verdict::Tampered,
                        "log",
                        format!("event {}", event.seq),
                        why,
                    );
                }
            }
            _ => {}
        }
    }

    fn stamp(&mut self, seq: EventSeq, fact: &CheckpointTimestamped) -> Result<(), String> {
        let token = TimestampToken::from_base64(&fact.token).map_err(|error| error.to_string())?;
        let named = self.notes.get(&fact.checkpoint);
        let (checkpoint, digest) =
            named.ok_or_else(|| format!("event {} is no checkpoint", fact.checkpoint))?;
        if !token.is_over_digest(digest) {
            return Err(TimestampError::OtherText.to_string());
        }
        let stamp = Stamp {
            seq,
            checkpoint: checkpoint.clone(),
            token,
            server: fact.server.clone(),
        };
        self.stamps.insert(checkpoint.size, stamp);
        Ok(())
    }

    /// Compares the checkpoints that were stamped with the lines of the whole log, and says what
    /// the newest stamp states.
    pub(super) fn finish(self, bundle: &Bundle<'_>, found: &mut Verified) -> io::Result<()> {
        let Some((last, newest)) = self.stamps.last_key_value() else {
            return Ok(());
        };
        let mut lines = Lines::open(bundle.disk, Path::new(bag::EVENTS))?;
        let (mut tree, mut line) = (Frontier::new(), Vec::new());
        let mut held = 0;
        while tree.size() < *last
            && let Next::Line(_) = lines.next(&mut line)?
        {
            tree.push(&line);
            let Some(stamp) = self.stamps.get(&tree.size()) else {
                continue;
            };
            held += 1;
            if stamp.checkpoint.root != tree.root() {
                let told = "the checkpoint that was stamped is of another log than this";
                found.find(
                    Verdict::Tampered,
                    "log",
                    format!("event {}", stamp.seq),
                    told,
                );
            }
        }
        if held < self.stamps.len() {
            let told = "a checkpoint that was stamped covers no events that are here";
            found.find(
                Verdict::Tampered,
                "log",
                format!("event {}", newest.seq),
                told,
            );
        }
        let renew = newest.token.renew_before();
        let renew = renew.map(|time| format!("; its first certificate ends at {time}"));
        found.notes.push(format!(
            "the first {last} events were there at {}, says the time stamp in event {} of {}, \
             whose signature is not checked here{}",
            newest.token.time(),
            newest.seq,
            newest.server,
            renew.unwrap_or_default()
        ));
        Ok(())
    }
}
