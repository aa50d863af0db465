//! `annals prove`: proves what happened to one entry.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::archive::Access;
use crate::cli::render::path_text;
use crate::cli::run::{Context, Exit, Failure};
use crate::id::{AttemptNo, EntryId};
use crate::service::words::in_shell;
use crate::{Error, ErrorKind};

/// Prove what happened to one entry, in one file
///
/// The file has the exact events of the entry, the proof that each is in the log, and a signed
/// checkpoint. With --in-toto it is a signed statement of in-toto about one conversion instead: the
/// reports, what they were made of, and the converter with its files. `annals verify-proof` checks
/// both where there is no store.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals prove 4711 -o SN1042.proof
  annals prove 4711 | annals verify-proof - --vkey \"$(annals key show)\"
  annals prove 4711 --in-toto -o SN1042.intoto.json")]
pub(crate) struct Args {
    /// The entry
    #[arg(value_name = "ID")]
    id: EntryId,
    /// A new file for the proof [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A DSSE envelope with the in-toto statement about a conversion
    #[arg(long)]
    in_toto: bool,
    /// Which conversion [default: the last one that made a report]
    #[arg(long, value_name = "ATTEMPT", requires = "in_toto")]
    attempt: Option<u32>,
}

#[derive(Serialize)]
struct Proven {
    entry: EntryId,
    events: Option<u64>,
    bytes: u64,
    path: String,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let archive = context.open(Access::ReadWrite)?;
    let (text, events) = if args.in_toto {
        let attempt = args.attempt.map(AttemptNo);
        let envelope = archive.attest_conversion(args.id, attempt)?;
        (envelope.to_string(), None)
    } else {
        let proof = archive.prove(args.id)?;
        (proof.to_string(), Some(proof.events().len() as u64))
    };
    let key = archive.signing_key()?;
    let closed = archive.close();
    match &args.output {
        None => context.print(&text)?,
        Some(file) => {
            let path = context.path(file);
            write_new(&path, &text)?;
            let proven = Proven {
                entry: args.id,
                events,
                bytes: text.len() as u64,
                path: path_text(&path),
            };
            if context.json() {
                context.print_json(&proven)?;
            } else if let Some(key) = key {
                context.note(format_args!(
                    "to check it: annals verify-proof {} --vkey '{key}'",
                    in_shell(&path_text(file))
                ));
            }
        }
    }
    closed?;
    Ok(Exit::Done)
}

/// Writes a text to a new file. A file that is there already is never changed.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut out| {
            std::io::Write::write_all(&mut out, text.as_bytes())?;
            out.sync_all()
        });
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => there_already(path),
        _ => Error::io("write", path, error),
    })
}

/// Returns the error of a file that was to be new.
pub(super) fn there_already(path: &Path) -> Error {
    let said = format!("{} is there already", path.display());
    Error::new(ErrorKind::Refused, said).hint("name a new file")
}
