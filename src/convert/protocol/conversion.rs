//! The request to a worker, and the result of one run of a converter.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::entry::{Extent, Meta, Outcome, ParseWordError, Unit};
use crate::id::EntryId;

/// Bytes of a converter's own words that are kept in an error.
pub(in crate::convert) const EXCERPT_BYTES_MAX: usize = 2000;

/// What happens to a watched file once its conversion is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PostAction {
    /// The file is removed.
    Delete,
    /// The file is moved to the done folder.
    Move,
    /// The file is replaced by a zip file in the done folder.
    Zip,
    /// The file stays where it is.
    Keep,
    /// The file is removed, because the archive holds it.
    Archive,
}

impl PostAction {
    /// Every action.
    pub const ALL: [Self; 5] = [
        Self::Delete,
        Self::Move,
        Self::Zip,
        Self::Keep,
        Self::Archive,
    ];

    /// Returns the name used in the configuration and the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Move => "move",
            Self::Zip => "zip",
            Self::Keep => "keep",
            Self::Archive => "archive",
        }
    }
}

impl fmt::Display for PostAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PostAction {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        Self::ALL
            .into_iter()
            .find(|action| action.name() == text)
            .ok_or_else(|| ParseWordError::new(text, Self::ALL.map(Self::name)))
    }
}

/// The result of one run of a converter. A run that could not be started is an error instead.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Conversion {
    /// How the run ended.
    pub outcome: Outcome,
    /// The reports, each in the bytes the converter wrote.
    pub reports: Vec<Vec<u8>>,
    /// Why the run did not succeed: a timeout, a signal, an exit code, output that is no answer, or
    /// the converter's own reason.
    pub error: Option<String>,
    /// Warnings, also of a run that succeeded.
    pub warnings: Vec<String>,
    /// What the converter found out about the tested unit.
    pub unit: Unit,
    /// How long the run took.
    pub duration: Duration,
    /// The delay after which the converter asks for a retry.
    pub retry_after: Option<Duration>,
    /// What the converter wants done with the source, instead of the configured action.
    pub post_action: Option<PostAction>,
    /// How much the reports hold; `None` until they were measured.
    pub extent: Option<Extent>,
    /// Why the result is suspicious although the converter says success, in words.
    pub suspicious: Vec<String>,
}

impl Conversion {
    pub(in crate::convert) fn failed(error: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Failed,
            reports: Vec::new(),
            error: Some(error.into()),
            warnings: Vec::new(),
            unit: Unit::default(),
            duration: Duration::ZERO,
            retry_after: None,
            post_action: None,
            extent: None,
            suspicious: Vec::new(),
        }
    }

    pub(super) fn bare(report: &str) -> Self {
        Self {
            outcome: Outcome::Success,
            reports: vec![report.as_bytes().to_vec()],
            error: None,
            ..Self::failed("")
        }
    }

    /// Rewrites all free text, in order to mask secrets. Reports stay as they are.
    pub(in crate::convert) fn map_text(mut self, change: impl Fn(&str) -> String) -> Self {
        self.error = self.error.as_deref().map(&change);
        for warning in &mut self.warnings {
            *warning = change(warning);
        }
        self
    }
}

/// The JSON line that a worker is given for one source.
#[derive(Serialize)]
pub(in crate::convert) struct WorkerRequest<'a> {
    pub(in crate::convert) id: u64,
    pub(in crate::convert) input: &'a str,
    pub(in crate::convert) name: &'a str,
    pub(in crate::convert) arguments: &'a Meta,
    pub(in crate::convert) entry: Option<EntryId>,
}

/// Returns the beginning of what a converter wrote, as text.
pub(in crate::convert) fn excerpt(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(EXCERPT_BYTES_MAX)];
    let text = String::from_utf8_lossy(cut);
    let dots = if cut.len() < bytes.len() {
        " [...]"
    } else {
        ""
    };
    format!("{}{dots}", text.trim())
}
