//! Runs the converter of one entry, and compares the result with the attempt before.

use super::blocked::{Blocked, Instead};
use super::choice::{Unfit, without_source};
use super::options::{Reprocess, Resend};
use super::runners::{RunnerKey, Runners};
use super::step::StepOutcome;
use crate::archive::Archive;
use crate::convert::compare::{Change, Difference, Verdict, compare_reports, compare_units};
use crate::convert::converter::Converter;
use crate::convert::process::{Cancel, STDOUT_BYTES_MAX};
use crate::convert::protocol::{Conversion, Json};
use crate::convert::running::{Terms, attempt, run_over};
use crate::entry::{Attempt, Entry, Outcome};
use crate::id::{EntryId, JobId};
use crate::{Error, ErrorKind, Result};

/// What all steps of a job share.
pub(super) struct Work<'a> {
    pub(super) archive: &'a Archive,
    pub(super) converters: &'a [Converter],
    pub(super) options: &'a Reprocess,
    pub(super) job: Option<JobId>,
    pub(super) cancel: &'a Cancel,
    pub(super) runners: Runners,
    pub(super) blocked: Blocked<RunnerKey>,
}

/// The result of a step.
pub(super) enum Stepped {
    Over(StepOutcome),
    /// The converter could not run; the entry is tried again after all others.
    PutOff,
}

impl Work<'_> {
    /// Processes one entry. Returns `None` when cancelled.
    pub(super) fn step(&self, id: EntryId) -> Option<Stepped> {
        let outcome = match self.try_step(id) {
            Ok(outcome) => outcome?,
            Err(Unfit::Skip(reason)) => StepOutcome::Skipped { reason },
            Err(Unfit::Error(error)) => StepOutcome::Error {
                reason: error.to_string(),
            },
            Err(Unfit::CannotRun(key, error)) => {
                let reason = error.to_string();
                match self.blocked.cannot_run(key, id, &reason) {
                    Instead::PutOff => return Some(Stepped::PutOff),
                    Instead::NotTried => StepOutcome::NotTried { reason },
                }
            }
        };
        Some(Stepped::Over(outcome))
    }

    fn try_step(&self, id: EntryId) -> Result<Option<StepOutcome>, Unfit> {
        let entry = self
            .archive
            .snapshot()?
            .entry(id)?
            .ok_or_else(|| Unfit::Skip("there is no such entry".to_owned()))?;
        if let Some(reason) = without_source(&entry) {
            return Err(Unfit::Skip(reason));
        }
        if let Some(job) = self.job
            && let Some(earlier) = entry.attempts.iter().find(|tried| tried.job == Some(job))
        {
            return Ok(Some(StepOutcome::Earlier {
                outcome: earlier.status,
            }));
        }
        let chosen = self.choose(&entry)?;
        let unable = |error: Error| match error.kind() {
            ErrorKind::Converter => Unfit::CannotRun(chosen.key.clone(), error),
            _ => Unfit::Error(error),
        };
        if let Some(reason) = self.blocked.reason(&chosen.key) {
            return Ok(Some(StepOutcome::NotTried { reason }));
        }
        let terms = Terms {
            arguments: &chosen.arguments,
            job: self.job,
            keep_reports: true,
            note: chosen.note.as_deref(),
        };
        let mut judged = None;
        let mut queued = 0;
        let (attempt, conversion) = if self.options.compare_only {
            let session = chosen.runner.session()?;
            let ran = run_over(
                self.archive,
                &chosen.runner,
                &session,
                &entry,
                terms,
                self.cancel,
            )
            .map_err(unable)?;
            let Some(conversion) = ran else {
                return Ok(None);
            };
            (None, conversion)
        } else {
            let converter = &chosen.runner.converter().name;
            let decide = |conversion: &mut Conversion| {
                let (verdict, _) = judged.insert(self.judge(&entry, conversion));
                let wanted = match self.options.resend {
                    Resend::None => false,
                    Resend::Changed => *verdict != Some(Verdict::Unchanged),
                    Resend::All => true,
                };
                let endpoint = self.options.endpoints.get(converter);
                let endpoint =
                    endpoint.filter(|_| wanted && conversion.outcome == Outcome::Success);
                if endpoint.is_some() {
                    queued = conversion.reports.len() as u64;
                }
                Ok(endpoint.cloned())
            };
            let ran = attempt(
                self.archive,
                &chosen.runner,
                &entry,
                terms,
                self.cancel,
                decide,
            )
            .map_err(unable)?;
            let Some(summary) = ran else {
                return Ok(None);
            };
            (Some(summary.attempt), summary.conversion)
        };
        let (verdict, difference) = judged.unwrap_or_else(|| self.judge(&entry, &conversion));
        Ok(Some(StepOutcome::Ran {
            attempt,
            outcome: conversion.outcome,
            error: conversion.error,
            verdict,
            difference,
            queued,
        }))
    }

    fn judge(&self, entry: &Entry, now: &Conversion) -> (Option<Verdict>, Difference) {
        let Some(before) = entry.attempts.last() else {
            return (None, Difference::default());
        };
        let mut difference = Difference::default();
        if before.status == now.outcome {
            difference = match self.reports_of(before) {
                Ok(reports) => compare_reports(&reports, &now.reports),
                // The attempt is recorded nevertheless: a lost report is a reason to convert again.
                Err(error) => Difference {
                    changes: vec![Change {
                        path: String::new(),
                        old: Some(Json::text(format!("unreadable: {error}"))),
                        new: None,
                    }],
                    ..Difference::default()
                },
            };
        }
        if before.status == Outcome::Success && now.outcome == Outcome::Success {
            // The entry's unit merges what all attempts found out. A fix may change nothing but the
            // unit.
            let mut unit = entry.unit.clone();
            entry.unit_given.merge(&mut unit, &now.unit);
            difference.changes.extend(compare_units(&entry.unit, &unit));
        }
        let verdict = Verdict::of(before.status, now.outcome, !difference.is_empty());
        (Some(verdict), difference)
    }

    fn reports_of(&self, attempt: &Attempt) -> Result<Vec<Vec<u8>>> {
        attempt
            .reports
            .iter()
            .map(|report| {
                self.archive
                    .read_all(&report.blake3, STDOUT_BYTES_MAX as u64)
            })
            .collect()
    }
}
