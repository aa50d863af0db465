//! `annals repair`: makes a damaged store whole again, out of what is left of it.

use serde::Serialize;

use crate::archive::{Access, Archive, RepairOutcome, RepairPlan};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::owner;
use crate::cli::render::{Cell, Column, Style, Table, counted};
use crate::id::EventSeq;

/// Mend a damaged store: keep what can be read, record what is lost
///
/// Damaged files are copied to quarantine/ in the store before they are made anew; nothing is deleted. Exit code 3 when
/// something was lost for good; with --dry-run, 6 when there is something to mend.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals repair --dry-run
  annals repair")]
pub(crate) struct Args {
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Repaired<'a> {
    #[serde(flatten)]
    outcome: &'a RepairOutcome,
    mends: &'a [crate::archive::Mend],
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let dir = context.locate()?;
    owner::refuse_if_owned(&dir, "it cannot be repaired")?;
    let options = context.options(Access::ReadWrite);
    let repair = Archive::repair(dir, options)?;
    let plan = repair.plan().clone();
    context.meter.clear();
    if args.dry_run {
        if context.json() {
            context.print_json(&plan)?;
        } else {
            show(&plan, context)?;
        }
        return Ok(if plan.mends.is_empty() {
            Exit::Done
        } else {
            Exit::Damaged
        });
    }
    if !context.json() {
        show(&plan, context)?;
    }
    let outcome = repair.apply()?;
    context.meter.clear();
    if context.json() {
        context.print_json(&Repaired {
            outcome: &outcome,
            mends: &plan.mends,
        })?;
    } else if !plan.mends.is_empty() {
        tell(&outcome, context)?;
    }
    Ok(if outcome.ok { Exit::Done } else { Exit::Partial })
}

fn show(plan: &RepairPlan, context: &mut Context<'_>) -> Result<(), Failure> {
    let canvas = context.canvas();
    if plan.mends.is_empty() {
        let nothing = Style::Good.paint("nothing to repair", canvas.colour);
        return context.print(format!("{nothing}\n"));
    }
    let columns = [
        Column::left("DAMAGED"),
        Column::left("WHERE"),
        Column::left("DETAIL"),
        Column::left("REPAIR"),
    ];
    let rows: Vec<_> = plan
        .mends
        .iter()
        .map(|mend| {
            vec![
                Cell::new(mend.kind.name()).style(Style::Bad),
                Cell::new(&mend.r#where),
                Cell::new(&mend.detail),
                Cell::new(&mend.action),
            ]
        })
        .collect();
    context.print(Table::new(&columns, canvas).page(&rows))
}

fn tell(outcome: &RepairOutcome, context: &mut Context<'_>) -> Result<(), Failure> {
    let canvas = context.canvas();
    let kept = outcome
        .files
        .iter()
        .filter(|file| file.quarantine.is_some())
        .count() as u64;
    let mut lines = vec![format!(
        "{}: {} as they were, in quarantine/",
        Style::Good.paint("repaired", canvas.colour),
        counted(kept, "file is kept", "files are kept"),
    )];
    if outcome.restored_contents > 0 {
        let number = outcome.restored_contents;
        lines.push(format!(
            "{} found again in the journal",
            counted(number, "content was", "contents were")
        ));
    }
    let found = outcome.found.iter().count() as u64;
    if found > 0 {
        lines.push(format!(
            "{} made of content whose events are lost or cannot be read: \
             annals list --converter \"annals repair\"",
            counted(found, "entry was", "entries were")
        ));
    }
    if !outcome.unreadable_events.is_empty() {
        let span = |(first, last): &(EventSeq, EventSeq)| last.0 + 1 - first.0;
        let events: u64 = outcome.unreadable_events.iter().map(span).sum();
        lines.push(format!(
            "{} cannot be read and is kept as it is in the log: 'annals events' prints it",
            counted(events, "event", "events")
        ));
    }
    if !outcome.lost_events.is_empty() || !outcome.lost_contents.is_empty() {
        let span = |(first, last): &(EventSeq, EventSeq)| last.0 + 1 - first.0;
        let events: u64 = outcome.lost_events.iter().map(span).sum();
        lines.push(format!(
            "{}: {}, {}; 'annals events --type annals.repaired.v1' says which",
            Style::Bad.paint("lost for good", canvas.colour),
            counted(events, "event", "events"),
            counted(outcome.lost_contents.len() as u64, "content", "contents"),
        ));
    }
    if outcome.end_is_lost {
        lines.push(
            "the journal file that was written last was gone: what else it held, if anything, is lost"
                .to_owned(),
        );
    }
    lines.push(String::new());
    context.print(lines.join("\n"))
}
