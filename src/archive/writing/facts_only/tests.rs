//! Entries without content: what they say, and what becomes of them.

use std::sync::Arc;

use super::*;
use crate::ErrorKind;
use crate::archive::{Archive, Depth, Key, Options};
use crate::disk::sim::SimDisk;
use crate::retention::{AsOf, Policy};

fn store(disk: &SimDisk) -> Archive {
    Archive::create_on(Arc::new(disk.clone()), Options::default()).expect("a store")
}

const CONTENT: &[u8] = b"a recording that is too large to be kept, or must not be";

fn is_anywhere(disk: &SimDisk) -> bool {
    disk.files().iter().any(|(path, _)| {
        let content = disk.content(path).expect("a file");
        content.windows(16).any(|window| window == &CONTENT[..16])
    })
}

/// A file that must not be kept was listed as archived, and restored as an empty file.
#[test]
fn content_of_which_only_facts_are_kept__is_in_no_file_and_cannot_be_read() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    let new = || NewEntry::new("ICT").name("huge.bin").facts_only();
    let archived = archive.put(new(), CONTENT).expect("recorded");
    assert!(archived.facts_only && !archived.duplicate);
    assert_eq!(archived.blob, Digests::of(CONTENT));
    let begun = archive.begin_put(new(), CONTENT).expect("handed in");
    assert!(begun.wait().expect("recorded").facts_only);
    archive.seal().expect("sealed");
    assert!(!is_anywhere(&disk));
    let entry = archive.snapshot().expect("there").entry(archived.id);
    let entry = entry.expect("read").expect("there");
    assert!(entry.facts_only && !entry.has_source());
    assert_eq!(entry.size, CONTENT.len() as u64);
    let read = archive.read(&entry.blake3).err().expect("not there");
    assert_eq!(read.kind(), ErrorKind::NotFound, "{read}");
    let stats = archive.snapshot().expect("there").stats().expect("counted");
    assert_eq!((stats.entries, stats.facts_only), (2, 2));
    assert_eq!((stats.sources_bytes, stats.unique_bytes), (0, 0));
    assert!(archive.verify(Depth::Deep).expect("verified").ok);
}

/// The limit was raised, and the same file came again: it was "known", and its source was deleted
/// although nothing of it was stored.
#[test]
fn content_that_comes_later_under_the_same_key__is_stored() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    let new = || NewEntry::new("ICT").key(Key::from("run 7"));
    let facts = archive.put(new().facts_only(), CONTENT).expect("recorded");
    let again = archive.put(new().facts_only(), CONTENT).expect("known");
    assert!(again.existing && again.facts_only && !again.duplicate);
    let whole = archive.put(new(), CONTENT).expect("archived");
    assert!(!whole.existing && !whole.facts_only && !whole.duplicate);
    let known = archive.put(new().facts_only(), CONTENT).expect("known");
    assert_eq!(
        (known.id, known.existing, known.facts_only),
        (whole.id, true, false)
    );
    // The hash links them.
    let found = archive.find_contents(&facts.blob.sha256.to_string(), 9);
    let found: Vec<_> = found
        .expect("found")
        .iter()
        .map(|one| (one.entry, one.facts_only))
        .collect();
    assert_eq!(found, [(whole.id, false), (facts.id, true)]);
}

/// Facts went with a purge and took the content of another entry with them.
#[test]
fn a_purge_of_facts__frees_nothing_that_another_entry_needs() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    archive
        .put(NewEntry::new("facts").facts_only(), CONTENT)
        .expect("recorded");
    let whole = archive
        .put(NewEntry::new("whole"), CONTENT)
        .expect("archived");
    let policy = Policy::default().converter("facts").max_count(0);
    let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
    assert_eq!(
        (plan.count, plan.bytes_logical, plan.bytes_freed),
        (1, 0, 0)
    );
    let purged = archive.purge(&plan, "old facts").expect("purged");
    purged.reclaim.expect("freed");
    archive.compact(None).expect("compacted");
    let bytes = archive
        .read_all(&whole.blob.blake3, 1 << 20)
        .expect("there");
    assert_eq!(bytes, CONTENT);
    let stats = archive.snapshot().expect("there").stats().expect("counted");
    assert_eq!((stats.entries, stats.facts_only, stats.purged), (1, 0, 1));
    archive.rebuild().expect("rebuilt");
    assert!(archive.verify(Depth::Deep).expect("verified").ok);
}
