//! The rows of blobs and packs, and what is counted over all of them.

use crate::id::PackId;
use serde::{Deserialize, Serialize};

/// What is known of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct BlobRow {
    /// Bytes of its plaintext.
    pub(crate) size: u64,
    /// How many facts need it: sources, reports and bundle files that are not purged, and live
    /// blobs cut into it.
    pub(crate) refs: u32,
    /// How many of those are facts, not blobs.
    pub(crate) named: u32,
    /// Where it lies; `None` while it is only in the journal.
    pub(crate) place: Option<Place>,
    /// True when its content is that of its children, one behind the other.
    pub(crate) chunked: bool,
}

/// Where a blob lies in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The pack.
    pub(crate) pack: PackId,
    /// Where in it.
    pub(crate) offset: u64,
    /// Bytes there.
    pub(crate) len: u32,
}

/// What is known of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::index) struct PackState {
    /// Class, bytes, blobs and bytes of dictionaries of the file, once it was added.
    pub(in crate::index) file: Option<(String, u64, u64, u64)>,
    pub(in crate::index) live_bytes: u64,
    pub(in crate::index) live_blobs: u64,
}

/// Sums that would need a walk over everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::index) struct Totals {
    /// Plaintext bytes of the blobs that facts name.
    pub(in crate::index) unique_bytes: u64,
    /// The newest entry; 0 is none.
    pub(in crate::index) newest_entry: u64,
    /// The highest number of a pack that was ever compacted away; it is not given again.
    pub(in crate::index) highest_pack: u64,
    /// Reports that wait to be submitted.
    pub(in crate::index) waiting: u64,
    /// Blobs that anything needs, wherever they lie.
    pub(in crate::index) needed_blobs: u64,
    /// The newest event that made earlier plans of purges stale; 0 is none.
    pub(in crate::index) plans_stale_since: u64,
}
