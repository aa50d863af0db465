//! A store of 1,000,000 entries: asking it, opening it, making its index anew, and the memory of a
//! process that holds it. `ANNALS_BENCH_ENTRIES` makes it another number, to see what costs grow
//! with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Instant;

use annals::archive::{Access, NewAttempt, NewEntry, Options, Snapshot};
use annals::entry::{Meta, Outcome, Status, Unit};
use annals::event::{JobStarted, Source};
use annals::id::JobId;
use annals::query::{Filter, Purged, Query};
use annals::time::{Clock, SystemClock, Timestamp};
use annals::{Archive, archive};

use crate::callers::ict_entry;
use crate::put::{CALLERS, put_all};
use crate::table::{Row, Table, Target, count, median, mib, ms, seconds};
use crate::{ROUNDS, Result, fresh_dir};

/// How many entries the store has.
pub(crate) static ENTRIES: LazyLock<u64> =
    LazyLock::new(|| match std::env::var("ANNALS_BENCH_ENTRIES") {
        Ok(number) => number.parse().expect("ANNALS_BENCH_ENTRIES is a number"),
        Err(_) => 1_000_000,
    });
/// Part of the folder's name: another number makes the store anew.
const LAYOUT: u32 = 1;
const ENTRY_EVERY_S: i64 = 95;
/// 2023-01-02 06:00:00 UTC, in microseconds since 1970.
const FIRST_MICROS: i64 = 1_672_639_200_000_000;
const CONVERTERS: [&str; 6] = [
    "ICT CSV",
    "JUnit XML",
    "FCT JSONL",
    "STDF",
    "Boundary Scan",
    "AOI",
];
const PAGE: usize = 100;

/// Three years of a plant, entry by entry the same on every machine. Made once and kept in `dir`.
pub(crate) fn store(dir: &Path) -> Result<PathBuf> {
    let store = dir.join(format!("entries-{}-{LAYOUT}", *ENTRIES));
    if Archive::is_store(&store) {
        match Archive::open(&store, Options::default()) {
            Ok(archive) if archive.snapshot()?.count(&Filter::default())? >= *ENTRIES => {
                archive.close()?;
                return Ok(store);
            }
            _ => eprintln!("  {} is of another version or half made", store.display()),
        }
    }
    eprintln!(
        "  making {} ({} entries, once)",
        store.display(),
        count(*ENTRIES as f64)
    );
    let half_made = fresh_dir(&dir.join("entries-half-made"))?;
    let began = Instant::now();
    fill(&half_made)?;
    let _ = std::fs::remove_dir_all(&store);
    std::fs::rename(&half_made, &store)?;
    eprintln!("  made in {:.0} s", seconds(began.elapsed()));
    Ok(store)
}

/// Each question for the time moves it on a little.
struct PlantClock {
    micros: AtomicI64,
}

impl Clock for PlantClock {
    fn now(&self) -> Timestamp {
        let step = ENTRY_EVERY_S * 700_000;
        Timestamp::from_micros(self.micros.fetch_add(step, Ordering::Relaxed))
    }

    fn monotonic_ms(&self) -> u64 {
        SystemClock.monotonic_ms()
    }

    fn boot(&self) -> &'static str {
        "bench"
    }
}

