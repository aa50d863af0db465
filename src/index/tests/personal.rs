//! Personal values: an index that was live when they were erased equals one that never saw them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::live::*;
use crate::entry::{Meta, Outcome, Retention, Unit};
use crate::event::{
    Actor, ActorNamed, Annotated, Archived, BlobRef, Body, ClockReading, Converted, EntryRanges,
    Erased, Event, PersonalField, PrivacyDeclared, PurgedEntries, Sealed, Source, digest_text,
};
use crate::id::{AttemptNo, BlobId, EntryId, EventSeq, Sha256};
use crate::time::Timestamp;

/// One step. Entries are named by their place among those that are there.
#[derive(Debug, Clone)]
enum Step {
    /// Which fields have a value.
    Put(u16, u8),
    Convert(usize, u16, u8),
    Note(usize, u16, u8),
    Erase(usize, usize),
    Purge(usize),
    Name(u8),
    EraseName(usize),
    Freeze,
    Checkpoint,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<u16>(), 0_u8..4).prop_map(|(v, n)| Step::Put(v, n)),
        4 => (0_usize..9, any::<u16>(), 0_u8..4).prop_map(|(at, v, n)| Step::Convert(at, v, n)),
        3 => (0_usize..9, any::<u16>(), 0_u8..4).prop_map(|(at, v, n)| Step::Note(at, v, n)),
        3 => (0_usize..9, 0_usize..9).prop_map(|(at, field)| Step::Erase(at, field)),
        1 => (0_usize..9).prop_map(Step::Purge),
        1 => (0_u8..3).prop_map(Step::Name),
        1 => (0_usize..3).prop_map(Step::EraseName),
        1 => Just(Step::Freeze),
        1 => Just(Step::Checkpoint),
    ];
    prop::collection::vec(step, 1..40)
}

fn fields() -> Vec<PersonalField> {
    let names = [
        "source_path",
        "source_name",
        "key",
        "serial",
        "part",
        "station",
        "meta.operator",
        "arguments.user",
        "error",
    ];
    names.map(|name| name.parse().expect("a field")).to_vec()
}

/// The events, each with its personal values, and what was erased or purged by the end.
#[derive(Default)]
struct Story {
    /// Which fields are personal. What an entry has in the clear is never erased, so they are the
    /// same for all events.
    personal: u16,
    events: Vec<Event>,
    entries: Vec<EntryId>,
    pseudonyms: Vec<(String, Sha256)>,
    /// Of each entry: field, digest and whether it is there.
    kept: Vec<(EntryId, PersonalField, Sha256)>,
    gone: BTreeSet<Sha256>,
    /// Idempotency keys in use. The writer records none twice.
    keys: BTreeSet<String>,
}

impl Story {
    fn seq(&self) -> EventSeq {
        EventSeq(self.events.len() as u64 + 1)
    }

    /// Frees the idempotency keys that are gone.
    fn free_keys(&mut self) {
        let is_gone = |event: &Event| {
            let mut of_key = event.sealed.iter().filter(|sealed| sealed.field == "key");
            of_key
                .next()
                .is_some_and(|sealed| self.gone.contains(&sealed.digest))
        };
        let living = self.events.iter().filter(|event| !is_gone(event));
        self.keys = living
            .filter_map(|event| match &event.body {
                Body::Archived(fact) => fact.key.clone(),
                _ => None,
            })
            .collect();
    }

    fn record(&mut self, body: Body, personal: &[PersonalField], entry: Option<EntryId>) {
        let seq = self.seq();
        let mut sealed = Vec::new();
        for field in personal {
            // Taken out to learn whether it is there.
            if field.take(&mut body.clone()).is_some() {
                let disclosure = format!("{seq} {field}");
                let digest = Sha256::of(disclosure.as_bytes());
                let content = BlobId::of(disclosure.as_bytes());
                sealed.push(Sealed::new(field.to_string(), digest, content));
                let entry = entry.unwrap_or_else(|| seq.into());
                self.kept.push((entry, field.clone(), digest));
            }
        }
        self.events.push(Event {
            seq,
            time: Timestamp::from_micros(i64::try_from(seq.0).expect("few") * 1_000_000),
            actor: Actor::system(),
            clock: ClockReading::default(),
            body,
            sealed,
        });
    }

