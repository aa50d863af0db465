//! Tests repairs of stores with every kind of damage. What was readable before must be there
//! afterwards, byte for byte. Only what is really gone may be recorded as lost. The damaged bytes
//! are kept, and the store must accept the next file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::golden::{Damage, Golden, JOURNAL, SEALED_JOURNAL, SEGMENT, smallest};
use crate::support::mend::{Fate, content_of, is_whole, repair, repair_within};
use crate::support::prove::{Size, seed, size};
use crate::support::{Hourly, Runner, State, Step};
use annals::ErrorKind;
use annals::archive::{Archive, Depth, NewEntry, RepairOutcome};
use annals::disk::sim::{SimDisk, Variants};
use annals::id::{BlobId, EventSeq};

/// Returns whether the repair cost no more than one flipped bit may: the event or content that
/// contains it. Events in a segment share a block. A header or a footer costs nothing.
fn is_least(path: &str, outcome: &RepairOutcome) -> bool {
    let events: u64 = outcome
        .lost_events
        .iter()
        .map(|(first, last)| last.0 + 1 - first.0)
        .sum();
    let contents = outcome.lost_contents.len();
    match path {
        SEGMENT => contents == 0,
        JOURNAL => events <= 1 && contents <= 1,
        _ if path.starts_with("packs/") => events == 0 && contents <= 1,
        _ => events == 0 && contents == 0,
    }
}

fn repair_all(what: &str, golden: &Golden, cases: &[(String, Damage)]) -> BTreeMap<Fate, usize> {
    let next = AtomicUsize::new(0);
    let total = Mutex::new((BTreeMap::<Fate, usize>::new(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((path, damage)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let disk = golden.disk.snapshot();
                    damage.strike(golden, &disk, path).expect("there");
                    disk.settle();
                    let repaired = repair_within(&disk, &golden.state, |outcome| {
                        !matches!(damage, Damage::Flip { .. }) || is_least(path, outcome)
                    });
                    let mut total = total.lock().expect("nobody panicked");
                    match repaired {
                        Ok(fate) => *total.0.entry(fate).or_default() += 1,
                        Err(why) => total.1.push(format!("{path}, {damage}: {why}")),
                    }
                }
            });
        }
    });
    let (fates, wrong) = total.into_inner().expect("nobody panicked");
    println!(
        "{what}: damaged {}, {fates:?}, wrong {}",
        cases.len(),
        wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} went wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
    fates
}

/// Returns n, where one byte of n is tried.
fn stride() -> usize {
    match size() {
        Size::Sample => 421,
        Size::Short => 61,
        Size::Long => 1,
    }
}

#[test]
fn a_sound_store_is_left_alone() {
    let golden = Golden::new();
    let disk = golden.disk.snapshot();
    let before = content_of(&disk);
    let repair = Archive::repair_on(Arc::new(disk.clone()), smallest(&Hourly::new()));
    let repair = repair.expect("sound");
    assert!(repair.plan().mends.is_empty(), "{:?}", repair.plan());
    assert!(repair.apply().expect("nothing to do").ok);
    assert!(content_of(&disk) == before);
}

#[test]
fn after_a_flipped_bit_anywhere_the_store_is_whole_again_or_says_what_is_lost() {
    for (name, golden) in [
        ("flips", Golden::new()),
        ("flips, journal reused", Golden::worn()),
    ] {
        let mut cases = Vec::new();
        for (path, len) in golden.files() {
            let used = golden.used(&path).min(len);
            let stride = if path == "index.redb" || path == SEALED_JOURNAL {
                stride() * 97
            } else {
                stride()
            };
            cases.extend((0..used).step_by(stride).map(|at| {
                (
                    path.clone(),
                    Damage::Flip {
                        bit: at * 8 + at % 8,
                    },
                )
            }));
        }
        let fates = repair_all(name, &golden, &cases);
        assert!(fates.contains_key(&Fate::Less), "{fates:?}");
    }
}

