//! Retention locks: which entries may not be purged yet, whatever the rules say.

use serde::Serialize;

use crate::archive::appending::locks::Locks;
use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::entry::Period;
use crate::event::{Body, LockMode, RetentionLocked, RetentionUnlocked};
use crate::index::{LockRow, View};
use crate::setters::setters;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The longest name of a lock, a converter or a label in it, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// The most converters and labels of one lock.
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

impl Archive {
    /// Places a lock: its entries, also those that are archived later, cannot be purged before they
    /// are that old, whatever the rules say and whoever asks. Under the name of a lock that is
    /// there, makes it longer or stricter. Durable on `Ok`.
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
