//! What a compaction did.

use serde::Serialize;

use crate::Error;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CompactOutcome {
    /// Packs that went.
    pub packs_removed: u64,
    /// Packs that hold what was alive in them.
    pub packs_written: u64,
    /// Bytes the packs shrank by, and those of content in the journal that nothing needed.
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

/// Adds to an error what was done before it: that is on record, and must not be hidden by it.
pub(in crate::archive) fn after_freeing(error: Error, bytes_freed: u64) -> Error {
    if bytes_freed == 0 {
        return error;
    }
    error.adding(&format!("; {bytes_freed} bytes were freed before that"))
}
