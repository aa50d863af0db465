//! Counts reports and the differences in them.

use serde::Serialize;

use crate::id::EntryId;

/// Number of reports and differences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counted {
    /// Number of reports.
    pub reports: u64,
    /// Number of differences in them.
    pub changes: u64,
    #[serde(skip)]
    last: Option<EntryId>,
}

impl Counted {
    pub(super) fn count(&mut self, entry: EntryId) {
        self.changes += 1;
        if self.last != Some(entry) {
            self.last = Some(entry);
            self.reports += 1;
        }
    }
}
