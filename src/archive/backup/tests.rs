//! Backups of a store on simulated disks, which fail, fill up and lose power.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::options::*;
use super::outcome::BackupOutcome;
use super::*;
use crate::archive::VerifyReport;
use crate::archive::checking::verify::Depth;
use crate::archive::handle::Archive;
use crate::archive::options::{Options, Progress};
use crate::archive::writing::put::NewEntry;
use crate::disk::sim::{Fault, Repeat, SimDisk, Variants};
use crate::disk::{Disk, OpenMode};
use crate::entry::Retention;
use crate::id::{EntryId, EventSeq};
use crate::log::JOURNAL_BYTES_MIN;
use crate::retention::{AsOf, Policy};
use crate::{ErrorKind, Result};

/// Backups of a store that is written meanwhile.
const RUNS: u32 = 8;

fn options() -> Options {
    Options {
        journal_bytes: JOURNAL_BYTES_MIN,
        stream_bytes: 4 << 10,
        ..Options::default()
    }
}

/// A store, and the disk it is on.
struct Plant {
    disk: SimDisk,
    archive: Archive,
}

impl Plant {
    fn new() -> Self {
        let disk = SimDisk::new();
        let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
        Self { disk, archive }
    }

    /// Opens the store that is on a disk.
    fn on(disk: SimDisk) -> Self {
        let archive = Archive::open_on(Arc::new(disk.clone()), options()).expect("opened");
        Self { disk, archive }
    }

    fn put(&self, content: &[u8]) -> EntryId {
        let new = NewEntry {
            converter: "ICT".to_owned(),
            retention: Retention::Forever,
            ..NewEntry::default()
        };
        self.archive.put(new, content).expect("archived").id
    }

    fn backup(&self, target: &SimDisk) -> Result<BackupOutcome> {
        self.backup_with(target, &BackupOptions::default())
    }

    fn backup_with(&self, target: &SimDisk, how: &BackupOptions) -> Result<BackupOutcome> {
        self.archive.backup_on(Arc::new(target.clone()), how)
    }

    fn read(&self, id: EntryId) -> Result<Vec<u8>> {
        let snapshot = self.archive.snapshot()?;
        let entry = snapshot.entry(id)?.expect("there");
        self.archive.read_all(&entry.blake3, 1 << 20)
    }

    /// Removes every entry but the newest.
    fn purge_all_but_one(&self) {
        let policy = Policy {
            max_count: Some(1),
            ..Policy::default()
        };
        let plan = self.archive.plan_purge(&policy, AsOf::Clock);
        let plan = plan.expect("planned");
        assert!(self.archive.purge(&plan, "test").is_ok());
        self.archive.compact(None).expect("compacted");
    }

    /// Changes a byte in the middle of a sealed file, where nothing but its own checksum is.
    fn rot(disk: &SimDisk, path: &str) {
        let len = disk.content(path).expect("there").len() as u64;
        disk.flip_bit(path, len / 2 * 8).expect("flipped");
    }

    fn sealed(disk: &SimDisk, folder: &str) -> Vec<String> {
        let files = disk.files().into_iter().map(|(path, _)| path);
        files.filter(|path| path.starts_with(folder)).collect()
    }
}

/// Content that does not get smaller.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    let mut reader = blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof();
    reader.fill(&mut out);
    out
}

fn verify(target: &SimDisk) -> VerifyReport {
    let report = check::verify(target, Path::new(""), Depth::Deep, &Progress::default());
    report.expect("a backup")
}

fn event_of(target: &SimDisk) -> EventSeq {
    let read = target::read_catalog(target, Path::new("")).expect("a list");
    read.catalog.event
}

fn restore(target: &SimDisk, to: &SimDisk, how: &BackupOptions) -> Result<RestoredStore> {
    let catalog = target::read_catalog(target, Path::new(""))?.catalog;
    let to: Arc<dyn Disk> = Arc::new(to.clone());
    let root = Path::new("");
    restore::restore(target, root, to, root, options(), how, &catalog)
}

fn accepting() -> BackupOptions {
    BackupOptions {
        on_damage: OnDamage::Accept,
        ..BackupOptions::default()
    }
}

