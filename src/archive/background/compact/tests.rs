//! Compacting packs of a store on a simulated disk.

use super::*;
use crate::archive::background::rewrite::read_back;
use crate::archive::files::pack_files::pack_path;
use crate::archive::state::missing::sums_agree;
use crate::archive::state::reclaimable::dead;
use crate::archive::{Archive, Depth, NewEntry, Options};
use crate::disk::sim::{Fault, Repeat, SimDisk};
use crate::format::record::RecordKind;
use crate::id::{BlobId, EventSeq};
use crate::log::JOURNAL_BYTES_MIN;
use crate::retention::{AsOf, Policy};
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// A pack of one 85-byte record takes 329 bytes. Header, footer and trailer counted as dead, so
/// every compaction wrote such a pack again, freed nothing, and left an event that said so.
#[test]
fn a_live_pack__is_left_alone_however_small() {
    assert_eq!(dead(&pack(329, 85, 1)), 0);
    assert!(choose_packs(&[pack(329, 85, 1)]).is_empty());
}

/// Counted as dead, the dictionaries of a small pack would have it compacted again and again.
#[test]
fn dictionaries__are_as_dead_as_their_blobs() {
    let with = |live_blobs, live_bytes| PackRow {
        dictionary_bytes: 8_000,
        blobs: 10,
        ..pack(128 + 8_000 + 10 * (300 + 52) + 64, live_bytes, live_blobs)
    };
    assert_eq!(dead(&with(10, 3_000)), 0);
    assert!(choose_packs(&[with(10, 3_000)]).is_empty());
    assert_eq!(dead(&with(4, 1_200)), 6 * (300 + 52) + 4_800);
    assert_eq!(choose_packs(&[with(4, 1_200)]).len(), 1);
}

#[test]
fn dead_bytes__are_what_a_rewrite_would_free() {
    let two_records = 128 + 85 + 300 + 2 * 52 + 64;
    assert_eq!(dead(&pack(two_records, 85, 1)), 300 + 52);
    assert_eq!(choose_packs(&[pack(two_records, 85, 1)]).len(), 1);
    assert!(choose_packs(&[pack(two_records, 300, 1)]).is_empty());
    assert_eq!(dead(&pack(two_records, 0, 0)), two_records);
}

/// A store with so many packs, in each a long source of converter `goes` and a short one of
/// `stays`.
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
    archive.record_purge(&plan, "test", None).expect("recorded");
}

