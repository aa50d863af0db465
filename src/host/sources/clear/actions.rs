//! The actions on a source: read, move, zip, remove.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::aside::{self, Compare};
use super::dir::Dir;
use super::name::zipped;
use super::{group, place, removal};
use crate::host::file_id::FileId;
use crate::host::sources::expected::Expected;
use crate::host::sources::fingerprint::SourceKind;
use crate::host::sources::parts::{Parts, parts, refused};
use crate::host::sources::source::Source;
use crate::{Error, ErrorKind, Result};

impl<'a> Source<'a> {
    /// Calls `read` with a stream of the source as the archive holds it: the bytes of a file, or a
    /// tar file of a folder or of a file with its companions.
    ///
    /// The stream fails at its end if the source is not what was read before.
    pub(in crate::host) fn read<T>(
        self,
        read: impl FnOnce(&mut dyn Read) -> Result<T>,
    ) -> Result<T> {
        let Some(parts) = self.parts()? else {
            return read(&mut Expected::new(self.open()?, self.seen.content));
        };
        let tarball = parts
            .tarball()
            .map_err(|error| Error::io("read", self.path, error))?;
        read(&mut Expected::new(tarball, self.seen.content))
    }

    /// Returns true when the source has changed since it was read.
    pub(in crate::host) fn has_changed(self) -> bool {
        if self.seen.meta.has_parts() {
            self.parts().is_err()
        } else {
            let opened = self.open();
            opened.is_err_and(|error| error.kind() == ErrorKind::Changed)
        }
    }

    /// Returns the parts of the source if they are unchanged; `None` for a single file.
    fn parts(self) -> Result<Option<Parts<'a>>> {
        if !self.seen.meta.has_parts() {
            return Ok(None);
        }
        let found = parts(self.path, self.seen.shape());
        match found.map_err(|error| refused(self.path, error))? {
            Some((now, parts)) if now.is_unchanged_from(&self.seen.meta) => Ok(Some(parts)),
            _ => Err(self.changed()),
        }
    }

    /// Opens the file if it still looks as it did when it was read.
    pub(super) fn open(self) -> Result<File> {
        aside::open_file(self, &aside::watched(self)?)
    }

    /// Removes exactly what was read. Removes nothing if the source has changed.
    pub(in crate::host) fn remove(self) -> Result<()> {
        match self.seen.kind() {
            SourceKind::File => aside::with(self, Compare::Content, |aside, _| aside.remove_file()),
            SourceKind::Folder => removal::remove(self),
            SourceKind::Group => group::remove(self),
        }
    }

    /// Moves the source into a folder under its own name or a distinct one. Returns the new path.
    ///
    /// The folder is created if it is missing. Nothing is ever replaced.
    pub(in crate::host) fn move_into(self, folder: &Path) -> Result<PathBuf> {
        let target = open(folder)?;
        match self.seen.kind() {
            SourceKind::File | SourceKind::Folder => place::move_into(self, &target),
            SourceKind::Group => group::move_into(self, &target),
        }
    }

    /// Replaces the source by a zip file in a folder, which is created if missing. Returns its
    /// path.
    pub(in crate::host) fn zip_into(self, folder: &Path) -> Result<PathBuf> {
        let target = open(folder)?;
        let name = zipped(self.name(), target.name_bytes_max(self.name()));
        match self.seen.kind() {
            SourceKind::File => place::zip_file(self, &target, &name),
            SourceKind::Folder => place::zip_folder(self, &target, &name),
            SourceKind::Group => group::zip_into(self, &target, &name),
        }
    }

    /// Removes the source after a durable copy was made.
    ///
    /// If another file has taken the name meanwhile, that file stays: what was read is gone, and
    /// its copy remains.
    pub(super) fn give_way(self) -> Result<()> {
        match self.remove() {
            Err(error) if error.kind() == ErrorKind::Changed && !self.has_its_name()? => Ok(()),
            removed => removed,
        }
    }
}

/// Returns true when the name `path` still stands for what was opened, seen from the folder
/// `tree` without following links.
pub(in crate::host) fn is_below(tree: &Path, path: &Path, opened: &FileId) -> Result<bool> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(false);
    };
    let seen = Dir::open_below(tree, folder).and_then(|folder| folder.look(name));
    match seen {
        Ok(seen) => Ok(seen.is_some_and(|seen| seen.id == *opened)),
        // A link took the place of a folder, or the folder is gone.
        Err(_) if !is_real(tree, folder) => Ok(false),
        Err(error) => Err(Error::io("open", folder, error)),
    }
}

/// Returns true when there are only folders and no links on the way from `tree` to `folder`.
fn is_real(tree: &Path, folder: &Path) -> bool {
    let mut on_the_way = folder.ancestors().take_while(|folder| *folder != tree);
    on_the_way.all(|folder| folder.symlink_metadata().is_ok_and(|found| found.is_dir()))
}

/// Opens a folder. What is missing of it is created, and durable before anything goes into it.
fn open(folder: &Path) -> Result<Dir> {
    let missing = folder.ancestors().take_while(|folder| !folder.is_dir());
    let missing: Vec<&Path> = missing.collect();
    fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    for parent in missing.into_iter().filter_map(Path::parent) {
        if parent != Path::new("") {
            let parent = Dir::open(parent).map_err(|error| Error::io("open", parent, error))?;
            parent.make_durable()?;
        }
    }
    Dir::open(folder).map_err(|error| Error::io("open", folder, error))
}

/// Copies a source into a folder and removes it, as a move between file systems does.
#[cfg(test)]
pub(super) fn copy_into(source: Source<'_>, folder: &Path) -> Result<PathBuf> {
    match source.seen.kind() {
        SourceKind::Group => group::copy_into(source, folder),
        SourceKind::File | SourceKind::Folder => place::copy_to(source, &open(folder)?),
    }
}
