//! Options of reprocessing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::convert::compare::RuleBook;
use crate::entry::Attempt;
use crate::event::{JobPriority, JobStarted};
use crate::id::{ConverterId, JobId};
use crate::setters::setters;
use crate::{Error, ErrorKind, Result};

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
    /// Returns the converter in the word that a job records.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Recorded => "recorded",
            Self::Current => "current",
            Self::Named(name) => name,
        }
    }

    /// Returns what a word of a job, or of a person, means.
    pub fn of_word(word: &str) -> Self {
        match word {
            "recorded" => Self::Recorded,
            "current" => Self::Current,
            name => Self::Named(name.to_owned()),
        }
    }
}

/// Which arguments the converter is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Params {
    /// The arguments of the entry's last attempt, or of its archiving. Secrets are taken from the
    /// configuration.
    Recorded,
    /// The arguments that are configured now.
    Current,
}

impl Params {
    const fn word(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Current => "current",
        }
    }
}

/// How a failed attempt affects the remaining entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OnError {
    /// They are processed.
    Skip,
    /// They are not processed.
    Stop,
}

impl OnError {
    const fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Stop => "stop",
        }
    }
}

/// Which new reports are to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Resend {
    /// None of them.
    None,
    /// Reports that differ from those of the attempt before, or have none before them.
    Changed,
    /// All of them.
    All,
}

impl Resend {
    const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Changed => "changed",
            Self::All => "all",
        }
    }
}

/// What is recorded when a job is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnCancel {
    /// That it was interrupted. Somebody has to resume it.
    RecordEnd,
    /// Nothing, as after a kill. A host goes on with it by itself.
    LeaveOpen,
}

/// Which attempt of an entry a new result is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Against {
    /// The last one.
    Last,
    /// The newest one of the current identity, or else the newest of any but the candidate.
    Current {
        /// The identity that is current, if one is.
        current: Option<ConverterId>,
        /// The identity that is to take its place.
        candidate: ConverterId,
    },
}

impl Against {
    /// Returns the attempt that a new result is compared with.
    pub fn attempt(self, attempts: &[Attempt]) -> Option<&Attempt> {
        let Self::Current { current, candidate } = self else {
            return attempts.last();
        };
        let newest_first = || attempts.iter().rev();
        let of_current =
            newest_first().find(|tried| current.is_some() && tried.converter_id == current);
        of_current.or_else(|| newest_first().find(|tried| tried.converter_id != Some(candidate)))
    }
}

/// How to reprocess. By default the current converters run with the current arguments, one at a
/// time; failures do not stop the job, and no report is sent.
///
/// ```
/// use annals::convert::{Params, Reprocess, Resend, Which};
///
/// let options = Reprocess::default()
///     .which(Which::Recorded)
///     .params(Params::Recorded)
///     .jobs(4)
///     .reason("limits of March were wrong");
/// assert_eq!(options.resend, Resend::None);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
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
    /// Which attempt a new result is compared with.
    pub against: Against,
    /// Which new reports are queued for submission.
    pub resend: Resend,
    /// The endpoint for the reports of each converter, without secrets. Reports of converters that
    /// are not listed are not sent.
    pub endpoints: BTreeMap<String, String>,
    /// The reason for the job, as the user gave it.
    pub reason: Option<String>,
    /// The interrupted job to continue. Entries that it has already tried keep their results.
    pub resume: Option<JobId>,
    /// The job whose failures this one tries again.
    pub retry_of: Option<JobId>,
    /// How urgent the job is among those that run in one process.
    pub priority: JobPriority,
    /// What is recorded when it is cancelled.
    pub on_cancel: OnCancel,
    /// What counts as a difference. A job that is resumed keeps the rules it recorded.
    pub rules: RuleBook,
    /// The folder in which temporary folders are created.
    pub scratch: PathBuf,
}

