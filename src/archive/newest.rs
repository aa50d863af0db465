//! The newest acknowledged event, and those who wait for a newer one.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::task::Waker;
#[cfg(feature = "tokio")]
use std::task::{Context, Poll};
use std::time::Duration;

use crate::archive::pending::wake;
use crate::id::EventSeq;
use crate::time::Stopwatch;

/// How far the log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    /// The newest acknowledged event.
    pub(super) newest: EventSeq,
    /// True once there will be no newer one, because the store was closed.
    pub(super) is_last: bool,
}

/// The newest acknowledged event of an open store.
pub(super) struct Newest {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    reached: Reached,
    #[cfg(feature = "tokio")]
    next_watcher: u64,
    wakers: Vec<(u64, Waker)>,
}

/// Tasks to be woken, outside of all locks.
#[must_use = "the tasks wait until `wake` is called"]
pub(super) struct Woken(Vec<(u64, Waker)>);

impl Woken {
    pub(super) fn wake(self) {
        self.0.into_iter().for_each(|(_, waker)| wake(waker));
    }
}

impl Newest {
    pub(super) fn new(newest: EventSeq) -> Self {
        Self {
            state: Mutex::new(State {
                reached: Reached {
                    newest,
                    is_last: false,
                },
                #[cfg(feature = "tokio")]
                next_watcher: 0,
                wakers: Vec::new(),
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn reached(&self) -> Reached {
        self.lock().reached
    }

    /// Says that `newest` is acknowledged.
    pub(super) fn set(&self, newest: EventSeq) -> Woken {
        let mut state = self.lock();
        state.reached.newest = newest;
        self.woken(&mut state)
    }

    /// Says that no newer event will come.
    pub(super) fn end(&self) -> Woken {
        let mut state = self.lock();
        state.reached.is_last = true;
        self.woken(&mut state)
    }

    /// Has everybody who waits look again.
    pub(super) fn look_again(&self) {
        let woken = self.woken(&mut self.lock());
        woken.wake();
    }

    fn woken(&self, state: &mut State) -> Woken {
        self.changed.notify_all();
        Woken(std::mem::take(&mut state.wakers))
    }

    /// Waits until there is an event after `seq`, there will be none, or `enough` says so; at most
    /// for `timeout`, if one is given.
    pub(super) fn wait_past(
        &self,
        seq: EventSeq,
        timeout: Option<Duration>,
        enough: impl Fn() -> bool,
    ) -> Reached {
        let waited = Stopwatch::start();
        let mut state = self.lock();
        loop {
            let reached = state.reached;
            if reached.newest > seq || reached.is_last || enough() {
                return reached;
            }
            let left = timeout.map(|timeout| waited.left_of(timeout));
            state = match left {
                None => self.changed.wait(state).expect("no panic while held"),
                Some(left) if left.is_zero() => return reached,
                Some(left) => {
                    let woken = self.changed.wait_timeout(state, left);
                    woken.expect("no panic while held").0
                }
            };
        }
    }

    /// A number by which a task that waits is known.
    #[cfg(feature = "tokio")]
    pub(super) fn watcher(&self) -> u64 {
        let mut state = self.lock();
        state.next_watcher += 1;
        state.next_watcher
    }

    /// Ready when there is an event after `seq`, there will be none, or `enough` says so. Of each
    /// watcher the last task that polled is woken.
    #[cfg(feature = "tokio")]
    pub(super) fn poll_past(
        &self,
        seq: EventSeq,
        watcher: u64,
        context: &mut Context<'_>,
        enough: impl Fn() -> bool,
    ) -> Poll<Reached> {
        let waker = context.waker().clone();
        let mut state = self.lock();
        let reached = state.reached;
        if reached.newest > seq || reached.is_last || enough() {
            return Poll::Ready(reached);
        }
        let mut wakers = state.wakers.iter_mut();
        let replaced = match wakers.find(|(of, _)| *of == watcher) {
            Some((_, before)) => Some(std::mem::replace(before, waker)),
            None => {
                state.wakers.push((watcher, waker));
                None
            }
        };
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Forgets the task of a watcher that waits no more.
    #[cfg(feature = "tokio")]
    pub(super) fn forget(&self, watcher: u64) {
        let mut state = self.lock();
        let at = state.wakers.iter().position(|(of, _)| *of == watcher);
        let forgotten = at.map(|at| state.wakers.swap_remove(at));
        drop(state);
        drop(forgotten);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}
