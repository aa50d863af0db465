//! Finds the personal values of events that are folded into an index, wherever they lie by then.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::archive::files::pack_files::{PackFiles, is_personal};
use crate::archive::state::contents::plain_in_journal;
use crate::archive::state::journal_blobs::JournalBlobs;
use crate::blob::pack_reader::{PackReader, blobs};
use crate::disk::Disk;
use crate::event::Event;
use crate::format::disclosure;
use crate::format::pack::PackOffset;
use crate::id::{BlobId, EventSeq, PackId};
use crate::index::Place;
use crate::log::LogFiles;

/// Packs that are kept open.
const OPEN_PACKS: usize = 8;

/// Reads the disclosures of events.
pub(super) struct Disclosed<'a> {
    disk: &'a Arc<dyn Disk>,
    log: &'a LogFiles,
    journal: &'a JournalBlobs,
    packs: &'a PackFiles,
    open: HashMap<PackId, PackReader>,
    /// What lies in the packs of one seal that are still to be placed, by the last event of that
    /// seal.
    due: (EventSeq, HashMap<BlobId, Place>),
}

/// Packs to be placed, by the last event they were sealed with.
pub(super) type Due = BTreeMap<EventSeq, Vec<PackId>>;

impl<'a> Disclosed<'a> {
    /// Makes a reader of the disclosures in a journal and in packs.
    pub(super) fn new(
        disk: &'a Arc<dyn Disk>,
        log: &'a LogFiles,
        journal: &'a JournalBlobs,
        packs: &'a PackFiles,
    ) -> Self {
        Self {
            disk,
            log,
            journal,
            packs,
            open: HashMap::new(),
            due: (EventSeq(0), HashMap::new()),
        }
    }

    /// Puts the personal values of an event in their places. One that was erased or lost stays
    /// absent: `verify` tells which it is.
    pub(super) fn reveal(
        &mut self,
        event: &mut Event,
        due: &Due,
        mut place_of: impl FnMut(&BlobId) -> Option<Place>,
    ) {
        for sealed in event.sealed.clone() {
            let id = &sealed.content;
            let bytes = self.in_journal(id).or_else(|| {
                let place = place_of(id).or_else(|| self.place_in_due(event.seq, due, id))?;
                self.in_pack(id, place)
            });
            if let Some(bytes) = bytes {
                disclosure::reveal(event, &sealed, &bytes);
            }
        }
    }

    fn in_journal(&self, id: &BlobId) -> Option<Vec<u8>> {
        let place = self.journal.place(id)?;
        let plain = plain_in_journal(self.log, id, &place).ok()?;
        Some(plain.bytes)
    }

    fn in_pack(&mut self, id: &BlobId, place: Place) -> Option<Vec<u8>> {
        let reader = self.pack(place.pack)?;
        let plain = reader.read_plain(PackOffset(place.offset), place.len, id);
        plain.ok().map(|plain| plain.bytes)
    }

    fn pack(&mut self, id: PackId) -> Option<&PackReader> {
        if !self.open.contains_key(&id) {
            if self.open.len() >= OPEN_PACKS {
                self.open.clear();
            }
            let path = &self.packs.get(&id)?.path;
            let reader = PackReader::open(&**self.disk, path).ok()?;
            self.open.insert(id, reader);
        }
        self.open.get(&id)
    }

    /// Finds a disclosure in the packs of its seal, which are placed only after the last event of
    /// that seal.
    fn place_in_due(&mut self, seq: EventSeq, due: &Due, id: &BlobId) -> Option<Place> {
        let (last, packs) = due.range(seq..).next()?;
        if self.due.0 != *last {
            let mut places = HashMap::new();
            for pack in packs {
                let file = self.packs.get(pack);
                if file.is_none_or(|file| !is_personal(&file.class)) {
                    continue;
                }
                let Some(reader) = self.pack(*pack) else {
                    continue;
                };
                let listed = reader.listed().or_else(|_| reader.salvage());
                for entry in blobs(listed.unwrap_or_default()) {
                    let place = Place {
                        pack: *pack,
                        offset: entry.offset.0,
                        len: entry.len,
                    };
                    places.insert(entry.id, place);
                }
            }
            self.due = (*last, places);
        }
        self.due.1.get(id).copied()
    }
}
