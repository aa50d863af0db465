//! Puts personal values back into events for those who may see them, and tells what became of the
//! others.

use serde::{Serialize, Serializer};

use crate::Result;
use crate::archive::files::event_line::decode;
use crate::archive::handle::Archive;
use crate::archive::reading::read::Leaf;
use crate::complete::Complete;
use crate::event::{ActorKind, Body, Event, Sealed, digest_text, entry_with_values};
use crate::format::disclosure;
use crate::id::{EntryId, EventSeq};
use crate::index::{ActorRow, DisclosureRow, DisclosureState};

/// What became of a personal value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "by")]
#[non_exhaustive]
pub enum ValueState {
    /// The store has it.
    Kept,
    /// It was erased by this event.
    Erased(EventSeq),
    /// It went when its entry was purged, by this event.
    Purged(EventSeq),
    /// It is damage: the store should have it, and does not.
    Lost,
}

/// One personal value that a leaf has a digest of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PersonalValue {
    /// The field.
    pub field: String,
    /// The event whose leaf has the digest.
    pub event: EventSeq,
    /// The digest, as the leaf has it.
    pub digest: String,
    /// What became of the value.
    #[serde(flatten, serialize_with = "whole_state")]
    pub state: ValueState,
}

fn whole_state<S: Serializer>(state: &ValueState, to: S) -> Result<S::Ok, S::Error> {
    Complete::new(state, &["state", "by"]).serialize(to)
}

/// An event with the personal values that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revealed {
    /// The event, with these values in their places.
    pub event: Event,
    /// Every personal value that its leaf has a digest of.
    pub values: Vec<PersonalValue>,
    /// Whom the pseudonym in the event stands for, if it has one.
    pub account: Option<Account>,
}

impl Revealed {
    /// Returns the fact's own members with the personal values that are known, as a JSON object.
    pub fn data(&self) -> Option<serde_json::Value> {
        let data = self.event.body.data_json().ok()?;
        serde_json::from_str(&data).ok()
    }
}

/// An account behind a pseudonym.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Account {
    /// The pseudonym.
    pub pseudonym: String,
    /// The account's name, while it is known.
    pub name: Option<String>,
    /// The event that the pseudonym was made by.
    pub since: Option<EventSeq>,
    /// The event that erased the name.
    pub erased: Option<EventSeq>,
}

impl Archive {
    /// Decodes a leaf and puts the personal values that are known in their places. The leaf itself
    /// is what is hashed, and has none of them.
    pub fn reveal(&self, leaf: &Leaf) -> Result<Revealed> {
        let mut event = decode(leaf.seq, leaf.bytes())?;
        let rows = match &event.body {
            _ if event.sealed.is_empty() => Vec::new(),
            Body::ActorNamed(fact) => {
                let actor = self.store().index.view().actor(&fact.actor)?;
                actor
                    .and_then(|actor| actor.disclosure)
                    .into_iter()
                    .collect()
            }
            body => match entry_with_values(event.seq, body) {
                Some(entry) => self.disclosures(entry)?,
                None => Vec::new(),
            },
        };
        let mut values = Vec::with_capacity(event.sealed.len());
        for sealed in event.sealed.clone() {
            let row = rows.iter().find(|row| {
                row.event == event.seq
                    && row.content == sealed.content
                    && row.digest == sealed.digest
            });
            let disclosed = match row.map(|row| row.state) {
                Some(DisclosureState::Kept) | None => self.disclosure(&sealed)?,
                Some(_) => None,
            };
            let is_there =
                disclosed.is_some_and(|text| disclosure::reveal(&mut event, &sealed, &text));
            values.push(PersonalValue {
                event: event.seq,
                digest: digest_text(&sealed.digest),
                state: state(row.map(|row| row.state), is_there),
                field: sealed.field,
            });
        }
        let account = match event.actor.kind {
            ActorKind::System => None,
            _ => self.account(&event.actor.id)?,
        };
        Ok(Revealed {
            event,
            values,
            account,
        })
    }

    /// Returns every personal value that the leaves of an entry have digests of, the oldest first.
    pub fn personal_values(&self, id: EntryId) -> Result<Vec<PersonalValue>> {
        let mut values = Vec::new();
        for row in self.disclosures(id)? {
            let is_there = row.state.is_kept() && self.store().contents.is_stored(&row.content)?;
            values.push(PersonalValue {
                event: row.event,
                digest: digest_text(&row.digest),
                state: state(Some(row.state), is_there),
                field: row.field,
            });
        }
        Ok(values)
    }

    /// Returns the account that a pseudonym stands for; `None` for text that is no pseudonym of
    /// this store.
    pub fn account(&self, pseudonym: &str) -> Result<Option<Account>> {
        let row = self.store().index.view().actor(pseudonym)?;
        Ok(row.map(|row| account(pseudonym.to_owned(), row)))
    }

    /// Returns every pseudonym of the store.
    pub fn accounts(&self) -> Result<Vec<Account>> {
        let actors = self.store().index.view().actors()?;
        let accounts = actors.into_iter();
        Ok(accounts
            .map(|(pseudonym, row)| account(pseudonym, row))
            .collect())
    }

    /// Returns the exact bytes of a disclosure that the store has, to be handed out with its leaf.
    pub fn disclosure(&self, sealed: &Sealed) -> Result<Option<Vec<u8>>> {
        // Content that is named by nothing is on its way out.
        if !self.store().contents.is_live(&sealed.content)? {
            return Ok(None);
        }
        let plain = self.store().contents.plain(&sealed.content)?;
        Ok(plain.map(|plain| plain.bytes))
    }

    fn disclosures(&self, id: EntryId) -> Result<Vec<DisclosureRow>> {
        Ok(self.store().index.view().disclosures(id)?.to_vec())
    }
}

fn state(row: Option<DisclosureState>, is_there: bool) -> ValueState {
    match row {
        Some(DisclosureState::Erased(by)) => ValueState::Erased(by),
        Some(DisclosureState::Purged(by)) => ValueState::Purged(by),
        _ if is_there => ValueState::Kept,
        _ => ValueState::Lost,
    }
}

fn account(pseudonym: String, row: ActorRow) -> Account {
    let disclosure = row.disclosure.as_ref();
    Account {
        pseudonym,
        since: disclosure.map(|row| row.event),
        erased: disclosure.and_then(|row| match row.state {
            DisclosureState::Erased(by) | DisclosureState::Purged(by) => Some(by),
            DisclosureState::Kept => None,
        }),
        name: row.name,
    }
}
