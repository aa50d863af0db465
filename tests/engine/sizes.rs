//! Tests limits on size and previews of purges. `--max-size 30M` purged 14,113 entries of a store
//! of 26 MiB, because it counted bytes before compression, and shared content several times. A
//! limit must count what content takes on disk, and a preview must state by how much the files
//! shrink.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use annals::archive::{Archive, NewEntry, Options, PurgeOutcome, Stats};
use annals::retention::{AsOf, Policy, PurgePlan};

/// Returns the bytes of the files in a folder.
fn du(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder");
    let bytes = entries.map(|entry| {
        let entry = entry.expect("readable");
        let about = entry.metadata().expect("there");
        if about.is_dir() {
            du(&entry.path())
        } else {
            about.len()
        }
    });
    bytes.sum()
}

/// Returns a number that differs from row to row but not between runs.
fn reading(seed: u32, row: u32) -> u64 {
    let mixed = (u64::from(seed) << 32 | u64::from(row)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) % 10_000
}

struct Store {
    dir: tempfile::TempDir,
    archive: Archive,
}

impl Store {
    /// Makes a store of five packs or more with a hundred files. Every third file is archived
    /// twice, some for another converter.
    fn with_duplicates() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let archive = Archive::create(dir.path().join("store"), Options::default()).expect("made");
        let store = Self { dir, archive };
        for day in 0..5_u32 {
            for file in 0..20 {
                let seed = day * 20 + file;
                store.put("ICT", seed);
                if seed.is_multiple_of(3) {
                    store.put("ICT", seed);
                }
                if seed.is_multiple_of(7) && day > 0 {
                    store.put("FCT", seed - 20);
                }
            }
            store.archive.seal().expect("sealed");
        }
        store
    }

    /// Archives text that compresses to a fraction of its length.
    fn put(&self, converter: &str, seed: u32) {
        let mut content = String::new();
        for row in 0..150_u32 {
            let value = reading(seed, row);
            writeln!(content, "R{row};{value};kOhm;0;9999;PASS").expect("text");
        }
        let new = NewEntry::new(converter);
        self.archive.put(new, content.as_bytes()).expect("archived");
    }

    fn plan(&self, policy: &Policy) -> PurgePlan {
        let plan = self.archive.plan_purge(policy, AsOf::Clock);
        plan.expect("a plan")
    }

    fn purge(&self, plan: &PurgePlan) -> PurgeOutcome {
        self.archive.purge(plan, "test").expect("purged")
    }

    fn packs(&self) -> u64 {
        du(&self.dir.path().join("store/packs"))
    }

    fn stats(&self) -> Stats {
        let snapshot = self.archive.snapshot().expect("there");
        snapshot.stats().expect("counted")
    }
}

fn max_size(bytes: u64) -> Policy {
    Policy::default().max_size(bytes)
}

fn all() -> Policy {
    Policy::default().max_count(0)
}

/// Checks that two numbers are equal up to rounding, and up to dictionaries that are made again
/// when a pack is rewritten.
fn assert_near(one: u64, other: u64, what: &str) {
    assert!(
        one.abs_diff(other) * 50 <= one.max(other),
        "{what}: {one} and {other}"
    );
}

#[test]
fn a_limit_on_size_counts_bytes_on_disk_and_shared_content_once() {
    let store = Store::with_duplicates();
    let packs = store.packs();
    let stats = store.stats();
    assert!(
        stats.sources_bytes > 3 * packs,
        "{packs} of {}",
        stats.sources_bytes
    );
    assert_eq!(stats.stored_bytes, packs);

    assert_eq!(store.plan(&max_size(packs)).count, 0, "it fits as it is");
    for limit in [packs - packs / 10, packs / 2, packs / 5] {
        let plan = store.plan(&max_size(limit));
        let left = packs - plan.bytes_freed;
        assert!(left <= limit, "{left} left, {limit} allowed");
        let last = plan.items.last().expect("one goes").bytes_freed;
        // Fractions of a byte are rounded up, once for each content.
        let rounded = stats.entries;
        assert!(
            left + last + rounded > limit,
            "no more goes than has to: {left} + {last}"
        );
    }
    assert_eq!(store.plan(&max_size(0)).count, stats.entries);
}

#[test]
fn a_preview_adds_up_with_the_files_of_the_store_afterwards() {
    for share in [10, 4, 2] {
        let store = Store::with_duplicates();
        let before = store.packs();
        let plan = store.plan(&max_size(before - before / share));
        let by_item: u64 = plan.items.iter().map(|item| item.bytes_freed).sum();
        assert_eq!(plan.bytes_freed, by_item);
        let outcome = store.purge(&plan);
        let after = store.packs();
        assert_eq!(outcome.bytes_freed(), before - after);
        assert_near(
            plan.bytes_freed_at_once.max(1),
            outcome.bytes_freed().max(1),
            "at once",
        );
        // The remaining bytes are needed, or are the rest that the preview stated.
        let needed = store.plan(&all()).bytes_freed;
        let rest = plan.bytes_freed.saturating_sub(plan.bytes_freed_at_once);
        assert_near(after, needed + rest, "what is left");
        assert_eq!(store.stats().stored_bytes, after);
        // A rewritten pack has its dictionary for fewer files, so one more entry may be purged, but
        // not more.
        let again = store.plan(&max_size(before - before / share));
        assert!(again.count <= 1, "{}", again.count);
    }
}

/// Content that another converter also has is not freed, but it counts for each of the two
/// converters.
#[test]
fn a_limit_for_one_converter_counts_its_own_content_once() {
    let store = Store::with_duplicates();
    let of = |converter: &str, policy: Policy| policy.converter(converter);
    let everything = store.plan(&of("FCT", all()));
    assert_eq!(everything.bytes_freed, 0, "the others have all of it");
    let each = store.packs() / 100;
    // Twelve files of about `each` bytes: limiting the size to half purges the older half.
    assert_eq!(everything.count, 12);
    let plan = store.plan(&of("FCT", max_size(each * 6)));
    assert!((5..=8).contains(&plan.count), "{}", plan.count);
    assert_eq!(plan.bytes_freed, 0);
    assert_eq!(store.plan(&of("FCT", max_size(each * 14))).count, 0);
    // Both entries of a content must be purged before its bytes are freed.
    let ict = store.plan(&of("ICT", max_size(0)));
    assert!(ict.items.iter().any(|item| item.bytes_freed == 0));
}
