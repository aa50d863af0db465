//! Tests damaged files: flipped bits, and files that are truncated, lost, emptied, swapped or
//! replaced by old copies.
//!
//! Nothing may panic or hang, and no caller may ever get bytes that differ from the archived ones.
//! Damage must be reported, or do no harm. The index can be rebuilt and must repair itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::golden::{Damage, Golden, JOURNAL, SEALED_JOURNAL, SEGMENT, smallest};
use crate::support::look::{Fate, look};
use crate::support::prove::{Size, size};
use crate::support::{Hourly, Runner, State, Step};
use annals::ErrorKind;
use annals::archive::Archive;
use annals::disk::sim::SimDisk;

/// Positions in a file where damage may go unnoticed, because nothing is there or nothing depends
/// on it.
struct Harmless {
    file: &'static str,
    place: &'static str,
    why: &'static str,
    /// Returns whether byte `at` is such a position.
    is: fn(&Golden, at: u64) -> bool,
}

/// The table in `docs/reliability.md`.
const HARMLESS: [Harmless; 9] = [
    Harmless {
        file: "index.redb",
        place: "everywhere",
        why: "a projection: what does not check out is made anew from the log; free pages hold nothing",
        is: |_, _| true,
    },
    Harmless {
        file: "LOCK",
        place: "everywhere",
        why: "holds nothing; the lock is the system's",
        is: |_, _| true,
    },
    Harmless {
        file: "NEWEST",
        place: "everywhere",
        why: "a witness to how long the log was; one that does not check out testifies nothing",
        is: |_, _| true,
    },
    Harmless {
        file: SEALED_JOURNAL,
        place: "everywhere",
        why: "all of it is in a segment and in packs; the file is used again from its start",
        is: |_, _| true,
    },
    Harmless {
        file: JOURNAL,
        place: "bytes 56 to 4,095",
        why: "the rest of the header's block, never read",
        is: |_, at| (56..4096).contains(&at),
    },
    Harmless {
        file: JOURNAL,
        place: "zeros behind the last frame and its terminator",
        why: "overwritten by what comes next; a frame there would have to carry the next number of this generation",
        is: |golden, at| at >= golden.used(JOURNAL),
    },
    Harmless {
        file: JOURNAL,
        place: "the up to 7 zeros that fill a frame",
        why: "belong to no field",
        is: |golden, at| {
            let content = golden.content(JOURNAL);
            let at = usize::try_from(at).expect("small");
            content[at..at.next_multiple_of(8).max(at + 1)]
                .iter()
                .all(|byte| *byte == 0)
        },
    },
    Harmless {
        file: SEGMENT,
        place: "lost as a whole",
        why: "as long as the journal file it was made of was not used again, which still holds its events",
        is: |_, _| false,
    },
    Harmless {
        file: "FORMAT",
        place: "the newline at its end, when it is cut off",
        why: "the checksum before it ends the file as well",
        is: |golden, at| at + 1 == golden.content("FORMAT").len() as u64,
    },
];

fn may_be_harmless(golden: &Golden, path: &str, damage: &Damage) -> bool {
    HARMLESS.iter().any(|place| {
        let whole = !matches!(
            damage,
            Damage::Flip { .. } | Damage::Set { .. } | Damage::Cut { .. }
        );
        let everywhere = place.place == "everywhere";
        place.file == path && (everywhere || whole || (place.is)(golden, damage.at()))
    })
}

