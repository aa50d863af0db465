//! Tests of the simulated disk, because the tests of durability depend on it. Each state that a
//! real disk may have after a power cut must be among the images, and nothing that was synced may
//! be missing.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use std::io;
use std::sync::Arc;

use super::fault::pattern;
use super::tree::PAGE_BYTES;
use super::*;
use crate::disk::{Disk, DiskFile, OpenMode};

fn create(disk: &SimDisk, path: &str) -> Arc<dyn DiskFile> {
    disk.open(Path::new(path), OpenMode::CreateNew)
        .expect("new file")
}

fn synced_file(disk: &SimDisk, path: &str, content: &[u8]) -> Arc<dyn DiskFile> {
    let file = create(disk, path);
    file.write_all_at(content, 0).expect("write");
    file.sync().expect("sync");
    let parent = Path::new(path).parent().expect("has a parent");
    disk.sync_dir(parent).expect("sync directory");
    file
}

/// Returns the possible contents of each file after a power cut now.
fn after_cut(disk: &SimDisk) -> BTreeSet<Vec<(String, Vec<u8>)>> {
    let now = disk.ops();
    disk.crash_images(now..=now, &Variants::default())
        .map(|image| contents(&image.disk))
        .collect()
}

fn contents(disk: &SimDisk) -> Vec<(String, Vec<u8>)> {
    disk.files()
        .into_iter()
        .map(|(path, _)| {
            let content = disk.content(&path).expect("listed");
            (path, content)
        })
        .collect()
}

fn may_hold(disk: &SimDisk, path: &str) -> BTreeSet<Option<Vec<u8>>> {
    after_cut(disk)
        .into_iter()
        .map(|files| {
            files
                .into_iter()
                .find(|(name, _)| name == path)
                .map(|(_, bytes)| bytes)
        })
        .collect()
}

fn only<T: Ord>(value: T) -> BTreeSet<T> {
    BTreeSet::from([value])
}

#[test]
fn what_was_synced_with_its_name_is_in_every_image() {
    let disk = SimDisk::new();
    let file = synced_file(&disk, "log", b"first");
    assert_eq!(may_hold(&disk, "log"), only(Some(b"first".to_vec())));

    file.write_all_at(b"second", 5).expect("write");
    for held in may_hold(&disk, "log") {
        let held = held.expect("the name was synced");
        assert!(held.starts_with(b"first"), "{held:?}");
    }
    file.sync().expect("sync");
    assert_eq!(may_hold(&disk, "log"), only(Some(b"firstsecond".to_vec())));
}

#[test]
fn a_synced_file_is_lost_with_its_name_until_the_directory_is_synced() {
    let disk = SimDisk::new();
    let file = create(&disk, "pack");
    file.write_all_at(b"bytes", 0).expect("write");
    file.sync().expect("sync");
    assert_eq!(
        may_hold(&disk, "pack"),
        BTreeSet::from([None, Some(b"bytes".to_vec())])
    );
    disk.sync_dir(Path::new("")).expect("sync directory");
    assert_eq!(may_hold(&disk, "pack"), only(Some(b"bytes".to_vec())));
}

#[test]
fn a_synced_name_does_not_bring_the_bytes() {
    let disk = SimDisk::new();
    let file = create(&disk, "pack");
    file.write_all_at(b"bytes", 0).expect("write");
    disk.sync_dir(Path::new("")).expect("sync directory");
    let held = may_hold(&disk, "pack");
    assert!(held.contains(&Some(Vec::new())), "{held:?}");
    assert!(held.contains(&Some(vec![0; 5])), "zeros: {held:?}");
    assert!(held.contains(&Some(b"b".to_vec())), "torn: {held:?}");
    assert!(held.contains(&Some(b"\0ytes".to_vec())), "torn: {held:?}");
    assert!(!held.contains(&None), "{held:?}");
}

#[test]
fn all_is_lost_below_a_directory_whose_own_name_was_not_synced() {
    let disk = SimDisk::new();
    disk.make_dir(Path::new("packs")).expect("directory");
    synced_file(&disk, "packs/one", b"bytes");
    assert!(after_cut(&disk).contains(&Vec::new()));
    disk.sync_dir(Path::new("")).expect("sync directory");
    assert_eq!(may_hold(&disk, "packs/one"), only(Some(b"bytes".to_vec())));
}

