//! Parses dates as people write them, and refuses dates that could mean two things.
//!
//! A named day, week, month or year (`2026-03-01`, `yesterday`, `monday`, `last week`) is one of
//! the calendar. It begins when clocks of the zone first showed its first day.
//!
//! A bare duration (`90d`, `3 days`) means that long *ago*, to the second. A bare weekday means the
//! most recent one. Both look back, because every question to an archive is about the past.

use chrono::{Datelike, Days, NaiveDate, NaiveTime};

use super::ages::Age;
use super::zone::{NoSuchTime, Zone};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

const DATE_HINT: &str = "write for example 2026-03-01, '2026-03-01 08:30', today, yesterday, monday, 'last week', \
                         '2 weeks ago', or 90d";

/// Returns the instant that `text` means at the time `now`. A date without an offset is in `zone`.
pub fn parse_when(text: &str, now: Timestamp, zone: &Zone) -> Result<Timestamp> {
    let text = text.trim();
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Ok(exact);
    }
    let folded = text.to_lowercase();
    let words: Vec<&str> = folded.split_whitespace().collect();
    let duration = folded.strip_suffix("ago").unwrap_or(&folded);
    if let Some(age) = Age::parse(duration)? {
        return age.before_in(now, zone).ok_or_else(|| not_a_date(text));
    }
    if words == ["now"] {
        return Ok(now);
    }
    if let Some(period) = Period::of(&words) {
        return period.start(now, zone).ok_or_else(|| not_a_date(text));
    }
    let (day_words, time) = split_time(&words);
    let Some(day) = Day::of(&day_words) else {
        return Err(refusal(text, &folded));
    };
    let date = day.date(zone.wall(now).date(), zone)?;
    match time {
        None => zone
            .start_of(date)
            .map_err(|why| no_such_time(&date.to_string(), why, zone)),
        Some(time) => {
            let time = WallTime::of(time).ok_or_else(|| not_a_date(text))?;
            time.instant(date, zone)
        }
    }
}

fn not_a_date(text: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("'{text}' is not a date")).hint(DATE_HINT)
}

/// Returns the error for a text that is no date, with more detail when the date is ambiguous.
fn refusal(text: &str, folded: &str) -> Error {
    let first = folded.split_whitespace().next().unwrap_or_default();
    let numbers: Vec<&str> = first.split(['/', '.', '-']).collect();
    let is_number =
        |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    if (2..=3).contains(&numbers.len()) && numbers.iter().all(is_number) && numbers[0].len() < 4 {
        let message = format!("'{text}' does not say which number is the day and which the month");
        return Error::new(ErrorKind::Invalid, message)
            .hint("write the year first, then month and day: 2026-03-01");
    }
    not_a_date(text)
}

/// Returns the error for a wall time that clocks of the zone skipped or showed twice.
fn no_such_time(text: &str, why: NoSuchTime, zone: &Zone) -> Error {
    match why {
        NoSuchTime::Skipped => Error::new(
            ErrorKind::Invalid,
            format!("there was no {text} in this zone: its clocks were set forward past it"),
        )
        .hint("name a later time, or write it with its offset: 2026-03-01T08:30:00+01:00"),
        NoSuchTime::Twice(first, second) => {
            let exact = |time: Timestamp| zone.long(time).replacen(' ', "T", 1).replace(' ', "");
            Error::new(
                ErrorKind::Invalid,
                format!("clocks showed {text} twice in this zone: they were set back"),
            )
            .hint(format!("write {} or {}", exact(first), exact(second)))
        }
        NoSuchTime::OutOfRange => not_a_date(text),
    }
}

/// Splits words into the date and the time of day: `monday 08:30`, `2026-03-01t08:30`.
fn split_time<'a>(words: &[&'a str]) -> (Vec<&'a str>, Option<&'a str>) {
    match words {
        [date_and_time] => match date_and_time.split_once('t') {
            Some((date, time)) if date.ends_with(|c: char| c.is_ascii_digit()) => {
                (vec![date], Some(time))
            }
            _ => (words.to_vec(), None),
        },
        [day @ .., time] if time.contains(':') => (day.to_vec(), Some(time)),
        _ => (words.to_vec(), None),
    }
}