/// Checks each damaged disk on two threads. Fails if damage went unnoticed where it matters.
fn look_at_all(what: &str, golden: &Golden, cases: &[(String, Damage)]) {
    let next = AtomicUsize::new(0);
    let total = Mutex::new((BTreeMap::<(String, Fate), usize>::new(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((path, damage)) = cases.get(next.fetch_add(1, Ordering::Relaxed))
                    else {
                        return;
                    };
                    let disk = golden.disk.snapshot();
                    damage.strike(golden, &disk, path).expect("there");
                    let unchanged = disk.fingerprint() == golden.disk.fingerprint();
                    let outcome = if unchanged {
                        Ok(Fate::Harmless)
                    } else {
                        look(&disk, &[&golden.state])
                    };
                    let mut total = total.lock().expect("nobody panicked");
                    match outcome {
                        Ok(Fate::Harmless)
                            if !unchanged && !may_be_harmless(golden, path, damage) =>
                        {
                            total.1.push(format!("{path}, {damage}: it went by unseen"));
                        }
                        Ok(fate) => *total.0.entry((path.clone(), fate)).or_default() += 1,
                        Err(why) => total.1.push(format!("{path}, {damage}: {why}")),
                    }
                }
            });
        }
    });
    let (outcomes, wrong) = total.into_inner().expect("nobody panicked");
    for ((path, outcome), count) in &outcomes {
        println!("  {what}, {path}: {count} {outcome:?}");
    }
    let told = |fate: Fate| -> usize {
        let counts = outcomes.iter().filter(|((_, of), _)| *of == fate);
        counts.map(|(_, count)| count).sum()
    };
    println!(
        "{what}: {}, told {}, harmless {}, silent {}",
        cases.len(),
        told(Fate::Told),
        told(Fate::Harmless),
        wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} went wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
}

/// Returns the strides between tested bits: for files that hold the only copy of something, and for
/// others.
fn strides() -> (usize, usize) {
    match size() {
        Size::Sample => (127, 8_001),
        // Not a multiple of eight, so that all bit positions and all bytes are sampled.
        Size::Short => (7, 997),
        Size::Long => (1, 7),
    }
}

/// Returns whether the whole file can be rebuilt from others.
fn is_spare(path: &str) -> bool {
    ["index.redb", SEALED_JOURNAL, "LOCK", "NEWEST"].contains(&path)
}

/// Returns the range of a file that has a meaning: all of it, or the used part of a journal file
/// and a little more.
fn places(golden: &Golden, path: &str, len: u64) -> std::ops::Range<u64> {
    if path == JOURNAL {
        0..len.min(golden.used(path) + 300)
    } else {
        0..len
    }
}

/// Returns whether `at` is skipped: the 4,040 bytes after a journal header are never read, so a
/// sample of them is enough.
fn is_sampled(path: &str, at: u64) -> bool {
    path == JOURNAL && (56..4096).contains(&at) && size() != Size::Long
}

#[test]
fn a_flipped_bit_is_told_or_did_no_harm() {
    let golden = Golden::new();
    let (stride, spare_stride) = strides();
    let mut cases = Vec::new();
    for (path, len) in golden.files() {
        let places = places(&golden, &path, len);
        let stride = if is_spare(&path) {
            spare_stride
        } else {
            stride
        };
        let bits = (places.start * 8..places.end * 8).step_by(stride);
        let bits = bits.filter(|bit| !is_sampled(&path, bit / 8) || bit % 13 == 0);
        cases.extend(bits.map(|bit| (path.clone(), Damage::Flip { bit })));
    }
    look_at_all("flips", &golden, &cases);
    if size() != Size::Sample {
        println!("| file | where | why |\n|---|---|---|");
        for place in &HARMLESS {
            println!("| `{}` | {} | {} |", place.file, place.place, place.why);
        }
    }
}

#[test]
fn a_byte_that_becomes_zeros_or_ones_is_told_or_did_no_harm() {
    let golden = Golden::new();
    let (stride, spare_stride) = strides();
    let mut cases = Vec::new();
    for (path, len) in golden.files() {
        let stride = if is_spare(&path) {
            spare_stride
        } else {
            stride
        };
        let places = places(&golden, &path, len).step_by(stride);
        for at in places.filter(|at| !is_sampled(&path, *at) || at % 13 == 0) {
            for byte in [0, 0xFF] {
                cases.push((path.clone(), Damage::Set { at, byte }));
            }
        }
    }
    look_at_all("bytes", &golden, &cases);
}

#[test]
fn a_file_cut_short_is_told_or_did_no_harm() {
    let golden = Golden::new();
    let (stride, spare_stride) = strides();
    let mut cases = Vec::new();
    for (path, len) in golden.files() {
        let stride = match (is_spare(&path), size()) {
            (true, _) => spare_stride,
            (false, Size::Sample) => stride,
            (false, _) => 1,
        };
        // A journal file is long and mostly zeros, and any wrong length is reported.
        let behind = (golden.used(&path)..len).step_by(spare_stride);
        let within = (0..golden.used(&path)).step_by(stride);
        cases.extend(
            within
                .chain(behind)
                .map(|len| (path.clone(), Damage::Cut { len })),
        );
    }
    look_at_all("cuts", &golden, &cases);
}

