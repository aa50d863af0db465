//! What can be done with a source: opened, moved, zipped, removed.

use super::place;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::aside;
use super::aside::Compare;
use super::{group, removal};
use crate::host::sources::fingerprint::Form;
use crate::host::sources::source::Source;
use crate::{ErrorKind, Result};

impl Source<'_> {
    /// Opens the file, if it still looks like what was read.
    pub(in crate::host) fn open(self) -> Result<File> {
        aside::open_file(self, &aside::watched(self)?)
    }

    /// Removes exactly what was read, and nothing if anything else is there.
    pub(in crate::host) fn remove(self) -> Result<()> {
        match self.seen.form() {
            Form::File => aside::with(self, Compare::Content, |aside, _| aside.remove_file()),
            Form::Folder => removal::remove(self),
            Form::Group => group::remove(self),
        }
    }

    /// Moves it into a folder, made if missing, under its own name or a distinct one. Never
    /// replaces anything. Answers where it is now.
    pub(in crate::host) fn move_into(self, folder: &Path) -> Result<PathBuf> {
        place::move_into(self, folder)
    }

    /// Replaces it by a zip file in a folder, made if missing. Answers where that is.
    pub(in crate::host) fn zip_into(self, folder: &Path) -> Result<PathBuf> {
        place::zip_into(self, folder)
    }

    /// Removes what something else durably stands for. A name that another file took meanwhile is
    /// left to it: what was read has gone, and is kept by what stands for it.
    pub(super) fn give_way(self) -> Result<()> {
        match self.remove() {
            Err(error) if error.kind() == ErrorKind::Changed && !self.has_its_name()? => Ok(()),
            removed => removed,
        }
    }
}
