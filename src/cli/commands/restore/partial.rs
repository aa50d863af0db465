//! Files that are being restored, under a temporary name until they are complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::id::{BlobId, EntryId};
use crate::service::content::content_of;
use crate::{Error, ErrorKind, Result};

pub(super) fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // The file system has no hard links. An empty file claims the name, and is then replaced.
        Err(_) => {
            private().open(to)?;
            fs::rename(from, to).inspect_err(|_| {
                let _ = fs::remove_file(to);
            })
        }
    }
}

/// Returns options that create a file which only this account can read.
///
/// The store does not record who could read the source, so the restored file gets the narrowest
/// permissions.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

#[cfg(unix)]
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

// Windows has no handle to sync a directory with. NTFS journals names itself.
#[cfg(not(unix))]
pub(super) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes what killed runs left in a folder: partial files, and the folders unpacked from them.
///
/// A run holds a lock on its partial file, which ends with its process. What cannot be locked or
/// removed stays: it is harmless, and its name says what it is.
pub(super) fn remove_abandoned(dir: &Path) {
    for item in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = item.path();
        if !item.file_name().to_str().is_some_and(is_temporary) {
            continue;
        }
        let partial = path.with_extension("partial");
        let is_abandoned = match File::open(&partial) {
            Ok(file) => file.try_lock().is_ok(),
            // A folder is removed before the partial file that it was unpacked from.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_abandoned {
            let _ = fs::remove_dir_all(partial.with_extension("unpacked"));
            let _ = fs::remove_file(&partial);
        }
    }
}

/// Returns true for the name of a partial file of this verb, `.annals-PID-COUNT-ENTRY.partial`, and
/// of the folder unpacked from it.
fn is_temporary(name: &str) -> bool {
    let ends = [".partial", ".unpacked"];
    let stem = ends.iter().find_map(|end| name.strip_suffix(end));
    let numbers = stem.and_then(|stem| stem.strip_prefix(".annals-"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    numbers
        .is_some_and(|numbers| numbers.split('-').count() == 3 && numbers.split('-').all(is_number))
}

/// A file under a temporary name. Dropping it removes the file unless it was placed.
pub(super) struct Partial {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) placed: bool,
}

impl Partial {
    pub(super) fn create(dir: &Path, id: EntryId) -> Result<Self> {
        // Several runs in one process may restore one entry at the same time.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!(".annals-{}-{nth}-{id}.partial", std::process::id()));
        let file = private()
            .read(true)
            .open(&path)
            .map_err(|error| Error::io("create", &path, error))?;
        // Tells other runs that it is being written. Where files cannot be locked, they leave it.
        let _ = file.try_lock();
        Ok(Self {
            path,
            file,
            placed: false,
        })
    }

    pub(super) fn write(&mut self, chunk: &[u8]) -> Result<()> {
        let written = self.file.write_all(chunk);
        written.map_err(|error| Error::io("write", &self.path, error))
    }

    pub(super) fn sync(&self) -> Result<()> {
        let synced = self.file.sync_all();
        synced.map_err(|error| Error::io("sync", &self.path, error))
    }

    /// Reads the file again and compares its hash with `expected`.
    pub(super) fn compare(&self, expected: BlobId) -> Result<()> {
        let read = content_of(&self.path);
        if read.map_err(|error| Error::io("read", &self.path, error))? == expected {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::Damaged,
                format!(
                    "{} does not read back as it was written",
                    self.path.display()
                ),
            )
            .hint("the disk restored to is not to be trusted"))
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.placed {
            // A file that remains is harmless, and its name says what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}