#[test]
fn a_block_that_is_zeroed_swapped_doubled_or_misplaced_is_told_or_did_no_harm() {
    let golden = Golden::new();
    let files = golden.files();
    let sparse = if size() == Size::Sample { 17 } else { 1 };
    let mut cases = Vec::new();
    for (path, file_bytes) in &files {
        for len in [512, 4096] {
            let blocks = file_bytes.div_ceil(len);
            // A few blocks of a long file of zeros, or of the index, stand for the others.
            let step = usize::try_from(blocks / 24 + 1).expect("small");
            for nth in (0..blocks).step_by(step) {
                let at = nth * len;
                cases.push((path.clone(), Damage::Zero { at, len }));
                for with in (nth + 1..blocks).step_by(step) {
                    let with = with * len;
                    cases.push((path.clone(), Damage::Swap { at, with, len }));
                    let (from, to) = (at, with);
                    cases.push((path.clone(), Damage::Double { from, to, len }));
                    let (from, to) = (to, from);
                    cases.push((path.clone(), Damage::Double { from, to, len }));
                }
                for (other, other_bytes) in &files {
                    if other != path && at < *other_bytes {
                        let meant = other.clone();
                        cases.push((path.clone(), Damage::Misplace { at, len, meant }));
                    }
                }
            }
        }
    }
    let cases: Vec<_> = cases.into_iter().step_by(sparse).collect();
    look_at_all("blocks", &golden, &cases);
}

#[test]
fn a_file_that_is_lost_emptied_blanked_exchanged_or_taken_back_is_told_or_heals() {
    let golden = Golden::new();
    let files = golden.files();
    let mut cases = Vec::new();
    for (path, _) in &files {
        cases.push((path.clone(), Damage::Lose));
        cases.push((path.clone(), Damage::Cut { len: 0 }));
        cases.push((path.clone(), Damage::Blank));
        for (other, _) in &files {
            let other = other.clone();
            cases.push((path.clone(), Damage::Exchange { other }));
        }
        for step in 0..golden.before.len() {
            cases.push((path.clone(), Damage::TakeBack { step }));
        }
    }
    look_at_all("files", &golden, &cases);
}

/// A store without its journal file showed no entries, as if there had never been any. Whatever
/// happened to a whole file, a user must be able to see it before trusting an answer.
#[test]
fn a_file_that_is_lost_cut_or_taken_back_is_known_or_every_answer_is_the_same() {
    let golden = Golden::new();
    let mut known = 0;
    for (path, len) in golden.files() {
        let older = (0..golden.before.len()).map(|step| Damage::TakeBack { step });
        let whole = [
            Damage::Lose,
            Damage::Cut { len: 0 },
            Damage::Cut { len: len / 2 },
        ];
        for damage in whole.into_iter().chain(older) {
            let disk = golden.disk.snapshot();
            damage.strike(&golden, &disk, &path).expect("there");
            disk.settle();
            let options = smallest(&Hourly::new()).access(annals::archive::Access::ReadOnly);
            let Ok(archive) = Archive::open_on(Arc::new(disk), options) else {
                continue;
            };
            let damage_known = archive.known_damage().expect("readable");
            let of_snapshot = archive.snapshot().and_then(|there| there.known_damage());
            assert_eq!(of_snapshot.expect("readable"), damage_known);
            known += u32::from(!damage_known.is_empty());
            if damage_known.is_empty() {
                let state = State::observe(&archive);
                let state = state.unwrap_or_else(|error| panic!("{path}, {damage}: {error}"));
                assert_eq!(state, golden.state, "{path}, {damage}");
            }
        }
    }
    assert!(known > 20, "only {known}");
}

