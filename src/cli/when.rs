//! Dates, ages and sizes as people write them.
//!
//! In a date, a bare duration (`90d`, `3 days`) means that long *ago* and a bare weekday the most recent one, because
//! every question to an archive is about the past.

use chrono::Months;
use parse_datetime::{ParsedDateTime, parse_datetime, parse_datetime_at_date};

use super::render::Zone;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

const DATE_HINT: &str =
    "write for example 2026-03-01, '2026-03-01 08:30', yesterday, monday, '2 weeks ago', or 90d";
const AGE_HINT: &str = "write for example 90d, '3 days', 2w, '6 months', or 1y";
const SIZE_HINT: &str =
    "write for example 500M, 10GB, 1.5GiB, or plain bytes; K, M, G and T count in steps of 1024";

/// The instant `text` means, asked at `now`. A date without an offset is of `zone`.
pub(crate) fn parse_when(text: &str, now: Timestamp, zone: &Zone) -> Result<Timestamp> {
    let text = text.trim();
    let refused =
        || Error::new(ErrorKind::Invalid, format!("'{text}' is not a date")).hint(DATE_HINT);
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Ok(exact);
    }
    let folded = text.to_lowercase();
    let duration = folded.strip_suffix("ago").unwrap_or(&folded);
    if let Some(age) = Age::parse(duration)? {
        return age.before(now).ok_or_else(refused);
    }
    if is_a_trap(&folded) {
        return Err(refused());
    }
    // The parser wants "now" as a value of its own time library; an epoch in the right zone makes one.
    let seconds = now.micros().div_euclid(1_000_000);
    let base = match zone {
        Zone::Local => parse_datetime(format!("@{seconds}")),
        Zone::Utc | Zone::Of(_) => parse_datetime(format!("TZ=\"UTC0\" @{seconds}")),
    };
    let base = base.ok().and_then(ParsedDateTime::into_zoned);
    let base = match zone {
        Zone::Of(zone) => base.map(|base| base.with_time_zone(zone.clone())),
        Zone::Local | Zone::Utc => base,
    };
    let base = base.ok_or_else(refused)?;
    let at_base = |text: &str| {
        parse_datetime_at_date(base.clone(), text)
            .ok()
            .and_then(ParsedDateTime::into_zoned)
            .map(|zoned| {
                Timestamp::from_micros(zoned.timestamp().as_microsecond())
                    .at_offset(zoned.offset().seconds())
            })
            .ok_or_else(refused)
    };
    let time = at_base(&folded)?;
    if time > now && is_weekday(&folded) {
        return at_base(&format!("last {folded}"));
    }
    Ok(time)
}

/// The age `text` means, in microseconds, counted back from `now`: days are 24 hours, months and years those of the calendar.
pub(crate) fn parse_age(text: &str, now: Timestamp) -> Result<i64> {
    let refused =
        || Error::new(ErrorKind::Invalid, format!("'{text}' is not an age")).hint(AGE_HINT);
    let age = Age::parse(&text.trim().to_lowercase())?.ok_or_else(refused)?;
    let then = age.before(now).ok_or_else(refused)?;
    Ok(now.micros() - then.micros())
}

/// The number of bytes `text` means.
pub(crate) fn parse_size(text: &str) -> Result<u64> {
    let refused =
        || Error::new(ErrorKind::Invalid, format!("'{text}' is not a size")).hint(SIZE_HINT);
    let folded = text.trim().to_lowercase();
    let digits_end = folded
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(folded.len());
    let (number, unit) = folded.split_at(digits_end);
    let shift = match unit.trim_start() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(refused()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // Nine decimals are exact below one byte for every unit but T, and near enough there.
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 {
        return Err(refused());
    }
    let whole: u64 = whole.parse().map_err(|_| refused())?;
    let thousandths: u64 = format!("{fraction:0<9}").parse().map_err(|_| refused())?;
    let bytes = (u128::from(whole) << shift) + ((u128::from(thousandths) << shift) / 1_000_000_000);
    u64::try_from(bytes).map_err(|_| refused())
}

/// A length of time into the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Age {
    months: u32,
    micros: i64,
}

