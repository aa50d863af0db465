//! Tests disk errors at any call, once or permanently. Nothing may panic or hang, nothing may be
//! acknowledged that is not durable, and once the disk works again everything acknowledged must be
//! there. A full disk refuses sources, but reading and purging must still work.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::prove::{Size, size};
use crate::support::{Hourly, Runner, State, Step, tiniest, tiny};
use annals::archive::{Access, Archive, Depth, NewEntry};
use annals::disk::sim::{Call, Census, Fault, Repeat, SimDisk, Variants};
use annals::entry::Outcome;
use annals::id::EntryId;
use annals::retention::{AsOf, Policy};
use annals::{Error, ErrorKind};

const IO_ERROR: i32 = 5;
/// Each fault with the name under which it is counted.
const FAULTS: [(&str, Fault); 7] = [
    ("EIO", Fault::Os(IO_ERROR)),
    ("ENOSPC", Fault::Kind(io::ErrorKind::StorageFull)),
    ("EDQUOT", Fault::Kind(io::ErrorKind::QuotaExceeded)),
    ("EROFS", Fault::Kind(io::ErrorKind::ReadOnlyFilesystem)),
    ("EMFILE", Fault::Os(24)),
    // The implementation retries this one. If it gets through all the same, it is an error like any
    // other.
    ("EINTR", Fault::Os(4)),
    ("a short write", Fault::ShortWrite(100)),
];

/// Runs `work`, and fails when it does not end.
fn ends<T: Send + 'static>(what: String, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    let worker = thread::spawn(move || {
        let result = work();
        let _ = done.send(());
        result
    });
    match ended.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: it hangs"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => worker
            .join()
            .unwrap_or_else(|_| panic!("{what}: it panics")),
    }
}

/// Returns every public operation, in as few calls as possible. Journal files fill up, are sealed
/// and are recycled.
fn steps() -> Vec<Step> {
    let noise = |seed| Step::Noise { seed, len: 15_000 };
    let long = |seed| Step::Noise { seed, len: 40_000 };
    let text = |seed, days| Step::Text {
        seed,
        len: 700,
        days,
    };
    vec![
        text(1, 0),
        text(1, 0),
        Step::Keyed { seed: 2, key: 1 },
        Step::Register { seed: 1 },
        Step::Configure { seed: 1 },
        Step::Attempt {
            entry: 0,
            outcome: Outcome::Success,
            reports: 1,
            len: 600,
        },
        Step::Submit { entry: 0 },
        Step::StartJob,
        Step::FinishJob,
        Step::Hold { name: 1, entry: 0 },
        noise(3),
        noise(4),
        noise(5),
        noise(6),
        Step::Forms { seed: 1, count: 8 },
        Step::Seal,
        long(7),
        Step::Attempt {
            entry: 1,
            outcome: Outcome::Success,
            reports: 1,
            len: 20_000,
        },
        Step::Verify,
        Step::Reopen,
        noise(8),
        Step::Release { name: 1 },
        Step::PurgeWithGrace { left: 5 },
        Step::UndoPurge,
        Step::PurgeTo { left: 3 },
        Step::Compact,
        Step::Rebuild,
        noise(9),
        noise(10),
        noise(11),
        Step::Reopen,
        text(12, 30),
    ]
}

/// Opens what `disk` holds and compares it with what was acknowledged.
fn nothing_lost(disk: &SimDisk, runner: &Runner) -> Result<(), String> {
    let archive = Archive::open_on(Arc::new(disk.clone()), tiniest(&Hourly::new()))
        .map_err(|error| format!("it does not open: {error}"))?;
    if !archive.damage().is_empty() {
        return Err(format!("damage: {:?}", archive.damage()));
    }
    let state = State::observe(&archive).map_err(|error| format!("reading: {error}"))?;
    if let Some(lost) = runner.state.lost_in(&state, &runner.doubt) {
        return Err(lost);
    }
    let report = archive
        .verify(Depth::Deep)
        .map_err(|error| format!("verifying: {error}"))?;
    if !report.ok {
        return Err(format!("verify: {:?}", report.findings));
    }
    archive.close().map_err(|error| format!("closing: {error}"))
}

