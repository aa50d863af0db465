//! An error as one object.

use serde::Serialize;

use crate::Error;

/// An error as programs get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ErrorObject<'a> {
    /// What kind of error it is, such as `not_found`.
    pub kind: &'static str,
    /// What went wrong, in a sentence.
    pub message: &'a str,
    /// What to do next.
    pub hint: Option<&'a str>,
}

impl<'a> ErrorObject<'a> {
    /// Returns the object of an error.
    pub fn of(error: &'a Error) -> Self {
        Self {
            kind: error.kind().name(),
            message: error.message(),
            hint: error.next_step(),
        }
    }
}
