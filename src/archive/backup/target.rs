//! Reads and writes the folder of a backup: its lock, its files, and its list.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source::StoreFiles;
use crate::archive::files::backup_marker::{CATALOG_COPY, CATALOG_FILE};
use crate::archive::files::folders::{HEADER_FILE, LOCK_FILE, PACKS_DIR, TMP_DIR};
use crate::archive::files::pack_files::pack_of;
use crate::disk::{Disk, DiskLock, FsDisk, OpenMode};
use crate::format::catalog::{self, Catalog, CatalogError};
use crate::id::{EventSeq, Sha256, StoreId};
use crate::log::{EVENTS_DIR, first_seq_of};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The most bytes of a list: more than a million files take.
const CATALOG_BYTES_MAX: u64 = 1 << 30;
/// Folders that a new file system has at its root.
const SYSTEM_DIRS: [&str; 3] = ["lost+found", "System Volume Information", "$RECYCLE.BIN"];

/// The contents of the folder of a backup.
pub(super) struct Seen {
    pub(super) catalog: Catalog,
    /// Every file of the kinds a backup holds, with its length, whether it is listed or not.
    pub(super) files: BTreeMap<String, u64>,
}

impl Seen {
    /// Reads the folder, which may be missing or empty. Refuses anything else than a backup of
    /// `store`.
    pub(super) fn look(disk: &dyn Disk, dir: &Path, store: &StoreId) -> Result<Self> {
        let names = match disk.list(Path::new("")) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::io("read", dir, error)),
        };
        let has = |name: &str| names.iter().any(|entry| entry.name == name);
        if has(HEADER_FILE) {
            let said = format!("{} is a store, and no place for a backup", dir.display());
            return Err(Error::new(ErrorKind::Refused, said).hint("name a folder of its own"));
        }
        let files = list(disk, dir)?;
        let catalog = if has(CATALOG_FILE) || has(CATALOG_COPY) {
            read_catalog(disk, dir)?.catalog
        } else {
            let is_ours = |name: &str| {
                [LOCK_FILE, TMP_DIR, EVENTS_DIR, PACKS_DIR].contains(&name)
                    || SYSTEM_DIRS.contains(&name)
            };
            let others = names.iter().find(|entry| !is_ours(&entry.name));
            if others.is_some() || !files.is_empty() {
                let said = format!("{} is not empty and holds no backup", dir.display());
                return Err(Error::new(ErrorKind::Refused, said)
                    .hint("name a new or empty folder, or one that holds a backup of this store"));
            }
            empty(store)
        };
        if catalog.store != *store {
            return Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "{} holds the backup of another store, {}; this one is {store}",
                    dir.display(),
                    catalog.store
                ),
            )
            .hint("give each store a folder of its own for its backup"));
        }
        Ok(Self { catalog, files })
    }
}

/// Refuses to replace a backup by a store that does not continue from it.
pub(super) fn refuse_other_past(dir: &Path, catalog: &Catalog, source: &StoreFiles) -> Result<()> {
    const KEPT: &str = "the backup is as it was. 'annals restore-store' makes a store of it; to \
                        back up this one as it is, name an empty folder";
    let dir = dir.display();
    if catalog.event == EventSeq(0) {
        return Ok(());
    }
    if catalog.event > source.event {
        return Err(Error::new(
            ErrorKind::Refused,
            format!(
                "the backup in {dir} is ahead of the store: it holds events up to {}, the store \
                 ends with {}. The store was taken back to an older state, or lost its end",
                catalog.event, source.event
            ),
        )
        .hint(KEPT));
    }
    if source.root_at(catalog.event)? != Some(catalog.root) {
        return Err(Error::new(
            ErrorKind::Refused,
            format!(
                "the backup in {dir} is not the past of this store: its events up to {} are \
                 others. Two copies of one store went on apart from each other",
                catalog.event
            ),
        )
        .hint(KEPT));
    }
    Ok(())
}

/// The folder of a backup, locked for one run.
pub(super) struct Target {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) seen: Seen,
    _lock: Box<dyn DiskLock>,
}

impl Target {
    /// Opens the backup of `store` in `dir`, and makes the folder if it is missing.
    pub(super) fn make(dir: &Path, store: &StoreId) -> Result<Self> {
        let disk = FsDisk::new(dir);
        // Refusals come before anything is made.
        Seen::look(&disk, dir, store)?;
        make_private(dir)?;
        Self::open(Arc::new(disk), dir, store)
    }

