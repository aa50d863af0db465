//! Tracks converters of a job that cannot run. Their entries are not tried and not counted as
//! failed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::EntryId;

/// Entries over which a converter may be unable to run before the rest is not tried either. One
/// alone may be at fault: a script that looks for a program over some files only.
const SUSPECTS_MAX: usize = 3;

/// What is known of the converters of a job, by key.
pub(super) struct Blocked<Key>(Mutex<State<Key>>);

struct State<Key> {
    converters: BTreeMap<Key, Suspicion>,
    /// Entries that are to be tried again when all others are done.
    put_off: Vec<EntryId>,
    is_last_round: bool,
}

#[derive(Default)]
struct Suspicion {
    entries: usize,
    /// Why nothing more is tried with it.
    blocked: Option<String>,
}

/// What becomes of an entry whose converter could not run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Instead {
    /// It is tried again when all others are done.
    PutOff,
    /// It is not tried.
    NotTried,
}

impl<Key: Ord> Blocked<Key> {
    fn lock(&self) -> MutexGuard<'_, State<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a converter is not tried any more, if so.
    pub(super) fn reason(&self, key: &Key) -> Option<String> {
        self.lock().converters.get(key)?.blocked.clone()
    }

    /// The converter could not run over this entry.
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

    /// The entries that were put off, to be tried for the last time.
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

    /// A job over 2,000 entries with a program that was not there did 67 in ten minutes.
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
