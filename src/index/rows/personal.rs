//! The rows of personal values: their disclosures, and the pseudonyms of accounts.

use crate::id::{BlobId, EventSeq, Sha256};
use serde::{Deserialize, Serialize};

/// One disclosure of an entry, or of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DisclosureRow {
    /// The event whose leaf names it.
    pub(crate) event: EventSeq,
    /// The field.
    pub(crate) field: String,
    /// The digest in the leaf.
    pub(crate) digest: Sha256,
    /// The disclosure, as content.
    pub(crate) content: BlobId,
    /// What became of it.
    pub(crate) state: DisclosureState,
}

/// What became of a disclosure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DisclosureState {
    /// The store has it.
    Kept,
    /// It was erased by this event.
    Erased(EventSeq),
    /// It went with its entry, by this event.
    Purged(EventSeq),
}

impl DisclosureState {
    pub(crate) fn is_kept(self) -> bool {
        self == Self::Kept
    }
}

/// A pseudonym.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ActorRow {
    /// The account's name, while it is known.
    pub(crate) name: Option<String>,
    /// The disclosure of the name.
    pub(crate) disclosure: Option<DisclosureRow>,
}
