//! `annals host`: the converter host.

use std::collections::BTreeMap;
#[cfg(unix)]
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::Subcommand;
use crossbeam_channel::Sender;
use serde::Serialize;

use crate::archive::{Access, Archive, CopiedFrom};
use crate::cli::commands::reach::Reach;
use crate::cli::daemon::{Console, Log, Supervisor, Verbosity};
#[cfg(unix)]
use crate::cli::daemon::{Signal, Signals};
use crate::cli::owner::{self, Endpoint};
use crate::cli::render::{
    Cell, Column, Style, Table, count, counted, duration, escape, facts, size,
};
use crate::cli::render::{log_line, path_text, to_json};
use crate::cli::run::Context;
use crate::cli::run::hear_or;
use crate::cli::run::{Exit, Failure};
use crate::cli::store;
use crate::cli::store::trust;
use crate::cli::store::trust::Found;
use crate::cli::store::{State, Status as OwnerStatus, Watch};
use crate::convert::{Cancel, Companions, Network, Sandbox, missing_program};
use crate::entry::Outcome;
use crate::host::{
    Archives, Config, ConverterConfig, Hooks, Host, HostStatus, Listener, LogFormat, Notice,
    RunSummary, Space, Stop, Submit,
};
use crate::id::EntryId;
use crate::time::{Clock, SystemClock};
use crate::{Error, ErrorKind};

/// How long the last words of a host may take to be written; nobody who does not read is waited for longer.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Files listed by name that cannot go their way; `--json` has more of them.
const STUCK_SHOWN: usize = 10;
/// Between two looks at the configuration file.
const CONFIG_LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watch folders, archive and convert what appears in them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals host check host.toml
  annals host run host.toml --once
  annals host run host.toml
  annals host status --json")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Run(Run),
    Check(Check),
    Status(Status),
}

impl Args {
    /// True for a host that runs until it is stopped.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(crate) fn goes_on(&self) -> bool {
        matches!(&self.action, Action::Run(run) if !run.once)
    }

    /// Only the host itself knows how it is.
    pub(crate) fn reach(&self) -> Reach {
        match self.action {
            Action::Run(_) | Action::Check(_) => Reach::Here,
            Action::Status(_) => Reach::Owner,
        }
    }
}

/// Archive and convert what the watch folders hold, and go on watching
///
/// Every file is archived before it is converted, and cleared away only when it is safe. It may be stopped at any
/// moment, by any means: the next run takes up what was left.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The store is --store, else store.path of FILE; ANNALS_STORE counts only where FILE names none. Reports of converters with a [converter.submit] wait in the store \
until the server takes them; with --once each is sent once.

Exit code 3 when some files could not be converted, or some reports not submitted; they are archived like the others.")]
struct Run {
    /// The configuration
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// One pass over all folders, then end
    #[arg(long)]
    once: bool,
    /// Take the configuration over when its file changes, as on SIGHUP
    #[arg(long, conflicts_with = "once")]
    watch_config: bool,
}

/// Say whether a host owns the store, and how it is
///
/// Exit code 3 when something keeps it from its work, such as a full disk; 4 when no host owns the store, 11 when one does and does
/// not answer.
#[derive(Debug, clap::Args)]
struct Status {}

/// Check a configuration, and that its folders and files are there
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 2 for an invalid configuration, 1 when something it names is not there."
)]
struct Check {
    /// The configuration
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::Run(args) => run_host(args, context),
        Action::Check(args) => check(&args, context),
        Action::Status(Status {}) => status(context),
    }
}

/// What a host tells while it runs.
enum News {
    /// A line for people who asked for more.
    Line(String),
    Converted {
        converter: String,
        outcome: Outcome,
    },
    Trouble(String),
    Passed(Box<RunSummary>),
}

