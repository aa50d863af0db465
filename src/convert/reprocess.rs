//! Running converters again over a selection, and telling what that changed.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::attempt::{self, Terms, milliseconds};
use super::blocked::{Blocked, Instead};
use super::compare::{Change, Difference, Verdict, compare_reports, compare_units};
use super::definition::{Arguments, Bounds, Converter};
use super::environment;
use super::identity::Identity;
use super::json::Json;
use super::process::{Cancel, STDOUT_BYTES_MAX};
use super::protocol::Conversion;
use super::runner::Runner;
use super::untried::Untried;
use crate::archive::Archive;
use crate::entry::{Attempt, Entry, Outcome};
use crate::event::{ConverterRegistered, JobFinished, JobStarted};
use crate::id::{AttemptNo, ConverterId, EntryId, JobId};
use crate::query::{Cursor, Filter, Query};
use crate::{Error, ErrorKind, Result};

/// Errors listed in a result; further ones are only counted.
const ERRORS_MAX: usize = 1000;
/// Converters kept ready at a time. A selection that spans more identities than this starts some of them again.
const RUNNERS_MAX: usize = 8;
/// Entries asked for at a time while selecting.
const SELECT_PAGE: usize = 5000;

/// The entries to run over, fixed at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection {
    /// How it was asked for; recorded with the job.
    pub description: String,
    /// The entries, in the order they are taken.
    pub ids: Vec<EntryId>,
}

/// The entries `filter` selects in one snapshot, oldest first.
pub fn select(archive: &Archive, filter: &Filter) -> Result<Selection> {
    let snapshot = archive.snapshot()?;
    let mut ids = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let page = snapshot.query(&Query {
            filter: filter.clone(),
            limit: Some(SELECT_PAGE),
            after: after.take(),
            ..Query::default()
        })?;
        ids.extend(page.entries.iter().map(|entry| entry.id));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let description = serde_json::to_string(filter).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the filter cannot be written down").caused_by(error)
    })?;
    Ok(Selection { description, ids })
}

/// Which converter runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// The one of the entry's last attempt, from the files recorded then.
    Recorded,
    /// The one configured now under the name the entry was archived for.
    Current,
    /// The one configured under this name; else the recorded one of the entry's converter that claims this version or
    /// whose identity begins so.
    Named(String),
}

impl Which {
    fn words(&self) -> &str {
        match self {
            Self::Recorded => "recorded",
            Self::Current => "current",
            Self::Named(name) => name,
        }
    }
}

/// Which arguments it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Params {
    /// Those of the entry's last attempt, or of its archiving. Secrets are taken from the configuration.
    Recorded,
    /// Those configured now.
    Current,
}

/// What a failed attempt means for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// Go on.
    Skip,
    /// Take no further entries.
    Stop,
}

/// Which new reports are to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resend {
    /// None.
    None,
    /// Those that differ from the report before, or have none before them.
    Changed,
    /// All.
    All,
}

/// How to reprocess.
#[derive(Debug, Clone)]
pub struct Reprocess {
    /// Which converter runs.
    pub which: Which,
    /// Which arguments it is given.
    pub params: Params,
    /// What a failed attempt means for the rest.
    pub on_error: OnError,
    /// Conversions at a time; at least one.
    pub jobs: usize,
    /// Conversions a second at the most.
    pub rate: Option<f64>,
    /// Run and compare, but record nothing: no attempt, no job.
    pub compare_only: bool,
    /// Which new reports are put into the queue of those to be sent.
    pub resend: Resend,
    /// Where the reports of each converter go, without secrets. Those of others are not sent.
    pub endpoints: BTreeMap<String, String>,
    /// Why, in a person's words.
    pub reason: Option<String>,
    /// Go on with this interrupted job: entries it has already tried count as they ended.
    pub resume: Option<JobId>,
    /// Where temporary folders are made.
    pub scratch: PathBuf,
}

/// What became of one entry; told while the job runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The entry.
    pub entry: EntryId,
    /// Entries done so far, this one included.
    pub done: u64,
    /// Entries selected.
    pub total: u64,
    /// What became of it.
    pub outcome: StepOutcome,
}

