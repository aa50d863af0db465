//! What a compaction did.

use serde::Serialize;

use crate::Error;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct CompactOutcome {
    /// Packs that were removed.
    pub packs_removed: u64,
    /// Packs that were written with the live content of others.
    pub packs_written: u64,
    /// Bytes that the packs shrank by, and bytes of unneeded content in the journal.
    pub bytes_freed: u64,
}

impl CompactOutcome {
    /// Returns the sum of both.
    pub(in crate::archive) fn plus(self, other: Self) -> Self {
        Self {
            packs_removed: self.packs_removed + other.packs_removed,
            packs_written: self.packs_written + other.packs_written,
            bytes_freed: self.bytes_freed + other.bytes_freed,
        }
    }
}

/// Adds to an error how many bytes were freed before it. They are on record, and the error must not
/// hide them.
pub(in crate::archive) fn after_freeing(error: Error, bytes_freed: u64) -> Error {
    if bytes_freed == 0 {
        return error;
    }
    error.adding(&format!("; {bytes_freed} bytes were freed before that"))
}