/// The whole story: what was acknowledged before a backup is in the store that is made of it, under
/// the same numbers, and the log says from where on it is another copy that goes on.
#[test]
fn a_restored_backup__has_all_and_records_it() {
    let (plant, target, disk) = (Plant::new(), SimDisk::new(), SimDisk::new());
    let contents = [noise(1, 900), noise(2, 30_000), noise(3, 1_200)];
    let ids: Vec<EntryId> = contents.iter().map(|content| plant.put(content)).collect();
    let made = plant.backup(&target).expect("backed up");
    assert!(made.complete && made.findings.is_empty(), "{made:?}");
    assert_eq!(made.event, plant.archive.newest());
    assert!(verify(&target).ok);

    let restored = restore(&target, &disk, &BackupOptions::default()).expect("restored");
    assert_eq!(restored.event, made.event);
    let copy = Plant::on(disk);
    assert_eq!(copy.archive.store_id(), plant.archive.store_id());
    for (id, content) in ids.iter().zip(&contents) {
        assert_eq!(&copy.read(*id).expect("readable"), content);
    }
    assert!(copy.archive.verify(Depth::Deep).expect("looked").ok);
    let event = restored.continued.expect("recorded");
    let mut leaves = copy.archive.events(event, Some(event)).expect("readable");
    let line = leaves.next().expect("there").expect("whole").line;
    let root = format!("\"event\":{},\"root\":\"{}\"", made.event, made.root);
    assert!(
        line.contains("annals.store.continued.v1") && line.contains(&root),
        "{line}"
    );
    // It goes on, and its backup goes on from the one it was made of.
    copy.put(b"later");
    let next = copy.backup(&target).expect("the same past");
    assert_eq!(next.files_there, made.files);
}

/// A run each hour over a line that fills terabytes must not copy them each hour; and what
/// retention took in the store must not stay for ever in its backup.
#[test]
fn a_second_run__copies_new_and_removes_purged_files() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(&noise(1, 40_000));
    let first = plant.backup(&target).expect("backed up");
    let again = plant.backup(&target).expect("backed up");
    assert_eq!((again.files_copied, again.bytes_copied), (0, 0));
    assert_eq!(again.files_there, first.files);

    plant.put(&noise(2, 50_000));
    let second = plant.backup(&target).expect("backed up");
    assert_eq!(second.files_there, first.files);
    assert!(second.bytes_copied > 50_000 && second.bytes_copied < 60_000);

    plant.purge_all_but_one();
    let third = plant.backup(&target).expect("backed up");
    assert!(
        third.files_removed > 0 && third.bytes_removed > 40_000,
        "{third:?}"
    );
    let packs: u64 = target
        .files()
        .into_iter()
        .filter(|(path, _)| path.starts_with("packs"))
        .map(|(_, bytes)| bytes)
        .sum();
    assert!(packs < 60_000, "{packs} bytes of packs");
    assert!(verify(&target).ok);
}

/// The disk of a backup fails at any call, for good or once: the backup of the run before stays
/// whole, and the next run finds its way.
#[test]
fn a_run_that_fails_anywhere__is_completed_by_the_next() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(&noise(1, 10_000));
    plant.backup(&target).expect("backed up");
    let before = event_of(&target);
    plant.put(&noise(2, 10_000));
    plant.purge_all_but_one();
    let mut failed = 0;
    for (fault, step) in [(Fault::Os(28), 1), (Fault::Os(5), 3)] {
        for calls in (0..).step_by(step) {
            let target = target.snapshot();
            target.fail_at(calls, fault, Repeat::Sticky);
            let ended = plant.backup(&target);
            let struck = target.struck() > 0;
            target.heal();
            let report = verify(&target);
            assert!(report.ok, "call {calls}: {:?}", report.findings);
            if !struck {
                assert!(ended.is_ok_and(|outcome| outcome.complete));
                break;
            }
            failed += u32::from(ended.is_err());
            let event = event_of(&target);
            assert!(
                event == before || event == plant.archive.newest(),
                "call {calls}"
            );
            let next = plant.backup(&target).expect("the disk is well again");
            assert!(next.complete && verify(&target).ok, "call {calls}");
        }
    }
    assert!(failed > 30, "{failed}");
}

