//! Getting content back: from the journal, from packs, and in chunks.

#[path = "../src/demo/plant/mod.rs"]
#[allow(dead_code, reason = "only the endless plant is asked for files here")]
mod plant;

use annals::Archive;
use annals::archive::{NewEntry, Options};
use annals::id::BlobId;
use divan::Bencher;
use divan::counter::BytesCount;
use tempfile::TempDir;

const FILES: usize = 500;
const LIMIT: u64 = 64 << 20;

fn main() {
    divan::main();
}

fn store(contents: impl Iterator<Item = Vec<u8>>) -> (TempDir, Archive, Vec<BlobId>) {
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the store");
    let archive = Archive::create(dir.path().join("store"), Options::default()).expect("a store");
    let blobs = contents
        .map(|content| {
            let new = NewEntry::new("ICT CSV");
            archive
                .put(new, content.as_slice())
                .expect("archived")
                .blob
                .blake3
        })
        .collect();
    (dir, archive, blobs)
}

fn read_each(bencher: Bencher<'_, '_>, archive: &Archive, blobs: &[BlobId]) {
    let bytes = archive.read_all(&blobs[0], LIMIT).expect("there").len();
    let mut next = blobs.iter().cycle();
    bencher
        .counter(BytesCount::new(bytes))
        .with_inputs(|| *next.next().expect("there are some"))
        .bench_local_values(|blob| archive.read_all(&blob, LIMIT));
}

#[divan::bench]
fn from_the_journal(bencher: Bencher<'_, '_>) {
    let (_dir, archive, blobs) = store((0..FILES).map(|nth| plant::ict_file(1, nth)));
    read_each(bencher, &archive, &blobs);
}

#[divan::bench]
fn from_packs(bencher: Bencher<'_, '_>) {
    let (_dir, archive, blobs) = store((0..FILES).map(|nth| plant::ict_file(1, nth)));
    archive.seal().expect("sealed");
    read_each(bencher, &archive, &blobs);
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn sixteen_mib_in_chunks(bencher: Bencher<'_, '_>) {
    let files = (0..2_000).flat_map(|nth| plant::ict_file(1, nth));
    let content: Vec<u8> = files.take(16 << 20).collect();
    let (_dir, archive, blobs) = store(std::iter::once(content));
    read_each(bencher, &archive, &blobs);
}
