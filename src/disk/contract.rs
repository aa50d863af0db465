//! The file operations of a store, each with its durability contract.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory tree. Paths are relative to its root and never leave it.
pub trait Disk: Send + Sync {
    /// Opens a file. A new file is durable only after [`DiskFile::sync`] *and* [`Disk::sync_dir`]
    /// of its parent.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a directory if it is missing. It is durable after [`Disk::sync_dir`] of its parent.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// Returns the content of a directory, sorted by name. A missing directory is an error of kind
    /// `NotFound`.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;

    /// Renames a file in one step, and replaces any file that had the new name. The rename is
    /// durable after [`Disk::sync_dir`] of both parents.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name. The removal is durable after [`Disk::sync_dir`] of the parent. Open
    /// handles stay readable where the system allows it.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on a file, which is created if missing. Returns `None` when another
    /// process holds the lock. Dropping the result releases it.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>>;

    /// Returns how many bytes can still be written.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Returns the location of the root, so that a copy can be told from the original; `None` where
    /// it cannot be known.
    fn place(&self) -> Option<DiskPlace> {
        None
    }
}

/// The location of a directory tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskPlace {
    /// The id of the machine, if it has one.
    pub machine: Option<[u8; 16]>,
    /// File system and number of the root folder, if the system has them. A rename keeps them and a
    /// copy does not.
    pub folder: Option<(u64, u64)>,
    /// The absolute path of the root, with links resolved.
    pub path: PathBuf,
}

/// An open file, read and written by position. Handles may be shared between threads.
pub trait DiskFile: Send + Sync {
    /// Returns the length of the file in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Returns how much space the file takes. Of a file with holes that is less than its length.
    /// Where it cannot be known, it is the length.
    fn allocated(&self) -> io::Result<u64> {
        self.size()
    }

    /// Fills `out` with the bytes from `offset` on. A file that ends earlier is an error of kind
    /// `UnexpectedEof`.
    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`. The write is durable only after [`DiskFile::sync`]. After
    /// an error any part of it may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Truncates the file to `len`, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Allocates space for the first `len` bytes, so that no later write to them finds the disk
    /// full. A shorter file is extended with zeros; what is there stays. Durable after
    /// [`DiskFile::sync`].
    ///
    /// Where that cannot be guaranteed, it fails with kind `Unsupported` and changes nothing. The
    /// caller must then write zeros.
    fn reserve(&self, len: u64) -> io::Result<()> {
        let _ = len;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Turns the bytes from `from` to `to` into zeros without writing them. Their space stays
    /// allocated. Durable after [`DiskFile::sync`].
    ///
    /// A later write to this range costs as much as a write to blocks that were never written.
    ///
    /// Where the system has no such call, it fails with kind `Unsupported` and changes nothing. The
    /// caller must then write zeros.
    fn erase(&self, from: u64, to: u64) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Turns the bytes from `from` to `to` into zeros and gives their space back. The length stays.
    /// Durable after [`DiskFile::sync`]; before that, a power cut may leave any of the old bytes.
    ///
    /// Where the system has no such call, it fails with kind `Unsupported` and changes nothing.
    fn release(&self, from: u64, to: u64) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes all content written so far, and the length, durable. After an error nothing may be
    /// assumed about the content, and the call must not be retried.
    fn sync(&self) -> io::Result<()>;

    /// Drops the cached pages of this file, so that the next read comes from the medium. This is
    /// only a hint: systems without such a call do nothing.
    fn forget_cached(&self) {}
}

/// A held lock; dropping it releases it.
pub trait DiskLock: Send + Sync {}

/// A shared lock is released by its last holder.
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
    /// The name. Names that are not UTF-8 are left out of listings, because no store makes them.
    pub name: String,
    /// True for a directory.
    pub is_dir: bool,
    /// Length of a file in bytes.
    pub len: u64,
}
