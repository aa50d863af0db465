//! `annals confirm-move`: confirms that this copy of a store replaces the original.

use crate::archive::{Access, Archive};
use crate::cli::owner;
use crate::cli::render::path_text;
use crate::cli::run::{Context, Exit, Failure};

/// Say once that this copy of a store goes on
///
/// A copy of a store is not written before that: two stores would give the same numbers to
/// different things. The same goes for a store that was taken back to an older copy, as its signed
/// checkpoints tell. A store that was moved needs no confirmation, and for one nothing is recorded.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  annals --store /data/annals confirm-move")]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let dir = context.locate()?;
    owner::refuse_if_owned(&dir, "there is nothing to confirm")?;
    let options = context.options_of(&dir, Access::ReadWrite)?;
    let confirmed = Archive::confirm_move(&dir, options)?;
    context.meter.clear();
    if context.json() {
        context.print_json(&confirmed)?;
        return Ok(Exit::Done);
    }
    let Some(event) = confirmed.recorded else {
        context.print("nothing to confirm: this store is no copy\n")?;
        return Ok(Exit::Done);
    };
    context.print(format!(
        "confirmed: the store goes on here, recorded as event {event}\n"
    ))?;
    if let Some(folder) = &confirmed.folder {
        let host = confirmed.host.unwrap_or_default();
        context.note(format!(
            "the one in {} on '{host}' must not be written any more: rename or remove it",
            path_text(folder)
        ));
    }
    Ok(Exit::Done)
}
