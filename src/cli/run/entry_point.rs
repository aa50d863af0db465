//! The entry points of the program that verbs call. Verbs cannot import the program, which is above
//! them.

use std::ffi::OsString;

use crate::cli::caller::{CallerEnv, Streams};
use crate::cli::store::LentStore;
use crate::convert::Cancel;

/// The functions of the program that verbs call. The program passes them to each run.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// Runs a command line for this process and returns its exit code.
    pub(crate) run: fn(&[OsString], Streams<'_>) -> u8,
    /// Runs a command line for a client, on the owner's open store, and returns its exit code.
    pub(crate) run_for_client: RunForClient,
    /// Returns the description of all verbs and flags, for help, completions and manual pages.
    pub(crate) command: fn() -> clap::Command,
    /// Returns the help of the program for a terminal of so many columns, with or without colours.
    pub(crate) help: fn(&clap::Command, Option<usize>, bool) -> String,
    /// Returns the command that a word, which is no verb below another, probably means.
    pub(crate) meant: fn(&str, &clap::Command, &[String]) -> Option<String>,
}

/// See [`Program::run_for_client`].
pub(crate) type RunForClient = fn(&[OsString], Streams<'_>, CallerEnv, LentStore, Cancel) -> u8;

#[cfg(test)]
impl Program {
    /// Returns a program for unit tests that run no command line.
    pub(crate) fn unused() -> Self {
        Self {
            run: |_, _| unreachable!("no command line is run"),
            run_for_client: |_, _, _, _, _| unreachable!("no command line is run"),
            command: || unreachable!("no command line is described"),
            help: |_, _, _| unreachable!("no command line is described"),
            meant: |_, _, _| unreachable!("no command line is described"),
        }
    }
}
