//! Lengths of time by the calendar, as they are written: `90d`, `2y`, `1y6mo`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::word::ParseWordError;

/// A length of time by the calendar: days first, then months. The text form has years, months,
/// weeks and days: `1y6mo`, `90d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Period {
    /// Months; twelve are a year.
    pub months: u32,
    /// Days.
    pub days: u32,
}

impl Period {
    /// Returns a period of `days` days.
    pub const fn days(days: u32) -> Self {
        Self { months: 0, days }
    }

    /// Returns a period of `years` calendar years.
    pub const fn years(years: u16) -> Self {
        let months = years as u32 * 12;
        Self { months, days: 0 }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (self.months / 12, "y"),
            (self.months % 12, "mo"),
            (self.days, "d"),
        ];
        for (number, unit) in units.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{number}{unit}")?;
        }
        Ok(())
    }
}

impl FromStr for Period {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let refused = || ParseWordError::new(text, ["90d", "26w", "18mo", "2y", "1y6mo"]);
        let mut rest = text.trim();
        let mut period = Self { months: 0, days: 0 };
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit());
            let (number, tail) = rest.split_at(digits.ok_or_else(refused)?);
            let tail = tail.trim_start();
            let end = tail.find(|c: char| !c.is_ascii_alphabetic());
            let (unit, tail) = tail.split_at(end.unwrap_or(tail.len()));
            rest = tail.trim_start();
            let number: u32 = number.parse().map_err(|_| refused())?;
            let (months, days) = match unit {
                "d" | "day" | "days" => (0, 1),
                "w" | "week" | "weeks" => (0, 7),
                "mo" | "month" | "months" => (1, 0),
                "y" | "year" | "years" => (12, 0),
                _ => return Err(refused()),
            };
            let sum = |so_far: u32, each: u32| so_far.checked_add(number.checked_mul(each)?);
            period.months = sum(period.months, months).ok_or_else(refused)?;
            period.days = sum(period.days, days).ok_or_else(refused)?;
        }
        if period == (Self { months: 0, days: 0 }) {
            return Err(refused());
        }
        Ok(period)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Period {
    /// Returns whether it is at least as long as `other`, from whatever day both are counted.
    pub fn is_at_least(self, other: Self) -> bool {
        let days = |period: Self, of_year: u64, of_month: u64| {
            let (years, months) = (period.months / 12, period.months % 12);
            u64::from(years) * of_year + u64::from(months) * of_month + u64::from(period.days)
        };
        (self.months >= other.months && self.days >= other.days)
            || days(self, 365, 28) >= days(other, 366, 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_longer_only_if_it_is_so_from_every_day() {
        let period = |text: &str| text.parse::<Period>().expect("valid");
        for (long, short) in [("12y", "10y"), ("1y", "90d"), ("2y", "2y"), ("366d", "1y")] {
            assert!(period(long).is_at_least(period(short)), "{long} {short}");
        }
        for (long, short) in [
            ("10y", "12y"),
            ("365d", "1y"),
            ("28d", "1mo"),
            ("1mo", "31d"),
        ] {
            assert!(!period(long).is_at_least(period(short)), "{long} {short}");
        }
    }
}
