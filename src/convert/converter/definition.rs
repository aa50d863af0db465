//! A converter as it is configured: its program, its files, its arguments.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::arguments::Arguments;
use super::bounds::Bounds;
use super::companions::Companions;
use crate::entry::ParseWordError;

/// One converter: any program that turns one source into a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Converter {
    /// Its name, which entries are archived for.
    pub name: String,
    /// The version it claims. Shown to people, never trusted as identity.
    pub version: Option<String>,
    /// Program and arguments, started without a shell. `{input}` stands for the source's path.
    pub command: Vec<String>,
    /// Where its files are; relative names in `command` and `bundle` are relative to it, and it is
    /// the program's current folder.
    pub dir: PathBuf,
    /// The files that make it what it is, relative to `dir`, with `/` between parts.
    pub bundle: Vec<String>,
    /// How processes and conversions relate.
    pub mode: Mode,
    /// What it is given.
    pub takes: Takes,
    /// What its processes are held to. No part of its identity.
    pub bounds: Bounds,
    /// What it is told besides the source.
    pub arguments: Arguments,
    /// What it runs on, in words; `None` asks the program for its `--version`.
    pub environment: Option<String>,
}

/// How processes and conversions relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// One process for each conversion; the report comes on standard output.
    #[default]
    OneShot,
    /// A long-lived process that answers one JSON line for each JSON line it is given.
    Worker,
}

impl Mode {
    /// The name used in the configuration and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneShot => "oneshot",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mode {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        match text {
            "oneshot" => Ok(Self::OneShot),
            "worker" => Ok(Self::Worker),
            _ => Err(ParseWordError::new(text, ["oneshot", "worker"])),
        }
    }
}

/// What a converter is given as its source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Takes {
    /// A file.
    #[default]
    Files,
    /// A folder, put back from the tar file that is archived of it.
    Folders,
    /// A file with what belongs to it beside it, put back from the tar file that is archived of
    /// them.
    WithCompanions(Companions),
}

/// Mode and source in one word, as it is recorded: a converter of folders is another one than the
/// same program of files.
pub(crate) const fn recorded_mode(mode: Mode, takes: &Takes) -> &'static str {
    match (mode, takes) {
        (mode, Takes::Files) => mode.name(),
        (Mode::OneShot, Takes::Folders) => "oneshot-folder",
        (Mode::Worker, Takes::Folders) => "worker-folder",
        (Mode::OneShot, Takes::WithCompanions(_)) => "oneshot-companions",
        (Mode::Worker, Takes::WithCompanions(_)) => "worker-companions",
    }
}

/// What [`recorded_mode`] was told. Which companions there were, each entry knows for itself.
pub(crate) fn read_mode(recorded: &str) -> Result<(Mode, Takes), ParseWordError> {
    if let Some(mode) = recorded.strip_suffix("-folder") {
        return Ok((mode.parse()?, Takes::Folders));
    }
    if let Some(mode) = recorded.strip_suffix("-companions") {
        return Ok((mode.parse()?, Takes::WithCompanions(Companions::default())));
    }
    Ok((recorded.parse()?, Takes::Files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_mode_says_what_the_converter_is_given() {
        for mode in [Mode::OneShot, Mode::Worker] {
            for takes in [
                Takes::Files,
                Takes::Folders,
                Takes::WithCompanions(Companions::default()),
            ] {
                assert_eq!(read_mode(recorded_mode(mode, &takes)), Ok((mode, takes)));
            }
        }
        assert!(read_mode("folder").is_err());
    }
}
