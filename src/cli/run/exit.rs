//! Exit codes, and how an error becomes one.

use std::io;

use crate::{Error, ErrorKind};

/// How a run ended. The numbers are promised to scripts; one that is not listed means failure.
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
    /// By Ctrl-C; what was begun is safe.
    Interrupted = 130,
    /// By SIGTERM.
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
            // Whichever verb meets damage: a script that gets 6 has somebody look at the store.
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

/// Why a verb stopped before its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reader of stdout has closed it, as `| head` does. Nothing went wrong.
    ReaderGone,
    /// What went wrong, and the code to leave with.
    Error { error: Error, exit: Exit },
}

impl Failure {
    /// `error` as a plain failure, whatever its kind: for input files, where a missing one is no
    /// missing entry.
    pub(crate) fn plain(error: Error) -> Self {
        Self::Error {
            error,
            exit: Exit::Failed,
        }
    }

    /// An error met while writing to stdout.
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

/// Counts what became of many items, and so the exit code.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// The code all failures share; `Failed` once they differ.
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
