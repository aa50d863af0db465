//! The kind of source that a converter takes: files, folders, or files with companions.

use crate::convert::{Companions, Takes};
use crate::host::config::settings::{ConverterConfig, Links};

/// The kind of source that a converter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) enum Shape {
    File(Links),
    Folder,
    WithCompanions(Companions),
}

impl ConverterConfig {
    /// Returns the kind of source that the converter takes.
    pub(in crate::host) fn shape(&self) -> Shape {
        match &self.converter.takes {
            Takes::Files => Shape::File(self.links),
            Takes::Folders => Shape::Folder,
            Takes::WithCompanions(companions) => Shape::WithCompanions(companions.clone()),
        }
    }
}
