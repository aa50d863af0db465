//! The query engine: a filter becomes set algebra over posting lists, span by span; a sort walks the result in order.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

use redb::AccessGuard;

use super::IndexError;
use super::glob::Glob;
use super::postings::Bits;
use super::rows::{self, EntryHead, EntryRow};
use super::sort::{Place, Walk};
use super::tables::{self, BLOCK_IDS, Bytes, Field, Span, Zone, Zones, entry_at, locate};
use super::terms;
use super::text::{self, Trigram, contains_folded, equals_folded, fold};
use super::view::View;
use crate::entry::Entry;
use crate::id::{EntryId, JobId};
use crate::query::{Cursor, Direction, Filter, Purged, Query, Sort, SortField};
use crate::time::Timestamp;

/// After so many candidates that were none, file names are tried in bulk: a span's names take about as long as these.
const REFUSED_MAX: u32 = 3000;

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// The rows, in order.
    pub(crate) entries: Vec<Entry>,
    /// Where the next page begins; `None` at the end.
    pub(crate) next: Option<Cursor>,
}

impl View {
    /// The entries that a query asks for.
    pub(crate) fn query(&self, query: &Query) -> Result<Page, IndexError> {
        let sort = query.sort;
        let after = query.after.as_ref().map(|cursor| Place::of(sort, cursor));
        let after = after.transpose()?;
        let search = Search::new(self, &query.filter)?;
        let mut listing = Listing::new(&search, sort, after)?;
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut skip = query.offset;
        let mut ids = Vec::new();
        let mut last: Option<Place> = None;
        let mut more = false;
        while let Some(place) = listing.next()? {
            if skip > 0 {
                skip -= 1;
            } else if ids.len() == limit {
                more = true;
                break;
            } else {
                ids.push(place.id);
                last = Some(place);
            }
        }
        let next = last.filter(|_| more).map(|place| Cursor {
            sort,
            value: place.value,
            id: place.id,
        });
        Ok(Page {
            entries: self.entries(&ids)?,
            next,
        })
    }

    /// How many entries a filter selects. Exact; rows are only looked at for texts and file patterns.
    pub(crate) fn count(&self, filter: &Filter) -> Result<u64, IndexError> {
        self.count_to(filter, u64::MAX)
    }

    /// How many entries a filter selects, or `most` and perhaps more once there are so many.
    pub(crate) fn count_to(&self, filter: &Filter, most: u64) -> Result<u64, IndexError> {
        let search = Search::new(self, filter)?;
        search.sharpen();
        let mut count = 0;
        for (id, row) in &search.changed {
            if count >= most {
                return Ok(count);
            }
            count += u64::from(search.matcher.matches(*id, row)?);
        }
        for (span, zone) in &search.spans {
            if count >= most {
                return Ok(count);
            }
            let Some(bits) = search.matches(*span, *zone)? else {
                continue;
            };
            if search.is_doubtful() {
                for low in bits.iter() {
                    if count >= most {
                        return Ok(count);
                    }
                    count += u64::from(search.confirms(entry_at(*span, low))?);
                }
            } else {
                count += u64::from(bits.len());
            }
        }
        Ok(count)
    }
}

/// A filter made ready to be asked, on one view.
pub(super) struct Search<'a> {
    pub(super) view: &'a View,
    pub(super) spans: Vec<(Span, Zone)>,
    matcher: Matcher<'a>,
    clauses: Vec<Clause>,
    /// True when the posting lists only give candidates and the rows must be looked at, file names apart.
    verify: bool,
    /// True once the file names of a span are held against the pattern all at once.
    sharp: Cell<bool>,
    /// The rows of the overlays, matching or not, by id.
    changed: Vec<(EntryId, &'a [u8])>,
    /// What the overlays have rows of: what the tables say of these is out of date.
    outdated: HashMap<Span, Bits>,
}

