//! State newer than the tables: the whole current row of everything that changed since the last
//! checkpoint.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::rows::{BlobRow, ConverterRow, HoldRow, JobRow, PackState, QueuedRow, Totals};
use crate::id::{BlobId, ConverterId, EntryId, EventSeq, JobId, PackId};

/// Whole current rows of whatever changed since the last checkpoint. A row in it replaces the one
/// below it.
///
/// Cloning is cheap, and a clone does not see later changes: that is how a reader gets its view
/// while the writer goes on.
#[derive(Debug, Clone)]
pub(crate) struct Overlay {
    pub(super) applied: EventSeq,
    pub(super) entries: CowMap<EntryId, Arc<[u8]>>,
    /// `None` in this and the other maps: there was a row, and it is gone.
    pub(super) blobs: CowMap<BlobId, Option<BlobRow>>,
    pub(super) children: CowMap<BlobId, Option<Arc<[BlobId]>>>,
    pub(super) keys: CowMap<KeyDigest, EntryId>,
    pub(super) submissions: CowMap<QueuePlace, Queued>,
    pub(super) small: Arc<SmallTables>,
    pub(super) totals: Totals,
    weight: usize,
    /// The part of blobs, children and keys in it.
    scattered_weight: usize,
}

/// Where a report stands in the queue: behind what earlier events put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueuePlace {
    /// The event that queued it.
    pub(crate) queued: EventSeq,
    /// Which report of the attempt, from 0.
    pub(crate) report: u32,
}

/// A place in the queue, taken or left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queued {
    /// Whose queue it is.
    pub(super) converter: Arc<str>,
    pub(super) row: Option<QueuedRow>,
}

/// Tables that hold few rows.
#[derive(Debug, Clone, Default)]
pub(super) struct SmallTables {
    pub(super) packs: BTreeMap<PackId, Option<PackState>>,
    pub(super) converters: BTreeMap<ConverterId, ConverterRow>,
    pub(super) converter_names: BTreeMap<String, ConverterId>,
    pub(super) jobs: BTreeMap<JobId, JobRow>,
    pub(super) config: BTreeMap<String, Option<String>>,
    pub(super) holds: BTreeMap<String, Option<Arc<HoldRow>>>,
    pub(super) counters: BTreeMap<CounterKey, Counter>,
    /// Content a repair gave up, with the event that says so.
    pub(super) losses: BTreeMap<BlobId, EventSeq>,
    /// Events whose leaves cannot be read, with the repair that says so.
    pub(super) unreadable: BTreeMap<EventSeq, Option<EventSeq>>,
}

