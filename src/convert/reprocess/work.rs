//! Runs the converter of one entry, and compares the result with the attempt before.

use std::sync::Arc;

use super::blocked::{Blocked, Instead};
use super::changes::{can_be_compared, judge_attempts, reports_of};
use super::choice::{Chosen, Unfit, without_source};
use super::options::{Reprocess, Resend};
use super::runners::{RunnerKey, Runners};
use super::step::{StepOutcome, StepResult};
use crate::archive::{Archive, JobRun, Turn};
use crate::convert::compare::{CompareRules, Difference, Judgement, Run, Verdict, judge};
use crate::convert::converter::Converter;
use crate::convert::guard::examine;
use crate::convert::process::Cancel;
use crate::convert::protocol::Conversion;
use crate::convert::running::{Session, Terms, record, run_over};
use crate::entry::{Attempt, Entry, Outcome};
use crate::id::{EntryId, JobId};
use crate::{Error, ErrorKind, Result};

/// What all steps of a job share.
pub(super) struct Work<'a> {
    pub(super) archive: &'a Archive,
    pub(super) converters: &'a [Converter],
    pub(super) options: &'a Reprocess,
    /// The recorded job: where others see how far it has come, and ask it to stop.
    pub(super) run: Option<&'a JobRun>,
    pub(super) cancel: &'a Cancel,
    pub(super) runners: Runners,
    pub(super) blocked: Blocked<RunnerKey>,
}

/// The result of a step.
pub(super) enum Stepped {
    Over(Box<StepOutcome>),
    /// The converter could not run; the entry is tried again after all others.
    PutOff,
}

/// What became of an entry that was to be converted.
pub(super) enum Tried {
    /// There is nothing to compare or to record.
    Stepped(Stepped),
    Converted(Box<Converted>),
}

/// A conversion that is not compared and recorded yet.
pub(super) struct Converted {
    pub(super) entry: Entry,
    pub(super) chosen: Chosen,
    pub(super) session: Arc<Session>,
    pub(super) conversion: Conversion,
}

impl Converted {
    pub(super) fn entry(&self) -> EntryId {
        self.entry.id
    }

    /// Returns the number of bytes of its reports.
    pub(super) fn report_bytes(&self) -> usize {
        self.conversion.reports.iter().map(Vec::len).sum()
    }
}

