//! E. Content that goes: how long it takes until its bytes are given back, and what other callers
//! notice of it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use annals::Archive;
use annals::archive::{NewEntry, Options};
use annals::entry::Retention;
use annals::retention::{AsOf, Policy};
use annals::time::{Clock, SystemClock, Timestamp};

use super::Answer;
use crate::Result;
use crate::figures::{count, median, mib, ms, percentile, seconds};
use crate::keep::sqlite::Rows;
use crate::keep::{Table, record};
use crate::measure::{fresh_dir, taken};
use crate::put::CALLERS;
use crate::reports::Format;
use crate::settings::Settings;

/// Retention of the three parts of the store, in days: the first purge takes the first part, the
/// second the second.
const DAYS: [u16; 3] = [1, 20, 3_000];
/// How far ahead the rules are asked: after the first and after the second part expired.
const LOOK_DAYS: [i64; 2] = [2, 22];
const SMALL_LEVEL: i32 = 1;

/// How many entries go, and how many stay.
struct Plan {
    goes: [usize; 2],
    stays: usize,
}

/// One purge, and a caller beside it who writes one file after the other.
struct Seen {
    took: f64,
    freed: u64,
    p99_before: f64,
    p99_during: f64,
    writes_during: usize,
}

pub(crate) fn answer(settings: &Settings) -> Result<Answer> {
    let mut answer = Answer::new(&[
        "who",
        "entries purged",
        "until their bytes are free",
        "freed on disk",
        "a writer's p99 before",
        "during",
        "ratio",
        "its writes meanwhile",
    ]);
    let plan = Plan {
        goes: [1_000, settings.size.pick(100_000, 3_000)],
        stays: settings.size.pick(10_000, 1_000),
    };
    // Each round fills a store of its own, which is what takes long.
    let rounds = settings.rounds.min(3);
    let (mut ours, mut theirs): (Vec<[Seen; 2]>, Vec<[Seen; 2]>) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        eprintln!("  round {} of {rounds}", round + 1);
        ours.push(annals(settings, &plan)?);
        theirs.push(sqlite(settings, &plan)?);
    }
    for (nth, goes) in plan.goes.into_iter().enumerate() {
        let mut medians = Vec::new();
        for (name, rounds) in [
            ("annals", &ours),
            ("SQLite, DELETE and incremental_vacuum", &theirs),
        ] {
            let of = |pick: &dyn Fn(&Seen) -> f64| {
                median(
                    &mut rounds
                        .iter()
                        .map(|round| pick(&round[nth]))
                        .collect::<Vec<f64>>(),
                )
            };
            let took = of(&|seen| seen.took);
            let (before, during) = (of(&|seen| seen.p99_before), of(&|seen| seen.p99_during));
            answer.row([
                name.to_owned(),
                count(goes as f64),
                ms(took),
                mib(of(&|seen| seen.freed as f64)),
                ms(before),
                ms(during),
                format!("{:.2}", during / before),
                count(of(&|seen| seen.writes_during as f64)),
            ]);
            medians.push((took, before, during));
        }
        let [(took, before, during), (theirs, ..)] = medians[..] else {
            continue;
        };
        let what = format!("purge of {}", count(goes as f64));
        answer
            .at_most(
                &format!("{what}: of SQLite's DELETE and vacuum"),
                took / theirs,
                if nth == 0 { 0.6 } else { 0.3 },
            )
            .of(ms(took), ms(theirs));
        answer
            .at_most(
                &format!("a writer's p99 beside the {what}: of its p99 before"),
                during / before,
                3.0,
            )
            .of(ms(during), ms(before));
    }
    answer.note(format!(
        "A store of {} files of 8.5 KB; medians of {rounds} stores. annals: `purge` of a plan made before, for what expired, which \
         records it, unlinks the packs and makes zeros of the journal. SQLite: one DELETE, then incremental_vacuum and a checkpoint of \
         the WAL. A ratio of few writes is its slowest write.",
        count((plan.goes[0] + plan.goes[1] + plan.stays) as f64)
    ));
    Ok(answer)
}

/// Runs `purge`, which answers the bytes it gave back, while a caller writes; `write` says how it
/// writes its nth file.
fn beside_a_writer(
    settings: &Settings,
    mut write: impl FnMut(usize) -> Result<()> + Send,
    purge: impl FnOnce() -> Result<u64>,
) -> Result<Seen> {
    let (stop, purging) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let writer = scope.spawn(|| -> Result<(Vec<f64>, Vec<f64>)> {
            let (mut quiet, mut busy) = (Vec::new(), Vec::new());
            for nth in 0.. {
                let began = Instant::now();
                write(nth)?;
                let took = seconds(began.elapsed());
                if purging.load(Ordering::Relaxed) {
                    &mut busy
                } else {
                    &mut quiet
                }
                .push(took);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            Ok((quiet, busy))
        });
        thread::sleep(Duration::from_millis(settings.size.pick(3_000, 300) as u64));
        purging.store(true, Ordering::Relaxed);
        let began = Instant::now();
        let purged = purge();
        let took = seconds(began.elapsed());
        stop.store(true, Ordering::Relaxed);
        let (mut quiet, mut busy) = writer.join().map_err(|_| "the writer panicked")??;
        Ok(Seen {
            took,
            freed: purged?,
            p99_before: percentile(&mut quiet, 99),
            writes_during: busy.len(),
            p99_during: percentile(&mut busy, 99),
        })
    })
}