#[test]
fn a_rename_may_be_undone_until_both_directories_are_synced() {
    let disk = SimDisk::new();
    for dir in ["from", "to"] {
        disk.make_dir(Path::new(dir)).expect("directory");
    }
    disk.sync_dir(Path::new("")).expect("sync directory");
    synced_file(&disk, "from/a", b"new");
    synced_file(&disk, "to/b", b"old");
    let from = || ("from/a".to_owned(), b"new".to_vec());
    let to = |bytes: &[u8]| ("to/b".to_owned(), bytes.to_vec());
    let undone = vec![from(), to(b"old")];
    let done = vec![to(b"new")];

    let renamed = |synced: &[&str]| {
        let disk = disk.snapshot();
        disk.rename(Path::new("from/a"), Path::new("to/b"))
            .expect("rename");
        for dir in synced {
            disk.sync_dir(Path::new(dir)).expect("sync directory");
        }
        after_cut(&disk)
    };
    assert_eq!(renamed(&[]), BTreeSet::from([undone.clone(), done.clone()]));
    assert_eq!(renamed(&["from"]), BTreeSet::from([undone, done.clone()]));
    let both = vec![from(), to(b"new")];
    assert_eq!(renamed(&["to"]), BTreeSet::from([both, done.clone()]));
    assert_eq!(renamed(&["from", "to"]), only(done.clone()));
    assert_eq!(renamed(&["to", "from"]), only(done));
}

#[test]
fn a_removed_file_may_come_back_until_its_directory_is_synced() {
    let disk = SimDisk::new();
    let file = synced_file(&disk, "old", b"bytes");
    disk.remove(Path::new("old")).expect("remove");
    let mut byte = [0];
    file.read_exact_at(&mut byte, 4)
        .expect("open handles stay readable");
    assert_eq!(
        may_hold(&disk, "old"),
        BTreeSet::from([None, Some(b"bytes".to_vec())])
    );
    disk.sync_dir(Path::new("")).expect("sync directory");
    assert_eq!(may_hold(&disk, "old"), only(None));
}

#[test]
fn the_writes_of_two_files_survive_independently() {
    let disk = SimDisk::new();
    let one = synced_file(&disk, "1", b"");
    let two = synced_file(&disk, "2", b"");
    one.write_all_at(b"x", 0).expect("write");
    two.write_all_at(b"y", 0).expect("write");
    let images = after_cut(&disk);
    for (first, second) in [("", ""), ("x", ""), ("", "y"), ("x", "y")] {
        let wanted = vec![
            ("1".to_owned(), first.as_bytes().to_vec()),
            ("2".to_owned(), second.as_bytes().to_vec()),
        ];
        assert!(images.contains(&wanted), "{first:?} {second:?}");
    }
}

#[test]
fn a_torn_write_keeps_old_bytes_where_new_ones_did_not_arrive() {
    let disk = SimDisk::new();
    let file = synced_file(&disk, "journal", &[1; 8192]);
    file.write_all_at(&[2; 8192], 0).expect("write");
    let images = may_hold(&disk, "journal");
    for at in [1, 512, 4096] {
        let mut head = vec![1; 8192];
        head[..at].fill(2);
        assert!(images.contains(&Some(head)), "first {at}");
        let mut tail = vec![2; 8192];
        tail[..at].fill(1);
        assert!(images.contains(&Some(tail)), "all but the first {at}");
    }
    let sectors = images.iter().flatten().filter(|bytes| {
        let mixed = bytes.contains(&1) && bytes.contains(&2);
        mixed
            && bytes
                .chunks(512)
                .all(|sector| sector.iter().all(|b| *b == sector[0]))
    });
    assert!(sectors.count() > 2, "sectors arrive in any order");
}

#[test]
fn a_length_that_was_not_synced_may_be_lost_though_the_bytes_arrived() {
    let disk = SimDisk::new();
    let file = synced_file(&disk, "index", &[1; 100]);
    file.set_len(300).expect("extend");
    file.write_all_at(&[2; 250], 0).expect("write");
    let images = may_hold(&disk, "index");
    assert!(images.contains(&Some(vec![2; 100])));
    let mut not_extended = vec![2; 250];
    assert!(images.contains(&Some(not_extended.clone())));
    not_extended.resize(300, 0);
    assert!(images.contains(&Some(not_extended)));
}

