//! Hands out the entries of a job, so that those of one serial number run one after the other.
//!
//! Entries of converters that ask for it wait while an earlier entry of their serial runs. Others
//! pass them by. What waits is bounded, and the oldest waiting entry is always the next that may
//! run, so every entry gets its turn.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::id::EntryId;

/// Number of entries that may wait for others while later ones are taken.
const WAITING_MAX: usize = 1024;
/// How often a waiting thread looks whether the job is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What an entry has to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Free,
    /// Earlier entries of this converter with an equal serial, or with one that is not known.
    Serial {
        converter: String,
        serial: Option<String>,
    },
}

/// The turns that some entries have, to be compared with others.
#[derive(Default)]
struct Excluded<'t> {
    serials: HashSet<(&'t str, Option<&'t str>)>,
    converters: HashSet<&'t str>,
}

impl<'t> Excluded<'t> {
    fn of(turns: impl IntoIterator<Item = &'t Turn>) -> Self {
        let mut excluded = Self::default();
        for turn in turns {
            excluded.add(turn);
        }
        excluded
    }

    fn add(&mut self, turn: &'t Turn) {
        if let Turn::Serial { converter, serial } = turn {
            self.serials.insert((converter, serial.as_deref()));
            self.converters.insert(converter);
        }
    }

    /// Returns true when a turn must not run beside these.
    fn excludes(&self, turn: &Turn) -> bool {
        let Turn::Serial { converter, serial } = turn else {
            return false;
        };
        let has = |serial: Option<&str>| self.serials.contains(&(converter.as_str(), serial));
        match serial {
            Some(serial) => has(Some(serial)) || has(None),
            None => self.converters.contains(converter.as_str()),
        }
    }
}

/// The entries of a job that are not taken yet, and those that run.
pub(super) struct Turns<'a> {
    ids: &'a [EntryId],
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The position in the ids that is looked at next.
    next: usize,
    waiting: VecDeque<(EntryId, Turn)>,
    running: BTreeMap<EntryId, Turn>,
    /// The turns of entries that are tried again after all others.
    put_off: Vec<Turn>,
    /// Entries that come after one of those, and so wait for it.
    behind: Vec<EntryId>,
}

impl<'a> Turns<'a> {
    pub(super) fn of(ids: &'a [EntryId]) -> Self {
        Self {
            ids,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next entry among the first `until`, waiting until one may run. Returns `None` when
    /// there are no more, or when the job is to stop.
    ///
    /// Each entry that is taken must be given back with [`Self::over`] or [`Self::put_off`].
    pub(super) fn take(
        &self,
        until: usize,
        turn_of: impl Fn(EntryId) -> Turn,
        goes_on: impl Fn() -> bool,
    ) -> Option<EntryId> {
        let mut state = self.lock();
        while goes_on() {
            if let Some(id) = state.pop_waiting() {
                return Some(id);
            }
            let next = self.ids[..until.min(self.ids.len())].get(state.next);
            match next {
                Some(&id) if state.waiting.len() < WAITING_MAX => {
                    state.next += 1;
                    state.waiting.push_back((id, turn_of(id)));
                }
                None if state.waiting.is_empty() => return None,
                _ => {
                    let waited = self.changed.wait_timeout(state, LOOK_EVERY);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        None
    }

    /// Ends the turn of an entry: its result is recorded.
    pub(super) fn over(&self, id: EntryId) {
        self.lock().running.remove(&id);
        self.changed.notify_all();
    }

    /// Ends the turn of an entry that is tried again after all others. Later entries of its serial
    /// wait for that.
    pub(super) fn put_off(&self, id: EntryId) {
        let mut state = self.lock();
        if let Some(turn) = state.running.remove(&id)
            && turn != Turn::Free
            && !state.put_off.contains(&turn)
        {
            state.put_off.push(turn);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Returns the entries that wait for one that was put off.
    pub(super) fn behind(&self) -> Vec<EntryId> {
        std::mem::take(&mut self.lock().behind)
    }
}

impl State {
    /// Takes the first waiting entry that nothing before it excludes.
    fn pop_waiting(&mut self) -> Option<EntryId> {
        let (put_off, behind) = (Excluded::of(&self.put_off), &mut self.behind);
        if !self.put_off.is_empty() {
            self.waiting.retain(|(id, turn)| {
                let waits = put_off.excludes(turn);
                if waits {
                    behind.push(*id);
                }
                !waits
            });
        }
        let mut earlier = Excluded::of(self.running.values());
        let may_run = self.waiting.iter().position(|(_, turn)| {
            let may_run = !earlier.excludes(turn);
            earlier.add(turn);
            may_run
        });
        let (id, turn) = self.waiting.remove(may_run?)?;
        self.running.insert(id, turn);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(serial: &str) -> Turn {
        Turn::Serial {
            converter: "T".to_owned(),
            serial: (serial != "?").then(|| serial.to_owned()),
        }
    }

    fn ids(last: u64) -> Vec<EntryId> {
        (1..=last).map(EntryId).collect()
    }

    /// A retest must not overtake the test before it, and other units must not wait for it.
    #[test]
    fn one_serial_is_taken_in_order_and_others_pass_by() {
        let ids = ids(5);
        let turns = Turns::of(&ids);
        let serials = ["a", "a", "b", "?", "c"];
        let take = || {
            let asked = std::cell::Cell::new(0);
            let goes_on = || asked.replace(asked.get() + 1) < 8;
            let of = |id: EntryId| turn(serials[usize::try_from(id.0).expect("small") - 1]);
            turns.take(5, of, goes_on)
        };
        assert_eq!(take(), Some(EntryId(1)));
        assert_eq!(take(), Some(EntryId(3)), "b does not wait for a");
        assert_eq!(
            take(),
            None,
            "an unknown serial may be a or b, and c may be it"
        );
        turns.over(EntryId(1));
        assert_eq!(take(), Some(EntryId(2)));
        turns.over(EntryId(2));
        turns.over(EntryId(3));
        assert_eq!(take(), Some(EntryId(4)));
        assert_eq!(take(), None);
        turns.over(EntryId(4));
        assert_eq!(take(), Some(EntryId(5)));
    }

    /// An entry that is tried again at the end must not be overtaken by a later one of its serial.
    #[test]
    fn what_comes_after_an_entry_that_was_put_off_waits_for_it() {
        let ids = ids(3);
        let turns = Turns::of(&ids);
        let of = |id: EntryId| turn(if id.0 == 2 { "b" } else { "a" });
        let take = || turns.take(3, of, || true);
        assert_eq!(take(), Some(EntryId(1)));
        turns.put_off(EntryId(1));
        assert_eq!(take(), Some(EntryId(2)));
        assert_eq!(take(), None, "no more, and no waiting");
        assert_eq!(turns.behind(), [EntryId(3)]);
    }
}
