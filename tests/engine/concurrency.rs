//! Tests many callers at once: readers during sealing and compaction, two owners of one folder,
//! files that change while they are read, and paths that are not files. Every caller must get an
//! exact answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Hourly, State, measurements, noise, tiny};
use annals::archive::{Archive, Depth, NewEntry, Options};
use annals::disk::sim::SimDisk;
use annals::id::BlobId;
use annals::query::Query;
use annals::retention::{AsOf, Policy};
use annals::{ErrorKind, Result};

fn entry() -> NewEntry {
    NewEntry::new("ICT")
}

fn small() -> Options {
    Options::default()
        .journal_bytes(256 << 10)
        .pack_bytes(4 << 20)
}

fn sound(archive: &Archive) {
    let report = archive.verify(Depth::Deep).expect("looked at");
    assert!(report.ok, "{:?}", report.findings);
}

#[test]
fn sixty_four_callers_get_ids_of_their_own_and_share_what_is_the_same() {
    let archive = Archive::create_on(Arc::new(SimDisk::new()), small()).expect("made");
    let own = 12;
    let shared = 4;
    let receipts: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..64_u64)
            .map(|caller| {
                let archive = archive.clone();
                scope.spawn(move || {
                    let mut receipts = Vec::new();
                    for nth in 0..own {
                        let content = measurements(caller * 1_000 + nth, 900);
                        let put = archive.put(entry(), &*content).expect("archived");
                        receipts.push((put, content));
                    }
                    for nth in 0..shared {
                        let content = measurements(1_000_000 + nth, 900);
                        let put = archive.put(entry(), &*content).expect("archived");
                        receipts.push((put, content));
                    }
                    receipts
                })
            })
            .collect();
        callers
            .into_iter()
            .flat_map(|caller| caller.join().expect("no panic"))
            .collect()
    });
    let ids: BTreeSet<_> = receipts.iter().map(|(put, _)| put.id).collect();
    assert_eq!(ids.len(), receipts.len(), "an id is given once");
    let mut first: BTreeMap<BlobId, usize> = BTreeMap::new();
    for (put, content) in &receipts {
        assert_eq!(put.blob.blake3, BlobId::of(content));
        *first.entry(put.blob.blake3).or_default() += usize::from(!put.duplicate);
        let read = archive.read_all(&put.blob.blake3, 1 << 20).expect("there");
        assert!(read == *content, "entry {}", put.id);
    }
    assert!(
        first.values().all(|times| *times == 1),
        "exactly one of those with the same content is no duplicate"
    );
    sound(&archive);
    archive.close().expect("closed");
}

