//! The parts of an entry's content that retention can take by themselves.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Attempt, Entry};
use crate::id::{AttemptNo, BlobId};
use crate::time::Timestamp;

/// What goes of an entry.
///
/// Reports that are made after the plan are never meant: `through` is the newest attempt whose
/// reports go.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(tag = "part", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// All that is left of it. Afterwards the entry counts as purged.
    #[default]
    Entry,
    /// Its source. The entry stays, with its reports, and cannot be converted again.
    Source,
    /// The reports of its attempts, up to this one.
    Reports {
        /// The newest attempt whose reports go.
        through: AttemptNo,
    },
    /// Reports that a later attempt replaced.
    Superseded {
        /// The newest attempt whose reports go.
        through: AttemptNo,
    },
}

impl Part {
    /// Returns the stable name of the kind of part.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Source => "source",
            Self::Reports { .. } => "reports",
            Self::Superseded { .. } => "superseded",
        }
    }

    /// Returns the newest attempt whose reports go.
    pub const fn through(self) -> Option<AttemptNo> {
        match self {
            Self::Entry | Self::Source => None,
            Self::Reports { through } | Self::Superseded { through } => Some(through),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry => f.write_str("entry"),
            Self::Source => f.write_str("source"),
            Self::Reports { through } => write!(f, "reports up to attempt {through}"),
            Self::Superseded { through } => {
                write!(f, "superseded reports up to attempt {through}")
            }
        }
    }
}

/// A part of an entry that is gone while the rest is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PurgedPart {
    /// Which part.
    #[serde(flatten)]
    pub part: Part,
    /// When it was purged.
    pub at: Timestamp,
    /// The rule that selected it.
    pub by: String,
}

impl PurgedPart {
    /// Returns the record that a part is gone.
    pub fn new(part: Part, at: Timestamp, by: impl Into<String>) -> Self {
        let by = by.into();
        Self { part, at, by }
    }
}

/// The content of an entry that no purge took.
impl Entry {
    /// Returns the purge that took the source while the rest of the entry stayed.
    pub fn source_purge(&self) -> Option<&PurgedPart> {
        self.purged_parts
            .iter()
            .find(|gone| gone.part == Part::Source)
    }

    /// Returns the purge that took the reports of an attempt while the rest of the entry stayed.
    pub fn reports_purge(&self, attempt: AttemptNo) -> Option<&PurgedPart> {
        self.purged_parts.iter().find(|gone| {
            let through = gone.part.through();
            through.is_some_and(|through| attempt <= through)
        })
    }

    /// Returns whether the source's bytes are there.
    pub fn has_source(&self) -> bool {
        self.purged_at.is_none() && !self.facts_only && self.source_purge().is_none()
    }

    /// Returns the attempts whose reports no purge took.
    pub fn attempts_with_reports(&self) -> impl Iterator<Item = &Attempt> {
        let alive = self.purged_at.is_none();
        let left = move |attempt: &&Attempt| {
            alive && !attempt.reports.is_empty() && self.reports_purge(attempt.attempt).is_none()
        };
        self.attempts.iter().filter(left)
    }

    /// Returns the newest attempt before the one that made the reports in force. The reports up to
    /// it are superseded. `None` when no report is.
    pub fn superseded_through(&self) -> Option<AttemptNo> {
        let mut made = self.attempts.iter().rev();
        let in_force = made.find(|attempt| !attempt.reports.is_empty())?;
        let before = made.find(|attempt| !attempt.reports.is_empty())?;
        debug_assert!(before.attempt < in_force.attempt, "attempts ascend");
        Some(before.attempt)
    }

    /// Returns every content that the entry still needs, and its bytes. The source comes first.
    pub fn contents_left(&self) -> impl Iterator<Item = (BlobId, u64)> + '_ {
        let source = self.has_source().then_some((self.blake3, self.size));
        let reports = self
            .attempts_with_reports()
            .flat_map(|attempt| &attempt.reports);
        source
            .into_iter()
            .chain(reports.map(|report| (report.blake3, report.size)))
    }

    /// Returns every content that a purge of `part` takes, and its bytes, if it is still there.
    pub fn contents_of(&self, part: Part) -> impl Iterator<Item = (BlobId, u64)> + '_ {
        let with_source = matches!(part, Part::Entry | Part::Source);
        let source = (with_source && self.has_source()).then_some((self.blake3, self.size));
        let goes = move |attempt: &&Attempt| match part {
            Part::Entry => true,
            Part::Source => false,
            Part::Reports { through } | Part::Superseded { through } => attempt.attempt <= through,
        };
        let reports = self
            .attempts_with_reports()
            .filter(goes)
            .flat_map(|attempt| &attempt.reports);
        source
            .into_iter()
            .chain(reports.map(|report| (report.blake3, report.size)))
    }
}
