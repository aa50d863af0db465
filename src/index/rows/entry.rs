//! The row of an entry, with its attempts, reports and submissions.

use super::codec::{CONFIG, Raw};
use super::gone::GoneRow;
use super::note::NoteRow;
use super::report::{ReportRow, SubmissionRow};
use super::since::Since;
use crate::entry::{
    Attempt, Cause, Entry, Extent, Meta, Outcome, Retention, Status, Trouble, Unit, UnitGiven,
};
use crate::event::{Archived, Converted, PersonalField};
use crate::id::{AttemptNo, BlobId, ConverterId, EntryId, EventSeq, JobId, Sha256};
use crate::index::error::IndexError;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Returns the head of the entry that `bytes` hold.
pub(in crate::index) fn decode_head(bytes: &[u8]) -> Result<EntryHead<'_>, IndexError> {
    let head = bincode::serde::borrow_decode_from_slice(bytes, CONFIG);
    head.map(|(head, _)| head).map_err(IndexError::Row)
}

pub(super) type Pairs<'a> = Vec<(&'a str, &'a str)>;

fn pairs(meta: &Meta) -> Pairs<'_> {
    let text = |(name, value)| (String::as_str(name), String::as_str(value));
    meta.iter().map(text).collect()
}

fn meta(pairs: &Pairs<'_>) -> Meta {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// A value of an attempt that most attempts share with their entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Shared<T> {
    /// It is the entry's.
    Entrys,
    /// It is another one.
    Own(T),
}

impl<T: Copy + PartialEq> Shared<T> {
    fn new(value: T, entrys: T) -> Self {
        if value == entrys {
            Self::Entrys
        } else {
            Self::Own(value)
        }
    }

    fn value(self, entrys: T) -> T {
        match self {
            Self::Entrys => entrys,
            Self::Own(value) => value,
        }
    }
}

/// The part of an entry that most filters and orders need. It comes first in the row, so that it
/// can be decoded alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::index) struct EntryHead<'a> {
    pub(in crate::index) status: Status,
    pub(in crate::index) archived_at: Timestamp,
    pub(in crate::index) size: u64,
    pub(in crate::index) purged_at: Option<Timestamp>,
    /// The event of its purge, and when the purge is final, while it can be undone.
    pub(in crate::index) pending: Option<(EventSeq, Timestamp)>,
    #[serde(borrow)]
    pub(in crate::index) converter: &'a str,
    #[serde(borrow)]
    pub(in crate::index) converter_version: Option<&'a str>,
    #[serde(borrow)]
    pub(in crate::index) source_name: &'a str,
    #[serde(borrow)]
    pub(in crate::index) serial: Option<&'a str>,
    #[serde(borrow)]
    pub(in crate::index) part: Option<&'a str>,
    #[serde(borrow)]
    pub(in crate::index) station: Option<&'a str>,
    #[serde(borrow)]
    pub(in crate::index) process: Option<&'a str>,
}

/// An [`Entry`] without its id and holds: the id is the key, and the holds have their own table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::index) struct EntryRow<'a> {
    #[serde(borrow)]
    pub(in crate::index) head: EntryHead<'a>,
    #[serde(borrow)]
    pub(in crate::index) blake3: Raw<'a>,
    #[serde(borrow)]
    pub(in crate::index) sha256: Raw<'a>,
    #[serde(borrow)]
    pub(in crate::index) meta: Pairs<'a>,
    #[serde(borrow)]
    pub(in crate::index) attempts: Vec<AttemptRow<'a>>,
    #[serde(borrow)]
    pub(in crate::index) purged_by: Option<&'a str>,
    stored_size: u64,
    #[serde(borrow)]
    report_id: Option<&'a str>,
    /// The source path. If it ends with the source's file name, that name is left out.
    #[serde(borrow)]
    source_dir: &'a str,
    in_source_dir: bool,
    #[serde(borrow)]
    source_name_hex: Option<&'a str>,
    pub(in crate::index) source_modified: Option<Timestamp>,
    pub(super) unit_given: UnitGiven,
    #[serde(borrow)]
    arguments: Pairs<'a>,
    retention: RetentionRow,
    #[serde(borrow)]
    key: Option<&'a str>,
    #[serde(borrow)]
    pub(in crate::index) notes: Vec<NoteRow<'a>>,
    /// The placements of holds whose filter it matched at a later event.
    pub(in crate::index) matched_holds: Vec<EventSeq>,
    /// True when its source was hashed and not stored.
    pub(in crate::index) facts_only: bool,
    #[serde(borrow)]
    pub(super) gone: Vec<GoneRow<'a>>,
    /// The newest event that its source file was cleared away by.
    pub(in crate::index) cleared: Option<EventSeq>,
}

