//! Implements the disk of a store in a directory of the file system.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(unix)]
use super::beneath::Beneath;
#[cfg(not(unix))]
use super::by_path::Beneath;
use super::contract::{DirEntry, Disk, DiskFile, DiskLock, DiskPlace, OpenMode};

/// A [`Disk`] over a directory of the file system.
///
/// On Unix, directories are made with mode 0700 and files with 0600, and no link, pipe or device
/// beneath the directory is ever followed or opened: it is an error.
#[derive(Debug, Clone)]
pub struct FsDisk {
    tree: Beneath,
}

impl FsDisk {
    /// Returns the disk with this root directory, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            tree: Beneath::new(root.into()),
        }
    }

    /// Returns the root directory.
    pub fn root(&self) -> &Path {
        self.tree.root()
    }
}

impl Disk for FsDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(FsFile(self.tree.open(path, mode)?)))
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.tree.make_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.tree.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.tree.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.tree.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.tree.sync_dir(dir)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let file = self.tree.open_or_make(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(FsLock { _file: file }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    #[cfg(unix)]
    fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(self.root())?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    // There is no portable call for this. A full disk shows when a write fails.
    #[cfg(not(unix))]
    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn place(&self) -> Option<DiskPlace> {
        let path = self.root().canonicalize().ok()?;
        Some(DiskPlace {
            machine: machine(),
            folder: folder(&path),
            path,
        })
    }
}

/// Returns an id of this machine: a digest of the system's own id, which should not be disclosed.
fn machine() -> Option<[u8; 16]> {
    let text = std::fs::read_to_string("/etc/machine-id").ok()?;
    let text = text.trim();
    // In containers the id is often empty, and during an installation it is this word.
    if text.is_empty() || text == "uninitialized" {
        return None;
    }
    let digest = blake3::derive_key("annals 2026-11 machine of a store v1", text.as_bytes());
    digest.first_chunk().copied()
}

/// Returns file system and number of a folder. The device number cannot be used, because it may
/// change with every boot.
#[cfg(unix)]
fn folder(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let system = rustix::fs::statvfs(path).ok()?.f_fsid;
    let number = std::fs::metadata(path).ok()?.ino();
    // Some file systems have no id and report 0.
    (system != 0).then_some((system, number))
}

#[cfg(not(unix))]
fn folder(_path: &Path) -> Option<(u64, u64)> {
    None
}

struct FsFile(File);

impl DiskFile for FsFile {
    fn size(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    #[cfg(unix)]
    fn allocated(&self) -> io::Result<u64> {
        use std::os::unix::fs::MetadataExt;
        /// What the system counts in, whatever the size of a block is.
        const UNIT_BYTES: u64 = 512;
        let metadata = self.0.metadata()?;
        Ok(metadata
            .blocks()
            .saturating_mul(UNIT_BYTES)
            .min(metadata.len()))
    }

    #[cfg(unix)]
    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, out, offset)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut out: &mut [u8], mut offset: u64) -> io::Result<()> {
        use std::os::windows::fs::FileExt;
        while !out.is_empty() {
            match self.0.seek_read(out, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    out = &mut out[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, bytes, offset)
    }

    #[cfg(windows)]
    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        use std::os::windows::fs::FileExt;
        while !bytes.is_empty() {
            match self.0.seek_write(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    #[cfg(target_os = "linux")]
    fn reserve(&self, len: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        rustix::io::retry_on_intr(|| fallocate(&self.0, FallocateFlags::empty(), 0, len))?;
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn erase(&self, from: u64, to: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        let flags = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
        rustix::io::retry_on_intr(|| fallocate(&self.0, flags, from, to.saturating_sub(from)))?;
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn release(&self, from: u64, to: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::io::retry_on_intr(|| fallocate(&self.0, flags, from, to.saturating_sub(from)))?;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    #[cfg(target_os = "linux")]
    fn forget_cached(&self) {
        // If the system refuses, the check only loses the proof that the data is on the medium.
        let _ = rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::DontNeed);
    }
}

/// The lock lives as long as the open file. The kernel releases it when the process ends, however
/// it ends.
struct FsLock {
    _file: File,
}

impl DiskLock for FsLock {}