/// Checks what a power cut now would leave: only what was synced, or everything.
fn nothing_lost_by_a_power_cut(disk: &SimDisk, runner: &Runner) -> Result<(), String> {
    let plainest = Variants {
        each: 0,
        torn_at: Vec::new(),
        random: 0,
        seed: 0,
    };
    for image in disk.crash_images(disk.ops().., &plainest) {
        nothing_lost(&image.disk, runner).map_err(|why| format!("{image}: {why}"))?;
    }
    Ok(())
}

/// Runs the steps with a planned fault. Returns which calls it struck.
fn with_fault(calls: u64, fault: Fault, repeat: Repeat) -> Result<Census, String> {
    let disk = SimDisk::new();
    let mut runner = Runner::create_as(disk.clone(), tiniest).expect("made on a sound disk");
    disk.fail_at(calls, fault, repeat);
    let mut looked = false;
    for step in steps() {
        if let Err(error) = runner.run(&step)
            && error.message().contains("BUG")
        {
            return Err(format!("{step:?}: {error}"));
        }
        // After the fault, before anything else is written, whether or not the step failed.
        if disk.struck() > 0 && !looked {
            looked = true;
            nothing_lost_by_a_power_cut(&disk, &runner)
                .map_err(|why| format!("{step:?}, then {why}"))?;
        }
    }
    let struck = disk.struck_census();
    if let Some(archive) = runner.archive.take()
        && let Err(error) = archive.close()
        && error.message().contains("BUG")
    {
        return Err(format!("closing: {error}"));
    }
    disk.heal();
    if struck.total() > 0 {
        nothing_lost_by_a_power_cut(&disk, &runner)?;
        nothing_lost(&disk, &runner)?;
    }
    Ok(struck)
}

/// Returns n, where one call of n is struck: for errors that the engine distinguishes, and for
/// others.
fn strides() -> (u64, u64) {
    match size() {
        Size::Sample => (86, 268),
        Size::Short => (1, 81),
        Size::Long => (1, 1),
    }
}

/// Returns n, where one of n struck calls also fails permanently. That ends a workload early and
/// leaves less to check.
fn sticky_stride() -> u64 {
    match size() {
        Size::Sample | Size::Long => 1,
        Size::Short => 9,
    }
}

/// How many times the calls that were missed are tried again.
const ROUNDS_MORE: usize = 3;

/// Makes each call fail in its turn, on two threads. Returns the runs, the struck calls and what
/// went wrong.
fn strike_each(
    fault: Fault,
    repeat: Repeat,
    calls: u64,
    stride: u64,
) -> (u64, Census, Vec<String>) {
    let next = AtomicU64::new(0);
    let total = Mutex::new((0, Census::default(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let call = next.fetch_add(stride, Ordering::Relaxed);
                    if call > calls {
                        return;
                    }
                    let what = format!("{fault:?} at call {call}, {repeat:?}");
                    let ended = ends(what.clone(), move || with_fault(call, fault, repeat));
                    let mut total = total.lock().expect("nobody panicked");
                    total.0 += 1;
                    match ended {
                        Ok(struck) => total.1.add(&struck),
                        Err(why) => total.2.push(format!("{what}: {why}")),
                    }
                }
            });
        }
    });
    total.into_inner().expect("nobody panicked")
}

