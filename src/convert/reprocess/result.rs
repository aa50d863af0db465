//! Counts the results of a job.

use serde::Serialize;

use super::step::{Step, StepOutcome, StepResult};
use super::untried::Untried;
use crate::convert::compare::Verdict;
use crate::convert::running::EnvironmentCheck;
use crate::entry::Outcome;
use crate::event::{JobFinished, JobStop};
use crate::id::{EntryId, JobId};

/// Maximum number of errors that a result lists; further ones are only counted.
const ERRORS_MAX: usize = 1000;

/// Maximum number of differences between environments that a result lists.
const ENVIRONMENTS_MAX: usize = 20;

/// The result of a whole job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct ReprocessResult {
    /// The job; `None` when reports were only compared.
    pub job: Option<JobId>,
    /// Number of selected entries.
    pub total: u64,
    /// Number of entries that were tried.
    pub processed: u64,
    /// Number of tried entries that succeeded.
    pub successful: u64,
    /// Number of tried entries that did not succeed.
    pub failed: u64,
    /// Number of entries that were skipped.
    pub skipped: u64,
    /// Number of entries that were not tried, because their converter cannot run.
    pub not_tried: u64,
    /// Why converters cannot run; each reason occurs once.
    pub blocked: Vec<String>,
    /// Number of entries with a result equal to that of the attempt before.
    pub unchanged: u64,
    /// Number of entries with a result different from that of the attempt before.
    pub changed: u64,
    /// Number of entries that succeeded now, and not before.
    pub fixed: u64,
    /// Number of entries that succeeded before, and not now.
    pub broken: u64,
    /// Number of entries with a suspicious result. They are also counted by their outcome and
    /// verdict.
    pub suspicious: u64,
    /// Number of entries without an earlier attempt to compare with.
    pub first: u64,
    /// Number of entries whose recorded converter ran on something else than before.
    pub environment_differs: u64,
    /// Number of entries of which it is not recorded what their converter ran on before.
    pub environment_not_recorded: u64,
    /// What differs, in words; the first twenty.
    pub environments: Vec<String>,
    /// Number of reports queued for submission; the host sends them.
    pub submitted: u64,
    /// Duration of the job in milliseconds.
    pub duration_ms: u64,
    /// The first thousand entries that failed or were skipped, with the reasons.
    pub errors: Vec<EntryError>,
    /// True when a cancellation or an error stopped the job before its end.
    pub interrupted: bool,
    /// What somebody wanted of the job while it ran, if it was stopped.
    pub stopped: Option<JobStop>,
    /// Why the end of the job could not be recorded, if it could not. The attempts counted here are
    /// on record.
    pub end_error: Option<String>,
}

/// Why one entry failed or was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EntryError {
    /// The entry.
    pub id: EntryId,
    /// The reason.
    pub error: String,
}

impl ReprocessResult {
    pub(super) fn count(&mut self, step: &Step) {
        let error = match &step.outcome {
            StepOutcome::Ran {
                result,
                error,
                queued,
                environment,
                ..
            } => {
                self.count_result(result);
                self.count_environment(environment.as_ref());
                self.submitted += queued;
                match result.outcome {
                    Outcome::Success => None,
                    outcome => Some(error.clone().unwrap_or_else(|| outcome.to_string())),
                }
            }
            StepOutcome::Error { reason } => {
                self.count_outcome(Outcome::Failed);
                Some(reason.clone())
            }
            StepOutcome::Skipped { reason } => {
                self.skipped += 1;
                Some(reason.clone())
            }
            StepOutcome::NotTried { reason } => {
                self.not_tried += 1;
                if !self.blocked.contains(reason) && self.blocked.len() < ERRORS_MAX {
                    self.blocked.push(reason.clone());
                }
                None
            }
            StepOutcome::Earlier(result) => {
                self.count_result(result);
                None
            }
        };
        if let Some(error) = error
            && self.errors.len() < ERRORS_MAX
        {
            self.errors.push(EntryError {
                id: step.entry,
                error,
            });
        }
    }

