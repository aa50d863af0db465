//! One consistent state to read: the newest overlays on top of the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow, RangeInclusive};
use std::sync::Arc;

use redb::{AccessGuard, ReadOnlyTable, ReadTransaction};

use super::IndexError;
use super::fold::PackRow;
use super::overlay::{Counter, CounterKey, KeyDigest, Overlay, QueuePlace, key_digest};
use super::postings::Bits;
use super::rows::{
    self, BlobRow, ConverterRow, EntryRow, HoldRow, JobRow, PackState, QueuedRow, Totals,
};
use super::tables::{self, Bytes, Field, Span, entry_at, locate};
use crate::entry::Entry;
use crate::event::{ConverterRegistered, JobFinished, JobStarted};
use crate::id::{AttemptNo, BlobId, ConverterId, EntryId, EventSeq, JobId, PackId};

/// The tables at one moment. Later commits do not change what it reads.
pub(super) struct Reader {
    pub(super) applied: EventSeq,
    pub(super) totals: Totals,
    pub(super) entries: ReadOnlyTable<u64, Bytes>,
    pub(super) postings: ReadOnlyTable<Bytes, Bytes>,
    pub(super) digests: ReadOnlyTable<u128, ()>,
    pub(super) trigrams: ReadOnlyTable<u64, Bytes>,
    pub(super) ordinals: ReadOnlyTable<u64, Bytes>,
    pub(super) times: ReadOnlyTable<u64, Bytes>,
    pub(super) zones: ReadOnlyTable<u32, Bytes>,
    pub(super) blobs: ReadOnlyTable<&'static [u8; 32], Bytes>,
    children: ReadOnlyTable<&'static [u8; 32], Bytes>,
    packs: ReadOnlyTable<u64, Bytes>,
    keys: ReadOnlyTable<&'static [u8; 16], u64>,
    converters: ReadOnlyTable<&'static [u8; 32], Bytes>,
    converter_names: ReadOnlyTable<&'static str, &'static [u8; 32]>,
    jobs: ReadOnlyTable<u64, Bytes>,
    config: ReadOnlyTable<&'static str, Bytes>,
    holds: BTreeMap<String, Arc<HoldRow>>,
    counters: ReadOnlyTable<Bytes, Bytes>,
    losses: ReadOnlyTable<&'static [u8; 32], u64>,
    unreadable: ReadOnlyTable<u64, u64>,
    submissions: ReadOnlyTable<(&'static str, u64, u32), Bytes>,
}

impl Reader {
    pub(super) fn open(txn: &ReadTransaction) -> Result<Self, IndexError> {
        let meta = txn.open_table(tables::META)?;
        let applied = meta
            .get(tables::META_APPLIED)?
            .and_then(|value| Some(u64::from_le_bytes(value.value().try_into().ok()?)))
            .ok_or(IndexError::Damaged("its header"))?;
        let totals = meta
            .get(tables::META_TOTALS)?
            .ok_or(IndexError::Damaged("its header"))?;
        let mut holds = BTreeMap::new();
        for row in txn.open_table(tables::HOLDS)?.range::<&str>(..)? {
            let (name, hold) = row?;
            let hold = rows::decode(hold.value())?;
            holds.insert(name.value().to_owned(), Arc::new(hold));
        }
        Ok(Self {
            applied: EventSeq(applied),
            totals: rows::decode(totals.value())?,
            entries: txn.open_table(tables::ENTRIES)?,
            postings: txn.open_table(tables::POSTINGS)?,
            digests: txn.open_table(tables::DIGESTS)?,
            trigrams: txn.open_table(tables::TRIGRAMS)?,
            ordinals: txn.open_table(tables::ORDINALS)?,
            times: txn.open_table(tables::TIMES)?,
            zones: txn.open_table(tables::ZONES)?,
            blobs: txn.open_table(tables::BLOBS)?,
            children: txn.open_table(tables::CHILDREN)?,
            packs: txn.open_table(tables::PACKS)?,
            keys: txn.open_table(tables::KEYS)?,
            converters: txn.open_table(tables::CONVERTERS)?,
            converter_names: txn.open_table(tables::CONVERTER_NAMES)?,
            jobs: txn.open_table(tables::JOBS)?,
            config: txn.open_table(tables::CONFIG)?,
            holds,
            counters: txn.open_table(tables::COUNTERS)?,
            losses: txn.open_table(tables::LOSSES)?,
            unreadable: txn.open_table(tables::UNREADABLE)?,
            submissions: txn.open_table(tables::SUBMISSIONS)?,
        })
    }

