//! A filter prepared for one view: finds candidates span by span and confirms them.

use super::matcher::{Clause, Matcher};
use crate::id::EntryId;
use crate::index::entries::RowGuard;
use crate::index::error::IndexError;
use crate::index::glob::Glob;
use crate::index::marks::NewRow;
use crate::index::postings::{Bits, Low};
use crate::index::query::place::Place;
use crate::index::rows::{self, HoldRow};
use crate::index::tables::{
    self, BLOCK_IDS, Field, SPAN_BLOCKS, Span, Zone, Zones, entry_at, locate,
};
use crate::index::terms;
use crate::index::view::View;
use crate::query::{Direction, Filter, Purged, Sort, SortField};
use std::cell::Cell;
use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// A filter prepared for one view.
pub(in crate::index) struct Search<'a> {
    pub(in crate::index) view: &'a View,
    pub(in crate::index) spans: Vec<(Span, Zone)>,
    pub(super) matcher: Matcher<'a>,
    clauses: Vec<Clause>,
    /// True when posting lists only give candidates, whose rows must be checked. File names are not
    /// counted here.
    verify: bool,
    /// True once file names are compared with the pattern a whole span at a time.
    sharp: Cell<bool>,
    /// The rows of the overlays by id, matching or not.
    pub(super) changed: Vec<(EntryId, &'a NewRow)>,
    /// Entries with a row in an overlay: their rows in the tables are out of date.
    outdated: HashMap<Span, Bits>,
}

impl<'a> Search<'a> {
    pub(super) fn new(view: &'a View, filter: &'a Filter) -> Result<Self, IndexError> {
        let matcher = Matcher::new(filter).under(|| view.holds());
        let (clauses, verify) = matcher.clauses();
        let changed = view.changed_rows(EntryId(0)..=EntryId(u64::MAX));
        let mut outdated: HashMap<Span, Bits> = HashMap::new();
        for (id, _) in &changed {
            if id.0 <= view.reader.totals.newest_entry
                && let Some((span, low)) = locate(id.0)
            {
                outdated.entry(span).or_insert_with(Bits::none).insert(low);
            }
        }
        let mut spans = view.reader.spans()?;
        spans.retain(|(span, zone)| matcher.may_be_in(*span, *zone));
        Ok(Self {
            view,
            spans,
            matcher,
            clauses,
            verify,
            sharp: Cell::new(false),
            changed,
            outdated,
        })
    }