#[test]
fn a_compaction_with_a_limit__stops_there() {
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

/// One damaged record kept every other pack's dead bytes for good, and the error did not say
/// what had been freed by then.
#[test]
fn a_damaged_pack__keeps_no_other_from_compaction() {
    let disk = SimDisk::new();
    let archive = packs(&disk, 3);
    purge_without_compaction(&archive, "goes");
    let packs = archive.store().index.view().packs().expect("listed");
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
        .store()
        .index
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
fn missing_content__stops_compaction() {
    let disk = SimDisk::new();
    let archive = packs(&disk, 2);
    purge_without_compaction(&archive, "goes");
    let lost = archive.store().index.view().packs().expect("listed")[0].clone();
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
    let in_journal = archive.store().journal.ids();
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
fn a_whole_store__is_known_by_its_sums() {
    let disk = SimDisk::new();
    let archive = packs(&disk, 2);
    let agree = |archive: &Archive, given_up: &[BlobId]| {
        let given_up = given_up.iter().map(|id| (*id, EventSeq(1))).collect();
        let store = archive.store();
        sums_agree(&store.journal, &store.index.view(), &given_up).expect("counted")
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
    let packs = archive.store().index.view().packs().expect("listed");
    <[PackRow; 1]>::try_from(packs).expect("one pack")[0].clone()
}

fn old_pack(archive: &Archive, row: PackRow) -> OldPack {
    let (reader, path) = archive.store().contents.pack(row.id).expect("opened");
    let entries = reader.entries().expect("a footer");
    OldPack {
        row,
        reader,
        path,
        entries,
    }
}

/// Compacts this pack, which was looked at before.
fn compact_as_seen(archive: &Archive, pack: PackRow) -> Result<CompactOutcome> {
    let store = Arc::clone(archive.store());
    archive.run_in_background(move |writer| {
        let done = compact_packs(&store, writer, vec![pack], &ToTheEnd)?;
        Ok(done.expect("not given up"))
    })
}

fn reads(archive: &Archive, converter: &str) -> usize {
    let id = BlobId::of(&content(converter, 0, 500));
    archive.read_all(&id, 1 << 20).map_or(0, |read| read.len())
}

/// Between the look at a pack and its end somebody archives the same content again.
#[test]
fn a_pack_needed_since_it_was_chosen__stays() {
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

/// What is on its way into an event is pinned. What was copied by then is dead, and costs space
/// until the next time.
#[test]
fn a_pack_pinned_while_copied__stays_and_its_copy_goes() {
    let disk = SimDisk::new();
    let archive = packs(&disk, 1);
    purge_without_compaction(&archive, "goes");
    let seen = only_pack(&archive);
    let pin = archive.store().pins.pin(vec![seen.id]);
    let done = compact_as_seen(&archive, seen.clone()).expect("refused");
    assert_eq!(done, CompactOutcome::default());
    let packs = archive.store().index.view().packs().expect("listed");
    assert_eq!(packs.len(), 2, "{packs:?}");
    assert!(packs.iter().any(|pack| pack.id == seen.id));
    drop(pin);
    archive.compact(None).expect("compacted");
    let left = only_pack(&archive);
    assert_ne!(left.id, seen.id);
    assert_eq!(left.live_blobs, 1);
    assert_eq!(reads(&archive, "stays"), 512);
}

/// The bytes of what is alive are read twice, to be chosen and to be written; the error names
/// the file it is about.
#[test]
fn a_failed_rewrite__names_the_pack_and_leaves_nothing() {
    let mut told = 0;
    for calls in 0.. {
        let disk = SimDisk::new();
        let archive = packs(&disk, 1);
        purge_without_compaction(&archive, "goes");
        let seen = only_pack(&archive);
        let path = pack_path(&seen.class, seen.id);
        let old = [old_pack(&archive, seen)];
        let before = disk.files();
        disk.fail_at(calls, Fault::Os(5), Repeat::Once);
        let written = rewrite(&rewriting(archive.store()), &old, &ToTheEnd);
        disk.heal();
        if disk.struck() == 0 {
            assert_eq!(
                written.expect("rewritten").map(|packs| packs.len()),
                Some(1)
            );
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
fn a_blob_missing_in_a_rewrite__is_named() {
    let disk = SimDisk::new();
    let archive = packs(&disk, 1);
    let seen = only_pack(&archive);
    let old = [old_pack(&archive, seen)];
    let listed = old[0].entries.iter();
    let mut copied: BTreeMap<BlobId, RecordKind> =
        listed.map(|entry| (entry.id, entry.kind)).collect();
    let written = rewrite(&rewriting(archive.store()), &old, &ToTheEnd).expect("rewritten");
    let written = written.expect("not given up");
    read_back(&disk, &written, copied.clone()).expect("all of it");
    let absent = BlobId::of(b"absent");
    copied.insert(absent, RecordKind::Content);
    let refused = read_back(&disk, &written, copied).expect_err("one is missing");
    assert_eq!(refused.kind(), ErrorKind::Damaged);
    let said = format!("blob {absent} did not arrive in the rewritten pack");
    assert!(refused.to_string().contains(&said), "{refused}");
}

/// A form that is like the others but for one line.
fn form(unit: u32) -> Vec<u8> {
    let rows = (0..40_u32).map(|row| format!("{row};{}\n", BlobId::of(&row.to_le_bytes())));
    let own = format!("unit {}\n", BlobId::of(&(1_000 + unit).to_le_bytes()));
    rows.chain([own]).collect::<String>().into_bytes()
}

/// A store that packs everything quickly first.
fn quick(disk: &SimDisk) -> Archive {
    let options = Options {
        dictionary_from: 1_024,
        quick_from: 0,
        journal_kept_bytes: 0,
        ..Options::default()
    };
    if disk.files().is_empty() {
        Archive::create_on(Arc::new(disk.clone()), options).expect("a store")
    } else {
        Archive::open_on(Arc::new(disk.clone()), options).expect("opened")
    }
}

fn put_forms(archive: &Archive, units: std::ops::Range<u32>) {
    for unit in units {
        let mut new = NewEntry::new("ICT");
        new.source.name = "form.csv".to_owned();
        archive.put(new, &form(unit)[..]).expect("archived");
    }
}

fn quickly_packed(archive: &Archive) -> u64 {
    let stats = archive.snapshot().expect("there").stats().expect("counted");
    stats.quickly_packed_bytes
}

/// Sealing took three quarters of the processor time of `archive`, most of it for zstd's optimal
/// parse, while callers waited for the end.
#[test]
fn what_was_packed_quickly__is_made_small_once_and_read_as_before() {
    let disk = SimDisk::new();
    let archive = quick(&disk);
    for from in [0, 40, 80] {
        put_forms(&archive, from..from + 40);
        archive.seal().expect("sealed");
    }
    let before = archive.store().index.view().packs().expect("listed");
    assert_eq!(before.len(), 3);
    let bytes: u64 = before.iter().map(|pack| pack.bytes).sum();
    assert_eq!(quickly_packed(&archive), bytes);

    let done = archive.compact(None).expect("compacted");
    assert_eq!((done.packs_removed, done.packs_written), (3, 1));
    let pack = only_pack(&archive);
    assert_eq!(done.bytes_freed, bytes - pack.bytes);
    let (reader, _) = archive.store().contents.pack(pack.id).expect("opened");
    let listed = reader.listed().expect("a footer");
    let copies = listed
        .iter()
        .filter(|entry| entry.kind == RecordKind::Dictionary);
    assert_eq!(copies.count(), 2, "one dictionary instead of three");
    assert!(pack.bytes < bytes);
    assert_eq!(quickly_packed(&archive), 0);
    for unit in 0..120 {
        let read = archive.read_all(&BlobId::of(&form(unit)), 1 << 20);
        assert_eq!(read.expect("readable"), form(unit));
    }
    let again = archive.compact(None).expect("nothing to do");
    assert_eq!(again, CompactOutcome::default());
    archive.close().expect("closed");
    let report = quick(&disk).verify(Depth::Deep).expect("looked at");
    assert!(report.ok, "{report:?}");
}

/// A dictionary of one kind of content makes another kind no smaller.
#[test]
fn packs_put_together__keep_kinds_apart_that_are_not_alike() {
    let archive = quick(&SimDisk::new());
    let other = |unit: u32| -> Vec<u8> {
        let rows = (500..540_u32).map(|row| format!("{}\n", BlobId::of(&row.to_le_bytes())));
        rows.chain([unit.to_string()])
            .collect::<String>()
            .into_bytes()
    };
    for from in [0, 30] {
        put_forms(&archive, from..from + 30);
        for unit in from..from + 30 {
            archive
                .put(NewEntry::new("FCT"), &other(unit)[..])
                .expect("archived");
        }
        archive.seal().expect("sealed");
    }
    archive.compact(None).expect("compacted");
    let pack = only_pack(&archive);
    let (reader, _) = archive.store().contents.pack(pack.id).expect("opened");
    let listed = reader.listed().expect("a footer");
    let copies = listed
        .iter()
        .filter(|entry| entry.kind == RecordKind::Dictionary);
    assert_eq!(copies.count(), 4, "two dictionaries, each twice");
}

/// A host that was about to seal waited for a compaction that nobody was in a hurry for.
#[test]
fn packing_while_idle__gives_way_to_a_seal_and_leaves_nothing() {
    let disk = SimDisk::new();
    let archive = quick(&disk);
    put_forms(&archive, 0..40);
    archive.seal().expect("sealed");
    let before = disk.files();
    let store = archive.store();
    store.backlog.hand_over(1);
    let done = archive.compact_while_idle(1 << 30).expect("given up");
    assert_eq!(done, CompactOutcome::default());
    assert_eq!(disk.files(), before);
    store.backlog.sealed(1);
    let done = archive.compact_while_idle(1 << 30).expect("done");
    assert_eq!((done.packs_removed, done.packs_written), (1, 1));
    assert_eq!(quickly_packed(&archive), 0);
}

/// Every journal file kept its 32 MiB when the store was closed, and what was in the last one was
/// not packed.
#[test]
fn a_closed_store__has_one_journal_file_of_little_room() {
    let disk = SimDisk::new();
    let archive = quick(&disk);
    put_forms(&archive, 0..40);
    archive.seal().expect("sealed");
    put_forms(&archive, 40..80);
    archive.close().expect("closed");
    let journals = disk.files().into_iter();
    let journals = journals.filter(|(path, _)| path.starts_with("journal"));
    assert_eq!(journals.count(), 1);
    let used = disk.used_bytes();
    assert!(used < 2 << 20, "{used}");
    let archive = quick(&disk);
    assert!(disk.used_bytes() > 32 << 20, "reserved again");
    assert_eq!(
        archive.store().index.view().packs().expect("listed").len(),
        2
    );
    for unit in 0..80 {
        let read = archive.read_all(&BlobId::of(&form(unit)), 1 << 20);
        assert_eq!(read.expect("readable"), form(unit));
    }
}

/// A flipped bit in a dictionary of a pack that waits to be made small: the other copy serves. With
/// both copies gone the pack stays as it is for `repair`, and the others are made small.
#[test]
fn a_damaged_dictionary__keeps_one_pack_back_and_no_other() {
    for copies in [1, 2] {
        let disk = SimDisk::new();
        let archive = quick(&disk);
        for from in [0, 40] {
            put_forms(&archive, from..from + 40);
            archive.seal().expect("sealed");
        }
        let rows = archive.store().index.view().packs().expect("listed");
        let (reader, path) = archive.store().contents.pack(rows[0].id).expect("opened");
        let listed = reader.listed().expect("a footer");
        archive.close().expect("closed");
        let dictionaries = listed
            .iter()
            .filter(|entry| entry.kind == RecordKind::Dictionary);
        for copy in dictionaries.take(copies) {
            let at = copy.offset.0 + u64::from(copy.len) - 1;
            let byte = disk.content(&path).expect("a pack")[usize::try_from(at).expect("short")];
            disk.overwrite(&path, at, &[byte ^ 1]).expect("flipped");
        }
        let archive = quick(&disk);
        let done = archive.compact(None);
        if copies == 1 {
            done.expect("the other copy serves");
            assert_eq!(quickly_packed(&archive), 0);
        } else {
            let error = done.expect_err("its content cannot be read");
            assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
            archive.compact(None).expect("the other one");
            let left = archive.store().index.view().packs().expect("listed");
            assert!(left.iter().any(|pack| pack.id == rows[0].id));
            assert!(left.iter().all(|pack| pack.id != rows[1].id));
        }
    }
}