/// The power goes at any moment of a run: what is then on the disk is the backup before or the new
/// one, whole.
#[test]
fn a_power_cut_in_a_run__leaves_a_whole_backup() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(&noise(1, 5_000));
    plant.backup(&target).expect("backed up");
    let before = event_of(&target);
    plant.put(&noise(2, 5_000));
    plant.purge_all_but_one();
    target.settle();
    plant.backup(&target).expect("backed up");
    let (mut old, mut new) = (0, 0);
    for image in target.crash_images(.., &Variants::default()) {
        let report = verify(&image.disk);
        assert!(report.ok, "{image}: {:?}", report.findings);
        if event_of(&image.disk) == before {
            old += 1;
        } else {
            new += 1;
        }
    }
    assert!(old > 10 && new > 1, "{old} old, {new} new");
}

/// A store that was taken back, one that went on apart, and quite another one: each would replace a
/// backup that holds more than the store does.
#[test]
fn a_store_with_another_past__is_refused() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(b"one");
    let early = plant.disk.snapshot();
    plant.put(b"two");
    plant.backup(&target).expect("backed up");
    let before = target.files();

    let rolled_back = Plant::on(early.snapshot());
    let apart = Plant::on(early);
    for content in ["other two", "other three", "other four"] {
        apart.put(content.as_bytes());
    }
    let other = Plant::new();
    other.put(b"one");
    for (plant, said) in [
        (rolled_back, "is ahead of the store"),
        (apart, "is not the past of this store"),
        (other, "another store"),
    ] {
        let refused = plant.backup(&target).expect_err(said);
        assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
        assert!(refused.message().contains(said), "{refused}");
        assert_eq!(target.files(), before);
    }
    assert!(verify(&target).ok);
}

/// A pack rots in the store between two backups. A copy of it would replace nothing that is good,
/// and would be taken for a good one in the emergency.
#[test]
fn damage_in_the_store__does_not_reach_the_backup_unasked() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(&noise(1, 3_000));
    plant.backup(&target).expect("backed up");
    let before = event_of(&target);
    let kept = plant.put(&noise(2, 3_000));
    plant.archive.seal().expect("sealed");
    let lost = plant.put(&noise(3, 3_000));
    plant.archive.seal().expect("sealed");
    let pack = Plant::sealed(&plant.disk, "packs").pop().expect("a pack");
    Plant::rot(&plant.disk, &pack);

    let told = plant.backup(&target).expect("looked");
    assert!(!told.complete && told.findings.len() == 1, "{told:?}");
    assert_eq!(told.findings[0].r#where, pack);
    assert_eq!((told.event, event_of(&target)), (before, before));
    assert!(verify(&target).ok);

    let taken = plant.backup_with(&target, &accepting()).expect("accepted");
    assert!(taken.complete && taken.findings.len() == 1);
    assert!(!verify(&target).ok);
    let refused = restore(&target, &SimDisk::new(), &BackupOptions::default()).expect("looked");
    assert!(!refused.complete && refused.findings.len() == 1);
    let disk = SimDisk::new();
    restore(&target, &disk, &accepting()).expect("accepted");
    let copy = Plant::on(disk);
    assert_eq!(copy.read(kept).expect("whole"), noise(2, 3_000));
    assert!(copy.read(lost).is_err());
}

/// A pack is gone from the store's disk. It looks like one that was purged, and the backup has the
/// last copy.
#[test]
fn a_file_missing_in_the_store__stays_in_the_backup() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    let id = plant.put(&noise(1, 3_000));
    plant.backup(&target).expect("backed up");
    plant.archive.close().expect("closed");
    let pack = Plant::sealed(&plant.disk, "packs").pop().expect("a pack");
    plant.disk.lose(&pack).expect("lost");
    let plant = Plant::on(plant.disk);
    let told = plant.backup(&target).expect("looked");
    assert!(!told.complete && !told.findings.is_empty(), "{told:?}");
    let taken = plant.backup_with(&target, &accepting()).expect("accepted");
    assert!(taken.complete);
    let disk = SimDisk::new();
    restore(&target, &disk, &accepting()).expect("restored");
    assert_eq!(Plant::on(disk).read(id).expect("whole"), noise(1, 3_000));
}

