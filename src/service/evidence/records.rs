//! Pages of events about evidence, the newest first.
//!
//! The index knows which events they are, so that a page reads only its own, whatever lies between.
//! A filter that leaves events out reads more of them, but never more than [`LOOKED_AT_MAX`]; the
//! page then says how far it looked back.

use crate::archive::{Account, Archive, Leaf};
use crate::event::{Actor, Body, EvidenceList};
use crate::id::EventSeq;
use crate::query::Count;
use crate::service::desk::Desk;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The most events that are read for one page.
pub const LOOKED_AT_MAX: usize = 1_000;
/// The furthest that a list is counted.
const COUNTED_MAX: usize = 10_000;

/// Which records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records {
    /// Signed checkpoints.
    Checkpoints,
    /// Evidence bundles.
    Exports,
    /// Reviews of a range of the log.
    Reviews,
    /// Contents that were handed out, and refused sign-ins.
    Accesses,
    /// Checks of the store for damage.
    Verifications,
    /// Personal values that were erased.
    Erasures,
}

/// Which accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Door {
    /// All of them.
    #[default]
    Any,
    /// Contents handed out at the command line.
    CommandLine,
    /// Contents handed out through the page and the API.
    Web,
    /// Refused sign-ins.
    Refused,
}

impl Door {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::Any, Self::CommandLine, Self::Web, Self::Refused];

    /// Returns the name in an address.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::CommandLine => "command_line",
            Self::Web => "web",
            Self::Refused => "refused",
        }
    }

    /// Returns the choice of a name; empty is any.
    ///
    /// # Errors
    /// `Invalid` for another name.
    pub fn of_name(name: &str) -> Result<Self> {
        if name.is_empty() {
            return Ok(Self::Any);
        }
        let found = Self::ALL.into_iter().find(|door| door.name() == name);
        found.ok_or_else(|| {
            let told = format!("'{name}' is none of the doors");
            let names = Self::ALL.map(Self::name).join(", ");
            Error::new(ErrorKind::Invalid, told).hint(format!("they are {names}"))
        })
    }

    const fn lists(self) -> &'static [EvidenceList] {
        match self {
            Self::Any => &[
                EvidenceList::CommandLineAccesses,
                EvidenceList::WebAccesses,
                EvidenceList::RefusedSignIns,
            ],
            Self::CommandLine => &[EvidenceList::CommandLineAccesses],
            Self::Web => &[EvidenceList::WebAccesses],
            Self::Refused => &[EvidenceList::RefusedSignIns],
        }
    }
}

impl Records {
    const fn lists(self, door: Door) -> &'static [EvidenceList] {
        match self {
            Self::Checkpoints => &[EvidenceList::Checkpoints],
            Self::Exports => &[EvidenceList::Exports],
            Self::Reviews => &[EvidenceList::Reviews],
            Self::Verifications => &[EvidenceList::Verifications],
            Self::Erasures => &[EvidenceList::Erasures],
            Self::Accesses => door.lists(),
        }
    }
}

/// What is asked of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Only events older than this one.
    pub before: Option<EventSeq>,
    /// At most so many.
    pub limit: usize,
    /// Of accesses, at which door.
    pub door: Door,
    /// Only what this account caused: its name, or its pseudonym.
    pub account: Option<String>,
    /// Recorded at or after.
    pub from: Option<Timestamp>,
    /// Recorded before.
    pub to: Option<Timestamp>,
}

/// An event about evidence.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its number.
    pub event: EventSeq,
    /// When it was recorded, in the reader's zone; `None` when it cannot be read.
    pub time: Option<Timestamp>,
    /// Who caused it, by name where that is known.
    pub by: Option<Actor>,
    /// The pseudonym that the log has in place of the name.
    pub pseudonym: Option<String>,
    /// The fact; `None` when it cannot be read.
    pub fact: Option<Body>,
}

/// A page of a list.
#[derive(Debug)]
pub struct RecordPage {
    /// The events, the newest first.
    pub records: Vec<Record>,
    /// What to pass as `before` for the next page; `None` at the end.
    pub next: Option<EventSeq>,
    /// The oldest event that was looked at, where a filter left so many out that the page ends
    /// early.
    pub looked_back_to: Option<EventSeq>,
    /// How many events the list has without a filter, counted up to a limit.
    pub count: Count,
}

impl RecordPage {
    /// Reads a page.
    ///
    /// # Errors
    /// When the store cannot be read. An event that cannot be read is in the list as such.
    pub fn read(records: Records, asked: &Asked, desk: &Desk) -> Result<Self> {
        let archive = &desk.archive;
        let snapshot = archive.snapshot()?;
        let lists = records.lists(asked.door);
        let events = snapshot.evidence(lists, asked.before, LOOKED_AT_MAX + 1)?;
        let mut page = Self {
            records: Vec::new(),
            next: None,
            looked_back_to: None,
            count: snapshot.count_evidence(lists, COUNTED_MAX)?,
        };
        let mut last = None;
        for (nth, event) in events.into_iter().enumerate() {
            if page.records.len() >= asked.limit {
                page.next = last;
                break;
            }
            if nth >= LOOKED_AT_MAX {
                (page.next, page.looked_back_to) = (last, last);
                break;
            }
            let record = Record::read(event, archive, desk)?;
            if asked.has(&record) {
                page.records.push(record);
            }
            last = Some(event);
        }
        Ok(page)
    }
}

impl Asked {
    /// Returns true when the filters leave the record in. One that cannot be read is never left
    /// out: nobody knows what it says.
    fn has(&self, record: &Record) -> bool {
        let Some(time) = record.time else {
            return true;
        };
        let is_of = |account: &str| {
            let name = record.by.as_ref().is_some_and(|actor| actor.id == account);
            name || record.pseudonym.as_deref() == Some(account)
        };
        self.account.as_deref().is_none_or(is_of)
            && self.from.is_none_or(|from| time >= from)
            && self.to.is_none_or(|to| time < to)
    }
}

impl Record {
    /// Returns the newest event of a list.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn newest(records: Records, desk: &Desk) -> Result<Option<Self>> {
        let lists = records.lists(Door::Any);
        let newest = desk.archive.snapshot()?.evidence(lists, None, 1)?;
        let newest = newest.first();
        newest
            .map(|event| Self::read(*event, &desk.archive, desk))
            .transpose()
    }

    fn read(event: EventSeq, archive: &Archive, desk: &Desk) -> Result<Self> {
        let unreadable = Self {
            event,
            time: None,
            by: None,
            pseudonym: None,
            fact: None,
        };
        // Damage hides neither the event nor those around it.
        let leaf: Option<Leaf> = match archive.leaf(event) {
            Err(error) if error.kind() == ErrorKind::Damaged => None,
            read => read?,
        };
        let Some(revealed) = leaf.and_then(|leaf| archive.reveal(&leaf).ok()) else {
            return Ok(unreadable);
        };
        let mut by = revealed.event.actor;
        let mut pseudonym = None;
        if let Some(Account { name, .. }) = revealed.account {
            pseudonym = Some(by.id.clone());
            by.id = name.unwrap_or(by.id);
        }
        Ok(Self {
            event,
            time: Some(desk.zone.exact(revealed.event.time)),
            by: Some(by),
            pseudonym,
            fact: Some(revealed.event.body),
        })
    }
}
