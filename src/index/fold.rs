//! The fold: one event at a time into an overlay. No clock, no randomness, no file but the state below.
//!
//! An event that names what does not exist changes nothing but the place in the log: what an old program wrote must
//! never stop a new one.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::IndexError;
use super::overlay::{CounterKey, Overlay, QueuePlace, Queued, key_digest};
use super::rows::{
    self, BlobRow, ConverterRow, EntryRow, HoldRow, JobRow, PackState, Place, QueuedRow,
    SubmissionRow,
};
use super::tables::ENTRY_ID_MAX;
use super::view::View;
use crate::entry::Status;
use crate::event::{
    Archived, BlobRef, Body, ConfigChanged, Converted, ConverterRegistered, EntryRanges, Event,
    HoldPlaced, JobFinished, PurgedEntries, Reported, SubmitIntended, SubmitRejected,
};
use crate::id::{BlobId, EntryId, EventSeq, JobId, PackId};
use crate::time::Timestamp;

/// Where a blob was written. Physical facts come from the packs, not from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The blob.
    pub(crate) id: BlobId,
    /// Bytes of its plaintext.
    pub(crate) size: u64,
    /// Where it lies.
    pub(crate) place: Place,
    /// The blobs it is cut into, in order; empty for a whole one.
    pub(crate) children: Vec<BlobId>,
}

/// A sealed pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackRow {
    /// The pack.
    pub(crate) id: PackId,
    /// What kind of content it holds.
    pub(crate) class: String,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Blobs in it.
    pub(crate) blobs: u64,
    /// Bytes of its dictionaries, which serve all of them.
    pub(crate) dictionary_bytes: u64,
    /// Bytes of the blobs that are needed. Kept by the index; ignored when a pack is added.
    pub(crate) live_bytes: u64,
    /// Blobs that are needed. Kept by the index; ignored when a pack is added.
    pub(crate) live_blobs: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    More,
    Less,
}

impl Overlay {
    /// Folds `event` in. `below` is the state this overlay lies on: the one it was made from, or the same after a
    /// checkpoint. An event that was folded in already changes nothing.
    ///
    /// After an error the overlay is of no more use: part of the event may be in it.
    pub(crate) fn apply(&mut self, event: &Event, below: &View) -> Result<(), IndexError> {
        if event.seq <= self.applied {
            return Ok(());
        }
        if event.seq.0 > ENTRY_ID_MAX {
            return Err(IndexError::TooManyEvents(event.seq));
        }
        if let Body::HoldPlaced(_) | Body::HoldReleased(_) | Body::PurgedEntries(_) = &event.body {
            self.totals.plans_stale_since = event.seq.0;
        }
        let mut fold = Fold { top: self, below };
        match &event.body {
            Body::Archived(body) => fold.archived(event.seq.into(), event.time, body)?,
            Body::Converted(body) => fold.converted(event, body)?,
            Body::SubmitIntended(body) => fold.intended(event, body)?,
            Body::SubmitRejected(body) => fold.rejected(event.time, body)?,
            Body::Reported(body) => fold.reported(event.time, body)?,
            Body::PurgedEntries(body) => fold.purged(event, body)?,
            Body::ConverterRegistered(body) => fold.registered(body)?,
            Body::ConfigChanged(body) => fold.configured(body),
            Body::HoldPlaced(body) => fold.held(event, body),
            Body::HoldReleased(body) => {
                if fold.hold(&body.name).is_some() {
                    self.small_mut().holds.insert(body.name.clone(), None);
                }
            }
            Body::JobStarted(body) => {
                let id = JobId(event.seq.0);
                self.small_mut().jobs.insert(id, JobRow::from(body));
            }
            Body::JobFinished(body) => fold.finished(body)?,
            // Which packs there are is what the folder of packs says, not the log. But a number is never given twice.
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
            Body::StoreCreated(_)
            | Body::StoreOpened(_)
            | Body::StoreContinued(_)
            | Body::Recovered(_)
            | Body::Lost(_)
            | Body::PurgePlanned(_)
            | Body::Unknown(_) => {}
        }
        self.applied = event.seq;
        Ok(())
    }

