//! Folds one event into an overlay.

use super::state::{Change, Fold};
use crate::event::{
    Archived, Body, ConfigChanged, Converted, ConverterEnvironment, ConverterRegistered, Event,
    EvidenceList, JobStarted, Reported, SourceCleared, SubmitIntended, SubmitRejected,
};
use crate::id::{EntryId, EventSeq, JobId};
use crate::index::error::IndexError;
use crate::index::overlay::{Overlay, QueuePlace, Queued, key_digest};
use crate::index::rows::{
    self, ConverterRow, CorrectedRow, EntryRow, JobRow, PromotionsRow, QueuedRow, SubmissionRow,
};
use crate::index::tables::{ENTRY_ID_MAX, evidence_key};
use crate::index::view::View;
use crate::time::Timestamp;

/// Returns true for an event after which purge plans from before it are refused.
const fn makes_plans_stale(body: &Body) -> bool {
    matches!(
        body,
        Body::HoldPlaced(_)
            | Body::HoldReleased(_)
            | Body::RetentionLocked(_)
            | Body::RetentionUnlocked(_)
            | Body::PurgedEntries(_)
            | Body::PurgeUndone(_)
    )
}

impl Overlay {
    /// Folds `event` into this overlay. `below` is the state that the overlay lies on: the state it
    /// was made from, or that state after a checkpoint. An event that is already included changes
    /// nothing.
    ///
    /// After an error the overlay must be discarded: it may hold part of the event.
    pub(crate) fn apply(&mut self, event: &Event, below: &View) -> Result<(), IndexError> {
        if event.seq <= self.applied {
            return Ok(());
        }
        if event.seq.0 > ENTRY_ID_MAX {
            return Err(IndexError::TooManyEvents(event.seq));
        }
        self.totals.follow_clock(event);
        if makes_plans_stale(&event.body) {
            self.totals.plans_stale_since = event.seq.0;
        }
        let mut fold = Fold { top: self, below };
        let stripped = fold.without_values_of_purged(event)?;
        let event = stripped.as_ref().unwrap_or(event);
        match &event.body {
            Body::Archived(body) => fold.archived(event.seq.into(), event.time, body)?,
            Body::Converted(body) => fold.converted(event, body)?,
            Body::SubmitIntended(body) => fold.intended(event, body)?,
            Body::SubmitRejected(body) => fold.rejected(event.time, body)?,
            Body::Reported(body) => fold.reported(event.time, body)?,
            Body::SourceCleared(body) => fold.cleared(event.seq, body)?,
            Body::Annotated(body) => fold.annotated(event, body)?,
            Body::PurgedEntries(body) => fold.purged(event, body)?,
            Body::ConverterRegistered(body) => fold.registered(body)?,
            Body::ConverterEnvironment(body) => fold.runs_on(event, body)?,
            Body::ConverterPromoted(_) | Body::ConverterWaived(_) | Body::WaiverRevoked(_) => {
                fold.promotions(event)?;
            }
            Body::ConfigChanged(body) => fold.configured(body),
            Body::ViewSaved(body) => fold.view_saved(event, body),
            Body::ViewDropped(body) => fold.view_dropped(&body.name),
            Body::RetentionLocked(body) => fold.locked(event, body),
            Body::RetentionUnlocked(body) => fold.unlocked(body),
            Body::PurgeUndone(body) => fold.undone(body)?,
            Body::PurgeFinalized(body) => fold.finalized(event.seq, body)?,
            Body::HoldPlaced(body) => fold.held(event, body)?,
            Body::HoldReleased(body) => fold.released(&body.name),
            Body::HoldReviewed(body) => fold.reviewed(body),
            Body::JobStarted(body) => fold.job_started(event.seq, body),
            Body::JobSelected(body) => {
                fold.change_job(body.job, |row| row.selection_events.push(event.seq))?;
            }
            Body::JobStopped(body) => {
                fold.change_job(body.job, |row| row.stopped = Some(body.how))?;
            }
            Body::JobResumed(body) => fold.change_job(body.job, |row| {
                (row.stopped, row.finished) = (None, None);
            })?,
            Body::JobFinished(body) => {
                fold.change_job(body.job, |row| row.finished = Some(body.clone()))?;
            }
            // The folder of packs decides which packs exist, not the log. But the number of a
            // compacted pack must never be used again.
            Body::Compacted(body) => {
                let highest = body
                    .removed
                    .iter()
                    .chain(&body.written)
                    .map(|pack| pack.0)
                    .max();
                let totals = &mut self.totals;
                totals.highest_pack = totals.highest_pack.max(highest.unwrap_or(0));
            }
            Body::Repaired(body) => {
                fold.declared(event.seq, &body.events)?;
                let losses = &mut self.small_mut().losses;
                losses.extend(body.contents.iter().map(|id| (*id, event.seq)));
            }
            Body::KeyCreated(_) | Body::KeyRotated(_) | Body::KeyLost(_) => {
                self.totals.newest_key = event.seq.0;
            }
            Body::CheckpointCadence(_) => self.totals.newest_cadence = event.seq.0,
            Body::CheckpointSigned(_) => self.totals.newest_checkpoint = event.seq.0,
            Body::Reviewed(_) => self.totals.newest_review = event.seq.0,
            Body::PrivacyDeclared(body) => fold.declared_personal(event.seq, body),
            Body::ActorNamed(body) => fold.named(event, body)?,
            Body::Erased(body) => fold.erased(event.seq, body)?,
            Body::StoreCreated(_)
            | Body::StoreOpened(_)
            | Body::StoreContinued(_)
            | Body::Recovered(_)
            | Body::Lost(_)
            | Body::PurgePlanned(_)
            | Body::CheckpointTimestamped(_)
            | Body::PurgeRefused(_)
            | Body::Exported(_)
            | Body::Verified(_)
            | Body::Accessed(_)
            | Body::ClockStepped(_)
            | Body::Unknown(_) => {}
        }
        let mut fold = Fold { top: self, below };
        fold.sealed(event)?;
        fold.match_holds(event)?;
        self.list_evidence(event);
        self.applied = event.seq;
        Ok(())
    }