    /// The spans that have entries, ascending, each with the zone of the whole of it.
    pub(super) fn spans(&self) -> Result<Vec<(Span, tables::Zone)>, IndexError> {
        let mut spans = Vec::new();
        for row in self.zones.range::<u32>(..)? {
            let (span, zones) = row?;
            let whole =
                tables::Zones::parse_whole(zones.value()).ok_or(IndexError::Damaged("a zone"))?;
            spans.push((span.value(), whole));
        }
        Ok(spans)
    }

    /// The packed set of the entries of `span` with `term`.
    pub(super) fn posting(
        &self,
        span: Span,
        field: Field,
        term: &[u8],
    ) -> Result<Option<AccessGuard<'static, Bytes>>, IndexError> {
        let key = tables::posting_key(span, field, term);
        Ok(self.postings.get(key.as_slice())?)
    }

    /// The same, added to `bits`.
    pub(super) fn add_posting(
        &self,
        span: Span,
        field: Field,
        term: &[u8],
        bits: &mut Bits,
    ) -> Result<(), IndexError> {
        match self.posting(span, field, term)? {
            Some(packed) => bits.insert_packed(packed.value()),
            None => Ok(()),
        }
    }

    fn counters(&self) -> Result<BTreeMap<CounterKey, Counter>, IndexError> {
        let mut counters = BTreeMap::new();
        for row in self.counters.range::<&[u8]>(..)? {
            let (key, value) = row?;
            let damaged = || IndexError::Damaged("a counter");
            let key = CounterKey::parse(key.value()).ok_or_else(damaged)?;
            let value = Counter::parse(value.value()).ok_or_else(damaged)?;
            counters.insert(key, value);
        }
        Ok(counters)
    }
}

/// One consistent state: overlays, the newest first, on top of the tables. Later changes do not reach it.
///
/// While it lives, commits cannot reuse the pages it reads and the file grows instead: make one, ask, let go.
#[derive(Clone)]
pub(crate) struct View {
    pub(super) layers: Vec<Arc<Overlay>>,
    pub(super) reader: Arc<Reader>,
}

/// The row of an entry where it lies.
pub(super) enum Stored {
    Layer(Arc<[u8]>),
    Table(AccessGuard<'static, Bytes>),
}

impl Stored {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Layer(row) => row,
            Self::Table(row) => row.value(),
        }
    }
}

impl View {
    pub(super) fn new(layers: Vec<Arc<Overlay>>, reader: Arc<Reader>) -> Self {
        Self { layers, reader }
    }

    /// The same state under one more overlay.
    pub(crate) fn under(&self, overlay: impl Into<Arc<Overlay>>) -> Self {
        let mut layers = vec![overlay.into()];
        layers.extend(self.layers.iter().cloned());
        Self::new(layers, Arc::clone(&self.reader))
    }

    /// An overlay for what happens next.
    pub(crate) fn overlay(&self) -> Overlay {
        Overlay::over(self.applied(), self.totals())
    }

    /// The newest event in it.
    pub(crate) fn applied(&self) -> EventSeq {
        self.layers
            .first()
            .map_or(self.reader.applied, |layer| layer.applied())
    }

