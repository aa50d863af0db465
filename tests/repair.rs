//! A store is damaged in every way there is, and repaired. What could be read before is there afterwards, byte for byte; what
//! is gone is recorded as lost, and nothing else is; the damaged bytes are kept; and the store takes the next file in.

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use annals::archive::{Archive, Depth, NewEntry, RepairOutcome};
use annals::disk::sim::{SimDisk, Variants};
use annals::id::{BlobId, EntryId, EventSeq};
use annals::{ErrorKind, Result};
use support::golden::{Damage, Golden, JOURNAL, SEALED_JOURNAL, SEGMENT, smallest};
use support::prove::{Size, seed, size};
use support::{Hourly, Runner, State, Step};

/// What a repair came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// There was nothing to repair.
    Sound,
    /// Nothing was lost.
    Whole,
    /// Something was, and the log says what.
    Less,
    /// It says why it can't be done, and has changed nothing.
    Refused,
}

/// Repairs `disk`, and looks whether the store is what it should be. An error says what is not.
fn repair(disk: &SimDisk, golden: &Golden) -> Result<Fate, String> {
    repair_within(disk, golden, |_| true)
}

/// The same, and whether what was lost is no more than `least` allows.
fn repair_within(
    disk: &SimDisk,
    golden: &Golden,
    least: impl Fn(&RepairOutcome) -> bool,
) -> Result<Fate, String> {
    let before = disk.snapshot();
    let open = || Archive::repair_on(Arc::new(disk.clone()), smallest(&Hourly::new()));
    let repair = match open() {
        Ok(repair) => repair,
        Err(error) if error.message().contains("BUG") => return Err(error.to_string()),
        Err(error) => {
            let about_header = ["annals header", "FORMAT", "which store it is", "no store"];
            let told = about_header
                .iter()
                .any(|what| error.message().contains(what));
            let refuses = [ErrorKind::NoStore, ErrorKind::Unsupported].contains(&error.kind());
            return if told || refuses {
                Ok(Fate::Refused)
            } else {
                Err(format!("refused: {error}"))
            };
        }
    };
    let unchanged = content_of(disk) == content_of(&before);
    if !unchanged {
        return Err("planning changed something".to_owned());
    }
    let plan = repair.plan().clone();
    let only_index = plan
        .mends
        .iter()
        .all(|mend| mend.r#where.starts_with("index"));
    let outcome = repair
        .apply()
        .map_err(|error| format!("{error}; planned {plan:?}"))?;
    let told = |why: String| format!("{why}; planned {plan:?}, did {outcome:?}");
    is_whole(disk, golden, &outcome).map_err(told)?;
    if !least(&outcome) {
        return Err(told("more is lost than was damaged".to_owned()));
    }
    kept_what_it_replaced(disk, &before, &outcome).map_err(told)?;
    if only_index && outcome.ok {
        primary_is_unchanged(disk, &before).map_err(told)?;
    }
    let again = open().map_err(|error| told(format!("a second look: {error}")))?;
    if !again.plan().mends.is_empty() {
        return Err(told(format!("a second look finds {:?}", again.plan())));
    }
    Ok(match (plan.mends.is_empty(), outcome.ok) {
        (true, _) => Fate::Sound,
        (false, true) => Fate::Whole,
        (false, false) => Fate::Less,
    })
}

/// Every file but the lock.
fn content_of(disk: &SimDisk) -> BTreeMap<String, Vec<u8>> {
    let files = disk.files().into_iter().filter(|(path, _)| path != "LOCK");
    files
        .map(|(path, _)| {
            let content = disk.content(&path).expect("there");
            (path, content)
        })
        .collect()
}

/// Opens the store for writing and asks for everything that was in it.
fn is_whole(disk: &SimDisk, golden: &Golden, outcome: &RepairOutcome) -> Result<(), String> {
    let clock = Hourly::new();
    let archive = Archive::open_on(Arc::new(disk.clone()), smallest(&clock))
        .map_err(|error| format!("opening: {error}"))?;
    if !archive.damage().is_empty() {
        return Err(format!("it is still damaged: {:?}", archive.damage()));
    }
    let report = archive
        .verify(Depth::Deep)
        .map_err(|error| format!("verifying: {error}"))?;
    if !report.ok {
        return Err(format!("verify: {:?}", report.findings));
    }
    let lost_events: u64 = outcome
        .lost_events
        .iter()
        .map(|(first, last)| last.0 + 1 - first.0)
        .sum();
    if report.known_losses.events != lost_events {
        return Err(format!(
            "{lost_events} events are called lost, verify knows of {}",
            report.known_losses.events
        ));
    }
    let lost = |seq: u64| {
        let ranges = outcome.lost_events.iter();
        ranges
            .clone()
            .any(|(first, last)| (first.0..=last.0).contains(&seq))
    };
    let snapshot = archive.snapshot().map_err(|error| error.to_string())?;
    for (id, promised) in &golden.state.entries {
        let entry = snapshot
            .entry(EntryId(*id))
            .map_err(|error| format!("entry {id}: {error}"))?;
        let Some(entry) = entry else {
            if lost(*id) || outcome.end_is_lost {
                continue;
            }
            return Err(format!("entry {id} is gone, and no event says so"));
        };
        let given_up = |blob: &BlobId| {
            let parts_too = !outcome.lost_contents.is_empty() && entry.size > 4_096;
            outcome.lost_contents.contains(blob) || parts_too
        };
        match archive.read_all(&entry.blake3, 1 << 20) {
            Ok(bytes) if Some(BlobId::of(&bytes)) == promised.content => {}
            Ok(_) => return Err(format!("entry {id} reads as something else")),
            Err(error) if error.kind() == ErrorKind::Damaged && given_up(&entry.blake3) => {}
            Err(error) => return Err(format!("entry {id}: {error}")),
        }
        let nothing_lost = outcome.lost_events.is_empty() && !outcome.end_is_lost;
        if entry.attempts.len() < promised.attempts.len() && nothing_lost {
            return Err(format!("attempts of entry {id} are gone"));
        }
        for report in entry.attempts.iter().flat_map(|attempt| &attempt.reports) {
            match archive.read_all(&report.blake3, 1 << 20) {
                Ok(_) => {}
                Err(_) if given_up(&report.blake3) => {}
                Err(error) => return Err(format!("a report of entry {id}: {error}")),
            }
        }
    }
    if outcome.ok {
        let state = State::observe(&archive).map_err(|error| error.to_string())?;
        if state != golden.state {
            return Err(golden.state.difference(&state));
        }
    }
    drop(snapshot);
    let new = NewEntry {
        converter: "ICT".to_owned(),
        ..NewEntry::default()
    };
    let content = b"archived after the repair";
    let put = archive
        .put(new, &content[..])
        .map_err(|error| format!("the next file: {error}"))?;
    archive
        .seal()
        .map_err(|error| format!("sealing: {error}"))?;
    archive
        .compact(None)
        .map_err(|error| format!("compacting: {error}"))?;
    let read = archive.read_all(&put.blob.blake3, 1 << 20);
    if read.map_err(|error| error.to_string())? != content {
        return Err("the next file reads as something else".to_owned());
    }
    let report = archive
        .verify(Depth::Deep)
        .map_err(|error| format!("verifying: {error}"))?;
    if !report.ok {
        return Err(format!("verify, later: {:?}", report.findings));
    }
    archive.close().map_err(|error| format!("closing: {error}"))
}

fn kept_what_it_replaced(
    disk: &SimDisk,
    before: &SimDisk,
    outcome: &RepairOutcome,
) -> Result<(), String> {
    for file in &outcome.files {
        let was = before.content(&file.path).ok();
        let kept = match &file.quarantine {
            Some(kept) => Some(
                disk.content(kept)
                    .map_err(|error| format!("{kept}: {error}"))?,
            ),
            None => None,
        };
        if was != kept {
            return Err(format!("{} is not kept as it was", file.path));
        }
    }
    Ok(())
}

/// The log and the packs that were there are there, byte for byte: a bad index never condemns what it is made of.
fn primary_is_unchanged(disk: &SimDisk, before: &SimDisk) -> Result<(), String> {
    for (path, content) in content_of(before) {
        let is_log = path.starts_with("events/") || path.starts_with("packs/") || path == "FORMAT";
        if is_log && disk.content(&path).ok() != Some(content) {
            return Err(format!("{path} was touched for the sake of the index"));
        }
    }
    Ok(())
}

/// The most that one flipped bit may cost: the one event or content it is in. Events in a segment share a block, and a header
/// or a footer costs nothing.
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
                    damage.strike(golden, &disk, path);
                    disk.settle();
                    let repaired = repair_within(&disk, golden, |outcome| {
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

/// The golden store after its first journal file was used again: what is in the segment is nowhere else.
fn worn() -> Golden {
    let golden = Golden::new();
    let len = golden.content(SEALED_JOURNAL).len();
    golden
        .disk
        .overwrite(SEALED_JOURNAL, 0, &vec![0; len])
        .expect("there");
    golden.disk.settle();
    golden
}

/// One in so many bytes.
fn stride() -> usize {
    match size() {
        Size::Sample => 211,
        Size::Short => 17,
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
    for (name, golden) in [("flips", Golden::new()), ("flips, journal reused", worn())] {
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
    for (name, golden) in [("files", Golden::new()), ("files, journal reused", worn())] {
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

/// borg deleted healthy chunks because its cache of them had rotted. An index is worth nothing beside what it is made of.
#[test]
fn a_bad_index_never_condemns_what_it_is_made_of() {
    let golden = Golden::new();
    for bytes in [Vec::new(), vec![0; 4096], support::noise(7, 65_536)] {
        let disk = golden.disk.snapshot();
        disk.plant("index.redb", &bytes).expect("planted");
        assert_eq!(repair(&disk, &golden), Ok(Fate::Whole));
    }
}

/// An event in the middle of the journal rotted. The store opened for reading only, and nothing helped but a copy.
#[test]
fn a_store_whose_journal_lost_an_event_takes_files_in_again() {
    let golden = Golden::new();
    let disk = golden.disk.snapshot();
    disk.flip_bit(JOURNAL, (4_096 + 100) * 8).expect("there");
    disk.settle();
    assert_eq!(repair(&disk, &golden), Ok(Fate::Less));
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

/// A segment's block rotted after the journal file was used again. Its content is in packs, and no event that can be read
/// names it: the next compaction would have taken it for purged.
#[test]
fn content_whose_events_are_lost_becomes_entries_of_its_own() {
    let golden = worn();
    let disk = golden.disk.snapshot();
    disk.flip_bit(SEGMENT, 120 * 8).expect("there");
    disk.settle();
    assert_eq!(repair(&disk, &golden), Ok(Fate::Less));
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

/// What a repair gave up comes back when somebody has it: the source is archived again.
#[test]
fn content_that_was_given_up_is_whole_again_once_it_is_archived_again() {
    let mut runner = Runner::create_as(SimDisk::new(), smallest).expect("made");
    let text = Step::Text {
        seed: 1,
        len: 600,
        days: 0,
    };
    runner.run_all(&[text, Step::Seal]).expect("sound");
    drop(runner.archive.take());
    let disk = runner.disk.snapshot();
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
    let new = NewEntry {
        converter: "ICT".to_owned(),
        ..NewEntry::default()
    };
    let content = support::measurements(1, 600);
    let put = archive.put(new, &content[..]).expect("archived");
    assert_eq!(
        Some(put.blob.blake3),
        outcome.lost_contents.first().copied()
    );
    let report = archive.verify(Depth::Deep).expect("looked at");
    assert!(report.ok && report.known_losses.contents == 0, "{report:?}");
}

/// The header is the one file without which nothing opens; the others know what it said.
#[test]
fn a_header_that_is_lost_is_made_again_from_what_the_other_files_say() {
    let golden = Golden::new();
    let disk = golden.disk.snapshot();
    disk.lose("FORMAT").expect("there");
    disk.settle();
    assert_eq!(repair(&disk, &golden), Ok(Fate::Whole));
    assert_eq!(
        disk.content("FORMAT").expect("made"),
        golden.content("FORMAT")
    );
}

/// The power goes while a damaged store is repaired. Whatever the disk kept, repairing it again ends as it should have.
#[test]
fn a_repair_that_is_cut_off_is_finished_by_the_next_one() {
    let mut images = 0;
    for (golden, path, damage) in [
        (worn(), SEGMENT, Damage::Flip { bit: 120 * 8 }),
        (
            Golden::new(),
            JOURNAL,
            Damage::Zero {
                at: 4_096,
                len: 512,
            },
        ),
        (worn(), SEGMENT, Damage::Lose),
        (Golden::new(), "FORMAT", Damage::Lose),
        (Golden::new(), JOURNAL, Damage::Lose),
    ] {
        let damaged = golden.disk.snapshot();
        damage.strike(&golden, &damaged, path);
        damaged.settle();
        let packs: Vec<String> = damaged
            .files()
            .into_iter()
            .map(|(path, _)| path)
            .filter(|path| path.starts_with("packs/"))
            .collect();
        // A pack too, so that every kind of step is cut.
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
            // Whoever opens it in between must do no harm either.
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
            is_whole(&cut, &golden, &outcome)
                .unwrap_or_else(|why| panic!("{path}, {damage}, {image}: {why}"));
        }
    }
    println!("repairs cut off: images {images}, lost 0");
    assert!(images > 100, "only {images}");
}

/// What all repairs of a store together recorded as lost.
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
