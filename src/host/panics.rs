//! Turns panics into errors, so that a panic ends only the work it happened in.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Error, ErrorKind, Result};

/// Does some work and turns a panic in it into an error.
///
/// State shared with other threads stays valid: the host's own state is counters and records that
/// are never half written, and a store whose lock was held in a panic refuses everything
/// afterwards.
pub(in crate::host) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(internal(&*panic)))
}

/// Returns the message of a panic as an error.
pub(in crate::host) fn internal(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::new(
        ErrorKind::Io,
        format!(
            "annals itself failed here: {}",
            text.unwrap_or("it did not say why")
        ),
    )
    .hint("this is a fault of annals; please report it with the lines of the log around it")
}

/// Locks a mutex, even after a panic.
///
/// All guarded state is counters and records, which are never half written.
pub(in crate::host) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_says_what_it_said() {
        let number = 7;
        let error = caught::<()>(|| panic!("on purpose, {number}")).expect_err("panicked");
        assert!(error.to_string().contains("on purpose, 7"), "{error}");
        assert_eq!(caught(|| Ok(number)).expect("fine"), 7);
    }
}
