//! Exact counts and sums of entries, updated by every event.

use super::error::IndexError;
use super::overlay::{Counter, CounterKey};
use super::terms;
use super::view::View;
use crate::entry::{Entry, Status};
use crate::query::{Direction, Query, Sort, SortField};
use crate::time::Timestamp;

/// Sums over everything in a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Counts of entries by converter, day, status and whether they are purged; zero counts are
    /// left out.
    pub(crate) groups: Vec<CounterGroup>,
    /// Plaintext bytes of the live blobs that entries and converters name, each counted once.
    pub(crate) unique_bytes: u64,
    /// Number of entries that are not purged and of which only facts are kept.
    pub(crate) facts_entries: u64,
    /// Bytes of their sources, which are not stored.
    pub(crate) facts_bytes: u64,
    /// Number of entries whose purge can be undone.
    pub(crate) pending_entries: u64,
    /// Bytes of all packs.
    pub(crate) pack_bytes: u64,
    /// Bytes of the live blobs in all packs.
    pub(crate) live_pack_bytes: u64,
    /// When the oldest entry that is not purged was archived.
    pub(crate) oldest: Option<Timestamp>,
    /// When the newest entry that is not purged was archived.
    pub(crate) newest: Option<Timestamp>,
}

/// Entries with equal converter, day, status and purged flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CounterGroup {
    /// The converter.
    pub(crate) converter: String,
    /// The day of archiving in UTC, counted from 1970.
    pub(crate) day: i64,
    /// The status.
    pub(crate) status: Status,
    /// True when these entries are purged.
    pub(crate) purged: bool,
    /// Number of entries.
    pub(crate) entries: u64,
    /// Bytes of their sources.
    pub(crate) bytes: u64,
}

impl View {
    /// Returns sums over everything, from counters: no walk over entries.
    pub(crate) fn stats(&self) -> Result<Counters, IndexError> {
        let packs = self.packs()?;
        let groups = self.counters()?.into_iter().filter_map(|(key, counter)| {
            Some(CounterGroup {
                status: *Status::ALL.get(usize::from(key.status))?,
                converter: key.converter,
                day: key.day,
                purged: key.purged,
                entries: counter.entries,
                bytes: counter.bytes,
            })
        });
        Ok(Counters {
            groups: groups.collect(),
            unique_bytes: self.totals().unique_bytes,
            facts_entries: self.totals().facts_entries,
            facts_bytes: self.totals().facts_bytes,
            pending_entries: self.totals().pending_entries,
            pack_bytes: packs.iter().map(|pack| pack.bytes).sum(),
            live_pack_bytes: packs.iter().map(|pack| pack.live_bytes).sum(),
            oldest: self.first_archived(Direction::Asc)?,
            newest: self.first_archived(Direction::Desc)?,
        })
    }

    fn first_archived(&self, direction: Direction) -> Result<Option<Timestamp>, IndexError> {
        let field = SortField::ArchivedAt;
        let page = self.query(&Query {
            sort: Sort { field, direction },
            limit: Some(1),
            ..Query::default()
        })?;
        Ok(page.entries.first().map(|entry: &Entry| entry.archived_at))
    }
}

impl CounterKey {
    /// Returns the key as the table stores it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = terms::time_value(self.day).to_vec();
        bytes.extend([self.status, u8::from(self.purged)]);
        bytes.extend(self.converter.as_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (day, rest) = bytes.split_at_checked(8)?;
        let [status, purged, converter @ ..] = rest else {
            return None;
        };
        Some(Self {
            day: terms::time_of(day)?,
            status: *status,
            purged: *purged != 0,
            converter: str::from_utf8(converter).ok()?.to_owned(),
        })
    }
}

impl Counter {
    /// Returns the value as the table stores it.
    pub(super) fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.entries.to_le_bytes());
        bytes[8..].copy_from_slice(&self.bytes.to_le_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (entries, bytes) = bytes.split_at_checked(8)?;
        Some(Self {
            entries: u64::from_le_bytes(entries.try_into().ok()?),
            bytes: u64::from_le_bytes(bytes.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_survive_being_written_and_read() {
        let key = CounterKey {
            day: -3,
            status: 4,
            purged: true,
            converter: "ICT CSV".into(),
        };
        assert_eq!(CounterKey::parse(&key.bytes()), Some(key));
        let counter = Counter {
            entries: 7,
            bytes: u64::MAX,
        };
        assert_eq!(Counter::parse(&counter.bytes()), Some(counter));
        assert_eq!(CounterKey::parse(&[1; 9]), None);
        assert_eq!(Counter::parse(&[1; 15]), None);
    }
}
