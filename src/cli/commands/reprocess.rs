//! `annals reprocess`: converters again, over any selection, and what that changes.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::ValueEnum;
use crossbeam_channel::{Sender, bounded};
use serde::Serialize;

use crate::archive::{Access, Archive};
use crate::cli::args::{Filters, Selected};
use crate::cli::content::no_entry;
use crate::cli::context::Context;
use crate::cli::differences::{Differences, PlaceObject};
use crate::cli::exit::{Exit, Failure};
use crate::cli::hearing::hear;
use crate::cli::render::{Cell, Column, Style, Table, count, counted, duration, escape, facts};
use crate::cli::selection::{
    nothing_selected, refuse_unknown_converters, refuse_unknown_version,
};
use crate::cli::{reasons, store};
use crate::convert::{
    Converter, ConverterLabel, OnError, Params, Ramp, Reprocess,
    ReprocessPlan, ReprocessResult, Resend, Selection, Step, StepOutcome, Verdict, Which, plan,
    reprocess_by_ramp, select,
};
use crate::host::Config;
use crate::id::EntryId;
use crate::query::Filter;
use crate::{Error, ErrorKind};

/// Entries after which a ramp asks.
const PAUSES: [usize; 2] = [1, 10];
/// Entries listed by name where only some are.
const LISTED_MAX: usize = 8;

/// Run converters again over archived sources, and tell what changes
///
/// Each run is a new attempt beside the earlier ones; nothing is overwritten. Nothing is submitted unless --submit says so;
/// then the new reports wait in the store until `annals host run` sends them.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "replay",
    after_help = "\
Examples:
  annals --config host.toml reprocess -c 'ICT CSV' --from 2026-03-01 --dry-run
  annals --config host.toml reprocess -c 'ICT CSV' --from 2026-03-01 --ramp --reason 'new limits'
  annals reprocess 4711 --converter-version recorded --compare-only --fail-on-change

Exit code 1: a converter cannot run; 3: some entries failed; 4: nothing selected or compared; 6: changes."
)]
pub(crate) struct Args {
    /// Entries by id; or use filters
    #[arg(value_name = "ID")]
    ids: Vec<EntryId>,
    /// recorded: the one that ran last, from its archived files; current: the one configured now; else a configured
    /// converter's name, or a recorded version or identity
    #[arg(long, value_name = "WHICH", default_value = "current")]
    converter_version: String,
    /// Which arguments it is given [default: recorded with a recorded converter, else current]
    #[arg(long)]
    params: Option<ParamsArg>,
    /// Which new reports `annals host run` is to submit
    #[arg(long, default_value = "none")]
    submit: Submit,
    /// What a failed attempt means for the rest
    #[arg(long, default_value = "skip")]
    on_error: OnErrorArg,
    /// Conversions at a time [default: max_concurrent of the configuration, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Conversions a second at the most, such as 5/s or 0.5
    #[arg(long, value_name = "N/s")]
    rate: Option<Rate>,
    /// Stop after 1 and after 10 entries, and ask whether to go on
    #[arg(long)]
    ramp: bool,
    /// Say what would run, and run nothing
    #[arg(long, conflicts_with_all = ["compare_only", "ramp", "fail_on_change"])]
    dry_run: bool,
    /// Run and compare, but record nothing
    #[arg(long)]
    compare_only: bool,
    /// Exit code 6 when anything changed
    #[arg(long)]
    fail_on_change: bool,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    filters: Filters,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ParamsArg {
    Recorded,
    Current,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnErrorArg {
    /// Go on with the next entry
    Skip,
    /// Take no further entries
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Submit {
    /// None
    None,
    /// Those that differ from the report before, or have none before them
    Changed,
    /// All
    All,
}

/// Conversions a second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate(f64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix("/s").unwrap_or(text);
        number
            .parse()
            .ok()
            .filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
            .map(Self)
            .ok_or_else(|| "expected a number above 0, such as 5/s or 0.5".to_owned())
    }
}

/// What a run came to, for programs.
#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(flatten)]
    result: &'a ReprocessResult,
    compare_only: bool,
    fixed_ids: &'a [EntryId],
    broken_ids: &'a [EntryId],
    differences: Vec<PlaceObject<'a>>,
}

