//! The limits of a class on size, number and free disk.

use super::Class;
use crate::retention::words::{max_count, max_size, min_free_disk};

/// What is left of a class while its oldest entries are taken, and what is free on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Entries that are left.
    pub(crate) entries: u64,
    /// Bytes on disk that they take.
    pub(crate) stored: u64,
}

/// Returns the rule by which the oldest entry of a class goes, while one of its limits is exceeded.
/// `free` are the bytes that are free on the store's disk, with what the plan frees and what purges
/// free once they cannot be undone.
pub(crate) fn over(class: &Class, left: Tally, free: Option<u64>) -> Option<String> {
    if left.entries == 0 {
        return None;
    }
    let size = class.max_size.filter(|limit| left.stored > *limit);
    let count = class.max_count.filter(|limit| left.entries > *limit);
    let disk = class.min_free_disk;
    let disk = disk.filter(|limit| free.is_some_and(|free| free < *limit));
    size.map(max_size)
        .or_else(|| count.map(max_count))
        .or_else(|| disk.map(min_free_disk))
}
