//! State newer than the tables: the complete current row of everything that changed since the last
//! checkpoint.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::blob_rows::BlobRows;
use super::marks::NewRow;
use super::rows::{
    ActorRow, BlobRow, ConverterRow, DisclosureRow, EntryRow, HoldRow, JobRow, LockRow, PackState,
    PendingPurgeRow, PromotionsRow, QueuedRow, Totals, ViewRow,
};
use crate::id::{BlobId, ConverterId, EntryId, EventSeq, JobId, PackId};

/// The complete current rows of everything that changed since the last checkpoint. A row here
/// replaces the row below it.
///
/// Cloning is cheap, and a clone does not see later changes. A reader gets a clone while the writer
/// continues.
#[derive(Debug, Clone)]
pub(crate) struct Overlay {
    pub(super) applied: EventSeq,
    pub(super) entries: CowMap<EntryId, NewRow>,
    /// In this and the other maps, `None` means that the row below was removed.
    pub(super) blobs: BlobRows,
    pub(super) children: CowMap<BlobId, Option<Arc<[BlobId]>>>,
    pub(super) keys: CowMap<KeyDigest, Option<EntryId>>,
    pub(super) submissions: CowMap<QueuePlace, Queued>,
    /// The disclosures of entries with personal fields.
    pub(super) disclosures: CowMap<EntryId, Arc<[DisclosureRow]>>,
    /// Events about evidence, by list; see `tables`.
    pub(super) evidence: CowMap<u64, ()>,
    pub(super) small: Arc<SmallTables>,
    pub(super) totals: Totals,
    weight: usize,
    /// The part of the weight that blobs, children and idempotency keys take.
    scattered_weight: usize,
}

/// The position of a report in the queue. Reports of earlier events come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueuePlace {
    /// The event that queued it.
    pub(crate) queued: EventSeq,
    /// The index of the report among the reports of its attempt, from 0.
    pub(crate) report: u32,
}

/// A change of the queue: a report that entered it, or one that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queued {
    /// The converter that made the report.
    pub(super) converter: Arc<str>,
    pub(super) row: Option<QueuedRow>,
}

/// Tables that hold few rows.
#[derive(Debug, Clone, Default)]
pub(super) struct SmallTables {
    pub(super) packs: BTreeMap<PackId, Option<PackState>>,
    pub(super) converters: BTreeMap<ConverterId, ConverterRow>,
    pub(super) converter_names: BTreeMap<String, ConverterId>,
    pub(super) promotions: BTreeMap<String, PromotionsRow>,
    pub(super) jobs: BTreeMap<JobId, JobRow>,
    pub(super) config: BTreeMap<String, Option<String>>,
    pub(super) holds: BTreeMap<String, Option<Arc<HoldRow>>>,
    /// Purges that can be undone, by plan.
    pub(super) pending_purges: BTreeMap<String, Option<Arc<PendingPurgeRow>>>,
    /// Saved views.
    pub(super) views: BTreeMap<String, Option<ViewRow>>,
    pub(super) counters: BTreeMap<CounterKey, Counter>,
    /// Content that a repair gave up, with the event that says so.
    pub(super) losses: BTreeMap<BlobId, EventSeq>,
    /// Events whose leaves cannot be read, with the repair that declares them unreadable, if one
    /// does.
    pub(super) unreadable: BTreeMap<EventSeq, Option<EventSeq>>,
    /// Pseudonyms of accounts.
    pub(super) actors: BTreeMap<String, ActorRow>,
    /// The personal fields, if they were declared since.
    pub(super) personal: Option<PersonalFields>,
    /// The retention locks, if one was placed or removed since.
    pub(super) locks: Option<Arc<[LockRow]>>,
}

/// The personal fields as they were declared, each with the event since which it is personal
/// without a break.
pub(crate) type PersonalFields = Arc<[(String, EventSeq)]>;

