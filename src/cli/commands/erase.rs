//! `annals erase`: erases the values of a personal field, and nothing else.

use serde::Serialize;

use crate::archive::{Access, Archive, ErasureOutcome, ErasurePlan, HeldBack, InTheClear};
use crate::cli::render::{Cell, Column, Table, counted, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::PersonalField;
use crate::id::EntryId;
use crate::query::Purged;
use crate::service::entries::{Filters, Selected, selected_ids};
use crate::{Error, ErrorKind};

/// Most rows of a plan that are printed.
const ROWS_MAX: usize = 1_000;

/// Erase values of a personal field; all hashes stay valid
///
/// That there was a value, when it went and why stays on record. The value goes from packs,
/// journal and index. Entries on hold keep theirs. Asks first; where nobody can be asked, --yes is
/// needed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A value that was recorded before its field was declared personal (`annals privacy`) is part of the log and cannot be \
erased; nor can what a source or a report says itself: purge those. Backups and exports made before keep the value.

Examples:
  annals erase 4711 --field meta.operator --reason 'request 2026-31'
  annals erase --meta operator=kari --field meta.operator --reason 'request 2026-31' --dry-run
  annals erase --account kari --reason 'request 2026-31'")]
pub(crate) struct Args {
    /// Entries by id; or use filters
    #[arg(value_name = "ID")]
    ids: Vec<EntryId>,
    /// The field, such as meta.operator or source_path
    #[arg(long, value_name = "NAME", required_unless_present = "account")]
    field: Option<PersonalField>,
    /// Erase whom a pseudonym stands for: an account's name, or its pseudonym
    #[arg(long, value_name = "NAME", conflicts_with_all = ["field", "ids"])]
    account: Option<String>,
    /// Why; recorded for good, so name nobody in it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Print what would be erased, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    filters: Filters,
}

#[derive(Serialize)]
struct Planned<'a> {
    dry_run: bool,
    #[serde(flatten)]
    plan: &'a ErasurePlan,
}

#[derive(Serialize)]
struct Done<'a> {
    #[serde(flatten)]
    outcome: &'a ErasureOutcome,
    held: &'a [HeldBack],
    in_the_clear: &'a [InTheClear],
    without_value: u64,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let filter = args.filters.to_filter(context.now(), &context.zone())?;
    let selected = match &args.account {
        None => Some(Selected::of(args.ids, filter)?),
        Some(_) if filter.is_empty() => None,
        Some(_) => {
            let told = "an account belongs to no entry, so no filter applies";
            return Err(Error::new(ErrorKind::Invalid, told).into());
        }
    };
    let is_named = matches!(selected, Some(Selected::Ids(_)));
    let access = if args.dry_run {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let archive = context.open(access)?;
    let selected = selected.map(|selected| selected.in_store(&context.desk(&archive)));
    let selected = selected.transpose()?;
    let plan = match (&args.account, &args.field, selected) {
        (Some(account), _, _) => archive.plan_account_erasure(account)?,
        (None, Some(field), Some(selected)) => {
            archive.plan_erasure(field, &ids_of(selected, &archive, context)?)?
        }
        _ => return Err(Error::new(ErrorKind::Invalid, "no field is named").into()),
    };
    if args.dry_run {
        if context.json() {
            let dry_run = true;
            context.print_json(&Planned {
                dry_run,
                plan: &plan,
            })?;
        } else {
            print_plan(&plan, context)?;
        }
        return Ok(exit_for(&plan));
    }
    refuse(&plan, is_named)?;
    if plan.values == 0 {
        let told = format!("there is no value of {} to erase", plan.field);
        return Err(Error::new(ErrorKind::NotFound, told)
            .hint("`annals show ID` says what became of it")
            .into());
    }
    context.meter.clear();
    context.confirm(&format!("erase {}, for good?", what(&plan)))?;
    let outcome = archive.erase(&plan, &args.reason)?;
    let closed = archive.close();
    context.meter.clear();
    report(&plan, &outcome, context)?;
    if let Err(error) = &outcome.reclaim {
        context.error(&unfreed(error));
        return Ok(Exit::Partial);
    }
    closed?;
    Ok(exit_for(&plan))
}

/// Returns the ids of the selected entries, purged ones included.
fn ids_of(
    selected: Selected,
    archive: &Archive,
    context: &Context<'_>,
) -> Result<Vec<EntryId>, Error> {
    match selected {
        Selected::Ids(ids) => Ok(ids),
        Selected::Filter(filter) => {
            let filter = filter.purged(Purged::Include);
            selected_ids(
                filter,
                &archive.snapshot()?,
                context.configuration().ok().as_ref(),
            )
        }
    }
}