fn fill(dir: &Path) -> Result<()> {
    let options = Options::default().clock(Arc::new(PlantClock {
        micros: AtomicI64::new(FIRST_MICROS),
    }));
    let archive = Archive::create(dir, options)?;
    let job = archive.start_job(
        JobStarted::new("reprocess", *ENTRIES / 100)
            .selection("{}")
            .converter_version("current")
            .params("recorded"),
        &[],
    )?;
    let job = job.job();
    let next = AtomicU64::new(0);
    thread::scope(|scope| -> Result<()> {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| -> annals::Result<()> {
                    loop {
                        let nth = next.fetch_add(1, Ordering::Relaxed);
                        if nth >= *ENTRIES {
                            return Ok(());
                        }
                        if nth.is_multiple_of(100_000) {
                            eprintln!("  {nth}");
                        }
                        add(&archive, nth, job)?;
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
    archive.close()?;
    Ok(())
}

fn serial(nth: u64) -> String {
    format!("K{:02}-{nth:07}", nth % 53)
}

fn add(archive: &Archive, nth: u64, job: JobId) -> annals::Result<()> {
    let converter = CONVERTERS[usize::try_from(nth * 7 % 11).unwrap_or(0) % CONVERTERS.len()];
    let serial = serial(nth);
    let meta: Meta = [
        ("line".to_owned(), format!("L{}", nth % 8)),
        ("order".to_owned(), format!("WO-{:05}", nth / 200)),
    ]
    .into_iter()
    .collect();
    let content = format!("Serial;{serial}\nResult;{}\n", nth % 17);
    let new = {
        let mut new = NewEntry::new(converter.to_owned())
            .converter_version(format!("1.{}.0", nth / 250_000))
            .source(
                Source::default()
                    .name(format!("{serial}_{:06}.csv", nth * 37 % 1_000_000))
                    .path(format!("/data/in/{serial}.csv")),
            )
            .unit(
                Unit::default()
                    .serial(serial)
                    .part(format!("118-{:04}", nth * 31 % 400))
                    .station(format!("ICT-{:02}", nth % 40))
                    .process(format!("{}", 10 * (1 + nth % 12))),
            );
        new.meta = meta;
        new
    };
    let archived = archive.put(new, content.as_bytes())?;
    if nth.is_multiple_of(3) {
        let failed = nth.is_multiple_of(15);
        let attempt = archive.record_attempt(archived.id, {
            let mut attempt = NewAttempt::new(
                if failed {
                    Outcome::Failed
                } else {
                    Outcome::Success
                },
                converter,
            )
            .duration_ms(40)
            .reports(if failed {
                Vec::new()
            } else {
                vec![format!("{{\"n\":{nth}}}").into_bytes()]
            });
            attempt.error = failed.then(|| format!("limit exceeded at R{}", nth % 997));
            attempt.job = nth.is_multiple_of(99).then_some(job);
            attempt
        })?;
        if !failed && nth.is_multiple_of(21) {
            archive.record_submission(archived.id, attempt, 0, &format!("R-{nth:08}"), None)?;
        }
    }
    Ok(())
}

/// A question and how its answer is asked for.
struct Question {
    name: &'static str,
    query: Query,
}

fn questions(archive: &Archive) -> Result<Vec<Question>> {
    let job = archive.jobs()?.first().map(|job| job.id);
    let day = |text: &str| text.parse::<Timestamp>().map(Some);
    let all = Filter::default;
    let nth = 654_321;
    let plain = |name, filter| Question {
        name,
        query: Query::default().filter(filter).limit(PAGE),
    };
    let sorted = |name, filter, sort: &str| -> Result<Question> {
        Ok(Question {
            name,
            query: Query::default()
                .filter(filter)
                .sort(sort.parse()?)
                .limit(PAGE),
        })
    };
    let stdf = || all().converter("STDF");
    let failed = || all().status(Status::Failed);
    let month = || -> Result<Filter> {
        Ok({
            let mut filter = all();
            filter.from = day("2024-03-01T00:00:00+01:00")?;
            filter.to = day("2024-04-01T00:00:00+01:00")?;
            filter
        })
    };
    Ok(vec![
        plain("everything", all()),
        plain("--converter", stdf()),
        plain("--converter-version", all().converter_version("1.2.0")),
        plain("--status failed", failed()),
        plain("--from --to, a month", month()?),
        plain("--serial", all().serial(serial(nth))),
        plain("--part", all().part("118-0123")),
        plain("--station", all().station("ICT-17")),
        plain("--process", all().process("50")),
        plain("--file 'K17-06*.csv'", all().file("K17-06*.csv")),
        plain("--file '*_123456.csv'", all().file("*_123456.csv")),
        plain(
            "--meta order",
            all().meta(vec![("order".to_owned(), "WO-03210".to_owned())]),
        ),
        plain(
            "--meta line",
            all().meta(vec![("line".to_owned(), "L3".to_owned())]),
        ),
        plain("--job", {
            let mut filter = all();
            filter.job = job;
            filter
        }),
        plain("--report-id", all().report_id("R-00420021")),
        plain("--text, in an error, common", all().text("limit exceeded")),
        plain("--text, rare", all().text("at R123")),
        plain("--text, nothing has it", all().text("zebra crossing")),
        plain("--purged", all().purged(Purged::Only)),
        plain("--converter --status", stdf().status(Status::Failed)),
        plain("--station --part", all().station("ICT-13").part("118-0123")),
        plain("--status --from --to", month()?.status(Status::Failed)),
        plain(
            "--converter --process --meta --from --to",
            stdf_in(month()?)
                .meta(vec![("line".to_owned(), "L4".to_owned())])
                .process("50"),
        ),
        plain("--status --text", failed().text("exceeded at R77")),
        sorted("everything, newest first", all(), "id:desc")?,
        sorted(
            "everything, --sort archived_at:desc",
            all(),
            "archived_at:desc",
        )?,
        sorted("everything, --sort converter", all(), "converter")?,
        sorted("everything, --sort source_name", all(), "source_name")?,
        sorted("everything, --sort status:desc", all(), "status:desc")?,
        sorted("everything, --sort size:desc", all(), "size:desc")?,
        sorted("everything, --sort serial", all(), "serial")?,
        sorted("everything, --sort part:desc", all(), "part:desc")?,
        sorted("everything, --sort station", all(), "station")?,
        sorted("everything, --sort process", all(), "process")?,
        sorted(
            "--status failed --sort serial:desc",
            failed(),
            "serial:desc",
        )?,
        sorted("--from --to --sort source_name", month()?, "source_name")?,
        sorted(
            "--converter --sort archived_at:desc",
            stdf(),
            "archived_at:desc",
        )?,
    ])
}

fn stdf_in(time: Filter) -> Filter {
    time.converter("STDF")
}

/// Median and slowest of several runs; the first, which warms the pages, does not count.
fn time_warm<T>(runs: usize, mut ask: impl FnMut() -> annals::Result<T>) -> Result<(f64, f64)> {
    ask()?;
    let mut times = Vec::new();
    for _ in 0..runs {
        let began = Instant::now();
        ask()?;
        times.push(seconds(began.elapsed()));
    }
    let slowest = times.iter().copied().fold(0.0, f64::max);
    Ok((median(&mut times), slowest))
}

/// Every filter of the contract, combinations and orders: the first 100 rows, and how many there
/// are.
pub(crate) fn ask(store: &Path, table: &mut Table) -> Result<()> {
    let archive = Archive::open(store, Options::default())?;
    let page = |query: &Query| archive.snapshot()?.query(query);
    let mut slowest = ("", 0.0);
    for question in questions(&archive)? {
        let rows = page(&question.query)?.entries.len();
        let (took, _) = time_warm(2 * ROUNDS, || page(&question.query))?;
        let filter = &question.query.filter;
        let matching = archive.snapshot()?.count(filter)?;
        let (counted, _) = time_warm(ROUNDS, || archive.snapshot()?.count(filter))?;
        if took > slowest.1 {
            slowest = (question.name, took);
        }
        table.push(Row {
            what: format!(
                "first {rows} of {}: {}",
                count(matching as f64),
                question.name
            ),
            ours: ms(took),
            beside: format!("count {}", ms(counted)),
            ratio: String::new(),
            target: Target::at_most(took * 1e3, 5.0, "ms"),
        });
    }
    table.plain(
        format!("the slowest of these: {}", slowest.0),
        ms(slowest.1),
        Target::at_most(slowest.1 * 1e3, 5.0, "ms"),
    );
    let find = |text: &str| archive.snapshot()?.find(text, PAGE);
    for (name, text) in [
        ("find SERIAL, whole", serial(654_321)),
        ("find SERIAL, its beginning", "K17-0650".to_owned()),
        ("find what is not there", "Z99-1".to_owned()),
    ] {
        let (took, _) = time_warm(2 * ROUNDS, || find(&text))?;
        table.plain(name, ms(took), Target::at_most(took * 1e3, 1.0, "ms"));
    }
    let (stats, _) = time_warm(ROUNDS, || archive.snapshot()?.stats())?;
    table.plain("stats", ms(stats), Target::None);
    archive.close()?;
    Ok(())
}

/// Opening after a clean close, and the first answer.
pub(crate) fn open(store: &Path, table: &mut Table) -> Result<()> {
    for (name, access) in [
        ("", Access::ReadWrite),
        (" for reading only", Access::ReadOnly),
    ] {
        let mut opened = Vec::new();
        let mut answered = Vec::new();
        for _ in 0..ROUNDS {
            let options = Options::default().access(access);
            let began = Instant::now();
            let archive = Archive::open(store, options)?;
            opened.push(seconds(began.elapsed()));
            archive.snapshot()?.find(&serial(654_321), PAGE)?;
            answered.push(seconds(began.elapsed()));
            archive.close()?;
        }
        let opened = median(&mut opened);
        table.push(Row {
            what: format!(
                "open {} entries{name}, after a clean close",
                count(*ENTRIES as f64)
            ),
            ours: ms(opened),
            beside: format!("{} with the first find", ms(median(&mut answered))),
            ratio: String::new(),
            target: Target::at_most(opened * 1e3, 200.0, "ms"),
        });
    }
    Ok(())
}

/// Opening after the process died that took in files from 64 callers, before any of them was
/// sealed.
pub(crate) fn crash(store: &Path, dir: &Path, files: &Path, table: &mut Table) -> Result<()> {
    let copy = fresh_dir(&dir.join("entries-crashed"))?;
    copy_tree(store, &copy)?;
    let mut opened = Vec::new();
    for _ in 0..ROUNDS {
        let died = Command::new(std::env::current_exe()?)
            .arg("die")
            .arg(&copy)
            .arg(files)
            .status()?;
        if died.success() || died.code().is_some() {
            return Err("the process that was to die did not, or by an error of its own".into());
        }
        let began = Instant::now();
        let archive = Archive::open(&copy, Options::default())?;
        opened.push(seconds(began.elapsed()));
        archive.seal()?;
        archive.close()?;
    }
    let took = median(&mut opened);
    let files = crate::listed(files)?.len();
    table.plain(
        format!(
            "open {} entries after a crash that left {} unsealed",
            count(*ENTRIES as f64),
            count(files as f64)
        ),
        ms(took),
        Target::at_most(took * 1e3, 1_000.0, "ms"),
    );
    std::fs::remove_dir_all(&copy)?;
    Ok(())
}

/// What the process of [`crash`] does: takes files in, and is gone.
pub(crate) fn die(store: &Path, files: &Path) -> Result<()> {
    let archive = Archive::open(store, Options::default())?;
    // Content that is new to the store each time, or nothing of it would lie in the journal.
    let salt = archive.newest().0;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let files = crate::listed(files)?;
    thread::scope(|scope| -> Result<()> {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut content = std::fs::read(path)?;
                        content.extend_from_slice(format!("Salt;{salt}\n").as_bytes());
                        archive.put(ict_entry(0), &content[..])?;
                    }
                    Ok(())
                })
            })
            .collect();
        for caller in callers {
            caller.join().map_err(|_| "a caller panicked")??;
        }
        Ok(())
    })?;
    std::process::abort()
}

