//! Acknowledgements as values: a caller holds one while its record is on its way to the disk.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::archive::state::wake::wake;
use crate::time::Stopwatch;
use crate::{Error, ErrorKind, Result};

/// A record that was handed in and is not yet known to be durable.
///
/// The record is durable when [`Pending::wait`] returns `Ok`. It may become durable earlier, and no
/// caller may rely on that. Dropping a `Pending` gives up the wait, not the record: the record is
/// written, unless its group fails.
///
/// A `Pending` is also a [`Future`] with the same result, for any executor. The thread that writes
/// calls its waker, so a waker must not block. It does not keep the store open: closing the store
/// first writes everything that is in flight, and then answers.
///
/// ```
/// use annals::archive::{Archive, NewEntry};
///
/// # fn main() -> annals::Result<()> {
/// # let dir = tempfile::tempdir().expect("a temporary folder");
/// let archive = Archive::builder().create(dir.path().join("store"))?;
/// // All of these share one or two syncs.
/// let mut pending = Vec::new();
/// for number in 0..100 {
///     let content = format!("unit {number}");
///     pending.push(archive.begin_put(NewEntry::new("ICT"), content.as_bytes())?);
/// }
/// for pending in pending {
///     let archived = pending.wait()?;
///     assert!(!archived.existing);
/// }
/// # archive.close()
/// # }
/// ```
#[must_use = "a record is durable only when `wait` returned `Ok`"]
pub struct Pending<T> {
    slot: Arc<Slot<T>>,
}

/// The place of the answer, shared by both ends.
struct Slot<T> {
    state: Mutex<State<T>>,
    answered: Condvar,
}

enum State<T> {
    /// Not answered. `held` is dropped before the answer is seen.
    Waiting {
        waker: Option<Waker>,
        held: Option<Box<dyn Send>>,
        /// A thread sleeps until the answer is there.
        has_sleeper: bool,
    },
    Answered(Result<T>),
    /// The answer was handed out.
    Taken,
}

/// The answering end of a [`Pending`]. Dropped without an answer, it answers with an error.
pub(super) struct Promise<T> {
    slot: Arc<Slot<T>>,
    /// Makes the error when no answer came.
    unanswered: Box<dyn Fn() -> Error + Send>,
}

/// Makes both ends. `held` is dropped when the answer is there, before any caller sees it.
/// `unanswered` makes the answer of a promise that is dropped.
pub(super) fn pending<T>(
    held: impl Send + 'static,
    unanswered: impl Fn() -> Error + Send + 'static,
) -> (Promise<T>, Pending<T>) {
    let slot = Arc::new(Slot {
        state: Mutex::new(State::Waiting {
            waker: None,
            held: Some(Box::new(held)),
            has_sleeper: false,
        }),
        answered: Condvar::new(),
    });
    let promise = Promise {
        slot: Arc::clone(&slot),
        unanswered: Box::new(unanswered),
    };
    (promise, Pending { slot })
}

impl<T> Promise<T> {
    /// Answers, and wakes the caller that waits.
    pub(super) fn answer(self, answer: Result<T>) {
        self.slot.answer(answer);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        // Does nothing where the answer was given.
        if self.slot.is_waiting() {
            self.slot.answer(Err((self.unanswered)()));
        }
    }
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("no panic while held")
    }

    fn is_waiting(&self) -> bool {
        matches!(*self.lock(), State::Waiting { .. })
    }

    /// Answers, unless there is an answer already. No code of callers runs under the lock: neither
    /// a waker, nor the drop of one.
    fn answer(&self, answer: Result<T>) {
        let held = match &mut *self.lock() {
            State::Waiting { held, .. } => held.take(),
            State::Answered(_) | State::Taken => return,
        };
        drop(held);
        let mut state = self.lock();
        let before = match &*state {
            State::Waiting { .. } => std::mem::replace(&mut *state, State::Answered(answer)),
            State::Answered(_) | State::Taken => return,
        };
        drop(state);
        if let State::Waiting {
            waker, has_sleeper, ..
        } = before
        {
            // Of many records in flight most have nobody to wake, and waking asks the system.
            if has_sleeper {
                self.answered.notify_all();
            }
            if let Some(waker) = waker {
                wake(waker);
            }
        }
    }

    /// Notes that a thread is about to sleep until the answer is there.
    fn note_sleeper(state: &mut State<T>) {
        if let State::Waiting { has_sleeper, .. } = state {
            *has_sleeper = true;
        }
    }

    /// Hands the answer out, if it is there.
    fn take(state: &mut State<T>) -> Option<Result<T>> {
        match state {
            State::Waiting { .. } => None,
            State::Answered(_) => match std::mem::replace(state, State::Taken) {
                State::Answered(answer) => Some(answer),
                State::Waiting { .. } | State::Taken => None,
            },
            State::Taken => Some(Err(Error::new(
                ErrorKind::Invalid,
                "the answer was taken before",
            )
            .hint("ask a pending record once"))),
        }
    }
}

impl<T> Pending<T> {
    /// Waits until the record is durable.
    ///
    /// # Errors
    ///
    /// After an error of kind `Io` or `Poisoned` the record may be there or not: the store must be
    /// opened again to learn it. After any other error nothing was recorded.
    pub fn wait(self) -> Result<T> {
        let mut state = self.slot.lock();
        loop {
            if let Some(answer) = Slot::take(&mut state) {
                return answer;
            }
            Slot::note_sleeper(&mut state);
            state = self.slot.answered.wait(state).expect("no panic while held");
        }
    }

