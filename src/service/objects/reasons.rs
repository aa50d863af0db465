//! Why entries were not converted: each cause once, with its number of entries.

use std::collections::HashMap;

use crate::entry::{Cause, CauseKind};
use crate::id::EntryId;

/// Reasons by cause: those that differ only in numbers, paths and names are of one kind.
#[derive(Default)]
pub struct Kinds(HashMap<String, Kind>);

/// Reasons of one kind.
pub struct Kind {
    /// How many.
    pub entries: u64,
    /// The first entry with such a reason.
    pub example: EntryId,
    /// The reason itself while all are alike, else the cause.
    pub text: String,
}

impl Kinds {
    /// Adds the reason of an entry.
    pub fn add(&mut self, entry: EntryId, reason: &str) {
        let cause = Cause::of("", CauseKind::Failed, reason, &[]).text;
        match self.0.get_mut(&cause) {
            Some(kind) => {
                kind.entries += 1;
                if kind.text != reason {
                    kind.text = cause;
                }
            }
            None => {
                let kind = Kind {
                    entries: 1,
                    example: entry,
                    text: reason.to_owned(),
                };
                self.0.insert(cause, kind);
            }
        }
    }

    /// Returns the kinds, the most frequent first.
    pub fn most_frequent_first(self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self.0.into_values().collect();
        kinds.sort_by_key(|kind| (std::cmp::Reverse(kind.entries), kind.example));
        kinds
    }
}
