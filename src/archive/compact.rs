//! Reclaiming dead bytes: packs with nothing alive in them go, packs that are mostly dead are rewritten.
//!
//! What is alive is copied record by record into new packs, which are synced, read back and named; then the event is made
//! durable, unless something began to need the old pack meanwhile; then that is unlinked. A crash leaves both copies or only the new one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::Sender;
use serde::Serialize;

use crate::archive::packing::{self, Effort, Families, Piece, Source};
use crate::archive::reclaim::after_freeing;
use crate::archive::sealer::{place_packs, unmake};
use crate::archive::shared::{Shared, pack_path, read_error, write_error};
use crate::archive::writer::{Control, Draft, Retirement, ask};
use crate::blob::compression::Level;
use crate::blob::pack_reader::{PackReadError, PackReader, Plain, StoredRecord};
use crate::blob::pack_writer::{PackSeries, SyncedPack};
use crate::event::{Body, Compacted};
use crate::format::pack::{
    FOOTER_ENTRY_BYTES, PACK_HEADER_BYTES, PACK_TRAILER_BYTES, PackClass, PackEntry, PackOrigin,
};
use crate::format::record::{DictTag, RecordKind};
use crate::id::{BlobId, EventSeq, PackId};
use crate::index::{PackRow, View};
use crate::{Error, ErrorKind, Result};

/// A pack is rewritten once this share of it is dead: then no more is copied than is freed.
const DEAD_PERCENT: u64 = 50;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct CompactOutcome {
    /// Packs that went.
    pub packs_removed: u64,
    /// Packs that hold what was alive in them.
    pub packs_written: u64,
    /// Bytes the packs shrank by, and those of content in the journal that nothing needed.
    pub bytes_freed: u64,
}

impl CompactOutcome {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            packs_removed: self.packs_removed + other.packs_removed,
            packs_written: self.packs_written + other.packs_written,
            bytes_freed: self.bytes_freed + other.bytes_freed,
        }
    }
}