#[test]
fn readers_always_see_whole_content_while_it_is_sealed_compacted_and_purged() {
    let clock = Hourly::new();
    let archive = Archive::create_on(Arc::new(SimDisk::new()), tiny(&clock)).expect("made");
    let over = AtomicBool::new(false);
    let reads = AtomicUsize::new(0);
    thread::scope(|scope| {
        for reader in 0..3 {
            let (archive, over, reads) = (&archive, &over, &reads);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let snapshot = archive.snapshot().expect("a view");
                    let page = snapshot.query(&Query::default()).expect("listed");
                    for entry in page.entries.iter().skip(reader) {
                        match archive.read_all(&entry.blake3, 4 << 20) {
                            Ok(bytes) => assert_eq!(BlobId::of(&bytes), entry.blake3),
                            // The entry was purged after the view was taken. No other error is
                            // allowed.
                            Err(error) => {
                                let now = archive.snapshot().expect("a view").entry(entry.id);
                                let now = now.expect("readable").expect("entries stay listed");
                                assert!(now.purged_at.is_some(), "entry {}: {error}", entry.id);
                            }
                        }
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for round in 0..12 {
            for nth in 0..6 {
                let content = noise(round * 10 + nth % 5, 15_000);
                archive.put(entry(), &*content).expect("archived");
            }
            if round % 4 == 0 {
                let content = noise(1_000 + round, (1 << 20) + 1);
                archive.put(entry(), &*content).expect("archived");
            }
            archive.seal().expect("sealed");
            let policy = Policy::default().max_count(9);
            let plan = archive
                .plan_purge(&policy, AsOf::Vouched(clock.peek()))
                .expect("planned");
            if !plan.items.is_empty() {
                let purged = archive.purge(&plan, "to make room").expect("purged");
                purged.reclaim.expect("freed");
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) > 100);
    sound(&archive);
}

/// A long source is stored in packs before an event names it. A compaction at that moment took its
/// packs for unneeded and removed them.
#[test]
fn a_compaction_leaves_alone_what_is_on_its_way_into_an_event() {
    let archive = Archive::create_on(Arc::new(SimDisk::new()), tiny(&Hourly::new())).expect("made");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let compactor = scope.spawn(|| {
            let mut rounds = 0;
            while !over.load(Ordering::Relaxed) {
                archive.compact(None).expect("compacted");
                rounds += 1;
            }
            rounds
        });
        let callers: Vec<_> = (0..3)
            .map(|caller| {
                let archive = &archive;
                scope.spawn(move || {
                    for nth in 0..6 {
                        // Two of the callers archive equal content.
                        let content = noise((caller % 2) * 100 + nth, (1 << 20) + 3);
                        let put = archive.put(entry(), &*content).expect("archived");
                        let read = archive.read_all(&put.blob.blake3, 4 << 20);
                        assert!(read.expect("it is there") == content);
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().expect("no panic");
        }
        over.store(true, Ordering::Relaxed);
        assert!(compactor.join().expect("no panic") > 0);
    });
    State::observe(&archive).expect("all of it is there");
    sound(&archive);
}

/// A reader that purges and compacts when half of its content was read.
struct PurgesHalfWay<'a> {
    archive: &'a Archive,
    first: &'a [u8],
    second: &'a [u8],
}

impl Read for PurgesHalfWay<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.first.is_empty() && !self.second.is_empty() {
            // Give the store time to look up what was read so far.
            thread::sleep(Duration::from_millis(300));
            let policy = Policy::default().max_count(0);
            let now = annals::time::Clock::now(&annals::time::SystemClock);
            let plan = self
                .archive
                .plan_purge(&policy, AsOf::Vouched(now))
                .expect("planned");
            let purged = self.archive.purge(&plan, "test").expect("purged");
            purged.reclaim.expect("freed");
            self.archive.compact(None).expect("compacted");
            self.first = std::mem::take(&mut self.second);
        }
        self.first.read(out)
    }
}

/// A source shared its first chunks with another entry, which was purged while the source was read.
/// The chunks were removed with it, and the source was acknowledged without them. Only one thread
/// schedule in ten thousand showed it.
#[test]
fn a_source_whose_shared_chunks_are_purged_while_it_is_read_is_never_acknowledged_without_them() {
    let options = small().stream_bytes(16 << 10);
    let archive = Archive::create_on(Arc::new(SimDisk::new()), options).expect("made");
    let shared = noise(1, 400_000);
    archive.put(entry(), &shared[..]).expect("archived");
    archive.seal().expect("sealed");
    let tail = noise(2, 400_000);
    let source = PurgesHalfWay {
        archive: &archive,
        first: &shared,
        second: &tail,
    };
    match archive.put(entry(), source) {
        Ok(put) => {
            let read = archive.read_all(&put.blob.blake3, 1 << 20).expect("whole");
            assert_eq!(read.len(), 800_000);
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Changed, "{error}"),
    }
    sound(&archive);
}

#[test]
fn a_second_owner_is_told_at_once_that_the_store_is_taken() {
    let dir = tempfile::tempdir().expect("folder");
    let store = dir.path().join("store");
    let archive = Archive::create(&store, small()).expect("made");
    let asked = Instant::now();
    let second = Archive::open(&store, small()).map(|_| ());
    assert_eq!(second.map_err(|error| error.kind()), Err(ErrorKind::Locked));
    assert!(asked.elapsed() < Duration::from_secs(1));
    archive.close().expect("closed");
    let opened = AtomicUsize::new(0);
    let locked = AtomicUsize::new(0);
    let barrier = std::sync::Barrier::new(20);
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                barrier.wait();
                let taken = Archive::open(&store, small());
                match &taken {
                    Ok(_) => opened.fetch_add(1, Ordering::Relaxed),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
                        locked.fetch_add(1, Ordering::Relaxed)
                    }
                };
                // Hold the lock until everybody has tried to take it.
                barrier.wait();
            });
        }
    });
    assert_eq!(opened.load(Ordering::Relaxed), 1, "exactly one writer");
    assert_eq!(locked.load(Ordering::Relaxed), 19);
    Archive::open(&store, small()).expect("let go by now");
}

/// A long content of repetition and noise, generated while it is read.
struct Long {
    at: u64,
    len: u64,
    block: Vec<u8>,
}

impl Long {
    fn new(len: u64) -> Self {
        Self {
            at: 0,
            len,
            block: noise(1, 3 << 20),
        }
    }
}

impl Read for Long {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let block = self.block.len() as u64;
        // The first third repeats; the rest differs in every block.
        let round = self.at / block;
        let from = usize::try_from(self.at % block).expect("small");
        let len = (self.len - self.at).min(out.len() as u64);
        let len = usize::try_from(len)
            .expect("small")
            .min(self.block.len() - from);
        let differs = u8::try_from(round % 251).expect("small");
        for (to, from) in out[..len].iter_mut().zip(&self.block[from..]) {
            *to = if round < 5 { *from } else { from ^ differs };
        }
        self.at += len as u64;
        Ok(len)
    }
}

