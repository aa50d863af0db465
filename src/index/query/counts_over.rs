//! Counts the matches of a filter by the time of archiving and by status, without reading their
//! rows.

use super::search::{Search, block_words};
use crate::entry::Status;
use crate::index::error::IndexError;
use crate::index::postings::Bits;
use crate::index::tables::{self, Field, SPAN_BLOCKS, Span, entry_at};
use crate::index::terms;
use crate::index::view::View;
use crate::query::Filter;

/// How many entries were archived in one period, and the bytes of their sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CountsOver {
    /// By the index in [`Status::ALL`].
    pub(crate) by_status: [u64; Status::ALL.len()],
    pub(crate) bytes: u64,
}

impl CountsOver {
    fn add(&mut self, status: usize, size: u64) {
        self.by_status[status] += 1;
        self.bytes = self.bytes.saturating_add(size);
    }
}

impl View {
    /// Counts what `filter` selects between each of `edges` and the next one. An edge belongs to
    /// the period that it begins. Edges are microseconds, ascending.
    ///
    /// Rows are read only for texts and file patterns.
    pub(crate) fn counts_over(
        &self,
        filter: &Filter,
        edges: &[i64],
    ) -> Result<Vec<CountsOver>, IndexError> {
        let (Some(first), Some(end)) = (edges.first(), edges.last()) else {
            return Ok(Vec::new());
        };
        let mut periods = vec![CountsOver::default(); edges.len() - 1];
        // What comes before the first edge is in period 0 of this number, and left out.
        let period = |micros: i64| edges.partition_point(|edge| *edge <= micros).checked_sub(1);
        let mut put = |micros: i64, status: usize, size: u64| {
            if let Some(period) = period(micros).and_then(|period| periods.get_mut(period)) {
                period.add(status, size);
            }
        };
        let search = Search::new(self, filter)?;
        search.sharpen();
        for (span, zone) in &search.spans {
            if zone.newest < *first || *end <= zone.oldest {
                continue;
            }
            let Some(bits) = search.matches(*span, *zone)? else {
                continue;
            };
            count_span(&search, *span, &bits, (*first, *end), &mut put)?;
        }
        for (id, row) in &search.changed {
            let marks = row.marks;
            if (*first..*end).contains(&marks.archived) && search.matcher.takes(*id, row)? {
                put(marks.archived, place(marks.status), marks.size);
            }
        }
        Ok(periods)
    }
}

/// Passes time, status and size of the matches of a span to `put`.
fn count_span(
    search: &Search<'_>,
    span: Span,
    matching: &Bits,
    (first, end): (i64, i64),
    put: &mut impl FnMut(i64, usize, u64),
) -> Result<(), IndexError> {
    let reader = &search.view.reader;
    let mut statuses: [Bits; Status::ALL.len()] = std::array::from_fn(|_| Bits::none());
    for (status, bits) in Status::ALL.into_iter().zip(&mut statuses) {
        reader.add_posting(span, Field::Status, terms::status_term(status), bits)?;
    }
    let zones = search.zones(span)?;
    for block in 0..SPAN_BLOCKS {
        let zone = zones.blocks[block];
        let is_outside = zone.newest < first || end <= zone.oldest;
        if is_outside || matching.is_empty_in(block_words(block)) {
            continue;
        }
        let Some(value) = reader.times.get(tables::block_key(span, block))? else {
            continue;
        };
        for entry in tables::times(value.value()) {
            let in_time = (first..end).contains(&entry.archived);
            if in_time
                && matching.contains(entry.low)
                && (!search.is_doubtful() || search.confirms(entry_at(span, entry.low))?)
            {
                let status = statuses.iter().position(|bits| bits.contains(entry.low));
                let status = status.ok_or(IndexError::Damaged("the statuses"))?;
                put(entry.archived, status, entry.size);
            }
        }
    }
    Ok(())
}

/// Returns the index of a status in [`Status::ALL`].
fn place(status: Status) -> usize {
    let mut all = Status::ALL.into_iter();
    all.position(|known| known == status).unwrap_or_default()
}
