//! The differences between the reports of many entries as an object.

use serde::Serialize;

use crate::convert::{ChangePattern, ChangeSummary, IgnoredByRule, Json, Proposal};
use crate::id::EntryId;

/// One place that differs, as JSON output shows it.
#[derive(Debug, Clone, Serialize)]
pub struct PlaceObject {
    /// The general path; it is a pattern that selects the place.
    pub path: String,
    /// Number of entries whose reports differ there.
    pub entries: u64,
    /// Number of differences.
    pub changes: u64,
    /// One of the entries.
    pub example: Option<Example>,
    /// The ways in which the values differ, the most frequent first.
    pub patterns: Vec<ChangePattern>,
}

/// The values of one entry at a place.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// The entry.
    pub id: EntryId,
    /// The value before.
    pub old: Option<Json>,
    /// The value now.
    pub new: Option<Json>,
}

/// What differs in the reports of a job, as JSON output shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ChangesObject {
    /// The places, those that differ in most reports first.
    pub differences: Vec<PlaceObject>,
    /// Number of differences at places that are not listed.
    pub more_differences: u64,
    /// What rules leave out.
    pub ignored: Vec<IgnoredByRule>,
    /// Rules that would leave out what is generated in each run.
    pub proposal: Option<Proposal>,
}

impl ChangesObject {
    /// Returns the object of a summary.
    pub fn of(summary: &ChangeSummary) -> Self {
        let places = summary.places().into_iter();
        let places = places.map(|place| PlaceObject {
            entries: place.counted.reports,
            changes: place.counted.changes,
            example: place.patterns.first().map(|first| Example {
                id: first.example,
                old: first.old.clone(),
                new: first.new.clone(),
            }),
            path: place.path,
            patterns: place.patterns,
        });
        Self {
            differences: places.collect(),
            more_differences: summary.beyond(),
            ignored: summary.ignored(),
            proposal: summary.proposal(),
        }
    }
}
