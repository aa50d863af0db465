//! Runs converters over a selection as one recorded job.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::blocked::Blocked;
use super::options::{OnError, Params, Reprocess};
use super::pace::Pace;
use super::result::ReprocessResult;
use super::runners::Runners;
use super::select::Selection;
use super::step::{Step, StepOutcome};
use super::untried::Untried;
use super::work::{Stepped, Work};
use crate::Result;
use crate::archive::Archive;
use crate::convert::converter::Converter;
use crate::convert::process::Cancel;
use crate::convert::running::milliseconds;
use crate::entry::Outcome;
use crate::event::JobStarted;
use crate::id::EntryId;

/// What is gathered while a job runs.
struct Gathered {
    result: ReprocessResult,
    untried: Untried,
}

/// Where a job stops to ask whether it shall go on.
pub struct Ramp<'a> {
    /// After so many entries in all, in ascending order.
    pub pauses: &'a [usize],
    /// Asked with what came of the entries so far.
    pub go_on: &'a mut dyn FnMut(&ReprocessResult) -> bool,
}

/// Runs converters over `selection` as one recorded job. `on_step` is called from several threads, after each entry.
///
/// Every attempt is durable before its step is told. When cancelled, running converters are killed and their entries
/// not counted; the job is recorded as interrupted and can be resumed.
///
/// # Errors
/// `Invalid` for impossible options; and when the job's beginning or end cannot be recorded. What goes wrong with an
/// entry is in the result.
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

/// The same, stopping on the way to ask whether it shall go on. A job that shall not is recorded as interrupted.
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
    let started = Instant::now();
    let total = selection.ids.len() as u64;
    let pace = Pace::new(options.rate)?;
    let job = match options.resume {
        _ if options.compare_only => None,
        Some(job) => Some(job),
        None => Some(
            archive.start_job(JobStarted {
                kind: "reprocess".to_owned(),
                selection: selection.description.clone(),
                converter_version: options.which.words().to_owned(),
                params: match options.params {
                    Params::Recorded => "recorded",
                    Params::Current => "current",
                }
                .to_owned(),
                total,
                reason: options.reason.clone(),
            })?,
        ),
    };
    let work = Work {
        archive,
        converters,
        options,
        job,
        cancel,
        runners: Runners::default(),
        blocked: Blocked::default(),
    };
    let gathered = Mutex::new(Gathered {
        result: ReprocessResult {
            job,
            total,
            ..ReprocessResult::default()
        },
        untried: Untried::default(),
    });
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let go_on = || !stop.load(Ordering::Relaxed) && !cancel.is_cancelled();
    let tell = &|id: EntryId, outcome: StepOutcome| {
        let failed = match &outcome {
            StepOutcome::Ran { outcome, .. } => *outcome != Outcome::Success,
            StepOutcome::Error { .. } | StepOutcome::NotTried { .. } => true,
            StepOutcome::Skipped { .. } | StepOutcome::Earlier { .. } => false,
        };
        if failed && options.on_error == OnError::Stop {
            stop.store(true, Ordering::Relaxed);
        }
        let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut step = Step {
            entry: id,
            done: 0,
            total,
            outcome,
        };
        gathered.result.count(&step);
        gathered.untried.note(&step);
        let result = &gathered.result;
        step.done = result.processed + result.skipped + result.not_tried;
        drop(gathered);
        on_step(&step);
    };
    let take = &|until: usize| {
        while go_on() {
            let place = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |place| {
                (place < until).then_some(place + 1)
            });
            let Some(&id) = place.ok().and_then(|place| selection.ids.get(place)) else {
                return;
            };
            if !pace.wait(cancel) {
                return;
            }
            match work.step(id) {
                Some(Stepped::Over(outcome)) => tell(id, outcome),
                Some(Stepped::PutOff) => {}
                None => return,
            }
        }
    };
    let all = selection.ids.len();
    let pauses = ramp.pauses.iter().copied().filter(|&pause| pause < all);
    for until in pauses.chain([all]) {
        std::thread::scope(|scope| {
            for _ in 1..options.jobs.clamp(1, until.max(1)) {
                scope.spawn(move || take(until));
            }
            take(until);
        });
        if until == all || !go_on() {
            break;
        }
        let mut so_far = gathered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .result
            .clone();
        so_far.duration_ms = milliseconds(started.elapsed());
        if !(ramp.go_on)(&so_far) {
            break;
        }
    }
    if go_on() {
        for id in work.blocked.last_round() {
            match work.step(id) {
                Some(Stepped::Over(outcome)) => tell(id, outcome),
                Some(Stepped::PutOff) => {}
                None => break,
            }
        }
    }
    let Gathered {
        mut result,
        untried,
    } = gathered
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    result.interrupted = result.processed + result.skipped < total;
    result.duration_ms = milliseconds(started.elapsed());
    if let Some(job) = job {
        archive.finish_job(result.finished(job, &untried))?;
    }
    Ok(result)
}
