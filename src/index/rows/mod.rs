//! Row values, in bincode. The index is disposable, so these may change whenever `SCHEMA` grows;
//! nothing that must be readable for long is encoded this way.
//!
//! The rows mirror the types of the vocabulary by hand: those leave absent fields out of their
//! JSON, which a format without field names cannot follow. Texts are borrowed from the stored
//! bytes, so a row is looked at without copying.

mod codec;
mod contents;
mod entry;
mod registry;

pub(super) use codec::{Raw, decode, encode};
pub(crate) use contents::{BlobRow, Place};
pub(super) use contents::{PackState, Totals};
pub(crate) use entry::QueuedRow;
pub(super) use entry::{EntryHead, EntryRow, SubmissionRow, decode_head};
pub(crate) use registry::HoldRow;
pub(super) use registry::{ConverterRow, JobRow};