/// The index from the log alone.
pub(crate) fn rebuild(store: &Path, table: &mut Table) -> Result<()> {
    let archive = Archive::open(store, Options::default())?;
    let entries = archive.snapshot()?.count(&Filter::default())? as f64;
    let events = archive.newest().0 as f64;
    let mut times = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        archive.rebuild()?;
        times.push(seconds(began.elapsed()));
    }
    let took = median(&mut times);
    let stats = archive.snapshot()?.stats()?;
    archive.close()?;
    let rate = entries / took;
    table.push(Row {
        what: "rebuild of the index from the log".to_owned(),
        ours: format!("{} entries/s", count(rate)),
        beside: format!("{} events/s, {took:.1} s in all", count(events / took)),
        ratio: String::new(),
        target: Target::at_least(rate, 150_000.0, "entries/s"),
    });
    table.plain(
        "index and log, bytes an entry",
        format!(
            "{:.0} and {:.0}",
            stats.index_bytes as f64 / entries,
            stats.log_bytes as f64 / entries
        ),
        Target::None,
    );
    Ok(())
}

/// A process of its own holds a copy of the store, asks everything once, and then takes in files
/// from 64 callers.
pub(crate) fn memory(store: &Path, dir: &Path, files: &Path, table: &mut Table) -> Result<()> {
    let copy = fresh_dir(&dir.join("entries-held"))?;
    copy_tree(store, &copy)?;
    let output = Command::new(std::env::current_exe()?)
        .arg("hold")
        .arg(&copy)
        .arg(files)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let printed = String::from_utf8(output.stdout)?;
    let numbers = printed
        .split_whitespace()
        .map(str::parse)
        .collect::<std::result::Result<Vec<f64>, _>>()?;
    let [opened, asked, ingested, rate] = numbers[..] else {
        return Err("the holding process said something else".into());
    };
    table.push(Row {
        what: "peak memory: opened, every question asked, 64 callers ingesting".to_owned(),
        ours: mib(ingested),
        beside: format!("opened {}, asked {}", mib(opened), mib(asked)),
        ratio: String::new(),
        target: Target::at_most(ingested / f64::from(1 << 20), 200.0, "MiB"),
    });
    table.plain(
        format!("64 callers into the store of {}", count(*ENTRIES as f64)),
        format!("{}/s", count(rate)),
        Target::None,
    );
    std::fs::remove_dir_all(&copy)?;
    Ok(())
}

/// What the process of [`memory`] does: prints its peak memory after each step, and how fast it
/// took files in.
pub(crate) fn hold(store: &Path, files: &Path) -> Result<()> {
    let archive = Archive::open(store, Options::default())?;
    println!("{}", peak_memory()?);
    for question in questions(&archive)? {
        let snapshot: Snapshot = archive.snapshot()?;
        let _: archive::Page = snapshot.query(&question.query)?;
        snapshot.count(&question.query.filter)?;
    }
    println!("{}", peak_memory()?);
    let files = crate::listed(files)?;
    let began = Instant::now();
    put_all(&archive, &files, CALLERS, ict_entry)?;
    let rate = files.len() as f64 / seconds(began.elapsed());
    archive.seal()?;
    println!("{}", peak_memory()?);
    println!("{rate:.0}");
    archive.close()?;
    Ok(())
}

/// The most memory this process ever had, in bytes.
fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(kib
        .ok_or("no VmHWM in /proc/self/status")?
        .trim()
        .parse::<u64>()?
        * 1024)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
