//! A disk that runs a test's closure before each call. The closure can fail the call or panic.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::Call;
use crate::disk::{DirEntry, Disk, DiskFile, DiskLock, DiskPlace, OpenMode};

/// The closure of a test: does nothing, returns an error instead of the call, or panics.
type Before = dyn Fn(Call, &Path) -> io::Result<()> + Send + Sync;

/// Any disk, with a test's closure before each call.
#[derive(Clone)]
pub struct InterceptedDisk {
    disk: Arc<dyn Disk>,
    before: Arc<Before>,
}

impl InterceptedDisk {
    /// Wraps `disk`. For a rename the closure gets the new name.
    pub fn new(
        disk: Arc<dyn Disk>,
        before: impl Fn(Call, &Path) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            disk,
            before: Arc::new(before),
        }
    }
}

impl Disk for InterceptedDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let call = match mode {
            OpenMode::Read => Call::Open,
            OpenMode::Write => Call::OpenToWrite,
            OpenMode::CreateNew => Call::Create,
        };
        (self.before)(call, path)?;
        Ok(Arc::new(InterceptedFile {
            file: self.disk.open(path, mode)?,
            path: path.to_owned(),
            before: Arc::clone(&self.before),
        }))
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        (self.before)(Call::MakeDir, path)?;
        self.disk.make_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        (self.before)(Call::List, dir)?;
        self.disk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        (self.before)(Call::Rename, to)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        (self.before)(Call::Remove, path)?;
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        (self.before)(Call::SyncDir, dir)?;
        self.disk.sync_dir(dir)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        (self.before)(Call::Lock, path)?;
        self.disk.try_lock(path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        (self.before)(Call::FreeBytes, Path::new(""))?;
        self.disk.free_bytes()
    }

    fn place(&self) -> Option<DiskPlace> {
        self.disk.place()
    }
}

struct InterceptedFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    before: Arc<Before>,
}

impl DiskFile for InterceptedFile {
    fn size(&self) -> io::Result<u64> {
        (self.before)(Call::Size, &self.path)?;
        self.file.size()
    }

    fn allocated(&self) -> io::Result<u64> {
        (self.before)(Call::Size, &self.path)?;
        self.file.allocated()
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        (self.before)(Call::Read, &self.path)?;
        self.file.read_exact_at(out, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        (self.before)(Call::Write, &self.path)?;
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        (self.before)(Call::SetLen, &self.path)?;
        self.file.set_len(len)
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        (self.before)(Call::Reserve, &self.path)?;
        self.file.reserve(len)
    }

    fn erase(&self, from: u64, to: u64) -> io::Result<()> {
        (self.before)(Call::Erase, &self.path)?;
        self.file.erase(from, to)
    }

    fn release(&self, from: u64, to: u64) -> io::Result<()> {
        (self.before)(Call::Release, &self.path)?;
        self.file.release(from, to)
    }

    fn sync(&self) -> io::Result<()> {
        (self.before)(Call::Sync, &self.path)?;
        self.file.sync()
    }

    fn forget_cached(&self) {
        self.file.forget_cached();
    }
}
