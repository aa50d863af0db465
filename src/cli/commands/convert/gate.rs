//! `annals convert test`: tests the configured identity of a converter over archived entries.

use serde::Serialize;

use super::configured::configured;
use super::result::cancelled;
use crate::archive::{Access, Archive};
use crate::cli::render::{Cell, Column, Style, Table, count, counted, escape};
use crate::cli::run::{Context, Exit, Failure, work_in_background};
use crate::convert::{
    Converter, GateOptions, GateReport, Selection, Step, Waivers, gate, identity_of, register,
    select,
};
use crate::id::EntryId;
use crate::service::entries::{Filters, nothing_selected};
use crate::{Error, ErrorKind};

/// Broken entries that are listed; `--json` lists more of them.
const BROKEN_SHOWN: usize = 20;

/// Test the configured converter over archived entries, and say whether it may be promoted
///
/// It runs over the entries without recording anything, and each result is compared with what the
/// current identity made. It may be promoted when nothing that worked breaks, or when each
/// exception is waived.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals --config host.toml convert test ICT --over 90d
  annals --config host.toml convert test ICT --over all --part PCB-7 --sample 500
  annals --config host.toml convert test ICT --over 90d --promote

Exit code 6 when it may not be promoted, 4 when no entry is selected.")]
pub(super) struct Test {
    /// The converter, by its name in the configuration
    #[arg(value_name = "NAME")]
    name: String,
    /// Over entries archived since so long ago, such as 90d, or all; further filters narrow it
    #[arg(long, value_name = "AGE", conflicts_with = "from")]
    over: Option<String>,
    /// At most so many of them: the same ones each time, every class and time among them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// As if this entry were waived; may be repeated
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    waive: Vec<EntryId>,
    /// As if entries whose new error has this text were waived; may be repeated
    #[arg(long, value_name = "TEXT")]
    waive_cause: Vec<String>,
    /// Record the promotion if it may be promoted
    #[arg(long, conflicts_with_all = ["waive", "waive_cause"])]
    promote: bool,
    /// Conversions at a time [default: as configured]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    #[command(flatten)]
    filters: Filters,
}

#[derive(Serialize)]
struct Tested<'a> {
    #[serde(flatten)]
    report: &'a GateReport,
    promoted: bool,
}

pub(super) fn test(args: &Test, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let config = context.configuration()?;
    let converter = configured(&config, &args.name)?;
    let archive = context.open(if args.promote {
        Access::ReadWrite
    } else {
        Access::ReadOnly
    })?;
    let selection = selection(args, &archive, context)?;
    let scratch = std::env::temp_dir();
    let candidate = identity_of(converter)?;
    let mut waivers = Waivers::on_record(&archive, &args.name, candidate, context.now())?;
    waivers.entries.clone_from(&args.waive);
    waivers.causes.clone_from(&args.waive_cause);
    let options = GateOptions {
        sample: args
            .sample
            .map(|sample| usize::try_from(sample).unwrap_or(usize::MAX)),
        jobs: args.jobs.map_or(config.max_concurrent, usize::from),
        rate: None,
        waivers,
        scratch: scratch.clone(),
    };
    let report = run(&archive, converter, &selection, &options, context)?;
    let mut promoted = false;
    if args.promote
        && let Some(promotion) = report.promotion()
    {
        if report.current == Some(report.candidate) {
            let told = format!("identity {:.12} is current already", report.candidate);
            return Err(Error::new(ErrorKind::Refused, told).into());
        }
        register(&archive, converter, Some(report.candidate), &scratch)?;
        archive.promote(promotion)?;
        promoted = true;
    }
    let closed = archive.close();
    if context.json() {
        let report = &report;
        context.print_json(&Tested { report, promoted })?;
    } else {
        let page = page(&report, promoted, context);
        context.print(page)?;
    }
    closed?;
    Ok(if report.verdict.may_be_promoted() {
        Exit::Done
    } else {
        Exit::Damaged
    })
}

