//! `annals export`: writes an evidence bundle.

use std::path::PathBuf;

use serde::Serialize;

use crate::archive::{Access, Archive};
use crate::cli::content::note_access;
use crate::cli::render::{counted, escape, path_text, size};
use crate::cli::run::{Context, Exit, Failure};
use crate::entry::Meta;
use crate::event::{EntryRanges, Event, Handed, Sealed};
use crate::export::{self, Derived, Disclose, NewBundle, Tally, What, WithContents};
use crate::id::EventSeq;
use crate::query::{Filter, Purged};
use crate::service::entries::{Filters, in_store, selected_ids};
use crate::{Error, ErrorKind};

/// Write an evidence bundle: the exact events, signed, for people who have no access to the store
///
/// Without filters it is the whole log, which proves that nothing is left out. With filters it is
/// what the log says of the entries they select, purged ones too, with a proof for each line. The
/// last line says what was exported, and is signed with the rest.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals export audit-2026
  annals export recall --serial SN1042 --with-blobs
  annals export lineage-2026 --derived openlineage")]
pub(crate) struct Args {
    /// A new folder
    dir: PathBuf,
    /// Also the contents that the events name
    #[arg(long)]
    with_blobs: bool,
    /// Also a form for other programs, which is no evidence; may be repeated
    #[arg(long, value_name = "FORM")]
    derived: Vec<Form>,
    /// Also the personal values that the lines have digests of, and that were not erased
    #[arg(long)]
    with_personal: bool,
    #[command(flatten)]
    filters: Filters,
}

/// A form of the events that is no evidence.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    /// Conversions as run events of OpenLineage
    Openlineage,
    /// Entries and events as tables of Parquet, in builds that have it
    Parquet,
}

impl Form {
    #[cfg_attr(
        feature = "parquet",
        expect(clippy::unnecessary_wraps, reason = "a build without Parquet refuses")
    )]
    fn derived(self) -> Result<Derived, Error> {
        match self {
            Self::Openlineage => Ok(Derived::OpenLineage),
            #[cfg(feature = "parquet")]
            Self::Parquet => Ok(Derived::Parquet),
            #[cfg(not(feature = "parquet"))]
            Self::Parquet => Err(Error::new(
                ErrorKind::Refused,
                "this program was built without Parquet",
            )
            .hint("build it with --features parquet, or make tables of '-o csv' lists")),
        }
    }
}

#[derive(Serialize)]
struct Bundle {
    path: String,
    /// The event that records the export, which is the last one in the bundle.
    event: EventSeq,
    events: u64,
    contents: u64,
    files: u64,
    bytes: u64,
    vkey: String,
}

pub(crate) fn run(args: Args, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let derived = args.derived.iter().map(|form| form.derived());
    let derived = derived.collect::<Result<Vec<_>, _>>()?;
    let filter = args.filters.to_filter(context.now(), &context.zone())?;
    let dir = context.path(&args.dir);
    if dir.exists() {
        let said = format!("{} exists already", dir.display());
        return Err(Error::new(ErrorKind::Refused, said)
            .hint("name a folder that does not exist; a bundle is never changed")
            .into());
    }
    let archive = context.open(Access::ReadWrite)?;
    let filter = in_store(filter, &context.desk(&archive))?;
    let what = what(filter, &archive, context)?;
    let with = if args.with_blobs {
        WithContents::Yes
    } else {
        WithContents::No
    };
    if let (true, What::Selection { entries, .. }) = (args.with_blobs, &what) {
        let to = path_text(&dir);
        let ids = || Ok(entries.iter().collect());
        note_access(&archive, Handed::Export, "export", Some(&to), ids, context)?;
    }
    let disclose = |event: &Event| disclosures(&archive, event);
    let disclose: Option<&Disclose<'_>> = args.with_personal.then_some(&disclose as _);
    let also = Also {
        with,
        derived: &derived,
        disclose,
    };
    let bundle = write(&archive, what, &also, dir, context)?;
    let closed = archive.close();
    context.meter.clear();
    if context.json() {
        context.print_json(&bundle)?;
    } else {
        context.print(format!(
            "{}: {}, {}, {}\n",
            escape(&bundle.path),
            counted(bundle.events, "event", "events"),
            counted(bundle.contents, "content", "contents"),
            size(bundle.bytes),
        ))?;
        context.note(format_args!(
            "to check it: annals verify-export DIR --vkey '{}'",
            bundle.vkey
        ));
    }
    closed?;
    Ok(Exit::Done)
}

