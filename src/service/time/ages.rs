//! Parses ages such as `90d` and `1y 6 months`: lengths of time into the past.

use chrono::Months;

use super::zone::Zone;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

const AGE_HINT: &str = "write for example 90d, '3 days', 2w, '6 months', or 1y";

/// Returns the length of the age `text`, in microseconds before `now`.
///
/// Days are 24 hours. Months and years follow the calendar in UTC, so that the result does not
/// depend on the caller's zone.
pub fn parse_age(text: &str, now: Timestamp) -> Result<i64> {
    let refused =
        || Error::new(ErrorKind::Invalid, format!("'{text}' is not an age")).hint(AGE_HINT);
    let age = Age::parse(&text.trim().to_lowercase())?.ok_or_else(refused)?;
    let then = age.before(now).ok_or_else(refused)?;
    let micros = now.micros() - then.micros();
    if micros == 0 {
        let told = format!("'{text}' is no time at all, and everything is older");
        return Err(Error::new(ErrorKind::Invalid, told).hint(AGE_HINT));
    }
    Ok(micros)
}

/// A length of time into the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Age {
    months: u32,
    micros: i64,
}

impl Age {
    /// Parses text such as `1y 6 months`, which must be lower case.
    ///
    /// Returns `None` when the text is not a sequence of numbers with units.
    pub(super) fn parse(text: &str) -> Result<Option<Self>> {
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

    /// Returns the instant this long before `now`, counting months in UTC.
    ///
    /// Returns `None` when that lies before the beginning of representable time.
    fn before(self, now: Timestamp) -> Option<Timestamp> {
        let utc = Timestamp::from_micros(now.micros());
        let months_back = utc
            .to_chrono()
            .checked_sub_months(Months::new(self.months))?;
        self.without_micros(Timestamp::from(months_back))
    }

    /// Returns the instant this long before `now`, counting months and years in `zone`.
    ///
    /// So `1mo` ago is at `now`'s time of day in the zone.
    pub(super) fn before_in(self, now: Timestamp, zone: &Zone) -> Option<Timestamp> {
        if self.months == 0 {
            return self.without_micros(now);
        }
        let wall = zone
            .wall(now)
            .checked_sub_months(Months::new(self.months))?;
        self.without_micros(zone.about(wall)?)
    }

    fn without_micros(self, time: Timestamp) -> Option<Timestamp> {
        let micros = time.micros().checked_sub(self.micros)?;
        chrono::DateTime::from_timestamp_micros(micros)?;
        Some(Timestamp::from_micros(micros).at_offset(time.offset_s()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_counts_calendar_years_and_whole_days() {
        const DAY: i64 = 86_400_000_000;
        let now: Timestamp = "2026-11-23T12:30:00+00:00".parse().expect("valid");
        for (text, days) in [
            ("90d", 90),
            ("3 days", 3),
            ("2w", 14),
            ("1y", 365),
            ("3y", 1096),
        ] {
            assert_eq!(parse_age(text, now).expect(text), days * DAY, "{text}");
        }
        for text in ["", "90", "d", "-3d", "3 days ago", "2026-03-01", "1m"] {
            assert!(parse_age(text, now).is_err(), "{text}");
        }
    }

    /// Callers in two zones must get one plan for one age. `1mo` is 30 or 31 days, depending on the
    /// current day in UTC.
    #[test]
    fn an_age_does_not_depend_on_where_it_is_asked_for() {
        let here: Timestamp = "2026-03-31T23:30:00-05:00".parse().expect("valid");
        let there: Timestamp = "2026-04-01T04:30:00+00:00".parse().expect("valid");
        assert_eq!(
            parse_age("1mo", here).expect("valid"),
            parse_age("1mo", there).expect("valid")
        );
    }

    #[test]
    fn months_ago_are_at_the_same_time_of_day_and_days_ago_are_24_hours() {
        let zone = Zone::named("America/New_York");
        let now: Timestamp = "2026-11-29T12:00:00-05:00".parse().expect("valid");
        for (text, then) in [
            ("1mo", "2026-10-29T12:00:00-04:00"),
            ("60d", "2026-09-30T12:00:00-05:00"),
            ("9mo", "2026-02-28T12:00:00-05:00"),
        ] {
            let age = Age::parse(text).expect("valid").expect("an age");
            let then: Timestamp = then.parse().expect("valid");
            let found = age.before_in(now, &zone).expect("in range");
            assert_eq!(found.micros(), then.micros(), "{text}");
        }
    }
}
