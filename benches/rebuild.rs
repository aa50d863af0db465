//! Starting: opening a store of 20,000 entries, and making its index anew from the log.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use annals::Archive;
use annals::archive::{NewEntry, Options};
use divan::Bencher;
use divan::counter::ItemsCount;
use tempfile::TempDir;

const ENTRIES: usize = 20_000;
const CALLERS: usize = 32;

fn main() {
    divan::main();
}

/// In a folder that the next run makes anew: what is static is never dropped.
static STORE: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-rebuild");
    let _ = std::fs::remove_dir_all(&path);
    let archive = Archive::create(&path, Options::default()).expect("a store");
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let archive = &archive;
            scope.spawn(move || {
                for nth in (caller..ENTRIES).step_by(CALLERS) {
                    let mut new = NewEntry::new("ICT CSV");
                    new.source.name = format!("K{nth:06}.csv");
                    new.unit.serial = Some(format!("K{nth:06}"));
                    let content = format!("Serial;{nth}");
                    archive.put(new, content.as_bytes()).expect("archived");
                }
            });
        }
    });
    archive.seal().expect("sealed");
    archive.close().expect("closed");
    path
});

fn open() -> Archive {
    Archive::open(&*STORE, Options::default()).expect("a store")
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn open_and_close() -> annals::Result<()> {
    open().close()
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn index_from_the_log(bencher: Bencher<'_, '_>) {
    let archive = open();
    bencher
        .counter(ItemsCount::new(ENTRIES))
        .bench_local(|| archive.rebuild());
}

/// An empty store: what every `annals init` waits for.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn create(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder"))
        .bench_local_refs(|dir| Archive::create(dir.path().join("store"), Options::default()));
}
