//! Tests power cuts at every moment, again and again. Whatever the disk kept, the store must open,
//! everything acknowledged must be there byte for byte, nothing else may be there, and the next
//! file must be accepted.
//!
//! `ANNALS_PROVE=short` checks every image of the workload, and a third of the images of all
//! sequences of up to three operations. `ANNALS_PROVE=long` checks all of them, and as many seeded
//! workloads as it takes for a million images.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::prove::{Size, seed, size};
use crate::support::signing::{Keys, contradiction};
use crate::support::{Hourly, Moment, Random, Runner, State, Step, tiniest, workload};
use annals::Archive;
use annals::archive::{Depth, NewEntry};
use annals::disk::sim::{Call, SimDisk, Variants};
use annals::entry::Outcome;

/// The results of checking many crash images.
#[derive(Debug, Default)]
struct Tally {
    images: usize,
    /// Images that were equal to one checked before.
    same: usize,
    /// Images of a second power cut, during recovery.
    again: usize,
    /// What was wrong, one line for each image.
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.images += other.images;
        self.same += other.same;
        self.again += other.again;
        self.wrong.extend(other.wrong);
    }

    fn assert_nothing_lost(&self, what: &str, images: usize) {
        println!(
            "{what}: images {}, equal to another {}, cut again {}, lost {}",
            self.images,
            self.same,
            self.again,
            self.wrong.len()
        );
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        assert!(self.images >= images, "only {} images", self.images);
    }
}

/// Variants in which everything unsynced is lost, or nothing is.
fn plainest() -> Variants {
    Variants {
        each: 0,
        torn_at: Vec::new(),
        random: 0,
        seed: seed(),
    }
}

/// Variants with every way of losing what was not synced.
fn every() -> Variants {
    Variants {
        seed: seed(),
        ..Variants::default()
    }
}

/// An image, with the states it may hold.
struct Case<'a> {
    disk: &'a SimDisk,
    cut: usize,
    before: &'a Moment,
    after: Option<&'a Moment>,
    /// False when the power was cut before creating the store was acknowledged.
    made: bool,
    /// The number of the image.
    nth: usize,
}

impl Case<'_> {
    fn contradicts(&self, observed: &State) -> Option<String> {
        self.before.contradicts(self.after, self.cut, observed)
    }
}

/// Checks every `step`th image of the power cuts in `cuts`, on as many threads as there are
/// processors.
fn look(
    runner: &Runner,
    cuts: Range<usize>,
    variants: &Variants,
    step: usize,
    check: impl Fn(&Case<'_>, &mut Tally) -> Result<(), String> + Sync,
) -> Tally {
    // Few enough that all threads end at about one time, many enough that replaying the log up to
    // them costs little.
    const CUTS_AT_ONCE: usize = 12;
    let total = Mutex::new(Tally::default());
    let next = AtomicUsize::new(cuts.start);
    let (check, next, total_ref) = (&check, &next, &total);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, Into::into) {
            scope.spawn(move || {
                let mut tally = Tally::default();
                let mut seen = HashSet::new();
                loop {
                    let from = next.fetch_add(CUTS_AT_ONCE, Ordering::Relaxed);
                    if from >= cuts.end || tally.wrong.len() >= 5 {
                        break;
                    }
                    let part = from..cuts.end.min(from + CUTS_AT_ONCE);
                    let images = runner.disk.crash_images(part, variants);
                    for (nth, image) in images.enumerate().step_by(step) {
                        let history = &runner.history;
                        let acked = history.partition_point(|moment| moment.ops <= image.cut);
                        if !seen.insert((image.disk.fingerprint(), acked)) {
                            tally.same += 1;
                            continue;
                        }
                        tally.images += 1;
                        let case = Case {
                            disk: &image.disk,
                            cut: image.cut,
                            before: &history[acked.saturating_sub(1)],
                            after: history.get(acked),
                            made: acked > 0,
                            nth: from + nth,
                        };
                        if let Err(why) = check(&case, &mut tally) {
                            tally.wrong.push(format!("{image}: {why}"));
                        }
                    }
                }
                total_ref.lock().expect("nobody panicked").add(tally);
            });
        }
    });
    total.into_inner().expect("nobody panicked")
}

fn open(disk: &SimDisk) -> annals::Result<Archive> {
    Archive::open_on(Arc::new(disk.clone()), tiniest(&Hourly::new()))
}