/// See [`Step::outcome`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StepOutcome {
    /// The converter ran.
    Ran {
        /// The recorded attempt; `None` when only compared.
        attempt: Option<AttemptNo>,
        /// How it ended.
        outcome: Outcome,
        /// Why it did not succeed.
        error: Option<String>,
        /// Against the attempt before; `None` when there was none.
        verdict: Option<Verdict>,
        /// How the reports differ from those of the attempt before.
        difference: Difference,
        /// Reports that were put into the queue of those to be sent.
        queued: u64,
    },
    /// It was passed over.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The converter could not be run, or its result not recorded.
    Error {
        /// Why.
        reason: String,
    },
    /// Its converter cannot run at all, so it was not tried.
    NotTried {
        /// Why.
        reason: String,
    },
    /// The job had tried it before it was interrupted.
    Earlier {
        /// How that ended.
        outcome: Outcome,
    },
}

/// The whole job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct ReprocessResult {
    /// The job; `None` when only compared.
    pub job: Option<JobId>,
    /// Entries selected.
    pub total: u64,
    /// Entries tried.
    pub processed: u64,
    /// Of those, the ones that succeeded.
    pub successful: u64,
    /// Of those, the ones that did not.
    pub failed: u64,
    /// Entries passed over.
    pub skipped: u64,
    /// Entries not tried, because their converter cannot run.
    pub not_tried: u64,
    /// Why converters cannot run, each reason once.
    pub blocked: Vec<String>,
    /// Same as the attempt before.
    pub unchanged: u64,
    /// Different from the attempt before.
    pub changed: u64,
    /// Succeeded now, and not before.
    pub fixed: u64,
    /// Succeeded before, and not now.
    pub broken: u64,
    /// Had no attempt before, so there was nothing to compare with.
    pub first: u64,
    /// Reports put into the queue of those to be sent; the host sends them.
    pub submitted: u64,
    /// How long it all took.
    pub duration_ms: u64,
    /// The first thousand entries that failed or were passed over, and why.
    pub errors: Vec<EntryError>,
    /// Stopped before its end, by a cancellation or an error.
    pub interrupted: bool,
    /// Why the end of the job is not on record, where it is not. The attempts counted here are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_error: Option<String>,
}

/// Why one entry failed or was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EntryError {
    /// The entry.
    pub id: EntryId,
    /// Why.
    pub error: String,
}

impl ReprocessResult {
    fn count(&mut self, step: &Step) {
        let error = match &step.outcome {
            StepOutcome::Ran {
                outcome,
                error,
                verdict,
                queued,
                ..
            } => {
                self.count_outcome(*outcome);
                self.submitted += queued;
                match verdict {
                    Some(Verdict::Unchanged) => self.unchanged += 1,
                    Some(Verdict::Changed) => self.changed += 1,
                    Some(Verdict::Fixed) => self.fixed += 1,
                    Some(Verdict::Broken) => self.broken += 1,
                    None => self.first += 1,
                }
                match outcome {
                    Outcome::Success => None,
                    outcome => Some(error.clone().unwrap_or_else(|| outcome.to_string())),
                }
            }
            StepOutcome::Error { reason } => {
                self.count_outcome(Outcome::Failed);
                Some(reason.clone())
            }
            StepOutcome::Skipped { reason } => {
                self.skipped += 1;
                Some(reason.clone())
            }
            StepOutcome::NotTried { reason } => {
                self.not_tried += 1;
                if !self.blocked.contains(reason) && self.blocked.len() < ERRORS_MAX {
                    self.blocked.push(reason.clone());
                }
                None
            }
            StepOutcome::Earlier { outcome } => {
                self.count_outcome(*outcome);
                None
            }
        };
        if let Some(error) = error
            && self.errors.len() < ERRORS_MAX
        {
            self.errors.push(EntryError {
                id: step.entry,
                error,
            });
        }
    }

    fn count_outcome(&mut self, outcome: Outcome) {
        self.processed += 1;
        if outcome == Outcome::Success {
            self.successful += 1;
        } else {
            self.failed += 1;
        }
    }

    fn finished(&self, job: JobId, untried: &Untried) -> JobFinished {
        let (errors, more_errors) = untried.for_event();
        JobFinished {
            job,
            processed: self.processed,
            successful: self.successful,
            failed: self.failed,
            skipped: self.skipped,
            unchanged: self.unchanged,
            changed: self.changed,
            fixed: self.fixed,
            broken: self.broken,
            interrupted: self.interrupted,
            errors,
            more_errors,
        }
    }
}

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
    // The attempts are on record, whatever becomes of the job's end.
    if let Some(job) = job
        && let Err(error) = archive.finish_job(result.finished(job, &untried))
    {
        result.end_error = Some(error.message().to_owned());
    }
    Ok(result)
}

