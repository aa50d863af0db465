//! Tests that one thread can hand in hundreds of sources before it waits. The sources share syncs,
//! and a power cut removes none that was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::{Hourly, noise, tiny};
use annals::archive::{Depth, NewEntry};
use annals::disk::sim::{Call, Census, Fault, Repeat, SimDisk, Variants};
use annals::event::Body;
use annals::id::{BlobId, EventSeq};
use annals::retention::{AsOf, Policy};
use annals::{Archive, ErrorKind};

fn new() -> NewEntry {
    NewEntry::new("ICT")
}

fn syncs(census: &Census) -> u64 {
    census
        .iter()
        .filter(|(call, path, _)| *call == Call::Sync && path.starts_with("journal"))
        .map(|(_, _, count)| count)
        .sum()
}

/// Returns the blobs of all archived sources in the log, in order.
fn recorded(archive: &Archive) -> Vec<BlobId> {
    let leaves = archive.events(EventSeq(1), None).expect("readable");
    leaves
        .filter_map(
            |leaf| match leaf.and_then(|leaf| leaf.event()).expect("whole").body {
                Body::Archived(fact) => Some(fact.blob.blake3),
                _ => None,
            },
        )
        .collect()
}

#[test]
fn one_thread_has_hundreds_in_flight_they_share_syncs() {
    let disk = SimDisk::new();
    let archive = Archive::builder()
        .disk(Arc::new(disk.clone()))
        .create("")
        .expect("made");
    archive.put(new(), &b"first"[..]).expect("durable");
    let before = syncs(&disk.census());
    let begin = |seed| archive.begin_put(new(), &noise(seed, 500)[..]);
    let pending: Vec<_> = (0..400)
        .map(|seed| begin(seed).expect("in flight"))
        .collect();
    let mut ids = Vec::new();
    for begun in pending {
        ids.push(begun.wait().expect("durable").id);
    }
    assert!(ids.is_sorted(), "in the order they were handed in");
    let spent = syncs(&disk.census()) - before;
    assert!(spent < 200, "{spent} syncs for 400 records");
    archive.close().expect("closed");
}

/// After a power cut a source that was waited for must be there. Any other is complete or absent,
/// and those that are there are the first ones handed in.
#[test]
fn the_power_goes_what_was_waited_for_is_there_and_the_rest_is_whole_or_absent() {
    let disk = SimDisk::new();
    let clock = Hourly::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), tiny(&clock)).expect("made");
    archive.put(new(), &b"first"[..]).expect("durable");
    let begun_at = disk.ops();
    let contents: Vec<Vec<u8>> = (0..40).map(|seed| noise(seed, 3_000)).collect();
    let mut told = BTreeMap::new();
    let mut pending = Vec::new();
    for (nth, content) in contents.iter().enumerate() {
        let begun = archive.begin_put(new(), &content[..]).expect("in flight");
        if nth % 2 == 0 {
            pending.push((nth, begun));
        }
        if nth % 20 == 19 {
            for (nth, begun) in pending.drain(..) {
                begun.wait().expect("durable");
                told.insert(nth, disk.ops());
            }
        }
    }
    archive.close().expect("closed");
    let variants = Variants {
        each: 1,
        torn_at: vec![512],
        random: 0,
        seed: 7,
    };
    let mut looked_at = 0;
    for image in disk.crash_images(begun_at..=disk.ops(), &variants) {
        let after = Archive::open_on(Arc::new(image.disk.clone()), tiny(&clock)).expect("opens");
        let there = recorded(&after);
        let expected = std::iter::once(BlobId::of(b"first"))
            .chain(contents.iter().map(|content| BlobId::of(content)));
        assert!(expected.zip(&there).all(|(ours, theirs)| ours == *theirs));
        let acknowledged = told.iter().filter(|(_, ops)| **ops <= image.cut);
        let acknowledged = acknowledged.map(|(nth, _)| nth + 2).max().unwrap_or(1);
        assert!(
            there.len() >= acknowledged,
            "{image}: {} of {acknowledged}",
            there.len()
        );
        looked_at += 1;
        if looked_at % 8 == 0 {
            let report = after.verify(Depth::Deep).expect("looked at");
            assert!(report.ok, "{image}: {:?}", report.findings);
        }
        for blob in there {
            after.read_all(&blob, 1 << 20).expect("whole");
        }
    }
    assert!(looked_at > 20);
}

/// Once a purge is recorded, the caller must be told so, whichever disk call fails afterwards.
#[test]
fn a_disk_fails_anywhere_in_a_purge_what_is_recorded_is_told() {
    let clock = Hourly::new();
    let base = SimDisk::new();
    let archive = Archive::create_on(Arc::new(base.clone()), tiny(&clock)).expect("made");
    for seed in 0..6 {
        archive
            .put(new(), &noise(seed, 9_000)[..])
            .expect("durable");
    }
    archive.seal().expect("sealed");
    archive.close().expect("closed");
    let (mut told, mut refused, mut whole) = (0, 0, 0);
    for nth in 0..120 {
        let disk = base.snapshot();
        let archive = Archive::open_on(Arc::new(disk.clone()), tiny(&clock)).expect("opens");
        let policy = Policy::default().max_count(0);
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("planned");
        let fault = Fault::Kind(std::io::ErrorKind::PermissionDenied);
        disk.fail_at(nth, fault, Repeat::Once);
        let purged = archive.purge(&plan, "test");
        disk.heal();
        let _ = archive.close();
        let after = Archive::open_on(Arc::new(disk), tiny(&clock)).expect("opens");
        let left = after
            .snapshot()
            .expect("there")
            .stats()
            .expect("counted")
            .entries;
        match purged {
            Ok(done) => {
                assert_eq!((done.recorded.archives_purged, left), (6, 0), "call {nth}");
                match done.reclaim {
                    Ok(_) => whole += 1,
                    Err(_) => told += 1,
                }
            }
            Err(error) => {
                let is_unsure = matches!(error.kind(), ErrorKind::Io | ErrorKind::Poisoned);
                assert!(left == 6 || is_unsure, "call {nth}: {error}, {left} left");
                refused += 1;
            }
        }
    }
    assert!(
        told > 0 && refused > 0 && whole > 0,
        "{told} {refused} {whole}"
    );
}