    /// Passes over an event whose leaf cannot be read: it has its place in the log, and changes
    /// nothing else.
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

    /// Records where a blob lies. The order of placements and events makes no difference; a second placement moves
    /// the blob.
    pub(crate) fn place(&mut self, new: &Placement, below: &View) -> Result<(), IndexError> {
        Fold { top: self, below }.place(new)
    }

    /// Where a blob lies by now.
    pub(crate) fn place_of(
        &mut self,
        id: &BlobId,
        below: &View,
    ) -> Result<Option<Place>, IndexError> {
        let row = Fold { top: self, below }.blob(id)?;
        Ok(row.and_then(|row| row.place))
    }

    /// Records a sealed pack.
    pub(crate) fn add_pack(&mut self, pack: &PackRow, below: &View) -> Result<(), IndexError> {
        let mut fold = Fold { top: self, below };
        let mut state = fold.pack(pack.id)?;
        state.file = Some((
            pack.class.clone(),
            pack.bytes,
            pack.blobs,
            pack.dictionary_bytes,
        ));
        fold.put_pack(pack.id, state);
        Ok(())
    }

    /// Forgets a pack and that blobs lie in it; blobs that nothing needs any more are forgotten with it.
    ///
    /// `inside` are the blobs its footer lists. Without them the whole table of blobs is read.
    pub(crate) fn drop_pack(
        &mut self,
        pack: PackId,
        inside: Option<Vec<BlobId>>,
        below: &View,
    ) -> Result<(), IndexError> {
        let Some(inside) = inside else {
            return self.drop_packs(&BTreeSet::from([pack]), below);
        };
        let mut fold = Fold { top: self, below };
        for id in inside {
            let row = fold.blob(&id)?;
            let is_here = |row: &BlobRow| row.place.is_some_and(|place| place.pack == pack);
            if let Some(row) = row.filter(is_here) {
                fold.unplace(id, row)?;
            }
        }
        self.small_mut().packs.insert(pack, None);
        Ok(())
    }

    /// The same for packs whose footers cannot be read any more. Reads the whole table of blobs, once.
    pub(crate) fn drop_packs(
        &mut self,
        packs: &BTreeSet<PackId>,
        below: &View,
    ) -> Result<(), IndexError> {
        if packs.is_empty() {
            return Ok(());
        }
        // Through a view, so that blobs moved to another pack a moment ago are seen where they are now.
        let found = below.under(self.clone()).blobs_in_packs(packs)?;
        let mut fold = Fold { top: self, below };
        for id in found {
            if let Some(row) = fold.blob(&id)? {
                fold.unplace(id, row)?;
            }
        }
        let small = self.small_mut();
        small.packs.extend(packs.iter().map(|pack| (*pack, None)));
        Ok(())
    }
}

/// One step of the fold: the overlay that is written and the state that is only read.
struct Fold<'a> {
    top: &'a mut Overlay,
    below: &'a View,
}

