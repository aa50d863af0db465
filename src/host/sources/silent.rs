//! A folder that does not answer, and the messages about it.

use std::path::PathBuf;
use std::time::Instant;

use crate::host::observe::status::SilentFolder;
use crate::{Error, ErrorKind};

/// A folder where a step has taken longer than allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Silent {
    pub(in crate::host) folder: PathBuf,
    /// The file of the step; `None` when the folder itself cannot be listed.
    pub(in crate::host) path: Option<PathBuf>,
    pub(in crate::host) since: Instant,
}

impl From<Silent> for SilentFolder {
    fn from(silent: Silent) -> Self {
        Self {
            seconds: silent.since.elapsed().as_secs(),
            folder: silent.folder,
            path: silent.path,
        }
    }
}

/// Returns the error for a folder that does not answer.
pub(in crate::host) fn silence(silent: &Silent) -> Error {
    Error::new(ErrorKind::Io, sentence(silent))
        .hint("its files stay where they are; see whether the disk or share under it answers")
}

/// Returns a sentence such as `folder X has not answered for 30 s`.
pub(in crate::host) fn sentence(silent: &Silent) -> String {
    let (folder, seconds) = (silent.folder.display(), silent.since.elapsed().as_secs());
    match &silent.path {
        None => format!("folder {folder} has not answered for {seconds} s"),
        Some(path) => format!(
            "folder {folder} has not answered for {seconds} s: a step over {} does not end",
            path.display()
        ),
    }
}