fn run_host(args: Run, context: &mut Context<'_>) -> Result<Exit, Failure> {
    #[cfg(unix)]
    let signals = Signals::take_hangup()?;
    #[cfg(not(unix))]
    let signals = ();
    let config = store::load(&args.file)?;
    let told = follow_file(&args.file, &config, context);
    let format = if context.json() {
        LogFormat::Json
    } else {
        config.log
    };
    let console = (!args.once).then(|| {
        let data = if context.json() {
            LogFormat::Json
        } else {
            LogFormat::Text
        };
        Console::of_process(data, format)
    });
    if let Some(console) = &console {
        let err = console.err.clone();
        context.say_through(move |text| err.say(text));
    }
    for warning in told.iter().chain(&config.warnings) {
        context.warn(warning);
    }
    let listener = match config.listen.filter(|_| !args.once) {
        Some(address) => Some(Listener::bind(address)?),
        None => None,
    };
    let verbosity = match (context.globals.quiet, context.globals.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Plain,
    };
    let archives = open_stores(&config, context)?;
    context.tell_damage();
    let state = Arc::new(State::new(
        context.now(),
        path_text(&config.path),
        watches(&config),
    ));
    let watching = watching(&config);
    let stores: Vec<Archive> = archives.iter().cloned().collect();
    let host = Arc::new(Host::new(archives.clone(), config)?);
    state.ask(&host);
    let endpoints = answer_for(&archives, &state, context);
    let failed = failed_before(host.failed_before());
    let service = Service {
        host,
        stop: Stop::default(),
        args,
        signals,
        supervisor: Supervisor::of_process(),
    };
    let (signalled, exit) = match console {
        None => {
            if let Some(failed) = failed {
                context.note(failed);
            }
            one_pass(service, state, context)?
        }
        Some(console) => {
            context.note(format_args!("{watching}; stop with Ctrl-C"));
            if let Some(address) = listener.as_ref().and_then(Listener::address) {
                context.note(format_args!("http://{address}/healthz and /metrics"));
            }
            if let Some(failed) = failed {
                context.note(failed);
            }
            // Said before anything is done, where it can be.
            console.finish(LAST_WORDS);
            let log = Log::new(format, verbosity, {
                let err = console.err.clone();
                move |line| err.say(log_line(&String::from_utf8_lossy(&line)))
            });
            let ended = go_on(service, listener, state, log, &console, context.json());
            context.say_through(move |text| {
                console.err.say(text);
                console.finish(LAST_WORDS);
            });
            ended?
        }
    };
    // Who still asks something is told that the host ends, before its stores do.
    drop(endpoints);
    for archive in stores {
        archive.close()?;
    }
    context.meter.clear();
    Ok(signalled.unwrap_or(exit))
}

/// A host and what it takes to have it run.
struct Service {
    host: Arc<Host>,
    stop: Stop,
    args: Run,
    signals: Attended,
    supervisor: Supervisor,
}

#[cfg(unix)]
type Attended = Signals;
#[cfg(not(unix))]
type Attended = ();

/// The exit of the signal that ended a host, if one did, and the one that its work deserves.
type Ended = (Option<Exit>, Exit);

/// Makes one pass; what it tells is data and progress, as of any verb.
fn one_pass(
    service: Service,
    state: Arc<State>,
    context: &mut Context<'_>,
) -> Result<Ended, Failure> {
    let stop = service.stop.clone();
    let mut tally = Tally::new(state);
    let work = |tell: &Sender<News>| {
        let tell = tell.clone();
        let hooks = Hooks::new(move |notice| {
            if let Some(news) = news(notice) {
                // Nobody hears it only when the host is stopped anyway.
                let _ = tell.send(news);
            }
        });
        let (host, stop) = (Arc::clone(&service.host), service.stop.clone());
        attended(service, &hooks, || _ = host.run_once(&stop, &hooks))
    };
    let signalled = hear_or(|| stop.at_once(), work, |news| tally.hear(news, context))??;
    Ok((signalled, tally.exit()))
}

/// Runs the host until it is stopped. What it says is for people: whether anybody takes it does not
/// matter to it.
fn go_on(
    service: Service,
    listener: Option<Listener>,
    state: Arc<State>,
    log: Log,
    console: &Console,
    json: bool,
) -> Result<Ended, Error> {
    let asked = console.clone();
    service.host.ask_too(move || asked.troubles());
    let log = Arc::new(log);
    let panics = Arc::clone(&log);
    std::panic::set_hook(Box::new(move |panic| panics.panicked(panic)));
    let last = Arc::new(Mutex::new(RunSummary::default()));
    let out = console.out.clone();
    let hooks = Hooks::new({
        let last = Arc::clone(&last);
        move |notice| {
            log.notice(notice);
            if let Notice::Passed(summary) = notice {
                state.passed(summary, SystemClock.now());
                if let Some(line) = line_of(summary, json) {
                    out.say(line);
                }
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                last.clone_from(summary);
            }
        }
    });
    let watching = watching(&service.host.config());
    let (host, stop) = (Arc::clone(&service.host), service.stop.clone());
    let supervisor = service.supervisor.clone();
    let ended = attended(service, &hooks, || {
        supervisor.ready(&watching);
        host.run(listener, &stop, &hooks);
    });
    let last = last.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((ended?, exit_of(&last)))
}

