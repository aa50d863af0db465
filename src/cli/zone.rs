//! The zone in which times are shown and dates are read.

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::time::Timestamp;

/// The zone in which times are shown and dates without an offset are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Zone {
    /// UTC, because it was asked for: times are marked as such.
    Utc,
    /// The zone of whoever asks.
    Of(TimeZone),
}

/// Why a date or a wall time names no instant of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoSuchTime {
    /// The zone's clocks skipped the whole day, or the time of that day.
    Skipped,
    /// The clocks showed it twice, at these two instants.
    Twice(Timestamp, Timestamp),
    /// It lies outside of representable time.
    OutOfRange,
}

impl Zone {
    /// To the second, for tables.
    pub(crate) fn short(&self, time: Timestamp) -> String {
        match self {
            Self::Utc => self.formatted(time, "%Y-%m-%d %H:%M:%SZ"),
            Self::Of(_) => self.formatted(time, "%Y-%m-%d %H:%M:%S"),
        }
    }

    /// To the second, with the offset.
    pub(crate) fn long(&self, time: Timestamp) -> String {
        match self {
            Self::Utc => self.short(time),
            Self::Of(_) => self.formatted(time, "%Y-%m-%d %H:%M:%S %:z"),
        }
    }

    /// As JSON prints it: as recorded, or retold in UTC.
    pub(crate) fn exact(&self, time: Timestamp) -> Timestamp {
        match self {
            Self::Of(_) => time,
            Self::Utc => Timestamp::from_micros(time.micros()),
        }
    }

    /// The day and time that clocks of the zone show at `time`.
    pub(super) fn wall(&self, time: Timestamp) -> civil::DateTime {
        let instant = jiff::Timestamp::from_microsecond(time.micros());
        let instant = instant.unwrap_or(if time.micros() < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        self.rules().to_datetime(instant)
    }

    /// The day that clocks of the zone show at `time`, counted from 1970-01-01.
    pub(crate) fn day_number(&self, time: Timestamp) -> i64 {
        let epoch = civil::date(1970, 1, 1);
        let since = epoch.until((jiff::Unit::Day, self.wall(time).date()));
        since.map_or(0, |since| since.get_days().into())
    }

    /// The first instant of a day: midnight, or what the clocks showed first where they skipped
    /// midnight.
    pub(super) fn start_of(&self, day: civil::Date) -> Result<Timestamp, NoSuchTime> {
        let rules = self.rules();
        let midnight = rules.to_ambiguous_timestamp(day.at(0, 0, 0, 0));
        let start = if matches!(midnight.offset(), AmbiguousOffset::Gap { .. }) {
            // The clocks went over midnight: the day begins when they did.
            let behind = midnight.later().map_err(|_| NoSuchTime::OutOfRange)?;
            let after = behind.saturating_add(jiff::SignedDuration::from_nanos(1));
            let after = after.map_err(|_| NoSuchTime::OutOfRange)?;
            let jump = rules.preceding(after).next();
            jump.map_or(behind, |jump| jump.timestamp())
        } else {
            midnight.earlier().map_err(|_| NoSuchTime::OutOfRange)?
        };
        if rules.to_datetime(start).date() != day {
            return Err(NoSuchTime::Skipped);
        }
        Ok(self.timestamp(start))
    }

    /// The instant at which clocks of the zone show `wall`.
    pub(super) fn instant_of(&self, wall: civil::DateTime) -> Result<Timestamp, NoSuchTime> {
        let found = self.rules().to_ambiguous_timestamp(wall);
        let of = |instant: Result<jiff::Timestamp, jiff::Error>| {
            instant
                .map(|instant| self.timestamp(instant))
                .map_err(|_| NoSuchTime::OutOfRange)
        };
        match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => of(found.compatible()),
            AmbiguousOffset::Gap { .. } => Err(NoSuchTime::Skipped),
            AmbiguousOffset::Fold { .. } => {
                Err(NoSuchTime::Twice(of(found.earlier())?, of(found.later())?))
            }
        }
    }

    /// As [`Self::instant_of`]; of a time that was skipped or shown twice it is the one counted on
    /// from before the change.
    pub(super) fn about(&self, wall: civil::DateTime) -> Option<Timestamp> {
        let instant = self.rules().to_ambiguous_timestamp(wall).compatible();
        instant.ok().map(|instant| self.timestamp(instant))
    }

    fn rules(&self) -> TimeZone {
        match self {
            Self::Utc => TimeZone::UTC,
            Self::Of(rules) => rules.clone(),
        }
    }

    fn timestamp(&self, instant: jiff::Timestamp) -> Timestamp {
        let offset = self.rules().to_offset(instant);
        Timestamp::from_micros(instant.as_microsecond()).at_offset(offset.seconds())
    }

