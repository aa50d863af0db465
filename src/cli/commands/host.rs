//! `annals host`: the converter host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use crossbeam_channel::Sender;
use serde::Serialize;

use crate::archive::{Access, Archive};
use crate::cli::commands::Reach;
use crate::cli::context::{Context, path_text};
use crate::cli::exit::{Exit, Failure};
use crate::cli::hearing::hear;
use crate::cli::owner::{self, Endpoint, State, Watch};
use crate::cli::render::{
    Cell, Column, Style, Table, count, counted, duration, escape, facts, size,
};
use crate::cli::store;
use crate::convert::Sandbox;
use crate::entry::Outcome;
use crate::host::{Archives, Config, ConverterConfig, Hooks, Host, Notice, RunSummary, Submit, run_once};
use crate::id::EntryId;
use crate::time::{Clock, SystemClock};
use crate::{Error, ErrorKind};

/// Between two passes over the watch folders.
const PAUSE: Duration = Duration::from_secs(1);

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
The store is --store, ANNALS_STORE or store.path of FILE. Reports of converters with a [converter.submit] wait in the store \
until the server takes them; with --once each is sent once.

Exit code 3 when some files could not be converted, or some reports not submitted; they are archived like the others.")]
struct Run {
    /// The configuration
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// One pass over all folders, then end
    #[arg(long)]
    once: bool,
}

/// Say whether a host owns the store, and how it is
///
/// Exit code 4 when none does, 11 when one does and does not answer.
#[derive(Debug, clap::Args)]
struct Status {}

/// Check a configuration, and that its folders and files are there
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 2 for an invalid configuration, 1 when something it names is not there.")]
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
    /// A line for everybody.
    Told(String),
    Converted {
        converter: String,
        outcome: Outcome,
    },
    Trouble(String),
    Passed(Box<RunSummary>),
}

fn run_host(args: Run, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = store::load(&args.file)?;
    context.globals.config = Some(args.file);
    for warning in &config.warnings {
        context.warn(warning);
    }
    let archives = open_stores(&config, context)?;
    let state = Arc::new(State::new(
        context.now(),
        path_text(&config.path),
        watches(&config),
    ));
    let endpoints = answer_for(&archives, &state, context);
    let cancel = context.cancel_by_signal();
    let mut tally = Tally::new(state);
    let once = args.once;
    if !once {
        context.note(format_args!(
            "watching {}; stop with Ctrl-C",
            counted(watched(&config).count() as u64, "folder", "folders")
        ));
    }
    let stores: Vec<Archive> = archives.iter().cloned().collect();
    let work = |tell: &Sender<News>| {
        let notice = |notice: &Notice<'_>| {
            if let Some(news) = news(notice, once) {
                // Nobody hears it only when the host is cancelled anyway.
                let _ = tell.send(news);
            }
        };
        let hooks = Hooks { notice: &notice };
        if once {
            return run_once(archives, config, &cancel, &hooks).map(|_| ());
        }
        Host::new(archives, config)?.run(PAUSE, &cancel, &hooks);
        Ok(())
    };
    hear(&cancel, work, |news| tally.hear(news, once, context))??;
    // Who still asks something is told that the host ends, before its stores do.
    drop(endpoints);
    for archive in stores {
        archive.close()?;
    }
    context.meter.clear();
    Ok(tally.exit())
}

