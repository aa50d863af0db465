//! Examines a damaged store, and repairs it when told to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::plan::{Patient, RepairOutcome, RepairPlan};
use super::{account, act, examine, inventory};
use crate::Result;
use crate::archive::bounds;
use crate::archive::files::lock::take_lock;
use crate::archive::handle::Archive;
use crate::archive::options::Options;
use crate::disk::{Disk, DiskLock, FsDisk};

/// A damaged store that was examined. It is locked until it is repaired or this is dropped.
#[must_use = "nothing is repaired before `apply`"]
pub struct Repair {
    patient: Patient,
    lock: Arc<dyn DiskLock>,
    plan: RepairPlan,
}

impl Archive {
    /// Examines a damaged store as closely as [`Depth::Deep`](crate::archive::Depth::Deep), and
    /// says what a repair would do. Nothing is changed before [`Repair::apply`].
    ///
    /// Fails when another process has the store open, or when its files do not agree on which store
    /// it is.
    ///
    /// ```
    /// use annals::archive::{Archive, Options};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let dir = dir.path().join("store");
    /// # Archive::builder().create(&dir)?.close()?;
    /// let repair = Archive::repair(&dir, Options::default())?;
    /// assert!(repair.plan().mends.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn repair(dir: impl AsRef<Path>, options: Options) -> Result<Repair> {
        let dir = dir.as_ref();
        Repair::begin(Arc::new(FsDisk::new(dir)), dir.to_owned(), options)
    }

    /// Examines a damaged store on a disk of the caller's.
    pub fn repair_on(disk: Arc<dyn Disk>, options: Options) -> Result<Repair> {
        Repair::begin(disk, PathBuf::new(), options)
    }
}

impl Repair {
    fn begin(disk: Arc<dyn Disk>, dir: PathBuf, options: Options) -> Result<Self> {
        bounds::check(&options)?;
        examine::refuse_strangers(&*disk, &dir)?;
        let wait: Duration = options.lock_wait;
        let lock: Arc<dyn DiskLock> = take_lock(&*disk, &dir, wait)?.into();
        let (findings, plan) = examine::examine(&disk, &dir, &options)?;
        Ok(Self {
            patient: Patient {
                disk,
                dir,
                options,
                findings,
            },
            lock,
            plan,
        })
    }

    /// Returns what is wrong and what would be done about it.
    pub fn plan(&self) -> &RepairPlan {
        &self.plan
    }

    /// Repairs the store. On `Ok` it is whole, and records what was lost.
    ///
    /// After an error or a power cut, replaced files are kept in `quarantine/`, and the repair can
    /// be started again.
    pub fn apply(self) -> Result<RepairOutcome> {
        if self.plan.mends.is_empty() {
            return Ok(RepairOutcome {
                ok: true,
                ..RepairOutcome::default()
            });
        }
        let (files, number) = act::act(&self.patient)?;
        let settled = account::record_losses(&self.patient, Arc::clone(&self.lock), files)
            .and_then(|outcome| act::end_inventory(&*self.patient.disk, number).map(|()| outcome));
        // The error must not hide that files were replaced.
        settled.map_err(|error| {
            error.adding(&format!(
                "; files were replaced before that, and {} says where they are kept",
                inventory::path_of(number).display()
            ))
        })
    }
}
