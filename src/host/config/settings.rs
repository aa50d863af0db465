//! The values of a configuration that was read and checked, and the problems of one that was not
//! valid.
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::endpoint::Submit;
use super::names::Names;
use super::schema::{self, Inherited, KEYS};
use crate::convert::{Companions, Converter, PostAction, Takes};
use crate::entry::Retention;
use crate::id::BlobId;
use crate::{Error, ErrorKind};

/// A configuration that has been checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// The folder relative paths are relative to.
    pub dir: PathBuf,
    /// The store, where one is named.
    pub store: Option<PathBuf>,
    /// Where `/healthz` and `/metrics` are answered.
    pub listen: Option<SocketAddr>,
    /// Names that it may be asked by there, beside addresses, `localhost` and the machine's own.
    pub listen_names: Vec<String>,
    /// Conversions at a time.
    pub max_concurrent: usize,
    /// Bytes; with less free on the store's disk no files are taken.
    pub min_free_disk: u64,
    /// Between two looks into the watch folders.
    pub scan_every: Duration,
    /// What running conversions get to end when the host is told to stop.
    pub stop_within: Duration,
    /// Between two purges of what may go; `None` is never.
    pub retention_every: Option<Duration>,
    /// What the log looks like.
    pub log: LogFormat,
    /// What holds for converters that say nothing of archiving.
    pub defaults: ArchiveSettings,
    /// The converters, in the order of the file.
    pub converters: Vec<ConverterConfig>,
    /// What is allowed but hardly meant.
    pub warnings: Vec<String>,
    pub(in crate::host) settings: Vec<Setting>,
}

/// What the host's log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// One converter and the folder it serves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConverterConfig {
    /// The converter.
    pub converter: Converter,
    /// Where files appear; `None` for one that is only run by hand.
    pub watch_folder: Option<PathBuf>,
    /// 1 first, 10 last.
    pub priority: u8,
    /// Whether a link is taken for what it leads to.
    pub links: Links,
    /// The file that says that a folder is complete; `None` where files are taken.
    pub complete_marker: Option<String>,
    /// How long a file must stay the same before it is taken.
    pub settle: Duration,
    /// How long an empty file must stay so: a station may have made it before it writes it.
    pub empty_after: Duration,
    /// Whether a file is taken while a program has it open for writing.
    pub writers: Writers,
    /// What becomes of a converted file.
    pub post_process: PostAction,
    /// Where it goes.
    pub done_folder: Option<PathBuf>,
    /// Where a failed file goes.
    pub error_folder: Option<PathBuf>,
    /// How often a failed conversion is tried.
    pub retry: Retry,
    /// What is archived, and for how long.
    pub archive: ArchiveSettings,
    /// Where reports are sent.
    pub submit: Option<Submit>,
    pub(in crate::host) names: Names,
}

/// Whether a file is taken while a program has it open for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Writers {
    /// Not before it is closed.
    WaitFor,
    /// It is taken when it has settled.
    Ignore,
}

/// Whether a link is taken for what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Links {
    /// It is passed over.
    Skip,
    /// It is.
    Follow,
}

/// How often a failed conversion is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// Attempts before a failure is final.
    pub max_attempts: u32,
    /// Between attempts.
    pub delay: Duration,
}

/// What is archived, and for how long.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ArchiveSettings {
    /// Archive at all.
    pub enabled: bool,
    /// What becomes of a file that cannot be archived.
    pub unarchivable: Unarchivable,
    /// Archive what is converted.
    pub source_files: bool,
    /// Archive the reports too.
    pub output_reports: bool,
    /// A store of its own.
    pub folder: Option<PathBuf>,
    /// How long entries are kept.
    pub retention: Retention,
    /// Archived bytes before the oldest may go; `None` where nobody stated a limit, or 0. The
    /// built-in one is not applied: what nobody wrote must not take what a retention keeps.
    pub max_size: Option<u64>,
    /// Entries before the oldest may go; `None` is any number.
    pub max_count: Option<u64>,
    /// 1 fast .. 9 small.
    pub compression_level: u8,
}

