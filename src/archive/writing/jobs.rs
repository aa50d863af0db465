//! Records reprocess jobs: what they select, how they end, and that they go on.

use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::archive::state::running_jobs::{JobProgress, JobRun, Turn, Turns};
use crate::event::{
    Body, EntryRanges, JobFinished, JobPriority, JobResumed, JobSelected, JobStarted, JobStop,
    JobStopped,
};
use crate::id::{EntryId, JobId};
use crate::index::RecordedJob;
use crate::{Error, ErrorKind, Result};

/// The most ranges of entries in one event, which may be 64 KiB long.
const RANGES_PER_EVENT: usize = 1_000;
/// How many events about a selection wait for one flush.
const EVENTS_AT_ONCE: usize = 64;

/// A reprocess job, as far as it is on record and known to this process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// The job.
    pub id: JobId,
    /// How it began.
    pub started: JobStarted,
    /// What somebody wanted of it last: that it pauses, or that it ends.
    pub stopped: Option<JobStop>,
    /// What had come of it when it ended; `None` while it runs, and when it was cut off.
    pub finished: Option<JobFinished>,
    /// How far it has come, while it runs.
    pub progress: Option<JobProgress>,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum JobState {
    /// It runs in the process that owns the store.
    Running,
    /// Somebody stopped it, to go on later.
    Paused,
    /// It was cut off: by a signal, an error, or the end of its process.
    Interrupted,
    /// Every entry was tried or skipped.
    Finished,
    /// Somebody stopped it for good.
    Cancelled,
}

impl Job {
    /// Returns how the job stands.
    pub fn state(&self) -> JobState {
        let is_complete = self.finished.as_ref().is_some_and(|end| !end.interrupted);
        match self.stopped {
            _ if self.progress.is_some() => JobState::Running,
            _ if is_complete => JobState::Finished,
            Some(JobStop::Paused) => JobState::Paused,
            Some(JobStop::Cancelled) => JobState::Cancelled,
            None => JobState::Interrupted,
        }
    }
}

impl Archive {
    /// Records that a job begins, and which entries it runs over. It counts as running until the
    /// result is dropped.
    ///
    /// The job can be resumed once this returns. If it fails in between, the job is on record
    /// without all its entries, and cannot.
    pub fn start_job(&self, job: JobStarted, entries: &[EntryId]) -> Result<JobRun> {
        let (total, priority) = (job.total, job.priority);
        let id = JobId(self.append_fact(Draft::fact(Body::JobStarted(job)))?.0);
        // Before its entries are on record, nobody else can run it.
        let run = self.run_job(id, total, priority)?;
        let ranges = EntryRanges::of(entries.iter().copied());
        let parts = ranges.parts(RANGES_PER_EVENT);
        let selected = |entries| Draft::fact(Body::JobSelected(JobSelected { job: id, entries }));
        let drafts: Vec<Draft> = parts.map(selected).collect();
        let mut drafts = drafts.into_iter().peekable();
        while drafts.peek().is_some() {
            self.append(drafts.by_ref().take(EVENTS_AT_ONCE).collect())?;
        }
        // Somebody may have stopped it before it counted as running.
        if let Some(how) = self.existing_job(id)?.stopped {
            self.store().jobs.stop(id, how);
        }
        Ok(run)
    }

    /// Records that a job ended, or was stopped.
    pub fn finish_job(&self, job: JobFinished) -> Result<()> {
        self.append_fact(Draft::fact(Body::JobFinished(job)))?;
        Ok(())
    }

    /// Records that a job goes on, as urgent as stated. It counts as running until the result is
    /// dropped.
    ///
    /// # Errors
    /// `NotFound` if there is no such job, `Refused` if it runs, is finished or was cancelled.
    pub fn resume_job(&self, id: JobId, priority: JobPriority) -> Result<JobRun> {
        let total = self.existing_job(id)?.started.total;
        let run = self.run_job(id, total, priority)?;
        // Read again: from here on, nobody else resumes it.
        let job = Job {
            progress: None,
            ..self.existing_job(id)?
        };
        let refused = match job.state() {
            JobState::Finished => "is finished",
            JobState::Cancelled => "was cancelled",
            JobState::Running | JobState::Paused | JobState::Interrupted => {
                self.append_fact(Draft::fact(Body::JobResumed(JobResumed { job: id })))?;
                return Ok(run);
            }
        };
        Err(
            Error::new(ErrorKind::Refused, format!("job {id} {refused}"))
                .hint("`annals job list` shows how each job stands"),
        )
    }

    /// Stops a job. A running one stops after the entries that it is working on.
    ///
    /// # Errors
    /// `NotFound` if there is no such job. `Refused` if it has ended, or does not run and is to
    /// pause.
    pub fn stop_job(&self, id: JobId, how: JobStop) -> Result<()> {
        let job = self.existing_job(id)?;
        let cannot = match (job.state(), how) {
            // It finishes the entries that it is working on, and is not to go on after that.
            (JobState::Running, _) if job.stopped == Some(JobStop::Cancelled) => {
                Some("is being cancelled")
            }
            (JobState::Finished | JobState::Cancelled, _) => Some("has ended"),
            (JobState::Paused | JobState::Interrupted, JobStop::Paused) => Some("does not run"),
            _ => None,
        };
        if let Some(why) = cannot {
            return Err(Error::new(ErrorKind::Refused, format!("job {id} {why}"))
                .hint("`annals job list` shows how each job stands"));
        }
        // Recorded first: if the job is cut off before it has stopped, it stays stopped.
        self.append_fact(Draft::fact(Body::JobStopped(JobStopped { job: id, how })))?;
        self.store().jobs.stop(id, how);
        Ok(())
    }

