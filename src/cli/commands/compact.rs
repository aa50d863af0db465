//! `annals compact`: makes the store as small as it gets, now.

use crate::archive::Access;
use crate::cli::render::{counted, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::service::words::parse_size;

/// Make the store as small as it gets, now
///
/// Frees the bytes of purged content, packs again what was packed quickly while it came in, puts
/// small packs together, and gives back unused journal files. A host does this by itself while it
/// has nothing else to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  annals compact --max-bytes 10GB")]
pub(crate) struct Args {
    /// Rewrite at most this much, such as 500M or 10GB
    #[arg(long, value_name = "SIZE")]
    max_bytes: Option<String>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let max_bytes = args.max_bytes.as_deref().map(parse_size).transpose()?;
    let archive = context.open(Access::ReadWrite)?;
    let outcome = archive.compact(max_bytes)?;
    let closed = archive.close();
    context.meter.clear();
    if context.json() {
        context.print_json(&outcome)?;
    } else {
        context.print(format!(
            "{} freed: {} removed, {} written\n",
            size(outcome.bytes_freed),
            counted(outcome.packs_removed, "pack", "packs"),
            counted(outcome.packs_written, "pack", "packs"),
        ))?;
    }
    closed?;
    Ok(Exit::Done)
}
