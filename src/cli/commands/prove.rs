//! `annals prove`: proves what happened to one entry.

use std::path::PathBuf;

use serde::Serialize;

use crate::archive::Access;
use crate::cli::render::path_text;
use crate::cli::run::{Context, Exit, Failure};
use crate::id::EntryId;
use crate::{Error, ErrorKind};

/// Prove what happened to an entry, in one file that shows no other entry
///
/// The file has the exact events of the entry, the proof that each is in the log, and a signed
/// checkpoint. `annals verify-proof` checks it where there is no store.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals prove 4711 -o SN1042.proof
  annals prove 4711 | annals verify-proof - --vkey \"$(annals key show)\"")]
pub(crate) struct Args {
    /// The entry
    #[arg(value_name = "ID")]
    id: EntryId,
    /// A new file for the proof [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
struct Proven {
    entry: EntryId,
    events: u64,
    bytes: u64,
    path: String,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let proof = archive.prove(args.id)?;
    let closed = archive.close();
    let text = proof.to_string();
    match &args.output {
        None => context.print(&text)?,
        Some(file) => {
            let path = context.path(file);
            let written = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
                .and_then(|mut out| std::io::Write::write_all(&mut out, text.as_bytes()));
            written.map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    let said = format!("{} is there already", path.display());
                    Error::new(ErrorKind::Refused, said).hint("name a new file")
                }
                _ => Error::io("write", &path, error),
            })?;
            let proven = Proven {
                entry: args.id,
                events: proof.events().len() as u64,
                bytes: text.len() as u64,
                path: path_text(&path),
            };
            if context.json() {
                context.print_json(&proven)?;
            }
        }
    }
    closed?;
    Ok(Exit::Done)
}
