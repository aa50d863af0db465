//! Takes personal values out of facts before they become leaves, and puts pseudonyms in place of
//! accounts. The writer does this, so no caller can forget it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::archive::state::inline_record::inline_record;
use crate::blob::compression::Compressors;
use crate::entry::Retention;
use crate::event::{Actor, ActorKind, ActorNamed, Body, Event, PersonalField};
use crate::format::disclosure::{self, DISCLOSURE_BYTES_MAX, Disclosure, SALT_BYTES};
use crate::id::{BlobId, EventSeq};
use crate::index::{PersonalFields, View};
use crate::query::Filter;
use crate::{Error, ErrorKind, Result};

/// Bytes of randomness in a pseudonym.
const PSEUDONYM_BYTES: usize = 8;

/// What the writer remembers of personal fields. It can be forgotten at any time.
#[derive(Default)]
pub(in crate::archive) struct Personal {
    /// The declaration that is in force, and its fields.
    declared: Option<(EventSeq, Arc<Declared>)>,
    /// Pseudonyms by the account, as of the newest erasure.
    pseudonyms: (EventSeq, HashMap<String, String>),
}

/// An event that is about to be staged.
pub(in crate::archive) struct Prepared {
    /// As its leaf states it.
    pub(in crate::archive) event: Event,
    /// The fact with its personal values, if it has any.
    pub(in crate::archive) revealed: Option<Body>,
    pub(in crate::archive) records: Vec<(BlobId, Vec<u8>)>,
    pub(in crate::archive) retention: Retention,
    pub(in crate::archive) level: u8,
}

/// The fields that are personal.
pub(in crate::archive) struct Declared {
    fields: Vec<PersonalField>,
    hides_actors: bool,
}

impl Personal {
    /// Returns the fields that are personal in a fact: those of the declaration `newest`, and those
    /// that the fact itself declares.
    pub(in crate::archive) fn declared(
        &mut self,
        newest: EventSeq,
        fields: &PersonalFields,
        body: &Body,
    ) -> Result<Option<Arc<Declared>>> {
        if let Body::PrivacyDeclared(fact) = body {
            let known = fields.iter().map(|(name, _)| name);
            return Declared::new(known.chain(&fact.fields)).map(|made| Some(Arc::new(made)));
        }
        if let Some((at, declared)) = &self.declared
            && *at == newest
        {
            return Ok(Some(Arc::clone(declared)));
        }
        let declared = Arc::new(Declared::new(fields.iter().map(|(name, _)| name))?);
        self.declared = Some((newest, Arc::clone(&declared)));
        Ok(Some(declared))
    }

    /// Returns the pseudonym of an account, if it has one whose name was not erased.
    pub(in crate::archive) fn pseudonym(
        &mut self,
        actor: &Actor,
        view: &View,
    ) -> Result<Option<String>> {
        let (as_of, known) = &mut self.pseudonyms;
        if *as_of != view.newest_erased() {
            known.clear();
            *as_of = view.newest_erased();
        }
        if let Some(pseudonym) = known.get(&actor.id) {
            return Ok(Some(pseudonym.clone()));
        }
        let of_account = view.actors()?.into_iter();
        let found = of_account
            .filter(|(_, row)| row.name.as_ref() == Some(&actor.id))
            .map(|(pseudonym, _)| pseudonym)
            .next();
        if let Some(pseudonym) = &found {
            known.insert(actor.id.clone(), pseudonym.clone());
        }
        Ok(found)
    }

    /// Makes a pseudonym for an account, and the fact that it stands for it.
    pub(in crate::archive) fn new_pseudonym(actor: &Actor) -> Result<(Actor, Body)> {
        let random = u64::from_be_bytes(random::<PSEUDONYM_BYTES>()?);
        let pseudonym = format!("a:{random:016x}");
        let fact = ActorNamed {
            actor: pseudonym.clone(),
            name: Some(actor.id.clone()),
        };
        Ok((Actor::new(actor.kind, pseudonym), Body::ActorNamed(fact)))
    }
}

impl Declared {
    fn new<'a>(names: impl Iterator<Item = &'a String>) -> Result<Self> {
        let mut fields = Vec::new();
        for name in names {
            let field: PersonalField = name.parse().map_err(|_| {
                Error::new(
                    ErrorKind::Refused,
                    format!("'{name}' is declared personal, and this version cannot hide it"),
                )
                .hint("use the version of annals that declared it")
            })?;
            fields.extend_from_slice(field.said_by());
            fields.push(field);
        }
        fields.sort_unstable();
        fields.dedup();
        let hides_actors = fields.contains(&PersonalField::Actor);
        // The name of an account is in one event only, and there it is hidden in any case.
        fields.retain(|field| *field != PersonalField::Actor);
        fields.push(PersonalField::Actor);
        Ok(Self {
            fields,
            hides_actors,
        })
    }

    /// Returns true when a pseudonym takes the place of the account in an event.
    pub(in crate::archive) fn hides(&self, actor: &Actor, body: &Body) -> bool {
        self.hides_actors && actor.kind != ActorKind::System && !matches!(body, Body::ActorNamed(_))
    }

    /// Masks the personal values in the selection of a job or a gate. Nothing needs them later, so
    /// they are not recorded at all.
    pub(in crate::archive) fn mask(&self, body: &mut Body) {
        let selection = match body {
            Body::JobStarted(fact) => &mut fact.selection,
            Body::ConverterPromoted(fact) => match &mut fact.evidence {
                Some(evidence) => &mut evidence.selection,
                None => return,
            },
            _ => return,
        };
        if let Ok(filter) = serde_json::from_str::<Filter>(selection)
            && let Ok(masked) = serde_json::to_string(&filter.masked(&self.fields))
        {
            *selection = masked;
        }
    }

    /// Takes the personal values out of an event. Returns their disclosures as content.
    pub(in crate::archive) fn seal(
        &self,
        event: &mut Event,
        for_journal: &Compressors,
    ) -> Result<Vec<(BlobId, Vec<u8>)>> {
        let made = disclosure::seal(&mut event.body, &self.fields, random::<SALT_BYTES>)?;
        let mut records = Vec::with_capacity(made.len());
        for one in &made {
            let Disclosure { field, text } = one;
            if text.len() > DISCLOSURE_BYTES_MAX {
                let told = format!("the personal value {field} is too long to be recorded");
                return Err(Error::new(ErrorKind::Invalid, told));
            }
            let sealed = one.sealed();
            let (record, _) = inline_record(for_journal, sealed.content, text.as_bytes())?;
            records.push((sealed.content, record));
            event.sealed.push(sealed);
        }
        Ok(records)
    }
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        let told = format!("the system has no random numbers: {error}");
        Error::new(ErrorKind::Io, told)
    })?;
    Ok(bytes)
}
