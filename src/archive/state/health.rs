//! Whether an open store still works: what stopped the writer, what holds sealing up, and whether
//! the store is being closed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, ErrorKind, Result};

/// The health of an open store, shared by all its threads.
#[derive(Default)]
pub(in crate::archive) struct Health {
    failure: Mutex<Option<String>>,
    stalled: Mutex<Option<String>>,
    closing: AtomicBool,
}

impl Health {
    /// Returns why the writer has stopped, if it has.
    pub(in crate::archive) fn failure(&self) -> Option<String> {
        self.failure.lock().expect("no panic while held").clone()
    }

    /// Stops the writer for good. The first reason is kept.
    pub(in crate::archive) fn fail(&self, why: String) {
        self.failure
            .lock()
            .expect("no panic while held")
            .get_or_insert(why);
    }

    /// Fails once the writer has stopped.
    pub(in crate::archive) fn check(&self) -> Result<()> {
        match self.failure() {
            Some(why) => Err(Error::new(ErrorKind::Poisoned, why)
                .hint("what was acknowledged is safe; open the store again")),
            None => Ok(()),
        }
    }

    /// Returns the error for a caller whose request no thread answers any more.
    pub(in crate::archive) fn ended(&self) -> Error {
        let why = self
            .failure()
            .unwrap_or_else(|| "the store was closed".to_owned());
        Error::new(ErrorKind::Poisoned, why)
            .hint("close the store and open it again; what was acknowledged is safe")
    }

    /// Returns why sealing does not get on, while it does not.
    pub(in crate::archive) fn stalled(&self) -> Option<String> {
        self.stalled.lock().expect("no panic while held").clone()
    }

    /// Sets why sealing does not get on, or clears it.
    pub(in crate::archive) fn set_stalled(&self, why: Option<String>) {
        *self.stalled.lock().expect("no panic while held") = why;
    }

    /// Returns true once the store is being closed. What can wait is left to the next opening.
    pub(in crate::archive) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Notes that the store is being closed.
    pub(in crate::archive) fn set_closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Guards a thread of the store: a panic in it stops the writer.
    pub(in crate::archive) fn guard(&self, thread: &'static str) -> PanicGuard<'_> {
        PanicGuard {
            health: self,
            thread,
            was_panicking: std::thread::panicking(),
        }
    }
}

/// Stops the writer for good when its thread panics. Without it callers would hand in work and wait
/// for a thread that is gone.
pub(in crate::archive) struct PanicGuard<'a> {
    health: &'a Health,
    /// Name of the thread in the message.
    thread: &'static str,
    /// A thread that was already unwinding for another reason says nothing about the writer.
    was_panicking: bool,
}

impl PanicGuard<'_> {
    /// Returns true when the thread began to panic while this guard existed.
    pub(in crate::archive) fn panics(&self) -> bool {
        std::thread::panicking() && !self.was_panicking
    }
}

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if self.panics() {
            self.health.fail(format!(
                "BUG: {} panicked; nothing more is written",
                self.thread
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn two_failures__the_first_is_told() {
        let health = Health::default();
        assert!(health.check().is_ok());
        health.fail("the disk is full".to_owned());
        health.fail("and then the writer ended".to_owned());
        let told = health.check().expect_err("failed");
        assert_eq!(told.kind(), ErrorKind::Poisoned);
        assert_eq!(told.message(), "the disk is full");
        assert_eq!(health.ended().message(), "the disk is full");
    }

    #[test]
    fn a_guarded_panic__stops_the_writer() {
        let health = Health::default();
        drop(health.guard("a calm thread"));
        assert_eq!(health.failure(), None);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _guard = health.guard("the test's thread");
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        let why = health.failure().expect("failed");
        assert!(why.contains("the test's thread panicked"), "{why}");
    }

    #[test]
    fn sealing_that_gets_on_again__is_no_longer_stalled() {
        let health = Health::default();
        health.set_stalled(Some("no room".to_owned()));
        assert_eq!(health.stalled().as_deref(), Some("no room"));
        health.set_stalled(None);
        assert_eq!(health.stalled(), None);
        assert!(!health.is_closing());
        health.set_closing();
        assert!(health.is_closing());
    }
}
