//! Exit codes, and which error leads to which code.

use std::io;

use crate::{Error, ErrorKind};

/// How a run ended. Scripts rely on the numbers; a code that is not listed means failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Partial = 3,
    NotFound = 4,
    Refused = 5,
    Damaged = 6,
    NoStore = 10,
    Locked = 11,
    /// Ended by Ctrl-C. What had begun is safe.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid => Self::Usage,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::NoStore => Self::NoStore,
            ErrorKind::Locked => Self::Locked,
            ErrorKind::Refused => Self::Refused,
            // Whichever verb finds damage: code 6 always tells scripts that the store needs
            // attention.
            ErrorKind::Damaged => Self::Damaged,
            ErrorKind::Changed
            | ErrorKind::Full
            | ErrorKind::ReadOnly
            | ErrorKind::Unsupported
            | ErrorKind::Io
            | ErrorKind::Poisoned
            | ErrorKind::Converter => Self::Failed,
        }
    }
}

/// Why a verb stopped early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reader of stdout has closed it, as `| head` does. Nothing went wrong.
    ReaderGone,
    /// An error, and the exit code to end with.
    Error { error: Error, exit: Exit },
}

impl Failure {
    /// Returns `error` as a plain failure, whatever its kind.
    ///
    /// For input files: a missing input file must not look like a missing entry.
    pub(crate) fn plain(error: Error) -> Self {
        Self::Error {
            error,
            exit: Exit::Failed,
        }
    }

    /// Returns the failure for an error of writing to stdout.
    pub(crate) fn stdout(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ReaderGone
        } else {
            Self::plain(Error::io("write to", "stdout", error))
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = error.kind().into();
        Self::Error { error, exit }
    }
}

/// Counts the outcomes of many items, which decide the exit code.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// The exit code of all failures so far; `Failed` once they differ.
    failures: Option<Exit>,
}

impl Tally {
    pub(crate) fn fail(&mut self, exit: Exit) {
        self.failed += 1;
        self.failures = match self.failures {
            None => Some(exit),
            Some(same) if same == exit => Some(exit),
            Some(_) => Some(Exit::Failed),
        };
    }

    pub(crate) fn exit(&self) -> Exit {
        match self.failures {
            None => Exit::Done,
            Some(_) if self.done > 0 => Exit::Partial,
            Some(exit) => exit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_can_tell_the_kinds_of_failure_apart_by_number() {
        for (kind, code) in [
            (ErrorKind::Invalid, 2),
            (ErrorKind::NotFound, 4),
            (ErrorKind::Refused, 5),
            (ErrorKind::Damaged, 6),
            (ErrorKind::Io, 1),
            (ErrorKind::NoStore, 10),
            (ErrorKind::Locked, 11),
        ] {
            assert_eq!(Exit::from(kind).code(), code, "{kind}");
        }
    }

    #[test]
    fn one_failure_among_successes_is_partial_and_failures_alone_keep_their_code() {
        let mut tally = Tally::default();
        assert_eq!(tally.exit(), Exit::Done);
        tally.fail(Exit::NotFound);
        assert_eq!(tally.exit(), Exit::NotFound);
        tally.fail(Exit::Refused);
        assert_eq!(tally.exit(), Exit::Failed);
        tally.done += 1;
        assert_eq!(tally.exit(), Exit::Partial);
    }
}
