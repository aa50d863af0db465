//! Tests limits. What is at a limit must come back exactly, and what exceeds it must be refused
//! with one clear error. Both must leave the store intact. Very many small things must not cost
//! more each than a few.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::support::prove::{Size, size};
use crate::support::{Hourly, Random, tiniest, tiny};
use annals::archive::{Archive, Depth, NAME_BYTES_MAX, NewAttempt, NewEntry, Options};
use annals::disk::sim::SimDisk;
use annals::entry::{Outcome, Retention};
use annals::event::Source;
use annals::id::EntryId;
use annals::query::{Filter, Query};
use annals::retention::{AsOf, Policy};
use annals::{Error, ErrorKind};

/// After this many entries the simulated disk drops its log, which would take more memory than the
/// store.
const FORGETS_EVERY: u32 = 1_000;

fn store() -> (SimDisk, Archive) {
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), tiny(&Hourly::new()));
    (disk, archive.expect("made"))
}

fn named(name: &str) -> NewEntry {
    NewEntry::new("ICT").source(
        Source::default()
            .name(name.to_owned())
            .path(name.to_owned()),
    )
}

fn with_meta(meta: impl IntoIterator<Item = (String, String)>) -> NewEntry {
    {
        let mut new = named("unit.csv");
        new.meta = meta.into_iter().collect();
        new
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
        named("x").converter(" "),
        named("x").key("k".repeat(1 << 20)),
        named("x").compression_level(10),
        // In the log this would not be a valid retention, and the event could not be read.
        named("x").retention(Retention::days(0)),
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

/// Lengths around those at which content is cut, chunks end, or no journal file can hold it.
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
    let page = snapshot.query(&Query::default().limit(10)).expect("listed");
    assert_eq!(page.entries.len(), 10);
    assert_eq!(page.entries[0].source_name, "0", "the oldest first");
    println!("very small entries: {entries}, lost 0");
}

/// Archives, seals, purges and archives again. Returns what must be there afterwards.
fn fill(archive: &Archive) -> Vec<(EntryId, Vec<u8>)> {
    let put = |seed: u64| {
        let content = match seed % 3 {
            0 => crate::support::noise(seed, 9_000),
            _ => crate::support::measurements(seed, 3_000),
        };
        let put = archive.put(named(&format!("{seed}.csv")), &*content);
        (put.expect("archived").id, content)
    };
    let mut there: Vec<_> = (0..24).map(put).collect();
    let attempt = NewAttempt::new(Outcome::Success, "ICT").reports(vec![
        crate::support::measurements(900, 2_000),
        crate::support::noise(901, 9_000),
    ]);
    archive
        .record_attempt(there[20].0, attempt)
        .expect("recorded");
    archive.seal().expect("sealed");
    let keep_some = Policy::default().max_count(20);
    let plan = archive
        .plan_purge(&keep_some, AsOf::Clock)
        .expect("planned");
    archive.purge(&plan, "room").expect("purged");
    archive.compact(None).expect("compacted");
    there.drain(..4);
    there.extend((24..40).map(put));
    there
}

fn all_there(archive: &Archive, there: &[(EntryId, Vec<u8>)]) {
    assert!(archive.damage().is_empty(), "{:?}", archive.damage());
    let snapshot = archive.snapshot().expect("readable");
    for (id, content) in there {
        let entry = snapshot.entry(*id).expect("readable").expect("there");
        assert!(archive.read_all(&entry.blake3, 1 << 20).expect("readable") == *content);
    }
    let report = archive.verify(Depth::Deep).expect("looked at");
    assert!(report.ok, "{:?}", report.findings);
}

/// Sets an option.
type Change = fn(&mut Options);

/// With journal files of 3 GiB, events after the first GiB were acknowledged but gone after a kill,
/// and verify called the store intact.
#[test]
fn a_store_with_any_option_at_either_end_survives_a_kill() {
    let ends: [(&str, Change); 12] = [
        ("journal_bytes", |options| options.journal_bytes = 64 << 10),
        ("pack_bytes", |options| options.pack_bytes = 4 << 10),
        ("pack_bytes", |options| options.pack_bytes = 1 << 40),
        ("stream_bytes", |options| options.stream_bytes = 0),
        ("stream_bytes", |options| options.stream_bytes = usize::MAX),
        ("dictionary_from", |options| options.dictionary_from = 0),
        ("dictionary_from", |options| {
            options.dictionary_from = u64::MAX;
        }),
        ("dictionary_cache_bytes", |options| {
            options.dictionary_cache_bytes = 0;
        }),
        ("dictionary_cache_bytes", |options| {
            options.dictionary_cache_bytes = 1 << 40;
        }),
        ("index_cache_bytes", |options| options.index_cache_bytes = 0),
        ("index_cache_bytes", |options| {
            options.index_cache_bytes = 1 << 40;
        }),
        ("lock_wait", |options| options.lock_wait = Duration::MAX),
    ];
    for (what, change) in ends {
        let mut options = tiny(&Hourly::new());
        change(&mut options);
        let disk = SimDisk::new();
        let archive = Archive::create_on(Arc::new(disk.clone()), options.clone()).expect(what);
        let there = fill(&archive);
        // A kill leaves everything that was written, and nothing that closing writes.
        let killed = disk.snapshot();
        archive.close().expect(what);
        for disk in [killed, disk] {
            let opened = Archive::open_on(Arc::new(disk), options.clone()).expect(what);
            all_there(&opened, &there);
        }
    }
}

/// A journal file keeps the length it was made with. A file smaller than the current setting was
/// recycled for an event that it could not hold, and the event continued past its end.
#[test]
fn journal_files_of_several_lengths_hold_what_is_written_to_them() {
    let disk = SimDisk::new();
    let with = |journal_bytes| tiny(&Hourly::new()).journal_bytes(journal_bytes);
    let open = |journal_bytes| {
        let opened = Archive::open_on(Arc::new(disk.clone()), with(journal_bytes));
        opened.expect("opens")
    };
    let archive = Archive::create_on(Arc::new(disk.clone()), with(64 << 10)).expect("made");
    let mut there = Vec::new();
    let mut fill = |archive: &Archive, lengths: &[usize]| {
        for (seed, len) in lengths.iter().cycle().take(10).enumerate() {
            let content = crate::support::noise(there.len() as u64 * 100 + seed as u64, *len);
            let put = archive.put(named("x"), &*content).expect("archived");
            there.push((put.id, content));
        }
    };
    fill(&archive, &[9_000]);
    archive.close().expect("closed");
    let archive = open(256 << 10);
    fill(&archive, &[9_000, 150_000, 100_000]);
    archive.seal().expect("sealed");
    fill(&archive, &[150_000]);
    archive.close().expect("closed");
    let archive = open(64 << 10);
    fill(&archive, &[9_000, 50_000]);
    archive.seal().expect("sealed");
    fill(&archive, &[50_000]);
    drop(archive);
    let archive = open(256 << 10);
    fill(&archive, &[150_000, 100]);
    let killed = disk.snapshot();
    archive.close().expect("closed");
    for disk in [killed, disk] {
        let opened = Archive::open_on(Arc::new(disk), with(64 << 10)).expect("opens");
        all_there(&opened, &there);
    }
}

/// The largest journal file is made on a real disk, where it takes no memory.
#[test]
fn a_store_with_the_largest_journal_file_survives_a_kill() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("store");
    let with = |journal_bytes| tiny(&Hourly::new()).journal_bytes(journal_bytes);
    for out_of_bounds in [0, (64 << 10) - 1, (1 << 30) + 1, 3 << 30, u64::MAX] {
        let refused = kind(Archive::create(&path, with(out_of_bounds)));
        assert_eq!(refused, Some(ErrorKind::Invalid), "{out_of_bounds}");
    }
    assert!(!path.exists(), "nothing is made");
    let archive = Archive::create(&path, with(1 << 30)).expect("made");
    let there: Vec<_> = (0..10)
        .map(|seed| {
            let content = crate::support::noise(seed, 9_000);
            let put = archive.put(named("x"), &*content).expect("archived");
            (put.id, content)
        })
        .collect();
    // A killed process releases its lock and closes nothing.
    std::fs::remove_file(path.join("LOCK")).expect("let go");
    std::mem::forget(archive);
    let opened = Archive::open(&path, with(1 << 30)).expect("opens");
    all_there(&opened, &there);
    opened.close().expect("closed");
    for out_of_bounds in [0, 3 << 30] {
        assert_eq!(
            kind(Archive::open(&path, with(out_of_bounds))),
            Some(ErrorKind::Invalid)
        );
        assert_eq!(
            kind(Archive::repair(&path, with(out_of_bounds))),
            Some(ErrorKind::Invalid)
        );
    }
}