    fn count_result(&mut self, result: &StepResult) {
        self.suspicious += u64::from(!result.suspicious.is_empty());
        self.count_outcome(result.outcome);
        self.count_verdict(result.verdict);
    }

    fn count_verdict(&mut self, verdict: Option<Verdict>) {
        *match verdict {
            Some(Verdict::Unchanged) => &mut self.unchanged,
            Some(Verdict::Changed) => &mut self.changed,
            Some(Verdict::Fixed) => &mut self.fixed,
            Some(Verdict::Broken) => &mut self.broken,
            None => &mut self.first,
        } += 1;
    }

    fn count_environment(&mut self, check: Option<&EnvironmentCheck>) {
        match check {
            None | Some(EnvironmentCheck::Same) => {}
            Some(EnvironmentCheck::NotRecorded) => self.environment_not_recorded += 1,
            Some(EnvironmentCheck::Differs(what)) => {
                self.environment_differs += 1;
                if self.environments.len() < ENVIRONMENTS_MAX && !self.environments.contains(what) {
                    self.environments.push(what.clone());
                }
            }
        }
    }

    fn count_outcome(&mut self, outcome: Outcome) {
        self.processed += 1;
        if outcome == Outcome::Success {
            self.successful += 1;
        } else {
            self.failed += 1;
        }
    }

    pub(super) fn finished(&self, job: JobId, untried: &Untried) -> JobFinished {
        let (errors, more_errors) = untried.for_event();
        JobFinished {
            job,
            processed: self.processed,
            successful: self.successful,
            failed: self.failed,
            skipped: self.skipped,
            unchanged: self.unchanged,
            changed: self.changed,
            fixed: self.fixed,
            broken: self.broken,
            interrupted: self.interrupted,
            errors,
            more_errors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::compare;
    use crate::id::ConverterId;

    fn step(outcome: StepOutcome) -> Step {
        Step {
            entry: EntryId(1),
            done: 0,
            total: 9,
            outcome,
        }
    }

    fn result(outcome: Outcome, verdict: Verdict, suspicious: &[&str]) -> StepResult {
        StepResult {
            outcome,
            converter: "ICT".into(),
            suspicious: suspicious.iter().map(|why| (*why).to_owned()).collect(),
            verdict: Some(verdict),
            difference: compare(b"{}", b"{}"),
        }
    }

    fn ran(outcome: Outcome, verdict: Verdict) -> StepOutcome {
        StepOutcome::Ran {
            result: result(outcome, verdict, &["1 step"]),
            attempt: None,
            converter_id: ConverterId::from_bytes([1; 32]),
            newly_suspicious: false,
            before: None,
            environment: Some(EnvironmentCheck::NotRecorded),
            error: None,
            queued: 0,
        }
    }

    #[test]
    fn every_entry_is_counted_once_and_every_trouble_is_listed() {
        let mut counted = ReprocessResult::default();
        for outcome in [
            ran(Outcome::Success, Verdict::Fixed),
            ran(Outcome::Success, Verdict::Changed),
            ran(Outcome::Rejected, Verdict::Broken),
            StepOutcome::Error {
                reason: "no program".into(),
            },
            StepOutcome::Skipped {
                reason: "purged".into(),
            },
            StepOutcome::Earlier(result(Outcome::Success, Verdict::Changed, &[])),
        ] {
            counted.count(&step(outcome));
        }
        assert_eq!(
            (
                counted.processed,
                counted.successful,
                counted.failed,
                counted.skipped
            ),
            (5, 3, 2, 1)
        );
        assert_eq!(counted.environment_not_recorded, 3);
        assert_eq!((counted.fixed, counted.changed, counted.broken), (1, 2, 1));
        assert_eq!(counted.suspicious, 3);
        let errors: Vec<&str> = counted.errors.iter().map(|e| e.error.as_str()).collect();
        assert_eq!(errors, ["rejected", "no program", "purged"]);
    }
}