/// What a job over a selection would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
#[must_use = "a plan converts nothing"]
pub struct ReprocessPlan {
    /// Entries selected.
    pub total: u64,
    /// What would run, over how many of them.
    pub runs: Vec<PlannedRun>,
    /// Why others would be passed over, and how many.
    pub skipped: Vec<PlannedSkip>,
    /// Why converters cannot be started on this machine, and how many of the entries they would run
    /// over.
    pub blocked: Vec<PlannedSkip>,
}

/// One converter over the entries that another one, or none, converted last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedRun {
    /// What converted them last; `None` when nothing did.
    pub before: Option<ConverterLabel>,
    /// What would run.
    pub now: ConverterLabel,
    /// Over how many entries.
    pub entries: u64,
}

/// A converter as it is told to people, and what it really is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct ConverterLabel {
    /// Its name.
    pub converter: String,
    /// The version it claims.
    pub version: Option<String>,
    /// Its identity; `None` when it was not recorded.
    pub converter_id: Option<ConverterId>,
}

/// Entries that would be passed over for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedSkip {
    /// Why.
    pub reason: String,
    /// How many.
    pub entries: u64,
}

/// Decides what [`reprocess`] would run over `selection`, and runs nothing.
///
/// # Errors
/// When the archive cannot be read, or a configured converter's files cannot.
pub fn plan(
    archive: &Archive,
    selection: &Selection,
    converters: &[Converter],
    options: &Reprocess,
) -> Result<ReprocessPlan> {
    let work = Work {
        archive,
        converters,
        options,
        job: None,
        cancel: &Cancel::default(),
        runners: Runners::default(),
        blocked: Blocked::default(),
    };
    let snapshot = archive.snapshot()?;
    let mut identities: BTreeMap<String, ConverterId> = BTreeMap::new();
    let mut runs: BTreeMap<(Option<ConverterLabel>, ConverterLabel), u64> = BTreeMap::new();
    let mut skipped: BTreeMap<String, u64> = BTreeMap::new();
    let mut missing: BTreeMap<ConverterLabel, Option<String>> = BTreeMap::new();
    let mut blocked: BTreeMap<String, u64> = BTreeMap::new();
    for &id in &selection.ids {
        let chosen = match snapshot.entry(id)? {
            None => Err(Unfit::Skip("there is no such entry".to_owned())),
            Some(entry) if entry.purged_at.is_some() => {
                Err(Unfit::Skip(without_source(&entry).unwrap_or_default()))
            }
            Some(entry) => work.converter_for(&entry).and_then(|choice| {
                work.arguments_for(&entry, choice.name())?;
                Ok((entry, choice))
            }),
        };
        let (entry, choice) = match chosen {
            Ok(chosen) => chosen,
            Err(Unfit::Skip(reason)) => {
                *skipped.entry(reason).or_default() += 1;
                continue;
            }
            Err(Unfit::Error(error) | Unfit::CannotRun(_, error)) => return Err(error),
        };
        let now = match &choice {
            Choice::Configured(converter) => {
                let id = match identities.get(&converter.name) {
                    Some(known) => *known,
                    None => Identity::of(converter)?.id,
                };
                identities.insert(converter.name.clone(), id);
                ConverterLabel {
                    converter: converter.name.clone(),
                    version: converter.version.clone(),
                    converter_id: Some(id),
                }
            }
            Choice::Recorded(registered) => ConverterLabel {
                converter: registered.name.clone(),
                version: registered.version.clone(),
                converter_id: Some(registered.converter_id),
            },
        };
        let why = missing.entry(now.clone());
        let why = why.or_insert_with(|| choice.missing_program());
        if let Some(why) = why {
            let why = format!("converter '{}' cannot be started: {why}", now.converter);
            *blocked.entry(why).or_default() += 1;
        }
        let before = entry.attempts.last().map(|last| ConverterLabel {
            converter: last.converter.clone(),
            version: last.converter_version.clone(),
            converter_id: last.converter_id,
        });
        *runs.entry((before, now)).or_default() += 1;
    }
    Ok(ReprocessPlan {
        total: selection.ids.len() as u64,
        runs: runs
            .into_iter()
            .map(|((before, now), entries)| PlannedRun {
                before,
                now,
                entries,
            })
            .collect(),
        skipped: reasons(skipped),
        blocked: reasons(blocked),
    })
}