/// The line that a running host prints for a pass in which there was something to do.
fn line_of(summary: &RunSummary, json: bool) -> Option<String> {
    let sent = summary.reports_submitted + summary.reports_rejected;
    let something = summary.archived + summary.converted + summary.done_before + sent > 0;
    if json {
        let worth = something || !summary.errors.is_empty();
        let line = to_json(summary).ok().filter(|_| worth)?;
        return Some(format!("{line}\n"));
    }
    something.then(|| in_words(summary))
}

/// Does the work of a host while its signals, its supervisor and its configuration file are listened to. Answers the exit of the
/// signal that ended it, if one did.
#[cfg(unix)]
fn attended(service: Service, hooks: &Hooks, work: impl FnOnce()) -> Result<Option<Exit>, Error> {
    let Service {
        host,
        stop,
        args,
        signals,
        supervisor,
    } = service;
    let (host, supervisor) = (&*host, &supervisor);
    signals.take_ends()?;
    let close = signals.closer();
    let over = Cancel::default();
    let ended_by = Mutex::new(None);
    thread::scope(|scope| {
        scope.spawn(|| {
            signals.hear(|signal| {
                let exit = match signal {
                    Signal::Hangup if args.once => return,
                    Signal::Hangup => return reload(host, &args.file, supervisor, hooks),
                    Signal::Interrupt => Exit::Interrupted,
                    Signal::Terminate => Exit::Terminated,
                };
                ended_by
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(exit);
                supervisor.stopping();
                if stop.is_asked() {
                    stop.at_once();
                } else {
                    stop.drain();
                }
            });
        });
        if let Some(beat) = supervisor.beat() {
            let over = &over;
            scope.spawn(move || {
                while over.sleep(beat) {
                    if host.is_alive() {
                        supervisor.alive();
                    }
                }
            });
        }
        if args.watch_config && !args.once {
            scope.spawn(|| {
                watch_config(&args.file, &over, || {
                    reload(host, &args.file, supervisor, hooks)
                })
            });
        }
        let worked = catch_unwind(AssertUnwindSafe(work));
        over.cancel();
        close();
        if let Err(panic) = worked {
            resume_unwind(panic);
        }
    });
    supervisor.stopping();
    Ok(ended_by
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner))
}

/// Where there are no such signals, Ctrl-C ends the process, which any store survives.
#[cfg(not(unix))]
fn attended(service: Service, hooks: &Hooks, work: impl FnOnce()) -> Result<Option<Exit>, Error> {
    let Service {
        host,
        args,
        supervisor,
        ..
    } = service;
    let (host, supervisor) = (&*host, &supervisor);
    let over = Cancel::default();
    thread::scope(|scope| {
        if args.watch_config && !args.once {
            scope.spawn(|| {
                watch_config(&args.file, &over, || {
                    reload(host, &args.file, supervisor, hooks)
                })
            });
        }
        work();
        over.cancel();
    });
    supervisor.stopping();
    Ok(None)
}

/// Reads the configuration again and puts it in force; one that is wrong is told of.
fn reload(host: &Host, file: &Path, supervisor: &Supervisor, hooks: &Hooks) {
    supervisor.reloading();
    let loaded = store::load(file).inspect_err(|error| host.refuse_reload(error));
    let reloaded = loaded.and_then(|config| host.reload(config));
    match reloaded {
        Ok(()) => (hooks.notice)(&Notice::Reloaded),
        Err(error) => (hooks.notice)(&Notice::ReloadRefused { error: &error }),
    }
    supervisor.ready("");
}

/// Reloads when the file has changed and stayed the same for a moment.
fn watch_config(file: &Path, over: &Cancel, reload: impl Fn()) {
    let look = || {
        let metadata = file.metadata().ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    };
    let (mut known, mut seen) = (look(), look());
    while over.sleep(CONFIG_LOOK_EVERY) {
        let now = look();
        if now.is_some() && now != known && now == seen {
            known = now;
            reload();
        }
        seen = now;
    }
}

