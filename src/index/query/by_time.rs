//! The matches of a search by the time of archiving.

use super::place::Place;
use super::search::{Search, block_words};
use crate::id::EntryId;
use crate::index::error::IndexError;
use crate::index::postings::Bits;
use crate::index::tables::{self, Span, Times, Zone, entry_at};
use crate::index::terms;
use crate::query::Direction;
use std::collections::{BinaryHeap, HashMap};

/// Walks the matches by the wall-clock time of archiving.
///
/// A descending walk inverts times and ids (`!n` reverses the order of numbers), so the code below
/// always takes the smallest first.
pub(in crate::index) struct TimeWalk<'a> {
    search: &'a Search<'a>,
    direction: Direction,
    after: Option<(i64, u64)>,
    due: BinaryHeap<std::cmp::Reverse<Due>>,
    open: HashMap<Span, Bits>,
}

/// An item of the heap: an entry, or a span or block that may hold the next entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    /// The earliest time of an entry in it.
    time: i64,
    what: What,
}

/// The order of variants matters: at equal times a span or block that is not opened yet goes before
/// an entry, because it may hold an entry that comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Span(Span),
    Block(Span, usize),
    Entry(u64),
}

impl<'a> TimeWalk<'a> {
    pub(super) fn new(search: &'a Search<'a>, direction: Direction, after: Option<&Place>) -> Self {
        let mut walk = Self {
            search,
            direction,
            after: None,
            due: BinaryHeap::new(),
            open: HashMap::new(),
        };
        walk.after = after.and_then(|place| {
            let micros = terms::time_of(&place.value)?;
            Some((walk.turn_time(micros), walk.turn_id(place.id.0)))
        });
        for (span, zone) in &search.spans {
            walk.push(What::Span(*span), *zone);
        }
        walk
    }

    fn turn_time(&self, micros: i64) -> i64 {
        match self.direction {
            Direction::Asc => micros,
            Direction::Desc => !micros,
        }
    }

    fn turn_id(&self, id: u64) -> u64 {
        match self.direction {
            Direction::Asc => id,
            Direction::Desc => !id,
        }
    }

    /// Queues a span or a block, unless all its entries come before the cursor.
    fn push(&mut self, what: What, zone: Zone) {
        let (first, last) = match self.direction {
            Direction::Asc => (zone.oldest, zone.newest),
            Direction::Desc => (!zone.newest, !zone.oldest),
        };
        if self.after.is_none_or(|(time, _)| time <= last) {
            let due = Due { time: first, what };
            self.due.push(std::cmp::Reverse(due));
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Place>, IndexError> {
        while let Some(std::cmp::Reverse(due)) = self.due.pop() {
            match due.what {
                What::Entry(id) => {
                    let value = terms::time_value(self.turn_time(due.time)).to_vec();
                    let id = EntryId(self.turn_id(id));
                    return Ok(Some(Place { value, id }));
                }
                What::Span(span) => self.open_span(span)?,
                What::Block(span, block) => self.open_block(span, block)?,
            }
        }
        Ok(None)
    }

    fn open_span(&mut self, span: Span) -> Result<(), IndexError> {
        let zones = self.search.zones(span)?;
        let Some(bits) = self.search.matches(span, zones.whole)? else {
            return Ok(());
        };
        for (block, zone) in zones.blocks.iter().enumerate() {
            if !bits.is_empty_in(block_words(block)) {
                self.push(What::Block(span, block), *zone);
            }
        }
        self.open.insert(span, bits);
        Ok(())
    }

    fn open_block(&mut self, span: Span, block: usize) -> Result<(), IndexError> {
        let times = &self.search.view.reader.times;
        let (Some(bits), Some(value)) = (
            self.open.get(&span),
            times.get(tables::block_key(span, block))?,
        ) else {
            return Ok(());
        };
        for Times { low, archived, .. } in tables::times(value.value()) {
            let time = self.turn_time(archived);
            let id = self.turn_id(entry_at(span, low).0);
            if bits.contains(low) && self.after.is_none_or(|after| after < (time, id)) {
                let what = What::Entry(id);
                self.due.push(std::cmp::Reverse(Due { time, what }));
            }
        }
        Ok(())
    }
}
