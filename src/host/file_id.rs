//! The identity of a file or folder, independent of its names.

use std::fs::Metadata;

/// A file or folder itself, as opposed to one of its names: two names with equal ids are one file.
///
/// Where the system tells no such number, all ids are equal, and content and times decide alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::host) struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    /// The id of what `metadata` describes.
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

    /// The id of what a system call described.
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

    /// Makes an id out of a folder's full name, for systems whose metadata has none.
    #[cfg(not(unix))]
    pub(in crate::host) fn of_path(path: &std::path::Path) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        Self {
            device: 1,
            number: hasher.finish(),
        }
    }

    /// Returns true when both may lie on one file system.
    pub(in crate::host) fn may_share_file_system(self, other: Self) -> bool {
        self.device == other.device
    }
}
