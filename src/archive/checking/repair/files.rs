//! Copies, replaces and removes single files of a repair, each durably and in one step.

use std::io;
use std::path::{Path, PathBuf};

use crate::archive::files::folders::{QUARANTINE_DIR, TMP_DIR};
use crate::disk::{Disk, DiskFile, OpenMode, PublishError, publish};
use crate::{Error, Result};

pub(super) fn tmp_path(what: &str) -> PathBuf {
    Path::new(TMP_DIR).join(format!("repair-{what}"))
}

/// Copies a file to the quarantine, durably, under a name made of its own name and its content.
/// `None` when there is no such file.
pub(super) fn keep(disk: &dyn Disk, path: &Path) -> Result<Option<String>> {
    let Some(digest) = digest_of(disk, path)? else {
        return Ok(None);
    };
    let flat = path.display().to_string().replace(['/', '\\'], "+");
    let kept = Path::new(QUARANTINE_DIR).join(format!("{flat}.{}", &digest[..DIGITS]));
    // A repair that was cut off may have copied it; only whole copies get their names.
    if disk.open(&kept, OpenMode::Read).is_err() {
        copy_to(disk, path, &kept, Zeros::LeftOut)?;
    }
    Ok(Some(kept.display().to_string()))
}

/// Digits of the digest in the name of a copy.
const DIGITS: usize = 16;

/// Returns the digits of the digest that the name of a copy ends with.
pub(super) fn digest_in_name(copy: &str) -> Option<&str> {
    copy.get(copy.len().checked_sub(DIGITS)?..)
}

/// Returns the BLAKE3 hash of a file in hexadecimal; `None` when there is no such file.
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

/// How zeros of a file are copied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zeros {
    /// They are left out and take no room: most of a journal file is zeros.
    LeftOut,
    /// They are written, because a journal file must not find the disk full later.
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
        // On a full disk an incomplete copy must not stay.
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

/// Replaces a file by new bytes in one step.
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
