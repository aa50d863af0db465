//! Queries a snapshot: everything acknowledged at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::Result;
use crate::archive::handle::Archive;
use crate::archive::state::reclaimable::{choose_packs, dead, unneeded_in_journal};
use crate::archive::state::store::Store;
use crate::entry::{Entry, Status};
use crate::format::pack::PackEffort;
use crate::id::{BlobId, EntryId, EventSeq, StoreId};
use crate::index::{CounterGroup, PackRow, View};
use crate::query::{Count, Cursor, Filter, Query, Sort};
use crate::time::Timestamp;

impl Archive {
    /// Takes a snapshot of everything acknowledged so far. Later events do not show in it.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::query::Filter;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let before = archive.snapshot()?;
    /// archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// assert_eq!(before.count(&Filter::default())?, 0);
    /// assert_eq!(archive.snapshot()?.count(&Filter::default())?, 1);
    /// # archive.close()
    /// # }
    /// ```
    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot {
            view: self.store().index.view(),
            store: Arc::clone(self.store()),
        })
    }
}

/// The store as it was at one event. Holding one for long keeps old index pages from being used
/// again.
pub struct Snapshot {
    view: View,
    store: Arc<Store>,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Page {
    /// The entries, in the order asked for.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// Sums over the whole store. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Entries that are not purged.
    pub entries: u64,
    /// Bytes of their sources, each counted as often as it was archived.
    pub sources_bytes: u64,
    /// Bytes of their sources and reports, each content counted once.
    pub unique_bytes: u64,
    /// Bytes that content takes on disk: packs, and records in the journal.
    pub stored_bytes: u64,
    /// Bytes of sealed events and of the journal files.
    pub log_bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Bytes that a compaction would free now, in packs and of content still in the journal.
    pub reclaimable_bytes: u64,
    /// Bytes of packs that were made quickly and get smaller when the store is compacted.
    pub quickly_packed_bytes: u64,
    /// `unique_bytes` by `stored_bytes`: how much smaller content became.
    pub ratio: f64,
    /// When the oldest entry was archived.
    pub oldest: Option<Timestamp>,
    /// When the newest entry was archived.
    pub newest: Option<Timestamp>,
    /// Entries that were purged.
    pub purged: u64,
    /// How many of them can come back: their purge can be undone.
    pub pending: u64,
    /// Entries of which only facts are kept. Their sources are not in `sources_bytes`.
    pub facts_only: u64,
    /// The entries by converter.
    pub converters: Vec<Group>,
    /// The entries by day of archiving, in UTC.
    pub days: Vec<Group>,
    /// The entries by status.
    pub statuses: Vec<Group>,
}

/// Entries that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Group {
    /// What they share: a converter's name, a day such as 2026-03-01, or a status.
    pub name: String,
    /// How many they are.
    pub entries: u64,
    /// Bytes of their sources.
    pub sources_bytes: u64,
    /// How many of them succeeded.
    pub success: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of them were not converted yet.
    pub pending: u64,
    /// How many of them were suspended, skipped or rejected.
    pub other: u64,
}

impl Snapshot {
    pub(in crate::archive) fn view(&self) -> &View {
        &self.view
    }

    pub(in crate::archive) fn store(&self) -> &Store {
        &self.store
    }

    pub(in crate::archive) fn store_id(&self) -> &StoreId {
        &self.store.id
    }

    /// Returns the newest event in the snapshot.
    pub fn at(&self) -> EventSeq {
        self.view.applied()
    }

    /// Returns an entry, purged or not.
    pub fn entry(&self, id: EntryId) -> Result<Option<Entry>> {
        Ok(self.view.entry(id)?)
    }

    /// Returns a page of the entries that a query selects.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::query::{Filter, Query};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.put(NewEntry::new("ICT").serial("SN1"), &b"content"[..])?;
    /// let query = Query::default().filter(Filter::default().serial("sn1")).limit(10);
    /// let page = archive.snapshot()?.query(&query)?;
    /// assert_eq!(page.entries.len(), 1);
    /// assert!(page.next.is_none());
    /// # archive.close()
    /// # }
    /// ```
    pub fn query(&self, query: &Query) -> Result<Page> {
        let page = self.view.query(query)?;
        Ok(Page {
            entries: page.entries,
            next: page.next,
        })
    }