/// Refuses to erase only some of the entries that were named, and a plan of which nothing can be
/// erased.
fn refuse(plan: &ErasurePlan, is_named: bool) -> Result<(), Error> {
    if !is_named && plan.values > 0 {
        return Ok(());
    }
    if let Some(clear) = plan.in_the_clear.first() {
        let told = format!(
            "{} of entry {} is in the clear in event {}, recorded before the field was personal; \
             what the log says cannot be erased",
            plan.field, clear.id, clear.event
        );
        return Err(Error::new(ErrorKind::Refused, told).hint(
            "`annals privacy declare` protects what is recorded from now on; to be rid of the rest, \
             archive what must be kept into a new store and delete this one",
        ));
    }
    match plan.held.first() {
        Some(held) => {
            let told = format!(
                "entry {} is on hold '{}', and keeps its values",
                held.id, held.hold
            );
            Err(Error::new(ErrorKind::Refused, told)
                .hint("release the hold first, or leave that entry out"))
        }
        None => Ok(()),
    }
}

/// Returns 3 when some of the selected values stay.
fn exit_for(plan: &ErasurePlan) -> Exit {
    if plan.held.is_empty() && plan.in_the_clear.is_empty() {
        Exit::Done
    } else {
        Exit::Partial
    }
}

fn what(plan: &ErasurePlan) -> String {
    match &plan.account {
        Some(named) => format!("the name of account {}", named.pseudonym),
        None => format!(
            "{} of {} of {}",
            counted(plan.values, "value", "values"),
            escape(&plan.field),
            counted(plan.items.len() as u64, "entry", "entries")
        ),
    }
}

/// Returns why values stay, a line for each reason.
fn staying(plan: &ErasurePlan) -> Vec<String> {
    let entries = |count: usize| counted(count as u64, "entry", "entries");
    let mut lines = Vec::new();
    if !plan.held.is_empty() {
        lines.push(format!(
            "{} on hold: the values stay",
            entries(plan.held.len())
        ));
    }
    if !plan.in_the_clear.is_empty() {
        lines.push(format!(
            "{} with the value in the clear in the log: it cannot be erased",
            entries(plan.in_the_clear.len())
        ));
    }
    if plan.without_value > 0 {
        let count = usize::try_from(plan.without_value).unwrap_or(usize::MAX);
        lines.push(format!("{} without such a value", entries(count)));
    }
    lines
}

fn print_plan(plan: &ErasurePlan, context: &mut Context<'_>) -> Result<(), Failure> {
    let columns = [
        Column::right("ID"),
        Column::right("VALUES"),
        Column::text("OUTCOME"),
    ];
    let goes = plan.items.iter().map(|item| {
        let values = item.digests.len().to_string();
        (item.id, values, "is erased".to_owned())
    });
    let held = plan.held.iter().map(|held| {
        let told = format!("stays: on hold '{}'", held.hold);
        (held.id, String::new(), told)
    });
    let clear = plan.in_the_clear.iter().map(|clear| {
        let told = format!("stays: in the clear in event {}", clear.event);
        (clear.id, String::new(), told)
    });
    let rows: Vec<_> = goes
        .chain(held)
        .chain(clear)
        .take(ROWS_MAX)
        .map(|(id, values, told)| {
            vec![
                Cell::new(id.to_string()),
                Cell::new(values),
                Cell::new(told),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let page = Table::new(&columns, context.canvas()).page(&rows);
        context.print(page)?;
    }
    context.print(format!("would erase {}\n", what(plan)))?;
    for line in staying(plan) {
        context.note(line);
    }
    Ok(())
}

fn report(
    plan: &ErasurePlan,
    outcome: &ErasureOutcome,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    if context.json() {
        return context.print_json(&Done {
            outcome,
            held: &plan.held,
            in_the_clear: &plan.in_the_clear,
            without_value: plan.without_value,
        });
    }
    let events: Vec<String> = outcome
        .recorded
        .events
        .iter()
        .map(ToString::to_string)
        .collect();
    let bytes = match outcome.reclaim {
        Ok(()) => "gone from packs, journal and index",
        Err(_) => "forgotten, and its bytes are still to be removed",
    };
    context.print(format!(
        "erased {}: {bytes} (event {})\n",
        what(plan),
        events.join(", ")
    ))?;
    for line in staying(plan) {
        context.note(line);
    }
    if outcome.quarantined > 0 {
        context.note(format_args!(
            "the folder quarantine holds {}, which may have the value; look at them and remove them",
            counted(outcome.quarantined, "file", "files")
        ));
    }
    context.note("backups and exports made before keep the value");
    Ok(())
}

/// Returns the error for values whose bytes were not removed, with the command that does.
fn unfreed(error: &Error) -> Error {
    let told = format!(
        "the erasure is on record, but the bytes are not removed yet: {}",
        error.message()
    );
    Error::new(error.kind(), told).hint(match error.kind() {
        ErrorKind::Full => "free some space; the next opening for writing removes them",
        ErrorKind::Damaged => "see `annals verify`; once that is mended, run `annals compact`",
        _ => "the next opening for writing removes them, and so does `annals compact`",
    })
}