/// What a notice is to the people and programs outside; most files of most passes are none of their business.
fn news(notice: &Notice<'_>, once: bool) -> Option<News> {
    let shown = |path: &Path| path_text(path);
    Some(match notice {
        Notice::Archived {
            path,
            entry,
            existing: false,
        } => News::Line(format!("archived {} as entry {entry}", shown(path))),
        Notice::Converted {
            path,
            converter,
            conversion,
            ..
        } => {
            let outcome = conversion.outcome;
            if !once && outcome != Outcome::Success {
                let why = conversion.error.as_deref().unwrap_or("no reason given");
                return Some(News::Trouble(format!(
                    "{}: {outcome} by {converter}: {why}",
                    shown(path)
                )));
            }
            News::Converted {
                converter: (*converter).to_owned(),
                outcome,
            }
        }
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
        Notice::Expired { converter, expired } => News::Told(format!(
            "retention: {} of {converter} purged, {} freed",
            counted(expired.outcome.archives_purged, "entry", "entries"),
            size(expired.outcome.bytes_freed)
        )),
        Notice::RetentionFailed { converter, error } => {
            News::Trouble(format!("retention of {converter}: {error}"))
        }
        Notice::Trouble { path, error } => News::Trouble(format!("{}: {error}", shown(path))),
        Notice::Left { path, why } if once => {
            News::Line(format!("left {}: {why}", shown(path)))
        }
        Notice::Passed(summary) => News::Passed(Box::new((*summary).clone())),
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

    fn hear(&mut self, news: News, once: bool, context: &mut Context<'_>) -> Result<(), Failure> {
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
            News::Told(line) => context.note(escape(&line)),
            News::Trouble(line) => context.warn(line),
            News::Passed(summary) => {
                context.meter.clear();
                self.passed(*summary, once, context)?;
            }
        }
        Ok(())
    }

    fn passed(
        &mut self,
        summary: RunSummary,
        once: bool,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        self.state.passed(&summary, SystemClock.now());
        let sent = summary.reports_submitted + summary.reports_rejected;
        let something = summary.archived + summary.converted + sent > 0;
        if context.json() {
            if once || something || !summary.errors.is_empty() {
                context.print_json(&summary)?;
                context.flush()?;
            }
        } else if once {
            let table = self.table(context);
            context.print(table)?;
            context.print(in_words(&summary))?;
        } else if something {
            let line = in_words(&summary);
            context.print(line)?;
            context.flush()?;
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
        let summary = &self.last;
        let good = summary.successful
            + summary.skipped
            + summary.suspended
            + summary.known
            + summary.reports_submitted;
        if summary.failed + summary.rejected + summary.reports_rejected > 0 {
            Exit::Partial
        } else if summary.errors.is_empty() {
            Exit::Done
        } else if good > 0 {
            Exit::Partial
        } else {
            Exit::Failed
        }
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
fn answer_for(
    archives: &Archives,
    state: &Arc<State>,
    context: &mut Context<'_>,
) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for archive in archives.iter() {
        match Endpoint::open(archive, state) {
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
    status: Option<&'a owner::Status>,
}

fn status(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let dir = context.path(&context.locate()?);
    let status = context.owner().map(|owner| owner.state.status());
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
    if status.is_some() {
        return Ok(Exit::Done);
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

fn status_page(status: &owner::Status, dir: &Path, context: &Context<'_>) -> String {
    let canvas = context.canvas();
    let zone = context.zone();
    let passed = status.passed_at.map_or_else(String::new, |at| format!(", the last at {}", zone.long(at)));
    let work = status.last_work.as_ref().map_or_else(
        || "nothing yet".to_owned(),
        |work| format!("{}: {}", zone.long(work.at), in_words(&work.summary).trim_end()),
    );
    let known = facts(
        [
            ("store", path_text(dir)),
            ("process", format!("{}, annals {}", status.pid, status.version)),
            ("since", zone.long(status.since)),
            ("configuration", status.config.clone()),
            ("passes", format!("{}{passed}", count(status.passes))),
            ("last work", work),
        ],
        canvas,
    );
    let title = Style::Good.paint("a host runs", canvas.colour);
    let columns = [Column::clipped("CONVERTER"), Column::left("WATCHES")];
    let rows: Vec<_> = status
        .watches
        .iter()
        .map(|watch| vec![Cell::new(&watch.converter), Cell::new(&watch.folder)])
        .collect();
    format!("{title}\n{known}\n{}", Table::new(&columns, canvas).page(&rows))
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
        owner::refuse_if_owned(&context.locate()?, what)?;
        Some(context.open(Access::ReadWrite)?)
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
        let archive = Archive::open(folder, context.options(Access::ReadWrite))?;
        archives = archives.with_own(folder.to_owned(), archive);
        opened.push(folder);
    }
    Ok(archives)
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
    mode: &'static str,
    post_process: &'static str,
    archives: bool,
    retention: String,
    sandbox: String,
    submits_to: Option<String>,
}

fn check(args: &Check, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = store::load(&args.file)?;
    context.globals.config = Some(args.file.clone());
    let mut missing = config.survey();
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
        mode: config.converter.mode.name(),
        post_process: config.post_process.name(),
        archives: config.archive.archives(),
        retention: config.archive.retention.to_string(),
        sandbox: config.converter.bounds.sandbox.enforcement().to_string(),
        submits_to: config.submit.as_ref().map(Submit::endpoint),
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
                Cell::new(converter.patterns().join(" ")),
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
    }
    text
}
