//! The folders of the log.

use std::io;
use std::path::Path;

use crate::disk::{DirEntry, Disk};
use crate::log::LogError;

/// The folder of journal files.
pub(crate) const JOURNAL_DIR: &str = "journal";
/// The folder of segments.
pub(crate) const EVENTS_DIR: &str = "events";

/// Lists a folder of the log. A missing folder counts as empty: some copy tools leave out empty
/// folders. If files are missing, the gap in the event numbers shows it.
pub(super) fn list_or_nothing(disk: &dyn Disk, dir: &Path) -> Result<Vec<DirEntry>, LogError> {
    match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(LogError::io("list", dir)),
    }
}