/// Everything except the index was restored from an older copy. The index was rebuilt silently, and
/// nobody learned that newer entries were gone.
#[test]
fn a_log_taken_back_behind_the_index_is_told() {
    let (runner, before) = {
        // The index is written at the next seal. Before that it knows no more than an older log.
        let mut runner = Runner::create_as(SimDisk::new(), smallest).expect("made");
        let text = |seed| Step::Text {
            seed,
            len: 600,
            days: 0,
        };
        runner.run_all(&[text(1), Step::Seal]).expect("sound");
        let before = runner.disk.snapshot();
        runner
            .run_all(&[text(2), text(3), Step::Seal])
            .expect("sound");
        if let Some(archive) = runner.archive.take() {
            archive.close().expect("closed");
        }
        (runner, before)
    };
    let disk = runner.disk.snapshot();
    let of_log = |disk: &SimDisk| {
        let paths = disk.files().into_iter().map(|(path, _)| path);
        paths.filter(|path| path != "index.redb")
    };
    for path in of_log(&disk) {
        disk.lose(&path).expect("there");
    }
    // Among them is a journal file that was given back when the store was closed.
    for path in of_log(&before) {
        let old = before.content(&path).expect("there");
        disk.plant(&path, &old).expect("planted");
    }
    let archive =
        Archive::open_on(Arc::new(disk.clone()), smallest(&Hourly::new())).expect("to look");
    let damage = archive.damage().join("\n");
    assert!(damage.contains("taken back"), "{damage}");
    let new = annals::archive::NewEntry::new("ICT");
    let refused = archive
        .put(new.clone(), &b"x"[..])
        .map_err(|error| error.kind());
    assert_eq!(refused.map(|_| ()), Err(ErrorKind::Damaged));
    drop(archive);
    // Deleting the index confirms that the older log is wanted. It is an older store, and a
    // complete one.
    disk.lose("index.redb").expect("there");
    let archive = Archive::open_on(Arc::new(disk), smallest(&Hourly::new())).expect("opens");
    assert!(archive.damage().is_empty());
    archive.put(new, &b"x"[..]).expect("archived");
}

#[test]
fn an_index_of_any_bytes_is_made_anew_and_says_what_the_log_says() {
    let golden = Golden::new();
    for bytes in [
        Vec::new(),
        vec![0; 4096],
        vec![0xFF; 200_000],
        crate::support::noise(7, 65_536),
        golden.disk.content("FORMAT").expect("there"),
    ] {
        let disk = golden.disk.snapshot();
        disk.plant("index.redb", &bytes).expect("planted");
        assert_eq!(look(&disk, &[&golden.state]), Ok(Fate::Harmless));
    }
    let disk = golden.disk.snapshot();
    disk.lose("index.redb").expect("there");
    assert_eq!(look(&disk, &[&golden.state]), Ok(Fate::Harmless));
}

/// A bit flips in the middle of the log. Nothing may be cut off, the rest must stay readable, and
/// nothing may be written.
#[test]
fn a_damaged_event_keeps_the_store_read_only_and_the_rest_readable() {
    let mut runner = Runner::create_as(SimDisk::new(), smallest).expect("made");
    for seed in 0..5 {
        let text = Step::Text {
            seed,
            len: 600,
            days: 0,
        };
        runner.run(&text).expect("archived");
    }
    drop(runner.archive.take());
    let disk = runner.disk.snapshot();
    disk.settle();
    // The frame of the second archived source.
    let journal = disk.content("journal/0000.journal").expect("there");
    let needle = b"unit-2.csv";
    let at = journal
        .windows(needle.len())
        .position(|window| window == needle)
        .expect("it is in the journal");
    disk.flip_bit("journal/0000.journal", at as u64 * 8)
        .expect("there");
    let before = disk.content("journal/0000.journal").expect("there");
    let archive =
        Archive::open_on(Arc::new(disk.clone()), smallest(&Hourly::new())).expect("opened to look");
    assert_eq!(archive.damage().len(), 1, "{:?}", archive.damage());
    let new = annals::archive::NewEntry::new("ICT");
    let refused = archive.put(new, &b"x"[..]).map_err(|error| error.kind());
    assert_eq!(refused.map(|_| ()), Err(ErrorKind::Damaged));
    let mut readable = 0;
    for id in &runner.ids {
        if let Ok(Some(entry)) = archive
            .snapshot()
            .and_then(|snapshot| snapshot.entry(annals::id::EntryId(*id)))
            && archive.read_all(&entry.blake3, 1 << 20).is_ok()
        {
            readable += 1;
        }
    }
    assert_eq!(readable, 4, "all but the damaged one");
    drop(archive);
    let after = disk.content("journal/0000.journal").expect("there");
    assert!(before == after, "damaged bytes are kept as they are");
}
