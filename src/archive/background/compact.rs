//! Compacts packs: those with nothing alive go, those that are mostly dead are rewritten.
//!
//! What is alive is copied record by record into new packs, which are synced, read back and
//! published. Then the event is made durable, unless something began to need the old pack
//! meanwhile. Then the old pack is unlinked. A crash leaves both copies or only the new one.

use crate::archive::background::packing::PackLimits;
use crate::archive::background::rewrite::{Rewriting, rewrite};
use crate::archive::files::pack_error::read_error;
use crate::archive::messages::{Draft, Retirement, WriterLink};
use crate::archive::state::compact_outcome::{CompactOutcome, after_freeing};
use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::missing::missing_contents;
use crate::archive::state::placing::placement;
use crate::archive::state::reclaimable::choose_packs;
use crate::archive::state::store::Store;
use crate::event::{Body, Compacted};
use crate::id::{BlobId, PackId};
use crate::index::PackRow;
use crate::{Error, ErrorKind, Result};

/// Compacts every pack worth compacting, until `max_bytes` were freed or `go_on` says no. Runs on
/// the background thread.
///
/// A pack that is damaged inside does not keep the others: its error is returned when they are
/// done.
pub(in crate::archive) fn compact(
    store: &Store,
    writer: &WriterLink,
    max_bytes: Option<u64>,
    go_on: impl Fn() -> bool,
) -> Result<CompactOutcome> {
    let mut total = CompactOutcome::default();
    let mut failed = None;
    let chosen = choose_packs(&store.index.view().packs()?);
    if !chosen.is_empty() {
        refuse_while_incomplete(&store.index, &store.journal)?;
    }
    // One pack at a time: never more space than one pack is needed beside what is there.
    for pack in chosen {
        if max_bytes.is_some_and(|max| total.bytes_freed >= max) || !go_on() {
            break;
        }
        if store.pins.is_pinned(pack.id) {
            continue;
        }
        let done = match compact_pack(store, writer, &pack) {
            Ok(done) => done,
            Err(error) => {
                let is_of_this_pack = error.kind() == ErrorKind::Damaged;
                failed.get_or_insert(error);
                if is_of_this_pack {
                    continue;
                }
                break;
            }
        };
        total = total.plus(done);
    }
    failed.map_or(Ok(total), |error| {
        Err(after_freeing(error, total.bytes_freed))
    })
}

/// Refuses to take anything away while content that entries need is missing: what looks dead may be
/// its chunks. Content that a repair gave up is known not to come back.
fn refuse_while_incomplete(index: &LayeredIndex, journal: &JournalBlobs) -> Result<()> {
    let undeclared = index
        .view()
        .unreadable()?
        .into_iter()
        .find(|(_, told)| told.is_none());
    if let Some((seq, _)) = undeclared {
        return Err(Error::new(
            ErrorKind::Damaged,
            format!(
                "nothing is compacted, because event {seq} cannot be read, \
                 and what looks dead may be its content"
            ),
        )
        .hint("run 'annals repair': it keeps that content as an entry of its own"));
    }
    let missing = missing_contents(index, journal)?;
    missing.first().map_or(Ok(()), |id| {
        Err(Error::new(
            ErrorKind::Damaged,
            format!(
                "nothing is compacted, because content {id} is needed and is nowhere in the store"
            ),
        )
        .hint("bring the missing pack back, or archive the source again, or run 'annals repair'"))
    })
}

/// Compacts one pack, and tells the writer what takes its place.
fn compact_pack(store: &Store, writer: &WriterLink, pack: &PackRow) -> Result<CompactOutcome> {
    let (reader, path) = store.contents.pack(pack.id)?;
    let listed = reader.entries().map_err(|error| read_error(&path, error))?;
    let inside: Vec<BlobId> = listed.iter().map(|entry| entry.id).collect();
    let written = if pack.live_blobs == 0 {
        Vec::new()
    } else {
        rewrite(&rewriting(store), pack, &reader, listed)?
    };
    let bytes_written: u64 = written.iter().map(|pack| pack.bytes).sum();
    let ids: Vec<PackId> = written.iter().map(|pack| pack.id).collect();
    if !written.is_empty() {
        writer.change(placement(&*store.disk, &store.contents, written)?)?;
    }
    // Content may grow when its dictionary stays behind: then nothing is freed.
    let bytes_freed = pack.bytes.saturating_sub(bytes_written);
    let goes = writer.retire(Retirement {
        pack: pack.id,
        inside,
        fact: Draft::fact(Body::Compacted(Compacted {
            removed: vec![pack.id],
            written: ids.clone(),
            bytes_freed,
        })),
    })?;
    if !goes {
        // Something began to need the pack. The copies are dead, and go with the next compaction.
        return Ok(CompactOutcome::default());
    }
    // This thread alone writes the index, so it cannot say that the pack is gone before it is.
    store.packs.close(pack.id);
    let folder = path
        .parent()
        .expect("a pack lies in the folder of its class");
    store
        .disk
        .remove(&path)
        .and_then(|()| store.disk.sync_dir(folder))
        .map_err(|error| Error::io("remove", &path, error))?;
    Ok(CompactOutcome {
        packs_removed: 1,
        packs_written: ids.len() as u64,
        bytes_freed,
    })
}

/// The parts of a store that rewriting a pack works with.
fn rewriting(store: &Store) -> Rewriting<'_> {
    Rewriting {
        disk: &store.disk,
        index: &store.index,
        packs: &store.packs,
        limits: PackLimits::of(&store.options),
    }
}

#[cfg(test)]
mod tests;
