//! Facts about the store itself: made, opened, recovered, repaired.

use serde::{Deserialize, Serialize};

use crate::event::retention::EntryRanges;
use crate::id::{BlobId, EventSeq, Sha256, StoreId};

/// See [`Body::StoreCreated`](crate::event::Body::StoreCreated).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreCreated {
    /// The store's id, which never changes.
    pub store: StoreId,
    /// Version of the on-disk format.
    pub format: u16,
    /// Version of the program.
    pub program: String,
}

/// See [`Body::StoreOpened`](crate::event::Body::StoreOpened).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreOpened {
    /// Version of the program.
    pub program: String,
    /// Name of the machine.
    pub host: String,
    /// Process number.
    pub pid: u32,
    /// When an event counts as durable; always "group-fdatasync" for now.
    pub sync: String,
}

/// See [`Body::StoreContinued`](crate::event::Body::StoreContinued).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoreContinued {
    /// What this copy was made from.
    pub from: ContinuedFrom,
    /// The last event that both copies share.
    pub event: EventSeq,
    /// The root of the hash tree over all events up to that one, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Sha256>,
    /// Name of the machine the other copy was on.
    pub host: String,
    /// Folder the other copy was in.
    pub folder: String,
    /// Name of the machine this copy is on.
    pub at_host: String,
    /// Folder this copy is in.
    pub at_folder: String,
}

/// What a copy of a store was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContinuedFrom {
    /// A backup, by `restore-store`.
    Backup,
    /// The store's own files, copied or moved.
    Copy,
}

/// See [`Body::Recovered`](crate::event::Body::Recovered).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recovered {
    /// The journal file.
    pub journal: String,
    /// Where the torn bytes began.
    pub offset: u64,
    /// How many bytes were cut.
    pub bytes: u64,
    /// Digest of the bytes that were cut.
    pub sha256: Sha256,
    /// Where the cut bytes are kept, relative to the store. Absent when the disk was full.
    pub quarantine: Option<String>,
}

/// See [`Body::Lost`](crate::event::Body::Lost).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The file that should have held it.
    pub file: String,
    /// True when the file written last is gone. Then it is unknown whether this event existed and
    /// whether others followed it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub and_later: bool,
}

/// See [`Body::Repaired`](crate::event::Body::Repaired). A large repair is recorded as several
/// events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Repaired {
    /// Files that were replaced or taken out, as they were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<RepairedFile>,
    /// Lost events, as ascending inclusive ranges. In place of each is a
    /// [`Body::Lost`](crate::event::Body::Lost), or its own line that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<(EventSeq, EventSeq)>,
    /// True when the journal file written last was gone. What it held after the last of the lost
    /// events is lost, and how much that was is unknown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub end_is_lost: bool,
    /// Content that entries name and that no longer exists anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<BlobId>,
    /// Entries made from content whose own events are among the lost ones.
    #[serde(default, skip_serializing_if = "EntryRanges::is_empty")]
    pub found: EntryRanges,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A file in the state before a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RepairedFile {
    /// Its path relative to the store.
    pub path: String,
    /// Where its bytes are kept, relative to the store. Absent when there was no such file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
}
