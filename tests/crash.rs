//! The power goes at any moment, again and again. Whatever the disk kept, the store opens, everything that was acknowledged
//! is there byte for byte, nothing is there that nobody asked for, and the next file is taken in.

mod support;

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use annals::Archive;
use annals::archive::{Depth, NewEntry};
use annals::disk::sim::{Call, SimDisk, Variants};
use support::{Hourly, Runner, State, Step, tiny, workload};

/// What looking at many crash images came to.
#[derive(Debug, Default)]
struct Tally {
    images: usize,
    /// Images that were equal to one looked at before.
    same: usize,
    /// What was wrong, one line for each image.
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.images += other.images;
        self.same += other.same;
        self.wrong.extend(other.wrong);
    }
}

/// More images with `ANNALS_CRASH_IMAGES=all`.
fn all_images() -> bool {
    std::env::var("ANNALS_CRASH_IMAGES").is_ok_and(|images| images == "all")
}

fn some() -> Variants {
    if all_images() {
        return Variants::default();
    }
    Variants {
        each: 2,
        torn_at: vec![512],
        random: 1,
        seed: 0,
    }
}

/// Everything unsynced is lost, or nothing is.
fn plainest() -> Variants {
    Variants {
        each: 0,
        torn_at: Vec::new(),
        random: 0,
        seed: 0,
    }
}

/// Looks at every `step`th image.
fn look(
    runner: &Runner,
    variants: &Variants,
    step: usize,
    check: impl Fn(&SimDisk, &[&State], bool) -> Result<(), String> + Sync,
) -> Tally {
    let total = runner.disk.ops();
    let threads = 2;
    let check = &check;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    let mut seen = HashSet::new();
                    let from = total * worker / threads;
                    let to = if worker + 1 == threads {
                        total + 1
                    } else {
                        total * (worker + 1) / threads
                    };
                    let images = runner.disk.crash_images(from..to, variants);
                    for image in images.step_by(step) {
                        let acked = runner.history.partition_point(|(ops, _)| *ops <= image.cut);
                        if !seen.insert((image.disk.fingerprint(), acked)) {
                            tally.same += 1;
                            continue;
                        }
                        tally.images += 1;
                        let allowed: Vec<&State> = runner.history
                            [acked.saturating_sub(1)..runner.history.len().min(acked + 1)]
                            .iter()
                            .map(|(_, state)| state)
                            .collect();
                        if let Err(why) = check(&image.disk, &allowed, acked > 0) {
                            tally.wrong.push(format!("{image}: {why}"));
                            if tally.wrong.len() >= 5 {
                                break;
                            }
                        }
                    }
                    tally
                })
            })
            .collect();
        let mut tally = Tally::default();
        for worker in workers {
            tally.add(worker.join().expect("a check never panics"));
        }
        tally
    })
}

fn open(disk: &SimDisk, clock: &Arc<Hourly>) -> annals::Result<Archive> {
    Archive::open_on(Arc::new(disk.clone()), tiny(clock))
}

/// Opens what the disk kept. `None` when there is no store yet, which is right only before its making was acknowledged.
fn recovered(disk: &SimDisk, allowed: &[&State], made: bool) -> Result<Option<State>, String> {
    let archive = match open(disk, &Hourly::new()) {
        Ok(archive) => archive,
        Err(error) if !made && error.kind() == annals::ErrorKind::NoStore => return Ok(None),
        Err(error) => return Err(format!("it does not open: {error}")),
    };
    if !archive.damage().is_empty() {
        return Err(format!("it calls itself damaged: {:?}", archive.damage()));
    }
    let state = State::observe(&archive).map_err(|error| format!("reading: {error}"))?;
    if !allowed.iter().any(|allowed| **allowed == state) {
        return Err(allowed[0].difference(&state));
    }
    archive
        .close()
        .map_err(|error| format!("closing: {error}"))?;
    Ok(Some(state))
}

