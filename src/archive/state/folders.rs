//! The folders of a store: many tools copy no empty ones, and a copy without them is the same store.

use std::io;
use std::path::Path;

use crate::archive::opening::create;
use crate::archive::opening::open::QUARANTINE_DIR;
use crate::archive::state::shared::{PACKS_DIR, TMP_DIR};
use crate::disk::Disk;
use crate::log::{EVENTS_DIR, JOURNAL_DIR};
use crate::{Error, Result};

/// The folders of a store.
pub(in crate::archive) const FOLDERS: [&str; 5] =
    [JOURNAL_DIR, EVENTS_DIR, PACKS_DIR, TMP_DIR, QUARANTINE_DIR];

/// Makes the folders that are missing: many tools copy no empty ones.
pub(in crate::archive) fn make_missing(disk: &dyn Disk) -> Result<()> {
    let root = Path::new("");
    let there = disk
        .list(root)
        .map_err(|error| Error::io("list", "the store's folder", error))?;
    let is_there = |folder: &str| {
        there
            .iter()
            .any(|entry| entry.is_dir && entry.name == folder)
    };
    let mut missing = FOLDERS
        .into_iter()
        .filter(|folder| !is_there(folder))
        .peekable();
    if missing.peek().is_none() {
        return Ok(());
    }
    for folder in missing {
        disk.make_dir(Path::new(folder))
            .map_err(|error| Error::io("make", folder, error))?;
    }
    disk.sync_dir(root)
        .map_err(|error| Error::io("sync", "the store's folder", error))
}

/// One line for each folder of a damaged log that is missing as a whole.
pub(in crate::archive) fn missing_of_log(disk: &dyn Disk) -> Vec<String> {
    let is_missing = |folder: &&str| {
        let listed = disk.list(Path::new(folder));
        listed.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let missing = [JOURNAL_DIR, EVENTS_DIR].into_iter().filter(is_missing);
    missing
        .map(|folder| format!("the folder {folder} is missing"))
        .collect()
}

/// True when the folders hold events of a store, whatever became of its header.
pub(in crate::archive) fn hold_events(disk: &dyn Disk) -> bool {
    let names = |folder: &str| disk.list(Path::new(folder)).unwrap_or_default();
    let is_used = |name: &str| {
        let path = Path::new(JOURNAL_DIR).join(name);
        create::holds_no_event(disk, &path).is_ok_and(|nothing| !nothing)
    };
    !names(EVENTS_DIR).is_empty() || names(JOURNAL_DIR).iter().any(|file| is_used(&file.name))
}
