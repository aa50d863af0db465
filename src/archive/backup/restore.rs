//! Restores a store from a backup. Until every file is checked and the log says that it continues
//! here, the folder is no store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::check::{by_store_path, lock_if_possible, unfinished};
use super::copy::{self, CopyError};
use super::damage::{damaged, finding};
use super::folders::refuse_nested;
use super::options::{BackupOptions, OnDamage};
use super::target::{list, make_private, read_catalog};
use crate::archive::bounds;
use crate::archive::checking::verify::report::Finding;
use crate::archive::files::folders::{
    HEADER_FILE, INDEX_FILE, LOCK_FILE, NEWEST_FILE, PACKS_DIR, QUARANTINE_DIR, TMP_DIR,
};
use crate::archive::files::header::read_header;
use crate::archive::files::lock::take_lock;
use crate::archive::files::place;
use crate::archive::files::place::PLACE_FILE;
use crate::archive::handle::Archive;
use crate::archive::opening::open::open_locked;
use crate::archive::options::{Access, Options};
use crate::disk::{Disk, DiskLock, FsDisk, OpenMode};
use crate::event::ContinuedFrom;
use crate::format::catalog::{Catalog, CatalogFile};
use crate::format::header;
use crate::id::{EventSeq, Sha256, StoreId};
use crate::log::{EVENTS_DIR, JOURNAL_DIR, Journal};
use crate::{Error, ErrorKind, Result};

/// The header of the store to be. Once the store is whole, it is renamed to `FORMAT`.
const RESTORING_FILE: &str = "RESTORING";
/// Returns the name that files are copied to first.
fn copying() -> PathBuf {
    Path::new(TMP_DIR).join("copying")
}
/// Folders that a new file system has at its root.
const SYSTEM_DIRS: [&str; 1] = ["lost+found"];

/// What a restore made of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestoredStore {
    /// The store, which keeps its id.
    pub store: StoreId,
    /// Where it is now.
    pub path: PathBuf,
    /// True when it is a store now.
    pub complete: bool,
    /// True when the run was asked to end early.
    pub interrupted: bool,
    /// The last event of the backup.
    pub event: EventSeq,
    /// The event that says that the log continues here; `None` when the log is damaged.
    pub continued: Option<EventSeq>,
    /// Files that were copied.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Name of the machine the backup was made on.
    pub from_host: String,
    /// Folder of the store it was made of.
    pub from_folder: String,
    /// True when that store is still in its folder, on this machine.
    pub original_is_there: bool,
    /// Damage that was met in the backup.
    pub findings: Vec<Finding>,
}

/// Restores the backup in `backup` to a store in `dir`, which must be missing or empty.
///
/// Every file is checked against the list of the backup. The store keeps its id and its numbers;
/// its next event says that the log continues from this backup, on this machine. If the restore is
/// cut off, the folder is no store, and the next call continues it.
pub fn restore_store(
    backup: impl AsRef<Path>,
    dir: impl AsRef<Path>,
    options: Options,
    how: &BackupOptions,
) -> Result<RestoredStore> {
    bounds::check(&options)?;
    let (backup, dir) = (backup.as_ref(), dir.as_ref());
    let from = FsDisk::new(backup);
    let _lock = lock_if_possible(&from, backup)?;
    let catalog = read_catalog(&from, backup)?.catalog;
    refuse_nested(dir, backup, "the store", "the backup")?;
    let disk = FsDisk::new(dir);
    refuse_if_in_use(&disk, dir, &catalog)?;
    make_private(dir)?;
    protect(dir)?;
    let original = FsDisk::new(&catalog.folder);
    let original_is_there = read_header(&original, Path::new(&catalog.folder))
        .is_ok_and(|found| found == catalog.store);
    let restored = restore(&from, backup, Arc::new(disk), dir, options, how, &catalog)?;
    Ok(RestoredStore {
        original_is_there,
        ..restored
    })
}

/// Makes an existing folder private to its owner, as the folder of a new store.
#[cfg(unix)]
fn protect(dir: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
        .map_err(|error| Error::io("protect", dir, error))
}

#[cfg(not(unix))]
fn protect(_dir: &Path) -> Result<()> {
    Ok(())
}