    /// Waits until the record is durable, at most for `timeout`. Returns `None` after that.
    ///
    /// Asking again after the answer was handed out is an error of kind `Invalid`.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<T>> {
        let waited = Stopwatch::start();
        let mut state = self.slot.lock();
        loop {
            if let Some(answer) = Slot::take(&mut state) {
                return Some(answer);
            }
            let left = waited.left_of(timeout);
            if left.is_zero() {
                return None;
            }
            Slot::note_sleeper(&mut state);
            state = self
                .slot
                .answered
                .wait_timeout(state, left)
                .expect("no panic while held")
                .0;
        }
    }

    /// Returns the answer if it is there, without waiting.
    ///
    /// Asking again after the answer was handed out is an error of kind `Invalid`.
    pub fn try_wait(&mut self) -> Option<Result<T>> {
        Slot::take(&mut self.slot.lock())
    }

    /// Returns true once there is an answer: [`Pending::wait`] returns at once.
    pub fn is_done(&self) -> bool {
        !self.slot.is_waiting()
    }

    /// Answers in place of a writer that has ended.
    pub(super) fn fail(&self, error: Error) {
        self.slot.answer(Err(error));
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        // Wakers are callers' code, so they are cloned and dropped outside of the lock.
        let newest = context.waker().clone();
        let mut state = self.slot.lock();
        if let Some(answer) = Slot::take(&mut state) {
            return Poll::Ready(answer);
        }
        let replaced = match &mut *state {
            State::Waiting { waker, .. } => waker.replace(newest),
            State::Answered(_) | State::Taken => None,
        };
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("is_done", &self.is_done())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    fn gone() -> Error {
        Error::new(ErrorKind::Poisoned, "gone")
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn poll<T>(pending: &mut Pending<T>, woken: &Arc<Woken>) -> Poll<Result<T>> {
        let waker = Waker::from(Arc::clone(woken));
        Pin::new(pending).poll(&mut Context::from_waker(&waker))
    }

    #[test]
    fn an_answer_taken_twice__is_an_error() {
        let (promise, mut pending) = pending((), gone);
        assert!(!pending.is_done() && pending.try_wait().is_none());
        assert!(pending.wait_timeout(Duration::from_millis(1)).is_none());
        promise.answer(Ok(7));
        assert!(pending.is_done());
        assert_eq!(pending.try_wait().expect("there").expect("good"), 7);
        let again = pending.wait().expect_err("taken");
        assert_eq!(again.kind(), ErrorKind::Invalid);
    }

    #[test]
    fn a_promise_that_is_dropped__answers_with_an_error() {
        let (promise, pending) = pending::<u8>((), gone);
        drop(promise);
        assert_eq!(pending.wait().expect_err("gone").message(), "gone");
    }

    /// A future may be moved to another task between two polls; the last one is woken.
    #[test]
    fn two_tasks_poll__the_last_one_is_woken() {
        let (promise, mut pending) = pending((), gone);
        let (first, last) = (Arc::<Woken>::default(), Arc::<Woken>::default());
        assert!(poll(&mut pending, &first).is_pending());
        assert!(poll(&mut pending, &last).is_pending());
        promise.answer(Ok(1));
        assert_eq!(first.0.load(Ordering::SeqCst), 0);
        assert_eq!(last.0.load(Ordering::SeqCst), 1);
        assert!(poll(&mut pending, &last).is_ready());
    }

    /// A waker that looks at the pending record when it is dropped, and panics when it is called.
    struct Hostile(Mutex<Option<Pending<u8>>>);

    impl Wake for Hostile {
        fn wake(self: Arc<Self>) {
            panic!("a waker of others");
        }
    }

    impl Drop for Hostile {
        fn drop(&mut self) {
            if let Some(pending) = self.0.get_mut().ok().and_then(Option::take) {
                assert!(!pending.is_done());
            }
        }
    }

    #[test]
    fn a_waker_that_uses_the_record_in_its_drop__does_not_deadlock() {
        let (promise, mut pending) = pending::<u8>((), gone);
        let other = Pending {
            slot: Arc::clone(&pending.slot),
        };
        let waker = Waker::from(Arc::new(Hostile(Mutex::new(Some(other)))));
        assert!(
            Pin::new(&mut pending)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(waker);
        assert!(poll(&mut pending, &Arc::default()).is_pending());
        promise.answer(Ok(1));
        assert_eq!(pending.wait().expect("answered"), 1);
    }

    #[test]
    fn a_waker_that_panics__does_not_lose_the_answer() {
        let (promise, mut pending) = pending::<u8>((), gone);
        let waker = Waker::from(Arc::new(Hostile(Mutex::new(None))));
        assert!(
            Pin::new(&mut pending)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        promise.answer(Ok(1));
        assert_eq!(pending.wait().expect("answered"), 1);
    }

    #[test]
    fn what_is_held_for_a_record__is_dropped_before_the_answer() {
        struct Sees(Arc<AtomicUsize>);
        impl Drop for Sees {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let dropped = Arc::<AtomicUsize>::default();
        let (promise, pending) = pending(Sees(Arc::clone(&dropped)), gone);
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
        promise.answer(Ok(()));
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        pending.wait().expect("answered");
    }
}