#[test]
fn a_long_source_streams_in_and_out_again() {
    let dir = tempfile::tempdir().expect("folder");
    let archive = Archive::create(dir.path().join("store"), small()).expect("made");
    let len = 48 << 20;
    let put = archive.put(entry(), Long::new(len)).expect("archived");
    assert_eq!(put.blob.size, len);
    assert!(put.stored_size < len * 9 / 10, "what repeats is kept once");
    let mut reader = archive.read(&put.blob.blake3).expect("there");
    let mut expected = Long::new(len);
    let (mut ours, mut theirs) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut total = 0;
    loop {
        let read = reader.read(&mut ours).expect("whole");
        if read == 0 {
            break;
        }
        expected.read_exact(&mut theirs[..read]).expect("made");
        assert!(ours[..read] == theirs[..read], "bytes from {total} differ");
        total += read as u64;
    }
    assert_eq!(total, len);
}

fn kind(result: Result<impl Sized>) -> ErrorKind {
    match result {
        Ok(_) => panic!("it was archived"),
        Err(error) => error.kind(),
    }
}

fn entries(archive: &Archive) -> usize {
    let snapshot = archive.snapshot().expect("a view");
    snapshot
        .query(&Query::default())
        .expect("listed")
        .entries
        .len()
}

#[test]
fn a_file_that_changes_while_it_is_read_records_nothing() {
    let dir = tempfile::tempdir().expect("folder");
    let archive = Archive::create(dir.path().join("store"), small()).expect("made");
    for grows in [true, false] {
        let path = dir.path().join("log.csv");
        fs::write(&path, noise(1, 24 << 20)).expect("written");
        let over = AtomicBool::new(false);
        let put = thread::scope(|scope| {
            scope.spawn(|| {
                let mut file = fs::OpenOptions::new()
                    .append(true)
                    .open(&path)
                    .expect("there");
                while !over.load(Ordering::Relaxed) {
                    if grows {
                        file.write_all(b"more\n").expect("written");
                    } else {
                        file.set_len(20 << 20).expect("cut");
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let put = archive.put_file(&path, entry());
            over.store(true, Ordering::Relaxed);
            put
        });
        assert_eq!(kind(put), ErrorKind::Changed, "grows: {grows}");
        assert_eq!(entries(&archive), 0);
    }
}

#[test]
fn what_is_no_regular_file_is_refused_and_an_empty_one_is_archived() {
    let dir = tempfile::tempdir().expect("folder");
    let archive = Archive::create(dir.path().join("store"), small()).expect("made");
    let at = |name: &str| dir.path().join(name);
    assert_eq!(
        kind(archive.put_file(&at("missing"), entry())),
        ErrorKind::NotFound
    );
    assert_eq!(
        kind(archive.put_file(dir.path(), entry())),
        ErrorKind::Invalid
    );
    #[cfg(unix)]
    {
        let made = std::process::Command::new("mkfifo")
            .arg(at("fifo"))
            .status()
            .expect("mkfifo runs");
        assert!(made.success());
        assert_eq!(
            kind(archive.put_file(&at("fifo"), entry())),
            ErrorKind::Invalid
        );
        assert_eq!(
            kind(archive.put_file(Path::new("/dev/null"), entry())),
            ErrorKind::Invalid
        );
    }
    assert_eq!(entries(&archive), 0);
    fs::write(at("empty.csv"), b"").expect("written");
    let empty = archive
        .put_file(&at("empty.csv"), entry())
        .expect("archived");
    assert_eq!(empty.blob.size, 0);
    assert_eq!(archive.read_all(&empty.blob.blake3, 0).expect("there"), b"");
}

#[test]
fn any_name_a_file_can_have_is_kept() {
    let archive = Archive::create_on(Arc::new(SimDisk::new()), small()).expect("made");
    for name in [
        "two\nlines\r.csv",
        "\u{202e}gpj.exe",
        "a\u{0}b",
        &"x".repeat(4_096),
    ] {
        let mut new = entry();
        new.source.name = name.to_owned();
        let put = archive.put(new, name.as_bytes()).expect("archived");
        let snapshot = archive.snapshot().expect("a view");
        let kept = snapshot.entry(put.id).expect("readable").expect("there");
        assert_eq!(kept.source_name, name);
    }
    let mut new = entry();
    new.source.name = "x".repeat(8_193);
    assert_eq!(kind(archive.put(new, &b"x"[..])), ErrorKind::Invalid);
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.csv"));
        fs::write(&path, b"x").expect("written");
        let put = archive.put_file(&path, entry()).expect("archived");
        let snapshot = archive.snapshot().expect("a view");
        let kept = snapshot.entry(put.id).expect("readable").expect("there");
        assert_eq!(kept.source_name, "caf\u{fffd}.csv");
        assert_eq!(kept.source_name_hex.as_deref(), Some("636166e92e637376"));
    }
    assert!(archive.verify(Depth::Deep).expect("looked at").ok);
}
