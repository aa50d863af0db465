//! Content that entries need and that is nowhere in the store.
//!
//! That nothing is missing is counted, not looked up: only where the sums differ is each blob
//! looked at.

use std::collections::BTreeMap;

use crate::Result;
use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::reclaimable::purged_since;
use crate::id::{BlobId, EventSeq};
use crate::index::View;

/// Returns the contents that entries need, that are nowhere in the store, and that no repair gave
/// up. Runs on the background thread, where no seal moves content meanwhile.
pub(in crate::archive) fn missing_contents(
    index: &LayeredIndex,
    journal: &JournalBlobs,
) -> Result<Vec<BlobId>> {
    let view = index.view();
    let given_up = view.losses()?;
    if sums_agree(journal, &view, &given_up)? {
        return Ok(Vec::new());
    }
    Ok(view.needed_nowhere(|id| given_up.contains_key(id) || journal.contains(id))?)
}

/// Returns true when as many blobs are needed and in no pack as are needed and in the journal, or
/// given up. Then none is missing.
pub(in crate::archive) fn sums_agree(
    journal: &JournalBlobs,
    view: &View,
    given_up: &BTreeMap<BlobId, EventSeq>,
) -> Result<bool> {
    let in_journal = journal.ids();
    Ok(view.needed_in_no_pack()? == accounted_for(journal, view, &in_journal, given_up)?)
}

/// Counts the blobs that are needed and in no pack, and that are in the journal or given up.
fn accounted_for(
    journal: &JournalBlobs,
    view: &View,
    in_journal: &[BlobId],
    given_up: &BTreeMap<BlobId, EventSeq>,
) -> Result<u64> {
    let elsewhere = given_up.keys().filter(|id| !journal.contains(id));
    let mut accounted_for = 0;
    for id in in_journal.iter().chain(elsewhere) {
        let row = view.blob(id)?;
        accounted_for += u64::from(row.is_some_and(|row| row.refs > 0 && row.place.is_none()));
    }
    Ok(accounted_for)
}

/// Counts the blobs that are needed, and neither in a pack, nor in the journal, nor given up.
/// `sealed` is the last sealed event.
pub(in crate::archive) fn count_missing(
    index: &LayeredIndex,
    journal: &JournalBlobs,
    sealed: EventSeq,
) -> Result<u64> {
    // Listed before the view is taken: what is listed is in the view.
    let in_journal = journal.ids();
    let view = index.view();
    let needed = view.needed_in_no_pack()?;
    let given_up = view.losses()?;
    // Content in the journal is needed, unless something was purged since it was recorded.
    let all_are_needed = purged_since(&view) <= sealed;
    if needed == in_journal.len() as u64 && given_up.is_empty() && all_are_needed {
        return Ok(0);
    }
    let found = accounted_for(journal, &view, &in_journal, &given_up)?;
    // A blob that left the journal after the listing may be counted twice.
    Ok(needed.saturating_sub(found))
}
