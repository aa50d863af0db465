//! Runs converters over a selection as one recorded job.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::blocked::Blocked;
use super::by_serial::SerialOrder;
use super::in_order::InOrder;
use super::options::{OnCancel, OnError, Reprocess};
use super::pace::Pace;
use super::result::ReprocessResult;
use super::runners::Runners;
use super::select::Selection;
use super::step::{Step, StepOutcome};
use super::untried::Untried;
use super::work::{Converted, Stepped, Tried, Work};
use crate::Result;
use crate::archive::{Archive, FinishedBy, JobRun};
use crate::convert::converter::Converter;
use crate::convert::process::Cancel;
use crate::convert::running::milliseconds;
use crate::entry::Outcome;
use crate::id::{EntryId, JobId};

/// Number of threads that compare and record conversions. They mostly wait for a shared flush.
const RECORDING: usize = 16;
/// Maximum bytes of the reports of a conversion that waits to be recorded.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// A conversion that waits to be compared and recorded, with its number.
type Finished = (u64, Box<Converted>);
/// The results of entries, in the order in which their conversions ended.
type Results = InOrder<(EntryId, Stepped)>;

/// Results collected while a job runs.
struct Gathered {
    result: ReprocessResult,
    untried: Untried,
}

/// Points at which a job pauses to ask whether to continue.
pub struct Ramp<'a> {
    /// Numbers of finished entries to pause after, in ascending order.
    pub pauses: &'a [usize],
    /// Called at each pause with the results so far; false stops the job.
    pub go_on: &'a mut dyn FnMut(&ReprocessResult) -> bool,
}

/// Runs converters over `selection` as one recorded job.
///
/// `on_step` is called from several threads, after each entry. An attempt is durable before its
/// step is reported. When cancelled, running converters are killed and their entries not counted;
/// the job is recorded as interrupted. A job can be resumed from [`Archive::job_entries`] with
/// [`Reprocess::resume`]; entries that it had tried keep their results.
///
/// # Errors
/// `Invalid` for options that exclude each other or are out of range; and when the job's beginning
/// or end cannot be recorded. Errors of single entries are in the result.
pub fn reprocess(
    archive: &Archive,
    selection: &Selection,
    converters: &[Converter],
    options: &Reprocess,
    cancel: &Cancel,
    on_step: &(dyn Fn(&Step) + Sync),
) -> Result<ReprocessResult> {
    let ramp = Ramp {
        pauses: &[],
        go_on: &mut |_| true,
    };
    reprocess_by_ramp(
        archive, selection, converters, options, cancel, on_step, ramp,
    )
}

/// Runs converters like [`reprocess`], and asks at each pause of `ramp` whether to continue.
///
/// A job that is stopped there is recorded as interrupted.
///
/// # Errors
/// As [`reprocess`].
pub fn reprocess_by_ramp(
    archive: &Archive,
    selection: &Selection,
    converters: &[Converter],
    options: &Reprocess,
    cancel: &Cancel,
    on_step: &(dyn Fn(&Step) + Sync),
    ramp: Ramp<'_>,
) -> Result<ReprocessResult> {
    begin(archive, selection, options)?.run(
        archive, selection, converters, options, cancel, on_step, ramp,
    )
}

/// A job that has begun: from here on it is on record and counts as running, until this is dropped.
#[must_use = "a job that has begun runs no converter before `run` is called"]
pub struct Begun {
    run: Option<JobRun>,
    pace: Pace,
    started: Instant,
}

/// Records that a job begins, or goes on, so that its number is known before its first entry is
/// converted.
///
/// # Errors
/// As [`reprocess`], except for what happens while it runs.
pub fn begin(archive: &Archive, selection: &Selection, options: &Reprocess) -> Result<Begun> {
    let started = Instant::now();
    let pace = Pace::new(options.rate)?;
    let run = start(archive, selection, options)?;
    Ok(Begun { run, pace, started })
}

impl Begun {
    /// Returns the job; `None` for one that records nothing.
    pub fn job(&self) -> Option<JobId> {
        self.run.as_ref().map(JobRun::job)
    }

