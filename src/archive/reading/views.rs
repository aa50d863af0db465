//! The views that are saved in a store.

use serde::Serialize;

use crate::Result;
use crate::archive::reading::snapshot::Snapshot;
use crate::id::EventSeq;
use crate::index::ViewRow;
use crate::time::Timestamp;

/// A filter, an order and columns under a name that all who use the store share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SavedView {
    /// Its name.
    pub name: String,
    /// What it shows: the query of a page's address, with the names of the command line's filters.
    pub query: String,
    /// The event that saved it last.
    pub event: EventSeq,
    /// When that was.
    pub at: Timestamp,
    /// The account that did, or its pseudonym.
    pub by: String,
}

impl SavedView {
    fn of(name: String, row: ViewRow) -> Self {
        Self {
            name,
            query: row.query,
            event: row.event,
            at: row.at,
            by: row.by,
        }
    }
}

impl Snapshot {
    /// Returns every saved view, by name.
    pub fn views(&self) -> Result<Vec<SavedView>> {
        let rows = self.view().saved_views()?.into_iter();
        Ok(rows.map(|(name, row)| SavedView::of(name, row)).collect())
    }

    /// Returns a saved view by its name.
    pub fn saved_view(&self, name: &str) -> Result<Option<SavedView>> {
        let row = self.view().saved_view(name)?;
        Ok(row.map(|row| SavedView::of(name.to_owned(), row)))
    }
}
