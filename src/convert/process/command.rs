//! Builds the command that starts a converter, with its environment variables and folders.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::convert::converter::Bounds;
use crate::convert::sandbox::{self, Confinement};

/// Environment variables that a converter inherits. It gets no others, because they may hold
/// secrets.
pub(super) const INHERITED: [&str; 7] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "SYSTEMROOT",
    "PATHEXT",
    "COMSPEC",
];

/// A program to start, with its arguments, folders, variables and bounds.
#[derive(Debug)]
pub(in crate::convert) struct Invocation<'a> {
    pub(in crate::convert) program: PathBuf,
    pub(in crate::convert) arguments: Vec<OsString>,
    /// The current folder of the program.
    pub(in crate::convert) dir: &'a Path,
    /// A private folder that the program may write to.
    pub(in crate::convert) home: &'a Path,
    /// Variables in addition to the inherited ones.
    pub(in crate::convert) variables: Vec<(&'static str, OsString)>,
    /// The limits of the process.
    pub(in crate::convert) bounds: &'a Bounds,
    /// What the process has no access to; `None` leaves it everything that the host may access.
    pub(in crate::convert) confinement: Option<Confinement>,
}

impl Invocation<'_> {
    /// Builds the command.
    ///
    /// # Errors
    /// `Unsupported` for a confinement when no program is there that can apply it.
    pub(in crate::convert) fn command(&self) -> io::Result<Command> {
        let mut command = match &self.confinement {
            None => Command::new(&self.program),
            Some(confinement) => confinement
                .launcher(Some(&self.program))
                .ok_or(io::ErrorKind::Unsupported)?,
        };
        command
            .args(&self.arguments)
            .current_dir(self.dir)
            .env_clear();
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for name in ["HOME", "TMPDIR", "TEMP", "TMP"] {
            command.env(name, self.home);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// Returns why the launcher could not start the program.
    ///
    /// Returns `None` without a launcher, because `spawn` itself fails then.
    pub(in crate::convert) fn launch_error(
        &self,
        status: Option<ExitStatus>,
        stderr: &str,
    ) -> Option<io::Error> {
        self.confinement.as_ref()?;
        sandbox::launch_error(status, stderr)
    }
}

/// Returns the converter's argument list with `{input}` replaced.
pub(in crate::convert) fn fill_in(words: &[String], input: &OsStr) -> Vec<OsString> {
    words
        .iter()
        .map(|word| {
            let mut filled = OsString::new();
            for (index, part) in word.split("{input}").enumerate() {
                if index > 0 {
                    filled.push(input);
                }
                filled.push(part);
            }
            filled
        })
        .collect()
}
