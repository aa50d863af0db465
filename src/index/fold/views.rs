//! Folds saved views.

use super::state::Fold;
use crate::event::{Event, ViewSaved};
use crate::index::rows::ViewRow;

impl Fold<'_> {
    pub(super) fn view_saved(&mut self, event: &Event, body: &ViewSaved) {
        let row = ViewRow {
            query: body.query.clone(),
            event: event.seq,
            at: event.time,
            by: event.actor.id.clone(),
        };
        let views = &mut self.top.small_mut().views;
        views.insert(body.name.clone(), Some(row));
    }

    pub(super) fn view_dropped(&mut self, name: &str) {
        self.top.small_mut().views.insert(name.to_owned(), None);
    }
}