impl<'a> Search<'a> {
    fn new(view: &'a View, filter: &'a Filter) -> Result<Self, IndexError> {
        let matcher = Matcher::new(filter);
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

    /// The matching rows of the overlays in an order, behind `after`.
    fn changed(&'a self, sort: Sort, after: Option<&Place>) -> Result<Changed<'a>, IndexError> {
        if sort.field == SortField::Id {
            let mut rows = self.changed.clone();
            rows.retain(|(id, _)| match (after, sort.direction) {
                (None, _) => true,
                (Some(after), Direction::Asc) => *id > after.id,
                (Some(after), Direction::Desc) => *id < after.id,
            });
            if sort.direction == Direction::Desc {
                rows.reverse();
            }
            let rows = rows.into_iter();
            return Ok(Changed::ById(&self.matcher, rows));
        }
        let mut places = Vec::new();
        for (id, row) in &self.changed {
            if !self.matcher.matches(*id, row)? {
                continue;
            }
            let value = terms::order_value(sort.field, &rows::decode_head(row)?);
            let place = Place { value, id: *id };
            if after.is_none_or(|after| after.comes_before(&place, sort.direction)) {
                places.push(place);
            }
        }
        places.sort_unstable_by(|a, b| a.compare(b, sort.direction));
        Ok(Changed::Sorted(places.into_iter()))
    }

    /// False when a candidate from the tables is none after all.
    fn confirms(&self, id: EntryId) -> Result<bool, IndexError> {
        if !self.is_doubtful() {
            return Ok(true);
        }
        self.matcher.matches(id, self.table_row(id)?.value())
    }

    /// From now on holds file names against the pattern when a span is opened, all at once, instead of row by row;
    /// false when there is no pattern.
    fn sharpen(&self) -> bool {
        self.sharp.set(self.matcher.file.is_some());
        self.sharp.get()
    }

    /// Takes out the candidates whose file name does not fit the pattern.
    fn keep_fitting_names(
        &self,
        glob: &Glob,
        span: Span,
        bits: &mut Bits,
    ) -> Result<(), IndexError> {
        /// Fewer rows than this are looked at one by one.
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

    fn table_row(&self, id: EntryId) -> Result<AccessGuard<'static, Bytes>, IndexError> {
        let row = self.view.reader.entries.get(id.0)?;
        row.ok_or(IndexError::Damaged("the entries"))
    }

    /// True when a candidate of [`matches`](Self::matches) may still be none.
    fn is_doubtful(&self) -> bool {
        self.verify || (self.matcher.file.is_some() && !self.sharp.get())
    }

    /// The entries of a span that match by the tables, or may match; `None` when there are none.
    pub(super) fn matches(&self, span: Span, zone: Zone) -> Result<Option<Bits>, IndexError> {
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

    /// Keeps what meets `clause`; false when nothing is left.
    fn narrow(
        &self,
        clause: &Clause,
        span: Span,
        zone: Zone,
        found: &mut Option<Bits>,
    ) -> Result<bool, IndexError> {
        let reader = &self.view.reader;
        let mut keep = |bits: Bits| {
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
        };
        match clause {
            Clause::Terms(field, terms) => {
                let mut bits = Bits::none();
                for term in terms {
                    reader.add_posting(span, *field, term, &mut bits)?;
                }
                Ok(keep(bits))
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
                // Only what exists: an id somebody typed need not.
                let mut all = Bits::none();
                reader.add_posting(span, Field::All, &[], &mut all)?;
                bits.intersect(&all);
                Ok(keep(bits))
            }
            Clause::Times(times) => {
                if times.contains(&zone.oldest) && times.contains(&zone.newest) {
                    return Ok(true);
                }
                let bits = self.archived_in(span, times)?;
                Ok(keep(bits))
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
                    if !keep(bits) {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// The entries of a span that were archived in a range of micros.
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
            for (low, micros) in tables::times(value.value()) {
                if times.contains(&micros) {
                    bits.insert(low);
                }
            }
        }
        Ok(bits)
    }

    pub(super) fn zones(&self, span: Span) -> Result<Zones, IndexError> {
        let value = self.view.reader.zones.get(span)?;
        value
            .and_then(|value| Zones::parse(value.value()))
            .ok_or(IndexError::Damaged("a zone"))
    }
}

/// Every match in order: what the tables know of, merged with what the overlays know better.
struct Listing<'a> {
    search: &'a Search<'a>,
    sort: Sort,
    walk: Walk<'a>,
    /// The next candidate of the walk.
    stored: Option<Place>,
    changed: Changed<'a>,
    /// The next match among the overlays.
    newer: Option<Place>,
    /// Candidates that were none, so far.
    refused: u32,
}

impl<'a> Listing<'a> {
    fn new(search: &'a Search<'a>, sort: Sort, after: Option<Place>) -> Result<Self, IndexError> {
        let mut changed = search.changed(sort, after.as_ref())?;
        let mut walk = Walk::new(search, sort, after)?;
        Ok(Self {
            search,
            sort,
            stored: walk.next()?,
            walk,
            newer: changed.next()?,
            changed,
            refused: 0,
        })
    }

    fn next(&mut self) -> Result<Option<Place>, IndexError> {
        loop {
            let place = match (self.stored.take(), &self.newer) {
                (Some(place), None) => place,
                (Some(place), Some(newer)) if place.comes_before(newer, self.sort.direction) => {
                    place
                }
                (stored, _) => {
                    self.stored = stored;
                    let next = match self.newer {
                        Some(_) => self.changed.next()?,
                        None => None,
                    };
                    return Ok(std::mem::replace(&mut self.newer, next));
                }
            };
            if self.search.confirms(place.id)? {
                self.stored = self.walk.next()?;
                return Ok(Some(place));
            }
            self.refused += 1;
            if self.refused == REFUSED_MAX && self.search.sharpen() {
                self.walk = Walk::new(self.search, self.sort, Some(place))?;
            }
            self.stored = self.walk.next()?;
        }
    }
}

/// What matches among the rows of the overlays, in order.
enum Changed<'a> {
    Sorted(std::vec::IntoIter<Place>),
    /// Held against the filter only when their turn comes: a page of the newest looks at few.
    ById(&'a Matcher<'a>, std::vec::IntoIter<(EntryId, &'a [u8])>),
}

impl Changed<'_> {
    fn next(&mut self) -> Result<Option<Place>, IndexError> {
        match self {
            Self::Sorted(places) => Ok(places.next()),
            Self::ById(matcher, rows) => {
                for (id, row) in rows {
                    if matcher.matches(id, row)? {
                        let value = Vec::new();
                        return Ok(Some(Place { value, id }));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// What posting lists can say of one part of a filter. All clauses must hold.
enum Clause {
    /// Has any of these terms.
    Terms(Field, Vec<Vec<u8>>),
    /// Is one of these, ascending.
    Ids(Vec<EntryId>),
    /// Was archived in this range of micros.
    Times(RangeInclusive<i64>),
    /// Has a trigram in each of these ranges.
    Trigrams(Vec<(Trigram, Trigram)>),
}

/// A range of micros that nothing is in.
#[expect(
    clippy::reversed_empty_ranges,
    reason = "an empty one is what is meant"
)]
const NO_TIME: RangeInclusive<i64> = 1..=0;

/// A filter with its texts folded, to be held against rows.
pub(super) struct Matcher<'a> {
    filter: &'a Filter,
    ids: Vec<EntryId>,
    converters: Vec<String>,
    version: Option<String>,
    serial: Option<String>,
    part: Option<String>,
    station: Option<String>,
    process: Option<String>,
    report_id: Option<String>,
    file: Option<Glob>,
    text: Option<String>,
    times: Option<RangeInclusive<i64>>,
}

impl<'a> Matcher<'a> {
    fn new(filter: &'a Filter) -> Self {
        let folded = |text: &Option<String>| text.as_deref().map(|text| fold(text).into_owned());
        let mut ids = filter.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let bounded = filter.from.is_some() || filter.to.is_some();
        let times = bounded.then(|| {
            let from = filter.from.map_or(i64::MIN, Timestamp::micros);
            match filter.to.map(|to| to.micros().checked_sub(1)) {
                None => from..=i64::MAX,
                Some(Some(last)) => from..=last,
                Some(None) => NO_TIME,
            }
        });
        Self {
            filter,
            ids,
            converters: filter
                .converter
                .iter()
                .map(|name| fold(name).into_owned())
                .collect(),
            version: folded(&filter.converter_version),
            serial: folded(&filter.serial),
            part: folded(&filter.part),
            station: folded(&filter.station),
            process: folded(&filter.process),
            report_id: folded(&filter.report_id),
            file: filter.file.as_deref().map(Glob::new),
            text: folded(&filter.text).filter(|text| !text.is_empty()),
            times,
        }
    }

    /// False when no entry of a span can match.
    fn may_be_in(&self, span: Span, zone: Zone) -> bool {
        let in_time = self
            .times
            .as_ref()
            .is_none_or(|times| *times.start() <= zone.newest && zone.oldest <= *times.end());
        let in_ids = self.ids.is_empty() || {
            let first = self.ids.partition_point(|id| *id < entry_at(span, 0));
            self.ids
                .get(first)
                .is_some_and(|id| *id <= entry_at(span, u16::MAX))
        };
        in_time && in_ids
    }

    /// The filter as posting lists see it, the clauses that leave least first, and whether rows must be
    /// looked at as well; for file names they always must.
    fn clauses(&self) -> (Vec<Clause>, bool) {
        let mut clauses = Vec::new();
        let mut verify = false;
        if !self.ids.is_empty() {
            clauses.push(Clause::Ids(self.ids.clone()));
        }
        let texts = [
            (Field::Serial, &self.serial),
            (Field::Report, &self.report_id),
            (Field::Part, &self.part),
            (Field::Station, &self.station),
            (Field::Process, &self.process),
            (Field::Version, &self.version),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                verify |= !terms::is_whole(text);
                clauses.push(Clause::Terms(field, vec![terms::text_term(Some(text))]));
            }
        }
        if let Some(JobId(job)) = self.filter.job {
            clauses.push(Clause::Terms(Field::Job, vec![job.to_be_bytes().to_vec()]));
        }
        for (name, value) in &self.filter.meta {
            verify |= !terms::is_whole_meta(name, value);
            clauses.push(Clause::Terms(
                Field::Meta,
                vec![terms::meta_term(name, value)],
            ));
        }
        if !self.converters.is_empty() {
            verify |= self.converters.iter().any(|name| !terms::is_whole(name));
            let names = self.converters.iter();
            let names = names.map(|name| terms::text_term(Some(name))).collect();
            clauses.push(Clause::Terms(Field::Converter, names));
        }
        if !self.filter.status.is_empty() {
            let statuses = self.filter.status.iter();
            let names = statuses.map(|status| terms::status_term(*status).to_vec());
            clauses.push(Clause::Terms(Field::Status, names.collect()));
        }
        if let Some(times) = &self.times {
            clauses.push(Clause::Times(times.clone()));
        }
        if let Some(text) = &self.text {
            // Up to one trigram, having it is containing the text, unless the end mark is mistaken for a part.
            verify |= text.len() > 3 || text.contains('\0');
            clauses.push(Clause::Trigrams(text::trigram_ranges(text.as_bytes())));
        }
        if let Some(glob) = &self.file {
            let parts = glob.parts();
            let ranges = parts.iter().filter(|part| part.len() > 2);
            let ranges: Vec<_> = ranges.flat_map(|part| text::trigram_ranges(part)).collect();
            if !ranges.is_empty() {
                clauses.push(Clause::Trigrams(ranges));
            }
        }
        (clauses, verify)
    }

    /// Holds the whole filter against the row of an entry.
    fn matches(&self, id: EntryId, row: &[u8]) -> Result<bool, IndexError> {
        let filter = self.filter;
        if !self.matches_head(id, &rows::decode_head(row)?) {
            return Ok(false);
        }
        let head_says_all = filter.meta.is_empty()
            && filter.job.is_none()
            && self.report_id.is_none()
            && self.text.is_none();
        Ok(head_says_all || self.matches_rest(&rows::decode(row)?))
    }

    fn matches_head(&self, id: EntryId, head: &EntryHead<'_>) -> bool {
        let filter = self.filter;
        let purged = match filter.purged {
            Purged::Exclude => head.purged_at.is_none(),
            Purged::Include => true,
            Purged::Only => head.purged_at.is_some(),
        };
        let archived = head.archived_at.micros();
        purged
            && (self.ids.is_empty() || self.ids.binary_search(&id).is_ok())
            && (filter.status.is_empty() || filter.status.contains(&head.status))
            && self
                .times
                .as_ref()
                .is_none_or(|times| times.contains(&archived))
            && (self.converters.is_empty()
                || self
                    .converters
                    .iter()
                    .any(|name| equals_folded(head.converter, name)))
            && is(self.version.as_ref(), head.converter_version)
            && is(self.serial.as_ref(), head.serial)
            && is(self.part.as_ref(), head.part)
            && is(self.station.as_ref(), head.station)
            && is(self.process.as_ref(), head.process)
            && self
                .file
                .as_ref()
                .is_none_or(|glob| glob.matches(head.source_name))
    }

    fn matches_rest(&self, row: &EntryRow<'_>) -> bool {
        let filter = self.filter;
        let has = |name: &str, value: &str| row.meta.contains(&(name, value));
        filter.meta.iter().all(|(name, value)| has(name, value))
            && filter
                .job
                .is_none_or(|job| row.attempts.iter().any(|attempt| attempt.job == Some(job)))
            && (self.report_id.is_none()
                || row.reports().any(|report| {
                    report.report_id.is_some() && is(self.report_id.as_ref(), report.report_id)
                }))
            && self.text.as_ref().is_none_or(|wanted| {
                let mut found = false;
                terms::searched_texts(row, |text| found = found || contains_folded(text, wanted));
                found
            })
    }
}

/// True when nothing is wanted, or just this.
fn is(wanted: Option<&String>, text: Option<&str>) -> bool {
    match (wanted, text) {
        (None, _) => true,
        (Some(wanted), Some(text)) => equals_folded(text, wanted),
        (Some(_), None) => false,
    }
}

/// The 64-bit words of a span's bits that are one block.
pub(super) fn block_words(block: usize) -> Range<usize> {
    const WORDS: usize = BLOCK_IDS / 64;
    block * WORDS..(block + 1) * WORDS
}