/// Opens what the disk kept. Returns `None` when there is no store, which is right only before its
/// creation was acknowledged.
fn recovered(case: &Case<'_>, disk: &SimDisk) -> Result<Option<(Archive, State)>, String> {
    let archive = match open(disk) {
        Ok(archive) => archive,
        Err(error) if !case.made && error.kind() == annals::ErrorKind::NoStore => return Ok(None),
        Err(error) => return Err(format!("it does not open: {error}")),
    };
    if !archive.damage().is_empty() {
        return Err(format!("it calls itself damaged: {:?}", archive.damage()));
    }
    let state = State::observe(&archive).map_err(|error| format!("reading: {error}"))?;
    match case.contradicts(&state) {
        Some(why) => Err(why),
        None => Ok(Some((archive, state))),
    }
}

fn close(archive: Archive) -> Result<(), String> {
    archive.close().map_err(|error| format!("closing: {error}"))
}

/// Returns n, where one image of n is also verified deeply, used and opened again. That takes as
/// much time again.
fn thorough_stride() -> usize {
    match size() {
        Size::Sample | Size::Long => 1,
        Size::Short => 9,
    }
}

/// Opens the store, compares it, verifies it, uses it and opens it again.
fn whole(case: &Case<'_>, _tally: &mut Tally) -> Result<(), String> {
    /// One image of this many is opened a second time from its original bytes.
    const TWICE: usize = 8;
    let untouched = case.nth.is_multiple_of(TWICE).then(|| case.disk.snapshot());
    let Some((archive, mut state)) = recovered(case, case.disk)? else {
        return Ok(());
    };
    // A process that was killed while opening the store must leave an equal state.
    if let Some(untouched) = untouched {
        let Some((again, found)) = recovered(case, &untouched)? else {
            return Err("opened again, there is no store".to_owned());
        };
        if found != state {
            return Err("opening it twice from the same image gave two answers".to_owned());
        }
        close(again)?;
    }
    if !case.nth.is_multiple_of(thorough_stride()) {
        return close(archive);
    }
    let report = archive
        .verify(Depth::Deep)
        .map_err(|error| format!("verifying: {error}"))?;
    if !report.ok {
        return Err(format!("verify: {:?}", report.findings));
    }
    let new = NewEntry::new("ICT");
    let put = archive
        .put(new, &b"one more"[..])
        .map_err(|error| format!("one more: {error}"))?;
    if state.entries.contains_key(&put.id.0) {
        return Err(format!("id {} was given twice", put.id));
    }
    close(archive)?;
    let archive = open(case.disk).map_err(|error| format!("again: {error}"))?;
    let mut last = State::observe(&archive).map_err(|error| format!("again: {error}"))?;
    if last.entries.remove(&put.id.0).is_none() {
        return Err("what was archived after recovery is gone".to_owned());
    }
    state.entries.remove(&put.id.0);
    if last != state {
        return Err(format!("again: {}", state.difference(&last)));
    }
    close(archive)
}

/// Opens the store and cuts the power during that. Then opens every `step`th image of the second
/// cut.
fn cut_again(case: &Case<'_>, step: usize, tally: &mut Tally) -> Result<(), String> {
    let Some((archive, state)) = recovered(case, case.disk)? else {
        return Ok(());
    };
    close(archive)?;
    let mut seen = HashSet::new();
    let variants = Variants {
        each: 1,
        torn_at: vec![512],
        random: 1,
        seed: seed() ^ case.nth as u64,
    };
    for (nth, image) in case.disk.crash_images(.., &variants).enumerate() {
        if !(case.nth + nth).is_multiple_of(step) || !seen.insert(image.disk.fingerprint()) {
            continue;
        }
        tally.again += 1;
        match recovered(case, &image.disk).map_err(|why| format!("then {image}: {why}"))? {
            None => return Err(format!("then {image}: there is no store any more")),
            Some((_, again)) if again != state => {
                return Err(format!("then {image}: {}", state.difference(&again)));
            }
            Some((archive, _)) => close(archive)?,
        }
    }
    Ok(())
}

fn run(disk: &SimDisk, steps: &[Step]) -> Runner {
    let mut runner = Runner::create_as(disk.clone(), tiniest).expect("made");
    finish(&mut runner, steps);
    runner
}

fn finish(runner: &mut Runner, steps: &[Step]) {
    runner
        .run_all(steps)
        .expect("the workload runs on a sound disk");
    let observed = State::observe(runner.archive().expect("open")).expect("readable");
    assert_eq!(
        runner.state,
        observed,
        "{}",
        runner.state.difference(&observed)
    );
    if let Some(archive) = runner.archive.take() {
        archive.close().expect("closed");
    }
}

fn everywhere(runner: &Runner) -> Range<usize> {
    0..runner.disk.ops() + 1
}

