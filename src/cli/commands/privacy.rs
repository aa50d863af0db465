//! `annals privacy`: which fields are personal in a store, and who is behind a pseudonym.

use clap::Subcommand;
use serde::Serialize;

use crate::archive::{Access, Account, DeclaredField};
use crate::cli::render::{Cell, Column, Table, escape};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::PersonalField;
use crate::id::EventSeq;

/// Keep personal values where they can be erased
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The log has only the digest of a personal value, so `annals erase` can remove the value and every hash stays valid.
Fields: actor, source_path, source_name, key, serial, part, station, process, error, meta.NAME, arguments.NAME.

Examples:
  annals privacy declare meta.operator source_path actor
  annals privacy show
  annals privacy withdraw source_path --reason 'paths name no one'")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Show(Show),
    Declare(Declare),
    Withdraw(Withdraw),
}

/// List the personal fields and the pseudonyms of accounts
#[derive(Debug, clap::Args)]
struct Show {}

/// Declare fields personal from here on, for every writer of the store
///
/// What the log has in the clear by then stays there: it cannot be erased.
#[derive(Debug, clap::Args)]
struct Declare {
    /// The fields
    #[arg(required = true, value_name = "FIELD")]
    fields: Vec<PersonalField>,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Take a declaration back: from here on values are recorded in the clear
///
/// What was recorded meanwhile can still be erased.
#[derive(Debug, clap::Args)]
struct Withdraw {
    /// The fields
    #[arg(required = true, value_name = "FIELD")]
    fields: Vec<PersonalField>,
    /// Why; recorded for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Serialize)]
struct Shown {
    personal: Vec<DeclaredField>,
    accounts: Vec<Account>,
}

#[derive(Serialize)]
struct Recorded {
    /// The event; `null` when nothing changed.
    event: Option<EventSeq>,
    personal: Vec<DeclaredField>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match args.action {
        Action::Show(Show {}) => show(context),
        Action::Declare(args) => {
            let archive = context.open(Access::ReadWrite)?;
            let event = archive.declare_personal(&args.fields, args.reason.as_deref())?;
            let personal = archive.personal_fields();
            let closed = archive.close();
            tell(Recorded { event, personal }, context)?;
            closed?;
            Ok(Exit::Done)
        }
        Action::Withdraw(args) => {
            let archive = context.open(Access::ReadWrite)?;
            let event = archive.withdraw_personal(&args.fields, Some(&args.reason))?;
            let personal = archive.personal_fields();
            let closed = archive.close();
            tell(Recorded { event, personal }, context)?;
            closed?;
            Ok(Exit::Done)
        }
    }
}

fn tell(recorded: Recorded, context: &mut Context<'_>) -> Result<(), Failure> {
    if context.json() {
        return context.print_json(&recorded);
    }
    if recorded.event.is_none() {
        context.note("nothing changed");
    }
    context.print(format!("{}\n", listed(&recorded.personal)))
}

fn listed(personal: &[DeclaredField]) -> String {
    if personal.is_empty() {
        return "no field is personal".to_owned();
    }
    let named = personal
        .iter()
        .map(|declared| format!("{} since event {}", escape(&declared.field), declared.since));
    format!("personal: {}", named.collect::<Vec<_>>().join(", "))
}

fn show(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadOnly)?;
    let shown = Shown {
        personal: archive.personal_fields(),
        accounts: archive.accounts()?,
    };
    if context.json() {
        context.print_json(&shown)?;
        return Ok(Exit::Done);
    }
    context.print(format!("{}\n", listed(&shown.personal)))?;
    if shown.accounts.is_empty() {
        return Ok(Exit::Done);
    }
    let columns = [
        Column::left("PSEUDONYM"),
        Column::right("SINCE").dropped(1),
        Column::left("ACCOUNT"),
    ];
    let rows: Vec<_> = shown
        .accounts
        .iter()
        .map(|account| {
            vec![
                Cell::new(&account.pseudonym),
                Cell::maybe(account.since.map(|seq| seq.to_string())),
                Cell::new(name_of(account)),
            ]
        })
        .collect();
    let page = Table::new(&columns, context.canvas()).page(&rows);
    context.print(page)?;
    Ok(Exit::Done)
}

/// Returns the name of an account, or what became of it.
fn name_of(account: &Account) -> String {
    match (&account.name, account.erased) {
        (Some(name), _) => name.clone(),
        (None, Some(by)) => format!("[erased: event {by}]"),
        (None, None) => "[lost]".to_owned(),
    }
}
