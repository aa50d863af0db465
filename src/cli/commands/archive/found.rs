//! What is found, and what comes of it.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::archive::Archived;

/// A file to be archived.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) key: Option<String>,
}

/// The result for one found item.
pub(super) enum Outcome {
    Stored(PathBuf, Archived),
    /// It was archived before, and is passed over.
    Known(PathBuf, Archived),
    Failed(Error),
    PassedOver(String),
}

/// Returns true for the name that stands for stdin.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}
