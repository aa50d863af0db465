//! Defines one converter of the configuration: its program, its files, its arguments.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::arguments::Arguments;
use super::bounds::Bounds;
use super::companions::Companions;
use super::expect::Expect;
use super::order::Order;
use crate::convert::compare::CompareRules;
use crate::entry::ParseWordError;
use crate::setters::setters;

/// One converter: any program that turns one source into a report.
///
/// ```
/// use annals::convert::{Converter, Mode};
///
/// let converter = Converter::new("ICT CSV", ["python3", "ict.py"], "/plant/converters")
///     .mode(Mode::Worker)
///     .bundle(["ict.py", "limits.json"])
///     .environment("Python 3.12");
/// assert_eq!(converter.bundle.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Converter {
    /// The name of the converter. Entries are archived for a name.
    pub name: String,
    /// The version that the converter claims. It is shown to people and never trusted as identity.
    pub version: Option<String>,
    /// Program and arguments, started without a shell. `{input}` stands for the source's path.
    pub command: Vec<String>,
    /// The folder of the converter's files, and the program's current folder.
    ///
    /// Relative names in `command` and `bundle` are relative to it.
    pub dir: PathBuf,
    /// The files that make up the converter, relative to `dir`, with `/` between parts.
    pub bundle: Vec<String>,
    /// Whether one process does one conversion or many.
    pub mode: Mode,
    /// The kind of source that the converter is given.
    pub takes: Takes,
    /// The order in which it is given its sources. It is no part of its identity.
    pub order: Order,
    /// The limits of its processes. They are no part of its identity.
    pub bounds: Bounds,
    /// The values that the converter is given besides the source.
    pub arguments: Arguments,
    /// Describes what the converter runs on; `None` asks the program for its `--version`.
    pub environment: Option<String>,
    /// What counts when its reports are compared. The rules are no part of its identity.
    pub compare: CompareRules,
    /// What is expected of its results. It is no part of its identity.
    pub expect: Expect,
}

impl Converter {
    /// Returns a converter that takes files and runs as one process for each. `command` is its
    /// program with arguments, and `dir` the folder of its files.
    pub fn new<Word: Into<String>>(
        name: impl Into<String>,
        command: impl IntoIterator<Item = Word>,
        dir: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            version: None,
            command: command.into_iter().map(Into::into).collect(),
            dir: dir.into(),
            bundle: Vec::new(),
            mode: Mode::OneShot,
            takes: Takes::Files,
            order: Order::Free,
            bounds: Bounds::default(),
            arguments: Arguments::default(),
            environment: None,
            compare: CompareRules::default(),
            expect: Expect::default(),
        }
    }

    /// Sets the files that make up the converter, relative to its folder.
    #[must_use]
    pub fn bundle<File: Into<String>>(mut self, files: impl IntoIterator<Item = File>) -> Self {
        self.bundle = files.into_iter().map(Into::into).collect();
        self
    }
}

setters! { Converter {
    /// Sets the version that the converter claims.
    version: some [String];
    /// Sets whether one process does one conversion or many.
    mode: [Mode];
    /// Sets the kind of source that the converter is given.
    takes: [Takes];
    /// Sets in which order its sources are converted.
    order: [Order];
    /// Sets the limits of its processes.
    bounds: [Bounds];
    /// Sets the values that the converter is given besides the source.
    arguments: [Arguments];
    /// Sets how its reports are compared.
    compare: [CompareRules];
    /// Sets what is expected of its results.
    expect: [Expect];
    /// Sets what the converter runs on.
    environment: some [String];
} }

/// Whether one process does one conversion or many.
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
    /// Returns the name used in the configuration and in events.
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
    /// A folder, unpacked from the tar file that is archived for it.
    Folders,
    /// A main file with its companions, unpacked from the tar file that is archived for them.
    WithCompanions(Companions),
}

/// Returns mode and kind of source as one recorded word.
///
/// The kind of source belongs to the converter's identity, so a program that takes folders is
/// another converter than the program when it takes files.
pub(crate) const fn recorded_mode(mode: Mode, takes: &Takes) -> &'static str {
    match (mode, takes) {
        (mode, Takes::Files) => mode.name(),
        (Mode::OneShot, Takes::Folders) => "oneshot-folder",
        (Mode::Worker, Takes::Folders) => "worker-folder",
        (Mode::OneShot, Takes::WithCompanions(_)) => "oneshot-companions",
        (Mode::Worker, Takes::WithCompanions(_)) => "worker-companions",
    }
}

/// Parses a word that [`recorded_mode`] wrote.
///
/// The patterns of companions come back empty: each entry records which companions it has.
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
