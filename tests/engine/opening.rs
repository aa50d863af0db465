//! Tests opening a store under difficulties. A store on a full or read-only disk must open for
//! reading. An index that turns out to be damaged must be rebuilt *on the disk*, or every later
//! open would rebuild it again. A temporary disk error must not cost an intact index.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::support::prove::{Size, size};
use crate::support::{Hourly, Runner, State, Step, tiny};
use annals::archive::{Access, Archive, Depth, Options};
use annals::disk::Disk;
use annals::disk::sim::{Call, Fault, Repeat, SimDisk};
use annals::entry::Outcome;
use annals::event::ConfigChanged;
use annals::id::EventSeq;
use annals::{ErrorKind, Result};

const INDEX: &str = "index.redb";
const NO_SPACE: Fault = Fault::Kind(io::ErrorKind::StorageFull);
const IO_ERROR: Fault = Fault::Os(5);

/// Makes a store with sealed content whose index lags behind the log by a few events of known
/// entries, as after a kill.
fn left_behind() -> Runner {
    let mut runner = Runner::create(SimDisk::new()).expect("made");
    for seed in 0..12 {
        let noise = Step::Noise { seed, len: 9_000 };
        runner.run(&noise).expect("archived");
    }
    runner.run(&Step::Seal).expect("sealed");
    for entry in 0..12 {
        let attempt = Step::Attempt {
            entry,
            outcome: Outcome::Success,
            reports: 1,
            len: 300,
        };
        runner.run(&attempt).expect("recorded");
    }
    runner
}

/// Makes a store without an index, with more events than a rebuild keeps in memory.
fn without_index() -> Runner {
    let mut runner = left_behind();
    for seed in 0..4_200_u32 {
        let configure = Step::Configure {
            seed: (seed % 100) as u8,
        };
        runner.run(&configure).expect("recorded");
    }
    let bare = runner.fork();
    bare.disk.lose(INDEX).expect("lost");
    bare
}

/// Returns n, where the disk fails at every nth call.
fn every() -> usize {
    match size() {
        Size::Sample => 31,
        Size::Short => 7,
        Size::Long => 1,
    }
}

fn open(disk: &SimDisk, access: Access) -> Result<Archive> {
    let options = tiny(&Hourly::new()).access(access);
    Archive::open_on(Arc::new(disk.clone()), options)
}

/// Returns whether opening the store again rebuilds its index.
fn makes_the_index_anew(disk: &SimDisk) -> bool {
    let disk = disk.snapshot();
    let archive = open(&disk, Access::ReadWrite).expect("a sound disk");
    archive.close().expect("closed");
    disk.census().on(Call::Create, INDEX) > 0
}

/// A rebuild ran out of disk space, and the partial index was taken for a complete one.
#[test]
fn who_only_looks_needs_no_room_on_the_disk() {
    let bare = without_index();
    for calls in (0..).step_by(every()) {
        let disk = bare.disk.snapshot();
        disk.fail_at(calls, NO_SPACE, Repeat::Sticky);
        let archive = open(&disk, Access::ReadOnly).expect("nothing needs to be written");
        let state = State::observe(&archive).expect("readable");
        assert!(state == bare.state, "{}", bare.state.difference(&state));
        drop(archive);
        if disk.struck() == 0 {
            assert!(calls > 10, "no call needed any space");
            break;
        }
    }
}

