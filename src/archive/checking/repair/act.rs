//! The deed: damaged files are copied to `quarantine/` and replaced, one after the other. Each step leaves a store that can
//! be looked through and repaired again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::checking::repair::inventory::{self, Inventory, Progress};
use crate::archive::checking::repair::{PackMend, Repair};
use crate::archive::opening::open::{self, HEADER_FILE, INDEX_FILE, NEWEST_FILE, QUARANTINE_DIR};
use crate::archive::state::folders::FOLDERS;
use crate::archive::state::shared::{TMP_DIR, read_error, write_error};
use crate::blob::pack_reader::PackReader;
use crate::blob::pack_writer::PackWriter;
use crate::disk::{Disk, DiskFile, OpenMode, PublishError, publish};
use crate::event::{Body, ClockReading, Event, Lost, RepairedFile};
use crate::format::{header, leaf};
use crate::id::EventSeq;
use crate::log::{LogError, journal_path};
use crate::{Error, Result};

/// Replaces every damaged file, after copies of all of them are kept and the inventory says where. Returns
/// which, and the number of the inventory.
pub(super) fn act(repair: &Repair) -> Result<(Vec<RepairedFile>, u32)> {
    let disk = &repair.disk;
    let findings = &repair.findings;
    for folder in FOLDERS {
        let folder = Path::new(folder);
        disk.make_dir(folder)
            .map_err(|error| Error::io("make", folder, error))?;
    }
    disk.sync_dir(Path::new(""))
        .map_err(|error| Error::io("sync", "the store's folder", error))?;
    open::clear_tmp(&**disk)?;
    let files = keep_all(repair)?;
    let number = begin_inventory(repair, &files)?;
    if findings.header {
        replace(
            &**disk,
            Path::new(HEADER_FILE),
            header::encode(&findings.store).as_bytes(),
        )?;
    }
    let stand = |seq, path: &Path| stand_in(repair, seq, path);
    let tmp = tmp_path("log");
    // The index is a witness to how far the log went, until the log says it itself.
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

/// Copies every file that is going to be replaced or taken out.
fn keep_all(repair: &Repair) -> Result<Vec<RepairedFile>> {
    let findings = &repair.findings;
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
            quarantine: keep(&*repair.disk, path)?,
        })
    });
    kept.collect()
}

