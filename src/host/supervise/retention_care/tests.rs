//! Which purges of a host wait for a person.

use super::*;
use crate::archive::{NewEntry, Options};
use crate::disk::sim::SimDisk;
use crate::retention::{AsOf, Policy};
use std::sync::Arc;

const DAY: i64 = 86_400_000_000;

fn care() -> RetentionCare {
    RetentionCare {
        ask_above_percent: 20,
        ask_after: Some(Duration::from_secs(30 * 86_400)),
        wait: Duration::from_secs(86_400),
        ..RetentionCare::default()
    }
}

fn at(newest_days_ago: i64, running_for: i64) -> StoreAtStart {
    let begun = Timestamp::from_micros(20_000 * DAY);
    StoreAtStart {
        newest_before: Some(begun.plus_days(-newest_days_ago)),
        begun,
        now: begun.plus_micros(running_for),
    }
}

/// A store of so many entries, and the plan to keep only some of them.
fn plan(entries: u64, left: u64) -> (PurgePlan, PlanImpact) {
    let archive = Archive::create_on(Arc::new(SimDisk::new()), Options::default());
    let archive = archive.expect("a store");
    for nth in 0..entries {
        let content = nth.to_le_bytes();
        archive
            .put(NewEntry::new("ICT"), &content[..])
            .expect("archived");
    }
    let policy = Policy::default().max_count(left);
    let plan = archive.plan_purge(&policy, AsOf::Clock).expect("a plan");
    let impact = archive.impact(&plan).expect("counted");
    (plan, impact)
}

/// Somebody wrote 9 instead of 90 days, and the host took nearly everything within the hour.
#[test]
fn a_purge_of_a_large_share_waits_and_one_of_a_few_entries_does_not() {
    let waits = |entries, left, care: RetentionCare| {
        let (plan, impact) = plan(entries, left);
        care.waits(&plan, &impact, at(0, 0), "ICT")
    };
    let waiting = waits(300, 100, care()).expect("two thirds");
    assert_eq!((waiting.entries, waiting.until), (200, None));
    assert!(waiting.why.contains("66.7%"), "{}", waiting.why);
    assert!(waits(600, 490, care()).is_none(), "less than a fifth");
    assert!(waits(50, 0, care()).is_none(), "few entries");
    let never = RetentionCare {
        ask_above_percent: 100,
        ..care()
    };
    assert!(
        waits(300, 0, never).is_none(),
        "allowed by the configuration"
    );
}

/// A host was off over a year; an hour after its start everything that was due meanwhile was gone.
#[test]
fn the_first_purges_after_a_long_time_off_wait_for_a_while() {
    let (plan, impact) = plan(20, 19);
    let waits = |store| care().waits(&plan, &impact, store, "ICT");
    let waiting = waits(at(40, 0)).expect("40 days");
    assert!(waiting.why.contains("40 days"), "{}", waiting.why);
    assert!(waiting.until.is_some());
    assert!(waits(at(40, DAY - 1)).is_some());
    assert!(waits(at(40, DAY)).is_none(), "it said so for a day");
    assert!(waits(at(30, 0)).is_none());
    let new_store = StoreAtStart {
        newest_before: None,
        ..at(0, 0)
    };
    assert!(waits(new_store).is_none());
}

#[test]
fn a_limit_that_holds_keep_from_being_met_is_told_with_both_numbers() {
    let held = HeldOverLimit {
        entries: 12,
        bytes: 12 << 30,
        over_size: true,
        over_count: true,
    };
    assert_eq!(
        unmet("ICT", held, Some(10 << 30), Some(5)),
        [
            "holds keep 12.0 GiB of 'ICT'; its limit of 10.0 GiB cannot be met",
            "holds keep 12 entries of 'ICT'; its limit of 5 cannot be met",
        ]
    );
}
