//! Facts about converters, their attempts and their reports.

use serde::{Deserialize, Serialize};

use crate::entry::{Extent, Meta, Outcome, Unit};
use crate::event::source::BlobRef;
use crate::id::{AttemptNo, ConverterId, EntryId, JobId};
use crate::setters::setters;

/// See [`Body::Converted`](crate::event::Body::Converted).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Converted {
    /// The entry it ran over.
    pub entry: EntryId,
    /// Which of the entry's attempts this is.
    pub attempt: AttemptNo,
    /// How it ended.
    pub outcome: Outcome,
    /// The converter's name.
    pub converter: String,
    /// The version it claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converter_version: Option<String>,
    /// The identity of the converter that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converter_id: Option<ConverterId>,
    /// Its arguments, secret ones masked.
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub arguments: Meta,
    /// How long it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Why it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The warnings that it reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The restrictions enforced on its processes, in a few words each. Absent when there were
    /// none, and in older events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sandbox: Vec<String>,
    /// What it detected about the unit.
    #[serde(default, skip_serializing_if = "Unit::is_empty")]
    pub unit: Unit,
    /// The reports it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<BlobRef>,
    /// Where the reports are to be sent, without secrets; absent when they are not to be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit: Option<String>,
    /// The reprocess job it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// How much its reports hold. Absent for attempts without a result, and in older events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
    /// Why its result is suspicious although the converter says success, in words. Absent when
    /// nothing is, and in older events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspicious: Vec<String>,
}

/// See [`Body::Reported`](crate::event::Body::Reported).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reported {
    /// The entry.
    pub entry: EntryId,
    /// The attempt that made the report.
    pub attempt: AttemptNo,
    /// Which report of the attempt, from 0.
    pub report: u32,
    /// The name the server gave it.
    pub report_id: String,
    /// Where it was sent, without secrets; absent when a person recorded the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The idempotency key it was sent under; absent when a person recorded the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// See [`Body::SubmitIntended`](crate::event::Body::SubmitIntended). Recorded once for each report,
/// however often it is sent. A report without this event was never sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubmitIntended {
    /// The entry.
    pub entry: EntryId,
    /// The attempt that made the report.
    pub attempt: AttemptNo,
    /// Which report of the attempt, from 0.
    pub report: u32,
    /// The idempotency key that every attempt to send it uses.
    pub key: String,
    /// Where it is sent, without secrets.
    pub endpoint: String,
    /// The report that it corrects, which the server has. Absent when there is none, and in older
    /// events. A report that is sent again names the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<Corrected>,
}

/// A report that a server has, and that a later one corrects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Corrected {
    /// The attempt that made it.
    pub attempt: AttemptNo,
    /// The name that the server gave it, or the key that it was sent under.
    pub report_id: String,
}

/// See [`Body::SubmitRejected`](crate::event::Body::SubmitRejected).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubmitRejected {
    /// The entry.
    pub entry: EntryId,
    /// The attempt that made the report.
    pub attempt: AttemptNo,
    /// Which report of the attempt, from 0.
    pub report: u32,
    /// The idempotency key it was sent under.
    pub key: String,
    /// Where it was sent, without secrets.
    pub endpoint: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The server's answer, truncated when it is long, with secrets masked.
    pub text: String,
}

/// One file of a converter's bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFile {
    /// Its name relative to the bundle's folder, with `/` between parts.
    pub name: String,
    /// Its content.
    pub blob: BlobRef,
}

/// See [`Body::ConverterRegistered`](crate::event::Body::ConverterRegistered).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConverterRegistered {
    /// The identity of the converter.
    pub converter_id: ConverterId,
    /// Its name.
    pub name: String,
    /// The version it claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How it is called.
    pub command: Vec<String>,
    /// How it runs: "oneshot" (one process a conversion) or "worker" (a long-lived process).
    /// "-folder" follows where it takes folders, and "-companions" where it takes files with
    /// companions.
    pub mode: String,
    /// A note on its environment, such as the interpreter's version.
    pub environment: String,
    /// Its files.
    pub bundle: Vec<BundleFile>,
}

/// See [`Body::ConfigChanged`](crate::event::Body::ConfigChanged).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConfigChanged {
    /// What changed.
    pub what: String,
    /// The value before, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The value now, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// Why, where a person said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

setters! { ConfigChanged {
    /// Sets the value before, secrets masked.
    old: some [String];
    /// Sets the value now, secrets masked.
    new: some [String];
    /// Sets why it changed.
    reason: some [String];
} }

impl ConfigChanged {
    /// Returns a change of `what`, from nothing to nothing.
    pub fn of(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            old: None,
            new: None,
            reason: None,
        }
    }
}
