//! What a repair would do, what it is based on, and what it did.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::archive::options::Options;
use crate::disk::Disk;
use crate::event::{EntryRanges, RepairedFile};
use crate::format::pack::{PackHeader, PackOffset};
use crate::id::{BlobId, EventSeq, StoreId};
use crate::log::{LogMend, Remains};

/// What a repair would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
#[must_use = "a plan repairs nothing"]
pub struct RepairPlan {
    /// What is wrong, and what is done about it; empty when nothing is wrong.
    pub mends: Vec<Mend>,
    /// Events that cannot be read anywhere any more, as ascending inclusive ranges.
    pub lost_events: Vec<(EventSeq, EventSeq)>,
    /// The journal file that was written last is gone. What it held from the last lost event on is
    /// lost, and its amount is unknown.
    pub end_is_lost: bool,
}

/// One thing to be repaired.
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
    /// Returns its name in JSON.
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
    /// Files that were replaced or removed, and where their bytes are kept.
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
    /// Entries that were made of content whose own events are lost or cannot be read.
    pub found: EntryRanges,
}

/// A damaged store under repair, and what was found in it.
pub(super) struct Patient {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) options: Options,
    pub(super) findings: Findings,
}

/// What the examination found.
pub(in crate::archive) struct Findings {
    pub(super) store: StoreId,
    /// The header has to be replaced.
    pub(super) header: bool,
    pub(super) remains: Remains,
    pub(super) log: LogMend,
    pub(super) packs: Vec<PackMend>,
    /// Packs that an opening of the repaired store removes, because a journal file should hold all
    /// their content.
    pub(super) doubtful_packs: Vec<PathBuf>,
    pub(super) index: bool,
}

/// A pack to be rewritten, or to be removed when nothing in it can be read.
pub(in crate::archive) struct PackMend {
    pub(super) path: PathBuf,
    pub(super) why: String,
    pub(super) header: PackHeader,
    /// The readable records: place, length, and blob.
    pub(super) kept: Vec<(PackOffset, u32, BlobId)>,
}
