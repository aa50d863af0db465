//! Size and times of a source, which are known without reading it.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::convert::{Tree, TreeError};
use crate::host::config::settings::Links;
use crate::id::BlobId;

/// Size and times of a file, or of everything in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) struct FileMeta {
    pub(in crate::host) size: u64,
    pub(in crate::host) modified: SystemTime,
    /// When anything about it last changed. Unlike `modified`, copying programs cannot set it.
    pub(in crate::host) changed: SystemTime,
    /// A digest of the paths, sizes and times of its parts; `None` for a single file.
    pub(super) inside: Option<BlobId>,
}

impl FileMeta {
    pub(in crate::host) fn of(metadata: &Metadata) -> io::Result<Self> {
        let modified = metadata.modified()?;
        Ok(Self {
            size: metadata.len(),
            modified,
            changed: changed(metadata).unwrap_or(modified).max(modified),
            inside: None,
        })
    }

    /// Reads the metadata of everything in a folder.
    pub(in crate::host) fn inside(folder: &Path) -> Result<(Self, Tree), TreeError> {
        Self::of_tree(|see| Tree::of(folder, see))
    }

    /// Reads the metadata of these names in a folder, and of everything below them.
    pub(in crate::host) fn among(
        folder: &Path,
        names: &[OsString],
    ) -> Result<(Self, Tree), TreeError> {
        let names = names.iter().map(OsString::as_os_str);
        Self::of_tree(|see| Tree::among(folder, names, see))
    }

    fn of_tree(
        list: impl FnOnce(&mut dyn FnMut(&Metadata)) -> Result<Tree, TreeError>,
    ) -> Result<(Self, Tree), TreeError> {
        let mut last = SystemTime::UNIX_EPOCH;
        let tree = list(&mut |metadata| {
            if let Ok(meta) = Self::of(metadata) {
                last = last.max(meta.changed);
            }
        })?;
        let meta = Self {
            size: tree.size(),
            modified: tree.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            changed: last,
            inside: Some(tree.digest()),
        };
        Ok((meta, tree))
    }

    /// Returns true for a file without content.
    pub(in crate::host) fn is_empty_file(&self) -> bool {
        self.size == 0 && !self.has_parts()
    }

    /// Returns true for a folder, and for a file with companions.
    pub(super) fn has_parts(&self) -> bool {
        self.inside.is_some()
    }

    /// Returns true when size, modification time and parts are unchanged. The time of change may
    /// differ, because backups set it.
    pub(super) fn is_unchanged_from(&self, other: &Self) -> bool {
        (self.size, self.modified, self.inside) == (other.size, other.modified, other.inside)
    }

    /// Returns how long the file has certainly been unchanged; zero when its times lie in the
    /// future.
    pub(in crate::host) fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.changed).unwrap_or_default()
    }
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(metadata.ctime()).ok()?;
    let nanos = u32::try_from(metadata.ctime_nsec()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

// Windows does not report the time of change. A copy in progress shows its final size and time only
// at its end.
#[cfg(not(unix))]
fn changed(_metadata: &Metadata) -> Option<SystemTime> {
    None
}

/// Reads the metadata of a file; `None` when it is no regular file, or gone.
pub(in crate::host) fn file_meta(path: &Path, links: Links) -> io::Result<Option<FileMeta>> {
    let metadata = match links {
        Links::Skip => fs::symlink_metadata(path),
        Links::Follow => fs::metadata(path),
    };
    match metadata {
        Ok(metadata) if metadata.is_file() => FileMeta::of(&metadata).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a file that was checked before. Does not block if a pipe has replaced it.
pub(in crate::host) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file any more"))
    }
}