#[test]
fn after_files_are_cut_lost_emptied_exchanged_or_taken_back_the_rest_is_whole() {
    for (name, golden) in [
        ("files", Golden::new()),
        ("files, journal reused", Golden::worn()),
    ] {
        let files = golden.files();
        let mut cases = Vec::new();
        for (path, len) in &files {
            cases.push((path.clone(), Damage::Lose));
            cases.push((path.clone(), Damage::Blank));
            let used = golden.used(path).min(*len);
            let cuts = (0..used).step_by(stride() * 7);
            cases.extend(cuts.map(|len| (path.clone(), Damage::Cut { len })));
            for (other, _) in &files {
                let other = other.clone();
                cases.push((path.clone(), Damage::Exchange { other }));
            }
            for step in 0..golden.before.len() {
                cases.push((path.clone(), Damage::TakeBack { step }));
            }
            for at in (0..used).step_by(512) {
                cases.push((path.clone(), Damage::Zero { at, len: 512 }));
            }
        }
        let step = if size() == Size::Sample { 5 } else { 1 };
        let cases: Vec<_> = cases.into_iter().step_by(step).collect();
        repair_all(name, &golden, &cases);
    }
}

/// borg deleted healthy chunks because its cache of them was damaged. A damaged index must never
/// count against the data it was made from.
#[test]
fn a_bad_index_never_condemns_what_it_is_made_of() {
    let golden = Golden::new();
    for bytes in [Vec::new(), vec![0; 4096], crate::support::noise(7, 65_536)] {
        let disk = golden.disk.snapshot();
        disk.plant("index.redb", &bytes).expect("planted");
        assert_eq!(repair(&disk, &golden.state), Ok(Fate::Whole));
    }
}

/// An event in the middle of the journal was damaged. The store opened for reading only, and the
/// only way out was a copy.
#[test]
fn a_store_whose_journal_lost_an_event_takes_files_in_again() {
    let golden = Golden::new();
    let disk = golden.disk.snapshot();
    disk.flip_bit(JOURNAL, (4_096 + 100) * 8).expect("there");
    disk.settle();
    assert_eq!(repair(&disk, &golden.state), Ok(Fate::Less));
    let archive = Archive::open_on(Arc::new(disk), smallest(&Hourly::new())).expect("opens");
    let leaves: Vec<_> = archive
        .events(EventSeq(1), None)
        .and_then(Iterator::collect)
        .expect("readable");
    let of = |kind: &str| {
        leaves
            .iter()
            .filter(|leaf| leaf.line.contains(kind))
            .count()
    };
    assert_eq!((of("annals.lost.v1"), of("annals.repaired.v1")), (1, 1));
}

/// A block of a segment was damaged after its journal file was recycled. Its content is in packs,
/// but no readable event names it, so the next compaction would have removed it as purged.
#[test]
fn content_whose_events_are_lost_becomes_entries_of_its_own() {
    let golden = Golden::worn();
    let disk = golden.disk.snapshot();
    disk.flip_bit(SEGMENT, 120 * 8).expect("there");
    disk.settle();
    assert_eq!(repair(&disk, &golden.state), Ok(Fate::Less));
    let archive = Archive::open_on(Arc::new(disk), smallest(&Hourly::new())).expect("opens");
    let query = annals::query::Query::default();
    let page = archive.snapshot().expect("readable").query(&query);
    let found: Vec<_> = page
        .expect("readable")
        .entries
        .into_iter()
        .filter(|entry| entry.converter == "annals repair")
        .collect();
    let mut wanted: Vec<BlobId> = golden
        .state
        .entries
        .values()
        .filter_map(|entry| entry.content)
        .collect();
    wanted.retain(|content| found.iter().any(|entry| entry.blake3 == *content));
    assert!(wanted.len() >= 2, "{found:?}");
    for entry in found {
        archive.read_all(&entry.blake3, 1 << 20).expect("readable");
    }
}

