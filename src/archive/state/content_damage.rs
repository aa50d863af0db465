//! Content that an opening finds damaged, without a look at every byte.

use crate::Result;
use crate::archive::files::pack_files::{PackFiles, pack_path};
use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::missing::count_missing;
use crate::id::{EventSeq, PackId};

/// Content that was found damaged when the store was opened.
#[derive(Default)]
pub(in crate::archive) struct ContentDamage {
    /// Packs that are not as long as they were written, with a line about each.
    pub(in crate::archive) cut_packs: Vec<(PackId, String)>,
    /// Content that entries need was missing.
    pub(in crate::archive) is_missing: bool,
    /// There was at least one pack file.
    pub(in crate::archive) has_packs: bool,
}

/// Compares what the index needs with the pack files and the journal. Called while the store is
/// being opened, before anything in it moves.
pub(in crate::archive) fn find_content_damage(
    index: &LayeredIndex,
    journal: &JournalBlobs,
    sealed: EventSeq,
    packs: &PackFiles,
) -> Result<ContentDamage> {
    let mut cut_packs = Vec::new();
    for row in index.view().packs()? {
        if let Some(file) = packs.get(&row.id)
            && file.bytes != row.bytes
            && row.live_blobs > 0
        {
            let line = format!(
                "{}: it has {} bytes, and was written with {}",
                pack_path(&row.class, row.id).display(),
                file.bytes,
                row.bytes
            );
            cut_packs.push((row.id, line));
        }
    }
    Ok(ContentDamage {
        cut_packs,
        is_missing: count_missing(index, journal, sealed)? > 0,
        has_packs: !packs.is_empty(),
    })
}
