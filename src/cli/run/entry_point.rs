//! The program as its own verbs need it. They cannot import it, because it stands above them.

use std::ffi::OsString;

use crate::cli::caller::{CallerEnv, Streams};
use crate::cli::store::LentStore;
use crate::convert::Cancel;

/// The functions of the program that verbs call. The program hands them in with each run.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// Runs a command line for this process; returns the exit code.
    pub(crate) run: fn(&[OsString], Streams<'_>) -> u8,
    /// Runs a command line for a client of the owner, on the owner's open store; returns the exit
    /// code.
    pub(crate) run_for_client: RunForClient,
    /// Returns the description of all verbs and flags, for completions and manual pages.
    pub(crate) command: fn() -> clap::Command,
}

/// See [`Program::run_for_client`].
pub(crate) type RunForClient = fn(&[OsString], Streams<'_>, CallerEnv, LentStore, Cancel) -> u8;

#[cfg(test)]
impl Program {
    /// A program for tests of single functions, which run no command line.
    pub(crate) fn unused() -> Self {
        Self {
            run: |_, _| unreachable!("no command line is run"),
            run_for_client: |_, _, _, _, _| unreachable!("no command line is run"),
            command: || unreachable!("no command line is described"),
        }
    }
}