/// What a notice of a single pass is to the people and programs outside; most of it is none of their business.
fn news(notice: &Notice<'_>) -> Option<News> {
    let shown = |path: &Path| path_text(path);
    Some(match notice {
        Notice::Converted {
            converter,
            conversion,
            ..
        } => News::Converted {
            converter: (*converter).to_owned(),
            outcome: conversion.outcome,
        },
        Notice::Passed(summary) => News::Passed(Box::new((*summary).clone())),
        Notice::Archived {
            path,
            entry,
            existing: false,
        } => News::Line(format!("archived {} as entry {entry}", shown(path))),
        Notice::Submitted {
            entry,
            endpoint,
            report_id,
        } => News::Line(format!(
            "submitted {} to {endpoint} as {report_id}",
            report_of(*entry)
        )),
        Notice::SubmissionRejected {
            entry,
            endpoint,
            status,
            text,
        } => News::Trouble(format!(
            "{endpoint} rejected {} ({status}): {text}",
            report_of(*entry)
        )),
        Notice::SubmissionWaits { error, wait, .. } => News::Trouble(format!(
            "{error}; next try in {}",
            duration(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        )),
        Notice::Trouble { path, error } => News::Trouble(format!("{}: {error}", shown(path))),
        Notice::ArchiveFailed { path, error, waits } => {
            let so = if *waits {
                "it waits"
            } else {
                "it is converted and kept"
            };
            News::Trouble(format!("{}: not archived, {so}: {error}", shown(path)))
        }
        Notice::DiskLow { error }
        | Notice::FolderSilent { error, .. }
        | Notice::LineStopped { error, .. } => News::Trouble(error.to_string()),
        Notice::Left { path, why } => News::Line(format!("left {}: {why}", shown(path))),
        Notice::DoneBefore {
            path,
            entry,
            outcome: Outcome::Failed | Outcome::Rejected,
        } => News::Trouble(format!(
            "{} was not tried again: entry {entry} failed before under the same converter; correct that, or `annals show {entry}`",
            shown(path)
        )),
        Notice::DoneBefore { path, entry, .. } => News::Line(format!(
            "{} was converted before, as entry {entry}",
            shown(path)
        )),
        _ => return None,
    })
}

fn report_of(entry: Option<EntryId>) -> String {
    match entry {
        Some(entry) => format!("the report of entry {entry}"),
        None => "a report".to_owned(),
    }
}

/// What is gathered from the news of a host.
struct Tally {
    converters: BTreeMap<String, [u64; 5]>,
    taken: u64,
    last: RunSummary,
    /// What others are told.
    state: Arc<State>,
}

impl Tally {
    fn new(state: Arc<State>) -> Self {
        Self {
            converters: BTreeMap::new(),
            taken: 0,
            last: RunSummary::default(),
            state,
        }
    }

    fn hear(&mut self, news: News, context: &mut Context<'_>) -> Result<(), Failure> {
        match news {
            News::Line(line) => {
                if context.globals.verbose {
                    context.note(escape(&line));
                }
            }
            News::Converted { converter, outcome } => {
                self.taken += 1;
                self.converters.entry(converter).or_default()[column(outcome)] += 1;
                context.meter.report(self.taken, 0, "converted");
            }
            News::Trouble(line) => context.warn(line),
            News::Passed(summary) => {
                context.meter.clear();
                self.passed(*summary, context)?;
            }
        }
        Ok(())
    }

    fn passed(&mut self, summary: RunSummary, context: &mut Context<'_>) -> Result<(), Failure> {
        self.state.passed(&summary, SystemClock.now());
        if context.json() {
            context.print_json(&summary)?;
            context.flush()?;
        } else {
            let table = self.table(context);
            context.print(table)?;
            context.print(in_words(&summary))?;
        }
        self.last = summary;
        Ok(())
    }

    fn table(&self, context: &Context<'_>) -> String {
        let columns = [
            Column::left("CONVERTER"),
            Column::right("CONVERTED"),
            Column::right("SUCCESS"),
            Column::right("FAILED"),
            Column::right("REJECTED"),
            Column::right("SUSPENDED"),
            Column::right("SKIPPED"),
        ];
        let rows: Vec<_> = self
            .converters
            .iter()
            .map(|(name, numbers)| {
                let all: u64 = numbers.iter().sum();
                std::iter::once(Cell::new(name))
                    .chain([Cell::new(count(all))])
                    .chain(numbers.iter().map(|number| Cell::new(count(*number))))
                    .collect()
            })
            .collect();
        Table::new(&columns, context.canvas()).page(&rows)
    }

    fn exit(&self) -> Exit {
        exit_of(&self.last)
    }
}

/// The exit code that the last pass deserves.
fn exit_of(summary: &RunSummary) -> Exit {
    let good = summary.successful
        + summary.skipped
        + summary.suspended
        + summary.known
        + summary.reports_submitted;
    if summary.failed + summary.rejected + summary.failed_before + summary.reports_rejected > 0 {
        Exit::Partial
    } else if summary.errors.is_empty() {
        Exit::Done
    } else if good > 0 {
        Exit::Partial
    } else {
        Exit::Failed
    }
}

const fn column(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Success => 0,
        Outcome::Failed => 1,
        Outcome::Rejected => 2,
        Outcome::Suspended => 3,
        Outcome::Skipped => 4,
    }
}

