//! Selects the entries that a job runs over.

use crate::archive::Archive;
use crate::id::EntryId;
use crate::query::{Filter, Sort};
use crate::{Error, ErrorKind, Result};

/// The entries of a job, selected at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection {
    /// The filter in words; recorded with the job.
    pub description: String,
    /// The entries in the order they are processed.
    pub ids: Vec<EntryId>,
}

impl Selection {
    /// Returns a selection of these entries.
    pub fn of(description: String, ids: Vec<EntryId>) -> Self {
        Self { description, ids }
    }
}

/// Returns the entries that `filter` selects in one snapshot, oldest first.
pub fn select(archive: &Archive, filter: &Filter) -> Result<Selection> {
    let ids = archive.snapshot()?.ids(filter, Sort::default())?;
    let description = serde_json::to_string(filter).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the filter cannot be written down").caused_by(error)
    })?;
    Ok(Selection { description, ids })
}
