//! Differences as values.

use serde::Serialize;

use super::names::name_around;
use super::walk::Finding;
use crate::convert::protocol::Json;

/// Maximum number of differences of each kind that are listed. Further ones are only counted.
const LISTED_MAX: usize = 10_000;

/// One difference between two reports. A side is `None` where that report has nothing at `path`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// Where the difference is: a JSON Pointer, a path of elements and `@attributes` in XML,
    /// `line 12` of a text, or `serial`, `part`, `station` or `process` of the unit.
    ///
    /// A path begins with `/reports/1` for the second of several reports. `/a#2` is the second of
    /// several members that are all called `a`, `/a[2]` that of several elements.
    pub path: String,
    /// The value in the old report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Json>,
    /// The value in the new report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Json>,
    /// The name of the innermost object around it that has one, such as that of a test step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// The rule by which it does not count, if one says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl Change {
    /// Returns a difference that counts.
    pub fn new(path: impl Into<String>, old: Option<Json>, new: Option<Json>) -> Self {
        Self {
            path: path.into(),
            old,
            new,
            within: None,
            rule: None,
        }
    }

    pub(super) fn of(finding: &Finding<'_>) -> Self {
        Self {
            path: finding.path.text().to_owned(),
            old: finding.old.cloned(),
            new: finding.new.cloned(),
            within: name_around(finding),
            rule: finding.rule.clone(),
        }
    }
}

/// All differences between two reports.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Differences that count, 10,000 at most.
    pub changes: Vec<Change>,
    /// Differences that do not count, each with the rule that says so; 10,000 at most.
    pub ignored: Vec<Change>,
    /// Number of further differences that count.
    pub more_changes: u64,
    /// Number of further differences that do not count.
    pub more_ignored: u64,
}

impl Difference {
    /// Returns true when nothing that counts differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn add(&mut self, finding: &Finding<'_>) {
        let (list, more) = if finding.rule.is_some() {
            (&mut self.ignored, &mut self.more_ignored)
        } else {
            (&mut self.changes, &mut self.more_changes)
        };
        if list.len() < LISTED_MAX {
            list.push(Change::of(finding));
        } else {
            *more += 1;
        }
    }
}
