//! Plans and purges, and that purged content is nowhere on the disk.

use std::sync::Arc;

use super::*;
use crate::archive::{NewAttempt, NewEntry, Options};
use crate::disk::sim::{Fault, Repeat, SimDisk};
use crate::entry::Outcome;
use crate::event::Body;
use crate::id::{BlobId, EntryId};
use crate::log::JOURNAL_BYTES_MIN;
use crate::query::Filter;

const SECRET: &[u8] = b"serial 4711 of a unit that must be forgotten";

fn archive(disk: &SimDisk) -> Archive {
    let options = Options {
        journal_bytes: JOURNAL_BYTES_MIN,
        ..Options::default()
    };
    Archive::create_on(Arc::new(disk.clone()), options).expect("a store")
}

fn put(archive: &Archive, content: &[u8]) {
    put_as(archive, "ICT", content);
}

fn put_as(archive: &Archive, converter: &str, content: &[u8]) {
    let new = NewEntry {
        converter: converter.into(),
        ..NewEntry::default()
    };
    archive.put(new, content).expect("archived");
}

fn is_anywhere(disk: &SimDisk, wanted: &[u8]) -> bool {
    disk.files().iter().any(|(path, _)| {
        let content = disk.content(path).expect("a file");
        content.windows(wanted.len()).any(|window| window == wanted)
    })
}

/// Purged content used to linger in journal files that had been sealed and recycled before the
/// purge.
#[test]
fn a_purge__leaves_its_content_nowhere_on_the_disk() {
    let disk = SimDisk::new();
    let archive = archive(&disk);
    put(&archive, SECRET);
    archive.seal().expect("sealed");
    // Once more in the journal, which is not sealed when the purge comes.
    put(&archive, SECRET);
    assert!(
        is_anywhere(&disk, SECRET),
        "the test looks in the right place"
    );
    let policy = Policy {
        max_count: Some(0),
        ..Policy::default()
    };
    let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
    archive.purge(&plan, "asked for").expect("purged");
    assert!(!is_anywhere(&disk, SECRET));
    archive.close().expect("closed");
}

/// A file that is used again holds what it held before, behind what was written since. When all
/// of that is sealed by then, a purge of it does not turn to another file.
#[test]
fn a_purge__wipes_the_current_journal_file() {
    let disk = SimDisk::new();
    let archive = archive(&disk);
    put(&archive, b"what comes before is overwritten first");
    put(&archive, SECRET);
    // On to another file, and back.
    archive.seal().expect("sealed");
    put(&archive, b"in between");
    archive.seal().expect("sealed");
    assert!(is_anywhere(&disk, SECRET), "behind the end of the file");
    let plan = archive.plan_purge(&all_but(1), AsOf::Clock);
    let plan = plan.expect("a plan");
    archive.purge(&plan, "asked for").expect("purged");
    assert!(!is_anywhere(&disk, SECRET));
    archive.close().expect("closed");
}

/// What was archived since changes nothing that a plan decided on.
#[test]
fn a_plan_from_a_later_event__is_refused() {
    let one = archive(&SimDisk::new());
    put(&one, b"first");
    let plan = one.plan_purge(&all_but(0), AsOf::Clock).expect("a plan");
    put(&one, b"second");
    let mut ahead = plan.clone();
    ahead.at_seq = one.newest().next();
    let refused = one.purge(&ahead, "asked for").expect_err("from nowhere");
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert!(refused.message().contains("has not reached"), "{refused}");
    let purged = one.purge(&plan, "asked for").expect("purged");
    assert_eq!(purged.recorded.archives_purged, 1);
}

