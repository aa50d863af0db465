//! The bytes of a group that never became durable.

use crate::disk::DiskFile;
use crate::id::Sha256;
use crate::log::LogError;
use crate::log::journal::journal_path;
use std::sync::Arc;

/// A torn tail that is still in its file.
pub(crate) struct TornTail {
    pub(crate) slot: u32,
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

impl TornTail {
    /// Returns the digest of the torn bytes.
    pub(crate) fn sha256(&self) -> Sha256 {
        Sha256::of(&self.bytes)
    }
}

/// Zeroes a torn tail, so that no stray frame in it can ever line up with frames written later.
/// Durable on `Ok`.
pub(crate) fn cut(file: &Arc<dyn DiskFile>, tail: &TornTail) -> Result<(), LogError> {
    let path = journal_path(tail.slot);
    file.write_all_at(&vec![0; tail.bytes.len()], tail.offset)
        .map_err(LogError::io("write to", &path))?;
    file.sync().map_err(LogError::io("sync", &path))
}