/// A calendar period named relative to now, such as `last week`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Period {
    unit: Unit,
    is_last: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Begins on Monday.
    Week,
    Month,
    Year,
}

impl Period {
    fn of(words: &[&str]) -> Option<Self> {
        let [which, unit] = words else {
            return None;
        };
        Some(Self {
            is_last: match *which {
                "last" => true,
                "this" => false,
                _ => return None,
            },
            unit: match *unit {
                "week" => Unit::Week,
                "month" => Unit::Month,
                "year" => Unit::Year,
                _ => return None,
            },
        })
    }

    fn start(self, now: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let today = zone.wall(now).date();
        let mut first = match self.unit {
            Unit::Week => back_by(today, today.weekday().num_days_from_monday().into())?,
            Unit::Month => today.with_day(1)?,
            Unit::Year => today.with_day(1)?.with_month(1)?,
        };
        if self.is_last {
            first = match self.unit {
                Unit::Week => back_by(first, 7)?,
                Unit::Month => first.pred_opt()?.with_day(1)?,
                Unit::Year => first.pred_opt()?.with_day(1)?.with_month(1)?,
            };
        }
        // When the zone skipped the first day of a period, the period begins with its second day.
        let day = [Some(first), first.succ_opt()];
        day.into_iter()
            .flatten()
            .find_map(|day| zone.start_of(day).ok())
    }
}

fn back_by(day: NaiveDate, days: u64) -> Option<NaiveDate> {
    day.checked_sub_days(Days::new(days))
}

/// A day as it was named in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    Date {
        year: i32,
        month: u32,
        day: u32,
    },
    Today,
    Yesterday,
    Tomorrow,
    /// The most recent weekday of this number, where Monday is 0. Today counts unless `is_last`.
    Weekday {
        number: u8,
        is_last: bool,
    },
}

impl Day {
    fn of(words: &[&str]) -> Option<Self> {
        match *words {
            ["today"] => Some(Self::Today),
            ["yesterday"] => Some(Self::Yesterday),
            ["tomorrow"] => Some(Self::Tomorrow),
            ["last", day] => Some(Self::Weekday {
                number: weekday(day)?,
                is_last: true,
            }),
            [word] => weekday(word).map_or_else(
                || Self::of_digits(word),
                |number| {
                    Some(Self::Weekday {
                        number,
                        is_last: false,
                    })
                },
            ),
            // `1 march 2026` and `march 1, 2026`
            [first, second, year] => {
                let number = |word: &str| {
                    let word = word.strip_suffix(',').unwrap_or(word);
                    (word.len() <= 2).then(|| digits(word)).flatten()
                };
                let (day, month) = match (number(first), number(second)) {
                    (Some(day), None) => (day, month(second)?),
                    (None, Some(day)) => (day, month(first)?),
                    _ => return None,
                };
                Some(Self::Date {
                    year: year_of(year)?,
                    month,
                    day,
                })
            }
            _ => None,
        }
    }

    /// Parses `2026-03-01`, `2026/03/01`, `20260301`, or `2026-03` for the first day of that month.
    fn of_digits(word: &str) -> Option<Self> {
        let parts: Vec<&str> = match word.len() {
            8 if word.bytes().all(|byte| byte.is_ascii_digit()) => {
                vec![&word[..4], &word[4..6], &word[6..]]
            }
            _ if word.contains('/') => word.split('/').collect(),
            _ => word.split('-').collect(),
        };
        let (year, month, day) = match parts[..] {
            [year, month] => (year, month, "01"),
            [year, month, day] => (year, month, day),
            _ => return None,
        };
        let two = |word: &str| {
            let number = (1..=2).contains(&word.len()).then(|| digits(word));
            number.flatten()
        };
        Some(Self::Date {
            year: year_of(year)?,
            month: two(month)?,
            day: two(day)?,
        })
    }