/// A seal compresses all that was archived since the last one. A nightly purge of what is
/// months old waited for it.
#[test]
fn a_purge__seals_the_journal_only_when_needed() {
    let disk = SimDisk::new();
    let archive = archive(&disk);
    put(&archive, SECRET);
    archive.seal().expect("sealed");
    put(&archive, b"second");
    let segments = || {
        let files = disk.files().into_iter();
        files
            .filter(|(path, _)| path.starts_with("events/"))
            .count()
    };
    for (left, goes, sealed) in [(1, SECRET, 1), (0, b"second", 2)] {
        assert!(is_anywhere(&disk, goes));
        let plan = archive.plan_purge(&all_but(left), AsOf::Clock);
        archive
            .purge(&plan.expect("a plan"), "asked for")
            .expect("purged");
        assert!(!is_anywhere(&disk, goes), "{left} left");
        assert_eq!(segments(), sealed);
    }
}

/// The power went when a purge was recorded and nothing was freed yet. The next one, of
/// something else, ends it.
#[test]
fn a_purge__finishes_one_that_was_cut_off() {
    let disk = SimDisk::new();
    let cut_off = archive(&disk);
    put(&cut_off, b"long sealed");
    cut_off.seal().expect("sealed");
    put_as(&cut_off, "FCT", SECRET);
    let plan_for = |archive: &Archive, converter: &str| {
        let policy = Policy {
            converter: Some(converter.into()),
            ..all_but(0)
        };
        let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
        assert_eq!(plan.count, 1);
        plan
    };
    let plan = plan_for(&cut_off, "FCT");
    cut_off
        .record_purge(&plan, "asked for", None)
        .expect("recorded");
    let disk = disk.snapshot();
    assert!(is_anywhere(&disk, SECRET));
    let archive = Archive::open_on(Arc::new(disk.clone()), Options::default()).expect("opens");
    let plan = plan_for(&archive, "ICT");
    archive.purge(&plan, "asked for").expect("purged");
    assert!(!is_anywhere(&disk, SECRET));
}

/// What stands before content in the journal, and in a pack.
const RECORD: u64 = 60;
/// And the share of each of three in what a pack has beside records.
const PACKED: u64 = 28 + 52 + (128 + 64) / 3;

fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Two entries with one content, and a third with a report.
fn three(archive: &Archive) {
    put(archive, &noise(1, 1_000));
    put(archive, &noise(1, 1_000));
    put(archive, &noise(2, 500));
    let newest = archive.newest();
    let attempt = NewAttempt {
        reports: vec![noise(3, 300)],
        ..NewAttempt::new(Outcome::Success, "ICT")
    };
    archive
        .record_attempt(EntryId(newest.0), attempt)
        .expect("recorded");
}

fn all_but(left: u64) -> Policy {
    Policy {
        max_count: Some(left),
        ..Policy::default()
    }
}

fn freed(archive: &Archive, policy: &Policy) -> Vec<u64> {
    let plan = archive.plan_purge(policy, AsOf::Clock).expect("a plan");
    plan.items.iter().map(|item| item.bytes_freed).collect()
}

#[test]
fn a_plan__counts_shared_content_with_its_last_entry() {
    for sealed in [false, true] {
        let archive = archive(&SimDisk::new());
        three(&archive);
        if sealed {
            archive.seal().expect("sealed");
        }
        let record = if sealed { PACKED } else { RECORD };
        let all = [0, 1_000 + record, 800 + 2 * record];
        assert_eq!(freed(&archive, &all_but(0)), all);
        assert_eq!(freed(&archive, &all_but(1)), all[..2]);
        assert_eq!(freed(&archive, &all_but(3)), all[..0]);
        // A limit on size is one on what is stored: the content that two of them have counts
        // once.
        let by_size = |bytes| Policy {
            max_size: Some(bytes),
            ..Policy::default()
        };
        let stored = 1_800 + 3 * record;
        assert_eq!(freed(&archive, &by_size(stored)), all[..0]);
        assert_eq!(freed(&archive, &by_size(stored - 1)), all[..2]);
        assert_eq!(freed(&archive, &by_size(800 + 2 * record)), all[..2]);
        assert_eq!(freed(&archive, &by_size(799)), all);
    }
}