impl Fold<'_> {
    /// Notes which repair says of events that they cannot be read.
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
        self.top.put_entry(id, rows::encode(&row));
        self.top.totals.newest_entry = id.0;
        self.change_named(&event.blob, Change::More)?;
        if let Some(key) = &event.key {
            let digest = key_digest(key);
            if self.top.keys.get(&digest).is_none() && self.below.key_of(&digest)?.is_none() {
                self.top.put_key(digest, id);
            }
        }
        Ok(())
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
        let unit = row.merged_unit(&event.unit);
        self.count(&row, Change::Less)?;
        row.set_unit(&unit);
        row.add_attempt(*seq, *time, event);
        self.count(&row, Change::More)?;
        let purged = row.head.purged_at.is_some();
        self.top.put_entry(event.entry, rows::encode(&row));
        // A purge takes what an entry's attempts made; what is made afterwards has nobody left to take it.
        if !purged {
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
                };
                self.enqueue(&event.converter, place, row);
            }
        }
        Ok(())
    }

    /// What waits already is marked, what does not is queued; what was submitted or purged stays as it is.
    fn intended(&mut self, event: &Event, body: &SubmitIntended) -> Result<(), IndexError> {
        let Some(stored) = self.entry(body.entry)? else {
            return Ok(());
        };
        let mut row: EntryRow<'_> = rows::decode(&stored)?;
        if row.head.purged_at.is_some() {
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
        self.enqueue(converter, place, queued);
        self.top.put_entry(body.entry, rows::encode(&row));
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
        self.dequeue(converter, place);
        self.top.put_entry(body.entry, rows::encode(&row));
        Ok(())
    }

    fn enqueue(&mut self, converter: &str, place: QueuePlace, row: QueuedRow) {
        let waiting = &mut self.top.totals.waiting;
        *waiting = waiting.saturating_add(1);
        self.put_queued(converter, place, Some(row));
    }

    fn dequeue(&mut self, converter: &str, place: QueuePlace) {
        let waiting = &mut self.top.totals.waiting;
        *waiting = waiting.saturating_sub(1);
        self.put_queued(converter, place, None);
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
        let known = row.report_mut(event.attempt, event.report);
        let waited = known.and_then(|(converter, report)| Some((converter, report.queued()?)));
        if let Some((converter, queued)) = waited {
            let place = QueuePlace {
                queued,
                report: event.report,
            };
            self.dequeue(converter, place);
        }
        if row.submit(time, event.attempt, event.report, &event.report_id) {
            self.top.put_entry(event.entry, rows::encode(&row));
        }
        Ok(())
    }

    fn purged(&mut self, event: &Event, body: &PurgedEntries) -> Result<(), IndexError> {
        for id in self.existing(&body.entries)? {
            let Some(stored) = self.entry(id)? else {
                continue;
            };
            let mut row: EntryRow<'_> = rows::decode(&stored)?;
            if row.head.purged_at.is_some() {
                continue;
            }
            self.count(&row, Change::Less)?;
            row.head.purged_at = Some(event.time);
            row.purged_by = Some(&body.rule);
            for attempt in &mut row.attempts {
                for (number, report) in (0..).zip(&mut attempt.reports) {
                    if let Some(queued) = report.queued() {
                        report.submission = None;
                        let place = QueuePlace {
                            queued,
                            report: number,
                        };
                        self.dequeue(attempt.converter, place);
                    }
                }
            }
            self.count(&row, Change::More)?;
            self.top.put_entry(id, rows::encode(&row));
            self.change_blob(BlobId::from_bytes(*row.blake3.0), None, Change::Less)?;
            for report in row.reports() {
                self.change_blob(BlobId::from_bytes(*report.blake3.0), None, Change::Less)?;
            }
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

    fn configured(&mut self, event: &ConfigChanged) {
        let config = &mut self.top.small_mut().config;
        config.insert(event.what.clone(), event.new.clone());
    }

    fn held(&mut self, event: &Event, body: &HoldPlaced) {
        let mut placements = match self.hold(&body.name) {
            Some(hold) => hold.placements.clone(),
            None => Vec::new(),
        };
        placements.push((event.seq, body.entries.clone()));
        let hold = HoldRow {
            reason: body.reason.clone(),
            placed_at: event.time,
            placements,
        };
        let holds = &mut self.top.small_mut().holds;
        holds.insert(body.name.clone(), Some(Arc::new(hold)));
    }

    fn finished(&mut self, event: &JobFinished) -> Result<(), IndexError> {
        let row = match self.top.small.jobs.get(&event.job) {
            Some(row) => Some(row.clone()),
            None => self.below.job_row(event.job)?,
        };
        if let Some(mut row) = row {
            row.finished = Some(event.clone());
            self.top.small_mut().jobs.insert(event.job, row);
        }
        Ok(())
    }

    /// The entries that exist among `ranges`, which may be absurdly wide.
    fn existing(&self, ranges: &EntryRanges) -> Result<Vec<EntryId>, IndexError> {
        let newest = self.top.totals.newest_entry;
        let mut ids = Vec::new();
        for (first, last) in ranges.ranges() {
            let last = EntryId(last.0.min(newest));
            if *first > last {
                continue;
            }
            let above = self.top.entries.range(*first..=last).map(|(id, _)| *id);
            let mut found = self.below.entry_ids(*first..=last)?;
            found.extend(above);
            found.sort_unstable();
            found.dedup();
            ids.append(&mut found);
        }
        Ok(ids)
    }

    fn entry(&self, id: EntryId) -> Result<Option<Arc<[u8]>>, IndexError> {
        match self.top.entries.get(&id) {
            Some(row) => Ok(Some(Arc::clone(row))),
            None => self.below.entry_row(id),
        }
    }

    fn hold(&self, name: &str) -> Option<Arc<HoldRow>> {
        match self.top.small.holds.get(name) {
            Some(hold) => hold.clone(),
            None => self.below.hold(name),
        }
    }

    fn count(&mut self, row: &EntryRow<'_>, change: Change) -> Result<(), IndexError> {
        let place = Status::ALL
            .iter()
            .position(|status| *status == row.head.status);
        let key = CounterKey {
            day: row.head.archived_at.day(),
            status: place
                .and_then(|at| u8::try_from(at).ok())
                .unwrap_or(u8::MAX),
            purged: row.head.purged_at.is_some(),
            converter: row.head.converter.to_owned(),
        };
        let known = self.top.small.counters.get(&key).copied();
        let mut counter = match known {
            Some(counter) => counter,
            None => self.below.counter(&key)?,
        };
        match change {
            Change::More => {
                counter.entries = counter.entries.saturating_add(1);
                counter.bytes = counter.bytes.saturating_add(row.head.size);
            }
            Change::Less => {
                counter.entries = counter.entries.saturating_sub(1);
                counter.bytes = counter.bytes.saturating_sub(row.head.size);
            }
        }
        self.top.small_mut().counters.insert(key, counter);
        Ok(())
    }

    fn blob(&self, id: &BlobId) -> Result<Option<BlobRow>, IndexError> {
        match self.top.blobs.get(id) {
            Some(row) => Ok(*row),
            None => self.below.blob(id),
        }
    }

    fn children(&self, id: &BlobId) -> Result<Arc<[BlobId]>, IndexError> {
        match self.top.children.get(id) {
            Some(list) => Ok(list.clone().unwrap_or_default()),
            None => self.below.children(id),
        }
    }

    fn pack(&self, id: PackId) -> Result<PackState, IndexError> {
        match self.top.small.packs.get(&id) {
            Some(state) => Ok(state.clone().unwrap_or_default()),
            None => Ok(self.below.pack_state(id)?.unwrap_or_default()),
        }
    }

    fn put_pack(&mut self, id: PackId, state: PackState) {
        let gone = state == PackState::default();
        let packs = &mut self.top.small_mut().packs;
        packs.insert(id, (!gone).then_some(state));
    }

    /// A fact that names a blob came or went.
    fn change_named(&mut self, blob: &BlobRef, change: Change) -> Result<(), IndexError> {
        self.change_blob(blob.blake3, Some(blob.size), change)
    }

    fn change_blob(
        &mut self,
        id: BlobId,
        size: Option<u64>,
        change: Change,
    ) -> Result<(), IndexError> {
        let mut row = self.blob(&id)?.unwrap_or_default();
        if let (0, None, Some(size)) = (row.size, row.place, size) {
            row.size = size;
        }
        match change {
            Change::More => {
                if row.named == 0 {
                    let unique = &mut self.top.totals.unique_bytes;
                    *unique = unique.saturating_add(row.size);
                }
                row.named = row.named.saturating_add(1);
            }
            Change::Less => {
                if row.named == 1 {
                    let unique = &mut self.top.totals.unique_bytes;
                    *unique = unique.saturating_sub(row.size);
                }
                row.named = row.named.saturating_sub(1);
            }
        }
        self.change_refs(id, row, change)
    }

    /// Changes the references of `id`, whose row is `row`, and where that makes it live or dead, those of its children.
    fn change_refs(&mut self, id: BlobId, row: BlobRow, change: Change) -> Result<(), IndexError> {
        let mut due = Vec::new();
        self.change_one(id, row, change, &mut due)?;
        // Each blob turns live or dead at most once in one direction, so nesting ends, whatever the packs claim.
        while let Some(id) = due.pop() {
            let row = self.blob(&id)?.unwrap_or_default();
            self.change_one(id, row, change, &mut due)?;
        }
        Ok(())
    }

    fn change_one(
        &mut self,
        id: BlobId,
        mut row: BlobRow,
        change: Change,
        due: &mut Vec<BlobId>,
    ) -> Result<(), IndexError> {
        let before = row.refs;
        row.refs = match change {
            Change::More => before.saturating_add(1),
            Change::Less => before.saturating_sub(1),
        };
        self.put_blob(id, row);
        if (before == 0) != (row.refs == 0) {
            let needed = &mut self.top.totals.needed_blobs;
            *needed = match change {
                Change::More => needed.saturating_add(1),
                Change::Less => needed.saturating_sub(1),
            };
            if let Some(place) = row.place {
                self.change_live(place, change)?;
            }
            if row.chunked {
                due.extend_from_slice(&self.children(&id)?);
            }
        }
        Ok(())
    }

    fn change_children(&mut self, id: &BlobId, change: Change) -> Result<(), IndexError> {
        for child in self.children(id)?.iter() {
            let row = self.blob(child)?.unwrap_or_default();
            self.change_refs(*child, row, change)?;
        }
        Ok(())
    }

    fn change_live(&mut self, place: Place, change: Change) -> Result<(), IndexError> {
        let mut pack = self.pack(place.pack)?;
        let len = u64::from(place.len);
        match change {
            Change::More => {
                pack.live_bytes = pack.live_bytes.saturating_add(len);
                pack.live_blobs = pack.live_blobs.saturating_add(1);
            }
            Change::Less => {
                pack.live_bytes = pack.live_bytes.saturating_sub(len);
                pack.live_blobs = pack.live_blobs.saturating_sub(1);
            }
        }
        self.put_pack(place.pack, pack);
        Ok(())
    }

    fn put_blob(&mut self, id: BlobId, mut row: BlobRow) {
        if row.named == 0 && row.place.is_none() {
            // Nothing is left that tells the size.
            row.size = 0;
        }
        // A blob that nothing needs and that lies nowhere is as good as never seen.
        let gone = row.refs == 0 && row.place.is_none();
        self.top.put_blob(id, (!gone).then_some(row));
    }

    fn place(&mut self, new: &Placement) -> Result<(), IndexError> {
        let mut row = self.blob(&new.id)?.unwrap_or_default();
        let live = row.refs > 0;
        if row.named > 0 && row.size != new.size {
            let unique = &mut self.top.totals.unique_bytes;
            *unique = unique.saturating_sub(row.size).saturating_add(new.size);
        }
        row.size = new.size;
        if live {
            if let Some(old) = row.place {
                self.change_live(old, Change::Less)?;
            }
            self.change_live(new.place, Change::More)?;
        }
        row.place = Some(new.place);
        let old = if row.chunked {
            self.children(&new.id)?
        } else {
            Arc::default()
        };
        if *old == *new.children {
            self.put_blob(new.id, row);
            return Ok(());
        }
        if live {
            self.change_children(&new.id, Change::Less)?;
        }
        row.chunked = !new.children.is_empty();
        let list = row.chunked.then(|| Arc::from(new.children.as_slice()));
        self.top.put_children(new.id, list);
        self.put_blob(new.id, row);
        if live {
            self.change_children(&new.id, Change::More)?;
        }
        Ok(())
    }

    fn unplace(&mut self, id: BlobId, mut row: BlobRow) -> Result<(), IndexError> {
        let live = row.refs > 0;
        if let (true, Some(place)) = (live, row.place) {
            self.change_live(place, Change::Less)?;
        }
        row.place = None;
        if row.chunked {
            if live {
                self.change_children(&id, Change::Less)?;
            }
            row.chunked = false;
            self.top.put_children(id, None);
        }
        self.put_blob(id, row);
        Ok(())
    }
}
