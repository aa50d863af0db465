//! What became of the file that an entry was archived from.

use serde::Serialize;

use crate::Result;
use crate::archive::Archive;
use crate::entry::Entry;
use crate::event::{Body, Clearing};
use crate::id::EventSeq;
use crate::service::time::Zone;
use crate::time::Timestamp;

/// What became of a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceFile {
    /// How it was cleared away.
    pub how: Clearing,
    /// Where it is since then; null for a file that was removed, and for an erased path.
    pub path: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The event that records it.
    pub event: EventSeq,
}

impl SourceFile {
    /// Returns what became of it, in a few words.
    pub fn words(&self) -> String {
        self.how.words(self.path.as_deref())
    }

    /// Looks up what became of the file of an entry, with times in `zone`. `None` when no host has
    /// recorded it.
    pub fn of(archive: &Archive, entry: &Entry, zone: &Zone) -> Result<Option<Self>> {
        let Some(seq) = entry.cleared else {
            return Ok(None);
        };
        let Some(leaf) = archive.events(seq, Some(seq))?.next() else {
            return Ok(None);
        };
        // An event that cannot be read hides nothing else. `annals verify` finds it.
        let Ok(revealed) = archive.reveal(&leaf?) else {
            return Ok(None);
        };
        let Body::SourceCleared(fact) = revealed.event.body else {
            return Ok(None);
        };
        Ok(Some(Self {
            how: fact.how,
            path: fact.path,
            at: zone.exact(revealed.event.time),
            event: seq,
        }))
    }
}
