//! Asking a store of 20,000 entries: part of them in the tables, the newest still in memory.

use std::path::Path;
use std::sync::LazyLock;

use annals::Archive;
use annals::archive::{NewEntry, Options};
use annals::entry::Unit;
use annals::event::Source;
use annals::query::{Filter, Query};
use divan::Bencher;

const SEALED: usize = 19_000;
const NEWER: usize = 1_000;
const CALLERS: usize = 32;

fn main() {
    divan::main();
}

/// In a folder of its own that the next run makes anew: what is static is never dropped.
static STORE: LazyLock<Archive> = LazyLock::new(|| {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-query");
    let _ = std::fs::remove_dir_all(&dir);
    let archive = Archive::create(dir, Options::default()).expect("a store");
    add(&archive, 0..SEALED);
    archive.seal().expect("sealed");
    add(&archive, SEALED..SEALED + NEWER);
    archive
});

fn add(archive: &Archive, numbers: std::ops::Range<usize>) {
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let numbers = numbers.clone().skip(caller).step_by(CALLERS);
            scope.spawn(move || {
                for nth in numbers {
                    let content = format!("Serial;{nth}");
                    archive
                        .put(entry(nth), content.as_bytes())
                        .expect("archived");
                }
            });
        }
    });
}

fn entry(nth: usize) -> NewEntry {
    NewEntry::new(["ICT CSV", "JUnit XML", "STDF"][nth % 3].to_owned())
        .source(Source::default().name(format!("K{nth:06}.csv")))
        .unit(
            Unit::default()
                .serial(format!("K{nth:06}"))
                .part(format!("118-{:03}", nth % 120))
                .station(format!("ICT-{:02}", nth % 20)),
        )
}

fn page(bencher: Bencher<'_, '_>, filter: Filter, sort: &str) {
    let archive = &*STORE;
    let query = Query::default()
        .filter(filter)
        .sort(sort.parse().expect("an order"))
        .limit(100);
    bencher.bench(|| archive.snapshot()?.query(&query));
}

#[divan::bench]
fn first_100(bencher: Bencher<'_, '_>) {
    page(bencher, Filter::default(), "id");
}

#[divan::bench]
fn newest_100_of_a_converter(bencher: Bencher<'_, '_>) {
    let filter = Filter::default().converter("STDF");
    page(bencher, filter, "id:desc");
}

#[divan::bench]
fn part_and_station(bencher: Bencher<'_, '_>) {
    let filter = Filter::default().part("118-017").station("ICT-17");
    page(bencher, filter, "id");
}

#[divan::bench]
fn file_glob(bencher: Bencher<'_, '_>) {
    let filter = Filter::default().file("K01?5*.csv");
    page(bencher, filter, "id");
}

#[divan::bench]
fn sorted_by_serial(bencher: Bencher<'_, '_>) {
    page(bencher, Filter::default(), "serial:desc");
}

#[divan::bench(args = ["K012345", "K019500", "K0190", "nowhere"])]
fn find(bencher: Bencher<'_, '_>, text: &str) {
    let archive = &*STORE;
    bencher.bench(|| archive.snapshot()?.find(text, 20));
}
