//! What a run of a backup did.

use serde::Serialize;

use crate::archive::checking::verify::report::Finding;
use crate::id::{EventSeq, Sha256, StoreId};

/// What a run of a backup did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupOutcome {
    /// The store.
    pub store: StoreId,
    /// True when the backup now holds the store up to `event`. Otherwise it holds what it held
    /// before.
    pub complete: bool,
    /// True when the run was asked to end early.
    pub interrupted: bool,
    /// The last event in the backup; 0 when no run ever came to its end.
    pub event: EventSeq,
    /// The last event that was in it before.
    pub previous: EventSeq,
    /// The root of the tree over all events in it.
    pub root: Sha256,
    /// Files in the backup.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that this run copied.
    pub files_copied: u64,
    /// Their bytes.
    pub bytes_copied: u64,
    /// Of them, those that had been in the backup before and were missing or damaged.
    pub files_mended: u64,
    /// Files that were there already.
    pub files_there: u64,
    /// Files that the store has no more and that left the backup.
    pub files_removed: u64,
    /// Their bytes.
    pub bytes_removed: u64,
    /// Bytes of the backup that were read back and compared.
    pub bytes_checked: u64,
    /// Damage that was met in the store.
    pub findings: Vec<Finding>,
}
