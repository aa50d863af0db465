//! An open folder.
//!
//! Names in it are single components, and links are not followed. If another folder takes its place
//! in the path meanwhile, that folder is not touched.

use std::ffi::OsStr;

#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::host::file_id::FileId;
use crate::{Error, Result};

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(super) use other::is_plain;
#[cfg(unix)]
pub(super) use unix::is_plain;

/// The longest name in bytes that common file systems accept.
const NAME_BYTES_MAX: usize = 255;

/// The kind of item that a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// The metadata of a name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) struct Seen {
    pub(super) id: FileId,
    pub(super) kind: Kind,
}

/// Owner and permissions of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) owner: u32,
    pub(super) mode: u32,
}

/// An open folder.
#[derive(Debug)]
pub(super) struct Dir {
    #[cfg(unix)]
    handle: File,
    /// The path by which it was opened, for messages and for calls that need a path.
    path: PathBuf,
}

impl Dir {
    /// Opens a folder that lies in `tree`, and follows no link on the way there from `tree`.
    pub(in crate::host::sources) fn open_below(tree: &Path, folder: &Path) -> io::Result<Self> {
        let outside = |_| io::Error::other("it does not lie in the watch folder");
        let mut opened = Self::open(tree)?;
        for part in folder.strip_prefix(tree).map_err(outside)?.components() {
            opened = opened.open_folder(part.as_os_str())?;
        }
        Ok(opened)
    }

    /// Returns the path by which it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a name in it, for messages.
    pub(super) fn at(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the names in the folder durable.
    pub(super) fn make_durable(&self) -> Result<()> {
        self.sync()
            .map_err(|error| Error::io("sync", &self.path, error))
    }

    /// Returns true when the name is taken.
    pub(super) fn has(&self, name: &OsStr) -> io::Result<bool> {
        Ok(self.look(name)?.is_some())
    }

    /// Renames without replacing anything. Fails with `AlreadyExists` when the name is taken.
    pub(super) fn rename_free(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        match self.rename_at_once(from, to, name) {
            // The file system has no rename that fails for a taken name.
            Err(error) if is_unsupported(&error) => self.rename_claimed(from, to, name),
            renamed => renamed,
        }
    }

    /// Renames on a file system that has no rename that fails for a taken name.
    ///
    /// A hard link never replaces anything. Where there are no hard links, an empty file or folder
    /// claims the name first.
    pub(super) fn rename_claimed(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        let seen = self.look(from)?.ok_or(io::ErrorKind::NotFound)?;
        if seen.kind == Kind::Folder {
            to.make_folder(name)?;
            return self.rename_over(from, to, name).inspect_err(|_| {
                // Only an empty folder can be removed, so whatever somebody has put into it stays.
                let _ = to.remove_folder(name);
            });
        }
        match self.link(from, to, name) {
            Ok(()) => self.remove_file(from),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => Err(error),
            Err(_) => {
                let claimed = FileId::of(&to.create(name)?.metadata()?);
                if to.look(name)?.is_none_or(|now| now.id != claimed) {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                self.rename_over(from, to, name)
            }
        }
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}