/// A repair put stand-ins for events that it could not read. The backup still has those events.
#[test]
fn a_repaired_file__does_not_replace_the_backup_unasked() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(&noise(1, 3_000));
    plant.put(&noise(2, 3_000));
    // After this, the journal does not hold what was sealed.
    plant.purge_all_but_one();
    plant.backup(&target).expect("backed up");
    plant.put(b"later");
    plant.archive.seal().expect("sealed");
    plant.archive.close().expect("closed");
    let segment = Plant::sealed(&plant.disk, "events").remove(0);
    plant.disk.flip_bit(&segment, 120 * 8).expect("flipped");
    let store: Arc<dyn Disk> = Arc::new(plant.disk.clone());
    let repair = Archive::repair_on(store, options()).expect("looked through");
    assert!(!repair.apply().expect("repaired").lost_events.is_empty());
    let plant = Plant::on(plant.disk);
    let refused = plant.backup(&target).expect_err("replaced");
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert!(refused.message().contains("repair"), "{refused}");
    assert!(verify(&target).ok);
    let taken = plant.backup_with(&target, &accepting()).expect("accepted");
    assert!(taken.complete && verify(&target).ok);
    restore(&target, &SimDisk::new(), &BackupOptions::default()).expect("restored");
}

/// Bits rot and files vanish on the disk of a backup too, and nobody looks before the emergency.
#[test]
fn a_full_check__mends_a_damaged_backup() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(&noise(1, 3_000));
    plant.backup(&target).expect("backed up");
    let pack = Plant::sealed(&target, "packs").pop().expect("a pack");
    Plant::rot(&target, &pack);
    target
        .flip_bit(crate::archive::files::backup_marker::CATALOG_FILE, 800)
        .expect("flipped");
    let report = verify(&target);
    assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
    let refused = restore(&target, &SimDisk::new(), &BackupOptions::default()).expect("looked");
    assert!(!refused.complete);

    let how = BackupOptions {
        check: BackupCheck::All,
        ..BackupOptions::default()
    };
    let mended = plant.backup_with(&target, &how).expect("backed up");
    assert_eq!((mended.files_mended, mended.files_copied), (1, 1));
    assert!(verify(&target).ok);
    target.lose(&pack).expect("lost");
    let mended = plant.backup(&target).expect("backed up");
    assert_eq!(mended.files_mended, 1);
    assert!(verify(&target).ok);
}

/// A purge takes files away while they are copied: the backup must be that of a moment, before or
/// after it.
#[test]
fn a_purge_during_a_run__leaves_a_whole_backup() {
    let (plant, target) = (Arc::new(Plant::new()), SimDisk::new());
    for seed in 0..3 {
        plant.put(&noise(seed, 20_000));
        plant.archive.seal().expect("sealed");
    }
    let (purging, once) = (Arc::clone(&plant), AtomicBool::new(true));
    let how = BackupOptions {
        stop: Stop::when(move || {
            if once.swap(false, Ordering::Relaxed) {
                purging.purge_all_but_one();
            }
            false
        }),
        ..BackupOptions::default()
    };
    let made = plant.backup_with(&target, &how).expect("backed up");
    assert!(made.complete && made.event > EventSeq(5), "{made:?}");
    let report = verify(&target);
    assert!(report.ok, "{:?}", report.findings);
    let disk = SimDisk::new();
    restore(&target, &disk, &BackupOptions::default()).expect("restored");
    let copy = Plant::on(disk);
    let report = copy.archive.verify(Depth::Deep).expect("looked");
    assert!(report.ok, "{:?}", report.findings);
}

/// Two runs at once would clear away each other's files; and a folder with something else in it is
/// not ours.
#[test]
fn a_folder_in_use__is_refused_and_left_alone() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(b"one");
    plant.backup(&target).expect("backed up");
    let held = target
        .try_lock(Path::new("LOCK"))
        .expect("asked")
        .expect("free");
    let refused = plant.backup(&target).expect_err("in use");
    assert_eq!(refused.kind(), ErrorKind::Refused);
    drop(held);
    for name in ["notes.txt", "FORMAT", "events/00000000000000000001.seg"] {
        let disk = SimDisk::new();
        if let Some(folder) = Path::new(name).parent() {
            disk.make_dir(folder).expect("made");
        }
        disk.plant(name, b"theirs").expect("planted");
        let refused = plant.backup(&disk).expect_err(name);
        assert_eq!(refused.kind(), ErrorKind::Refused, "{name}");
        let refused = restore(&target, &disk, &BackupOptions::default()).expect_err(name);
        assert_eq!(refused.kind(), ErrorKind::Refused, "{name}");
        assert_eq!(disk.content(name).expect("there"), b"theirs");
    }
}

