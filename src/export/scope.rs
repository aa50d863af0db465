//! The payload of an `exported` event: what a bundle contains, fixed before the bundle is signed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::entry::Meta;
use crate::event::Event;
use crate::id::{EventSeq, Sha256};

/// The version of the bundle's layout and of its report. A change of a single byte that a bundle of
/// the same events would get is a new version.
pub const BUNDLE_FORMAT: u16 = 1;

/// What a bundle contains. It is the last event that the checkpoint of the bundle covers, so
/// nothing can be taken out of the bundle, or added to it, afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Exported {
    /// The version of the bundle's layout.
    pub format: u16,
    /// The filters of a selection, as they were given.
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub filters: Meta,
    /// The whole log, or some of its lines.
    pub scope: Scope,
    /// The last event that was looked at. Events between it and this one were recorded meanwhile.
    pub upto: EventSeq,
    /// The counts over the exported lines up to that event.
    pub counts: Counts,
    /// The root of the hash tree over these lines alone.
    pub root: Sha256,
    /// The contents in the bundle; absent when contents were left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<ContentsCount>,
}

/// How much of the log is in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// Every line. The tree proves that none is missing.
    Whole,
    /// The lines that some entries need, each with a proof. Nothing proves that the log has no
    /// other lines about them.
    Selection,
}

/// Counts over exported lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// How many lines.
    pub events: u64,
    /// Their bytes, without line feeds.
    pub bytes: u64,
    /// How many of them archived an entry.
    pub entries: u64,
    /// How many lines of each type.
    pub by_type: BTreeMap<String, u64>,
}

impl Counts {
    /// Counts one line.
    pub(super) fn add(&mut self, kind: &str, line_bytes: u64) {
        self.events += 1;
        self.bytes += line_bytes;
        self.entries += u64::from(kind == "annals.archived.v1");
        match self.by_type.get_mut(kind) {
            Some(count) => *count += 1,
            None => _ = self.by_type.insert(kind.to_owned(), 1),
        }
    }
}

/// The contents in a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ContentsCount {
    /// How many different contents.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The SHA-256 digest of their sorted file names, each followed by a line feed.
    pub list: Sha256,
}

impl Exported {
    /// The type of the event with this payload.
    pub const KIND: &'static str = "annals.exported.v1";

    /// Returns the payload of an `exported` event. Returns `None` for other events, and for a
    /// payload that this version cannot read.
    pub fn of(event: &Event) -> Option<Self> {
        if event.body.kind() != Self::KIND {
            return None;
        }
        serde_json::from_str(&event.body.data_json().ok()?).ok()
    }
}