    /// Returns the ids of all entries that a filter selects, in an order. Entries are read only for
    /// texts and file patterns, so millions of ids take a second or so; each takes 8 bytes.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::query::{Filter, Sort};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let first = archive.put(NewEntry::new("ICT"), &b"one"[..])?.id;
    /// let second = archive.put(NewEntry::new("ICT"), &b"two"[..])?.id;
    /// let filter = Filter::default().converter("ICT");
    /// assert_eq!(archive.snapshot()?.ids(&filter, Sort::default())?, [first, second]);
    /// # archive.close()
    /// # }
    /// ```
    pub fn ids(&self, filter: &Filter, sort: Sort) -> Result<Vec<EntryId>> {
        let query = Query::default()
            .filter(filter.clone())
            .sort(sort)
            .limit(None);
        Ok(self.view.ids(&query)?.0)
    }

    /// Counts the entries that a filter selects.
    pub fn count(&self, filter: &Filter) -> Result<u64> {
        Ok(self.view.count(filter)?)
    }

    /// Returns how many entries a filter selects, counting no further than `most`.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::query::Filter;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let archive = Archive::builder().create(dir.path().join("store"))?;
    /// for content in [&b"one"[..], b"two", b"three"] {
    ///     archive.put(NewEntry::new("ICT"), content)?;
    /// }
    /// let snapshot = archive.snapshot()?;
    /// assert_eq!(snapshot.count_up_to(&Filter::default(), 2)?.to_string(), "at least 2");
    /// assert_eq!(snapshot.count_up_to(&Filter::default(), 9)?.to_string(), "3");
    /// # archive.close()
    /// # }
    /// ```
    pub fn count_up_to(&self, filter: &Filter, most: u64) -> Result<Count> {
        let found = self.view.count_to(filter, most.saturating_add(1))?;
        Ok(Count {
            n: found.min(most),
            more: found > most,
        })
    }

    /// Finds entries by entry id, serial, part, file name or report id (whole, then as a beginning,
    /// in any letter case), by the beginning of a hash from 6 digits on, and by the end of a serial
    /// from 4 letters on.
    ///
    /// Best matches come first: whole, then beginnings, then ends; the newest first among equals.
    /// Purged entries are included.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let archived = archive.put(NewEntry::new("ICT").serial("SN1042"), &b"content"[..])?;
    /// for text in ["sn10", "1042"] {
    ///     let found = archive.snapshot()?.find(text, 20)?;
    ///     assert_eq!(found[0].id, archived.id);
    /// }
    /// # archive.close()
    /// # }
    /// ```
    pub fn find(&self, text: &str, limit: usize) -> Result<Vec<Entry>> {
        Ok(self.view.find(text, limit)?)
    }

    /// Returns the entries whose source has this content, purged ones included, the oldest first.
    ///
    /// Tells whether a file was archived before, without archiving it; costs one look-up by hash.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::id::BlobId;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let archived = archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// let snapshot = archive.snapshot()?;
    /// assert_eq!(snapshot.with_source(&BlobId::of(b"content"))?[0].id, archived.id);
    /// assert!(snapshot.with_source(&BlobId::of(b"other"))?.is_empty());
    /// # archive.close()
    /// # }
    /// ```
    pub fn with_source(&self, content: &BlobId) -> Result<Vec<Entry>> {
        Ok(self.view.with_source(content)?)
    }

    /// Returns the names of the converters that entries were archived for, purged entries included.
    pub fn converters(&self) -> Result<BTreeSet<String>> {
        let groups = self.view.stats()?.groups;
        Ok(groups.into_iter().map(|group| group.converter).collect())
    }

