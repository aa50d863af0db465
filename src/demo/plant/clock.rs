//! The plant's clock: one week in March 2025, one hour ahead of UTC.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, FixedOffset};

/// Monday 2025-03-03 06:10:00 +01:00, in seconds since 1970.
pub(super) const FIRST_SHIFT_S: i64 = 1_740_978_600;
const OFFSET_S: i32 = 3600;
pub(super) const DAY_S: i64 = 86_400;
pub(super) const DAYS: usize = 5;

pub(super) fn seconds(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn time(at_s: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(at_s.unsigned_abs())
}

fn local(at_s: i64) -> DateTime<FixedOffset> {
    let offset = FixedOffset::east_opt(OFFSET_S).expect("an hour is a valid offset");
    DateTime::from_timestamp(at_s, 0)
        .unwrap_or_default()
        .with_timezone(&offset)
}

pub(super) fn iso(at_s: i64) -> String {
    local(at_s).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

pub(super) fn stamp(at_s: i64) -> String {
    local(at_s).format("%Y%m%d_%H%M%S").to_string()
}
