//! What each list of evidence has of an event, as JSON and as a row of CSV.

use serde::Serialize;
use std::collections::BTreeMap;

use super::records::Record;
use crate::entry::Meta;
use crate::event::{Accessed, Actor, Body, Door, EntryRanges, Scope};
use crate::evidence::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::evidence::note::VerifierKey;
use crate::id::{AttemptNo, EventSeq, Sha256};
use crate::time::Timestamp;

/// An object of a list.
pub trait Item: Serialize {
    /// The columns of its table.
    const COLUMNS: &'static [&'static str];

    /// Returns its row.
    fn row(&self) -> Vec<String>;
}

/// What every object has: the event, when, and who.
#[derive(Debug, Clone, Serialize)]
pub struct Origin {
    /// The event.
    pub event: EventSeq,
    /// When it was recorded; absent when it cannot be read.
    pub time: Option<Timestamp>,
    /// The account that caused it.
    pub by: Option<String>,
    /// The pseudonym that the log has in place of the account.
    pub pseudonym: Option<String>,
}

impl Origin {
    /// Returns where a record comes from.
    pub fn of(record: &Record) -> Self {
        let by = record.by.as_ref();
        Self {
            event: record.event,
            time: record.time,
            by: by.map(|Actor { id, .. }| id.clone()),
            pseudonym: record.pseudonym.clone(),
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.event.to_string(),
            text(self.time),
            text(self.by.clone()),
        ]
    }
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A checkpoint in the list of all.
#[derive(Debug, Clone, Serialize)]
pub struct CheckpointItem {
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
    /// How many events it covers.
    pub size: Option<u64>,
    /// The root of the tree over them.
    pub root: Option<Sha256>,
    /// The key of the log that signed it, if one did.
    pub vkey: Option<String>,
    /// The signed note.
    pub note: Option<String>,
}

impl CheckpointItem {
    /// Returns the object of a record. Its signature is verified with the keys that the log names.
    pub fn of(record: &Record, keys: &[VerifierKey]) -> Self {
        let note = match &record.fact {
            Some(Body::CheckpointSigned(fact)) => Some(fact.note.clone()),
            _ => None,
        };
        let opened = note.as_ref().and_then(|note| opened(note, keys));
        let stated = opened.as_ref().map(|signed| signed.checkpoint().clone());
        let stated = stated.or_else(|| {
            let text = note.as_ref()?.split_once("\n\n")?.0;
            Checkpoint::parse(&format!("{text}\n")).ok()
        });
        let key = opened
            .as_ref()
            .and_then(|signed| signed.signed_by().first());
        Self {
            origin: Origin::of(record),
            size: stated.as_ref().map(|stated| stated.size),
            root: stated.map(|stated| Sha256::from_bytes(stated.root)),
            vkey: key.map(ToString::to_string),
            note,
        }
    }
}

/// Opens a note with those of the keys that it can be opened with. One that did not sign it must
/// not keep the others from it.
fn opened(note: &str, keys: &[VerifierKey]) -> Option<SignedCheckpoint> {
    keys.iter()
        .rev()
        .find_map(|key| SignedCheckpoint::open(note.as_bytes(), std::slice::from_ref(key)).ok())
}

impl Item for CheckpointItem {
    const COLUMNS: &'static [&'static str] = &["event", "time", "by", "size", "root", "vkey"];

    fn row(&self) -> Vec<String> {
        let mut row = self.origin.row();
        row.extend([text(self.size), text(self.root), text(self.vkey.clone())]);
        row
    }
}

/// An evidence bundle that was made.
#[derive(Debug, Clone, Serialize)]
pub struct ExportObject {
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
    /// `whole` or `selection`.
    pub scope: Option<Scope>,
    /// The filters of a selection.
    pub filters: Meta,
    /// The last event that was looked at.
    pub upto: Option<EventSeq>,
    /// How many events.
    pub events: u64,
    /// How many entries they archived.
    pub entries: u64,
    /// How many contents; absent when they were left out.
    pub contents: Option<u64>,
    /// Their bytes.
    pub contents_bytes: Option<u64>,
}

