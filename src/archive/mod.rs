//! The archive: one handle that owns the lock and knows the order of writes.
//!
//! - `options`, `bounds`: how a store is opened; `files`: which files it has, and what they say;
//! - `state`: what an open store consists of; `messages`: what its threads tell each other;
//! - `appending`: the writer, and the leader that chooses its thread;
//! - `handle`: the handle that callers have;
//! - `opening`: making and opening a store, and the index brought up to the log;
//! - `writing`: what goes in; `reading`: what comes out;
//! - `background`: sealing and compacting, off the acknowledgement path;
//! - `signing`: keys, checkpoints, and proofs of single events;
//! - `privacy`: personal fields, and erasing their values;
//! - `purging`: what goes for good, and how its bytes are freed;
//! - `checking`: known damage, verify and repair; `backup`: backups, and stores made of them.

#![cfg_attr(
    test,
    allow(
        non_snake_case,
        reason = "test names: what is done, two underscores, what must hold"
    )
)]

mod appending;
#[cfg(feature = "tokio")]
mod asynchronous;
#[cfg(feature = "tokio")]
mod asynchronous_events;
mod background;
mod backup;
mod bounds;
mod checking;
mod files;
mod handle;
mod messages;
mod opening;
mod options;
mod privacy;
mod purging;
mod reading;
mod signing;
mod state;
mod writing;

#[cfg(feature = "tokio")]
pub use asynchronous::AsyncArchive;
#[cfg(feature = "tokio")]
pub use asynchronous_events::AsyncEvents;
pub use backup::{
    BackupCheck, BackupOptions, BackupOutcome, BackupPlan, OnDamage, PlannedFile, RestoredStore,
    Stop, Why, is_backup, restore_store, verify_backup,
};
pub use checking::known_damage::KnownDamage;
pub use checking::repair::{
    Mend, MendKind, PutBack, Repair, RepairOutcome, RepairPlan, RepairUndo, UndoPlan,
};
pub use checking::verify::{
    Depth, EvidenceSummary, Finding, KnownLosses, SelectionChecked, Timestamped, VerifyReport,
};
pub use files::folders::HEADER_FILE;
#[cfg(feature = "host")]
pub(crate) use files::machine::host_name;
pub use files::place::CopiedFrom;
pub use handle::Archive;
pub use opening::builder::Builder;
pub use opening::confirm_move::ConfirmedMove;
pub use options::{Access, Cadence, Options, Progress};
pub use privacy::declare::DeclaredField;
pub use privacy::erase::{ErasureOutcome, RecordedErasure};
pub use privacy::plan::{ErasurePlan, HeldBack, InTheClear, PlannedAccount, PlannedErasure};
pub use privacy::reveal::{Account, PersonalValue, Revealed, ValueState};
pub use purging::explain::{KeptBy, RetentionExplained};
pub use purging::grace::{PendingPurge, UndonePurge};
pub use purging::impact::{HeldOverLimit, ImpactGroup, PlanImpact};
pub use purging::locks::{NewLock, RetentionLock};
pub use purging::purge::{PurgeOutcome, RecordedPurge};
pub use reading::counts_by::Bin;
pub use reading::entries::Entries;
pub use reading::failures::{FailureGroup, MakerGroup};
pub use reading::follow::{EventStream, NextEvent, StopEvents};
pub use reading::notable::Notable;
pub use reading::read::{BlobReader, Events, Leaf};
pub use reading::review::{ReviewEdge, ReviewPlan};
pub use reading::same_content::FoundContent;
pub use reading::snapshot::{Group, Page, Snapshot, Stats};
pub use reading::views::SavedView;
pub use reading::why::{KeepReason, MayGo, OwnContent, UnneededPlace, WhyKept};
pub use signing::certify::RestoredFile;
pub use signing::prove::EventProof;
pub use state::compact_outcome::CompactOutcome;
pub use state::running_jobs::{FinishedBy, JobProgress, JobRun, Turn, Turns};
pub use state::signing::RecordedCheckpoint;
pub use writing::access::HandingOut;
#[cfg(feature = "host")]
pub(crate) use writing::access::RECORD_ACCESS;
pub use writing::annotate::Annotation;
pub use writing::facts_only::Keep;
pub use writing::holds::{Hold, HoldDates, HoldOn, NewHold};
pub use writing::jobs::{Job, JobState};
pub use writing::key::{Key, KeyOf};
pub use writing::pending::Pending;
pub use writing::promotions::{Promotion, Waiver};
pub use writing::put::{Archived, NAME_BYTES_MAX, NewEntry};
#[cfg(feature = "host")]
pub(crate) use writing::put::{full_path, raw_name};
pub use writing::record::{NewAttempt, NewConverter};
pub use writing::submission::{PendingSubmission, PendingSubmissions};
