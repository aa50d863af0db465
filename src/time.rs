//! Wall time with its offset, and the only place that asks the machine what time it is.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, FixedOffset, Local, Offset, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in microseconds since 1970 in UTC, with the offset of the wall clock that read it.
///
/// Ordered by instant; the offset only says how a person on the spot would have written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp {
    micros: i64,
    offset_s: i32,
}

/// Text that is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an RFC 3339 time such as 2026-03-01T08:30:00+01:00")]
pub struct ParseTimestampError(String);

impl Timestamp {
    /// The instant `micros` microseconds after 1970, told in UTC.
    pub const fn from_micros(micros: i64) -> Self {
        Self {
            micros,
            offset_s: 0,
        }
    }

    /// The same instant told at `offset_s` seconds east of UTC; an impossible offset becomes UTC.
    #[must_use]
    pub fn at_offset(self, offset_s: i32) -> Self {
        let offset_s = FixedOffset::east_opt(offset_s).map_or(0, |_| offset_s);
        Self { offset_s, ..self }
    }

    /// Microseconds since 1970 in UTC.
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// Seconds east of UTC.
    pub const fn offset_s(self) -> i32 {
        self.offset_s
    }

    /// Whole days since 1970 in UTC.
    pub const fn day(self) -> i64 {
        self.micros.div_euclid(86_400_000_000)
    }

    /// This instant `micros` later; it stops at the ends of representable time.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self {
            micros: self.micros.saturating_add(micros),
            offset_s: self.offset_s,
        }
    }

    /// This instant `days` times 24 hours later (or earlier).
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        self.plus_micros(days.saturating_mul(86_400_000_000))
    }

    /// As a chrono value, for calendar arithmetic.
    pub fn to_chrono(self) -> DateTime<FixedOffset> {
        let utc =
            DateTime::<Utc>::from_timestamp_micros(self.micros).unwrap_or(if self.micros < 0 {
                DateTime::<Utc>::MIN_UTC
            } else {
                DateTime::<Utc>::MAX_UTC
            });
        let offset = FixedOffset::east_opt(self.offset_s).unwrap_or_else(|| Utc.fix());
        offset.from_utc_datetime(&utc.naive_utc())
    }

    /// RFC 3339 in UTC, microseconds.
    pub fn to_utc_string(self) -> String {
        Self::from_micros(self.micros).to_string()
    }
}

impl<Zone: TimeZone> From<DateTime<Zone>> for Timestamp {
    fn from(time: DateTime<Zone>) -> Self {
        Self {
            micros: time.timestamp_micros(),
            offset_s: time.offset().fix().local_minus_utc(),
        }
    }
}

/// Times that the log cannot tell become the first or the last microsecond that it can: file
/// systems keep years far beyond those that RFC 3339 has four digits for.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        // The first microsecond of year 0, and the last one of year 9999.
        const FIRST: i64 = -62_167_219_200_000_000;
        const LAST: i64 = 253_402_300_799_999_999;
        let micros = |distance: Duration| i64::try_from(distance.as_micros()).unwrap_or(i64::MAX);
        let micros = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => micros(after),
            // Down to the microsecond before, as for times after 1970.
            Err(error) => {
                let before = error.duration();
                let part = i64::from(before.subsec_nanos() % 1000 != 0);
                micros(before).saturating_neg().saturating_sub(part)
            }
        };
        Self::from_micros(micros.clamp(FIRST, LAST))
    }
}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.micros, self.offset_s).cmp(&(other.micros, other.offset_s))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self
                .to_chrono()
                .to_rfc3339_opts(SecondsFormat::Micros, false),
        )
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        DateTime::parse_from_rfc3339(text)
            .map(Self::from)
            .map_err(|_| ParseTimestampError(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.micros, self.offset_s).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            let (micros, offset_s) = <(i64, i32)>::deserialize(deserializer)?;
            Ok(Self { micros, offset_s })
        }
    }
}

/// Where the time comes from. Everything that records or decides by time is handed one of these.
pub trait Clock: Send + Sync {
    /// Wall time with its offset. May jump either way.
    fn now(&self) -> Timestamp;

    /// Milliseconds since the machine, or failing that the process, started. Never goes back within one [`boot`](Clock::boot).
    fn monotonic_ms(&self) -> u64;

    /// What distinguishes this run of the machine from the one before.
    fn boot(&self) -> &str;
}

/// The machine's own clock, in the local zone.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from(Local::now())
    }

    fn monotonic_ms(&self) -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        let since_start = START.get_or_init(Instant::now).elapsed();
        let boot_ms = uptime_at_start_ms();
        boot_ms + u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX)
    }

    fn boot(&self) -> &str {
        static BOOT: OnceLock<String> = OnceLock::new();
        BOOT.get_or_init(|| {
            // Elsewhere than on Linux the process stands in for the boot: monotonic times compare within one process only.
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(
                |_| {
                    let mut bytes = [0; 8];
                    match getrandom::fill(&mut bytes) {
                        Ok(()) => format!("process-{:016x}", u64::from_le_bytes(bytes)),
                        Err(_) => format!("process-{}", std::process::id()),
                    }
                },
                |id| id.trim().to_owned(),
            )
        })
    }
}

fn uptime_at_start_ms() -> u64 {
    static UPTIME: OnceLock<u64> = OnceLock::new();
    *UPTIME.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
        let seconds = text
            .split('.')
            .next()
            .and_then(|whole| whole.parse::<u64>().ok());
        seconds.unwrap_or(0) * 1000
    })
}

/// How long something takes. Only differences are ever asked for, so it needs no [`Clock`].
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since it was started.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// What is left of `limit`; nothing once it has passed.
    pub fn left_of(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_the_offset_it_was_written_with() {
        let time: Timestamp = "2026-03-01T08:30:00.123456+01:00".parse().expect("valid");
        assert_eq!(time.to_string(), "2026-03-01T08:30:00.123456+01:00");
        assert_eq!(time.to_utc_string(), "2026-03-01T07:30:00.123456+00:00");
    }

    #[test]
    fn times_are_ordered_by_instant_and_not_by_their_text() {
        let oslo: Timestamp = "2026-03-01T08:00:00+01:00".parse().expect("valid");
        let london: Timestamp = "2026-03-01T07:30:00+00:00".parse().expect("valid");
        assert!(oslo < london);
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_panic() {
        for micros in [i64::MIN, i64::MAX] {
            let time = Timestamp::from_micros(micros).plus_days(i64::MAX);
            assert!(!time.at_offset(i32::MAX).to_string().is_empty());
        }
    }
}
