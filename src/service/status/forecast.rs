//! When room runs out at the rate of the last weeks, and when nobody can tell.

use crate::archive::Bin;
use crate::time::Timestamp;

/// Full days that a rate needs: one of each weekday, because plants rest on some.
const DAYS_MIN: usize = 7;
/// No date is named that is further away than this. Nothing stays as it is for so long.
const DAYS_MAX: f64 = 3_650.0;

/// How much is archived in a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Bytes that one day takes on disk.
    pub bytes: f64,
    /// Over how many days it was measured: whole weeks.
    pub days: usize,
    /// One day made more than half of it, so that it may say little about the next days.
    pub is_uneven: bool,
}

/// A rate, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateOrWhy {
    /// It was measured.
    Rate(Rate),
    /// There are so many full days only.
    TooEarly {
        /// The full days so far.
        days: usize,
    },
    /// Nothing was archived.
    Still {
        /// In so many days.
        days: usize,
    },
}

/// When room runs out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Forecast {
    /// There is none left.
    Full,
    /// In so many days, about then.
    In {
        /// Full days from now.
        days: u64,
        /// The time.
        on: Timestamp,
    },
    /// Not within ten years.
    Far,
    /// Nobody can tell.
    Unknown,
}

impl RateOrWhy {
    /// Measures a rate over full days, of which the last ended most lately.
    ///
    /// Days before `begun` and the day it lies in do not count. `on_disk` is how many bytes a byte
    /// of a source takes on disk.
    pub fn of(days: &[Bin], begun: Option<Timestamp>, on_disk: f64) -> Self {
        let is_full = |day: &&Bin| begun.is_some_and(|begun| begun.micros() <= day.from.micros());
        let full: Vec<&Bin> = days.iter().filter(is_full).collect();
        let weeks = full.len() / DAYS_MIN;
        if weeks == 0 {
            return Self::TooEarly { days: full.len() };
        }
        let measured = &full[full.len() - weeks * DAYS_MIN..];
        let days = measured.len();
        let total: u128 = measured.iter().map(|day| u128::from(day.bytes)).sum();
        let most = measured.iter().map(|day| u128::from(day.bytes)).max();
        if total == 0 {
            return Self::Still { days };
        }
        Self::Rate(Rate {
            bytes: total as f64 * on_disk / days as f64,
            days,
            is_uneven: most.unwrap_or_default() * 2 > total,
        })
    }

    /// Returns the rate, if there is one.
    pub fn rate(self) -> Option<Rate> {
        match self {
            Self::Rate(rate) => Some(rate),
            Self::TooEarly { .. } | Self::Still { .. } => None,
        }
    }
}

/// Returns when `room` bytes are used up.
pub fn forecast(room: u64, rate: RateOrWhy, now: Timestamp) -> Forecast {
    if room == 0 {
        return Forecast::Full;
    }
    let rate = match rate {
        RateOrWhy::Rate(rate) => rate,
        RateOrWhy::Still { .. } => return Forecast::Far,
        RateOrWhy::TooEarly { .. } => return Forecast::Unknown,
    };
    let days = room as f64 / rate.bytes;
    // A rate that is no number, or none to speak of, ends here, too.
    if !days.is_finite() || days > DAYS_MAX {
        return Forecast::Far;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and 3,650"
    )]
    let days = days as u64;
    Forecast::In {
        days,
        on: now.plus_days(i64::try_from(days).unwrap_or(i64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_micros(0).plus_days(20_000 + day)
    }

    /// Returns days that follow one another, with this many bytes each.
    fn days(bytes: &[u64]) -> Vec<Bin> {
        let of = |(number, bytes): (usize, &u64)| {
            let from = at(i64::try_from(number).expect("small"));
            Bin {
                from,
                to: from.plus_days(1),
                entries: 1,
                success: 1,
                failed: 0,
                pending: 0,
                other: 0,
                bytes: *bytes,
            }
        };
        bytes.iter().enumerate().map(of).collect()
    }

    /// After an hour, a forecast said that the disk would be full on Thursday.
    #[test]
    fn a_store_of_less_than_a_week_has_no_forecast() {
        let six = days(&[5, 5, 5, 5, 5, 5]);
        let rate = RateOrWhy::of(&six, Some(at(0)), 1.0);
        assert_eq!(rate, RateOrWhy::TooEarly { days: 6 });
        assert_eq!(forecast(1_000, rate, at(6)), Forecast::Unknown);
        assert_eq!(
            RateOrWhy::of(&[], None, 1.0),
            RateOrWhy::TooEarly { days: 0 }
        );
        // The day in which the store began is no full day.
        let seven = days(&[5; 7]);
        let begun = at(0).plus_micros(1);
        assert_eq!(
            RateOrWhy::of(&seven, Some(begun), 1.0),
            RateOrWhy::TooEarly { days: 6 }
        );
    }

    /// A plant rests on Sunday: ten days with one Sunday and ten with two are not the same.
    #[test]
    fn a_rate_is_measured_over_whole_weeks() {
        let mut bytes = vec![1_000; 3];
        bytes.extend([70, 70, 70, 70, 70, 70, 0]);
        let rate = RateOrWhy::of(&days(&bytes), Some(at(0)), 0.5);
        let measured = Rate {
            bytes: 30.0,
            days: 7,
            is_uneven: false,
        };
        assert_eq!(rate, RateOrWhy::Rate(measured));
        let found = forecast(95, rate, at(10));
        assert_eq!(
            found,
            Forecast::In {
                days: 3,
                on: at(13)
            }
        );
    }

    /// The backlog of a year was archived on one day.
    #[test]
    fn one_day_that_outweighs_the_others_is_told() {
        let rate = RateOrWhy::of(&days(&[1, 1, 1, 900, 1, 1, 1]), Some(at(0)), 1.0);
        assert!(rate.rate().expect("a rate").is_uneven);
    }

    /// Dates in the past, in the year 5831 and divisions by nothing have been seen elsewhere.
    #[test]
    fn no_date_is_named_that_means_nothing() {
        let still = RateOrWhy::of(&days(&[0; 9]), Some(at(0)), 1.0);
        assert_eq!(still, RateOrWhy::Still { days: 7 });
        assert_eq!(forecast(1, still, at(9)), Forecast::Far);
        let slow = RateOrWhy::of(&days(&[1; 7]), Some(at(0)), 1.0);
        assert_eq!(forecast(u64::MAX, slow, at(9)), Forecast::Far);
        assert_eq!(forecast(0, slow, at(9)), Forecast::Full);
        assert_eq!(forecast(0, still, at(9)), Forecast::Full);
        for on_disk in [0.0, f64::NAN] {
            let odd = RateOrWhy::of(&days(&[1; 7]), Some(at(0)), on_disk);
            assert_eq!(forecast(5, odd, at(9)), Forecast::Far);
        }
        let huge = RateOrWhy::of(&days(&[u64::MAX; 28]), Some(at(0)), 1.0);
        assert_eq!(
            forecast(1, huge, at(9)),
            Forecast::In { days: 0, on: at(9) }
        );
    }
}
