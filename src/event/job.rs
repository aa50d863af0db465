//! Facts about jobs of reprocessing.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::event::retention::EntryRanges;
use crate::id::JobId;
use crate::setters::setters;

/// See [`Body::JobStarted`](crate::event::Body::JobStarted).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobStarted {
    /// What kind of job; always "reprocess" for now.
    pub kind: String,
    /// The selection, as it was asked for.
    pub selection: String,
    /// Which converter: "recorded", "current", or a name.
    pub converter_version: String,
    /// Which arguments: "recorded" or "current".
    pub params: String,
    /// How many entries were selected.
    pub total: u64,
    /// Why, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which new reports are sent: "none", "changed" or "all".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit: Option<String>,
    /// What a failed attempt means for the rest: "skip" or "stop".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error: Option<String>,
    /// The job whose failures this one tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<JobId>,
    /// How urgent it is among the jobs of one process.
    #[serde(default, skip_serializing_if = "JobPriority::is_default")]
    pub priority: JobPriority,
    /// The rules by which reports are compared, for converters that have any. `None` in jobs of
    /// versions that knew no rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Vec<JudgedBy>>,
}

/// How urgent a job is, from 1 (first) to 10 (last). A new job has 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobPriority(u8);

impl JobPriority {
    /// Returns a priority; `None` if it is not from 1 to 10.
    pub fn new(priority: u8) -> Option<Self> {
        (1..=10).contains(&priority).then_some(Self(priority))
    }

    /// Returns the number.
    pub const fn get(self) -> u8 {
        self.0
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for JobPriority {
    fn default() -> Self {
        Self(5)
    }
}

impl fmt::Display for JobPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobPriority {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok();
        let wanted = || "expected a number from 1 (first) to 10 (last)".to_owned();
        number.and_then(Self::new).ok_or_else(wanted)
    }
}

/// The rules by which the reports of one converter are compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JudgedBy {
    /// The converter; empty for all that are not named.
    pub converter: String,
    /// True if also differences that every run makes count.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
    /// Places whose differences do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// By how much numbers may differ, by place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tolerance: BTreeMap<String, String>,
    /// The member that tells the items of a list apart, by the place of the list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

setters! { JudgedBy {
    /// Sets whether also differences that every run makes count.
    strict: [bool];
    /// Sets the places whose differences do not count.
    ignore: [Vec<String>];
    /// Sets by how much numbers may differ, by place.
    tolerance: [BTreeMap<String, String>];
    /// Sets the member that tells the items of a list apart, by the place of the list.
    keys: [BTreeMap<String, String>];
} }

impl JudgedBy {
    /// Returns the rules of a converter that has none.
    pub fn new(converter: impl Into<String>) -> Self {
        Self {
            converter: converter.into(),
            ..Self::default()
        }
    }
}

setters! { JobStarted {
    /// Sets the selection, as it was asked for.
    selection: into [String];
    /// Sets which converter: "recorded", "current", or a name.
    converter_version: into [String];
    /// Sets which arguments: "recorded" or "current".
    params: into [String];
    /// Sets why, in a person's words.
    reason: some [String];
    /// Sets which new reports are sent: "none", "changed" or "all".
    submit: some [String];
    /// Sets what a failed attempt means for the rest: "skip" or "stop".
    on_error: some [String];
    /// Sets the job whose failures this one tries again.
    retry_of: opt [JobId];
    /// Sets how urgent it is.
    priority: [JobPriority];
    /// Sets the rules by which reports are compared.
    compare: opt [Vec<JudgedBy>];
} }

impl JobStarted {
    /// Returns the start of a job over `total` entries.
    pub fn new(kind: impl Into<String>, total: u64) -> Self {
        Self {
            kind: kind.into(),
            selection: String::new(),
            converter_version: "current".to_owned(),
            params: "recorded".to_owned(),
            total,
            reason: None,
            submit: None,
            on_error: None,
            retry_of: None,
            priority: JobPriority::default(),
            compare: None,
        }
    }
}

/// See [`Body::JobSelected`](crate::event::Body::JobSelected).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobSelected {
    /// The job.
    pub job: JobId,
    /// Entries that it runs over. A long selection is recorded as several events.
    pub entries: EntryRanges,
}

/// See [`Body::JobResumed`](crate::event::Body::JobResumed).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobResumed {
    /// The job.
    pub job: JobId,
}

/// See [`Body::JobStopped`](crate::event::Body::JobStopped).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobStopped {
    /// The job.
    pub job: JobId,
    /// Whether it is to go on later.
    pub how: JobStop,
}

/// How somebody stopped a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobStop {
    /// It is to go on later.
    Paused,
    /// It is not to go on.
    Cancelled,
}

/// See [`Body::JobFinished`](crate::event::Body::JobFinished).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobFinished {
    /// The job.
    pub job: JobId,
    /// Entries tried.
    pub processed: u64,
    /// Attempts that succeeded.
    pub successful: u64,
    /// Attempts that did not.
    pub failed: u64,
    /// Entries that were left out.
    pub skipped: u64,
    /// Reports equal to the report before.
    pub unchanged: u64,
    /// Reports that differ from the report before.
    pub changed: u64,
    /// Entries that failed before and succeed now.
    pub fixed: u64,
    /// Entries that succeeded before and fail now.
    pub broken: u64,
    /// True when it was stopped before it was complete.
    #[serde(default)]
    pub interrupted: bool,
    /// Why entries were not tried, or have no attempt although they were tried. At most as many as
    /// fit an event.
    #[serde(default)]
    pub errors: Vec<JobError>,
    /// Number of further entries without an attempt.
    #[serde(default)]
    pub more_errors: u64,
}

setters! { JobFinished {
    /// Sets the job.
    job: [JobId];
    /// Sets how many entries were tried.
    processed: [u64];
    /// Sets how many attempts succeeded.
    successful: [u64];
    /// Sets how many attempts did not succeed.
    failed: [u64];
    /// Sets how many entries were left out.
    skipped: [u64];
    /// Sets how many reports are equal to the one before.
    unchanged: [u64];
    /// Sets how many reports differ from the one before.
    changed: [u64];
    /// Sets how many entries failed before and succeed now.
    fixed: [u64];
    /// Sets how many entries succeeded before and fail now.
    broken: [u64];
    /// Sets whether it was stopped before its end.
    interrupted: [bool];
    /// Sets why entries have no attempt.
    errors: [Vec<JobError>];
    /// Sets how many further entries have no attempt.
    more_errors: [u64];
} }

/// Entries of a job that have no attempt, all for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobError {
    /// Why.
    pub error: String,
    /// Which entries.
    pub entries: EntryRanges,
}