/// Content that a repair gave up comes back when its source is archived again.
#[test]
fn content_that_was_given_up_is_whole_again_once_it_is_archived_again() {
    let mut runner = Runner::create_as(SimDisk::new(), smallest).expect("made");
    let text = Step::Text {
        seed: 1,
        len: 600,
        days: 0,
    };
    runner.run_all(&[text, Step::Seal]).expect("sound");
    // Closing would give the journal file back.
    let disk = runner.disk.snapshot();
    drop(runner.archive.take());
    disk.settle();
    let packs = disk.files().into_iter().map(|(path, _)| path);
    for pack in packs
        .filter(|path| path.starts_with("packs/"))
        .collect::<Vec<_>>()
    {
        disk.lose(&pack).expect("there");
    }
    let len = disk.content(SEALED_JOURNAL).expect("there").len();
    disk.overwrite(SEALED_JOURNAL, 0, &vec![0; len])
        .expect("there");
    let options = || smallest(&Hourly::new());
    let repair = Archive::repair_on(Arc::new(disk.clone()), options()).expect("looked at");
    let outcome = repair.apply().expect("repaired");
    assert_eq!((outcome.ok, outcome.lost_contents.len()), (false, 1));
    let archive = Archive::open_on(Arc::new(disk), options()).expect("opens");
    let report = archive.verify(Depth::Quick).expect("looked at");
    assert!(report.ok && report.known_losses.contents == 1, "{report:?}");
    let new = NewEntry::new("ICT");
    let content = crate::support::measurements(1, 600);
    let put = archive.put(new, &content[..]).expect("archived");
    assert_eq!(
        Some(put.blob.blake3),
        outcome.lost_contents.first().copied()
    );
    let report = archive.verify(Depth::Deep).expect("looked at");
    assert!(report.ok && report.known_losses.contents == 0, "{report:?}");
}

/// Contents that share a dictionary depend on one record. The record is stored twice, so that
/// damage to one copy costs nothing.
#[test]
fn a_damaged_copy_of_a_dictionary_costs_nothing() {
    let golden = Golden::worn();
    let (path, copies) = pack_with_dictionary(&golden);
    for at in copies {
        for byte in [0, 30, 70] {
            let disk = golden.disk.snapshot();
            disk.flip_bit(&path, (at as u64 + byte) * 8 + 3)
                .expect("there");
            disk.settle();
            let options = || smallest(&Hourly::new());
            let archive = Archive::open_on(Arc::new(disk.clone()), options()).expect("opens");
            let state = State::observe(&archive).expect("every content is read");
            assert!(state == golden.state, "{}", golden.state.difference(&state));
            let report = archive.verify(Depth::Deep).expect("looked at");
            assert!(!report.ok, "byte {byte} of the copy at {at} goes unseen");
            drop(archive);
            assert_eq!(
                repair(&disk, &golden.state),
                Ok(Fate::Whole),
                "{at} + {byte}"
            );
        }
    }
}

/// When both copies are damaged, the content compressed with them is lost and reported as lost.
/// Other content of the pack is not.
#[test]
fn without_both_copies_of_a_dictionary_only_those_who_need_it_are_lost() {
    let golden = Golden::worn();
    let (path, copies) = pack_with_dictionary(&golden);
    let disk = golden.disk.snapshot();
    for at in copies {
        disk.flip_bit(&path, (at as u64 + 70) * 8).expect("there");
    }
    disk.settle();
    assert_eq!(repair(&disk, &golden.state), Ok(Fate::Less));
    let archive = Archive::open_on(Arc::new(disk), smallest(&Hourly::new())).expect("opens");
    let report = archive.verify(Depth::Quick).expect("looked at");
    let lost = report.known_losses.contents;
    assert!(report.ok && (1..=9).contains(&lost), "{report:?}");
}

