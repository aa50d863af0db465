//! Runs jobs and previews on threads of their own, in the process that has the store open.
//!
//! In a running host the conversions take turns with files on their way, and a job that the end of
//! the host cut off goes on with the next one. Without a host such a job is recorded as
//! interrupted, and somebody resumes it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::plans::{FrozenPlan, Plans};
use super::preview::Preview;
use super::request::{Speed, configured_converters, options_of};
use super::selection::{named, refuse_unknown};
use crate::convert::{Cancel, OnCancel, Ramp, Reprocess, Selection, begin};
use crate::id::JobId;
use crate::service::desk::Desk;
use crate::service::jobs::failed_entries;
use crate::{Error, ErrorKind, Result};

/// The most jobs that run at a time.
const JOBS_MAX: usize = 4;
/// The most previews that run at a time.
const PREVIEWS_MAX: usize = 2;
/// The most previews whose result is kept.
const PREVIEWS_KEPT: usize = 8;

/// Runs jobs and previews until it is stopped.
#[derive(Debug, Default)]
pub struct JobRunner {
    /// The plans that can be started.
    pub plans: Plans,
    over: Cancel,
    jobs: Mutex<Vec<JoinHandle<()>>>,
    previews: Mutex<Previews>,
    next_preview: AtomicU64,
}

#[derive(Debug, Default)]
struct Previews {
    threads: Vec<JoinHandle<()>>,
    kept: BTreeMap<u64, Arc<Preview>>,
}

impl JobRunner {
    /// Starts a plan, for the stated reason or that of the plan. Started again, it answers with the
    /// job that it became.
    ///
    /// # Errors
    /// `Refused` when the plan is stale or expired, or too many jobs run; `Invalid` when nothing
    /// of it can run, or when it is to record nothing.
    pub fn start(&self, desk: &Desk, plan: &FrozenPlan, reason: Option<String>) -> Result<JobId> {
        // Whoever asks at the same moment waits, and gets the same job.
        let mut started = plan.started();
        if let Some(job) = *started {
            return Ok(job);
        }
        if plan.request.compare_only {
            let told = "this plan records nothing, so it is no job";
            return Err(Error::new(ErrorKind::Invalid, told).hint("run it as a preview"));
        }
        let mut options = plan.request.options(desk.config())?;
        if reason.as_ref().is_some_and(|why| !why.trim().is_empty()) {
            options.reason = reason;
        }
        plan.refuse_stale(desk, &options)?;
        if plan.runnable() == 0 {
            let told = "none of the selected entries can be converted";
            return Err(Error::new(ErrorKind::Refused, told)
                .hint("the plan says for each of them what it lacks"));
        }
        let job = self.run(desk, plan.selection(), options)?;
        *started = Some(job);
        Ok(job)
    }

    /// Goes on with a job that was paused or cut off.
    ///
    /// # Errors
    /// As [`Archive::resume_job`](crate::archive::Archive::resume_job), and when too many run.
    pub fn resume(&self, desk: &Desk, id: JobId, speed: &Speed) -> Result<()> {
        let job = desk.archive.existing_job(id)?;
        let mut options = options_of(&job.started, speed, desk.config())?;
        options.resume = Some(id);
        let selection = Selection::of(job.started.selection, desk.archive.job_entries(id)?);
        self.run(desk, selection, options).map(|_| ())
    }

    /// Starts a new job over what did not succeed in an old one, as that one was started.
    ///
    /// # Errors
    /// `NotFound` when everything succeeded.
    pub fn retry_failed(
        &self,
        desk: &Desk,
        old: JobId,
        reason: Option<String>,
        speed: &Speed,
    ) -> Result<JobId> {
        let mut started = desk.archive.existing_job(old)?.started;
        let failed = failed_entries(&desk.archive, old)?;
        started.reason = reason.or(started.reason);
        let mut options = options_of(&started, speed, desk.config())?;
        options.retry_of = Some(old);
        self.run(desk, named(failed)?, options)
    }

