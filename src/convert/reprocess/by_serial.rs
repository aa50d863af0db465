//! Hands out the entries of a job, so that those of one serial number run one after the other.
//!
//! Entries of converters that ask for it wait while an earlier entry of their serial runs. Others
//! pass them by. What waits is bounded, and the oldest waiting entry is always the next that may
//! run, so every entry is taken at some time.

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
pub(super) enum WaitsFor {
    /// No other entry.
    Nothing,
    /// Earlier entries of this converter with an equal serial, or with one that is not known.
    Serial {
        converter: String,
        serial: Option<String>,
    },
}

/// The converters and serials of some entries, beside which others of them must not run.
#[derive(Default)]
struct Excluded<'t> {
    serials: HashSet<(&'t str, Option<&'t str>)>,
    converters: HashSet<&'t str>,
}

impl<'t> Excluded<'t> {
    fn of(entries: impl IntoIterator<Item = &'t WaitsFor>) -> Self {
        let mut excluded = Self::default();
        for entry in entries {
            excluded.add(entry);
        }
        excluded
    }

    fn add(&mut self, entry: &'t WaitsFor) {
        if let WaitsFor::Serial { converter, serial } = entry {
            self.serials.insert((converter, serial.as_deref()));
            self.converters.insert(converter);
        }
    }

    /// Returns true when an entry must not run beside these.
    fn excludes(&self, entry: &WaitsFor) -> bool {
        let WaitsFor::Serial { converter, serial } = entry else {
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
pub(super) struct SerialOrder<'a> {
    ids: &'a [EntryId],
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The position in the ids that is looked at next.
    next: usize,
    waiting: VecDeque<(EntryId, WaitsFor)>,
    running: BTreeMap<EntryId, WaitsFor>,
    /// What entries wait for that are tried again after all others.
    put_off: Vec<WaitsFor>,
    /// Entries that come after one of those, and so wait for it.
    behind: Vec<EntryId>,
}

impl<'a> SerialOrder<'a> {
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
        waits_for: impl Fn(EntryId) -> WaitsFor,
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
                    state.waiting.push_back((id, waits_for(id)));
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

    /// Gives an entry back: its result is recorded.
    pub(super) fn over(&self, id: EntryId) {
        self.lock().running.remove(&id);
        self.changed.notify_all();
    }

    /// Gives back an entry that is tried again after all others. Later entries of its serial wait
    /// for that.
    pub(super) fn put_off(&self, id: EntryId) {
        let mut state = self.lock();
        if let Some(entry) = state.running.remove(&id)
            && entry != WaitsFor::Nothing
            && !state.put_off.contains(&entry)
        {
            state.put_off.push(entry);
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
            self.waiting.retain(|(id, entry)| {
                let waits = put_off.excludes(entry);
                if waits {
                    behind.push(*id);
                }
                !waits
            });
        }
        let mut earlier = Excluded::of(self.running.values());
        let may_run = self.waiting.iter().position(|(_, entry)| {
            let may_run = !earlier.excludes(entry);
            earlier.add(entry);
            may_run
        });
        let (id, entry) = self.waiting.remove(may_run?)?;
        self.running.insert(id, entry);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_serial(serial: &str) -> WaitsFor {
        WaitsFor::Serial {
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
        let order = SerialOrder::of(&ids);
        let serials = ["a", "a", "b", "?", "c"];
        let take = || {
            let asked = std::cell::Cell::new(0);
            let goes_on = || asked.replace(asked.get() + 1) < 8;
            let of = |id: EntryId| of_serial(serials[usize::try_from(id.0).expect("small") - 1]);
            order.take(5, of, goes_on)
        };
        assert_eq!(take(), Some(EntryId(1)));
        assert_eq!(take(), Some(EntryId(3)), "b does not wait for a");
        assert_eq!(
            take(),
            None,
            "an unknown serial may be a or b, and c may be it"
        );
        order.over(EntryId(1));
        assert_eq!(take(), Some(EntryId(2)));
        order.over(EntryId(2));
        order.over(EntryId(3));
        assert_eq!(take(), Some(EntryId(4)));
        assert_eq!(take(), None);
        order.over(EntryId(4));
        assert_eq!(take(), Some(EntryId(5)));
    }

    /// An entry that is tried again at the end must not be overtaken by a later one of its serial.
    #[test]
    fn what_comes_after_an_entry_that_was_put_off_waits_for_it() {
        let ids = ids(3);
        let order = SerialOrder::of(&ids);
        let of = |id: EntryId| of_serial(if id.0 == 2 { "b" } else { "a" });
        let take = || order.take(3, of, || true);
        assert_eq!(take(), Some(EntryId(1)));
        order.put_off(EntryId(1));
        assert_eq!(take(), Some(EntryId(2)));
        assert_eq!(take(), None, "no more, and no waiting");
        assert_eq!(order.behind(), [EntryId(3)]);
    }
}