/// What a dry run comes to: the members of an outcome that are known, and the plan.
#[derive(Serialize)]
struct Planned<'a> {
    dry_run: bool,
    #[serde(flatten)]
    plan: &'a ReprocessPlan,
}

/// What a job tells while it runs.
enum News {
    Step(Step),
    /// Shall it go on?
    Pause(ReprocessResult, Sender<bool>),
}

/// What is gathered from the steps of a job.
#[derive(Default)]
struct Findings {
    differences: Differences,
    fixed: Vec<EntryId>,
    broken: Vec<EntryId>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let filter = args.filters.to_filter(context)?;
    let selected = Selected::of(args.ids.clone(), filter)?;
    let config = match store::config_file(&context.globals, context.surroundings()) {
        Some(_) => Some(context.configuration()?),
        None => None,
    };
    let options = options(&args, config.as_ref())?;
    let converters: Vec<Converter> = config
        .iter()
        .flat_map(|config| &config.converters)
        .map(|config| config.converter.clone())
        .collect();
    let only_looks = args.dry_run || args.compare_only;
    let archive = context.open(if only_looks {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    })?;
    let selection = selection(&archive, selected, config.as_ref())?;
    if let Which::Named(name) = &options.which {
        refuse_unknown_version(name, &archive, config.as_ref())?;
    }
    if args.dry_run {
        let plan = plan(&archive, &selection, &converters, &options)?;
        return tell_plan(&plan, context);
    }
    let (result, mut findings) = run_job(&archive, &selection, &converters, &options, &args, context)?;
    let closed = archive.close();
    context.meter.clear();
    // Steps end in any order.
    findings.fixed.sort_unstable();
    findings.broken.sort_unstable();
    let exit = tell_outcome(&result, &findings, &args, context)?;
    closed?;
    Ok(exit)
}

/// Where the reports of each converter go.
fn endpoints(args: &Args, config: Option<&Config>) -> Result<BTreeMap<String, String>, Error> {
    let converters = config.iter().flat_map(|config| &config.converters);
    let endpoints: BTreeMap<String, String> = converters
        .filter_map(|config| {
            let submit = config.submit.as_ref()?;
            Some((config.converter.name.clone(), submit.endpoint()))
        })
        .collect();
    if args.submit == Submit::None {
        return Ok(endpoints);
    }
    if args.compare_only {
        return Err(Error::new(
            ErrorKind::Invalid,
            "--compare-only records nothing, so there is no report to submit",
        )
        .hint("leave out one of --compare-only and --submit"));
    }
    if endpoints.is_empty() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "no converter is configured to submit its reports",
        )
        .hint("add --config FILE with a [converter.submit]"));
    }
    Ok(endpoints)
}

fn options(args: &Args, config: Option<&Config>) -> Result<Reprocess, Error> {
    let which = match args.converter_version.as_str() {
        "recorded" => Which::Recorded,
        "current" => Which::Current,
        name => Which::Named(name.to_owned()),
    };
    if which == Which::Current && config.is_none() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "the current converters are those of a configuration, and none is named",
        )
        .hint("add --config FILE, or --converter-version recorded"));
    }
    let recorded = args
        .params
        .map_or(which == Which::Recorded, |params| params == ParamsArg::Recorded);
    let params = if recorded {
        Params::Recorded
    } else {
        Params::Current
    };
    let configured = config.map_or(1, |config| config.max_concurrent);
    Ok(Reprocess {
        which,
        params,
        on_error: match args.on_error {
            OnErrorArg::Skip => OnError::Skip,
            OnErrorArg::Stop => OnError::Stop,
        },
        jobs: args.jobs.map_or(configured, usize::from),
        rate: args.rate.map(|rate| rate.0),
        compare_only: args.compare_only,
        resend: match args.submit {
            Submit::None => Resend::None,
            Submit::Changed => Resend::Changed,
            Submit::All => Resend::All,
        },
        endpoints: endpoints(args, config)?,
        reason: args.reason.clone(),
        resume: None,
        scratch: std::env::temp_dir(),
    })
}