    pub(super) fn totals(&self) -> Totals {
        self.layers
            .first()
            .map_or(self.reader.totals, |layer| layer.totals)
    }

    fn layered<T: Clone>(&self, get: impl Fn(&Overlay) -> Option<&T>) -> Option<T> {
        self.layers.iter().find_map(|layer| get(layer).cloned())
    }

    /// One entry, purged or not.
    pub(crate) fn entry(&self, id: EntryId) -> Result<Option<Entry>, IndexError> {
        let Some(stored) = self.stored(id)? else {
            return Ok(None);
        };
        let row: EntryRow<'_> = rows::decode(stored.bytes())?;
        Ok(Some(row.entry(id, names_on(&self.holds(), id))))
    }

    /// Entries in the order of `ids`; those that do not exist are left out.
    pub(super) fn entries(&self, ids: &[EntryId]) -> Result<Vec<Entry>, IndexError> {
        let holds = self.holds();
        let mut entries = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(stored) = self.stored(*id)? {
                let row: EntryRow<'_> = rows::decode(stored.bytes())?;
                entries.push(row.entry(*id, names_on(&holds, *id)));
            }
        }
        Ok(entries)
    }

    pub(super) fn stored(&self, id: EntryId) -> Result<Option<Stored>, IndexError> {
        if let Some(row) = self.layered(|layer| layer.entries.get(&id)) {
            return Ok(Some(Stored::Layer(row)));
        }
        Ok(self.reader.entries.get(id.0)?.map(Stored::Table))
    }

    pub(super) fn entry_row(&self, id: EntryId) -> Result<Option<Arc<[u8]>>, IndexError> {
        Ok(self.stored(id)?.map(|stored| match stored {
            Stored::Layer(row) => row,
            Stored::Table(row) => row.value().into(),
        }))
    }

    /// The rows of the overlays, each entry's newest, by id.
    pub(super) fn changed_rows(&self, ids: RangeInclusive<EntryId>) -> Vec<(EntryId, &[u8])> {
        let mut changed = Vec::new();
        for layer in &self.layers {
            let rows = layer.entries.range(ids.clone());
            changed.extend(rows.map(|(id, row)| (*id, &**row)));
        }
        // The sort is stable: of several rows of one entry the newest layer's comes first and stays.
        changed.sort_by_key(|(id, _)| *id);
        changed.dedup_by_key(|(id, _)| *id);
        changed
    }

    /// The entries that exist among `ids`, ascending.
    pub(super) fn entry_ids(
        &self,
        ids: RangeInclusive<EntryId>,
    ) -> Result<Vec<EntryId>, IndexError> {
        let mut found = BTreeSet::new();
        for layer in &self.layers {
            found.extend(layer.entries.range(ids.clone()).map(|(id, _)| *id));
        }
        let (Some((first, _)), Some((last, _))) = (
            locate(ids.start().0),
            locate(ids.end().0.min(tables::ENTRY_ID_MAX)),
        ) else {
            return Ok(found.into_iter().collect());
        };
        for row in self.reader.zones.range(first..=last)? {
            let span = row?.0.value();
            let mut all = Bits::none();
            self.reader.add_posting(span, Field::All, &[], &mut all)?;
            let of_span = all.iter().map(|low| entry_at(span, low));
            found.extend(of_span.filter(|id| ids.contains(id)));
        }
        Ok(found.into_iter().collect())
    }

    /// Hands out every row, the oldest entry first, one in memory at a time.
    pub(super) fn walk_rows(
        &self,
        mut each: impl FnMut(EntryId, &[u8]) -> Result<ControlFlow<()>, IndexError>,
    ) -> Result<(), IndexError> {
        let changed = self.changed_rows(EntryId(0)..=EntryId(u64::MAX));
        let mut changed = changed.into_iter().peekable();
        for row in self.reader.entries.range::<u64>(..)? {
            let (id, row) = row?;
            let id = EntryId(id.value());
            while let Some((id, row)) = changed.next_if(|(newer, _)| *newer < id) {
                if each(id, row)?.is_break() {
                    return Ok(());
                }
            }
            let flow = match changed.next_if(|(newer, _)| *newer == id) {
                Some((id, row)) => each(id, row)?,
                None => each(id, row.value())?,
            };
            if flow.is_break() {
                return Ok(());
            }
        }
        for (id, row) in changed {
            if each(id, row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Hands out every entry that is not purged, the oldest first, until `each` breaks off. One is in memory at a time.
    pub(crate) fn walk_oldest(
        &self,
        mut each: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        let holds = self.holds();
        self.walk_rows(|id, row| {
            if rows::decode_head(row)?.purged_at.is_some() {
                return Ok(ControlFlow::Continue(()));
            }
            let row: EntryRow<'_> = rows::decode(row)?;
            Ok(each(row.entry(id, names_on(&holds, id))))
        })
    }

    /// What is known of a blob.
    pub(crate) fn blob(&self, id: &BlobId) -> Result<Option<BlobRow>, IndexError> {
        if let Some(row) = self.layered(|layer| layer.blobs.get(id)) {
            return Ok(row);
        }
        let stored = self.reader.blobs.get(id.as_bytes())?;
        stored.map(|row| rows::decode(row.value())).transpose()
    }

    /// The blobs that `id` is cut into, in order; empty for a whole one.
    pub(crate) fn children(&self, id: &BlobId) -> Result<Arc<[BlobId]>, IndexError> {
        if let Some(list) = self.layered(|layer| layer.children.get(id)) {
            return Ok(list.unwrap_or_default());
        }
        match self.reader.children.get(id.as_bytes())? {
            Some(list) => parse_children(list.value()),
            None => Ok(Arc::default()),
        }
    }

    /// Every blob that lies in one of `packs`. Reads the whole table of blobs.
    pub(crate) fn blobs_in_packs(
        &self,
        packs: &BTreeSet<PackId>,
    ) -> Result<Vec<BlobId>, IndexError> {
        let mut blobs = Vec::new();
        self.walk_blobs(|id, row| {
            if row.place.is_some_and(|place| packs.contains(&place.pack)) {
                blobs.push(id);
            }
        })?;
        blobs.sort_unstable();
        Ok(blobs)
    }

    /// The newest event that made plans stale which were made before it: a hold that came or went, or a purge. 0 is none.
    pub(crate) fn plans_stale_since(&self) -> EventSeq {
        EventSeq(self.totals().plans_stale_since)
    }

    /// The highest number of a pack that was ever compacted away; 0 is none.
    pub(crate) fn highest_pack(&self) -> PackId {
        PackId(self.totals().highest_pack)
    }

    /// How many blobs are needed and lie in no pack. Looks at every pack, not at every blob.
    pub(crate) fn needed_in_no_pack(&self) -> Result<u64, IndexError> {
        let placed = self
            .pack_states()?
            .values()
            .map(|pack| pack.live_blobs)
            .sum();
        let needed = self.totals().needed_blobs;
        needed
            .checked_sub(placed)
            .ok_or(IndexError::Damaged("the counts of blobs"))
    }

    /// Blobs that are needed, lie in no pack, and are not `elsewhere` either, ascending. Looks at every blob.
    pub(crate) fn needed_nowhere(
        &self,
        elsewhere: impl Fn(&BlobId) -> bool,
    ) -> Result<Vec<BlobId>, IndexError> {
        let mut found = Vec::new();
        self.walk_blobs(|id, row| {
            if row.refs > 0 && row.place.is_none() && !elsewhere(&id) {
                found.push(id);
            }
        })?;
        found.sort_unstable();
        Ok(found)
    }

    /// Blobs that lie in a pack and that nothing needs, with the pack.
    pub(crate) fn unneeded(&self) -> Result<BTreeMap<BlobId, PackId>, IndexError> {
        let mut found = BTreeMap::new();
        self.walk_blobs(|id, row| {
            if let (0, Some(place)) = (row.refs, row.place) {
                found.insert(id, place.pack);
            }
        })?;
        Ok(found)
    }

    /// Content that repairs gave up, with the events that say so. It may have been archived again since.
    pub(crate) fn losses(&self) -> Result<BTreeMap<BlobId, EventSeq>, IndexError> {
        let mut losses = BTreeMap::new();
        for stored in self.reader.losses.range::<&[u8; 32]>(..)? {
            let (id, seq) = stored?;
            losses.insert(BlobId::from_bytes(*id.value()), EventSeq(seq.value()));
        }
        for layer in self.layers.iter().rev() {
            losses.extend(layer.small.losses.iter().map(|(id, seq)| (*id, *seq)));
        }
        Ok(losses)
    }

    /// Events whose leaves cannot be read, with the repair that says so, if one does.
    pub(crate) fn unreadable(&self) -> Result<BTreeMap<EventSeq, Option<EventSeq>>, IndexError> {
        let mut unreadable = BTreeMap::new();
        for stored in self.reader.unreadable.range::<u64>(..)? {
            let (seq, by) = stored?;
            let by = (by.value() > 0).then_some(EventSeq(by.value()));
            unreadable.insert(EventSeq(seq.value()), by);
        }
        for layer in self.layers.iter().rev() {
            unreadable.extend(&layer.small.unreadable);
        }
        Ok(unreadable)
    }

    fn walk_blobs(&self, mut each: impl FnMut(BlobId, BlobRow)) -> Result<(), IndexError> {
        let mut changed = BTreeMap::new();
        for layer in self.layers.iter().rev() {
            changed.extend(layer.blobs.iter().map(|(id, row)| (*id, *row)));
        }
        for stored in self.reader.blobs.range::<&[u8; 32]>(..)? {
            let (id, row) = stored?;
            let id = BlobId::from_bytes(*id.value());
            if !changed.contains_key(&id) {
                each(id, rows::decode(row.value())?);
            }
        }
        for (id, row) in changed {
            if let Some(row) = row {
                each(id, row);
            }
        }
        Ok(())
    }

    /// The entry that was archived first under an idempotency key.
    pub(crate) fn key(&self, key: &str) -> Result<Option<EntryId>, IndexError> {
        self.key_of(&key_digest(key))
    }

    pub(super) fn key_of(&self, digest: &KeyDigest) -> Result<Option<EntryId>, IndexError> {
        if let Some(id) = self.layered(|layer| layer.keys.get(digest)) {
            return Ok(Some(id));
        }
        Ok(self.reader.keys.get(digest)?.map(|id| EntryId(id.value())))
    }

    /// A converter by what it really is.
    pub(crate) fn converter(
        &self,
        id: &ConverterId,
    ) -> Result<Option<ConverterRegistered>, IndexError> {
        if let Some(row) = self.layered(|layer| layer.small.converters.get(id)) {
            return Ok(Some(row.into()));
        }
        let stored = self.reader.converters.get(id.as_bytes())?;
        stored
            .map(|row| Ok(rows::decode::<ConverterRow>(row.value())?.into()))
            .transpose()
    }

    /// The converter that was registered last under a name.
    pub(crate) fn converter_named(
        &self,
        name: &str,
    ) -> Result<Option<ConverterRegistered>, IndexError> {
        let newer = self.layered(|layer| layer.small.converter_names.get(name));
        let stored = self.reader.converter_names.get(name)?;
        let id = newer.or_else(|| stored.map(|id| ConverterId::from_bytes(*id.value())));
        match id {
            Some(id) => self.converter(&id),
            None => Ok(None),
        }
    }

    /// Every converter, by identity.
    pub(crate) fn converters(&self) -> Result<Vec<ConverterRegistered>, IndexError> {
        let mut all = BTreeMap::new();
        for stored in self.reader.converters.range::<&[u8; 32]>(..)? {
            let (id, row) = stored?;
            let row: ConverterRow = rows::decode(row.value())?;
            all.insert(ConverterId::from_bytes(*id.value()), row);
        }
        for layer in self.layers.iter().rev() {
            all.extend(layer.small.converters.clone());
        }
        Ok(all.into_values().map(Into::into).collect())
    }

    pub(super) fn job_row(&self, id: JobId) -> Result<Option<JobRow>, IndexError> {
        if let Some(row) = self.layered(|layer| layer.small.jobs.get(&id)) {
            return Ok(Some(row));
        }
        let stored = self.reader.jobs.get(id.0)?;
        stored.map(|row| rows::decode(row.value())).transpose()
    }

    /// A job: how it began and, once it ended, how.
    pub(crate) fn job(
        &self,
        id: JobId,
    ) -> Result<Option<(JobStarted, Option<JobFinished>)>, IndexError> {
        Ok(self.job_row(id)?.map(Into::into))
    }

    /// Every job, the oldest first.
    pub(crate) fn jobs(&self) -> Result<Vec<(JobId, JobStarted, Option<JobFinished>)>, IndexError> {
        let mut all = BTreeMap::new();
        for stored in self.reader.jobs.range::<u64>(..)? {
            let (id, row) = stored?;
            all.insert(JobId(id.value()), rows::decode::<JobRow>(row.value())?);
        }
        for layer in self.layers.iter().rev() {
            all.extend(layer.small.jobs.clone());
        }
        let parts = |(id, row): (_, JobRow)| {
            let (started, finished) = row.into();
            (id, started, finished)
        };
        Ok(all.into_iter().map(parts).collect())
    }

    /// The newest recorded value of a configuration item.
    pub(crate) fn config(&self, what: &str) -> Result<Option<String>, IndexError> {
        if let Some(value) = self.layered(|layer| layer.small.config.get(what)) {
            return Ok(value);
        }
        match self.reader.config.get(what)? {
            Some(value) => rows::decode(value.value()),
            None => Ok(None),
        }
    }

    /// The hold of that name, while it lies.
    pub(crate) fn hold(&self, name: &str) -> Option<Arc<HoldRow>> {
        if let Some(hold) = self.layered(|layer| layer.small.holds.get(name)) {
            return hold;
        }
        self.reader.holds.get(name).cloned()
    }

    /// Every hold that lies, by name.
    pub(crate) fn holds(&self) -> BTreeMap<String, Arc<HoldRow>> {
        let mut all = self.reader.holds.clone();
        for layer in self.layers.iter().rev() {
            for (name, hold) in &layer.small.holds {
                match hold {
                    Some(hold) => all.insert(name.clone(), Arc::clone(hold)),
                    None => all.remove(name),
                };
            }
        }
        all
    }

    /// How many reports wait to be submitted.
    pub(crate) fn waiting(&self) -> u64 {
        self.totals().waiting
    }

    /// The first `limit` reports of a converter that wait to be submitted, behind the place `after`.
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

    /// How often a server refused a report.
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

    /// The converters that have reports in the queue.
    pub(crate) fn queues(&self) -> Result<BTreeSet<String>, IndexError> {
        let mut names = BTreeSet::new();
        let mut from = String::new();
        while let Some(stored) = self.reader.submissions.range((&*from, 0, 0)..)?.next() {
            let (key, _) = stored?;
            let (name, _, _) = key.value();
            // The least name behind this one.
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

    /// How many entries a hold lies on. Looks at the id of every entry.
    pub(crate) fn held_entries(&self, hold: &HoldRow) -> Result<u64, IndexError> {
        let mut held = 0;
        for (span, _) in self.reader.spans()? {
            let mut all = Bits::none();
            self.reader.add_posting(span, Field::All, &[], &mut all)?;
            let of_span = all.iter().map(|low| entry_at(span, low));
            held += of_span.filter(|id| hold.covers(*id)).count() as u64;
        }
        let newer = EntryId(self.reader.totals.newest_entry).next()..=EntryId(u64::MAX);
        let changed = self.changed_rows(newer);
        held += changed.iter().filter(|(id, _)| hold.covers(*id)).count() as u64;
        Ok(held)
    }

    pub(super) fn pack_state(&self, id: PackId) -> Result<Option<PackState>, IndexError> {
        if let Some(state) = self.layered(|layer| layer.small.packs.get(&id)) {
            return Ok(state);
        }
        let stored = self.reader.packs.get(id.0)?;
        stored.map(|row| rows::decode(row.value())).transpose()
    }

    /// A pack that was added.
    pub(crate) fn pack(&self, id: PackId) -> Result<Option<PackRow>, IndexError> {
        Ok(self.pack_state(id)?.and_then(|state| pack_row(id, state)))
    }

    fn pack_states(&self) -> Result<BTreeMap<PackId, PackState>, IndexError> {
        let mut all = BTreeMap::new();
        for stored in self.reader.packs.range::<u64>(..)? {
            let (id, row) = stored?;
            all.insert(PackId(id.value()), rows::decode(row.value())?);
        }
        for layer in self.layers.iter().rev() {
            for (id, state) in &layer.small.packs {
                match state {
                    Some(state) => all.insert(*id, state.clone()),
                    None => all.remove(id),
                };
            }
        }
        Ok(all)
    }

    /// Every pack that was added, by number.
    pub(crate) fn packs(&self) -> Result<Vec<PackRow>, IndexError> {
        let states = self.pack_states()?.into_iter();
        Ok(states
            .filter_map(|(id, state)| pack_row(id, state))
            .collect())
    }

    pub(super) fn counter(&self, key: &CounterKey) -> Result<Counter, IndexError> {
        if let Some(counter) = self.layered(|layer| layer.small.counters.get(key)) {
            return Ok(counter);
        }
        match self.reader.counters.get(key.bytes().as_slice())? {
            Some(value) => Counter::parse(value.value()).ok_or(IndexError::Damaged("a counter")),
            None => Ok(Counter::default()),
        }
    }

    /// Every counter that is not zero.
    pub(super) fn counters(&self) -> Result<BTreeMap<CounterKey, Counter>, IndexError> {
        let mut all = self.reader.counters()?;
        for layer in self.layers.iter().rev() {
            let newer = layer.small.counters.iter();
            all.extend(newer.map(|(key, counter)| (key.clone(), *counter)));
        }
        all.retain(|_, counter| *counter != Counter::default());
        Ok(all)
    }

    /// Everything in it, one fact a line, in a fixed order: two states are equal when their dumps are. Holds all blobs
    /// and keys in memory, so it is for tests and for `verify`.
    pub(crate) fn dump(&self, mut line: impl FnMut(String)) -> Result<(), IndexError> {
        line(format!("applied {} {:?}", self.applied(), self.totals()));
        let holds = self.holds();
        self.walk_rows(|id, row| {
            let row: EntryRow<'_> = rows::decode(row)?;
            line(format!("{:?}", row.entry(id, names_on(&holds, id))));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut blobs = BTreeMap::new();
        self.walk_blobs(|id, row| {
            blobs.insert(id, row);
        })?;
        for (id, row) in blobs {
            line(format!("{id:?} {row:?} {:?}", self.children(&id)?));
        }
        let mut keys = BTreeMap::new();
        for stored in self.reader.keys.range::<&[u8; 16]>(..)? {
            let (key, id) = stored?;
            keys.insert(*key.value(), EntryId(id.value()));
        }
        for layer in self.layers.iter().rev() {
            keys.extend(layer.keys.iter().map(|(key, id)| (*key, *id)));
        }
        line(format!("{keys:?}"));
        let mut names = BTreeMap::new();
        for stored in self.reader.converter_names.range::<&str>(..)? {
            let (name, id) = stored?;
            names.insert(
                name.value().to_owned(),
                ConverterId::from_bytes(*id.value()),
            );
        }
        let mut config = BTreeMap::new();
        for stored in self.reader.config.range::<&str>(..)? {
            let (what, value) = stored?;
            config.insert(what.value().to_owned(), rows::decode(value.value())?);
        }
        for layer in self.layers.iter().rev() {
            names.extend(layer.small.converter_names.clone());
            config.extend(layer.small.config.clone());
        }
        line(format!("{names:?} {config:?}"));
        line(format!("{:?} {:?}", self.converters()?, self.jobs()?));
        line(format!("{holds:?} {:?}", self.pack_states()?));
        line(format!("{:?} {:?}", self.counters()?, self.losses()?));
        line(format!("{:?}", self.unreadable()?));
        for name in self.queues()? {
            line(format!(
                "{name:?} {:?}",
                self.queue(&name, None, usize::MAX)?
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
impl View {
    /// Every key and value of every table, as they stand.
    pub(super) fn raw(&self) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
        fn add<K: redb::Key, V: redb::Value>(
            out: &mut Vec<(&'static str, Vec<u8>, Vec<u8>)>,
            name: &'static str,
            table: &ReadOnlyTable<K, V>,
        ) {
            for row in redb::ReadableTable::iter(table).expect("sound") {
                let (key, value) = row.expect("sound");
                let key = K::as_bytes(&key.value()).as_ref().to_vec();
                out.push((name, key, V::as_bytes(&value.value()).as_ref().to_vec()));
            }
        }
        let (mut out, reader) = (Vec::new(), &self.reader);
        add(&mut out, "entries", &reader.entries);
        add(&mut out, "postings", &reader.postings);
        add(&mut out, "digests", &reader.digests);
        add(&mut out, "trigrams", &reader.trigrams);
        add(&mut out, "ordinals", &reader.ordinals);
        add(&mut out, "times", &reader.times);
        add(&mut out, "zones", &reader.zones);
        add(&mut out, "blobs", &reader.blobs);
        add(&mut out, "children", &reader.children);
        add(&mut out, "packs", &reader.packs);
        add(&mut out, "keys", &reader.keys);
        add(&mut out, "converters", &reader.converters);
        add(&mut out, "converter_names", &reader.converter_names);
        add(&mut out, "jobs", &reader.jobs);
        add(&mut out, "config", &reader.config);
        add(&mut out, "counters", &reader.counters);
        add(&mut out, "losses", &reader.losses);
        add(&mut out, "unreadable", &reader.unreadable);
        add(&mut out, "submissions", &reader.submissions);
        out
    }
}

fn pack_row(id: PackId, state: PackState) -> Option<PackRow> {
    let (class, bytes, blobs, dictionary_bytes) = state.file?;
    Some(PackRow {
        id,
        class,
        bytes,
        blobs,
        dictionary_bytes,
        live_bytes: state.live_bytes,
        live_blobs: state.live_blobs,
    })
}

/// The names of the holds on an entry.
fn names_on(holds: &BTreeMap<String, Arc<HoldRow>>, id: EntryId) -> Vec<String> {
    holds
        .iter()
        .filter(|(_, hold)| hold.covers(id))
        .map(|(name, _)| name.clone())
        .collect()
}

fn parse_children(bytes: &[u8]) -> Result<Arc<[BlobId]>, IndexError> {
    match bytes.as_chunks() {
        (ids, []) => Ok(ids.iter().map(|id| BlobId::from_bytes(*id)).collect()),
        _ => Err(IndexError::Damaged("a list of chunks")),
    }
}
