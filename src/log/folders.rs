//! The folders of the log.

use std::io;
use std::path::Path;

use crate::disk::{DirEntry, Disk};
use crate::log::LogError;

/// The folder of journal files.
pub(crate) const JOURNAL_DIR: &str = "journal";
/// The folder of segments.
pub(crate) const EVENTS_DIR: &str = "events";

/// Lists a folder of the log. A folder that is missing is empty: copies made without empty folders
/// lack it, and what it should have held is missed by number.
pub(super) fn list_or_nothing(disk: &dyn Disk, dir: &Path) -> Result<Vec<DirEntry>, LogError> {
    match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(LogError::io("list", dir)),
    }
}
