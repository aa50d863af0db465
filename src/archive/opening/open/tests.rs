//! Opening stores after whatever happened to them.

use std::io;

use super::*;
use crate::disk::sim::{Call, Fault, Repeat, SimDisk};
use crate::event::Actor;
use crate::format::frame::JOURNAL_HEADER_BYTES;
use crate::log::JOURNAL_BYTES_MIN;

fn options() -> Options {
    Options {
        actor: Actor::system(),
        journal_bytes: JOURNAL_BYTES_MIN,
        ..Options::default()
    }
}

fn kinds(archive: &Archive) -> Vec<String> {
    let events = archive.events(EventSeq(1), None).expect("readable");
    let kind = |leaf: crate::archive::Leaf| {
        let event: serde_json::Value = serde_json::from_str(&leaf.line).expect("JSON");
        event["type"].as_str().expect("text").to_owned()
    };
    events.map(|leaf| kind(leaf.expect("whole"))).collect()
}

/// The opening of the store used to be recorded before its making, and a power cut between the
/// header and the first event left a store whose making was never recorded.
#[test]
fn a_power_cut_before_event_1__is_recorded_as_creation() {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
    assert_eq!(kinds(&archive), ["annals.store.created.v1"]);
    archive.close().expect("closed");

    // The header is there, the first frame never arrived, and nobody came to close the store.
    disk.lose(NEWEST_FILE).expect("there");
    let zeros = vec![0; 4096];
    disk.overwrite("journal/0000.journal", JOURNAL_HEADER_BYTES as u64, &zeros)
        .expect("overwritten");
    let archive = Archive::open_on(Arc::new(disk.clone()), options()).expect("opens");
    assert_eq!(kinds(&archive)[0], "annals.store.created.v1");
    archive.close().expect("closed");
    let archive = Archive::open_on(Arc::new(disk), options()).expect("opens");
    let made = |kind: &&String| *kind == "annals.store.created.v1";
    assert_eq!(kinds(&archive).iter().filter(made).count(), 1);
}

/// Nobody can be writing on a disk that nobody can write to; but whose lock is held must wait.
#[test]
fn reading_a_read_only_disk__needs_no_lock() {
    let disk = SimDisk::new();
    let made = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
    made.close().expect("closed");
    let open = |access| {
        let options = Options {
            access,
            ..options()
        };
        Archive::open_on(Arc::new(disk.clone()), options)
    };
    let fault = Fault::Kind(io::ErrorKind::ReadOnlyFilesystem);
    disk.fail_at(0, fault, Repeat::Sticky);
    let refused = open(Access::ReadWrite).map(drop).expect_err("to write");
    assert_eq!(refused.kind(), ErrorKind::ReadOnly);
    let reader = open(Access::ReadOnly).expect("to look");
    assert_eq!(kinds(&reader), ["annals.store.created.v1"]);
    drop(reader);
    disk.heal();
    let writer = open(Access::ReadWrite).expect("opens");
    let told = open(Access::ReadOnly).map(drop).expect_err("held");
    assert_eq!(told.kind(), ErrorKind::Locked);
    disk.fail_at(0, Fault::Os(5), Repeat::Once);
    let told = open(Access::ReadOnly).map(drop).expect_err("broken");
    assert_eq!(told.kind(), ErrorKind::Io);
    writer.close().expect("closed");
}

/// A deep look makes an index beside the one that is there, in memory where nothing may be
/// written.
#[test]
fn verifying_a_damaged_store__changes_nothing() {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
    for content in [b"first", b"other"] {
        let new = crate::archive::NewEntry {
            converter: "ICT".into(),
            ..Default::default()
        };
        archive.put(new, &content[..]).expect("archived");
    }
    archive.close().expect("closed");
    let first_frame = JOURNAL_HEADER_BYTES as u64 + 64;
    disk.flip_bit("journal/0000.journal", first_frame * 8)
        .expect("flipped");
    let archive = Archive::open_on(Arc::new(disk.clone()), options()).expect("to look");
    assert!(!archive.damage().is_empty());
    let before = disk.ops();
    let report = archive.verify(crate::archive::Depth::Deep).expect("looked");
    assert!(!report.ok);
    assert_eq!(disk.ops(), before, "{:?}", disk.describe_ops().last());
}

/// Who wrote is to be found out years later, also when several machines shared a disk.
#[cfg(unix)]
#[test]
fn store_opened__names_the_machine() {
    let node = rustix::system::uname();
    let node = node.nodename().to_string_lossy().into_owned();
    assert!(!node.is_empty());
    let archive = Archive::create_on(Arc::new(SimDisk::new()), options()).expect("made");
    let new = crate::archive::NewEntry {
        converter: "ICT".into(),
        ..Default::default()
    };
    archive.put(new, &b"x"[..]).expect("archived");
    let leaves: Vec<String> = archive
        .events(EventSeq(1), None)
        .expect("readable")
        .map(|leaf| leaf.expect("whole").line)
        .collect();
    let named = format!("\"host\":\"{node}\"");
    assert!(
        leaves.iter().any(|leaf| leaf.contains(&named)),
        "{leaves:?}"
    );
}

/// A folder is a store once its header is durable under its name, and not before.
#[test]
fn a_header_without_durable_name__makes_no_store() {
    let create = |disk: &SimDisk| Archive::create_on(Arc::new(disk.clone()), options());
    let mut refused = (0, 0);
    for calls in 0.. {
        let disk = SimDisk::new();
        disk.fail_at(calls, Fault::Os(5), Repeat::Once);
        let made = create(&disk);
        let struck = disk.struck_census();
        if struck.total() == 0 {
            break;
        }
        let renaming = struck.of(Call::Rename);
        let naming = renaming + struck.on(Call::SyncDir, ".");
        if naming == 0 {
            continue;
        }
        let error = made.map(drop).expect_err("not made");
        assert_eq!(error.kind(), ErrorKind::Io, "call {calls}");
        assert!(disk.content(HEADER_FILE).is_err(), "call {calls}");
        if error.message().contains(HEADER_FILE) {
            refused.0 += renaming;
            refused.1 += naming - renaming;
        }
    }
    assert_eq!(refused, (1, 1));
}
