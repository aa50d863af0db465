//! Threads of the engine under a scheduler that decides who goes on at every lock, channel and
//! atomic: what one schedule in thousands would do is done on purpose. The disk is the simulated
//! one, so that the power can be cut at each acknowledgement.

use std::sync::Arc;

use annals::ErrorKind;
use annals::archive::{Archive, NewEntry, Options};
use annals::disk::sim::{Fault, Repeat, SimDisk, Variants};
use annals::entry::Retention;
use annals::id::{BlobId, EntryId};
use annals::retention::{AsOf, Policy};
use annals::time::{Clock, SystemClock, Timestamp};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::{Config, Runner, thread};

const STREAM_BYTES: usize = 4 << 10;
/// Reads of content while it moves, at the most: enough to last until it has.
const READS_MAX: usize = 60;

/// Runs `scenario` under so many schedules, half of them random, half with few but far-reaching
/// changes of turn.
fn explore(what: &str, scenario: impl Fn() + Send + Sync + Copy + 'static) {
    let number = |name: &str, default: usize| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    let schedules = number("ANNALS_SCHEDULES", 200);
    let seed = number("ANNALS_SEED", 7) as u64;
    let mut config = Config::new();
    config.stack_size = 4 << 20;
    config.silence_warnings = true;
    let random = RandomScheduler::new_from_seed(seed, schedules / 2);
    Runner::new(random, config.clone()).run(scenario);
    let few = PctScheduler::new_from_seed(seed, 3, schedules / 2);
    Runner::new(few, config).run(scenario);
    println!("{what}: schedules {}, wrong 0", schedules / 2 * 2);
}

fn options() -> Options {
    Options::default().journal_bytes(64 << 10).pack_bytes(256 << 10).stream_bytes(STREAM_BYTES).index_cache_bytes(1 << 20)
}

fn store() -> (SimDisk, Archive) {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), options()).expect("made");
    (disk, archive)
}