/// Opens, compares, verifies, uses and opens again.
fn whole(disk: &SimDisk, allowed: &[&State], made: bool) -> Result<(), String> {
    let untouched = disk.snapshot();
    let Some(mut state) = recovered(disk, allowed, made)? else {
        return Ok(());
    };
    // A process that was killed during that first opening finds the same.
    if recovered(&untouched, allowed, made)?.as_ref() != Some(&state) {
        return Err("opening it twice from the same image gave two answers".to_owned());
    }
    let archive = open(disk, &Hourly::new()).map_err(|error| format!("again: {error}"))?;
    let again = State::observe(&archive).map_err(|error| format!("again: {error}"))?;
    if again != state {
        return Err(format!("opened again: {}", state.difference(&again)));
    }
    let report = archive
        .verify(Depth::Deep)
        .map_err(|error| format!("verifying: {error}"))?;
    if !report.ok {
        return Err(format!("verify: {:?}", report.findings));
    }
    let new = NewEntry {
        converter: "ICT".to_owned(),
        ..NewEntry::default()
    };
    let put = archive
        .put(new, &b"one more"[..])
        .map_err(|error| format!("one more: {error}"))?;
    if state.entries.contains_key(&put.id.0) {
        return Err(format!("id {} was given twice", put.id));
    }
    archive
        .close()
        .map_err(|error| format!("closing: {error}"))?;
    let archive = open(disk, &Hourly::new()).map_err(|error| format!("at last: {error}"))?;
    let mut last = State::observe(&archive).map_err(|error| format!("at last: {error}"))?;
    if last.entries.remove(&put.id.0).is_none() {
        return Err("what was archived after recovery is gone".to_owned());
    }
    state.entries.remove(&put.id.0);
    if last == state {
        Ok(())
    } else {
        Err(format!("at last: {}", state.difference(&last)))
    }
}

fn run(disk: &SimDisk, steps: &[Step]) -> Runner {
    let mut runner = Runner::create(disk.clone()).expect("made");
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
    runner
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_was_acknowledged() {
    let runner = run(&SimDisk::new(), &workload());
    let step = if all_images() { 1 } else { 7 };
    let tally = look(&runner, &some(), step, whole);
    println!(
        "{} operations, {} acknowledgements, images {}, equal to another {}, acknowledged lost {}",
        runner.disk.ops(),
        runner.history.len(),
        tally.images,
        tally.same,
        tally.wrong.len()
    );
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(tally.images > 500, "only {} images", tally.images);
}

#[test]
fn a_second_power_cut_during_recovery_changes_nothing() {
    let runner = run(&SimDisk::new(), &workload());
    let sample = if all_images() { 3 } else { 53 };
    let tally = look(&runner, &plainest(), sample, |disk, allowed, made| {
        let Some(state) = recovered(disk, allowed, made)? else {
            return Ok(());
        };
        let mut seen = HashSet::new();
        for (nth, image) in disk.crash_images(.., &plainest()).enumerate() {
            if (nth % 3 == 0 || all_images()) && seen.insert(image.disk.fingerprint()) {
                let again = recovered(&image.disk, &[&state], made)
                    .map_err(|why| format!("then {image}: {why}"))?;
                if again.as_ref() != Some(&state) {
                    return Err(format!("then {image}: there is no store any more"));
                }
            }
        }
        Ok(())
    });
    println!(
        "images cut again during recovery {}, acknowledged lost {}",
        tally.images,
        tally.wrong.len()
    );
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
}

/// Runs the workload on a disk that forgets some syncs; what was acknowledged must be found missing.
fn broken(what: &str, of: impl Fn(Call, &str) -> bool + Send + Sync + 'static) {
    let disk = SimDisk::new();
    disk.ignore_syncs(of);
    let runner = run(&disk, &workload());
    let tally = look(&runner, &plainest(), 1, |disk, allowed, made| {
        recovered(disk, allowed, made).map(|_| ())
    });
    println!(
        "{what}: images {}, noticed in {}",
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