/// Recovery reads only the allowed length of a journal file, and did not report the rest.
#[test]
fn a_journal_file_that_is_longer_than_it_was_made_is_damage_and_is_mended() {
    const JOURNAL: &str = "journal/0000.journal";
    let (disk, archive) = store();
    let put = archive.put(named("x"), &b"content"[..]).expect("archived");
    archive.close().expect("closed");
    let made = disk.content(JOURNAL).expect("there").len() as u64;
    disk.overwrite(JOURNAL, made, b"something else")
        .expect("longer");
    let options = tiny(&Hourly::new());
    let open = || Archive::open_on(Arc::new(disk.clone()), options.clone()).expect("opens");
    let archive = open();
    assert!(
        archive.damage()[0].contains(&format!("was made with {made}")),
        "{:?}",
        archive.damage()
    );
    assert!(!archive.verify(Depth::Quick).expect("looked at").ok);
    drop(archive);
    let repair = Archive::repair_on(Arc::new(disk.clone()), options.clone());
    let outcome = repair.expect("looked through").apply().expect("repaired");
    assert!(outcome.ok, "{outcome:?}");
    all_there(&open(), &[(put.id, b"content".to_vec())]);
    assert_eq!(disk.content(JOURNAL).expect("there").len() as u64, made);
}