    /// Runs a job on a thread of its own. It is on record when this returns.
    fn run(&self, desk: &Desk, selection: Selection, mut options: Reprocess) -> Result<JobId> {
        refuse_unknown(&options.which, &desk.archive, desk.config())?;
        let mut threads = lock(&self.jobs);
        threads.retain(|thread| !thread.is_finished());
        if threads.len() >= JOBS_MAX {
            let told = format!("{JOBS_MAX} jobs run already");
            return Err(Error::new(ErrorKind::Refused, told)
                .hint("wait for one of them, or pause one that is less urgent"));
        }
        self.refuse_when_over()?;
        if desk.host.is_some() {
            options.on_cancel = OnCancel::LeaveOpen;
        }
        let begun = begin(&desk.archive, &selection, &options)?;
        let job = begun.job().ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                "a job that records nothing has no number",
            )
        })?;
        let (archive, over) = (desk.archive.clone(), self.over.clone());
        let converters = configured_converters(desk.config());
        let work = move || {
            let ramp = Ramp {
                pauses: &[],
                go_on: &mut |_| true,
            };
            // What comes of it is on record; an error of its end shows as interrupted.
            let _ = begun.run(
                &archive,
                &selection,
                &converters,
                &options,
                &over,
                &|_| {},
                ramp,
            );
        };
        threads.push(spawn("annals-job", work)?);
        Ok(job)
    }

    /// Runs a plan without recording anything, over at most `most` entries or over all.
    ///
    /// # Errors
    /// `Refused` when too many previews run.
    pub fn preview(
        &self,
        desk: &Desk,
        plan: &Arc<FrozenPlan>,
        most: Option<usize>,
    ) -> Result<Arc<Preview>> {
        let mut previews = lock(&self.previews);
        previews.threads.retain(|thread| !thread.is_finished());
        if previews.threads.len() >= PREVIEWS_MAX {
            let told = format!("{PREVIEWS_MAX} previews run already");
            return Err(Error::new(ErrorKind::Refused, told)
                .hint("wait a moment; one that nobody looks at ends by itself"));
        }
        self.refuse_when_over()?;
        let id = self.next_preview.fetch_add(1, Ordering::Relaxed) + 1;
        let (preview, selection) = Preview::new(id, Arc::clone(plan), most, desk)?;
        let preview = Arc::new(preview);
        let (running, desk) = (Arc::clone(&preview), desk.clone());
        let work = move || running.run(&desk, &selection);
        previews.threads.push(spawn("annals-preview", work)?);
        while previews.kept.len() >= PREVIEWS_KEPT {
            let over = previews.kept.iter().find(|(_, kept)| kept.is_over());
            let Some(oldest) = over.map(|(id, _)| *id) else {
                break;
            };
            previews.kept.remove(&oldest);
        }
        previews.kept.insert(id, Arc::clone(&preview));
        Ok(preview)
    }

    /// Returns a preview.
    ///
    /// # Errors
    /// `NotFound` for one that is not kept any more.
    pub fn kept_preview(&self, id: u64) -> Result<Arc<Preview>> {
        let kept = lock(&self.previews).kept.get(&id).map(Arc::clone);
        kept.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no preview {id}"))
                .hint("the last few are kept, and not across a restart: run it again")
        })
    }

    /// Stops everything that runs, and waits for it.
    pub fn stop(&self) {
        self.over.cancel();
        let previews = std::mem::take(&mut lock(&self.previews).threads);
        for preview in lock(&self.previews).kept.values() {
            preview.cancel();
        }
        let jobs = std::mem::take(&mut *lock(&self.jobs));
        for thread in jobs.into_iter().chain(previews) {
            // A panic in one job was told by its thread, and concerns no other.
            let _ = thread.join();
        }
    }

    fn refuse_when_over(&self) -> Result<()> {
        if self.over.is_cancelled() {
            let told = "the program is ending";
            return Err(Error::new(ErrorKind::Refused, told).hint("ask again when it is back"));
        }
        Ok(())
    }
}

impl Drop for JobRunner {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    let failed = |error| Error::io("start", "a thread", error);
    thread.spawn(work).map_err(failed)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
