//! The values of a checked configuration, or the problems of an invalid one.
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::endpoint::Submit;
use super::names::Names;
use super::promotion::Promotion;
use super::schema::{self, Inherited, KEYS};
use crate::complete::Complete;
use crate::convert::{Companions, Converter, PostAction, Takes};
use crate::entry::Retention;
use crate::event::PersonalField;
use crate::id::BlobId;
use crate::retention::Class;
use crate::{Error, ErrorKind};

/// A configuration that has been checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// The folder that relative paths are relative to.
    pub dir: PathBuf,
    /// The store, if the configuration names one.
    pub store: Option<PathBuf>,
    /// How the log is signed.
    pub evidence: EvidenceSettings,
    /// The fields that a host declares personal in its stores.
    pub personal: Vec<PersonalField>,
    /// The address on which the web page and the HTTP API are served, or `/healthz` and `/metrics`
    /// alone.
    pub listen: Option<SocketAddr>,
    /// The files of the certificate that `listen` answers with, and of its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The file with the token that programs send, which is made if it is missing.
    pub token_file: Option<PathBuf>,
    /// Further names accepted in the `Host` line of a request, besides addresses, `localhost` and
    /// the machine's own name.
    pub listen_names: Vec<String>,
    /// Maximum number of parallel conversions of all converters.
    pub max_concurrent: usize,
    /// Bytes. No files are taken while the store's disk has less than this free.
    pub min_free_disk: u64,
    /// Time between two scans of the watch folders.
    pub scan_every: Duration,
    /// Time that running conversions have to finish when the host stops.
    pub stop_within: Duration,
    /// Time between two purges by the retention rules; `None` is never.
    pub retention_every: Option<Duration>,
    /// When the host's purges are final, and when they wait for a person.
    pub retention_care: RetentionCare,
    /// The format of the host's log.
    pub log: LogFormat,
    /// Archive settings of converters that do not give their own.
    pub defaults: ArchiveSettings,
    /// The converters, in the order of the file.
    pub converters: Vec<ConverterConfig>,
    /// The classes of the retention policy, in the order of the file. What no class matches goes by
    /// the keys of its converter.
    pub retention: Vec<Class>,
    /// Settings that are valid but probably not intended.
    pub warnings: Vec<String>,
    pub(in crate::host) settings: Vec<Setting>,
}

/// When the host's purges are final, and when they wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RetentionCare {
    /// Time in which a purge can be undone; zero when it is final at once.
    pub grace: Duration,
    /// The share of a store's entries or bytes, in percent, above which a purge waits.
    pub ask_above_percent: u8,
    /// Time without an event before the start after which the first purges wait; `None` is never.
    pub ask_after: Option<Duration>,
    /// How long they wait.
    pub wait: Duration,
}

/// How the log is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EvidenceSettings {
    /// The file of the key, if the configuration names one.
    pub key_file: Option<PathBuf>,
    /// The file that a host appends every checkpoint to.
    pub publish: Option<PathBuf>,
    /// The time-stamp server that a host asks for stamps over checkpoints.
    pub timestamp_url: Option<String>,
    /// Whether it is recorded which contents are handed out.
    pub record_access: bool,
}

/// The format of the host's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// Lines for people to read.
    Text,
    /// One JSON object on each line.
    Json,
}

/// One converter and the folder it watches.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConverterConfig {
    /// The converter.
    pub converter: Converter,
    /// The folder where files appear; `None` for a converter that is only run by hand.
    pub watch_folder: Option<PathBuf>,
    /// Maximum number of parallel conversions of this converter, and of its worker processes.
    pub max_concurrent: usize,
    /// How long its worker processes are kept without work.
    pub worker_idle: Duration,
    /// 1 is the most urgent, 10 the least.
    pub priority: u8,
    /// Whether links are followed.
    pub links: Links,
    /// Whether files in subfolders of the watch folder are taken too.
    pub subfolders: Subfolders,
    /// The file that marks a folder as complete; `None` if the converter takes files.
    pub complete_marker: Option<String>,
    /// How long a file must stay unchanged before it is taken.
    pub settle: Duration,
    /// How long an empty file must stay empty before it is taken. A station may create a file
    /// before it writes it.
    pub empty_after: Duration,
    /// Whether a file is taken while a program has it open for writing.
    pub writers: Writers,
    /// What happens to a converted file.
    pub post_process: PostAction,
    /// The folder that converted files go to.
    pub done_folder: Option<PathBuf>,
    /// The folder that failed files go to.
    pub error_folder: Option<PathBuf>,
    /// Whether a new identity must be promoted before it converts live files.
    pub promotion: Promotion,
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
    /// It is not taken before the program closes it.
    WaitFor,
    /// It is taken once it has stayed unchanged for long enough.
    Ignore,
}

