//! The row values, encoded with bincode. The index is disposable, so a layout may change whenever
//! `SCHEMA` grows. Nothing that must stay readable for long is encoded this way.
//!
//! The rows repeat the public types by hand. Those leave absent fields out of their JSON, and a
//! format without field names cannot do that. Texts borrow from the stored bytes, so reading a row
//! copies nothing.

mod codec;
mod contents;
mod entry;
mod gone;
mod group;
mod left;
mod lock;
mod note;
mod personal;
mod registry;
mod report;
mod since;

pub(super) use codec::{Raw, decode, encode};
pub(crate) use contents::{BlobRow, Place};
pub(super) use contents::{PackState, Totals};
pub(super) use entry::{EntryHead, EntryRow, decode_head};
pub(super) use group::{RowGroup, RowPacker, first_of, group_of};
pub(crate) use lock::LockRow;
pub(crate) use personal::{ActorRow, DisclosureRow, DisclosureState};
pub(super) use registry::{ConverterRow, JobRow};
pub(crate) use registry::{
    HoldRow, IntendedRow, PendingPurgeRow, PromotionsRow, RecordedJob, ViewRow,
};
pub(crate) use report::QueuedRow;
pub(super) use report::{CorrectedRow, SubmissionRow};
