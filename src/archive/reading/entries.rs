//! Walks through entries, a few at a time in memory.

use std::fmt;
use std::vec;

use crate::Result;
use crate::archive::reading::snapshot::Snapshot;
use crate::entry::Entry;
use crate::query::{Filter, Query};

/// The length of the first page. Each page is twice as long as the one before.
const FIRST_PAGE: usize = 32;
/// The most entries that are in memory at once.
const PAGE_MAX: usize = 512;

impl Snapshot {
    /// Returns the entries that a filter selects, oldest first, a few at a time in memory.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::query::Filter;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.put(NewEntry::new("ICT").serial("SN1"), &b"one"[..])?;
    /// archive.put(NewEntry::new("FCT").serial("SN2"), &b"two"[..])?;
    /// let snapshot = archive.snapshot()?;
    /// for entry in snapshot.entries(&Filter::default().converter("ICT")) {
    ///     assert_eq!(entry?.unit.serial.as_deref(), Some("SN1"));
    /// }
    /// # archive.close()
    /// # }
    /// ```
    pub fn entries(&self, filter: &Filter) -> Entries<'_> {
        self.walk(&Query {
            filter: filter.clone(),
            limit: None,
            ..Query::default()
        })
    }

    /// Returns the entries that a query asks for, a few at a time in memory, in its order.
    ///
    /// A query without a limit goes to the end. Sorting by another field than the id is done by the
    /// index, page by page.
    pub fn walk(&self, query: &Query) -> Entries<'_> {
        Entries {
            snapshot: self,
            query: query.clone(),
            page: Vec::new().into_iter(),
            page_size: FIRST_PAGE,
            is_over: false,
        }
    }
}

/// Entries in order; see [`Snapshot::entries`]. The iterator ends after an error.
///
/// It shows the store as the snapshot saw it. As long as it lives, old pages of the index are kept.
#[must_use = "nothing is read before it is asked for the next entry"]
pub struct Entries<'a> {
    snapshot: &'a Snapshot,
    /// What is still to come.
    query: Query,
    page: vec::IntoIter<Entry>,
    page_size: usize,
    is_over: bool,
}

impl Entries<'_> {
    /// Reads the next page. It is empty when there are no more entries.
    fn read_page(&mut self) -> Result<()> {
        let left = self.query.limit;
        let size = left.map_or(self.page_size, |left| left.min(self.page_size));
        if size == 0 {
            self.is_over = true;
            return Ok(());
        }
        let page = self.snapshot.query(&Query {
            limit: Some(size),
            ..self.query.clone()
        })?;
        self.query.limit = left.map(|left| left - page.entries.len().min(left));
        self.query.offset = 0;
        self.is_over = page.next.is_none();
        self.query.after = page.next;
        self.page = page.entries.into_iter();
        self.page_size = (self.page_size * 2).min(PAGE_MAX);
        Ok(())
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(Ok(entry));
            }
            if self.is_over {
                return None;
            }
            if let Err(error) = self.read_page() {
                self.is_over = true;
                return Some(Err(error));
            }
        }
    }
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries")
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::archive::{Archive, NewEntry};
    use crate::disk::sim::SimDisk;
    use crate::query::Sort;

    #[test]
    fn entries_walked__are_those_of_one_page() {
        let archive = Archive::builder()
            .disk(Arc::new(SimDisk::new()))
            .create("")
            .expect("made");
        for nth in 0..150_u32 {
            let converter = if nth % 3 == 0 { "FCT" } else { "ICT" };
            let new = NewEntry::new(converter).serial(format!("{}", nth * 7 % 150));
            let content = nth.to_le_bytes();
            drop(archive.begin_put(new, &content[..]).expect("in flight"));
            if nth == 70 {
                archive.seal().expect("sealed");
            }
        }
        archive
            .put(NewEntry::new("FCT"), &b"last"[..])
            .expect("durable");
        let snapshot = archive.snapshot().expect("there");
        archive
            .put(NewEntry::new("FCT"), &b"later"[..])
            .expect("durable");
        let filter = Filter::default().converter("FCT");
        let sorts = ["id:asc", "id:desc", "serial:asc"].map(str::parse::<Sort>);
        for sort in sorts.map(|sort| sort.expect("an order")) {
            for (limit, offset) in [(None, 0), (Some(40), 3), (Some(0), 0), (Some(500), 60)] {
                let query = Query::default()
                    .filter(filter.clone())
                    .sort(sort)
                    .limit(limit)
                    .offset(offset);
                let walked: Vec<Entry> = snapshot
                    .walk(&query)
                    .map(|entry| entry.expect("read"))
                    .collect();
                let page = snapshot.query(&query).expect("read").entries;
                assert_eq!(walked, page, "{query:?}");
            }
        }
        let all = snapshot.entries(&filter).count() as u64;
        assert_eq!(all, 51);
        for most in [0, 1, 50, 51, 52, u64::MAX] {
            let count = snapshot.count_up_to(&filter, most).expect("counted");
            assert_eq!((count.n, count.more), (all.min(most), all > most), "{most}");
        }
    }
}
