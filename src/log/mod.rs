//! The log: append-only, ordered, never rewritten in place.
//!
//! New events go to the *journal*: recycled files with one sync for each group of events. A full
//! journal file is later sealed into a *segment*. The journal is the only thing synced before an
//! acknowledgement.

#![cfg_attr(
    test,
    allow(
        non_snake_case,
        reason = "test names: what is done, two underscores, what must hold"
    )
)]

mod appender;
mod error;
mod folders;
mod journal;
mod journal_bytes;
mod reader;
mod recovery;
mod repair;
mod segment;
#[cfg(test)]
mod tests;

pub(crate) use appender::{Appender, FrameDraft, FullJournal, Spare, Staged};
pub(crate) use error::LogError;
use folders::list_or_nothing;
pub(crate) use folders::{EVENTS_DIR, JOURNAL_DIR};
pub(crate) use journal::{
    JOURNAL_BYTES_MAX, JOURNAL_BYTES_MIN, Journal, JournalPlace, journal_path,
};
pub(crate) use reader::{LiveFrame, LogFiles, LogReader, OwnedFrame, read_frame};
pub(crate) use recovery::{Found, TornTail, cut, recover};
pub(crate) use repair::{LogMend, Remains, SpareEvents};
pub(crate) use segment::{SegmentReader, SegmentWriter, first_seq_of};