/// What entries are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CounterKey {
    /// Of archiving, since 1970 in UTC.
    pub(super) day: i64,
    /// Place in [`Status::ALL`](crate::entry::Status::ALL).
    pub(super) status: u8,
    pub(super) purged: bool,
    pub(super) converter: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counter {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// The first bytes of the BLAKE3 of an idempotency key.
pub(super) type KeyDigest = [u8; 16];

pub(super) fn key_digest(key: &str) -> KeyDigest {
    let mut digest = KeyDigest::default();
    digest.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    digest
}

impl Overlay {
    /// Nothing changed since the state whose newest event is `applied` and whose sums are `totals`.
    pub(super) fn over(applied: EventSeq, totals: Totals) -> Self {
        Self {
            applied,
            entries: CowMap::default(),
            blobs: CowMap::default(),
            children: CowMap::default(),
            keys: CowMap::default(),
            submissions: CowMap::default(),
            small: Arc::default(),
            totals,
            weight: 0,
            scattered_weight: 0,
        }
    }

    /// Returns the newest event folded in.
    pub(crate) fn applied(&self) -> EventSeq {
        self.applied
    }

    /// Roughly how many bytes of memory it takes; a checkpoint is due before this is felt.
    pub(crate) fn weight(&self) -> usize {
        self.weight + self.scattered_weight
    }

    /// Returns the part of it that rows take whose keys come in no order: blobs, their children,
    /// and idempotency keys.
    pub(super) fn scattered_weight(&self) -> usize {
        self.scattered_weight
    }

    /// Takes those rows out of `other`; this overlay has none yet.
    pub(super) fn take_scattered(&mut self, other: &mut Self) {
        self.blobs = std::mem::take(&mut other.blobs);
        self.children = std::mem::take(&mut other.children);
        self.keys = std::mem::take(&mut other.keys);
        self.scattered_weight = std::mem::take(&mut other.scattered_weight);
    }

    /// Returns how many entries have a row in it. Each is looked at by every search, so a
    /// checkpoint is due by 10,000 or so.
    pub(crate) fn changed_entries(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn put_entry(&mut self, id: EntryId, row: Vec<u8>) {
        const NODE_BYTES: usize = 48;
        self.weight += row.len() + NODE_BYTES;
        self.entries.insert(id, row.into());
    }

    pub(super) fn put_blob(&mut self, id: BlobId, row: Option<BlobRow>) {
        const ROW_BYTES: usize = 120;
        if self.blobs.insert(id, row).is_none() {
            self.scattered_weight += ROW_BYTES;
        }
    }

    pub(super) fn put_children(&mut self, id: BlobId, children: Option<Arc<[BlobId]>>) {
        self.scattered_weight += 64 + children.as_ref().map_or(0, |list| list.len() * 32);
        self.children.insert(id, children);
    }

    pub(super) fn put_key(&mut self, key: KeyDigest, id: EntryId) {
        self.scattered_weight += 64;
        self.keys.insert(key, id);
    }

    pub(super) fn put_submission(&mut self, place: QueuePlace, queued: Queued) {
        const ROW_BYTES: usize = 120;
        if self.submissions.insert(place, queued).is_none() {
            self.weight += ROW_BYTES;
        }
    }

    pub(super) fn small_mut(&mut self) -> &mut SmallTables {
        Arc::make_mut(&mut self.small)
    }
}

/// An ordered map cut into shards that clones share until one of them is written to.
#[derive(Debug, Clone)]
pub(super) struct CowMap<K, V> {
    shards: BTreeMap<u64, Arc<BTreeMap<K, V>>>,
    len: usize,
}

/// Which shard a key is in. Keys of a later shard are greater.
pub(super) trait Sharded: Ord + Clone {
    fn shard(&self) -> u64;
}

impl Sharded for EntryId {
    fn shard(&self) -> u64 {
        self.0 >> 8
    }
}

impl Sharded for QueuePlace {
    fn shard(&self) -> u64 {
        self.queued.0 >> 8
    }
}

impl Sharded for BlobId {
    fn shard(&self) -> u64 {
        u64::from(self.as_bytes()[0])
    }
}

impl Sharded for KeyDigest {
    fn shard(&self) -> u64 {
        u64::from(self[0])
    }
}

impl<K, V> Default for CowMap<K, V> {
    fn default() -> Self {
        Self {
            shards: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<K: Sharded, V: Clone> CowMap<K, V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.shards.get(&key.shard())?.get(key)
    }

    /// Returns what was there before.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let shard = self.shards.entry(key.shard()).or_default();
        let before = Arc::make_mut(shard).insert(key, value);
        self.len += usize::from(before.is_none());
        before
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.values().flat_map(|shard| shard.iter())
    }

    pub(super) fn range(&self, keys: RangeInclusive<K>) -> impl Iterator<Item = (&K, &V)> {
        self.shards
            .range(keys.start().shard()..=keys.end().shard())
            .flat_map(move |(_, shard)| shard.range(keys.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_does_not_see_what_is_written_later() {
        let mut map = CowMap::default();
        for id in [700, 1, 300] {
            map.insert(EntryId(id), id);
        }
        let before = map.clone();
        map.insert(EntryId(300), 9);
        map.insert(EntryId(2), 2);
        assert_eq!(before.get(&EntryId(300)), Some(&300));
        assert_eq!((before.len(), map.len()), (3, 4));
        let ids: Vec<u64> = map.iter().map(|(id, _)| id.0).collect();
        assert_eq!(ids, [1, 2, 300, 700]);
        let ids: Vec<u64> = map
            .range(EntryId(2)..=EntryId(300))
            .map(|(id, _)| id.0)
            .collect();
        assert_eq!(ids, [2, 300]);
    }
}