    /// Notes that a job runs in this process, until the result is dropped.
    fn run_job(&self, id: JobId, total: u64, priority: JobPriority) -> Result<JobRun> {
        let run = self.store().jobs.begin(id, total, priority);
        run.ok_or_else(|| {
            Error::new(ErrorKind::Refused, format!("job {id} is running"))
                .hint("`annals job watch JOB` shows how far it has come")
        })
    }

    /// Sets who says when a conversion of a job may start, in a process that has other conversions
    /// to run. Only the first call counts.
    pub fn grant_turns(&self, turns: impl Turns + 'static) {
        self.store().jobs.grant_turns(Box::new(turns));
    }

    /// Waits until a conversion by `converter` may start, for a job or for a mere comparison. It is
    /// over when the turn is dropped. Returns `None` once `goes_on` returns false.
    ///
    /// The conversion waits for more urgent jobs, and in a host for files on their way and for the
    /// limits on parallel conversions. It waits about a second for what is more urgent, so that
    /// every job comes to an end.
    pub fn wait_for_turn(
        &self,
        job: Option<JobId>,
        converter: &str,
        goes_on: &dyn Fn() -> bool,
    ) -> Option<Turn> {
        self.store().jobs.wait_for_turn(job, converter, goes_on)
    }

    /// Returns a job.
    pub fn job(&self, id: JobId) -> Result<Option<Job>> {
        let found = self.store().index.view().job(id)?;
        Ok(found.map(|recorded| self.as_job(id, recorded)))
    }

    /// Returns every job, the oldest first.
    pub fn jobs(&self) -> Result<Vec<Job>> {
        let found = self.store().index.view().jobs()?.into_iter();
        Ok(found
            .map(|(id, recorded)| self.as_job(id, recorded))
            .collect())
    }

    /// Returns the entries that a job runs over, ascending.
    ///
    /// # Errors
    /// `NotFound` if there is no such job, or if not all of its entries are on record.
    pub fn job_entries(&self, id: JobId) -> Result<Vec<EntryId>> {
        let job = self.existing_job(id)?;
        let mut entries = Vec::new();
        let recorded = self.store().index.view().job(id)?;
        for seq in recorded.into_iter().flat_map(|job| job.selection_events) {
            for leaf in self.events(seq, Some(seq))? {
                if let Body::JobSelected(selected) = leaf?.event()?.body {
                    // Ranges from a log may be absurdly wide.
                    let left = job.started.total.saturating_sub(entries.len() as u64);
                    let left = usize::try_from(left).unwrap_or(usize::MAX);
                    entries.extend(selected.entries.iter().take(left));
                }
            }
        }
        if entries.len() as u64 == job.started.total {
            return Ok(entries);
        }
        let told = format!("not all entries of job {id} are on record");
        Err(Error::new(ErrorKind::NotFound, told)
            .hint("start it again: `annals reprocess` with the same filters"))
    }

    fn as_job(&self, id: JobId, recorded: RecordedJob) -> Job {
        Job {
            id,
            started: recorded.started,
            stopped: recorded.stopped,
            finished: recorded.finished,
            progress: self.store().jobs.progress(id),
        }
    }

    /// Returns a job.
    ///
    /// # Errors
    /// `NotFound` if there is no such job.
    pub(crate) fn existing_job(&self, id: JobId) -> Result<Job> {
        self.job(id)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no job {id}"))
                .hint("`annals job list` shows them")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::archive::Options;
    use crate::disk::sim::SimDisk;
    use crate::id::EventSeq;

    /// Two people resumed a job at once: both were on record, and one of them got an error later.
    #[test]
    fn a_second_resume__is_refused_and_leaves_no_trace() {
        let disk = Arc::new(SimDisk::new());
        let archive = Archive::create_on(disk, Options::default()).expect("a store");
        let entries = [EntryId(7), EntryId(9)];
        let started = archive.start_job(JobStarted::new("reprocess", 2), &entries);
        let job = started.expect("started").job();
        assert_eq!(archive.job_entries(job).expect("on record"), entries);
        let run = archive
            .resume_job(job, JobPriority::default())
            .expect("cut off");
        let refused = archive
            .resume_job(job, JobPriority::default())
            .err()
            .expect("it runs");
        assert_eq!(refused.kind(), ErrorKind::Refused);
        drop(run);
        archive.stop_job(job, JobStop::Cancelled).expect("it waits");
        let refused = archive
            .resume_job(job, JobPriority::default())
            .err()
            .expect("cancelled");
        assert!(refused.to_string().contains("cancelled"), "{refused}");
        let events = archive.events(EventSeq(1), None).expect("readable");
        let lines = events.map(|leaf| leaf.expect("whole").line);
        let resumed = lines.filter(|line| line.contains("annals.job.resumed.v1"));
        assert_eq!(resumed.count(), 1);
    }

    /// A job was cancelled, then paused while it finished its last entries, and could be resumed.
    #[test]
    fn a_cancelled_job__is_not_made_a_paused_one() {
        let disk = Arc::new(SimDisk::new());
        let archive = Archive::create_on(disk, Options::default()).expect("a store");
        let run = archive.start_job(JobStarted::new("reprocess", 1), &[EntryId(7)]);
        let run = run.expect("started");
        archive
            .stop_job(run.job(), JobStop::Paused)
            .expect("it runs");
        archive
            .stop_job(run.job(), JobStop::Cancelled)
            .expect("it still runs");
        let refused = archive.stop_job(run.job(), JobStop::Paused);
        assert_eq!(refused.expect_err("cancelled").kind(), ErrorKind::Refused);
        let job = run.job();
        drop(run);
        let state = archive.existing_job(job).expect("on record").state();
        assert_eq!(state, JobState::Cancelled);
    }
}
