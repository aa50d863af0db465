//! Reports the result for one entry of a job.

use crate::convert::compare::{Difference, Verdict};
use crate::convert::running::EnvironmentCheck;
use crate::entry::Outcome;
use crate::id::{AttemptNo, ConverterId, EntryId};

/// The result for one entry; reported while the job runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The entry.
    pub entry: EntryId,
    /// Number of entries finished so far, including this one.
    pub done: u64,
    /// Number of selected entries.
    pub total: u64,
    /// The result.
    pub outcome: StepOutcome,
}

/// How a run over an entry ended, and how that compares with the attempt before.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StepResult {
    /// How the run ended.
    pub outcome: Outcome,
    /// The name of the converter that ran.
    pub converter: String,
    /// Why the result is suspicious although the converter says success, in words.
    pub suspicious: Vec<String>,
    /// The comparison with the attempt before; `None` when there was none.
    pub verdict: Option<Verdict>,
    /// The differences from the reports of the attempt before.
    pub difference: Difference,
}

/// The result for one entry; see [`Step::outcome`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StepOutcome {
    /// The converter ran.
    Ran {
        /// How the run ended.
        result: StepResult,
        /// The recorded attempt; `None` when reports were only compared.
        attempt: Option<AttemptNo>,
        /// The identity of the converter that ran.
        converter_id: ConverterId,
        /// How the attempt that it is compared with ended; `None` when there was none.
        before: Option<Outcome>,
        /// True if the result is suspicious, and that of the attempt before was not.
        newly_suspicious: bool,
        /// Why the run did not succeed.
        error: Option<String>,
        /// Number of reports queued for submission.
        queued: u64,
        /// For a recorded converter, whether it ran on what it ran on before.
        environment: Option<EnvironmentCheck>,
    },
    /// The entry was skipped.
    Skipped {
        /// The reason.
        reason: String,
    },
    /// The converter could not be run, or its result could not be recorded.
    Error {
        /// The reason.
        reason: String,
    },
    /// The converter cannot run at all, so the entry was not tried.
    NotTried {
        /// The reason.
        reason: String,
    },
    /// The job had tried the entry before it was interrupted.
    Earlier(StepResult),
}
