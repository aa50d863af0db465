//! Hands results on in the order in which their numbers were given, whenever they come.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Results that wait for those before them.
pub(super) struct InOrder<T>(Mutex<Waiting<T>>);

struct Waiting<T> {
    next: u64,
    given: u64,
    come: BTreeMap<u64, T>,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self(Mutex::new(Waiting {
            next: 0,
            given: 0,
            come: BTreeMap::new(),
        }))
    }
}

impl<T> InOrder<T> {
    /// Returns the number of the next result. Each number must come in with [`Self::come`].
    pub(super) fn number(&self) -> u64 {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.given += 1;
        waiting.given - 1
    }

    /// Takes a result in, and hands on all that waited for it.
    pub(super) fn come(&self, number: u64, result: T, mut hand_on: impl FnMut(T)) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.come.insert(number, result);
        loop {
            let next = waiting.next;
            let Some(result) = waiting.come.remove(&next) else {
                return;
            };
            waiting.next += 1;
            // The lock is kept, because otherwise another thread could overtake this one.
            hand_on(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_early_waits_for_what_comes_late() {
        let order = InOrder::default();
        let numbers: Vec<u64> = (0..4).map(|_| order.number()).collect();
        let mut seen = Vec::new();
        for at in [2, 0, 3, 1] {
            order.come(numbers[at], at, |result| seen.push(result));
        }
        assert_eq!(seen, [0, 1, 2, 3]);
    }
}