impl Default for Reprocess {
    fn default() -> Self {
        Self {
            which: Which::Current,
            params: Params::Current,
            on_error: OnError::Skip,
            jobs: 1,
            rate: None,
            compare_only: false,
            against: Against::Last,
            resend: Resend::None,
            endpoints: BTreeMap::new(),
            reason: None,
            resume: None,
            retry_of: None,
            priority: JobPriority::default(),
            on_cancel: OnCancel::RecordEnd,
            rules: RuleBook::default(),
            scratch: std::env::temp_dir(),
        }
    }
}

setters! { Reprocess {
    /// Sets which converter runs.
    which: [Which];
    /// Sets which arguments the converter is given.
    params: [Params];
    /// Sets how a failed attempt affects the remaining entries.
    on_error: [OnError];
    /// Sets the number of parallel conversions.
    jobs: [usize];
    /// Sets the maximum number of conversions started per second.
    rate: opt [f64];
    /// Sets whether it only compares, and records nothing.
    compare_only: [bool];
    /// Sets which attempt a new result is compared with.
    against: [Against];
    /// Sets which new reports are queued for submission.
    resend: [Resend];
    /// Sets the endpoint for the reports of each converter.
    endpoints: [BTreeMap<String, String>];
    /// Sets the reason for the job.
    reason: some [String];
    /// Sets the interrupted job to continue.
    resume: opt [JobId];
    /// Sets the job whose failures this one tries again.
    retry_of: opt [JobId];
    /// Sets how urgent the job is.
    priority: [JobPriority];
    /// Sets what is recorded when it is cancelled.
    on_cancel: [OnCancel];
    /// Sets what counts as a difference.
    rules: [RuleBook];
    /// Sets the folder in which temporary folders are created.
    scratch: into [PathBuf];
} }

impl Reprocess {
    /// Returns the beginning of a job over `total` entries, with what is needed to resume it.
    pub(super) fn as_started(&self, selection: &str, total: u64) -> JobStarted {
        JobStarted {
            kind: "reprocess".to_owned(),
            selection: selection.to_owned(),
            converter_version: self.which.word().to_owned(),
            params: self.params.word().to_owned(),
            total,
            reason: self.reason.clone(),
            submit: Some(self.resend.word().to_owned()),
            on_error: Some(self.on_error.word().to_owned()),
            retry_of: self.retry_of,
            priority: self.priority,
            compare: Some(self.rules.recorded()),
        }
    }

    /// Makes the options those of a recorded job, except for what only concerns speed.
    ///
    /// # Errors
    /// `Invalid` if the job has a word that this version does not know.
    pub fn as_recorded(self, job: &JobStarted) -> Result<Self> {
        let unknown = |what: &str, word: &str| {
            let told = format!("the job has '{word}' for {what}, which this version does not know");
            Error::new(ErrorKind::Invalid, told)
        };
        let params = [Params::Recorded, Params::Current];
        let params = params
            .into_iter()
            .find(|params| params.word() == job.params);
        let params = params.ok_or_else(|| unknown("its arguments", &job.params))?;
        let on_error = job.on_error.as_deref().unwrap_or("skip");
        let known = [OnError::Skip, OnError::Stop];
        let known = known.into_iter().find(|known| known.word() == on_error);
        let on_error = known.ok_or_else(|| unknown("failures", on_error))?;
        let submit = job.submit.as_deref().unwrap_or("none");
        let known = [Resend::None, Resend::Changed, Resend::All];
        let known = known.into_iter().find(|known| known.word() == submit);
        let resend = known.ok_or_else(|| unknown("what is sent", submit))?;
        let rules = match &job.compare {
            Some(recorded) => RuleBook::of_recorded(recorded)?,
            None => RuleBook::default(),
        };
        Ok(Self {
            rules,
            which: Which::of_word(&job.converter_version),
            params,
            on_error,
            resend,
            reason: job.reason.clone(),
            compare_only: false,
            ..self
        })
    }
}
