//! `annals hold`: keeps entries from being purged.

use clap::Subcommand;
use serde::Serialize;

use crate::ErrorKind;
use crate::archive::{Access, Hold, Snapshot};
use crate::cli::content::no_entry;
use crate::cli::entries::{Filters, Selected, selected_ids};
use crate::cli::render::{Cell, Column, Table, count, counted, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EntryId;

/// Keep entries from being purged, whatever the rules say
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals hold add 4711 4712 --name recall-26-04 --reason 'field returns'
  annals hold add -c 'ICT CSV' --from 2026-03-01 --to 2026-04-01 --name audit --reason 'IATF audit'
  annals hold release audit --reason 'audit closed'")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Add(Box<Add>),
    Release(Release),
    List(List),
}

/// Put entries on hold
///
/// Filters select the entries that are there now; later ones are not held.
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
    #[command(flatten)]
    filters: Filters,
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

#[derive(Serialize)]
struct Placed<'a> {
    name: &'a str,
    reason: &'a str,
    entries: u64,
}

#[derive(Serialize)]
struct Released<'a> {
    released: &'a str,
    reason: &'a str,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::Add(args) => add(*args, context),
        Action::Release(args) => release(&args, context),
        Action::List(List {}) => list(context),
    }
}

fn add(args: Add, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let filter = args.filters.to_filter(context)?;
    let selected = Selected::of(args.ids, filter)?;
    let archive = context.open(Access::ReadWrite)?;
    let selected = selected.in_store(&archive, context)?;
    let ids = ids_of(selected, &archive.snapshot()?, context)?;
    let placed = Placed {
        name: &args.name,
        reason: &args.reason,
        entries: ids.len() as u64,
    };
    archive.place_hold(&args.name, &args.reason, ids)?;
    let closed = archive.close();
    if context.json() {
        context.print_json(&placed)?;
    } else {
        context.print(format!(
            "hold {} on {}\n",
            escape(placed.name),
            counted(placed.entries, "entry", "entries")
        ))?;
    }
    closed?;
    Ok(Exit::Done)
}

/// Returns the ids of the selected entries.
///
/// Fails when one of them does not exist, so that no hold is placed on a part of them.
fn ids_of(
    selected: Selected,
    snapshot: &Snapshot,
    context: &Context<'_>,
) -> Result<Vec<EntryId>, Failure> {
    match selected {
        Selected::Ids(mut ids) => {
            ids.sort_unstable();
            ids.dedup();
            for &id in &ids {
                if snapshot.entry(id)?.is_none() {
                    return Err(no_entry(id).into());
                }
            }
            Ok(ids)
        }
        Selected::Filter(filter) => Ok(selected_ids(*filter, snapshot, context)?),
    }
}

fn release(args: &Release, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    archive
        .release_hold(&args.name, &args.reason)
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => error.hint("`annals hold list` lists the holds"),
            _ => error,
        })?;
    let closed = archive.close();
    if context.json() {
        context.print_json(&Released {
            released: &args.name,
            reason: &args.reason,
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
            context.print_json(&Hold {
                placed_at: zone.exact(hold.placed_at),
                ..hold
            })?;
        }
        return Ok(Exit::Done);
    }
    let columns = [
        Column::left("NAME"),
        Column::right("ENTRIES"),
        Column::left("PLACED"),
        Column::clipped("REASON"),
    ];
    let rows: Vec<_> = holds
        .iter()
        .map(|hold| {
            vec![
                Cell::new(&hold.name),
                Cell::new(count(hold.entries)),
                Cell::new(zone.short(hold.placed_at)),
                Cell::new(&hold.reason),
            ]
        })
        .collect();
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(page)?;
    if holds.is_empty() {
        context.note("no holds");
    }
    Ok(Exit::Done)
}
