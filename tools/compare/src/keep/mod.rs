//! Everybody who keeps files: annals, the embedded stores, the backup programs. Each must give back
//! what it took.

pub(crate) mod annals;
mod backup;
mod embedded;
mod fjall;
mod folders;
mod redb;
mod solid;
pub(crate) mod sqlite;

use std::path::Path;
use std::time::Duration;

use crate::Result;
use crate::files::Set;
use crate::measure::{Taken, taken};

pub(crate) use self::backup::{Batch, Borg, Git, Restic};
pub(crate) use self::embedded::{Embedded, Record, Table, record, unpack};
pub(crate) use self::fjall::Fjall;
pub(crate) use self::folders::{Folders, OpenFolders, Promise};
pub(crate) use self::redb::Redb;
pub(crate) use self::solid::{Alone, Solid};

/// One way to keep files.
pub(crate) trait Keeper {
    fn name(&self) -> String;

    /// What it does with a file, and when it says so.
    fn how(&self) -> String;

    /// Why it cannot be tried here, if so.
    fn missing(&self) -> Option<String> {
        None
    }

    /// More files than this take too long one by one.
    fn files_max(&self) -> usize {
        usize::MAX
    }

    /// Takes a set into a new store in `dir`, which is empty.
    fn ingest(&self, dir: &Path, set: &Set) -> Result<Ingested>;

    /// Reads everything back and compares hashes.
    fn check(&self, dir: &Path, set: &Set) -> Result<()>;

    /// What the store takes.
    fn size(&self, dir: &Path) -> Result<Size> {
        Ok(Size {
            kept: taken(dir, &|_| true)?,
            ..Size::default()
        })
    }
}

/// How long it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ingested {
    /// Until every file was acknowledged.
    pub(crate) acknowledged: Duration,
    /// Until the background work was done, too.
    pub(crate) settled: Duration,
}

/// What a store takes, by what it would miss.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Size {
    /// Content and facts.
    pub(crate) kept: Taken,
    /// What can be made again from them.
    pub(crate) index: Taken,
    /// Files that are allocated and used again and again, whatever the store holds.
    pub(crate) recycled: Taken,
}
