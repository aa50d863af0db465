//! Collects the entries of a job that got no attempt, with the reasons.
//!
//! The job's last event records them, because no other event mentions them.

use std::collections::BTreeMap;

use super::step::{Step, StepOutcome};
use crate::event::{EntryRanges, JobError};
use crate::id::EntryId;

/// Maximum number of different reasons.
const REASONS_MAX: usize = 1000;
/// Maximum bytes of one reason.
const REASON_BYTES_MAX: usize = 500;
/// Maximum bytes of all reasons in the job's last event, which may be 64 KiB long.
const EVENT_BYTES_MAX: usize = 32 << 10;

/// The entries of a job without an attempt, by reason.
#[derive(Debug, Default)]
pub(super) struct Untried {
    reasons: BTreeMap<String, Vec<EntryId>>,
    /// Number of entries whose reason came after the maximum number of reasons.
    beyond: u64,
}

impl Untried {
    /// Records why an entry has no attempt, if it has none.
    pub(super) fn note(&mut self, step: &Step) {
        let reason = match &step.outcome {
            StepOutcome::Skipped { reason }
            | StepOutcome::Error { reason }
            | StepOutcome::NotTried { reason } => reason,
            StepOutcome::Ran { .. } | StepOutcome::Earlier(_) => return,
        };
        let reason = reason[..reason.floor_char_boundary(REASON_BYTES_MAX)].to_owned();
        if self.reasons.len() >= REASONS_MAX && !self.reasons.contains_key(&reason) {
            self.beyond += 1;
            return;
        }
        self.reasons.entry(reason).or_default().push(step.entry);
    }

    /// Returns as many reasons as an event takes, the most frequent first, and how many entries are
    /// left out.
    pub(super) fn for_event(&self) -> (Vec<JobError>, u64) {
        let mut reasons: Vec<(&String, &Vec<EntryId>)> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, entries)| std::cmp::Reverse(entries.len()));
        let mut room = EVENT_BYTES_MAX;
        let mut left_out = self.beyond;
        let mut errors = Vec::new();
        for (reason, entries) in reasons {
            let mut entries = entries.clone();
            entries.sort_unstable();
            let all = entries.len() as u64;
            // Adjacent entries share a range. Entries that lie far apart may need too many ranges
            // to fit.
            while !entries.is_empty() {
                let error = JobError {
                    error: reason.clone(),
                    entries: EntryRanges::of(entries.iter().copied()),
                };
                let bytes = serde_json::to_vec(&error).map_or(usize::MAX, |text| text.len());
                if bytes <= room {
                    room -= bytes;
                    errors.push(error);
                    break;
                }
                entries.truncate(entries.len() / 2);
            }
            left_out += all - entries.len() as u64;
        }
        (errors, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(untried: &mut Untried, entry: u64, reason: &str) {
        untried.note(&Step {
            entry: EntryId(entry),
            done: 0,
            total: 0,
            outcome: StepOutcome::Error {
                reason: reason.to_owned(),
            },
        });
    }

    /// All entries of a job that were not tried for one reason must be listed, in little space.
    #[test]
    fn one_reason_for_all_entries_takes_one_range() {
        let mut untried = Untried::default();
        for entry in (1..=2000).rev() {
            noted(&mut untried, entry, "no such program: python9");
        }
        let (errors, left_out) = untried.for_event();
        assert_eq!((errors.len(), left_out), (1, 0));
        let told = serde_json::to_string(&errors[0]).expect("JSON");
        assert_eq!(
            told,
            r#"{"error":"no such program: python9","entries":[[1,2000]]}"#
        );
    }

    #[test]
    fn what_an_event_cannot_hold_is_counted() {
        let mut untried = Untried::default();
        for entry in 0..5000 {
            noted(&mut untried, entry * 2, "far apart");
            let reason = format!("{}{entry}", "ä".repeat(2000));
            noted(&mut untried, 100_000 + entry, &reason);
            noted(&mut untried, 200_000 + entry, &format!("\u{1}{entry}"));
        }
        let (errors, left_out) = untried.for_event();
        let listed: u64 = errors
            .iter()
            .map(|error| error.entries.iter().count() as u64)
            .sum();
        assert_eq!(listed + left_out, 15_000);
        let bytes = serde_json::to_vec(&errors).expect("JSON").len();
        assert!(
            bytes < EVENT_BYTES_MAX + 2000 && listed > 1000,
            "{bytes} {listed}"
        );
    }
}
