//! The rows of blobs and packs, and the sums over all of them.

use crate::id::PackId;
use serde::{Deserialize, Serialize};

/// The index's row for one blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "StoredBlob", into = "StoredBlob")]
pub(crate) struct BlobRow {
    /// Bytes of its plaintext.
    pub(crate) size: u64,
    /// References to it: sources, reports and bundle files that are not purged, and live blobs that
    /// contain it. The blob is live while this is not zero.
    pub(crate) refs: u32,
    /// How many of the references come from events rather than from other blobs.
    pub(crate) named: u32,
    /// Its location; `None` while it is only in the journal.
    pub(crate) place: Option<Place>,
    /// True when its content is that of its children, concatenated.
    pub(crate) chunked: bool,
}

/// A [`BlobRow`] as it is encoded.
#[derive(Serialize, Deserialize)]
enum StoredBlob {
    /// One event names it, and it lies in a pack as a whole: nearly all blobs.
    Usual { size: u64, place: Place },
    Other {
        size: u64,
        refs: u32,
        named: u32,
        place: Option<Place>,
        chunked: bool,
    },
}

impl From<BlobRow> for StoredBlob {
    fn from(row: BlobRow) -> Self {
        let BlobRow {
            size,
            refs,
            named,
            place,
            chunked,
        } = row;
        match (refs, named, place, chunked) {
            (1, 1, Some(place), false) => Self::Usual { size, place },
            _ => Self::Other {
                size,
                refs,
                named,
                place,
                chunked,
            },
        }
    }
}

impl From<StoredBlob> for BlobRow {
    fn from(stored: StoredBlob) -> Self {
        match stored {
            StoredBlob::Usual { size, place } => Self {
                size,
                refs: 1,
                named: 1,
                place: Some(place),
                chunked: false,
            },
            StoredBlob::Other {
                size,
                refs,
                named,
                place,
                chunked,
            } => Self {
                size,
                refs,
                named,
                place,
                chunked,
            },
        }
    }
}

/// The location of a blob in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The pack.
    pub(crate) pack: PackId,
    /// Offset in the pack.
    pub(crate) offset: u64,
    /// Bytes of the stored blob.
    pub(crate) len: u32,
}

/// The index's row for one pack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::index) struct PackState {
    /// Class, file bytes, number of blobs and bytes of dictionaries, once the pack was added.
    pub(in crate::index) file: Option<(String, u64, u64, u64)>,
    pub(in crate::index) live_bytes: u64,
    pub(in crate::index) live_blobs: u64,
}

/// Sums that would otherwise need a walk over everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::index) struct Totals {
    /// Plaintext bytes of the blobs that events name, each once.
    pub(in crate::index) unique_bytes: u64,
    /// The newest entry; 0 means none.
    pub(in crate::index) newest_entry: u64,
    /// The highest number of any compacted pack. It must not be used again.
    pub(in crate::index) highest_pack: u64,
    /// Reports that wait to be submitted.
    pub(in crate::index) waiting: u64,
    /// Number of live blobs, wherever they are stored.
    pub(in crate::index) needed_blobs: u64,
    /// The newest event that made earlier purge plans stale; 0 means none.
    pub(in crate::index) plans_stale_since: u64,
    /// The newest event about the key that signs; 0 means none.
    pub(in crate::index) newest_key: u64,
    /// The newest event about how often checkpoints are signed; 0 means none.
    pub(in crate::index) newest_cadence: u64,
    /// The newest event with a checkpoint; 0 means none.
    pub(in crate::index) newest_checkpoint: u64,
    /// The newest event about a review of the log; 0 means none.
    pub(in crate::index) newest_review: u64,
    /// The newest declaration of personal fields, if it names any; 0 means none.
    pub(in crate::index) newest_privacy: u64,
    /// The newest event that personal values went with: an erasure, or a purge; 0 means none.
    pub(in crate::index) newest_erased: u64,
    /// Personal values that leaves have digests of.
    pub(in crate::index) sealed: u64,
    /// How many of them were erased.
    pub(in crate::index) erased: u64,
    /// Holds in force that later matches come under.
    pub(in crate::index) future_holds: u64,
    /// Entries of which only facts are kept, and that are not purged.
    pub(in crate::index) facts_entries: u64,
    /// Bytes that their sources have, and the store has not.
    pub(in crate::index) facts_bytes: u64,
    /// Entries whose purge can be undone.
    pub(in crate::index) pending_entries: u64,
    /// The newest event with which content went; 0 means none.
    pub(in crate::index) newest_final_purge: u64,
    /// The latest time of an event, in microseconds, without what is known to be wrong of it.
    pub(in crate::index) latest: i64,
    /// By how many microseconds the wall clock was set ahead of that, as far as the log shows it.
    pub(in crate::index) clock_ahead: i64,
}
