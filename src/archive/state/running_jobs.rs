//! Jobs that run in this process: how far each has come, and whether somebody wants it stopped.
//!
//! A job whose end is not on record and that is not here was cut off: only the process that owns
//! the store can run jobs.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{JobPriority, JobStop};
use crate::id::JobId;

/// How long a conversion waits for jobs that are more urgent.
const GIVES_WAY_FOR: Duration = Duration::from_secs(1);
/// How often it looks whether they are done.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The jobs that run.
#[derive(Default)]
pub(in crate::archive) struct RunningJobs {
    running: Mutex<BTreeMap<JobId, Running>>,
    /// Grants turns in a process that converts other files, too.
    turns: OnceLock<Box<dyn Turns>>,
}

struct Running {
    since: Instant,
    priority: JobPriority,
    done: u64,
    /// Those of them that an earlier run had finished.
    earlier: u64,
    total: u64,
    stop: Option<JobStop>,
}

/// Grants turns to conversions of jobs, in a process that has other conversions to run.
pub trait Turns: Send + Sync {
    /// Waits until a conversion by `converter` may start; it is over when the turn is dropped.
    /// Returns `None` once `goes_on` returns false.
    fn wait(&self, converter: &str, goes_on: &dyn Fn() -> bool) -> Option<Turn>;
}

/// The right to run one conversion, until it is dropped.
#[must_use = "the turn is over when it is dropped"]
pub struct Turn(#[expect(dead_code, reason = "only dropped")] Option<Box<dyn Any + Send>>);

impl Turn {
    /// Returns a turn that ends when `until` is dropped with it.
    pub fn held_by(until: impl Any + Send) -> Self {
        Self(Some(Box::new(until)))
    }

    /// Returns a turn in a process that runs nothing but jobs.
    pub const fn free() -> Self {
        Self(None)
    }
}

/// How far a running job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobProgress {
    /// Number of finished entries.
    pub done: u64,
    /// Number of selected entries.
    pub total: u64,
    /// How long this run of the job has taken so far.
    pub running_for: Duration,
    /// Number of entries that this run has finished. A resumed job had finished others before.
    pub done_in_this_run: u64,
    /// What somebody asked for. The job stops after the entries it is working on.
    pub stopping: Option<JobStop>,
}

impl JobProgress {
    /// Returns how long the rest takes at the rate of this run, once anything is finished.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.total.saturating_sub(self.done);
        if self.done_in_this_run == 0 {
            return None;
        }
        let seconds = self.running_for.as_secs_f64() * left as f64 / self.done_in_this_run as f64;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

impl RunningJobs {
    /// Notes that a job runs from now on. Returns `None` if it runs already.
    pub(in crate::archive) fn begin(
        self: &Arc<Self>,
        job: JobId,
        total: u64,
        priority: JobPriority,
    ) -> Option<JobRun> {
        let mut running = self.lock();
        if running.contains_key(&job) {
            return None;
        }
        let begun = Running {
            since: Instant::now(),
            priority,
            done: 0,
            earlier: 0,
            total,
            stop: None,
        };
        running.insert(job, begun);
        Some(JobRun {
            jobs: Arc::clone(self),
            job,
        })
    }

    /// Returns how far a job has come, if it runs.
    pub(in crate::archive) fn progress(&self, job: JobId) -> Option<JobProgress> {
        self.lock().get(&job).map(|running| JobProgress {
            done: running.done,
            total: running.total,
            running_for: running.since.elapsed(),
            done_in_this_run: running.done.saturating_sub(running.earlier),
            stopping: running.stop,
        })
    }

    /// Asks a job to stop. Returns false if it does not run.
    pub(in crate::archive) fn stop(&self, job: JobId, how: JobStop) -> bool {
        let mut running = self.lock();
        let Some(running) = running.get_mut(&job) else {
            return false;
        };
        // A cancelled job is not made a paused one.
        if running.stop != Some(JobStop::Cancelled) {
            running.stop = Some(how);
        }
        true
    }

    /// Sets who grants turns. Only the first call counts.
    pub(in crate::archive) fn grant_turns(&self, turns: Box<dyn Turns>) {
        let _ = self.turns.set(turns);
    }

