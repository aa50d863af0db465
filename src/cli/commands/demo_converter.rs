//! `annals demo-converter`: runs one of the demonstration's converters.

use std::fs;
use std::path::PathBuf;

use crate::cli::run::{Context, Exit, Failure};
use crate::demo::{Arguments, Kind, convert};
use crate::{Error, ErrorKind};

/// Convert one file of the demonstration's plant
///
/// What `annals demo` uses where there is no Python. The answer of the converter protocol goes to
/// stdout.
#[derive(Debug, clap::Args)]
#[command(
    hide = true,
    after_help = "Example:\n  annals demo-converter ict board.csv"
)]
pub(crate) struct Args {
    /// ict, ict-v1, junit or jsonl
    kind: Kind,
    /// The file
    file: PathBuf,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let arguments = match std::env::var("ANNALS_ARGUMENTS") {
        Err(_) => Arguments::new(),
        Ok(text) => serde_json::from_str(&text).map_err(|error| {
            Error::new(
                ErrorKind::Invalid,
                "ANNALS_ARGUMENTS is not a JSON object of texts",
            )
            .caused_by(error)
        })?,
    };
    let data = fs::read(&args.file)
        .map_err(|error| Failure::plain(Error::io("read", &args.file, error)))?;
    context.print(convert(args.kind, &arguments, &data) + "\n")?;
    Ok(Exit::Done)
}
