//! `annals verify-export`: checks an evidence bundle, without a store.

use std::path::PathBuf;

use crate::cli::arguments::parse_vkey;
use crate::cli::render::{Cell, Column, Style, Table, counted, escape, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::evidence::checkpoint::SignedCheckpoint;
use crate::evidence::note::VerifierKey;
use crate::export::{self, Trust, Verified};
use crate::{Error, ErrorKind};

/// The longest file of earlier checkpoints that is read.
const OLDER_BYTES_MAX: u64 = 256 << 20;

/// Check an evidence bundle; needs no store
///
/// Exit code 6 when it is not INTACT or INTACT-WITH-ERASURES; the report is printed in any case.
/// Two bundles of one store are also compared with each other.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals verify-export audit-2026 --vkey 'annals/5a5a...+65a8c000+AQOh...'")]
pub(crate) struct Args {
    /// The bundle
    dir: PathBuf,
    /// Another bundle of the same store
    other: Option<PathBuf>,
    /// A verifier key that came another way than the bundle; more than one may be named
    #[arg(long, value_name = "VKEY", required = true)]
    vkey: Vec<String>,
    /// Checkpoints of the same log that were seen before, as `checkpoint --publish` writes them
    #[arg(long, value_name = "FILE")]
    older: Option<PathBuf>,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let keys = args.vkey.iter().map(|text| parse_vkey(text));
    let keys = keys.collect::<Result<Vec<_>, Error>>()?;
    let dir = context.path(&args.dir);
    let mut trust = Trust::in_keys(keys);
    if let Some(file) = &args.older {
        // A newer key may have signed some of them.
        let known = trust.clone().follow_bundle(&dir).vkeys;
        trust.older = older(&context.path(file), &known)?;
    }
    let progress = context.meter.as_progress();
    let report = |done, total| progress.report(done, total, "checking");
    context.meter.begin("checking");
    let ok = if let Some(other) = &args.other {
        let pair = export::verify_pair(&dir, context.path(other), &trust, &report);
        context.meter.clear();
        if context.json() {
            context.print_json(&pair)?;
        } else {
            print(&pair.first, context)?;
            print(&pair.second, context)?;
            let forked = pair
                .forked_at
                .map(|event| format!(": they differ from event {event} on"));
            context.print(format!(
                "both together: {}{}\n",
                pair.verdict,
                forked.unwrap_or_default()
            ))?;
        }
        pair.ok
    } else {
        let verified = export::verify(&dir, &trust, &report);
        context.meter.clear();
        if context.json() {
            context.print_json(&verified)?;
        } else {
            print(&verified, context)?;
        }
        verified.ok
    };
    Ok(if ok { Exit::Done } else { Exit::Damaged })
}

/// Reads the checkpoints of a file, each of which must be signed with one of `keys`.
fn older(file: &std::path::Path, keys: &[VerifierKey]) -> Result<Vec<SignedCheckpoint>, Error> {
    let failed = |error| Error::io("read", file, error);
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > OLDER_BYTES_MAX {
        let said = format!("{} is too long for a file of checkpoints", file.display());
        return Err(Error::new(ErrorKind::Invalid, said));
    }
    let text = std::fs::read_to_string(file).map_err(failed)?;
    // The text of a note and its signatures are separated by an empty line, and so are notes.
    let parts: Vec<&str> = text.trim_end().split("\n\n").collect();
    let notes = parts.chunks(2).map(|note| {
        let note = format!("{}\n", note.join("\n\n"));
        SignedCheckpoint::open(note.as_bytes(), keys).map_err(|error| {
            let said = format!("{}: {error}", file.display());
            Error::new(ErrorKind::Invalid, said).hint("name the key that signed them with --vkey")
        })
    });
    notes.collect()
}

fn print(verified: &Verified, context: &mut Context<'_>) -> Result<(), Failure> {
    let canvas = context.canvas();
    if !verified.findings.is_empty() {
        let columns = [
            Column::left("FINDING"),
            Column::left("WHERE").kept(),
            Column::text("DETAIL"),
        ];
        let rows: Vec<_> = verified
            .findings
            .iter()
            .map(|finding| {
                vec![
                    Cell::new(finding.kind).style(Style::Bad),
                    Cell::new(&finding.r#where),
                    Cell::new(&finding.detail),
                ]
            })
            .collect();
        context.print(Table::new(&columns, canvas).page(&rows))?;
    }
    let style = if verified.ok { Style::Good } else { Style::Bad };
    let verdict = style.paint(verified.verdict.name(), canvas.colour);
    context.print(format!(
        "{verdict}: {} of a log of {}, {}, {} checked\n",
        counted(verified.events, "event", "events"),
        verified.tree_size,
        counted(verified.blobs, "content", "contents"),
        size(verified.checked_bytes),
    ))?;
    for note in &verified.notes {
        context.note(escape(note));
    }
    Ok(())
}
