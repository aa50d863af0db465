//! Facts about which identity of a converter is current, and what it runs on.

use serde::{Deserialize, Serialize};

use crate::entry::Meta;
use crate::event::retention::{EntryRanges, is_zero};
use crate::id::{ConverterId, EventSeq, Sha256};
use crate::setters::setters;
use crate::time::Timestamp;

/// See [`Body::ConverterPromoted`](crate::event::Body::ConverterPromoted). The event's actor is who
/// promoted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConverterPromoted {
    /// The converter's name.
    pub converter: String,
    /// The identity that is current from here on.
    pub converter_id: ConverterId,
    /// The identity that was current before; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ConverterId>,
    /// On what grounds.
    pub grounds: Grounds,
    /// Why: "first", the verdict of the gate, or a person's words.
    pub reason: String,
    /// What the gate found; absent when it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<GateEvidence>,
}

/// On what grounds an identity became current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Grounds {
    /// The converter had no current identity before.
    First,
    /// Nothing that worked breaks, or every exception was waived.
    Gate,
    /// A person decided it, whatever the gate says.
    Person,
}

impl Grounds {
    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Gate => "gate",
            Self::Person => "person",
        }
    }
}

/// What a gate found when it ran a new identity over entries without recording the results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GateEvidence {
    /// The selection, as it was asked for.
    pub selection: String,
    /// How many entries it selected.
    pub selected: u64,
    /// How many of them were tried.
    pub tried: u64,
    /// Entries with an equal result.
    pub unchanged: u64,
    /// Entries with another result.
    pub changed: u64,
    /// Entries that failed before and succeed now.
    pub fixed: u64,
    /// Entries that worked before and do not now.
    pub broken: u64,
    /// Entries that failed before and do now.
    pub still_failing: u64,
    /// Entries that were never converted before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub first: u64,
    /// Entries that could not be tried, for instance because they were purged meanwhile.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untried: u64,
    /// How many of the broken ones are waived.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waived: u64,
    /// The SHA-256 digest over a line `ID VERDICT` for each entry tried, in ascending order, each
    /// followed by a line feed.
    pub verdicts: Sha256,
    /// The events of the waivers that were used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<EventSeq>,
}

/// See [`Body::ConverterWaived`](crate::event::Body::ConverterWaived). A broken entry is waived
/// when everything that is stated holds for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConverterWaived {
    /// The converter's name.
    pub converter: String,
    /// The new identity it is for; absent: for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<ConverterId>,
    /// The time from which it is no longer in force; absent: it stays in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The entries it is for; absent: for any.
    #[serde(default, skip_serializing_if = "EntryRanges::is_empty")]
    pub entries: EntryRanges,
    /// The filter that selects the entries it is for, as JSON; absent: for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// A part of the new attempt's error; absent: whatever it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Why.
    pub reason: String,
}

setters! { ConverterWaived {
    /// Sets the new identity it is for.
    candidate: opt [ConverterId];
    /// Sets the time from which it is no longer in force.
    until: opt [Timestamp];
    /// Sets the entries it is for.
    entries: [EntryRanges];
    /// Sets the filter that selects the entries it is for, as JSON.
    filter: some [String];
    /// Sets a part of the new attempt's error.
    cause: some [String];
} }

impl ConverterWaived {
    /// Returns a waiver for everything that a converter breaks.
    pub fn new(converter: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            converter: converter.into(),
            candidate: None,
            until: None,
            entries: EntryRanges::default(),
            filter: None,
            cause: None,
            reason: reason.into(),
        }
    }
}

/// See [`Body::WaiverRevoked`](crate::event::Body::WaiverRevoked).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WaiverRevoked {
    /// The converter's name.
    pub converter: String,
    /// The event of the waiver.
    pub waiver: EventSeq,
    /// Why.
    pub reason: String,
}

/// See [`Body::ConverterEnvironment`](crate::event::Body::ConverterEnvironment).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConverterEnvironment {
    /// The identity of the converter.
    pub converter_id: ConverterId,
    /// What it runs on, by name: interpreter, packages, system, machine.
    pub runs_on: Meta,
}