impl ExportObject {
    /// Returns the object of a record.
    pub fn of(record: &Record) -> Self {
        let fact = match &record.fact {
            Some(Body::Exported(fact)) => Some(fact),
            _ => None,
        };
        let contents = fact.and_then(|fact| fact.contents);
        Self {
            origin: Origin::of(record),
            scope: fact.map(|fact| fact.scope),
            filters: fact.map(|fact| fact.filters.clone()).unwrap_or_default(),
            upto: fact.map(|fact| fact.upto),
            events: fact.map_or(0, |fact| fact.counts.events),
            entries: fact.map_or(0, |fact| fact.counts.entries),
            contents: contents.map(|contents| contents.count),
            contents_bytes: contents.map(|contents| contents.bytes),
        }
    }

    /// Returns the name of the scope.
    pub const fn scope_name(&self) -> &'static str {
        match self.scope {
            Some(Scope::Whole) => "whole",
            Some(Scope::Selection) => "selection",
            None => "",
        }
    }

    /// Returns the filters in one line.
    pub fn filter_words(&self) -> String {
        let words = self.filters.iter();
        let words: Vec<String> = words
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        words.join("; ")
    }
}

impl Item for ExportObject {
    const COLUMNS: &'static [&'static str] = &[
        "event",
        "time",
        "by",
        "scope",
        "filters",
        "upto",
        "events",
        "entries",
        "contents",
        "contents_bytes",
    ];

    fn row(&self) -> Vec<String> {
        let mut row = self.origin.row();
        row.extend([
            self.scope_name().to_owned(),
            self.filter_words(),
            text(self.upto),
            self.events.to_string(),
            self.entries.to_string(),
            text(self.contents),
            text(self.contents_bytes),
        ]);
        row
    }
}

/// A review that is on record.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewObject {
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
    /// The first event that was reviewed.
    pub from: Option<EventSeq>,
    /// The last one.
    pub to: Option<EventSeq>,
    /// How many events of each type.
    pub counts: BTreeMap<String, u64>,
    /// What the reviewer found.
    pub verdict: Option<String>,
    /// What the reviewer said about it.
    pub reason: Option<String>,
}

impl ReviewObject {
    /// Returns the object of a record.
    pub fn of(record: &Record) -> Self {
        let fact = match &record.fact {
            Some(Body::Reviewed(fact)) => Some(fact),
            _ => None,
        };
        Self {
            origin: Origin::of(record),
            from: fact.map(|fact| fact.from),
            to: fact.map(|fact| fact.to),
            counts: fact.map(|fact| fact.counts.clone()).unwrap_or_default(),
            verdict: fact.map(|fact| fact.verdict.clone()),
            reason: fact.map(|fact| fact.reason.clone()),
        }
    }
}

impl Item for ReviewObject {
    const COLUMNS: &'static [&'static str] =
        &["event", "time", "by", "from", "to", "verdict", "reason"];

    fn row(&self) -> Vec<String> {
        let mut row = self.origin.row();
        row.extend([
            text(self.from),
            text(self.to),
            text(self.verdict.clone()),
            text(self.reason.clone()),
        ]);
        row
    }
}

/// Contents that were handed out, or sign-ins that were refused.
#[derive(Debug, Clone, Serialize)]
pub struct AccessObject {
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
    /// `command_line` or `web`.
    pub door: Option<String>,
    /// `source`, `report`, `contents`, `export`, or `sign_in`.
    pub what: Option<String>,
    /// `allowed` or `refused`.
    pub outcome: Option<&'static str>,
    /// By what: a verb, "download"; of a sign-in, with what.
    pub how: Option<String>,
    /// The entries, as ranges such as `3-7, 12`.
    pub entries: String,
    /// How many entries; of refused sign-ins, how many the event stands for.
    pub count: u64,
    /// The attempt whose report it was.
    pub attempt: Option<AttemptNo>,
    /// Which report of that attempt.
    pub report: Option<u32>,
    /// Where it went.
    pub to: Option<String>,
    /// The addresses that asked.
    pub from: Vec<String>,
}