#[test]
fn a_call_that_fails_costs_at_most_what_was_not_acknowledged() {
    let sound = SimDisk::new();
    let mut runner = Runner::create_as(sound.clone(), tiniest).expect("made");
    let (before, made) = (sound.calls(), sound.census());
    runner.run_all(&steps()).expect("a sound disk");
    let calls = sound.calls() - before;
    drop(runner);
    let mut wrong = Vec::new();
    let mut missed = Vec::new();
    let mut runs = 0;
    let mut all_struck = Census::default();
    for (name, fault) in FAULTS {
        let (told_apart, others) = strides();
        let stride = if ["EIO", "ENOSPC"].contains(&name) {
            told_apart
        } else {
            others
        };
        let mut struck = Census::default();
        let mut strike = |repeat, stride| {
            let (more, census, bad) = strike_each(fault, repeat, calls, stride);
            runs += more;
            wrong.extend(bad);
            census
        };
        struck.add(&strike(Repeat::Once, stride));
        struck.add(&strike(Repeat::Sticky, stride * sticky_stride()));
        let in_the_steps = |call, pattern: &str| {
            fault.strikes(call) && sound.census().on(call, pattern) > made.on(call, pattern)
        };
        let never = |struck: &Census| {
            let all = sound.census();
            let kinds = all
                .iter()
                .map(|(call, pattern, _)| (call, pattern.to_owned()));
            let missed = kinds
                .filter(|(call, pattern)| in_the_steps(*call, pattern))
                .filter(|(call, pattern)| struck.on(*call, pattern) == 0);
            missed.collect::<Vec<_>>()
        };
        if stride == 1 {
            // Thread timing moves calls. The only call of its kind can be missed once.
            for _ in 0..ROUNDS_MORE {
                if never(&struck).is_empty() {
                    break;
                }
                struck.add(&strike(Repeat::Once, stride));
            }
            for (call, pattern) in never(&struck) {
                missed.push(format!("{name} never struck {call:?} on {pattern}"));
            }
        }
        println!("{name}: calls struck {}", struck.total());
        all_struck.add(&struck);
    }
    println!(
        "runs {runs} over {calls} calls of {} kinds, calls struck {}, acknowledged lost {}",
        sound.census().iter().count(),
        all_struck.total(),
        wrong.len()
    );
    if size() != Size::Sample {
        println!("{all_struck}");
    }
    assert!(
        wrong.is_empty(),
        "{}",
        wrong[..wrong.len().min(12)].join("\n")
    );
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(calls > 300, "only {calls} calls were there to fail");
}

/// A kernel drops what it could not write but still shows it, and reports success for the next
/// sync.
#[test]
fn a_sync_that_fails_is_not_believed_when_it_succeeds_the_next_time() {
    let sound = SimDisk::new();
    let mut runner = Runner::create_as(sound.clone(), tiniest).expect("made");
    let before = sound.calls();
    runner.run_all(&steps()).expect("a sound disk");
    let calls = sound.calls() - before;
    let stride = if size() == Size::Sample { 11 } else { 2 };
    let (runs, struck, wrong) = strike_each(Fault::Sync, Repeat::Once, calls, stride);
    println!(
        "syncs that fail once: runs {runs}, calls struck {}, acknowledged lost {}",
        struck.total(),
        wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{}",
        wrong[..wrong.len().min(12)].join("\n")
    );
    assert!(struck.on(Call::Sync, "journal/#.journal") > 5, "{struck}");
}

/// The census says which calls were struck. This test checks that it covers every kind of file of a
/// store.
#[test]
fn every_kind_of_file_is_among_those_whose_calls_fail() {
    let disk = SimDisk::new();
    let mut runner = Runner::create_as(disk.clone(), tiniest).expect("made");
    runner.run_all(&steps()).expect("a sound disk");
    drop(runner);
    // A torn tail, which only recovery meets.
    let image = disk.crash_images(.., &Variants::default()).find(|image| {
        let opened = Archive::open_on(Arc::new(image.disk.clone()), tiniest(&Hourly::new()));
        drop(opened);
        image.disk.census().on(Call::Create, "tmp/torn") > 0
    });
    let mut census = disk.census();
    census.add(&image.expect("some cut tears a frame").disk.census());
    let seen: BTreeSet<&str> = census.iter().map(|(_, pattern, _)| pattern).collect();
    let missing: Vec<_> = FILES.iter().filter(|file| !seen.contains(*file)).collect();
    assert!(missing.is_empty(), "{missing:?} not in\n{census}");
    let unknown: Vec<_> = seen.iter().filter(|file| !FILES.contains(file)).collect();
    assert!(unknown.is_empty(), "{unknown:?} are new: add them here");
}

