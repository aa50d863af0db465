//! The verdict on a run of a converter, by its comparison with the run before.

use serde::Serialize;

use super::change::{Change, Difference};
use super::reports::compare_reports;
use super::rules::CompareRules;
use crate::convert::protocol::Json;
use crate::entry::{Outcome, Unit};

/// How a run of a converter compares with the run before it, for one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// Outcome and reports are equal.
    Unchanged,
    /// The outcome is another one (but no success), or the reports differ.
    Changed,
    /// The converter succeeds now and did not before.
    Fixed,
    /// The converter succeeded before and does not now.
    Broken,
}

impl Verdict {
    /// Judges a run by the outcomes of both runs, and by whether their reports differ.
    pub fn of(before: Outcome, now: Outcome, reports_differ: bool) -> Self {
        match (before, now) {
            (Outcome::Success, Outcome::Success) if reports_differ => Self::Changed,
            (Outcome::Success, Outcome::Success) => Self::Unchanged,
            (_, Outcome::Success) => Self::Fixed,
            (Outcome::Success, _) => Self::Broken,
            (before, now) if before == now && !reports_differ => Self::Unchanged,
            _ => Self::Changed,
        }
    }

    /// Returns the word for it, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Fixed => "fixed",
            Self::Broken => "broken",
        }
    }
}

/// What is compared of a run.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// How it ended.
    pub outcome: Outcome,
    /// The reports that it made.
    pub reports: &'a [Vec<u8>],
    /// What is known of the unit with it; `None` leaves the unit out of the comparison.
    pub unit: Option<&'a Unit>,
}

/// A verdict with the differences that it is based on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The differences between the runs. Empty if their outcomes differ: reports of a failure say
    /// nothing about those of a success.
    pub difference: Difference,
}

impl Judgement {
    /// Returns the verdict on a run when the reports before it, or its own, cannot be read.
    pub(in crate::convert) fn unreadable(before: Outcome, now: Outcome, why: &str) -> Self {
        let why = Json::text(format!("unreadable: {why}"));
        let difference = Difference {
            changes: vec![Change::new("", Some(why), None)],
            ..Difference::default()
        };
        Self {
            verdict: Verdict::of(before, now, true),
            difference,
        }
    }
}

/// Judges a run by comparing it with the run before.
///
/// This is the one place that decides whether something changed: for jobs, `diff`, and programs
/// that decide whether a converter may be used.
pub fn judge(rules: &CompareRules, before: Run<'_>, now: Run<'_>) -> Judgement {
    let mut difference = Difference::default();
    if before.outcome == now.outcome {
        difference = compare_reports(rules, before.reports, now.reports);
    }
    if before.outcome == Outcome::Success
        && now.outcome == Outcome::Success
        && let (Some(old), Some(new)) = (before.unit, now.unit)
    {
        difference.changes.extend(compare_units(old, new));
    }
    Judgement {
        verdict: Verdict::of(before.outcome, now.outcome, !difference.is_empty()),
        difference,
    }
}

/// Returns the identifiers in which two units differ. They always count.
fn compare_units(old: &Unit, new: &Unit) -> Vec<Change> {
    let names = |unit: &Unit| {
        let Unit {
            serial,
            part,
            station,
            process,
        } = unit.clone();
        [serial, part, station, process]
    };
    let paths = ["serial", "part", "station", "process"];
    let sides = names(old).into_iter().zip(names(new));
    paths
        .into_iter()
        .zip(sides)
        .filter(|(_, (old, new))| old != new)
        .map(|(path, (old, new))| Change::new(path, old.map(Json::text), new.map(Json::text)))
        .collect()
}
