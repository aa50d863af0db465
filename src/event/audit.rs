//! Facts about who looked at the store: reviews, checks, exports, accesses, refused purges.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::entry::{Meta, ParseWordError};
use crate::id::{EventSeq, Sha256};
use crate::time::Timestamp;

/// See [`Body::Reviewed`](crate::event::Body::Reviewed). The reviewer is the event's actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reviewed {
    /// The first event that was reviewed.
    pub from: EventSeq,
    /// The last one.
    pub to: EventSeq,
    /// How many events of each type are among them.
    pub counts: BTreeMap<String, u64>,
    /// What the reviewer found: the name of a [`Verdict`]. Later versions may know more of them.
    pub verdict: String,
    /// What the reviewer has to say about it.
    pub reason: String,
}

/// What a reviewer found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// All is in order.
    Accepted,
    /// Something has to be followed up.
    Finding,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 2] = [Self::Accepted, Self::Finding];

    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Finding => "finding",
        }
    }
}

impl FromStr for Verdict {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let named = Self::ALL.into_iter().find(|verdict| verdict.name() == text);
        named.ok_or_else(|| ParseWordError::new(text, Self::ALL.map(Self::name)))
    }
}

/// See [`Body::Verified`](crate::event::Body::Verified).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verified {
    /// "quick" or "deep".
    pub depth: String,
    /// The newest event that was there.
    pub upto: EventSeq,
    /// Events that were checked.
    pub events: u64,
    /// Packs that were checked.
    pub packs: u64,
    /// Blobs that were checked.
    pub blobs: u64,
    /// Bytes that were read.
    pub checked_bytes: u64,
    /// How many findings there were; 0 when all is intact.
    pub findings: u64,
}

/// See [`Body::PurgeRefused`](crate::event::Body::PurgeRefused).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PurgeRefused {
    /// The id of the plan, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    /// The rules, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Number of entries that would have been purged.
    pub count: u64,
    /// Which safety rule refused it: the name of a [`Refusal`]. Later versions may know more.
    pub refusal: String,
    /// The refusal in words, as it was told.
    pub told: String,
    /// Why it was asked for, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The safety rule that refused a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The policy had no rule.
    EmptyPolicy,
    /// The plan takes nothing.
    EmptyPlan,
    /// No reason was given.
    NoReason,
    /// Nobody confirmed it.
    NotConfirmed,
    /// The clock may have jumped.
    Clock,
    /// The plan was made before later holds or purges, for another store, or was altered.
    StalePlan,
    /// An entry of the plan is on hold.
    Hold,
    /// A retention lock keeps an entry of the plan.
    Lock,
}

impl Refusal {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmptyPolicy => "empty_policy",
            Self::EmptyPlan => "empty_plan",
            Self::NoReason => "no_reason",
            Self::NotConfirmed => "not_confirmed",
            Self::Clock => "clock",
            Self::StalePlan => "stale_plan",
            Self::Hold => "hold",
            Self::Lock => "lock",
        }
    }
}

/// See [`Body::ClockStepped`](crate::event::Body::ClockStepped).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClockStepped {
    /// The event before.
    pub after: EventSeq,
    /// Its time, plus what the monotonic clock says has passed since.
    pub expected: Timestamp,
    /// The time that the wall clock shows instead.
    pub found: Timestamp,
    /// By how many milliseconds it is ahead; negative when it went back.
    pub step_ms: i64,
}

/// See [`Body::Exported`](crate::event::Body::Exported): what an evidence bundle contains.
///
/// It is the last event that the checkpoint of the bundle covers, so
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