impl EntryHead<'_> {
    /// Returns true when its content went for good.
    pub(in crate::index) fn is_gone(&self) -> bool {
        self.purged_at.is_some() && self.pending.is_none()
    }
}

/// The row form of an [`Attempt`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::index) struct AttemptRow<'a> {
    pub(in crate::index) attempt: AttemptNo,
    status: Outcome,
    at: Since,
    #[serde(borrow)]
    converter: Shared<&'a str>,
    #[serde(borrow)]
    converter_version: Shared<Option<&'a str>>,
    #[serde(borrow)]
    converter_id: Option<Raw<'a>>,
    #[serde(borrow)]
    arguments: Pairs<'a>,
    duration_ms: Option<u64>,
    #[serde(borrow)]
    pub(in crate::index) error: Option<&'a str>,
    #[serde(borrow)]
    warnings: Vec<&'a str>,
    #[serde(borrow)]
    sandbox: Vec<&'a str>,
    pub(in crate::index) job: Option<JobId>,
    #[serde(borrow)]
    pub(in crate::index) reports: Vec<ReportRow<'a>>,
    extent: Option<Extent>,
    #[serde(borrow)]
    pub(in crate::index) suspicious: Vec<&'a str>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum RetentionRow {
    Forever,
    Period(u16, u8),
}

impl<'a> EntryRow<'a> {
    /// Returns the row of an entry that was just archived.
    pub(in crate::index) fn archived(at: Timestamp, event: &'a Archived) -> Self {
        let dir = event.source.path.strip_suffix(event.source.name.as_str());
        Self {
            head: EntryHead {
                status: Status::Pending,
                archived_at: at,
                size: event.blob.size,
                purged_at: None,
                pending: None,
                converter: &event.converter,
                converter_version: event.converter_version.as_deref(),
                source_name: &event.source.name,
                serial: event.unit.serial.as_deref(),
                part: event.unit.part.as_deref(),
                station: event.unit.station.as_deref(),
                process: event.unit.process.as_deref(),
            },
            blake3: Raw(event.blob.blake3.as_bytes()),
            sha256: Raw(event.blob.sha256.as_bytes()),
            meta: pairs(&event.meta),
            attempts: Vec::new(),
            purged_by: None,
            stored_size: event.stored_size,
            report_id: None,
            source_dir: dir.unwrap_or(&event.source.path),
            in_source_dir: dir.is_some(),
            source_name_hex: event.source.name_hex.as_deref(),
            source_modified: event.source.modified,
            unit_given: UnitGiven::of(&event.unit),
            arguments: pairs(&event.arguments),
            retention: match event.retention {
                Retention::Forever => RetentionRow::Forever,
                Retention::Period { days, years } => RetentionRow::Period(days, years),
            },
            key: event.key.as_deref(),
            notes: Vec::new(),
            matched_holds: Vec::new(),
            facts_only: event.facts_only,
            gone: Vec::new(),
            cleared: None,
        }
    }

    /// Adds the attempt that event `seq` records. The caller merges what the attempt found out
    /// about the unit, see [`EntryRow::merged_unit`].
    pub(in crate::index) fn add_attempt(
        &mut self,
        seq: EventSeq,
        at: Timestamp,
        event: &'a Converted,
    ) {
        let submission = event
            .submit
            .as_deref()
            .map(|endpoint| SubmissionRow::Waiting {
                queued: seq,
                since: at,
                endpoint,
            });
        let submission = submission.filter(|_| self.head.purged_at.is_none());
        self.head.status = event.outcome.into();
        self.attempts.push(AttemptRow {
            attempt: event.attempt,
            status: event.outcome,
            at: Since::new(at, self.head.archived_at),
            converter: Shared::new(event.converter.as_str(), self.head.converter),
            converter_version: Shared::new(
                event.converter_version.as_deref(),
                self.head.converter_version,
            ),
            converter_id: event.converter_id.as_ref().map(|id| Raw(id.as_bytes())),
            arguments: pairs(&event.arguments),
            duration_ms: event.duration_ms,
            error: event.error.as_deref(),
            warnings: event.warnings.iter().map(String::as_str).collect(),
            sandbox: event.sandbox.iter().map(String::as_str).collect(),
            job: event.job,
            reports: event
                .reports
                .iter()
                .map(|blob| ReportRow::made(blob, submission))
                .collect(),
            extent: event.extent.clone(),
            suspicious: event.suspicious.iter().map(String::as_str).collect(),
        });
    }

