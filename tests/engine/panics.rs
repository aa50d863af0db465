//! Tests a panic in each thread of the store. Its callers must be told, nobody may wait for ever,
//! and what was acknowledged must be there when the store is opened again.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use crate::support::{Hourly, noise, tiniest};
use annals::archive::{Archive, Depth, NewEntry};
use annals::disk::sim::{Call, InterceptedDisk, SimDisk};
use annals::id::EntryId;
use annals::{Error, ErrorKind};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The disk call that makes its thread panic.
#[derive(Clone, Copy)]
struct Trap {
    /// The name of the calling thread; `None` for a thread without a name.
    thread: Option<&'static str>,
    /// The beginning of the path.
    path: &'static str,
}

/// A disk with a trap: the call it is set for panics once.
#[derive(Clone, Default)]
struct Trapped {
    trap: Arc<Mutex<Option<Trap>>>,
    sprung: Arc<AtomicBool>,
}

impl Trapped {
    /// Returns the disk with the trap.
    fn on(&self, disk: SimDisk) -> InterceptedDisk {
        let trapped = self.clone();
        InterceptedDisk::new(Arc::new(disk), move |call, path| {
            if matches!(call, Call::Write | Call::Rename) {
                trapped.step(path);
            }
            Ok(())
        })
    }

    fn set(&self, trap: Trap) {
        *self.trap.lock().expect("never held in a panic") = Some(trap);
    }

    fn has_sprung(&self) -> bool {
        self.sprung.load(Ordering::Relaxed)
    }

    fn step(&self, path: &Path) {
        let mut trap = self.trap.lock().expect("never held in a panic");
        let springs = trap.is_some_and(|trap| {
            path.starts_with(trap.path) && thread::current().name() == trap.thread
        });
        if springs {
            *trap = None;
            drop(trap);
            self.sprung.store(true, Ordering::Relaxed);
            panic!("a bug, for a test");
        }
    }
}

/// Runs `work` on a thread with this name. Returns its result, or `None` when it panicked. Fails
/// when it does not end.
fn ends<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = mpsc::channel();
    let started = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _ = tell.send(work());
    });
    started.expect("started");
    match told.recv_timeout(PATIENCE) {
        Ok(answer) => Some(answer),
        Err(mpsc::RecvTimeoutError::Disconnected) => None,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name} waits for ever"),
    }
}

fn put(archive: &Archive, seed: u64) -> Result<EntryId, Error> {
    let new = NewEntry::new("ICT");
    let content = noise(seed, 12_000);
    archive.put(new, &*content).map(|archived| archived.id)
}

/// The operation that is repeated until the panic happens.
type Deed = fn(&Archive) -> Result<(), Error>;

fn archive_one(archive: &Archive) -> Result<(), Error> {
    put(archive, 1_000).map(drop)
}

fn is_told(what: &str, answer: Option<Result<(), Error>>) {
    let Some(Err(error)) = answer else {
        panic!("{what}: {answer:?}");
    };
    assert_eq!(error.kind(), ErrorKind::Poisoned, "{what}: {error}");
}

/// A panic of the sealing thread was recorded nowhere. Callers continued until eight journal files
/// were full, and then waited for ever. Closing the store waited too.
fn panics(trap: Trap, deed: Deed) {
    let disk = SimDisk::new();
    let trapped = Trapped::default();
    let clock = Hourly::new();
    let made = Archive::create_on(Arc::new(trapped.on(disk.clone())), tiniest(&clock));
    let archive = made.expect("made");
    let before: Vec<EntryId> = (0..6)
        .map(|seed| put(&archive, seed).expect("archived"))
        .collect();
    trapped.set(trap);
    let one = archive.clone();
    let answer = ends("caller", move || deed(&one));
    assert!(trapped.has_sprung(), "{answer:?}");
    assert!(!matches!(answer, Some(Ok(()))), "it was not done");
    let fails = archive.can_write().expect_err("stopped");
    assert!(fails.message().contains("panicked"), "{fails}");
    // More than all journal files hold.
    let many = archive.clone();
    let answer = ends("many", move || {
        (0..100).try_for_each(|seed| put(&many, 2_000 + seed).map(drop))
    });
    is_told("archiving", answer);
    let verbs: [(&str, Deed); 4] = [
        ("seal", |archive| archive.seal()),
        ("compact", |archive| archive.compact(None).map(drop)),
        ("rebuild", |archive| archive.rebuild().map(drop)),
        ("verify", |archive| archive.verify(Depth::Quick).map(drop)),
    ];
    for (verb, ask) in verbs {
        let one = archive.clone();
        let answer = ends(verb, move || ask(&one));
        // Threads that did not panic may still answer. None may wait for ever.
        assert!(answer.is_some(), "{verb} panics");
    }
    // What was acknowledged must stay readable.
    let snapshot = archive.snapshot().expect("readable");
    assert!(snapshot.entry(before[0]).expect("readable").is_some());
    drop(snapshot);
    is_told("closing", ends("close", move || archive.close()));
    let opened = Archive::open_on(Arc::new(disk), tiniest(&clock)).expect("opens");
    assert!(opened.damage().is_empty(), "{:?}", opened.damage());
    let snapshot = opened.snapshot().expect("readable");
    for (seed, id) in (0..).zip(before) {
        let entry = snapshot.entry(id).expect("readable").expect("there");
        let content = opened.read_all(&entry.blake3, 1 << 20).expect("readable");
        assert!(content == noise(seed, 12_000));
    }
    let report = opened.verify(Depth::Deep).expect("looked at");
    assert!(report.ok, "{:?}", report.findings);
    opened.close().expect("closed");
}

#[test]
fn a_panic_of_a_caller_who_writes_stops_the_store_and_nobody_waits() {
    let trap = Trap {
        thread: Some("caller"),
        path: "journal",
    };
    panics(trap, archive_one);
}

#[test]
fn a_panic_of_the_writing_thread_stops_the_store_and_nobody_waits() {
    let trap = Trap {
        thread: Some("annals-writer"),
        path: "journal",
    };
    panics(trap, Archive::seal);
}

#[test]
fn a_panic_of_the_sealing_thread_stops_the_store_and_nobody_waits() {
    for path in ["events", "index.redb"] {
        let trap = Trap {
            thread: Some("annals-sealer"),
            path,
        };
        panics(trap, Archive::seal);
    }
}

/// Content is compressed and written on a thread of its own, at lower priority.
#[test]
fn a_panic_of_a_thread_that_packs_stops_the_store_and_nobody_waits() {
    let trap = Trap {
        thread: None,
        path: "tmp",
    };
    panics(trap, Archive::seal);
}
