//! The index: the log folded into tables that answer queries quickly. It is disposable: index ==
//! fold(log).
//!
//! - An [`Overlay`] takes the newest events in memory.
//! - [`Index::commit`] moves an overlay into the tables in a single transaction, together with the
//!   number of its last event.
//! - A [`View`] reads overlays and tables as one state.
//!
//! The index may lag behind the log, but never be ahead of it. A damaged index is rebuilt from the
//! log.
//!
//! A writer keeps one overlay on top of one view: `top = below.overlay()`, then `top.apply(&event,
//! &below)` for each event. Readers get `below.under(top.clone())`. A checkpoint freezes `top` into
//! a layer and continues with a new overlay over `below.under(frozen)`. Meanwhile it commits the
//! frozen layer. Afterwards it continues over a view of the tables alone.

mod backend;
mod blob_rows;
mod database;
mod entries;
mod error;
mod find;
mod fold;
mod glob;
mod marks;
mod overlay;
mod path_glob;
mod placement;
mod postings;
mod query;
mod reader;
mod rows;
mod scratch;
mod stats;
mod tables;
mod terms;
#[cfg(test)]
mod tests;
mod text;
mod view;
mod write;

pub(crate) use database::Index;
pub(crate) use error::IndexError;
#[cfg(feature = "testing")]
pub(crate) use glob::glob_matches;
#[cfg(feature = "host")]
pub(crate) use glob::is_unclosed;
pub(crate) use overlay::{Overlay, PersonalFields, QueuePlace};
pub(crate) use placement::{PackRow, Placement};
pub(crate) use query::EntryMatcher;
pub(crate) use rows::{
    ActorRow, BlobRow, DisclosureRow, DisclosureState, LockRow, PendingPurgeRow, Place, QueuedRow,
    RecordedJob, ViewRow,
};
pub(crate) use stats::CounterGroup;
pub(crate) use tables::CHECKPOINT_EVENTS;
pub(crate) use text::is_same_name;
#[cfg(feature = "host")]
pub(crate) use text::{composed, fold};
pub(crate) use view::View;