/// The entries meant. No entry at all, and one that was named and does not exist, is refused before
/// anything runs: a gate that looked at nothing must not open.
fn selection(
    archive: &Archive,
    selected: Selected,
    config: Option<&Config>,
) -> Result<Selection, Error> {
    let mut ids = match selected {
        Selected::Filter(filter) => {
            refuse_unknown_converters(&filter, &archive.snapshot()?, config)?;
            let selection = select(archive, &filter)?;
            return if selection.ids.is_empty() {
                Err(nothing_selected())
            } else {
                Ok(selection)
            };
        }
        Selected::Ids(ids) => ids,
    };
    ids.sort_unstable();
    ids.dedup();
    let snapshot = archive.snapshot()?;
    for &id in &ids {
        if snapshot.entry(id)?.is_none() {
            return Err(no_entry(id));
        }
    }
    let named = Filter {
        ids: ids.clone(),
        ..Filter::default()
    };
    let description = serde_json::to_string(&named).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the ids cannot be written down").caused_by(error)
    })?;
    Ok(Selection { description, ids })
}

fn run_job(
    archive: &Archive,
    selection: &Selection,
    converters: &[Converter],
    options: &Reprocess,
    args: &Args,
    context: &mut Context<'_>,
) -> Result<(ReprocessResult, Findings), Failure> {
    let cancel = context.cancel_by_signal();
    let mut findings = Findings::default();
    let work = |tell: &Sender<News>| {
        let on_step = |step: &Step| {
            // Nobody hears it only when the job is cancelled anyway.
            let _ = tell.send(News::Step(step.clone()));
        };
        let mut ask = |so_far: &ReprocessResult| {
            let (answer, answered) = bounded(1);
            tell.send(News::Pause(so_far.clone(), answer)).is_ok()
                && answered.recv().unwrap_or(false)
        };
        let ramp = Ramp {
            pauses: if args.ramp { &PAUSES } else { &[] },
            go_on: &mut ask,
        };
        reprocess_by_ramp(
            archive, selection, converters, options, &cancel, &on_step, ramp,
        )
    };
    let result = hear(&cancel, work, |news| {
        match news {
            News::Step(step) => {
                findings.add(&step);
                context.meter.report(step.done, step.total, "converting");
                if context.globals.verbose && !context.json() {
                    let line = step_line(&step);
                    context.print(line)?;
                }
            }
            News::Pause(so_far, answer) => {
                let _ = answer.send(shall_go_on(&so_far, context)?);
            }
        }
        Ok(())
    })??;
    Ok((result, findings))
}