/// What a bundle has beside the lines and their proofs.
struct Also<'a> {
    with: WithContents,
    derived: &'a [Derived],
    disclose: Option<&'a Disclose<'a>>,
}

/// How many events are counted between two reports of progress.
const COUNTED_AT_ONCE: u64 = 4_096;

fn write(
    archive: &Archive,
    what: What,
    also: &Also<'_>,
    dir: PathBuf,
    context: &Context<'_>,
) -> Result<Bundle, Failure> {
    let progress = context.meter.as_progress();
    let newest = archive.newest().0;
    let mut tally = Tally::new(what, also.with);
    for leaf in archive.events(EventSeq(1), None)? {
        context.check_cancelled()?;
        let leaf = leaf?;
        tally.add(leaf.seq, leaf.bytes())?;
        if leaf.seq.0.is_multiple_of(COUNTED_AT_ONCE) {
            progress.report(leaf.seq.0, newest, "counting");
        }
    }
    let counted = tally.finish();
    let recorded = archive.record_export(counted.exported.clone())?;
    let last = EventSeq(recorded.signed.checkpoint().size);
    let new = NewBundle {
        counted: &counted,
        checkpoint: &recorded.signed,
        vkeys: recorded.signed.signed_by(),
        derived: also.derived,
        read: &|blob, out| {
            let mut content = archive.read(&blob.blake3)?;
            std::io::copy(&mut content, out)
                .map(drop)
                .map_err(|error| Error::io("copy", format!("blob {}", blob.blake3), error))
        },
        disclose: also.disclose,
        progress: &|done, total| progress.report(done, total, "exporting"),
    };
    let lines = archive.events(EventSeq(1), Some(last))?.map(|leaf| {
        let leaf = leaf?;
        Ok((leaf.seq, leaf.bytes().to_vec()))
    });
    let bundled = export::write(&dir, &new, lines)?;
    let keys = recorded.signed.signed_by();
    Ok(Bundle {
        path: path_text(&dir),
        event: last,
        events: bundled.events,
        contents: bundled.contents,
        files: bundled.files,
        bytes: bundled.bytes,
        vkey: keys.first().map(ToString::to_string).unwrap_or_default(),
    })
}

/// Returns the personal values of an event that the store has.
fn disclosures(archive: &Archive, event: &Event) -> Result<Vec<(Sealed, Vec<u8>)>, Error> {
    let mut found = Vec::new();
    for sealed in &event.sealed {
        if let Some(disclosure) = archive.disclosure(sealed)? {
            found.push((sealed.clone(), disclosure));
        }
    }
    Ok(found)
}

/// Returns the whole log, or the entries that the filter selects, with the filters in words.
fn what(filter: Filter, archive: &Archive, context: &Context<'_>) -> Result<What, Failure> {
    if filter.is_empty() {
        return Ok(What::Whole);
    }
    let snapshot = &archive.snapshot()?;
    // The filters become part of the log.
    let personal = archive.personal_fields().into_iter();
    let personal = personal.filter_map(|declared| declared.field.parse().ok());
    let filters = words(&filter.masked(&personal.collect::<Vec<_>>()));
    let ids = selected_ids(
        filter.purged(Purged::Include),
        snapshot,
        context.configuration().ok().as_ref(),
    )?;
    Ok(What::Selection {
        entries: EntryRanges::of(ids),
        filters,
    })
}

/// Returns the filters in words, for whoever reads the bundle.
fn words(filter: &Filter) -> Meta {
    let status: Vec<String> = filter.status.iter().map(ToString::to_string).collect();
    let meta: Vec<String> = filter
        .meta
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let stated = [
        ("converter", Some(filter.converter.join(", "))),
        ("status", Some(status.join(", "))),
        ("from", filter.from.map(|time| time.to_string())),
        ("to", filter.to.map(|time| time.to_string())),
        ("serial", filter.serial.clone()),
        ("part", filter.part.clone()),
        ("station", filter.station.clone()),
        ("process", filter.process.clone()),
        ("file", filter.file.clone()),
        ("meta", Some(meta.join(", "))),
        ("label", Some(filter.label.join(", "))),
        ("job", filter.job.map(|job| job.to_string())),
        ("text", filter.text.clone()),
    ];
    let stated = stated.into_iter().filter_map(|(name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some((name.to_owned(), value))
    });
    stated.collect()
}
