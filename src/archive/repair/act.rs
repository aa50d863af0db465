//! The deed: damaged files are copied to `quarantine/` and replaced, one after the other. Each step leaves a store that can
//! be looked through and repaired again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::open::{self, HEADER_FILE, INDEX_FILE, QUARANTINE_DIR};
use crate::archive::repair::{PackMend, Repair};
use crate::archive::shared::{PACKS_DIR, TMP_DIR, read_error, write_error};
use crate::blob::pack_reader::PackReader;
use crate::blob::pack_writer::PackWriter;
use crate::disk::{Disk, OpenMode, PublishError, publish};
use crate::event::{Body, ClockReading, Event, Lost, RepairedFile};
use crate::format::{header, leaf};
use crate::id::EventSeq;
use crate::log::{EVENTS_DIR, JOURNAL_DIR, LogError};
use crate::{Error, Result};

/// Replaces every damaged file. Says which, and where what they were is kept.
pub(super) fn act(repair: &Repair) -> Result<Vec<RepairedFile>> {
    let disk = &repair.disk;
    let findings = &repair.findings;
    for folder in [JOURNAL_DIR, EVENTS_DIR, PACKS_DIR, TMP_DIR, QUARANTINE_DIR] {
        let folder = Path::new(folder);
        disk.make_dir(folder)
            .map_err(|error| Error::io("make", folder, error))?;
    }
    disk.sync_dir(Path::new(""))
        .map_err(|error| Error::io("sync", "the store's folder", error))?;
    open::clear_tmp(&**disk)?;
    let mut files = Vec::new();
    let mut set_aside = |path: &Path| -> Result<()> {
        let quarantine = keep(&**disk, path)?;
        files.push(RepairedFile {
            path: path.display().to_string(),
            quarantine,
        });
        Ok(())
    };
    if findings.header {
        set_aside(Path::new(HEADER_FILE))?;
        replace(
            &**disk,
            Path::new(HEADER_FILE),
            header::encode(&findings.store).as_bytes(),
        )?;
    }
    let stand = |seq, path: &Path| stand_in(repair, seq, path);
    let tmp = tmp_path("log");
    for mend in &findings.log.segments {
        set_aside(&mend.path)?;
    }
    for mend in &findings.log.journals {
        set_aside(&mend.path)?;
    }
    for spare in &findings.log.spare {
        set_aside(&spare.path)?;
    }
    for path in &findings.doubtful_packs {
        set_aside(path)?;
    }
    // The index is a witness to how far the log went, until the log says it itself.
    let log = &findings.log;
    log.write_segments(disk, &findings.store, &findings.remains, &tmp, &stand)?;
    log.write_journals(&**disk, &findings.remains, &tmp, &stand)?;
    for spare in &log.spare {
        remove(&**disk, &spare.path)?;
    }
    if findings.index {
        set_aside(Path::new(INDEX_FILE))?;
        remove(&**disk, Path::new(INDEX_FILE))?;
    }
    for pack in &findings.packs {
        set_aside(&pack.path)?;
        if pack.kept.is_empty() {
            remove(&**disk, &pack.path)?;
        } else {
            rewrite(disk, pack)?;
        }
    }
    Ok(files)
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

/// Copies a file to the quarantine, durably, under a name made of its own and of its content. `None` when there is no such
/// file.
fn keep(disk: &dyn Disk, path: &Path) -> Result<Option<String>> {
    let failed = |error| Error::io("read", path, error);
    let file = match disk.open(path, OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    let size = file.size().map_err(failed)?;
    let pieces = |each: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>| -> io::Result<()> {
        const PIECE: usize = 1 << 20;
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < size {
            let length = usize::try_from(size - at).map_or(PIECE, |left| left.min(PIECE));
            file.read_exact_at(&mut piece[..length], at)?;
            each(at, &piece[..length])?;
            at += length as u64;
        }
        Ok(())
    };
    let mut hasher = blake3::Hasher::new();
    pieces(&mut |_, bytes| {
        hasher.update(bytes);
        Ok(())
    })
    .map_err(failed)?;
    let flat = path.display().to_string().replace(['/', '\\'], "+");
    let digest = hasher.finalize().to_hex();
    let kept = Path::new(QUARANTINE_DIR).join(format!("{flat}.{}", &digest[..16]));
    if disk.open(&kept, OpenMode::Read).is_ok() {
        // A repair that was cut off has been here; only whole copies get their names.
        return Ok(Some(kept.display().to_string()));
    }
    let tmp = tmp_path("copy");
    let copy = || {
        let copy = disk.open(&tmp, OpenMode::CreateNew)?;
        pieces(&mut |at, bytes| copy.write_all_at(bytes, at))?;
        copy.sync()?;
        name(disk, &tmp, &kept)
    };
    copy().map_err(|error| Error::io("write", &kept, error))?;
    Ok(Some(kept.display().to_string()))
}

fn name(disk: &dyn Disk, tmp: &Path, path: &Path) -> io::Result<()> {
    publish(disk, tmp, path).map_err(|error| match error {
        PublishError::Rename(error) | PublishError::SyncDir(error) => error,
    })
}

/// Gives a file new bytes in one step.
fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<()> {
    let tmp = tmp_path("file");
    let write = || {
        let file = disk.open(&tmp, OpenMode::CreateNew)?;
        file.write_all_at(bytes, 0)?;
        file.sync()?;
        name(disk, &tmp, path)
    };
    write().map_err(|error| Error::io("write", path, error))
}

fn remove(disk: &dyn Disk, path: &Path) -> Result<()> {
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
