//! `annals hold`: keeps entries from being purged.

use clap::Subcommand;

use crate::archive::{Access, HoldOn, NewHold};
use crate::cli::render::{Cell, Column, Table, count, counted, escape, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EntryId;
use crate::service::entries::{Filters, Selected};
use crate::service::holds::{Placed, Reach, Released, Reviewed, held, place, with_list};
use crate::service::objects::HoldObject;

/// Keep entries from being purged, whatever the rules say
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals hold add 4711 4712 --name recall-26-04 --reason 'field returns'
  annals hold add -c 'ICT CSV' --from 2026-03-01 --to 2026-04-01 --name audit --reason 'IATF audit'
  annals hold add --serial SN1001 --future --name case-7 --reason 'claim' --review 2099-05-01
  annals hold review case-7 --until 2099-11-01 --reason 'the claim is still open'
  annals hold release audit --reason 'audit closed'")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Add(Box<Add>),
    Review(Review),
    Release(Release),
    List(List),
}

/// Put entries on hold
///
/// Filters select the entries that are there now; with --future, also those that match later: when
/// they are archived, converted or corrected.
#[derive(Debug, clap::Args)]
struct Add {
    /// Entries by id; or use filters
    #[arg(value_name = "ID")]
    ids: Vec<EntryId>,
    /// What the hold is called
    #[arg(long)]
    name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// When somebody is to look whether it is still needed; it never releases anything
    #[arg(long, value_name = "DATE")]
    review: Option<String>,
    /// Also hold every entry that matches the filters later, until the hold is released
    #[arg(long, conflicts_with = "ids")]
    future: bool,
    #[command(flatten)]
    filters: Filters,
}

/// Record that a hold is still needed, and when to look again
#[derive(Debug, clap::Args)]
struct Review {
    /// The hold
    name: String,
    /// When somebody is to look again
    #[arg(long, value_name = "DATE")]
    until: String,
    /// Why it is still needed
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Lift a hold from all its entries
#[derive(Debug, clap::Args)]
struct Release {
    /// The hold
    name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// List the holds
#[derive(Debug, clap::Args)]
struct List {}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::Add(args) => add(*args, context),
        Action::Review(args) => review(&args, context),
        Action::Release(args) => release(&args, context),
        Action::List(List {}) => list(context),
    }
}

fn add(args: Add, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let filter = args.filters.to_filter(context.now(), &context.zone())?;
    let review = args.review.as_deref().map(|text| context.when(text));
    let review = review.transpose()?;
    let selected = Selected::of(args.ids, filter)?;
    let archive = context.open(Access::ReadWrite)?;
    let selected = selected.in_store(&context.desk(&archive))?;
    let reach = if args.future {
        Reach::NowAndLater
    } else {
        Reach::Now
    };
    let config = context.configuration().ok();
    let on = held(selected, reach, &archive.snapshot()?, config.as_ref())?;
    let mut new = NewHold::new(&args.name, &args.reason, on.clone());
    new.review = review;
    let entries = place(&archive, new)?;
    let closed = archive.close();
    let placed = Placed {
        name: &args.name,
        reason: &args.reason,
        entries,
        review: review.map(|at| context.zone().exact(at)),
        future: match on {
            HoldOn::NowAndFuture(filter) => Some(filter),
            _ => None,
        },
    };
    if context.json() {
        context.print_json(&placed)?;
    } else {
        let later = if placed.future.is_some() {
            ", and on what matches later"
        } else {
            ""
        };
        context.print(format!(
            "hold {} on {}{later}\n",
            escape(placed.name),
            counted(placed.entries, "entry", "entries")
        ))?;
    }
    closed?;
    Ok(Exit::Done)
}

fn review(args: &Review, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let until = context.when(&args.until)?;
    let archive = context.open(Access::ReadWrite)?;
    archive
        .review_hold(&args.name, until, &args.reason)
        .map_err(with_list)?;
    let closed = archive.close();
    let until = context.zone().exact(until);
    if context.json() {
        context.print_json(&Reviewed {
            name: args.name.clone(),
            review: until,
            reason: args.reason.clone(),
        })?;
    } else {
        context.print(format!(
            "hold {} stays; it is to be reviewed again {}\n",
            escape(&args.name),
            context.zone().short(until)
        ))?;
    }
    closed?;
    Ok(Exit::Done)
}

fn release(args: &Release, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    archive
        .release_hold(&args.name, &args.reason)
        .map_err(with_list)?;
    let closed = archive.close();
    if context.json() {
        context.print_json(&Released {
            name: args.name.clone(),
            reason: args.reason.clone(),
        })?;
    } else {
        context.print(format!("hold {} is lifted\n", escape(&args.name)))?;
    }
    closed?;
    Ok(Exit::Done)
}

fn list(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    let holds = archive.holds()?;
    let zone = context.zone();
    if context.json() {
        for hold in holds {
            context.print_json(&HoldObject::new(hold, context.now(), &zone))?;
        }
        return Ok(Exit::Done);
    }
    let columns = [
        Column::left("NAME"),
        Column::right("ENTRIES"),
        Column::right("BYTES").dropped(1),
        Column::left("SINCE"),
        Column::clipped("BY").dropped(2),
        Column::left("REVIEW"),
        Column::text("REASON"),
    ];
    let now = context.now();
    let rows: Vec<_> = holds
        .iter()
        .map(|hold| {
            let more = if hold.future.is_some() { "+" } else { "" };
            vec![
                Cell::new(&hold.name),
                Cell::new(format!("{}{more}", count(hold.entries))),
                Cell::new(size(hold.bytes)),
                Cell::new(zone.day(hold.placed_at)),
                Cell::maybe(hold.placed_by.as_deref()),
                Cell::maybe(hold.review.map(|at| zone.day(at))),
                Cell::new(&hold.reason),
            ]
        })
        .collect();
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(page)?;
    if holds.is_empty() {
        context.note("no holds");
    }
    if holds.iter().any(|hold| hold.future.is_some()) {
        context.note("+ is on what matches later, too");
    }
    for hold in holds.iter().filter(|hold| hold.is_overdue(now)) {
        context.note(format!(
            "hold {} was to be reviewed {}: 'annals hold review' or 'annals hold release'",
            escape(&hold.name),
            hold.review.map(|at| zone.day(at)).unwrap_or_default()
        ));
    }
    Ok(Exit::Done)
}