    /// Runs the job to its end, with what it was begun with.
    ///
    /// # Errors
    /// As [`reprocess`].
    #[expect(clippy::too_many_arguments, reason = "those of `reprocess_by_ramp`")]
    pub fn run(
        self,
        archive: &Archive,
        selection: &Selection,
        converters: &[Converter],
        options: &Reprocess,
        cancel: &Cancel,
        on_step: &(dyn Fn(&Step) + Sync),
        ramp: Ramp<'_>,
    ) -> Result<ReprocessResult> {
        let Self { run, pace, started } = self;
        let number = run.as_ref().map(JobRun::job);
        let total = selection.ids.len() as u64;
        let job = Job {
            ids: &selection.ids,
            work: Work {
                archive,
                converters,
                options,
                run: run.as_ref(),
                cancel,
                runners: Runners::default(),
                blocked: Blocked::default(),
            },
            pace,
            gathered: Mutex::new(Gathered {
                result: ReprocessResult {
                    job: number,
                    total,
                    ..ReprocessResult::default()
                },
                untried: Untried::default(),
            }),
            next: AtomicUsize::new(0),
            by_serial: SerialOrder::of(&selection.ids),
            stop: AtomicBool::new(false),
            on_step,
        };
        job.run(ramp, started);
        let Gathered {
            mut result,
            untried,
        } = job
            .gathered
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        result.interrupted = result.processed + result.skipped < result.total;
        result.stopped = run.as_ref().and_then(JobRun::stopping);
        result.duration_ms = milliseconds(started.elapsed());
        // The attempts are on record, whatever becomes of the job's end.
        let stays_open = cancel.is_cancelled() && options.on_cancel == OnCancel::LeaveOpen;
        if let Some(number) = number.filter(|_| !stays_open)
            && let Err(error) = archive.finish_job(result.finished(number, &untried))
        {
            result.end_error = Some(error.message().to_owned());
        }
        Ok(result)
    }
}

/// Records that a job begins or goes on. Returns `None` for a job that records nothing.
fn start(archive: &Archive, selection: &Selection, options: &Reprocess) -> Result<Option<JobRun>> {
    if options.compare_only {
        return Ok(None);
    }
    if let Some(job) = options.resume {
        return archive.resume_job(job, options.priority).map(Some);
    }
    let started = options.as_started(&selection.description, selection.ids.len() as u64);
    archive.start_job(started, &selection.ids).map(Some)
}

/// A job while it runs.
struct Job<'a> {
    ids: &'a [EntryId],
    work: Work<'a>,
    pace: Pace,
    gathered: Mutex<Gathered>,
    /// The position in `ids` that is taken next.
    next: AtomicUsize,
    /// Hands the entries out instead where a converter asks for an order.
    by_serial: SerialOrder<'a>,
    /// True once an entry failed and no others are to be taken.
    stop: AtomicBool,
    on_step: &'a (dyn Fn(&Step) + Sync),
}

