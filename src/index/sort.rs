//! Walking the matches of a search in an order, without sorting more than the page needs.
//!
//! Each span knows its own order; a heap merges the spans. By id the spans follow each other. By time a span is only
//! opened when its zone says that its next entry may be due. By any other column a span gives its entries term by
//! term, as long as most of them match, or else by picking the smallest ordinals among the matches: the terms stand
//! in order in the table, so an ordinal is all it takes to compare two entries of one span.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use redb::AccessGuard;

use super::IndexError;
use super::postings::{self, Bits, Low, Ranks};
use super::query::{Search, block_words};
use super::rows;
use super::tables::{
    self, Bytes, Field, POSTING_PREFIX, Span, Zone, entry_at, locate, posting_key, term_bounds,
};
use super::terms;
use crate::id::EntryId;
use crate::query::{Cursor, Direction, Sort, SortField};

/// Where an entry stands in an order: by the bytes of its value, then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) value: Vec<u8>,
    pub(super) id: EntryId,
}

impl Place {
    /// The place a cursor stands for.
    pub(super) fn of(sort: Sort, cursor: &Cursor) -> Result<Self, IndexError> {
        let fits = match sort.field {
            SortField::Id => cursor.value.is_empty(),
            SortField::ArchivedAt => terms::time_of(&cursor.value).is_some(),
            _ => true,
        };
        if cursor.sort != sort || !fits {
            return Err(IndexError::OtherOrder);
        }
        Ok(Self {
            value: cursor.value.clone(),
            id: cursor.id,
        })
    }

    pub(super) fn compare(&self, other: &Self, direction: Direction) -> Ordering {
        let ascending = (&self.value, self.id).cmp(&(&other.value, other.id));
        match direction {
            Direction::Asc => ascending,
            Direction::Desc => ascending.reverse(),
        }
    }

    pub(super) fn comes_before(&self, other: &Self, direction: Direction) -> bool {
        self.compare(other, direction).is_lt()
    }
}

/// Gives the matches that the tables know of, in order, behind a place.
pub(super) enum Walk<'a> {
    Ids(IdWalk<'a>),
    Times(TimeWalk<'a>),
    Terms(TermWalk<'a>),
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        search: &'a Search<'a>,
        sort: Sort,
        after: Option<Place>,
    ) -> Result<Self, IndexError> {
        let direction = sort.direction;
        Ok(match Field::of(sort.field) {
            Some(field) => {
                let order = Order {
                    field,
                    column: sort.field,
                    direction,
                    after,
                };
                Self::Terms(TermWalk::new(search, order)?)
            }
            None if sort.field == SortField::ArchivedAt => {
                Self::Times(TimeWalk::new(search, direction, after.as_ref()))
            }
            None => Self::Ids(IdWalk::new(search, direction, after.as_ref())),
        })
    }

    pub(super) fn next(&mut self) -> Result<Option<Place>, IndexError> {
        match self {
            Self::Ids(walk) => walk.next(),
            Self::Times(walk) => walk.next(),
            Self::Terms(walk) => walk.next(),
        }
    }
}

/// By id: one span after the other.
pub(super) struct IdWalk<'a> {
    search: &'a Search<'a>,
    direction: Direction,
    spans: VecDeque<(Span, Zone)>,
    current: Option<(Span, Bits, Option<Low>)>,
    /// Nothing at or before this is given.
    after: Option<EntryId>,
}

impl<'a> IdWalk<'a> {
    fn new(search: &'a Search<'a>, direction: Direction, after: Option<&Place>) -> Self {
        Self {
            search,
            direction,
            spans: search.spans.iter().copied().collect(),
            current: None,
            after: after.map(|place| place.id),
        }
    }

    fn next(&mut self) -> Result<Option<Place>, IndexError> {
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

    /// Where in a span the walk begins; `None` when all of it comes before the cursor.
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

/// By the wall time of archiving.
///
/// Times and ids are turned around for a descending walk (`!n` reverses the order of numbers), so that there is one
/// direction here: the smallest first.
pub(super) struct TimeWalk<'a> {
    search: &'a Search<'a>,
    direction: Direction,
    after: Option<(i64, u64)>,
    due: BinaryHeap<std::cmp::Reverse<Due>>,
    open: HashMap<Span, Bits>,
}

/// Something that holds the next entry, or may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    /// When the first entry in it can be.
    time: i64,
    what: What,
}