fn reasons(numbers: BTreeMap<String, u64>) -> Vec<PlannedSkip> {
    let reason = |(reason, entries)| PlannedSkip { reason, entries };
    numbers.into_iter().map(reason).collect()
}

/// Spaces the beginnings of conversions.
struct Pace {
    interval: Option<Duration>,
    next: Mutex<Instant>,
}

impl Pace {
    fn new(rate: Option<f64>) -> Result<Self> {
        let interval = match rate {
            None => None,
            Some(rate) => Some(
                Duration::try_from_secs_f64(1.0 / rate)
                    .ok()
                    .filter(|_| rate > 0.0)
                    .ok_or_else(|| {
                        Error::new(
                            ErrorKind::Invalid,
                            format!("a rate of {rate} a second is impossible"),
                        )
                        .hint("give a number above 0, such as 5 or 0.5")
                    })?,
            ),
        };
        Ok(Self {
            interval,
            next: Mutex::new(Instant::now()),
        })
    }

    /// Waits for the next turn. False when cancelled meanwhile.
    fn wait(&self, cancel: &Cancel) -> bool {
        let Some(interval) = self.interval else {
            return true;
        };
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(Instant::now());
            *next = turn.checked_add(interval).unwrap_or(turn);
            turn
        };
        cancel.sleep(turn.saturating_duration_since(Instant::now()))
    }
}

struct Work<'a> {
    archive: &'a Archive,
    converters: &'a [Converter],
    options: &'a Reprocess,
    job: Option<JobId>,
    cancel: &'a Cancel,
    runners: Runners,
    blocked: Blocked<RunnerKey>,
}

/// What came of a step.
enum Stepped {
    Over(StepOutcome),
    /// Its converter could not run; it is tried again when all others are done.
    PutOff,
}

/// A converter to run over one entry.
struct Chosen {
    key: RunnerKey,
    runner: Arc<Runner>,
    arguments: Arguments,
    /// What is not as it was recorded.
    note: Option<String>,
}

/// Which converter is to run over an entry.
enum Choice<'a> {
    Configured(&'a Converter),
    Recorded(Box<ConverterRegistered>),
}

impl Choice<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Configured(converter) => &converter.name,
            Self::Recorded(registered) => &registered.name,
        }
    }

    /// Why its program cannot be started on this machine, if that can be seen.
    fn missing_program(&self) -> Option<String> {
        match self {
            Self::Configured(converter) => environment::missing_program(converter),
            Self::Recorded(registered) => {
                let bundle = registered.bundle.iter().map(|file| file.name.clone());
                let bundle: Vec<String> = bundle.collect();
                environment::missing(&registered.command, Path::new(""), &bundle)
            }
        }
    }
}

/// Why an entry is not tried.
enum Unfit {
    Skip(String),
    /// Its converter could not run over it.
    CannotRun(RunnerKey, Error),
    Error(Error),
}

impl From<Error> for Unfit {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Work<'_> {
    /// `None` when cancelled.
    fn step(&self, id: EntryId) -> Option<Stepped> {
        let outcome = match self.try_step(id) {
            Ok(outcome) => outcome?,
            Err(Unfit::Skip(reason)) => StepOutcome::Skipped { reason },
            Err(Unfit::Error(error)) => StepOutcome::Error {
                reason: error.to_string(),
            },
            Err(Unfit::CannotRun(key, error)) => {
                let reason = error.to_string();
                match self.blocked.cannot_run(key, id, &reason) {
                    Instead::PutOff => return Some(Stepped::PutOff),
                    Instead::NotTried => StepOutcome::NotTried { reason },
                }
            }
        };
        Some(Stepped::Over(outcome))
    }

