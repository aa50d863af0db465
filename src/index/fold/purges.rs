//! Folds purges: those that are final at once, and those that can be undone for a while.
//!
//! While a purge can be undone, its entries count as purged and cannot be read, but everything that
//! they need stays needed. No clock is asked: that a purge is final is an event.

use super::state::{Change, Fold};
use crate::entry::Part;
use crate::event::{EntryRanges, Event, PurgeFinalized, PurgeUndone, PurgedEntries};
use crate::id::{BlobId, EntryId, EventSeq};
use crate::index::error::IndexError;
use crate::index::overlay::QueuePlace;
use crate::index::rows::{self, EntryRow, IntendedRow, PendingPurgeRow, QueuedRow, SubmissionRow};
use crate::time::Timestamp;
use std::ops::Range;
use std::sync::Arc;

impl Fold<'_> {
    pub(super) fn purged(&mut self, event: &Event, body: &PurgedEntries) -> Result<(), IndexError> {
        let part = body.what();
        // A part of an entry that stays goes at once.
        let final_at = body.final_at.filter(|_| part == Part::Entry);
        let pending = final_at.map(|at| (event.seq, at));
        let (mut entries, mut intended) = (0, Vec::new());
        for id in self.possible(&body.entries)? {
            let Some(stored) = self.entry(id)? else {
                continue;
            };
            let mut row: EntryRow<'_> = rows::decode(&stored)?;
            if row.head.purged_at.is_some() {
                continue;
            }
            if part != Part::Entry {
                self.purge_part(id, row, part, event, &body.rule)?;
                continue;
            }
            self.count(&row, Change::Less)?;
            row.head.purged_at = Some(event.time);
            row.head.pending = pending;
            row.purged_by = Some(&body.rule);
            self.count(&row, Change::More)?;
            let whole = 0..row.attempts.len();
            intended.extend(self.leave_queue(&mut row, whole)?);
            self.top.put_entry(id, &row);
            if pending.is_none() {
                self.let_content_go(id, event.seq, &row)?;
            }
            entries += 1;
        }
        match final_at {
            None => self.top.totals.newest_final_purge = event.seq.0,
            Some(final_at) if entries > 0 => {
                self.join_pending(event, body, final_at, entries, intended);
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Takes a part of an entry that stays.
    fn purge_part<'a>(
        &mut self,
        id: EntryId,
        mut row: EntryRow<'a>,
        part: Part,
        event: &Event,
        rule: &'a str,
    ) -> Result<(), IndexError> {
        let takes_source = part == Part::Source && !row.source_is_gone();
        let going = row.attempts_going(part);
        if !takes_source && going.is_empty() {
            return Ok(());
        }
        let mut contents = Vec::new();
        if takes_source {
            contents.push(BlobId::from_bytes(*row.blake3.0));
        }
        let reports = row.attempts[going.clone()]
            .iter()
            .flat_map(|attempt| &attempt.reports);
        contents.extend(reports.map(|report| BlobId::from_bytes(*report.blake3.0)));
        self.leave_queue(&mut row, going)?;
        row.part_gone(part, event.time, rule);
        self.top.put_entry(id, &row);
        for content in contents {
            self.change_blob(content, None, Change::Less)?;
        }
        Ok(())
    }

    /// Counts entries whose purge can be undone.
    fn join_pending(
        &mut self,
        event: &Event,
        body: &PurgedEntries,
        final_at: Timestamp,
        entries: u64,
        intended: Vec<IntendedRow>,
    ) {
        let mut row = match self.pending_purge(&body.plan_id) {
            Some(row) => PendingPurgeRow::clone(&row),
            None => PendingPurgeRow {
                events: Vec::new(),
                purged_at: event.time,
                final_at,
                reason: body.reason.clone(),
                entries: 0,
                intended: Vec::new(),
            },
        };
        row.events.push(event.seq);
        row.entries = row.entries.saturating_add(entries);
        row.intended.extend(intended);
        self.put_pending(&body.plan_id, Some(row));
        let all = &mut self.top.totals.pending_entries;
        *all = all.saturating_add(entries);
    }

    /// Brings entries back whose purge by this plan is not final.
    pub(super) fn undone(&mut self, body: &PurgeUndone) -> Result<(), IndexError> {
        let Some(pending) = self.pending_purge(&body.plan_id) else {
            return Ok(());
        };
        let mut entries = 0;
        for id in self.pending_of(&pending, &body.entries)? {
            let Some(stored) = self.entry(id)? else {
                continue;
            };
            let mut row: EntryRow<'_> = rows::decode(&stored)?;
            self.count(&row, Change::Less)?;
            row.head.purged_at = None;
            row.head.pending = None;
            row.purged_by = None;
            self.count(&row, Change::More)?;
            self.join_queue(id, &row, &pending)?;
            self.top.put_entry(id, &row);
            // It may have come to match a hold meanwhile.
            self.match_holds_of(id)?;
            entries += 1;
        }
        self.leave_pending(&body.plan_id, &pending, entries)
    }

    /// Lets the content of entries go whose purge by this plan could have been undone.
    pub(super) fn finalized(
        &mut self,
        seq: EventSeq,
        body: &PurgeFinalized,
    ) -> Result<(), IndexError> {
        let Some(pending) = self.pending_purge(&body.plan_id) else {
            return Ok(());
        };
        let mut entries = 0;
        for id in self.pending_of(&pending, &body.entries)? {
            let Some(stored) = self.entry(id)? else {
                continue;
            };
            let mut row: EntryRow<'_> = rows::decode(&stored)?;
            row.head.pending = None;
            row.forget_waiting();
            self.top.put_entry(id, &row);
            self.let_content_go(id, seq, &row)?;
            entries += 1;
        }
        self.top.totals.newest_final_purge = seq.0;
        self.leave_pending(&body.plan_id, &pending, entries)
    }

    /// Counts that an entry needs its content no more, and forgets its personal values.
    fn let_content_go(
        &mut self,
        id: EntryId,
        seq: EventSeq,
        row: &EntryRow<'_>,
    ) -> Result<(), IndexError> {
        if !row.source_went_before() {
            self.change_blob(BlobId::from_bytes(*row.blake3.0), None, Change::Less)?;
        }
        let left = &row.attempts[row.attempts_going(Part::Entry)];
        for report in left.iter().flat_map(|attempt| &attempt.reports) {
            self.change_blob(BlobId::from_bytes(*report.blake3.0), None, Change::Less)?;
        }
        self.forget_purged(id, seq)
    }

    /// Takes reports of some attempts out of the queue. While the purge can be undone, the entry
    /// remembers which of them waited; those that may have been sent are returned.
    fn leave_queue(
        &mut self,
        row: &mut EntryRow<'_>,
        attempts: Range<usize>,
    ) -> Result<Vec<IntendedRow>, IndexError> {
        let mut intended = Vec::new();
        let is_pending = row.head.pending.is_some();
        for attempt in &mut row.attempts[attempts] {
            let converter = attempt.converter(&row.head);
            for (number, report) in (0..).zip(&mut attempt.reports) {
                let Some(queued) = report.queued() else {
                    continue;
                };
                let place = QueuePlace {
                    queued,
                    report: number,
                };
                if let Some(row) = self.queued(converter, place)?
                    && row.intended
                {
                    intended.push(IntendedRow {
                        queued,
                        report: number,
                        corrects: row.corrects,
                    });
                }
                self.dequeue(converter, place)?;
                if !is_pending {
                    report.submission = None;
                }
            }
        }
        Ok(intended)
    }

    /// Puts the reports of an entry that is back into the queue again.
    fn join_queue(
        &mut self,
        id: EntryId,
        row: &EntryRow<'_>,
        pending: &PendingPurgeRow,
    ) -> Result<(), IndexError> {
        for attempt in &row.attempts {
            let converter = attempt.converter(&row.head);
            for (number, report) in (0..).zip(&attempt.reports) {
                let Some(SubmissionRow::Waiting { queued, since, .. }) = report.submission else {
                    continue;
                };
                let place = QueuePlace {
                    queued,
                    report: number,
                };
                let mut intended = pending.intended.iter();
                let intended = intended.find(|row| row.queued == queued && row.report == number);
                let row = QueuedRow {
                    entry: id,
                    attempt: attempt.attempt,
                    since,
                    rejections: report.rejections,
                    intended: intended.is_some(),
                    corrects: intended.and_then(|row| row.corrects.clone()),
                };
                self.enqueue(converter, place, row)?;
            }
        }
        Ok(())
    }

    /// Returns the entries in `ranges` that this purge took and that are neither back nor gone for
    /// good.
    fn pending_of(
        &self,
        purge: &PendingPurgeRow,
        ranges: &EntryRanges,
    ) -> Result<Vec<EntryId>, IndexError> {
        let mut ids = self.possible(ranges)?;
        let mut failed = Ok(());
        ids.retain(|id| {
            let is_of = || -> Result<bool, IndexError> {
                let Some(stored) = self.entry(*id)? else {
                    return Ok(false);
                };
                let pending = rows::decode_head(&stored)?.pending;
                Ok(pending.is_some_and(|(by, _)| purge.events.contains(&by)))
            };
            is_of().unwrap_or_else(|error| {
                failed = Err(error);
                false
            })
        });
        failed.map(|()| ids)
    }

    /// Counts entries that no longer wait for their purge to be final.
    fn leave_pending(
        &mut self,
        plan: &str,
        pending: &PendingPurgeRow,
        entries: u64,
    ) -> Result<(), IndexError> {
        let less = || IndexError::Damaged("a count of purges that can be undone");
        let left = pending.entries.checked_sub(entries).ok_or_else(less)?;
        let all = &mut self.top.totals.pending_entries;
        *all = all.checked_sub(entries).ok_or_else(less)?;
        let row = PendingPurgeRow {
            entries: left,
            ..pending.clone()
        };
        self.put_pending(plan, Some(row).filter(|row| row.entries > 0));
        Ok(())
    }

    fn pending_purge(&self, plan: &str) -> Option<Arc<PendingPurgeRow>> {
        match self.top.small.pending_purges.get(plan) {
            Some(row) => row.clone(),
            None => self.below.pending_purge(plan),
        }
    }

    fn put_pending(&mut self, plan: &str, row: Option<PendingPurgeRow>) {
        let pending = &mut self.top.small_mut().pending_purges;
        pending.insert(plan.to_owned(), row.map(Arc::new));
    }
}
