//! Says of one entry which class of a policy has it, when its parts are due, and what keeps them.

use serde::{Serialize, Serializer};

use crate::archive::handle::Archive;
use crate::archive::purging::by_class::Classifier;
use crate::complete::Complete;
use crate::entry::{Entry, Part, PurgedPart};
use crate::event::LockMode;
use crate::id::EntryId;
use crate::retention::{Due, PartDue, Policy, due_parts};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// What a policy says of one entry. See [`Archive::explain_retention`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RetentionExplained {
    /// The entry.
    pub entry: EntryId,
    /// The first class that it matches; `None` when none does.
    pub class: Option<String>,
    /// The place of that class in the policy, from 1.
    pub place: Option<usize>,
    /// What the class, or the rules for entries without one, say in words.
    pub rules: Vec<String>,
    /// The parts that are there, with the times from which they may go by its class.
    pub parts: Vec<PartDue>,
    /// For an entry without a class: until when the retention that was recorded with it keeps it.
    pub recorded_until: Option<Timestamp>,
    /// What keeps the entry whatever the rules say.
    #[serde(serialize_with = "whole_kept_by")]
    pub kept_by: Vec<KeptBy>,
    /// The parts that went before.
    pub purged_parts: Vec<PurgedPart>,
    /// When the entry itself went.
    pub purged_at: Option<Timestamp>,
}

fn whole_kept_by<S: Serializer>(all: &[KeptBy], to: S) -> Result<S::Ok, S::Error> {
    let fields = &["by", "name", "mode", "until"];
    to.collect_seq(all.iter().map(|kept| Complete::new(kept, fields)))
}

/// What keeps an entry although a rule selects it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeptBy {
    /// A hold.
    Hold {
        /// Its name.
        name: String,
    },
    /// A retention lock.
    Lock {
        /// Its name.
        name: String,
        /// How strict it is.
        mode: LockMode,
        /// Until when; `None` is for ever.
        until: Option<Timestamp>,
    },
    /// A report of it waits to be submitted.
    WaitingReport,
}

/// When a policy lets all of an entry go.
pub(in crate::archive) enum WholeDue {
    /// No class has it.
    NoClass,
    /// Never by its class, or that is not yet known.
    NotKnown,
    /// From this time on.
    At(Timestamp),
}

/// Returns when the class of an entry lets all of it go.
pub(in crate::archive) fn whole_due(policy: &Policy, entry: &Entry) -> WholeDue {
    let Some(place) = Classifier::new(&policy.classes).class_of(entry) else {
        return WholeDue::NoClass;
    };
    let parts = due_parts(&policy.classes[place], entry);
    let content = |part: &&PartDue| !matches!(part.part, Part::Superseded { .. });
    let dues = parts.iter().filter(content).map(|part| match part.due {
        Due::At { at, .. } => Some(at),
        _ => None,
    });
    let all: Option<Vec<Timestamp>> = dues.collect();
    let last = all.and_then(|dues| dues.into_iter().max());
    last.map_or(WholeDue::NotKnown, WholeDue::At)
}

impl Archive {
    /// Says which class of `policy` has an entry, when each part of it is due, and what keeps it.
    /// The plan of a purge decides by the same rules.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::retention::{Class, Keep, Policy};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// let id = archive.put(NewEntry::new("ICT"), &b"content"[..])?.id;
    /// let keep: Keep = "2y".parse().expect("a period");
    /// let policy = Policy::default().classes(vec![Class::new("all").keep(keep)]);
    /// let explained = archive.explain_retention(id, &policy)?;
    /// assert_eq!(explained.class.as_deref(), Some("all"));
    /// assert_eq!(explained.parts[0].rule, "keep 2y");
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such entry.
    pub fn explain_retention(&self, id: EntryId, policy: &Policy) -> Result<RetentionExplained> {
        let entry = self.snapshot()?.entry(id)?.ok_or_else(|| {
            let said = format!("there is no entry {id}");
            Error::new(ErrorKind::NotFound, said)
        })?;
        let place = Classifier::new(&policy.classes).class_of(&entry);
        let class = place.map(|place| &policy.classes[place]);
        let is_there = entry.purged_at.is_none();
        let rest = policy.clone().classes(Vec::new());
        let mut kept_by: Vec<KeptBy> = (entry.holds.iter())
            .map(|name| KeptBy::Hold { name: name.clone() })
            .collect();
        let locks = self.locks_now(&self.store().index.view());
        kept_by.extend(locks.on(&entry).map(|lock| KeptBy::Lock {
            name: lock.name,
            mode: lock.mode,
            until: lock.until,
        }));
        if entry.waits_for_submission() {
            kept_by.push(KeptBy::WaitingReport);
        }
        let by_class = |place: usize| vec![policy.classes[place].rules()];
        let parts = class.filter(|_| is_there);
        Ok(RetentionExplained {
            entry: id,
            class: class.map(|class| class.name.clone()),
            place: place.map(|place| place + 1),
            rules: place.map_or_else(|| rest.rules().unwrap_or_default(), by_class),
            parts: parts.map_or_else(Vec::new, |class| due_parts(class, &entry)),
            recorded_until: match class {
                Some(_) => None,
                None => entry.retention.expires_at(entry.archived_at),
            },
            kept_by,
            purged_parts: entry.purged_parts,
            purged_at: entry.purged_at,
        })
    }
}
