//! Tests subscriptions to events: none may be missing and none may come twice, whatever happens to
//! the log.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::support::{Hourly, noise, tiny};
use annals::Archive;
use annals::archive::{NewEntry, NextEvent};
use annals::disk::sim::SimDisk;
use annals::id::EventSeq;
use annals::retention::{AsOf, Policy};

const SOON: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

fn store() -> Archive {
    Archive::create_on(Arc::new(SimDisk::new()), tiny(&Hourly::new())).expect("made")
}

fn new() -> NewEntry {
    NewEntry::new("ICT")
}

#[test]
fn a_store_is_sealed_compacted_and_purged_each_event_comes_once_and_exactly() {
    let archive = store();
    let listeners: Vec<_> = [1, 1, 40]
        .into_iter()
        .map(|from| {
            let events = archive.events_from(EventSeq(from));
            let listen = move || -> Vec<_> { events.map(|leaf| leaf.expect("readable")).collect() };
            (from, thread::spawn(listen))
        })
        .collect();
    for round in 0..8_u64 {
        let begin = |nth| archive.begin_put(new(), &noise(round * 100 + nth, 4_000)[..]);
        let pending: Vec<_> = (0..30).map(|nth| begin(nth).expect("in flight")).collect();
        for begun in pending {
            begun.wait().expect("durable");
        }
        match round % 4 {
            0 => archive.seal().expect("sealed"),
            1 => {
                let policy = Policy::default().max_count(20);
                let plan = archive.plan_purge(&policy, AsOf::Clock).expect("planned");
                let purged = archive.purge(&plan, "test").expect("purged");
                purged.reclaim.expect("freed");
            }
            2 => assert!(archive.compact(None).is_ok()),
            _ => assert!(archive.rebuild().is_ok()),
        }
    }
    let all: Vec<_> = archive
        .events(EventSeq(1), None)
        .expect("readable")
        .map(|leaf| leaf.expect("whole"))
        .collect();
    archive.close().expect("closed");
    for (from, listener) in listeners {
        let heard = listener.join().expect("no panic");
        // Closing the store may have recorded more events.
        let expected = &all[usize::try_from(from).expect("small") - 1..];
        assert_eq!(&heard[..expected.len()], expected);
        let mut numbers = heard.iter().map(|leaf| leaf.seq.0);
        assert!(
            numbers
                .by_ref()
                .enumerate()
                .all(|(nth, seq)| seq == from + nth as u64)
        );
        assert!(heard.iter().all(|leaf| leaf.event().is_ok()));
    }
}

#[test]
fn nothing_comes_in_time_it_says_so_and_goes_on() {
    let archive = store();
    archive.put(new(), &b"one"[..]).expect("durable");
    let mut events = archive.events_from(archive.newest());
    assert!(matches!(events.next_within(SOON), Ok(NextEvent::Event(_))));
    assert_eq!(
        events.next_within(SOON).expect("waited"),
        NextEvent::TimedOut
    );
    let at = events.position();
    archive.put(new(), &b"two"[..]).expect("durable");
    match events.next_within(LONG).expect("readable") {
        NextEvent::Event(leaf) => assert_eq!(leaf.seq, at),
        other => panic!("{other:?}"),
    }
    archive.close().expect("closed");
    assert_eq!(events.next_within(LONG).expect("ended"), NextEvent::Ended);
    assert!(events.next().is_none());
}

/// A caller that waits for an event that never comes must be released by stopping the stream or
/// dropping the store.
#[test]
fn a_stream_waits_it_is_stopped_or_the_store_is_dropped() {
    let archive = store();
    let stopped = archive.events_from(EventSeq(100));
    let stop = stopped.stopper();
    let until_closed = archive.events_from(EventSeq(100));
    let one = thread::spawn(move || stopped.count());
    let other = thread::spawn(move || until_closed.count());
    thread::sleep(SOON);
    stop.stop();
    assert_eq!(one.join().expect("no panic"), 0);
    // A stream does not keep the store open.
    drop(archive);
    assert_eq!(other.join().expect("no panic"), 0);
}

/// A subscriber that does not read must not delay archiving.
#[test]
fn a_stream_is_not_read_archiving_goes_on() {
    let archive = store();
    let mut events = archive.events_from(EventSeq(1));
    for nth in 0..200 {
        archive.put(new(), &noise(nth, 2_000)[..]).expect("durable");
    }
    archive.close().expect("closed");
    assert!(events.by_ref().count() >= 202);
}

/// An event that cannot be read must be reported, and no later event may follow as if nothing were
/// missing.
#[test]
fn the_log_is_damaged_the_error_is_an_item_and_the_stream_ends() {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), tiny(&Hourly::new())).expect("made");
    for nth in 0..20 {
        archive.put(new(), &noise(nth, 500)[..]).expect("durable");
    }
    archive.seal().expect("sealed");
    let files = disk.files().into_iter();
    let segment = files
        .map(|(path, _)| path)
        .find(|path| path.starts_with("events/"))
        .expect("sealed");
    disk.flip_bit(&segment, 8 * 300).expect("there");
    let mut events = archive.events_from(EventSeq(1));
    let failed = events.by_ref().find_map(Result::err).expect("told");
    assert_eq!(failed.kind(), annals::ErrorKind::Damaged);
    assert!(events.next().is_none());
    assert_eq!(events.next_within(LONG).expect("ended"), NextEvent::Ended);
}
