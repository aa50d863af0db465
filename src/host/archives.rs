//! Holds the stores that the converters of a host archive into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::archive::Archive;
use crate::host::config::settings::ConverterConfig;

/// The stores that converters archive into.
#[derive(Clone, Default)]
pub struct Archives {
    shared: Option<Archive>,
    own: BTreeMap<PathBuf, Archive>,
}

impl Archives {
    /// Creates the set with one store for all converters; `None` when nothing is archived.
    pub fn shared(archive: Option<Archive>) -> Self {
        Self {
            shared: archive,
            own: BTreeMap::new(),
        }
    }

    /// Adds the store of the converters whose `archive_folder` this is.
    #[must_use]
    pub fn with_own(mut self, folder: PathBuf, archive: Archive) -> Self {
        self.own.insert(folder, archive);
        self
    }

    pub(in crate::host) fn of(&self, config: &ConverterConfig) -> Option<&Archive> {
        match &config.archive.folder {
            Some(folder) => self.own.get(folder),
            None => self.shared.as_ref(),
        }
    }

    /// Returns the folder of the store that converters share.
    pub(in crate::host) fn shared_dir(&self) -> Option<&Path> {
        self.shared.as_ref().map(Archive::dir)
    }

    /// Lists every store once.
    pub fn iter(&self) -> impl Iterator<Item = &Archive> {
        self.shared.iter().chain(self.own.values())
    }
}
