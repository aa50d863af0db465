//! Calendars: a period after a time, and the end of a day, month or year, as clocks of a zone show
//! them.
//!
//! A wall time that the clocks of a zone skip means the end of the gap, and one that they show
//! twice means the later instant. So nothing is due before the time that was written.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use crate::entry::Period;
use crate::time::Timestamp;

/// The zone in which a policy counts days, months and years.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// No zone has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time zone such as UTC or Europe/Berlin")]
pub struct UnknownZone(String);

/// Up to when something is kept once its period is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Until {
    /// Up to that time.
    #[default]
    Exactly,
    /// To the end of that day.
    EndOfDay,
    /// To the end of that month.
    EndOfMonth,
    /// To the end of that year.
    EndOfYear,
}

impl Until {
    /// Every end of a unit of the calendar.
    pub const ENDS: [Self; 3] = [Self::EndOfDay, Self::EndOfMonth, Self::EndOfYear];

    /// Returns the word for it in a policy; `None` for the time itself.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Exactly => None,
            Self::EndOfDay => Some("end_of_day"),
            Self::EndOfMonth => Some("end_of_month"),
            Self::EndOfYear => Some("end_of_year"),
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl Zone {
    /// Returns the zone of this name, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// When neither this machine nor annals knows such a zone.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Self::default());
        }
        TimeZone::get(name)
            .map(Self)
            .map_err(|_| UnknownZone(name.to_owned()))
    }

    /// Returns the time `period` after `from`, moved on to the end of the unit that it lies in.
    /// `None` when that is outside of representable time.
    pub(crate) fn after(&self, from: Timestamp, period: Period, until: Until) -> Option<Timestamp> {
        let wall = self.0.to_datetime(instant(from)?);
        let days = Span::new().try_days(i64::from(period.days)).ok()?;
        let months = Span::new().try_months(i64::from(period.months)).ok()?;
        let due = wall.checked_add(days).ok()?.checked_add(months).ok()?;
        let due = match until {
            Until::Exactly => due,
            Until::EndOfDay => next(due.date())?,
            Until::EndOfMonth => next(due.date().last_of_month())?,
            Until::EndOfYear => next(due.date().last_of_year())?,
        };
        let due = self.0.to_ambiguous_timestamp(due).later().ok()?;
        let due = Timestamp::from_micros(due.as_microsecond());
        // Where clocks went back within the period, a wall time may lie before its start.
        (due < Timestamp::MAX).then(|| due.max(from).at_offset(from.offset_s()))
    }

    /// Returns the start of a day that is written as `2026-05-01`.
    pub(crate) fn start_of(&self, day: &str) -> Option<Timestamp> {
        let day: Date = day.parse().ok()?;
        let start = self
            .0
            .to_ambiguous_timestamp(day.to_datetime(Time::midnight()));
        let start = start.later().ok()?;
        Some(Timestamp::from_micros(start.as_microsecond()))
    }
}

fn instant(time: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(time.micros()).ok()
}

/// Returns the midnight that ends a day.
fn next(day: Date) -> Option<DateTime> {
    let next = day.checked_add(1.day()).ok()?;
    Some(next.to_datetime(Time::midnight()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("valid")
    }

    fn due(zone: &str, from: &str, keep: &str, until: Until) -> Timestamp {
        let zone = Zone::named(zone).expect("known");
        let period = keep.parse().expect("a period");
        zone.after(at(from), period, until).expect("in range")
    }

    #[test]
    fn a_period_ends_at_the_same_time_of_day_in_its_zone_and_not_in_utc() {
        // 08:00 in Berlin is 07:00 in UTC in winter, and 06:00 in summer.
        let got = due(
            "Europe/Berlin",
            "2026-01-15T07:00:00Z",
            "6mo",
            Until::Exactly,
        );
        assert_eq!(got, at("2026-07-15T06:00:00Z"));
        let got = due("UTC", "2026-01-15T07:00:00Z", "6mo", Until::Exactly);
        assert_eq!(got, at("2026-07-15T07:00:00Z"));
        let got = due(
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            "1d",
            Until::Exactly,
        );
        assert_eq!(got, at("2026-03-29T11:00:00Z"), "a day of 23 hours");
    }

    #[test]
    fn a_time_that_the_clocks_skip_or_show_twice_is_due_at_the_later_instant() {
        // On 29 March 2026 Berlin has no 02:30; on 25 October it has two.
        let got = due(
            "Europe/Berlin",
            "2026-03-28T01:30:00Z",
            "1d",
            Until::Exactly,
        );
        assert_eq!(got, at("2026-03-29T01:30:00Z"));
        let got = due(
            "Europe/Berlin",
            "2026-10-24T00:30:00Z",
            "1d",
            Until::Exactly,
        );
        assert_eq!(got, at("2026-10-25T01:30:00Z"));
        // Clocks of Beirut went from 24:00 to 01:00, and Samoa had no 30 December 2011.
        let got = due("Asia/Beirut", "2026-03-27T10:00:00Z", "1d", Until::EndOfDay);
        assert_eq!(got, at("2026-03-28T22:00:00Z"));
        let got = due(
            "Pacific/Apia",
            "2011-12-28T20:00:00Z",
            "1d",
            Until::EndOfDay,
        );
        assert_eq!(got, at("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn a_leap_day_ends_its_year_on_the_last_of_february() {
        let got = due("UTC", "2024-02-29T12:00:00Z", "1y", Until::Exactly);
        assert_eq!(got, at("2025-02-28T12:00:00Z"));
        let got = due("UTC", "2024-02-29T12:00:00Z", "4y", Until::Exactly);
        assert_eq!(got, at("2028-02-29T12:00:00Z"));
        let got = due("UTC", "2024-01-31T12:00:00Z", "1mo", Until::EndOfMonth);
        assert_eq!(got, at("2024-03-01T00:00:00Z"));
    }

    #[test]
    fn an_end_is_that_of_the_zone() {
        let from = "2026-12-31T23:30:00Z";
        let got = due("UTC", from, "1y", Until::EndOfYear);
        assert_eq!(got, at("2028-01-01T00:00:00Z"));
        // It is 2027 there already.
        let got = due("Europe/Berlin", from, "1y", Until::EndOfYear);
        assert_eq!(got, at("2028-12-31T23:00:00Z"));
        let got = due("America/New_York", from, "1d", Until::EndOfDay);
        assert_eq!(got, at("2027-01-02T05:00:00Z"));
    }

    #[test]
    fn what_cannot_be_told_is_never_due() {
        let zone = Zone::default();
        let far = "9000y".parse().expect("a period");
        assert_eq!(
            zone.after(at("2026-01-01T00:00:00Z"), far, Until::Exactly),
            None
        );
        let day = "1d".parse().expect("a period");
        assert_eq!(zone.after(Timestamp::MAX, day, Until::Exactly), None);
        assert!(Zone::named("Europe/Berlim").is_err());
        assert_eq!(
            zone.start_of("2026-05-01"),
            Some(at("2026-05-01T00:00:00Z"))
        );
        assert_eq!(zone.start_of("soon"), None);
    }
}
