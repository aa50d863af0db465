//! The newest events about evidence.

use super::layers::View;
use crate::id::EventSeq;

/// The newest events about evidence, where there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewestEvidence {
    /// The one that says which key signs.
    pub(crate) key: Option<EventSeq>,
    /// The one that says how often.
    pub(crate) cadence: Option<EventSeq>,
    /// The one with the newest checkpoint.
    pub(crate) checkpoint: Option<EventSeq>,
    /// The one with the newest review.
    pub(crate) review: Option<EventSeq>,
}

impl View {
    /// Returns the newest events about evidence.
    pub(crate) fn evidence(&self) -> NewestEvidence {
        let totals = self.totals();
        let known = |seq| (seq > 0).then_some(EventSeq(seq));
        NewestEvidence {
            key: known(totals.newest_key),
            cadence: known(totals.newest_cadence),
            checkpoint: known(totals.newest_checkpoint),
            review: known(totals.newest_review),
        }
    }
}