/// Whether links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Links {
    /// Links are ignored.
    Skip,
    /// A link is taken for its target.
    Follow,
}

/// Whether files in subfolders of the watch folder are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subfolders {
    /// Only files that lie directly in the watch folder are taken.
    Skip,
    /// Files in all subfolders are taken too. Links to folders are never followed.
    Read,
}

/// How often a failed conversion is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// Number of attempts before a failure is final.
    pub max_attempts: u32,
    /// Time between two attempts.
    pub delay: Duration,
}

/// What is archived, and for how long.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ArchiveSettings {
    /// Whether anything is archived.
    pub enabled: bool,
    /// What happens to a file that cannot be archived.
    pub unarchivable: Unarchivable,
    /// Whether sources are archived.
    pub source_files: bool,
    /// Whether reports are archived too.
    pub output_reports: bool,
    /// The converter's own store, if it has one.
    pub folder: Option<PathBuf>,
    /// How long entries are kept.
    pub retention: Retention,
    /// Archived bytes above which the oldest entries may be purged. `None` without a stated limit,
    /// or for 0.
    ///
    /// The key's default is not applied, because a limit that nobody wrote must not purge what a
    /// retention keeps.
    pub max_size: Option<u64>,
    /// Number of entries above which the oldest may be purged; `None` is no limit.
    pub max_count: Option<u64>,
    /// Compression from 1 (fast) to 9 (small).
    pub compression_level: u8,
    /// Bytes above which only facts and hashes of a source are kept; `None` is no limit.
    pub facts_above: Option<u64>,
    /// Whether a source of which only facts are kept may be removed.
    pub delete_facts_only: bool,
}

/// What happens to a file that should be archived and cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unarchivable {
    /// It waits until it can be archived.
    Waits,
    /// It is converted, and then kept.
    Converted,
}

impl ArchiveSettings {
    /// Returns true when sources are archived. Without them, reports cannot be archived either.
    pub fn archives(&self) -> bool {
        self.enabled && self.source_files
    }
}

/// One effective value and its origin.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// `store`, `host`, or `converter "NAME"`.
    pub section: String,
    /// The name of the key.
    pub key: &'static str,
    /// The value as it would be written in the file, with secrets masked.
    #[serde(serialize_with = "as_json")]
    pub value: String,
    /// The origin of the value.
    #[serde(serialize_with = "whole_origin")]
    pub origin: Origin,
}

/// Returns the value that a text stands for in the file.
fn value_of(text: &str) -> serde_json::Value {
    let line = format!("value = {text}");
    let read = toml::from_str::<serde_json::Map<String, serde_json::Value>>(&line);
    let value = read.ok().and_then(|mut read| read.remove("value"));
    value.unwrap_or_else(|| text.into())
}

/// Writes a value as JSON rather than as the text of the file.
fn as_json<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    value_of(text).serialize(to)
}

/// As [`as_json`]; null for none.
#[allow(clippy::ref_option, reason = "serde passes a reference")]
pub(super) fn as_json_if_any<S: Serializer>(
    text: &Option<String>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let value = text.as_deref().map(value_of);
    value.serialize(to)
}

fn whole_origin<S: Serializer>(origin: &Origin, to: S) -> Result<S::Ok, S::Error> {
    Complete::new(origin, &["from", "line"]).serialize(to)
}

/// The origin of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "from", content = "line")]
#[non_exhaustive]
pub enum Origin {
    /// The built-in default.
    BuiltIn,
    /// This line of `[defaults]`.
    Defaults(usize),
    /// This line of the value's own section.
    Line(usize),
}

impl Origin {
    /// Returns the line that states the value, if one does.
    pub fn line(self) -> Option<usize> {
        match self {
            Self::BuiltIn => None,
            Self::Defaults(line) | Self::Line(line) => Some(line),
        }
    }
}

