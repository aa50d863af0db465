//! Tracks which converters of a job cannot run. Their entries are not tried and do not count as
//! failed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::EntryId;

/// Number of entries over which a converter may be unable to run before the rest is not tried.
///
/// One entry alone proves nothing: a script may look for a program over some files only.
const SUSPECTS_MAX: usize = 3;

/// What is known about the converters of a job, by key.
pub(super) struct Blocked<Key>(Mutex<State<Key>>);

struct State<Key> {
    converters: BTreeMap<Key, Suspicion>,
    /// Entries to be tried again after all others.
    put_off: Vec<EntryId>,
    is_last_round: bool,
}

#[derive(Default)]
struct Suspicion {
    entries: usize,
    /// Why nothing more is tried with this converter.
    blocked: Option<String>,
}

/// What happens to an entry whose converter could not run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Instead {
    /// The entry is tried again after all others.
    PutOff,
    /// The entry is not tried.
    NotTried,
}

impl<Key: Ord> Blocked<Key> {
    fn lock(&self) -> MutexGuard<'_, State<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns why a converter is not tried any more; `None` while it still is.
    pub(super) fn reason(&self, key: &Key) -> Option<String> {
        self.lock().converters.get(key)?.blocked.clone()
    }

    /// Records that the converter could not run over this entry, and returns what to do with the
    /// entry.
    pub(super) fn cannot_run(&self, key: Key, entry: EntryId, reason: &str) -> Instead {
        let mut state = self.lock();
        let is_last_round = state.is_last_round;
        let suspicion = state.converters.entry(key).or_default();
        suspicion.entries += 1;
        if is_last_round || suspicion.entries >= SUSPECTS_MAX {
            suspicion.blocked.get_or_insert_with(|| reason.to_owned());
            return Instead::NotTried;
        }
        state.put_off.push(entry);
        Instead::PutOff
    }

    /// Returns the entries that were put off, to be tried for the last time.
    pub(super) fn last_round(&self) -> Vec<EntryId> {
        let mut state = self.lock();
        state.is_last_round = true;
        std::mem::take(&mut state.put_off)
    }
}

impl<Key> Default for Blocked<Key> {
    fn default() -> Self {
        Self(Mutex::new(State {
            converters: BTreeMap::new(),
            put_off: Vec::new(),
            is_last_round: false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After three entries over which a converter cannot run, its others are not tried; those of
    /// other converters are.
    #[test]
    fn a_converter_that_cannot_run_is_given_up_after_three_entries_and_others_are_not() {
        let blocked = Blocked::default();
        let cannot = |key, entry| blocked.cannot_run(key, EntryId(entry), "no program");
        assert_eq!(cannot("A", 1), Instead::PutOff);
        assert_eq!(cannot("B", 2), Instead::PutOff);
        assert_eq!(cannot("A", 3), Instead::PutOff);
        assert_eq!(cannot("A", 4), Instead::NotTried);
        assert_eq!(blocked.reason(&"A").as_deref(), Some("no program"));
        assert_eq!(blocked.reason(&"B"), None);
        assert_eq!(blocked.last_round(), [1, 2, 3].map(EntryId));
        assert_eq!(
            blocked.cannot_run("B", EntryId(2), "no program"),
            Instead::NotTried
        );
        assert!(blocked.last_round().is_empty());
    }
}