/// A restore is cut off at any call. The folder is no store then, and the next try makes one of it.
#[test]
fn a_restore_that_is_cut_off__is_continued() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    let id = plant.put(&noise(1, 8_000));
    plant.backup(&target).expect("backed up");
    let mut failed = 0;
    for calls in (0..).step_by(2) {
        let disk = SimDisk::new();
        disk.fail_at(calls, Fault::Os(28), Repeat::Sticky);
        let ended = restore(&target, &disk, &BackupOptions::default());
        let struck = disk.struck() > 0;
        disk.heal();
        if ended.is_err() && disk.open(Path::new("FORMAT"), OpenMode::Read).is_err() {
            failed += 1;
            let again = restore(&target, &disk, &BackupOptions::default());
            assert!(again.is_ok(), "call {calls}: {again:?}");
        }
        let copy = Plant::on(disk);
        assert_eq!(
            copy.read(id).expect("whole"),
            noise(1, 8_000),
            "call {calls}"
        );
        if !struck {
            break;
        }
    }
    assert!(failed > 30, "{failed}");
}

/// Somebody starts a backup and needs the disk for something else.
#[test]
fn a_run_that_ends_early__leaves_the_backup_as_before() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(&noise(1, 5_000));
    plant.backup(&target).expect("backed up");
    let before = event_of(&target);
    plant.put(&noise(2, 5_000));
    let how = BackupOptions {
        stop: Stop::when(|| true),
        ..BackupOptions::default()
    };
    let ended = plant.backup_with(&target, &how).expect("ended");
    assert!(ended.interrupted && !ended.complete);
    assert_eq!((ended.event, event_of(&target)), (before, before));
    assert!(Plant::sealed(&target, "tmp").is_empty() && verify(&target).ok);
}

/// Tells a thread to end, however the test does.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A host writes and purges all the while: each backup is the store of one moment, and has all that
/// its log says it has.
#[test]
fn backups_during_writes_and_purges__are_whole() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seed in 0.. {
                plant.put(&noise(seed, 700));
                if seed % 4 == 3 {
                    plant.purge_all_but_one();
                }
                if ended.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        // Also after a failed assertion: the scope waits for the writer.
        let _ending = Ending(&ended);
        for _ in 0..RUNS {
            let acknowledged = plant.archive.newest();
            let made = plant.backup(&target).expect("backed up");
            assert!(made.complete && made.event >= acknowledged);
            let disk = SimDisk::new();
            restore(&target, &disk, &BackupOptions::default()).expect("restored");
            let report = Plant::on(disk).archive.verify(Depth::Deep).expect("looked");
            assert!(report.ok, "{:?}", report.findings);
        }
    });
}

/// A run was cut off, the store was taken back and went on: what the run left has the name and
/// length of a file of the store, and other content.
#[test]
fn a_leftover_file__is_used_only_if_it_is_the_stores() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(&noise(1, 5_000));
    plant.archive.seal().expect("sealed");
    let pack = Plant::sealed(&plant.disk, "packs").remove(0);
    for is_the_stores in [true, false] {
        let target = target.snapshot();
        let how = BackupOptions {
            stop: Stop::when(|| true),
            ..BackupOptions::default()
        };
        let begun = plant.backup_with(&target, &how).expect("begun");
        assert!(begun.interrupted);
        for folder in ["packs/forever", "packs/forever/none"] {
            target.make_dir(Path::new(folder)).expect("made");
        }
        let mut content = plant.disk.content(&pack).expect("there");
        content[1_000] ^= u8::from(!is_the_stores);
        target.plant(&pack, &content).expect("planted");
        let made = plant.backup(&target).expect("backed up");
        let expected = if is_the_stores { 1 } else { 2 };
        assert_eq!(made.files_copied, expected);
        assert!(made.complete && verify(&target).ok);
    }
}

/// The log of a store is damaged: it opens for reading only, and looks like a shorter one.
#[test]
fn a_store_with_a_damaged_log__is_not_backed_up() {
    let (plant, target) = (Plant::new(), SimDisk::new());
    plant.put(&noise(1, 3_000));
    plant.backup(&target).expect("backed up");
    plant.archive.close().expect("closed");
    let segment = Plant::sealed(&plant.disk, "events").remove(0);
    plant.disk.truncate(&segment, 100).expect("cut");
    let plant = Plant::on(plant.disk);
    let before = target.files();
    let told = plant.backup(&target).expect_err("damaged");
    assert_eq!(told.kind(), ErrorKind::Damaged, "{told}");
    assert_eq!(target.files(), before);
}
