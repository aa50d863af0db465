//! `annals review`: shows what happened in a range of the log, and records that it was reviewed.

use std::collections::BTreeMap;

use crate::archive::{Access, ReviewPlan};
use crate::cli::render::{Cell, Column, Table, count, counted};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::Verdict;
use crate::service::evidence::{ReviewAnswer, edge};
use crate::service::objects::bare;

/// See what happened since the last review, and record yours
///
/// Prints how many events of each type there are, and the purges, holds, notes, keys and the like
/// one by one. Without --verdict, or with --dry-run, nothing is recorded. The reviewer is the
/// account that runs this.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals review
  annals review --verdict accepted --reason 'weekly review'
  annals review --from 4711 --to 4800 --verdict finding --reason 'purge without a ticket'")]
pub(crate) struct Args {
    /// The first event, or a date [default: after the last review]
    #[arg(long, value_name = "SEQ|DATE")]
    from: Option<String>,
    /// The last event, or the date before which it ends [default: the newest event]
    #[arg(long, value_name = "SEQ|DATE")]
    to: Option<String>,
    /// accepted, or finding: record the review
    #[arg(long, requires = "reason")]
    verdict: Option<Verdict>,
    /// What you have to say about it; recorded for good
    #[arg(long, value_name = "TEXT", requires = "verdict")]
    reason: Option<String>,
    /// Only look
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let judged = args.verdict.zip(args.reason).filter(|_| !args.dry_run);
    let archive = context.open(match judged {
        Some(_) => Access::ReadWrite,
        None => Access::ReadOnly,
    })?;
    let desk = context.desk(&archive);
    let edge = |text: &Option<String>| text.as_deref().map(|text| edge(text, &desk)).transpose();
    let (from, to) = (edge(&args.from)?, edge(&args.to)?);
    let mut plan = archive.plan_review(from, to)?;
    let recorded = match &judged {
        Some((verdict, reason)) => Some(archive.record_review(&plan, *verdict, reason)?),
        None => None,
    };
    archive.close()?;
    let zone = context.zone();
    for notable in &mut plan.notable {
        notable.time = notable.time.map(|time| zone.exact(time));
    }
    if context.json() {
        context.print_json(&ReviewAnswer {
            plan: &plan,
            verdict: judged.as_ref().map(|(verdict, _)| verdict.name()),
            recorded,
        })?;
        return Ok(Exit::Done);
    }
    print(&plan, context)?;
    if let (Some(seq), Some((verdict, _))) = (recorded, &judged) {
        context.print(format!(
            "\nevents {} to {} reviewed: {} (event {seq})\n",
            plan.from,
            plan.to,
            verdict.name()
        ))?;
    }
    if let Some((first, last)) = plan.left_out {
        context.note(format_args!(
            "events {first} to {last} are in neither this review nor the last one"
        ));
    }
    Ok(Exit::Done)
}

/// Returns a name as it is.
fn same(name: &str) -> &str {
    name
}

fn print(plan: &ReviewPlan, context: &mut Context<'_>) -> Result<(), Failure> {
    let since = match plan.last_review {
        Some(review) => format!("the last review is event {review}"),
        None => "there was no review before".to_owned(),
    };
    let events = plan.to.0 - plan.from.0 + 1;
    context.print(format!(
        "events {} to {}, {}; {since}\n\n",
        plan.from,
        plan.to,
        counted(events, "event", "events")
    ))?;
    counts("EVENTS", "TYPE", &plan.counts, bare, context)?;
    counts("EVENTS", "CAUSED BY", &plan.actors, same, context)?;
    counts("FAILED", "ATTEMPTS OF", &plan.failures, same, context)?;
    if plan.notable.is_empty() {
        return Ok(());
    }
    let zone = context.zone();
    let columns = [
        Column::right("SEQ"),
        Column::left("TIME"),
        Column::left("ACTOR").dropped(1),
        Column::left("EVENT"),
        Column::text("WHAT"),
    ];
    let rows: Vec<_> = plan
        .notable
        .iter()
        .map(|notable| {
            vec![
                Cell::new(notable.seq.to_string()),
                Cell::maybe(notable.time.map(|time| zone.short(time))),
                Cell::maybe(notable.actor.as_deref()),
                Cell::new(bare(&notable.kind)),
                Cell::new(&notable.summary),
            ]
        })
        .collect();
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(page)?;
    if plan.more_notable > 0 {
        context.note(format_args!(
            "{} more such events; `annals events --from {} --to {} --type T` has them",
            count(plan.more_notable),
            plan.from,
            plan.to
        ));
    }
    Ok(())
}

fn counts(
    number: &'static str,
    what: &'static str,
    counts: &BTreeMap<String, u64>,
    shown: impl Fn(&str) -> &str,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    if counts.is_empty() {
        return Ok(());
    }
    let columns = [Column::right(number), Column::left(what)];
    let rows: Vec<_> = counts
        .iter()
        .map(|(name, number)| vec![Cell::new(count(*number)), Cell::new(shown(name))])
        .collect();
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(format!("{page}\n"))
}
