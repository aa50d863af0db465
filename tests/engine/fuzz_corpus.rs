//! Replays what fuzzers have found. Every committed input of every target is replayed, with
//! truncations and flipped bits of it, because a fuzzer begins with those. The two targets that
//! take a whole store are replayed with some changes.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::support::damages::{self, asks_for_worn, judge};
use crate::support::golden::Golden;
use crate::support::moves::{self, Look};
use crate::support::prove::{Size, seed, size};
use crate::support::{Random, look, mend, stories};
use annals::disk::sim::{Call, SimDisk};
use annals::fuzz::{TARGETS, run, samples};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target)
}

#[test]
fn every_target_has_a_file_a_name_and_a_sound_sample_in_its_corpus() {
    let samples = samples();
    let sampled: BTreeSet<_> = samples.iter().map(|(name, _)| *name).collect();
    let named: BTreeSet<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(sampled, named);
    for (name, bytes) in samples {
        let target = format!("fuzz/fuzz_targets/{name}.rs");
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(&target)
                .is_file(),
            "{target}"
        );
        let path = corpus(name).join("sound");
        if std::env::var_os("ANNALS_WRITE_CORPUS").is_some() {
            std::fs::create_dir_all(corpus(name)).expect("a folder");
            std::fs::write(&path, &bytes).expect("written");
        }
        assert_eq!(
            std::fs::read(&path).expect(name),
            bytes,
            "{name}: the format changed"
        );
    }
}

#[test]
fn no_committed_input_and_nothing_near_it_makes_a_decoder_panic() {
    let mut inputs = 0;
    let mut tried = 0;
    for (name, _) in TARGETS {
        for file in std::fs::read_dir(corpus(name)).expect(name) {
            let bytes = std::fs::read(file.expect("readable").path()).expect("readable");
            inputs += 1;
            run(name, &bytes);
            for cut in 0..bytes.len() {
                run(name, &bytes[..cut]);
            }
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                run(name, &flipped);
            }
            tried += 1 + bytes.len() * 9;
        }
    }
    println!("{} targets, {inputs} inputs, {tried} tries", TARGETS.len());
    assert!(inputs >= TARGETS.len());
}

fn written(target: &str, name: &str, bytes: &[u8]) {
    let path = corpus(target).join(name);
    if std::env::var_os("ANNALS_WRITE_CORPUS").is_some() {
        std::fs::create_dir_all(corpus(target)).expect("a folder");
        std::fs::write(&path, bytes).expect("written");
    }
    assert_eq!(std::fs::read(&path).expect(name), bytes, "{target}: {name}");
}

fn committed(target: &str) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(corpus(target)).expect(target);
    let mut paths: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    paths.sort();
    let read = |path: PathBuf| std::fs::read(path).expect("readable");
    paths.into_iter().map(read).collect()
}

#[test]
fn every_story_of_a_whole_store_is_in_the_corpus_of_its_target() {
    for (name, story) in stories::MOVES {
        written("store_moves", name, story.as_flattened());
    }
    for (name, worn, story) in stories::DAMAGES {
        written(
            "store_open",
            name,
            &[&[*worn], story.as_flattened()].concat(),
        );
    }
}

/// Returns one of `inputs`, or two of them joined, with some bytes changed.
fn changed(inputs: &[Vec<u8>], unit: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = inputs[random.below(inputs.len())].clone();
    if random.below(3) == 0 {
        let other = &inputs[random.below(inputs.len())];
        bytes.truncate(random.below(bytes.len() / unit + 1) * unit);
        bytes.extend_from_slice(&other[random.below(other.len())..]);
    }
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len().max(1));
        match (random.below(3), bytes.get_mut(at)) {
            (0, _) => {
                let unit: Vec<u8> = (0..unit).map(|_| random.next().to_le_bytes()[0]).collect();
                bytes.splice(at..at, unit);
            }
            (_, Some(byte)) => *byte = random.next().to_le_bytes()[0],
            (_, None) => {}
        }
    }
    bytes
}