/// Restores a store on a disk of the caller's, whose root is empty.
pub(super) fn restore(
    from: &dyn Disk,
    backup: &Path,
    disk: Arc<dyn Disk>,
    dir: &Path,
    options: Options,
    how: &BackupOptions,
    catalog: &Catalog,
) -> Result<RestoredStore> {
    if catalog.event == EventSeq(0) {
        return Err(unfinished(backup));
    }
    refuse_if_in_use(&*disk, dir, catalog)?;
    let lock = take_lock(&*disk, dir, Duration::ZERO)?;
    begin(&*disk, dir, catalog)?;
    let (bytes, findings) = match copy_all(from, backup, &*disk, dir, how, catalog)? {
        Copied::Stopped => {
            return Ok(RestoredStore {
                interrupted: true,
                ..outcome(catalog, dir)
            });
        }
        Copied::All { bytes, findings } => (bytes, findings),
    };
    if !findings.is_empty() && how.on_damage == OnDamage::Refuse {
        return Ok(RestoredStore {
            findings,
            ..outcome(catalog, dir)
        });
    }
    let continued = finish(disk, dir, options, lock, catalog, findings.is_empty())?;
    Ok(RestoredStore {
        complete: true,
        continued,
        files: catalog.files.len() as u64,
        bytes,
        findings,
        ..outcome(catalog, dir)
    })
}

/// Returns the outcome of a run that was cut off.
fn outcome(catalog: &Catalog, dir: &Path) -> RestoredStore {
    RestoredStore {
        store: catalog.store,
        path: dir.to_owned(),
        complete: false,
        interrupted: false,
        event: catalog.event,
        continued: None,
        files: 0,
        bytes: 0,
        from_host: catalog.host.clone(),
        from_folder: catalog.folder.clone(),
        original_is_there: false,
        findings: Vec::new(),
    }
}

/// Refuses a folder that holds anything but what an earlier restore of the same backup left.
fn refuse_if_in_use(disk: &dyn Disk, dir: &Path, catalog: &Catalog) -> Result<()> {
    let names = match disk.list(Path::new("")) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("read", dir, error)),
    };
    let has = |name: &str| names.iter().any(|entry| entry.name == name);
    let is_begun = !has(HEADER_FILE) && has(RESTORING_FILE);
    let foreign = |name: &str| name != LOCK_FILE && !SYSTEM_DIRS.contains(&name);
    if !is_begun && names.iter().any(|entry| foreign(&entry.name)) {
        let said = format!("{} is not empty", dir.display());
        return Err(Error::new(ErrorKind::Refused, said)
            .hint("a store wants a folder of its own; name a new or empty one"));
    }
    if is_begun && header_of(disk).is_some_and(|store| store != catalog.store) {
        let said = format!(
            "in {} another store is being restored, from another backup",
            dir.display()
        );
        return Err(Error::new(ErrorKind::Refused, said)
            .hint("name a new or empty folder, or finish that one first"));
    }
    Ok(())
}

/// Returns the id of the store that is being restored, if it can be read.
fn header_of(disk: &dyn Disk) -> Option<StoreId> {
    let file = disk.open(Path::new(RESTORING_FILE), OpenMode::Read).ok()?;
    let size = file.size().ok()?.min(header::HEADER_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    file.read_exact_at(&mut bytes, 0).ok()?;
    header::decode(&bytes).ok()
}

/// Makes the folders and the header, and removes what an earlier restore left beside sealed files.
fn begin(disk: &dyn Disk, dir: &Path, catalog: &Catalog) -> Result<()> {
    let at = |path: &Path| dir.join(path);
    let header = Path::new(RESTORING_FILE);
    if header_of(disk).is_none() {
        remove(disk, dir, header)?;
        let written = disk.open(header, OpenMode::CreateNew).and_then(|file| {
            file.write_all_at(header::encode(&catalog.store).as_bytes(), 0)?;
            file.sync()
        });
        written
            .and_then(|()| disk.sync_dir(Path::new("")))
            .map_err(|error| Error::io("write", at(header), error))?;
    }
    for folder in [TMP_DIR, JOURNAL_DIR, EVENTS_DIR, PACKS_DIR, QUARANTINE_DIR] {
        let made = disk.make_dir(Path::new(folder));
        made.map_err(|error| Error::io("make", dir.join(folder), error))?;
    }
    for folder in [TMP_DIR, JOURNAL_DIR].map(Path::new) {
        let listed = disk.list(folder);
        for entry in listed.map_err(|error| Error::io("read", at(folder), error))? {
            remove(disk, dir, &folder.join(entry.name))?;
        }
    }
    for name in [INDEX_FILE, PLACE_FILE, NEWEST_FILE] {
        remove(disk, dir, Path::new(name))?;
    }
    let wanted = by_store_path(catalog);
    for path in list(disk, dir)?.into_keys() {
        if !wanted.contains_key(path.as_str()) {
            remove(disk, dir, Path::new(&path))?;
        }
    }
    Ok(())
}

fn remove(disk: &dyn Disk, dir: &Path, path: &Path) -> Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", dir.join(path), error))
        }
        _ => Ok(()),
    }
}