/// What to do about entries that failed, if there are any.
fn failed_before(failed: u64) -> Option<String> {
    let failed = Some(failed).filter(|failed| *failed > 0)?;
    Some(format!(
        "{} failed before: `annals reprocess --status failed`",
        count(failed)
    ))
}

/// `575 files found, 575 archived, 560 of 575 converted`, and what is left where it was.
fn in_words(summary: &RunSummary) -> String {
    let mut parts = vec![
        format!("{} found", counted(summary.found, "file", "files")),
        format!("{} archived", count(summary.archived)),
        format!(
            "{} of {} converted",
            count(summary.successful),
            count(summary.converted)
        ),
    ];
    if summary.known > 0 {
        parts.push(format!("{} known already", count(summary.known)));
    }
    if summary.done_before > 0 {
        let failed = match summary.failed_before {
            0 => String::new(),
            failed => format!(" ({} failed)", count(failed)),
        };
        parts.push(format!(
            "{} done before{failed}",
            count(summary.done_before)
        ));
    }
    if summary.archive_failed > 0 {
        parts.push(format!("{} not archived", count(summary.archive_failed)));
    }
    if summary.left > 0 {
        parts.push(format!("{} left for a later pass", count(summary.left)));
    }
    for (number, what) in [
        (summary.reports_submitted, "submitted"),
        (summary.reports_waiting, "waiting to be submitted"),
        (summary.reports_rejected, "rejected by the server"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", counted(number, "report", "reports")));
        }
    }
    if !summary.errors.is_empty() {
        parts.push(counted(summary.errors.len() as u64, "error", "errors"));
    }
    parts.join(", ") + "\n"
}

fn watched(config: &Config) -> impl Iterator<Item = &Path> {
    config
        .converters
        .iter()
        .filter_map(|converter| converter.watch_folder.as_deref())
}

/// Has the host follow its file, and answers what else was named and does not count.
fn follow_file(file: &Path, config: &Config, context: &mut Context<'_>) -> Vec<String> {
    let given = context.globals.config.replace(file.to_owned());
    let ignored = given.filter(|given| given != file).map(|given| {
        format!(
            "--config names {}, which is ignored: the host follows {}",
            given.display(),
            file.display()
        )
    });
    let surroundings = context.surroundings().clone();
    let store = store::follow_file(&mut context.globals, &surroundings, config);
    ignored.into_iter().chain(store).collect()
}

/// `watching 3 folders`.
fn watching(config: &Config) -> String {
    let folders = watched(config).count() as u64;
    format!("watching {}", counted(folders, "folder", "folders"))
}

fn watches(config: &Config) -> Vec<Watch> {
    let watched = |converter: &ConverterConfig| {
        Some(Watch {
            converter: converter.converter.name.clone(),
            folder: path_text(converter.watch_folder.as_deref()?),
        })
    };
    config.converters.iter().filter_map(watched).collect()
}

/// Answers for every store while the host has it. Where a folder cannot hold a socket, as some network shares cannot, the host
/// works without.
fn answer_for(archives: &Archives, state: &Arc<State>, context: &mut Context<'_>) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for archive in archives.iter() {
        match Endpoint::open(archive, state, context.program().run_for_client) {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(error) => context.warn(format_args!(
                "nobody else can use the store in {} while the host runs: {error}",
                archive.dir().display()
            )),
        }
    }
    endpoints
}

#[derive(Serialize)]
struct StatusObject<'a> {
    running: bool,
    store: String,
    #[serde(flatten)]
    status: Option<&'a OwnerStatus>,
}

