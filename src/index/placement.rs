//! Where content is stored: what the index records about packs.

use super::rows::Place;
use crate::id::{BlobId, PackId};

/// The pack location of one blob. Locations come from the packs, not from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The blob.
    pub(crate) id: BlobId,
    /// Bytes of its plaintext.
    pub(crate) size: u64,
    /// Its location in a pack.
    pub(crate) place: Place,
    /// The blobs it is cut into, in order; empty for a blob stored whole.
    pub(crate) children: Vec<BlobId>,
}

/// A sealed pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackRow {
    /// The pack.
    pub(crate) id: PackId,
    /// The class of content that it holds.
    pub(crate) class: String,
    /// Bytes of the pack file.
    pub(crate) bytes: u64,
    /// Number of blobs in it.
    pub(crate) blobs: u64,
    /// Bytes of its dictionaries, which all its blobs share.
    pub(crate) dictionary_bytes: u64,
    /// Bytes of the live blobs. The index maintains this; ignored when a pack is added.
    pub(crate) live_bytes: u64,
    /// Number of live blobs. The index maintains this; ignored when a pack is added.
    pub(crate) live_blobs: u64,
}
