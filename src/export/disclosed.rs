//! The lines of `data/disclosures.jsonl`: personal values, each with the event whose leaf has its
//! digest.

use serde::{Deserialize, Serialize};

use crate::event::{Sealed, digest_text};
use crate::id::EventSeq;

/// One line of `data/disclosures.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DisclosedLine {
    /// The event whose leaf has the digest.
    pub(super) event: EventSeq,
    /// The field.
    pub(super) field: String,
    /// The digest in the leaf.
    pub(super) digest: String,
    /// The bytes that have this digest, in the form of SD-JWT.
    pub(super) disclosure: String,
}

impl DisclosedLine {
    /// Returns the line of a value; `None` for bytes that are no disclosure.
    pub(super) fn of(event: EventSeq, sealed: &Sealed, disclosure: Vec<u8>) -> Option<Self> {
        Some(Self {
            event,
            field: sealed.field.clone(),
            digest: digest_text(&sealed.digest),
            disclosure: String::from_utf8(disclosure).ok()?,
        })
    }
}
