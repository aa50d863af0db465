//! The rows of notes, inside the row of their entry.

use super::entry::EntryRow;
use super::since::Since;
use crate::entry::{Correction, FactName, Note, UnitGiven};
use crate::event::{Annotated, Event, PersonalField};
use crate::id::EventSeq;
use crate::index::text::is_same_name;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The row form of a [`Note`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::index) struct NoteRow<'a> {
    event: EventSeq,
    at: Since,
    #[serde(borrow)]
    by: &'a str,
    #[serde(borrow)]
    pub(in crate::index) text: Option<&'a str>,
    #[serde(borrow)]
    labels: Vec<&'a str>,
    #[serde(borrow)]
    unlabels: Vec<&'a str>,
    #[serde(borrow)]
    changes: Vec<CorrectionRow<'a>>,
    #[serde(borrow)]
    reason: &'a str,
}

/// The row form of a [`Correction`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct CorrectionRow<'a> {
    #[serde(borrow)]
    fact: FactRow<'a>,
    #[serde(borrow)]
    old: Option<&'a str>,
    #[serde(borrow)]
    new: &'a str,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum FactRow<'a> {
    Serial,
    Part,
    Station,
    Process,
    #[serde(borrow)]
    Meta(&'a str),
}

impl<'a> EntryRow<'a> {
    /// Adds what an event says later about the entry, and replaces what it corrects.
    pub(in crate::index) fn annotate(&mut self, event: &'a Event, body: &'a Annotated) {
        let mut changes = Vec::new();
        let unit = &body.unit;
        let fields = [
            (FactRow::Serial, &mut self.head.serial, &unit.serial),
            (FactRow::Part, &mut self.head.part, &unit.part),
            (FactRow::Station, &mut self.head.station, &unit.station),
            (FactRow::Process, &mut self.head.process, &unit.process),
        ];
        for (fact, current, stated) in fields {
            let Some(new) = stated.as_deref() else {
                continue;
            };
            let old = current.replace(new);
            if old != Some(new) {
                changes.push(CorrectionRow { fact, old, new });
            }
        }
        self.unit_given = self.unit_given.or(UnitGiven::of(unit));
        for (name, new) in &body.meta {
            let (name, new) = (name.as_str(), new.as_str());
            let fact = FactRow::Meta(name);
            let known = self.meta.binary_search_by(|(known, _)| (*known).cmp(name));
            let old = match known {
                Ok(at) => Some(std::mem::replace(&mut self.meta[at].1, new)),
                Err(at) => {
                    self.meta.insert(at, (name, new));
                    None
                }
            };
            if old != Some(new) {
                changes.push(CorrectionRow { fact, old, new });
            }
        }
        self.notes.push(NoteRow {
            event: event.seq,
            at: Since::new(event.time, self.head.archived_at),
            by: &event.actor.id,
            text: body.text.as_deref(),
            labels: body.labels.iter().map(String::as_str).collect(),
            unlabels: body.unlabels.iter().map(String::as_str).collect(),
            changes,
            reason: &body.reason,
        });
    }

    /// Removes what notes said of a personal field, old values and new ones.
    pub(super) fn forget_corrections(&mut self, field: &PersonalField) {
        let says = |fact: FactRow<'_>| match (fact, field) {
            (FactRow::Serial, PersonalField::Serial)
            | (FactRow::Part, PersonalField::Part)
            | (FactRow::Station, PersonalField::Station)
            | (FactRow::Process, PersonalField::Process) => true,
            (FactRow::Meta(name), PersonalField::Meta(personal)) => name == personal,
            _ => false,
        };
        for note in &mut self.notes {
            note.changes.retain(|change| !says(change.fact));
        }
    }

    /// Returns the labels of the entry, sorted. A label that was added twice in other letter case
    /// is there once, as it was added first.
    pub(in crate::index) fn labels(&self) -> Vec<&'a str> {
        let mut labels: Vec<&'a str> = Vec::new();
        for note in &self.notes {
            let is_gone = |label: &str| note.unlabels.iter().any(|gone| is_same_name(label, gone));
            labels.retain(|label| !is_gone(label));
            for label in &note.labels {
                if !labels.iter().any(|known| is_same_name(known, label)) {
                    labels.push(label);
                }
            }
        }
        labels.sort_unstable();
        labels
    }

    /// Returns the serials that notes corrected.
    pub(in crate::index) fn former_serials(&self) -> impl Iterator<Item = &'a str> {
        let changes = self.notes.iter().flat_map(|note| &note.changes);
        changes.filter_map(|change| match change.fact {
            FactRow::Serial => change.old,
            _ => None,
        })
    }

    /// Returns the serials and parts that notes corrected.
    pub(in crate::index) fn former(&self) -> impl Iterator<Item = &'a str> {
        let changes = self.notes.iter().flat_map(|note| &note.changes);
        changes.filter_map(|change| match change.fact {
            FactRow::Serial | FactRow::Part => change.old,
            FactRow::Station | FactRow::Process | FactRow::Meta(_) => None,
        })
    }
}

impl NoteRow<'_> {
    pub(super) fn note(&self, archived: Timestamp) -> Note {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Note {
            event: self.event,
            at: self.at.at(archived),
            by: self.by.to_owned(),
            text: self.text.map(str::to_owned),
            labels: owned(&self.labels),
            unlabels: owned(&self.unlabels),
            changes: self.changes.iter().map(CorrectionRow::correction).collect(),
            reason: self.reason.to_owned(),
        }
    }
}

impl CorrectionRow<'_> {
    fn correction(&self) -> Correction {
        Correction {
            fact: match self.fact {
                FactRow::Serial => FactName::Serial,
                FactRow::Part => FactName::Part,
                FactRow::Station => FactName::Station,
                FactRow::Process => FactName::Process,
                FactRow::Meta(name) => FactName::Meta(name.to_owned()),
            },
            old: self.old.map(str::to_owned),
            new: self.new.to_owned(),
        }
    }
}