    fn try_step(&self, id: EntryId) -> Result<Option<StepOutcome>, Unfit> {
        let entry = self
            .archive
            .snapshot()?
            .entry(id)?
            .ok_or_else(|| Unfit::Skip("there is no such entry".to_owned()))?;
        if let Some(reason) = without_source(&entry) {
            return Err(Unfit::Skip(reason));
        }
        if let Some(job) = self.job
            && let Some(earlier) = entry.attempts.iter().find(|tried| tried.job == Some(job))
        {
            return Ok(Some(StepOutcome::Earlier {
                outcome: earlier.status,
            }));
        }
        let chosen = self.choose(&entry)?;
        let unable = |error: Error| match error.kind() {
            ErrorKind::Converter => Unfit::CannotRun(chosen.key.clone(), error),
            _ => Unfit::Error(error),
        };
        if let Some(reason) = self.blocked.reason(&chosen.key) {
            return Ok(Some(StepOutcome::NotTried { reason }));
        }
        let terms = Terms {
            arguments: &chosen.arguments,
            job: self.job,
            keep_reports: true,
            note: chosen.note.as_deref(),
        };
        let mut judged = None;
        let mut queued = 0;
        let (attempt, conversion) = if self.options.compare_only {
            let session = chosen.runner.session()?;
            let ran = attempt::run_over(
                self.archive,
                &chosen.runner,
                &session,
                &entry,
                terms,
                self.cancel,
            )
            .map_err(unable)?;
            let Some(conversion) = ran else {
                return Ok(None);
            };
            (None, conversion)
        } else {
            let converter = &chosen.runner.converter().name;
            let decide = |conversion: &mut Conversion| {
                let (verdict, _) = judged.insert(self.judge(&entry, conversion));
                let wanted = match self.options.resend {
                    Resend::None => false,
                    Resend::Changed => *verdict != Some(Verdict::Unchanged),
                    Resend::All => true,
                };
                let endpoint = self.options.endpoints.get(converter);
                let endpoint =
                    endpoint.filter(|_| wanted && conversion.outcome == Outcome::Success);
                if endpoint.is_some() {
                    queued = conversion.reports.len() as u64;
                }
                Ok(endpoint.cloned())
            };
            let ran = attempt::attempt(
                self.archive,
                &chosen.runner,
                &entry,
                terms,
                self.cancel,
                decide,
            )
            .map_err(unable)?;
            let Some(summary) = ran else {
                return Ok(None);
            };
            (Some(summary.attempt), summary.conversion)
        };
        let (verdict, difference) = judged.unwrap_or_else(|| self.judge(&entry, &conversion));
        Ok(Some(StepOutcome::Ran {
            attempt,
            outcome: conversion.outcome,
            error: conversion.error,
            verdict,
            difference,
            queued,
        }))
    }

    fn judge(&self, entry: &Entry, now: &Conversion) -> (Option<Verdict>, Difference) {
        let Some(before) = entry.attempts.last() else {
            return (None, Difference::default());
        };
        let mut difference = Difference::default();
        if before.status == now.outcome {
            difference = match self.reports_of(before) {
                Ok(reports) => compare_reports(&reports, &now.reports),
                // The attempt is made all the same: a report that is lost is a reason to convert again.
                Err(error) => Difference {
                    changes: vec![Change {
                        path: String::new(),
                        old: Some(Json::text(format!("unreadable: {error}"))),
                        new: None,
                    }],
                    ..Difference::default()
                },
            };
        }
        if before.status == Outcome::Success && now.outcome == Outcome::Success {
            // The entry has what the attempts before found out; a correction may be in nothing but
            // that.
            let mut unit = entry.unit.clone();
            entry.unit_given.merge(&mut unit, &now.unit);
            difference.changes.extend(compare_units(&entry.unit, &unit));
        }
        let verdict = Verdict::of(before.status, now.outcome, !difference.is_empty());
        (Some(verdict), difference)
    }

    fn reports_of(&self, attempt: &Attempt) -> Result<Vec<Vec<u8>>> {
        attempt
            .reports
            .iter()
            .map(|report| {
                self.archive
                    .read_all(&report.blake3, STDOUT_BYTES_MAX as u64)
            })
            .collect()
    }

