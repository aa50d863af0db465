//! The matching entries of one span in order, term by term; used when most entries match.

use super::place::{Order, Place};
use super::search::Search;
use crate::index::error::IndexError;
use crate::index::postings::{self, Bits, Low};
use crate::index::tables::{Bytes, POSTING_PREFIX, Span, entry_at, posting_key, term_bounds};
use crate::query::Direction;
use std::collections::VecDeque;

/// The matching entries of one span in order, term by term; used when most entries match.
pub(super) struct TermStream {
    terms: redb::Range<'static, Bytes, Bytes>,
    pub(super) span: Span,
    direction: Direction,
    after: Option<Place>,
    pub(super) bits: Bits,
    value: Vec<u8>,
    members: Members,
    /// Number of terms passed since the last term with a match.
    missed: u32,
}

/// The result of one step along the terms.
pub(super) enum Step {
    Place(Place),
    End,
    /// Too many terms in a row have no match.
    TooFar,
}

/// The matching members of one term that are left.
enum Members {
    List(VecDeque<Low>),
    Bits(Bits, Option<Low>),
}

impl TermStream {
    pub(super) fn open(
        search: &Search<'_>,
        span: Span,
        bits: Bits,
        order: &Order,
    ) -> Result<Self, IndexError> {
        let (first, end) = term_bounds(span, order.field);
        let (mut first, mut end) = (first.to_vec(), end.to_vec());
        if let Some(after) = &order.after {
            match order.direction {
                Direction::Asc => first = posting_key(span, order.field, &after.value),
                Direction::Desc => {
                    // Begin directly after the term of the cursor.
                    end = posting_key(span, order.field, &after.value);
                    end.push(0);
                }
            }
        }
        let postings = &search.view.reader.postings;
        Ok(Self {
            terms: postings.range::<&[u8]>(first.as_slice()..end.as_slice())?,
            span,
            direction: order.direction,
            after: order.after.clone(),
            bits,
            value: Vec::new(),
            members: Members::List(VecDeque::new()),
            missed: 0,
        })
    }

    pub(super) fn next(&mut self) -> Result<Step, IndexError> {
        /// Passing this many terms costs about as much as picking by ordinals.
        const MISSED_MAX: u32 = 500;
        loop {
            while let Some(low) = self.members.next(self.direction) {
                let place = Place {
                    value: self.value.clone(),
                    id: entry_at(self.span, low),
                };
                let due = |after: &Place| after.comes_before(&place, self.direction);
                if self.after.as_ref().is_none_or(due) {
                    self.missed = 0;
                    return Ok(Step::Place(place));
                }
            }
            self.missed += 1;
            if self.missed > MISSED_MAX {
                return Ok(Step::TooFar);
            }
            let term = match self.direction {
                Direction::Asc => self.terms.next(),
                Direction::Desc => self.terms.next_back(),
            };
            let Some(term) = term else {
                return Ok(Step::End);
            };
            let (key, packed) = term?;
            self.value = key.value()[POSTING_PREFIX..].to_vec();
            self.members = Members::of(packed.value(), &self.bits, self.direction)?;
        }
    }
}

impl Members {
    fn of(packed: &[u8], matches: &Bits, direction: Direction) -> Result<Self, IndexError> {
        if let Some(mut list) = postings::short_list(packed)? {
            list.retain(|low| matches.contains(*low));
            return Ok(Self::List(list.into()));
        }
        let mut bits = Bits::none();
        bits.insert_packed(packed)?;
        bits.intersect(matches);
        let from = match direction {
            Direction::Asc => 0,
            Direction::Desc => Low::MAX,
        };
        Ok(Self::Bits(bits, Some(from)))
    }

    pub(super) fn next(&mut self, direction: Direction) -> Option<Low> {
        match (self, direction) {
            (Self::List(list), Direction::Asc) => list.pop_front(),
            (Self::List(list), Direction::Desc) => list.pop_back(),
            (Self::Bits(bits, from), Direction::Asc) => {
                let low = bits.next_from((*from)?)?;
                *from = low.checked_add(1);
                Some(low)
            }
            (Self::Bits(bits, from), Direction::Desc) => {
                let low = bits.last_from((*from)?)?;
                *from = low.checked_sub(1);
                Some(low)
            }
        }
    }
}