    /// Returns the unit, merged with what an attempt detected.
    pub(in crate::index) fn merged_unit(&self, detected: &Unit) -> Unit {
        let mut unit = self.unit();
        self.unit_given.merge(&mut unit, detected);
        unit
    }

    /// Replaces all fields of the unit.
    pub(in crate::index) fn set_unit(&mut self, unit: &'a Unit) {
        self.head.serial = unit.serial.as_deref();
        self.head.part = unit.part.as_deref();
        self.head.station = unit.station.as_deref();
        self.head.process = unit.process.as_deref();
    }

    /// Returns one report of one attempt, with the name of the converter that made it.
    pub(in crate::index) fn report_mut(
        &mut self,
        attempt: AttemptNo,
        report: u32,
    ) -> Option<(&'a str, &mut ReportRow<'a>)> {
        let row = self
            .attempts
            .iter_mut()
            .find(|row| row.attempt == attempt)?;
        let converter = row.converter(&self.head);
        let report = row.reports.get_mut(usize::try_from(report).ok()?)?;
        Some((converter, report))
    }

    /// Records the submission of one report. Returns false when there is no such report.
    pub(in crate::index) fn submit(
        &mut self,
        at: Timestamp,
        attempt: AttemptNo,
        report: u32,
        report_id: &'a str,
    ) -> bool {
        let at = Since::new(at, self.head.archived_at);
        let Some((_, row)) = self.report_mut(attempt, report) else {
            return false;
        };
        row.report_id = Some(report_id);
        row.reported_at = Some(at);
        row.submission = None;
        let later = self
            .attempts
            .iter()
            .skip_while(|row| row.attempt != attempt);
        let mut later = later.skip(1);
        let submitted =
            |attempt: &AttemptRow<'_>| attempt.reports.iter().any(|row| row.report_id.is_some());
        if !later.any(submitted) {
            self.report_id = Some(report_id);
        }
        true
    }

