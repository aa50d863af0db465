//! What became of one entry of a job.

use crate::convert::compare::{Difference, Verdict};
use crate::entry::Outcome;
use crate::id::{AttemptNo, EntryId};

/// What became of one entry; told while the job runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The entry.
    pub entry: EntryId,
    /// Entries done so far, this one included.
    pub done: u64,
    /// Entries selected.
    pub total: u64,
    /// What became of it.
    pub outcome: StepOutcome,
}

/// See [`Step::outcome`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StepOutcome {
    /// The converter ran.
    Ran {
        /// The recorded attempt; `None` when only compared.
        attempt: Option<AttemptNo>,
        /// How it ended.
        outcome: Outcome,
        /// Why it did not succeed.
        error: Option<String>,
        /// Against the attempt before; `None` when there was none.
        verdict: Option<Verdict>,
        /// How the reports differ from those of the attempt before.
        difference: Difference,
        /// Reports that were put into the queue of those to be sent.
        queued: u64,
    },
    /// It was passed over.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The converter could not be run, or its result not recorded.
    Error {
        /// Why.
        reason: String,
    },
    /// Its converter cannot run at all, so it was not tried.
    NotTried {
        /// Why.
        reason: String,
    },
    /// The job had tried it before it was interrupted.
    Earlier {
        /// How that ended.
        outcome: Outcome,
    },
}