/// Compacts every pack that is worth it, until `max_bytes` were freed or `go_on` says no. Runs on the
/// sealing thread.
///
/// A pack that is damaged inside does not keep the others: it is told of when they are done.
pub(super) fn run(
    shared: &Arc<Shared>,
    control: &Sender<Control>,
    max_bytes: Option<u64>,
    go_on: impl Fn() -> bool,
) -> Result<CompactOutcome> {
    let mut total = CompactOutcome::default();
    let mut failed = None;
    let chosen = worth_it(&shared.view().packs()?);
    if !chosen.is_empty() {
        refuse_while_incomplete(shared)?;
    }
    // One pack at a time: never more space than one pack is needed beside what is there.
    for pack in chosen {
        if max_bytes.is_some_and(|max| total.bytes_freed >= max) || !go_on() {
            break;
        }
        if shared.is_pinned(pack.id) {
            continue;
        }
        let done = match compact(shared, control, &pack) {
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
        total = total.and(done);
    }
    failed.map_or(Ok(total), |error| {
        Err(after_freeing(error, total.bytes_freed))
    })
}

/// Nothing is taken away while content that entries need is missing: what looks dead may be its chunks. What a repair gave
/// up is known not to come back.
fn refuse_while_incomplete(shared: &Shared) -> Result<()> {
    let view = shared.view();
    let undeclared = view
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
    missing_contents(shared)?.first().map_or(Ok(()), |id| {
        Err(Error::new(
            ErrorKind::Damaged,
            format!(
                "nothing is compacted, because content {id} is needed and is nowhere in the store"
            ),
        )
        .hint("bring the missing pack back, or archive the source again, or run 'annals repair'"))
    })
}

/// Contents that entries need, that are nowhere in the store and that no repair gave up. For the sealing thread.
pub(super) fn missing_contents(shared: &Shared) -> Result<Vec<BlobId>> {
    let view = shared.view();
    let given_up = view.losses()?;
    if sums_agree(shared, &view, &given_up)? {
        return Ok(Vec::new());
    }
    Ok(view.needed_nowhere(|id| given_up.contains_key(id) || shared.inline(id).is_some())?)
}

/// True when as many blobs are needed and in no pack as are needed and in the journal, or given up: then
/// none is missing, and there is no need to look at each.
fn sums_agree(shared: &Shared, view: &View, given_up: &BTreeMap<BlobId, EventSeq>) -> Result<bool> {
    let inline = shared.inline_blobs();
    Ok(view.needed_in_no_pack()? == accounted_for(shared, view, &inline, given_up)?)
}

/// Counts the blobs that are needed and in no pack, and that are among `inline`, those in the journal,
/// or given up.
pub(super) fn accounted_for(
    shared: &Shared,
    view: &View,
    inline: &[BlobId],
    given_up: &BTreeMap<BlobId, EventSeq>,
) -> Result<u64> {
    let elsewhere = given_up.keys().filter(|id| shared.inline(id).is_none());
    let mut accounted_for = 0;
    for id in inline.iter().chain(elsewhere) {
        let row = view.blob(id)?;
        accounted_for += u64::from(row.is_some_and(|row| row.refs > 0 && row.place.is_none()));
    }
    Ok(accounted_for)
}

/// The packs to compact, those that cost nothing to free first.
pub(super) fn worth_it(packs: &[PackRow]) -> Vec<PackRow> {
    let mut chosen: Vec<PackRow> = packs
        .iter()
        .filter(|pack| pack.live_blobs == 0 || dead(pack) * 100 >= pack.bytes * DEAD_PERCENT)
        .cloned()
        .collect();
    chosen.sort_by_key(|pack| (pack.live_bytes, pack.id));
    chosen
}

/// Dictionaries serve those who are alive: of a pack that is alive throughout, nothing of them is dead.
fn share(dictionary_bytes: u64, live: u64, of: u64) -> u64 {
    let share = u128::from(dictionary_bytes) * u128::from(live.min(of)) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(dictionary_bytes)
}

/// Bytes the store would shrink by if what is alive in a pack were written to one of its own.
pub(super) fn dead(pack: &PackRow) -> u64 {
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

fn compact(
    shared: &Arc<Shared>,
    control: &Sender<Control>,
    pack: &PackRow,
) -> Result<CompactOutcome> {
    let (reader, path) = shared.pack(pack.id)?;
    let listed = reader.entries().map_err(|error| read_error(&path, error))?;
    let inside: Vec<BlobId> = listed.iter().map(|entry| entry.id).collect();
    let written = if pack.live_blobs == 0 {
        Vec::new()
    } else {
        rewrite(shared, pack, &reader, listed)?
    };
    let bytes_written: u64 = written.iter().map(|pack| pack.bytes).sum();
    let ids: Vec<PackId> = written.iter().map(|pack| pack.id).collect();
    place_packs(shared, control, written)?;
    let bytes_freed = pack.bytes.saturating_sub(bytes_written);
    let retirement = Retirement {
        pack: pack.id,
        inside,
        fact: Draft::fact(Body::Compacted(Compacted {
            removed: vec![pack.id],
            written: ids.clone(),
            bytes_freed,
        })),
    };
    let goes = ask(shared, control, |reply| {
        Control::Retire(Box::new(retirement), reply)
    })?;
    if !goes {
        // Something needs it since we looked. What was copied in vain is dead, and goes with the next compaction.
        return Ok(CompactOutcome::default());
    }
    // The index is written by this thread alone, so it cannot say that the pack is gone before it is.
    shared.forget_pack(pack.id);
    let folder = path
        .parent()
        .expect("a pack lies in the folder of its class");
    shared
        .disk
        .remove(&path)
        .and_then(|()| shared.disk.sync_dir(folder))
        .map_err(|error| Error::io("remove", &path, error))?;
    Ok(CompactOutcome {
        packs_removed: 1,
        packs_written: ids.len() as u64,
        bytes_freed,
    })
}

/// Copies what is alive in `pack` to new packs, and reads it back from there.
fn rewrite(
    shared: &Arc<Shared>,
    pack: &PackRow,
    reader: &PackReader,
    mut entries: Vec<PackEntry>,
) -> Result<Vec<SyncedPack>> {
    let class = PackClass::new(pack.class.as_str())
        .map_err(|error| Error::new(ErrorKind::Damaged, error.to_string()))?;
    shared.make_class_dir(&class)?;
    let path = pack_path(&pack.class, pack.id);
    let header = reader.header();
    let sealed: (EventSeq, EventSeq) = (header.first_seq, header.last_seq);
    let place = || shared.next_pack_place(&class, PackOrigin::Compacted, sealed);
    let mut series = PackSeries::new(Arc::clone(&shared.disk), shared.options.pack_bytes, place);
    entries.sort_by_key(|entry| entry.offset);
    let mut copied: BTreeMap<BlobId, RecordKind> = BTreeMap::new();
    let mut families: Families<Option<DictTag>> = Families::new();
    for entry in entries {
        let row = shared.view().blob(&entry.id)?;
        let alive = row.is_some_and(|row| {
            row.refs > 0 && row.place.is_some_and(|place| place.pack == pack.id)
        });
        if alive {
            // A damaged record stops the compaction: the old pack stays as it is, for 'repair' to look at.
            let record = reader
                .read_record(entry.offset, entry.len, &entry.id)
                .map_err(|error| read_error(&path, error))?;
            // What shared a dictionary was alike. That dictionary stays behind: it is made of what may be dead by now.
            let alike = record.header.dictionary;
            let effort = match alike {
                None => Effort::Copy,
                Some(_) => Effort::Compress(Level::DEFAULT),
            };
            let piece = Piece::new(&record.header, entry.offset, entry.len, effort);
            families.entry(alike).or_default().push(piece);
            copied.insert(entry.id, entry.kind);
        }
    }
    packing::write(shared, &families, &PackPieces { reader, path }, &mut series)?;
    let written = series.finish().map_err(write_error)?;
    let read_back = read_back(shared, &written, copied);
    if read_back.is_err() {
        unmake(&*shared.disk, written.iter().map(|pack| &pack.path));
    }
    read_back.map(|()| written)
}

/// What is alive in a pack.
struct PackPieces<'a> {
    reader: &'a PackReader,
    path: PathBuf,
}

impl Source for PackPieces<'_> {
    fn read(&self, piece: &Piece) -> Result<(StoredRecord, Plain), PackReadError> {
        let record = self.reader.read_record(piece.at, piece.len, &piece.id)?;
        let plain = self.reader.unpack(&record, piece.at, &piece.id)?;
        Ok((record, plain))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads every record that was copied once more. The old pack stays when one of them did not arrive.
fn read_back(
    shared: &Shared,
    written: &[SyncedPack],
    mut copied: BTreeMap<BlobId, RecordKind>,
) -> Result<()> {
    for new in written {
        let reader = PackReader::open(&*shared.disk, &new.path)
            .map_err(|error| read_error(&new.path, error))?;
        for entry in &new.entries {
            reader
                .read_plain(entry.offset, entry.len, &entry.id)
                .map_err(|error| read_error(&new.path, error))?;
            copied.remove(&entry.id);
        }
    }
    match copied.keys().next() {
        None => Ok(()),
        Some(id) => Err(Error::new(
            ErrorKind::Damaged,
            format!("blob {id} did not arrive in the rewritten pack; the old one stays"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::writer::Request;
    use crate::archive::{Archive, Depth, NewEntry, Options};
    use crate::disk::sim::{Fault, Repeat, SimDisk};
    use crate::log::JOURNAL_BYTES_MIN;
    use crate::retention::{AsOf, Policy};

    fn pack(bytes: u64, live_bytes: u64, live_blobs: u64) -> PackRow {
        PackRow {
            id: PackId(1),
            class: "forever/none".to_owned(),
            bytes,
            blobs: 2,
            dictionary_bytes: 0,
            live_bytes,
            live_blobs,
        }
    }

    /// A pack of one 85-byte record takes 329 bytes. Header, footer and trailer counted as dead, so every compaction
    /// wrote such a pack again, freed nothing, and left an event that said so.
    #[test]
    fn a_pack_that_is_alive_throughout_is_left_alone_however_small_it_is() {
        assert_eq!(dead(&pack(329, 85, 1)), 0);
        assert!(worth_it(&[pack(329, 85, 1)]).is_empty());
    }

    /// Counted as dead, the dictionaries of a small pack would have it compacted again and again.
    #[test]
    fn dictionaries_are_as_dead_as_the_blobs_they_serve() {
        let with = |live_blobs, live_bytes| PackRow {
            dictionary_bytes: 8_000,
            blobs: 10,
            ..pack(128 + 8_000 + 10 * (300 + 52) + 64, live_bytes, live_blobs)
        };
        assert_eq!(dead(&with(10, 3_000)), 0);
        assert!(worth_it(&[with(10, 3_000)]).is_empty());
        assert_eq!(dead(&with(4, 1_200)), 6 * (300 + 52) + 4_800);
        assert_eq!(worth_it(&[with(4, 1_200)]).len(), 1);
    }

    #[test]
    fn what_a_rewrite_would_free_is_what_a_pack_offers() {
        let two_records = 128 + 85 + 300 + 2 * 52 + 64;
        assert_eq!(dead(&pack(two_records, 85, 1)), 300 + 52);
        assert_eq!(worth_it(&[pack(two_records, 85, 1)]).len(), 1);
        assert!(worth_it(&[pack(two_records, 300, 1)]).is_empty());
        assert_eq!(dead(&pack(two_records, 0, 0)), two_records);
    }

    /// A store with so many packs, in each a long source of converter `goes` and a short one of `stays`.
    fn packs(disk: &SimDisk, packs: u64) -> Archive {
        let options = Options {
            journal_bytes: JOURNAL_BYTES_MIN,
            ..Options::default()
        };
        let archive = Archive::create_on(Arc::new(disk.clone()), options).expect("a store");
        for pack in 0..packs {
            for (converter, len) in [("goes", 4_000), ("stays", 500)] {
                put(&archive, converter, pack, len);
            }
            archive.seal().expect("sealed");
        }
        archive
    }

    fn content(converter: &str, seed: u64, len: usize) -> Vec<u8> {
        let mut content = Vec::new();
        while content.len() < len {
            let nth = (seed, content.len(), converter);
            content.extend(blake3::hash(format!("{nth:?}").as_bytes()).as_bytes());
        }
        content
    }

    fn put(archive: &Archive, converter: &str, seed: u64, len: usize) {
        let content = content(converter, seed, len);
        let new = NewEntry {
            converter: converter.into(),
            ..NewEntry::default()
        };
        archive.put(new, &content[..]).expect("archived");
    }

    /// Records that what this converter made goes, and frees nothing.
    fn purge_without_compaction(archive: &Archive, converter: &str) {
        let policy = Policy {
            converter: Some(converter.into()),
            max_count: Some(0),
            ..Policy::default()
        };
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        let purge = |reply| Request::Purge(Arc::new(plan), "test".into(), None, reply);
        archive.wait(purge).expect("recorded");
    }

    #[test]
    fn a_compaction_says_what_it_did_and_stops_where_it_was_told_to() {
        let disk = SimDisk::new();
        let archive = packs(&disk, 4);
        purge_without_compaction(&archive, "goes");
        let first = archive.compact(Some(1)).expect("compacted");
        assert_eq!((first.packs_removed, first.packs_written), (1, 1));
        assert!(first.bytes_freed > 4_000, "{first:?}");
        let nothing = archive.compact(Some(0)).expect("compacted");
        assert_eq!(nothing, CompactOutcome::default());
        let rest = archive.compact(None).expect("compacted");
        assert_eq!((rest.packs_removed, rest.packs_written), (3, 3));
        assert_eq!(rest.bytes_freed, 3 * first.bytes_freed);
        assert!(archive.verify(Depth::Deep).expect("verified").ok);
    }

    /// One damaged record kept every other pack's dead bytes for good, and the error did not say what had
    /// been freed by then.
    #[test]
    fn a_damaged_pack_keeps_no_other_from_being_compacted() {
        let disk = SimDisk::new();
        let archive = packs(&disk, 3);
        purge_without_compaction(&archive, "goes");
        let packs = archive.shared().view().packs().expect("listed");
        let damaged = &packs[0];
        let path = pack_path(&damaged.class, damaged.id);
        let bytes = disk.content(&path).expect("there");
        let alive = content("stays", 0, 500);
        let at = bytes
            .windows(500)
            .position(|window| *window == alive[..500]);
        disk.flip_bit(&path, at.expect("stored as it is") as u64 * 8)
            .expect("flipped");
        let told = archive.compact(None).expect_err("one is damaged");
        assert_eq!(told.kind(), ErrorKind::Damaged, "{told}");
        assert!(told.message().contains("were freed before that"), "{told}");
        let left: Vec<PackId> = archive
            .shared()
            .view()
            .packs()
            .expect("listed")
            .iter()
            .filter(|pack| dead(pack) > 0)
            .map(|pack| pack.id)
            .collect();
        assert_eq!(left, [damaged.id]);
    }

    /// A pack is missing; what lies in the others may be all that its manifests need.
    #[test]
    fn nothing_is_compacted_while_content_that_is_needed_is_nowhere() {
        let disk = SimDisk::new();
        let archive = packs(&disk, 2);
        purge_without_compaction(&archive, "goes");
        let lost = archive.shared().view().packs().expect("listed")[0].clone();
        archive.close().expect("closed");
        disk.lose(pack_path(&lost.class, lost.id)).expect("lost");
        disk.lose("index.redb").expect("lost");
        let archive = Archive::open_on(Arc::new(disk.clone()), Options::default()).expect("opened");
        let refused = archive.compact(None).expect_err("incomplete");
        assert_eq!(refused.kind(), ErrorKind::Damaged);
        // The one that is nowhere is named, whatever else is in no pack.
        let lost = BlobId::of(&content("stays", 0, 500));
        for seed in 0..8 {
            put(&archive, "fresh", seed, 500);
        }
        let in_journal = archive.shared().inline_blobs();
        assert!(in_journal.iter().any(|id| *id < lost), "named by mistake");
        let refused = archive.compact(None).expect_err("incomplete");
        assert!(refused.message().contains(&lost.to_string()), "{refused}");
        // Archived again it is in the journal, which is as good a place.
        put(&archive, "stays", 0, 500);
        let done = archive.compact(None).expect("complete again");
        assert_eq!((done.packs_removed, done.packs_written), (1, 1));
    }

    /// A look at each of a million blobs takes longer than a purge.
    #[test]
    fn a_store_is_known_to_be_whole_without_a_look_at_every_blob() {
        let disk = SimDisk::new();
        let archive = packs(&disk, 2);
        let agree = |archive: &Archive, given_up: &[BlobId]| {
            let given_up = given_up.iter().map(|id| (*id, EventSeq(1))).collect();
            let shared = archive.shared();
            sums_agree(shared, &shared.view(), &given_up).expect("counted")
        };
        assert!(agree(&archive, &[]), "all of it is in packs");
        put(&archive, "stays", 2, 500);
        put(&archive, "goes", 2, 500);
        assert!(agree(&archive, &[]), "and in the journal");
        purge_without_compaction(&archive, "goes");
        assert!(agree(&archive, &[]), "what was purged is not needed");
        let stays = |seed| BlobId::of(&content("stays", seed, 500));
        let goes = BlobId::of(&content("goes", 0, 4_000));
        assert!(
            agree(&archive, &[stays(2), stays(0), goes]),
            "each counts once"
        );
        archive.close().expect("closed");
        let packs = disk.files().into_iter().map(|(path, _)| path);
        let packs: Vec<String> = packs.filter(|path| path.starts_with("packs")).collect();
        disk.lose(&packs[0]).expect("lost");
        let archive = Archive::open_on(Arc::new(disk.clone()), Options::default()).expect("opened");
        assert!(!agree(&archive, &[]), "one is nowhere");
        let lost = [stays(0), stays(1)].map(|id| agree(&archive, &[id]));
        assert_eq!(lost.iter().filter(|agree| **agree).count(), 1, "given up");
    }

    fn only_pack(archive: &Archive) -> PackRow {
        let packs = archive.shared().view().packs().expect("listed");
        <[PackRow; 1]>::try_from(packs).expect("one pack")[0].clone()
    }

    /// Compacts this pack, which was looked at before.
    fn compact_as_seen(archive: &Archive, pack: PackRow) -> Result<CompactOutcome> {
        archive.beside_the_sealer(move |shared, control| compact(shared, control, &pack))
    }

    fn reads(archive: &Archive, converter: &str) -> usize {
        let id = BlobId::of(&content(converter, 0, 500));
        archive.read_all(&id, 1 << 20).map_or(0, |read| read.len())
    }

    /// Between the look at a pack and its end somebody archives the same content again.
    #[test]
    fn a_pack_that_is_needed_again_since_it_was_looked_at_stays() {
        let disk = SimDisk::new();
        let archive = packs(&disk, 1);
        for converter in ["goes", "stays"] {
            purge_without_compaction(&archive, converter);
        }
        let seen = only_pack(&archive);
        assert_eq!(seen.live_blobs, 0);
        put(&archive, "stays", 0, 500);
        // From now on it is in that pack alone.
        archive.seal().expect("sealed");
        let done = compact_as_seen(&archive, seen.clone()).expect("refused");
        assert_eq!(done, CompactOutcome::default());
        assert_eq!(only_pack(&archive).id, seen.id);
        assert_eq!(reads(&archive, "stays"), 512);
        assert!(archive.verify(Depth::Deep).expect("verified").ok);
        let done = archive.compact(None).expect("compacted");
        assert_eq!((done.packs_removed, done.packs_written), (1, 1));
        assert_eq!(reads(&archive, "stays"), 512);
    }

    /// What is on its way into an event is pinned. What was copied by then is dead, and costs space until the next time.
    #[test]
    fn a_pack_that_was_pinned_while_it_was_copied_stays_and_the_copy_goes_with_the_next_compaction()
    {
        let disk = SimDisk::new();
        let archive = packs(&disk, 1);
        purge_without_compaction(&archive, "goes");
        let seen = only_pack(&archive);
        let pin = archive.shared().pin(vec![seen.id]);
        let done = compact_as_seen(&archive, seen.clone()).expect("refused");
        assert_eq!(done, CompactOutcome::default());
        let packs = archive.shared().view().packs().expect("listed");
        assert_eq!(packs.len(), 2, "{packs:?}");
        assert!(packs.iter().any(|pack| pack.id == seen.id));
        drop(pin);
        archive.compact(None).expect("compacted");
        let left = only_pack(&archive);
        assert_ne!(left.id, seen.id);
        assert_eq!(left.live_blobs, 1);
        assert_eq!(reads(&archive, "stays"), 512);
    }

    /// The bytes of what is alive are read twice, to be chosen and to be written; the error names the file it is about.
    #[test]
    fn a_rewrite_that_cannot_read_names_the_old_pack_and_leaves_nothing_behind() {
        let mut told = 0;
        for calls in 0.. {
            let disk = SimDisk::new();
            let archive = packs(&disk, 1);
            purge_without_compaction(&archive, "goes");
            let seen = only_pack(&archive);
            let path = pack_path(&seen.class, seen.id);
            let (reader, _) = archive.shared().pack(seen.id).expect("opened");
            let listed = reader.entries().expect("a footer");
            let before = disk.files();
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            let written = rewrite(archive.shared(), &seen, &reader, listed);
            disk.heal();
            if disk.struck() == 0 {
                assert_eq!(written.expect("rewritten").len(), 1);
                break;
            }
            let error = written.expect_err("a call failed");
            assert_eq!(error.kind(), ErrorKind::Io, "call {calls}: {error}");
            let at_fault = format!("cannot read {}", path.display());
            told += u32::from(error.to_string().contains(&at_fault));
            assert_eq!(disk.files(), before, "call {calls}: {error}");
        }
        assert_eq!(told, 2);
    }

    #[test]
    fn a_blob_that_did_not_arrive_in_what_was_written_is_told_by_its_name() {
        let disk = SimDisk::new();
        let archive = packs(&disk, 1);
        let seen = only_pack(&archive);
        let (reader, _) = archive.shared().pack(seen.id).expect("opened");
        let listed = reader.entries().expect("a footer");
        let mut copied: BTreeMap<BlobId, RecordKind> =
            listed.iter().map(|entry| (entry.id, entry.kind)).collect();
        let written = rewrite(archive.shared(), &seen, &reader, listed).expect("rewritten");
        read_back(archive.shared(), &written, copied.clone()).expect("all of it");
        let absent = BlobId::of(b"absent");
        copied.insert(absent, RecordKind::Content);
        let refused = read_back(archive.shared(), &written, copied).expect_err("one is missing");
        assert_eq!(refused.kind(), ErrorKind::Damaged);
        let said = format!("blob {absent} did not arrive in the rewritten pack");
        assert!(refused.to_string().contains(&said), "{refused}");
    }
}
