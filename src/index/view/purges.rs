//! Purges that can be undone, in a view.

use super::layers::View;
use crate::id::{EntryId, EventSeq};
use crate::index::error::IndexError;
use crate::index::overlay::QueuePlace;
use crate::index::rows::{self, PendingPurgeRow, QueuedRow};
use std::collections::BTreeMap;
use std::sync::Arc;

impl View {
    /// Returns a purge that can be undone, by the id of its plan.
    pub(crate) fn pending_purge(&self, plan: &str) -> Option<Arc<PendingPurgeRow>> {
        if let Some(row) = self.layered(|layer| layer.small.pending_purges.get(plan)) {
            return row;
        }
        self.reader.pending_purges.get(plan).cloned()
    }

    /// Returns every purge that can be undone, by the id of its plan.
    pub(crate) fn pending_purges(&self) -> BTreeMap<String, Arc<PendingPurgeRow>> {
        let mut all = self.reader.pending_purges.clone();
        for layer in self.layers.iter().rev() {
            for (plan, row) in &layer.small.pending_purges {
                match row {
                    Some(row) => all.insert(plan.clone(), Arc::clone(row)),
                    None => all.remove(plan),
                };
            }
        }
        all
    }

    /// Returns the event that purged an entry, while that can be undone.
    pub(crate) fn pending_by(&self, id: EntryId) -> Result<Option<EventSeq>, IndexError> {
        let Some(stored) = self.stored(id)? else {
            return Ok(None);
        };
        let head = rows::decode_head(stored.bytes())?;
        Ok(head.pending.map(|(by, _)| by))
    }

    /// Returns the newest event with which the content of purged entries went; 0 means none.
    pub(crate) fn newest_final_purge(&self) -> EventSeq {
        EventSeq(self.totals().newest_final_purge)
    }

    /// Returns a report that waits to be submitted.
    pub(in crate::index) fn queued(
        &self,
        converter: &str,
        place: QueuePlace,
    ) -> Result<Option<QueuedRow>, IndexError> {
        if let Some(queued) = self.layered(|layer| layer.submissions.get(&place)) {
            return Ok(queued.row);
        }
        let key = (converter, place.queued.0, place.report);
        let stored = self.reader.submissions.get(key)?;
        stored.map(|row| rows::decode(row.value())).transpose()
    }
}
