//! `annals rebuild`: rebuilds the index from the log.

use serde::Serialize;

use crate::archive::Access;
use crate::cli::render::counted;
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EventSeq;

/// Drop the index and make it again from the log
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  annals rebuild --store /var/lib/annals")]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Rebuilt {
    /// The newest event in the new index.
    applied_seq: EventSeq,
}

pub(crate) fn run(_args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let applied_seq = archive.rebuild()?;
    let closed = archive.close();
    context.meter.clear();
    if context.json() {
        context.print_json(&Rebuilt { applied_seq })?;
    } else {
        context.print(format!(
            "index made again from {}\n",
            counted(applied_seq.0, "event", "events")
        ))?;
    }
    closed?;
    Ok(Exit::Done)
}
