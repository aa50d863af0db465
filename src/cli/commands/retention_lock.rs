//! `annals retention lock`, `locks` and `unlock`: the least age at which entries may be purged.

use crate::archive::{Access, NewLock, RetentionLock};
use crate::cli::render::{Cell, Column, Table, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::entry::Period;
use crate::event::LockMode;
use crate::service::retention::{lock_in_zone, locked_entries};

/// Keep entries from being purged before they have an age, whatever the rules say
///
/// It holds for entries that are archived later as well. Under the name of a lock that is there, it
/// becomes longer or stricter, never shorter.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals retention lock raw --keep 10y --mode governance --reason 'customer contract 4711'
  annals retention lock raw --keep 12y --reason 'contract was extended'
  annals retention lock safety -c 'ICT CSV' --label airbag --keep 15y --mode compliance --reason law")]
pub(crate) struct Lock {
    /// What the lock is called
    name: String,
    /// How long entries are kept after they were archived, such as 90d, 18mo or 10y
    #[arg(long, value_name = "PERIOD")]
    keep: Period,
    /// governance can be bypassed and removed, on record; compliance by nobody
    #[arg(long)]
    mode: Option<Mode>,
    /// Only entries of this converter
    #[arg(short, long, value_name = "NAME")]
    converter: Vec<String>,
    /// Only entries that have this label, or ever had it
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Mode {
    Governance,
    Compliance,
}

/// List the retention locks
#[derive(Debug, clap::Args)]
pub(crate) struct List {}

/// Remove a governance lock
#[derive(Debug, clap::Args)]
pub(crate) struct Unlock {
    /// The lock
    name: String,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn place(args: Lock, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mode = args.mode.map(|mode| match mode {
        Mode::Governance => LockMode::Governance,
        Mode::Compliance => LockMode::Compliance,
    });
    if let Some(LockMode::Compliance) = mode {
        let question = format!(
            "keep entries for at least {}? nobody can shorten or remove this lock",
            args.keep
        );
        context.confirm(&question)?;
    }
    let archive = context.open(Access::ReadWrite)?;
    let lock = NewLock {
        mode,
        ..NewLock::new(args.name.clone(), args.keep, args.reason)
            .converters(args.converter)
            .labels(args.label)
    };
    archive.lock_retention(lock)?;
    let locks = archive.retention_locks();
    let closed = archive.close();
    if let Some(placed) = locks.into_iter().find(|lock| lock.name == args.name) {
        let (name, keep, mode) = (escape(&placed.name), placed.keep, placed.mode.name());
        let text = format!("lock {name}: entries are kept for at least {keep}, mode {mode}\n");
        if context.json() {
            context.print_json(&lock_in_zone(placed, &context.zone()))?;
        } else {
            context.print(text)?;
        }
    }
    closed?;
    Ok(Exit::Done)
}

pub(crate) fn remove(args: &Unlock, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    archive.unlock_retention(&args.name, &args.reason)?;
    let closed = archive.close();
    if context.json() {
        context.print_json(&serde_json::json!({
            "name": args.name,
            "reason": args.reason,
        }))?;
    } else {
        context.print(format!("lock {} is removed\n", escape(&args.name)))?;
    }
    closed?;
    Ok(Exit::Done)
}

pub(crate) fn list(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    let locks = archive.retention_locks();
    if context.json() {
        for lock in locks {
            context.print_json(&lock_in_zone(lock, &context.zone()))?;
        }
        return Ok(Exit::Done);
    }
    let zone = context.zone();
    let columns = [
        Column::left("NAME"),
        Column::left("KEEP"),
        Column::left("MODE"),
        Column::left("PLACED").dropped(1),
        Column::clipped("ENTRIES"),
        Column::text("REASON"),
    ];
    let row = |lock: &RetentionLock| {
        vec![
            Cell::new(&lock.name),
            Cell::new(lock.keep.to_string()),
            Cell::new(lock.mode.name()),
            Cell::new(zone.short(lock.placed_at)),
            Cell::new(locked_entries(lock)),
            Cell::new(&lock.reason),
        ]
    };
    let rows: Vec<_> = locks.iter().map(row).collect();
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(page)?;
    if locks.is_empty() {
        context.note("no retention locks");
    }
    Ok(Exit::Done)
}
