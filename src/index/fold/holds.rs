//! Folds holds: their lists, their review dates, and entries that come to match them later.

use super::state::Fold;
use crate::event::{Body, Event, HoldPlaced, HoldReviewed};
use crate::id::EntryId;
use crate::index::error::IndexError;
use crate::index::query::Matcher;
use crate::index::rows::{self, EntryRow, HoldRow};
use crate::index::view::in_force;
use crate::query::Filter;
use std::sync::Arc;

impl Fold<'_> {
    pub(super) fn held(&mut self, event: &Event, body: &HoldPlaced) -> Result<(), IndexError> {
        let before = self.hold(&body.name);
        let stated = match &body.future {
            Some(filter) => {
                let text = serde_json::to_string(filter);
                Some(text.map_err(|_| IndexError::Damaged("the filter of a hold"))?)
            }
            None => None,
        };
        let known = before.as_deref().and_then(|hold| hold.future.clone());
        if stated.is_some() && known.is_none() {
            self.top.totals.future_holds += 1;
        }
        let mut placements = before
            .as_deref()
            .map_or_else(Vec::new, |hold| hold.placements.clone());
        placements.push((event.seq, body.entries.clone()));
        let hold = HoldRow {
            reason: body.reason.clone(),
            placed_at: event.time,
            placements,
            review: body.review.or(before.and_then(|hold| hold.review)),
            future: stated.or(known),
        };
        let holds = &mut self.top.small_mut().holds;
        holds.insert(body.name.clone(), Some(Arc::new(hold)));
        Ok(())
    }

    pub(super) fn reviewed(&mut self, body: &HoldReviewed) {
        if let Some(hold) = self.hold(&body.name) {
            let hold = HoldRow {
                review: Some(body.review),
                ..HoldRow::clone(&hold)
            };
            let holds = &mut self.top.small_mut().holds;
            holds.insert(body.name.clone(), Some(Arc::new(hold)));
        }
    }

    pub(super) fn released(&mut self, name: &str) {
        if let Some(hold) = self.hold(name) {
            if hold.future.is_some() {
                let holds = &mut self.top.totals.future_holds;
                *holds = holds.saturating_sub(1);
            }
            self.top.small_mut().holds.insert(name.to_owned(), None);
        }
    }

    /// Puts the entry that an event is about under the holds whose filter it matches after the
    /// event. It stays there until a hold is released, whatever is corrected later.
    pub(super) fn match_holds(&mut self, event: &Event) -> Result<(), IndexError> {
        match changed_entry(event) {
            Some(id) => self.match_holds_of(id),
            None => Ok(()),
        }
    }

    /// Puts an entry under the holds whose filter it matches.
    pub(super) fn match_holds_of(&mut self, id: EntryId) -> Result<(), IndexError> {
        if self.top.totals.future_holds == 0 {
            return Ok(());
        }
        let Some(stored) = self.entry(id)? else {
            return Ok(());
        };
        let mut matched = Vec::new();
        for hold in in_force(self.below.holds(), &self.top.small.holds).values() {
            let (Some(future), Some(placed)) = (&hold.future, hold.placed_by()) else {
                continue;
            };
            let filter: Filter = serde_json::from_str(future)
                .map_err(|_| IndexError::Damaged("the filter of a hold"))?;
            if Matcher::new(&filter).matches(id, &stored)? {
                matched.push(placed);
            }
        }
        let mut row: EntryRow<'_> = rows::decode(&stored)?;
        matched.retain(|placed| !row.matched_holds.contains(placed));
        if !matched.is_empty() {
            row.matched_holds.append(&mut matched);
            self.top.put_entry(id, &row);
        }
        Ok(())
    }
}

/// Returns the entry that an event changes what is known of.
fn changed_entry(event: &Event) -> Option<EntryId> {
    match &event.body {
        Body::Archived(_) => Some(event.seq.into()),
        Body::Converted(fact) => Some(fact.entry),
        Body::Reported(fact) => Some(fact.entry),
        Body::Annotated(fact) => Some(fact.entry),
        _ => None,
    }
}