/// Makes the inventory durable. The one of a repair that was cut off is gone on with.
fn begin_inventory(repair: &Repair, files: &[RepairedFile]) -> Result<u32> {
    let disk = &*repair.disk;
    let mut kept: BTreeMap<String, String> = files
        .iter()
        .filter_map(|file| Some((file.path.clone(), file.quarantine.clone()?)))
        .collect();
    // What is recorded about the repair is written to these.
    let journals = repair.findings.remains.journals.iter();
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
    let now = repair.options.clock.now();
    let mut inventory = Inventory::begun(disk, repair.findings.store, now, kept)?;
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

/// Says in the inventory that the repair is done, and what the log is now.
pub(super) fn end_inventory(disk: &dyn Disk, number: u32) -> Result<()> {
    let Some(mut inventory) = inventory::all(disk)?.remove(&number) else {
        return Ok(());
    };
    inventory.progress = Progress::Done;
    inventory.after = inventory::log_digests(disk)?;
    inventory.write(disk, number)
}

fn tmp_path(what: &str) -> PathBuf {
    Path::new(TMP_DIR).join(format!("repair-{what}"))
}

/// The event that stands for a lost one.
fn stand_in(repair: &Repair, seq: EventSeq, path: &Path) -> Result<Vec<u8>, LogError> {
    let clock = &repair.options.clock;
    let event = Event {
        seq,
        time: clock.now(),
        actor: repair.options.actor.clone(),
        clock: ClockReading {
            boot: clock.boot().to_owned(),
            mono_ms: clock.monotonic_ms(),
        },
        body: Body::Lost(Lost {
            file: path.display().to_string(),
            and_later: repair.findings.log.end == Some(seq),
        }),
    };
    Ok(leaf::encode(&repair.findings.store, &event)?.into_bytes())
}

/// Copies a file to the quarantine, durably, under a name made of its own and of its content. `None`
/// when there is no such file.
pub(super) fn keep(disk: &dyn Disk, path: &Path) -> Result<Option<String>> {
    let Some(digest) = digest_of(disk, path)? else {
        return Ok(None);
    };
    let flat = path.display().to_string().replace(['/', '\\'], "+");
    let kept = Path::new(QUARANTINE_DIR).join(format!("{flat}.{}", &digest[..DIGITS]));
    // A repair that was cut off may have been here; only whole copies get their names.
    if disk.open(&kept, OpenMode::Read).is_err() {
        copy_to(disk, path, &kept, Zeros::LeftOut)?;
    }
    Ok(Some(kept.display().to_string()))
}

/// Digits of a copy's digest in its name.
const DIGITS: usize = 16;

/// The digits of its digest that the name of a copy ends with.
pub(super) fn digest_in_name(copy: &str) -> Option<&str> {
    copy.get(copy.len().checked_sub(DIGITS)?..)
}

/// The BLAKE3 of a file, in digits; `None` when there is no such file.
pub(super) fn digest_of(disk: &dyn Disk, path: &Path) -> Result<Option<String>> {
    let failed = |error| Error::io("read", path, error);
    let file = match disk.open(path, OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    let mut hasher = blake3::Hasher::new();
    pieces(&*file, |_, bytes| {
        hasher.update(bytes);
        Ok(())
    })
    .map_err(failed)?;
    Ok(Some(hasher.finalize().to_hex().to_string()))
}

/// What becomes of the zeros of a file in its copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zeros {
    /// They take no room: most of a journal file is zeros.
    LeftOut,
    /// They are written: a journal file must not find the disk full later.
    Written,
}

/// Copies a file, durably and in one step.
pub(super) fn copy_to(disk: &dyn Disk, from: &Path, to: &Path, zeros: Zeros) -> Result<()> {
    let file = disk
        .open(from, OpenMode::Read)
        .map_err(|error| Error::io("read", from, error))?;
    let tmp = tmp_path("copy");
    let copy = || {
        let copy = disk.open(&tmp, OpenMode::CreateNew)?;
        copy.set_len(file.size()?)?;
        pieces(&*file, |at, bytes| {
            let is_left_out = zeros == Zeros::LeftOut && bytes.iter().all(|byte| *byte == 0);
            if is_left_out {
                return Ok(());
            }
            copy.write_all_at(bytes, at)
        })?;
        copy.sync()?;
        name(disk, &tmp, to)
    };
    copy().map_err(|error| {
        // On a full disk a half copy must not stay.
        let _ = disk.remove(&tmp);
        Error::io("write", to, error)
    })
}

fn pieces(
    file: &dyn DiskFile,
    mut each: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    const PIECE: usize = 64 << 10;
    let size = file.size()?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < size {
        let length = usize::try_from(size - at).map_or(PIECE, |left| left.min(PIECE));
        file.read_exact_at(&mut piece[..length], at)?;
        each(at, &piece[..length])?;
        at += length as u64;
    }
    Ok(())
}

fn name(disk: &dyn Disk, tmp: &Path, path: &Path) -> io::Result<()> {
    publish(disk, tmp, path).map_err(|error| match error {
        PublishError::Rename(error) | PublishError::SyncDir(error) => error,
    })
}

/// Gives a file new bytes in one step.
pub(super) fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<()> {
    let tmp = tmp_path("file");
    let write = || {
        let file = disk.open(&tmp, OpenMode::CreateNew)?;
        file.write_all_at(bytes, 0)?;
        file.sync()?;
        name(disk, &tmp, path)
    };
    write().map_err(|error| Error::io("write", path, error))
}

pub(super) fn remove(disk: &dyn Disk, path: &Path) -> Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| Error::io("remove", path, error))?,
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    disk.sync_dir(folder)
        .map_err(|error| Error::io("sync", folder, error))
}

/// Writes a pack anew under its own name and number.
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
