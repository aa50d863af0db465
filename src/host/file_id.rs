//! Identifies a file or folder independently of its names.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// The identity of a file or folder: two names with equal ids are one file.
///
/// Where the system provides no such number, all ids are equal. Then only content and times tell
/// files apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::host) struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    /// Returns the id of what `metadata` describes.
    #[cfg(unix)]
    pub(in crate::host) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
        }
    }

    #[cfg(not(unix))]
    pub(in crate::host) fn of(_metadata: &Metadata) -> Self {
        Self {
            device: 0,
            number: 0,
        }
    }

    /// Returns the id of what a system call described.
    #[cfg(unix)]
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "the width of these fields differs between systems"
    )]
    pub(in crate::host) fn of_stat(stat: &rustix::fs::Stat) -> Self {
        Self {
            device: stat.st_dev as u64,
            number: stat.st_ino as u64,
        }
    }

    /// Creates an id from a folder's full name, for systems whose metadata has none.
    #[cfg(not(unix))]
    fn of_path(path: &Path) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        Self {
            device: 1,
            number: hasher.finish(),
        }
    }

    /// Returns the id of the folder or file that a path leads to, on every system.
    #[cfg(unix)]
    pub(in crate::host) fn of_target(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&fs::metadata(path)?))
    }

    #[cfg(not(unix))]
    pub(in crate::host) fn of_target(path: &Path) -> io::Result<Self> {
        Ok(Self::of_path(&fs::canonicalize(path)?))
    }

    /// Returns true when both may lie on one file system.
    pub(in crate::host) fn may_share_file_system(self, other: Self) -> bool {
        self.device == other.device
    }
}

/// Returns the identity of what has a name, and whether it is a link; `None` when the name is free.
pub(in crate::host) fn named(path: &Path) -> io::Result<Option<(FileId, bool)>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some((FileId::of(&metadata), metadata.is_symlink()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
