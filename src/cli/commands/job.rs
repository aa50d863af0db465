//! `annals job`: shows the reprocess jobs and their results.

use clap::Subcommand;
use serde::Serialize;

use super::events::Envelope;
use crate::archive::{Access, Archive};
use crate::cli::entries::each_page;
use crate::cli::render::{Cell, Column, Style, Table, count, counted, facts, reasons};
use crate::cli::run::{Context, Exit, Failure};
use crate::cli::zone::Zone;
use crate::entry::Outcome;
use crate::event::{JobFinished, JobStarted};
use crate::id::{AttemptNo, EntryId, EventSeq, JobId};
use crate::query::{Filter, Purged, Query};
use crate::time::Timestamp;
use crate::{Error, ErrorKind};

/// Show the reprocess jobs and what came of them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals job list
  annals job show 5120
  annals list --job 5120 --status failed")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
}

/// List the jobs, the newest first
#[derive(Debug, clap::Args)]
struct List {}

/// Show one job, with every failure and its reason
#[derive(Debug, clap::Args)]
struct Show {
    /// The job
    #[arg(value_name = "JOB")]
    id: JobId,
}

/// Most failures of a job that are listed. Further ones are only counted.
const ERRORS_MAX: usize = 1000;

#[derive(Serialize)]
struct JobObject<'a> {
    job: JobId,
    state: State,
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
}

/// One job, as JSON output shows it.
#[derive(Serialize)]
struct ShownJob<'a> {
    #[serde(flatten)]
    job: JobObject<'a>,
    #[serde(flatten)]
    failures: &'a Failures,
}

/// The entries of a job that did not succeed, and why.
#[derive(Default, Serialize)]
struct Failures {
    errors: Vec<EntryFailure>,
    /// Number of failures beyond the listed ones.
    more_errors: u64,
}

#[derive(Serialize)]
struct EntryFailure {
    id: EntryId,
    /// The attempt that failed; `None` when the entry was not tried.
    attempt: Option<AttemptNo>,
    error: String,
}

impl Failures {
    fn of(archive: &Archive, id: JobId, finished: Option<&JobFinished>) -> Result<Self, Failure> {
        let mut failures = Self::default();
        for error in finished.iter().flat_map(|finished| &finished.errors) {
            for entry in error.entries.iter() {
                failures.add(entry, None, &error.error);
            }
        }
        failures.more_errors += finished.map_or(0, |finished| finished.more_errors);
        let query = Query {
            filter: Filter {
                job: Some(id),
                purged: Purged::Include,
                ..Filter::default()
            },
            limit: None,
            ..Query::default()
        };
        each_page(&archive.snapshot()?, query, |entries| {
            for entry in entries {
                for attempt in &entry.attempts {
                    if attempt.job == Some(id) && attempt.status != Outcome::Success {
                        let status = attempt.status.to_string();
                        let error = attempt.error.as_deref().unwrap_or(&status);
                        failures.add(entry.id, Some(attempt.attempt), error);
                    }
                }
            }
            Ok(())
        })?;
        failures.errors.sort_by_key(|failure| failure.id);
        Ok(failures)
    }

    fn add(&mut self, id: EntryId, attempt: Option<AttemptNo>, error: &str) {
        if self.errors.len() >= ERRORS_MAX {
            self.more_errors += 1;
            return;
        }
        self.errors.push(EntryFailure {
            id,
            attempt,
            error: error.to_owned(),
        });
    }
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Finished,
    /// Its end is recorded, but the job ended before its last entry.
    Interrupted,
    /// Its end is not recorded: it is running, or its process died.
    Open,
}

impl State {
    const fn of(finished: Option<&JobFinished>) -> Self {
        match finished {
            None => Self::Open,
            Some(finished) if finished.interrupted => Self::Interrupted,
            Some(_) => Self::Finished,
        }
    }

    fn cell(self) -> Cell {
        match self {
            Self::Finished => Cell::new("finished").style(Style::Good),
            Self::Interrupted => Cell::new("interrupted").style(Style::Warn),
            Self::Open => Cell::new("open").style(Style::Warn),
        }
    }
}

struct Job {
    id: JobId,
    at: Timestamp,
    started: JobStarted,
    finished: Option<JobFinished>,
}

impl Job {
    fn state(&self) -> State {
        State::of(self.finished.as_ref())
    }

