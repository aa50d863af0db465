//! Tests of the values that events are made of.

use std::time::{Duration, SystemTime};

use super::*;
use crate::id::EntryId;

/// Modification times that a file system may hold but no calendar can express.
#[test]
fn a_far_modification_time_is_kept_to_the_second() {
    let later = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let earlier =
        |seconds, nanos| SystemTime::UNIX_EPOCH.checked_sub(Duration::new(seconds, nanos));
    let far = [
        (later(316_516_000_000), 316_516_000_000),
        (later(i64::MAX.unsigned_abs()), i64::MAX),
        (earlier(70_000_000_000, 0), -70_000_000_000),
        (earlier(70_000_000_000, 1), -70_000_000_001),
        (earlier(i64::MIN.unsigned_abs(), 0), i64::MIN),
    ];
    let far = far
        .into_iter()
        .filter_map(|(time, seconds)| Some((time?, Some(seconds))));
    let near = [
        (later(1_700_000_000), None),
        (earlier(1, 500_000_000), None),
    ];
    let near = near
        .into_iter()
        .filter_map(|(time, seconds)| Some((time?, seconds)));
    for (time, seconds) in far.chain(near) {
        let mut source = Source::default();
        source.set_modified(time);
        assert_eq!(source.modified, Some(Timestamp::from(time)));
        assert_eq!(source.modified_s, seconds, "{time:?}");
    }
}

#[test]
fn ranges_cover_just_the_ids_they_were_made_of() {
    let ranges = EntryRanges::of([5, 3, 4, 9, 9, 1].map(EntryId));
    assert_eq!(
        serde_json::to_string(&ranges).expect("json"),
        "[[1,1],[3,5],[9,9]]"
    );
    assert!(ranges.contains(EntryId(4)) && ranges.contains(EntryId(9)));
    assert!(
        !ranges.contains(EntryId(2))
            && !ranges.contains(EntryId(10))
            && !ranges.contains(EntryId(0))
    );
    let ids: Vec<u64> = ranges.iter().map(|id| id.0).collect();
    assert_eq!(ids, [1, 3, 4, 5, 9]);
}