    /// Returns the matching rows of the overlays in an order, after the position `after`.
    pub(super) fn changed(
        &'a self,
        sort: Sort,
        after: Option<&Place>,
    ) -> Result<Changed<'a>, IndexError> {
        if matches!(sort.field, SortField::Id | SortField::ArchivedAt) {
            let rows = self.in_marked_order(sort, after)?.into_iter();
            return Ok(Changed::Lazy(&self.matcher, sort.field, rows));
        }
        let mut places = Vec::new();
        for (id, row) in &self.changed {
            if !self.matcher.takes(*id, row)? {
                continue;
            }
            let value = terms::order_value(sort.field, &rows::decode_head(&row.bytes)?);
            let place = Place { value, id: *id };
            if after.is_none_or(|after| after.comes_before(&place, sort.direction)) {
                places.push(place);
            }
        }
        places.sort_unstable_by(|a, b| a.compare(b, sort.direction));
        Ok(Changed::Sorted(places.into_iter()))
    }

    /// Returns the rows of the overlays, matching or not, in the order of their ids or times,
    /// which their marks tell.
    fn in_marked_order(
        &self,
        sort: Sort,
        after: Option<&Place>,
    ) -> Result<Vec<(EntryId, &'a NewRow)>, IndexError> {
        let place = |(id, row): &(EntryId, &NewRow)| match sort.field {
            SortField::ArchivedAt => (row.marks.archived, *id),
            _ => (0, *id),
        };
        let mut rows = self.changed.clone();
        if let Some(after) = after {
            let time = match sort.field {
                SortField::ArchivedAt => terms::time_of(&after.value),
                _ => Some(0),
            };
            let after = (time.ok_or(IndexError::OtherOrder)?, after.id);
            rows.retain(|row| match sort.direction {
                Direction::Asc => place(row) > after,
                Direction::Desc => place(row) < after,
            });
        }
        // Nearly in order already, for which this sort takes the time of one pass.
        rows.sort_by_key(place);
        if sort.direction == Direction::Desc {
            rows.reverse();
        }
        Ok(rows)
    }

    /// Returns false when a candidate from the tables does not match.
    pub(super) fn confirms(&self, id: EntryId) -> Result<bool, IndexError> {
        if !self.is_doubtful() {
            return Ok(true);
        }
        self.matcher.matches(id, self.table_row(id)?.value())
    }

    /// From now on compares the file names of a whole span when it is opened, instead of row by
    /// row. Returns false when there is no pattern.
    pub(super) fn sharpen(&self) -> bool {
        self.sharp.set(self.matcher.file.is_some());
        self.sharp.get()
    }

    /// Removes the candidates whose file names do not match the pattern.
    fn keep_fitting_names(
        &self,
        glob: &Glob,
        span: Span,
        bits: &mut Bits,
    ) -> Result<(), IndexError> {
        /// Fewer rows than this are read one by one.
        const FEW: u32 = 1000;
        let mut fitting = Bits::none();
        let mut doubtful = Bits::none();
        if bits.len() > FEW {
            let (first, end) = tables::term_bounds(span, Field::SourceName);
            let terms = first.as_slice()..end.as_slice();
            for row in self.view.reader.postings.range::<&[u8]>(terms)? {
                let (key, packed) = row?;
                match terms::text_of(&key.value()[first.len()..]) {
                    Some(name) if glob.matches(name) => fitting.insert_packed(packed.value())?,
                    Some(_) => {}
                    None => doubtful.insert_packed(packed.value())?,
                }
            }
            doubtful.intersect(bits);
        } else {
            doubtful.union(bits);
        }
        for low in doubtful.iter() {
            let row = self.table_row(entry_at(span, low))?;
            if glob.matches(rows::decode_head(row.value())?.source_name) {
                fitting.insert(low);
            }
        }
        bits.intersect(&fitting);
        Ok(())
    }

    pub(super) fn table_row(&self, id: EntryId) -> Result<RowGuard, IndexError> {
        let row = self.view.reader.entries.get(id)?;
        row.ok_or(IndexError::Damaged("the entries"))
    }

    /// Returns true when a candidate from [`matches`](Self::matches) still needs
    /// [`confirms`](Self::confirms).
    pub(super) fn is_doubtful(&self) -> bool {
        self.verify || (self.matcher.file.is_some() && !self.sharp.get())
    }

    /// Returns the candidates of a span according to the tables; `None` when there are none.
    pub(in crate::index) fn matches(
        &self,
        span: Span,
        zone: Zone,
    ) -> Result<Option<Bits>, IndexError> {
        let Some(mut bits) = self.candidates(span, zone)? else {
            return Ok(None);
        };
        if let Some(outdated) = self.outdated.get(&span) {
            bits.subtract(outdated);
        }
        if let (true, Some(glob)) = (self.sharp.get(), &self.matcher.file) {
            self.keep_fitting_names(glob, span, &mut bits)?;
        }
        Ok((!bits.is_empty()).then_some(bits))
    }

    fn candidates(&self, span: Span, zone: Zone) -> Result<Option<Bits>, IndexError> {
        let reader = &self.view.reader;
        let mut found: Option<Bits> = None;
        for clause in &self.clauses {
            if !self.narrow(clause, span, zone, &mut found)? {
                return Ok(None);
            }
        }
        let mut found = if let Some(found) = found {
            found
        } else {
            let mut all = Bits::none();
            reader.add_posting(span, Field::All, &[], &mut all)?;
            all
        };
        let mut gone = Bits::none();
        if self.matcher.filter.purged != Purged::Include {
            reader.add_posting(span, Field::Purged, &[], &mut gone)?;
        }
        match self.matcher.filter.purged {
            Purged::Include => {}
            Purged::Only => found.intersect(&gone),
            Purged::Exclude => found.subtract(&gone),
        }
        Ok(Some(found))
    }

    /// Keeps the candidates that meet `clause`. Returns false when none are left.
    fn narrow(
        &self,
        clause: &Clause,
        span: Span,
        zone: Zone,
        found: &mut Option<Bits>,
    ) -> Result<bool, IndexError> {
        let reader = &self.view.reader;
        match clause {
            Clause::Terms(field, terms) => {
                let mut bits = Bits::none();
                for term in terms {
                    reader.add_posting(span, *field, term, &mut bits)?;
                }
                Ok(keep(found, bits))
            }
            Clause::Ids(ids) => {
                let mut bits = Bits::none();
                let first = ids.partition_point(|id| *id < entry_at(span, 0));
                for id in &ids[first..] {
                    match locate(id.0) {
                        Some((of, low)) if of == span => bits.insert(low),
                        _ => break,
                    }
                }
                // Keep only existing entries: an id that a user typed need not exist.
                let mut all = Bits::none();
                reader.add_posting(span, Field::All, &[], &mut all)?;
                bits.intersect(&all);
                Ok(keep(found, bits))
            }
            Clause::Times(times) => {
                if times.contains(&zone.oldest) && times.contains(&zone.newest) {
                    return Ok(true);
                }
                let bits = self.archived_in(span, times)?;
                Ok(keep(found, bits))
            }
            Clause::Changed(times) => {
                let bits = self.changed_in(span, times, found.as_ref())?;
                Ok(keep(found, bits))
            }
            Clause::Held(holds) => {
                let bits = self.held(span, holds)?;
                Ok(keep(found, bits))
            }
            Clause::Without(field) => {
                let mut bits = Bits::none();
                reader.add_posting(span, Field::All, &[], &mut bits)?;
                let mut without = Bits::none();
                reader.add_posting(span, *field, &[], &mut without)?;
                bits.subtract(&without);
                Ok(keep(found, bits))
            }
            Clause::Trigrams(ranges) => {
                for (first, last) in ranges {
                    let mut bits = Bits::none();
                    let keys = tables::trigram_key(span, *first)..=tables::trigram_key(span, *last);
                    if first == last {
                        if let Some(packed) = reader.trigrams.get(keys.start())? {
                            bits.insert_packed(packed.value())?;
                        }
                    } else {
                        for row in reader.trigrams.range(keys)? {
                            bits.insert_packed(row?.1.value())?;
                        }
                    }
                    if !keep(found, bits) {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Returns the entries of a span that lie under one of the holds.
    fn held(&self, span: Span, holds: &[Arc<HoldRow>]) -> Result<Bits, IndexError> {
        let reader = &self.view.reader;
        let (first, last) = (entry_at(span, Low::MIN), entry_at(span, Low::MAX));
        let mut bits = Bits::none();
        for (placed, ranges) in holds.iter().flat_map(|hold| &hold.placements) {
            let ranges = ranges.ranges();
            let from = ranges.partition_point(|(_, end)| *end < first);
            for (start, end) in ranges[from..]
                .iter()
                .take_while(|(start, _)| *start <= last)
            {
                // A placement holds only what was archived before it.
                let end = (*end).min(last).min(EntryId(placed.0.saturating_sub(1)));
                let start = (*start).max(first);
                if let (true, Some((_, start)), Some((_, end))) =
                    (start <= end, locate(start.0), locate(end.0))
                {
                    bits.insert_range(start, end);
                }
            }
            reader.add_posting(span, Field::Held, &placed.0.to_be_bytes(), &mut bits)?;
        }
        let mut all = Bits::none();
        reader.add_posting(span, Field::All, &[], &mut all)?;
        bits.intersect(&all);
        Ok(bits)
    }

    /// Returns those of the candidates of a span, or all if there are none yet, whose sources were
    /// last changed in a range of microseconds. Reads no row.
    fn changed_in(
        &self,
        span: Span,
        times: &RangeInclusive<i64>,
        candidates: Option<&Bits>,
    ) -> Result<Bits, IndexError> {
        let mut bits = Bits::none();
        for block in 0..SPAN_BLOCKS {
            if candidates.is_some_and(|found| found.is_empty_in(block_words(block))) {
                continue;
            }
            let key = tables::block_key(span, block);
            let Some(value) = self.view.reader.times.get(key)? else {
                continue;
            };
            for entry in tables::times(value.value()) {
                if entry
                    .changed
                    .is_some_and(|changed| times.contains(&changed))
                {
                    bits.insert(entry.low);
                }
            }
        }
        Ok(bits)
    }

    /// Returns the entries of a span that were archived in a range of microseconds.
    fn archived_in(&self, span: Span, times: &RangeInclusive<i64>) -> Result<Bits, IndexError> {
        let mut bits = Bits::none();
        let reader = &self.view.reader;
        for (block, zone) in self.zones(span)?.blocks.iter().enumerate() {
            if zone.newest < *times.start() || *times.end() < zone.oldest {
                continue;
            }
            let Some(value) = reader.times.get(tables::block_key(span, block))? else {
                continue;
            };
            for entry in tables::times(value.value()) {
                if times.contains(&entry.archived) {
                    bits.insert(entry.low);
                }
            }
        }
        Ok(bits)
    }

    pub(in crate::index) fn zones(&self, span: Span) -> Result<Zones, IndexError> {
        let value = self.view.reader.zones.get(span)?;
        value
            .and_then(|value| Zones::parse(value.value()))
            .ok_or(IndexError::Damaged("a zone"))
    }
}

/// Keeps the candidates that are among `bits`. Returns false when none are left.
fn keep(found: &mut Option<Bits>, bits: Bits) -> bool {
    let left = match found.take() {
        Some(mut found) => {
            found.intersect(&bits);
            found
        }
        None => bits,
    };
    let some = !left.is_empty();
    *found = Some(left);
    some
}

/// The matches among the rows of the overlays, in order.
pub(super) enum Changed<'a> {
    Sorted(std::vec::IntoIter<Place>),
    /// In the order of ids or of times. Rows are compared with the filter only when they are
    /// reached, because a page of the newest entries needs few of them.
    Lazy(
        &'a Matcher<'a>,
        SortField,
        std::vec::IntoIter<(EntryId, &'a NewRow)>,
    ),
}

impl Changed<'_> {
    pub(super) fn next(&mut self) -> Result<Option<Place>, IndexError> {
        match self {
            Self::Sorted(places) => Ok(places.next()),
            Self::Lazy(matcher, field, rows) => {
                for (id, row) in rows {
                    if matcher.takes(id, row)? {
                        let value = match field {
                            SortField::ArchivedAt => terms::time_value(row.marks.archived).to_vec(),
                            _ => Vec::new(),
                        };
                        return Ok(Some(Place { value, id }));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// Returns the range of 64-bit words of a span's bitmap that one block covers.
pub(in crate::index) fn block_words(block: usize) -> Range<usize> {
    const WORDS: usize = BLOCK_IDS / 64;
    block * WORDS..(block + 1) * WORDS
}
