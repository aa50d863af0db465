//! Goes on with reprocess jobs that were cut off when the host before ended.

use crate::archive::{Archive, Job, JobState};
use crate::convert::{
    Cancel, OnCancel, OnError, Params, Reprocess, ReprocessResult, Resend, Selection, Which,
    reprocess,
};
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::pipeline::host::Host;
use crate::{Error, Result};

impl Host {
    /// Goes on with the jobs that have no end on record, one after the other, until cancelled.
    ///
    /// Whoever paused or interrupted a job wanted it stopped: such jobs have an end, and wait.
    pub(super) fn job_loop(&self, over: &Cancel, hooks: &Hooks) {
        for archive in self.archives.iter() {
            let jobs = match archive.jobs() {
                Ok(jobs) => jobs,
                Err(error) => {
                    self.tell_trouble(archive, &error, hooks);
                    continue;
                }
            };
            let was_cut_off =
                |job: &Job| job.state() == JobState::Interrupted && job.finished.is_none();
            for job in jobs.into_iter().filter(was_cut_off) {
                if over.is_cancelled() {
                    return;
                }
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
            which: Which::Current,
            params: Params::Current,
            on_error: OnError::Skip,
            jobs: 1,
            rate: None,
            compare_only: false,
            resend: Resend::None,
            endpoints: active.config.endpoints(),
            reason: None,
            resume: Some(job.id),
            retry_of: None,
            on_cancel: OnCancel::LeaveOpen,
            scratch: self.scratch.clone(),
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
