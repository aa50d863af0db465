//! Holds with review dates, on entries to come, and on more entries than one event lists.

use std::sync::Arc;

use super::*;
use crate::archive::{Annotation, NewAttempt, NewEntry, Options};
use crate::disk::sim::SimDisk;
use crate::entry::{Outcome, Unit};
use crate::retention::{AsOf, Policy};

fn store(disk: &SimDisk) -> Archive {
    Archive::create_on(Arc::new(disk.clone()), Options::default()).expect("a store")
}

fn put(archive: &Archive, serial: &str) -> EntryId {
    let new = NewEntry::new("ICT").serial(serial);
    archive.put(new, serial.as_bytes()).expect("archived").id
}

fn holds_on(archive: &Archive, id: EntryId) -> Vec<String> {
    let entry = archive.snapshot().expect("there").entry(id).expect("read");
    entry.expect("there").holds
}

fn serial(text: &str) -> HoldOn {
    HoldOn::NowAndFuture(Filter::default().serial(text))
}

fn dump(archive: &Archive) -> Vec<String> {
    let mut lines = Vec::new();
    let view = archive.store().index.view();
    view.dump(|line| lines.push(line)).expect("sound");
    lines
}

/// A legal hold froze a list; what the tester measured of the same unit the day after was purged.
#[test]
fn a_hold_on_entries_to_come__keeps_what_matches_from_its_archiving() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    let before = put(&archive, "SN1");
    let hold = NewHold::new("case 7", "claim", serial("SN1"));
    assert_eq!(archive.hold(hold).expect("placed"), 1);
    let after = put(&archive, "sn1");
    let other = put(&archive, "SN2");
    assert_eq!(holds_on(&archive, before), ["case 7"]);
    assert_eq!(holds_on(&archive, after), ["case 7"]);
    assert!(holds_on(&archive, other).is_empty());
    let policy = Policy::default().max_count(0);
    let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
    assert_eq!((plan.count, plan.held_skipped), (1, 2));
    let live = dump(&archive);
    archive.rebuild().expect("rebuilt");
    assert_eq!(dump(&archive), live);
    archive.release_hold("case 7", "closed").expect("released");
    assert!(holds_on(&archive, after).is_empty());
    // A hold of the same name is another hold.
    archive
        .place_hold("case 7", "again", vec![other])
        .expect("placed");
    assert!(holds_on(&archive, after).is_empty());
}

/// The serial is what a converter finds out, or what somebody corrects, and later it is corrected
/// away: the entry stays on hold, because nobody released it.
#[test]
fn an_entry_that_comes_to_match__is_held_until_the_release() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    let misread = put(&archive, "SN-1");
    let unknown = archive
        .put(NewEntry::new("ICT"), &b"?"[..])
        .expect("archived");
    let hold = NewHold::new("case", "claim", serial("SN1"));
    assert_eq!(archive.hold(hold).expect("placed"), 0);
    let mut attempt = NewAttempt::new(Outcome::Success, "ICT");
    attempt.unit = Unit::default().serial("SN1");
    archive
        .record_attempt(unknown.id, attempt)
        .expect("recorded");
    assert_eq!(holds_on(&archive, unknown.id), ["case"]);
    let correct = |serial: &str| {
        let mut note = Annotation::new("misread");
        note.unit = Unit::default().serial(serial);
        archive.annotate(misread, note).expect("noted");
    };
    correct("SN1");
    assert_eq!(holds_on(&archive, misread), ["case"]);
    correct("SN2");
    assert_eq!(holds_on(&archive, misread), ["case"]);
    let live = dump(&archive);
    archive.close().expect("closed");
    let archive = Archive::open_on(Arc::new(disk), Options::default()).expect("opens");
    archive.rebuild().expect("rebuilt");
    assert_eq!(dump(&archive), live);
    archive.release_hold("case", "closed").expect("released");
    assert!(holds_on(&archive, misread).is_empty());
}

/// More entries than one event can list were refused as an event that is too long.
#[test]
fn a_hold_on_thousands_of_scattered_entries__is_placed_whole() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    for nth in 0..8_000 {
        put(&archive, if nth % 2 == 0 { "even" } else { "odd" });
    }
    let even = HoldOn::Matching(Filter::default().serial("even"));
    let placed = archive.hold(NewHold::new("even", "half of them", even));
    assert_eq!(placed.expect("placed"), 4_000);
    let holds = archive.holds().expect("listed");
    assert_eq!((holds[0].entries, holds[0].bytes), (4_000, 16_000));
    archive.release_hold("even", "over").expect("released");
    assert!(archive.holds().expect("listed").is_empty());
}

/// A reminder that nobody set again must not let anything go.
#[test]
fn a_review_date_that_is_over__says_so_and_releases_nothing() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    let id = put(&archive, "SN1");
    let now = archive.store().options.clock.now();
    let on = HoldOn::Entries(vec![id]);
    let hold = NewHold::new("audit", "IATF", on).review(now.plus_days(-1));
    archive.hold(hold).expect("placed");
    let listed = || archive.hold_dates().expect("listed").remove(0);
    assert!(listed().is_overdue(now));
    assert!(listed().placed_by.is_some());
    assert_eq!(holds_on(&archive, id), ["audit"]);
    let refused = |until, name: &str, reason: &str| {
        let error = archive.review_hold(name, until, reason);
        error.expect_err("refused").kind()
    };
    let (past, later) = (now.plus_days(-1), now.plus_days(90));
    assert_eq!(refused(past, "audit", "why"), ErrorKind::Invalid);
    assert_eq!(refused(later, "audit", " "), ErrorKind::Invalid);
    assert_eq!(refused(later, "other", "why"), ErrorKind::NotFound);
    archive
        .review_hold("audit", later, "still open")
        .expect("reviewed");
    assert!(!listed().is_overdue(now) && listed().is_overdue(later));
}

#[test]
fn a_filter_that_cannot_be_kept__is_refused() {
    let disk = SimDisk::new();
    let archive = store(&disk);
    let id = put(&archive, "SN1");
    archive
        .declare_personal(&[PersonalField::Serial], Some("law"))
        .expect("declared");
    let unkeepable = [
        Filter::default(),
        Filter::default().ids(vec![id]),
        Filter::default().purged(Purged::Include),
        Filter::default().serial("SN1"),
    ];
    for filter in unkeepable {
        let hold = NewHold::new("case", "claim", HoldOn::NowAndFuture(filter.clone()));
        let error = archive.hold(hold).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{filter:?}");
    }
}
