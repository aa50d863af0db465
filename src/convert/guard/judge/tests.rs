//! Checks that a loss is told, and that nothing is told of a converter that never had it.

use std::sync::Arc;

use super::*;
use crate::archive::{Archive, NewAttempt, NewEntry, Options};
use crate::disk::sim::SimDisk;
use crate::entry::Outcome;
use crate::id::EntryId;

/// Returns a store with one success of the converter `T` for each extent.
fn store(extents: impl IntoIterator<Item = Extent>) -> Archive {
    let archive = Archive::create_on(Arc::new(SimDisk::new()), Options::default());
    let archive = archive.expect("a store");
    for (nth, extent) in extents.into_iter().enumerate() {
        let content = nth.to_string();
        let id = archive.put(NewEntry::new("T"), content.as_bytes());
        let id = id.expect("archived").id;
        let attempt = NewAttempt::new(Outcome::Success, "T").extent(extent);
        archive.record_attempt(id, attempt).expect("recorded");
    }
    archive
}

fn usual() -> Extent {
    Extent {
        bytes: 5000,
        steps: Some(77),
        values: 154,
        empty: 0,
        serial: true,
        part: true,
        counted_at: None,
    }
}

fn reasons(
    archive: &Archive,
    expect: &Expect,
    before: Option<&Extent>,
    now: &Extent,
) -> Vec<String> {
    let siblings = SiblingSearch::beside(archive, "T", EntryId(0), None);
    Case {
        now,
        expect,
        before,
        siblings: &siblings,
    }
    .reasons()
    .expect("a readable store")
}

/// A converter for the files of many instruments had a fourth of its results flagged.
#[test]
fn steps_are_no_measure_where_the_others_do_not_agree() {
    let mixed = (0..60_usize).map(|nth| {
        let mut extent = usual();
        extent.steps = Some([5, 96, 100, 2_000][nth % 4]);
        extent
    });
    let mut now = usual();
    now.steps = Some(1);
    let archive = store(mixed);
    assert_eq!(reasons(&archive, &Expect::default(), None, &now).len(), 1);
    let wider = (0..60_usize).map(|nth| {
        let mut extent = usual();
        extent.steps = Some([5, 8, 100, 2_000, 3_000][nth % 5]);
        extent
    });
    let archive = store(wider);
    assert_eq!(reasons(&archive, &Expect::default(), None, &now), [""; 0]);
}

/// A new release of a parser loses 76 of 77 steps and says success.
#[test]
fn each_loss_is_told_in_words() {
    let archive = store((0..60).map(|_| usual()));
    let told = |change: fn(&mut Extent)| {
        let mut now = usual();
        change(&mut now);
        reasons(&archive, &Expect::default(), None, &now)
    };
    assert_eq!(told(|_| ()), [""; 0]);
    assert_eq!(
        told(|now| now.steps = Some(1)),
        ["1 step; entries of this converter have 77 (median of the last 50)"]
    );
    assert_eq!(told(|now| now.steps = Some(39)), [""; 0]);
    assert_eq!(
        told(|now| now.serial = false),
        ["no serial; 50 of the last 50 entries of this converter have one"]
    );
    assert_eq!(
        told(|now| now.part = false),
        ["no part; 50 of the last 50 entries of this converter have one"]
    );
    assert_eq!(
        told(|now| now.values = 0),
        ["no measured value; 50 of the last 50 entries of this converter have some"]
    );
    assert_eq!(
        told(|now| now.empty = 77),
        ["77 empty values in 77 steps; entries of this converter have 0 (median of the last 50)"]
    );
    assert_eq!(
        told(|now| now.bytes = 160),
        ["a report of 160 bytes; 50 of the last 50 entries of this converter have at least 200"]
    );
    assert_eq!(
        told(|now| now.bytes = 0),
        ["no report; 50 of the last 50 entries of this converter have at least 200"]
    );
}

#[test]
fn the_attempt_before_is_compared_with_first() {
    let archive = store([]);
    let now = Extent {
        bytes: 100,
        steps: Some(2),
        ..Extent::default()
    };
    assert_eq!(
        reasons(&archive, &Expect::default(), Some(&usual()), &now),
        [
            "no serial; the attempt before had one",
            "no part; the attempt before had one",
            "2 steps; the attempt before had 77",
            "no measured value; the attempt before had some",
            "a report of 100 bytes; the attempt before had 5000",
        ]
    );
    assert_eq!(
        reasons(&archive, &Expect::default(), Some(&now), &now),
        [""; 0]
    );
}

/// Most converters have no serial in their answer, some make tiny reports, and a unit that fails
/// early has few steps.
#[test]
fn what_others_do_not_have_is_not_missed() {
    let small = Extent {
        bytes: 20,
        ..Extent::default()
    };
    let expect = Expect::default();
    let now = small.clone();
    assert_eq!(reasons(&store([]), &expect, None, &now), [""; 0]);
    let few = store((0..9).map(|_| usual()));
    assert_eq!(
        reasons(&few, &expect, None, &now),
        [""; 0],
        "too few to say anything"
    );
    let alike = store((0..60).map(|_| small.clone()));
    assert_eq!(reasons(&alike, &expect, None, &now), [""; 0]);
    let stops_on_fail = store((0..60).map(|nth| Extent {
        steps: Some(if nth % 10 == 0 { 3 } else { 77 }),
        ..usual()
    }));
    let stopped = Extent {
        steps: Some(4),
        ..usual()
    };
    assert_eq!(reasons(&stops_on_fail, &expect, None, &stopped), [""; 0]);
    let elsewhere = Extent {
        steps: Some(3),
        counted_at: Some("/groups".into()),
        ..usual()
    };
    let archive = store((0..60).map(|_| usual()));
    assert_eq!(
        reasons(&archive, &expect, Some(&usual()), &elsewhere),
        [""; 0]
    );
}

#[test]
fn what_is_stated_holds_without_others() {
    let archive = store([]);
    let now = Extent {
        bytes: 500,
        steps: Some(7),
        ..Extent::default()
    };
    let expect = Expect::default()
        .serial(Expected::Always)
        .part(Expected::At("/pn".parse().expect("a path")))
        .steps_min(10)
        .report_bytes_min(1000);
    assert_eq!(
        reasons(&archive, &expect, None, &now),
        [
            "no serial",
            "no part at /pn",
            "7 steps; at least 10 are expected",
            "a report of 500 bytes; at least 1000 are expected",
        ]
    );
    let nothing = Expect::default()
        .serial(Expected::Never)
        .part(Expected::Never)
        .values(false)
        .steps_of_siblings(0.0)
        .report_bytes_min(0);
    let archive = store((0..60).map(|_| usual()));
    let now = Extent::default();
    assert_eq!(reasons(&archive, &nothing, Some(&usual()), &now), [""; 0]);
}

/// A broken converter must not become what is usual.
#[test]
fn suspicious_results_are_no_siblings() {
    let archive = store((0..12).map(|_| usual()));
    for nth in 100..200 {
        let content = nth.to_string();
        let id = archive.put(NewEntry::new("T"), content.as_bytes());
        let broken = NewAttempt::new(Outcome::Success, "T")
            .extent(Extent::default())
            .suspicious(vec!["1 step".into()]);
        archive
            .record_attempt(id.expect("archived").id, broken)
            .expect("recorded");
    }
    let now = Extent {
        steps: Some(1),
        ..usual()
    };
    assert_eq!(
        reasons(&archive, &Expect::default(), None, &now),
        ["1 step; entries of this converter have 77 (median of the last 12)"]
    );
}