fn pack_with_dictionary(golden: &Golden) -> (String, Vec<usize>) {
    let packs = golden.files().into_iter().map(|(path, _)| path);
    let packs = packs.filter(|path| path.starts_with("packs/"));
    let found: Vec<_> = packs
        .map(|path| {
            let copies = crate::support::dictionaries_in(&golden.content(&path));
            (path, copies)
        })
        .filter(|(_, copies)| !copies.is_empty())
        .collect();
    assert_eq!(found.len(), 1, "one pack with a dictionary");
    assert_eq!(found[0].1.len(), 2, "one dictionary, there twice");
    found.into_iter().next().expect("one")
}

/// Without this file nothing opens, but other files contain what it said.
#[test]
fn a_header_that_is_lost_is_made_again_from_what_the_other_files_say() {
    let golden = Golden::new();
    let disk = golden.disk.snapshot();
    disk.lose("FORMAT").expect("there");
    disk.settle();
    assert_eq!(repair(&disk, &golden.state), Ok(Fate::Whole));
    assert_eq!(
        disk.content("FORMAT").expect("made"),
        golden.content("FORMAT")
    );
}

/// The files that a repair took out were kept, but could only be put back by hand.
#[test]
fn a_repair_is_taken_back_and_every_file_is_as_it_was() {
    let mut undone = 0;
    for (golden, path, damage) in [
        (Golden::worn(), SEGMENT, Damage::Flip { bit: 120 * 8 }),
        (Golden::worn(), SEGMENT, Damage::Lose),
        (Golden::new(), JOURNAL, Damage::Cut { len: 4_200 }),
        (Golden::new(), JOURNAL, Damage::Lose),
        (Golden::new(), "FORMAT", Damage::Lose),
        (Golden::new(), "index.redb", Damage::Cut { len: 100 }),
    ] {
        let damaged = golden.disk.snapshot();
        damage.strike(&golden, &damaged, path).expect("there");
        let mut packs = damaged.files().into_iter().map(|(path, _)| path);
        let pack = packs.rfind(|path| path.starts_with("packs/"));
        damaged
            .flip_bit(pack.expect("one"), 200 * 8)
            .expect("there");
        damaged.settle();
        let disk = damaged.snapshot();
        let options = smallest(&Hourly::new());
        let on = || Arc::new(disk.clone());
        let none = Archive::undo_repair_on(on(), &options).map(drop);
        let none = none.expect_err("there was none");
        assert_eq!(none.kind(), ErrorKind::NotFound, "{none}");
        Archive::repair_on(on(), smallest(&Hourly::new()))
            .and_then(annals::archive::Repair::apply)
            .expect("repaired");
        let begin = disk.ops();
        let undo = Archive::undo_repair_on(on(), &options).expect("looked at");
        let plan = undo.plan().clone();
        assert!(!plan.put_back.is_empty(), "{path}, {damage}");
        assert_eq!(undo.apply().expect("undone"), plan);
        assert!(is_as_it_was(&disk, &damaged), "{path}, {damage}");
        // Interrupted at any point, it can be run again with an equal result.
        let variants = Variants {
            each: 0,
            torn_at: Vec::new(),
            random: 1,
            seed: seed(),
        };
        for image in disk
            .crash_images(begin..=disk.ops(), &variants)
            .step_by(if size() == Size::Sample { 7 } else { 1 })
        {
            let cut = image.disk.snapshot();
            let again = Archive::undo_repair_on(Arc::new(cut.clone()), &options);
            match again.and_then(annals::archive::RepairUndo::apply) {
                Ok(_) => undone += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{image}: {error}"),
            }
            assert!(is_as_it_was(&cut, &damaged), "{path}, {damage}, {image}");
        }
    }
    assert!(undone > 10, "only {undone}");
}

