//! `annals find`: finds entries by serial, part, file name, report id or hash.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::Digest;

use crate::archive::{Access, Archive, FoundContent, OwnContent};
use crate::cli::entries::{Listing, Output};
use crate::cli::render::{Cell, Column, Style, Table};
use crate::cli::run::{Context, Exit, Failure};
use crate::entry::Entry;
use crate::id::Sha256;
use crate::service::entries::{FoundEntry, searched, why_nothing_found};
use crate::{Error, ErrorKind};

/// Bytes of a file that are hashed at once.
const PIECE_BYTES: usize = 256 << 10;

/// Find entries by serial, part, file name, report id or hash
///
/// The whole or the beginning of any of them; of a hash, SHA-256 or BLAKE3, at least six digits.
/// Best matches first, purged ones too. For a hash it also says which content of the entry it is,
/// which attempt made it, and where and when it was submitted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals find SN1042
  annals find 8f2c91 --json
  annals find --same-as report.json

Exit code 4 when nothing matches.")]
pub(crate) struct Args {
    /// What to look for
    #[arg(required_unless_present = "same_as")]
    text: Option<String>,
    /// Look for the content of this file, as a source or as a report; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    same_as: Option<PathBuf>,
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
    let text = match (&args.same_as, &args.text) {
        (Some(file), _) => hash_of(file, context)?.to_string(),
        (None, text) => searched(text.as_deref().unwrap_or_default()).to_owned(),
    };
    let archive = context.open(Access::ReadOnly)?;
    if limit == 0 {
        context.warn("--limit 0 lists nothing; leave it out to list all");
        return Ok(Exit::Done);
    }
    let contents = archive.find_contents(&text, limit)?;
    let entries = match &args.same_as {
        // Only the content counts, not a serial that looks like its hash.
        Some(_) => entries_of(&archive, &contents)?,
        None => archive.snapshot()?.find(&text, limit)?,
    };
    if entries.is_empty() {
        let hint = why_nothing_found(&text, &archive.snapshot()?)?;
        return Err(nothing(&args, &text, hint).into());
    }
    if context.json() {
        print_json(&entries, &contents, context)?;
    } else {
        let listing = Listing::new(context, args.output);
        listing
            .found_by(&text, &entries, context)
            .print(&entries, context)?;
        if !args.output.is_csv() && !contents.is_empty() {
            print_contents(&contents, context)?;
        }
    }
    if entries.len() == limit && args.limit.is_none() {
        context.warn(format_args!(
            "only the best {limit} matches are shown; --limit shows more"
        ));
    }
    Ok(Exit::Done)
}

fn nothing(args: &Args, text: &str, hint: String) -> Error {
    match &args.same_as {
        Some(file) => {
            let said = format!(
                "no source and no report has the content of {} (SHA-256 {text})",
                file.display()
            );
            Error::new(ErrorKind::NotFound, said).hint(
                "it was never recorded with exactly these bytes; a changed line end is enough",
            )
        }
        None => Error::new(ErrorKind::NotFound, format!("nothing matches '{text}'")).hint(hint),
    }
}

fn hash_of(file: &Path, context: &Context<'_>) -> Result<Sha256, Error> {
    let failed = |error| Error::io("read", file, error);
    let path = context.path(file);
    let mut input: Box<dyn std::io::Read> = if file.as_os_str() == "-" {
        Box::new(context.stdin())
    } else {
        if path.is_dir() {
            let said = format!("{} is a folder", file.display());
            return Err(Error::new(ErrorKind::Invalid, said)
                .hint("name a file; what a folder was archived as has other bytes"));
        }
        Box::new(std::fs::File::open(path).map_err(failed)?)
    };
    let mut hasher = sha2::Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match input.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(Sha256::from_bytes(hasher.finalize().into()))
}

fn entries_of(archive: &Archive, contents: &[FoundContent]) -> Result<Vec<Entry>, Error> {
    let snapshot = archive.snapshot()?;
    let mut entries: Vec<Entry> = Vec::new();
    for content in contents {
        if entries.last().is_none_or(|last| last.id != content.entry) {
            entries.extend(snapshot.entry(content.entry)?);
        }
    }
    Ok(entries)
}

fn print_json(
    entries: &[Entry],
    contents: &[FoundContent],
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let zone = context.zone();
    for entry in entries {
        context.print_json(&FoundEntry::new(entry, contents, &zone))?;
    }
    Ok(())
}

/// Prints which contents have the hash, and where they were submitted.
fn print_contents(contents: &[FoundContent], context: &mut Context<'_>) -> Result<(), Failure> {
    let zone = context.zone();
    let columns = [
        Column::right("ENTRY"),
        Column::left("CONTENT").kept(),
        Column::left("RECORDED").dropped(1),
        Column::left("SHA256").dropped(2),
        Column::clipped("SUBMITTED TO"),
        Column::left("WHEN"),
        Column::left("REPORT ID"),
        Column::left("STATE"),
    ];
    let row = |found: &FoundContent| {
        let there = match found.purged_at {
            Some(at) => Cell::new(format!("purged {}", zone.short(at))).style(Style::Dim),
            None if found.facts_only => Cell::new("facts only").style(Style::Dim),
            None => Cell::new("kept"),
        };
        let submitted = match (&found.endpoint, found.submitted_at) {
            (Some(endpoint), Some(_)) => Cell::new(endpoint),
            (Some(endpoint), None) => Cell::new(format!("not yet: {endpoint}")),
            (None, Some(_)) => Cell::new("a server"),
            (None, None) => Cell::new("-"),
        };
        vec![
            Cell::new(found.entry.to_string()),
            Cell::new(what(found.content)),
            Cell::new(zone.short(found.at)),
            Cell::new(format!("{:.12}", found.sha256.to_string())),
            submitted,
            Cell::maybe(found.submitted_at.map(|at| zone.short(at))),
            Cell::maybe(found.report_id.as_deref()),
            there,
        ]
    };
    let rows: Vec<_> = contents.iter().map(row).collect();
    let table = Table::new(&columns, context.canvas()).page(&rows);
    context.print(format!("\n{table}"))
}

fn what(content: OwnContent) -> String {
    match content {
        OwnContent::Report { attempt, report } => format!("attempt {attempt}, report {report}"),
        _ => "source".to_owned(),
    }
}