#[test]
fn a_purge__reports_bytes_freed_in_journal_and_packs() {
    let archive = archive(&SimDisk::new());
    three(&archive);
    let plan = archive
        .plan_purge(&all_but(0), AsOf::Clock)
        .expect("a plan");
    let done = archive.purge(&plan, "test").expect("purged");
    assert_eq!(done.bytes_freed(), 1_800 + 3 * RECORD);
    assert_eq!(done.recorded.archives_purged, 3);

    three(&archive);
    archive.seal().expect("sealed");
    let packs: u64 = archive
        .snapshot()
        .expect("there")
        .stats()
        .expect("counted")
        .stored_bytes;
    put(&archive, &noise(4, 700));
    let plan = archive
        .plan_purge(&all_but(0), AsOf::Clock)
        .expect("a plan");
    let done = archive.purge(&plan, "test").expect("purged");
    assert!(packs >= 1_800 + 3 * PACKED, "{packs}");
    assert_eq!(done.bytes_freed(), packs + 700 + RECORD);
}

/// A hold that was placed and lifted again is nothing the entries themselves remember.
#[test]
fn holds_after_a_plan__make_it_stale() {
    let archive = archive(&SimDisk::new());
    three(&archive);
    let kind = |done: Result<PurgeOutcome>| done.map_err(|error| error.kind()).err();
    let plan = archive
        .plan_purge(&all_but(0), AsOf::Clock)
        .expect("a plan");
    let ahead = PurgePlan {
        at_seq: archive.newest().next(),
        ..plan.clone()
    };
    assert_eq!(
        kind(archive.purge(&ahead, "test")),
        Some(ErrorKind::Refused)
    );
    let first = EntryId(plan.items[0].id.0);
    archive
        .place_hold("audit", "why", vec![first])
        .expect("placed");
    archive.release_hold("audit", "over").expect("released");
    assert_eq!(kind(archive.purge(&plan, "test")), Some(ErrorKind::Refused));
    let fresh = archive
        .plan_purge(&all_but(0), AsOf::Clock)
        .expect("a plan");
    assert_eq!(kind(archive.purge(&fresh, "test")), None);
}

#[test]
fn a_policy_without_a_rule__is_refused_with_a_hint() {
    let archive = archive(&SimDisk::new());
    three(&archive);
    let policy = Policy {
        converter: Some("ICT".into()),
        ..Policy::default()
    };
    let refused = archive.plan_purge(&policy, AsOf::Clock).expect_err("none");
    assert_eq!(refused.kind(), ErrorKind::Refused);
    let hint = refused.next_step().expect("a hint");
    assert!(hint.contains("at least one rule"), "{hint}");
}

#[test]
fn a_purge_of_nothing_or_without_reason__is_refused() {
    let archive = archive(&SimDisk::new());
    three(&archive);
    let newest = archive.newest();
    let refused = |left, reason| {
        let plan = archive.plan_purge(&all_but(left), AsOf::Clock);
        let refused = archive.purge(&plan.expect("a plan"), reason);
        let refused = refused.expect_err("carried out");
        assert_eq!(refused.kind(), ErrorKind::Refused);
        refused.message().to_owned()
    };
    assert_eq!(refused(3, "test"), "the plan takes nothing");
    for reason in ["", " \t\n"] {
        assert_eq!(refused(0, reason), "a purge needs a reason");
    }
    // That somebody tried is all that is on record.
    let events = archive.events(newest.next(), None).expect("sound");
    let refusals: Vec<String> = events
        .map(|leaf| leaf.and_then(|leaf| leaf.event()).expect("readable").body)
        .map(|body| match body {
            Body::PurgeRefused(fact) => fact.refusal,
            other => other.kind().to_owned(),
        })
        .collect();
    assert_eq!(refusals, ["empty_plan", "no_reason", "no_reason"]);
}

