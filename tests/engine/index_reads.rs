//! Tests read errors of the index. The index is larger than its cache, and its file cannot be read
//! for a moment while an event is folded in. Nothing of that event may be recorded, what was
//! acknowledged beside it must be, and the store must work on without being opened again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use crate::support::{Hourly, measurements, tiny};
use annals::archive::{Archive, Depth, NewAttempt, NewEntry, Options};
use annals::disk::sim::{Call, Fault, Repeat, SimDisk};
use annals::entry::Outcome;
use annals::id::{EntryId, EventSeq};
use annals::query::Query;
use annals::{Error, ErrorKind, Result};

const IO_ERROR: i32 = 5;
const ENTRIES: u64 = 300;
fn options() -> Options {
    tiny(&Hourly::new()).index_cache_bytes(0)
}

fn new(key: &str) -> NewEntry {
    NewEntry::new("ICT").key(key.to_owned())
}

fn put(archive: &Archive, nth: u64) -> Result<EntryId> {
    let content = measurements(nth, 300);
    let put = archive.put(new(&format!("key {nth}")), &*content);
    put.map(|archived| archived.id)
}

/// Makes a store whose index holds all its entries.
fn plant() -> (SimDisk, Vec<EntryId>) {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
    let ids = (0..ENTRIES)
        .map(|nth| put(&archive, nth).expect("archived"))
        .collect();
    archive.seal().expect("sealed");
    archive.close().expect("closed");
    disk.settle();
    (disk, ids)
}

fn events(archive: &Archive) -> usize {
    let events = archive.events(EventSeq(1), None).expect("readable");
    events.inspect(|leaf| assert!(leaf.is_ok())).count()
}

fn attempt() -> NewAttempt {
    NewAttempt::new(Outcome::Success, "ICT")
        .reports(vec![measurements(7_000, 400), measurements(7_001, 400)])
        .submit("http://x/api")
}

type Deed = fn(&Archive, &[EntryId]) -> Result<()>;

/// The event stayed in the log although its caller got an error, and the published state held half
/// of it. The index no longer matched the log.
#[test]
fn a_fact_whose_fold_cannot_read_the_index_is_not_recorded() {
    let (plant, ids) = plant();
    let deeds: [(&str, Deed); 4] = [
        ("archive", |archive, _| put(archive, 9_000).map(drop)),
        // Another entry already names this content, so its references are counted.
        ("archive again", |archive, _| {
            let content = measurements(3, 300);
            archive.put(new("another"), &*content).map(drop)
        }),
        ("attempt", |archive, ids| {
            archive.record_attempt(ids[5], attempt()).map(drop)
        }),
        ("hold", |archive, ids| {
            archive.place_hold("h", "why", ids[..3].to_vec())
        }),
    ];
    let mut struck = 0;
    for (what, deed) in deeds {
        for calls in 0.. {
            let disk = plant.snapshot();
            let archive = Archive::open_on(Arc::new(disk.clone()), options()).expect("opens");
            let before = events(&archive);
            disk.fail_at(calls, Fault::Os(IO_ERROR), Repeat::Once);
            let done = deed(&archive, &ids);
            let census = disk.struck_census();
            if census.total() == 0 {
                done.expect(what);
                break;
            }
            if census.on(Call::Read, "index.redb") == 0 {
                // An acknowledgement failed, and only opening again tells more. Other tests cover
                // that.
                continue;
            }
            struck += 1;
            let what = format!("{what}, call {calls}");
            let error = done.expect_err(&what);
            assert_eq!(error.kind(), ErrorKind::Io, "{what}: {error}");
            archive.can_write().expect(&what);
            assert_eq!(
                events(&archive),
                before,
                "{what}: it was recorded all the same"
            );
            deed(&archive, &ids).expect(&what);
            let report = archive.verify(Depth::Deep).expect("looked at");
            assert!(report.ok, "{what}: {:?}", report.findings);
            archive.close().expect(&what);
        }
    }
    assert!(struck > 20, "{struck} reads of the index failed");
}

/// Callers that share a group with such an event must get that error too, and none may be told of
/// an entry that does not exist.
#[test]
fn callers_who_share_a_group_with_it_are_told_what_is_there() {
    let (plant, _) = plant();
    let mut failed = 0;
    for calls in (0..60).step_by(4) {
        let disk = plant.snapshot();
        let archive = Archive::open_on(Arc::new(disk.clone()), options()).expect("opens");
        disk.fail_at(calls, Fault::Os(IO_ERROR), Repeat::Once);
        let results: Vec<Result<EntryId, Error>> = thread::scope(|scope| {
            let callers: Vec<_> = (0..8)
                .map(|nth| {
                    let archive = &archive;
                    scope.spawn(move || put(archive, 9_000 + nth))
                })
                .collect();
            let joined = callers
                .into_iter()
                .map(|caller| caller.join().expect("no panic"));
            joined.collect()
        });
        let census = disk.struck_census();
        disk.heal();
        if census.on(Call::Read, "index.redb") == 0 {
            continue;
        }
        let told: BTreeSet<EntryId> = results.iter().flatten().copied().collect();
        failed += results.len() - told.len();
        drop(archive);
        let archive = Archive::open_on(Arc::new(disk), options()).expect("opens");
        let snapshot = archive.snapshot().expect("readable");
        let all = snapshot.query(&Query::default()).expect("listed").entries;
        let newer = all
            .iter()
            .map(|entry| entry.id)
            .skip(usize::try_from(ENTRIES).expect("few"));
        assert_eq!(newer.collect::<BTreeSet<_>>(), told, "call {calls}");
        let report = archive.verify(Depth::Deep).expect("looked at");
        assert!(report.ok, "call {calls}: {:?}", report.findings);
    }
    assert!(failed > 0, "no read of the index failed");
}
