//! Backups: copying a store while it is written, checking the copy, and making a store of it again.
//!
//! A backup holds sealed files only, which never change once they have their name. A run seals the
//! journal first, so that everything acknowledged before it is in them. The file `BACKUP` lists
//! what belongs to the backup; it is replaced last and in one step, so that the backup of the run
//! before stays whole until the new one is.
//!
//! - [`plan`]: what a run has to do, as a value; [`source`]: what the store holds;
//! - [`target`]: the folder of the backup; [`copy`]: one file; [`run`]: all of them, in order;
//! - [`check`]: is a backup whole; [`restore`]: a store out of it; [`folders`]: which folder is in
//!   which.

mod check;
mod copy;
mod folders;
mod plan;
mod restore;
mod run;
mod source;
mod target;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::archive::{Archive, Finding, Progress};
use crate::disk::{Disk, FsDisk};
use crate::id::{EventSeq, Sha256, StoreId};
use crate::setters::setters;
use crate::{Error, ErrorKind, Result};

pub use check::verify_backup;
pub use plan::{BackupPlan, PlannedFile, Why};
pub use restore::{RestoredStore, restore_store};
pub(in crate::archive) use target::holds_backup;
pub use target::is_backup;

/// What is done about damage that is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnDamage {
    /// Nothing is taken over from a damaged store or backup: what was there before stays.
    #[default]
    Refuse,
    /// What can be read is taken over, and what is damaged is said to be.
    Accept,
}

/// Which files of a backup a run reads again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BackupCheck {
    /// Those it copied. Of the others it compares the lengths.
    #[default]
    New,
    /// Every one.
    All,
}

/// Asked now and then whether the work is to end before it is done.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<StopFn>>);

type StopFn = dyn Fn() -> bool + Send + Sync;

impl Stop {
    /// Ends the work once `asked` answers true.
    pub fn when(asked: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(asked)))
    }

    fn is_asked(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| asked())
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.0.is_some()).finish()
    }
}

/// How a backup is made or restored.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BackupOptions {
    /// Which files are read again.
    pub check: BackupCheck,
    /// What is done about damage.
    pub on_damage: OnDamage,
    /// Told how far the work has come.
    pub progress: Progress,
    /// Asked whether to end early.
    pub stop: Stop,
}

setters! { BackupOptions {
    /// Sets which files are read again.
    check: [BackupCheck];
    /// Sets what is done about damage.
    on_damage: [OnDamage];
    /// Sets who is told how far the work has come.
    progress: [Progress];
    /// Sets who is asked whether to end early.
    stop: [Stop];
} }

/// What a run of a backup did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupOutcome {
    /// The store.
    pub store: StoreId,
    /// True when the backup now holds the store up to `event`. Otherwise it holds what it held
    /// before.
    pub complete: bool,
    /// True when the run was asked to end early.
    pub interrupted: bool,
    /// The last event in the backup; 0 when no run ever came to its end.
    pub event: EventSeq,
    /// The last event that was in it before.
    pub previous: EventSeq,
    /// The root of the tree over all events in it.
    pub root: Sha256,
    /// Files in the backup.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that this run copied.
    pub files_copied: u64,
    /// Their bytes.
    pub bytes_copied: u64,
    /// Of them, those that had been in the backup before and were missing or damaged.
    pub files_mended: u64,
    /// Files that were there already.
    pub files_there: u64,
    /// Files that the store has no more and that left the backup.
    pub files_removed: u64,
    /// Their bytes.
    pub bytes_removed: u64,
    /// Bytes of the backup that were read back and compared.
    pub bytes_checked: u64,
    /// Damage that was met in the store.
    pub findings: Vec<Finding>,
}

impl Archive {
    /// Brings the backup in `dir` up to the store; makes it if `dir` is missing or empty.
    ///
    /// Archiving goes on meanwhile. On every error, and when the run is cut off, the backup stays
    /// what it was before. Damage in the store is told in the outcome, and then the backup stays
    /// what it was as well, unless [`OnDamage::Accept`] says otherwise.
    ///
    /// ```
    /// use annals::archive::{Archive, BackupOptions, NewEntry};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// let done = archive.backup(dir.path().join("backup"), &BackupOptions::default())?;
    /// assert!(done.complete && done.event == archive.newest());
    /// # archive.close()
    /// # }
    /// ```
    pub fn backup(&self, dir: impl AsRef<Path>, options: &BackupOptions) -> Result<BackupOutcome> {
        let dir = dir.as_ref();
        self.refuse_damaged_log(dir)?;
        folders::refuse_nested(dir, self.dir(), "the backup", "the store")?;
        let target = target::Target::make(dir, &self.store_id())?;
        run::run(self, target, options)
    }

    /// Brings the backup on a disk of the caller's up to the store.
    pub fn backup_on(&self, disk: Arc<dyn Disk>, options: &BackupOptions) -> Result<BackupOutcome> {
        self.refuse_damaged_log(Path::new(""))?;
        let target = target::Target::open(disk, Path::new(""), &self.store_id())?;
        run::run(self, target, options)
    }

    /// A store with a damaged log is not sealed, and what is in its journal would be missing in a
    /// backup.
    fn refuse_damaged_log(&self, dir: &Path) -> Result<()> {
        let Some(first) = self.damage().first() else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::Damaged,
            format!("the log of the store is damaged, so it is not backed up: {first}"),
        )
        .hint(format!(
            "what is in {} is as it was. Run 'annals verify' for the whole picture and 'annals \
             repair' to go on, or 'annals restore-store' if the backup holds more",
            dir.display()
        )))
    }

    /// Says what [`Archive::backup`] would do, and changes nothing.
    ///
    /// Events that are not sealed yet are left out: the run itself seals them.
    pub fn plan_backup(&self, dir: impl AsRef<Path>) -> Result<BackupPlan> {
        let dir = dir.as_ref();
        self.refuse_damaged_log(dir)?;
        folders::refuse_nested(dir, self.dir(), "the backup", "the store")?;
        let disk = FsDisk::new(dir);
        let seen = target::Seen::look(&disk, dir, &self.store_id())?;
        let source = source::StoreFiles::sealed(self)?;
        target::refuse_other_past(dir, &seen.catalog, &source)?;
        plan::plan(&*self.shared().disk, &source, &seen)
    }
}

/// A file of a backup or store that could not be used, with its place.
fn finding(place: &str, detail: impl fmt::Display) -> Finding {
    let kind = if place.starts_with("events") {
        "log"
    } else {
        "pack"
    };
    Finding {
        kind: kind.to_owned(),
        r#where: place.to_owned(),
        detail: detail.to_string(),
    }
}

/// The error that names the first thing found.
fn damaged(what: &str, dir: &Path, findings: &[Finding]) -> Error {
    let first = findings.first().map_or_else(String::new, |finding| {
        format!(": {}: {}", finding.r#where, finding.detail)
    });
    Error::new(
        ErrorKind::Damaged,
        format!("{what} in {} is damaged{first}", dir.display()),
    )
}