fn new(days: u16) -> NewEntry {
    NewEntry::new("ICT").retention(match days {
            0 => Retention::Forever,
            days => Retention::Period { days, years: 0 },
        })
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// What was acknowledged, and when.
type Acks = Arc<Mutex<Vec<(usize, EntryId, BlobId)>>>;

fn put(disk: &SimDisk, archive: &Archive, acks: &Acks, content: &[u8]) {
    if let Ok(archived) = archive.put(new(0), content) {
        let now = disk.ops();
        assert_eq!(archived.blob.blake3, BlobId::of(content));
        let ack = (now, archived.id, archived.blob.blake3);
        acks.lock().unwrap().push(ack);
    }
}

/// Cuts the power right at each acknowledgement, and asks for what was acknowledged by then.
fn nothing_is_lost(disk: &SimDisk, acks: &Acks) {
    let nothing_kept = Variants {
        each: 0,
        torn_at: Vec::new(),
        random: 0,
        seed: 7,
    };
    let acks = acks.lock().unwrap().clone();
    for (ops, _, _) in &acks {
        for image in disk.crash_images(*ops..=*ops, &nothing_kept) {
            let archive = Archive::open_on(Arc::new(image.disk.clone()), options()).expect("opens");
            for (_, id, blob) in acks.iter().filter(|(then, _, _)| then <= ops) {
                let entry = archive.snapshot().and_then(|snapshot| snapshot.entry(*id));
                let entry = entry.expect("readable").expect("acknowledged");
                assert_eq!(entry.blake3, *blob);
                archive.read_all(blob, 1 << 20).expect("whole");
            }
            archive.close().expect("closed");
        }
    }
}

#[test]
fn callers_who_share_a_sync_are_told_only_when_it_is_done() {
    explore("group commit", || {
        let (disk, archive) = store();
        let acks = Acks::default();
        let callers: Vec<_> = (0..3_u64)
            .map(|caller| {
                let (disk, archive, acks) = (disk.clone(), archive.clone(), Arc::clone(&acks));
                thread::spawn(move || {
                    // The second content is the same for all of them.
                    put(&disk, &archive, &acks, &noise(caller + 1, 300));
                    put(&disk, &archive, &acks, &noise(9, 300));
                })
            })
            .collect();
        let sealing = archive.clone();
        let sealer = thread::spawn(move || sealing.seal().expect("sealed"));
        for caller in callers {
            caller.join().expect("no panic");
        }
        sealer.join().expect("no panic");
        archive.close().expect("closed");
        assert_eq!(acks.lock().unwrap().len(), 6);
        nothing_is_lost(&disk, &acks);
    });
}

/// A purge was refused because its plan, made a moment ago, was said to be of an event that the
/// store had not reached.
#[test]
fn the_newest_event_and_what_is_known_of_it_show_at_the_same_moment() {
    explore("view against newest", || {
        let (_, archive) = store();
        let caller = archive.clone();
        let putting = thread::spawn(move || {
            for nth in 0..2 {
                caller.put(new(0), &noise(nth, 200)[..]).expect("put");
            }
        });
        for _ in 0..6 {
            let known = archive.snapshot().expect("open").at();
            assert!(archive.newest() >= known, "known before it is there");
            let newest = archive.newest();
            let known = archive.snapshot().expect("open").at();
            assert!(known >= newest, "there before it is known");
        }
        putting.join().expect("no panic");
        archive.close().expect("closed");
    });
}

#[test]
fn after_a_failed_sync_nobody_is_told_that_all_is_well() {
    explore("poison", || {
        let (disk, archive) = store();
        let acks = Acks::default();
        put(&disk, &archive, &acks, &noise(1, 300));
        disk.fail_at(4, Fault::Sync, Repeat::Sticky);
        let callers: Vec<_> = (0..3_u64)
            .map(|caller| {
                let (disk, archive, acks) = (disk.clone(), archive.clone(), Arc::clone(&acks));
                thread::spawn(move || {
                    for nth in 0..3 {
                        put(&disk, &archive, &acks, &noise(10 * caller + nth + 2, 300));
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().expect("no panic");
        }
        drop(archive);
        assert!(disk.struck() > 0);
        disk.heal();
        nothing_is_lost(&disk, &acks);
    });
}

/// Purges what has expired a year from now: everything that is not kept for ever.
fn purge_expired(archive: &Archive) {
    let policy = Policy::default().expired(true);
    let now = SystemClock.now();
    let later = Timestamp::from_micros(now.micros() + 365 * 86_400_000_000);
    let plan = archive.plan_purge(&policy, AsOf::Vouched(later)).expect("planned");
    archive.purge(&plan, "schedules").expect("purged");
    archive.compact(None).expect("compacted");
}

#[test]
fn content_that_is_shared_survives_the_purge_of_who_had_it_first() {
    explore("dedup against purge and compaction", || {
        let (_, archive) = store();
        // Long enough to be cut into chunks, and short enough to lie in the journal.
        let mut contents = vec![noise(1, 3 * STREAM_BYTES)];
        contents.extend((0..4).map(|nth| noise(10 + nth, 200)));
        for content in &contents {
            archive.put(new(1), &content[..]).expect("put");
        }
        archive.seal().expect("sealed");
        let purging = archive.clone();
        let purger = thread::spawn(move || purge_expired(&purging));
        let putting = archive.clone();
        let putter = thread::spawn(move || {
            // Shared with nobody: what compaction finds in its pack is needed by no event yet, and
            // must stay all the same.
            putting.put(new(0), &noise(3, 2 * STREAM_BYTES)[..]).expect("nothing of it can have gone");
            let again = contents.into_iter().map(|content| {
                loop {
                    match putting.put(new(0), &content[..]) {
                        Ok(put) => break (put.id, content),
                        // What it shared went while it was read; nothing was archived, and trying
                        // again is right.
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Changed, "{error}"),
                    }
                }
            });
            again.collect::<Vec<_>>()
        });
        for _ in 0..3 {
            archive.compact(None).expect("compacted");
        }
        purger.join().expect("no panic");
        for (id, content) in putter.join().expect("no panic") {
            let entry = archive.snapshot().expect("readable").entry(id).expect("readable");
            let entry = entry.expect("acknowledged");
            let read = archive.read_all(&entry.blake3, 1 << 20);
            assert!(read.expect("whole") == content);
        }
        archive.compact(None).expect("compacted");
        archive.close().expect("closed");
    });
}

#[test]
fn whoever_reads_while_files_are_sealed_and_used_again_reads_what_was_archived() {
    explore("readers against seal, checkpoint and recycling", || {
        let (_, archive) = store();
        for round in 0..2 {
            // Fills journal files, which are sealed and used again.
            for nth in 0..24 {
                let filling = noise(100 + 50 * round + nth, 3_500);
                archive.put(new(0), &filling[..]).expect("put");
            }
            let content = noise(10 + round, 2_000);
            let put = archive.put(new(0), &content[..]).expect("put");
            let reading = archive.clone();
            let sealed = Arc::new(AtomicBool::new(false));
            let has_moved = Arc::clone(&sealed);
            let reader = thread::spawn(move || {
                for _ in 0..READS_MAX {
                    if has_moved.load(Ordering::SeqCst) {
                        break;
                    }
                    let read = reading.read_all(&put.blob.blake3, 1 << 20).expect("whole");
                    assert!(read == content);
                    let leaves = reading.events(annals::id::EventSeq(1), None).expect("readable");
                    let all: Result<Vec<_>, _> = leaves.collect();
                    assert!(!all.expect("whole").is_empty());
                    // Else whoever is asked first would read until its reads are used up, and see
                    // nothing move.
                    thread::yield_now();
                }
            });
            archive.seal().expect("sealed");
            sealed.store(true, Ordering::SeqCst);
            reader.join().expect("no panic");
        }
        archive.close().expect("closed");
    });
}

#[test]
fn who_calls_while_the_store_is_closed_is_told_the_truth() {
    explore("close", || {
        let (disk, archive) = store();
        let acks = Acks::default();
        let callers: Vec<_> = (0..2_u64)
            .map(|caller| {
                let (disk, archive, acks) = (disk.clone(), archive.clone(), Arc::clone(&acks));
                thread::spawn(move || {
                    for nth in 0..3 {
                        put(&disk, &archive, &acks, &noise(10 * caller + nth + 1, 300));
                    }
                })
            })
            .collect();
        archive.close().expect("closed");
        for caller in callers {
            caller.join().expect("no panic");
        }
        nothing_is_lost(&disk, &acks);
    });
}