/// Describes a key of the configuration, for people and for forms.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct KeyInfo {
    /// `store`, `host` or `converter`.
    pub section: &'static str,
    /// The name of the key.
    pub key: &'static str,
    /// The allowed values, in words.
    pub value: String,
    /// The default, as it would be written in the file.
    #[serde(serialize_with = "as_json_if_any")]
    pub default: Option<String>,
    /// What kind of value it is, for a form.
    pub kind: &'static str,
    /// The smallest number.
    pub min: Option<f64>,
    /// The largest number.
    pub max: Option<f64>,
    /// What the number counts.
    pub unit: Option<&'static str>,
    /// The words that may be chosen.
    pub choices: &'static [&'static str],
    /// Whether the key is allowed in `[defaults]`.
    pub in_defaults: bool,
    /// Whether only the file itself, or `config set`, changes it. Such keys decide which programs
    /// run and with which rights, and who may look.
    pub by_hand: bool,
    /// The meaning of the key.
    pub meaning: &'static str,
}

impl KeyInfo {
    fn of(key: &schema::Key) -> Self {
        Self {
            section: key.section,
            key: key.name,
            value: key.kind.words(),
            default: key.default.map(str::to_owned),
            kind: key.kind.name(),
            min: key.kind.range().map(|(min, _)| min),
            max: key.kind.range().map(|(_, max)| max),
            unit: key.unit(),
            choices: match key.kind {
                schema::Kind::Words(words) => words,
                _ => &[],
            },
            by_hand: key.is_by_hand(),
            in_defaults: key.inherited == Inherited::Yes,
            meaning: key.about,
        }
    }
}

/// One problem of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
    /// The section of the key that is wrong, as settings name it, if it is about one key.
    pub section: Option<String>,
    /// The key that is wrong, if it is about one key.
    pub key: Option<String>,
}

impl Problem {
    /// Returns the name of the value that is wrong, as `config set` takes it, if it is about one.
    pub fn target(&self) -> Option<String> {
        let key = self.key.as_deref()?;
        let Some(section) = self.section.as_deref() else {
            return Some(key.to_owned());
        };
        let converter = section.strip_prefix("converter \"");
        let converter = converter.and_then(|name| name.strip_suffix('"'));
        Some(format!("{}.{key}", converter.unwrap_or(section)))
    }
}

/// Returns what settings call the section of a converter.
pub(in crate::host) fn section_of(converter: &str) -> String {
    format!("converter \"{converter}\"")
}

/// All problems of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigErrors {
    /// The configuration file.
    pub path: PathBuf,
    /// The problems in the order of the file.
    pub problems: Vec<Problem>,
}

impl Config {
    /// Returns where the reports of each converter are sent, without secrets.
    pub fn endpoints(&self) -> BTreeMap<String, String> {
        let endpoints = self.converters.iter().filter_map(|config| {
            let submit = config.submit.as_ref()?;
            Some((config.converter.name.clone(), submit.endpoint()))
        });
        endpoints.collect()
    }
}

impl ConfigErrors {
    /// Returns one line of text for each problem, with its position.
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
    /// A configuration to begin with, with comments. Its folders and its command are to be changed.
    pub const TEMPLATE: &str = include_str!("template.toml");

    /// Returns every key with its range, default and meaning, as Markdown.
    pub fn schema() -> String {
        schema::markdown()
    }

    /// Lists every key with its range, default and meaning.
    pub fn keys() -> impl Iterator<Item = KeyInfo> {
        KEYS.iter().map(KeyInfo::of)
    }

    /// Returns the converter with this name.
    pub fn converter(&self, name: &str) -> Option<&ConverterConfig> {
        self.converters
            .iter()
            .find(|config| config.converter.name == name)
    }

    /// Returns every effective value with its origin, secrets masked.
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

    /// Returns the effective values of one section on one line, secrets masked: `key = value; key =
    /// value`.
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
    /// Returns the patterns of the names that are taken, as they are configured.
    pub fn patterns(&self) -> &[String] {
        self.names.patterns()
    }

    /// Returns true for the name of a file (or a folder, if the converter takes folders) that this
    /// converter takes.
    pub fn takes(&self, file_name: &str) -> bool {
        self.names.takes(file_name)
    }

    /// Returns true for the name of a subfolder that is read, if subfolders are.
    pub(in crate::host) fn reads_folder(&self, name: &str) -> bool {
        self.subfolders == Subfolders::Read && self.names.reads_folder(name)
    }

    /// Returns the rules that find companions, if files may have any.
    pub fn companions(&self) -> Option<&Companions> {
        match &self.converter.takes {
            Takes::WithCompanions(companions) => Some(companions),
            Takes::Files | Takes::Folders => None,
        }
    }
}

#[cfg(test)]
mod tests;
