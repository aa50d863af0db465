//! Differences as values.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::names::name_around;
use super::walk::Finding;
use crate::convert::protocol::Json;

/// Maximum number of differences of each kind that are listed. Further ones are only counted.
const LISTED_MAX: usize = 10_000;

/// One difference between two reports. A side is `None` where that report has nothing at `path`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// Where the difference is: a JSON Pointer, a path of elements and `@attributes` in XML,
    /// `line 12` of a text, or `serial`, `part`, `station` or `process` of the unit.
    ///
    /// A path begins with `/reports/1` for the second of several reports. `/a#2` is the second of
    /// several members that are all called `a`, `/a[2]` that of several elements.
    pub path: String,
    /// The value in the old report.
    pub old: Option<Json>,
    /// The value in the new report.
    pub new: Option<Json>,
    /// The name of the innermost object around it that has one, such as that of a test step.
    pub within: Option<String>,
    /// The rule by which it does not count, if one says so.
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

/// Serializes all fields, and as `kind` whether the value was added, removed or changed: a side
/// that is not there is null, and so is a value that is null.
impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_struct("Change", 6)?;
        all.serialize_field("path", &self.path)?;
        let kind = match (&self.old, &self.new) {
            (None, Some(_)) => "added",
            (Some(_), None) => "removed",
            _ => "changed",
        };
        all.serialize_field("kind", kind)?;
        all.serialize_field("old", &self.old)?;
        all.serialize_field("new", &self.new)?;
        all.serialize_field("within", &self.within)?;
        all.serialize_field("rule", &self.rule)?;
        all.end()
    }
}

/// All differences between two reports.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
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
