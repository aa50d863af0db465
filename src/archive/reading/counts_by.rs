//! Counts over time, for charts.

use serde::Serialize;

use crate::archive::reading::snapshot::Snapshot;
use crate::entry::Status;
use crate::query::Filter;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The most periods that are counted at once.
const PERIODS_MAX: usize = 1_000_000;

/// What was archived in one period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Bin {
    /// Its start, included.
    pub from: Timestamp,
    /// Its end, not included.
    pub to: Timestamp,
    /// How many entries were archived.
    pub entries: u64,
    /// How many of them succeeded.
    pub success: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of them were not converted yet.
    pub pending: u64,
    /// How many of them were suspended, skipped or rejected.
    pub other: u64,
    /// Bytes of their sources.
    pub bytes: u64,
}

impl Snapshot {
    /// Counts the entries that a filter selects by the period in which they were archived, and by
    /// what became of them. A period lasts from one of `edges` to the next, so that hours, days and
    /// weeks of any time zone can be counted; periods without entries are there, too.
    ///
    /// Reads no rows, except for texts and file patterns: a million entries take some hundredths of
    /// a second.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::query::Filter;
    /// use annals::time::Timestamp;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// let edges = [Timestamp::MIN, Timestamp::from_micros(0), Timestamp::MAX];
    /// let bins = archive.snapshot()?.counts_by(&Filter::default(), &edges)?;
    /// assert_eq!((bins[0].entries, bins[1].pending, bins[1].bytes), (0, 1, 7));
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` if the edges do not ascend, and for more than a million periods.
    pub fn counts_by(&self, filter: &Filter, edges: &[Timestamp]) -> Result<Vec<Bin>> {
        let micros: Vec<i64> = edges.iter().map(|edge| edge.micros()).collect();
        if !micros.is_sorted_by(|a, b| a < b) || edges.len() > PERIODS_MAX + 1 {
            return Err(Error::new(
                ErrorKind::Invalid,
                "periods ascend, and are no more than a million",
            ));
        }
        let counted = self.view().counts_over(filter, &micros)?;
        let bins = edges.windows(2).zip(counted).map(|(edges, counted)| {
            let mut bin = Bin {
                from: edges[0],
                to: edges[1],
                entries: counted.by_status.iter().sum(),
                success: 0,
                failed: 0,
                pending: 0,
                other: 0,
                bytes: counted.bytes,
            };
            for (status, entries) in Status::ALL.into_iter().zip(counted.by_status) {
                match status {
                    Status::Success => bin.success += entries,
                    Status::Failed => bin.failed += entries,
                    Status::Pending => bin.pending += entries,
                    Status::Suspended | Status::Skipped | Status::Rejected => bin.other += entries,
                }
            }
            bin
        });
        Ok(bins.collect())
    }
}