    fn formatted(&self, time: Timestamp, format: &str) -> String {
        let instant = jiff::Timestamp::from_microsecond(time.micros());
        let offset = instant.map_or(0, |instant| self.rules().to_offset(instant).seconds());
        let there = time.at_offset(offset);
        there.to_chrono().format(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::Of(TimeZone::get(name).expect("the zones are in the program"))
    }

    fn day(text: &str) -> civil::Date {
        text.parse().expect("a date")
    }

    /// A day was taken to begin at midnight by the offset of the day of asking, and to last 24
    /// hours.
    #[test]
    fn a_day_begins_when_clocks_of_its_zone_first_show_it() {
        for (name, day_text, start, hours) in [
            // Both changes of both hemispheres.
            (
                "America/New_York",
                "2026-03-08",
                "2026-03-08T00:00:00-05:00",
                23,
            ),
            (
                "America/New_York",
                "2026-07-01",
                "2026-07-01T00:00:00-04:00",
                24,
            ),
            (
                "America/New_York",
                "2026-11-01",
                "2026-11-01T00:00:00-04:00",
                25,
            ),
            (
                "Australia/Sydney",
                "2026-04-05",
                "2026-04-05T00:00:00+11:00",
                25,
            ),
            (
                "Australia/Sydney",
                "2026-10-04",
                "2026-10-04T00:00:00+10:00",
                23,
            ),
            (
                "Europe/Dublin",
                "2026-03-29",
                "2026-03-29T00:00:00+00:00",
                23,
            ),
            (
                "Europe/Dublin",
                "2026-10-25",
                "2026-10-25T00:00:00+01:00",
                25,
            ),
            // The clocks skip midnight, or come back to before it.
            (
                "America/Sao_Paulo",
                "2018-11-04",
                "2018-11-04T01:00:00-02:00",
                23,
            ),
            (
                "America/Sao_Paulo",
                "2018-02-18",
                "2018-02-18T00:00:00-03:00",
                24,
            ),
            (
                "America/Sao_Paulo",
                "2018-02-17",
                "2018-02-17T00:00:00-02:00",
                25,
            ),
            (
                "Africa/Cairo",
                "2026-04-24",
                "2026-04-24T01:00:00+03:00",
                23,
            ),
            (
                "Africa/Cairo",
                "2026-10-29",
                "2026-10-29T00:00:00+03:00",
                25,
            ),
            ("Asia/Beirut", "2026-03-29", "2026-03-29T01:00:00+03:00", 23),
            (
                "America/Havana",
                "2026-11-01",
                "2026-11-01T00:00:00-04:00",
                25,
            ),
            // Half an hour, and offsets that are no whole hours.
            (
                "Australia/Lord_Howe",
                "2026-04-05",
                "2026-04-05T00:00:00+11:00",
                24,
            ),
            (
                "Asia/Kolkata",
                "2026-07-01",
                "2026-07-01T00:00:00+05:30",
                24,
            ),
            (
                "Asia/Kathmandu",
                "2026-07-01",
                "2026-07-01T00:00:00+05:45",
                24,
            ),
            // The day behind one that never was.
            (
                "Pacific/Apia",
                "2011-12-31",
                "2011-12-31T00:00:00+14:00",
                24,
            ),
            ("UTC", "2026-03-08", "2026-03-08T00:00:00+00:00", 24),
        ] {
            let zone = zone(name);
            let found = zone.start_of(day(day_text)).expect(day_text);
            let expected: Timestamp = start.parse().expect("valid");
            assert_eq!(found, expected, "{name} {day_text}");
            let next = zone.start_of(day(day_text).tomorrow().expect("in range"));
            let length = next.expect("a day").micros() - found.micros();
            assert_eq!(length / 3_600_000_000, hours, "{name} {day_text}");
            let just_before = Timestamp::from_micros(found.micros() - 1);
            assert!(
                zone.wall(just_before).date() < day(day_text),
                "{name} {day_text}"
            );
        }
    }

    #[test]
    fn a_day_that_never_was_has_no_beginning() {
        let apia = zone("Pacific/Apia");
        assert_eq!(apia.start_of(day("2011-12-30")), Err(NoSuchTime::Skipped));
        let kwajalein = zone("Pacific/Kwajalein");
        assert_eq!(
            kwajalein.start_of(day("1993-08-21")),
            Err(NoSuchTime::Skipped)
        );
    }

    #[test]
    fn a_wall_time_that_was_skipped_or_shown_twice_is_no_instant() {
        let dublin = zone("Europe/Dublin");
        let wall = |text: &str| text.parse::<civil::DateTime>().expect("valid");
        assert_eq!(
            dublin.instant_of(wall("2026-03-29T01:30:00")),
            Err(NoSuchTime::Skipped)
        );
        let twice = dublin.instant_of(wall("2026-10-25T01:30:00"));
        let at = |text: &str| text.parse::<Timestamp>().expect("valid");
        let (first, second) = (
            at("2026-10-25T01:30:00+01:00"),
            at("2026-10-25T01:30:00+00:00"),
        );
        assert_eq!(twice, Err(NoSuchTime::Twice(first, second)));
        let once = dublin.instant_of(wall("2026-07-01T01:30:00"));
        assert_eq!(once, Ok(at("2026-07-01T01:30:00+01:00")));
    }

    #[test]
    fn utc_is_marked_as_such() {
        let time: Timestamp = "2026-03-01T08:30:00.5+01:00".parse().expect("valid");
        assert_eq!(Zone::Utc.short(time), "2026-03-01 07:30:00Z");
        assert_eq!(
            Zone::Utc.exact(time).to_string(),
            "2026-03-01T07:30:00.500000+00:00"
        );
        assert_eq!(zone("Asia/Tokyo").exact(time), time);
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_panic() {
        for micros in [i64::MIN, i64::MAX] {
            let time = Timestamp::from_micros(micros);
            let tokyo = zone("Asia/Tokyo");
            assert!(!tokyo.long(time).is_empty());
            let _ = tokyo.start_of(tokyo.wall(time).date());
        }
    }
}
