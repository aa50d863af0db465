//! The blobs and packs of a view.

use super::layers::View;
use crate::id::{BlobId, EventSeq, PackId};
use crate::index::error::IndexError;
use crate::index::placement::PackRow;
use crate::index::rows::{self, BlobRow, PackState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl View {
    /// Returns the row of a blob.
    pub(crate) fn blob(&self, id: &BlobId) -> Result<Option<BlobRow>, IndexError> {
        if let Some(row) = self.layered(|layer| layer.blobs.get(id)) {
            return Ok(row);
        }
        let stored = self.reader.blobs.get(id.as_bytes())?;
        stored.map(|row| rows::decode(row.value())).transpose()
    }

    /// Returns the blobs that `id` is cut into, in order; empty for a blob stored whole.
    pub(crate) fn children(&self, id: &BlobId) -> Result<Arc<[BlobId]>, IndexError> {
        if let Some(list) = self.layered(|layer| layer.children.get(id)) {
            return Ok(list.unwrap_or_default());
        }
        match self.reader.children.get(id.as_bytes())? {
            Some(list) => parse_children(list.value()),
            None => Ok(Arc::default()),
        }
    }

    /// Returns every blob in one of `packs`. Reads the whole table of blobs.
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

    /// Returns the newest event that made earlier purge plans stale: placing or releasing a hold,
    /// or a purge. 0 means none.
    pub(crate) fn plans_stale_since(&self) -> EventSeq {
        EventSeq(self.totals().plans_stale_since)
    }

    /// Returns the highest number of any compacted pack; 0 means none.
    pub(crate) fn highest_pack(&self) -> PackId {
        PackId(self.totals().highest_pack)
    }

    /// Returns how many live blobs are in no pack. Reads every pack row, but no blob row.
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

    /// Returns the live blobs that are in no pack and not in `elsewhere`, ascending. Reads every
    /// blob row.
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

    /// Returns the blobs in packs that nothing references, each with its pack.
    pub(crate) fn unneeded(&self) -> Result<BTreeMap<BlobId, PackId>, IndexError> {
        let mut found = BTreeMap::new();
        self.walk_blobs(|id, row| {
            if let (0, Some(place)) = (row.refs, row.place) {
                found.insert(id, place.pack);
            }
        })?;
        Ok(found)
    }

    /// Returns the content that repairs gave up, with the events that say so. It may have been
    /// archived again since.
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

    /// Returns the events whose leaves cannot be read, with the repair that declares them
    /// unreadable, if one does.
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

    pub(super) fn walk_blobs(
        &self,
        mut each: impl FnMut(BlobId, BlobRow),
    ) -> Result<(), IndexError> {
        let mut changed = BTreeMap::new();
        for layer in self.layers.iter().rev() {
            changed.extend(layer.blobs.iter_ordered().map(|(id, row)| (*id, *row)));
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

    pub(in crate::index) fn pack_state(&self, id: PackId) -> Result<Option<PackState>, IndexError> {
        if let Some(state) = self.layered(|layer| layer.small.packs.get(&id)) {
            return Ok(state);
        }
        let stored = self.reader.packs.get(id.0)?;
        stored.map(|row| rows::decode(row.value())).transpose()
    }

    /// Returns the row of a pack, if the pack was added.
    pub(crate) fn pack(&self, id: PackId) -> Result<Option<PackRow>, IndexError> {
        Ok(self.pack_state(id)?.and_then(|state| pack_row(id, state)))
    }

    pub(super) fn pack_states(&self) -> Result<BTreeMap<PackId, PackState>, IndexError> {
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

    /// Returns every added pack, by number.
    pub(crate) fn packs(&self) -> Result<Vec<PackRow>, IndexError> {
        let states = self.pack_states()?.into_iter();
        Ok(states
            .filter_map(|(id, state)| pack_row(id, state))
            .collect())
    }
}

pub(super) fn pack_row(id: PackId, state: PackState) -> Option<PackRow> {
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

pub(super) fn parse_children(bytes: &[u8]) -> Result<Arc<[BlobId]>, IndexError> {
    match bytes.as_chunks() {
        (ids, []) => Ok(ids.iter().map(|id| BlobId::from_bytes(*id)).collect()),
        _ => Err(IndexError::Damaged("a list of chunks")),
    }
}
