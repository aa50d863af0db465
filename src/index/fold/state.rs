//! The state that an event is folded into, and lookups in it.

use crate::event::EntryRanges;
use crate::id::{BlobId, EntryId, PackId};
use crate::index::error::IndexError;
use crate::index::overlay::{KeyDigest, Overlay, QueuePlace};
use crate::index::rows::{BlobRow, HoldRow, PackState, QueuedRow};
use crate::index::view::View;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    More,
    Less,
}

impl Change {
    /// Returns `count` plus or minus one, or `None` on overflow: then the count contradicts the
    /// rows that were counted.
    pub(super) const fn by_one(self, count: u64) -> Option<u64> {
        match self {
            Self::More => count.checked_add(1),
            Self::Less => count.checked_sub(1),
        }
    }
}

/// One step of the fold: the overlay that is written, and the state below it that is only read.
pub(super) struct Fold<'a> {
    pub(super) top: &'a mut Overlay,
    pub(super) below: &'a View,
}

impl Fold<'_> {
    /// Returns the ids in `ranges` that may be entries, among them every one that is. The ranges
    /// may be far wider than the archive.
    pub(super) fn possible(&self, ranges: &EntryRanges) -> Result<Vec<EntryId>, IndexError> {
        /// Asking which ids of a range exist costs about as much as looking for so many rows.
        const NARROW: u64 = 256;
        let newest = self.top.totals.newest_entry;
        let mut ids = Vec::new();
        for (first, last) in ranges.ranges() {
            let last = EntryId(last.0.min(newest));
            if *first > last {
                continue;
            }
            if last.0 - first.0 < NARROW {
                ids.extend((first.0..=last.0).map(EntryId));
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

    pub(super) fn entry(&self, id: EntryId) -> Result<Option<Arc<[u8]>>, IndexError> {
        match self.top.entries.get(&id) {
            Some(row) => Ok(Some(Arc::clone(&row.bytes))),
            None => self.below.entry_row(id),
        }
    }

    pub(super) fn key_of(&self, digest: &KeyDigest) -> Result<Option<EntryId>, IndexError> {
        match self.top.keys.get(digest) {
            Some(entry) => Ok(*entry),
            None => self.below.key_of(digest),
        }
    }

    pub(super) fn hold(&self, name: &str) -> Option<Arc<HoldRow>> {
        match self.top.small.holds.get(name) {
            Some(hold) => hold.clone(),
            None => self.below.hold(name),
        }
    }

    pub(super) fn queued(
        &self,
        converter: &str,
        place: QueuePlace,
    ) -> Result<Option<QueuedRow>, IndexError> {
        match self.top.submissions.get(&place) {
            Some(queued) => Ok(queued.row.clone()),
            None => self.below.queued(converter, place),
        }
    }

    pub(super) fn blob(&self, id: &BlobId) -> Result<Option<BlobRow>, IndexError> {
        match self.top.blobs.get(id) {
            Some(row) => Ok(*row),
            None if self.top.blobs.is_new_below(id) => Ok(None),
            None => self.below.blob(id),
        }
    }

    pub(super) fn children(&self, id: &BlobId) -> Result<Arc<[BlobId]>, IndexError> {
        match self.top.children.get(id) {
            Some(list) => Ok(list.clone().unwrap_or_default()),
            None => self.below.children(id),
        }
    }

    /// Changes the row of a pack. A row that says nothing any longer is removed.
    pub(super) fn change_pack(
        &mut self,
        id: PackId,
        change: impl FnOnce(&mut PackState),
    ) -> Result<(), IndexError> {
        if !self.top.small.packs.contains_key(&id) {
            let state = self.below.pack_state(id)?;
            self.top.small_mut().packs.insert(id, state);
        }
        let slot = self.top.small_mut().packs.entry(id).or_default();
        let state = slot.get_or_insert_default();
        change(state);
        if *state == PackState::default() {
            *slot = None;
        }
        Ok(())
    }
}
