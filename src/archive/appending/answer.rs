//! The answer to a caller that blocks until its request is recorded.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::archive::messages::{Reply, ReplyTo};

/// The answer that a blocked caller waits for.
///
/// Unlike a channel it lets a caller sleep at once: the answer takes as long as a sync.
pub(in crate::archive) struct Answer {
    slot: Arc<Slot>,
}

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    Awaited,
    /// The caller sleeps and has to be woken.
    Asleep,
    Given(Reply),
    /// The other end was dropped: nobody answers.
    GivenUp,
}

/// The answering end.
struct Replier {
    slot: Arc<Slot>,
}

impl Answer {
    /// Makes both ends.
    pub(in crate::archive) fn new() -> (ReplyTo, Self) {
        let slot = Arc::<Slot>::default();
        let replier = Replier {
            slot: Arc::clone(&slot),
        };
        let reply_to = Box::new(move |reply| replier.answer(reply));
        (reply_to, Self { slot })
    }

    /// Waits for the answer. Returns `None` when nobody answers.
    pub(in crate::archive) fn wait(self) -> Option<Reply> {
        let mut state = self.slot.lock();
        loop {
            match std::mem::replace(&mut *state, State::Asleep) {
                State::Given(reply) => return Some(reply),
                State::GivenUp => return None,
                State::Awaited | State::Asleep => {}
            }
            state = self.slot.changed.wait(state).expect("no panic while held");
        }
    }

    /// Returns the answer if it is there, without waiting.
    pub(in crate::archive) fn now(self) -> Option<Reply> {
        match std::mem::take(&mut *self.slot.lock()) {
            State::Given(reply) => Some(reply),
            State::Awaited | State::Asleep | State::GivenUp => None,
        }
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    /// Ends the wait. The first call counts.
    fn settle(&self, end: State) {
        let mut state = self.lock();
        let is_asleep = match *state {
            State::Awaited => false,
            State::Asleep => true,
            State::Given(_) | State::GivenUp => return,
        };
        *state = end;
        drop(state);
        if is_asleep {
            self.changed.notify_one();
        }
    }
}

impl Replier {
    fn answer(self, reply: Reply) {
        self.slot.settle(State::Given(reply));
    }
}

impl Drop for Replier {
    fn drop(&mut self) {
        self.slot.settle(State::GivenUp);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::archive::messages::Receipt;

    #[test]
    fn an_answer__reaches_a_caller_that_sleeps_and_one_that_comes_later() {
        let (reply_to, answer) = Answer::new();
        let caller = thread::spawn(|| answer.wait());
        reply_to(Ok(Receipt::ContentNeeded));
        let reply = caller.join().expect("no panic");
        assert!(matches!(reply, Some(Ok(Receipt::ContentNeeded))));
        let (reply_to, answer) = Answer::new();
        reply_to(Ok(Receipt::ContentNeeded));
        assert!(matches!(answer.wait(), Some(Ok(Receipt::ContentNeeded))));
    }

    /// The writer that would answer is dropped with its requests when a thread panics.
    #[test]
    fn a_request_that_is_dropped__ends_the_wait() {
        let (reply_to, answer) = Answer::new();
        let caller = thread::spawn(|| answer.wait());
        drop(reply_to);
        assert!(caller.join().expect("no panic").is_none());
        let (reply_to, answer) = Answer::new();
        drop(reply_to);
        assert!(answer.wait().is_none());
    }

    #[test]
    fn an_answer_asked_for_at_once__is_there_or_not() {
        let (reply_to, answer) = Answer::new();
        assert!(answer.now().is_none());
        reply_to(Ok(Receipt::ContentNeeded));
        let (reply_to, answer) = Answer::new();
        reply_to(Ok(Receipt::ContentNeeded));
        assert!(matches!(answer.now(), Some(Ok(Receipt::ContentNeeded))));
    }
}
