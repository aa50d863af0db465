//! An entry: one archived source, what is known of it, and every attempt to convert it.

mod cause;
mod extent;
mod left;
mod note;
mod outcome;
mod part;
mod period;
mod word;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{Months, TimeDelta};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{AttemptNo, BlobId, ConverterId, EntryId, EventSeq, JobId, Sha256};
use crate::setters::setters;
use crate::time::Timestamp;

pub(crate) use cause::Trouble;
pub use cause::{Cause, CauseId, CauseKind};
#[cfg(feature = "host")]
pub(crate) use extent::PathPart;
pub use extent::{Extent, ReportPath};
pub use note::{Correction, FactName, Note};
pub use outcome::{Outcome, Status};
pub(crate) use part::whole_part;
pub use part::{Part, PurgedPart};
pub use period::Period;
pub use word::ParseWordError;

/// Free facts about an entry, sorted by name.
pub type Meta = BTreeMap<String, String>;

/// The unit under test that a source is about. Absent fields are unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Unit {
    /// Serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Part number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Test station.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub station: Option<String>,
    /// Test process (operation).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

setters! { Unit {
    /// Sets the serial number.
    serial: some [String];
    /// Sets the part number.
    part: some [String];
    /// Sets the test station.
    station: some [String];
    /// Sets the test process.
    process: some [String];
} }

impl Unit {
    /// Returns true when nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How long an entry is kept at least: days plus calendar years after it was archived, or for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Retention {
    /// No rule of age ever selects it.
    #[default]
    Forever,
    /// It may be purged once `days` and then `years` calendar years have passed.
    Period {
        /// Days of 24 hours.
        days: u16,
        /// Calendar years, added to the days.
        years: u8,
    },
}

impl Retention {
    /// Returns a period of `days` days.
    pub const fn days(days: u16) -> Self {
        Self::Period { days, years: 0 }
    }

    /// Returns when an entry archived at `archived_at` may be purged; `None` means never. A time
    /// after the year 9999 also counts as never.
    pub fn expires_at(self, archived_at: Timestamp) -> Option<Timestamp> {
        let Self::Period { days, years } = self else {
            return None;
        };
        let days = TimeDelta::days(i64::from(days));
        let after_days = archived_at.to_chrono().checked_add_signed(days)?;
        let expires = after_days.checked_add_months(Months::new(u32::from(years) * 12))?;
        (expires <= Timestamp::MAX.to_chrono()).then(|| Timestamp::from(expires))
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Period { days, years: 0 } => write!(f, "{days}d"),
            Self::Period { days: 0, years } => write!(f, "{years}y"),
            Self::Period { days, years } => write!(f, "{days}d{years}y"),
        }
    }
}

impl FromStr for Retention {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let refused = || ParseWordError::new(text, ["forever", "90d", "10y", "90d1y"]);
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let (days, rest) = match text.split_once('d') {
            Some((days, rest)) => (days.parse().map_err(|_| refused())?, rest),
            None => (0, text),
        };
        let years = match rest.strip_suffix('y') {
            Some(years) => years.parse().map_err(|_| refused())?,
            None if rest.is_empty() => 0,
            None => return Err(refused()),
        };
        if days == 0 && years == 0 {
            return Err(refused());
        }
        Ok(Self::Period { days, years })
    }
}

impl Serialize for Retention {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A report a converter made in one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Its content.
    pub blake3: BlobId,
    /// The digest of its content.
    pub sha256: Sha256,
    /// Bytes of its content.
    pub size: u64,
    /// The name the receiving server gave it, once submitted.
    pub report_id: Option<String>,
    /// When the server's answer was recorded.
    pub reported_at: Option<Timestamp>,
    /// The state of its submission; `None` once it is submitted, and when it is not to be
    /// submitted.
    #[serde(default)]
    pub submission: Option<Submission>,
}

/// The state of a report that no server has accepted yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Submission {
    /// It waits until the server accepts it.
    Waiting {
        /// Since when.
        since: Timestamp,
        /// Where it is to be sent, without secrets.
        endpoint: String,
    },
    /// The server refused it.
    Rejected {
        /// When.
        at: Timestamp,
        /// Where it was sent, without secrets.
        endpoint: String,
        /// The HTTP status of the answer.
        status: u16,
        /// What the server said.
        text: String,
    },
}