    /// Returns the bytes of packs that were made quickly. A pack whose header cannot be read does
    /// not count.
    fn quickly_packed(&self, packs: &[PackRow]) -> u64 {
        let is_quick = |pack: &&PackRow| {
            let made = self.store.packs.made(pack.id, &pack.class);
            made.is_ok_and(|made| made.effort != PackEffort::Small)
        };
        packs.iter().filter(is_quick).map(|pack| pack.bytes).sum()
    }

    /// Sums over the whole store.
    pub fn stats(&self) -> Result<Stats> {
        let counters = self.view.stats()?;
        let live = || counters.groups.iter().filter(|group| !group.purged);
        let packs = self.view.packs()?;
        let segments = self.store.log.segments();
        let sealed: u64 = segments.iter().map(|segment| segment.bytes()).sum();
        let stored_bytes = counters.pack_bytes + self.store.journal.bytes();
        let in_packs: u64 = choose_packs(&packs).iter().map(dead).sum();
        let unique_bytes = counters.unique_bytes;
        Ok(Stats {
            entries: live().map(|group| group.entries).sum(),
            sources_bytes: {
                let all: u64 = live().map(|group| group.bytes).sum();
                all.saturating_sub(counters.facts_bytes)
            },
            unique_bytes,
            stored_bytes,
            log_bytes: sealed + self.store.log.journal_bytes()?,
            index_bytes: self.store.index.file().bytes()?,
            reclaimable_bytes: in_packs
                + unneeded_in_journal(&self.store.index, &self.store.journal)?,
            quickly_packed_bytes: self.quickly_packed(&packs),
            ratio: if stored_bytes == 0 {
                1.0
            } else {
                unique_bytes as f64 / stored_bytes as f64
            },
            oldest: counters.oldest,
            newest: counters.newest,
            purged: counters
                .groups
                .iter()
                .filter(|group| group.purged)
                .map(|group| group.entries)
                .sum(),
            pending: counters.pending_entries,
            facts_only: counters.facts_entries,
            converters: grouped(live(), |group| group.converter.clone()),
            days: grouped(live(), |group| day(group.day)),
            statuses: grouped(live(), |group| group.status.name().to_owned()),
        })
    }
}

fn day(day: i64) -> String {
    let noon = Timestamp::from_micros(0).plus_days(day).to_chrono();
    noon.format("%Y-%m-%d").to_string()
}

fn grouped<'a>(
    counters: impl Iterator<Item = &'a CounterGroup>,
    name: impl Fn(&CounterGroup) -> String,
) -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for counter in counters {
        let name = name(counter);
        let group = groups.entry(name.clone()).or_insert_with(|| Group {
            name,
            ..Group::default()
        });
        group.entries += counter.entries;
        group.sources_bytes += counter.bytes;
        match counter.status {
            Status::Success => group.success += counter.entries,
            Status::Failed => group.failed += counter.entries,
            Status::Pending => group.pending += counter.entries,
            Status::Suspended | Status::Skipped | Status::Rejected => {
                group.other += counter.entries;
            }
        }
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::archive::{Archive, NewEntry, Options};
    use crate::disk::sim::SimDisk;

    #[test]
    fn log_bytes__are_segments_and_journal_files() {
        let disk = SimDisk::new();
        let archive =
            Archive::create_on(Arc::new(disk.clone()), Options::default()).expect("a store");
        for sealed in [false, true] {
            let new = NewEntry {
                converter: "ICT".to_owned(),
                ..NewEntry::default()
            };
            archive.put(new, &b"content"[..]).expect("archived");
            if sealed {
                archive.seal().expect("sealed");
            }
            let of = |folder: &str| -> u64 {
                let files = disk.files().into_iter();
                let inside = files.filter(|(path, _)| path.starts_with(folder));
                inside.map(|(_, len)| len).sum()
            };
            let (segments, journal) = (of("events/"), of("journal/"));
            assert_eq!(segments > 0, sealed);
            assert!(journal > 0);
            let stats = archive.snapshot().expect("there").stats().expect("counted");
            assert_eq!(stats.log_bytes, segments + journal);
        }
    }
}
