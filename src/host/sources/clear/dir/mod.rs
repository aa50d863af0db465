//! An open folder. Names in it are single components, links are not followed, and a folder that
//! takes its place in the path meanwhile is not touched.

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

/// The longest name that common file systems take, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// What can be seen of a name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) struct Seen {
    pub(super) id: FileId,
    pub(super) kind: Kind,
}

/// Who owns something, and who may do what with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) owner: u32,
    pub(super) mode: u32,
}

/// A folder that is open.
#[derive(Debug)]
pub(super) struct Dir {
    #[cfg(unix)]
    handle: File,
    /// What it was called when it was opened, for messages and for what needs a path.
    path: PathBuf,
}

impl Dir {
    /// What it was called when it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a name in it, for messages.
    pub(super) fn at(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the names in it durable.
    pub(super) fn make_durable(&self) -> Result<()> {
        self.sync()
            .map_err(|error| Error::io("sync", &self.path, error))
    }

    /// Returns true when something has the name.
    pub(super) fn has(&self, name: &OsStr) -> io::Result<bool> {
        Ok(self.look(name)?.is_some())
    }

    /// Renames without replacing anything: a name that is taken is `AlreadyExists`.
    pub(super) fn rename_free(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        match self.rename_at_once(from, to, name) {
            // The file system cannot refuse a name that is taken.
            Err(error) if is_unsupported(&error) => self.rename_claimed(from, to, name),
            renamed => renamed,
        }
    }

    /// Renames where the system cannot refuse a name that is taken: a second name never replaces
    /// one, and where there are no second names, the name is taken with an empty file or folder
    /// first.
    pub(super) fn rename_claimed(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        let seen = self.look(from)?.ok_or(io::ErrorKind::NotFound)?;
        if seen.kind == Kind::Folder {
            to.make_folder(name)?;
            return self.rename_over(from, to, name).inspect_err(|_| {
                // What somebody has put in there stays: only an empty folder can be removed.
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
