//! The public error type: what happened, where, and what the caller can do about it.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;

/// The result of every fallible public operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an error. Two errors have different kinds only if a caller would
/// act differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is wrong; correct it and call again.
    Invalid,
    /// The named entry, blob, converter or job does not exist.
    NotFound,
    /// There is no store at this path; `init` makes one.
    NoStore,
    /// Another process owns the store; wait for it, or send the request to it.
    Locked,
    /// A safety rule forbids it: a hold, a stale plan, an empty policy, a missing confirmation.
    Refused,
    /// The source changed, shrank or vanished while it was read; nothing was recorded, try again.
    Changed,
    /// The disk is full. Nothing was recorded; reading and purging still work.
    Full,
    /// The store, or the disk under it, is open for reading only.
    ReadOnly,
    /// Bytes on disk differ from what was written. The undamaged rest stays readable.
    Damaged,
    /// The store, or something in it, has a format that this version does not know.
    Unsupported,
    /// The operating system reported an error.
    Io,
    /// An earlier write failed and the writer stopped. What was acknowledged is safe. Open the
    /// store again to learn whether the rest was recorded.
    Poisoned,
    /// A converter could not be run at all.
    Converter,
}

impl ErrorKind {
    /// Returns the stable name that `--json` prints.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::NoStore => "no_store",
            Self::Locked => "locked",
            Self::Refused => "refused",
            Self::Changed => "changed",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Damaged => "damaged",
            Self::Unsupported => "unsupported",
            Self::Io => "io",
            Self::Poisoned => "poisoned",
            Self::Converter => "converter",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error: a fact with its place and, if there is one, the next step.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<Cow<'static, str>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Returns an error with `message`: the fact and its place, in lower case, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }))
    }

    /// Sets the next step to take.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Appends text to the message.
    #[must_use]
    pub(crate) fn adding(mut self, more: &str) -> Self {
        self.0.message.push_str(more);
        self
    }

    /// Sets the error that caused this one.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns an error of the operating system that occurred while doing `action` (an infinitive:
    /// "read", "create") to `path`.
    ///
    /// The kind follows from the error: a full disk is [`ErrorKind::Full`], a missing file
    /// [`ErrorKind::NotFound`], a read-only file system [`ErrorKind::ReadOnly`].
    pub fn io(action: &str, path: impl AsRef<Path>, error: io::Error) -> Self {
        let path = path.as_ref().display();
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
            io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
            _ => ErrorKind::Io,
        };
        let built = Self::new(kind, format!("cannot {action} {path}: {}", reason(&error)));
        let built = match kind {
            ErrorKind::Full => built.hint("free some space on that disk; nothing was lost"),
            _ => built,
        };
        built.caused_by(error)
    }

    /// Returns what the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the fact and its place, without the hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the next step, if there is one.
    pub fn next_step(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

/// Returns the system's error text, without Rust's "(os error N)".
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_from_a_failing_one() {
        let full = Error::io("write", "x", io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.kind(), ErrorKind::Full);
        let failing = Error::io("write", "x", io::Error::other("boom"));
        assert_eq!(failing.kind(), ErrorKind::Io);
        assert_eq!(failing.to_string(), "cannot write x: boom");
    }
}
