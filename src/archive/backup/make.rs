//! Makes backups of an open store, and shows what a run would do.

use std::path::Path;
use std::sync::Arc;

use super::options::BackupOptions;
use super::outcome::BackupOutcome;
use super::plan::BackupPlan;
use super::{folders, plan, run, source, target};
use crate::archive::handle::Archive;
use crate::disk::{Disk, FsDisk};
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Brings the backup in `dir` up to the store. Makes it if `dir` is missing or empty.
    ///
    /// Archiving continues meanwhile. After an error or a run that was cut off, the backup is as
    /// before. Damage in the store is reported in the outcome; then the backup stays as before as
    /// well, unless [`OnDamage::Accept`](crate::archive::OnDamage::Accept) is set.
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

    /// Refuses a store with a damaged log: it is not sealed, so events in its journal would be
    /// missing in a backup.
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

    /// Returns what [`Archive::backup`] would do, and changes nothing.
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
        plan::plan(&*self.store().disk, &source, &seen)
    }
}
