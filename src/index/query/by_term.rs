//! The matches of a search in the order of a column that has terms. A heap merges the spans.

use super::ordinal_stream::{OrdinalStream, Repeat};
use super::place::{Order, Place};
use super::search::Search;
use super::term_stream::{Step, TermStream};
use crate::id::EntryId;
use crate::index::error::IndexError;
use crate::index::postings::{Bits, Ranks};
use crate::index::rows;
use crate::index::tables::{Field, Span, entry_at};
use crate::index::terms;
use crate::query::Direction;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// Walks the matches in the order of a column that has terms. A heap holds the next entry of each
/// span.
pub(in crate::index) struct TermWalk<'a> {
    search: &'a Search<'a>,
    order: Order,
    heads: BinaryHeap<Head>,
    streams: Vec<Stream>,
}

struct Head {
    place: Place,
    direction: Direction,
    stream: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        // `BinaryHeap` returns its greatest element first.
        self.place.compare(&other.place, self.direction).reverse()
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

impl Stream {
    const END: Self = Self::Few(VecDeque::new());
}

/// The matches of one span, in order.
enum Stream {
    Few(VecDeque<Place>),
    Terms(Box<TermStream>),
    Ordinals(OrdinalStream),
}

impl<'a> TermWalk<'a> {
    pub(super) fn new(search: &'a Search<'a>, order: Order) -> Result<Self, IndexError> {
        let mut walk = Self {
            search,
            order,
            heads: BinaryHeap::new(),
            streams: Vec::new(),
        };
        for (span, zone) in &search.spans {
            let Some(bits) = search.matches(*span, *zone)? else {
                continue;
            };
            let stream = walk.open(*span, bits)?;
            walk.streams.push(stream);
            walk.advance(walk.streams.len() - 1, None)?;
        }
        Ok(walk)
    }

    fn open(&self, span: Span, bits: Bits) -> Result<Stream, IndexError> {
        /// Reading this many rows or fewer costs less than reading a column.
        const FEW: u32 = 16;
        let order = &self.order;
        let matching = bits.len();
        if matching <= FEW {
            let mut places = Vec::new();
            for low in bits.iter() {
                let id = entry_at(span, low);
                let value = self.value(id)?;
                places.push(Place { value, id });
            }
            if let Some(after) = &order.after {
                places.retain(|place| after.comes_before(place, order.direction));
            }
            places.sort_unstable_by(|a, b| a.compare(b, order.direction));
            return Ok(Stream::Few(places.into()));
        }
        let mut all = Bits::none();
        self.search
            .view
            .reader
            .add_posting(span, Field::All, &[], &mut all)?;
        if matching >= all.len() / 4 {
            let stream = TermStream::open(self.search, span, bits, order)?;
            return Ok(Stream::Terms(Box::new(stream)));
        }
        self.open_ordinals(span, &bits, &Ranks::of(all), order)
    }

    fn open_ordinals(
        &self,
        span: Span,
        bits: &Bits,
        ranks: &Ranks,
        order: &Order,
    ) -> Result<Stream, IndexError> {
        let stream = OrdinalStream::open(self.search, span, bits, ranks, order)?;
        Ok(Stream::Ordinals(stream))
    }

    /// Replaces the walk term by term with picking by ordinals, after too many terms in a row had
    /// no match.
    fn give_up_terms(
        &self,
        stream: &TermStream,
        previous: Option<Place>,
    ) -> Result<Stream, IndexError> {
        let mut order = self.order.clone();
        order.after = previous.or(order.after);
        let mut all = Bits::none();
        let reader = &self.search.view.reader;
        reader.add_posting(stream.span, Field::All, &[], &mut all)?;
        self.open_ordinals(stream.span, &stream.bits, &Ranks::of(all), &order)
    }

    /// Returns the value that an entry is ordered by.
    fn value(&self, id: EntryId) -> Result<Vec<u8>, IndexError> {
        let Some(row) = self.search.view.reader.entries.get(id)? else {
            return Err(IndexError::Damaged("the entries"));
        };
        Ok(terms::order_value(
            self.order.column,
            &rows::decode_head(row.value())?,
        ))
    }

    /// Puts the next entry of a stream into the heap. `previous` is the entry before it.
    fn advance(&mut self, stream: usize, previous: Option<Place>) -> Result<(), IndexError> {
        let mut taken = std::mem::replace(&mut self.streams[stream], Stream::END);
        let place = self.step(&mut taken, previous)?;
        self.streams[stream] = taken;
        if let Some(place) = place {
            self.heads.push(Head {
                place,
                direction: self.order.direction,
                stream,
            });
        }
        Ok(())
    }

    fn step(
        &self,
        stream: &mut Stream,
        previous: Option<Place>,
    ) -> Result<Option<Place>, IndexError> {
        match stream {
            Stream::Few(places) => Ok(places.pop_front()),
            Stream::Terms(terms) => match terms.next()? {
                Step::Place(place) => Ok(Some(place)),
                Step::End => Ok(None),
                Step::TooFar => {
                    *stream = self.give_up_terms(terms, previous.clone())?;
                    self.step(stream, previous)
                }
            },
            Stream::Ordinals(ordinals) => match (ordinals.next(), previous) {
                (None, _) => Ok(None),
                (Some((id, Repeat::Same)), Some(Place { value, .. })) => {
                    Ok(Some(Place { value, id }))
                }
                (Some((id, _)), _) => {
                    let value = self.value(id)?;
                    Ok(Some(Place { value, id }))
                }
            },
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Place>, IndexError> {
        let Some(head) = self.heads.pop() else {
            return Ok(None);
        };
        self.advance(head.stream, Some(head.place.clone()))?;
        Ok(Some(head.place))
    }
}
