//! Compares what a recorded job made with what was there before, from the archived reports.

use crate::Result;
use crate::archive::Archive;
use crate::convert::compare::{Judgement, RuleBook, Run, judge};
use crate::convert::process::{Cancel, STDOUT_BYTES_MAX};
use crate::entry::{Attempt, Entry};
use crate::id::{AttemptNo, EntryId, JobId};

/// The comparison of an attempt of a job with the attempt before it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobChange {
    /// The entry.
    pub entry: EntryId,
    /// The attempt of the job.
    pub attempt: AttemptNo,
    /// The attempt before it.
    pub before: AttemptNo,
    /// The name of the converter that ran.
    pub converter: String,
    /// The verdict, and the differences.
    pub judgement: Judgement,
}

/// Compares the attempts of a job, each with the attempt before it, and calls `each` in the order
/// of the entries.
///
/// `rules` replace the rules that the job recorded. Outcomes and reports are compared. What an
/// attempt found out about the unit is not on record for each of them. Entries without an attempt
/// of the job, with none before it, or whose reports were purged, are left out. Returns false when
/// cancelled.
///
/// # Errors
/// `NotFound` for an unknown job, `Invalid` if this version does not know its rules, and errors of
/// reading the archive. A report that cannot be read is a difference.
pub fn job_changes(
    archive: &Archive,
    job: JobId,
    rules: Option<&RuleBook>,
    cancel: &Cancel,
    each: &mut dyn FnMut(JobChange),
) -> Result<bool> {
    let started = archive.existing_job(job)?.started;
    let recorded = RuleBook::of_recorded(started.compare.as_deref().unwrap_or_default())?;
    let rules = rules.unwrap_or(&recorded);
    let snapshot = archive.snapshot()?;
    for id in archive.job_entries(job)? {
        if cancel.is_cancelled() {
            return Ok(false);
        }
        let Some(entry) = snapshot.entry(id)? else {
            continue;
        };
        let made = |attempt: &Attempt| attempt.job == Some(job);
        let Some(place) = entry.attempts.iter().position(made) else {
            continue;
        };
        let Some(before) = place.checked_sub(1).map(|before| &entry.attempts[before]) else {
            continue;
        };
        let now = &entry.attempts[place];
        if before.status == now.status && !can_be_compared(&entry, before, now) {
            continue;
        }
        each(JobChange {
            entry: id,
            attempt: now.attempt,
            before: before.attempt,
            converter: now.converter.clone(),
            judgement: judge_attempts(archive, rules, before, now),
        });
    }
    Ok(true)
}

/// Returns true unless a purge took the reports of one of two attempts.
pub(super) fn can_be_compared(entry: &Entry, before: &Attempt, now: &Attempt) -> bool {
    [before, now].map(|attempt| entry.reports_purge(attempt.attempt)) == [None, None]
}

/// Judges an attempt by an earlier one, from their archived reports.
///
/// What they found out about the unit is not compared: it is not on record for each attempt.
pub fn judge_attempts(
    archive: &Archive,
    rules: &RuleBook,
    before: &Attempt,
    now: &Attempt,
) -> Judgement {
    let reports = reports_of(archive, before).and_then(|old| Ok((old, reports_of(archive, now)?)));
    let (old, new) = match reports {
        Ok(reports) => reports,
        Err(error) => {
            return Judgement::unreadable(before.status, now.status, &error.to_string());
        }
    };
    let run = |attempt: &Attempt, reports| Run {
        outcome: attempt.status,
        reports,
        unit: None,
    };
    let rules = rules.of_converter(&now.converter);
    judge(rules, run(before, &old), run(now, &new))
}

/// Reads the archived reports of an attempt.
pub(super) fn reports_of(archive: &Archive, attempt: &Attempt) -> Result<Vec<Vec<u8>>> {
    let reports = attempt.reports.iter();
    reports
        .map(|report| archive.read_all(&report.blake3, STDOUT_BYTES_MAX as u64))
        .collect()
}