#[test]
fn a_journal_file_that_is_longer_than_any_may_be_is_damage() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("store");
    let options = tiny(&Hourly::new());
    let archive = Archive::create(&path, options.clone()).expect("made");
    archive.put(named("x"), &b"content"[..]).expect("archived");
    archive.close().expect("closed");
    let journal = path.join("journal").join("0000.journal");
    let file = std::fs::File::options()
        .write(true)
        .open(journal)
        .expect("there");
    // A hole, which takes no space.
    file.set_len((1 << 30) + (4 << 20)).expect("longer");
    let archive = Archive::open(&path, options.clone()).expect("opens to look");
    assert!(
        archive.damage()[0].contains("at most 1073741824"),
        "{:?}",
        archive.damage()
    );
    let refused = kind(archive.put(named("y"), &b"more"[..]));
    assert_eq!(refused, Some(ErrorKind::Damaged));
    drop(archive);
    // Unread bytes may hold an event, so the repair must refuse.
    let behind = |bytes: &[u8]| {
        use std::io::{Seek, SeekFrom, Write};
        let mut file = &file;
        file.seek(SeekFrom::Start((1 << 30) + 1)).expect("there");
        file.write_all(bytes).expect("written");
    };
    behind(b"x");
    let refused = kind(Archive::repair(&path, options.clone()));
    assert_eq!(refused, Some(ErrorKind::Damaged));
    behind(&[0]);
    let repair = Archive::repair(&path, options).expect("looked through");
    let [mend] = &repair.plan().mends[..] else {
        panic!("{:?}", repair.plan());
    };
    // Not done here, because a copy of all its zeros is kept.
    assert!(mend.action.starts_with("rebuild it with all"), "{mend:?}");
}
