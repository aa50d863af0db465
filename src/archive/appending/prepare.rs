//! Makes the event that a draft becomes, before it is staged.

use std::sync::Arc;

use crate::Result;
use crate::archive::appending::personal::{Declared, Personal, Prepared};
use crate::archive::appending::writer::{Group, Room, Writer};
use crate::archive::messages::Draft;
use crate::event::{Actor, Body, ClockReading, Event};
use crate::id::EventSeq;

impl Writer {
    /// Makes the event that a draft becomes, with its personal values taken out.
    pub(super) fn prepare(
        &mut self,
        draft: Draft,
        group: &mut Group,
        room: Room,
    ) -> Result<Prepared> {
        let mut actor = match &draft.actor {
            Some(actor) => Actor::clone(actor),
            None => self.parts.actor.clone(),
        };
        let declared = self.declared(&draft.body, group)?;
        if let Some(declared) = &declared
            && declared.hides(&actor, &draft.body)
        {
            actor = self.pseudonym(actor, group, room)?;
        }
        let clock = &self.parts.clock;
        let mut prepared = Prepared {
            event: Event {
                seq: self.appender.next_seq(),
                time: clock.now(),
                actor,
                clock: ClockReading {
                    boot: clock.boot().to_owned(),
                    mono_ms: clock.monotonic_ms(),
                },
                body: draft.body,
                sealed: Vec::new(),
            },
            revealed: None,
            records: draft.records,
            retention: draft.retention,
            level: draft.level,
        };
        if let Some(declared) = declared {
            let event = &mut prepared.event;
            declared.mask(&mut event.body);
            let revealed = event.body.clone();
            let records = declared.seal(event, &self.parts.for_journal)?;
            if !records.is_empty() {
                prepared.records.extend(records);
                prepared.revealed = Some(revealed);
            }
        }
        Ok(prepared)
    }

    /// Returns which fields are personal; `None` when none are. The account of a pseudonym is
    /// hidden in any case: the first one is named before the declaration that it causes.
    fn declared(&mut self, body: &Body, group: &mut Group) -> Result<Option<Arc<Declared>>> {
        let (active, _) = group.state(&self.parts.published.index);
        let newest = active.newest_privacy();
        if newest == EventSeq(0) && !matches!(body, Body::PrivacyDeclared(_) | Body::ActorNamed(_))
        {
            return Ok(None);
        }
        let fields = group.view(&self.parts.published.index).personal_fields();
        self.personal.declared(newest, &fields, body)
    }

    /// Returns the pseudonym of an account, and records it if it is new.
    fn pseudonym(&mut self, actor: Actor, group: &mut Group, room: Room) -> Result<Actor> {
        let view = group.view(&self.parts.published.index);
        let known = self.personal.pseudonym(&actor, &view)?;
        drop(view);
        if let Some(id) = known {
            return Ok(Actor::new(actor.kind, id));
        }
        let (pseudonym, fact) = Personal::new_pseudonym(&actor)?;
        let mut draft = Draft::fact(fact);
        draft.actor = Some(Arc::new(pseudonym.clone()));
        self.stage_event(draft, group, room)?;
        Ok(pseudonym)
    }
}
