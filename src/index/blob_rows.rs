//! The changed rows of blobs in an overlay: in a form that is cheap to clone, or in one that is
//! cheap to change.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::overlay::CowMap;
use super::rows::BlobRow;
use crate::id::BlobId;

/// The changed rows of blobs. `None` means that the row below was removed.
#[derive(Debug, Clone)]
pub(super) enum BlobRows {
    /// Readers get clones while the writer continues.
    Shared(CowMap<BlobId, Option<BlobRow>>),
    /// Nobody reads before the index is made.
    Alone(Box<Alone>),
}

/// The rows of an index that is being made, and what is known of those already in the tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Alone {
    rows: HashMap<BlobId, Option<BlobRow>, BuildHasherDefault<Digest>>,
    written: Written,
}

impl Default for BlobRows {
    fn default() -> Self {
        Self::Shared(CowMap::default())
    }
}

impl BlobRows {
    /// Returns rows over tables that have none yet. A clone of them costs as much as they take.
    pub(super) fn alone() -> Self {
        Self::Alone(Box::default())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Shared(rows) => rows.len(),
            Self::Alone(alone) => alone.rows.len(),
        }
    }

    pub(super) fn get(&self, id: &BlobId) -> Option<&Option<BlobRow>> {
        match self {
            Self::Shared(rows) => rows.get(id),
            Self::Alone(alone) => alone.rows.get(id),
        }
    }

    /// Inserts a row. Returns true when it replaces none.
    pub(super) fn insert(&mut self, id: BlobId, row: Option<BlobRow>) -> bool {
        let before = match self {
            Self::Shared(rows) => rows.insert(id, row),
            Self::Alone(alone) => alone.rows.insert(id, row),
        };
        before.is_none()
    }

    /// Returns true when the tables below certainly have no row of this blob.
    pub(super) fn is_new_below(&self, id: &BlobId) -> bool {
        match self {
            Self::Shared(_) => false,
            Self::Alone(alone) => !alone.written.may_have(id.as_bytes()),
        }
    }

    /// Returns the rows to continue with once these are in the tables.
    pub(super) fn after_writing(&mut self) -> Self {
        match std::mem::take(self) {
            Self::Shared(_) => Self::default(),
            Self::Alone(mut alone) => {
                for id in alone.rows.keys() {
                    alone.written.note(id.as_bytes());
                }
                alone.rows.clear();
                Self::Alone(alone)
            }
        }
    }

    /// Returns the rows in the order of their ids.
    pub(super) fn iter_ordered(&self) -> impl Iterator<Item = (&BlobId, &Option<BlobRow>)> {
        let (shared, alone) = match self {
            Self::Shared(rows) => (Some(rows.iter()), Vec::new()),
            Self::Alone(alone) => {
                let mut rows: Vec<_> = alone.rows.iter().collect();
                rows.sort_unstable_by_key(|(id, _)| *id);
                (None, rows)
            }
        };
        shared.into_iter().flatten().chain(alone)
    }
}

/// Digests are as good as hashed already.
#[derive(Debug, Default)]
pub(super) struct Digest(u64);

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // A digest is preceded by its length, which would leave nothing of it if it came last.
        if let Some(head) = bytes.first_chunk() {
            self.0 ^= u64::from_le_bytes(*head);
        }
    }
}

/// Remembers digests in little room: it never denies one that it was told, but may claim one that
/// it was not.
#[derive(Debug, Clone, Default)]
struct Written {
    /// Empty until the first digest.
    bits: Vec<u64>,
}

/// 8 MiB. Of ten million digests that are new, one in twenty is looked up in vain.
const WRITTEN_BITS: u32 = 26;

impl Written {
    fn note(&mut self, digest: &[u8; 32]) {
        if self.bits.is_empty() {
            self.bits = vec![0; 1 << (WRITTEN_BITS - 6)];
        }
        for bit in bits_of(digest) {
            self.bits[bit >> 6] |= 1 << (bit & 63);
        }
    }

    fn may_have(&self, digest: &[u8; 32]) -> bool {
        let is_set = |bit: usize| self.bits[bit >> 6] >> (bit & 63) & 1 == 1;
        !self.bits.is_empty() && bits_of(digest).all(is_set)
    }
}

/// Returns the numbers of the bits of a digest.
fn bits_of(digest: &[u8; 32]) -> impl Iterator<Item = usize> + '_ {
    let (words, _) = digest.as_chunks::<4>();
    // The first word also chooses the place in the map of rows.
    let words = words[2..6].iter().map(|word| u32::from_le_bytes(*word));
    words.map(|word| (word >> (u32::BITS - WRITTEN_BITS)) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(nth: u32) -> BlobId {
        BlobId::of(&nth.to_le_bytes())
    }

    /// What is in the tables must be looked up there: a count that began at nothing again would
    /// free content that is needed.
    #[test]
    fn rows_that_were_written_are_never_taken_for_new_ones() {
        let mut rows = BlobRows::alone();
        for nth in 0..5_000 {
            assert!(rows.is_new_below(&id(nth)));
            assert!(rows.insert(id(nth), Some(BlobRow::default())));
        }
        assert!(rows.iter_ordered().is_sorted_by_key(|(id, _)| *id));
        assert_eq!((rows.len(), rows.iter_ordered().count()), (5_000, 5_000));
        let next = rows.after_writing();
        assert_eq!((next.len(), next.get(&id(7))), (0, None));
        assert!((0..5_000).all(|nth| !next.is_new_below(&id(nth))));
        let new = (5_000..10_000).filter(|nth| next.is_new_below(&id(*nth)));
        assert!(new.count() > 4_900);
    }

    #[test]
    fn rows_that_readers_see_are_looked_up_below() {
        let mut rows = BlobRows::default();
        assert!(rows.insert(id(1), None));
        assert!(!rows.insert(id(1), None));
        assert_eq!(rows.get(&id(1)), Some(&None));
        assert!(!rows.is_new_below(&id(2)));
        assert_eq!(rows.after_writing().len(), 0);
    }
}
