//! The row of a retention lock.

use crate::entry::Period;
use crate::event::{LockMode, RetentionLocked};
use crate::id::EventSeq;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A retention lock in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LockRow {
    pub(crate) name: String,
    pub(crate) keep: Period,
    pub(crate) mode: LockMode,
    pub(crate) converters: Vec<String>,
    pub(crate) labels: Vec<String>,
    /// The reason given most recently.
    pub(crate) reason: String,
    /// When it was placed, and the event that did.
    pub(crate) placed_at: Timestamp,
    pub(crate) placed_by: EventSeq,
}

impl LockRow {
    pub(in crate::index) fn new(seq: EventSeq, at: Timestamp, event: &RetentionLocked) -> Self {
        Self {
            name: event.name.clone(),
            keep: event.keep,
            mode: event.mode,
            converters: event.converter.clone(),
            labels: event.label.clone(),
            reason: event.reason.clone(),
            placed_at: at,
            placed_by: seq,
        }
    }

    /// Returns whether `event` keeps everything that this lock keeps, for at least as long.
    pub(crate) fn may_become(&self, event: &RetentionLocked) -> bool {
        event.keep.is_at_least(self.keep)
            && event.mode >= self.mode
            && event.converter == self.converters
            && event.label == self.labels
    }
}
