//! Bytes rot, files are cut short, lost, emptied, swapped or replaced by old copies. Whatever is damaged, nothing panics,
//! nothing hangs, and nobody is ever handed bytes that are not the ones that were archived. Damage is told, or did no harm;
//! the index, which can be made anew, heals by itself.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use annals::archive::{Archive, Depth};
use annals::disk::sim::SimDisk;
use annals::entry::Outcome;
use annals::{ErrorKind, Result};
use support::{Hourly, Runner, State, Step, tiny};

/// Every bit and every length with `ANNALS_DAMAGE=all`.
fn all_damage() -> bool {
    std::env::var("ANNALS_DAMAGE").is_ok_and(|damage| damage == "all")
}

/// The first journal file of the golden store, all of which is in a segment.
const SEALED_JOURNAL: &str = "journal/0000.journal";

/// A small store with a sealed segment, packs and a journal with two events in it, and what it must say.
struct Golden {
    disk: SimDisk,
    state: State,
}

impl Golden {
    fn new() -> Self {
        let mut runner = Runner::create(SimDisk::new()).expect("made");
        let text = |seed, len| Step::Text { seed, len, days: 0 };
        runner
            .run_all(&[
                text(1, 600),
                Step::Noise {
                    seed: 2,
                    len: (1 << 20) + 9,
                },
                Step::Attempt {
                    entry: 0,
                    outcome: Outcome::Success,
                    reports: 1,
                    len: 300,
                },
                Step::Seal,
                text(3, 600),
                Step::Hold { name: 1, entry: 2 },
            ])
            .expect("a sound disk");
        if let Some(archive) = runner.archive.take() {
            archive.close().expect("closed");
        }
        let disk = runner.disk.snapshot();
        disk.settle();
        Self {
            disk,
            state: runner.state,
        }
    }

    fn files(&self) -> Vec<(String, u64)> {
        self.disk.files()
    }
}

/// What came of some damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// The store is as it was, and verify finds nothing.
    Harmless,
    /// An error, a damage line or a finding says so.
    Told,
}

/// Opens a damaged store, reads all of it, and verifies it. An error says that the damage went by unseen or did worse.
fn look(disk: &SimDisk, golden: &Golden) -> Result<Fate, String> {
    let archive = match Archive::open_on(Arc::new(disk.clone()), tiny(&Hourly::new())) {
        Ok(archive) => archive,
        Err(error) if error.message().contains("BUG") => return Err(error.to_string()),
        Err(_) => return Ok(Fate::Told),
    };
    let mut told = !archive.damage().is_empty();
    let observed = State::observe(&archive);
    match archive.verify(Depth::Deep) {
        Ok(report) => told |= !report.ok,
        Err(_) => told = true,
    }
    // A torn tail that was cut is told by an event.
    let leaves: Result<Vec<_>> = archive
        .events(annals::id::EventSeq(1), None)
        .and_then(Iterator::collect);
    match leaves {
        Ok(leaves) => {
            told |= leaves
                .iter()
                .any(|leaf| leaf.line.contains("annals.recovered"));
        }
        Err(_) => told = true,
    }
    let closed = archive.close();
    if let Err(error) = &closed
        && error.message().contains("BUG")
    {
        return Err(error.to_string());
    }
    match observed {
        Err(error) if error.kind() == ErrorKind::NotFound && !told => {
            Err(format!("it calls damaged content unknown: {error}"))
        }
        Err(_) => Ok(Fate::Told),
        Ok(state) if state == golden.state => Ok(if told { Fate::Told } else { Fate::Harmless }),
        Ok(_) if told => Ok(Fate::Told),
        Ok(state) => Err(format!(
            "nothing is told, and {}",
            golden.state.difference(&state)
        )),
    }
}

/// At which places of a file damage had which outcome.
type Outcomes = BTreeMap<(String, Fate), Vec<u64>>;

/// Looks at each damaged disk on two threads; answers for each the place and what came of it.
fn look_at_all(
    golden: &Golden,
    cases: &[(String, u64, u8)],
    damage: impl Fn(&SimDisk, &str, u64, u8) + Sync,
) -> (Outcomes, Vec<String>) {
    let mut outcomes = Outcomes::new();
    let mut wrong = Vec::new();
    let damage = &damage;
    thread::scope(|scope| {
        let half = cases.len().div_ceil(2).max(1);
        let workers: Vec<_> = cases
            .chunks(half)
            .map(|part| {
                scope.spawn(move || {
                    let mut looked = Vec::new();
                    for (path, at, how) in part {
                        let disk = golden.disk.snapshot();
                        damage(&disk, path, *at, *how);
                        looked.push((path.clone(), *at, look(&disk, golden)));
                    }
                    looked
                })
            })
            .collect();
        for worker in workers {
            for (path, at, outcome) in worker.join().expect("nothing panics") {
                match outcome {
                    Ok(outcome) => outcomes.entry((path, outcome)).or_default().push(at),
                    Err(why) => wrong.push(format!("{path} at {at}: {why}")),
                }
            }
        }
    });
    (outcomes, wrong)
}

fn print(what: &str, outcomes: &BTreeMap<(String, Fate), Vec<u64>>) {
    for ((path, outcome), places) in outcomes {
        println!(
            "{what} {path}: {outcome:?} {} (from {} to {})",
            places.len(),
            places[0],
            places[places.len() - 1]
        );
    }
}

fn assert_none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} went wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
}

