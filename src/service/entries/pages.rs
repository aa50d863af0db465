//! Goes through the entries that a query selects, page by page.

use super::selection::{nothing_selected, refuse_unknown_converters};
use crate::archive::Snapshot;
use crate::entry::Entry;
use crate::host::Config;
use crate::id::EntryId;
use crate::query::{Cursor, Filter, Query, Sort};
use crate::{Error, Result};

/// Most entries held in memory at a time.
const PAGE: usize = 1_000;

/// Visits the result of `query` page by page.
///
/// Returns the cursor to continue from when the query's limit cut the result short.
pub fn each_page<E: From<Error>>(
    snapshot: &Snapshot,
    mut query: Query,
    mut page: impl FnMut(&[Entry]) -> Result<(), E>,
) -> Result<Option<Cursor>, E> {
    let mut left = query.limit;
    loop {
        query.limit = Some(left.map_or(PAGE, |left| left.min(PAGE)));
        let found = snapshot.query(&query)?;
        page(&found.entries)?;
        left = left.map(|left| left.saturating_sub(found.entries.len()));
        match found.next {
            Some(next) if left != Some(0) && !found.entries.is_empty() => {
                query.after = Some(next);
                query.offset = 0;
            }
            next => return Ok(next),
        }
    }
}

/// Returns the ids of all entries that `filter` selects, in the order of a listing.
///
/// # Errors
/// `NotFound` if it selects none, or if it names an unknown converter.
pub fn selected_ids(
    filter: Filter,
    snapshot: &Snapshot,
    config: Option<&Config>,
) -> Result<Vec<EntryId>> {
    refuse_unknown_converters(&filter, snapshot, config)?;
    let ids = snapshot.ids(&filter, Sort::default())?;
    if ids.is_empty() {
        return Err(nothing_selected());
    }
    Ok(ids)
}