impl Age {
    /// Reads `1y 6 months`; `None` when the text is no row of numbers with units. `text` is lower case.
    fn parse(text: &str) -> Result<Option<Self>> {
        let mut rest = text.trim();
        let mut age = Self::default();
        if rest.is_empty() {
            return Ok(None);
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit());
            let (Some(digits), false) = (digits, rest.starts_with(|c: char| !c.is_ascii_digit()))
            else {
                return Ok(None);
            };
            let (number, tail) = rest.split_at(digits);
            let tail = tail.trim_start();
            let unit_end = tail
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            rest = tail.trim_start();

            const SECOND: i64 = 1_000_000;
            let (micros, months): (i64, u32) = match unit {
                "s" | "sec" | "secs" | "second" | "seconds" => (SECOND, 0),
                "min" | "mins" | "minute" | "minutes" => (60 * SECOND, 0),
                "h" | "hour" | "hours" => (3_600 * SECOND, 0),
                "d" | "day" | "days" => (86_400 * SECOND, 0),
                "w" | "week" | "weeks" => (7 * 86_400 * SECOND, 0),
                "mo" | "month" | "months" => (0, 1),
                "y" | "year" | "years" => (0, 12),
                "m" => {
                    return Err(Error::new(
                        ErrorKind::Invalid,
                        format!("'{text}': m could be minutes or months"),
                    )
                    .hint("write min or mo"));
                }
                _ => return Ok(None),
            };
            let sum = || {
                let number: i64 = number.parse().ok()?;
                let months = months.checked_mul(u32::try_from(number).ok()?);
                Some(Self {
                    micros: age.micros.checked_add(micros.checked_mul(number)?)?,
                    months: age.months.checked_add(months?)?,
                })
            };
            age = sum().ok_or_else(|| {
                Error::new(ErrorKind::Invalid, format!("'{text}' is too long ago")).hint(AGE_HINT)
            })?;
        }
        Ok(Some(age))
    }

    /// The instant this long before `now`; `None` before the beginning of representable time.
    fn before(self, now: Timestamp) -> Option<Timestamp> {
        let months_back = now
            .to_chrono()
            .checked_sub_months(Months::new(self.months))?;
        let micros = months_back.timestamp_micros().checked_sub(self.micros)?;
        chrono::DateTime::from_timestamp_micros(micros)?;
        Some(Timestamp::from_micros(micros).at_offset(now.offset_s()))
    }
}

/// Text the date parser reads as something nobody means: `2026` as 20:26 today, `5` as 05:00, `3x` as a military zone.
fn is_a_trap(folded: &str) -> bool {
    let digits = folded.bytes().filter(u8::is_ascii_digit).count();
    let rest = folded.trim_start_matches(|c: char| c.is_ascii_digit());
    let word = rest.trim_start();
    let lone_letters =
        word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_alphabetic()) && !word.is_empty();
    match digits {
        0 => folded.is_empty() || lone_letters,
        _ if rest.is_empty() => digits != 8,
        _ => lone_letters && word != "am" && word != "pm",
    }
}

fn is_weekday(folded: &str) -> bool {
    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    folded.len() >= 3 && DAYS.iter().any(|day| day.starts_with(folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday.
    fn now() -> Timestamp {
        "2026-11-23T12:30:00+00:00".parse().expect("valid")
    }

    #[test]
    fn a_date_means_what_a_person_asking_an_archive_means() {
        for (text, expected) in [
            ("2026-03-01T08:30:00+01:00", "2026-03-01T08:30:00+01:00"),
            ("2026-03-01T08:30:00Z", "2026-03-01T08:30:00+00:00"),
            ("2026-03-01", "2026-03-01T00:00:00+00:00"),
            ("20260301", "2026-03-01T00:00:00+00:00"),
            ("2026-03-01 08:30", "2026-03-01T08:30:00+00:00"),
            ("2026-03-01 08:30:15", "2026-03-01T08:30:15+00:00"),
            ("now", "2026-11-23T12:30:00+00:00"),
            ("today", "2026-11-23T12:30:00+00:00"),
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
        ] {
            let time = parse_when(text, now(), &Zone::Utc).expect(text);
            let expected: Timestamp = expected.parse().expect("valid");
            assert_eq!(time, expected, "{text}");
        }
    }

    #[test]
    fn yesterday_is_before_today() {
        let yesterday = parse_when("yesterday", now(), &Zone::Utc).expect("valid");
        assert_eq!(yesterday.day(), now().day() - 1);
    }

    #[test]
    fn a_local_date_is_midnight_of_the_machines_zone() {
        use chrono::{Local, TimeZone};
        let expected = Local
            .with_ymd_and_hms(2026, 3, 1, 0, 0, 0)
            .single()
            .expect("one");
        let time = parse_when("2026-03-01", now(), &Zone::Local).expect("valid");
        assert_eq!(time, Timestamp::from(expected));
    }

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
            "99999999999y",
            "9223372036854775807w",
            "ago",
            "\u{1b}[2J",
            "12026-01-01",
        ] {
            let error = parse_when(text, now(), &Zone::Utc).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
            assert!(error.next_step().is_some(), "{text}");
        }
    }

    #[test]
    fn an_age_counts_calendar_years_and_whole_days() {
        const DAY: i64 = 86_400_000_000;
        for (text, days) in [
            ("90d", 90),
            ("3 days", 3),
            ("2w", 14),
            ("1y", 365),
            ("3y", 1096),
        ] {
            assert_eq!(parse_age(text, now()).expect(text), days * DAY, "{text}");
        }
        for text in ["", "90", "d", "-3d", "3 days ago", "2026-03-01", "1m"] {
            assert!(parse_age(text, now()).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_count_in_steps_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("1024", 1024),
            ("500M", 500 << 20),
            ("10GB", 10 << 30),
            ("10 GiB", 10 << 30),
            ("1.5gib", 3 << 29),
            ("2t", 2 << 40),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text).expect(text), bytes, "{text}");
        }
        for text in [
            "",
            "GB",
            "-1",
            "1.GB",
            ".5G",
            "1.2.3K",
            "1 XB",
            "18446744073709551616",
            "99999999999T",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