fn status(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let dir = context.path(&context.locate()?);
    let status = context.owner().map(|owner| owner.state.status());
    if let Some(owner) = context.owner() {
        context.note_damage(&owner.archive)?;
    }
    if context.json() {
        context.print_json(&StatusObject {
            running: status.is_some(),
            store: path_text(&dir),
            status: status.as_ref(),
        })?;
    } else if let Some(status) = &status {
        let text = status_page(status, &dir, context);
        context.print(text)?;
    }
    if let Some(status) = &status {
        let host = status.host.as_ref();
        let is_well = host.is_none_or(|host| host.reasons.is_empty());
        return Ok(if is_well { Exit::Done } else { Exit::Partial });
    }
    if !Archive::is_store(&dir) {
        return Err(Error::new(
            ErrorKind::NoStore,
            format!("there is no store in {}", dir.display()),
        )
        .hint("make one with `annals init`, or name one with --store")
        .into());
    }
    if context.json() {
        return Ok(Exit::NotFound);
    }
    Err(Error::new(
        ErrorKind::NotFound,
        format!("no host owns the store in {}", dir.display()),
    )
    .hint("start one with `annals host run FILE`")
    .into())
}

fn status_page(status: &OwnerStatus, dir: &Path, context: &Context<'_>) -> String {
    let canvas = context.canvas();
    let zone = context.zone();
    let passed = status
        .passed_at
        .map_or_else(String::new, |at| format!(", the last at {}", zone.long(at)));
    let work = status.last_work.as_ref().map_or_else(
        || "nothing yet".to_owned(),
        |work| {
            format!(
                "{}: {}",
                zone.long(work.at),
                in_words(&work.summary).trim_end()
            )
        },
    );
    let mut known = vec![
        ("store", path_text(dir)),
        (
            "process",
            format!("{}, annals {}", status.pid, status.version),
        ),
        ("since", zone.long(status.since)),
        ("configuration", status.config.clone()),
        ("passes", format!("{}{passed}", count(status.passes))),
        ("last work", work),
    ];
    let Some(host) = &status.host else {
        let title = Style::Good.paint("a host runs", canvas.colour);
        return format!("{title}\n{}", facts(known, canvas));
    };
    known.extend(facts_of(host, context));
    let unwell = format!("a host runs, but {}", escape(&host.reasons.join("; ")));
    let title = if host.reasons.is_empty() {
        Style::Good.paint("a host runs", canvas.colour)
    } else {
        Style::Bad.paint(&unwell, canvas.colour)
    };
    let columns = [
        Column::clipped("CONVERTER"),
        Column::left("WATCHES"),
        Column::right("ARCHIVED"),
        Column::right("SUCCESS"),
        Column::right("OTHERS"),
        Column::right("A MINUTE"),
        Column::right("PURGED"),
    ];
    let rows: Vec<_> = host
        .converters
        .iter()
        .map(|converter| {
            let others =
                converter.failed + converter.suspended + converter.skipped + converter.rejected;
            vec![
                Cell::new(&converter.name),
                Cell::maybe(converter.watch_folder.as_deref().map(path_text)),
                Cell::new(count(converter.archived)),
                Cell::new(count(converter.successful)),
                Cell::new(count(others)),
                Cell::new(count(converter.converted_per_minute)),
                Cell::new(count(converter.purged)),
            ]
        })
        .collect();
    let table = Table::new(&columns, canvas).page(&rows);
    format!("{title}\n{}\n{table}", facts(known, canvas))
}

fn facts_of(host: &HostStatus, context: &Context<'_>) -> Vec<(&'static str, String)> {
    let zone = context.zone();
    let queue = &host.queue;
    let mut known = vec![(
        "in hand",
        format!(
            "{} to archive, {} to convert, {} converting, {} to record; {} left in their folders",
            count(queue.to_archive),
            count(queue.to_convert),
            count(queue.converting),
            count(queue.to_record),
            count(queue.left)
        ),
    )];
    let stuck = &host.stuck;
    for file in stuck.files.iter().take(STUCK_SHOWN) {
        known.push(("stuck", format!("{}: {}", file.path, file.reason)));
    }
    let more = stuck.count.saturating_sub(STUCK_SHOWN as u64);
    if more > 0 {
        known.push(("stuck", format!("and {} more files", count(more))));
    }
    let failed = host.stores.iter().map(|store| store.failed).sum();
    known.extend(failed_before(failed).map(|failed| ("failed", failed)));
    let submissions = &host.submissions;
    let since = submissions.oldest.map_or_else(String::new, |at| {
        format!(", the oldest since {}", zone.long(at))
    });
    known.push((
        "reports",
        format!(
            "{} submitted, {} rejected, {} waiting{since}",
            count(submissions.submitted),
            count(submissions.rejected),
            count(submissions.waiting)
        ),
    ));
    for trouble in &submissions.troubles {
        known.push(("endpoint", format!("{}: {}", trouble.path, trouble.error)));
    }
    let disk = match &host.disk {
        Space::Enough { free: None } => "not looked at yet".to_owned(),
        Space::Enough { free: Some(free) } => format!("{} free", size(*free)),
        Space::Low {
            since,
            free,
            needed,
            ..
        } => format!(
            "low since {}: {} free, {} needed; no files are taken",
            zone.long(*since),
            size(*free),
            size(*needed)
        ),
    };
    known.push(("disk", disk));
    let retention = &host.retention;
    let applied = retention.applied_at.map_or_else(
        || "not applied yet".to_owned(),
        |at| format!("applied {}", zone.long(at)),
    );
    let error = retention
        .error
        .as_ref()
        .map_or_else(String::new, |why| format!("; {why}"));
    known.push((
        "retention",
        format!(
            "{applied}, {} purged{error}",
            counted(retention.purged, "entry", "entries")
        ),
    ));
    if let Some(why) = &host.configuration.refused {
        known.push(("refused", why.clone()));
    }
    known
}

