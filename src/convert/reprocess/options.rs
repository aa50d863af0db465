//! How entries are to be reprocessed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::id::JobId;

/// Which converter runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// The one of the entry's last attempt, from the files recorded then.
    Recorded,
    /// The one configured now under the name the entry was archived for.
    Current,
    /// The one configured under this name; else the recorded one of the entry's converter that
    /// claims this version or whose identity begins so.
    Named(String),
}

impl Which {
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Recorded => "recorded",
            Self::Current => "current",
            Self::Named(name) => name,
        }
    }
}

/// Which arguments it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Params {
    /// Those of the entry's last attempt, or of its archiving. Secrets are taken from the
    /// configuration.
    Recorded,
    /// Those configured now.
    Current,
}

/// What a failed attempt means for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// Go on.
    Skip,
    /// Take no further entries.
    Stop,
}

/// Which new reports are to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resend {
    /// None.
    None,
    /// Those that differ from the report before, or have none before them.
    Changed,
    /// All.
    All,
}

/// How to reprocess.
#[derive(Debug, Clone)]
pub struct Reprocess {
    /// Which converter runs.
    pub which: Which,
    /// Which arguments it is given.
    pub params: Params,
    /// What a failed attempt means for the rest.
    pub on_error: OnError,
    /// Conversions at a time; at least one.
    pub jobs: usize,
    /// Conversions a second at the most.
    pub rate: Option<f64>,
    /// Run and compare, but record nothing: no attempt, no job.
    pub compare_only: bool,
    /// Which new reports are put into the queue of those to be sent.
    pub resend: Resend,
    /// Where the reports of each converter go, without secrets. Those of others are not sent.
    pub endpoints: BTreeMap<String, String>,
    /// Why, in a person's words.
    pub reason: Option<String>,
    /// Go on with this interrupted job: entries it has already tried count as they ended.
    pub resume: Option<JobId>,
    /// Where temporary folders are made.
    pub scratch: PathBuf,
}