impl Work<'_> {
    /// Processes one entry. Returns `None` when cancelled.
    pub(super) fn step(&self, id: EntryId) -> Option<Stepped> {
        Some(match self.convert(id)? {
            Tried::Stepped(stepped) => stepped,
            Tried::Converted(converted) => self.finish(*converted),
        })
    }

    /// Runs the converter of one entry. Returns `None` when cancelled.
    pub(super) fn convert(&self, id: EntryId) -> Option<Tried> {
        match self.try_convert(id) {
            Ok(tried) => tried,
            Err(unfit) => Some(Tried::Stepped(self.unfit(id, unfit))),
        }
    }

    /// Compares a conversion with the attempt before, and records it. Then it is durable.
    pub(super) fn finish(&self, converted: Converted) -> Stepped {
        let id = converted.entry.id;
        self.try_finish(converted).map_or_else(
            |unfit| self.unfit(id, unfit),
            |over| Stepped::Over(Box::new(over)),
        )
    }

    fn unfit(&self, id: EntryId, unfit: Unfit) -> Stepped {
        Stepped::Over(Box::new(match unfit {
            Unfit::Skip(reason) => StepOutcome::Skipped { reason },
            Unfit::Error(error) => StepOutcome::Error {
                reason: error.to_string(),
            },
            Unfit::CannotRun(key, error) => {
                let reason = error.to_string();
                match self.blocked.cannot_run(key, id, &reason) {
                    Instead::PutOff => return Stepped::PutOff,
                    Instead::NotTried => StepOutcome::NotTried { reason },
                }
            }
        }))
    }

    pub(super) fn try_convert(&self, id: EntryId) -> Result<Option<Tried>, Unfit> {
        let over = |outcome| Ok(Some(Tried::Stepped(Stepped::Over(Box::new(outcome)))));
        let entry = self
            .archive
            .snapshot()?
            .entry(id)?
            .ok_or_else(|| Unfit::Skip("there is no such entry".to_owned()))?;
        if let Some(reason) = without_source(&entry) {
            return Err(Unfit::Skip(reason));
        }
        if let Some(job) = self.job()
            && let Some(earlier) = entry
                .attempts
                .iter()
                .position(|tried| tried.job == Some(job))
        {
            let (verdict, difference) = parted(self.judge_earlier(&entry, earlier));
            let attempt = &entry.attempts[earlier];
            return over(StepOutcome::Earlier(StepResult {
                outcome: attempt.status,
                converter: attempt.converter.clone(),
                suspicious: attempt.suspicious.clone(),
                verdict,
                difference,
            }));
        }
        let chosen = self.choose(&entry)?;
        if let Some(reason) = self.blocked.reason(&chosen.key) {
            return over(StepOutcome::NotTried { reason });
        }
        let session = chosen.runner.session();
        let session = session.map_err(|error| unable(&chosen, error))?;
        let Some(turn) = self.wait_for_turn(&chosen) else {
            return Ok(None);
        };
        let terms = self.terms(&chosen);
        let (archive, runner) = (self.archive, &chosen.runner);
        let ran = run_over(archive, runner, &session, &entry, terms, self.cancel);
        drop(turn);
        let conversion = ran.map_err(|error| unable(&chosen, error))?;
        Ok(conversion.map(|conversion| {
            Tried::Converted(Box::new(Converted {
                entry,
                chosen,
                session,
                conversion,
            }))
        }))
    }

    fn try_finish(&self, converted: Converted) -> Result<StepOutcome, Unfit> {
        let Converted {
            entry,
            chosen,
            session,
            mut conversion,
        } = converted;
        let Converter { name, expect, .. } = chosen.runner.converter();
        examine(self.archive, &entry, name, expect, &mut conversion)?;
        let suspicious = conversion.suspicious.clone();
        let before = self.options.against.attempt(&entry.attempts);
        let (verdict, difference) = parted(self.judge(name, &entry, before, &conversion));
        let (outcome, error) = (conversion.outcome, conversion.error.clone());
        let mut queued = 0;
        let mut attempt = None;
        if !self.options.compare_only {
            let wanted = match self.options.resend {
                Resend::None => false,
                // What a purge took may have been the same.
                Resend::Changed => match verdict {
                    Some(verdict) => verdict != Verdict::Unchanged,
                    None => before.is_none(),
                },
                Resend::All => true,
            };
            let endpoint = self.options.endpoints.get(name);
            let endpoint = endpoint.filter(|_| wanted && outcome == Outcome::Success);
            if endpoint.is_some() {
                queued = conversion.reports.len() as u64;
            }
            let recorded = record(
                self.archive,
                &chosen.runner,
                &session,
                entry.id,
                self.terms(&chosen),
                conversion,
                endpoint.cloned(),
            );
            let summary = recorded.map_err(|error| unable(&chosen, error))?;
            attempt = Some(summary.attempt);
        }
        let was_sound = before.is_some_and(|before| before.suspicious.is_empty());
        let newly_suspicious = was_sound && !suspicious.is_empty();
        Ok(StepOutcome::Ran {
            result: StepResult {
                outcome,
                converter: name.clone(),
                suspicious,
                verdict,
                difference,
            },
            attempt,
            converter_id: session.identity.id,
            before: before.map(|before| before.status),
            newly_suspicious,
            error,
            queued,
            environment: chosen.environment,
        })
    }

    /// Returns true until the job is cancelled, or somebody asks it to stop.
    pub(super) fn goes_on(&self) -> bool {
        let asked = self.run.and_then(JobRun::stopping);
        asked.is_none() && !self.cancel.is_cancelled()
    }

    fn job(&self) -> Option<JobId> {
        self.run.map(JobRun::job)
    }

    /// Waits until the converter may run. Returns `None` when the job is to stop.
    fn wait_for_turn(&self, chosen: &Chosen) -> Option<Turn> {
        let converter = &chosen.runner.converter().name;
        self.archive
            .wait_for_turn(self.job(), converter, &|| self.goes_on())
    }

    fn terms<'a>(&self, chosen: &'a Chosen) -> Terms<'a> {
        Terms {
            arguments: &chosen.arguments,
            job: self.job(),
            keep_reports: true,
            note: chosen.note.as_deref(),
        }
    }

    /// Returns the rules that say what counts in reports of a converter.
    fn rules_of(&self, converter: &str) -> &CompareRules {
        self.options.rules.of_converter(converter)
    }

    /// Judges a conversion by an attempt before. `None` when there was none, or when a purge took
    /// the reports to compare with.
    pub(super) fn judge(
        &self,
        converter: &str,
        entry: &Entry,
        before: Option<&Attempt>,
        now: &Conversion,
    ) -> Option<Judgement> {
        let before = before?;
        if before.status == now.outcome && entry.reports_purge(before.attempt).is_some() {
            return None;
        }
        let rules = self.rules_of(converter);
        // The entry's unit merges what all attempts found out. A fix may change nothing but the
        // unit.
        let mut unit = entry.unit.clone();
        entry.unit_given.merge(&mut unit, &now.unit);
        let reports = if before.status == now.outcome {
            reports_of(self.archive, before)
        } else {
            Ok(Vec::new())
        };
        let run = |outcome, reports, unit| Run {
            outcome,
            reports,
            unit: Some(unit),
        };
        let now = run(now.outcome, &now.reports, &unit);
        Some(match reports {
            Ok(reports) => judge(rules, run(before.status, &reports, &entry.unit), now),
            // The attempt is recorded nevertheless: a lost report is a reason to convert again.
            Err(error) => Judgement::unreadable(before.status, now.outcome, &error.to_string()),
        })
    }

    /// Compares an attempt that an earlier run of the job made with the one before it.
    fn judge_earlier(&self, entry: &Entry, place: usize) -> Option<Judgement> {
        let now = &entry.attempts[place];
        let before = &entry.attempts[place.checked_sub(1)?];
        let can_compare = before.status != now.status || can_be_compared(entry, before, now);
        can_compare.then(|| judge_attempts(self.archive, &self.options.rules, before, now))
    }
}

pub(super) fn parted(judged: Option<Judgement>) -> (Option<Verdict>, Difference) {
    judged.map_or_else(Default::default, |judged| {
        (Some(judged.verdict), judged.difference)
    })
}

/// Turns an error of the converter itself into one that is no fault of the entry.
fn unable(chosen: &Chosen, error: Error) -> Unfit {
    match error.kind() {
        ErrorKind::Converter => Unfit::CannotRun(chosen.key.clone(), error),
        _ => Unfit::Error(error),
    }
}