    fn date(self, today: NaiveDate, zone: &Zone) -> Result<NaiveDate> {
        let found = match self {
            Self::Date { year, month, day } => {
                return NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| {
                    let message = format!("there is no {year:04}-{month:02}-{day:02}");
                    Error::new(ErrorKind::Invalid, message).hint(DATE_HINT)
                });
            }
            Self::Today => Some(today),
            // When the zone skipped the day before today, yesterday is the day before the skipped
            // one.
            Self::Yesterday => match today.pred_opt() {
                Some(day) if zone.start_of(day) == Err(NoSuchTime::Skipped) => day.pred_opt(),
                other => other,
            },
            Self::Tomorrow => today.succ_opt(),
            Self::Weekday { number, is_last } => {
                let monday = u64::from(today.weekday().num_days_from_monday());
                let back = match (monday + 7 - u64::from(number)) % 7 {
                    0 if is_last => 7,
                    back => back,
                };
                back_by(today, back)
            }
        };
        found.ok_or_else(|| not_a_date("the day"))
    }
}

/// Parses a text that consists of decimal digits only.
fn digits(word: &str) -> Option<u32> {
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| word.parse().ok()).flatten()
}

/// Parses a year, which is written with four digits.
fn year_of(word: &str) -> Option<i32> {
    let year = (word.len() == 4).then(|| digits(word)).flatten()?;
    i32::try_from(year).ok()
}

/// Returns the number of a weekday, where Monday is 0. The name may be cut to its first three or
/// more letters.
fn weekday(word: &str) -> Option<u8> {
    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    named(word, &DAYS)
}

fn month(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    named(word, &MONTHS).map(|number| u32::from(number) + 1)
}

fn named(word: &str, names: &[&str]) -> Option<u8> {
    let found = names.iter().position(|name| name.starts_with(word));
    (word.len() >= 3)
        .then_some(found)
        .flatten()
        .and_then(|at| u8::try_from(at).ok())
}

/// A time of day, with an optional offset.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WallTime<'a> {
    time: NaiveTime,
    /// As RFC 3339 writes it, such as `z` or `+01:00`.
    offset: Option<&'a str>,
}

impl<'a> WallTime<'a> {
    /// Parses `08:30`, `08:30:15` or `08:30:15.250`, each with or without `z` or `+01:00`.
    fn of(text: &'a str) -> Option<Self> {
        let (clock, offset) = match text.find(['z', '+', '-']) {
            Some(at) => (&text[..at], Some(&text[at..])),
            None => (text, None),
        };
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut parts = clock
            .split(':')
            .map(|part| (part.len() == 2).then(|| digits(part)).flatten());
        let (hour, minute) = (parts.next()??, parts.next()??);
        let second = match parts.next() {
            None if fraction == "0" => 0,
            None => return None,
            Some(second) => second?,
        };
        let nanos = format!("{fraction:0<9}");
        let nanos = (nanos.len() == 9 && parts.next().is_none()).then(|| nanos.parse().ok());
        Some(Self {
            time: NaiveTime::from_hms_nano_opt(hour, minute, second, nanos.flatten()?)?,
            offset,
        })
    }