#[test]
fn a_cut_at_any_operation_is_judged_by_what_was_synced_before_it() {
    // The pattern of every crash test: remember the length of the log at each acknowledgement, then
    // check all images.
    let disk = SimDisk::new();
    let file = synced_file(&disk, "log", b"");
    let mut acknowledged = Vec::new();
    for n in 0..20 {
        file.write_all_at(&[n; 700], u64::from(n) * 700)
            .expect("write");
        file.sync().expect("sync");
        acknowledged.push(disk.ops());
    }
    let mut images = 0;
    for image in disk.crash_images(.., &Variants::default()) {
        images += 1;
        let acked = acknowledged.iter().filter(|at| **at <= image.cut).count();
        let held = image.disk.content("log").unwrap_or_default();
        for n in 0..acked {
            let expected = u8::try_from(n).expect("small");
            assert_eq!(held.get(n * 700), Some(&expected), "{image}");
        }
    }
    assert!(images > 150, "{images}");
}

#[test]
fn a_store_that_forgets_a_sync_is_caught() {
    let disk = SimDisk::new();
    disk.ignore_syncs(|call, path| call == Call::Sync && path == "log");
    synced_file(&disk, "log", b"acknowledged");
    assert!(may_hold(&disk, "log").contains(&Some(Vec::new())));

    let disk = SimDisk::new();
    disk.ignore_syncs(|call, _| call == Call::SyncDir);
    synced_file(&disk, "log", b"acknowledged");
    assert!(may_hold(&disk, "log").contains(&None));
}

#[test]
fn the_same_run_makes_the_same_images() {
    let run = || {
        let disk = SimDisk::new();
        let file = synced_file(&disk, "log", b"x");
        for n in 0..10 {
            file.write_all_at(&[n; 5000], u64::from(n) * 3000)
                .expect("write");
        }
        disk.crash_images(.., &Variants::default())
            .map(|image| (image.to_string(), image.disk.fingerprint()))
            .collect::<Vec<_>>()
    };
    let (first, second) = (run(), run());
    assert_eq!(first, second);
    let last = &first.last().expect("images").0;
    assert!(
        last.starts_with("power cut after operation 14 (write 5000 bytes at 27000 of log): "),
        "{last}"
    );
}

#[test]
fn an_image_is_a_disk_that_can_lose_power_again() {
    let disk = SimDisk::new();
    let _lock = disk
        .try_lock(Path::new("lock"))
        .expect("lock")
        .expect("free");
    let file = synced_file(&disk, "log", b"a");
    file.write_all_at(b"b", 1).expect("write");
    let mut seen = BTreeSet::new();
    for first in disk.crash_images(disk.ops().., &Variants::default()) {
        assert!(
            first
                .disk
                .try_lock(Path::new("lock"))
                .expect("lock")
                .is_some()
        );
        let log = first
            .disk
            .open(Path::new("log"), OpenMode::Write)
            .expect("there");
        log.write_all_at(b"c", 1).expect("write");
        for second in first.disk.crash_images(.., &Variants::default()) {
            seen.insert(second.disk.content("log").expect("there"));
        }
    }
    for held in [&b"a"[..], b"ab", b"ac", b"a\0"] {
        assert!(seen.contains(held), "{held:?} in {seen:?}");
    }
}

#[test]
fn killing_a_process_loses_nothing_but_its_locks() {
    let disk = SimDisk::new();
    let lock = disk.try_lock(Path::new("lock")).expect("lock");
    assert!(lock.is_some());
    assert!(disk.try_lock(Path::new("lock")).expect("lock").is_none());
    create(&disk, "log")
        .write_all_at(b"unsynced", 0)
        .expect("write");
    let next = disk.snapshot();
    assert_eq!(next.content("log").expect("there"), b"unsynced");
    assert!(next.try_lock(Path::new("lock")).expect("lock").is_some());
    assert!(
        may_hold(&next, "log").contains(&None),
        "a power cut after the kill"
    );
    drop(lock);
    assert!(disk.try_lock(Path::new("lock")).expect("lock").is_some());
}

