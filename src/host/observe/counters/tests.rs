//! Tests counts, rates and reasons.

use super::*;
use crate::host::observe::space::Space;
use crate::host::observe::status::{Histogram, HostState};

#[test]
fn times_are_counted_in_the_class_they_fit() {
    let mut times = Histogram::default();
    for millis in [1, 5, 6, 60_000, 61_000] {
        times.count(Duration::from_millis(millis));
    }
    assert_eq!(times.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
    assert!((times.sum_s - 121.012).abs() < 1e-9);
}

#[test]
fn a_rate_forgets_what_is_older_than_a_minute() {
    let mut rate = Rate::default();
    let start = Instant::now();
    for second in [0, 0, 30, 59] {
        rate.count(start + Duration::from_secs(second));
    }
    assert_eq!(rate.0.len(), 3);
    assert_eq!(rate.sum(start + Duration::from_secs(60)), 4);
    assert_eq!(rate.sum(start + Duration::from_secs(61)), 2);
}

/// Once a share can be listed again, the status must not report it any more.
#[test]
fn a_folder_that_can_be_listed_again_is_no_reason_any_more() {
    let counters = Counters::new();
    counters.enter(HostState::Running);
    let reasons = || {
        counters
            .lock()
            .reasons(&Space::default(), &[], Duration::from_secs(1))
    };
    assert!(reasons().is_empty());
    let error = Error::new(crate::ErrorKind::Full, "no room");
    counters.archive_failed("T", Path::new("a"), &error);
    counters.archived("T", false, Duration::ZERO);
    let summary = counters.scanned(Sent::default(), 0, vec!["x".to_owned()]);
    assert_eq!(
        (
            summary.archive_failed,
            summary.archived,
            summary.errors.len()
        ),
        (1, 1, 1)
    );
    assert_eq!(reasons(), ["x"]);
    counters.scanned(Sent::default(), 0, Vec::new());
    assert!(reasons().is_empty());
}

/// A key was replaced on one machine, and a host signed nothing for a year. Its log said so once.
#[test]
fn a_log_that_is_not_signed_is_a_reason() {
    let counters = Counters::new();
    counters.enter(HostState::Running);
    let store = |signing_error: Option<&str>| StoreStatus {
        dir: "/data/store".into(),
        entries: 0,
        failed: 0,
        troubles: Vec::new(),
        outdated: Vec::new(),
        stored_bytes: 0,
        free_bytes: None,
        error: None,
        signing_error: signing_error.map(str::to_owned),
    };
    let reasons = |store: StoreStatus| {
        let every = Duration::from_secs(1);
        counters.lock().reasons(&Space::default(), &[store], every)
    };
    assert!(reasons(store(None)).is_empty());
    assert_eq!(
        reasons(store(Some("no key; make one"))),
        ["the log of the store in /data/store was not signed: no key; make one"]
    );
}
