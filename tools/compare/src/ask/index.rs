//! L. What the index takes for an entry with two attempts: after live work, made anew, and after
//! most entries went.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use annals::Archive;
use annals::archive::{NewAttempt, NewEntry, Options, Stats};
use annals::entry::{Outcome, Retention, Unit};
use annals::event::Source;
use annals::retention::{AsOf, Policy};
use annals::time::{Clock, SystemClock};

use super::Answer;
use crate::Result;
use crate::figures::{count, mib};
use crate::measure::{fresh_dir, taken};
use crate::put::CALLERS;
use crate::settings::Settings;

const CONVERTER: &str = "ICT CSV";
const ATTEMPTS: usize = 2;
/// Of ten entries, the ones that go.
const GO_OF_TEN: usize = 9;
/// Days of those that go, and of those that stay.
const DAYS: [u16; 2] = [1, 3_000];
/// How far ahead the rules are asked.
const LOOK_DAYS: i64 = 2;
/// An index shrinks if it ends at this much of what it was at the most.
const SHRUNK: f64 = 0.95;

pub(crate) fn answer(settings: &Settings) -> Result<Answer> {
    let mut answer = Answer::new(&["the index", "on disk", "entries", "bytes an entry"]);
    let entries = settings.size.pick(100_000, 5_000);
    let dir = fresh_dir(&settings.dir.join("index"))?;
    let archive = Archive::create(&dir, Options::default())?;
    work(&archive, entries)?;
    archive.seal()?;
    archive.close()?;
    let lived = index_bytes(&dir)?;

    let archive = Archive::open(&dir, Options::default())?;
    let before = archive.snapshot()?.stats()?;
    expect(&before, entries, 0)?;
    archive.rebuild()?;
    let after = archive.snapshot()?.stats()?;
    if (&before.statuses, &before.days) != (&after.statuses, &after.days) {
        return Err("the index that was made anew says something else".into());
    }
    archive.close()?;
    let rebuilt = index_bytes(&dir)?;

    let archive = Archive::open(&dir, Options::default())?;
    let look = AsOf::Vouched(SystemClock.now().plus_days(LOOK_DAYS));
    let plan = archive.plan_purge(&Policy::default().expired(true), look)?;
    archive.purge(&plan, "expired")?;
    archive.compact(None)?;
    let gone = entries / 10 * GO_OF_TEN;
    expect(&archive.snapshot()?.stats()?, entries - gone, gone)?;
    archive.close()?;
    let purged = index_bytes(&dir)?;

    for (when, bytes) in [
        ("after live work", lived),
        ("made anew", rebuilt),
        ("after nine of ten entries were purged", purged),
    ] {
        answer.row([
            when.to_owned(),
            mib(bytes),
            count(entries as f64),
            count(bytes / entries as f64),
        ]);
    }
    answer.note(format!(
        "{} entries with {ATTEMPTS} attempts each and a report in each attempt, from {CALLERS} callers. Blocks of the file, after the \
         store was closed. Purged entries stay in the index with their facts.",
        count(entries as f64)
    ));
    let per_entry = |bytes: f64| bytes / entries as f64;
    answer
        .at_most(
            "index, bytes an entry after live work",
            per_entry(lived),
            900.0,
        )
        .of(mib(lived), "");
    answer
        .at_most(
            "index, bytes an entry when made anew",
            per_entry(rebuilt),
            600.0,
        )
        .of(mib(rebuilt), "");
    answer
        .at_most(
            "index after most entries were purged: of what it took",
            purged / rebuilt,
            SHRUNK,
        )
        .of(mib(purged), mib(rebuilt));
    std::fs::remove_dir_all(dir)?;
    Ok(answer)
}

fn index_bytes(dir: &Path) -> Result<f64> {
    let is_index = |path: &Path| path.starts_with(dir.join("index.redb"));
    Ok(taken(dir, &is_index)?.allocated as f64)
}

fn expect(stats: &Stats, entries: usize, purged: usize) -> Result<()> {
    if (stats.entries, stats.purged) == (entries as u64, purged as u64) {
        Ok(())
    } else {
        Err(format!(
            "{} entries are there, {} purged",
            stats.entries, stats.purged
        )
        .into())
    }
}

/// Archives the entries and records the attempts of each, as many at a time as there are callers.
fn work(archive: &Archive, entries: usize) -> Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| -> Result<()> {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| -> annals::Result<()> {
                    loop {
                        let nth = next.fetch_add(1, Ordering::Relaxed);
                        if nth >= entries {
                            return Ok(());
                        }
                        let content = format!("Serial;K2510-{nth:07}\nResult;PASS\n");
                        let id = archive.put(entry(nth), content.as_bytes())?.id;
                        for attempt in 0..ATTEMPTS {
                            let report = format!("{{\"unit\":{nth},\"attempt\":{attempt}}}");
                            let attempt = NewAttempt::new(Outcome::Success, CONVERTER)
                                .duration_ms(40)
                                .reports(vec![report.into_bytes()]);
                            archive.record_attempt(id, attempt)?;
                        }
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().map_err(|_| "a caller panicked")??;
        }
        Ok(())
    })
}

/// What a host knows of the nth file.
fn entry(nth: usize) -> NewEntry {
    let days = DAYS[usize::from(nth % 10 >= GO_OF_TEN)];
    let serial = format!("K2510-{nth:07}");
    NewEntry::new(CONVERTER)
        .converter_version("1.4.0")
        .retention(Retention::days(days))
        .source(
            Source::default()
                .name(format!("{serial}.csv"))
                .path(format!("/data/in/{serial}.csv")),
        )
        .unit(
            Unit::default()
                .serial(serial)
                .part(format!("118-44{:02}", nth % 40))
                .station(format!("ICT-{:02}", nth % 7))
                .process("10"),
        )
}
