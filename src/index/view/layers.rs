//! Overlays on top of the tables, and the entries, converters, jobs and holds in them.

use crate::entry::{Entry, Meta};
use crate::event::ConverterRegistered;
use crate::id::{ConverterId, EntryId, EventSeq, JobId};
use crate::index::entries::RowGuard;
use crate::index::error::IndexError;
use crate::index::marks::NewRow;
use crate::index::overlay::{Counter, CounterKey, KeyDigest, Overlay, key_digest};
use crate::index::postings::Bits;
use crate::index::reader::Reader;
use crate::index::rows::{
    self, ConverterRow, EntryRow, HoldRow, JobRow, PromotionsRow, RecordedJob, Totals,
};
use crate::index::tables::{self, Field, entry_at, locate};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

/// One consistent state: overlays, newest first, on top of the tables. Later changes do not affect
/// it.
///
/// While a view lives, commits cannot reuse the pages it reads, and the file grows. So keep a view
/// only for as long as a query takes.
#[derive(Clone)]
pub(crate) struct View {
    pub(in crate::index) layers: Vec<Arc<Overlay>>,
    pub(in crate::index) reader: Arc<Reader>,
}

/// The row of an entry, held by an overlay or by the table.
pub(in crate::index) enum Stored {
    Layer(Arc<[u8]>),
    Table(RowGuard),
}

impl Stored {
    pub(in crate::index) fn bytes(&self) -> &[u8] {
        match self {
            Self::Layer(row) => row,
            Self::Table(row) => row.value(),
        }
    }
}

impl View {
    pub(in crate::index) fn new(layers: Vec<Arc<Overlay>>, reader: Arc<Reader>) -> Self {
        Self { layers, reader }
    }

    /// Returns this state with one more overlay on top.
    pub(crate) fn under(&self, overlay: impl Into<Arc<Overlay>>) -> Self {
        let mut layers = vec![overlay.into()];
        layers.extend(self.layers.iter().cloned());
        Self::new(layers, Arc::clone(&self.reader))
    }

    /// Returns an empty overlay on top of this state.
    pub(crate) fn overlay(&self) -> Overlay {
        Overlay::over(self.applied(), self.totals())
    }

    /// Returns the newest event in this state.
    pub(crate) fn applied(&self) -> EventSeq {
        self.layers
            .first()
            .map_or(self.reader.applied, |layer| layer.applied())
    }

    pub(in crate::index) fn totals(&self) -> Totals {
        self.layers
            .first()
            .map_or(self.reader.totals, |layer| layer.totals)
    }

    pub(super) fn layered<T: Clone>(&self, get: impl Fn(&Overlay) -> Option<&T>) -> Option<T> {
        self.layers.iter().find_map(|layer| get(layer).cloned())
    }

    /// Returns one entry, purged or not.
    pub(crate) fn entry(&self, id: EntryId) -> Result<Option<Entry>, IndexError> {
        let Some(stored) = self.stored(id)? else {
            return Ok(None);
        };
        let row: EntryRow<'_> = rows::decode(stored.bytes())?;
        Ok(Some(row.entry(id, row.names_on(&self.holds(), id))))
    }