/// Every kind of file and folder of a store.
const FILES: [&str; 21] = [
    ".",
    "FORMAT",
    "LOCK",
    "NEWEST",
    "PLACE",
    "events",
    "events/#.seg",
    "index.redb",
    "journal",
    "journal/#.journal",
    "packs",
    "packs/forever",
    "packs/forever/none",
    "packs/forever/none/#.pack",
    "quarantine",
    "tmp/torn",
    "tmp",
    "tmp/FORMAT",
    "tmp/pack-#",
    "tmp/segment-#",
    "tmp/verify-#",
];

/// redb refuses every call after one that failed. A disk that was full for a moment while the index
/// was written left a store that could not seal or answer until it was opened again. Also, the
/// journal file, already sealed, was recycled while the positions of its content were still in use.
#[test]
fn a_disk_that_was_full_for_a_moment_needs_no_new_open() {
    let text = |seed| Step::Text {
        seed,
        len: 700,
        days: 0,
    };
    let noise = |seed| Step::Noise { seed, len: 15_000 };
    let mut met = Census::default();
    for calls in (0..400).step_by(if size() == Size::Sample { 3 } else { 1 }) {
        let disk = SimDisk::new();
        let mut runner = Runner::create_as(disk.clone(), tiniest).expect("made");
        let before = [text(1), noise(2), text(3), Step::Seal, noise(4), text(5)];
        runner.run_all(&before).expect("a sound disk");
        disk.fail_at(calls, Fault::Kind(io::ErrorKind::StorageFull), Repeat::Once);
        let sealed = runner.run(&Step::Seal);
        let struck = disk.struck_census();
        if struck.total() == 0 {
            assert!(sealed.is_ok(), "no fault");
            break;
        }
        met.add(&struck);
        let stops_for_good = |(call, file, _): (Call, &str, u64)| {
            file == "journal/#.journal" || (call, file) == (Call::SyncDir, "events")
        };
        if struck.iter().any(stops_for_good) {
            // An acknowledgement failed, or it is unknown whether a segment has its name. Only
            // opening the store again tells.
            continue;
        }
        let what = format!("call {calls}:\n{struck}\n");
        let state = State::observe(runner.archive().expect("open"));
        assert!(
            state.as_ref().ok() == Some(&runner.state),
            "{what}{state:?}"
        );
        runner.run(&text(6)).expect(&what);
        let mut tries = 0;
        while let Err(error) = runner.run(&Step::Seal) {
            assert_eq!(error.kind(), ErrorKind::Full, "{what}{error}");
            tries += 1;
            assert!(tries < 100, "{what}it goes on to be full");
            thread::sleep(Duration::from_millis(20));
        }
        runner
            .run_all(&[noise(7), noise(8), Step::Seal, Step::Verify])
            .expect(&what);
        let state = State::observe(runner.archive().expect("open"));
        assert!(
            state.as_ref().ok() == Some(&runner.state),
            "{what}{state:?}"
        );
    }
    assert!(met.on(Call::Write, "index.redb") > 0, "{met}");
    println!(
        "a disk full for a moment: calls struck {}, acknowledged lost 0",
        met.total()
    );
}

fn entry() -> NewEntry {
    NewEntry::new("ICT")
}

fn refused(result: Result<impl Sized, Error>) -> ErrorKind {
    match result {
        Ok(_) => panic!("it was acknowledged"),
        Err(error) => error.kind(),
    }
}