/// One run of a converter over an entry. Attempts are added, never changed; only a report's
/// submission is filled in later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// 1 for the first attempt of the entry.
    pub attempt: AttemptNo,
    /// How it ended.
    pub status: Outcome,
    /// When it was recorded.
    pub at: Timestamp,
    /// The converter's name.
    pub converter: String,
    /// The version it claims.
    pub converter_version: Option<String>,
    /// The identity of the converter that ran.
    pub converter_id: Option<ConverterId>,
    /// The arguments it was given; secret ones are masked.
    pub arguments: Meta,
    /// How long it ran.
    pub duration_ms: Option<u64>,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// The warnings that it reported.
    pub warnings: Vec<String>,
    /// The restrictions enforced on its processes, in a few words each. Empty when there were none
    /// or they were not recorded.
    #[serde(default)]
    pub sandbox: Vec<String>,
    /// The reprocess job it belonged to.
    pub job: Option<JobId>,
    /// The reports it made.
    pub reports: Vec<Report>,
    /// Why its result is suspicious although the converter says success, in words. Empty when
    /// nothing is.
    #[serde(default)]
    pub suspicious: Vec<String>,
    /// How much its reports hold; `None` where that was not recorded.
    #[serde(default)]
    pub extent: Option<Extent>,
    /// The newest later success with reports, which take the place of this one's.
    #[serde(default)]
    pub superseded_by: Option<AttemptNo>,
}

/// One archived source with its metadata and all its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Its name: the number of the event that archived it.
    pub id: EntryId,
    /// The converter it was archived for.
    pub converter: String,
    /// The version that converter claimed, if any.
    pub converter_version: Option<String>,
    /// The file name it had; bytes that are not UTF-8 are shown as U+FFFD.
    pub source_name: String,
    /// The path it was read from; bytes that are not UTF-8 are shown as U+FFFD.
    pub source_path: String,
    /// The bytes of `source_name`, in hexadecimal, where they are not UTF-8.
    #[serde(default)]
    pub source_name_hex: Option<String>,
    /// The file's modification time.
    pub source_modified: Option<Timestamp>,
    /// When it was archived.
    pub archived_at: Timestamp,
    /// How its last attempt ended.
    pub status: Status,
    /// Bytes of the source.
    pub size: u64,
    /// Bytes the source took in the store when it was first written.
    pub stored_size: u64,
    /// The source's content.
    pub blake3: BlobId,
    /// The digest of the source's content.
    pub sha256: Sha256,
    /// The unit it is about: what a note corrected, else what was given at archiving, else what the
    /// latest attempt detected.
    pub unit: Unit,
    /// Which fields of `unit` a person or host stated. Converters do not overwrite those.
    pub unit_given: UnitGiven,
    /// Free facts.
    pub meta: Meta,
    /// The arguments recorded at archiving.
    pub arguments: Meta,
    /// How long it is kept at least.
    pub retention: Retention,
    /// The idempotency key it was archived under.
    pub key: Option<String>,
    /// The newest report id of the newest attempt that has one.
    pub report_id: Option<String>,
    /// Every attempt, oldest first.
    pub attempts: Vec<Attempt>,
    /// The names of the holds on it.
    pub holds: Vec<String>,
    /// When its bytes were purged.
    pub purged_at: Option<Timestamp>,
    /// The rule that selected it.
    pub purged_by: Option<String>,
    /// Until when its purge can be undone; `None` when it was not purged, or is gone for good.
    #[serde(default)]
    pub final_at: Option<Timestamp>,
    /// True when its source was hashed and not stored: only facts are known of it.
    #[serde(default)]
    pub facts_only: bool,
    /// The parts of its content that went before the rest, in the order in which they went.
    #[serde(default)]
    pub purged_parts: Vec<PurgedPart>,
    /// The newest event that states what became of its source file, if a host recorded one.
    #[serde(default)]
    pub cleared: Option<EventSeq>,
    /// Its labels, sorted.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What was added to it later, oldest first.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// Which fields of a [`Unit`] a person or host stated, as opposed to a converter detecting them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitGiven(u8);