/// Returns the workload that a seed produces.
fn drawn(seed: u64) -> Vec<Step> {
    let mut random = Random::new(seed);
    (0..40).map(|_| draw(&mut random)).collect()
}

fn draw(random: &mut Random) -> Step {
    let entry = random.below(12);
    let small = random.next() % 6;
    match random.below(26) {
        0..4 => Step::Noise {
            seed: small,
            len: 15_000,
        },
        4..7 => Step::Text {
            seed: small,
            len: 200 + random.below(2_000),
            days: if small.is_multiple_of(2) { 0 } else { 30 },
        },
        7 => Step::Noise {
            seed: small,
            len: 40_000,
        },
        8..11 => Step::Attempt {
            entry,
            outcome: Outcome::Success,
            reports: random.below(3),
            len: if small == 0 { 20_000 } else { 900 },
        },
        11 => Step::Keyed {
            seed: small,
            key: 1,
        },
        12 => Step::Submit { entry },
        13 => Step::Hold { name: 1, entry },
        14 => Step::Release { name: 1 },
        15..17 => Step::PurgeTo { left: small },
        17 => Step::Compact,
        18..20 => Step::Seal,
        20 => Step::Rebuild,
        21 => Step::Burst {
            seed: random.next() % 1_000,
            callers: 3,
            len: if small == 0 { 15_000 } else { 300 },
        },
        22 => Step::Forms {
            seed: small,
            count: 9,
        },
        23 => Step::PurgeWithGrace { left: small },
        24 => Step::UndoPurge,
        _ => Step::Reopen,
    }
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_was_acknowledged() {
    let disk = SimDisk::new();
    // Slow writes reveal an acknowledgement before its write is done, because the caller counts the
    // operations in between.
    disk.slow_down(Duration::from_millis(1));
    let runner = run(&disk, &workload());
    assert_eq!(
        crate::support::dictionaries(&runner.disk),
        2,
        "what was compacted last has a dictionary of its own"
    );
    let step = match size() {
        Size::Sample => 97,
        Size::Short => 3,
        Size::Long => 1,
    };
    let tally = look(&runner, everywhere(&runner), &every(), step, whole);
    let what = format!(
        "power cuts, {} operations, {} acknowledgements",
        runner.disk.ops(),
        runner.history.len()
    );
    tally.assert_nothing_lost(&what, 300);
}

/// Everything that signs, between steps that fill, seal and purge.
fn signed_workload() -> Vec<Step> {
    let mut steps = Vec::new();
    let signing = [Step::Sign, Step::Export, Step::RotateKey, Step::Reopen];
    let mut signing = signing.iter().cycle();
    for (nth, step) in workload().into_iter().enumerate() {
        steps.push(step);
        if nth % 3 == 2 {
            steps.extend(signing.next().cloned());
        }
    }
    steps
}

/// Compares what was signed with the log that a power cut left, and signs on.
fn signed(case: &Case<'_>, keys: &Keys) -> Result<(), String> {
    let Some((archive, _)) = recovered(case, case.disk)? else {
        return Ok(());
    };
    if let Some(signed) = &case.before.signed
        && let Some(why) = contradiction(&archive, signed)
    {
        return Err(why);
    }
    if !case.nth.is_multiple_of(thorough_stride()) {
        return close(archive);
    }
    let named = archive
        .signing_key()
        .map_err(|error| format!("its key: {error}"))?;
    let verified = |archive: &Archive| match archive.verify(Depth::Deep) {
        Ok(report) if report.ok => Ok(()),
        Ok(report) => Err(format!("verify: {:?}", report.findings)),
        Err(error) => Err(format!("verifying: {error}")),
    };
    verified(&archive)?;
    close(archive)?;
    // A copy on another disk is of the newest checkpoint that was handed out, and not of a newer.
    keys.put_back(&[]);
    let name = format!("{}-0.checkpoint", keys.store);
    if let Some(signed) = &case.before.signed {
        let path = keys.copies.path().join(name);
        std::fs::write(path, signed.to_string()).map_err(|error| error.to_string())?;
    }
    let mut used = (1..=keys.nth).map(|nth| keys.key(nth));
    let key = used.find(|key| named.as_ref().is_none_or(|named| named == key.verifier()));
    let options = keys.signing(tiniest(&Hourly::new()), key);
    let archive = Archive::open_on(Arc::new(case.disk.clone()), options)
        .map_err(|error| format!("with its key: {error}"))?;
    if !archive.damage().is_empty() {
        return Err(format!("with its key: {:?}", archive.damage()));
    }
    archive
        .put(NewEntry::new("ICT"), &b"one more"[..])
        .map_err(|error| format!("one more: {error}"))?;
    archive
        .checkpoint()
        .map_err(|error| format!("signing on: {error}"))?;
    verified(&archive)?;
    close(archive)
}

/// The power went while a checkpoint was recorded. The next opening compared the log with the copy
/// on another disk and called it rolled back.
#[test]
fn a_power_cut_while_the_log_is_signed_leaves_no_checkpoint_that_contradicts_it() {
    let mut runner = Runner::create_as(SimDisk::new(), tiniest).expect("made");
    runner.sign_from_here().expect("a key");
    let from = runner.disk.ops();
    finish(&mut runner, &signed_workload());
    let keys = runner.signer.clone().expect("a key");
    assert!(keys.nth > 2 && runner.signed.is_some());
    let step = match size() {
        Size::Sample => 499,
        Size::Short => 5,
        Size::Long => 1,
    };
    let cuts = from..runner.disk.ops() + 1;
    let tally = look(&runner, cuts, &every(), step, |case, _| {
        let own = Keys {
            copies: Arc::new(tempfile::tempdir().map_err(|error| error.to_string())?),
            ..keys.clone()
        };
        signed(case, &own)
    });
    tally.assert_nothing_lost("power cuts in a signed log", 100);
}

#[test]
fn a_power_cut_in_any_of_many_workloads_loses_nothing_that_was_acknowledged() {
    let (wanted, step) = match size() {
        Size::Sample => (30, 421),
        Size::Short => (3_000, 11),
        Size::Long => (1_000_000, 1),
    };
    let mut tally = Tally::default();
    let mut workloads = 0;
    while tally.images < wanted && tally.wrong.is_empty() {
        let runner = run(&SimDisk::new(), &drawn(seed() + workloads));
        let some = look(&runner, everywhere(&runner), &every(), step, whole);
        if !some.wrong.is_empty() {
            println!("seed {}", seed() + workloads);
        }
        tally.add(some);
        workloads += 1;
    }
    let what = format!("power cuts in {workloads} drawn workloads, seed {}", seed());
    tally.assert_nothing_lost(&what, wanted);
}

#[test]
fn a_second_power_cut_during_recovery_changes_nothing() {
    let (wanted, first, second) = match size() {
        Size::Sample => (20, 307, 41),
        Size::Short => (10_000, 701, 1),
        Size::Long => (100_000, 67, 1),
    };
    let mut tally = Tally::default();
    let mut workloads = 0;
    while tally.again < wanted && tally.wrong.is_empty() {
        let steps = if workloads == 0 {
            workload()
        } else {
            drawn(seed() + workloads)
        };
        let runner = run(&SimDisk::new(), &steps);
        tally.add(look(
            &runner,
            everywhere(&runner),
            &every(),
            first,
            |case, tally| cut_again(case, second, tally),
        ));
        workloads += 1;
    }
    tally.assert_nothing_lost("power cuts during recovery", 1);
    assert!(tally.again >= wanted, "only {} cut again", tally.again);
}

/// Returns every kind of operation on a store, for sequences of up to three.
fn kinds() -> Vec<Step> {
    vec![
        Step::Text {
            seed: 1,
            len: 400,
            days: 30,
        },
        Step::Noise {
            seed: 2,
            len: 17_000,
        },
        Step::Keyed { seed: 3, key: 1 },
        Step::Attempt {
            entry: 0,
            outcome: Outcome::Success,
            reports: 1,
            len: 300,
        },
        Step::Submit { entry: 0 },
        Step::Hold { name: 1, entry: 0 },
        Step::Release { name: 1 },
        Step::PurgeTo { left: 0 },
        Step::PurgeWithGrace { left: 0 },
        Step::UndoPurge,
        Step::Seal,
        Step::Compact,
        Step::Rebuild,
        Step::Reopen,
    ]
}

/// Most losses need at most three operations on a new store, so all such sequences are tried. A
/// shorter sequence was checked by itself, so cuts are made only from the last operation on.
#[test]
fn a_power_cut_anywhere_in_any_three_operations_loses_nothing_that_was_acknowledged() {
    let kinds = kinds();
    let (depth, step) = match size() {
        Size::Sample => (1, 7),
        // With the other workloads, this makes fifty thousand images.
        Size::Short => (3, 11),
        Size::Long => (3, 1),
    };
    let new = run(&SimDisk::new(), &[]);
    let mut sequences: Vec<Vec<Step>> = Vec::new();
    let mut open_ends: Vec<Vec<Step>> = vec![Vec::new()];
    for _ in 0..depth {
        let longer = |begun: &Vec<Step>| -> Vec<Vec<Step>> {
            let one_more = |kind: &Step| begun.iter().chain([kind]).cloned().collect();
            kinds.iter().map(one_more).collect()
        };
        open_ends = open_ends.iter().flat_map(longer).collect();
        sequences.extend(open_ends.iter().cloned());
    }
    let after_the_last = |steps: &Vec<Step>| {
        let (last, begun) = steps.split_last().expect("one step at the least");
        let mut runner = new.fork();
        runner.run(&Step::Reopen).expect("opened");
        runner.run_all(begun).expect("a sound disk");
        let from = runner.disk.ops();
        runner.run(last).expect("a sound disk");
        if let Some(archive) = runner.archive.take() {
            archive.close().expect("closed");
        }
        let cuts = from..runner.disk.ops() + 1;
        let mut tally = look(&runner, cuts, &plainest(), step, whole);
        for wrong in &mut tally.wrong {
            *wrong = format!("{steps:?}: {wrong}");
        }
        tally
    };
    let half = sequences.len().div_ceil(2);
    let tally = thread::scope(|scope| {
        let look_at = |part: &[Vec<Step>]| {
            let mut tally = Tally::default();
            for steps in part {
                tally.add(after_the_last(steps));
            }
            tally
        };
        let parts = sequences.chunks(half);
        let workers: Vec<_> = parts
            .map(|part| scope.spawn(move || look_at(part)))
            .collect();
        let mut total = Tally::default();
        for worker in workers {
            total.add(worker.join().expect("nobody panicked"));
        }
        total
    });
    let sequences = sequences.len();
    tally.assert_nothing_lost(
        &format!("power cuts in all {sequences} sequences of up to {depth} operations"),
        10,
    );
}

/// Runs the workload on a disk that ignores some syncs. The test must find that acknowledged data
/// is missing.
fn broken(what: &str, of: impl Fn(Call, &str) -> bool + Send + Sync + 'static) {
    let disk = SimDisk::new();
    disk.ignore_syncs(of);
    let runner = run(&disk, &workload());
    let tally = look(
        &runner,
        everywhere(&runner),
        &plainest(),
        1,
        |case, _| match recovered(case, case.disk)? {
            Some((archive, _)) => close(archive),
            None => Ok(()),
        },
    );
    println!(
        "broken on purpose, {what}: images {}, noticed in {}",
        tally.images,
        tally.wrong.len()
    );
    assert!(!tally.wrong.is_empty(), "nobody noticed: {what}");
}

#[test]
fn a_store_that_forgets_to_sync_its_journal_is_found_out() {
    broken("journal files are not synced", |call, path| {
        call == Call::Sync && path.starts_with("journal")
    });
}

#[test]
fn a_store_that_forgets_to_sync_its_packs_is_found_out() {
    broken("packs are not synced", |call, path| {
        call == Call::Sync && path.starts_with("tmp/pack")
    });
}

#[test]
fn a_store_that_forgets_to_sync_its_segments_is_found_out() {
    broken("segments are not synced", |call, path| {
        call == Call::Sync && path.starts_with("tmp/segment")
    });
}

#[test]
fn a_store_that_forgets_to_sync_the_folder_of_segments_is_found_out() {
    broken("the folder of segments is not synced", |call, path| {
        call == Call::SyncDir && path == "events"
    });
}

#[test]
fn a_store_that_forgets_to_sync_the_folders_of_packs_is_found_out() {
    broken("the folders of packs are not synced", |call, path| {
        call == Call::SyncDir && path.starts_with("packs")
    });
}

#[test]
fn a_store_that_forgets_to_sync_the_folder_of_journal_files_is_found_out() {
    broken("the folder of journal files is not synced", |call, path| {
        call == Call::SyncDir && path == "journal"
    });
}

#[test]
fn a_store_that_forgets_to_sync_its_own_folder_is_found_out() {
    broken("the folder of the store is not synced", |call, path| {
        call == Call::SyncDir && path.is_empty()
    });
}

#[test]
fn a_small_journal_file_takes_many_small_sources() {
    let mut runner = Runner::create(SimDisk::new()).expect("made");
    for seed in 0..40 {
        let text = Step::Text {
            seed,
            len: 300,
            days: 0,
        };
        runner.run(&text).expect("archived");
    }
    runner.archive().expect("open").seal().expect("sealed");
    let segments = runner.disk.files();
    let segments = segments.iter().filter(|(path, _)| path.ends_with(".seg"));
    assert!(segments.count() <= 2, "one segment for each source");
}