/// What is not opened yet goes before an entry of the same time: it may hold an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Span(Span),
    Block(Span, usize),
    Entry(u64),
}

impl<'a> TimeWalk<'a> {
    fn new(search: &'a Search<'a>, direction: Direction, after: Option<&Place>) -> Self {
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

    /// Puts a span or a block in line, unless all of it comes before the cursor.
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

    fn next(&mut self) -> Result<Option<Place>, IndexError> {
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
        for (low, micros) in tables::times(value.value()) {
            let time = self.turn_time(micros);
            let id = self.turn_id(entry_at(span, low).0);
            if bits.contains(low) && self.after.is_none_or(|after| after < (time, id)) {
                let what = What::Entry(id);
                self.due.push(std::cmp::Reverse(Due { time, what }));
            }
        }
        Ok(())
    }
}

/// An order by the terms of a field.
#[derive(Clone)]
struct Order {
    field: Field,
    column: SortField,
    direction: Direction,
    after: Option<Place>,
}

/// By any column that has terms: the heads of all spans in a heap.
pub(super) struct TermWalk<'a> {
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
        // The heap gives its greatest first.
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

/// The matches of one span in order.
enum Stream {
    Few(VecDeque<Place>),
    Terms(Box<TermStream>),
    Ordinals(OrdinalStream),
}

impl<'a> TermWalk<'a> {
    fn new(search: &'a Search<'a>, order: Order) -> Result<Self, IndexError> {
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
        /// Up to so many rows are cheaper to read than a column is.
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

    /// Goes on picking ordinals where going term by term led past too many entries that do not match.
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

    /// What an entry is ordered by.
    fn value(&self, id: EntryId) -> Result<Vec<u8>, IndexError> {
        let Some(row) = self.search.view.reader.entries.get(id.0)? else {
            return Err(IndexError::Damaged("the entries"));
        };
        Ok(terms::order_value(
            self.order.column,
            &rows::decode_head(row.value())?,
        ))
    }

    /// Puts the next entry of a stream into the heap; `previous` is the one before.
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

    fn next(&mut self) -> Result<Option<Place>, IndexError> {
        let Some(head) = self.heads.pop() else {
            return Ok(None);
        };
        self.advance(head.stream, Some(head.place.clone()))?;
        Ok(Some(head.place))
    }
}

/// Most entries of a span, term by term.
struct TermStream {
    terms: redb::Range<'static, Bytes, Bytes>,
    span: Span,
    direction: Direction,
    after: Option<Place>,
    bits: Bits,
    value: Vec<u8>,
    members: Members,
    /// Terms gone past since the last one with a match.
    missed: u32,
}

/// What a step along the terms came to.
enum Step {
    Place(Place),
    End,
    /// Too many terms in a row have no match.
    TooFar,
}

/// What is left of the matching members of one term.
enum Members {
    List(VecDeque<Low>),
    Bits(Bits, Option<Low>),
}

impl TermStream {
    fn open(
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
                    // Just behind the term of the cursor.
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

    fn next(&mut self) -> Result<Step, IndexError> {
        /// About as many terms as cost what picking by ordinals does.
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

    fn next(&mut self, direction: Direction) -> Option<Low> {
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

/// Some entries of a span, picked by their ordinals a few at a time.
///
/// An entry's rank in the order of its span is `ordinal << 16 | low`, turned around (`!`) for a descending walk.
struct OrdinalStream {
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
enum Repeat {
    Same,
    New,
}

impl OrdinalStream {
    fn open(
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

    fn next(&mut self) -> Option<(EntryId, Repeat)> {
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

    /// Picks the smallest ranks from `from` on, more at a time as the walk goes on.
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

/// The rank in the order of `span` at which a walk that goes on behind `after` begins; `None` when nothing is left.
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

/// How far an id is from the first of its span.
fn offset(id: EntryId, first: EntryId) -> u32 {
    u32::try_from(id.0 - first.0).unwrap_or(u32::MAX)
}

/// The ordinals of one field of a span, by the rank of the entry.
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

    /// The ordinal of the entry of that rank, which is one of the entries.
    fn get(&self, rank: usize) -> u16 {
        match self {
            Self::Narrow(ordinals) => ordinals.get(rank).copied().map_or(0, u16::from),
            Self::Wide(ordinals) => ordinals.get(rank).copied().map_or(0, u16::from_le_bytes),
        }
    }
}
