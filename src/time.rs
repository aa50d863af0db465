//! Wall-clock times with their offset, and the only place that reads the machine's clock.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, FixedOffset, Local, Offset, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The first and the last microsecond that RFC 3339 can write in UTC: the years 0000 to 9999.
const MICROS_MIN: i64 = -62_167_219_200_000_000;
const MICROS_MAX: i64 = 253_402_300_799_999_999;
/// UTC offsets are smaller than 24 hours.
const OFFSET_S_END: i32 = 86_400;

/// An instant in microseconds since 1970 in UTC, with the offset of the wall clock that read it.
///
/// It holds only what RFC 3339 can express, so its text always reads back as an equal value. An
/// instant outside the years 0000 to 9999 becomes the nearest end of that range. An offset is cut
/// to whole minutes, and an offset that would lead out of the range becomes UTC.
///
/// Values are ordered by instant. The offset only says how local clocks would show it.
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
    /// The earliest possible instant.
    pub const MIN: Self = Self::new(MICROS_MIN, 0);
    /// The latest possible instant.
    pub const MAX: Self = Self::new(MICROS_MAX, 0);

    const fn new(micros: i64, offset_s: i32) -> Self {
        let micros = if micros < MICROS_MIN {
            MICROS_MIN
        } else if micros > MICROS_MAX {
            MICROS_MAX
        } else {
            micros
        };
        let minutes = offset_s - offset_s % 60;
        let local = micros + minutes as i64 * 1_000_000;
        let is_told = -OFFSET_S_END < minutes
            && minutes < OFFSET_S_END
            && MICROS_MIN <= local
            && local <= MICROS_MAX;
        Self {
            micros,
            offset_s: if is_told { minutes } else { 0 },
        }
    }

    /// Returns the instant `micros` microseconds after 1970, in UTC.
    pub const fn from_micros(micros: i64) -> Self {
        Self::new(micros, 0)
    }

    /// Returns this instant at `offset_s` seconds east of UTC; an impossible offset becomes UTC.
    #[must_use]
    pub const fn at_offset(self, offset_s: i32) -> Self {
        Self::new(self.micros, offset_s)
    }

    /// Returns the microseconds since 1970 in UTC.
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// Returns the seconds east of UTC.
    pub const fn offset_s(self) -> i32 {
        self.offset_s
    }

    /// Returns the whole days since 1970 in UTC.
    pub const fn day(self) -> i64 {
        self.micros.div_euclid(86_400_000_000)
    }

    /// Returns the instant `micros` later, at most [`Timestamp::MAX`] and at least
    /// [`Timestamp::MIN`].
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self::new(self.micros.saturating_add(micros), self.offset_s)
    }

    /// Returns the instant `days` times 24 hours later, or earlier for a negative number.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        self.plus_micros(days.saturating_mul(86_400_000_000))
    }

    /// Returns it as a chrono value, for calendar arithmetic.
    pub fn to_chrono(self) -> DateTime<FixedOffset> {
        // The range of a time lies well inside chrono's range.
        let utc = DateTime::<Utc>::from_timestamp_micros(self.micros).unwrap_or_default();
        let offset = FixedOffset::east_opt(self.offset_s).unwrap_or_else(|| Utc.fix());
        offset.from_utc_datetime(&utc.naive_utc())
    }

    /// Returns it in RFC 3339 form, in UTC, with microseconds.
    pub fn to_utc_string(self) -> String {
        Self::from_micros(self.micros).to_string()
    }
}

impl<Zone: TimeZone> From<DateTime<Zone>> for Timestamp {
    fn from(time: DateTime<Zone>) -> Self {
        let offset_s = time.offset().fix().local_minus_utc();
        Self::new(time.timestamp_micros(), offset_s)
    }
}

impl From<Timestamp> for SystemTime {
    /// Returns the nearest time that the system can express.
    fn from(time: Timestamp) -> Self {
        let distance = Duration::from_micros(time.micros().unsigned_abs());
        let there = if time.micros() < 0 {
            Self::UNIX_EPOCH.checked_sub(distance)
        } else {
            Self::UNIX_EPOCH.checked_add(distance)
        };
        there.unwrap_or(Self::UNIX_EPOCH)
    }
}

/// Converts a file system's time to the microsecond that contains it, in UTC.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let micros = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => {
                let before = before.duration().as_nanos().div_ceil(1_000);
                i64::try_from(before).map_or(i64::MIN, |micros| -micros)
            }
        };
        Self::from_micros(micros)
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
            let told = text.parse();
            told.or_else(|why| expanded_year(&text).ok_or(why))
                .map_err(serde::de::Error::custom)
        } else {
            let (micros, offset_s) = <(i64, i32)>::deserialize(deserializer)?;
            Ok(Self::new(micros, offset_s))
        }
    }
}

/// Parses a time with a signed year, such as `+11999-12-03T07:06:40.000000+00:00`. Logs of annals
/// 0.1 contain such times, for files with a time that RFC 3339 cannot express.
fn expanded_year(text: &str) -> Option<Timestamp> {
    let is_signed = text.starts_with(['+', '-']);
    let time = is_signed.then(|| text.parse::<DateTime<FixedOffset>>().ok())?;
    time.map(Timestamp::from)
}

/// The source of time. All code that records time or decides by it gets a clock passed in.
pub trait Clock: Send + Sync {
    /// Returns the wall-clock time with its offset. It may jump in either direction.
    fn now(&self) -> Timestamp;