#[test]
fn after_a_failed_sync_the_next_one_lies() {
    // ext4, XFS and Btrfs do this: they mark the pages clean, and the content is never written.
    let disk = SimDisk::new();
    let file = synced_file(&disk, "log", b"safe");
    file.write_all_at(b"gone", 4).expect("write");
    disk.fail_at(0, Fault::Os(5), Repeat::Once);
    assert_eq!(file.sync().expect_err("fails").raw_os_error(), Some(5));
    file.sync().expect("the lie");
    assert_eq!(disk.content("log").expect("there"), b"safegone");
    assert_eq!(may_hold(&disk, "log"), only(Some(b"safe".to_vec())));

    create(&disk, "pack");
    disk.fail_at(0, Fault::Kind(ErrorKind::Other), Repeat::Once);
    disk.sync_dir(Path::new("")).expect_err("fails");
    disk.sync_dir(Path::new("")).expect("the lie");
    assert_eq!(may_hold(&disk, "pack"), only(None));
}

#[test]
fn every_call_can_be_made_to_fail() {
    let run = |disk: &SimDisk| -> io::Result<()> {
        let root = Path::new("");
        disk.make_dir(Path::new("d"))?;
        disk.sync_dir(root)?;
        let _lock = disk.try_lock(Path::new("lock"))?;
        let file = disk.open(Path::new("d/a"), OpenMode::CreateNew)?;
        file.write_all_at(b"abc", 0)?;
        file.set_len(2)?;
        file.sync()?;
        disk.rename(Path::new("d/a"), Path::new("d/b"))?;
        let file = disk.open(Path::new("d/b"), OpenMode::Read)?;
        let mut out = vec![0; usize::try_from(file.size()?).expect("small")];
        file.read_exact_at(&mut out, 0)?;
        disk.list(Path::new("d"))?;
        disk.free_bytes()?;
        disk.remove(Path::new("d/b"))
    };
    let mut failed = 0;
    loop {
        let disk = SimDisk::new();
        disk.fail_at(failed, Fault::Kind(ErrorKind::Other), Repeat::Once);
        let result = run(&disk);
        if disk.struck() == 0 {
            result.expect("nothing failed");
            assert_eq!(disk.census().total(), failed);
            let calls: BTreeSet<_> = disk.census().iter().map(|(call, _, _)| call).collect();
            assert_eq!(calls.len(), 14, "{}", disk.census());
            break;
        }
        assert_eq!(result.expect_err("struck").kind(), ErrorKind::Other);
        failed += 1;
    }
    assert_eq!(failed, 14);
}

#[test]
fn a_sticky_full_disk_still_reads_and_removes() {
    let disk = SimDisk::new();
    let file = synced_file(&disk, "log", b"abc");
    disk.fail_at(0, Fault::Kind(ErrorKind::StorageFull), Repeat::Sticky);
    for _ in 0..2 {
        let error = file.write_all_at(b"d", 3).expect_err("full");
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
    assert_eq!(file.size().expect("reads"), 3);
    disk.remove(Path::new("log")).expect("removes");
    assert_eq!(disk.struck(), 2);
    disk.heal();
    create(&disk, "log");
}

#[test]
fn a_short_write_leaves_a_part_and_an_error() {
    let disk = SimDisk::new();
    let file = synced_file(&disk, "log", b"");
    disk.fail_at(0, Fault::ShortWrite(2), Repeat::Once);
    assert_eq!(file.size().expect("writes only"), 0);
    let error = file.write_all_at(b"abcd", 0).expect_err("short");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(disk.content("log").expect("there"), b"ab");
}

#[test]
fn a_disk_fills_up_page_by_page_and_removing_makes_room() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(3 * PAGE_BYTES));
    let file = create(&disk, "a");
    file.set_len(1 << 20).expect("a hole takes no space");
    assert_eq!(disk.free_bytes().expect("answers"), 3 * PAGE_BYTES);
    let error = file
        .write_all_at(&vec![1; 5 * 4096], 100)
        .expect_err("full");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(disk.used_bytes(), 3 * PAGE_BYTES);
    file.write_all_at(&[2; 4096], 0).expect("in place");
    let error = disk
        .open(Path::new("b"), OpenMode::CreateNew)
        .err()
        .expect("full");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    disk.remove(Path::new("a")).expect("remove");
    create(&disk, "b")
        .write_all_at(&[1; 4096], 0)
        .expect("room again");
}