/// How the copying ended.
enum Copied {
    All { bytes: u64, findings: Vec<Finding> },
    Stopped,
}

fn copy_all(
    from: &dyn Disk,
    backup: &Path,
    disk: &dyn Disk,
    dir: &Path,
    how: &BackupOptions,
    catalog: &Catalog,
) -> Result<Copied> {
    let there = list(disk, dir)?;
    let wanted = by_store_path(catalog);
    let total: u64 = wanted.values().map(|file| file.bytes).sum();
    let is_missing = |(path, file): &(&&str, &&CatalogFile)| there.get(**path) != Some(&file.bytes);
    let missing = wanted.iter().filter(is_missing);
    let needed: u64 = missing.map(|(_, file)| file.bytes).sum();
    let free = disk.free_bytes();
    let free = free.map_err(|error| Error::io("measure", dir, error))?;
    if needed > free {
        return Err(Error::new(
            ErrorKind::Full,
            format!(
                "the disk of {} has {free} bytes left, and {needed} are to be copied",
                dir.display()
            ),
        )
        .hint("make room there, or name a folder on another disk; the backup is untouched"));
    }
    let mut findings = Vec::new();
    let mut done = 0;
    for (path, file) in &wanted {
        how.progress.report(done, total, "copying");
        let file_there = there.get(*path) == Some(&file.bytes);
        let one = One {
            from,
            disk,
            file,
            path: Path::new(path),
            how,
        };
        let taken = one.take_over(file_there);
        if taken.is_err() {
            // The incomplete copy is useless; the next restore removes what stays.
            let _ = disk.remove(&copying());
        }
        match taken {
            Ok(None) => {}
            Ok(Some(why)) => findings.push(finding(&file.path, why)),
            Err(CopyError::Stopped) => return Ok(Copied::Stopped),
            Err(CopyError::Vanished) => findings.push(finding(&file.path, "it is missing")),
            Err(CopyError::Read(error)) => {
                return Err(Error::io("read", backup.join(&file.path), error));
            }
            Err(CopyError::Write(error)) => {
                return Err(Error::io("write", dir.join(path), error)
                    .hint("the backup is untouched; run it again to go on where it ended"));
            }
        }
        done += file.bytes;
    }
    for folder in folders(wanted.keys()) {
        match disk.sync_dir(&folder) {
            // All files of this folder are damaged or missing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            synced => synced.map_err(|error| Error::io("sync", dir.join(&folder), error))?,
        }
    }
    Ok(Copied::All {
        bytes: done,
        findings,
    })
}

/// A file of a backup that is being restored.
struct One<'a> {
    from: &'a dyn Disk,
    disk: &'a dyn Disk,
    file: &'a CatalogFile,
    /// Its path in the store.
    path: &'a Path,
    how: &'a BackupOptions,
}

