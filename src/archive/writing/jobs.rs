//! Records reprocess jobs: what they select, how they end, and that they go on.

use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::archive::state::running_jobs::{JobProgress, JobRun};
use crate::event::{
    Body, EntryRanges, JobFinished, JobResumed, JobSelected, JobStarted, JobStop, JobStopped,
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
    /// Records that a job begins, and which entries it runs over.
    ///
    /// The job can be resumed once this returns. If it fails in between, the job is on record
    /// without all its entries, and cannot.
    pub fn start_job(&self, job: JobStarted, entries: &[EntryId]) -> Result<JobId> {
        let id = JobId(self.append_fact(Draft::fact(Body::JobStarted(job)))?.0);
        let ranges = EntryRanges::of(entries.iter().copied());
        let parts = ranges.parts(RANGES_PER_EVENT);
        let selected = |entries| Draft::fact(Body::JobSelected(JobSelected { job: id, entries }));
        let drafts: Vec<Draft> = parts.map(selected).collect();
        let mut drafts = drafts.into_iter().peekable();
        while drafts.peek().is_some() {
            self.append(drafts.by_ref().take(EVENTS_AT_ONCE).collect())?;
        }
        Ok(id)
    }

    /// Records that a job ended, or was stopped.
    pub fn finish_job(&self, job: JobFinished) -> Result<()> {
        self.append_fact(Draft::fact(Body::JobFinished(job)))?;
        Ok(())
    }

    /// Records that a job goes on.
    ///
    /// # Errors
    /// `NotFound` if there is no such job, `Refused` if it runs, is finished or was cancelled.
    pub fn resume_job(&self, id: JobId) -> Result<()> {
        let state = self.existing_job(id)?.state();
        let refused = match state {
            JobState::Paused | JobState::Interrupted => None,
            JobState::Running => Some("is running"),
            JobState::Finished => Some("is finished"),
            JobState::Cancelled => Some("was cancelled"),
        };
        if let Some(why) = refused {
            return Err(Error::new(ErrorKind::Refused, format!("job {id} {why}"))
                .hint("`annals job list` shows how each job stands"));
        }
        self.append_fact(Draft::fact(Body::JobResumed(JobResumed { job: id })))?;
        Ok(())
    }

    /// Stops a job. A running one stops after the entries that it is working on.
    ///
    /// # Errors
    /// `NotFound` if there is no such job. `Refused` if it has ended, or does not run and is to
    /// pause.
    pub fn stop_job(&self, id: JobId, how: JobStop) -> Result<()> {
        let cannot = match (self.existing_job(id)?.state(), how) {
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
    ///
    /// # Errors
    /// `Refused` if it runs already.
    pub fn run_job(&self, id: JobId, total: u64) -> Result<JobRun> {
        self.store().jobs.begin(id, total).ok_or_else(|| {
            Error::new(ErrorKind::Refused, format!("job {id} is running"))
                .hint("`annals job watch JOB` shows how far it has come")
        })
    }

    /// Makes jobs that run in this process wait while `is_busy` returns true: at most a second
    /// before each conversion, so that they come to an end. Only the first call counts.
    pub fn let_jobs_give_way(&self, is_busy: impl Fn() -> bool + Send + Sync + 'static) {
        self.store().jobs.give_way_to(Box::new(is_busy));
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

    fn existing_job(&self, id: JobId) -> Result<Job> {
        self.job(id)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no job {id}"))
                .hint("`annals job list` shows them")
        })
    }
}
