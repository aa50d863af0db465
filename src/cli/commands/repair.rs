//! `annals repair`: makes a damaged store usable, from whatever of it can still be read.

use serde::Serialize;

use crate::archive::{Access, Archive, RepairOutcome, RepairPlan, RepairUndo, UndoPlan};
use crate::cli::owner;
use crate::cli::render::{Cell, Column, Style, Table, counted};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EventSeq;

/// Mend a damaged store: keep what is left, record what is lost
///
/// Damaged files are copied to quarantine/ in the store before they are rebuilt; nothing is
/// deleted. Exit code 3 when something was lost for good; with --dry-run, 6 when there is something
/// to mend. --undo takes the newest repair back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals repair --dry-run
  annals repair
  annals repair --undo")]
pub(crate) struct Args {
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    /// Take the newest repair back: put every file as it was, and set aside what the repair made
    #[arg(long)]
    undo: bool,
}

#[derive(Serialize)]
struct Repaired<'a> {
    #[serde(flatten)]
    outcome: &'a RepairOutcome,
    mends: &'a [crate::archive::Mend],
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let dir = context.locate_trusted(Access::ReadWrite)?;
    owner::refuse_if_owned(&dir, "it cannot be repaired")?;
    let options = context.options(Access::ReadWrite);
    if args.undo {
        let undo = Archive::undo_repair(dir, &options)?;
        return take_back(undo, args.dry_run, context);
    }
    context.meter.begin("examining the store");
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
    context.meter.begin("mending the store");
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
    Ok(if outcome.ok {
        Exit::Done
    } else {
        Exit::Partial
    })
}

/// Undoes the newest repair, or shows what that would do.
fn take_back(
    undo: RepairUndo,
    only_show: bool,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if only_show {
        if context.json() {
            context.print_json(undo.plan())?;
        } else {
            show_undo(undo.plan(), context)?;
        }
        return Ok(Exit::Done);
    }
    let done = undo.apply()?;
    if context.json() {
        context.print_json(&done)?;
        return Ok(Exit::Done);
    }
    show_undo(&done, context)?;
    let canvas = context.canvas();
    let time = context.zone().long(done.time);
    context.print(format!(
        "{}: the repair of {time}; what it made is kept in quarantine/\n",
        Style::Good.paint("taken back", canvas.colour)
    ))?;
    Ok(Exit::Done)
}

fn show_undo(plan: &UndoPlan, context: &mut Context<'_>) -> Result<(), Failure> {
    let canvas = context.canvas();
    let columns = [
        Column::left("FILE"),
        Column::left("UNDO"),
        Column::text("FROM"),
    ];
    let put_back = plan.put_back.iter().map(|file| {
        vec![
            Cell::new(&file.path),
            Cell::new("put back as it was"),
            Cell::new(&file.quarantine),
        ]
    });
    let set_aside = plan.set_aside.iter().map(|path| {
        vec![
            Cell::new(path),
            Cell::new("move to quarantine/"),
            Cell::new(""),
        ]
    });
    let rows: Vec<_> = put_back.chain(set_aside).collect();
    context.print(Table::new(&columns, canvas).page(&rows))
}

fn show(plan: &RepairPlan, context: &mut Context<'_>) -> Result<(), Failure> {
    let canvas = context.canvas();
    if plan.mends.is_empty() {
        let nothing = Style::Good.paint("nothing to repair", canvas.colour);
        return context.print(format!("{nothing}\n"));
    }
    let columns = [
        Column::left("DAMAGED"),
        Column::clipped("WHERE").kept(),
        Column::clipped("DETAIL").kept(),
        Column::text("REPAIR"),
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
        "{}: {}, in quarantine/",
        Style::Good.paint("repaired", canvas.colour),
        counted(
            kept,
            "file is kept as it was",
            "files are kept as they were"
        ),
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