impl One<'_> {
    /// Copies the file unless it is there. Returns what is wrong with it in the backup, if
    /// anything.
    fn take_over(&self, is_there: bool) -> Result<Option<String>, CopyError> {
        let (file, stop) = (self.file, &self.how.stop);
        let compare = |path| copy::compare(self.disk, path, &file.sha256, file.bytes, stop);
        if is_there && compare(self.path)?.is_none() {
            return Ok(None);
        }
        let tmp = copying();
        let backup_path = Path::new(&file.path);
        let copied = copy::copy(self.from, backup_path, self.disk, &tmp, stop, |_| ())?;
        let wrong = if copied.sha256 == file.sha256 {
            file.damaged
                .then(|| "it was damaged in the store, and copied as it was".to_owned())
        } else if copied.bytes == file.bytes {
            Some("its bytes are not those that were copied".to_owned())
        } else {
            Some(format!(
                "it has {} bytes instead of {}",
                copied.bytes, file.bytes
            ))
        };
        if wrong.is_some() && self.how.on_damage == OnDamage::Refuse {
            self.disk.remove(&tmp).map_err(CopyError::Write)?;
            return Ok(wrong);
        }
        let read_back = copy::compare(self.disk, &tmp, &copied.sha256, copied.bytes, stop)?;
        if let Some(why) = read_back {
            return Err(CopyError::Write(io::Error::other(format!(
                "it does not hold what was written to it: {why}"
            ))));
        }
        for folder in folders([&self.path.to_string_lossy().as_ref()]) {
            self.disk.make_dir(&folder).map_err(CopyError::Write)?;
        }
        self.disk
            .rename(&tmp, self.path)
            .map_err(CopyError::Write)?;
        Ok(wrong)
    }
}

/// Returns the folders of these files and those above them, the outer ones first.
fn folders<'a>(paths: impl IntoIterator<Item = &'a &'a str>) -> Vec<PathBuf> {
    let above = |path: &&str| {
        let folders = Path::new(path).ancestors().skip(1);
        let named = folders.filter(|folder| !folder.as_os_str().is_empty());
        named.map(Path::to_owned).collect::<Vec<_>>()
    };
    let mut all: Vec<PathBuf> = paths.into_iter().flat_map(above).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Makes a journal after the last event, records that the log continues here, and makes the folder
/// a store.
fn finish(
    disk: Arc<dyn Disk>,
    dir: &Path,
    options: Options,
    lock: Box<dyn DiskLock>,
    catalog: &Catalog,
    is_whole: bool,
) -> Result<Option<EventSeq>> {
    let store = catalog.store;
    let mut journal = Journal::create(&*disk, 0, store, options.journal_bytes)?;
    journal.start(1, catalog.event.next())?;
    drop(journal);
    let options = Options {
        access: Access::ReadWrite,
        ..options
    };
    let opened = open_locked(
        Arc::clone(&disk),
        dir.to_owned(),
        options,
        store,
        Some(lock),
    );
    let archive = opened?;
    let wrong = differences(&archive, catalog);
    if is_whole && !wrong.is_empty() {
        return Err(damaged("what was restored", dir, &wrong)
            .hint("run 'annals verify' on the backup; the folder is no store yet"));
    }
    let (host, folder) = (catalog.host.clone(), catalog.folder.clone());
    let continued = if archive.damage().is_empty() {
        let (event, root) = (catalog.event, Some(catalog.root));
        let continued =
            archive.record_continued(ContinuedFrom::Backup, event, root, host, folder)?;
        place::record(&*disk, &store);
        Some(continued)
    } else {
        place::record_unconfirmed(&*disk, &store, &host, &folder);
        None
    };
    let (tmp, path) = (Path::new(RESTORING_FILE), Path::new(HEADER_FILE));
    disk.rename(tmp, path)
        .and_then(|()| disk.sync_dir(Path::new("")))
        .map_err(|error| Error::io("write", dir.join(path), error))?;
    archive.close()?;
    Ok(continued)
}

/// Returns what shows that a log is not the one the backup was made of.
fn differences(archive: &Archive, catalog: &Catalog) -> Vec<Finding> {
    let damage = archive.damage().iter();
    let mut wrong: Vec<Finding> = damage.map(|line| finding("events", line)).collect();
    let segments = archive.store().log.segments();
    let root = segments
        .last()
        .and_then(|segment| segment.footer().ok())
        .map(|footer| Sha256::from_bytes(footer.tree_root));
    if wrong.is_empty() && root != Some(catalog.root) {
        let why = "the tree over all events is not the one the list of the backup states";
        wrong.push(finding("events", why));
    }
    wrong
}