    /// Waits until a conversion by `converter` may start. `None` stands for work that is no job on
    /// record.
    pub(in crate::archive) fn wait_for_turn(
        &self,
        job: Option<JobId>,
        converter: &str,
        goes_on: &dyn Fn() -> bool,
    ) -> Option<Turn> {
        let since = Instant::now();
        let gives_way = || job.is_some_and(|job| self.has_more_urgent(job));
        while since.elapsed() < GIVES_WAY_FOR && gives_way() {
            if !goes_on() {
                return None;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        match self.turns.get() {
            Some(turns) => turns.wait(converter, goes_on),
            None => goes_on().then(Turn::free),
        }
    }

    /// Returns true while a job runs that is more urgent than `job` and is not being stopped.
    fn has_more_urgent(&self, job: JobId) -> bool {
        let running = self.lock();
        let own = running.get(&job).map(|own| own.priority);
        let more_urgent = |other: &Running| other.stop.is_none() && Some(other.priority) < own;
        running.values().any(more_urgent)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One run of a job. The job counts as running until this is dropped.
pub struct JobRun {
    jobs: Arc<RunningJobs>,
    job: JobId,
}

impl JobRun {
    /// Returns the job.
    pub const fn job(&self) -> JobId {
        self.job
    }

    /// Returns what somebody asked for, if the job is to stop.
    pub fn stopping(&self) -> Option<JobStop> {
        self.jobs.lock().get(&self.job)?.stop
    }

    /// Notes how many entries are finished, and whether the last one was finished by an earlier run
    /// of this job.
    pub fn report(&self, done: u64, by: FinishedBy) {
        if let Some(running) = self.jobs.lock().get_mut(&self.job) {
            running.done = running.done.max(done);
            running.earlier += u64::from(by == FinishedBy::EarlierRun);
        }
    }
}

/// Which run of a job finished an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishedBy {
    /// This one.
    ThisRun,
    /// One that was interrupted.
    EarlierRun,
}

impl Drop for JobRun {
    fn drop(&mut self) {
        self.jobs.lock().remove(&self.job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clients must not run one job at once, and one that ended may run again.
    #[test]
    fn a_job__runs_once_at_a_time() {
        let jobs: Arc<RunningJobs> = Arc::default();
        let run = jobs
            .begin(JobId(7), 10, JobPriority::default())
            .expect("it does not run yet");
        assert!(jobs.begin(JobId(7), 10, JobPriority::default()).is_none());
        assert!(jobs.stop(JobId(7), JobStop::Cancelled));
        assert!(jobs.stop(JobId(7), JobStop::Paused));
        assert_eq!(run.stopping(), Some(JobStop::Cancelled));
        drop(run);
        assert!(!jobs.stop(JobId(7), JobStop::Paused));
        assert!(jobs.begin(JobId(7), 10, JobPriority::default()).is_some());
    }

    /// What an earlier run did took no time of this one, so it must not make the rest look quick.
    #[test]
    fn time_left__counts_what_this_run_did() {
        let jobs: Arc<RunningJobs> = Arc::default();
        let run = jobs
            .begin(JobId(7), 100, JobPriority::default())
            .expect("it does not run yet");
        assert_eq!(
            jobs.progress(JobId(7))
                .and_then(|so_far| so_far.time_left()),
            None
        );
        for done in 1..=90 {
            run.report(done, FinishedBy::EarlierRun);
        }
        run.report(95, FinishedBy::ThisRun);
        let so_far = jobs.progress(JobId(7)).expect("it runs");
        assert_eq!((so_far.done, so_far.done_in_this_run), (95, 5));
        let left = so_far.time_left().expect("something is finished");
        assert!(left <= so_far.running_for * 2, "{left:?}");
    }

    /// An urgent job waited behind a year of history that somebody had started before.
    #[test]
    fn a_more_urgent_job__goes_first_and_the_other_one_is_not_stopped() {
        let jobs: Arc<RunningJobs> = Arc::default();
        let urgent = JobPriority::new(1).expect("in range");
        let history = jobs.begin(JobId(7), 10, JobPriority::default());
        let corrected = jobs.begin(JobId(9), 10, urgent).expect("it runs");
        let waited = |job| {
            let since = Instant::now();
            assert!(jobs.wait_for_turn(Some(job), "T", &|| true).is_some());
            since.elapsed()
        };
        assert!(waited(JobId(9)) < GIVES_WAY_FOR / 2);
        assert!(waited(JobId(7)) >= GIVES_WAY_FOR);
        assert!(jobs.wait_for_turn(Some(JobId(7)), "T", &|| false).is_none());
        drop(corrected);
        assert!(waited(JobId(7)) < GIVES_WAY_FOR / 2);
        drop(history);
    }
}
