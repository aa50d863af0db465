//! One page of a listing: rows of the tables merged with the newer rows of the overlays.

use super::search::{Changed, Search};
use super::walk::Walk;
use crate::entry::Entry;
use crate::id::EntryId;
use crate::index::error::IndexError;
use crate::index::query::place::Place;
use crate::index::tables::entry_at;
use crate::index::view::View;
use crate::query::{Cursor, Filter, Query, Sort};

/// After this many candidates were rejected, file names are compared a whole span at a time.
/// Comparing all names of a span takes about as long as rejecting this many one by one.
const REFUSED_MAX: u32 = 3000;

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// The entries, in order.
    pub(crate) entries: Vec<Entry>,
    /// The position at which the next page begins; `None` at the end.
    pub(crate) next: Option<Cursor>,
}

impl View {
    /// Returns one page of the entries that a query selects.
    pub(crate) fn query(&self, query: &Query) -> Result<Page, IndexError> {
        let (ids, next) = self.ids(query)?;
        Ok(Page {
            entries: self.entries(&ids)?,
            next,
        })
    }

    /// Returns the ids of one page of the entries that a query selects, and where the next page
    /// begins. Rows are read only for texts and file patterns.
    pub(crate) fn ids(&self, query: &Query) -> Result<(Vec<EntryId>, Option<Cursor>), IndexError> {
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
        Ok((ids, next))
    }

    /// Returns how many entries a filter selects. The count is exact. Rows are read only for texts
    /// and file patterns.
    pub(crate) fn count(&self, filter: &Filter) -> Result<u64, IndexError> {
        self.count_to(filter, u64::MAX)
    }

    /// Counts the entries a filter selects, and stops once there are `most` or a few more.
    pub(crate) fn count_to(&self, filter: &Filter, most: u64) -> Result<u64, IndexError> {
        let search = Search::new(self, filter)?;
        search.sharpen();
        let mut count = 0;
        for (id, row) in &search.changed {
            if count >= most {
                return Ok(count);
            }
            count += u64::from(search.matcher.takes(*id, row)?);
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

/// Every match in order: the matches in the tables merged with the newer ones in the overlays.
struct Listing<'a> {
    search: &'a Search<'a>,
    sort: Sort,
    walk: Walk<'a>,
    /// The next candidate from the tables.
    stored: Option<Place>,
    changed: Changed<'a>,
    /// The next match among the overlays.
    newer: Option<Place>,
    /// Number of candidates rejected so far.
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