    /// Returns the milliseconds since the machine, or else the process, started. Never goes back
    /// within one [`boot`](Clock::boot). 0 when it is not known: then jumps of the wall clock are
    /// not noticed.
    fn monotonic_ms(&self) -> u64;

    /// Returns an id of this run of the machine, which differs from the run before.
    fn boot(&self) -> &str;
}

/// The machine's own clock, in the local time zone.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // chrono's own function panics when the clock is set before 1970.
        let utc = Timestamp::from(SystemTime::now());
        let offset = Local.offset_from_utc_datetime(&utc.to_chrono().naive_utc());
        utc.at_offset(offset.fix().local_minus_utc())
    }

    fn monotonic_ms(&self) -> u64 {
        uptime_ms()
    }

    fn boot(&self) -> &str {
        static BOOT: OnceLock<String> = OnceLock::new();
        BOOT.get_or_init(|| {
            // On other systems than Linux, each process counts as a boot: monotonic times compare
            // only within one process.
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

/// Returns the milliseconds since the machine started. All processes read one clock, so what one
/// records after another one is never earlier.
#[cfg(target_os = "linux")]
fn uptime_ms() -> u64 {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(since_boot.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(since_boot.tv_nsec).unwrap_or(0);
    seconds * 1_000 + nanos / 1_000_000
}

/// Returns the milliseconds since the process first asked. Each process counts as a boot here.
#[cfg(not(target_os = "linux"))]
fn uptime_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let since_start = START.get_or_init(Instant::now).elapsed();
    u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX)
}

/// Measures how long something takes. It gives only differences, so it needs no [`Clock`].
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Returns what is left of `limit`; zero once it has passed.
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

    /// A file of the year 11999 was recorded as `+11999-12-03T..`, which is not an RFC 3339 time.
    /// The acknowledged event could not be read, and after the next open neither could anything
    /// else in its store.
    #[test]
    fn every_time_is_written_so_that_it_reads_back_as_the_same() {
        let ends = [i64::MIN, MICROS_MIN, -1, 0, 1, MICROS_MAX, i64::MAX];
        let near = ends.iter().flat_map(|end| {
            [-3_600_000_000, -1, 0, 1, 3_600_000_000].map(|step: i64| end.saturating_add(step))
        });
        for micros in near {
            for offset_s in [
                i32::MIN,
                -86_400,
                -43_200,
                -61,
                0,
                59,
                1_172,
                50_400,
                86_399,
                i32::MAX,
            ] {
                let time = Timestamp::from_micros(micros).at_offset(offset_s);
                let text = time.to_string();
                assert_eq!(text.parse(), Ok(time), "{micros} at {offset_s}");
                assert_eq!(
                    time.to_utc_string().len(),
                    "2026-03-01T08:30:00.000000+00:00".len()
                );
                let json = serde_json::to_string(&time).expect("text");
                assert_eq!(
                    serde_json::from_str::<Timestamp>(&json).expect("a time"),
                    time
                );
            }
        }
    }

    #[test]
    fn times_out_of_range_become_the_nearest_that_can_be_written() {
        let told = |json: &str| serde_json::from_str::<Timestamp>(json);
        for (json, micros) in [
            (r#""+11999-12-03T07:06:40.000000+00:00""#, MICROS_MAX),
            (r#""+262142-12-31T23:59:59.999999+14:00""#, MICROS_MAX),
            (r#""-0001-12-31T23:59:59+00:00""#, MICROS_MIN),
            (r#""-9999-01-01T00:00:00.000000+00:00""#, MICROS_MIN),
        ] {
            assert_eq!(told(json).expect(json).micros(), micros, "{json}");
        }
        for wrong in [r#""+x-12-03T07:06:40+00:00""#, r#""+""#, r#""-""#, r#""""#] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
        let year_11999 = SystemTime::UNIX_EPOCH + Duration::from_secs(316_516_000_000);
        assert_eq!(Timestamp::from(year_11999), Timestamp::MAX);
        let before_0 = SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(70_000_000_000));
        assert_eq!(before_0.map(Timestamp::from), Some(Timestamp::MIN));
        // The microsecond that contains it, even before 1970.
        let half = SystemTime::UNIX_EPOCH - Duration::from_nanos(1_500);
        assert_eq!(Timestamp::from(half).micros(), -2);
    }

    /// Each process took whole seconds of the machine's age as its start. So of two processes in a
    /// row the second one often recorded less, and a bundle said that the clock had gone back.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_time_since_boot_is_that_of_the_machine() {
        let read = || {
            let text = std::fs::read_to_string("/proc/uptime").expect("there");
            let first = text.split(' ').next().expect("a word");
            // It has two digits after the point.
            let hundredths: u64 = first.replace('.', "").parse().expect("a number");
            hundredths * 10
        };
        let (before, own, after) = (read(), SystemClock.monotonic_ms(), read());
        assert!(
            (before..=after + 10).contains(&own),
            "{before} {own} {after}"
        );
    }

    #[test]
    fn the_machines_own_clock_tells_the_time_in_the_local_zone() {
        let now = SystemClock.now();
        let local = Local::now();
        assert_eq!(now.offset_s(), local.offset().local_minus_utc() / 60 * 60);
        assert!((now.micros() - local.timestamp_micros()).abs() < 60_000_000);
        // The zone has an offset for every day.
        for time in [Timestamp::MIN, Timestamp::MAX] {
            let _ = Local.offset_from_utc_datetime(&time.to_chrono().naive_utc());
        }
    }
}
