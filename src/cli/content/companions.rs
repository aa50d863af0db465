//! Unpacks the tar file of a main file and its companions, and places them side by side.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::convert::{BEGINNING_BYTES, Tree, has_main_file, make_private, unpack};
use crate::{Error, ErrorKind, Result};

/// An unpacked folder with a main file and its companions. Dropping it removes whatever is left in
/// it.
pub(crate) struct Unpacked {
    folder: PathBuf,
    pub(crate) main: OsString,
}

impl Unpacked {
    /// Unpacks a tar file into `folder`, which must not exist yet.
    ///
    /// Returns `None` when the tar file does not hold a main file with companions. The unpacked
    /// files are durable.
    pub(crate) fn of(tar: &mut File, folder: PathBuf) -> Result<Option<Self>> {
        let read = |error| Error::io("read back for", &folder, error);
        let mut beginning = Vec::new();
        tar.seek(SeekFrom::Start(0)).map_err(read)?;
        let mut first = (&mut *tar).take(BEGINNING_BYTES);
        first.read_to_end(&mut beginning).map_err(read)?;
        if !has_main_file(&beginning) {
            return Ok(None);
        }
        tar.seek(SeekFrom::Start(0)).map_err(read)?;
        make_private(&folder).map_err(|error| Error::io("create", &folder, error))?;
        let mut unpacked = Self {
            folder,
            main: OsString::new(),
        };
        let main = unpack(tar, &unpacked.folder).map_err(|error| {
            let message = format!("cannot unpack into {}: {error}", unpacked.folder.display());
            Error::new(ErrorKind::Io, message).caused_by(error)
        })?;
        unpacked.main = main.unwrap_or_default();
        unpacked
            .sync()
            .map_err(|error| Error::io("sync", &unpacked.folder, error))?;
        Ok(Some(unpacked))
    }

    fn sync(&self) -> io::Result<()> {
        let tree = Tree::of(&self.folder, |_| {}).map_err(io::Error::other)?;
        let inside = tree.items.iter().map(|item| self.folder.join(&item.path));
        for path in inside.chain([self.folder.clone()]) {
            if cfg!(unix) || path.is_file() {
                File::open(path)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// Returns the names at the top level of the folder, with the main file's first.
    pub(crate) fn names(&self) -> Result<Vec<OsString>> {
        let list = |error| Error::io("list", &self.folder, error);
        let items = fs::read_dir(&self.folder).map_err(list)?;
        let mut names = items
            .map(|item| Ok(item?.file_name()))
            .collect::<io::Result<Vec<_>>>()
            .map_err(list)?;
        names.sort_by_key(|name| (*name != self.main, name.clone()));
        Ok(names)
    }

    /// Returns where an item of the folder lies now.
    pub(crate) fn path(&self, name: &OsString) -> PathBuf {
        self.folder.join(name)
    }

    /// Moves the item `name` of the folder to the path `to`.
    ///
    /// An existing item at `to` is an error, unless it is a file and `replaces` allows files.
    pub(crate) fn place(&self, name: &OsString, to: &Path, replaces: Replaces) -> io::Result<()> {
        let from = self.folder.join(name);
        if let Ok(found) = to.symlink_metadata()
            && (replaces == Replaces::Nothing || found.is_dir() || from.is_dir())
        {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(from, to)
    }

    /// Moves the whole folder to the path `to`, which must not exist.
    pub(crate) fn place_whole(&self, to: &Path) -> io::Result<()> {
        if to.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.folder, to)
    }
}

/// Which existing items a placed one may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaces {
    Nothing,
    Files,
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // Usually the folder is empty or was placed as a whole. A failure leaves at worst a hidden
        // folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
