//! Tests how much room the index takes: it has little more than its rows, and what a purge frees
//! is given back.

use std::path::Path;
use std::thread;

use crate::support::measurements;
use annals::archive::{Archive, NewAttempt, NewEntry, Options};
use annals::entry::{Outcome, Unit};
use annals::event::Source;
use annals::retention::{AsOf, Policy};

const ENTRIES: u64 = 4_000;
const CALLERS: u64 = 16;
const KEPT: u64 = 100;

fn open(dir: &Path) -> Archive {
    Archive::open(dir, Options::default()).expect("opened")
}

fn index_bytes(dir: &Path) -> u64 {
    let index = std::fs::metadata(dir.join("index.redb"));
    index.expect("there").len()
}

/// Takes in entries from several callers, each entry with two attempts, while the index is written
/// again and again.
fn fill(dir: &Path) {
    let archive = Archive::create(dir, Options::default()).expect("made");
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let archive = &archive;
            scope.spawn(move || {
                for nth in (caller..ENTRIES).step_by(16) {
                    add(archive, nth);
                    if nth % 500 == 0 {
                        archive.seal().expect("sealed");
                    }
                }
            });
        }
    });
    archive.close().expect("closed");
}

fn add(archive: &Archive, nth: u64) {
    let serial = format!("K{nth:07}");
    let new = NewEntry::new("ICT CSV")
        .source(Source::default().name(format!("{serial}.csv")))
        .unit(Unit::default().serial(serial));
    let put = archive.put(new, &*measurements(nth, 200));
    let entry = put.expect("archived").id;
    for attempt in 0..2 {
        let report = format!("report {attempt} of {nth}").into_bytes();
        let new = NewAttempt::new(Outcome::Success, "ICT CSV").reports(vec![report]);
        archive.record_attempt(entry, new).expect("recorded");
    }
}

/// Half of the index of a live store was empty: redb had doubled its file, and each checkpoint left
/// the pages that it replaced.
#[test]
fn an_index_that_grew_is_little_longer_after_a_compaction_than_one_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("store");
    fill(&dir);
    let archive = open(&dir);
    archive.compact(None).expect("compacted");
    archive.close().expect("closed");
    let live = index_bytes(&dir);
    let archive = open(&dir);
    archive.rebuild().expect("rebuilt");
    archive.close().expect("closed");
    let anew = index_bytes(&dir);
    assert!(live < anew * 2, "{live} and {anew}");
    let an_entry = anew / ENTRIES;
    assert!((200..600).contains(&an_entry), "{an_entry} bytes an entry");
}

/// A purge changes the rows of all entries that go. The pages of their old rows stayed in the file
/// for good.
#[test]
fn an_index_shrinks_when_entries_are_purged() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("store");
    fill(&dir);
    let full = index_bytes(&dir);
    let archive = open(&dir);
    let plan = archive.plan_purge(&Policy::default().max_count(KEPT), AsOf::Clock);
    let purged = archive.purge(&plan.expect("a plan"), "more than is kept");
    let purged = purged.expect("on record");
    assert_eq!(purged.recorded.archives_purged, ENTRIES - KEPT);
    purged.reclaim.expect("freed");
    archive.close().expect("closed");
    let after = index_bytes(&dir);
    assert!(after < full, "{full} before, {after} after");
    let archive = open(&dir);
    assert!(
        archive
            .verify(annals::archive::Depth::Deep)
            .expect("looked at")
            .ok
    );
    archive.close().expect("closed");
}