impl Job<'_> {
    /// Processes all entries, pausing as `ramp` says, and then those whose converter could not run
    /// before.
    fn run(&self, ramp: Ramp<'_>, started: Instant) {
        let all = self.ids.len();
        let pauses = ramp.pauses.iter().copied().filter(|&pause| pause < all);
        for until in pauses.chain([all]) {
            self.run_until(until);
            if until == all || !self.goes_on() {
                break;
            }
            let mut so_far = self.gathered().result.clone();
            so_far.duration_ms = milliseconds(started.elapsed());
            if !(ramp.go_on)(&so_far) {
                break;
            }
        }
        if self.goes_on() {
            let mut last = self.work.blocked.last_round();
            last.extend(self.by_serial.behind());
            last.sort_unstable();
            for id in last {
                if !self.step(id) {
                    break;
                }
            }
        }
    }

    /// Processes the entries up to a position, as many at a time as the options say.
    ///
    /// A converter works on the next entry while conversions are compared and recorded. The threads
    /// that record them share flushes.
    fn run_until(&self, until: usize) {
        let (hand_on, to_finish) = bounded(RECORDING);
        let order = InOrder::default();
        std::thread::scope(|recording| {
            for _ in 0..RECORDING {
                recording.spawn(|| self.finish_all(&order, &to_finish));
            }
            std::thread::scope(|converting| {
                for _ in 1..self.work.options.jobs.clamp(1, until.max(1)) {
                    converting.spawn(|| self.convert_until(until, &order, &hand_on));
                }
                self.convert_until(until, &order, &hand_on);
            });
            // The recording threads end once all is recorded.
            drop(hand_on);
        });
    }

    /// Converts the entries up to a position, together with other threads.
    fn convert_until(&self, until: usize, order: &Results, hand_on: &Sender<Finished>) {
        while self.goes_on() {
            let Some(id) = self.take(until) else {
                return;
            };
            if !self.pace.wait(self.work.cancel) {
                return self.by_serial.over(id);
            }
            match self.work.convert(id) {
                None => return self.by_serial.over(id),
                Some(Tried::Stepped(stepped)) => self.come(order, order.number(), id, stepped),
                Some(Tried::Converted(converted)) => {
                    let number = order.number();
                    if self.may_wait(&converted) {
                        // Cannot fail: the receiving end outlives this thread.
                        let _ = hand_on.send((number, converted));
                    } else {
                        self.come(order, number, id, self.work.finish(*converted));
                    }
                }
            }
        }
    }

    /// Takes the next entry before a position. Returns `None` when there is none, or when the job
    /// is to stop.
    fn take(&self, until: usize) -> Option<EntryId> {
        if self.work.is_ordered() {
            let waits_for = |id| self.work.waits_for(id);
            return self.by_serial.take(until, waits_for, || self.goes_on());
        }
        let place = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |place| {
                (place < until).then_some(place + 1)
            });
        place.ok().and_then(|place| self.ids.get(place)).copied()
    }

    /// Compares and records conversions until no more can come.
    fn finish_all(&self, order: &Results, to_finish: &Receiver<Finished>) {
        for (number, converted) in to_finish {
            let id = converted.entry();
            self.come(order, number, id, self.work.finish(*converted));
        }
    }

    /// Returns true if the next entry may be converted before this conversion is recorded.
    ///
    /// When a job is to stop at a failure, whatever fails, no entry beyond it is converted. Large
    /// reports are not kept in memory.
    fn may_wait(&self, converted: &Converted) -> bool {
        self.work.options.on_error == OnError::Skip && converted.report_bytes() <= WAITING_BYTES_MAX
    }

    /// Tells a result once those of all conversions before it are told.
    fn come(&self, order: &Results, number: u64, id: EntryId, stepped: Stepped) {
        match stepped {
            Stepped::PutOff => self.by_serial.put_off(id),
            Stepped::Over(_) => self.by_serial.over(id),
        }
        order.come(number, (id, stepped), |(id, stepped)| match stepped {
            Stepped::Over(outcome) => self.tell(id, *outcome),
            Stepped::PutOff => {}
        });
    }

    fn goes_on(&self) -> bool {
        self.work.goes_on() && !self.stop.load(Ordering::Relaxed)
    }

    /// Processes one entry and reports its result. Returns false when cancelled.
    fn step(&self, id: EntryId) -> bool {
        match self.work.step(id) {
            Some(Stepped::Over(outcome)) => self.tell(id, *outcome),
            Some(Stepped::PutOff) => {}
            None => return false,
        }
        true
    }

    fn tell(&self, id: EntryId, outcome: StepOutcome) {
        let failed = match &outcome {
            StepOutcome::Ran { result, .. } => result.outcome != Outcome::Success,
            StepOutcome::Error { .. } | StepOutcome::NotTried { .. } => true,
            StepOutcome::Skipped { .. } | StepOutcome::Earlier(_) => false,
        };
        if failed && self.work.options.on_error == OnError::Stop {
            self.stop.store(true, Ordering::Relaxed);
        }
        let mut gathered = self.gathered();
        let mut step = Step {
            entry: id,
            done: 0,
            total: gathered.result.total,
            outcome,
        };
        gathered.result.count(&step);
        gathered.untried.note(&step);
        let result = &gathered.result;
        step.done = result.processed + result.skipped + result.not_tried;
        if let Some(run) = self.work.run {
            let by = match step.outcome {
                StepOutcome::Earlier(_) => FinishedBy::EarlierRun,
                _ => FinishedBy::ThisRun,
            };
            run.report(step.done, by);
        }
        // `on_step` may take long, so the lock is released before it is called.
        drop(gathered);
        (self.on_step)(&step);
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
