//! The parts of an entry's content that retention can take by themselves.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::complete::Complete;
use crate::id::AttemptNo;
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

/// Writes a part with all of its fields: `through` is null where it is about no attempt.
#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(crate) fn whole_part<S: Serializer>(part: &Part, to: S) -> Result<S::Ok, S::Error> {
    Complete::new(part, &["part", "through"]).serialize(to)
}

/// A part of an entry that is gone while the rest is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PurgedPart {
    /// Which part.
    #[serde(flatten, serialize_with = "whole_part")]
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
