//! The proof of all events of one entry, in one text file that reveals no other entry.
//!
//! The file has the exact lines of the events, for each the hashes from it to the root, and one
//! signed checkpoint.

use std::fmt;

use serde::Deserialize;

use super::checkpoint::{OpenError, SignedCheckpoint};
use super::note::{NOTE_BYTES_MAX, Note, NoteError, VerifierKey};
use super::text::{decode_hash, decode_number, encode_base64};
use super::tlog_proof::HASHES_MAX;
use super::tree::{TreeHash, leaf_hash, verify_inclusion};
use crate::id::EntryId;

/// The first line.
const HEADER: &str = "annals entry proof v1";
/// The most events in one proof.
pub const EVENTS_MAX: u64 = 100_000;

/// An event and where it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProvenEvent {
    /// The number of its leaf, from 0.
    pub index: u64,
    /// Its exact line.
    pub line: String,
    /// The hashes from it to the root.
    pub hashes: Vec<TreeHash>,
}

impl ProvenEvent {
    /// Returns the event with this line. The hashes come from
    /// [`ProofBuilder`](super::proof::ProofBuilder).
    pub const fn new(index: u64, line: String, hashes: Vec<TreeHash>) -> Self {
        Self {
            index,
            line,
            hashes,
        }
    }
}

/// The events of an entry, and a checkpoint that covers them. Nothing is verified before
/// [`EntryProof::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryProof {
    entry: EntryId,
    events: Vec<ProvenEvent>,
    checkpoint: Note,
}

/// Why bytes are not such a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryProofError {
    /// The file is not UTF-8.
    #[error("the proof is not UTF-8 text")]
    Utf8,
    /// A line is missing or is not the one that belongs there.
    #[error("line {0} of the proof is not the one that belongs there")]
    Line(usize),
    /// It has more events than any entry.
    #[error("the proof has more than {EVENTS_MAX} events")]
    TooManyEvents,
    /// The checkpoint is not a signed note.
    #[error("in the checkpoint of the proof: {0}")]
    Checkpoint(#[from] NoteError),
}

/// Why a proof does not convince.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryProofRefused {
    /// The checkpoint is not to be believed.
    #[error(transparent)]
    Checkpoint(#[from] OpenError),
    /// There is no event.
    #[error("the proof has no event")]
    Empty,
    /// An event is not one of the entry.
    #[error("event {0} of the proof is not about entry {1}")]
    OtherEntry(usize, EntryId),
    /// The hashes do not lead from an event to the root.
    #[error("event {0} of the proof is not in the log that was signed")]
    NotIncluded(usize),
}

impl EntryProof {
    /// Returns a proof of the events of `entry`, with hashes for the size of the checkpoint.
    pub fn new(entry: EntryId, events: Vec<ProvenEvent>, checkpoint: &SignedCheckpoint) -> Self {
        Self {
            entry,
            events,
            checkpoint: checkpoint.note().clone(),
        }
    }

    /// Parses a file. Nothing is verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryProofError> {
        let text = str::from_utf8(bytes).map_err(|_| EntryProofError::Utf8)?;
        let mut lines = Lines {
            rest: text,
            number: 0,
        };
        lines
            .after(HEADER)
            .filter(|rest| rest.is_empty())
            .ok_or(lines.wrong())?;
        let entry = EntryId(lines.number_after("entry ")?);
        let count = lines.number_after("events ")?;
        if count > EVENTS_MAX {
            return Err(EntryProofError::TooManyEvents);
        }
        let mut events = Vec::new();
        for _ in 0..count {
            let line = lines.after("").ok_or(lines.wrong())?.to_owned();
            let index = lines.number_after("index ")?;
            let mut hashes = Vec::new();
            loop {
                let text = lines.after("").ok_or(lines.wrong())?;
                if text.is_empty() {
                    break;
                }
                let hash = decode_hash(text).filter(|_| hashes.len() < HASHES_MAX);
                hashes.push(hash.ok_or(lines.wrong())?);
            }
            events.push(ProvenEvent {
                index,
                line,
                hashes,
            });
        }
        if lines.rest.len() > NOTE_BYTES_MAX {
            return Err(lines.wrong());
        }
        Ok(Self {
            entry,
            events,
            checkpoint: Note::parse(lines.rest.as_bytes())?,
        })
    }

    /// Returns the entry that the proof is about.
    pub const fn entry(&self) -> EntryId {
        self.entry
    }

    /// Returns the events.
    pub fn events(&self) -> &[ProvenEvent] {
        &self.events
    }

    /// Verifies that every event is in the log and is about the entry. Needs only keys that came
    /// another way.
    pub fn verify(&self, trusted: &[VerifierKey]) -> Result<SignedCheckpoint, EntryProofRefused> {
        let signed = SignedCheckpoint::from_note(self.checkpoint.clone(), trusted)?;
        if self.events.is_empty() {
            return Err(EntryProofRefused::Empty);
        }
        let (size, root) = (signed.checkpoint().size, &signed.checkpoint().root);
        let source = source_of(signed.checkpoint().origin.as_str());
        for (number, event) in (1..).zip(&self.events) {
            if !event.is_of(self.entry, &source) {
                return Err(EntryProofRefused::OtherEntry(number, self.entry));
            }
            let leaf = leaf_hash(event.line.as_bytes());
            if !verify_inclusion(&leaf, event.index, size, &event.hashes, root) {
                return Err(EntryProofRefused::NotIncluded(number));
            }
        }
        Ok(signed)
    }
}

/// Returns how the events of a log name it.
fn source_of(origin: &str) -> String {
    let id = origin.strip_prefix("annals/").unwrap_or(origin);
    format!("urn:annals:{id}")
}

