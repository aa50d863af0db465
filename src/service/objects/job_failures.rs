//! The entries of a job that did not succeed, with the reasons.

use serde::Serialize;

use super::reasons::Kinds;
use crate::Error;
use crate::archive::Archive;
use crate::entry::Outcome;
use crate::event::JobFinished;
use crate::id::{AttemptNo, EntryId, JobId};
use crate::query::{Filter, Purged, Query};
use crate::service::entries::each_page;

/// Most failures of a job that are listed. Further ones are only counted.
const ERRORS_MAX: usize = 1000;

/// The entries of a job that did not succeed, and why.
#[derive(Debug, Default, Serialize)]
pub struct Failures {
    /// The entries, by number, as far as they are listed.
    pub errors: Vec<EntryFailure>,
    /// All failures by cause, the most frequent first.
    pub causes: Vec<CauseOfFailures>,
    /// Number of failures beyond the listed ones.
    pub more_errors: u64,
}

/// Failures that have one cause.
#[derive(Debug, Serialize)]
pub struct CauseOfFailures {
    /// How many.
    pub entries: u64,
    /// One of the entries.
    pub example: EntryId,
    /// The error, with `*` for each part that differs from entry to entry.
    pub text: String,
}

/// An entry that did not succeed.
#[derive(Debug, Serialize)]
pub struct EntryFailure {
    /// The entry.
    pub id: EntryId,
    /// The attempt that failed; `None` when the entry was not tried.
    attempt: Option<AttemptNo>,
    /// Why.
    pub error: String,
}

impl Failures {
    /// Collects them from the entries, and from what the end of the job records.
    pub fn of(archive: &Archive, id: JobId, finished: Option<&JobFinished>) -> Result<Self, Error> {
        let mut failures = Self::default();
        let mut causes = Kinds::default();
        for error in finished.iter().flat_map(|finished| &finished.errors) {
            for entry in error.entries.iter() {
                failures.add(entry, None, &error.error);
                causes.add(entry, &error.error);
            }
        }
        failures.more_errors += finished.map_or(0, |finished| finished.more_errors);
        let query = Query {
            filter: Filter {
                job: Some(id),
                purged: Purged::Include,
                ..Filter::default()
            },
            limit: None,
            ..Query::default()
        };
        each_page::<Error>(&archive.snapshot()?, query, |entries| {
            for entry in entries {
                for attempt in &entry.attempts {
                    if attempt.job == Some(id) && attempt.status != Outcome::Success {
                        let status = attempt.status.to_string();
                        let error = attempt.error.as_deref().unwrap_or(&status);
                        failures.add(entry.id, Some(attempt.attempt), error);
                        causes.add(entry.id, error);
                    }
                }
            }
            Ok(())
        })?;
        failures.errors.sort_by_key(|failure| failure.id);
        let causes = causes.most_frequent_first().into_iter();
        failures.causes = causes
            .map(|kind| CauseOfFailures {
                entries: kind.entries,
                example: kind.example,
                text: kind.text,
            })
            .collect();
        Ok(failures)
    }

    fn add(&mut self, id: EntryId, attempt: Option<AttemptNo>, error: &str) {
        if self.errors.len() >= ERRORS_MAX {
            self.more_errors += 1;
            return;
        }
        self.errors.push(EntryFailure {
            id,
            attempt,
            error: error.to_owned(),
        });
    }
}
