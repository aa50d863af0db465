//! Which entries retention locks keep, and how locks may change. The writer asks this, and so does
//! whoever makes a plan.

use crate::entry::Entry;
use crate::event::{LockMode, RetentionLocked, RetentionUnlocked};
use crate::index::{EntryMatcher, LockRow, View};
use crate::query::Filter;
use crate::retention::{GovernanceLocks, Until, Zone};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The most locks of a store.
const LOCKS_MAX: usize = 50;

/// A lock that keeps an entry, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) struct Locked {
    pub(in crate::archive) name: String,
    pub(in crate::archive) mode: LockMode,
    /// `None` when that cannot be told: it is kept for ever.
    pub(in crate::archive) until: Option<Timestamp>,
}

/// The locks of a store, at one time.
pub(in crate::archive) struct Locks {
    rows: Vec<(LockRow, Filter)>,
    /// `None` when the clock is in doubt: then every lock holds.
    now: Option<Timestamp>,
}

impl Locks {
    /// Returns the locks as of the wall clock's time `now`, from which the steps ahead that the log
    /// shows are taken off.
    pub(in crate::archive) fn at(view: &View, now: Option<Timestamp>) -> Self {
        let rows = view.locks();
        let rows = rows.iter().map(|row| {
            let filter = Filter {
                converter: row.converters.clone(),
                label: row.labels.clone(),
                ..Filter::default()
            };
            (row.clone(), filter)
        });
        Self {
            rows: rows.collect(),
            now: now.map(|now| view.without_steps(now)),
        }
    }

    /// Returns the locks that keep an entry.
    pub(in crate::archive) fn on<'a>(&'a self, entry: &Entry) -> impl Iterator<Item = Locked> + 'a {
        let matching = self.rows.iter().filter(|(_, filter)| {
            // Without a filter nothing has to be compared.
            filter.is_empty() || EntryMatcher::new(filter).ever_matched(entry)
        });
        let locks = matching.map(|(row, _)| {
            let zone = Zone::default();
            Locked {
                name: row.name.clone(),
                mode: row.mode,
                until: zone.after(entry.archived_at, row.keep, Until::Exactly),
            }
        });
        let locks: Vec<Locked> = locks
            .filter(|lock| match (lock.until, self.now) {
                (Some(until), Some(now)) => now < until,
                _ => true,
            })
            .collect();
        locks.into_iter()
    }

    /// Returns the first lock that keeps an entry from a purge.
    pub(in crate::archive) fn keeping(
        &self,
        entry: &Entry,
        governance: GovernanceLocks,
    ) -> Option<Locked> {
        let bypassed = |lock: &Locked| {
            governance == GovernanceLocks::Bypass && lock.mode == LockMode::Governance
        };
        self.on(entry).find(|lock| !bypassed(lock))
    }
}

/// Refuses what would make a lock weaker. The writer calls this.
pub(in crate::archive) fn may_lock(fact: &RetentionLocked, view: &View) -> Result<()> {
    let locks = view.locks();
    let refused = |told: String| Err(Error::new(ErrorKind::Refused, told));
    let Some(known) = locks.iter().find(|lock| lock.name == fact.name) else {
        return if locks.len() < LOCKS_MAX {
            Ok(())
        } else {
            refused(format!("the store has {LOCKS_MAX} retention locks already"))
        };
    };
    if known.may_become(fact) {
        return Ok(());
    }
    let name = &known.name;
    if fact.converter != known.converters || fact.label != known.labels {
        return refused(format!(
            "the lock '{name}' is there, for other converters or labels: choose another name"
        ));
    }
    refused(format!(
        "the lock '{name}' keeps entries for {}, mode {}: it can be made longer and stricter only",
        known.keep,
        known.mode.name()
    ))
}

/// Refuses to remove a lock that is not there, or that nothing removes. The writer calls this.
pub(in crate::archive) fn may_unlock(fact: &RetentionUnlocked, view: &View) -> Result<()> {
    let locks = view.locks();
    let name = &fact.name;
    match locks.iter().find(|lock| lock.name == *name) {
        None => Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no retention lock named '{name}'"),
        )
        .hint("'annals retention locks' lists them")),
        Some(lock) if lock.mode == LockMode::Compliance => Err(Error::new(
            ErrorKind::Refused,
            format!("'{name}' is a compliance lock: nothing removes it"),
        )
        .hint("each entry can go once it is older than the lock keeps it")),
        Some(_) => Ok(()),
    }
}

/// Returns the error for an entry that a lock keeps.
pub(in crate::archive) fn keeps(entry: &Entry, lock: &Locked) -> String {
    let until = match lock.until {
        Some(until) => format!("until {until}"),
        None => "for ever".to_owned(),
    };
    let mode = lock.mode.name();
    format!(
        "the {mode} lock '{}' keeps entry {} {until}",
        lock.name, entry.id
    )
}
