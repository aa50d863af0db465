//! Evidence bundles: what goes into one, counting it, and writing it.

use std::path::Path;

use serde::Serialize;

use crate::archive::Archive;
use crate::entry::Meta;
use crate::event::{EntryRanges, Event, Sealed};
use crate::export::{self, Counted, Derived, Disclose, NewBundle, Tally, What, WithContents};
use crate::host::Config;
use crate::id::EventSeq;
use crate::query::{Filter, Purged};
use crate::service::entries::selected_ids;
use crate::{Error, Result};

/// A bundle that was written, as `annals export --json` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct BundleObject {
    /// The folder.
    pub path: String,
    /// The event that records the export, which is the last one in the bundle.
    pub event: EventSeq,
    /// Lines of the log.
    pub events: u64,
    /// Contents.
    pub contents: u64,
    /// Files in the bundle's `data`.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The key that signed it.
    pub vkey: String,
}

/// What a bundle has beside the lines and their proofs.
#[derive(Clone, Copy, Default)]
pub struct Also<'a> {
    /// Forms for other programs.
    pub derived: &'a [Derived],
    /// Personal values that are there.
    pub with_personal: bool,
}

/// Watches the work on a bundle.
pub trait Watch {
    /// Is told now and then how much is done.
    fn progress(&self, done: u64, total: u64, doing: &str);

    /// Says whether the work goes on.
    ///
    /// # Errors
    /// What ends it.
    fn go_on(&self) -> Result<()>;
}

/// How many events are counted between two reports of progress.
const COUNTED_AT_ONCE: u64 = 4_096;

/// Returns the whole log, or the entries that the filter selects, with the filters in words.
///
/// # Errors
/// When the store cannot be read, and for a converter that nobody knows.
pub fn what_of(filter: Filter, archive: &Archive, config: Option<&Config>) -> Result<What> {
    if filter.is_empty() {
        return Ok(What::Whole);
    }
    let snapshot = &archive.snapshot()?;
    // The filters become part of the log.
    let personal = archive.personal_fields().into_iter();
    let personal = personal.filter_map(|declared| declared.field.parse().ok());
    let filters = words(&filter.masked(&personal.collect::<Vec<_>>()));
    let ids = selected_ids(filter.purged(Purged::Include), snapshot, config)?;
    Ok(What::Selection {
        entries: EntryRanges::of(ids),
        filters,
    })
}

/// Counts what a bundle will have. Nothing is recorded.
///
/// # Errors
/// When the log cannot be read, and when `watch` ends it.
pub fn count_bundle(
    archive: &Archive,
    what: What,
    with: WithContents,
    watch: &dyn Watch,
) -> Result<Counted> {
    let newest = archive.newest().0;
    let mut tally = Tally::new(what, with);
    for leaf in archive.events(EventSeq(1), None)? {
        watch.go_on()?;
        let leaf = leaf?;
        tally.add(leaf.seq, leaf.bytes())?;
        if leaf.seq.0.is_multiple_of(COUNTED_AT_ONCE) {
            watch.progress(leaf.seq.0, newest, "counting");
        }
    }
    Ok(tally.finish())
}

/// Records an export and writes the bundle to the folder `dir`, which must not exist.
///
/// # Errors
/// When there is no key to sign with: then nothing is recorded. When the bundle cannot be written:
/// then there is no such folder, and the export is on record.
pub fn write_bundle(
    archive: &Archive,
    counted: &Counted,
    also: Also<'_>,
    dir: &Path,
    path: String,
    watch: &dyn Watch,
) -> Result<BundleObject> {
    let recorded = archive.record_export(counted.exported.clone())?;
    let last = EventSeq(recorded.signed.checkpoint().size);
    let disclose = |event: &Event| disclosures(archive, event);
    let disclose: Option<&Disclose<'_>> = also.with_personal.then_some(&disclose as _);
    let new = NewBundle {
        counted,
        checkpoint: &recorded.signed,
        vkeys: recorded.signed.signed_by(),
        derived: also.derived,
        read: &|blob, out| {
            watch.go_on()?;
            let mut content = archive.read(&blob.blake3)?;
            std::io::copy(&mut content, out)
                .map(drop)
                .map_err(|error| Error::io("copy", format!("blob {}", blob.blake3), error))
        },
        disclose,
        progress: &|done, total| watch.progress(done, total, "exporting"),
    };
    let lines = archive.events(EventSeq(1), Some(last))?.map(|leaf| {
        watch.go_on()?;
        let leaf = leaf?;
        Ok((leaf.seq, leaf.bytes().to_vec()))
    });
    let bundled = export::write(dir, &new, lines)?;
    let keys = recorded.signed.signed_by();
    Ok(BundleObject {
        path,
        event: last,
        events: bundled.events,
        contents: bundled.contents,
        files: bundled.files,
        bytes: bundled.bytes,
        vkey: keys.first().map(ToString::to_string).unwrap_or_default(),
    })
}

/// Returns the personal values of an event that the store has.
fn disclosures(archive: &Archive, event: &Event) -> Result<Vec<(Sealed, Vec<u8>)>> {
    let mut found = Vec::new();
    for sealed in &event.sealed {
        if let Some(disclosure) = archive.disclosure(sealed)? {
            found.push((sealed.clone(), disclosure));
        }
    }
    Ok(found)
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
        ("path", filter.path.clone()),
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
