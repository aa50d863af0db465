//! The matching entries of one span in order, picked by their ordinals a few at a time.

use super::place::{Order, Place};
use super::search::Search;
use crate::id::EntryId;
use crate::index::error::IndexError;
use crate::index::postings::{self, Bits, Low, Ranks};
use crate::index::tables::{self, Bytes, Span, entry_at, posting_key, term_bounds};
use crate::query::Direction;
use redb::AccessGuard;
use std::collections::VecDeque;

/// The matching entries of one span in order, picked by their ordinals a few at a time.
///
/// An entry's rank in the order of its span is `ordinal << 16 | low`. A descending walk inverts it
/// (`!`).
pub(super) struct OrdinalStream {
    span: Span,
    direction: Direction,
    /// (rank in the order, ascending).
    matches: Vec<u32>,
    picked: VecDeque<u32>,
    pick: usize,
    from: Option<u32>,
    previous: Option<u16>,
}

/// Whether an entry has the same value as the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Same,
    New,
}

impl OrdinalStream {
    pub(super) fn open(
        search: &Search<'_>,
        span: Span,
        bits: &Bits,
        ranks: &Ranks,
        order: &Order,
    ) -> Result<Self, IndexError> {
        let reader = &search.view.reader;
        let column = reader
            .ordinals
            .get(tables::ordinals_key(span, order.field))?;
        let column = column.ok_or(IndexError::Damaged("the ordinals"))?;
        let column = Ordinals::parse(&column, ranks.len())?;
        let turn = |rank: u32| match order.direction {
            Direction::Asc => rank,
            Direction::Desc => !rank,
        };
        let mut stream = Self {
            span,
            direction: order.direction,
            matches: Vec::with_capacity(bits.len() as usize),
            picked: VecDeque::new(),
            pick: 8,
            from: Some(0),
            previous: None,
        };
        ranks.each_rank(bits, |low, rank| {
            let ordinal = u32::from(column.get(rank));
            stream.matches.push(turn(ordinal << 16 | u32::from(low)));
        });
        if let Some(after) = &order.after {
            stream.from = first_behind(search, span, ranks, &column, order, after)?.map(turn);
        }
        Ok(stream)
    }

    pub(super) fn next(&mut self) -> Option<(EntryId, Repeat)> {
        if self.picked.is_empty() {
            self.pick_more();
        }
        let rank = self.picked.pop_front()?;
        let rank = match self.direction {
            Direction::Asc => rank,
            Direction::Desc => !rank,
        };
        let [a, b, c, d] = rank.to_be_bytes();
        let (ordinal, low) = (u16::from_be_bytes([a, b]), Low::from_be_bytes([c, d]));
        let repeat = if self.previous == Some(ordinal) {
            Repeat::Same
        } else {
            Repeat::New
        };
        self.previous = Some(ordinal);
        Some((entry_at(self.span, low), repeat))
    }

    /// Picks the smallest ranks from `from` on. Each call picks more than the one before.
    fn pick_more(&mut self) {
        let Some(from) = self.from else {
            return;
        };
        let mut picked = Vec::with_capacity(self.pick * 2);
        let mut limit = u32::MAX;
        for rank in &self.matches {
            if *rank < from || *rank > limit {
                continue;
            }
            picked.push(*rank);
            if picked.len() == self.pick * 2 {
                picked.select_nth_unstable(self.pick);
                picked.truncate(self.pick);
                limit = picked.iter().copied().max().unwrap_or(limit);
            }
        }
        picked.sort_unstable();
        picked.truncate(self.pick);
        self.from = match picked.last() {
            Some(last) => last.checked_add(1),
            None => None,
        };
        self.pick = self.pick.saturating_mul(8).min(self.matches.len().max(1));
        self.picked = picked.into();
    }
}

/// Returns the rank in `span` at which a walk after the cursor `after` begins; `None` when no entry
/// comes after it.
fn first_behind(
    search: &Search<'_>,
    span: Span,
    ranks: &Ranks,
    column: &Ordinals<'_>,
    order: &Order,
    after: &Place,
) -> Result<Option<u32>, IndexError> {
    let (first, end) = term_bounds(span, order.field);
    let postings = &search.view.reader.postings;
    let key = posting_key(span, order.field, &after.value);
    let term = match order.direction {
        Direction::Asc => postings.range::<&[u8]>(key.as_slice()..&end[..])?.next(),
        Direction::Desc => postings
            .range::<&[u8]>(&first[..]..=key.as_slice())?
            .next_back(),
    };
    let Some(term) = term else {
        return Ok(None);
    };
    let (found, packed) = term?;
    let member = postings::first(packed.value())?;
    let ordinal = u32::from(column.get(ranks.rank(member))) << 16;
    let (lowest, highest) = (entry_at(span, 0), entry_at(span, Low::MAX));
    let same = found.value() == key;
    Ok(match order.direction {
        Direction::Asc if !same || after.id < lowest => Some(ordinal),
        Direction::Asc if after.id >= highest => (ordinal | 0xffff).checked_add(1),
        Direction::Asc => (ordinal + offset(after.id, lowest)).checked_add(1),
        Direction::Desc if !same || after.id > highest => Some(ordinal | 0xffff),
        Direction::Desc if after.id <= lowest => ordinal.checked_sub(1),
        Direction::Desc => (ordinal + offset(after.id, lowest)).checked_sub(1),
    })
}

/// Returns how far an id lies from the first id of its span.
fn offset(id: EntryId, first: EntryId) -> u32 {
    u32::try_from(id.0 - first.0).expect("BUG: an id of another span")
}

/// The ordinals of one field of a span, indexed by the rank of the entry.
enum Ordinals<'a> {
    Narrow(&'a [u8]),
    Wide(&'a [[u8; 2]]),
}

impl<'a> Ordinals<'a> {
    fn parse(column: &'a AccessGuard<'static, Bytes>, entries: usize) -> Result<Self, IndexError> {
        let parsed = match column.value() {
            [1, ordinals @ ..] if ordinals.len() == entries => Some(Self::Narrow(ordinals)),
            [2, ordinals @ ..] if ordinals.len() == entries * 2 => {
                Some(Self::Wide(ordinals.as_chunks().0))
            }
            _ => None,
        };
        parsed.ok_or(IndexError::Damaged("the ordinals"))
    }

    /// Returns the ordinal of the entry with this rank. The rank must be within the span's entries.
    fn get(&self, rank: usize) -> u16 {
        match self {
            Self::Narrow(ordinals) => ordinals.get(rank).copied().map_or(0, u16::from),
            Self::Wide(ordinals) => ordinals.get(rank).copied().map_or(0, u16::from_le_bytes),
        }
    }
}
