//! Verifies a backup without restoring it.

use std::collections::BTreeMap;
use std::path::Path;

use super::copy::{self, CopyError};
use super::damage::finding;
use super::options::Stop;
use super::target::{Sealed, list, lock, read_catalog};
use crate::archive::checking::verify::Depth;
use crate::archive::checking::verify::report::Finding;
use crate::archive::checking::verify::report::VerifyReport;
use crate::archive::files::backup_marker::CATALOG_FILE;
use crate::archive::options::Progress;
use crate::blob::pack_reader::PackReader;
use crate::disk::{Disk, FsDisk};
use crate::evidence::tree::Frontier;
use crate::format::catalog::Catalog;
use crate::format::record::RecordKind;
use crate::id::{EventSeq, Sha256};
use crate::{Error, ErrorKind, Result};

/// Compares the backup in `dir` with its list: that every file is there with its length. A deep
/// look reads every byte and every event, and compares the tree over the events.
///
/// Damage is a finding; an error means that the verification itself failed.
pub fn verify_backup(
    dir: impl AsRef<Path>,
    depth: Depth,
    progress: &Progress,
) -> Result<VerifyReport> {
    let dir = dir.as_ref();
    verify(&FsDisk::new(dir), dir, depth, progress)
}

pub(super) fn verify(
    disk: &dyn Disk,
    dir: &Path,
    depth: Depth,
    progress: &Progress,
) -> Result<VerifyReport> {
    let _lock = lock_if_possible(disk, dir)?;
    let read = read_catalog(disk, dir)?;
    let catalog = read.catalog;
    if catalog.event == EventSeq(0) {
        return Err(unfinished(dir));
    }
    let mut report = VerifyReport::new();
    for (name, why) in read.wrong {
        report.findings.push(Finding {
            kind: "list".to_owned(),
            r#where: name.to_owned(),
            detail: why,
        });
    }
    let there = list(disk, dir)?;
    let mut tree = Some(Frontier::new());
    let mut next = EventSeq(1);
    let total = catalog.files.len() as u64;
    for (done, file) in (0..).zip(&catalog.files) {
        progress.report(done, total, "checking the backup");
        let path = Path::new(&file.path);
        let mut say = |why: String| report.findings.push(finding(&file.path, why));
        if file.damaged {
            say("it was damaged in the store, and copied as it was".to_owned());
        }
        match there.get(&file.path) {
            None => {
                say("it is missing".to_owned());
                continue;
            }
            Some(bytes) if *bytes != file.bytes => {
                say(format!("it has {bytes} bytes instead of {}", file.bytes));
                continue;
            }
            Some(_) => {}
        }
        let Some(sealed) = Sealed::of(&file.path) else {
            say("it is no file of a store".to_owned());
            continue;
        };
        if depth == Depth::Deep && !file.damaged {
            let stop = Stop::default();
            let checked =
                copy::compare(disk, path, &file.sha256, file.bytes, &stop).and_then(|wrong| {
                    match wrong {
                        Some(wrong) => Ok(Some(wrong)),
                        None => copy::check(disk, path, sealed, &catalog.store, &stop, &mut tree),
                    }
                });
            match checked {
                Ok(None) => report.checked_bytes += file.bytes,
                Ok(Some(why)) => say(why),
                Err(error) => return Err(failed(dir, path, error)),
            }
        }
        count(disk, path, sealed, &catalog, &mut report, &mut next);
    }
    if next != catalog.event.next() {
        report.findings.push(finding(
            "events",
            format!(
                "they end before event {next}, and the backup goes up to {}",
                catalog.event
            ),
        ));
    }
    let root = tree.map(|tree| Sha256::from_bytes(tree.root()));
    if depth == Depth::Deep && report.findings.is_empty() && root != Some(catalog.root) {
        let why = "the tree over all events is not the one the list states";
        report.findings.push(finding("events", why));
    }
    report.ok = report.findings.is_empty();
    Ok(report)
}

/// Counts what is in a file, and follows the events from one segment to the next.
fn count(
    disk: &dyn Disk,
    path: &Path,
    sealed: Sealed,
    catalog: &Catalog,
    report: &mut VerifyReport,
    next: &mut EventSeq,
) {
    match sealed {
        Sealed::Segment(first) => {
            let opened =
                crate::log::SegmentReader::open_at(disk, path.to_owned(), &catalog.store, first);
            if let Ok(segment) = opened {
                report.events += segment.last_seq().0 + 1 - first.0;
                if first == *next {
                    *next = segment.last_seq().next();
                }
            }
        }
        Sealed::Pack(_) => {
            report.packs += 1;
            let listed = PackReader::open(disk, path).and_then(|pack| pack.listed());
            let is_blob = |kind| kind != RecordKind::Dictionary;
            report.blobs += listed.map_or(0, |listed| {
                listed.iter().filter(|entry| is_blob(entry.kind)).count() as u64
            });
        }
    }
}

fn failed(dir: &Path, path: &Path, error: CopyError) -> Error {
    match error {
        CopyError::Read(error) | CopyError::Write(error) => {
            Error::io("read", dir.join(path), error)
        }
        CopyError::Vanished | CopyError::Stopped => Error::new(
            ErrorKind::Changed,
            format!("{} went away while it was read", dir.join(path).display()),
        ),
    }
}

/// Locks a backup against runs, unless its disk cannot be written: then no run can come.
pub(super) fn lock_if_possible(
    disk: &dyn Disk,
    dir: &Path,
) -> Result<Option<Box<dyn crate::disk::DiskLock>>> {
    match lock(disk, dir) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == ErrorKind::Refused => Err(error),
        Err(_) => Ok(None),
    }
}

/// Makes the error for a backup of which no run ended.
pub(super) fn unfinished(dir: &Path) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!(
            "the backup in {} is not finished: no run of it came to its end",
            dir.display()
        ),
    )
    .hint(format!(
        "run 'annals backup' again; {CATALOG_FILE} there lists nothing yet"
    ))
}

/// Returns the files of a backup by their path in a store.
pub(super) fn by_store_path(
    catalog: &Catalog,
) -> BTreeMap<&str, &crate::format::catalog::CatalogFile> {
    let files = catalog.files.iter();
    files.map(|file| (file.store_path(), file)).collect()
}
