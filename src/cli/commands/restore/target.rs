//! The folder that files are restored into, and what is in it already.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::partial::{Partial, rename_without_replacing, sync_dir};
use crate::entry::Entry;
use crate::export::certificate::RestoredAs;
use crate::id::EntryId;
use crate::index::fold;
use crate::service::content::{content_of, distinct};
use crate::{Error, ErrorKind, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Overwrite {
    /// Leave them; where the content is another one, count the entry as failed
    Never,
    /// Replace them
    Always,
}

/// What came of one entry.
pub(super) enum Done {
    /// It was written.
    Written(PathBuf, RestoredAs),
    /// It was there already.
    Identical(PathBuf),
}

/// The folder to restore into, and the names that this run has used there.
pub(super) struct Target {
    pub(super) dir: PathBuf,
    pub(super) overwrite: Overwrite,
    /// Names are folded, because some file systems do not distinguish letter case, or composed and
    /// decomposed letters.
    pub(super) taken: HashSet<String>,
}

impl Target {
    /// Returns the path for an entry.
    ///
    /// A name used before by this run gets a number. A file that existed before the run is never
    /// avoided by another name: it is left, refused or replaced.
    pub(super) fn name(&mut self, folder: &Path, name: OsString) -> PathBuf {
        let mut chosen = folder.join(&name);
        let mut number = 2;
        while !self
            .taken
            .insert(fold(&chosen.to_string_lossy()).into_owned())
        {
            chosen = folder.join(distinct(&name, number));
            number += 1;
        }
        self.dir.join(chosen)
    }

    /// Returns a path as seen from the folder.
    pub(super) fn below<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.dir).unwrap_or(path)
    }

    /// Returns true when something has the name that may not be replaced. This is asked early, so
    /// that nothing large is read in vain; `place` also handles a file that appears later.
    pub(super) fn is_in_the_way(&self, path: &Path) -> bool {
        self.overwrite == Overwrite::Never && path.symlink_metadata().is_ok()
    }

    pub(super) fn place(&self, mut partial: Partial, path: &Path, id: EntryId) -> Result<()> {
        let placed = match self.overwrite {
            Overwrite::Always => fs::rename(&partial.path, path),
            Overwrite::Never => rename_without_replacing(&partial.path, path),
        };
        match placed {
            Ok(()) => partial.placed = true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(exists(path, id));
            }
            Err(error) => return Err(Error::io("create", path, error)),
        }
        let folder = path.parent().unwrap_or(&self.dir);
        sync_dir(folder).map_err(|error| Error::io("sync", folder, error))
    }
}

/// Returns true when a file has the content of an entry.
pub(super) fn is_identical(path: &Path, entry: &Entry) -> io::Result<bool> {
    let found = path.symlink_metadata()?;
    if !found.is_file() || found.len() != entry.size {
        return Ok(false);
    }
    Ok(content_of(path)? == entry.blake3)
}

pub(super) fn exists(path: &Path, id: EntryId) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!("entry {id}: {} is there already", path.display()),
    )
    .hint("restore into another folder, or add --overwrite always")
}