/// What becomes of a file that is to be archived and cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unarchivable {
    /// It waits until it can be.
    Waits,
    /// It is converted, and kept.
    Converted,
}

impl ArchiveSettings {
    /// Returns true when sources are to be archived; without them there is nothing to hang a report
    /// on.
    pub fn archives(&self) -> bool {
        self.enabled && self.source_files
    }
}

/// One effective value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// `store`, `host`, or `converter "NAME"`.
    pub section: String,
    /// The key.
    pub key: &'static str,
    /// The value as it would be written, secrets masked.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "from", content = "line")]
#[non_exhaustive]
pub enum Origin {
    /// Nobody said anything.
    BuiltIn,
    /// This line of `[defaults]`.
    Defaults(usize),
    /// This line of its own section.
    Line(usize),
}

/// A key of the configuration, as it is told to people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct KeyInfo {
    /// `store`, `host` or `converter`.
    pub section: &'static str,
    /// Its name.
    pub key: &'static str,
    /// What a value may be, in words.
    pub value: String,
    /// What holds when it is not given, as it would be written.
    pub default: Option<&'static str>,
    /// May stand in `[defaults]`.
    pub in_defaults: bool,
    /// What it means.
    pub meaning: &'static str,
}

impl KeyInfo {
    fn of(key: &schema::Key) -> Self {
        Self {
            section: key.section,
            key: key.name,
            value: key.kind.words(),
            default: key.default,
            in_defaults: key.inherited == Inherited::Yes,
            meaning: key.about,
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigErrors {
    /// The file.
    pub path: PathBuf,
    /// In the order of the file.
    pub problems: Vec<Problem>,
}

impl ConfigErrors {
    /// Each with its place, for a line of its own.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let path = self.path.display();
        self.problems
            .iter()
            .map(move |problem| format!("{path}:{}: {}", problem.line, problem.message))
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigErrors> for Error {
    fn from(errors: ConfigErrors) -> Self {
        Self::new(ErrorKind::Invalid, errors.to_string())
            .hint("`config schema` lists every key with its range and default")
            .caused_by(errors)
    }
}

impl Config {
    /// Every key with its range, default and meaning, as Markdown.
    pub fn schema() -> String {
        schema::markdown()
    }

    /// Lists every key with its range, default and meaning.
    pub fn keys() -> impl Iterator<Item = KeyInfo> {
        KEYS.iter().map(KeyInfo::of)
    }

    /// The converter of that name.
    pub fn converter(&self, name: &str) -> Option<&ConverterConfig> {
        self.converters
            .iter()
            .find(|config| config.converter.name == name)
    }

    /// Every effective value and where it comes from, secrets masked.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Returns a digest of every effective value. Files that differ only in spelling have equal
    /// digests.
    pub fn digest(&self) -> String {
        let mut text = String::new();
        for setting in &self.settings {
            let line = [setting.section.as_str(), setting.key, &setting.value]
                .map(|part| format!("{part:?}"));
            text.push_str(&line.join(" "));
            text.push('\n');
        }
        BlobId::of(text.as_bytes()).to_string()
    }

    /// The effective values of one section on one line, secrets masked: `key = value; key = value`.
    pub(in crate::host) fn section(&self, section: &str) -> String {
        let values: Vec<String> = self
            .settings
            .iter()
            .filter(|setting| setting.section == section)
            .map(|setting| format!("{} = {}", setting.key, setting.value))
            .collect();
        values.join("; ")
    }
}

impl ConverterConfig {
    /// The file names taken, as they are configured.
    pub fn patterns(&self) -> &[String] {
        self.names.patterns()
    }

    /// Returns true when a file of this name in the watch folder is this converter's business, or a
    /// folder where it takes those.
    pub fn takes(&self, file_name: &str) -> bool {
        self.names.takes(file_name)
    }

    /// Where the companions of a file are found, if it may have any.
    pub fn companions(&self) -> Option<&Companions> {
        match &self.converter.takes {
            Takes::WithCompanions(companions) => Some(companions),
            Takes::Files | Takes::Folders => None,
        }
    }
}

#[cfg(test)]
mod tests;
