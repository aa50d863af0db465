//! `annals man`: writes manual pages.

use std::fs;
use std::path::PathBuf;

use crate::Error;
use crate::cli::run::{Context, Exit, Failure};

/// Write a manual page for every verb into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  annals man /usr/local/share/man/man1")]
pub(crate) struct Args {
    /// The folder; made if missing
    dir: PathBuf,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let failed = |error| Failure::plain(Error::io("write manual pages to", &args.dir, error));
    fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to((context.program().command)(), &args.dir).map_err(failed)?;
    context.note(format_args!("manual pages are in {}", args.dir.display()));
    Ok(Exit::Done)
}