/// Opens every store that some converter archives into which watches a folder or has reports to send.
fn open_stores(config: &Config, context: &Context<'_>) -> Result<Archives, Error> {
    let archiving = |converter: &&ConverterConfig| {
        (converter.watch_folder.is_some() || converter.submit.is_some())
            && converter.archive.archives()
    };
    let needs_shared = config
        .converters
        .iter()
        .filter(archiving)
        .any(|converter| converter.archive.folder.is_none());
    let what = "another cannot run on it";
    let shared = if needs_shared {
        let folder = context.locate()?;
        owner::refuse_if_owned(&folder, what)?;
        Some(open_original(&folder, context)?)
    } else {
        None
    };
    let mut archives = Archives::shared(shared);
    let mut opened: Vec<&Path> = Vec::new();
    for converter in config.converters.iter().filter(archiving) {
        let Some(folder) = converter.archive.folder.as_deref() else {
            continue;
        };
        if opened.contains(&folder) {
            continue;
        }
        owner::refuse_if_owned(folder, what)?;
        let archive = open_original(folder, context)?;
        context.note_damage(&archive)?;
        archives = archives.with_own(folder.to_owned(), archive);
        opened.push(folder);
    }
    Ok(archives)
}

/// Opens a store for a host. A host writes for months and nobody reads what it says at its start, so a copy of a store that
/// nobody has confirmed is refused.
fn open_original(folder: &Path, context: &Context<'_>) -> Result<Archive, Error> {
    trust::check(folder, Found::Named, Access::ReadWrite, context.trust())?;
    let archive = Archive::open(folder, context.options(Access::ReadWrite))?;
    match archive.copied_from() {
        None => Ok(archive),
        Some(from) => {
            let said = format!("no host is started on {}: {from}", folder.display());
            Err(Error::new(ErrorKind::Refused, said).hint(CopiedFrom::HINT))
        }
    }
}

#[cfg(unix)]
fn runs_as_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn runs_as_root() -> bool {
    false
}

#[derive(Serialize)]
struct Checked<'a> {
    ok: bool,
    path: String,
    store: Option<String>,
    converters: Vec<CheckedConverter<'a>>,
    warnings: &'a [String],
    missing: &'a [String],
}

#[derive(Serialize)]
struct CheckedConverter<'a> {
    name: &'a str,
    version: Option<&'a str>,
    watch_folder: Option<String>,
    patterns: &'a [String],
    /// The file that says that a folder is complete; folders are taken where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete_marker: Option<&'a str>,
    /// What belongs to a file beside it.
    companions: Vec<&'a str>,
    mode: &'static str,
    post_process: &'static str,
    archives: bool,
    retention: String,
    sandbox: String,
    /// What each attempt will be recorded with.
    enforced: Vec<String>,
    submits_to: Option<String>,
}