/// A job that is not to go on is no error: what was done is done, and told.
fn shall_go_on(so_far: &ReprocessResult, context: &mut Context<'_>) -> Result<bool, Failure> {
    context.meter.clear();
    context.flush()?;
    let question = format!(
        "{} of {} done: {} unchanged, {} changed, {} fixed, {} broken, {} failed; go on?",
        count(so_far.processed + so_far.skipped),
        counted(so_far.total, "entry", "entries"),
        count(so_far.unchanged),
        count(so_far.changed),
        count(so_far.fixed),
        count(so_far.broken),
        count(so_far.failed)
    );
    match context.confirm(&question) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Refused => {
            let done = counted(so_far.processed + so_far.skipped, "entry", "entries");
            let kept = match so_far.job {
                Some(job) => format!("what was done is recorded as job {job}"),
                None => "nothing was recorded".to_owned(),
            };
            context.warn(format_args!(
                "stopped after {done}, because nobody said yes (--yes goes on without asking); \
                 {kept}"
            ));
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

impl Findings {
    fn add(&mut self, step: &Step) {
        let StepOutcome::Ran {
            verdict,
            difference,
            ..
        } = &step.outcome
        else {
            return;
        };
        self.differences.add(step.entry, &difference.changes);
        match verdict {
            Some(Verdict::Fixed) => self.fixed.push(step.entry),
            Some(Verdict::Broken) => self.broken.push(step.entry),
            Some(Verdict::Unchanged | Verdict::Changed) | None => {}
        }
    }
}

/// `31  changed  success, attempt 2`.
fn step_line(step: &Step) -> String {
    let words = match &step.outcome {
        StepOutcome::Ran {
            attempt,
            outcome,
            error,
            verdict,
            ..
        } => {
            let verdict = match verdict {
                None => "first",
                Some(Verdict::Unchanged) => "unchanged",
                Some(Verdict::Changed) => "changed",
                Some(Verdict::Fixed) => "fixed",
                Some(Verdict::Broken) => "broken",
            };
            let attempt = attempt.map(|attempt| format!(", attempt {attempt}"));
            let error = error.as_deref().map(|error| format!(": {}", escape(error)));
            format!(
                "{verdict:<9}  {outcome}{}{}",
                attempt.unwrap_or_default(),
                error.unwrap_or_default()
            )
        }
        StepOutcome::Skipped { reason } => format!("{:<9}  {}", "skipped", escape(reason)),
        StepOutcome::Error { reason } => format!("{:<9}  {}", "error", escape(reason)),
        StepOutcome::NotTried { reason } => format!("{:<9}  {}", "not tried", escape(reason)),
        StepOutcome::Earlier { outcome } => format!("{:<9}  {outcome}", "earlier"),
    };
    format!("{:>8}  {words}\n", step.entry)
}

fn tell_plan(plan: &ReprocessPlan, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if context.json() {
        context.print_json(&Planned {
            dry_run: true,
            plan,
        })?;
        return Ok(exit_of(plan));
    }
    let columns = [
        Column::right("ENTRIES"),
        Column::clipped("LAST CONVERTED BY"),
        Column::left("IDENTITY"),
        Column::clipped("WOULD BE CONVERTED BY"),
        Column::left("IDENTITY"),
    ];
    let rows: Vec<_> = plan
        .runs
        .iter()
        .map(|run| {
            let before = run.before.as_ref();
            vec![
                Cell::new(count(run.entries)),
                Cell::maybe(before.map(in_words)),
                Cell::maybe(before.and_then(identity)),
                Cell::new(in_words(&run.now)),
                Cell::maybe(identity(&run.now)),
            ]
        })
        .collect();
    let canvas = context.canvas();
    context.print(Table::new(&columns, canvas).page(&rows))?;
    for skip in &plan.skipped {
        context.print(format!(
            "{} passed over: {}\n",
            counted(skip.entries, "entry", "entries"),
            escape(&skip.reason)
        ))?;
    }
    let would: u64 = plan.runs.iter().map(|run| run.entries).sum();
    context.print(format!(
        "would convert {} of {}\n",
        count(would),
        counted(plan.total, "entry", "entries")
    ))?;
    for blocked in &plan.blocked {
        context.error(&cannot_run(blocked.entries, &blocked.reason));
    }
    Ok(exit_of(plan))
}

fn exit_of(plan: &ReprocessPlan) -> Exit {
    if plan.blocked.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    }
}

/// A converter that cannot run is no failure of the entries.
fn cannot_run(entries: u64, reason: &str) -> Error {
    let entries = counted(entries, "entry is", "entries are");
    Error::new(ErrorKind::Converter, format!("{entries} not tried: {reason}"))
        .hint("see what the converter lacks on this machine; `annals host check` looks for its program")
}

fn in_words(label: &ConverterLabel) -> String {
    let version = label.version.as_deref().unwrap_or_default();
    format!("{} {version}", label.converter)
        .trim_end()
        .to_owned()
}

fn identity(label: &ConverterLabel) -> Option<String> {
    label.converter_id.map(|id| format!("{id:.12}"))
}

fn tell_outcome(
    result: &ReprocessResult,
    findings: &Findings,
    args: &Args,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if context.json() {
        context.print_json(&Outcome {
            result,
            compare_only: args.compare_only,
            fixed_ids: &findings.fixed,
            broken_ids: &findings.broken,
            differences: findings.differences.objects(),
        })?;
    } else {
        let text = page(result, findings, args, context);
        context.print(text)?;
        if let Some(job) = result
                .job
                .filter(|_| result.failed + result.skipped + result.not_tried > 0) {
            context.note(format_args!("every failure and its reason: annals job show {job}"));
        }
    }
    if let Some(why) = &result.end_error {
        let unended = format!("the attempts are on record, but the end of the job is not: {why}");
        context.error(
            &Error::new(ErrorKind::Io, unended)
                .hint("open the store again; 'annals job list' shows the job as interrupted"),
        );
    }
    if result.not_tried > 0 {
        context.error(&cannot_run(result.not_tried, &result.blocked.join("; ")));
        return Ok(Exit::Failed);
    }
    let compared = result.unchanged + result.changed + result.fixed + result.broken;
    if args.fail_on_change && compared == 0 && result.first > 0 {
        return Err(Error::new(
            ErrorKind::NotFound,
            "nothing was compared: no entry that ran has an attempt before",
        )
        .hint("leave out --fail-on-change, or select entries that were converted before")
        .into());
    }
    let differs = result.changed + result.fixed + result.broken > 0;
    Ok(if args.fail_on_change && differs {
        Exit::Damaged
    } else if result.failed + result.skipped > 0
        || result.interrupted
        || result.end_error.is_some()
    {
        Exit::Partial
    } else {
        Exit::Done
    })
}

fn page(
    result: &ReprocessResult,
    findings: &Findings,
    args: &Args,
    context: &Context<'_>,
) -> String {
    let canvas = context.canvas();
    let (title, after) = match result.job {
        Some(job) => (format!("Job {job}"), ""),
        None if args.compare_only => ("Compared".to_owned(), ", nothing recorded"),
        None => ("Reprocessed".to_owned(), ""),
    };
    let stopped = if result.interrupted {
        ", stopped before its end"
    } else {
        ""
    };
    let mut text = format!(
        "{}  {} in {}{after}{stopped}\n",
        Style::Bold.paint(&title, canvas.colour),
        counted(result.total, "entry", "entries"),
        duration(result.duration_ms),
    );
    let with_ids = |number: u64, ids: &[EntryId]| {
        let listed: Vec<String> = ids
            .iter()
            .take(LISTED_MAX)
            .map(ToString::to_string)
            .collect();
        let more = if ids.len() > LISTED_MAX { ", ..." } else { "" };
        match listed.len() {
            0 => count(number),
            _ => format!("{}: {}{more}", count(number), listed.join(", ")),
        }
    };
    let mut known = vec![
        ("successful", count(result.successful)),
        ("failed", count(result.failed)),
    ];
    if result.not_tried > 0 {
        known.push(("not tried", count(result.not_tried)));
    }
    if result.skipped > 0 {
        known.push(("passed over", count(result.skipped)));
    }
    if result.first > 0 {
        known.push(("never converted before", count(result.first)));
    }
    known.extend([
        ("unchanged", count(result.unchanged)),
        ("changed", count(result.changed)),
        ("fixed", with_ids(result.fixed, &findings.fixed)),
        ("broken", with_ids(result.broken, &findings.broken)),
    ]);
    if args.submit != Submit::None {
        known.push(("to be submitted", count(result.submitted)));
    }
    text += &facts(known, canvas);
    let table = findings.differences.table(canvas);
    if !table.is_empty() {
        text.push('\n');
        text += &table;
    }
    let errors = result.errors.iter();
    text + &reasons::table(errors.map(|error| (error.id, error.error.as_str())), canvas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_above_nothing() {
        assert_eq!("5/s".parse(), Ok(Rate(5.0)));
        assert_eq!("0.5".parse(), Ok(Rate(0.5)));
        for wrong in ["0", "-1/s", "inf", "NaN", "5/min", "/s", ""] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
