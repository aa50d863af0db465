//! Retention locks: which entries may not be purged yet, whatever the rules say.

use serde::Serialize;

use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::entry::{Entry, Period};
use crate::event::{Body, LockMode, RetentionLocked, RetentionUnlocked};
use crate::index::{EntryMatcher, LockRow, View};
use crate::query::Filter;
use crate::retention::{GovernanceLocks, Until, Zone};
use crate::setters::setters;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The longest name of a lock, a converter or a label in it, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// The most converters and labels of one lock, and the most locks of a store.
const NAMES_MAX: usize = 50;

/// A retention lock: its entries are kept at least for a period after they were archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RetentionLock {
    /// Its name.
    pub name: String,
    /// How long.
    pub keep: Period,
    /// How strict it is.
    pub mode: LockMode,
    /// Only entries of these converters; of all if empty.
    pub converters: Vec<String>,
    /// Only entries that have, or ever had, all of these labels.
    pub labels: Vec<String>,
    /// The reason given most recently.
    pub reason: String,
    /// When it was placed.
    pub placed_at: Timestamp,
}

/// A lock that is to be placed or made longer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewLock {
    /// Its name.
    pub name: String,
    /// How long its entries are kept at least, after they were archived.
    pub keep: Period,
    /// How strict it is. `None`: as it was.
    pub mode: Option<LockMode>,
    /// Only entries of these converters; of all if empty.
    pub converters: Vec<String>,
    /// Only entries that have, or ever had, all of these labels.
    pub labels: Vec<String>,
    /// Why.
    pub reason: String,
}

impl NewLock {
    /// Returns a lock over all entries.
    pub fn new(name: impl Into<String>, keep: Period, reason: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            keep,
            mode: None,
            converters: Vec::new(),
            labels: Vec::new(),
            reason: reason.into(),
        }
    }
}

setters! { NewLock {
    /// Sets how strict it is.
    mode: opt [LockMode];
    /// Sets the converters of its entries.
    converters: [Vec<String>];
    /// Sets the labels of its entries.
    labels: [Vec<String>];
} }

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

impl Archive {
    /// Places a lock: its entries, also those that are archived later, cannot be purged before they
    /// are that old, by no rule and through no door. Under the name of a lock that is there, makes
    /// it longer or stricter. Durable on `Ok`.
    ///
    /// A lock counts from the recorded time of archiving, by the store's clock without the steps
    /// ahead that the log shows. The day that a policy is asked for plays no part.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry, NewLock};
    /// use annals::event::LockMode;
    /// use annals::retention::{AsOf, Policy};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// let keep = "10y".parse().expect("a period");
    /// let lock = NewLock::new("law", keep, "product liability").mode(LockMode::Compliance);
    /// archive.lock_retention(lock)?;
    /// let plan = archive.plan_purge(&Policy::default().max_count(0), AsOf::Clock)?;
    /// assert_eq!((plan.items.len(), plan.locked_skipped), (0, 1));
    /// assert!(archive.unlock_retention("law", "it is in the way").is_err());
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` without a name, a reason, or a mode for a new lock. `Refused` when a lock of this
    /// name is longer or stricter, or has other entries.
    pub fn lock_retention(&self, lock: NewLock) -> Result<()> {
        let known = self.retention_locks();
        let known = known.into_iter().find(|known| known.name == lock.name);
        let body = lock.checked(known.as_ref())?;
        self.append_fact(Draft::fact(Body::RetentionLocked(body)))?;
        Ok(())
    }

    /// Removes a governance lock. Durable on `Ok`.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such lock, `Refused` when it is a compliance lock, `Invalid`
    /// without a reason.
    pub fn unlock_retention(&self, name: &str, reason: &str) -> Result<()> {
        if reason.trim().is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "unlocking needs a reason")
                .hint("state it with --reason TEXT; it is recorded for good"));
        }
        self.append_fact(Draft::fact(Body::RetentionUnlocked(RetentionUnlocked {
            name: name.to_owned(),
            reason: reason.to_owned(),
        })))?;
        Ok(())
    }

    /// Returns the locks in force, in the order in which they were placed.
    pub fn retention_locks(&self) -> Vec<RetentionLock> {
        let view = self.store().index.view();
        let locks = view.locks();
        let lock = |row: &LockRow| RetentionLock {
            name: row.name.clone(),
            keep: row.keep,
            mode: row.mode,
            converters: row.converters.clone(),
            labels: row.labels.clone(),
            reason: row.reason.clone(),
            placed_at: row.placed_at,
        };
        locks.iter().map(lock).collect()
    }

    /// Returns the locks as of now. When the log makes the clock doubtful, every lock holds.
    pub(in crate::archive) fn locks_now(&self, view: &View) -> Locks {
        if view.locks().is_empty() {
            return Locks::at(view, None);
        }
        Locks::at(view, self.trusted_now().ok())
    }
}

impl NewLock {
    fn checked(self, known: Option<&RetentionLock>) -> Result<RetentionLocked> {
        let invalid = |told: &str| Error::new(ErrorKind::Invalid, told.to_owned());
        if self.name.trim().is_empty() || self.reason.trim().is_empty() {
            return Err(invalid("a retention lock needs a name and a reason"));
        }
        let is_odd =
            |name: &String| name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control);
        let names = self.converters.iter().chain(&self.labels);
        if is_odd(&self.name) || names.clone().any(is_odd) {
            return Err(invalid("a name of the lock is too long, or not one line"));
        }
        if names.count() > NAMES_MAX {
            return Err(invalid("the lock names too many converters and labels"));
        }
        let Some(mode) = self.mode.or(known.map(|known| known.mode)) else {
            return Err(invalid("a new retention lock needs a mode")
                .hint("state --mode governance, or --mode compliance, which nobody can undo"));
        };
        // Whoever only makes a lock longer need not repeat which entries it has.
        let same = self.converters.is_empty() && self.labels.is_empty();
        let (converter, label) = match known.filter(|_| same) {
            Some(known) => (known.converters.clone(), known.labels.clone()),
            None => (self.converters, self.labels),
        };
        Ok(RetentionLocked {
            name: self.name,
            keep: self.keep,
            mode,
            converter,
            label,
            reason: self.reason,
        })
    }
}

/// Refuses what would make a lock weaker. The writer calls this.
pub(in crate::archive) fn may_lock(fact: &RetentionLocked, view: &View) -> Result<()> {
    let locks = view.locks();
    let refused = |told: String| Err(Error::new(ErrorKind::Refused, told));
    let Some(known) = locks.iter().find(|lock| lock.name == fact.name) else {
        return if locks.len() < NAMES_MAX {
            Ok(())
        } else {
            refused(format!("the store has {NAMES_MAX} retention locks already"))
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
