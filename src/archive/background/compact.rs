//! Compacts packs: those with nothing alive go, those that are mostly dead are rewritten. Those
//! that were packed quickly are packed again, and small ones are put together.
//!
//! What is alive is copied record by record into new packs, which are synced, read back and
//! published. Then the event is made durable, unless something began to need the old pack
//! meanwhile. Then the old pack is unlinked. A crash leaves both copies or only the new one.

use crate::archive::background::again::choose_again;
use crate::archive::background::packing::{Pace, PackLimits, ToTheEnd};
use crate::archive::background::rewrite::{OldPack, Rewriting, rewrite};
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
use crate::id::PackId;
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
    let chosen = choose_packs(&store.index.view().packs()?);
    compact_each(store, writer, chosen, max_bytes, go_on)
}

/// Compacts `chosen` packs, whatever share of them is unneeded. See [`compact`].
pub(in crate::archive) fn compact_each(
    store: &Store,
    writer: &WriterLink,
    chosen: Vec<PackRow>,
    max_bytes: Option<u64>,
    go_on: impl Fn() -> bool,
) -> Result<CompactOutcome> {
    let mut total = CompactOutcome::default();
    let mut failed = None;
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
        let done = match compact_packs(store, writer, vec![pack], &ToTheEnd) {
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
        total = total.plus(done.unwrap_or_default());
    }
    failed.map_or(Ok(total), |error| {
        Err(after_freeing(error, total.bytes_freed))
    })
}

/// What is left to be packed again.
pub(in crate::archive) struct Again {
    /// What was done.
    pub(in crate::archive) done: CompactOutcome,
    /// Bytes of the packs that were read.
    pub(in crate::archive) read_bytes: u64,
    /// True when there is nothing left, or it was given up.
    pub(in crate::archive) ended: bool,
}

/// Packs again what was packed quickly, as small as was asked for, and makes one pack of small
/// ones. One group of packs at a time, so that the background thread can seal in between.
///
/// A pack that is damaged inside is left as it is; its error is returned once.
pub(in crate::archive) fn pack_again(
    store: &Store,
    writer: &WriterLink,
    pace: &dyn Pace,
) -> Result<Again> {
    let rows = store.index.view().packs()?;
    let groups = choose_again(&store.packs, rows, store.options.pack_bytes);
    let is_pinned = |group: &Vec<PackRow>| group.iter().any(|pack| store.pins.is_pinned(pack.id));
    let mut groups = groups.into_iter().filter(|group| !is_pinned(group));
    let mut again = Again {
        done: CompactOutcome::default(),
        read_bytes: 0,
        ended: true,
    };
    let Some(group) = groups.next() else {
        return Ok(again);
    };
    refuse_while_incomplete(&store.index, &store.journal)?;
    again.read_bytes = group.iter().map(|pack| pack.bytes).sum();
    again.ended = false;
    match compact_packs(store, writer, group.clone(), pace) {
        Ok(Some(done)) => again.done = done,
        Ok(None) => again.ended = true,
        Err(error) if error.kind() == ErrorKind::Damaged && group.len() > 1 => {
            for pack in group {
                let id = pack.id;
                match compact_packs(store, writer, vec![pack], pace) {
                    Ok(Some(done)) => again.done = again.done.plus(done),
                    Ok(None) => {
                        again.ended = true;
                        break;
                    }
                    Err(error) => {
                        store.packs.leave_as_it_is(id);
                        return Err(after_freeing(error, again.done.bytes_freed));
                    }
                }
            }
        }
        Err(error) => {
            let damaged = group.iter().filter(|_| error.kind() == ErrorKind::Damaged);
            damaged.for_each(|pack| store.packs.leave_as_it_is(pack.id));
            return Err(error);
        }
    }
    Ok(again)
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

/// Compacts packs of one class, and tells the writer what takes their place. `None` when it was
/// given up.
fn compact_packs(
    store: &Store,
    writer: &WriterLink,
    rows: Vec<PackRow>,
    pace: &dyn Pace,
) -> Result<Option<CompactOutcome>> {
    let mut packs = Vec::with_capacity(rows.len());
    for row in rows {
        let (reader, path) = store.contents.pack(row.id)?;
        let entries = reader.entries().map_err(|error| read_error(&path, error))?;
        packs.push(OldPack {
            row,
            reader,
            path,
            entries,
        });
    }
    let written = if packs.iter().all(|pack| pack.row.live_blobs == 0) {
        Vec::new()
    } else {
        match rewrite(&rewriting(store), &packs, pace)? {
            Some(written) => written,
            None => return Ok(None),
        }
    };
    let bytes_written: u64 = written.iter().map(|pack| pack.bytes).sum();
    let ids: Vec<PackId> = written.iter().map(|pack| pack.id).collect();
    if !written.is_empty() {
        writer.change(placement(&*store.disk, &store.contents, written)?)?;
    }
    let mut outcome = CompactOutcome::default();
    // The first facts count what was written as paid for by the packs that go.
    let mut paid = bytes_written;
    for pack in packs {
        let of_it = pack.row.bytes.min(paid);
        // Content may grow when its dictionary stays behind: then nothing is freed.
        let bytes_freed = pack.row.bytes - of_it;
        let goes = writer.retire(Retirement {
            pack: pack.row.id,
            inside: pack.entries.iter().map(|entry| entry.id).collect(),
            fact: Draft::fact(Body::Compacted(Compacted {
                removed: vec![pack.row.id],
                written: ids.clone(),
                bytes_freed,
            })),
        })?;
        if !goes {
            // Something began to need the pack. The copies are dead, and go with the next
            // compaction.
            continue;
        }
        paid -= of_it;
        outcome.packs_removed += 1;
        outcome.packs_written = ids.len() as u64;
        outcome.bytes_freed += bytes_freed;
        remove_pack(store, &pack)?;
    }
    Ok(Some(outcome))
}

/// Removes the file of a pack that the log no longer needs.
fn remove_pack(store: &Store, pack: &OldPack) -> Result<()> {
    // This thread alone writes the index, so it cannot say that the pack is gone before it is.
    store.packs.close(pack.row.id);
    let folder = pack
        .path
        .parent()
        .expect("a pack lies in the folder of its class");
    store
        .disk
        .remove(&pack.path)
        .and_then(|()| store.disk.sync_dir(folder))
        .map_err(|error| Error::io("remove", &pack.path, error))
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
