//! Replaces damaged files, one after the other, after copying them to `quarantine/`. Each step
//! leaves a store that can be examined and repaired again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{keep, remove, replace, tmp_path};
use super::inventory::{self, Inventory, Progress};
use super::plan::{PackMend, Patient};
use crate::archive::files::folders::{FOLDERS, HEADER_FILE, INDEX_FILE, NEWEST_FILE, clear_tmp};
use crate::archive::files::pack_error::{read_error, write_error};
use crate::blob::pack_reader::PackReader;
use crate::blob::pack_writer::PackWriter;
use crate::disk::Disk;
use crate::event::{Body, ClockReading, Event, Lost, RepairedFile};
use crate::format::{header, leaf};
use crate::id::EventSeq;
use crate::log::{LogError, journal_path};
use crate::{Error, Result};

/// Replaces every damaged file, after copies of all of them are kept and the inventory names them.
/// Returns the files, and the number of the inventory.
pub(super) fn act(patient: &Patient) -> Result<(Vec<RepairedFile>, u32)> {
    let disk = &patient.disk;
    let findings = &patient.findings;
    for folder in FOLDERS {
        let folder = Path::new(folder);
        disk.make_dir(folder)
            .map_err(|error| Error::io("make", folder, error))?;
    }
    disk.sync_dir(Path::new(""))
        .map_err(|error| Error::io("sync", "the store's folder", error))?;
    clear_tmp(&**disk)?;
    let files = keep_all(patient)?;
    let number = begin_inventory(patient, &files)?;
    if findings.header {
        replace(
            &**disk,
            Path::new(HEADER_FILE),
            header::encode(&findings.store).as_bytes(),
        )?;
    }
    let stand = |seq, path: &Path| stand_in(patient, seq, path);
    let tmp = tmp_path("log");
    // The index is the watermark of the log until the log is repaired, so it goes after it.
    let log = &findings.log;
    log.write_segments(disk, &findings.store, &findings.remains, &tmp, &stand)?;
    log.write_journals(&**disk, &findings.remains, &tmp, &stand)?;
    for spare in &log.spare {
        remove(&**disk, &spare.path)?;
    }
    if findings.index {
        remove(&**disk, Path::new(INDEX_FILE))?;
    }
    for pack in &findings.packs {
        if pack.kept.is_empty() {
            remove(&**disk, &pack.path)?;
        } else {
            rewrite(disk, pack)?;
        }
    }
    Ok((files, number))
}

/// Copies every file that will be replaced or removed.
fn keep_all(patient: &Patient) -> Result<Vec<RepairedFile>> {
    let findings = &patient.findings;
    let log = &findings.log;
    let header = findings.header.then(|| Path::new(HEADER_FILE));
    let index = findings.index.then(|| Path::new(INDEX_FILE));
    let paths = header
        .into_iter()
        .chain(log.segments.iter().map(|mend| mend.path.as_path()))
        .chain(log.journals.iter().map(|mend| mend.path.as_path()))
        .chain(log.spare.iter().map(|spare| spare.path.as_path()))
        .chain(findings.doubtful_packs.iter().map(PathBuf::as_path))
        .chain(index)
        .chain(findings.packs.iter().map(|pack| pack.path.as_path()));
    let kept = paths.map(|path| {
        Ok(RepairedFile {
            path: path.display().to_string(),
            quarantine: keep(&*patient.disk, path)?,
        })
    });
    kept.collect()
}

/// Writes the inventory. The inventory of a repair that was cut off is continued.
fn begin_inventory(patient: &Patient, files: &[RepairedFile]) -> Result<u32> {
    let disk = &*patient.disk;
    let mut kept: BTreeMap<String, String> = files
        .iter()
        .filter_map(|file| Some((file.path.clone(), file.quarantine.clone()?)))
        .collect();
    // The events of the repair are written to these files.
    let journals = patient.findings.remains.journals.iter();
    let current = journals
        .filter_map(|journal| Some((journal.header.as_ref().ok()?.first_seq, journal.slot)))
        .max()
        .map(|(_, slot)| journal_path(slot));
    for path in current.into_iter().chain([PathBuf::from(NEWEST_FILE)]) {
        let name = path.display().to_string();
        if !kept.contains_key(&name)
            && let Some(copy) = keep(disk, &path)?
        {
            kept.insert(name, copy);
        }
    }
    let now = patient.options.clock.now();
    let mut inventory = Inventory::begun(disk, patient.findings.store, now, kept)?;
    let number = match inventory::all(disk)?.pop_last() {
        Some((number, last)) if last.progress == Progress::Begun => {
            inventory.go_on_from(last);
            number
        }
        Some((number, _)) => number + 1,
        None => 1,
    };
    inventory.write(disk, number)?;
    Ok(number)
}

/// Notes in the inventory that the repair is done, and what the log is now.
pub(super) fn end_inventory(disk: &dyn Disk, number: u32) -> Result<()> {
    let Some(mut inventory) = inventory::all(disk)?.remove(&number) else {
        return Ok(());
    };
    inventory.progress = Progress::Done;
    inventory.after = inventory::log_digests(disk)?;
    inventory.write(disk, number)
}

/// Makes the event that stands for a lost one.
fn stand_in(patient: &Patient, seq: EventSeq, path: &Path) -> Result<Vec<u8>, LogError> {
    let clock = &patient.options.clock;
    let event = Event {
        seq,
        time: clock.now(),
        actor: patient.options.actor.clone(),
        clock: ClockReading {
            boot: clock.boot().to_owned(),
            mono_ms: clock.monotonic_ms(),
        },
        body: Body::Lost(Lost {
            file: path.display().to_string(),
            and_later: patient.findings.log.end == Some(seq),
        }),
        sealed: Vec::new(),
    };
    Ok(leaf::encode(&patient.findings.store, &event)?.into_bytes())
}

/// Rewrites a pack from its readable records, under its own name and number.
fn rewrite(disk: &Arc<dyn Disk>, mend: &PackMend) -> Result<()> {
    let failed = |error| read_error(&mend.path, error);
    let old = PackReader::open_remains(&**disk, &mend.path, mend.header.clone()).map_err(failed)?;
    let mut writer =
        PackWriter::create(disk, &tmp_path("pack"), mend.header.clone()).map_err(write_error)?;
    for (offset, len, id) in &mend.kept {
        let record = old.read_record(*offset, *len, id).map_err(failed)?;
        if let Some(tag) = record.header.dictionary
            && !writer.carries(tag)
        {
            let dictionary = old.stored_dictionary(tag).map_err(failed)?;
            writer.carry(&dictionary).map_err(write_error)?;
        }
        writer.append(&record.as_record()).map_err(write_error)?;
    }
    writer
        .seal_and_publish(&mend.path)
        .map_err(write_error)
        .map(drop)
}