    fn choose(&self, entry: &Entry) -> Result<Chosen, Unfit> {
        let choice = self.converter_for(entry)?;
        let arguments = self.arguments_for(entry, choice.name())?;
        let (key, (runner, note)) = match choice {
            Choice::Configured(converter) => {
                let key = RunnerKey::Configured(converter.name.clone());
                let runner = self.configured_runner(converter).map_err(|error| {
                    let what = format!("converter '{}' cannot be made ready", converter.name);
                    let error = Error::new(ErrorKind::Converter, format!("{what}: {error}"));
                    Unfit::CannotRun(key.clone(), error)
                })?;
                (key, (runner, None))
            }
            Choice::Recorded(registered) => {
                let current = self.configured(&registered.name);
                let key = RunnerKey::Recorded(registered.converter_id);
                (key, self.recorded_runner(&registered, current)?)
            }
        };
        Ok(Chosen {
            key,
            runner,
            arguments,
            note,
        })
    }

    fn configured(&self, name: &str) -> Option<&Converter> {
        self.converters
            .iter()
            .find(|converter| converter.name == name)
    }

    fn converter_for(&self, entry: &Entry) -> Result<Choice<'_>, Unfit> {
        match &self.options.which {
            Which::Current => {
                let converter = self.configured(&entry.converter).ok_or_else(|| {
                    Unfit::Skip(format!("no converter '{}' is configured", entry.converter))
                })?;
                Ok(Choice::Configured(converter))
            }
            Which::Named(name) => {
                if let Some(converter) = self.configured(name) {
                    return Ok(Choice::Configured(converter));
                }
                let known = self.archive.converters()?;
                let registered = pick(&known, &entry.converter, name).map_err(Unfit::Skip)?;
                Ok(Choice::Recorded(Box::new(registered.clone())))
            }
            Which::Recorded => {
                let id = entry
                    .attempts
                    .last()
                    .and_then(|last| last.converter_id)
                    .ok_or_else(|| {
                        Unfit::Skip("no attempt recorded which converter it was".to_owned())
                    })?;
                let registered = self.archive.converter(&id)?.ok_or_else(|| {
                    Unfit::Skip(format!("the files of converter {id} were never recorded"))
                })?;
                Ok(Choice::Recorded(Box::new(registered)))
            }
        }
    }

    /// What the converter called `name` is told about the entry.
    fn arguments_for(&self, entry: &Entry, name: &str) -> Result<Arguments, Unfit> {
        let current = self.configured(name).map(|converter| &converter.arguments);
        match self.options.params {
            Params::Current => current.cloned().ok_or_else(|| {
                Unfit::Skip(format!(
                    "no converter '{name}' is configured to take arguments from"
                ))
            }),
            Params::Recorded => {
                let recorded = entry
                    .attempts
                    .last()
                    .map_or(&entry.arguments, |last| &last.arguments);
                current
                    .unwrap_or(&Arguments::default())
                    .recalled(recorded)
                    .map_err(|name| {
                        Unfit::Skip(format!(
                            "the argument '{name}' is secret, and not configured now"
                        ))
                    })
            }
        }
    }

    fn configured_runner(&self, converter: &Converter) -> Result<Arc<Runner>> {
        self.runners
            .get(RunnerKey::Configured(converter.name.clone()), || {
                Runner::new(converter.clone(), self.options.jobs, &self.options.scratch)
            })
    }

    fn recorded_runner(
        &self,
        registered: &ConverterRegistered,
        current: Option<&Converter>,
    ) -> Result<(Arc<Runner>, Option<String>)> {
        let id = registered.converter_id;
        let runner = self.runners.get(RunnerKey::Recorded(id), || {
            Runner::recorded(
                self.archive,
                registered,
                current.map_or_else(Bounds::default, |converter| converter.bounds.clone()),
                current.map_or_else(Arguments::default, |converter| converter.arguments.clone()),
                self.options.jobs,
                &self.options.scratch,
            )
        })?;
        let identity = &runner.session()?.identity;
        let note = (identity.id != id).then(|| {
            format!(
                "the recorded converter {id} ran on '{}', this run on '{}'",
                registered.environment, identity.environment
            )
        });
        Ok((runner, note))
    }
}

/// Why an entry has no source any more, in the same words for all that went by one rule.
fn without_source(entry: &Entry) -> Option<String> {
    entry.purged_at?;
    let rule = entry.purged_by.as_deref().unwrap_or("an unknown rule");
    Some(format!("the source was purged by {rule}"))
}