fn check(args: &Check, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = store::load(&args.file)?;
    for told in follow_file(&args.file, &config, context) {
        context.warn(told);
    }
    let are_others = |config: &ConverterConfig| config.converter.bounds.run_as.is_some();
    if runs_as_root() && !config.converters.iter().all(are_others) {
        context.warn("as root the host and its converters without a sandbox may do everything: give it a user of its own");
    }
    let mut missing = config.survey();
    missing.extend(config.converters.iter().filter_map(|config| {
        let why = missing_program(&config.converter)?;
        Some(format!("converter '{}': {why}", config.converter.name))
    }));
    let archives = config
        .converters
        .iter()
        .any(|converter| converter.archive.archives() && converter.archive.folder.is_none());
    let shared = match context.locate() {
        Ok(dir) => Some(dir),
        Err(error) if error.kind() == ErrorKind::NoStore => None,
        Err(error) => return Err(error.into()),
    };
    let own = config
        .converters
        .iter()
        .filter_map(|converter| converter.archive.folder.as_deref());
    config.check_folders(shared.as_deref().map(|dir| context.path(dir)).as_deref())?;
    for dir in shared.as_deref().into_iter().chain(own) {
        if !Archive::is_store(dir) {
            missing.push(format!(
                "{} is no store yet: make it with `annals init {}`",
                dir.display(),
                dir.display()
            ));
        }
    }
    if archives && shared.is_none() {
        missing.push("no store is named, and some converters archive: set store.path".to_owned());
    }
    if context.json() {
        context.print_json(&Checked {
            ok: missing.is_empty(),
            path: path_text(&config.path),
            store: shared.as_deref().map(path_text),
            converters: config.converters.iter().map(checked).collect(),
            warnings: &config.warnings,
            missing: &missing,
        })?;
    } else {
        let text = check_page(&config, shared.as_deref(), context);
        context.print(text)?;
        for remark in config.warnings.iter().chain(&missing) {
            context.warn(remark);
        }
    }
    Ok(if missing.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn checked(config: &ConverterConfig) -> CheckedConverter<'_> {
    CheckedConverter {
        name: &config.converter.name,
        version: config.converter.version.as_deref(),
        watch_folder: config.watch_folder.as_deref().map(path_text),
        patterns: config.patterns(),
        complete_marker: config.complete_marker.as_deref(),
        companions: config
            .companions()
            .into_iter()
            .flat_map(Companions::patterns)
            .collect(),
        mode: config.converter.mode.name(),
        post_process: config.post_process.name(),
        archives: config.archive.archives(),
        retention: config.archive.retention.to_string(),
        sandbox: config.converter.bounds.sandbox.enforcement().to_string(),
        enforced: config.converter.bounds.enforced(),
        submits_to: config.submit.as_ref().map(Submit::endpoint),
    }
}

/// `*.csv *.log`, or `unit* with COMPLETE.marker`.
fn taken(config: &ConverterConfig) -> String {
    let patterns = config.patterns().join(" ");
    if let Some(companions) = config.companions() {
        let companions: Vec<&str> = companions.patterns().collect();
        return format!("{patterns} with {}", companions.join(" "));
    }
    match &config.complete_marker {
        Some(marker) => format!("{patterns} with {marker}"),
        None => patterns,
    }
}

fn check_page(config: &Config, shared: Option<&Path>, context: &Context<'_>) -> String {
    let columns = [
        Column::clipped("CONVERTER"),
        Column::left("VERSION"),
        Column::clipped("WATCHES"),
        Column::clipped("TAKES"),
        Column::left("MODE"),
        Column::left("AFTERWARDS"),
        Column::left("KEPT"),
    ];
    // Told as the configuration would: from its own folder.
    let from_here = |path: &Path| {
        let inside = path.strip_prefix(&config.dir).unwrap_or(path);
        path_text(inside)
    };
    let rows: Vec<_> = config
        .converters
        .iter()
        .map(|converter| {
            let retention = converter.archive.retention.to_string();
            vec![
                Cell::new(&converter.converter.name),
                Cell::maybe(converter.converter.version.as_deref()),
                Cell::maybe(converter.watch_folder.as_deref().map(from_here)),
                Cell::new(taken(converter)),
                Cell::new(converter.converter.mode.name()),
                Cell::new(converter.post_process.name()),
                Cell::maybe(converter.archive.archives().then_some(retention)),
            ]
        })
        .collect();
    let mut text = Table::new(&columns, context.canvas()).page(&rows);
    if let Some(store) = shared {
        let line = format!("store: {}\n", escape(&from_here(store)));
        text += &line;
    }
    for converter in &config.converters {
        let sandbox = &converter.converter.bounds.sandbox;
        if *sandbox != Sandbox::Off {
            let name = escape(&converter.converter.name);
            let line = format!("sandbox of {name}: {}\n", sandbox.enforcement());
            text += &line;
        }
        let bounds = &converter.converter.bounds;
        if bounds.network == Network::None || bounds.run_as.is_some() {
            let name = escape(&converter.converter.name);
            let held = bounds.enforced().join(" ");
            let line = format!("enforced on {name}: {}\n", escape(&held));
            text += &line;
        }
    }
    text
}