impl ProvenEvent {
    /// Returns true when the line is the event of its place and log, and speaks of `entry` alone.
    fn is_of(&self, entry: EntryId, source: &str) -> bool {
        #[derive(Deserialize)]
        struct Head {
            id: String,
            source: String,
            subject: String,
        }
        serde_json::from_str(&self.line).is_ok_and(|head: Head| {
            head.subject == entry.0.to_string()
                && head.source == source
                && head.id == (self.index + 1).to_string()
        })
    }
}

impl fmt::Display for EntryProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.events.len();
        writeln!(f, "{HEADER}\nentry {}\nevents {count}", self.entry.0)?;
        for event in &self.events {
            writeln!(f, "{}\nindex {}", event.line, event.index)?;
            for hash in &event.hashes {
                writeln!(f, "{}", encode_base64(hash))?;
            }
            writeln!(f)?;
        }
        write!(f, "{}", self.checkpoint)
    }
}

/// Reads the lines of a proof one after the other.
struct Lines<'t> {
    rest: &'t str,
    number: usize,
}

impl<'t> Lines<'t> {
    const fn wrong(&self) -> EntryProofError {
        EntryProofError::Line(self.number)
    }

    /// Returns what follows `label` in the next line.
    fn after(&mut self, label: &str) -> Option<&'t str> {
        self.number += 1;
        let (line, rest) = self.rest.split_once('\n')?;
        self.rest = rest;
        line.strip_prefix(label)
    }

    fn number_after(&mut self, label: &str) -> Result<u64, EntryProofError> {
        let number = self.after(label).and_then(decode_number);
        number.ok_or(self.wrong())
    }
}

#[cfg(test)]
mod tests {
    //! A customer gets the proof of one entry. Each test changes something that the customer would
    //! not see, and asks for the refusal.

    use super::*;
    use crate::evidence::checkpoint::Checkpoint;
    use crate::evidence::key::SecretKey;
    use crate::evidence::note::KeyName;
    use crate::evidence::proof::ProofBuilder;
    use crate::evidence::tree::Frontier;

    fn line(id: u64, subject: u64) -> String {
        format!(r#"{{"id":"{id}","source":"urn:annals:5a","subject":"{subject}","data":{{}}}}"#)
    }

    fn key() -> SecretKey {
        SecretKey::from_seed(KeyName::new("annals/5a").expect("a name"), &[5; 32])
    }

    /// Returns the proof of events `of` of a log of `size` events, made without the first `skip`.
    fn proof(size: u64, of: &[u64], skip: u64) -> EntryProof {
        let lines: Vec<String> = (1..=size)
            .map(|id| line(id, if of.contains(&id) { 7 } else { 8 }))
            .collect();
        let mut builder = ProofBuilder::new(size);
        for id in of {
            builder.want_inclusion(id - 1).expect("a leaf");
        }
        let mut tree = Frontier::new();
        for (at, line) in (0..).zip(&lines) {
            if at == skip {
                builder.push_tree(&tree).expect("not needed");
            }
            tree.push(line.as_bytes());
            if at >= skip {
                builder.push_hash(leaf_hash(line.as_bytes()));
            }
        }
        let mut proofs = builder.finish().expect("complete");
        assert_eq!(proofs.root, tree.root());
        let checkpoint = Checkpoint::of(key().verifier().name().into(), &tree);
        let signed = SignedCheckpoint::sign(checkpoint, &[&key()]).expect("signed");
        let events = of.iter().map(|id| {
            let hashes = proofs.inclusion.remove(&(id - 1)).expect("asked for");
            let at = usize::try_from(id - 1).expect("few");
            ProvenEvent::new(id - 1, lines[at].clone(), hashes)
        });
        EntryProof::new(EntryId(7), events.collect(), &signed)
    }

    #[test]
    fn a_proof_holds_from_wherever_it_is_made() {
        let trusted = [key().verifier().clone()];
        for size in [7, 8, 9, 40, 63] {
            for skip in 0..7 {
                let made = proof(size, &[7], skip);
                let read = EntryProof::parse(made.to_string().as_bytes()).expect("read");
                assert_eq!(read, made);
                let signed = read.verify(&trusted).expect("holds");
                assert_eq!(signed.checkpoint().size, size);
            }
        }
        let several = proof(40, &[7, 9, 33], 6);
        several.verify(&trusted).expect("holds");
        assert!(
            several
                .to_string()
                .matches(r#""subject":"8""#)
                .next()
                .is_none()
        );
    }

    #[test]
    fn what_was_changed_is_refused() {
        let trusted = [key().verifier().clone()];
        let good = proof(40, &[7, 9], 6).to_string();
        let refused = |text: &str| match EntryProof::parse(text.as_bytes()) {
            Ok(proof) => proof.verify(&trusted).is_err(),
            Err(_) => true,
        };
        assert!(!refused(&good));
        for (from, to) in [
            ("entry 7", "entry 8"),
            ("events 2", "events 1"),
            ("events 2", "events 3"),
            (r#""data":{}"#, r#""data":{ }"#),
            ("index 6", "index 7"),
            ("annals entry proof v1", "annals entry proof v2"),
            ("\n40\n", "\n41\n"),
        ] {
            assert!(good.contains(from), "{from}");
            assert!(refused(&good.replacen(from, to, 1)), "{from}");
        }
        let other = SecretKey::from_seed(KeyName::new("annals/5a").expect("a name"), &[6; 32]);
        let parsed = EntryProof::parse(good.as_bytes()).expect("read");
        assert!(parsed.verify(&[other.verifier().clone()]).is_err());
        let empty = EntryProof {
            events: Vec::new(),
            ..parsed
        };
        assert_eq!(empty.verify(&trusted), Err(EntryProofRefused::Empty));
    }
}
