//! `annals reprocess --dry-run`: shows what would run.

use crate::cli::render::{Cell, Column, Table, count, counted, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::convert::{ConverterLabel, ReprocessPlan};
use crate::service::reprocess::Planned;
use crate::{Error, ErrorKind};

pub(super) fn tell_plan(plan: &ReprocessPlan, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if context.json() {
        context.print_json(&Planned::of(plan))?;
        return Ok(exit_of(plan));
    }
    let columns = [
        Column::right("ENTRIES"),
        Column::clipped("LAST CONVERTED BY").kept(),
        Column::left("IDENTITY"),
        Column::clipped("WOULD BE CONVERTED BY").kept(),
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
    for run in &plan.runs {
        if let Some(told) = &run.environment {
            let entries = counted(run.entries, "entry", "entries");
            context.print(format!("{entries}: {}\n", escape(told)))?;
        }
    }
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

/// Returns the error for a converter that cannot run, which does not count as a failure of the
/// entries.
pub(super) fn cannot_run(entries: u64, reason: &str) -> Error {
    let entries = counted(entries, "entry is", "entries are");
    Error::new(
        ErrorKind::Converter,
        format!("{entries} not tried: {reason}"),
    )
    .hint("see what the converter lacks on this machine; `annals host check` looks for its program")
}

fn in_words(label: &ConverterLabel) -> String {
    let version = label.version.as_deref().unwrap_or_default();
    format!("{} {version}", label.converter)
        .trim_end()
        .to_owned()
}

pub(super) fn identity(label: &ConverterLabel) -> Option<String> {
    label.converter_id.map(|id| format!("{id:.12}"))
}
