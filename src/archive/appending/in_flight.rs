//! Bounds the records in flight, in bytes and in number. Further callers wait.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::Waker;
#[cfg(feature = "tokio")]
use std::task::{Context, Poll};

use crate::archive::state::wake::wake;

/// The most records in flight at once. The channel to the writer holds as many requests, so handing
/// one in does not wait for the disk.
pub(in crate::archive) const RECORDS_MAX: usize = 1024;
/// What a record takes beside its content, roughly: its facts and names.
const RECORD_BYTES: usize = 2 << 10;

/// The records in flight of one open store.
pub(in crate::archive) struct InFlight {
    bytes_max: usize,
    load: Mutex<Load>,
    room: Condvar,
}

#[derive(Default)]
struct Load {
    bytes: usize,
    records: usize,
    /// Threads that wait for room.
    sleepers: usize,
    /// Tasks that wait for room.
    wakers: Vec<Waker>,
}

/// The room of one record, given back when it is dropped.
pub(in crate::archive) struct Permit {
    of: Arc<InFlight>,
    bytes: usize,
}

impl InFlight {
    pub(in crate::archive) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            load: Mutex::default(),
            room: Condvar::new(),
        }
    }

    /// Returns how many records are in flight.
    pub(in crate::archive) fn records(&self) -> usize {
        self.lock().records
    }

    /// Takes room for `content` bytes, if there is any.
    pub(in crate::archive) fn try_take(self: &Arc<Self>, content: usize) -> Option<Permit> {
        self.admit(&mut self.lock(), content)
    }

    /// Takes room for `content` bytes, and waits until there is some.
    pub(in crate::archive) fn take(self: &Arc<Self>, content: usize) -> Permit {
        let mut load = self.lock();
        loop {
            if let Some(permit) = self.admit(&mut load, content) {
                return permit;
            }
            load.sleepers += 1;
            load = self.room.wait(load).expect("no panic while held");
            load.sleepers -= 1;
        }
    }

    /// Takes room for `content` bytes. The task is woken when there may be some.
    #[cfg(feature = "tokio")]
    pub(in crate::archive) fn poll_take(
        self: &Arc<Self>,
        content: usize,
        context: &mut Context<'_>,
    ) -> Poll<Permit> {
        let waker = context.waker().clone();
        let mut load = self.lock();
        match self.admit(&mut load, content) {
            Some(permit) => Poll::Ready(permit),
            None => {
                load.wakers.push(waker);
                Poll::Pending
            }
        }
    }

    /// Takes room if there is any. The first record gets it whatever its size, so none waits for
    /// ever.
    fn admit(self: &Arc<Self>, load: &mut Load, content: usize) -> Option<Permit> {
        let bytes = content.saturating_add(RECORD_BYTES);
        let has_room = load.records < RECORDS_MAX
            && load
                .bytes
                .checked_add(bytes)
                .is_some_and(|bytes| bytes <= self.bytes_max);
        if load.records > 0 && !has_room {
            return None;
        }
        load.records += 1;
        load.bytes = load.bytes.saturating_add(bytes);
        Some(Permit {
            of: Arc::clone(self),
            bytes,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Load> {
        self.load.lock().expect("no panic while held")
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let of = &self.of;
        let mut load = of.lock();
        load.records -= 1;
        load.bytes = load.bytes.saturating_sub(self.bytes);
        // Waiting callers are woken when half is free, not once for each record of a group.
        if load.records > RECORDS_MAX / 2 || load.bytes > of.bytes_max / 2 {
            return;
        }
        let wakers = std::mem::take(&mut load.wakers);
        let has_sleepers = load.sleepers > 0;
        drop(load);
        if has_sleepers {
            of.room.notify_all();
        }
        wakers.into_iter().for_each(wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_taken_and_given_back__stays_within_bounds() {
        let flight = Arc::new(InFlight::new(10 * RECORD_BYTES));
        let permits: Vec<_> = std::iter::from_fn(|| flight.try_take(0)).collect();
        assert_eq!(permits.len(), 10);
        drop(permits);
        assert_eq!(flight.records(), 0);
        let large = flight.try_take(1 << 30).expect("the first goes anyway");
        assert!(flight.try_take(0).is_none());
        drop(large);
        let plenty = Arc::new(InFlight::new(usize::MAX));
        let permits: Vec<_> = std::iter::from_fn(|| plenty.try_take(0)).collect();
        assert_eq!(permits.len(), RECORDS_MAX);
    }

    /// A record that needs more than half is let in when everything else is gone.
    #[test]
    fn a_caller_that_waits_for_room__is_woken() {
        let flight = Arc::new(InFlight::new(10 * RECORD_BYTES));
        let mut permits: Vec<_> = std::iter::from_fn(|| flight.try_take(0)).collect();
        std::thread::scope(|scope| {
            let large = scope.spawn(|| drop(flight.take(20 * RECORD_BYTES)));
            let small = scope.spawn(|| drop(flight.take(0)));
            while permits.pop().is_some() {
                std::thread::yield_now();
            }
            large.join().expect("let in");
            small.join().expect("let in");
        });
        assert_eq!(flight.records(), 0);
    }
}