#[test]
fn damage_is_durable_at_once_and_hits_only_its_target() {
    let disk = SimDisk::new();
    synced_file(&disk, "a", b"abc");
    synced_file(&disk, "b", b"abc");
    disk.flip_bit("a", 8).expect("in range");
    assert_eq!(
        disk.flip_bit("a", 24).expect_err("past the end").kind(),
        ErrorKind::UnexpectedEof
    );
    disk.overwrite("a", 2, b"xy").expect("there");
    assert_eq!(may_hold(&disk, "a"), only(Some(b"acxy".to_vec())));
    disk.truncate("a", 1).expect("there");
    assert_eq!(may_hold(&disk, "a"), only(Some(b"a".to_vec())));
    disk.copy("a", "b").expect("there");
    assert_eq!(may_hold(&disk, "b"), only(Some(b"a".to_vec())));
    disk.plant("c", b"new").expect("room");
    disk.lose("a").expect("there");
    let names: Vec<_> = disk.files().into_iter().map(|(path, _)| path).collect();
    assert_eq!(names, ["b", "c"]);
    assert_eq!(after_cut(&disk).len(), 1);
}

#[test]
fn a_snapshot_and_an_image_do_not_change_with_the_disk_they_were_made_from() {
    let disk = SimDisk::new();
    let file = synced_file(&disk, "log", &[1; 10_000]);
    let snapshot = disk.snapshot();
    let image = disk
        .crash_images(disk.ops().., &Variants::default())
        .next()
        .expect("one");
    let before = disk.fingerprint();
    file.write_all_at(&[2; 10_000], 0).expect("write");
    assert_ne!(disk.fingerprint(), before);
    assert_eq!(snapshot.fingerprint(), before);
    assert_eq!(image.disk.fingerprint(), before);
}

#[test]
fn bytes_cut_off_do_not_come_back_when_the_file_grows_again() {
    let disk = SimDisk::new();
    let file = create(&disk, "a");
    file.write_all_at(&[7; 9000], 0).expect("write");
    file.set_len(4100).expect("cut");
    file.set_len(9000).expect("extend");
    let held = disk.content("a").expect("there");
    let mut expected = vec![7; 4100];
    expected.resize(9000, 0);
    assert!(held == expected);
}

#[test]
fn wrong_calls_get_the_errors_a_file_system_gives() {
    let disk = SimDisk::new();
    disk.make_dir(Path::new("d")).expect("directory");
    disk.make_dir(Path::new("d")).expect("there already");
    create(&disk, "d/a");
    let open = |path: &str, mode| {
        disk.open(Path::new(path), mode)
            .err()
            .map(|error| error.kind())
    };
    assert_eq!(
        open("d/a", OpenMode::CreateNew),
        Some(ErrorKind::AlreadyExists)
    );
    assert_eq!(open("d/b", OpenMode::Write), Some(ErrorKind::NotFound));
    assert_eq!(open("x/b", OpenMode::CreateNew), Some(ErrorKind::NotFound));
    assert_eq!(open("d", OpenMode::Read), Some(ErrorKind::IsADirectory));
    assert_eq!(
        open("d/a/b", OpenMode::CreateNew),
        Some(ErrorKind::NotADirectory)
    );
    assert_eq!(open("../a", OpenMode::Read), Some(ErrorKind::InvalidInput));
    let kind = |result: io::Result<()>| result.err().map(|error| error.kind());
    assert_eq!(
        kind(disk.rename(Path::new("d"), Path::new("d/e"))),
        Some(ErrorKind::InvalidInput)
    );
    assert_eq!(
        kind(disk.remove(Path::new("d"))),
        Some(ErrorKind::IsADirectory)
    );
    assert_eq!(
        kind(disk.list(Path::new("e")).map(drop)),
        Some(ErrorKind::NotFound)
    );
    assert_eq!(
        kind(disk.sync_dir(Path::new("e"))),
        Some(ErrorKind::NotFound)
    );
    let file = disk.open(Path::new("d/a"), OpenMode::Read).expect("there");
    assert_eq!(
        kind(file.write_all_at(b"x", 0)),
        Some(ErrorKind::PermissionDenied)
    );
    assert_eq!(
        kind(file.read_exact_at(&mut [0], 0)),
        Some(ErrorKind::UnexpectedEof)
    );
    let file = disk.open(Path::new("d/a"), OpenMode::Write).expect("there");
    assert_eq!(
        kind(file.write_all_at(b"x", u64::MAX)),
        Some(ErrorKind::FileTooLarge)
    );
    assert_eq!(kind(file.set_len(u64::MAX)), Some(ErrorKind::FileTooLarge));
}

