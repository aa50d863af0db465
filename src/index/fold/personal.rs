//! Folds what became of personal values: where their disclosures are, which fields are declared,
//! and what was erased.

use super::state::{Change, Fold};
use crate::event::{
    ActorNamed, Body, Erased, Event, PersonalField, PrivacyDeclared, Sealed, digest_text,
    entry_with_values,
};
use crate::id::{EntryId, EventSeq};
use crate::index::error::IndexError;
use crate::index::overlay::key_digest;
use crate::index::rows::{self, ActorRow, DisclosureRow, DisclosureState, EntryRow};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Fold<'_> {
    /// Returns the event without the personal values that were revealed in it, if its entry was
    /// purged before: a rebuilt index could not know them.
    pub(super) fn without_values_of_purged(
        &self,
        event: &Event,
    ) -> Result<Option<Event>, IndexError> {
        if event.sealed.is_empty() {
            return Ok(None);
        }
        let Some(entry) = entry_with_values(event.seq, &event.body) else {
            return Ok(None);
        };
        let Some(stored) = self.entry(entry)? else {
            return Ok(None);
        };
        if !rows::decode_head(&stored)?.is_gone() {
            return Ok(None);
        }
        let mut event = event.clone();
        for sealed in &event.sealed {
            if let Ok(field) = sealed.field.parse::<PersonalField>() {
                field.take(&mut event.body);
            }
        }
        Ok(Some(event))
    }

    /// Notes the disclosures that an event names. They are needed from here on.
    pub(super) fn sealed(&mut self, event: &Event) -> Result<(), IndexError> {
        if event.sealed.is_empty() {
            return Ok(());
        }
        let Some(entry) = entry_with_values(event.seq, &event.body) else {
            // Of an event of a later version, only this much is known: it needs them.
            if let Body::Unknown(_) = &event.body {
                for sealed in &event.sealed {
                    self.change_blob(sealed.content, None, Change::More)?;
                }
            }
            return Ok(());
        };
        let Some(stored) = self.entry(entry)? else {
            return Ok(());
        };
        let state = if rows::decode_head(&stored)?.is_gone() {
            DisclosureState::Purged(event.seq)
        } else {
            DisclosureState::Kept
        };
        let mut known = self.disclosures(entry)?.to_vec();
        for sealed in &event.sealed {
            known.push(row_of(sealed, event.seq, state));
            self.top.totals.sealed += 1;
            if state.is_kept() {
                self.change_blob(sealed.content, None, Change::More)?;
            }
        }
        self.top.put_disclosures(entry, known);
        Ok(())
    }

    pub(super) fn declared_personal(&mut self, seq: EventSeq, event: &PrivacyDeclared) {
        self.top.totals.newest_privacy = if event.fields.is_empty() { 0 } else { seq.0 };
        let before = match &self.top.small.personal {
            Some(before) => Arc::clone(before),
            None => self.below.personal_fields(),
        };
        let since = |field: &String| {
            let known = before.iter().find(|(name, _)| name == field);
            (field.clone(), known.map_or(seq, |(_, since)| *since))
        };
        self.top.small_mut().personal = Some(event.fields.iter().map(since).collect());
    }

    pub(super) fn named(&mut self, event: &Event, body: &ActorNamed) -> Result<(), IndexError> {
        let disclosure = event.sealed.first();
        let disclosure = disclosure.map(|sealed| row_of(sealed, event.seq, DisclosureState::Kept));
        if let Some(row) = &disclosure {
            self.top.totals.sealed += 1;
            self.change_blob(row.content, None, Change::More)?;
        }
        let row = ActorRow {
            name: body.name.clone(),
            disclosure,
        };
        self.top.small_mut().actors.insert(body.actor.clone(), row);
        Ok(())
    }

    /// Forgets the values whose disclosures an event erases.
    pub(super) fn erased(&mut self, seq: EventSeq, body: &Erased) -> Result<(), IndexError> {
        self.top.totals.newest_erased = seq.0;
        let digests: BTreeSet<&str> = body.digests.iter().map(String::as_str).collect();
        let is_named = |row: &DisclosureRow| {
            row.state.is_kept() && digests.contains(&*digest_text(&row.digest))
        };
        if let Some(pseudonym) = &body.actor
            && let Some(mut actor) = self.actor(pseudonym)?
            && let Some(row) = &mut actor.disclosure
            && is_named(row)
        {
            row.state = DisclosureState::Erased(seq);
            self.top.totals.erased += 1;
            self.change_blob(row.content, None, Change::Less)?;
            actor.name = None;
            self.top.small_mut().actors.insert(pseudonym.clone(), actor);
        }
        for id in self.possible(&body.entries)? {
            self.forget(id, DisclosureState::Erased(seq), is_named)?;
        }
        Ok(())
    }

    /// Forgets all personal values of an entry that event `seq` purges.
    pub(super) fn forget_purged(&mut self, id: EntryId, seq: EventSeq) -> Result<(), IndexError> {
        if self.top.totals.sealed > 0 {
            let gone = DisclosureState::Purged(seq);
            if self.forget(id, gone, |row| row.state.is_kept())? {
                self.top.totals.newest_erased = seq.0;
            }
        }
        Ok(())
    }

    /// Marks disclosures of an entry as gone, and removes what they said from its row. Returns
    /// false when none of them is marked.
    fn forget(
        &mut self,
        id: EntryId,
        gone: DisclosureState,
        goes: impl Fn(&DisclosureRow) -> bool,
    ) -> Result<bool, IndexError> {
        let mut known = self.disclosures(id)?.to_vec();
        let mut fields = BTreeSet::new();
        for row in known.iter_mut().filter(|row| goes(row)) {
            row.state = gone;
            if let DisclosureState::Erased(_) = gone {
                self.top.totals.erased += 1;
            }
            fields.insert(row.field.clone());
            self.change_blob(row.content, None, Change::Less)?;
        }
        if fields.is_empty() {
            return Ok(false);
        }
        self.top.put_disclosures(id, known);
        let Some(stored) = self.entry(id)? else {
            return Ok(true);
        };
        let mut row: EntryRow<'_> = rows::decode(&stored)?;
        for field in &fields {
            let Ok(field) = field.parse::<PersonalField>() else {
                continue;
            };
            if let Some(key) = row.forget(&field) {
                let digest = key_digest(key);
                if self.key_of(&digest)? == Some(id) {
                    self.top.remove_key(digest);
                }
            }
        }
        self.top.put_entry(id, &row);
        Ok(true)
    }

    fn disclosures(&self, id: EntryId) -> Result<Arc<[DisclosureRow]>, IndexError> {
        match self.top.disclosures.get(&id) {
            Some(rows) => Ok(Arc::clone(rows)),
            None => self.below.disclosures(id),
        }
    }

    fn actor(&self, pseudonym: &str) -> Result<Option<ActorRow>, IndexError> {
        match self.top.small.actors.get(pseudonym) {
            Some(row) => Ok(Some(row.clone())),
            None => self.below.actor(pseudonym),
        }
    }
}

fn row_of(sealed: &Sealed, event: EventSeq, state: DisclosureState) -> DisclosureRow {
    DisclosureRow {
        event,
        field: sealed.field.clone(),
        digest: sealed.digest,
        content: sealed.content,
        state,
    }
}
