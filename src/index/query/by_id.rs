//! The matches of a search in the order of ids, one span after the other.

use super::place::Place;
use super::search::Search;
use crate::id::EntryId;
use crate::index::error::IndexError;
use crate::index::postings::{Bits, Low};
use crate::index::tables::{Span, Zone, entry_at, locate};
use crate::query::Direction;
use std::collections::VecDeque;

/// Walks the matches by id, one span after the other.
pub(in crate::index) struct IdWalk<'a> {
    search: &'a Search<'a>,
    direction: Direction,
    spans: VecDeque<(Span, Zone)>,
    current: Option<(Span, Bits, Option<Low>)>,
    /// Entries up to and including this one are left out.
    after: Option<EntryId>,
}

impl<'a> IdWalk<'a> {
    pub(super) fn new(search: &'a Search<'a>, direction: Direction, after: Option<&Place>) -> Self {
        Self {
            search,
            direction,
            spans: search.spans.iter().copied().collect(),
            current: None,
            after: after.map(|place| place.id),
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Place>, IndexError> {
        loop {
            if let Some((span, bits, from)) = &mut self.current {
                let (low, rest) = match self.direction {
                    Direction::Asc => {
                        let low = from.and_then(|from| bits.next_from(from));
                        (low, low.and_then(|low| low.checked_add(1)))
                    }
                    Direction::Desc => {
                        let low = from.and_then(|from| bits.last_from(from));
                        (low, low.and_then(|low| low.checked_sub(1)))
                    }
                };
                if let Some(low) = low {
                    *from = rest;
                    return Ok(Some(Place {
                        value: Vec::new(),
                        id: entry_at(*span, low),
                    }));
                }
            }
            let next = match self.direction {
                Direction::Asc => self.spans.pop_front(),
                Direction::Desc => self.spans.pop_back(),
            };
            let Some((span, zone)) = next else {
                return Ok(None);
            };
            self.current = match self.start(span) {
                Some(from) => {
                    let bits = self.search.matches(span, zone)?;
                    bits.map(|bits| (span, bits, Some(from)))
                }
                None => None,
            };
        }
    }

    /// Returns the position in a span at which the walk begins; `None` when the whole span comes
    /// before the cursor.
    fn start(&self, span: Span) -> Option<Low> {
        match (self.direction, self.after) {
            (Direction::Asc, None) => Some(0),
            (Direction::Desc, None) => Some(Low::MAX),
            (Direction::Asc, Some(after)) => {
                let first = EntryId(after.0.checked_add(1)?).max(entry_at(span, 0));
                locate(first.0)
                    .filter(|(of, _)| *of == span)
                    .map(|(_, low)| low)
            }
            (Direction::Desc, Some(after)) => {
                let last = EntryId(after.0.checked_sub(1)?).min(entry_at(span, Low::MAX));
                locate(last.0)
                    .filter(|(of, _)| *of == span)
                    .map(|(_, low)| low)
            }
        }
    }
}
