//! The disk fails at any call, once or from then on: nothing panics, nothing hangs, nothing is acknowledged that is not
//! durable, and once the disk is well again everything acknowledged is there. A full disk refuses sources and still lets
//! people read and purge.

mod support;

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use annals::archive::{Access, Archive, Depth, NewEntry, Options};
use annals::disk::sim::{Call, Fault, Repeat, SimDisk, Variants};
use annals::entry::Outcome;
use annals::id::EntryId;
use annals::retention::Policy;
use annals::{Error, ErrorKind};
use support::{Hourly, Runner, State, Step, tiny};

const IO_ERROR: i32 = 5;
const FAULTS: [Fault; 4] = [
    Fault::Os(IO_ERROR),
    Fault::Kind(io::ErrorKind::StorageFull),
    Fault::Kind(io::ErrorKind::ReadOnlyFilesystem),
    Fault::ShortWrite(100),
];

/// Every fault at every call with `ANNALS_FAULTS=all`.
fn all_faults() -> bool {
    std::env::var("ANNALS_FAULTS").is_ok_and(|faults| faults == "all")
}

/// Runs `work` and fails when it does not come to an end.
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

fn steps() -> Vec<Step> {
    let noise = |seed, len| Step::Noise { seed, len };
    vec![
        Step::Text {
            seed: 1,
            len: 700,
            days: 0,
        },
        noise(2, 24_000),
        Step::Attempt {
            entry: 0,
            outcome: Outcome::Success,
            reports: 1,
            len: 600,
        },
        Step::Submit { entry: 0 },
        Step::Hold { name: 1, entry: 0 },
        noise(3, 24_000),
        noise(4, 24_000),
        Step::Seal,
        noise(5, 1 << 20),
        Step::Reopen,
        noise(6, 24_000),
        Step::Release { name: 1 },
        Step::PurgeTo { left: 3 },
        Step::Rebuild,
        noise(7, 24_000),
        Step::Reopen,
        Step::Text {
            seed: 8,
            len: 700,
            days: 30,
        },
    ]
}

/// Opens what `disk` holds and compares it with what was acknowledged.
fn nothing_lost(disk: &SimDisk, runner: &Runner) -> Result<(), String> {
    let archive = Archive::open_on(Arc::new(disk.clone()), tiny(&Hourly::new()))
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

/// Runs the steps with a fault planned; answers how many calls it struck.
fn with_fault(calls: u64, fault: Fault, repeat: Repeat) -> Result<u64, String> {
    let disk = SimDisk::new();
    let mut runner = Runner::create(disk.clone()).expect("made on a sound disk");
    disk.fail_at(calls, fault, repeat);
    for step in steps() {
        if let Err(error) = runner.run(&step)
            && error.message().contains("BUG")
        {
            return Err(format!("{step:?}: {error}"));
        }
    }
    let struck = disk.struck();
    if let Some(archive) = runner.archive.take()
        && let Err(error) = archive.close()
        && error.message().contains("BUG")
    {
        return Err(format!("closing: {error}"));
    }
    disk.heal();
    if struck == 0 {
        return Ok(0);
    }
    let plainest = Variants {
        each: 0,
        torn_at: Vec::new(),
        random: 0,
        seed: 0,
    };
    for image in disk.crash_images(disk.ops().., &plainest) {
        nothing_lost(&image.disk, &runner).map_err(|why| format!("{image}: {why}"))?;
    }
    nothing_lost(&disk, &runner)?;
    Ok(struck)
}

#[test]
fn a_call_that_fails_costs_at_most_what_was_not_acknowledged() {
    let (mut runs, mut struck, mut wrong) = (0, 0, Vec::new());
    let mut calls = 0;
    loop {
        let mut clean = true;
        for (nth, fault) in FAULTS.into_iter().enumerate() {
            for repeat in [Repeat::Once, Repeat::Sticky] {
                let turn = calls + nth as u64 * 2 + u64::from(repeat == Repeat::Sticky);
                if !all_faults() && !turn.is_multiple_of(8) {
                    continue;
                }
                let what = format!("{fault:?} at call {calls}, {repeat:?}");
                match ends(what.clone(), move || with_fault(calls, fault, repeat)) {
                    Ok(hits) => {
                        clean &= hits == 0;
                        struck += hits;
                    }
                    Err(why) => {
                        clean = false;
                        wrong.push(format!("{what}: {why}"));
                    }
                }
                runs += 1;
            }
        }
        if clean || wrong.len() > 10 {
            break;
        }
        calls += if all_faults() { 1 } else { 3 };
    }
    println!(
        "runs {runs}, calls struck {struck}, last call {calls}, acknowledged lost {}",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(calls > 100, "only {calls} calls were there to fail");
}

fn entry() -> NewEntry {
    NewEntry {
        converter: "ICT".to_owned(),
        ..NewEntry::default()
    }
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
    let policy = Policy {
        max_count: Some(1),
        ..Policy::default()
    };
    let plan = archive
        .plan_purge(&policy, runner.clock.peek())
        .expect("planned");
    let newest = archive.newest();
    // It may not find room to seal at first; the purge itself must be recorded.
    if let Err(error) = archive.purge(&plan, "the disk is full") {
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
    let options = Options {
        access: Access::ReadOnly,
        ..tiny(&Hourly::new())
    };
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