#[test]
fn a_store_that_is_opened_to_be_written_has_its_index_on_the_disk_or_is_refused() {
    let bare = without_index();
    let mut refused = 0;
    for calls in (0..).step_by(every()) {
        let disk = bare.disk.snapshot();
        disk.fail_at(calls, NO_SPACE, Repeat::Sticky);
        match open(&disk, Access::ReadWrite) {
            Ok(archive) => {
                let struck = disk.struck();
                drop(archive);
                disk.heal();
                assert!(!makes_the_index_anew(&disk), "no space from call {calls}");
                if struck == 0 {
                    break;
                }
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Full, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 10, "a full disk was in the way {refused} times");
}

#[test]
fn index_damage_that_shows_only_half_way_is_healed_on_the_disk() {
    let runner = left_behind();
    let len = runner.fork().disk.content(INDEX).expect("there").len() as u64;
    let mut made_anew = 0;
    for block in 0..len / 4_096 {
        let disk = runner.fork().disk;
        disk.flip_bit(INDEX, (block * 4_096 + 100) * 8)
            .expect("flipped");
        let archive = open(&disk, Access::ReadWrite).expect("an index is disposable");
        let state = State::observe(&archive).expect("readable");
        assert!(state == runner.state, "block {block} is damaged");
        // What opening met is repaired. Damage that nothing has read yet may remain.
        if disk.census().on(Call::Create, INDEX) > 0 {
            archive.close().expect("closed");
            assert!(!makes_the_index_anew(&disk), "block {block} was damaged");
            made_anew += 1;
        }
    }
    assert!(made_anew > 2, "only {made_anew} blocks were looked at");
}

#[test]
fn who_writes_is_not_given_an_index_that_cannot_be_written() {
    let runner = left_behind();
    let denied = Fault::Kind(io::ErrorKind::PermissionDenied);
    for fault in [denied, NO_SPACE] {
        let mut refused = 0;
        for calls in 0.. {
            let disk = runner.fork().disk;
            disk.fail_at(calls, fault, Repeat::Once);
            let opened = open(&disk, Access::ReadWrite);
            let at_index = [Call::OpenToWrite, Call::SetLen, Call::Write, Call::Sync]
                .iter()
                .any(|call| disk.struck_census().on(*call, INDEX) > 0);
            if at_index {
                assert!(opened.is_err(), "{fault:?}, call {calls}");
                refused += 1;
            }
            drop(opened);
            if disk.struck() == 0 {
                break;
            }
        }
        assert!(refused > 1, "{fault:?} was in the way {refused} times");
    }
}

#[test]
fn who_only_looks_does_not_need_an_index_that_can_be_written() {
    let runner = left_behind();
    let mut denied = 0;
    for calls in 0.. {
        let disk = runner.fork().disk;
        let fault = Fault::Kind(io::ErrorKind::PermissionDenied);
        disk.fail_at(calls, fault, Repeat::Once);
        let opened = open(&disk, Access::ReadOnly);
        if disk.struck_census().on(Call::OpenToWrite, INDEX) > 0 {
            let archive = opened.expect("opened to look");
            assert!(State::observe(&archive).expect("readable") == runner.state);
            denied += 1;
        }
        if disk.struck() == 0 {
            break;
        }
    }
    assert_eq!(denied, 1);
}

#[test]
fn the_index_is_measured_where_there_is_one() {
    let runner = left_behind();
    let disk = runner.fork().disk;
    let archive = open(&disk, Access::ReadWrite).expect("opened");
    let measured = || Ok(archive.snapshot()?.stats()?.index_bytes);
    let len = disk.content(INDEX).expect("there").len() as u64;
    assert_eq!(
        measured().map_err(|error: annals::Error| error.kind()),
        Ok(len)
    );
    disk.fail_at(0, IO_ERROR, Repeat::Sticky);
    assert!(measured().is_err());
    disk.heal();
    disk.lose(INDEX).expect("there");
    assert_eq!(measured().map_err(|error| error.kind()), Ok(0));
}

#[test]
fn a_store_is_made_in_a_folder_of_its_own_and_says_on_which_machine() {
    let dir = tempfile::tempdir().expect("a folder");
    let full = dir.path().join("full");
    std::fs::create_dir(&full).expect("made");
    std::fs::write(full.join("file"), "x").expect("written");
    let make = |path: &Path| Archive::create(path, Options::default());
    let kind = |path: &Path| make(path).map(drop).map_err(|error| error.kind());
    assert_eq!(kind(&full), Err(ErrorKind::Refused));
    assert_eq!(kind(&full.join("file")), Err(ErrorKind::Io));
    let store = dir.path().join("new/nested");
    let archive = make(&store).expect("made");
    let change = ConfigChanged::of("what").new("new");
    archive.record_config_change(change).expect("recorded");
    let mut events = archive.events(EventSeq(1), None).expect("readable");
    let opened = events.find_map(|leaf| {
        let leaf = leaf.expect("readable");
        leaf.line
            .contains("annals.store.opened")
            .then_some(leaf.line)
    });
    if let Ok(host) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        let opened = opened.expect("recorded");
        let said = format!("\"host\":\"{}\"", host.trim());
        assert!(opened.contains(&said), "{opened}");
    }
}

#[test]
fn an_error_of_the_disk_is_told_and_is_no_reason_to_make_the_index_anew() {
    let runner = left_behind();
    let mut told = 0;
    for access in [Access::ReadWrite, Access::ReadOnly] {
        for calls in 0.. {
            let disk = runner.fork().disk;
            disk.fail_at(calls, IO_ERROR, Repeat::Once);
            let opened = open(&disk, access);
            let struck = disk.struck();
            let lock = disk.struck_census().on(Call::Lock, "LOCK");
            let anew = disk.census().on(Call::Create, INDEX);
            assert_eq!(anew, 0, "{access:?}, call {calls}");
            match opened {
                Ok(archive) => {
                    assert_eq!(lock, 0, "{access:?}: a lock that was not taken");
                    drop(archive);
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Io, "{access:?}: {error}");
                    told += 1;
                }
            }
            if struck == 0 {
                break;
            }
        }
    }
    assert!(told > 20, "only {told} errors were told");
}