/// Runs `what` and returns its error, or an error if it panicked.
fn caught<T>(what: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|_| Err("it panicked".to_owned()))
}

#[test]
fn any_bytes_move_a_store_as_they_move_the_model() {
    let changes = match size() {
        Size::Sample => 30,
        Size::Short => 200,
        Size::Long => 2_000,
    };
    let stories = committed("store_moves");
    let mut random = Random::new(seed());
    let more = (0..changes).map(|_| changed(&stories, moves::MOVE_BYTES, &mut random));
    let inputs: Vec<_> = stories
        .iter()
        .cloned()
        .chain(more.collect::<Vec<_>>())
        .collect();
    let mut moved = 0;
    for bytes in &inputs {
        let moves = moves::decode(bytes);
        moved += moves.len();
        if let Err(why) = caught(|| moves::run(SimDisk::new(), &moves, Look::AtOpens)) {
            panic!("{why}\nafter {moves:?}\nof {bytes:?}");
        }
    }
    println!(
        "store_moves: {} inputs, {} tries, {moved} moves, wrong 0",
        stories.len(),
        inputs.len()
    );
}

/// A target that cannot fail would prove nothing.
#[test]
fn disks_that_forget_a_sync_are_noticed_by_moves() {
    type Forgets = fn(Call, &str) -> bool;
    let disks: [(&str, Forgets); 6] = [
        ("journal files", |call, path| {
            call == Call::Sync && path.starts_with("journal")
        }),
        ("packs", |call, path| {
            call == Call::Sync && path.starts_with("tmp/pack")
        }),
        ("segments", |call, path| {
            call == Call::Sync && path.starts_with("tmp/segment")
        }),
        ("the folder of segments", |call, path| {
            call == Call::SyncDir && path == "events"
        }),
        ("the folders of packs", |call, path| {
            call == Call::SyncDir && path.starts_with("packs")
        }),
        ("the folder of the store", |call, path| {
            call == Call::SyncDir && path.is_empty()
        }),
    ];
    let stories = committed("store_moves");
    for (what, forgets) in disks {
        let noticed = stories.iter().filter(|bytes| {
            let disk = SimDisk::new();
            disk.ignore_syncs(forgets);
            caught(|| moves::run(disk, &moves::decode(bytes), Look::AtOpens)).is_err()
        });
        let noticed = noticed.count();
        println!(
            "store_moves, {what} not synced: noticed by {noticed} of {} inputs",
            stories.len()
        );
        assert!(noticed > 0, "nobody noticed: {what}");
    }
}

#[test]
fn any_damage_to_several_places_is_told_or_did_no_harm_and_is_mended() {
    let changes = match size() {
        Size::Sample => 60,
        Size::Short => 1_000,
        Size::Long => 10_000,
    };
    let goldens = [Golden::new(), Golden::worn()];
    let stories = committed("store_open");
    let mut random = Random::new(seed());
    let more = (0..changes).map(|_| changed(&stories, damages::DAMAGE_BYTES, &mut random));
    let inputs: Vec<_> = stories
        .iter()
        .cloned()
        .chain(more.collect::<Vec<_>>())
        .collect();
    let (mut told, mut lessened) = (0, 0);
    for bytes in &inputs {
        let golden = &goldens[usize::from(asks_for_worn(bytes))];
        let damages = damages::decode(bytes, golden);
        match caught(|| judge(golden, &damages)) {
            Ok((seen, mended)) => {
                told += usize::from(seen == look::Fate::Told);
                lessened += usize::from(mended == mend::Fate::Less);
            }
            Err(why) => panic!("{why}\nafter {damages:?}\nof {bytes:?}"),
        }
    }
    println!(
        "store_open: {} inputs, {} tries, told {told}, lost and recorded {lessened}, silent 0",
        stories.len(),
        inputs.len()
    );
    assert!(
        told > 0 && lessened > 0,
        "told {told}, lost and recorded {lessened}"
    );
}
