//! The inventory of a repair, `quarantine/repair-0001.json`: which files there were, where the
//! replaced ones are kept, and what the log was afterwards. With it a repair can be undone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{digest_of, replace};
use crate::archive::files::folders::{HEADER_FILE, INDEX_FILE, NEWEST_FILE, QUARANTINE_DIR};
use crate::archive::files::pack_files::pack_files;
use crate::disk::{Disk, OpenMode};
use crate::id::StoreId;
use crate::log::{EVENTS_DIR, JOURNAL_DIR};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The version of the layout. Files of another version are refused.
const FORMAT: u32 = 1;
/// The most bytes of an inventory, which is a list of names.
const BYTES_MAX: u64 = 64 << 20;

/// How far a repair has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Progress {
    /// Copies are kept; files are being replaced.
    Begun,
    /// Every file is replaced, and `after` is true.
    Done,
    /// The files are as they were before it.
    Undone,
}

/// The inventory of a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inventory {
    format: u32,
    pub(super) store: StoreId,
    pub(super) time: Timestamp,
    pub(super) progress: Progress,
    /// Every file of the store before the repair, without files that came later.
    pub(super) before: BTreeSet<String>,
    /// The files of the log before the repair, with their digests.
    pub(super) log_before: BTreeMap<String, String>,
    /// Files that were replaced, written to or taken out, and the names of their copies.
    pub(super) kept: BTreeMap<String, String>,
    /// The files of the log when the repair was done, with their digests.
    pub(super) after: BTreeMap<String, String>,
}

impl Inventory {
    pub(super) fn begun(
        disk: &dyn Disk,
        store: StoreId,
        time: Timestamp,
        kept: BTreeMap<String, String>,
    ) -> Result<Self> {
        Ok(Self {
            format: FORMAT,
            store,
            time,
            progress: Progress::Begun,
            before: store_files(disk)?,
            log_before: log_digests(disk)?,
            kept,
            after: BTreeMap::new(),
        })
    }

    /// Continues the inventory of a repair that was cut off: what there was before that repair
    /// counts.
    pub(super) fn go_on_from(&mut self, cut_off: Self) {
        self.before = cut_off.before;
        self.log_before = cut_off.log_before;
        self.kept.extend(cut_off.kept);
    }

    /// Writes it in one step.
    pub(super) fn write(&self, disk: &dyn Disk, number: u32) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(|error| {
            Error::new(ErrorKind::Io, "cannot write the inventory").caused_by(error)
        })?;
        text.push('\n');
        replace(disk, &path_of(number), text.as_bytes())
    }
}

/// Returns the path of an inventory.
pub(super) fn path_of(number: u32) -> PathBuf {
    Path::new(QUARANTINE_DIR).join(format!("repair-{number:04}.json"))
}

/// Reads every inventory in the quarantine, by number.
pub(super) fn all(disk: &dyn Disk) -> Result<BTreeMap<u32, Inventory>> {
    let folder = Path::new(QUARANTINE_DIR);
    let listed = match disk.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed.map_err(|error| Error::io("list", folder, error))?,
    };
    let mut found = BTreeMap::new();
    for entry in listed {
        let number = entry.name.strip_prefix("repair-");
        let number = number.and_then(|rest| rest.strip_suffix(".json")?.parse().ok());
        if let Some(number) = number {
            found.insert(number, read(disk, &folder.join(entry.name))?);
        }
    }
    Ok(found)
}

fn read(disk: &dyn Disk, path: &Path) -> Result<Inventory> {
    let failed = |error| Error::io("read", path, error);
    let file = disk.open(path, OpenMode::Read).map_err(failed)?;
    let size = file.size().map_err(failed)?.min(BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    let inventory: Option<Inventory> = serde_json::from_slice(&bytes).ok();
    inventory
        .filter(|inventory| inventory.format == FORMAT)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Damaged,
                format!("{} is no inventory of a repair", path.display()),
            )
            .hint("move it out of the quarantine; the copies beside it are named after their files")
        })
}

/// Lists every file that makes up the store.
pub(super) fn store_files(disk: &dyn Disk) -> Result<BTreeSet<String>> {
    let mut files = log_files(disk)?;
    for name in [HEADER_FILE, NEWEST_FILE, INDEX_FILE] {
        if disk.open(Path::new(name), OpenMode::Read).is_ok() {
            files.insert(name.to_owned());
        }
    }
    let packs = pack_files(disk)?.into_values();
    files.extend(packs.map(|pack| pack.path.display().to_string()));
    Ok(files)
}

/// Lists the files of the log with their digests.
pub(super) fn log_digests(disk: &dyn Disk) -> Result<BTreeMap<String, String>> {
    let mut digests = BTreeMap::new();
    for path in log_files(disk)? {
        if let Some(digest) = digest_of(disk, Path::new(&path))? {
            digests.insert(path, digest);
        }
    }
    Ok(digests)
}

fn log_files(disk: &dyn Disk) -> Result<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    for folder in [JOURNAL_DIR, EVENTS_DIR] {
        let folder = Path::new(folder);
        let listed = match disk.list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed.map_err(|error| Error::io("list", folder, error))?,
        };
        let names = listed.into_iter().filter(|entry| !entry.is_dir);
        files.extend(names.map(|entry| folder.join(entry.name).display().to_string()));
    }
    Ok(files)
}
