//! Folds what was added to an entry later.

use super::state::Fold;
use crate::event::{Annotated, Event};
use crate::index::error::IndexError;
use crate::index::rows::{self, EntryRow};

impl Fold<'_> {
    /// Adds a note to its entry, purged or not: the newer values answer queries from here on.
    pub(super) fn annotated(&mut self, event: &Event, body: &Annotated) -> Result<(), IndexError> {
        let Some(stored) = self.entry(body.entry)? else {
            return Ok(());
        };
        let mut row: EntryRow<'_> = rows::decode(&stored)?;
        row.annotate(event, body);
        self.top.put_entry(body.entry, &row);
        Ok(())
    }
}
