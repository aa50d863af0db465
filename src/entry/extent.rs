//! How much the reports of an attempt hold, in numbers, and where steps are counted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::word::ParseWordError;

/// How much the reports of an attempt hold. It is recorded with the attempt, so that attempts can
/// be compared without reading their reports.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Extent {
    /// Bytes of all reports.
    pub bytes: u64,
    /// Number of steps in all reports; `None` where no report has anything to count.
    pub steps: Option<u64>,
    /// Number of numbers in the steps.
    pub values: u64,
    /// Number of places in the steps that hold nothing: `null`, an empty text, list or object, and
    /// not-a-number.
    pub empty: u64,
    /// True when the converter named the serial number.
    pub serial: bool,
    /// True when the converter named the part number.
    pub part: bool,
    /// The place of the steps, where it was stated. Numbers of steps that were counted in
    /// different places are not compared.
    pub counted_at: Option<String>,
}

/// A place in a JSON report: a JSON Pointer (RFC 6901), in which `*` stands for each item of a list
/// or each member of an object. Its text form begins with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPath {
    text: String,
    parts: Vec<PathPart>,
}

/// One part of a [`ReportPath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathPart {
    /// The member of this name, or the item at this place.
    Name(String),
    /// Each member or item.
    Each,
}

impl ReportPath {
    /// Returns its parts, the outermost first.
    #[cfg(feature = "host")]
    pub(crate) fn parts(&self) -> &[PathPart] {
        &self.parts
    }
}

impl fmt::Display for ReportPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for ReportPath {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let refused =
            || ParseWordError::new(text, ["a JSON Pointer such as /steps or /groups/*/steps"]);
        let rest = text.strip_prefix('/').ok_or_else(refused)?;
        let part = |part: &str| match part {
            "*" => PathPart::Each,
            name => PathPart::Name(name.replace("~1", "/").replace("~0", "~")),
        };
        Ok(Self {
            text: text.to_owned(),
            parts: rest.split('/').map(part).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_text_and_knows_its_parts() {
        let path: ReportPath = "/root/*/a~1b~0".parse().expect("valid");
        assert_eq!(path.to_string(), "/root/*/a~1b~0");
        let name = |name: &str| PathPart::Name(name.to_owned());
        assert_eq!(path.parts, [name("root"), PathPart::Each, name("a/b~")]);
        for wrong in ["", "steps", "*"] {
            assert!(wrong.parse::<ReportPath>().is_err(), "{wrong}");
        }
    }
}
