//! `annals cat`: writes the bytes of a source or a report to stdout.

use crate::cli::content::{note_access, open_to_hand_out};
use crate::cli::run::{Context, Exit, Failure};
use crate::event::Handed;
use crate::id::EntryId;
use crate::service::content::{WhichReport, copy, open_report, open_source};
use crate::service::entries::no_entry;

/// Write the bytes of a source or a report to stdout
///
/// Every piece is checked against its hash before it is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals cat 4711 > SN1042.csv
  annals cat 4711 --report | jq .result
  annals cat 4711 --report=1")]
pub(crate) struct Args {
    /// The entry
    id: EntryId,
    /// The attempt, where it is written `--report 1` instead of `--report=1`
    #[arg(value_name = "ATTEMPT", requires = "report", hide = true)]
    attempt: Option<WhichReport>,
    /// The report instead of the source: of this attempt, or else of the newest that has one
    #[arg(
        long,
        value_name = "ATTEMPT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "newest"
    )]
    report: Option<WhichReport>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = open_to_hand_out(context)?;
    let entry = archive
        .snapshot()?
        .entry(args.id)?
        .ok_or_else(|| no_entry(args.id))?;
    let mut what = Handed::Source;
    let content = match args.attempt.or(args.report) {
        None => open_source(&archive, &entry, &context.zone())?,
        Some(which) => {
            let opened = open_report(&archive, &entry, which, &context.zone())?;
            what = opened.handed();
            opened.content
        }
    };
    let ids = || Ok(vec![args.id]);
    note_access(&archive, what, "cat", None, ids, context)?;
    copy(content, |chunk| context.print(chunk))?;
    Ok(Exit::Done)
}
