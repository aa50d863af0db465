//! `annals verify-proof`: checks the proof of an entry, without a store.

use std::io::Read as _;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::arguments::parse_vkey;
use crate::cli::render::escape;
use crate::cli::run::{Context, Exit, Failure};
use crate::evidence::entry_proof::EntryProof;
use crate::id::EntryId;
use crate::{Error, ErrorKind};

/// The longest proof that is read.
const PROOF_BYTES_MAX: u64 = 256 << 20;

/// Check the proof of an entry; needs no store
///
/// Exit code 6 when it does not hold. What the proof says is printed only if it does.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals verify-proof SN1042.proof --vkey 'annals/5a5a...+65a8c000+AQOh...'")]
pub(crate) struct Args {
    /// The proof, or - for stdin
    file: PathBuf,
    /// A verifier key that came another way than the proof; more than one may be named
    #[arg(long, value_name = "VKEY", required = true)]
    vkey: Vec<String>,
}

#[derive(Serialize)]
struct Checked {
    verdict: &'static str,
    entry: Option<EntryId>,
    /// How many events the log had that was signed.
    size: Option<u64>,
    events: Vec<Box<RawValue>>,
    why: Option<String>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let keys = args.vkey.iter().map(|text| parse_vkey(text));
    let keys = keys.collect::<Result<Vec<_>, Error>>()?;
    let bytes = read(&args, context)?;
    let verified = EntryProof::parse(&bytes)
        .map_err(|error| ("UNREADABLE", error.to_string()))
        .and_then(|proof| match proof.verify(&keys) {
            Ok(signed) => Ok((proof, signed)),
            Err(error) => Err(("NOT-PROVEN", error.to_string())),
        });
    let (exit, checked) = match verified {
        Ok((proof, signed)) => {
            let events = proof.events().iter().map(|event| {
                RawValue::from_string(event.line.clone()).map_err(|error| {
                    Error::new(ErrorKind::Invalid, format!("an event is not JSON: {error}"))
                })
            });
            let proven = Checked {
                verdict: "PROVEN",
                entry: Some(proof.entry()),
                size: Some(signed.checkpoint().size),
                events: events.collect::<Result<_, _>>()?,
                why: None,
            };
            (Exit::Done, proven)
        }
        Err((verdict, why)) => {
            let refused = Checked {
                verdict,
                entry: None,
                size: None,
                events: Vec::new(),
                why: Some(why),
            };
            (Exit::Damaged, refused)
        }
    };
    if context.json() {
        context.print_json(&checked)?;
        return Ok(exit);
    }
    match (checked.entry, checked.size, checked.why) {
        (Some(entry), Some(size), _) => {
            let lines = checked.events.iter();
            let lines: String = lines
                .map(|line| format!("{}\n", escape(line.get())))
                .collect();
            context.print(format!(
                "PROVEN: these events of entry {entry} are in the log of {size} events that was \
                 signed\n{lines}"
            ))?;
        }
        (.., why) => {
            let why = why.unwrap_or_default();
            context.print(format!("{}: {}\n", checked.verdict, escape(&why)))?;
        }
    }
    Ok(exit)
}

fn read(args: &Args, context: &Context<'_>) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::io("read", &args.file, error);
    let mut bytes = Vec::new();
    if args.file.as_os_str() == "-" {
        let mut stdin = context.stdin();
        stdin
            .by_ref()
            .take(PROOF_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    } else {
        let file = std::fs::File::open(context.path(&args.file)).map_err(failed)?;
        file.take(PROOF_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    }
    Ok(bytes)
}
