//! How far back counts over time go.

use crate::service::time::{Every, Zone};
use crate::time::Timestamp;

/// A time up to now, cut into hours or days of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Span {
    /// The hours of today.
    Today,
    /// The last two weeks.
    #[default]
    Days14,
    /// The last thirty days.
    Days30,
}

impl Span {
    /// Every span, the shortest first.
    pub const ALL: [Self; 3] = [Self::Today, Self::Days14, Self::Days30];

    /// Returns the name in addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Days14 => "14d",
            Self::Days30 => "30d",
        }
    }

    /// Returns the span of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == name)
    }

    /// Returns how long one of its periods is.
    pub const fn every(self) -> Every {
        match self {
            Self::Today => Every::Hour,
            Self::Days14 | Self::Days30 => Every::Day,
        }
    }

    /// Returns the edges of its periods. The last period holds now, or is the last hour of today.
    pub fn edges(self, now: Timestamp, zone: &Zone) -> Vec<Timestamp> {
        match self {
            Self::Today => {
                let day = Every::Day.edges(now, now, zone);
                let end = day.last().copied().unwrap_or(now);
                Every::Hour.edges(day[0], end.plus_micros(-1), zone)
            }
            Self::Days14 => last_days(14, now, zone),
            Self::Days30 => last_days(30, now, zone),
        }
    }
}

/// Returns the edges of the last days, today among them.
pub(super) fn last_days(days: u16, now: Timestamp, zone: &Zone) -> Vec<Timestamp> {
    // Days of 23 hours and days that never were leave none out: one more is looked at, and those
    // that are too many are dropped.
    let begin = now.plus_days(-i64::from(days) - 1);
    let mut edges = Every::Day.edges(begin, now, zone);
    let surplus = edges.len().saturating_sub(usize::from(days) + 1);
    edges.drain(..surplus);
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(now: &str, zone: &str, span: Span) -> Vec<String> {
        let (now, zone) = (now.parse().expect("a time"), Zone::named(zone));
        let edges = span.edges(now, &zone);
        let starts = edges[..edges.len() - 1].iter();
        starts.map(|at| span.every().name(*at, &zone)).collect()
    }

    /// A chart that counted back by 24 hours began a day too early after the clocks were set.
    #[test]
    fn the_last_days_are_those_of_the_calendar_whenever_the_clocks_are_set() {
        for now in [
            "2026-10-26T00:10:00+01:00",
            "2026-10-26T23:50:00+01:00",
            "2026-03-30T00:10:00+02:00",
            "2026-03-30T23:50:00+02:00",
        ] {
            for (span, number) in [(Span::Days14, 14), (Span::Days30, 30)] {
                let days = days(now, "Europe/Berlin", span);
                assert_eq!(days.len(), number, "{now} {days:?}");
                assert_eq!(days.last().map(String::as_str), now.get(..10));
            }
        }
    }

    /// For a reader in the west, a chart called today yesterday.
    #[test]
    fn today_is_the_readers_day_on_both_sides_of_the_date_line() {
        let now = "2026-11-30T03:00:00Z";
        let first = |zone: &str| days(now, zone, Span::Today)[0].clone();
        assert_eq!(first("Pacific/Auckland"), "2026-11-30T00:00+13:00");
        assert_eq!(first("America/Los_Angeles"), "2026-11-29T00:00-08:00");
        assert_eq!(days(now, "Etc/UTC", Span::Today).len(), 24);
    }

    #[test]
    fn today_has_the_hours_that_its_clocks_show() {
        for (now, hours) in [
            ("2026-03-29T12:00:00+02:00", 23),
            ("2026-10-25T12:00:00+01:00", 25),
        ] {
            assert_eq!(days(now, "Europe/Berlin", Span::Today).len(), hours);
        }
    }

    /// Samoa had no 30 December 2011.
    #[test]
    fn a_day_that_never_was_is_not_counted_as_one_of_the_last() {
        let days = days("2012-01-02T12:00:00+14:00", "Pacific/Apia", Span::Days14);
        assert_eq!(days.len(), 14);
        assert!(!days.iter().any(|day| day == "2011-12-30"), "{days:?}");
    }
}