/// The power was cut after the packs of a seal had their names and before its segment had. The
/// journal still has everything.
#[test]
fn a_pack_of_a_seal_that_was_cut_off_goes_when_the_store_is_written_again() {
    let mut runner = Runner::create(SimDisk::new()).expect("made");
    let noise = Step::Noise {
        seed: 1,
        len: 9_000,
    };
    runner.run(&noise).expect("archived");
    let disk = runner.fork().disk;
    runner.run(&Step::Seal).expect("sealed");
    let is_pack = |path: &String| path.starts_with("packs/");
    let paths = |disk: &SimDisk| -> Vec<String> {
        let files = disk.files().into_iter().map(|(path, _)| path);
        files.filter(is_pack).collect()
    };
    let sealed = paths(&runner.disk);
    assert_eq!(sealed.len(), 1);
    for path in &sealed {
        for folder in ["packs/forever", "packs/forever/none"] {
            disk.make_dir(Path::new(folder)).expect("made");
        }
        let content = runner.disk.content(path).expect("a pack");
        disk.plant(path, &content).expect("planted");
    }
    let looked = open(&disk, Access::ReadOnly).expect("opened to look");
    assert_eq!(State::observe(&looked).expect("readable"), runner.state);
    drop(looked);
    assert_eq!(paths(&disk), sealed, "who looks removes nothing");
    let archive = open(&disk, Access::ReadWrite).expect("opened");
    assert_eq!(paths(&disk), Vec::<String>::new());
    assert_eq!(State::observe(&archive).expect("readable"), runner.state);
    assert!(archive.verify(Depth::Deep).expect("verified").ok);
}

/// Makes a store whose last write was torn: bytes that are no frame follow the last frame.
fn torn() -> (SimDisk, State) {
    const JOURNAL: &str = "journal/0000.journal";
    let mut runner = Runner::create(SimDisk::new()).expect("made");
    let noise = Step::Noise { seed: 1, len: 900 };
    runner.run(&noise).expect("archived");
    let disk = runner.fork().disk;
    let journal = disk.content(JOURNAL).expect("there");
    let last = journal
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("a frame");
    let end = (last as u64 + 1).next_multiple_of(8);
    disk.overwrite(JOURNAL, end, &[0xAB; 40]).expect("torn");
    (disk, runner.state)
}

