//! What is left of an entry: which of its contents are there, and which holds keep them.

use super::entry::EntryRow;
use super::gone::{GonePart, GoneRow};
use super::registry::HoldRow;
use super::since::Since;
use crate::entry::{Part, PurgedPart};
use crate::id::{AttemptNo, EntryId};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

impl<'a> EntryRow<'a> {
    /// Returns the parts that went, in their order.
    pub(super) fn purged_parts(&self) -> Vec<PurgedPart> {
        let archived = self.head.archived_at;
        let part =
            |gone: &GoneRow<'_>| PurgedPart::new(gone.part.part(), gone.at.at(archived), gone.by);
        self.gone.iter().map(part).collect()
    }

    /// Returns whether the source is not there: it never was, or a purge took it.
    pub(in crate::index) fn source_is_gone(&self) -> bool {
        self.head.purged_at.is_some() || self.source_went_before()
    }

    /// Returns whether the source was not there before the entry itself was purged.
    pub(in crate::index) fn source_went_before(&self) -> bool {
        self.facts_only || self.gone.iter().any(|gone| gone.part == GonePart::Source)
    }

    /// Returns the newest attempt whose reports a purge of a part took; 0 when none did.
    fn reports_gone_through(&self) -> AttemptNo {
        let gone = self.gone.iter().filter_map(|gone| gone.part.through());
        gone.max().unwrap_or(AttemptNo(0))
    }

    /// Returns whether a purge took the reports of an attempt.
    pub(in crate::index) fn reports_are_gone(&self, attempt: AttemptNo) -> bool {
        self.head.purged_at.is_some() || attempt <= self.reports_gone_through()
    }

    /// Returns the attempts whose reports a purge of `part` takes.
    pub(in crate::index) fn attempts_going(&self, part: Part) -> std::ops::Range<usize> {
        let gone = self.reports_gone_through();
        let through = match part {
            Part::Entry => AttemptNo(u32::MAX),
            Part::Source => return 0..0,
            Part::Reports { through } | Part::Superseded { through } => through,
        };
        let first = self.attempts.partition_point(|row| row.attempt <= gone);
        let end = self.attempts.partition_point(|row| row.attempt <= through);
        first..end.max(first)
    }

    /// Records that a purge took `part` and that the rest stays. Returns false when the part is the
    /// whole entry.
    pub(in crate::index) fn part_gone(&mut self, part: Part, at: Timestamp, by: &'a str) -> bool {
        let newest = self.attempts.last().map_or(AttemptNo(0), |row| row.attempt);
        let part = match part {
            Part::Entry => return false,
            Part::Source => GonePart::Source,
            Part::Reports { through } => GonePart::Reports(through.min(newest)),
            Part::Superseded { through } => GonePart::Superseded(through.min(newest)),
        };
        let at = Since::new(at, self.head.archived_at);
        self.gone.push(GoneRow { part, at, by });
        true
    }

    /// Forgets that reports wait to be submitted.
    pub(in crate::index) fn forget_waiting(&mut self) {
        let reports = self
            .attempts
            .iter_mut()
            .flat_map(|attempt| &mut attempt.reports);
        for report in reports.filter(|report| report.queued().is_some()) {
            report.submission = None;
        }
    }

    /// Returns the names of the holds on the entry.
    pub(in crate::index) fn names_on(
        &self,
        holds: &BTreeMap<String, Arc<HoldRow>>,
        id: EntryId,
    ) -> Vec<String> {
        let on = holds
            .iter()
            .filter(|(_, hold)| hold.covers(id, &self.matched_holds));
        on.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the bytes of the source and of all reports, except for parts that are gone.
    pub(in crate::index) fn content_bytes(&self) -> u64 {
        let source = if self.source_went_before() {
            0
        } else {
            self.head.size
        };
        let left = &self.attempts[self.attempts_going(Part::Entry)];
        let reports = left.iter().flat_map(|attempt| &attempt.reports);
        reports.fold(source, |sum, report| sum.saturating_add(report.size))
    }
}
