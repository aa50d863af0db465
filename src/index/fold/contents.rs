//! Counts the references to each blob, and tracks where blobs are stored.

use super::state::{Change, Fold};
use crate::entry::Status;
use crate::event::BlobRef;
use crate::id::{BlobId, PackId};
use crate::index::error::IndexError;
use crate::index::overlay::{CounterKey, Overlay};
use crate::index::placement::{PackRow, Placement};
use crate::index::rows::{BlobRow, EntryRow, Place};
use crate::index::view::View;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Overlay {
    /// Records where a blob is stored. Placements and events may come in any order. A second
    /// placement moves the blob.
    pub(crate) fn place(&mut self, new: &Placement, below: &View) -> Result<(), IndexError> {
        Fold { top: self, below }.place(new)
    }

    /// Returns where a blob is stored in the state so far.
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
        Fold { top: self, below }.change_pack(pack.id, |state| {
            state.file = Some((
                pack.class.clone(),
                pack.bytes,
                pack.blobs,
                pack.dictionary_bytes,
            ));
        })
    }

    /// Removes a pack and the places of the blobs in it. Blobs without references are removed too.
    ///
    /// `inside` are the blobs that the pack's footer lists. Without them the whole table of blobs
    /// is read.
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

    /// Removes packs whose footers cannot be read. Reads the whole table of blobs once.
    pub(crate) fn drop_packs(
        &mut self,
        packs: &BTreeSet<PackId>,
        below: &View,
    ) -> Result<(), IndexError> {
        if packs.is_empty() {
            return Ok(());
        }
        // Read through a view that includes this overlay, so that a blob moved to another pack
        // earlier in this overlay is found in its new pack.
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

impl Fold<'_> {
    pub(super) fn count(&mut self, row: &EntryRow<'_>, change: Change) -> Result<(), IndexError> {
        let status = (0..)
            .zip(Status::ALL)
            .find(|(_, status)| *status == row.head.status);
        let (status, _) = status.expect("BUG: Status::ALL lacks a status");
        let key = CounterKey {
            day: row.head.archived_at.day(),
            status,
            purged: row.head.purged_at.is_some(),
            converter: row.head.converter.to_owned(),
        };
        if !self.top.small.counters.contains_key(&key) {
            let counter = self.below.counter(&key)?;
            self.top.small_mut().counters.insert(key.clone(), counter);
        }
        let counter = self.top.small_mut().counters.entry(key).or_default();
        counter.entries = change
            .by_one(counter.entries)
            .ok_or(IndexError::Damaged("a counter"))?;
        // Sizes come from events and may be false, so their sum may exceed any limit.
        match change {
            Change::More => {
                counter.bytes = counter.bytes.saturating_add(row.head.size);
            }
            Change::Less => {
                counter.bytes = counter.bytes.saturating_sub(row.head.size);
            }
        }
        if row.facts_only && row.head.purged_at.is_none() {
            let totals = &mut self.top.totals;
            totals.facts_entries = change
                .by_one(totals.facts_entries)
                .ok_or(IndexError::Damaged("a counter"))?;
            totals.facts_bytes = match change {
                Change::More => totals.facts_bytes.saturating_add(row.head.size),
                Change::Less => totals.facts_bytes.saturating_sub(row.head.size),
            };
        }
        Ok(())
    }

    /// Counts that one more event names a blob, or one fewer.
    pub(super) fn change_named(
        &mut self,
        blob: &BlobRef,
        change: Change,
    ) -> Result<(), IndexError> {
        self.change_blob(blob.blake3, Some(blob.size), change)
    }

    pub(super) fn change_blob(
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
            }
            Change::Less => {
                if row.named == 1 {
                    let unique = &mut self.top.totals.unique_bytes;
                    *unique = unique.saturating_sub(row.size);
                }
            }
        }
        row.named = change
            .by_one(u64::from(row.named))
            .and_then(|named| u32::try_from(named).ok())
            .ok_or(IndexError::Damaged("what names a blob"))?;
        self.change_refs(id, row, change)
    }

    /// Changes the reference count of `id`, whose row is `row`. If the blob becomes live or dead,
    /// the counts of its children change too.
    fn change_refs(&mut self, id: BlobId, row: BlobRow, change: Change) -> Result<(), IndexError> {
        let mut due = Vec::new();
        self.change_one(id, row, change, &mut due)?;
        // One call makes each blob live or dead at most once, so the nesting ends, whatever the
        // packs claim.
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
        // Packs say which blobs a blob consists of. A damaged pack may name a blob as part of
        // itself, and then the counts do not add up. Such a blob may stay live for ever, but it
        // must not stop the fold.
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
        let len = u64::from(place.len);
        self.change_pack(place.pack, |pack| match change {
            Change::More => {
                pack.live_bytes = pack.live_bytes.saturating_add(len);
                pack.live_blobs = pack.live_blobs.saturating_add(1);
            }
            Change::Less => {
                pack.live_bytes = pack.live_bytes.saturating_sub(len);
                pack.live_blobs = pack.live_blobs.saturating_sub(1);
            }
        })
    }

    pub(super) fn put_blob(&mut self, id: BlobId, mut row: BlobRow) {
        if row.named == 0 && row.place.is_none() {
            // No pack or event states the size any longer.
            row.size = 0;
        }
        // A blob without references and without a place has no row.
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

    pub(super) fn unplace(&mut self, id: BlobId, mut row: BlobRow) -> Result<(), IndexError> {
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
