//! A job as lists and JSON output show it.

use serde::Serialize;

use crate::archive::{Archive, Job, JobState};
use crate::cli::commands::events::Envelope;
use crate::cli::render::{Cell, Style};
use crate::event::{JobFinished, JobStarted};
use crate::id::{EventSeq, JobId};
use crate::service::time::Zone;
use crate::time::Timestamp;
use crate::{Error, ErrorKind};

#[derive(Serialize)]
pub(super) struct JobObject<'a> {
    job: JobId,
    state: JobState,
    started_at: Timestamp,
    #[serde(flatten)]
    started: &'a JobStarted,
    processed: Option<u64>,
    successful: Option<u64>,
    failed: Option<u64>,
    skipped: Option<u64>,
    unchanged: Option<u64>,
    changed: Option<u64>,
    fixed: Option<u64>,
    broken: Option<u64>,
    /// How many entries a running job has finished.
    done: Option<u64>,
    /// How long the rest of a running job takes at its rate so far.
    left_s: Option<u64>,
}

/// A job, with the time when it began.
pub(super) struct ShownJob {
    pub(super) job: Job,
    pub(super) at: Timestamp,
}

impl ShownJob {
    pub(super) fn of(job: Job, archive: &Archive, zone: &Zone) -> Result<Self, Error> {
        let at = begun_at(archive, job.id, zone)?;
        Ok(Self { job, at })
    }

    pub(super) fn object(&self) -> JobObject<'_> {
        let Job {
            id,
            started,
            finished,
            progress,
            ..
        } = &self.job;
        let number = |of: fn(&JobFinished) -> u64| finished.as_ref().map(of);
        JobObject {
            job: *id,
            state: self.job.state(),
            started_at: self.at,
            started,
            processed: number(|job| job.processed),
            successful: number(|job| job.successful),
            failed: number(|job| job.failed),
            skipped: number(|job| job.skipped),
            unchanged: number(|job| job.unchanged),
            changed: number(|job| job.changed),
            fixed: number(|job| job.fixed),
            broken: number(|job| job.broken),
            done: progress.map(|progress| progress.done),
            left_s: progress
                .and_then(|progress| progress.time_left())
                .map(|left| left.as_secs()),
        }
    }

    /// Returns the state in a word; of a running job also how much is done.
    pub(super) fn state_cell(&self) -> Cell {
        let (word, style) = match self.job.state() {
            JobState::Running => ("running", Style::Good),
            JobState::Finished => ("finished", Style::Good),
            JobState::Paused => ("paused", Style::Warn),
            JobState::Interrupted => ("interrupted", Style::Warn),
            JobState::Cancelled => ("cancelled", Style::Warn),
        };
        let percent = self.job.progress.map(|progress| {
            let part = progress.done.saturating_mul(100) / progress.total.max(1);
            format!("{word} {part}%")
        });
        Cell::new(percent.unwrap_or_else(|| word.to_owned())).style(style)
    }
}

/// Returns when the job's first event was recorded. The job id is the number of that event.
fn begun_at(archive: &Archive, id: JobId, zone: &Zone) -> Result<Timestamp, Error> {
    let seq = EventSeq(id.0);
    let leaf = archive
        .events(seq, Some(seq))?
        .next()
        .ok_or_else(|| Error::new(ErrorKind::Damaged, format!("the event {seq} is not there")))??;
    Ok(zone.exact(Envelope::of(&leaf)?.time))
}
