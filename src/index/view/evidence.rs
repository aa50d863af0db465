//! The newest events about evidence, and lists of all of them.

use super::layers::View;
use crate::event::EvidenceList;
use crate::id::EventSeq;
use crate::index::error::IndexError;
use crate::index::tables::{evidence_event, evidence_key};

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

    /// Returns the newest events of a list, at most `limit`, that are older than `before`.
    pub(crate) fn evidence_list(
        &self,
        list: EvidenceList,
        before: Option<EventSeq>,
        limit: usize,
    ) -> Result<Vec<EventSeq>, IndexError> {
        let mut end = before.map_or(u64::MAX >> 8, |before| before.0);
        let mut newest = Vec::new();
        // What an overlay has is newer than all that lies below it.
        for layer in &self.layers {
            let keys = evidence_key(list, EventSeq(0))..=evidence_key(list, EventSeq(end));
            let own: Vec<u64> = layer.evidence.range(keys).map(|row| *row.0).collect();
            let events = own.iter().rev().map(|key| evidence_event(*key));
            let events = events.filter(|event| event.0 < end);
            newest.extend(events.take(limit - newest.len()));
            end = newest.last().map_or(end, |last: &EventSeq| last.0);
        }
        let keys = evidence_key(list, EventSeq(0))..evidence_key(list, EventSeq(end));
        let stored = self.reader.evidence.range(keys)?.rev();
        for row in stored.take(limit - newest.len()) {
            newest.push(evidence_event(row?.0.value()));
        }
        Ok(newest)
    }
}
