//! The content of an entry that no purge took.

use super::{Attempt, Entry, Part, PurgedPart};
use crate::id::{AttemptNo, BlobId};

impl Entry {
    /// Returns the purge that took the source while the rest of the entry stayed.
    pub fn source_purge(&self) -> Option<&PurgedPart> {
        self.purged_parts
            .iter()
            .find(|gone| gone.part == Part::Source)
    }

    /// Returns the purge that took the reports of an attempt while the rest of the entry stayed.
    pub fn reports_purge(&self, attempt: AttemptNo) -> Option<&PurgedPart> {
        self.purged_parts.iter().find(|gone| {
            let through = gone.part.through();
            through.is_some_and(|through| attempt <= through)
        })
    }

    /// Returns whether the source's bytes are there.
    pub fn has_source(&self) -> bool {
        self.purged_at.is_none() && !self.facts_only && self.source_purge().is_none()
    }

    /// Returns the attempts whose reports no purge took.
    pub fn attempts_with_reports(&self) -> impl Iterator<Item = &Attempt> {
        let alive = self.purged_at.is_none();
        let left = move |attempt: &&Attempt| {
            alive && !attempt.reports.is_empty() && self.reports_purge(attempt.attempt).is_none()
        };
        self.attempts.iter().filter(left)
    }

    /// Returns the newest attempt whose reports a later success took the place of. Those of the
    /// attempts before it are superseded, too. `None` when none are.
    pub fn superseded_through(&self) -> Option<AttemptNo> {
        let mut newest_first = self.attempts.iter().rev();
        let superseded = newest_first.find(|attempt| attempt.superseded_by.is_some())?;
        Some(superseded.attempt)
    }

    /// Returns every content that the entry still needs, and its bytes. The source comes first.
    pub fn contents_left(&self) -> impl Iterator<Item = (BlobId, u64)> + '_ {
        let source = self.has_source().then_some((self.blake3, self.size));
        let reports = self
            .attempts_with_reports()
            .flat_map(|attempt| &attempt.reports);
        source
            .into_iter()
            .chain(reports.map(|report| (report.blake3, report.size)))
    }

    /// Returns every content that a purge of `part` takes, and its bytes, if it is still there.
    pub fn contents_of(&self, part: Part) -> impl Iterator<Item = (BlobId, u64)> + '_ {
        let with_source = matches!(part, Part::Entry | Part::Source);
        let source = (with_source && self.has_source()).then_some((self.blake3, self.size));
        let goes = move |attempt: &&Attempt| match part {
            Part::Entry => true,
            Part::Source => false,
            Part::Reports { through } | Part::Superseded { through } => attempt.attempt <= through,
        };
        let reports = self
            .attempts_with_reports()
            .filter(goes)
            .flat_map(|attempt| &attempt.reports);
        source
            .into_iter()
            .chain(reports.map(|report| (report.blake3, report.size)))
    }
}
