//! The file operations of a store, each with its durability contract.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory tree. Paths are relative to its root and never leave it.
pub trait Disk: Send + Sync {
    /// Opens a file. A newly created one is durable only after [`DiskFile::sync`] *and*
    /// [`Disk::sync_dir`] of its parent.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a directory if it is missing; durable after [`Disk::sync_dir`] of its parent.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// What is in a directory, sorted by name. A missing directory is an error of kind `NotFound`.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;

    /// Gives a file a new name in one step, replacing what had that name; durable after
    /// [`Disk::sync_dir`] of both parents.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name; durable after [`Disk::sync_dir`] of its parent. Open handles stay
    /// readable where the system allows it.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on a file (made if missing), or says `None` when another process
    /// has it. Released when dropped.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>>;

    /// Returns how many bytes can still be written.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Says where the root is, so that a copy of it is told from the original; `None` where that
    /// cannot be known.
    fn place(&self) -> Option<DiskPlace> {
        None
    }
}

/// Where a directory tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskPlace {
    /// Tells this machine from others, if it has an identity.
    pub machine: Option<[u8; 16]>,
    /// File system and number of the root, which a rename keeps and a copy does not, if the system
    /// has such.
    pub folder: Option<(u64, u64)>,
    /// The root in full, with links resolved.
    pub path: PathBuf,
}

/// An open file, read and written by position. Handles may be shared between threads.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Fills `out` from `offset`; a file that ends before is an error of kind `UnexpectedEof`.
    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`; durable only after [`DiskFile::sync`]. After an error
    /// nothing is known of what was written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts or extends (with zeros) to `len`.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Extends an empty file to `len` bytes of zeros that have their place on the disk: no later
    /// write among them finds it full. Durable after [`DiskFile::sync`].
    ///
    /// Where that cannot be promised, an error of kind `Unsupported`, and nothing has changed: then
    /// zeros are to be written.
    fn reserve(&self, len: u64) -> io::Result<()> {
        let _ = len;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes zeros of what lies from `from` to `to`, which keeps its place on the disk, without
    /// writing them. Durable after
    /// [`DiskFile::sync`]; a later write there costs what it costs where nothing was written before.
    ///
    /// Where there is no such way, an error of kind `Unsupported`, and nothing has changed: then
    /// zeros are to be written.
    fn erase(&self, from: u64, to: u64) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes all content written so far durable, and the length. After an error nothing may be
    /// assumed and it must not be tried again.
    fn sync(&self) -> io::Result<()>;

    /// Drops the cached pages of this file, so that it is read from the medium again. It is a hint:
    /// without such a system call nothing happens.
    fn forget_cached(&self) {}
}

/// A held lock; dropping it releases it.
pub trait DiskLock: Send + Sync {}

/// A shared lock is released with its last holder.
impl DiskLock for Arc<dyn DiskLock> {}

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// A file that must not exist yet, for reading and writing.
    CreateNew,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name; names that are not UTF-8 were not made by a store and are left out of listings.
    pub name: String,
    /// True for a directory.
    pub is_dir: bool,
    /// Bytes, for a file.
    pub len: u64,
}
