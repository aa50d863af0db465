//! Bytes that could be freed: of packs, by a compaction, and of records in the journal.

use crate::Result;
use crate::archive::files::pack_files::is_personal;
use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::layers::LayeredIndex;
use crate::format::pack::{FOOTER_ENTRY_BYTES, PACK_HEADER_BYTES, PACK_TRAILER_BYTES};
use crate::id::EventSeq;
use crate::index::{PackRow, View};

/// A pack is rewritten once this share of it is dead. So no more bytes are copied than are freed.
const DEAD_PERCENT: u64 = 50;

/// Chooses the packs to compact, the ones that are free to remove first.
pub(in crate::archive) fn choose_packs(packs: &[PackRow]) -> Vec<PackRow> {
    let mut chosen: Vec<PackRow> = packs
        .iter()
        .filter(|pack| {
            pack.live_blobs == 0
                || dead(pack) * 100 >= pack.bytes * DEAD_PERCENT
                // Not one personal value stays behind, whatever that costs.
                || (is_personal(&pack.class) && pack.live_blobs < pack.blobs)
        })
        .cloned()
        .collect();
    chosen.sort_by_key(|pack| (pack.live_bytes, pack.id));
    chosen
}

/// Returns the share of the dictionaries that serves live content. In a pack that is all alive,
/// nothing of them is dead.
fn share(dictionary_bytes: u64, live: u64, of: u64) -> u64 {
    let share = u128::from(dictionary_bytes) * u128::from(live.min(of)) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(dictionary_bytes)
}

/// Returns the bytes the store would shrink by if the live content of a pack were rewritten.
pub(in crate::archive) fn dead(pack: &PackRow) -> u64 {
    let around = (PACK_HEADER_BYTES + PACK_TRAILER_BYTES) as u64;
    let listed = pack.live_blobs.saturating_mul(FOOTER_ENTRY_BYTES as u64);
    let rewritten = match pack.live_blobs {
        0 => 0,
        _ => pack
            .live_bytes
            .saturating_add(listed)
            .saturating_add(around)
            .saturating_add(share(pack.dictionary_bytes, pack.live_blobs, pack.blobs)),
    };
    pack.bytes.saturating_sub(rewritten)
}

/// Returns true when anything was ever purged or erased, or a hold was placed or released.
pub(in crate::archive) fn was_purged(view: &View) -> bool {
    purged_since(view) > EventSeq(0)
}

/// Returns the newest event after which content may be needed no more; 0 means none.
pub(in crate::archive) fn purged_since(view: &View) -> EventSeq {
    let purged = view.plans_stale_since().max(view.newest_final_purge());
    purged.max(view.newest_erased())
}

/// Returns the bytes of the journal's records that nothing needs any more; 0 when there are none.
pub(in crate::archive) fn unneeded_in_journal(
    index: &LayeredIndex,
    journal: &JournalBlobs,
) -> Result<u64> {
    if !was_purged(&index.view()) {
        return Ok(0);
    }
    // Listed before the view is taken: what is listed is in the view.
    let in_journal = journal.ids();
    let view = index.view();
    let mut bytes = 0;
    for id in in_journal {
        if view.blob(&id)?.is_none_or(|row| row.refs == 0) {
            bytes += journal.place(&id).map_or(0, |place| u64::from(place.bytes));
        }
    }
    Ok(bytes)
}
