//! Which blobs have their bytes in the journal, and where.

use std::collections::HashMap;
use std::sync::RwLock;

use crate::id::BlobId;
use crate::log::JournalPlace;

/// The blobs whose bytes are in the journal.
#[derive(Default)]
pub(in crate::archive) struct JournalBlobs {
    places: RwLock<HashMap<BlobId, JournalPlace>>,
}

impl JournalBlobs {
    /// Begins with the blobs that an opening found in the journal.
    pub(in crate::archive) fn new(places: HashMap<BlobId, JournalPlace>) -> Self {
        Self {
            places: RwLock::new(places),
        }
    }

    /// Returns where in the journal a blob lies.
    pub(in crate::archive) fn place(&self, id: &BlobId) -> Option<JournalPlace> {
        let places = self.places.read().expect("no panic while held");
        places.get(id).copied()
    }

    /// Returns true when a blob lies in the journal.
    pub(in crate::archive) fn contains(&self, id: &BlobId) -> bool {
        self.place(id).is_some()
    }

    /// Returns all blobs in the journal, in no order.
    pub(in crate::archive) fn ids(&self) -> Vec<BlobId> {
        let places = self.places.read().expect("no panic while held");
        places.keys().copied().collect()
    }

    /// Returns the bytes of all records in the journal.
    pub(in crate::archive) fn bytes(&self) -> u64 {
        let places = self.places.read().expect("no panic while held");
        places.values().map(|place| u64::from(place.bytes)).sum()
    }

    /// Adds the blobs of a durable group. Of two places of one blob the later one counts.
    pub(in crate::archive) fn add(&self, blobs: Vec<(BlobId, JournalPlace)>) {
        if blobs.is_empty() {
            return;
        }
        let mut places = self.places.write().expect("no panic while held");
        places.extend(blobs);
    }

    /// Forgets the blobs of one generation of a journal file.
    pub(in crate::archive) fn forget(&self, slot: u32, generation: u64) {
        let mut places = self.places.write().expect("no panic while held");
        places.retain(|_, place| (place.slot, place.generation) != (slot, generation));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(slot: u32, generation: u64, bytes: u32) -> JournalPlace {
        JournalPlace {
            slot,
            generation,
            offset: 4096,
            bytes,
        }
    }

    /// A journal file is used again under the next generation, while blobs of the last one are
    /// still being forgotten.
    #[test]
    fn a_generation_that_is_forgotten__takes_no_other_along() {
        let [old, kept, elsewhere] = [b"a", b"b", b"c"].map(|content| BlobId::of(content));
        let blobs = JournalBlobs::default();
        blobs.add(vec![(old, place(0, 1, 10)), (elsewhere, place(1, 1, 30))]);
        blobs.add(vec![(kept, place(0, 2, 20))]);
        assert_eq!(blobs.bytes(), 60);
        blobs.forget(0, 1);
        assert_eq!(blobs.place(&old), None);
        assert!(blobs.contains(&kept) && blobs.contains(&elsewhere));
        assert_eq!((blobs.bytes(), blobs.ids().len()), (50, 2));
    }

    #[test]
    fn a_blob_in_two_places__is_read_from_the_later_one() {
        let id = BlobId::of(b"a");
        let blobs = JournalBlobs::new(HashMap::from([(id, place(0, 1, 10))]));
        blobs.add(vec![(id, place(1, 1, 10))]);
        blobs.forget(0, 1);
        assert_eq!(blobs.place(&id), Some(place(1, 1, 10)));
    }
}
