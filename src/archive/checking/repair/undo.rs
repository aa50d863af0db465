//! Undoes a repair: puts every replaced file back as it was, and sets aside every file the repair
//! made. Nothing is deleted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::files::{self, Zeros};
use super::inventory::{self, Inventory, Progress};
use crate::archive::files::folders::{INDEX_FILE, NEWEST_FILE, clear_tmp};
use crate::archive::files::lock::take_lock;
use crate::archive::handle::Archive;
use crate::archive::options::Options;
use crate::disk::{Disk, DiskLock, FsDisk};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// A repair that can be undone. The store is locked until that is done or this is dropped.
#[must_use = "nothing is put back before `apply`"]
pub struct RepairUndo {
    disk: Arc<dyn Disk>,
    _lock: Box<dyn DiskLock>,
    number: u32,
    inventory: Inventory,
    plan: UndoPlan,
}

/// What undoing a repair does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[must_use = "a plan puts nothing back"]
pub struct UndoPlan {
    /// The inventory of the repair, below the store.
    pub inventory: String,
    /// When the repair began.
    pub time: Timestamp,
    /// Files that are put back as they were, and the names of the copies they come from.
    pub put_back: Vec<PutBack>,
    /// Files that the repair made, or that were written since: they are moved to the quarantine.
    pub set_aside: Vec<String>,
}

/// A file that is put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PutBack {
    /// Its name below the store.
    pub path: String,
    /// Where it comes from, below the store.
    pub quarantine: String,
}

impl Archive {
    /// Prepares to undo the newest repair that was not undone yet. Nothing is changed before
    /// [`RepairUndo::apply`].
    ///
    /// `NotFound` when there is none. Refused when anything was recorded since, which would be
    /// lost. The store need not open.
    pub fn undo_repair(dir: impl AsRef<Path>, options: &Options) -> Result<RepairUndo> {
        let dir = dir.as_ref();
        RepairUndo::begin(Arc::new(FsDisk::new(dir)), dir, options)
    }

    /// Prepares to undo a repair on a disk of the caller's.
    pub fn undo_repair_on(disk: Arc<dyn Disk>, options: &Options) -> Result<RepairUndo> {
        RepairUndo::begin(disk, Path::new(""), options)
    }
}

impl RepairUndo {
    fn begin(disk: Arc<dyn Disk>, dir: &Path, options: &Options) -> Result<Self> {
        let none = || {
            let said = format!("no repair of {} can be taken back", dir.display());
            Error::new(ErrorKind::NotFound, said).hint(
                "a repair leaves an inventory in quarantine/; there is none that was not taken \
                 back",
            )
        };
        // A folder that never held a repair gets no lock file.
        if inventory::all(&*disk)?.is_empty() {
            return Err(none());
        }
        let lock = take_lock(&*disk, dir, options.lock_wait)?;
        let standing = inventory::all(&*disk)?
            .into_iter()
            .rfind(|(_, inventory)| inventory.progress != Progress::Undone);
        let (number, inventory) = standing.ok_or_else(none)?;
        refuse_what_would_lose(&*disk, number, &inventory)?;
        let plan = plan(&*disk, number, &inventory)?;
        Ok(Self {
            disk,
            _lock: lock,
            number,
            inventory,
            plan,
        })
    }

    /// Returns what would be done.
    pub fn plan(&self) -> &UndoPlan {
        &self.plan
    }

    /// Undoes the repair. After an error or a power cut it can be started again.
    pub fn apply(mut self) -> Result<UndoPlan> {
        let disk = &*self.disk;
        clear_tmp(disk)?;
        for file in &self.plan.put_back {
            let path = Path::new(&file.path);
            files::keep(disk, path)?;
            files::copy_to(disk, Path::new(&file.quarantine), path, Zeros::Written)?;
        }
        for file in &self.plan.set_aside {
            let path = Path::new(file);
            files::keep(disk, path)?;
            files::remove(disk, path)?;
        }
        self.inventory.progress = Progress::Undone;
        self.inventory.write(disk, self.number)?;
        Ok(self.plan)
    }
}

fn plan(disk: &dyn Disk, number: u32, inventory: &Inventory) -> Result<UndoPlan> {
    let kept = &inventory.kept;
    let put_back = kept.iter().map(|(path, quarantine)| PutBack {
        path: path.clone(),
        quarantine: quarantine.clone(),
    });
    // The index and `NEWEST` know of the events of the repair, and would report the log as taken
    // back.
    let knows_more = |path: &str| path == INDEX_FILE || path == NEWEST_FILE;
    let set_aside = inventory::store_files(disk)?
        .into_iter()
        .filter(|path| !kept.contains_key(path))
        .filter(|path| knows_more(path) || !inventory.before.contains(path))
        .collect();
    Ok(UndoPlan {
        inventory: inventory::path_of(number).display().to_string(),
        time: inventory.time,
        put_back: put_back.collect(),
        set_aside,
    })
}

/// Refuses to undo a repair when something was recorded since: those events lie in files that would
/// be set aside.
fn refuse_what_would_lose(disk: &dyn Disk, number: u32, inventory: &Inventory) -> Result<()> {
    let shown: PathBuf = inventory::path_of(number);
    if inventory.progress == Progress::Begun {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("the repair of {} did not come to its end", shown.display()),
        )
        .hint("finish it with 'annals repair', then take it back"));
    }
    let now = inventory::log_digests(disk)?;
    let stays = |path: &&String| !inventory.kept.contains_key(*path);
    let written = inventory
        .log_before
        .iter()
        .find(|(path, digest)| stays(path) && inventory.after.get(*path) != Some(*digest));
    if let Some((path, _)) = written {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("the repair wrote to {path} as well, and did not keep it as it was"),
        )
        .hint(names_the_copies(&shown)));
    }
    let is_known = |path: &String, digest: Option<&String>| {
        // A file that was put back already, by an undo that was cut off.
        let kept = inventory.kept.get(path);
        let was_kept = digest.zip(kept).is_some_and(|(digest, kept)| {
            files::digest_in_name(kept).is_some_and(|short| digest.starts_with(short))
        });
        was_kept || digest == inventory.after.get(path)
    };
    let is_gone_already =
        |path: &&String| !now.contains_key(*path) && !inventory.before.contains(*path);
    let changed = now
        .keys()
        .chain(inventory.after.keys())
        .filter(|path| !is_gone_already(path))
        .find(|path| !is_known(path, now.get(*path)));
    match changed {
        None => Ok(()),
        Some(path) => Err(Error::new(
            ErrorKind::Refused,
            format!(
                "{path} has changed since the repair: what was recorded since would be gone from \
                 the store"
            ),
        )
        .hint(names_the_copies(&shown))),
    }
}

fn names_the_copies(inventory: &Path) -> String {
    format!(
        "to look at the files as they were, put the copies that {} names into a copy of the folder",
        inventory.display()
    )
}