/// Returns the copies of torn tails that were kept.
fn kept(disk: &SimDisk) -> Vec<Vec<u8>> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    let kept = files.filter(|path| path.starts_with("quarantine/torn-"));
    kept.map(|path| disk.content(path).expect("a copy"))
        .collect()
}

/// The tail was cut, and then the disk failed before that was recorded. The next open found nothing
/// to record.
#[test]
fn a_torn_tail_is_cut_only_when_a_copy_is_kept_or_there_is_no_room_for_one() {
    let (disk, state) = torn();
    let mut without_copy = 0;
    for fault in [IO_ERROR, NO_SPACE] {
        for calls in 0.. {
            let disk = disk.snapshot();
            disk.fail_at(calls, fault, Repeat::Once);
            let opened = open(&disk, Access::ReadWrite);
            let struck = disk.struck();
            let at_copy = [Call::Create, Call::Write, Call::Sync]
                .iter()
                .any(|call| disk.struck_census().on(*call, "tmp/torn") > 0);
            match &opened {
                Ok(_) if fault == NO_SPACE && struck > 0 && kept(&disk).is_empty() => {
                    without_copy += 1;
                }
                Ok(_) => assert!(kept(&disk)[0].starts_with(&[0xAB; 40]), "call {calls}"),
                Err(_) => assert!(fault == IO_ERROR || !at_copy, "call {calls}"),
            }
            drop(opened);
            disk.heal();
            let archive = open(&disk, Access::ReadWrite).expect("a sound disk");
            let seen = State::observe(&archive).expect("readable");
            assert!(seen == state, "{}", state.difference(&seen));
            let cut = archive.events(EventSeq(1), None).expect("readable");
            let cut = cut.filter(|leaf| {
                let leaf = leaf.as_ref().expect("readable");
                leaf.line.contains("annals.recovered.v1")
            });
            assert_eq!(cut.count(), 1, "{fault:?}, call {calls}");
            if struck == 0 {
                break;
            }
        }
    }
    assert!(
        without_copy > 1,
        "a full disk was in the way {without_copy} times"
    );
}

#[test]
fn a_header_that_does_not_open_says_what_to_do() {
    let runner = left_behind();
    let header = |text: &str| {
        let disk = runner.fork().disk;
        let crc = crc32c::crc32c(text.as_bytes());
        let whole = format!("{text}crc32c {crc:08x}\n");
        disk.plant("FORMAT", whole.as_bytes()).expect("planted");
        open(&disk, Access::ReadWrite).expect_err("refused")
    };
    let store = "store 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
    let newer = header(&format!("annals store\nformat 99\n{store}\nneeds\n"));
    assert_eq!(newer.kind(), ErrorKind::Unsupported);
    assert!(newer.next_step().is_some_and(|hint| hint.contains("newer")));
    let needs = header(&format!("annals store\nformat 1\n{store}\nneeds moon\n"));
    assert_eq!(needs.kind(), ErrorKind::Unsupported);
    assert!(needs.to_string().contains("'moon'"), "{needs}");
    let other = header("another store\n");
    assert_eq!(other.kind(), ErrorKind::NoStore);

    let disk = runner.fork().disk;
    let text = format!("annals store\nformat 1\n{store}\nneeds\ncrc32c 00000000\n");
    disk.plant("FORMAT", text.as_bytes()).expect("planted");
    let damaged = open(&disk, Access::ReadWrite).expect_err("refused");
    assert_eq!(damaged.kind(), ErrorKind::Damaged);
    assert!(
        damaged
            .next_step()
            .is_some_and(|hint| hint.contains("FORMAT"))
    );
}

#[test]
fn a_file_is_no_store() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    std::fs::write(&file, "x").expect("written");
    for path in [file, dir.path().join("nothing"), dir.path().to_owned()] {
        let error = Archive::open(&path, Options::default()).expect_err("no store");
        assert_eq!(error.kind(), ErrorKind::NoStore, "{error}");
        assert!(error.next_step().is_some(), "{error}");
    }
}
