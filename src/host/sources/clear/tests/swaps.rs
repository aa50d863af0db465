//! Tests a thousand swaps of a name in a watch folder, while the host reads the files and clears
//! them away.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, yield_now};
use std::time::{Duration, Instant};

use super::{ACTIONS, Bench};
use crate::host::config::settings::Links;
use crate::host::sources::fingerprint::Fingerprint;
use crate::host::sources::shape::Shape;
use crate::host::sources::source::Source;
use crate::id::BlobId;
use crate::{ErrorKind, Result};

/// Number of swaps of a name under each of the four actions.
const SWAPS: usize = 250;
/// Time limit, so that a slow machine does fewer swaps.
const TIME_MAX: Duration = Duration::from_secs(2);
/// After this time the test counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(20);
const SECRET: &str = "what nobody may get at through a watch folder";

fn unit(number: usize) -> String {
    format!("unit {number}")
}

/// Puts results and links under one name as fast as it can. Returns the results that the host took.
fn swap(bench: &Bench) -> BTreeSet<BlobId> {
    let name = bench.at("in/result.csv");
    let is_taken = || !fs::symlink_metadata(&name).is_ok_and(|found| found.is_file());
    let began = Instant::now();
    let mut taken = BTreeSet::new();
    for number in 0..SWAPS {
        if began.elapsed() > TIME_MAX {
            break;
        }
        let next = bench.at("next");
        if number % 3 == 1 {
            symlink(bench.at("secret"), &next).expect("linked");
        } else {
            fs::write(&next, unit(number)).expect("written");
        }
        fs::rename(&next, &name).expect("renamed");
        // Most results are replaced at some moment while they are read, every third one never.
        let placed = Instant::now();
        let while_read = Duration::from_micros(number as u64 % 50 * 40);
        while match number % 3 {
            2 => !is_taken(),
            _ => placed.elapsed() < while_read,
        } {
            assert!(placed.elapsed() < STUCK_AFTER, "nobody takes a result");
            yield_now();
        }
        if number % 3 == 2 {
            taken.insert(BlobId::of(unit(number).as_bytes()));
        }
    }
    taken
}

/// Returns the names in the watch folder, except links. A link may come back after the last swap:
/// it was set aside, and is put back.
fn files(bench: &Bench) -> Vec<String> {
    let is_link = |name: &String| {
        fs::symlink_metadata(bench.at("in").join(name)).is_ok_and(|found| found.is_symlink())
    };
    let mut names = bench.names("in");
    names.retain(|name| !is_link(name));
    names
}

/// Clears away what it has read until the swaps end. Returns the contents that it cleared away.
fn clear(
    bench: &Bench,
    over: &AtomicBool,
    act: fn(Source<'_>, &Path) -> Result<()>,
) -> Vec<BlobId> {
    let began = Instant::now();
    let mut cleared = Vec::new();
    loop {
        let is_over = over.load(Ordering::Acquire);
        let left = files(bench);
        if is_over && left.is_empty() {
            break;
        }
        assert!(began.elapsed() < STUCK_AFTER, "{left:?} is left");
        for name in left {
            let path = bench.at("in").join(name);
            let Ok(Some(seen)) = Fingerprint::of(&path, &Shape::File(Links::Skip)) else {
                continue;
            };
            let source = Source {
                path: &path,
                seen: &seen,
                within: None,
                marker: None,
            };
            match act(source, &bench.at("done")) {
                Ok(()) => cleared.push(seen.content),
                Err(error) => {
                    let kinds = [ErrorKind::Changed, ErrorKind::Refused];
                    assert!(kinds.contains(&error.kind()), "{error}");
                }
            }
        }
    }
    cleared
}

/// A result that replaces one that was just read must not be cleared away unread. A link that is
/// there for a moment must lead nowhere.
#[test]
fn a_thousand_swaps_of_a_name_clear_away_only_what_was_read() -> io::Result<()> {
    for act in ACTIONS {
        let bench = Bench::new();
        fs::write(bench.at("secret"), SECRET)?;
        let over = AtomicBool::new(false);
        let (taken, cleared) = scope(|scope| {
            let swapping = scope.spawn(|| {
                let taken = swap(&bench);
                over.store(true, Ordering::Release);
                taken
            });
            let cleared = clear(&bench, &over, act);
            (swapping.join().expect("swapped"), cleared)
        });
        let once: BTreeSet<BlobId> = cleared.iter().copied().collect();
        assert_eq!(once.len(), cleared.len(), "one was cleared away twice");
        let unread = taken.difference(&once).count();
        assert_eq!(unread, 0, "of {} were cleared away unread", taken.len());
        assert!(!once.contains(&BlobId::of(SECRET.as_bytes())));
        assert_eq!(bench.text("secret"), SECRET);
        for name in bench.names("done") {
            let found = fs::symlink_metadata(bench.at("done").join(&name))?;
            assert!(found.is_file(), "{name} is no file");
            let content = fs::read(bench.at("done").join(&name))?;
            let leaked = content
                .windows(SECRET.len())
                .any(|part| part == SECRET.as_bytes());
            assert!(!leaked, "{name}");
        }
    }
    Ok(())
}
