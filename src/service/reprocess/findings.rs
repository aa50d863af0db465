//! What is collected from the steps of a job while it runs, and its result as an object.

use serde::Serialize;

use super::changes_object::ChangesObject;
use crate::convert::{ChangeSummary, ReprocessResult, Step, StepOutcome, Verdict};
use crate::id::EntryId;

/// What is collected from the steps of a job.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The differences, by place.
    pub changes: ChangeSummary,
    /// Entries that failed before and succeed now.
    pub fixed: Vec<EntryId>,
    /// Entries that succeeded before and fail now.
    pub broken: Vec<EntryId>,
    /// Entries with a suspicious result.
    pub suspicious: Vec<EntryId>,
}

impl Findings {
    /// Adds what came of one entry.
    pub fn add(&mut self, step: &Step) {
        let (StepOutcome::Ran { result, .. } | StepOutcome::Earlier(result)) = &step.outcome else {
            return;
        };
        if !result.suspicious.is_empty() {
            self.suspicious.push(step.entry);
        }
        self.changes.add(
            step.entry,
            &result.converter,
            result.verdict,
            &result.difference,
        );
        match result.verdict {
            Some(Verdict::Fixed) => self.fixed.push(step.entry),
            Some(Verdict::Broken) => self.broken.push(step.entry),
            Some(Verdict::Unchanged | Verdict::Changed) | None => {}
        }
    }

    /// Puts the ids in order. Steps end in any order.
    pub fn sort(&mut self) {
        self.fixed.sort_unstable();
        self.broken.sort_unstable();
        self.suspicious.sort_unstable();
    }
}

/// The result of a job, as JSON output shows it.
#[derive(Debug, Serialize)]
pub struct OutcomeObject<'a> {
    #[serde(flatten)]
    result: &'a ReprocessResult,
    compare_only: bool,
    fixed_ids: &'a [EntryId],
    broken_ids: &'a [EntryId],
    suspicious_ids: &'a [EntryId],
    #[serde(flatten)]
    changes: ChangesObject,
}

impl<'a> OutcomeObject<'a> {
    /// Returns the object of a result.
    pub fn of(result: &'a ReprocessResult, findings: &'a Findings, compare_only: bool) -> Self {
        Self {
            result,
            compare_only,
            fixed_ids: &findings.fixed,
            broken_ids: &findings.broken,
            suspicious_ids: &findings.suspicious,
            changes: ChangesObject::of(&findings.changes),
        }
    }
}
