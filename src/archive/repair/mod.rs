//! Repair: what a damaged store is made of again, shown before it is done. Nothing is ever deleted: what is replaced is kept
//! in `quarantine/`, what cannot be brought back is recorded as lost.
//!
//! - [`examine`]: what has to be done, out of all that can still be read;
//! - [`inventory`], [`undo`]: what can be taken back, and taking it back;
//! - [`act`]: the files; [`account`]: what the mended store still lacks, and the events that say so.

mod account;
mod act;
mod examine;
mod inventory;
mod undo;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::Result;
use crate::archive::bounds;
use crate::archive::open::take_lock;
use crate::archive::{Archive, Options};
use crate::disk::{Disk, DiskLock, FsDisk};
use crate::event::{EntryRanges, RepairedFile};
use crate::format::pack::{PackHeader, PackOffset};
use crate::id::{BlobId, EventSeq, StoreId};
use crate::log::{LogMend, Remains};

pub use undo::{PutBack, RepairUndo, UndoPlan};

/// A damaged store, looked through and held until it is repaired or let go. Nobody else can open it meanwhile.
#[must_use = "nothing is repaired before `apply`"]
pub struct Repair {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: Options,
    lock: Arc<dyn DiskLock>,
    findings: Findings,
    plan: RepairPlan,
}

/// What a repair would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
#[must_use = "a plan repairs nothing"]
pub struct RepairPlan {
    /// What is wrong, and what is done about it; empty when nothing is wrong.
    pub mends: Vec<Mend>,
    /// Events that cannot be read anywhere any more, as ascending inclusive ranges.
    pub lost_events: Vec<(EventSeq, EventSeq)>,
    /// The journal file that was written last is gone: what it held from the last of the lost events on is lost, and nobody
    /// can say how much that was.
    pub end_is_lost: bool,
}

/// One thing to be mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mend {
    /// What kind of thing: `header`, `log`, `pack`, `index` or `content`.
    pub kind: MendKind,
    /// Where it is.
    pub r#where: String,
    /// What is wrong with it.
    pub detail: String,
    /// What is done about it.
    pub action: String,
}

/// See [`Mend::kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MendKind {
    /// The file that makes the folder a store.
    Header,
    /// A segment or a journal file.
    Log,
    /// A pack.
    Pack,
    /// The index.
    Index,
    /// Content or events that are lost, or cannot be read, and are not recorded as such yet.
    Content,
}

impl MendKind {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Log => "log",
            Self::Pack => "pack",
            Self::Index => "index",
            Self::Content => "content",
        }
    }
}

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RepairOutcome {
    /// True when nothing was lost.
    pub ok: bool,
    /// Files that were made anew or taken out, and where their bytes are kept.
    pub files: Vec<RepairedFile>,
    /// Events that are lost, as ascending inclusive ranges.
    pub lost_events: Vec<(EventSeq, EventSeq)>,
    /// Events that cannot be read, as ascending inclusive ranges. Their lines stand in the log as
    /// they were recorded.
    pub unreadable_events: Vec<(EventSeq, EventSeq)>,
    /// See [`RepairPlan::end_is_lost`].
    pub end_is_lost: bool,
    /// Content that entries name and that is nowhere any more.
    pub lost_contents: Vec<BlobId>,
    /// Contents that were missing and were found in the journal.
    pub restored_contents: u64,
    /// Entries made of content whose own events are lost or cannot be read.
    pub found: EntryRanges,
}

/// What was seen, for those who act on it.
struct Findings {
    store: StoreId,
    /// The header has to be made anew.
    header: bool,
    remains: Remains,
    log: LogMend,
    packs: Vec<PackMend>,
    /// Packs that opening the mended store removes, because a journal file is taken to hold all of them.
    doubtful_packs: Vec<PathBuf>,
    index: bool,
}

/// A pack to be written anew, or to be taken out when nothing in it can be read.
struct PackMend {
    path: PathBuf,
    why: String,
    header: PackHeader,
    /// The records that can be read: where, how long, and whose.
    kept: Vec<(PackOffset, u32, BlobId)>,
}

impl Archive {
    /// Looks a damaged store through, as closely as [`Depth::Deep`](crate::archive::Depth::Deep), and says what a repair would do. Nothing is changed
    /// before [`Repair::apply`].
    ///
    /// Fails where no other program may have the store open, and where its files do not agree on which
    /// store it is.
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

    /// The same on a disk of the caller's.
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
            disk,
            dir,
            options,
            lock,
            findings,
            plan,
        })
    }

    /// What is wrong and what would be done about it.
    pub fn plan(&self) -> &RepairPlan {
        &self.plan
    }

    /// Does it. On `Ok` the store is whole, and records what was lost. After an error, or a power cut, what was replaced so far
    /// is kept in `quarantine/`, and to begin again is right.
    pub fn apply(self) -> Result<RepairOutcome> {
        if self.plan.mends.is_empty() {
            return Ok(RepairOutcome {
                ok: true,
                ..RepairOutcome::default()
            });
        }
        let (files, number) = act::act(&self)?;
        let settled = account::settle(&self, files)
            .and_then(|outcome| act::end_inventory(&*self.disk, number).map(|()| outcome));
        // The error must not hide that files were replaced.
        settled.map_err(|error| {
            error.adding(&format!(
                "; files were replaced before that, and {} says where they are kept",
                inventory::path_of(number).display()
            ))
        })
    }
}