    /// Removes the value of a personal field. Returns the idempotency key, if that is what goes.
    pub(in crate::index) fn forget(&mut self, field: &PersonalField) -> Option<&'a str> {
        self.forget_corrections(field);
        let (place, nth) = match field {
            PersonalField::Serial => (&mut self.head.serial, 0),
            PersonalField::Part => (&mut self.head.part, 1),
            PersonalField::Station => (&mut self.head.station, 2),
            PersonalField::Process => (&mut self.head.process, 3),
            PersonalField::SourcePath => {
                (self.source_dir, self.in_source_dir) = ("", self.head.source_name.is_empty());
                return None;
            }
            PersonalField::SourceName => {
                (self.head.source_name, self.source_name_hex) = ("", None);
                self.in_source_dir = true;
                return None;
            }
            PersonalField::Key => return self.key.take(),
            PersonalField::Meta(name) => {
                self.meta.retain(|(other, _)| other != name);
                return None;
            }
            PersonalField::Argument(name) => {
                self.arguments.retain(|(other, _)| other != name);
                for attempt in &mut self.attempts {
                    attempt.arguments.retain(|(other, _)| other != name);
                }
                return None;
            }
            PersonalField::Error => {
                self.attempts.iter_mut().for_each(AttemptRow::forget_texts);
                return None;
            }
            PersonalField::Actor => return None,
        };
        *place = None;
        self.unit_given = self.unit_given.without(nth);
        None
    }

    /// Returns every report of every attempt.
    pub(in crate::index) fn reports(&self) -> impl Iterator<Item = &ReportRow<'a>> {
        self.attempts.iter().flat_map(|attempt| &attempt.reports)
    }

    /// Returns the name and identity of the converter that made the last success, where both are
    /// recorded.
    pub(in crate::index) fn maker(&self) -> Option<(&'a str, ConverterId)> {
        let mut attempts = self.attempts.iter().rev();
        let made = attempts.find(|attempt| attempt.status == Outcome::Success)?;
        let id = ConverterId::from_bytes(*made.converter_id?.0);
        Some((made.converter(&self.head), id))
    }

    /// Returns true when the last attempt is suspicious.
    pub(in crate::index) fn is_suspicious(&self) -> bool {
        let last = self.attempts.last();
        last.is_some_and(|last| !last.suspicious.is_empty())
    }

    /// Returns the causes of the trouble with the last attempt.
    pub(in crate::index) fn causes(&self) -> Vec<Cause> {
        let Some(last) = self.attempts.last() else {
            return Vec::new();
        };
        let refusals = last
            .reports
            .iter()
            .filter_map(|report| match report.submission {
                Some(SubmissionRow::Rejected { status, text, .. }) => Some((status, text)),
                _ => None,
            });
        let trouble = Trouble {
            converter: last.converter(&self.head),
            status: last.status,
            error: last.error,
            serial: self.head.serial,
            part: self.head.part,
            source_name: self.head.source_name,
        };
        trouble.causes(last.suspicious.iter().copied(), refusals)
    }

    /// Returns the attempts, oldest first, each with the newest later one whose reports take the
    /// place of its own.
    fn attempts(&self) -> Vec<Attempt> {
        let mut newer = None;
        let mut attempts: Vec<Attempt> = Vec::with_capacity(self.attempts.len());
        for row in self.attempts.iter().rev() {
            let mut attempt = row.attempt(&self.head);
            if !attempt.reports.is_empty() {
                attempt.superseded_by = newer;
                if attempt.status == Outcome::Success {
                    newer = newer.or(Some(attempt.attempt));
                }
            }
            attempts.push(attempt);
        }
        attempts.reverse();
        attempts
    }

    fn unit(&self) -> Unit {
        Unit {
            serial: self.head.serial.map(str::to_owned),
            part: self.head.part.map(str::to_owned),
            station: self.head.station.map(str::to_owned),
            process: self.head.process.map(str::to_owned),
        }
    }

    /// Returns the path that the source had.
    pub(in crate::index) fn source_path(&self) -> Cow<'_, str> {
        if self.in_source_dir {
            format!("{}{}", self.source_dir, self.head.source_name).into()
        } else {
            self.source_dir.into()
        }
    }

    /// Returns the complete entry: the row with its `id` and `holds`.
    pub(in crate::index) fn entry(&self, id: EntryId, holds: Vec<String>) -> Entry {
        Entry {
            id,
            converter: self.head.converter.to_owned(),
            converter_version: self.head.converter_version.map(str::to_owned),
            source_name: self.head.source_name.to_owned(),
            source_path: self.source_path().into_owned(),
            source_name_hex: self.source_name_hex.map(str::to_owned),
            source_modified: self.source_modified,
            archived_at: self.head.archived_at,
            status: self.head.status,
            size: self.head.size,
            stored_size: self.stored_size,
            blake3: BlobId::from_bytes(*self.blake3.0),
            sha256: Sha256::from_bytes(*self.sha256.0),
            unit: self.unit(),
            unit_given: self.unit_given,
            meta: meta(&self.meta),
            arguments: meta(&self.arguments),
            retention: match self.retention {
                RetentionRow::Forever => Retention::Forever,
                RetentionRow::Period(days, years) => Retention::Period { days, years },
            },
            key: self.key.map(str::to_owned),
            report_id: self.report_id.map(str::to_owned),
            attempts: self.attempts(),
            holds,
            purged_at: self.head.purged_at,
            purged_by: self.purged_by.map(str::to_owned),
            final_at: self.head.pending.map(|(_, at)| at),
            facts_only: self.facts_only,
            labels: self.labels().into_iter().map(str::to_owned).collect(),
            purged_parts: self.purged_parts(),
            cleared: self.cleared,
            notes: (self.notes.iter())
                .map(|note| note.note(self.head.archived_at))
                .collect(),
        }
    }
}

impl<'a> AttemptRow<'a> {
    /// Returns the converter of an attempt of the entry with this head.
    pub(in crate::index) fn converter(&self, head: &EntryHead<'a>) -> &'a str {
        self.converter.value(head.converter)
    }

    /// Removes what the converter said, and what servers answered.
    fn forget_texts(&mut self) {
        self.error = None;
        self.warnings.clear();
        for report in &mut self.reports {
            if let Some(SubmissionRow::Rejected { text, .. }) = &mut report.submission {
                *text = "";
            }
        }
    }

    fn attempt(&self, head: &EntryHead<'a>) -> Attempt {
        let version = self.converter_version.value(head.converter_version);
        Attempt {
            attempt: self.attempt,
            status: self.status,
            at: self.at.at(head.archived_at),
            converter: self.converter(head).to_owned(),
            converter_version: version.map(str::to_owned),
            converter_id: self.converter_id.map(|id| ConverterId::from_bytes(*id.0)),
            arguments: meta(&self.arguments),
            duration_ms: self.duration_ms,
            error: self.error.map(str::to_owned),
            warnings: self.warnings.iter().map(|&text| text.to_owned()).collect(),
            sandbox: self.sandbox.iter().map(|&text| text.to_owned()).collect(),
            job: self.job,
            reports: (self.reports.iter())
                .map(|report| report.report(head.archived_at))
                .collect(),
            suspicious: (self.suspicious.iter())
                .map(|&text| text.to_owned())
                .collect(),
            extent: self.extent.clone(),
            superseded_by: None,
        }
    }
}
