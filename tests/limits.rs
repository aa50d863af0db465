//! What is at a limit comes back exact, what is above it is refused with one clear error, and either leaves the store as sound
//! as before. Very many very small things cost no more each than a few.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use annals::archive::{Archive, Depth, NAME_BYTES_MAX, NewEntry};
use annals::disk::sim::SimDisk;
use annals::event::Source;
use annals::query::{Filter, Query};
use annals::{Error, ErrorKind};
use support::prove::{Size, size};
use support::{Hourly, Random, tiniest, tiny};

/// After so many entries the simulated disk forgets how it came to hold what it holds, or it takes more memory than the store.
const FORGETS_EVERY: u32 = 1_000;

fn store() -> (SimDisk, Archive) {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), tiny(&Hourly::new()));
    (disk, archive.expect("made"))
}

fn named(name: &str) -> NewEntry {
    NewEntry {
        converter: "ICT".to_owned(),
        source: Source {
            name: name.to_owned(),
            path: name.to_owned(),
            ..Source::default()
        },
        ..NewEntry::default()
    }
}

fn with_meta(meta: impl IntoIterator<Item = (String, String)>) -> NewEntry {
    NewEntry {
        meta: meta.into_iter().collect(),
        ..named("unit.csv")
    }
}

fn kind<T>(result: Result<T, Error>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn names_and_metadata_at_their_limits_come_back_exact_and_above_them_are_refused() {
    let (disk, archive) = store();
    let long = "n".repeat(NAME_BYTES_MAX);
    let many: BTreeMap<String, String> = (0..1_500)
        .map(|n| (format!("key-{n}"), "v".into()))
        .collect();
    let entries = [
        named(""),
        named("a\nb\r\u{0}\u{1b}[2J\u{202e}\u{7f}"),
        named(&long),
        with_meta([(String::new(), String::new())]),
        with_meta([("k".into(), "v".repeat(30_000))]),
        with_meta(many),
        with_meta([("{\"a\":[".repeat(2_000), "\"\\\u{fffd}".repeat(2_000))]),
    ];
    let put: Vec<_> = entries
        .iter()
        .map(|new| archive.put(new.clone(), &b"x"[..]).expect("at a limit").id)
        .collect();
    let above = [
        named(&"n".repeat(NAME_BYTES_MAX + 1)),
        with_meta([("k".into(), "v".repeat(70_000))]),
        with_meta((0..10_000).map(|n| (format!("key-{n}"), "v".to_owned()))),
        NewEntry {
            converter: " ".to_owned(),
            ..named("x")
        },
        NewEntry {
            key: Some("k".repeat(1 << 20)),
            ..named("x")
        },
        NewEntry {
            compression_level: Some(10),
            ..named("x")
        },
    ];
    for new in above {
        let newest = archive.newest();
        let refused = kind(archive.put(new, &b"x"[..]));
        assert_eq!(refused, Some(ErrorKind::Invalid));
        assert_eq!(archive.newest(), newest, "nothing is recorded of it");
    }
    archive.seal().expect("sealed");
    archive.close().expect("closed");
    let archive = Archive::open_on(Arc::new(disk), tiny(&Hourly::new())).expect("opens");
    let snapshot = archive.snapshot().expect("readable");
    for (id, new) in put.into_iter().zip(&entries) {
        let entry = snapshot.entry(id).expect("readable").expect("there");
        assert_eq!(entry.source_name, new.source.name);
        assert_eq!(entry.meta, new.meta);
    }
    assert!(archive.verify(Depth::Deep).expect("looked at").ok);
}

/// Around the lengths from which on content is cut, chunks end, or no journal file could hold it.
#[test]
fn content_of_every_length_around_a_limit_comes_back_exact() {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk), tiniest(&Hourly::new())).expect("made");
    let mut random = Random::new(1);
    for edge in [0, 1 << 12, 1 << 14, 1 << 15, 1 << 16] {
        for len in [edge - 1_i32, edge, edge + 1] {
            let Ok(len) = usize::try_from(len) else {
                continue;
            };
            let content: Vec<u8> = (0..len).map(|_| random.next().to_le_bytes()[0]).collect();
            let put = archive
                .put(named("unit.bin"), &content[..])
                .expect("archived");
            let back = archive
                .read_all(&put.blob.blake3, 1 << 20)
                .expect("readable");
            assert!(back == content, "{len} bytes");
        }
    }
    assert!(archive.verify(Depth::Deep).expect("looked at").ok);
}

#[test]
fn very_many_very_small_entries_are_taken_in_listed_and_sealed() {
    let entries = match size() {
        Size::Sample => 2_000_u32,
        Size::Short => 20_000,
        Size::Long => 1_000_000,
    };
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), tiny(&Hourly::new())).expect("made");
    for nth in 0..entries {
        let content = if nth.is_multiple_of(2) {
            vec![]
        } else {
            nth.to_le_bytes().to_vec()
        };
        archive
            .put(named(&nth.to_string()), &content[..])
            .expect("archived");
        if nth.is_multiple_of(FORGETS_EVERY) {
            disk.settle();
        }
    }
    archive.seal().expect("sealed");
    archive.close().expect("closed");
    let archive = Archive::open_on(Arc::new(disk), tiny(&Hourly::new())).expect("opens");
    let snapshot = archive.snapshot().expect("readable");
    assert_eq!(
        snapshot.count(&Filter::default()).expect("counted"),
        u64::from(entries)
    );
    let page = snapshot
        .query(&Query {
            limit: Some(10),
            ..Query::default()
        })
        .expect("listed");
    assert_eq!(page.entries.len(), 10);
    assert_eq!(page.entries[0].source_name, "0", "the oldest first");
    println!("very small entries: {entries}, lost 0");
}