    /// Returns entries in the order of `ids`; those that do not exist are left out.
    pub(in crate::index) fn entries(&self, ids: &[EntryId]) -> Result<Vec<Entry>, IndexError> {
        let holds = self.holds();
        let mut entries = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(stored) = self.stored(*id)? {
                let row: EntryRow<'_> = rows::decode(stored.bytes())?;
                entries.push(row.entry(*id, row.names_on(&holds, *id)));
            }
        }
        Ok(entries)
    }

    pub(in crate::index) fn stored(&self, id: EntryId) -> Result<Option<Stored>, IndexError> {
        if let Some(row) = self.layered(|layer| layer.entries.get(&id)) {
            return Ok(Some(Stored::Layer(row.bytes)));
        }
        Ok(self.reader.entries.get(id)?.map(Stored::Table))
    }

    pub(in crate::index) fn entry_row(&self, id: EntryId) -> Result<Option<Arc<[u8]>>, IndexError> {
        Ok(self.stored(id)?.map(|stored| match stored {
            Stored::Layer(row) => row,
            Stored::Table(row) => row.value().into(),
        }))
    }

    /// Returns the rows of the overlays by id, only the newest row of each entry.
    pub(in crate::index) fn changed_rows(
        &self,
        ids: RangeInclusive<EntryId>,
    ) -> Vec<(EntryId, &NewRow)> {
        let mut changed = Vec::new();
        for layer in &self.layers {
            let rows = layer.entries.range(ids.clone());
            changed.extend(rows.map(|(id, row)| (*id, row)));
        }
        // The sort is stable, so the newest layer's row of an entry comes first and is the one that
        // is kept.
        changed.sort_by_key(|(id, _)| *id);
        changed.dedup_by_key(|(id, _)| *id);
        changed
    }

    /// Returns the entries that exist among `ids`, ascending.
    pub(in crate::index) fn entry_ids(
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

    /// Passes every row to the callback, oldest entry first. One group of rows is in memory at
    /// a time.
    pub(in crate::index) fn walk_rows(
        &self,
        mut each: impl FnMut(EntryId, &[u8]) -> Result<ControlFlow<()>, IndexError>,
    ) -> Result<(), IndexError> {
        let changed = self.changed_rows(EntryId(0)..=EntryId(u64::MAX));
        let mut changed = changed.into_iter().peekable();
        let mut ended = false;
        self.reader.entries.each_group(|first, group| {
            for (place, row) in group.rows() {
                let id = EntryId(first + place as u64);
                while let (false, Some((id, row))) =
                    (ended, changed.next_if(|(newer, _)| *newer < id))
                {
                    ended = each(id, &row.bytes)?.is_break();
                }
                if ended {
                    return Ok(false);
                }
                let row = changed
                    .next_if(|(newer, _)| *newer == id)
                    .map_or(row, |(_, row)| &row.bytes);
                ended = each(id, row)?.is_break();
                if ended {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        if ended {
            return Ok(());
        }
        for (id, row) in changed {
            if each(id, &row.bytes)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Passes every entry that is not purged to `each`, oldest first, until `each` breaks off. One
    /// entry is in memory at a time.
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
            Ok(each(row.entry(id, row.names_on(&holds, id))))
        })
    }

    /// Returns the entry that was first archived under an idempotency key.
    pub(crate) fn key(&self, key: &str) -> Result<Option<EntryId>, IndexError> {
        self.key_of(&key_digest(key))
    }

    pub(in crate::index) fn key_of(
        &self,
        digest: &KeyDigest,
    ) -> Result<Option<EntryId>, IndexError> {
        if let Some(id) = self.layered(|layer| layer.keys.get(digest)) {
            return Ok(id);
        }
        Ok(self.reader.keys.get(digest)?.map(|id| EntryId(id.value())))
    }

    /// Returns a converter by its identity.
    pub(crate) fn converter(
        &self,
        id: &ConverterId,
    ) -> Result<Option<ConverterRegistered>, IndexError> {
        Ok(self.converter_row(id)?.map(Into::into))
    }

    pub(in crate::index) fn converter_row(
        &self,
        id: &ConverterId,
    ) -> Result<Option<ConverterRow>, IndexError> {
        if let Some(row) = self.layered(|layer| layer.small.converters.get(id)) {
            return Ok(Some(row));
        }
        let stored = self.reader.converters.get(id.as_bytes())?;
        stored.map(|row| rows::decode(row.value())).transpose()
    }

    /// Returns what a converter ran on, each with the time since which it did, the oldest first.
    pub(crate) fn environments(
        &self,
        id: &ConverterId,
    ) -> Result<Vec<(Timestamp, Meta)>, IndexError> {
        let row = self.converter_row(id)?;
        Ok(row.map_or_else(Vec::new, |row| row.environments))
    }

    /// Returns the promotions and waivers of a converter.
    pub(crate) fn promotions_of(&self, converter: &str) -> Result<PromotionsRow, IndexError> {
        if let Some(row) = self.layered(|layer| layer.small.promotions.get(converter)) {
            return Ok(row);
        }
        match self.reader.promotions.get(converter)? {
            Some(row) => rows::decode(row.value()),
            None => Ok(PromotionsRow::default()),
        }
    }

    /// Returns the promotions and waivers of every converter that has any, by name.
    pub(crate) fn promotions(&self) -> Result<BTreeMap<String, PromotionsRow>, IndexError> {
        let mut all = BTreeMap::new();
        for stored in self.reader.promotions.range::<&str>(..)? {
            let (name, row) = stored?;
            all.insert(name.value().to_owned(), rows::decode(row.value())?);
        }
        for layer in self.layers.iter().rev() {
            all.extend(layer.small.promotions.clone());
        }
        Ok(all)
    }

    /// Returns the converter that was last registered under a name.
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

    /// Returns every converter, by identity.
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

    pub(in crate::index) fn job_row(&self, id: JobId) -> Result<Option<JobRow>, IndexError> {
        if let Some(row) = self.layered(|layer| layer.small.jobs.get(&id)) {
            return Ok(Some(row));
        }
        let stored = self.reader.jobs.get(id.0)?;
        stored.map(|row| rows::decode(row.value())).transpose()
    }

    /// Returns what the log says of a job.
    pub(crate) fn job(&self, id: JobId) -> Result<Option<RecordedJob>, IndexError> {
        Ok(self.job_row(id)?.map(Into::into))
    }

    /// Returns every job, the oldest first.
    pub(crate) fn jobs(&self) -> Result<Vec<(JobId, RecordedJob)>, IndexError> {
        let mut all = BTreeMap::new();
        for stored in self.reader.jobs.range::<u64>(..)? {
            let (id, row) = stored?;
            all.insert(JobId(id.value()), rows::decode::<JobRow>(row.value())?);
        }
        for layer in self.layers.iter().rev() {
            all.extend(layer.small.jobs.clone());
        }
        Ok(all.into_iter().map(|(id, row)| (id, row.into())).collect())
    }

    /// Returns the newest recorded value of a configuration item.
    pub(crate) fn config(&self, what: &str) -> Result<Option<String>, IndexError> {
        if let Some(value) = self.layered(|layer| layer.small.config.get(what)) {
            return Ok(value);
        }
        match self.reader.config.get(what)? {
            Some(value) => rows::decode(value.value()),
            None => Ok(None),
        }
    }

    /// Returns the hold with that name, unless it was released.
    pub(crate) fn hold(&self, name: &str) -> Option<Arc<HoldRow>> {
        if let Some(hold) = self.layered(|layer| layer.small.holds.get(name)) {
            return hold;
        }
        self.reader.holds.get(name).cloned()
    }

    /// Returns every hold that was not released, by name.
    pub(crate) fn holds(&self) -> BTreeMap<String, Arc<HoldRow>> {
        let mut all = self.reader.holds.clone();
        for layer in self.layers.iter().rev() {
            all = in_force(all, &layer.small.holds);
        }
        all
    }

    /// Returns how many entries each hold applies to, purged ones included, and the bytes of the
    /// sources and reports of those that are not purged. Reads every entry, if there is a hold.
    pub(crate) fn under_holds(&self) -> Result<BTreeMap<String, HeldContent>, IndexError> {
        let holds = self.holds();
        let mut held: BTreeMap<String, HeldContent> = BTreeMap::new();
        if holds.is_empty() {
            return Ok(held);
        }
        self.walk_rows(|id, row| {
            let row: EntryRow<'_> = rows::decode(row)?;
            for name in row.names_on(&holds, id) {
                let sum = held.entry(name).or_default();
                sum.entries += 1;
                if row.head.purged_at.is_none() {
                    sum.bytes = sum.bytes.saturating_add(row.content_bytes());
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(held)
    }

    pub(in crate::index) fn counter(&self, key: &CounterKey) -> Result<Counter, IndexError> {
        if let Some(counter) = self.layered(|layer| layer.small.counters.get(key)) {
            return Ok(counter);
        }
        match self.reader.counters.get(key.bytes().as_slice())? {
            Some(value) => Counter::parse(value.value()).ok_or(IndexError::Damaged("a counter")),
            None => Ok(Counter::default()),
        }
    }

    /// Returns every counter that is not zero.
    pub(in crate::index) fn counters(&self) -> Result<BTreeMap<CounterKey, Counter>, IndexError> {
        let mut all = self.reader.counters()?;
        for layer in self.layers.iter().rev() {
            let newer = layer.small.counters.iter();
            all.extend(newer.map(|(key, counter)| (key.clone(), *counter)));
        }
        all.retain(|_, counter| *counter != Counter::default());
        Ok(all)
    }
}

/// What a hold keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct HeldContent {
    pub(crate) entries: u64,
    /// Bytes of sources and reports before compression and deduplication.
    pub(crate) bytes: u64,
}

/// Returns the holds of a state after the changes of a layer above it.
pub(in crate::index) fn in_force(
    mut below: BTreeMap<String, Arc<HoldRow>>,
    changed: &BTreeMap<String, Option<Arc<HoldRow>>>,
) -> BTreeMap<String, Arc<HoldRow>> {
    for (name, hold) in changed {
        match hold {
            Some(hold) => below.insert(name.clone(), Arc::clone(hold)),
            None => below.remove(name),
        };
    }
    below
}
