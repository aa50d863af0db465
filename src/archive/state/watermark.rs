//! How far the log has come: in this process, and as the file `NEWEST` remembers it.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::task::Waker;
#[cfg(feature = "tokio")]
use std::task::{Context, Poll};
use std::time::Duration;

use crate::archive::files::folders::NEWEST_FILE;
use crate::archive::state::wake::wake;
use crate::disk::{Disk, OpenMode};
use crate::format::newest::{NEWEST_BYTES, decode, encode};
use crate::id::{EventSeq, StoreId};
use crate::time::Stopwatch;

/// How far the log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) struct Reached {
    /// The newest acknowledged event.
    pub(in crate::archive) newest: EventSeq,
    /// No newer event will come, because the store was closed.
    pub(in crate::archive) is_last: bool,
}

/// The newest acknowledged event of an open store.
pub(in crate::archive) struct Watermark {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    reached: Reached,
    #[cfg(feature = "tokio")]
    next_watcher: u64,
    /// Tasks that wait for a newer event, by the number of their watcher.
    wakers: Vec<(u64, Waker)>,
}

/// Tasks to be woken, outside of all locks.
#[must_use = "the tasks wait until `wake` is called"]
pub(in crate::archive) struct Woken(Vec<(u64, Waker)>);

impl Woken {
    /// Wakes the tasks.
    pub(in crate::archive) fn wake(self) {
        self.0.into_iter().for_each(|(_, waker)| wake(waker));
    }
}

impl Watermark {
    /// Makes the watermark of a log that ends with `newest`.
    pub(in crate::archive) fn new(newest: EventSeq) -> Self {
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

    /// Returns the newest acknowledged event.
    pub(in crate::archive) fn newest(&self) -> EventSeq {
        self.lock().reached.newest
    }

    /// Raises the watermark to an event that is durable. Wakes the threads that wait for it, and
    /// returns the tasks.
    pub(in crate::archive) fn raise(&self, last: EventSeq) -> Woken {
        let mut state = self.lock();
        let newest = state.reached.newest;
        // Plans are compared with the watermark, so it must never fall back.
        assert!(last > newest, "BUG: event {last} comes after {newest}");
        state.reached.newest = last;
        self.woken(&mut state)
    }

    /// Notes that no newer event will come. Wakes the threads that wait, and returns the tasks.
    pub(in crate::archive) fn end(&self) -> Woken {
        let mut state = self.lock();
        state.reached.is_last = true;
        self.woken(&mut state)
    }

    /// Wakes every watcher, so that it asks `enough` again.
    pub(in crate::archive) fn look_again(&self) {
        let woken = self.woken(&mut self.lock());
        woken.wake();
    }

    fn woken(&self, state: &mut State) -> Woken {
        self.changed.notify_all();
        Woken(std::mem::take(&mut state.wakers))
    }

    /// Waits until there is an event after `seq`, there will be none, or `enough` returns true; at
    /// most for `timeout`, if one is given.
    pub(in crate::archive) fn wait_past(
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

    /// Returns the number of a new watcher.
    #[cfg(feature = "tokio")]
    pub(in crate::archive) fn watcher(&self) -> u64 {
        let mut state = self.lock();
        state.next_watcher += 1;
        state.next_watcher
    }

    /// Is ready when there is an event after `seq`, there will be none, or `enough` returns true.
    ///
    /// Of each watcher only the last task that polled is woken.
    #[cfg(feature = "tokio")]
    pub(in crate::archive) fn poll_past(
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
        // The drop of a waker runs the caller's code, which must not run under the lock.
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Forgets the task of a watcher that no longer waits.
    #[cfg(feature = "tokio")]
    pub(in crate::archive) fn forget(&self, watcher: u64) {
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

/// Reads the watermark that the last closing of the store left in `NEWEST`. `None` when the file is
/// missing, damaged, or of another store.
pub(in crate::archive) fn read(disk: &dyn Disk, store: &StoreId) -> Option<EventSeq> {
    let file = disk.open(Path::new(NEWEST_FILE), OpenMode::Read).ok()?;
    let mut bytes = [0; NEWEST_BYTES];
    file.read_exact_at(&mut bytes, 0).ok()?;
    decode(&bytes, store)
}

/// Writes the watermark to `NEWEST`. It is not synced: it helps where it is there, and nothing
/// depends on it.
pub(in crate::archive) fn write(disk: &dyn Disk, store: &StoreId, newest: EventSeq) {
    let path = Path::new(NEWEST_FILE);
    let file = disk
        .open(path, OpenMode::Write)
        .or_else(|_| disk.open(path, OpenMode::CreateNew));
    if let Ok(file) = file {
        // A disk that is full or read-only keeps the older watermark, which is still true.
        let _ = file.write_all_at(encode(store, newest).as_bytes(), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::disk::sim::SimDisk;

    #[test]
    fn a_waiter__is_woken_by_the_event_it_waits_for() {
        let watermark = &Watermark::new(EventSeq(3));
        let nothing = watermark.wait_past(EventSeq(3), Some(Duration::ZERO), || false);
        assert_eq!(nothing.newest, EventSeq(3));
        thread::scope(|scope| {
            let minute = Some(Duration::from_mins(1));
            let waiting = scope.spawn(move || watermark.wait_past(EventSeq(3), minute, || false));
            watermark.raise(EventSeq(5)).wake();
            assert_eq!(waiting.join().expect("no panic").newest, EventSeq(5));
        });
        assert_eq!(watermark.newest(), EventSeq(5));
    }

    #[test]
    #[should_panic(expected = "BUG: event 3 comes after 3")]
    fn an_event_that_is_not_newer__is_a_bug() {
        Watermark::new(EventSeq(3)).raise(EventSeq(3)).wake();
    }

    #[test]
    fn a_watermark_file__counts_for_its_own_store() {
        let disk = SimDisk::new();
        let [own, other] = [1, 2].map(|byte| StoreId::from_bytes([byte; 16]));
        assert_eq!(read(&disk, &own), None);
        write(&disk, &own, EventSeq(7));
        write(&disk, &own, EventSeq(9));
        assert_eq!(read(&disk, &own), Some(EventSeq(9)));
        assert_eq!(read(&disk, &other), None);
    }
}