fn annals(settings: &Settings, plan: &Plan) -> Result<[Seen; 2]> {
    let dir = fresh_dir(&settings.dir.join("purge-annals"))?;
    let archive = Archive::create(&dir, Options::default())?;
    let parts = [plan.goes[0], plan.goes[1], plan.stays];
    let next = AtomicUsize::new(0);
    thread::scope(|scope| -> Result<()> {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| -> annals::Result<()> {
                    loop {
                        let nth = next.fetch_add(1, Ordering::Relaxed);
                        let Some(part) = part(&parts, nth) else {
                            return Ok(());
                        };
                        let content = Format::Csv.file(settings.seed, nth);
                        archive.put(kept_for(DAYS[part]), content.as_slice())?;
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().map_err(|_| "a caller panicked")??;
        }
        Ok(())
    })?;
    archive.seal()?;
    let filled: usize = parts.iter().sum();
    let mut seen = Vec::new();
    for (nth, days) in LOOK_DAYS.into_iter().enumerate() {
        let policy = Policy::default().expired(true);
        let now: Timestamp = SystemClock.now().plus_days(days);
        let purge = archive.plan_purge(&policy, AsOf::Vouched(now))?;
        if purge.count != plan.goes[nth] as u64 {
            return Err(format!("{} of {} would go", purge.count, plan.goes[nth]).into());
        }
        let fresh = filled + nth * 1_000_000;
        seen.push(beside_a_writer(
            settings,
            |at| {
                let content = Format::Csv.file(settings.seed, fresh + at);
                archive.put(kept_for(DAYS[2]), content.as_slice())?;
                Ok(())
            },
            || Ok(archive.purge(&purge, "expired")?.reclaim?.bytes_freed),
        )?);
        let left = dir.join(format!("packs/{}d", DAYS[nth]));
        if left.exists() && taken(&left, &|_| true)?.length > 0 {
            return Err("annals left packs behind".into());
        }
    }
    let left = archive.snapshot()?.stats()?;
    if left.purged != (plan.goes[0] + plan.goes[1]) as u64 {
        return Err("annals purged something else".into());
    }
    archive.close()?;
    std::fs::remove_dir_all(dir)?;
    seen.try_into().map_err(|_| "two purges".into())
}

fn kept_for(days: u16) -> NewEntry {
    NewEntry::new("ICT CSV").retention(Retention::days(days))
}

/// Which part of the store the nth entry belongs to.
fn part(parts: &[usize; 3], nth: usize) -> Option<usize> {
    let mut end = 0;
    parts.iter().position(|part| {
        end += part;
        nth < end
    })
}

fn sqlite(settings: &Settings, plan: &Plan) -> Result<[Seen; 2]> {
    let dir = fresh_dir(&settings.dir.join("purge-sqlite"))?;
    let mut rows = Rows::open(&dir)?;
    let filled: usize = plan.goes.iter().sum::<usize>() + plan.stays;
    let mut compressor = zstd::bulk::Compressor::new(SMALL_LEVEL)?;
    let name = Path::new("file");
    let mut group = Vec::new();
    for nth in 0..filled {
        group.push(record(
            nth,
            name,
            &Format::Csv.file(settings.seed, nth),
            &mut compressor,
        )?);
        if group.len() == 1_000 || nth + 1 == filled {
            rows.commit(&group)?;
            group.clear();
        }
    }
    rows.settle()?;
    let mut seen = Vec::new();
    let mut below = 0;
    for (nth, goes) in plan.goes.into_iter().enumerate() {
        below += goes;
        let fresh = filled + nth * 1_000_000;
        let mut writer = Rows::open(&dir)?;
        seen.push(beside_a_writer(
            settings,
            |at| {
                let content = Format::Csv.file(settings.seed, fresh + at);
                let record = record(fresh + at, name, &content, &mut compressor)?;
                writer.commit(&[record])
            },
            || {
                rows.0
                    .execute("DELETE FROM files WHERE id < ?1", [below as i64])?;
                let freed = rows.free_bytes()?;
                rows.give_back()?;
                rows.settle()?;
                Ok(freed)
            },
        )?);
    }
    drop(rows);
    std::fs::remove_dir_all(dir)?;
    seen.try_into().map_err(|_| "two purges".into())
}