fn selection(args: &Test, archive: &Archive, context: &Context<'_>) -> Result<Selection, Failure> {
    let mut stated = args.filters.to_filter(context.now(), &context.zone())?;
    let filter = &mut stated.filter;
    if let Some(over) = args.over.as_deref().filter(|over| *over != "all") {
        filter.from = Some(context.when(over)?);
    }
    if filter.converter.is_empty() {
        filter.converter.push(args.name.clone());
    }
    let selection = select(archive, &stated.in_store(&context.desk(archive))?)?;
    if selection.ids.is_empty() {
        return Err(nothing_selected().into());
    }
    Ok(selection)
}

fn run(
    archive: &Archive,
    converter: &Converter,
    selection: &Selection,
    options: &GateOptions,
    context: &mut Context<'_>,
) -> Result<GateReport, Failure> {
    let cancel = context.cancel_by_signal();
    let current = archive.promoted(&converter.name)?;
    let work = |tell: &crossbeam_channel::Sender<(u64, u64)>| {
        let on_step = |step: &Step| {
            // Sending fails only when the test is being cancelled.
            let _ = tell.send((step.done, step.total));
        };
        gate(
            archive, converter, current, selection, options, &cancel, &on_step,
        )
    };
    let report = work_in_background(&cancel, work, |(done, total)| {
        context.meter.report(done, total, "converting");
        Ok(())
    })??;
    context.meter.clear();
    Ok(report.ok_or_else(cancelled)?)
}

fn page(report: &GateReport, promoted: bool, context: &Context<'_>) -> String {
    let found = &report.evidence;
    let canvas = context.canvas();
    let current = report.current.map_or_else(
        || "the attempts on record".to_owned(),
        |id| format!("identity {id:.12}"),
    );
    let mut text = format!(
        "{} {:.12} against {current}, over {} of {}\n\n",
        escape(&report.converter),
        report.candidate,
        count(found.tried),
        counted(found.selected, "entry", "entries"),
    );
    let columns = [Column::left("RESULT"), Column::right("ENTRIES")];
    let mut rows = Vec::new();
    for (word, number) in [
        ("unchanged", found.unchanged),
        ("changed", found.changed),
        ("fixed", found.fixed),
        ("broken", found.broken),
        ("still failing", found.still_failing),
        ("never converted before", found.first),
        ("not tried", found.untried),
    ] {
        let is_usual = !matches!(word, "never converted before" | "not tried");
        if is_usual || number > 0 {
            rows.push(vec![Cell::new(word), Cell::new(count(number))]);
        }
    }
    text += &Table::new(&columns, canvas).page(&rows);
    if !report.broken.is_empty() {
        text += "\n";
        text += &broken(report, context);
    }
    let style = if report.verdict.may_be_promoted() {
        Style::Good
    } else {
        Style::Bad
    };
    let verdict = if promoted {
        "promoted".to_owned()
    } else {
        report.verdict.to_string()
    };
    text + "\n" + &style.paint(&escape(&verdict), canvas.colour) + "\n"
}

/// Lists the first entries that break.
fn broken(report: &GateReport, context: &Context<'_>) -> String {
    let columns = [
        Column::right("BROKEN"),
        Column::left("BEFORE"),
        Column::left("NOW"),
        Column::left("WAIVED"),
        Column::text("ERROR"),
    ];
    let rows: Vec<_> = report
        .broken
        .iter()
        .take(BROKEN_SHOWN)
        .map(|entry| {
            let waived = match (entry.waiver, entry.waived) {
                (Some(waiver), _) => waiver.to_string(),
                (None, true) => "here only".to_owned(),
                (None, false) => "no".to_owned(),
            };
            vec![
                Cell::new(entry.id.to_string()),
                Cell::new(entry.before.name()),
                Cell::new(entry.now.name()),
                Cell::new(waived),
                Cell::maybe(entry.error.as_deref()),
            ]
        })
        .collect();
    let text = Table::new(&columns, context.canvas()).page(&rows);
    match report.evidence.broken.saturating_sub(rows.len() as u64) {
        0 => text,
        more => format!("{text}and {} more; --json lists them\n", count(more)),
    }
}