    fn step(&mut self, step: &Step) {
        self.free_keys();
        let chosen = |mask: u16| {
            let all = fields().into_iter().enumerate();
            let is_chosen = move |(at, _): &(usize, _)| mask & (1 << at) != 0;
            all.filter(is_chosen)
                .map(|(_, field)| field)
                .collect::<Vec<_>>()
        };
        match step {
            Step::Put(values, n) => {
                let id = self.seq().into();
                let value =
                    |at: u16, text: &str| (values & (1 << at) != 0).then(|| format!("{text}-{n}"));
                let source = Source::default()
                    .name(value(1, "name").unwrap_or_default())
                    .path(value(0, "/dir/name").unwrap_or_default());
                let body = Body::Archived(Archived {
                    converter: "ICT".into(),
                    converter_version: None,
                    source,
                    blob: BlobRef {
                        blake3: BlobId::of(&[*n]),
                        sha256: Sha256::of(&[*n]),
                        size: 1,
                    },
                    stored_size: 1,
                    duplicate: false,
                    unit: unit(&value),
                    meta: pair("operator", value(6, "kari")),
                    arguments: pair("user", value(7, "ola")),
                    retention: Retention::Forever,
                    key: value(2, "key").filter(|key| !self.keys.contains(key)),
                    facts_only: false,
                });
                let mut personal = chosen(self.personal);
                // As it is declared: a path would state the name, and both the key.
                let has = |field| personal.contains(&field);
                if has(PersonalField::SourceName) && !has(PersonalField::SourcePath) {
                    personal.push(PersonalField::SourcePath);
                }
                if !has_key(&personal) && personal.contains(&PersonalField::SourcePath) {
                    personal.push(PersonalField::Key);
                }
                self.record(body, &personal, None);
                self.entries.push(id);
            }
            Step::Note(at, values, n) => {
                let Some(entry) = self.entries.get(*at).copied() else {
                    return;
                };
                let value =
                    |at: u16, text: &str| (values & (1 << at) != 0).then(|| format!("{text}-{n}"));
                let body = Body::Annotated(Annotated {
                    entry,
                    text: value(0, "text"),
                    labels: value(1, "label").into_iter().collect(),
                    unlabels: value(2, "label").into_iter().collect(),
                    unit: unit(&value),
                    meta: pair("operator", value(6, "nora")),
                    reason: "checked".into(),
                });
                self.record(body, &chosen(self.personal), Some(entry));
            }
            Step::Convert(at, values, n) => {
                let Some(entry) = self.entries.get(*at).copied() else {
                    return;
                };
                let value =
                    |at: u16, text: &str| (values & (1 << at) != 0).then(|| format!("{text}-{n}"));
                let before = self.events.iter().filter(
                    |event| matches!(&event.body, Body::Converted(fact) if fact.entry == entry),
                );
                let attempt = u32::try_from(before.count()).expect("few") + 1;
                let body = Body::Converted(Converted {
                    entry,
                    attempt: AttemptNo(attempt),
                    outcome: Outcome::Failed,
                    converter: "ICT".into(),
                    converter_version: None,
                    converter_id: None,
                    arguments: pair("user", value(7, "mia")),
                    duration_ms: None,
                    error: value(8, "no file"),
                    warnings: value(8, "warning").into_iter().collect(),
                    sandbox: Vec::new(),
                    unit: unit(&value),
                    reports: Vec::new(),
                    submit: None,
                    job: None,
                    extent: None,
                    suspicious: Vec::new(),
                });
                self.record(body, &chosen(self.personal), Some(entry));
            }
            Step::Erase(at, field) => {
                let (Some(entry), Some(field)) =
                    (self.entries.get(*at), fields().get(*field).cloned())
                else {
                    return;
                };
                let also = field.said_by();
                let goes: Vec<Sha256> = self
                    .kept
                    .iter()
                    .filter(|(of, kept, digest)| {
                        of == entry
                            && (*kept == field || also.contains(kept))
                            && !self.gone.contains(digest)
                    })
                    .map(|(_, _, digest)| *digest)
                    .collect();
                let body = Body::Erased(Erased {
                    field: field.to_string(),
                    entries: EntryRanges::of([*entry]),
                    actor: None,
                    digests: goes.iter().map(digest_text).collect(),
                    reason: "asked for".into(),
                });
                self.gone.extend(goes);
                self.record(body, &[], None);
            }
            Step::Purge(at) => {
                let Some(entry) = self.entries.get(*at).copied() else {
                    return;
                };
                let of = self.kept.iter().filter(|(of, _, _)| *of == entry);
                self.gone.extend(of.map(|(_, _, digest)| *digest));
                self.record(
                    Body::PurgedEntries(PurgedEntries {
                        plan_id: "p".into(),
                        rule: "r".into(),
                        class: None,
                        bypassed: Vec::new(),
                        part: None,
                        through: None,
                        reason: "x".into(),
                        entries: EntryRanges::of([entry]),
                        count: 1,
                        bytes_logical: 1,
                        final_at: None,
                    }),
                    &[],
                    None,
                );
            }
            Step::Name(n) => {
                let actor = format!("a:{}", self.seq());
                let body = Body::ActorNamed(ActorNamed {
                    actor: actor.clone(),
                    name: Some(format!("account-{n}")),
                });
                self.record(body, &[PersonalField::Actor], Some(EntryId(0)));
                let (_, _, digest) = self.kept.pop().expect("just named");
                self.pseudonyms.push((actor, digest));
            }
            Step::EraseName(at) => {
                let Some((actor, digest)) = self.pseudonyms.get(*at).cloned() else {
                    return;
                };
                self.gone.insert(digest);
                self.record(
                    Body::Erased(Erased {
                        field: "actor".into(),
                        entries: EntryRanges::default(),
                        actor: Some(actor),
                        digests: vec![digest_text(&digest)],
                        reason: "left".into(),
                    }),
                    &[],
                    None,
                );
            }
            Step::Freeze | Step::Checkpoint => {}
        }
    }
}

