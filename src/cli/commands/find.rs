//! `annals find`: finds entries by serial, part, file name, report id or hash.

use crate::archive::Access;
use crate::cli::entries::{Listing, Output};
use crate::cli::run::{Context, Exit, Failure};
use crate::{Error, ErrorKind};

/// Find entries by serial, part, file name, report id or hash
///
/// The whole or the beginning of any of them; of a hash at least six digits. Best matches first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals find SN1042
  annals find 8f2c91 --json

Exit code 4 when nothing matches.")]
pub(crate) struct Args {
    /// What to look for
    text: String,
    /// At most this many [default: 100; with --json or -o csv 10000]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let for_people = !context.json() && !args.output.is_csv();
    let limit = args.limit.unwrap_or(if for_people { 100 } else { 10_000 });
    let archive = context.open(Access::ReadOnly)?;
    let entries = archive.snapshot()?.find(&args.text, limit)?;
    if entries.is_empty() {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("nothing matches '{}'", args.text),
        )
        .hint("`annals list --text TEXT` looks inside names, errors and metadata too")
        .into());
    }
    Listing::new(context, args.output).print(&entries, context)?;
    if entries.len() == limit && args.limit.is_none() {
        context.warn(format_args!(
            "only the best {limit} matches are shown; --limit shows more"
        ));
    }
    Ok(Exit::Done)
}