/// Where a flipped bit may go unseen because nothing is there.
fn may_be_harmless(golden: &Golden, path: &str, at: u64) -> bool {
    // Pages of the index that are free or are made anew from the log; a journal file all of which was sealed.
    if path == "index.redb" || path == SEALED_JOURNAL {
        return true;
    }
    if !path.starts_with("journal/") {
        return false;
    }
    // The padding of the header, and what lies behind the last frame and its terminator.
    let content = golden.disk.content(path).expect("there");
    (56..4096).contains(&at) || content[usize::try_from(at).expect("small")] == 0
}

#[test]
fn a_flipped_bit_is_told_or_did_no_harm() {
    let golden = Golden::new();
    let mut cases = Vec::new();
    for (path, len) in golden.files() {
        // Files of the index and of chunked content are long; every byte of their first and last block is flipped, and
        // places all over the rest.
        let stride = if all_damage() || len < 3_000 {
            1
        } else {
            len / 150
        };
        let mut at = 0;
        while at < len {
            cases.push((path.clone(), at, u8::try_from(at % 8).expect("small")));
            let edge = at < 130 || (4_090..4_300).contains(&at) || len - at < 130;
            at += if edge { 1 } else { stride.max(1) };
        }
    }
    let (outcomes, wrong) = look_at_all(&golden, &cases, |disk, path, at, bit| {
        disk.flip_bit(path, at * 8 + u64::from(bit)).expect("there");
    });
    print("flips", &outcomes);
    println!("flips {}, silent {}", cases.len(), wrong.len());
    assert_none(&wrong);
    for ((path, outcome), places) in outcomes {
        if outcome == Fate::Harmless {
            let unexpected: Vec<u64> = places
                .into_iter()
                .filter(|at| !may_be_harmless(&golden, &path, *at))
                .collect();
            assert!(unexpected.is_empty(), "{path}: unseen at {unexpected:?}");
        }
    }
}

#[test]
fn a_file_cut_short_is_told_or_did_no_harm() {
    let golden = Golden::new();
    let mut cases = Vec::new();
    for (path, len) in golden.files() {
        let stride = if all_damage() || len < 200 {
            1
        } else {
            len / 40
        };
        let mut at = 0;
        while at < len {
            cases.push((path.clone(), at, 0));
            at += stride.max(1);
        }
    }
    let (outcomes, wrong) = look_at_all(&golden, &cases, |disk, path, len, _| {
        disk.truncate(path, len).expect("there");
    });
    print("cuts", &outcomes);
    println!("cuts {}, silent {}", cases.len(), wrong.len());
    assert_none(&wrong);
    for ((path, outcome), places) in outcomes {
        // The lock holds nothing, and the header ends with a newline that it can do without.
        let heals = ["index.redb", "LOCK", "FORMAT", SEALED_JOURNAL].contains(&path.as_str());
        let newline = path != "FORMAT" || places.len() == 1;
        assert!(
            outcome == Fate::Told || heals && newline,
            "{path}: unseen at {places:?}"
        );
    }
}

#[test]
fn a_file_that_is_lost_emptied_zeroed_or_swapped_is_told_or_heals() {
    let golden = Golden::new();
    let files = golden.files();
    let mut cases = Vec::new();
    for (path, _) in &files {
        for how in 0..3 {
            cases.push((path.clone(), 0, how));
        }
        for other in 0..files.len() {
            cases.push((path.clone(), other as u64, 3));
        }
    }
    let (outcomes, wrong) = look_at_all(&golden, &cases, |disk, path, other, how| match how {
        0 => disk.lose(path).expect("there"),
        1 => disk.truncate(path, 0).expect("there"),
        2 => {
            let len = disk.content(path).expect("there").len();
            disk.overwrite(path, 0, &vec![0; len]).expect("there");
        }
        _ => {
            let (from, _) = &files[usize::try_from(other).expect("small")];
            let (ours, theirs) = (
                disk.content(path).expect("there"),
                disk.content(from).expect("there"),
            );
            disk.plant(path, &theirs).expect("planted");
            disk.plant(from, &ours).expect("planted");
        }
    });
    print("files", &outcomes);
    println!("files {}, silent {}", cases.len(), wrong.len());
    assert_none(&wrong);
}

#[test]
fn an_index_of_any_bytes_is_made_anew_and_says_what_the_log_says() {
    let golden = Golden::new();
    for bytes in [
        Vec::new(),
        vec![0; 4096],
        vec![0xFF; 200_000],
        support::noise(7, 65_536),
        golden.disk.content("FORMAT").expect("there"),
    ] {
        let disk = golden.disk.snapshot();
        disk.plant("index.redb", &bytes).expect("planted");
        assert_eq!(look(&disk, &golden), Ok(Fate::Harmless));
    }
    let disk = golden.disk.snapshot();
    disk.lose("index.redb").expect("there");
    assert_eq!(look(&disk, &golden), Ok(Fate::Harmless));
}

/// A flipped bit in the middle of the log: nothing is cut off, the rest stays readable, and nothing is written.
#[test]
fn a_damaged_event_keeps_the_store_read_only_and_the_rest_readable() {
    let mut runner = Runner::create(SimDisk::new()).expect("made");
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
    // The second archived source's frame.
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
        Archive::open_on(Arc::new(disk.clone()), tiny(&Hourly::new())).expect("opened to look");
    assert_eq!(archive.damage().len(), 1, "{:?}", archive.damage());
    let new = annals::archive::NewEntry {
        converter: "ICT".to_owned(),
        ..Default::default()
    };
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