/// An index that cannot be read must not make a plan shorter.
#[test]
fn a_plan_over_an_unreadable_index__is_an_error() {
    let disk = SimDisk::new();
    let made = archive(&disk);
    // More than a page of the index holds.
    for nth in 0..150_u32 {
        put(&made, &nth.to_le_bytes());
    }
    made.seal().expect("sealed");
    made.close().expect("closed");
    let plan_failing_at = |calls: Option<u64>, older_than: i64| {
        let disk = disk.snapshot();
        let options = Options {
            index_cache_bytes: 0,
            access: crate::archive::Access::ReadOnly,
            ..Options::default()
        };
        let archive = Archive::open_on(Arc::new(disk.clone()), options).expect("opened");
        let before = disk.calls();
        if let Some(calls) = calls {
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
        }
        let policy = Policy {
            older_than_micros: Some(older_than),
            ..Policy::default()
        };
        let day = archive.store().options.clock.now().plus_days(1);
        let plan = archive.plan_purge(&policy, AsOf::Vouched(day));
        assert_eq!(disk.struck(), u64::from(calls.is_some()));
        (plan, disk.calls() - before)
    };
    let (walked, walking) = plan_failing_at(None, 1_000 * 86_400_000_000);
    assert_eq!(walked.expect("a plan").count, 0);
    let (taken, taking) = plan_failing_at(None, 1);
    assert_eq!(taken.expect("a plan").count, 150);
    assert!(
        taking > walking,
        "{taking} calls, {walking} without what goes along"
    );
    for calls in [0, taking / 2, taking - 1] {
        let (plan, _) = plan_failing_at(Some(calls), 1);
        let kind = plan.map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::Io), "call {calls}");
    }
}

/// A view is a moment; content can move from the journal to packs behind it, and what it knows
/// of no more counts as nothing.
#[test]
fn content_unknown_to_a_view__frees_nothing() {
    let archive = archive(&SimDisk::new());
    put(&archive, &noise(1, 1_000));
    let view = archive.store().index.view();
    let freed = |content: &[u8]| {
        let sizes = Sizes::new(&archive.store().journal, &view).expect("readable");
        let mut store = Needs::of_all(&sizes);
        store.release(BlobId::of(content)).expect("readable")
    };
    assert_eq!(freed(&noise(2, 500)), 0);
    assert_eq!(freed(&noise(1, 1_000)), 1_000 + RECORD);
    archive.seal().expect("sealed");
    assert_eq!(freed(&noise(1, 1_000)), 0);
}

/// A host that is behind purged what it had still to convert. Whoever has no converters must be
/// able to purge all the same, and what nothing converts must go one day.
#[test]
fn a_policy_of_a_host__keeps_what_is_still_to_be_converted_for_a_day() {
    let disk = SimDisk::new();
    let archive = archive(&disk);
    for content in [b"1", b"2", b"3"] {
        put(&archive, content);
    }
    let converted = NewAttempt::new(Outcome::Failed, "ICT").error("no serial");
    let all = archive.snapshot().expect("there");
    let all = all.ids(&Filter::default(), "id".parse().expect("an order"));
    let [first, second, third] = all.expect("read")[..] else {
        panic!("three were archived");
    };
    let recorded = archive.record_attempt(second, converted);
    recorded.expect("recorded");
    let now = archive.store().options.clock.now();
    let taken = |policy: &Policy, day| {
        let plan = archive
            .plan_purge(policy, AsOf::Vouched(day))
            .expect("a plan");
        let ids: Vec<EntryId> = plan.items.iter().map(|item| item.id).collect();
        (ids, plan.waiting_skipped)
    };
    let by_hand = all_but(0);
    let of_host = by_hand.clone().unconverted(Unconverted::Keep);
    assert_eq!(taken(&by_hand, now), (vec![first, second, third], 0));
    assert_eq!(taken(&of_host, now), (vec![second], 2));
    assert_eq!(
        taken(&of_host, now.plus_days(2)),
        (vec![first, second, third], 0)
    );
}
