//! How attempts end, and the status that an entry has after them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::word::ParseWordError;

/// The status of an entry: how its last attempt ended, or that there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// No attempt yet.
    Pending,
    /// The converter made a report.
    Success,
    /// The converter failed, or could not be run.
    Failed,
    /// The converter asked to be tried again later.
    Suspended,
    /// The converter found nothing to do.
    Skipped,
    /// The converter, or the server, refused the content.
    Rejected,
}

impl Status {
    /// Every status, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Success,
        Self::Failed,
        Self::Suspended,
        Self::Skipped,
        Self::Rejected,
    ];

    /// Returns the stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Suspended => "suspended",
            Self::Skipped => "skipped",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// A report was made.
    Success,
    /// It failed.
    Failed,
    /// It asked to be tried again later.
    Suspended,
    /// There was nothing to do.
    Skipped,
    /// The content was refused.
    Rejected,
}

impl From<Outcome> for Status {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Failed => Self::Failed,
            Outcome::Suspended => Self::Suspended,
            Outcome::Skipped => Self::Skipped,
            Outcome::Rejected => Self::Rejected,
        }
    }
}

impl Outcome {
    /// Returns the stable name.
    pub fn name(self) -> &'static str {
        Status::from(self).name()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Status::from(*self).fmt(f)
    }
}

impl FromStr for Status {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let folded = text.to_lowercase();
        Self::ALL
            .into_iter()
            .find(|status| status.name() == folded)
            .ok_or_else(|| ParseWordError::new(text, Self::ALL.map(Self::name)))
    }
}

impl FromStr for Outcome {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        match text.parse::<Status>() {
            Ok(Status::Success) => Ok(Self::Success),
            Ok(Status::Failed) => Ok(Self::Failed),
            Ok(Status::Suspended) => Ok(Self::Suspended),
            Ok(Status::Skipped) => Ok(Self::Skipped),
            Ok(Status::Rejected) => Ok(Self::Rejected),
            Ok(Status::Pending) | Err(_) => Err(ParseWordError::new(
                text,
                Status::ALL[1..].iter().map(|status| status.name()),
            )),
        }
    }
}
