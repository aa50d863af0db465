//! Gives a file another content in one step, one writer at a time.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::{Error, ErrorKind, Result};

/// How often, and after how long, a lock that another writer has is tried again.
const TRIES: usize = 40;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// Opens a file that may be written to.
///
/// # Errors
/// `ReadOnly` and `Io`, with the reason.
pub(super) fn open(path: &Path) -> Result<File> {
    let opened = fs::OpenOptions::new().read(true).write(true).open(path);
    opened.map_err(|error| {
        let told = Error::io("write to", path, error);
        match told.kind() {
            ErrorKind::Io => Error::new(ErrorKind::ReadOnly, told.message())
                .hint("its permissions decide who may change the configuration"),
            _ => told,
        }
    })
}

/// Replaces the content `before` of a file by `after`, and flushes it.
///
/// # Errors
/// `Changed` when the file has another content; `Locked` while another writer holds it.
pub(super) fn replace(path: &Path, before: &[u8], after: &[u8]) -> Result<()> {
    let mut file = locked(path)?;
    let mut now = Vec::new();
    file.read_to_end(&mut now)
        .map_err(|error| Error::io("read", path, error))?;
    if now != before {
        return Err(Error::new(
            ErrorKind::Changed,
            format!("{} was changed by somebody else meanwhile", path.display()),
        )
        .hint("look at it and try again; nothing was written"));
    }
    let beside = temporary(path).map_err(|error| Error::io("name a file beside", path, error))?;
    let swapped = write_beside(&beside, &file, after).and_then(|()| fs::rename(&beside, path));
    match swapped {
        Ok(()) => sync_folder(path.parent().unwrap_or(Path::new("."))),
        Err(error) => {
            // It may not exist.
            let _ = fs::remove_file(&beside);
            if !is_bound_in_place(&error) {
                return Err(Error::io("replace", path, error));
            }
            in_place(&mut file, before, after)
        }
    }
    .map_err(|error| Error::io("write to", path, error))
}

/// Opens a file and locks it, until it is closed. A writer that waited locks the file that the
/// writer before it has put there, not the one that is gone.
fn locked(path: &Path) -> Result<File> {
    for _ in 0..TRIES {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) if is_still_at(&file, path) => return Ok(file),
            // Another writer has put another file there.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => sleep(BETWEEN_TRIES),
            // A file system without locks: then the comparison of the bytes is what there is.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    let told = format!("another program is changing {}", path.display());
    Err(Error::new(ErrorKind::Locked, told).hint("try again in a moment; nothing was written"))
}

#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => id(ours) == id(there),
        _ => false,
    }
}

// Where there is no number to compare, the comparison of the bytes finds another file.
#[cfg(not(unix))]
fn is_still_at(_: &File, _: &Path) -> bool {
    true
}

/// Tells whether the file itself may be written to although no other can take its place: it is
/// mounted by itself, its folder is read-only, or another account owns it.
fn is_bound_in_place(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy
            | io::ErrorKind::CrossesDevices
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Writes to the file itself. If that fails, such as on a full disk, it gets its old content back.
pub(super) fn in_place(file: &mut File, before: &[u8], after: &[u8]) -> io::Result<()> {
    let written = write_over(file, after);
    if written.is_err() {
        // Its own blocks are still there, so this needs no space. If it fails as well, the first
        // error is the one to tell.
        let _ = write_over(file, before);
    }
    written
}

/// The end comes first, because it is what may need space; then nothing is lost yet.
fn write_over(file: &mut File, content: &[u8]) -> io::Result<()> {
    let old = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if let Some(more) = content.get(old..) {
        file.seek(SeekFrom::End(0))?;
        file.write_all(more)?;
        file.sync_all()?;
    }
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&content[..old.min(content.len())])?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

/// Returns an unused name in the folder of `path`.
fn temporary(path: &Path) -> io::Result<PathBuf> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = u64::from_le_bytes(bytes);
    Ok(path.with_file_name(format!(".{name}.{number:016x}.tmp")))
}

/// Writes a file beside the original, with the permissions and owner of `like`.
///
/// Until these are set, only this account may read the file.
fn write_beside(beside: &Path, like: &File, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(beside)?;
    file.write_all(bytes)?;
    let metadata = like.metadata()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let ours = file.metadata()?;
        if (ours.uid(), ours.gid()) != (metadata.uid(), metadata.gid()) {
            fchown(&file, Some(metadata.uid()), Some(metadata.gid()))?;
        }
    }
    file.set_permissions(metadata.permissions())?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

// Windows offers no handle to flush a folder; NTFS journals names itself.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
