//! Taking files in: one durable `put`, a group of callers, and content that is there already.

#[path = "../src/demo/plant/mod.rs"]
#[allow(dead_code, reason = "only the endless plant is asked for files here")]
mod plant;

use std::sync::atomic::{AtomicUsize, Ordering};

use annals::Archive;
use annals::archive::{NewEntry, Options};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use tempfile::TempDir;

fn main() {
    divan::main();
}

fn store() -> (TempDir, Archive) {
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the store");
    let archive = Archive::create(dir.path().join("store"), Options::default()).expect("a store");
    (dir, archive)
}

fn entry(nth: usize) -> NewEntry {
    let mut new = NewEntry::new("ICT CSV");
    new.source.name = format!("K2510-{nth:06}.csv");
    new.unit.serial = Some(format!("K2510-{nth:06}"));
    new
}

/// Each iteration waits for its sync; with more threads they share it.
#[divan::bench(threads = [1, 8, 64], sample_count = 50, sample_size = 4)]
fn put_ict_file(bencher: Bencher<'_, '_>) {
    let (_dir, archive) = store();
    let next = AtomicUsize::new(0);
    bencher
        .with_inputs(|| {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            (nth, plant::ict_file(1, nth))
        })
        .input_counter(|(_, content)| BytesCount::of_slice(content))
        .bench_refs(|(nth, content)| archive.put(entry(*nth), content.as_slice()));
}

/// The content is known: only the event is written.
#[divan::bench(sample_count = 50, sample_size = 4)]
fn put_the_same_again(bencher: Bencher<'_, '_>) {
    let (_dir, archive) = store();
    let content = plant::ict_file(1, 0);
    archive.put(entry(0), content.as_slice()).expect("archived");
    bencher.bench(|| archive.put(entry(0), black_box(content.as_slice())));
}

/// Long content goes through chunks into a pack of its own.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn put_16_mib(bencher: Bencher<'_, '_>) {
    let (_dir, archive) = store();
    let next = AtomicUsize::new(0);
    bencher
        .with_inputs(|| {
            let from = next.fetch_add(2_000, Ordering::Relaxed);
            let files = (from..from + 2_000).flat_map(|nth| plant::ict_file(1, nth));
            files.take(16 << 20).collect::<Vec<u8>>()
        })
        .input_counter(|content| BytesCount::of_slice(content.as_slice()))
        .bench_refs(|content| archive.put(entry(0), content.as_slice()));
}

/// From full journal files to segments, packs and index: what goes on behind the callers.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn seal_2000_files(bencher: Bencher<'_, '_>) {
    const FILES: usize = 2_000;
    bencher
        .counter(ItemsCount::new(FILES))
        .with_inputs(|| {
            let (dir, archive) = store();
            std::thread::scope(|scope| {
                for caller in 0..16 {
                    let archive = &archive;
                    scope.spawn(move || {
                        for nth in (caller..FILES).step_by(16) {
                            let content = plant::ict_file(1, nth);
                            archive
                                .put(entry(nth), content.as_slice())
                                .expect("archived");
                        }
                    });
                }
            });
            (dir, archive)
        })
        .bench_refs(|(_, archive)| archive.seal());
}
