//! Where content lies: what the index records about packs.

use super::rows::Place;
use crate::id::{BlobId, PackId};

/// Where a blob was written. Physical facts come from the packs, not from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The blob.
    pub(crate) id: BlobId,
    /// Bytes of its plaintext.
    pub(crate) size: u64,
    /// Where it lies.
    pub(crate) place: Place,
    /// The blobs it is cut into, in order; empty for a whole one.
    pub(crate) children: Vec<BlobId>,
}

/// A sealed pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackRow {
    /// The pack.
    pub(crate) id: PackId,
    /// What kind of content it holds.
    pub(crate) class: String,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Blobs in it.
    pub(crate) blobs: u64,
    /// Bytes of its dictionaries, which serve all of them.
    pub(crate) dictionary_bytes: u64,
    /// Bytes of the blobs that are needed. Kept by the index; ignored when a pack is added.
    pub(crate) live_bytes: u64,
    /// Blobs that are needed. Kept by the index; ignored when a pack is added.
    pub(crate) live_blobs: u64,
}