/// Compares the log, the packs and the store's header. The index is rebuilt when the store is
/// opened, and a power cut's leftovers in `tmp` are removed then.
fn is_as_it_was(disk: &SimDisk, before: &SimDisk) -> bool {
    let primary = |disk: &SimDisk| {
        let mut files = content_of(disk);
        let is_primary = |path: &str| {
            !path.starts_with("quarantine/") && !path.starts_with("tmp/") && path != "index.redb"
        };
        files.retain(|path, _| is_primary(path));
        files
    };
    primary(disk) == primary(before)
}

/// The power is cut during a repair. Whatever the disk kept, the next repair must reach the right
/// result.
#[test]
fn a_repair_that_is_cut_off_is_finished_by_the_next_one() {
    let mut images = 0;
    for (golden, path, damage) in [
        (Golden::worn(), SEGMENT, Damage::Flip { bit: 120 * 8 }),
        (
            Golden::new(),
            JOURNAL,
            Damage::Zero {
                at: 4_096,
                len: 512,
            },
        ),
        (Golden::worn(), SEGMENT, Damage::Lose),
        (Golden::new(), "FORMAT", Damage::Lose),
        (Golden::new(), JOURNAL, Damage::Lose),
    ] {
        let damaged = golden.disk.snapshot();
        damage.strike(&golden, &damaged, path).expect("there");
        damaged.settle();
        let packs: Vec<String> = damaged
            .files()
            .into_iter()
            .map(|(path, _)| path)
            .filter(|path| path.starts_with("packs/"))
            .collect();
        // Damage a pack too, so that every kind of step is interrupted.
        damaged.flip_bit(&packs[0], 200 * 8).expect("there");
        damaged.settle();
        let disk = damaged.snapshot();
        let begin = disk.ops();
        let repair_it = Archive::repair_on(Arc::new(disk.clone()), smallest(&Hourly::new()));
        repair_it.expect("looked at").apply().expect("repaired");
        let variants = Variants {
            each: if size() == Size::Sample { 0 } else { 2 },
            torn_at: Vec::new(),
            random: 1,
            seed: seed(),
        };
        let step = if size() == Size::Sample { 9 } else { 1 };
        for image in disk
            .crash_images(begin..=disk.ops(), &variants)
            .step_by(step)
        {
            images += 1;
            let cut = image.disk.snapshot();
            // Opening the store in between must do no harm either.
            if images % 2 == 0
                && let Ok(archive) =
                    Archive::open_on(Arc::new(cut.clone()), smallest(&Hourly::new()))
            {
                drop(archive);
            }
            let again = Archive::repair_on(Arc::new(cut.clone()), smallest(&Hourly::new()))
                .and_then(annals::archive::Repair::apply)
                .unwrap_or_else(|error| panic!("{path}, {damage}, {image}: {error}"));
            let mut outcome = again;
            declared(&cut, &mut outcome);
            is_whole(&cut, &golden.state, &outcome)
                .unwrap_or_else(|why| panic!("{path}, {damage}, {image}: {why}"));
        }
    }
    println!("repairs cut off: images {images}, lost 0");
    assert!(images > 100, "only {images}");
}

/// Collects what all repairs of a store recorded as lost.
fn declared(disk: &SimDisk, outcome: &mut RepairOutcome) {
    let archive =
        Archive::open_on(Arc::new(disk.clone()), smallest(&Hourly::new())).expect("opens");
    outcome.lost_events.clear();
    outcome.lost_contents.clear();
    for leaf in archive.events(EventSeq(1), None).expect("readable") {
        let leaf: serde_json::Value =
            serde_json::from_str(&leaf.expect("readable").line).expect("JSON");
        if leaf["type"] == "annals.repaired.v1" {
            let part: annals::event::Repaired =
                serde_json::from_value(leaf["data"].clone()).expect("as written");
            outcome.lost_events.extend(part.events);
            outcome.lost_contents.extend(part.contents);
            outcome.end_is_lost |= part.end_is_lost;
        }
    }
    outcome.ok =
        outcome.lost_events.is_empty() && outcome.lost_contents.is_empty() && !outcome.end_is_lost;
}
