//! `annals retention pending`, `undo` and `finalize`: purges that can be undone.

use crate::archive::{Access, PendingPurge};
use crate::cli::render::{Cell, Column, Table, count, counted, escape, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::service::retention::{Finalized, pending_in_zone, unfreed};

/// List the purges that can be undone
///
/// Their entries cannot be read, and their bytes are freed when the time is over.
#[derive(Debug, clap::Args)]
pub(super) struct List {}

/// Bring back every entry that a plan purged, while the purge is not final
#[derive(Debug, clap::Args)]
pub(super) struct Undo {
    /// The plan of the purge
    plan: String,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Make a purge final before its time, and free its bytes
///
/// Asks first; where nobody can be asked, --yes is needed.
#[derive(Debug, clap::Args)]
pub(super) struct Finalize {
    /// The plan of the purge
    plan: String,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) fn list(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    let pending = archive.pending_purges()?;
    let zone = context.zone();
    if context.json() {
        for purge in pending {
            context.print_json(&pending_in_zone(purge, &zone))?;
        }
        return Ok(Exit::Done);
    }
    let columns = [
        Column::left("PLAN"),
        Column::right("ENTRIES"),
        Column::right("FREES"),
        Column::left("PURGED").dropped(1),
        Column::left("FINAL").kept(),
        Column::text("REASON"),
    ];
    let row = |purge: &PendingPurge| {
        vec![
            Cell::new(&purge.plan_id),
            Cell::new(count(purge.entries)),
            Cell::new(size(purge.bytes_freed)),
            Cell::new(zone.short(purge.purged_at)),
            Cell::new(zone.short(purge.final_at)),
            Cell::new(&purge.reason),
        ]
    };
    let rows: Vec<_> = pending.iter().map(row).collect();
    context.print(Table::new(&columns, context.canvas()).page(&rows))?;
    if pending.is_empty() {
        context.note("no purge can be undone");
    }
    Ok(Exit::Done)
}

pub(super) fn undo(args: &Undo, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let undone = archive.undo_purge(&args.plan, &args.reason)?;
    let closed = archive.close();
    if context.json() {
        context.print_json(&undone)?;
    } else {
        let verb = if undone.entries == 1 { "is" } else { "are" };
        context.print(format!(
            "{} {verb} back\n",
            counted(undone.entries, "entry", "entries")
        ))?;
    }
    closed?;
    Ok(Exit::Done)
}

pub(super) fn finalize(args: &Finalize, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let pending = archive.pending_purges()?;
    if let Some(purge) = pending.iter().find(|purge| purge.plan_id == args.plan) {
        context.confirm(&format!(
            "free {} of {}, which plan {} purged, for good?",
            size(purge.bytes_freed),
            counted(purge.entries, "entry", "entries"),
            escape(&args.plan)
        ))?;
    }
    let freed = archive.finalize_purge(&args.plan, &args.reason)?;
    let closed = archive.close();
    context.meter.clear();
    let bytes_freed = freed.as_ref().map_or(0, |done| done.bytes_freed);
    if context.json() {
        context.print_json(&Finalized {
            plan_id: &args.plan,
            bytes_freed,
        })?;
    } else {
        context.print(format!("the purge is final, {} freed\n", size(bytes_freed)))?;
    }
    if let Err(error) = freed {
        context.error(&unfreed(&error));
        return Ok(Exit::Partial);
    }
    closed?;
    Ok(Exit::Done)
}