impl AccessObject {
    /// Returns the object of a record.
    pub fn of(record: &Record) -> Self {
        let fact = match &record.fact {
            Some(Body::Accessed(fact)) => Some(fact.clone()),
            _ => None,
        };
        let is_known = fact.is_some();
        let outcome = |fact: &Accessed| {
            if fact.is_refused() {
                "refused"
            } else {
                "allowed"
            }
        };
        let outcome = fact.as_ref().map(outcome);
        let fact = fact.unwrap_or_default();
        // Words that are absent are those of the command line.
        let door = fact
            .door
            .unwrap_or_else(|| Door::CommandLine.name().to_owned());
        let what = fact.what.unwrap_or_else(|| "contents".to_owned());
        Self {
            origin: Origin::of(record),
            door: is_known.then_some(door),
            what: is_known.then_some(what),
            outcome,
            how: is_known.then_some(fact.how),
            entries: ranges(&fact.entries),
            count: fact.count,
            attempt: fact.attempt,
            report: fact.report,
            to: fact.to,
            from: fact.from,
        }
    }
}

/// Returns entries as ranges in words.
fn ranges(entries: &EntryRanges) -> String {
    let words = entries.ranges().iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

impl Item for AccessObject {
    const COLUMNS: &'static [&'static str] = &[
        "event", "time", "by", "door", "what", "outcome", "how", "entries", "count", "attempt",
        "report", "to", "from",
    ];

    fn row(&self) -> Vec<String> {
        let mut row = self.origin.row();
        row.extend([
            text(self.door.clone()),
            text(self.what.clone()),
            text(self.outcome),
            text(self.how.clone()),
            self.entries.clone(),
            self.count.to_string(),
            text(self.attempt),
            text(self.report),
            text(self.to.clone()),
            self.from.join(" "),
        ]);
        row
    }
}

/// A check of the store that is on record.
#[derive(Debug, Clone, Serialize)]
pub struct VerifiedObject {
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
    /// `quick` or `deep`.
    pub depth: Option<String>,
    /// The newest event that was there.
    pub upto: Option<EventSeq>,
    /// How many findings there were.
    pub findings: Option<u64>,
    /// Events that were checked.
    pub events: u64,
    /// Contents that were checked.
    pub blobs: u64,
    /// Bytes that were read.
    pub checked_bytes: u64,
}

impl VerifiedObject {
    /// Returns the object of a record.
    pub fn of(record: &Record) -> Self {
        let fact = match &record.fact {
            Some(Body::Verified(fact)) => Some(fact),
            _ => None,
        };
        Self {
            origin: Origin::of(record),
            depth: fact.map(|fact| fact.depth.clone()),
            upto: fact.map(|fact| fact.upto),
            findings: fact.map(|fact| fact.findings),
            events: fact.map_or(0, |fact| fact.events),
            blobs: fact.map_or(0, |fact| fact.blobs),
            checked_bytes: fact.map_or(0, |fact| fact.checked_bytes),
        }
    }
}

/// Personal values that were erased.
#[derive(Debug, Clone, Serialize)]
pub struct ErasureObject {
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
    /// The field.
    pub field: Option<String>,
    /// The entries, as ranges.
    pub entries: String,
    /// How many values.
    pub values: u64,
    /// Why.
    pub reason: Option<String>,
}

impl ErasureObject {
    /// Returns the object of a record.
    pub fn of(record: &Record) -> Self {
        let fact = match &record.fact {
            Some(Body::Erased(fact)) => Some(fact),
            _ => None,
        };
        Self {
            origin: Origin::of(record),
            field: fact.map(|fact| fact.field.clone()),
            entries: fact.map(|fact| ranges(&fact.entries)).unwrap_or_default(),
            values: fact.map_or(0, |fact| fact.digests.len() as u64),
            reason: fact.map(|fact| fact.reason.clone()),
        }
    }
}