#[test]
fn the_real_disk_gives_the_same_answers() {
    // Both disks must agree. Otherwise a test on the simulated disk proves nothing about the real
    // one.
    let folder = tempfile::tempdir().expect("folder");
    let sim = SimDisk::new();
    let real = crate::disk::FsDisk::new(folder.path());
    let mut answers: Vec<Vec<String>> = Vec::new();
    for disk in [&sim as &dyn Disk, &real] {
        let mut told = Vec::new();
        let mut tell = |what: Result<String, ErrorKind>| told.push(format!("{what:?}"));
        let open = |path: &str, mode| {
            disk.open(Path::new(path), mode)
                .map_err(|error| error.kind())
        };
        tell(open("missing", OpenMode::Write).map(|_| String::new()));
        tell(open("d/a", OpenMode::CreateNew).map(|_| String::new()));
        for _ in 0..2 {
            tell(
                disk.make_dir(Path::new("d"))
                    .map(|()| String::new())
                    .map_err(|e| e.kind()),
            );
        }
        let file = open("d/a", OpenMode::CreateNew).expect("new");
        tell(open("d/a", OpenMode::CreateNew).map(|_| String::new()));
        file.write_all_at(b"hello", 3).expect("write");
        file.set_len(6).expect("cut");
        file.write_all_at(b"!", 9).expect("write");
        let mut out = [9; 10];
        file.read_exact_at(&mut out, 0).expect("read");
        tell(Ok(format!("{out:?}")));
        tell(
            file.read_exact_at(&mut out, 1)
                .map(|()| String::new())
                .map_err(|e| e.kind()),
        );
        file.sync().expect("sync");
        disk.rename(Path::new("d/a"), Path::new("b"))
            .expect("rename");
        let held = disk.try_lock(Path::new("lock")).expect("lock");
        tell(Ok(held.is_some().to_string()));
        tell(Ok(disk
            .try_lock(Path::new("lock"))
            .expect("lock")
            .is_some()
            .to_string()));
        drop(held);
        tell(Ok(disk
            .try_lock(Path::new("lock"))
            .expect("lock")
            .is_some()
            .to_string()));
        for dir in ["", "d"] {
            disk.sync_dir(Path::new(dir)).expect("sync directory");
            let entries = disk.list(Path::new(dir)).expect("list");
            let shown = entries
                .iter()
                .map(|e| (&e.name, e.is_dir, if e.is_dir { 0 } else { e.len }));
            tell(Ok(format!("{:?}", shown.collect::<Vec<_>>())));
        }
        tell(
            disk.list(Path::new("b"))
                .map(|_| String::new())
                .map_err(|e| e.kind()),
        );
        disk.remove(Path::new("b")).expect("remove");
        tell(
            disk.remove(Path::new("b"))
                .map(|()| String::new())
                .map_err(|e| e.kind()),
        );
        answers.push(told);
    }
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn calls_are_counted_by_kind_and_by_the_pattern_of_the_path() {
    assert_eq!(&*pattern("journal/00000007"), "journal/#");
    assert_eq!(&*pattern("packs/0a1b2c3d4e5f-12.pack"), "packs/#-#.pack");
    assert_eq!(&*pattern("dead/face.beef"), "dead/face.beef");
    let disk = SimDisk::new();
    for name in ["j1", "0001", "0002"] {
        synced_file(&disk, name, b"x");
    }
    let census = disk.census();
    assert_eq!(census.of(Call::Sync), 3);
    assert!(
        census.iter().any(|row| row == (Call::Write, "#", 2)),
        "{census}"
    );
    assert!(census.to_string().ends_with("12  calls"), "{census}");
}

#[test]
fn images_of_a_quarter_megabyte_store_are_made_by_the_thousand() {
    // Crash tests check a hundred thousand images. The cost of each must depend on what it changes,
    // not on what the disk holds.
    let disk = SimDisk::new();
    let files: Vec<_> = ["a", "b", "c"]
        .map(|name| synced_file(&disk, name, &vec![1; 256 << 10]))
        .into();
    disk.settle();
    for n in 0..40_u8 {
        let file = &files[usize::from(n % 3)];
        file.write_all_at(&[n; 3000], u64::from(n) * 5000)
            .expect("write");
        if n % 8 == 7 {
            file.sync().expect("sync");
        }
    }
    let started = std::time::Instant::now();
    let images = disk.crash_images(.., &Variants::default()).count();
    let elapsed = started.elapsed();
    println!("{images} images in {elapsed:?}");
    assert!(images > 2000, "{images}");
}
