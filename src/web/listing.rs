//! Lists of entries and frozen selections, for the API and the page alike.

use super::address::Address;
use super::selections::{LeftOut, Selection};
use crate::archive::Snapshot;
use crate::entry::Entry;
use crate::id::{EntryId, EventSeq};
use crate::query::{Count, Cursor, Direction, Filter, Purged, Query, Sort, SortField};
use crate::service::desk::Desk;
use crate::service::entries::{no_entry, refuse_unknown_converters};
use crate::{Error, ErrorKind, Result};

/// Entries are counted no further than this, so that nobody waits for a number.
pub(in crate::web) const COUNT_MAX: u64 = 10_000;
/// New entries are counted no further than this.
const NEWS_MAX: usize = 99;
/// The most entries that are looked at one by one when a selection is made.
const EXAMINED_MAX: usize = 10_000;

/// One page of a list.
#[derive(Debug)]
pub(in crate::web) struct Listed {
    pub(in crate::web) entries: Vec<Entry>,
    /// Where the next page begins.
    pub(in crate::web) next: Option<Cursor>,
    /// How many entries match in all, where the page itself says so.
    pub(in crate::web) count: Option<Count>,
    /// The newest event that the list knows of.
    pub(in crate::web) at: EventSeq,
}

/// Reads one page of a list.
pub(in crate::web) fn list(desk: &Desk, address: &Address, usual: usize) -> Result<Listed> {
    let filter = address.filter(desk)?;
    let snapshot = desk.archive.snapshot()?;
    let page = snapshot.query(&address.page(filter, usual))?;
    let is_whole = page.next.is_none() && address.after.is_none();
    Ok(Listed {
        count: is_whole.then_some(Count::exactly(page.entries.len() as u64)),
        entries: page.entries,
        next: page.next,
        at: snapshot.at(),
    })
}

/// Returns how many entries match, counted no further than [`COUNT_MAX`].
pub(in crate::web) fn count(desk: &Desk, address: &Address) -> Result<Count> {
    let filter = address.filter(desk)?;
    desk.archive.snapshot()?.count_up_to(&filter, COUNT_MAX)
}

/// Returns how many entries that match came after an event, counted no further than 99.
pub(in crate::web) fn arrived(desk: &Desk, address: &Address, since: EventSeq) -> Result<Count> {
    let sort = Sort {
        field: SortField::Id,
        direction: Direction::Asc,
    };
    let query = Query::default()
        .filter(address.filter(desk)?)
        .sort(sort)
        .after(Cursor {
            sort,
            value: Vec::new(),
            id: EntryId(since.0),
        })
        .limit(NEWS_MAX);
    let page = desk.archive.snapshot()?.query(&query)?;
    Ok(Count {
        n: page.entries.len() as u64,
        more: page.next.is_some(),
    })
}

/// A list with one filter less.
#[derive(Debug)]
pub(in crate::web) struct Relaxed {
    /// The filter that it does without.
    pub(in crate::web) key: &'static str,
    pub(in crate::web) value: String,
    pub(in crate::web) address: Address,
    /// How many entries match then.
    pub(in crate::web) count: Count,
}

/// Returns, for each filter of a list, what the list would be without it.
///
/// # Errors
/// When the list without a filter cannot be read, for example because a period is empty.
pub(in crate::web) fn relaxed(desk: &Desk, address: &Address) -> Result<Vec<Relaxed>> {
    let narrowing = address.filters.pairs().into_iter();
    narrowing
        .map(|(key, value)| {
            let less = address.without(key, &value);
            Ok(Relaxed {
                count: count(desk, &less)?,
                key,
                value,
                address: less,
            })
        })
        .collect()
}

/// Says why a list is empty when it names a converter that nobody knows.
pub(in crate::web) fn unknown_converter(desk: &Desk, address: &Address) -> Result<Option<Error>> {
    let filter = address.filter(desk)?;
    let snapshot = desk.archive.snapshot()?;
    match refuse_unknown_converters(&filter, &snapshot, desk.config()) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(error)),
        other => other.map(|()| None),
    }
}

/// What a visitor chose.
#[derive(Debug, Clone)]
pub(in crate::web) enum Chosen {
    /// These entries.
    Ids(Vec<EntryId>),
    /// All that match.
    Matching(Box<Address>),
}

/// Freezes what a visitor chose: its entries as of now.
///
/// # Errors
/// `NotFound` for an entry that does not exist, and when nothing matches.
pub(in crate::web) fn freeze(desk: &Desk, chosen: Chosen) -> Result<Selection> {
    let snapshot = desk.archive.snapshot()?;
    let (ids, query, filter) = match chosen {
        Chosen::Ids(mut ids) => {
            ids.sort_unstable();
            ids.dedup();
            (ids, String::new(), None)
        }
        Chosen::Matching(address) => {
            let filter = address.filter(desk)?;
            refuse_unknown_converters(&filter, &snapshot, desk.config())?;
            let ids = snapshot.ids(&filter, Sort::default())?;
            (ids, address.selecting().query(), Some(filter))
        }
    };
    if ids.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "no entry is chosen")
            .hint("tick entries of the list, or choose all that match"));
    }
    Ok(Selection {
        id: String::new(),
        at_seq: snapshot.at(),
        at: desk.now,
        left_out: left_out(&snapshot, &ids, filter)?,
        ids,
        query,
    })
}

/// Returns the entries that no converter can be run on again; `None` when there are too many to
/// look at each.
fn left_out(
    snapshot: &Snapshot,
    ids: &[EntryId],
    filter: Option<Filter>,
) -> Result<Option<Vec<LeftOut>>> {
    if ids.len() > EXAMINED_MAX {
        // What is known without reading the entries is whether they are purged.
        let Some(mut filter) = filter else {
            return Ok(None);
        };
        if filter.purged == Purged::Exclude {
            return Ok(None);
        }
        filter.purged = Purged::Only;
        let purged = snapshot.count(&filter)?;
        return Ok((purged > 0).then(|| {
            vec![LeftOut {
                why: "purged",
                count: purged,
            }]
        }));
    }
    let mut counts = [("purged", 0), ("facts only", 0), ("no source", 0)];
    for id in ids {
        let entry = snapshot.entry(*id)?.ok_or_else(|| no_entry(*id))?;
        if let Some(why) = why_not(&entry) {
            for (_, count) in counts.iter_mut().filter(|(of, _)| *of == why) {
                *count += 1;
            }
        }
    }
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    Ok(Some(
        counts.map(|(why, count)| LeftOut { why, count }).collect(),
    ))
}

/// Returns why no converter can be run on an entry again.
fn why_not(entry: &Entry) -> Option<&'static str> {
    if entry.purged_at.is_some() {
        Some("purged")
    } else if entry.facts_only {
        Some("facts only")
    } else if entry.source_purge().is_some() {
        Some("no source")
    } else {
        None
    }
}
