//! Computes what content takes on disk, and what of it is freed when entries are purged.
//!
//! Content that several entries share takes its place once, and is freed with the last of them.

use std::collections::{BTreeMap, HashMap};

use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::reclaimable::{choose_packs, dead};
use crate::entry::{Entry, Part};
use crate::format::pack::{FOOTER_ENTRY_BYTES, PACK_HEADER_BYTES, PACK_TRAILER_BYTES};
use crate::id::{BlobId, PackId};
use crate::index::{BlobRow, PackRow, View};
use crate::{Error, ErrorKind, Result};

/// Sizes of content: its record, and its share of what its pack holds beside records. The shares of
/// all content of a pack add up to the bytes of its file.
pub(in crate::archive) struct Sizes<'a> {
    journal: &'a JournalBlobs,
    view: &'a View,
    packs: BTreeMap<PackId, PackRow>,
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lies {
    InPack { pack: PackId, record: u64 },
    InJournal,
    Nowhere,
}

impl<'a> Sizes<'a> {
    pub(in crate::archive) fn new(journal: &'a JournalBlobs, view: &'a View) -> Result<Self> {
        let packs = view.packs()?.into_iter().map(|pack| (pack.id, pack));
        Ok(Self {
            journal,
            view,
            packs: packs.collect(),
        })
    }

    /// Returns the bytes of all packs and of all content in the journal.
    pub(in crate::archive) fn of_everything(&self) -> u64 {
        let packs: u64 = self.packs.values().map(|pack| pack.bytes).sum();
        packs.saturating_add(self.journal.bytes())
    }

    fn of(&self, id: &BlobId, row: &BlobRow) -> (u64, Lies) {
        if let Some(place) = row.place {
            let record = u64::from(place.len);
            let around = self.packs.get(&place.pack).map_or(0, around_each);
            let pack = place.pack;
            return (record + around, Lies::InPack { pack, record });
        }
        match self.journal.place(id) {
            Some(place) => (u64::from(place.bytes), Lies::InJournal),
            None => (0, Lies::Nowhere),
        }
    }
}

/// Returns the share of each piece of content in what a pack holds beside records.
fn around_each(pack: &PackRow) -> u64 {
    let around = (PACK_HEADER_BYTES + PACK_TRAILER_BYTES) as u64 + pack.dictionary_bytes;
    FOOTER_ENTRY_BYTES as u64 + around.div_ceil(pack.blobs.max(1))
}

/// Counts the entries that need each content, while entries are added or removed one after the
/// other.
pub(in crate::archive) struct Needs<'a> {
    sizes: &'a Sizes<'a>,
    /// Entries that still need a content. Content that is not listed is needed by all entries that
    /// the index counts.
    left: HashMap<BlobId, u32>,
    gone: Gone,
}

/// What was freed so far.
#[derive(Debug, Default)]
struct Gone {
    /// Records and their bytes, by pack.
    packs: BTreeMap<PackId, (u64, u64)>,
    journal_bytes: u64,
}

impl<'a> Needs<'a> {
    /// Begins with all entries of the store.
    pub(in crate::archive) fn of_all(sizes: &'a Sizes<'a>) -> Self {
        Self {
            sizes,
            left: HashMap::new(),
            gone: Gone::default(),
        }
    }

    /// Adds an entry, and returns the bytes that no entry before it took.
    ///
    /// A counter that entries are added to is asked about these entries only.
    pub(in crate::archive) fn add(&mut self, entry: &Entry) -> Result<u64> {
        let mut bytes = 0;
        for (blob, _) in entry.contents_left() {
            bytes += self.acquire(blob)?;
        }
        Ok(bytes)
    }

    /// Removes what is left of an entry or of a part of it, and returns the bytes that are freed
    /// with it. Parts that are removed one after the other must not overlap.
    pub(in crate::archive) fn remove(&mut self, entry: &Entry, part: Part) -> Result<u64> {
        let mut freed = 0;
        for (blob, _) in entry.contents_of(part) {
            freed += self.release(blob)?;
        }
        Ok(freed)
    }

    fn acquire(&mut self, blob: BlobId) -> Result<u64> {
        let Some(row) = self.sizes.view.blob(&blob)? else {
            return Ok(0);
        };
        // Content with one reference is needed by this entry alone, and takes no place in the map.
        if row.refs > 1 {
            let count = self.left.entry(blob).or_insert(0);
            *count += 1;
            if *count > 1 {
                return Ok(0);
            }
        }
        let (mut bytes, _) = self.sizes.of(&blob, &row);
        for part in self.sizes.view.children(&blob)?.iter() {
            bytes += self.acquire(*part)?;
        }
        Ok(bytes)
    }

    pub(in crate::archive) fn release(&mut self, blob: BlobId) -> Result<u64> {
        let Some(row) = self.sizes.view.blob(&blob)? else {
            return Ok(0);
        };
        let left = self.left.entry(blob).or_insert(row.refs);
        *left = left
            .checked_sub(1)
            .ok_or_else(|| does_not_add_up("more entries need a content than are counted"))?;
        if *left > 0 {
            return Ok(0);
        }
        let (mut freed, lies) = self.sizes.of(&blob, &row);
        match lies {
            Lies::InPack { pack, record } => {
                let (records, bytes) = self.gone.packs.entry(pack).or_default();
                *records += 1;
                *bytes += record;
            }
            Lies::InJournal => self.gone.journal_bytes += freed,
            Lies::Nowhere => {}
        }
        for part in self.sizes.view.children(&blob)?.iter() {
            freed += self.release(*part)?;
        }
        Ok(freed)
    }

    /// Returns what the store shrinks by at once when the removed entries are purged: packs worth
    /// compacting, with what was dead in them before, and content in the journal.
    pub(in crate::archive) fn freed_at_once(&self) -> Result<u64> {
        let after = |pack: &PackRow| {
            let (records, bytes) = self.gone.packs.get(&pack.id).copied().unwrap_or_default();
            let less = || does_not_add_up("more is alive in a pack than is counted");
            Ok(PackRow {
                live_blobs: pack.live_blobs.checked_sub(records).ok_or_else(less)?,
                live_bytes: pack.live_bytes.checked_sub(bytes).ok_or_else(less)?,
                ..pack.clone()
            })
        };
        let packs: Result<Vec<PackRow>> = self.sizes.packs.values().map(after).collect();
        let freed: u64 = choose_packs(&packs?).iter().map(dead).sum();
        Ok(freed + self.gone.journal_bytes)
    }
}

/// Makes the error for counts of the index that contradict each other.
fn does_not_add_up(how: &str) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("the index does not add up: {how}"),
    )
    .hint("rebuild the index with 'annals rebuild'")
}
