//! The zone in which times are shown and dates are read. Only this file knows the history of zones.
//!
//! Internally it uses jiff, which can read the zone of any process. Its interface uses chrono's
//! days and wall times, as the rest of the library does.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::time::Timestamp;

/// A bound above the size of any zone description.
const ZONE_BYTES_MAX: u64 = 1 << 20;

/// The zone in which times are shown and dates without an offset are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zone {
    /// UTC, because `--utc` was given. Times are marked as UTC.
    Utc,
    /// The zone of the caller.
    Of(Rules),
}

/// The history of a zone's clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules(TimeZone);

/// Why a date or a wall time names no instant of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSuchTime {
    /// The zone's clocks skipped the whole day, or this time of the day.
    Skipped,
    /// The clocks showed it twice, at these two instants.
    Twice(Timestamp, Timestamp),
    /// It lies outside of representable time.
    OutOfRange,
}

impl Zone {
    /// Returns the zone that the variable TZ names, or the machine's zone when TZ is not set.
    ///
    /// An unknown name means UTC, as in other programs.
    pub fn of_tz(tz: Option<&OsStr>) -> Self {
        Self::Of(Rules(rules_of(tz).unwrap_or(TimeZone::UTC)))
    }

    /// Returns the zone with this name, such as `Europe/Berlin`.
    #[cfg(test)]
    pub fn named(name: &str) -> Self {
        Self::Of(Rules(
            TimeZone::get(name).expect("the zones are in the program"),
        ))
    }

    /// Formats a time to the second, for tables.
    pub fn short(&self, time: Timestamp) -> String {
        match self {
            Self::Utc => self.formatted(time, "%Y-%m-%d %H:%M:%SZ"),
            Self::Of(_) => self.formatted(time, "%Y-%m-%d %H:%M:%S"),
        }
    }

    /// Formats a time to the second, with its offset.
    pub fn long(&self, time: Timestamp) -> String {
        match self {
            Self::Utc => self.short(time),
            Self::Of(_) => self.formatted(time, "%Y-%m-%d %H:%M:%S %:z"),
        }
    }

    /// Formats the day of a time, for tables.
    pub fn day(&self, time: Timestamp) -> String {
        self.formatted(time, "%Y-%m-%d")
    }

    /// Returns a time as JSON prints it: with its recorded offset, or in UTC when `--utc` is set.
    pub fn exact(&self, time: Timestamp) -> Timestamp {
        match self {
            Self::Of(_) => time,
            Self::Utc => Timestamp::from_micros(time.micros()),
        }
    }

    /// Returns the day and time that clocks of the zone show at `time`.
    pub fn wall(&self, time: Timestamp) -> NaiveDateTime {
        let instant = jiff::Timestamp::from_microsecond(time.micros());
        let instant = instant.unwrap_or(if time.micros() < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        to_chrono(self.rules().to_datetime(instant))
    }

    /// Returns the first instant of a day: midnight, or the end of the gap when the clocks skipped
    /// midnight.
    pub fn start_of(&self, day: NaiveDate) -> Result<Timestamp, NoSuchTime> {
        let rules = self.rules();
        let midnight = to_jiff(day.and_time(NaiveTime::MIN)).ok_or(NoSuchTime::OutOfRange)?;
        let midnight = rules.to_ambiguous_timestamp(midnight);
        let start = if matches!(midnight.offset(), AmbiguousOffset::Gap { .. }) {
            // The clocks skipped midnight, so the day begins at the end of the gap.
            let behind = midnight.later().map_err(|_| NoSuchTime::OutOfRange)?;
            let after = behind.saturating_add(jiff::SignedDuration::from_nanos(1));
            let after = after.map_err(|_| NoSuchTime::OutOfRange)?;
            let jump = rules.preceding(after).next();
            jump.map_or(behind, |jump| jump.timestamp())
        } else {
            midnight.earlier().map_err(|_| NoSuchTime::OutOfRange)?
        };
        if to_chrono(rules.to_datetime(start)).date() != day {
            return Err(NoSuchTime::Skipped);
        }
        Ok(self.timestamp(start))
    }

    /// Returns the instant at which clocks of the zone show `wall`.
    pub fn instant_of(&self, wall: NaiveDateTime) -> Result<Timestamp, NoSuchTime> {
        let wall = to_jiff(wall).ok_or(NoSuchTime::OutOfRange)?;
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

    /// Returns the instant at which clocks of the zone show `wall`.
    ///
    /// Unlike [`Self::instant_of`], it accepts a time that was skipped or shown twice. It then uses
    /// the offset from before the change.
    pub fn about(&self, wall: NaiveDateTime) -> Option<Timestamp> {
        let found = self.rules().to_ambiguous_timestamp(to_jiff(wall)?);
        found
            .compatible()
            .ok()
            .map(|instant| self.timestamp(instant))
    }

    fn rules(&self) -> TimeZone {
        match self {
            Self::Utc => TimeZone::UTC,
            Self::Of(Rules(rules)) => rules.clone(),
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

fn rules_of(tz: Option<&OsStr>) -> Option<TimeZone> {
    let Some(tz) = tz else {
        return machine_zone();
    };
    let name = tz.to_str()?;
    let name = name.strip_prefix(':').unwrap_or(name);
    if name.starts_with('/') {
        return read_zone(Path::new(name));
    }
    TimeZone::get(name).or_else(|_| TimeZone::posix(name)).ok()
}

#[cfg(unix)]
fn machine_zone() -> Option<TimeZone> {
    read_zone(Path::new("/etc/localtime"))
}

#[cfg(not(unix))]
fn machine_zone() -> Option<TimeZone> {
    TimeZone::try_system().ok()
}

fn read_zone(path: &Path) -> Option<TimeZone> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(ZONE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    TimeZone::tzif("", &bytes).ok()
}

/// Converts a wall time to chrono. The years of chrono go far beyond those of jiff.
fn to_chrono(wall: civil::DateTime) -> NaiveDateTime {
    let part = |number: i8| u32::try_from(number).expect("parts of a date are not negative");
    let nanos = u32::try_from(wall.subsec_nanosecond()).expect("nanoseconds are not negative");
    NaiveDate::from_ymd_opt(wall.year().into(), part(wall.month()), part(wall.day()))
        .and_then(|day| {
            let (hour, minute) = (part(wall.hour()), part(wall.minute()));
            day.and_hms_nano_opt(hour, minute, part(wall.second()), nanos)
        })
        .expect("both libraries have the same calendar")
}

/// Converts a wall time to jiff. Returns `None` outside jiff's years.
fn to_jiff(wall: NaiveDateTime) -> Option<civil::DateTime> {
    let part = |number: u32| i8::try_from(number).ok();
    civil::DateTime::new(
        i16::try_from(wall.year()).ok()?,
        part(wall.month())?,
        part(wall.day())?,
        part(wall.hour())?,
        part(wall.minute())?,
        part(wall.second())?,
        i32::try_from(wall.nanosecond()).ok()?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::named(name)
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    /// Days begin by the offset of that day, not of the current day, and have 23 to 25 hours.
    #[test]
    fn a_day_begins_when_clocks_of_its_zone_first_show_it() {
        for (name, day_text, start, hours) in [
            // Both clock changes, on both hemispheres.
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
            // The clocks skip midnight, or go back to before midnight.
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
            // Changes of half an hour, and offsets that are no whole hours.
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
            // The day after a skipped day.
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
            let next = zone.start_of(day(day_text).succ_opt().expect("in range"));
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
        let wall = |text: &str| text.parse::<NaiveDateTime>().expect("valid");
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