    fn instant(&self, date: NaiveDate, zone: &Zone) -> Result<Timestamp> {
        let wall = date.and_time(self.time);
        let Some(offset) = self.offset else {
            let text = wall.format("%Y-%m-%d %H:%M:%S").to_string();
            return zone
                .instant_of(wall)
                .map_err(|why| no_such_time(&text, why, zone));
        };
        let text = format!("{}{offset}", wall.format("%Y-%m-%dT%H:%M:%S%.f"));
        text.parse().map_err(|_| not_a_date(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the time of the tests, on a Monday.
    fn now() -> Timestamp {
        "2026-11-23T12:30:00+00:00".parse().expect("valid")
    }

    fn zone(name: &str) -> Zone {
        Zone::named(name)
    }

    fn assert_means(text: &str, now: &str, zone: &Zone, expected: &str) {
        let now = now.parse().expect("valid");
        let time = parse_when(text, now, zone).unwrap_or_else(|error| panic!("{text}: {error}"));
        let expected: Timestamp = expected.parse().expect("valid");
        assert_eq!(time, expected, "{text} at {now}");
    }

    #[test]
    fn a_date_means_what_a_person_asking_an_archive_means() {
        for (text, expected) in [
            ("2026-03-01T08:30:00+01:00", "2026-03-01T08:30:00+01:00"),
            ("2026-03-01T08:30:00Z", "2026-03-01T08:30:00+00:00"),
            ("2026-03-01 08:30+01:00", "2026-03-01T08:30:00+01:00"),
            ("2026-03-01T08:30z", "2026-03-01T08:30:00+00:00"),
            ("2026-03-01", "2026-03-01T00:00:00+00:00"),
            ("2026-3-1", "2026-03-01T00:00:00+00:00"),
            ("2026/03/01", "2026-03-01T00:00:00+00:00"),
            ("20260301", "2026-03-01T00:00:00+00:00"),
            ("2026-03", "2026-03-01T00:00:00+00:00"),
            ("1 March 2026", "2026-03-01T00:00:00+00:00"),
            ("Mar 1, 2026", "2026-03-01T00:00:00+00:00"),
            ("2026-03-01 08:30", "2026-03-01T08:30:00+00:00"),
            ("2026-03-01T08:30", "2026-03-01T08:30:00+00:00"),
            ("2026-03-01 08:30:15.250", "2026-03-01T08:30:15.25+00:00"),
            ("now", "2026-11-23T12:30:00+00:00"),
            ("today", "2026-11-23T00:00:00+00:00"),
            ("Yesterday", "2026-11-22T00:00:00+00:00"),
            ("yesterday 08:30", "2026-11-22T08:30:00+00:00"),
            ("tomorrow", "2026-11-24T00:00:00+00:00"),
            ("2 weeks ago", "2026-11-09T12:30:00+00:00"),
            ("90d", "2026-08-25T12:30:00+00:00"),
            ("3 days", "2026-11-20T12:30:00+00:00"),
            ("3 DAYS AGO", "2026-11-20T12:30:00+00:00"),
            ("2w", "2026-11-09T12:30:00+00:00"),
            ("1y", "2025-11-23T12:30:00+00:00"),
            ("1y 6mo", "2025-05-23T12:30:00+00:00"),
            ("12h30min", "2026-11-23T00:00:00+00:00"),
            ("monday", "2026-11-23T00:00:00+00:00"),
            ("tuesday", "2026-11-17T00:00:00+00:00"),
            ("sun", "2026-11-22T00:00:00+00:00"),
            ("last friday", "2026-11-20T00:00:00+00:00"),
            ("last monday", "2026-11-16T00:00:00+00:00"),
            ("tue 08:00", "2026-11-17T08:00:00+00:00"),
            ("this week", "2026-11-23T00:00:00+00:00"),
            ("last week", "2026-11-16T00:00:00+00:00"),
            ("this month", "2026-11-01T00:00:00+00:00"),
            ("last month", "2026-10-01T00:00:00+00:00"),
            ("last year", "2025-01-01T00:00:00+00:00"),
        ] {
            assert_means(text, "2026-11-23T12:30:00+00:00", &Zone::Utc, expected);
        }
    }

    /// The offset of the date counts, not the offset of the current day. With New York's offset of
    /// November, `2026-07-01` would begin at 01:00 of that day.
    #[test]
    fn a_date_is_midnight_of_its_zone_on_that_day_whenever_it_is_asked_for() {
        for (name, text, expected) in [
            (
                "America/New_York",
                "2026-07-01",
                "2026-07-01T00:00:00-04:00",
            ),
            (
                "America/New_York",
                "2026-01-15",
                "2026-01-15T00:00:00-05:00",
            ),
            (
                "America/New_York",
                "2026-07-01 00:30",
                "2026-07-01T00:30:00-04:00",
            ),
            (
                "Australia/Adelaide",
                "2026-07-01",
                "2026-07-01T00:00:00+09:30",
            ),
            (
                "Australia/Adelaide",
                "2026-01-15",
                "2026-01-15T00:00:00+10:30",
            ),
            (
                "America/Sao_Paulo",
                "2018-11-04",
                "2018-11-04T01:00:00-02:00",
            ),
        ] {
            for now in ["2026-01-20T12:00:00Z", "2026-07-20T12:00:00Z"] {
                assert_means(text, now, &zone(name), expected);
            }
        }
    }

    /// A day that changes the clocks has 23 or 25 hours, so `yesterday` is not always 24 hours ago.
    #[test]
    fn today_and_yesterday_are_days_of_the_zone_of_23_to_25_hours() {
        let new_york = zone("America/New_York");
        let changed = "2026-11-01T23:30:00-05:00";
        assert_means("today", changed, &new_york, "2026-11-01T00:00:00-04:00");
        assert_means("tomorrow", changed, &new_york, "2026-11-02T00:00:00-05:00");
        let after = "2026-11-02T00:10:00-05:00";
        assert_means("yesterday", after, &new_york, "2026-11-01T00:00:00-04:00");
        assert_means("sunday", after, &new_york, "2026-11-01T00:00:00-04:00");
        // Tokyo is already at the next day.
        assert_means(
            "today",
            changed,
            &zone("Asia/Tokyo"),
            "2026-11-02T00:00:00+09:00",
        );
        let apia = zone("Pacific/Apia");
        let behind = "2011-12-31T10:00:00+14:00";
        assert_means("yesterday", behind, &apia, "2011-12-29T00:00:00-10:00");
    }

    #[test]
    fn what_clocks_of_the_zone_did_not_show_once_is_refused_with_both_answers() {
        let berlin = zone("Europe/Berlin");
        let error = parse_when("2026-10-25 02:30", now(), &berlin).expect_err("twice");
        assert_eq!(
            error.next_step(),
            Some("write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00")
        );
        let error = parse_when("2026-03-29 02:30", now(), &berlin).expect_err("skipped");
        assert!(error.to_string().contains("set forward past it"), "{error}");
        let error = parse_when("2011-12-30", now(), &zone("Pacific/Apia")).expect_err("skipped");
        assert!(
            error.to_string().contains("there was no 2011-12-30"),
            "{error}"
        );
    }

    /// `01/03/2026` could be January 3rd or March 1st.
    #[test]
    fn what_could_be_misread_is_refused_with_an_example() {
        for text in [
            "",
            " ",
            "5",
            "2026",
            "x",
            "3x",
            "1m",
            "gestern",
            "2026-13-01",
            "2026-02-30",
            "2026-00-10",
            "01/03/2026",
            "1.3.2026",
            "01-03-2026",
            "03/01",
            "26-03-01",
            "2026.03.01",
            "March 2026",
            "1 ma 2026",
            "08:30",
            "2026-03-01 8pm",
            "2026-03-01 24:00",
            "2026-03-01 08:30:61",
            "2026-03-01 8:30",
            "2026-03-01 08:30 utc",
            "next week",
            "last",
            "ago",
            "in 3 days",
            "-3d",
            "99999999999y",
            "9223372036854775807w",
            "\u{1b}[2J",
            "12026-01-01",
            "２０２６-03-01",
        ] {
            let error = parse_when(text, now(), &Zone::Utc).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
            assert!(error.next_step().is_some(), "{text}");
        }
        let error = parse_when("01/03/2026", now(), &Zone::Utc).expect_err("two dates");
        assert!(
            error.to_string().contains("which number is the day"),
            "{error}"
        );
    }
}
