//! Archives the files that were found, and passes over those that are known.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::found::{Found, Outcome, is_stdin};
use crate::archive::{Archive, Archived, Keep, NewEntry};
use crate::cli::caller::{CallerEnv, Stdin};
use crate::entry::Entry;
use crate::service::content::content_of;
use crate::{Error, ErrorKind, Result};

/// What is done about a file that was archived before from the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It gets another entry.
    Archive,
    /// It is passed over.
    Skip,
}

/// What each writer thread works with.
pub(super) struct Writer<'a> {
    pub(super) archive: &'a Archive,
    pub(super) template: &'a NewEntry,
    pub(super) from: &'a CallerEnv,
    pub(super) again: Again,
    pub(super) stopped: &'a AtomicBool,
}

impl Writer<'_> {
    /// Archives the found files until there are no more, or the store can no longer be written.
    pub(super) fn write(
        &self,
        mut stdin: Stdin,
        found: &Receiver<Found>,
        to_report: &Sender<Outcome>,
    ) {
        for Found { path, key } in found {
            if self.stopped.load(Ordering::Relaxed) {
                continue;
            }
            let outcome = self.one(path, key, &mut stdin).unwrap_or_else(|error| {
                if ends_everything(error.kind()) {
                    self.stopped.store(true, Ordering::Relaxed);
                }
                Outcome::Failed(error)
            });
            if to_report.send(outcome).is_err() {
                return;
            }
        }
    }

    fn one(&self, path: PathBuf, key: Option<String>, stdin: &mut Stdin) -> Result<Outcome> {
        let new = NewEntry {
            key: key.map(Into::into),
            ..self.template.clone()
        };
        if is_stdin(&path) {
            let archived = self.archive.put(new, stdin)?;
            return Ok(Outcome::Stored(path, archived));
        }
        let full = self.from.path(&path);
        if self.again == Again::Skip
            && let Some(known) = self.known(&full)?
        {
            return Ok(Outcome::Known(path, known));
        }
        let archived = self.archive.put_file(&full, new)?;
        Ok(Outcome::Stored(path, archived))
    }

    /// Returns the entry of this content from this path for this converter. Its content must be in
    /// the store still.
    fn known(&self, full: &Path) -> Result<Option<Archived>> {
        let failed = |error| Error::io("read", full, error);
        // A pipe or device is refused when it is archived.
        if !fs::metadata(full).map_err(failed)?.is_file() {
            return Ok(None);
        }
        let content = content_of(full).map_err(failed)?;
        let path = full.to_string_lossy();
        let named = &self.template.source.name;
        let found = self.archive.snapshot()?.with_source(&content)?;
        let is_it = |entry: &&Entry| {
            entry.converter == self.template.converter
                && entry.source_path == path
                && (named.is_empty() || entry.source_name == *named)
                && entry.purged_at.is_none()
                && entry.source_purge().is_none()
                && (!entry.facts_only || self.template.keep == Keep::FactsOnly)
        };
        Ok(found.iter().find(is_it).map(Archived::before))
    }
}

/// Returns true for an error of the store, which every further file would meet too.
fn ends_everything(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Poisoned | ErrorKind::Full | ErrorKind::ReadOnly | ErrorKind::Locked
    )
}