#[test]
fn after_a_failed_sync_nothing_more_is_acknowledged_until_the_store_is_opened_again() {
    let mut runner = Runner::create(SimDisk::new()).expect("made");
    let disk = runner.disk.clone();
    let first = Step::Noise { seed: 1, len: 500 };
    runner.run(&first).expect("archived");
    let before = disk.census().of(Call::Sync);
    // The call after the write of the frame is its sync.
    disk.fail_at(1, Fault::Os(IO_ERROR), Repeat::Once);
    let put = |content: &[u8]| runner.archive().expect("open").put(entry(), content);
    assert_eq!(refused(put(b"lost")), ErrorKind::Io);
    assert_eq!(disk.struck(), 1);
    assert_eq!(refused(put(b"refused")), ErrorKind::Poisoned);
    let hold = runner
        .archive()
        .expect("open")
        .place_hold("h", "why", vec![EntryId(runner.ids[0])]);
    assert_eq!(refused(hold), ErrorKind::Poisoned);
    assert!(
        disk.census().of(Call::Sync) <= before + 1,
        "a failed sync is not tried again"
    );
    let state = State::observe(runner.archive().expect("open")).expect("reading goes on");
    assert_eq!(state, runner.state);
    let closed = runner.archive.take().map(Archive::close);
    assert_eq!(
        closed.map(|closed| closed.map_err(|error| error.kind())),
        Some(Err(ErrorKind::Poisoned))
    );
    runner.run(&Step::Reopen).expect("opened again");
    runner
        .run(&Step::Noise { seed: 2, len: 500 })
        .expect("archived again");
}

#[test]
fn a_full_disk_refuses_sources_and_lets_people_read_and_purge() {
    let mut runner = Runner::create(SimDisk::new()).expect("made");
    let disk = runner.disk.clone();
    for seed in 0..6 {
        let step = Step::Noise { seed, len: 24_000 };
        runner.run(&step).expect("there is room yet");
    }
    runner.run(&Step::Seal).expect("there is room yet");
    disk.set_capacity(Some(disk.used_bytes()));
    let mut seed = 100;
    let kind = loop {
        match runner.run(&Step::Noise { seed, len: 24_000 }) {
            Ok(()) => seed += 1,
            Err(error) => break error.kind(),
        }
        assert!(seed < 200, "it takes in more than there is room for");
    };
    assert_eq!(kind, ErrorKind::Full);
    let state = State::observe(runner.archive().expect("open")).expect("reading goes on");
    assert_eq!(state, runner.state, "{}", runner.state.difference(&state));
    let archive = runner.archive().expect("open");
    let policy = Policy::default().max_count(1);
    let plan = archive
        .plan_purge(&policy, AsOf::Vouched(runner.clock.peek()))
        .expect("planned");
    let newest = archive.newest();
    // Sealing may find no room at first. The purge itself must be recorded.
    let purged = archive.purge(&plan, "the disk is full").expect("recorded");
    if let Err(error) = purged.reclaim {
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    }
    assert!(archive.newest() > newest, "the purge was not recorded");
    archive.compact(None).expect("compaction makes room");
    let mut tries = 0;
    while let Err(error) = archive.put(entry(), &b"after the purge"[..]) {
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        tries += 1;
        assert!(tries < 100, "there is room again, and it is not used");
        thread::sleep(Duration::from_millis(50));
    }
    let left = State::observe(archive).expect("readable");
    let living = left.entries.values().filter(|entry| !entry.purged);
    assert_eq!(living.count(), 2);
    let report = archive.verify(Depth::Quick).expect("looked at");
    assert!(report.ok, "{:?}", report.findings);
}

#[test]
fn a_read_only_disk_can_be_read() {
    let mut runner = Runner::create(SimDisk::new()).expect("made");
    runner.run_all(&steps()).expect("a sound disk");
    drop(runner.archive.take());
    let disk = runner.disk.clone();
    disk.fail_at(
        0,
        Fault::Kind(io::ErrorKind::ReadOnlyFilesystem),
        Repeat::Sticky,
    );
    let options = tiny(&Hourly::new()).access(Access::ReadOnly);
    let archive = Archive::open_on(Arc::new(disk.clone()), options).expect("opened to look");
    let state = State::observe(&archive).expect("readable");
    assert_eq!(state, runner.state);
    assert_eq!(
        refused(archive.put(entry(), &b"x"[..])),
        ErrorKind::ReadOnly
    );
    let report = archive.verify(Depth::Deep).expect("looked at");
    assert!(report.ok, "{:?}", report.findings);
    drop(archive);
    let written = Archive::open_on(Arc::new(disk), tiny(&Hourly::new()))
        .and_then(|archive| archive.put(entry(), &b"x"[..]));
    assert_eq!(refused(written), ErrorKind::ReadOnly);
}