fn has_key(fields: &[PersonalField]) -> bool {
    fields.contains(&PersonalField::Key)
}

fn pair(name: &str, value: Option<String>) -> Meta {
    value
        .map(|value| (name.to_owned(), value))
        .into_iter()
        .collect()
}

fn unit(value: &dyn Fn(u16, &str) -> Option<String>) -> Unit {
    Unit {
        serial: value(3, "SN"),
        part: value(4, "PN"),
        station: value(5, "ST"),
        ..Unit::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    /// What was purged while it was converted again, what was erased twice, and keys that are used
    /// anew: after all of it, the values that are gone have left no trace, wherever checkpoints
    /// fell.
    #[test]
    fn an_index_made_without_erased_values_is_the_live_one(
        personal in any::<u16>(), steps in steps(),
    ) {
        let mut story = Story { personal, ..Story::default() };
        let fields = fields().iter().map(ToString::to_string).collect();
        story.record(Body::PrivacyDeclared(PrivacyDeclared { fields, reason: None }), &[], None);
        let mut live = Live::new();
        let mut folded = 0;
        for step in &steps {
            story.step(step);
            for event in &story.events[folded..] {
                live.top.apply(event, &live.below).expect("sound");
            }
            folded = story.events.len();
            match step {
                Step::Freeze => live.freeze(),
                Step::Checkpoint => live.checkpoint(),
                _ => {}
            }
        }
        let mut rebuilt = Live::new();
        for event in &story.events {
            let mut event = event.clone();
            for sealed in &event.sealed {
                if story.gone.contains(&sealed.digest) {
                    let field: PersonalField = sealed.field.parse().expect("a field");
                    field.take(&mut event.body);
                }
            }
            rebuilt.top.apply(&event, &rebuilt.below).expect("sound");
        }
        prop_assert_eq!(dump(&live.view()), dump(&rebuilt.view()));
        live.checkpoint();
        rebuilt.checkpoint();
        prop_assert_eq!(live.below.raw(), rebuilt.below.raw());
    }
}
