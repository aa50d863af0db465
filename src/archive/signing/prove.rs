//! Proves what happened to one entry, without showing another one.

use std::sync::Arc;

use crate::archive::handle::Archive;
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::entry_proof::{EntryProof, ProvenEvent};
use crate::evidence::proof::{ProofBuilder, ProofError};
use crate::evidence::tree::{Frontier, leaf_hash};
use crate::id::{EntryId, EventSeq};
use crate::log::{LogFiles, LogReader};
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Returns the events of an entry and the proof that they are in the log. Signs a checkpoint
    /// first, if anything came since the newest one and there is a key.
    ///
    /// Reads the log from the segment with the entry's first event to its end, twice: an old entry
    /// of a long log takes seconds. Holds and purges name other entries, so they are not in it.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such entry, `Refused` when the log is not signed.
    pub fn prove(&self, entry: EntryId) -> Result<EntryProof> {
        if self.snapshot()?.entry(entry)?.is_none() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no entry {entry}"),
            ));
        }
        let checkpoint = if self.signs() && self.is_writable() {
            self.checkpoint()?
        } else {
            self.newest_checkpoint()?.ok_or_else(|| {
                Error::new(ErrorKind::Refused, "the store is not signed")
                    .hint("make a key with 'annals key init'")
            })?
        };
        prove(&self.store().log, entry, &checkpoint.signed)
    }
}

fn prove(log: &Arc<LogFiles>, entry: EntryId, signed: &SignedCheckpoint) -> Result<EntryProof> {
    let (first, last) = (entry.event(), EventSeq(signed.checkpoint().size));
    if first > last {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("no checkpoint covers entry {entry}, and there is no key here to sign one"),
        )
        .hint("name the key with --key-file FILE"));
    }
    // Nothing before the segment with the first event has to be read.
    let sealed = log.segments().into_iter().rev();
    let before = sealed
        .filter(|segment| segment.last_seq() < first)
        .find_map(|segment| segment.frontier().ok())
        .unwrap_or_else(Frontier::new);
    let mut found = Vec::new();
    let mut reader = LogReader::new(Arc::clone(log), first, last);
    let subject = format!(r#""subject":"{entry}""#);
    while let Some(leaf) = reader.next_leaf() {
        let (seq, line) = leaf?;
        if let Ok(line) = String::from_utf8(line)
            && line.contains(&subject)
            && is_about(&line, entry)
        {
            found.push((seq.0 - 1, line));
        }
    }
    let mut builder = ProofBuilder::new(last.0);
    for (index, _) in &found {
        builder.want_inclusion(*index).map_err(not_made)?;
    }
    builder.push_tree(&before).map_err(not_made)?;
    let mut reader = LogReader::new(Arc::clone(log), EventSeq(before.size() + 1), last);
    while let Some(leaf) = reader.next_leaf() {
        builder.push_hash(leaf_hash(&leaf?.1));
    }
    let mut proofs = builder.finish().map_err(not_made)?;
    if proofs.root != signed.checkpoint().root {
        return Err(Error::new(
            ErrorKind::Damaged,
            "the events are not the ones that were signed",
        )
        .hint("'annals verify' says more"));
    }
    let events = found.into_iter().filter_map(|(index, line)| {
        let hashes = proofs.inclusion.remove(&index)?;
        Some(ProvenEvent::new(index, line, hashes))
    });
    Ok(EntryProof::new(entry, events.collect(), signed))
}

/// Returns true when the event with this line speaks of `entry`.
fn is_about(line: &str, entry: EntryId) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        subject: String,
    }
    serde_json::from_str(line).is_ok_and(|head: Head| head.subject == entry.to_string())
}

fn not_made(error: ProofError) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("the proof cannot be made: {error}"),
    )
}
