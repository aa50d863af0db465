//! Goes on with reprocess jobs that were cut off when the host before ended.

use std::sync::Mutex;

use crate::archive::{Archive, Job, JobState};
use crate::convert::{Cancel, OnCancel, Reprocess, ReprocessResult, Selection, reprocess};
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::panics::lock;
use crate::host::pipeline::host::Host;
use crate::{Error, Result};

/// Returns true for a job that nobody wanted stopped: it has no end on record.
fn was_cut_off(job: &Job) -> bool {
    job.state() == JobState::Interrupted && job.finished.is_none()
}

/// Maximum number of jobs that go on at a time. They share the turns that files leave them.
const JOBS_MAX: usize = 4;

impl Host {
    /// Goes on with the jobs that have no end on record, the most urgent first, until cancelled.
    ///
    /// Whoever paused or interrupted a job wanted it stopped: such jobs have an end, and wait.
    pub(super) fn job_loop(&self, over: &Cancel, hooks: &Hooks) {
        let mut cut_off = Vec::new();
        for archive in self.archives.iter() {
            match archive.jobs() {
                Ok(jobs) => cut_off.extend(
                    jobs.into_iter()
                        .filter(was_cut_off)
                        .map(|job| (archive, job)),
                ),
                Err(error) => self.tell_trouble(archive, &error, hooks),
            }
        }
        cut_off.sort_by_key(|(_, job)| (job.started.priority, job.id));
        let threads = cut_off.len().min(JOBS_MAX);
        let left = Mutex::new(cut_off.into_iter());
        let next = || lock(&left).next().filter(|_| !over.is_cancelled());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((archive, job)) = next() {
                        self.go_on_and_tell(archive, job, over, hooks);
                    }
                });
            }
        });
    }

    fn go_on_and_tell(&self, archive: &Archive, job: Job, over: &Cancel, hooks: &Hooks) {
        let id = job.id;
        match self.go_on_with(archive, job, over, hooks) {
            Ok(result) => (hooks.notice)(&Notice::JobEnded {
                job: id,
                result: &result,
            }),
            Err(error) => {
                let error = Error::new(error.kind(), format!("job {id}: {error}"));
                self.tell_trouble(archive, &error, hooks);
            }
        }
    }

    fn go_on_with(
        &self,
        archive: &Archive,
        job: Job,
        over: &Cancel,
        hooks: &Hooks,
    ) -> Result<ReprocessResult> {
        let active = self.active();
        let options = Reprocess {
            jobs: active.config.max_concurrent,
            endpoints: active.config.endpoints(),
            resume: Some(job.id),
            priority: job.started.priority,
            on_cancel: OnCancel::LeaveOpen,
            scratch: self.scratch.clone(),
            ..Reprocess::default()
        };
        let options = options.as_recorded(&job.started)?;
        let selection = Selection::of(job.started.selection, archive.job_entries(job.id)?);
        let converters = active.config.converters.iter();
        let converters: Vec<_> = converters.map(|config| config.converter.clone()).collect();
        (hooks.notice)(&Notice::JobResumed {
            job: job.id,
            entries: job.started.total,
        });
        reprocess(archive, &selection, &converters, &options, over, &|_| {})
    }

    fn tell_trouble(&self, archive: &Archive, error: &Error, hooks: &Hooks) {
        self.counters.trouble(archive.dir(), error);
        (hooks.notice)(&Notice::Trouble {
            path: archive.dir(),
            error,
        });
    }
}
