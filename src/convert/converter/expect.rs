//! What is expected of the results of a converter.

use std::fmt;
use std::str::FromStr;

use crate::entry::{ParseWordError, ReportPath};
use crate::setters::setters;

/// What is expected of the results of a converter. A result that is otherwise is suspicious.
///
/// The default compares each result with the attempt before and with other entries of the
/// converter, and expects nothing that these do not have.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Expect {
    /// Whether a serial number is expected.
    pub serial: Expected,
    /// Whether a part number is expected.
    pub part: Expected,
    /// Whether measured values are expected where others have them.
    pub values: bool,
    /// Where the steps of a report are. `None` takes the list with the most objects in a JSON
    /// report, and the most repeated element of an XML report.
    pub steps: Option<ReportPath>,
    /// Fewest steps of a result.
    pub steps_min: Option<u64>,
    /// The part of the steps of others that a result must have, from 0 to 1. 0 compares no steps.
    pub steps_of_siblings: f64,
    /// Fewest bytes of all reports. `None` expects 200 where nearly all others have as many.
    pub report_bytes_min: Option<u64>,
    /// What becomes of a suspicious result.
    pub on_suspicious: OnSuspicious,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            serial: Expected::Usual,
            part: Expected::Usual,
            values: true,
            steps: None,
            steps_min: None,
            steps_of_siblings: 0.5,
            report_bytes_min: None,
            on_suspicious: OnSuspicious::Warn,
        }
    }
}

setters! { Expect {
    /// Sets whether a serial number is expected.
    serial: [Expected];
    /// Sets whether a part number is expected.
    part: [Expected];
    /// Sets whether measured values are expected where others have them.
    values: [bool];
    /// Sets where the steps of a report are.
    steps: opt [ReportPath];
    /// Sets the fewest steps of a result.
    steps_min: opt [u64];
    /// Sets the part of the steps of others that a result must have.
    steps_of_siblings: [f64];
    /// Sets the fewest bytes of all reports.
    report_bytes_min: opt [u64];
    /// Sets what becomes of a suspicious result.
    on_suspicious: [OnSuspicious];
} }

/// Whether a fact about the unit is expected. Its text form is `true`, `false`, `always`, or a
/// place in the report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Expected {
    /// It is not expected.
    Never,
    /// It is expected where the attempt before, or nearly all other entries, have it.
    #[default]
    Usual,
    /// It is expected of every result, in the answer of the converter.
    Always,
    /// It is expected of every result, in the answer of the converter or here in its report.
    At(ReportPath),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.pad("false"),
            Self::Usual => f.pad("true"),
            Self::Always => f.pad("always"),
            Self::At(path) => path.fmt(f),
        }
    }
}

impl FromStr for Expected {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        match text {
            "false" => Ok(Self::Never),
            "true" => Ok(Self::Usual),
            "always" => Ok(Self::Always),
            path => path.parse().map(Self::At).map_err(|_| {
                ParseWordError::new(text, ["true", "false", "always", "a place such as /sn"])
            }),
        }
    }
}

/// What becomes of a suspicious result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnSuspicious {
    /// It is flagged and counts as a success. A host clears its source away only if the archive
    /// has it.
    #[default]
    Warn,
    /// It is flagged and counts as a success. A host keeps its source: in the error folder, or
    /// where it is.
    Keep,
    /// It counts as a failure. Its reports are kept and not submitted.
    Fail,
}

impl OnSuspicious {
    /// Returns the name used in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Keep => "keep",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for OnSuspicious {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for OnSuspicious {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let all = [Self::Warn, Self::Keep, Self::Fail];
        let named = all.into_iter().find(|known| known.name() == text);
        named.ok_or_else(|| ParseWordError::new(text, all.map(Self::name)))
    }
}
