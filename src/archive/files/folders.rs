//! Names of the files and folders of a store, and the folders that a copy may lack.

use std::io;
use std::path::Path;

use crate::disk::{Disk, OpenMode};
use crate::format::frame::JOURNAL_HEADER_BYTES;
use crate::log::{EVENTS_DIR, JOURNAL_DIR};
use crate::{Error, Result};

/// The file that makes a folder a store.
pub const HEADER_FILE: &str = "FORMAT";

pub(in crate::archive) const LOCK_FILE: &str = "LOCK";

pub(in crate::archive) const INDEX_FILE: &str = "index.redb";

pub(in crate::archive) const NEWEST_FILE: &str = "NEWEST";

pub(in crate::archive) const QUARANTINE_DIR: &str = "quarantine";

/// The folder of packs.
pub(in crate::archive) const PACKS_DIR: &str = "packs";

/// The folder of files that are not part of the store yet.
pub(in crate::archive) const TMP_DIR: &str = "tmp";

/// The folders of a store.
pub(in crate::archive) const FOLDERS: [&str; 5] =
    [JOURNAL_DIR, EVENTS_DIR, PACKS_DIR, TMP_DIR, QUARANTINE_DIR];

/// Makes the folders that are missing. Many tools copy no empty folders.
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

/// Returns one line for each folder of a damaged log that is missing as a whole.
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

/// Returns true when the folders hold events of a store, whatever became of its header.
pub(in crate::archive) fn hold_events(disk: &dyn Disk) -> bool {
    let names = |folder: &str| disk.list(Path::new(folder)).unwrap_or_default();
    let is_used = |name: &str| {
        let path = Path::new(JOURNAL_DIR).join(name);
        holds_no_event(disk, &path).is_ok_and(|nothing| !nothing)
    };
    !names(EVENTS_DIR).is_empty() || names(JOURNAL_DIR).iter().any(|file| is_used(&file.name))
}

/// Bytes where the first event would be, as long as there is none.
const NOTHING: [u8; 64] = [0; 64];

/// Returns true for a journal file into which nothing was written yet.
pub(in crate::archive) fn holds_no_event(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    let file = disk.open(path, OpenMode::Read)?;
    let at = JOURNAL_HEADER_BYTES as u64;
    let mut first = NOTHING;
    let len = file.size()?.saturating_sub(at).min(NOTHING.len() as u64);
    let first = &mut first[..usize::try_from(len).expect("at most 64")];
    file.read_exact_at(first, at)?;
    Ok(first == &NOTHING[..first.len()])
}

/// Removes temporary files that were being written when the store was last open. Nothing names
/// them.
pub(in crate::archive) fn clear_tmp(disk: &dyn Disk) -> Result<()> {
    let dir = Path::new(TMP_DIR);
    disk.make_dir(dir)
        .map_err(|error| Error::io("make", dir, error))?;
    for entry in disk
        .list(dir)
        .map_err(|error| Error::io("list", dir, error))?
    {
        if !entry.is_dir {
            let path = dir.join(entry.name);
            disk.remove(&path)
                .map_err(|error| Error::io("remove", &path, error))?;
        }
    }
    Ok(())
}