    fn object(&self) -> JobObject<'_> {
        let number = |of: fn(&JobFinished) -> u64| self.finished.as_ref().map(of);
        JobObject {
            job: self.id,
            state: self.state(),
            started_at: self.at,
            started: &self.started,
            processed: number(|job| job.processed),
            successful: number(|job| job.successful),
            failed: number(|job| job.failed),
            skipped: number(|job| job.skipped),
            unchanged: number(|job| job.unchanged),
            changed: number(|job| job.changed),
            fixed: number(|job| job.fixed),
            broken: number(|job| job.broken),
        }
    }
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    match args.action {
        Action::List(List {}) => list(&archive, context),
        Action::Show(args) => show(&archive, args.id, context),
    }
}

fn list(archive: &Archive, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let zone = context.zone();
    let mut jobs = Vec::new();
    for (id, started, finished) in archive.jobs()?.into_iter().rev() {
        let at = begun_at(archive, id, &zone)?;
        jobs.push(Job {
            id,
            at,
            started,
            finished,
        });
    }
    if context.json() {
        return jobs
            .iter()
            .try_for_each(|job| context.print_json(&job.object()))
            .map(|()| Exit::Done);
    }
    let columns = [
        Column::right("JOB"),
        Column::left("STARTED"),
        Column::left("STATE"),
        Column::clipped("CONVERTER"),
        Column::right("ENTRIES"),
        Column::right("SUCCESS"),
        Column::right("FAILED"),
        Column::right("CHANGED"),
        Column::right("FIXED"),
        Column::right("BROKEN"),
        Column::clipped("REASON"),
    ];
    let row = |job: &Job| {
        let number = |of: fn(&JobFinished) -> u64| {
            Cell::maybe(job.finished.as_ref().map(|finished| count(of(finished))))
        };
        vec![
            Cell::new(job.id.to_string()),
            Cell::new(zone.short(job.at)),
            job.state().cell(),
            Cell::new(&job.started.converter_version),
            Cell::new(count(job.started.total)),
            number(|job| job.successful),
            number(|job| job.failed),
            number(|job| job.changed),
            number(|job| job.fixed),
            number(|job| job.broken),
            Cell::maybe(job.started.reason.as_deref()),
        ]
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(page)?;
    if jobs.is_empty() {
        context.note("no job has been run");
    }
    Ok(Exit::Done)
}

fn show(archive: &Archive, id: JobId, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let (started, finished) = archive.job(id)?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("there is no job {id}"))
            .hint("`annals job list` shows them")
    })?;
    let zone = context.zone();
    let job = Job {
        id,
        at: begun_at(archive, id, &zone)?,
        started,
        finished,
    };
    let failures = Failures::of(archive, id, job.finished.as_ref())?;
    if context.json() {
        context.print_json(&ShownJob {
            job: job.object(),
            failures: &failures,
        })?;
        return Ok(Exit::Done);
    }
    let canvas = context.canvas();
    let title = Style::Bold.paint("Job", canvas.colour).into_owned();
    let state = job.state().cell().painted(canvas.colour).into_owned();
    let mut known = vec![
        ("kind", job.started.kind.clone()),
        ("started", zone.long(job.at)),
        ("selection", job.started.selection.clone()),
        ("converter", job.started.converter_version.clone()),
        ("arguments", job.started.params.clone()),
        ("entries", count(job.started.total)),
    ];
    if let Some(reason) = &job.started.reason {
        known.push(("reason", reason.clone()));
    }
    if let Some(ended) = &job.finished {
        known.extend([
            ("processed", count(ended.processed)),
            ("successful", count(ended.successful)),
            ("failed", count(ended.failed)),
            ("skipped", count(ended.skipped)),
            ("unchanged", count(ended.unchanged)),
            ("changed", count(ended.changed)),
            ("fixed", count(ended.fixed)),
            ("broken", count(ended.broken)),
        ]);
    }
    let errors = failures.errors.iter();
    let reasons = reasons::table(errors.map(|error| (error.id, error.error.as_str())), canvas);
    context.print(format!(
        "{title} {id}  {state}\n{}{reasons}",
        facts(known, canvas)
    ))?;
    if failures.more_errors > 0 {
        context.note(format_args!(
            "{} more did not succeed",
            counted(failures.more_errors, "entry", "entries")
        ));
    }
    context.note(format_args!("its entries: annals list --job {id}"));
    Ok(Exit::Done)
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
