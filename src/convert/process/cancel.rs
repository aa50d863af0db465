//! Lets a caller cancel long work.

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

/// Cancels long work. All clones share one state.
#[derive(Clone)]
pub struct Cancel(Arc<Shared>);

struct Shared {
    is_cancelled: AtomicBool,
    /// Dropped when the work is cancelled, which disconnects `cancelled`.
    open: Mutex<Option<Sender<Infallible>>>,
    cancelled: Receiver<Infallible>,
}

impl Default for Cancel {
    fn default() -> Self {
        let (open, cancelled) = crossbeam_channel::bounded(0);
        Self(Arc::new(Shared {
            is_cancelled: AtomicBool::new(false),
            open: Mutex::new(Some(open)),
            cancelled,
        }))
    }
}

impl Cancel {
    /// Cancels the work. Running converters are killed, and their conversions count as never
    /// started.
    pub fn cancel(&self) {
        self.0.is_cancelled.store(true, Ordering::Relaxed);
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(open.take());
    }

    /// Returns true after [`Cancel::cancel`].
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Ordering::Relaxed)
    }

    /// Returns a channel that carries nothing and is disconnected by [`Cancel::cancel`], for
    /// threads that wait for something else at the same time.
    pub(crate) fn cancelled(&self) -> &Receiver<Infallible> {
        &self.0.cancelled
    }

    /// Sleeps, and wakes at once when cancelled. Returns true when it was not cancelled.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        self.0.cancelled.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
    }

    /// Waits until cancelled.
    #[cfg(feature = "host")]
    pub(crate) fn wait(&self) {
        // Nothing can be received, so the channel is disconnected when this returns.
        let _ = self.0.cancelled.recv();
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A host that polled for its end woke 40 times a second for each of its threads.
    #[test]
    fn who_sleeps_is_woken_by_the_cancellation_and_by_nothing_else() {
        let cancel = Cancel::default();
        assert!(cancel.sleep(Duration::from_millis(1)));
        let sleeper = cancel.clone();
        let began = Instant::now();
        let slept = std::thread::spawn(move || sleeper.sleep(Duration::from_secs(600)));
        cancel.cancel();
        assert!(!slept.join().expect("no panic"));
        assert!(began.elapsed() < Duration::from_secs(60));
        assert!(!cancel.sleep(Duration::ZERO), "it stays cancelled");
        cancel.cancel();
        assert!(cancel.is_cancelled());
    }
}