/// The recorded converter of `name` that claims version `wanted`, or whose identity begins so.
fn pick<'a>(
    known: &'a [ConverterRegistered],
    name: &str,
    wanted: &str,
) -> Result<&'a ConverterRegistered, String> {
    let fits = |converter: &&ConverterRegistered| {
        converter.name == name
            && (converter.version.as_deref() == Some(wanted)
                || (wanted.len() >= 6 && converter.converter_id.to_string().starts_with(wanted)))
    };
    let mut found = known.iter().filter(fits);
    match (found.next(), found.next()) {
        (None, _) => Err(format!(
            "no converter '{wanted}' is configured, and no recorded version of '{name}' is called so"
        )),
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => Err(format!(
            "'{wanted}' may be {} or {}, which claim the same version: name the identity",
            one.converter_id, other.converter_id
        )),
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum RunnerKey {
    Configured(String),
    Recorded(ConverterId),
}

/// Converters ready to run, the most recently used last.
#[derive(Default)]
struct Runners(Mutex<VecDeque<Ready>>);

type Ready = (RunnerKey, Arc<Runner>);

impl Runners {
    fn get(&self, key: RunnerKey, make: impl FnOnce() -> Result<Runner>) -> Result<Arc<Runner>> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = ready.iter().position(|(known, _)| *known == key);
        let (key, runner) = match place.and_then(|place| ready.remove(place)) {
            Some(known) => known,
            None => (key, Arc::new(make()?)),
        };
        if ready.len() >= RUNNERS_MAX {
            ready.pop_front();
        }
        ready.push_back((key, Arc::clone(&runner)));
        Ok(runner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::compare;

    fn step(outcome: StepOutcome) -> Step {
        Step {
            entry: EntryId(1),
            done: 0,
            total: 9,
            outcome,
        }
    }

    fn ran(outcome: Outcome, verdict: Verdict) -> StepOutcome {
        StepOutcome::Ran {
            attempt: None,
            outcome,
            error: None,
            verdict: Some(verdict),
            difference: compare(b"{}", b"{}"),
            queued: 0,
        }
    }

    #[test]
    fn every_entry_is_counted_once_and_every_trouble_is_listed() {
        let mut result = ReprocessResult::default();
        for outcome in [
            ran(Outcome::Success, Verdict::Fixed),
            ran(Outcome::Success, Verdict::Changed),
            ran(Outcome::Rejected, Verdict::Broken),
            StepOutcome::Error {
                reason: "no program".into(),
            },
            StepOutcome::Skipped {
                reason: "purged".into(),
            },
            StepOutcome::Earlier {
                outcome: Outcome::Success,
            },
        ] {
            result.count(&step(outcome));
        }
        assert_eq!(
            (
                result.processed,
                result.successful,
                result.failed,
                result.skipped
            ),
            (5, 3, 2, 1)
        );
        assert_eq!((result.fixed, result.changed, result.broken), (1, 1, 1));
        let errors: Vec<&str> = result.errors.iter().map(|e| e.error.as_str()).collect();
        assert_eq!(errors, ["rejected", "no program", "purged"]);
    }

    #[test]
    fn an_impossible_rate_is_refused_and_a_possible_one_is_kept() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300] {
            let made = Pace::new(Some(rate));
            assert!(made.is_err() || rate.is_infinite(), "{rate}");
        }
        let pace = Pace::new(Some(20.0)).expect("possible");
        let started = Instant::now();
        for _ in 0..4 {
            assert!(pace.wait(&Cancel::default()));
        }
        assert!(started.elapsed() >= Duration::from_millis(140));
    }

    #[test]
    fn a_recorded_version_is_picked_by_its_claim_or_its_identity_unless_two_claim_it() {
        let registered = |byte: u8, version: &str| ConverterRegistered {
            converter_id: ConverterId::from_bytes([byte; 32]),
            name: "ICT".into(),
            version: Some(version.into()),
            command: Vec::new(),
            mode: "oneshot".into(),
            environment: String::new(),
            bundle: Vec::new(),
        };
        let known = [
            registered(1, "1.0.0"),
            registered(2, "1.0.0"),
            registered(3, "1.1.0"),
        ];
        let id = |wanted| pick(&known, "ICT", wanted).map(|c| c.converter_id.as_bytes()[0]);
        assert_eq!(id("1.1.0"), Ok(3));
        assert_eq!(id("020202"), Ok(2));
        assert!(id("1.0.0").is_err_and(|why| why.contains("name the identity")));
        assert!(id("2.0.0").is_err());
        assert!(pick(&known, "FCT", "1.1.0").is_err());
    }
}
