//! How often something went wrong of late, by cause.

use serde::Serialize;

use crate::Result;
use crate::archive::{FailureGroup, Snapshot};
use crate::query::Filter;
use crate::service::time::Zone;
use crate::time::Timestamp;

/// Days of a trend.
pub const TREND_DAYS: usize = 14;
/// The most entries of a cause that are looked at for its trend.
const TREND_ENTRIES_MAX: usize = 20_000;

/// How many entries with a cause were archived on each of the last days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Trend {
    /// The numbers, those of today last.
    pub days: [u64; TREND_DAYS],
    /// True if there are more entries than were looked at.
    pub more: bool,
}

/// Counts the entries of a cause by the day of archiving, as `filter` narrows them.
///
/// # Errors
/// When the store cannot be read.
pub fn trend(
    snapshot: &Snapshot,
    group: &FailureGroup,
    filter: &Filter,
    now: Timestamp,
    zone: &Zone,
) -> Result<Trend> {
    let today = zone.wall(now).date();
    let span = i64::try_from(TREND_DAYS).unwrap_or(i64::MAX);
    // A day more, because days begin at other moments in other zones.
    let begin = now.plus_days(-span - 1);
    let narrowed = Filter {
        failure: Some(group.cause.id),
        from: Some(filter.from.map_or(begin, |from| from.max(begin))),
        ..filter.clone()
    };
    let mut trend = Trend::default();
    for (seen, entry) in snapshot.entries(&narrowed).enumerate() {
        if seen >= TREND_ENTRIES_MAX {
            trend.more = true;
            break;
        }
        let ago = today - zone.wall(entry?.archived_at).date();
        let place = usize::try_from(ago.num_days())
            .ok()
            .filter(|ago| *ago < TREND_DAYS);
        if let Some(ago) = place {
            trend.days[TREND_DAYS - 1 - ago] += 1;
        }
    }
    Ok(trend)
}
