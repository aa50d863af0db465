//! Options of reprocessing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::id::JobId;

/// Which converter runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// The converter of the entry's last attempt, from the files recorded then.
    Recorded,
    /// The converter that is configured now under the name the entry was archived for.
    Current,
    /// The converter that is configured under this name.
    ///
    /// If there is none, it is the recorded version of the entry's converter that claims this
    /// version, or whose identity begins with this text.
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

/// Which arguments the converter is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Params {
    /// The arguments of the entry's last attempt, or of its archiving. Secrets are taken from the
    /// configuration.
    Recorded,
    /// The arguments that are configured now.
    Current,
}

/// How a failed attempt affects the remaining entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// They are processed.
    Skip,
    /// They are not processed.
    Stop,
}

/// Which new reports are to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resend {
    /// None of them.
    None,
    /// Reports that differ from those of the attempt before, or have none before them.
    Changed,
    /// All of them.
    All,
}

/// How to reprocess.
#[derive(Debug, Clone)]
pub struct Reprocess {
    /// Which converter runs.
    pub which: Which,
    /// Which arguments the converter is given.
    pub params: Params,
    /// How a failed attempt affects the remaining entries.
    pub on_error: OnError,
    /// Number of parallel conversions; at least one.
    pub jobs: usize,
    /// Maximum number of conversions started per second.
    pub rate: Option<f64>,
    /// Runs and compares, but records no attempt and no job.
    pub compare_only: bool,
    /// Which new reports are queued for submission.
    pub resend: Resend,
    /// The endpoint for the reports of each converter, without secrets. Reports of converters that
    /// are not listed are not sent.
    pub endpoints: BTreeMap<String, String>,
    /// The reason for the job, as the user gave it.
    pub reason: Option<String>,
    /// The interrupted job to continue. Entries that it has already tried keep their results.
    pub resume: Option<JobId>,
    /// The folder in which temporary folders are created.
    pub scratch: PathBuf,
}