    /// Opens the backup of `store` on a disk, and begins one on an empty disk.
    pub(super) fn open(disk: Arc<dyn Disk>, dir: &Path, store: &StoreId) -> Result<Self> {
        Seen::look(&*disk, dir, store)?;
        let lock = lock(&*disk, dir)?;
        // The folder may have changed before the lock was taken.
        let seen = Seen::look(&*disk, dir, store)?;
        for folder in [TMP_DIR, EVENTS_DIR, PACKS_DIR] {
            let made = disk.make_dir(Path::new(folder));
            made.map_err(|error| Error::io("make", dir.join(folder), error))?;
        }
        clear_tmp(&*disk, dir)?;
        let target = Self {
            disk,
            dir: dir.to_owned(),
            seen,
            _lock: lock,
        };
        if target.seen.catalog.event == EventSeq(0) {
            // From now on the folder says whose backup it will be, and that it is not finished.
            target.publish_catalog(&target.seen.catalog)?;
        }
        Ok(target)
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_dir(&self, folder: &Path) -> Result<()> {
        match self.disk.sync_dir(folder) {
            // Network and portable file systems may not have this call. Their names last as they
            // always do.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
            {
                Ok(())
            }
            other => other.map_err(|error| self.io("sync", folder, error)),
        }
    }

    /// Makes an error of the disk under the backup.
    pub(super) fn io(&self, action: &str, path: &Path, error: io::Error) -> Error {
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        let built = Error::io(action, self.dir.join(path), error);
        if full {
            built.hint(self.full_hint())
        } else {
            built
        }
    }

    /// Returns what to do when the disk of the backup is full.
    pub(super) fn full_hint(&self) -> String {
        let before = match self.seen.catalog.event {
            EventSeq(0) => "no backup is in it yet".to_owned(),
            event => format!("the backup up to event {event} is as it was"),
        };
        format!("make room there, or name a folder on another disk; {before}")
    }

    /// Replaces the list in one step, after its copy. Up to that step the backup is as before.
    pub(super) fn publish_catalog(&self, new: &Catalog) -> Result<()> {
        let text = catalog::encode(new);
        for name in [CATALOG_COPY, CATALOG_FILE] {
            let (tmp, path) = (Path::new(TMP_DIR).join(name), Path::new(name));
            let written = self.disk.open(&tmp, OpenMode::CreateNew).and_then(|file| {
                file.write_all_at(text.as_bytes(), 0)?;
                file.sync()
            });
            let renamed = written.and_then(|()| self.disk.rename(&tmp, path));
            if let Err(error) = renamed {
                let _ = self.disk.remove(&tmp);
                return Err(self.io("write", path, error));
            }
            self.sync_dir(Path::new(""))?;
        }
        Ok(())
    }

    /// Removes every file that is not listed. Returns how many, and their bytes.
    pub(super) fn remove_others(&self, keep: &Catalog) -> Result<(u64, u64)> {
        let listed: BTreeSet<&str> = keep.files.iter().map(|file| file.path.as_str()).collect();
        let (mut files, mut bytes) = (0, 0);
        for (path, len) in list(&*self.disk, &self.dir)? {
            if !listed.contains(path.as_str()) {
                let path = Path::new(&path);
                self.disk
                    .remove(path)
                    .map_err(|error| self.io("remove", path, error))?;
                files += 1;
                bytes += len;
            }
        }
        Ok((files, bytes))
    }
}

/// Makes a folder that only its owner may read, and the folders above it.
pub(super) fn make_private(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .recursive(true)
        .create(dir)
        .map_err(|error| Error::io("make", dir, error))
}

/// Takes the lock of a backup.
pub(super) fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn DiskLock>> {
    let taken = disk
        .try_lock(Path::new(LOCK_FILE))
        .map_err(|error| Error::io("lock", dir.join(LOCK_FILE), error))?;
    taken.ok_or_else(|| {
        let said = format!("the backup in {} is in use by another run", dir.display());
        Error::new(ErrorKind::Refused, said).hint("wait until that run has ended")
    })
}

/// Returns the list of a backup whose first run has not ended.
fn empty(store: &StoreId) -> Catalog {
    Catalog {
        store: *store,
        event: EventSeq(0),
        root: Sha256::from_bytes([0; 32]),
        lost: 0,
        made: Timestamp::from_micros(0),
        host: String::new(),
        folder: String::new(),
        files: Vec::new(),
    }
}

/// A list, and the damage of either copy of it.
pub(super) struct ReadCatalog {
    pub(super) catalog: Catalog,
    pub(super) wrong: Vec<(&'static str, String)>,
}

/// Reads the list of a backup, or its copy if the first cannot be read.
pub(super) fn read_catalog(disk: &dyn Disk, dir: &Path) -> Result<ReadCatalog> {
    let mut wrong = Vec::new();
    let mut found = None;
    for name in [CATALOG_FILE, CATALOG_COPY] {
        match read_one(disk, dir, name)? {
            // After a power cut between the two, the copy is of a later run. All files of both runs
            // are there then.
            Ok(catalog) => found = found.or(Some(catalog)),
            Err(Some(CatalogError::Version(version))) => {
                let why = CatalogError::Version(version);
                let said = format!("cannot read the backup in {}: {why}", dir.display());
                return Err(Error::new(ErrorKind::Unsupported, said)
                    .hint("use the version of annals that wrote it, or a newer one"));
            }
            Err(Some(why)) => wrong.push((name, why.to_string())),
            Err(None) => wrong.push((name, "it is missing".to_owned())),
        }
    }
    if let Some(catalog) = found {
        return Ok(ReadCatalog { catalog, wrong });
    }
    let (_, why) = wrong
        .into_iter()
        .find(|(_, why)| why != "it is missing")
        .ok_or_else(|| {
            Error::new(
                ErrorKind::NoStore,
                format!("there is no backup in {}", dir.display()),
            )
            .hint("'annals backup DIR' makes one")
        })?;
    Err(Error::new(
        ErrorKind::Damaged,
        format!(
            "the lists of the backup in {}, {CATALOG_FILE} and {CATALOG_COPY}, are damaged: {why}",
            dir.display()
        ),
    )
    .hint(
        "keep the folder as it is: its files can still be read; back up into another, empty folder",
    ))
}

/// Reads one copy of the list. An error of `None` means that it is missing.
fn read_one(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
) -> Result<Result<Catalog, Option<CatalogError>>> {
    let path = Path::new(name);
    let read = || -> io::Result<Vec<u8>> {
        let file = disk.open(path, OpenMode::Read)?;
        let size = file.size()?.min(CATALOG_BYTES_MAX);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(catalog::decode(&bytes).map_err(Some)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Err(None)),
        Err(error) => Err(Error::io("read", dir.join(path), error)),
    }
}

/// Lists every file of a backup that has a name as in a store, with its length.
pub(super) fn list(disk: &dyn Disk, dir: &Path) -> Result<BTreeMap<String, u64>> {
    let read = |folder: &str| match disk.list(Path::new(folder)) {
        Ok(entries) => Ok(entries),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(Error::io("read", dir.join(folder), error)),
    };
    let mut files = BTreeMap::new();
    let mut add = |path: String, len: u64| {
        if Sealed::of(&path).is_some() {
            files.insert(path, len);
        }
    };
    for entry in read(EVENTS_DIR)? {
        if !entry.is_dir {
            add(format!("{EVENTS_DIR}/{}", entry.name), entry.len);
        }
    }
    for retention in read(PACKS_DIR)?.into_iter().filter(|entry| entry.is_dir) {
        let folder = format!("{PACKS_DIR}/{}", retention.name);
        for bucket in read(&folder)?.into_iter().filter(|entry| entry.is_dir) {
            let folder = format!("{folder}/{}", bucket.name);
            for entry in read(&folder)? {
                if !entry.is_dir {
                    add(format!("{folder}/{}", entry.name), entry.len);
                }
            }
        }
    }
    Ok(files)
}

fn clear_tmp(disk: &dyn Disk, dir: &Path) -> Result<()> {
    let tmp = Path::new(TMP_DIR);
    let listed = disk.list(tmp);
    for entry in listed.map_err(|error| Error::io("read", dir.join(tmp), error))? {
        if !entry.is_dir {
            let path = tmp.join(entry.name);
            disk.remove(&path)
                .map_err(|error| Error::io("remove", dir.join(&path), error))?;
        }
    }
    Ok(())
}

/// The kind of a sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sealed {
    /// Events from this one on.
    Segment(EventSeq),
    /// Content, in the pack of this number.
    Pack(crate::id::PackId),
}

impl Sealed {
    /// Returns the kind of the file at `path` of a store or a backup.
    pub(super) fn of(path: &str) -> Option<Self> {
        let (folder, name) = catalog::store_path(path).rsplit_once('/')?;
        if folder == EVENTS_DIR {
            return first_seq_of(name).map(Self::Segment);
        }
        let is_class = folder.strip_prefix(PACKS_DIR)?.matches('/').count() == 2;
        pack_of(name).filter(|_| is_class).map(Self::Pack)
    }
}