impl UnitGiven {
    /// Returns the fields that are present in `unit`.
    pub fn of(unit: &Unit) -> Self {
        let present = [&unit.serial, &unit.part, &unit.station, &unit.process];
        Self(
            present
                .iter()
                .enumerate()
                .map(|(bit, field)| u8::from(field.is_some()) << bit)
                .sum(),
        )
    }

    /// Returns the fields that either of the two has.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the given fields except for the one at place `nth`: serial, part, station, process.
    pub(crate) fn without(self, nth: u8) -> Self {
        Self(self.0 & !(1 << nth))
    }

    /// Copies the fields of `detected` into `unit`, except for the given fields.
    pub fn merge(self, unit: &mut Unit, detected: &Unit) {
        let pairs = [
            (&mut unit.serial, &detected.serial),
            (&mut unit.part, &detected.part),
            (&mut unit.station, &detected.station),
            (&mut unit.process, &detected.process),
        ];
        for (bit, (field, found)) in pairs.into_iter().enumerate() {
            if self.0 & (1 << bit) == 0 && found.is_some() {
                field.clone_from(found);
            }
        }
    }
}

impl Entry {
    /// Returns true when the result of its last attempt is suspicious.
    pub fn is_suspicious(&self) -> bool {
        let last = self.attempts.last();
        last.is_some_and(|last| !last.suspicious.is_empty())
    }

    /// Returns the causes of the trouble with its last attempt: why it did not succeed, why its
    /// result is suspicious, and why a server refused a report of it. Empty when all is well.
    pub fn causes(&self) -> Vec<Cause> {
        let Some(last) = self.attempts.last() else {
            return Vec::new();
        };
        let refusals = last
            .reports
            .iter()
            .filter_map(|report| match &report.submission {
                Some(Submission::Rejected { status, text, .. }) => Some((*status, text.as_str())),
                _ => None,
            });
        Trouble {
            converter: &last.converter,
            status: last.status,
            error: last.error.as_deref(),
            serial: self.unit.serial.as_deref(),
            part: self.unit.part.as_deref(),
            source_name: &self.source_name,
        }
        .causes(last.suspicious.iter().map(String::as_str), refusals)
    }

    /// Returns whether one of its reports waits to be submitted.
    pub fn waits_for_submission(&self) -> bool {
        let mut reports = self.attempts.iter().flat_map(|attempt| &attempt.reports);
        reports.any(|report| matches!(report.submission, Some(Submission::Waiting { .. })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_at_archiving_stands_against_what_a_converter_detects() {
        let mut unit = Unit {
            serial: Some("SN1".into()),
            ..Unit::default()
        };
        let given = UnitGiven::of(&unit);
        let detected = Unit {
            serial: Some("wrong".into()),
            part: Some("P7".into()),
            ..Unit::default()
        };
        given.merge(&mut unit, &detected);
        assert_eq!(unit.serial.as_deref(), Some("SN1"));
        assert_eq!(unit.part.as_deref(), Some("P7"));
    }

    #[test]
    fn retention_adds_calendar_years_after_the_days() {
        let archived: Timestamp = "2024-02-28T12:00:00+00:00".parse().expect("valid");
        let kept: Retention = "1d1y".parse().expect("valid");
        let expires = kept.expires_at(archived).expect("not for ever");
        assert_eq!(expires.to_string(), "2025-02-28T12:00:00.000000+00:00");
        assert_eq!(Retention::Forever.expires_at(archived), None);
        // With a clock near the last possible date, no entry must expire too early.
        assert_eq!(kept.expires_at(Timestamp::MAX), None);
        let first = Retention::days(1).expires_at(Timestamp::MIN);
        assert_eq!(first, Some(Timestamp::MIN.plus_days(1)));
    }

    #[test]
    fn retention_survives_being_written_and_read() {
        for text in ["forever", "90d", "10y", "90d1y"] {
            let kept: Retention = text.parse().expect(text);
            assert_eq!(kept.to_string(), text);
        }
        for wrong in ["", "d", "y", "0d", "90", "90 days", "1y90d", "-1d"] {
            assert!(wrong.parse::<Retention>().is_err(), "{wrong}");
        }
    }
}
