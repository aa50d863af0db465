//! Hours, days, weeks and months of a zone, as the edges between them.

use chrono::{Datelike, Days, Months, NaiveDate};

use super::zone::{NoSuchTime, Zone};
use crate::time::Timestamp;

const HOUR_MICROS: i64 = 3_600_000_000;

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// An hour, from the start of its day on.
    Hour,
    /// A day, which has 23 or 25 hours when the clocks change.
    Day,
    /// A week, from Monday on.
    Week,
    /// A month.
    Month,
}

impl Every {
    /// Returns the edges of the periods from the one that holds `oldest` to the one that holds
    /// `newest`. Each begins where the one before ends.
    pub fn edges(self, oldest: Timestamp, newest: Timestamp, zone: &Zone) -> Vec<Timestamp> {
        let mut edges: Vec<Timestamp> = Vec::new();
        let mut day = Some(self.first_day(zone.wall(oldest).date()));
        while let Some(of) = day {
            match zone.start_of(of) {
                Ok(start) => self.reach(&mut edges, start),
                // The zone's clocks never showed this day.
                Err(NoSuchTime::Skipped) => {}
                Err(NoSuchTime::Twice(..) | NoSuchTime::OutOfRange) => break,
            }
            if edges.last().is_some_and(|last| is_before(newest, *last)) {
                break;
            }
            day = self.next_day(of);
        }
        // At the ends of time, a period ends where time does.
        if edges.first().is_none_or(|first| is_before(oldest, *first)) {
            edges.insert(0, oldest);
        }
        if edges.last().is_none_or(|last| !is_before(newest, *last)) {
            edges.push(newest.plus_micros(1));
        }
        edges.dedup_by_key(|edge| edge.micros());
        edges
    }

    /// Returns what the period is called that begins at `from`.
    pub fn name(self, from: Timestamp, zone: &Zone) -> String {
        let wall = zone.wall(from);
        match self {
            // The hour that the clocks show twice has two offsets.
            Self::Hour => {
                let ahead = wall.and_utc().timestamp() - from.micros().div_euclid(1_000_000);
                let ahead = i32::try_from(ahead).unwrap_or(0);
                let there = from.at_offset(ahead).to_chrono();
                there.format("%Y-%m-%dT%H:%M%:z").to_string()
            }
            Self::Day => wall.format("%Y-%m-%d").to_string(),
            Self::Week => wall.format("%G-W%V").to_string(),
            Self::Month => wall.format("%Y-%m").to_string(),
        }
    }

    fn first_day(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Hour | Self::Day => day,
            Self::Week => {
                let since_monday = u64::from(day.weekday().num_days_from_monday());
                day.checked_sub_days(Days::new(since_monday)).unwrap_or(day)
            }
            Self::Month => day.with_day(1).unwrap_or(day),
        }
    }

    fn next_day(self, day: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Hour | Self::Day => day.checked_add_days(Days::new(1)),
            Self::Week => day.checked_add_days(Days::new(7)),
            Self::Month => day.checked_add_months(Months::new(1)),
        }
    }

    /// Adds the start of a day, and the hours before it.
    fn reach(self, edges: &mut Vec<Timestamp>, start: Timestamp) {
        if self == Self::Hour
            && let Some(day) = edges.last().copied()
        {
            let mut hour = day.plus_micros(HOUR_MICROS);
            while is_before(hour, start) {
                edges.push(hour);
                hour = hour.plus_micros(HOUR_MICROS);
            }
        }
        edges.push(start);
    }
}

/// Compares instants alone: equal ones with other offsets are ordered, too.
fn is_before(one: Timestamp, other: Timestamp) -> bool {
    one.micros() < other.micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("valid")
    }

    fn names(every: Every, from: &str, to: &str, zone: &Zone) -> Vec<String> {
        let edges = every.edges(time(from), time(to), zone);
        assert!(edges.is_sorted_by(|a, b| is_before(*a, *b)), "{edges:?}");
        assert!(!is_before(time(from), edges[0]));
        assert!(is_before(time(to), edges[edges.len() - 1]));
        let starts = edges[..edges.len() - 1].iter();
        starts.map(|edge| every.name(*edge, zone)).collect()
    }

    /// The night in which the clocks of Berlin show two o'clock twice has an hour more, and the one
    /// in which they skip it an hour less.
    #[test]
    fn a_day_has_the_hours_that_its_clocks_show() {
        let berlin = Zone::named("Europe/Berlin");
        let of = |day: &str| {
            let (from, to) = (format!("{day}T10:00:00Z"), format!("{day}T10:30:00Z"));
            names(Every::Hour, &from, &to, &berlin)
        };
        assert_eq!(of("2026-03-29").len(), 23);
        let long = of("2026-10-25");
        assert_eq!(long.len(), 25);
        assert_eq!(
            long[2..4],
            ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]
        );
        let days = names(
            Every::Day,
            "2026-10-24T21:59:59Z",
            "2026-10-25T23:00:00Z",
            &berlin,
        );
        assert_eq!(days, ["2026-10-24", "2026-10-25", "2026-10-26"]);
    }

    /// Samoa went over the date line and had no 30 December 2011.
    #[test]
    fn a_day_that_never_was_is_left_out() {
        let apia = Zone::named("Pacific/Apia");
        let days = names(
            Every::Day,
            "2011-12-29T12:00:00-10:00",
            "2011-12-31T12:00:00+14:00",
            &apia,
        );
        assert_eq!(days, ["2011-12-29", "2011-12-31"]);
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let (from, to) = ("2025-12-31T12:00:00Z", "2026-02-01T00:00:00Z");
        let weeks = names(Every::Week, from, to, &Zone::Utc);
        assert_eq!(
            weeks,
            ["2026-W01", "2026-W02", "2026-W03", "2026-W04", "2026-W05"]
        );
        let months = names(Every::Month, from, to, &Zone::Utc);
        assert_eq!(months, ["2025-12", "2026-01", "2026-02"]);
    }

    /// A machine whose clock had lost its battery archived at the end of time.
    #[test]
    fn the_ends_of_time_are_in_a_period_too() {
        for every in [Every::Day, Every::Week, Every::Month] {
            let (from, to) = (Timestamp::MAX.plus_days(-3), Timestamp::MAX);
            let edges = every.edges(from, to, &Zone::Utc);
            assert!(edges[0] <= from && edges.len() >= 2, "{every:?}");
            let edges = every.edges(Timestamp::MIN, Timestamp::MIN.plus_days(40), &Zone::Utc);
            assert!(edges[0] <= Timestamp::MIN && edges.len() >= 2, "{every:?}");
        }
    }
}
