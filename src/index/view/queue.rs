//! The reports of a view that wait to be submitted.

use super::layers::View;
use crate::id::{AttemptNo, EntryId, EventSeq};
use crate::index::error::IndexError;
use crate::index::overlay::QueuePlace;
use crate::index::rows::{self, EntryRow, QueuedRow};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

impl View {
    /// Returns how many reports wait to be submitted.
    pub(crate) fn waiting(&self) -> u64 {
        self.totals().waiting
    }

    /// Returns the first `limit` waiting reports of a converter after the position `after`.
    pub(crate) fn queue(
        &self,
        converter: &str,
        after: Option<QueuePlace>,
        limit: usize,
    ) -> Result<Vec<(QueuePlace, QueuedRow)>, IndexError> {
        let mut changed = BTreeMap::new();
        for layer in self.layers.iter().rev() {
            let ours = layer.submissions.iter();
            let ours = ours.filter(|(_, queued)| &*queued.converter == converter);
            changed.extend(ours.map(|(place, queued)| (*place, queued.row.clone())));
        }
        let first = match after {
            Some(place) => (
                Bound::Excluded(place),
                (converter, place.queued.0, place.report),
            ),
            None => (Bound::Unbounded, (converter, 0, 0)),
        };
        let mut found = BTreeMap::new();
        for stored in self
            .reader
            .submissions
            .range(first.1..=(converter, u64::MAX, u32::MAX))?
        {
            if found.len() >= limit {
                break;
            }
            let (key, row) = stored?;
            let (_, queued, report) = key.value();
            let place = QueuePlace {
                queued: EventSeq(queued),
                report,
            };
            if Some(place) != after && !changed.contains_key(&place) {
                found.insert(place, rows::decode(row.value())?);
            }
        }
        let newer = changed.range((first.0, Bound::Unbounded));
        found.extend(newer.filter_map(|(place, row)| Some((*place, row.clone()?))));
        Ok(found.into_iter().take(limit).collect())
    }

    /// Returns how many times a server refused a report.
    pub(crate) fn rejections(
        &self,
        id: EntryId,
        attempt: AttemptNo,
        report: u32,
    ) -> Result<u32, IndexError> {
        let Some(stored) = self.stored(id)? else {
            return Ok(0);
        };
        let mut row: EntryRow<'_> = rows::decode(stored.bytes())?;
        let report = row.report_mut(attempt, report);
        Ok(report.map_or(0, |(_, report)| report.rejections))
    }

    /// Returns the converters that have reports in the queue.
    pub(crate) fn queues(&self) -> Result<BTreeSet<String>, IndexError> {
        let mut names = BTreeSet::new();
        let mut from = String::new();
        while let Some(stored) = self.reader.submissions.range((&*from, 0, 0)..)?.next() {
            let (key, _) = stored?;
            let (name, _, _) = key.value();
            // The smallest name after this one.
            let next = format!("{name}\0");
            names.insert(name.to_owned());
            from = next;
        }
        for layer in &self.layers {
            names.extend(
                layer
                    .submissions
                    .iter()
                    .map(|(_, queued)| queued.converter.to_string()),
            );
        }
        let mut waiting = BTreeSet::new();
        for name in names {
            if !self.queue(&name, None, 1)?.is_empty() {
                waiting.insert(name);
            }
        }
        Ok(waiting)
    }
}