    /// Adds an event about evidence to its list.
    fn list_evidence(&mut self, event: &Event) {
        if let Some(list) = EvidenceList::of(&event.body) {
            self.put_evidence(evidence_key(list, event.seq));
        }
    }

    /// Skips an event whose leaf cannot be read: only the number of the last folded event advances.
    pub(crate) fn pass_over(&mut self, seq: EventSeq) -> Result<(), IndexError> {
        if seq <= self.applied {
            return Ok(());
        }
        if seq.0 > ENTRY_ID_MAX {
            return Err(IndexError::TooManyEvents(seq));
        }
        self.small_mut().unreadable.insert(seq, None);
        self.applied = seq;
        Ok(())
    }
}

impl Fold<'_> {
    /// Records that the repair `by` declares the events in `ranges` unreadable.
    fn declared(
        &mut self,
        by: EventSeq,
        ranges: &[(EventSeq, EventSeq)],
    ) -> Result<(), IndexError> {
        if ranges.is_empty() {
            return Ok(());
        }
        let mut known = self.below.unreadable()?;
        known.extend(&self.top.small.unreadable);
        let is_named = |seq: EventSeq| {
            let within = |(first, last): &(EventSeq, EventSeq)| (*first..=*last).contains(&seq);
            ranges.iter().any(within)
        };
        let open = known.into_iter().filter(|(_, told)| told.is_none());
        let named = open.filter(|(seq, _)| is_named(*seq));
        let named: Vec<_> = named.map(|(seq, _)| (seq, Some(by))).collect();
        self.top.small_mut().unreadable.extend(named);
        Ok(())
    }

    fn archived(
        &mut self,
        id: EntryId,
        time: Timestamp,
        event: &Archived,
    ) -> Result<(), IndexError> {
        let row = EntryRow::archived(time, event);
        self.count(&row, Change::More)?;
        self.top.put_entry(id, &row);
        self.top.totals.newest_entry = id.0;
        if !event.facts_only {
            self.change_named(&event.blob, Change::More)?;
        }
        if let Some(key) = &event.key {
            let digest = key_digest(key);
            let replaces = match self.key_of(&digest)? {
                None => true,
                // Content that is stored later takes the place of facts alone.
                Some(known) => !event.facts_only && self.has_facts_only(known)?,
            };
            if replaces {
                self.top.put_key(digest, id);
            }
        }
        Ok(())
    }

    fn has_facts_only(&self, id: EntryId) -> Result<bool, IndexError> {
        let Some(stored) = self.entry(id)? else {
            return Ok(false);
        };
        Ok(rows::decode::<EntryRow<'_>>(&stored)?.facts_only)
    }

    fn converted(
        &mut self,
        Event { seq, time, .. }: &Event,
        event: &Converted,
    ) -> Result<(), IndexError> {
        let Some(stored) = self.entry(event.entry)? else {
            return Ok(());
        };
        let mut row: EntryRow<'_> = rows::decode(&stored)?;
        let newest = row.attempts.last().map(|attempt| attempt.attempt);
        if event.attempt.0 == 0 || newest.is_some_and(|newest| event.attempt <= newest) {
            return Ok(());
        }
        let counted = row.head.status;
        let unit = (!event.unit.is_empty()).then(|| row.merged_unit(&event.unit));
        if counted != event.outcome.into() {
            self.count(&row, Change::Less)?;
        }
        if let Some(unit) = &unit {
            row.set_unit(unit);
        }
        row.add_attempt(*seq, *time, event);
        if counted != row.head.status {
            self.count(&row, Change::More)?;
        }
        let (purged, gone) = (row.head.purged_at.is_some(), row.head.is_gone());
        self.top.put_entry(event.entry, &row);
        // A purge removes what an entry's attempts made. A report made after the purge would never
        // be removed.
        if !gone {
            for report in &event.reports {
                self.change_named(report, Change::More)?;
            }
        }
        if event.submit.is_some() && !purged {
            for report in (0..).take(event.reports.len()) {
                let place = QueuePlace {
                    queued: *seq,
                    report,
                };
                let row = QueuedRow {
                    entry: event.entry,
                    attempt: event.attempt,
                    since: *time,
                    rejections: 0,
                    intended: false,
                    corrects: None,
                };
                self.enqueue(&event.converter, place, row)?;
            }
        }
        Ok(())
    }

    /// Marks a waiting report as possibly sent, and queues a report that does not wait. Reports
    /// that were submitted or purged stay as they are.
    fn intended(&mut self, event: &Event, body: &SubmitIntended) -> Result<(), IndexError> {
        let Some(stored) = self.entry(body.entry)? else {
            return Ok(());
        };
        let mut row: EntryRow<'_> = rows::decode(&stored)?;
        if row.reports_are_gone(body.attempt) {
            return Ok(());
        }
        let Some((converter, report)) = row.report_mut(body.attempt, body.report) else {
            return Ok(());
        };
        let mut queued = QueuedRow {
            entry: body.entry,
            attempt: body.attempt,
            since: event.time,
            rejections: report.rejections,
            intended: true,
            corrects: body.corrects.as_ref().map(CorrectedRow::from),
        };
        let place = match report.submission {
            Some(SubmissionRow::Waiting {
                queued: seq, since, ..
            }) => {
                queued.since = since;
                let place = QueuePlace {
                    queued: seq,
                    report: body.report,
                };
                self.put_queued(converter, place, Some(queued));
                return Ok(());
            }
            None if report.report_id.is_some() => return Ok(()),
            None | Some(SubmissionRow::Rejected { .. }) => QueuePlace {
                queued: event.seq,
                report: body.report,
            },
        };
        report.submission = Some(SubmissionRow::Waiting {
            queued: event.seq,
            since: event.time,
            endpoint: &body.endpoint,
        });
        self.enqueue(converter, place, queued)?;
        self.top.put_entry(body.entry, &row);
        Ok(())
    }

    fn rejected(&mut self, time: Timestamp, body: &SubmitRejected) -> Result<(), IndexError> {
        let Some(stored) = self.entry(body.entry)? else {
            return Ok(());
        };
        let mut row: EntryRow<'_> = rows::decode(&stored)?;
        let Some((converter, report)) = row.report_mut(body.attempt, body.report) else {
            return Ok(());
        };
        let Some(queued) = report.queued() else {
            return Ok(());
        };
        report.reject(time, body);
        let place = QueuePlace {
            queued,
            report: body.report,
        };
        // A purge took it from the queue, though it can be undone.
        if row.head.purged_at.is_none() {
            self.dequeue(converter, place)?;
        }
        self.top.put_entry(body.entry, &row);
        Ok(())
    }

    pub(super) fn enqueue(
        &mut self,
        converter: &str,
        place: QueuePlace,
        row: QueuedRow,
    ) -> Result<(), IndexError> {
        self.count_waiting(Change::More)?;
        self.put_queued(converter, place, Some(row));
        Ok(())
    }

    pub(super) fn dequeue(&mut self, converter: &str, place: QueuePlace) -> Result<(), IndexError> {
        self.count_waiting(Change::Less)?;
        self.put_queued(converter, place, None);
        Ok(())
    }

    fn count_waiting(&mut self, change: Change) -> Result<(), IndexError> {
        let waiting = &mut self.top.totals.waiting;
        *waiting = change
            .by_one(*waiting)
            .ok_or(IndexError::Damaged("the length of the queues"))?;
        Ok(())
    }

    fn put_queued(&mut self, converter: &str, place: QueuePlace, row: Option<QueuedRow>) {
        let converter = converter.into();
        self.top.put_submission(place, Queued { converter, row });
    }

    fn reported(&mut self, time: Timestamp, event: &Reported) -> Result<(), IndexError> {
        let Some(stored) = self.entry(event.entry)? else {
            return Ok(());
        };
        let mut row: EntryRow<'_> = rows::decode(&stored)?;
        let is_purged = row.head.purged_at.is_some();
        let known = row.report_mut(event.attempt, event.report);
        let known = known.filter(|_| !is_purged);
        let waited = known.and_then(|(converter, report)| Some((converter, report.queued()?)));
        if let Some((converter, queued)) = waited {
            let place = QueuePlace {
                queued,
                report: event.report,
            };
            self.dequeue(converter, place)?;
        }
        if row.submit(time, event.attempt, event.report, &event.report_id) {
            self.top.put_entry(event.entry, &row);
        }
        Ok(())
    }

    /// Notes which event says what became of a source file. The words are read from that event.
    fn cleared(&mut self, seq: EventSeq, event: &SourceCleared) -> Result<(), IndexError> {
        if let Some(stored) = self.entry(event.entry)? {
            let mut row: EntryRow<'_> = rows::decode(&stored)?;
            row.cleared = Some(seq);
            self.top.put_entry(event.entry, &row);
        }
        Ok(())
    }

    fn registered(&mut self, event: &ConverterRegistered) -> Result<(), IndexError> {
        let id = event.converter_id;
        let known =
            self.top.small.converters.contains_key(&id) || self.below.converter(&id)?.is_some();
        if !known {
            for file in &event.bundle {
                self.change_named(&file.blob, Change::More)?;
            }
            let row = ConverterRow::from(event);
            self.top.small_mut().converters.insert(id, row);
        }
        let names = &mut self.top.small_mut().converter_names;
        names.insert(event.name.clone(), id);
        Ok(())
    }

    /// Notes what a known converter runs on from now on.
    fn runs_on(&mut self, event: &Event, body: &ConverterEnvironment) -> Result<(), IndexError> {
        let id = body.converter_id;
        let row = match self.top.small.converters.get(&id) {
            Some(row) => Some(row.clone()),
            None => self.below.converter_row(&id)?,
        };
        if let Some(mut row) = row {
            row.environments.push((event.time, body.runs_on.clone()));
            self.top.small_mut().converters.insert(id, row);
        }
        Ok(())
    }

    /// Folds an event about the promotions of a converter.
    fn promotions(&mut self, event: &Event) -> Result<(), IndexError> {
        match &event.body {
            Body::ConverterPromoted(body) => self.change_promotions(&body.converter, |row| {
                row.promoted.push((event.seq, body.converter_id));
            }),
            Body::ConverterWaived(body) => self.change_promotions(&body.converter, |row| {
                row.waivers.push((event.seq, None));
            }),
            Body::WaiverRevoked(body) => self.change_promotions(&body.converter, |row| {
                for (waiver, revoked) in &mut row.waivers {
                    if *waiver == body.waiver {
                        revoked.get_or_insert(event.seq);
                    }
                }
            }),
            _ => Ok(()),
        }
    }

    fn change_promotions(
        &mut self,
        converter: &str,
        change: impl FnOnce(&mut PromotionsRow),
    ) -> Result<(), IndexError> {
        let mut row = match self.top.small.promotions.get(converter) {
            Some(row) => row.clone(),
            None => self.below.promotions_of(converter)?,
        };
        change(&mut row);
        let promotions = &mut self.top.small_mut().promotions;
        promotions.insert(converter.to_owned(), row);
        Ok(())
    }

    fn configured(&mut self, event: &ConfigChanged) {
        let config = &mut self.top.small_mut().config;
        config.insert(event.what.clone(), event.new.clone());
    }

    fn job_started(&mut self, seq: EventSeq, event: &JobStarted) {
        let jobs = &mut self.top.small_mut().jobs;
        jobs.insert(JobId(seq.0), JobRow::from(event));
    }

    /// Changes the row of a job, if there is one.
    fn change_job(
        &mut self,
        id: JobId,
        change: impl FnOnce(&mut JobRow),
    ) -> Result<(), IndexError> {
        let row = match self.top.small.jobs.get(&id) {
            Some(row) => Some(row.clone()),
            None => self.below.job_row(id)?,
        };
        if let Some(mut row) = row {
            change(&mut row);
            self.top.small_mut().jobs.insert(id, row);
        }
        Ok(())
    }
}