/// The properties that entries are grouped by when they are counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CounterKey {
    /// The day of archiving in UTC, counted from 1970.
    pub(super) day: i64,
    /// The index in [`Status::ALL`](crate::entry::Status::ALL).
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
    /// Returns an overlay without changes over the state whose newest event is `applied` and whose
    /// sums are `totals`.
    pub(super) fn over(applied: EventSeq, totals: Totals) -> Self {
        Self {
            applied,
            entries: CowMap::default(),
            blobs: BlobRows::default(),
            children: CowMap::default(),
            keys: CowMap::default(),
            submissions: CowMap::default(),
            disclosures: CowMap::default(),
            evidence: CowMap::default(),
            small: Arc::default(),
            totals,
            weight: 0,
            scattered_weight: 0,
        }
    }

    /// Keeps the rows of blobs in a form that is cheaper to change. For an index that is made from
    /// nothing: its tables must be empty, and a clone of the overlay costs as much as it takes.
    pub(crate) fn begin_alone(&mut self) {
        self.blobs = BlobRows::alone();
    }

    /// Returns the newest event that is folded in.
    pub(crate) fn applied(&self) -> EventSeq {
        self.applied
    }

    /// Returns the declaration of personal fields that is in force; 0 means none.
    pub(crate) fn newest_privacy(&self) -> EventSeq {
        EventSeq(self.totals.newest_privacy)
    }

    /// Returns roughly how many bytes of memory the overlay takes; the writer starts a checkpoint
    /// before this grows large.
    pub(crate) fn weight(&self) -> usize {
        self.weight + self.scattered_weight
    }

    /// Returns the part of the weight that rows with unordered keys take: blobs, their children,
    /// and idempotency keys.
    pub(super) fn scattered_weight(&self) -> usize {
        self.scattered_weight
    }

    /// Moves the rows with unordered keys out of `other` into this overlay, which has none yet.
    pub(super) fn take_scattered(&mut self, other: &mut Self) {
        self.blobs = std::mem::take(&mut other.blobs);
        self.children = std::mem::take(&mut other.children);
        self.keys = std::mem::take(&mut other.keys);
        self.scattered_weight = std::mem::take(&mut other.scattered_weight);
    }

    /// Continues after the rows with unordered keys of `other` were written to the tables.
    pub(super) fn go_on_after(&mut self, other: &mut Self) {
        self.blobs = other.blobs.after_writing();
    }

    /// Returns how many entries have a row in the overlay. Every search looks at each of them, so a
    /// checkpoint is due at about 10,000.
    pub(crate) fn changed_entries(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn put_entry(&mut self, id: EntryId, row: &EntryRow<'_>) {
        const NODE_BYTES: usize = 80;
        let row = NewRow::of(row);
        self.weight += row.bytes.len() + NODE_BYTES;
        self.entries.insert(id, row);
    }

    pub(super) fn put_blob(&mut self, id: BlobId, row: Option<BlobRow>) {
        const ROW_BYTES: usize = 150;
        if self.blobs.insert(id, row) {
            self.scattered_weight += ROW_BYTES;
        }
    }

    pub(super) fn put_children(&mut self, id: BlobId, children: Option<Arc<[BlobId]>>) {
        self.scattered_weight += 64 + children.as_ref().map_or(0, |list| list.len() * 32);
        self.children.insert(id, children);
    }

    pub(super) fn put_key(&mut self, key: KeyDigest, id: EntryId) {
        self.scattered_weight += 64;
        self.keys.insert(key, Some(id));
    }

    pub(super) fn remove_key(&mut self, key: KeyDigest) {
        self.scattered_weight += 64;
        self.keys.insert(key, None);
    }

    pub(super) fn put_disclosures(&mut self, id: EntryId, rows: Vec<DisclosureRow>) {
        const ROW_BYTES: usize = 160;
        self.weight += rows.len() * ROW_BYTES;
        self.disclosures.insert(id, rows.into());
    }

    pub(super) fn put_evidence(&mut self, key: u64) {
        const ROW_BYTES: usize = 16;
        self.weight += ROW_BYTES;
        self.evidence.insert(key, ());
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

/// The most rows of a chunk. A writer copies a chunk once after each clone of the map, so chunks
/// are short, but not so short that cloning the list of them costs more.
const CHUNK_ROWS_MAX: usize = 64;

/// An ordered map, cut into chunks of neighbouring rows. Clones share a chunk until one of them
/// writes to it.
#[derive(Debug, Clone)]
pub(super) struct CowMap<K, V> {
    /// Each chunk by the key of its first row. No chunk is empty.
    chunks: BTreeMap<K, Arc<Vec<(K, V)>>>,
    len: usize,
}

impl<K, V> Default for CowMap<K, V> {
    fn default() -> Self {
        Self {
            chunks: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<K: Ord + Copy, V: Clone> CowMap<K, V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let (_, chunk) = self.chunks.range(..=key).next_back()?;
        let at = chunk.binary_search_by(|(row, _)| row.cmp(key)).ok()?;
        Some(&chunk[at].1)
    }

    /// Inserts a value and returns the value it replaces.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let is_in_last = self
            .chunks
            .last_key_value()
            .is_some_and(|(last, _)| *last <= key);
        let Some((_, chunk)) = self.chunks.range_mut(..=key).next_back() else {
            self.insert_first(key, value);
            return None;
        };
        let at = match chunk.binary_search_by(|(row, _)| row.cmp(&key)) {
            Ok(at) => {
                let row = &mut Arc::make_mut(chunk)[at].1;
                return Some(std::mem::replace(row, value));
            }
            Err(at) => at,
        };
        self.len += 1;
        if chunk.len() < CHUNK_ROWS_MAX {
            insert_into(chunk, at, (key, value));
            return None;
        }
        if is_in_last && at == chunk.len() {
            // Keys that ascend fill one chunk after the other.
            self.chunks.insert(key, Arc::new(vec![(key, value)]));
            return None;
        }
        let rows = Arc::make_mut(chunk);
        let mut above = rows.split_off(rows.len() / 2);
        if at <= rows.len() {
            rows.insert(at, (key, value));
        } else {
            above.insert(at - rows.len(), (key, value));
        }
        self.chunks.insert(above[0].0, Arc::new(above));
        None
    }

    /// Inserts a key that is less than all others.
    fn insert_first(&mut self, key: K, value: V) {
        self.len += 1;
        let chunk = match self.chunks.first_entry() {
            Some(first) if first.get().len() < CHUNK_ROWS_MAX => {
                let mut chunk = first.remove();
                insert_into(&mut chunk, 0, (key, value));
                chunk
            }
            _ => Arc::new(vec![(key, value)]),
        };
        self.chunks.insert(key, chunk);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let rows = self.chunks.values().flat_map(|chunk| chunk.iter());
        rows.map(|(key, value)| (key, value))
    }

    pub(super) fn range(&self, keys: RangeInclusive<K>) -> impl Iterator<Item = (&K, &V)> {
        let (start, end) = keys.into_inner();
        let before = self.chunks.range(..start).next_back();
        // The chunk before the first may reach into the range.
        let from = before.map_or(start, |(first, _)| *first);
        let within = (from <= end).then(|| self.chunks.range(from..=end));
        let rows = within
            .into_iter()
            .flatten()
            .flat_map(|(_, chunk)| chunk.iter());
        rows.filter(move |(key, _)| (start..=end).contains(key))
            .map(|(key, value)| (key, value))
    }
}

/// Inserts a row into a chunk, which is copied if it is shared: once, with room for the row.
fn insert_into<Row: Clone>(chunk: &mut Arc<Vec<Row>>, at: usize, row: Row) {
    match Arc::get_mut(chunk) {
        Some(rows) => rows.insert(at, row),
        None => {
            let mut rows = Vec::with_capacity(CHUNK_ROWS_MAX);
            rows.extend_from_slice(&chunk[..at]);
            rows.push(row);
            rows.extend_from_slice(&chunk[at..]);
            *chunk = Arc::new(rows);
        }
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

    /// Whatever the order of keys, the map is the one that a plain map would be, and so is each
    /// clone that was made on the way.
    #[test]
    fn keys_in_any_order_are_kept_as_a_plain_map_keeps_them() {
        type Order = fn(u64) -> u64;
        let orders: [Order; 4] = [
            |nth| nth,
            |nth| 1_000 - nth,
            |nth| nth * 7_919 % 1_009,
            |nth| nth / 3,
        ];
        for order in orders {
            let (mut map, mut plain) = (CowMap::default(), BTreeMap::new());
            let mut earlier = Vec::new();
            for nth in 0..1_000 {
                let key = EntryId(order(nth));
                assert_eq!(map.insert(key, nth), plain.insert(key, nth));
                if nth % 97 == 0 {
                    earlier.push((map.clone(), plain.clone()));
                }
            }
            earlier.push((map, plain));
            for (map, plain) in earlier {
                assert_eq!(map.len(), plain.len());
                assert!(map.iter().eq(plain.iter()));
                for key in (0..1_100).map(EntryId) {
                    assert_eq!(map.get(&key), plain.get(&key));
                    for end in [key, EntryId(key.0 + 40), EntryId(key.0.saturating_sub(1))] {
                        let found = map.range(key..=end);
                        assert!(found.eq(plain.iter().filter(|(id, _)| (key..=end).contains(id))));
                    }
                }
            }
        }
    }
}
