//! The host's configuration: read once, checked as a whole, every error told at once.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::endpoint::{Submit, masked};
use super::intake::{Links, Shape, Writers};
use super::names::{Names, overlap};
use super::schema::{self, Inherited, KEYS, Value, find, suggest};
use super::units;
use crate::convert::{
    Arguments, Bounds, Companions, Converter, MASK, Mode, PostAction, Sandbox, Takes,
};
use crate::entry::{Meta, Retention};
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// Bytes of the largest configuration read.
const CONFIG_BYTES_MAX: u64 = 4 << 20;

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
    settings: Vec<Setting>,
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
    pub(super) names: Names,
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
    /// Archived bytes before the oldest may go; `None` where nobody stated a limit, or 0. The built-in one is not applied: what
    /// nobody wrote must not take what a retention keeps.
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
    /// True when sources are to be archived; without them there is nothing to hang a report on.
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
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `Invalid` with every problem and its line; `NotFound` and `Io` as reading the file goes.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |error| Error::io("read the configuration", path, error);
        let size = path.metadata().map_err(failed)?.len();
        if size > CONFIG_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{} is too large for a configuration", path.display()),
            ));
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Error::new(
                ErrorKind::Invalid,
                format!("{} is not UTF-8 at byte {at}", path.display()),
            )
        })?;
        Ok(Self::parse(&text, path)?)
    }

    /// Checks the text of a configuration that is, or would be, at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader {
            text,
            problems: Vec::new(),
        };
        let dir = std::path::absolute(path)
            .ok()
            .and_then(|path| path.parent().map(Path::to_owned))
            .unwrap_or_default();
        let config = reader.read(path, &dir);
        let mut problems = reader.problems;
        problems.sort_by_key(|problem| problem.line);
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigErrors {
                path: path.to_owned(),
                problems,
            })
        }
    }

    /// Every key with its range, default and meaning, as Markdown.
    pub fn schema() -> String {
        schema::markdown()
    }

    /// The same, one value a key.
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

    /// A digest of every effective value. The same for files that differ only in what makes no difference.
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
    pub(super) fn section(&self, section: &str) -> String {
        let values: Vec<String> = self
            .settings
            .iter()
            .filter(|setting| setting.section == section)
            .map(|setting| format!("{} = {}", setting.key, setting.value))
            .collect();
        values.join("; ")
    }

    /// What this machine lacks for the configuration to work: folders and bundle files that are not there.
    pub fn survey(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for config in &self.converters {
            let name = &config.converter.name;
            if let Some(folder) = &config.watch_folder
                && !folder.is_dir()
            {
                missing.push(format!(
                    "converter '{name}': watch_folder {} is not there",
                    folder.display()
                ));
            }
            if let Sandbox::Enforce { read, write } = &config.converter.bounds.sandbox {
                for path in read.iter().chain(write).filter(|path| !path.exists()) {
                    missing.push(format!(
                        "converter '{name}': {}, which its sandbox is to open, is not there",
                        path.display()
                    ));
                }
            }
            for file in &config.converter.bundle {
                let path = config.converter.dir.join(file);
                if !path.is_file() {
                    missing.push(format!(
                        "converter '{name}': bundle file {} is not there",
                        path.display()
                    ));
                }
            }
        }
        missing
    }
}

impl ConverterConfig {
    /// The file names taken, as they are configured.
    pub fn patterns(&self) -> &[String] {
        self.names.patterns()
    }

    /// True when a file of this name in the watch folder is this converter's business, or a folder where it takes those.
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

    /// How what it takes is looked at.
    pub(super) fn shape(&self) -> Shape {
        match &self.converter.takes {
            Takes::Files => Shape::File(self.links),
            Takes::Folders => Shape::Folder,
            Takes::WithCompanions(companions) => Shape::WithCompanions(companions.clone()),
        }
    }

    /// A pattern of each that a file name may match at once, if it is plain to see.
    fn overlaps<'a>(&'a self, other: &'a Self) -> Option<(&'a str, &'a str)> {
        let theirs = other.patterns();
        let pairs = self
            .patterns()
            .iter()
            .flat_map(|ours| theirs.iter().map(move |theirs| (ours, theirs)));
        pairs
            .into_iter()
            .find(|(ours, theirs)| overlap(ours, theirs))
            .map(|(ours, theirs)| (ours.as_str(), theirs.as_str()))
    }
}

/// Values of one section, by key.
type Values = BTreeMap<&'static str, (Value, usize)>;

struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    fn problem(&mut self, line: usize, message: impl Into<String>) {
        self.problems.push(Problem {
            line,
            message: message.into(),
        });
    }

    fn read(&mut self, path: &Path, dir: &Path) -> Config {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = self.line(error.span().map_or(0, |span| span.start));
            self.problem(line, format!("this is not TOML: {}", error.message()));
        }
        let mut store = Values::new();
        let mut host = Values::new();
        let mut defaults = Values::new();
        let mut converters: Vec<(usize, Values)> = Vec::new();
        // After an error of syntax the rest is guesswork, and its problems would only confuse.
        let document = if self.problems.is_empty() {
            document.into_inner()
        } else {
            DeTable::new()
        };
        for (name, value) in &document {
            let line = self.line(name.span().start);
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("store", DeValue::Table(table)) => {
                    self.table("store", "[store]", table, "", &mut store);
                }
                ("host", DeValue::Table(table)) => {
                    self.table("host", "[host]", table, "", &mut host);
                }
                ("defaults", DeValue::Table(table)) => {
                    self.table("converter", "[defaults]", table, "", &mut defaults);
                }
                ("converter", DeValue::Array(list)) => {
                    for item in list {
                        let line = self.line(item.span().start);
                        let DeValue::Table(table) = item.get_ref() else {
                            self.problem(line, "a converter must be a [[converter]] table");
                            continue;
                        };
                        let named = table.get("name").and_then(|name| name.get_ref().as_str());
                        let place = match named {
                            Some(name) => format!("converter '{name}'"),
                            None => format!("converter {}", converters.len() + 1),
                        };
                        let mut values = Values::new();
                        self.table("converter", &place, table, "", &mut values);
                        converters.push((line, values));
                    }
                }
                ("converter", _) => {
                    self.problem(
                        line,
                        "converters are written [[converter]], with two brackets",
                    );
                }
                (section @ ("store" | "host" | "defaults"), _) => {
                    self.problem(line, format!("[{section}] must be a table"));
                }
                (unknown, _) => {
                    let message = unknown_section(unknown);
                    self.problem(line, message);
                }
            }
        }
        self.build(path, dir, &store, &host, &defaults, &converters)
    }

    fn table(
        &mut self,
        section: &'static str,
        place: &str,
        table: &DeTable<'_>,
        prefix: &str,
        values: &mut Values,
    ) {
        for (name, value) in table {
            let line = self.line(name.span().start);
            let full = format!("{prefix}{}", name.get_ref());
            let inner = format!("{full}.");
            if let Some(key) = find(section, &full) {
                if place == "[defaults]" && key.inherited == Inherited::No {
                    self.problem(
                        line,
                        format!("[defaults]: {full} must be given for each converter"),
                    );
                    continue;
                }
                match key.kind.read(value.get_ref()) {
                    Ok(value) => {
                        values.insert(key.name, (value, line));
                    }
                    Err(found) => self.problem(
                        line,
                        format!("{place}: {full} must be {}, not {found}", key.kind.words()),
                    ),
                }
            } else if KEYS
                .iter()
                .any(|key| key.section == section && key.name.starts_with(&inner))
            {
                match value.get_ref() {
                    DeValue::Table(table) => self.table(section, place, table, &inner, values),
                    _ => self.problem(line, format!("{place}: {full} must be a table")),
                }
            } else {
                let message = unknown_key(section, place, &full);
                self.problem(line, message);
            }
        }
    }

    fn build(
        &mut self,
        path: &Path,
        dir: &Path,
        store: &Values,
        host: &Values,
        defaults: &Values,
        converters: &[(usize, Values)],
    ) -> Config {
        let none = Values::new();
        let scope = |section, own, defaults| Scope {
            section,
            own,
            defaults,
            dir,
        };
        let in_store = scope("store", store, &none);
        let in_host = scope("host", host, &none);
        let in_defaults = scope("converter", &none, defaults);
        let mut settings = in_store.settings("store");
        settings.extend(in_host.settings("host"));
        let mut config = Config {
            path: path.to_owned(),
            dir: dir.to_owned(),
            store: in_store.folder("path"),
            listen: in_host.text("listen").parse().ok(),
            listen_names: in_host.texts("listen_names"),
            max_concurrent: in_host.whole("max_concurrent"),
            min_free_disk: in_host.gibibytes("min_free_disk_gb"),
            scan_every: in_host.seconds("scan_every_s"),
            stop_within: in_host.seconds("stop_within_s"),
            retention_every: Some(in_host.number("retention_every_h"))
                .filter(|hours| *hours > 0.0)
                .and_then(|hours| Duration::try_from_secs_f64(hours * 3600.0).ok()),
            log: match in_host.text("log").as_str() {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            defaults: archive_settings(&in_defaults),
            converters: Vec::new(),
            warnings: Vec::new(),
            settings: Vec::new(),
        };
        if let Some(address) = config.listen
            && !address.ip().is_loopback()
            && !in_host.flag("listen_openly")
        {
            let line = in_host.line("listen").unwrap_or(1);
            self.problem(
                line,
                format!("[host]: listen: other machines can reach {address}, where nobody is asked who they are; listen_openly = true allows it"),
            );
        }
        let mut lines = Vec::new();
        for (line, values) in converters {
            let scope = scope("converter", values, defaults);
            let built = self.converter(&scope, *line);
            settings.extend(scope.settings(&format!("converter \"{}\"", built.converter.name)));
            lines.push(*line);
            config.converters.push(built);
        }
        self.cross_check(&mut config, &lines, converters);
        config.settings = settings;
        config
    }

    fn converter(&mut self, scope: &Scope<'_>, line: usize) -> ConverterConfig {
        let name = scope.text("name");
        if name.trim().is_empty() || name.chars().any(char::is_control) || name.len() > 200 {
            self.problem(
                line,
                "a converter needs a name of at most 200 bytes without control characters",
            );
        }
        let at = |key: &str, message: String, reader: &mut Self| {
            let line = scope.line(key).unwrap_or(line);
            reader.problem(line, format!("converter '{name}': {message}"));
        };
        let command = scope.texts("command");
        let mode = scope.text("mode").parse::<Mode>().unwrap_or_default();
        if command.first().is_none_or(String::is_empty) {
            at("command", "command must name a program".to_owned(), self);
        } else if mode == Mode::OneShot && !command[1..].iter().any(|word| word.contains("{input}"))
        {
            at(
                "command",
                "command must have an {input} among its arguments, which stands for the file"
                    .to_owned(),
                self,
            );
        }
        let bundle = scope.texts("bundle");
        for file in &bundle {
            if !crate::convert::is_bundle_name(file) {
                at(
                    "bundle",
                    format!(
                        "bundle file {file:?} must be below the configuration's folder, written with '/'"
                    ),
                    self,
                );
            }
        }
        let complete_marker = scope.optional_text("complete_marker");
        if let Some(marker) = &complete_marker
            && (marker.contains('/') || !crate::convert::is_bundle_name(marker))
        {
            at(
                "complete_marker",
                format!(
                    "complete_marker: {marker:?} must be the plain name of a file in the folder"
                ),
                self,
            );
        }
        let names = Names::new(scope.texts("patterns"), &scope.texts("ignore"));
        let names = names.unwrap_or_else(|bad| {
            at(bad.key, format!("{}: {}", bad.key, bad.why), self);
            Names::default()
        });
        let (texts, required) = (
            scope.texts("companions"),
            scope.texts("companions_required"),
        );
        let (companions, wrong) = units::read(&texts, &required, &names);
        for (key, why) in wrong {
            at(key, format!("{key}: {why}"), self);
        }
        if !companions.is_empty() {
            let clash = [
                ("complete_marker", complete_marker.is_some()),
                ("follow_symlinks", scope.flag("follow_symlinks")),
            ];
            for (key, _) in clash.into_iter().filter(|(_, is_set)| *is_set) {
                let why = format!("{key} and companions do not go together; set one of them");
                at(key, why, self);
            }
        }
        let submit = scope.get("submit.url").map(|url| Submit {
            url: match url {
                Value::Text(url) => url,
                _ => String::new(),
            },
            timeout: scope.seconds("submit.timeout_s"),
            headers: scope.text_map("submit.headers"),
            dir: scope.dir.to_owned(),
        });
        for (header, value) in submit.iter().flat_map(|submit| &submit.headers) {
            if !is_header(header, value) {
                at(
                    "submit.headers",
                    format!(
                        "submit.headers: {header:?} is no header, or its value has a control character or an open '${{'"
                    ),
                    self,
                );
            }
        }
        ConverterConfig {
            converter: Converter {
                version: scope.optional_text("version"),
                command,
                dir: scope.dir.to_owned(),
                bundle,
                mode,
                takes: if complete_marker.is_some() {
                    Takes::Folders
                } else if companions.is_empty() {
                    Takes::Files
                } else {
                    Takes::WithCompanions(companions)
                },
                bounds: bounds(scope),
                arguments: Arguments::new(
                    scope.text_map("arguments"),
                    scope.texts("secret_arguments"),
                ),
                environment: scope.optional_text("environment"),
                name,
            },
            watch_folder: scope.folder("watch_folder"),
            priority: scope.whole("priority"),
            links: if scope.flag("follow_symlinks") {
                Links::Follow
            } else {
                Links::Skip
            },
            complete_marker,
            settle: scope.seconds("settle_s"),
            empty_after: scope.seconds("empty_after_s"),
            writers: if scope.flag("wait_for_writers") {
                Writers::WaitFor
            } else {
                Writers::Ignore
            },
            post_process: scope
                .text("post_process")
                .parse()
                .unwrap_or(PostAction::Keep),
            done_folder: scope.folder("done_folder"),
            error_folder: scope.folder("error_folder"),
            retry: Retry {
                max_attempts: scope.whole("retry.max_attempts"),
                delay: scope.seconds("retry.delay_s"),
            },
            archive: archive_settings(scope),
            submit,
            names,
        }
    }

    fn cross_check(
        &mut self,
        config: &mut Config,
        lines: &[usize],
        converters: &[(usize, Values)],
    ) {
        let all = &config.converters;
        let mut warnings = Vec::new();
        for (index, one) in all.iter().enumerate() {
            let name = &one.converter.name;
            let line = |key: &str| {
                converters[index]
                    .1
                    .get(key)
                    .map_or(lines[index], |(_, line)| *line)
            };
            if all[..index]
                .iter()
                .any(|other| other.converter.name == *name)
            {
                self.problem(line("name"), format!("there are two converters '{name}'"));
            }
            for (key, folder) in [
                ("done_folder", &one.done_folder),
                ("error_folder", &one.error_folder),
            ] {
                let Some(folder) = folder else { continue };
                for watched in all.iter().filter_map(|other| other.watch_folder.as_ref()) {
                    if folder.starts_with(watched) {
                        self.problem(
                            line(key),
                            format!(
                                "converter '{name}': {key} {} is inside the watched folder {}",
                                folder.display(),
                                watched.display()
                            ),
                        );
                    }
                }
            }
            match one.post_process {
                PostAction::Archive if !one.archive.archives() => self.problem(
                    line("post_process"),
                    format!(
                        "converter '{name}': post_process = \"archive\" needs archive_enabled = true and archive_source_files = true"
                    ),
                ),
                action @ (PostAction::Move | PostAction::Zip) if one.done_folder.is_none() => {
                    self.problem(
                        line("post_process"),
                        format!("converter '{name}': post_process = \"{action}\" needs a done_folder"),
                    );
                }
                PostAction::Delete if !one.archive.archives() => warnings.push(format!(
                    "converter '{name}': sources are deleted and not archived: a wrong converter loses them"
                )),
                _ => {}
            }
            if one.archive.enabled && !one.archive.source_files {
                warnings.push(format!(
                    "converter '{name}': archive_source_files = false archives nothing, because reports belong to a source"
                ));
            }
            if let Some(submit) = one.submit.as_ref().filter(|submit| submit.tells_secrets()) {
                warnings.push(format!(
                    "converter '{name}': {} is not encrypted, and what stands in submit.url or submit.headers can be read on the way",
                    submit.endpoint()
                ));
            }
            warnings.extend(units::taken_by_others(one, all));
            for other in &all[..index] {
                if one.watch_folder.is_some()
                    && one.watch_folder == other.watch_folder
                    && (one.converter.takes == Takes::Folders)
                        == (other.converter.takes == Takes::Folders)
                    && let Some((ours, theirs)) = one.overlaps(other)
                {
                    warnings.push(format!(
                        "converters '{}' and '{name}' both take files such as {theirs} and {ours} from {}; the one with the lower priority number, then the first, gets them",
                        other.converter.name,
                        one.watch_folder.as_deref().unwrap_or(Path::new("")).display()
                    ));
                }
            }
        }
        config.warnings = warnings;
    }
}

fn bounds(scope: &Scope<'_>) -> Bounds {
    let mebibytes = |name| scope.whole::<u64>(name) << 20;
    let sandbox = match scope.text("sandbox").as_str() {
        "enforce" => Sandbox::Enforce {
            read: scope.paths("read_paths"),
            write: scope.paths("write_paths"),
        },
        _ => Sandbox::Off,
    };
    Bounds {
        timeout: scope.seconds("timeout_s"),
        memory: mebibytes("memory_mb"),
        file_size: mebibytes("file_size_mb"),
        sandbox,
    }
}

fn archive_settings(scope: &Scope<'_>) -> ArchiveSettings {
    let retention = match scope.get("retention_days") {
        Some(Value::Whole(days)) => Retention::Period {
            days: u16::try_from(days).unwrap_or(u16::MAX),
            years: scope.whole("retention_years"),
        },
        _ => Retention::Forever,
    };
    ArchiveSettings {
        enabled: scope.flag("archive_enabled"),
        unarchivable: if scope.flag("archive_required") {
            Unarchivable::Waits
        } else {
            Unarchivable::Converted
        },
        source_files: scope.flag("archive_source_files"),
        output_reports: scope.flag("archive_output_reports"),
        folder: scope.folder("archive_folder"),
        retention,
        max_size: scope
            .is_stated("max_archive_size_gb")
            .then(|| scope.gibibytes("max_archive_size_gb"))
            .filter(|size| *size > 0),
        max_count: Some(scope.whole("max_archive_count")).filter(|count| *count > 0),
        compression_level: scope.whole("compression_level"),
    }
}

fn is_header(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_closed = |value: &str| {
        let mut parts = value.split("${");
        parts.next();
        parts.all(|part| part.contains('}'))
    };
    !name.is_empty()
        && name.bytes().all(is_token)
        && !value.chars().any(char::is_control)
        && is_closed(value)
}

fn unknown_section(name: &str) -> String {
    let known = ["store", "host", "defaults", "converter"];
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        return format!("'{name}' must stand below [{}]", key.section);
    }
    match suggest(name, known.into_iter()) {
        Some(meant) => format!("there is no [{name}]; did you mean [{meant}]?"),
        None => {
            format!("there is no [{name}]; there are [store], [host], [defaults] and [[converter]]")
        }
    }
}

pub(super) fn unknown_key(section: &str, place: &str, name: &str) -> String {
    let known = KEYS
        .iter()
        .filter(|key| key.section == section)
        .flat_map(|key| {
            let group = key.name.split('.').next().unwrap_or_default();
            [key.name, group]
        });
    if let Some(meant) = suggest(name, known) {
        return format!("{place}: there is no '{name}'; did you mean '{meant}'?");
    }
    match KEYS.iter().find(|key| key.name == name) {
        Some(key) => format!("{place}: '{name}' belongs in [{}]", key.section),
        None => format!("{place}: there is no '{name}'"),
    }
}

/// The values of one section with what stands in for those that are not given.
#[derive(Clone, Copy)]
struct Scope<'a> {
    section: &'static str,
    own: &'a Values,
    defaults: &'a Values,
    dir: &'a Path,
}

impl Scope<'_> {
    fn line(&self, name: &str) -> Option<usize> {
        self.own.get(name).map(|(_, line)| *line)
    }

    fn find(&self, name: &str) -> Option<(Value, Origin)> {
        if let Some((value, line)) = self.own.get(name) {
            return Some((value.clone(), Origin::Line(*line)));
        }
        if let Some((value, line)) = self.defaults.get(name) {
            return Some((value.clone(), Origin::Defaults(*line)));
        }
        let key = find(self.section, name)?;
        let written = DeValue::parse(key.default?).ok()?;
        let value = key.kind.read(written.get_ref()).ok()?;
        Some((value, Origin::BuiltIn))
    }

    /// Whether the file says anything of it.
    fn is_stated(&self, name: &str) -> bool {
        self.find(name)
            .is_some_and(|(_, origin)| origin != Origin::BuiltIn)
    }

    fn get(&self, name: &str) -> Option<Value> {
        self.find(name).map(|(value, _)| value)
    }

    fn text(&self, name: &str) -> String {
        match self.get(name) {
            Some(Value::Text(text)) => text,
            _ => String::new(),
        }
    }

    fn optional_text(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name) == Some(Value::Flag(true))
    }

    fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Texts(texts)) => texts,
            _ => Vec::new(),
        }
    }

    fn text_map(&self, name: &str) -> Meta {
        match self.get(name) {
            Some(Value::TextMap(map)) => map,
            _ => Meta::new(),
        }
    }

    /// The key's range fits the type asked for.
    fn whole<Number: TryFrom<i64> + Default>(&self, name: &str) -> Number {
        match self.get(name) {
            Some(Value::Whole(number)) => Number::try_from(number).unwrap_or_default(),
            _ => Number::default(),
        }
    }

    fn number(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Value::Number(number)) => number,
            _ => 0.0,
        }
    }

    fn seconds(&self, name: &str) -> Duration {
        Duration::try_from_secs_f64(self.number(name)).unwrap_or_default()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the key's range keeps it between 0 and 10,000 GiB"
    )]
    fn gibibytes(&self, name: &str) -> u64 {
        (self.number(name) * f64::from(1_u32 << 30)) as u64
    }

    /// A folder; empty is none.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        let text = self.optional_text(name)?;
        Some(tidy(&self.dir.join(text)))
    }

    fn paths(&self, name: &str) -> Vec<PathBuf> {
        let texts = self.texts(name);
        texts
            .iter()
            .map(|text| tidy(&self.dir.join(text)))
            .collect()
    }

    fn settings(&self, section: &str) -> Vec<Setting> {
        let secret = self.texts("secret_arguments");
        KEYS.iter()
            .filter(|key| key.section == self.section)
            .filter_map(|key| {
                let (mut value, origin) = self.find(key.name)?;
                if let Value::TextMap(map) = &mut value {
                    for (name, value) in map {
                        if key.name == "submit.headers" || secret.contains(name) {
                            MASK.clone_into(value);
                        }
                    }
                }
                if let (Value::Text(url), "submit.url") = (&mut value, key.name) {
                    *url = masked(url);
                }
                Some(Setting {
                    section: section.to_owned(),
                    key: key.name,
                    value: value.to_toml(),
                    origin,
                })
            })
            .collect()
    }
}

/// Takes `.` and `..` out of a path by its text, so that folders can be compared before they exist.
fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    //! A mistyped key once meant that sources were deleted after three days instead of kept for ten years; every key is
    //! refused by name when it is unknown or out of its range, and nothing is guessed.

    use super::*;

    const MINIMAL: &str = "[[converter]]\nname = \"ICT\"\ncommand = [\"ict\", \"{input}\"]\n";

    fn parse(text: &str) -> Result<Config, ConfigErrors> {
        Config::parse(text, Path::new("/etc/annals/host.toml"))
    }

    fn problems(text: &str) -> Vec<(usize, String)> {
        let errors = parse(text).expect_err("refused");
        let of = |problem: Problem| (problem.line, problem.message);
        errors.problems.into_iter().map(of).collect()
    }

    #[test]
    fn the_documented_example_loads() {
        let config = parse(include_str!("../../docs/host.example.toml")).expect("valid");
        let one = &config.converters[0];
        assert_eq!(one.converter.mode, Mode::Worker);
        assert_eq!(one.archive.retention, Retention::days(365));
        assert_eq!(one.retry.max_attempts, 3);
        assert_eq!(config.min_free_disk, 5 << 30);
        assert_eq!(
            one.submit.as_ref().map(|s| s.timeout),
            Some(Duration::from_secs(30))
        );
        assert!(one.takes("a.CSV") && !one.takes("a.tmp") && !one.takes(".a.csv"));
    }

    #[test]
    fn what_other_machines_can_reach_must_be_allowed_and_nothing_listens_unasked() {
        assert_eq!(parse(MINIMAL).expect("valid").listen, None);
        let open = "[host]\nlisten = \"0.0.0.0:9100\"\n";
        let told = problems(open);
        assert!(told[0].1.contains("listen_openly = true"), "{told:?}");
        let allowed = parse(&format!("{open}listen_openly = true\n")).expect("valid");
        assert_eq!(allowed.listen.map(|address| address.port()), Some(9100));
    }

    /// A limit takes what a retention keeps. One that nobody wrote must not.
    #[test]
    fn a_limit_on_size_counts_only_where_the_file_states_it() {
        let limit = |text: &str| parse(text).expect("valid").converters[0].archive.max_size;
        assert_eq!(limit(MINIMAL), None);
        let stated = format!("{MINIMAL}max_archive_size_gb = 10.0\n");
        assert_eq!(limit(&stated), Some(10 << 30));
        let for_all = format!("[defaults]\nmax_archive_size_gb = 10.0\n{MINIMAL}");
        assert_eq!(limit(&for_all), Some(10 << 30));
        assert_eq!(limit(&format!("{for_all}max_archive_size_gb = 0\n")), None);
    }

    #[test]
    fn no_size_is_a_limit_too_small_to_be_meant_and_zero_is_none() {
        let sized = |size: &str| parse(&format!("{MINIMAL}max_archive_size_gb = {size}\n"));
        let limit = |config: Config| config.converters[0].archive.max_size;
        assert_eq!(limit(sized("0").expect("valid")), None);
        let told = sized("0.05").expect_err("refused").problems;
        assert!(
            told[0].message.contains("0, or a number from 0.1 to 1000"),
            "{told:?}"
        );
    }

    #[test]
    fn an_old_file_without_archive_keys_gets_the_plans_defaults() {
        let config = parse(MINIMAL).expect("valid");
        let expected = ArchiveSettings {
            enabled: false,
            unarchivable: Unarchivable::Waits,
            source_files: true,
            output_reports: true,
            folder: None,
            retention: Retention::days(90),
            max_size: None,
            max_count: None,
            compression_level: 6,
        };
        assert_eq!(config.converters[0].archive, expected);
        assert_eq!(config.defaults, expected);
        assert_eq!(config.converters[0].post_process, PostAction::Keep);
    }

    #[test]
    fn a_key_is_refused_just_outside_its_range_and_taken_at_its_ends() {
        let below = |key: &schema::Key, value: &str| {
            let (section, name) = (key.section, key.name);
            let body = match name.split_once('.') {
                Some(("submit", key)) => {
                    format!("{MINIMAL}[converter.submit]\nurl = \"http://x\"\n{key} = {value}\n")
                }
                Some((table, key)) => format!("{MINIMAL}{table} = {{ {key} = {value} }}\n"),
                None if section == "converter" => format!("{MINIMAL}{name} = {value}\n"),
                None => format!("[{section}]\n{name} = {value}\n"),
            };
            parse(&body)
        };
        let mut checked = 0;
        for key in KEYS {
            let (good, bad): (Vec<String>, Vec<String>) = match key.kind {
                schema::Kind::Whole(min, max) => (
                    vec![min.to_string(), max.to_string()],
                    vec![
                        (min - 1).to_string(),
                        (max + 1).to_string(),
                        "\"x\"".into(),
                        "1.5".into(),
                    ],
                ),
                schema::Kind::Days(min, max) => (
                    vec![min.to_string(), max.to_string(), "\"forever\"".into()],
                    vec![
                        (min - 1).to_string(),
                        (max + 1).to_string(),
                        "\"never\"".into(),
                    ],
                ),
                schema::Kind::NumberOrZero(min, max) => (
                    vec!["0".into(), format!("{min:?}"), format!("{max:?}")],
                    vec![
                        "-1".into(),
                        format!("{:?}", min - 0.01),
                        format!("{:?}", max + 0.01),
                    ],
                ),
                schema::Kind::Number(min, max) => (
                    vec![format!("{min:?}"), format!("{max:?}")],
                    vec![
                        format!("{:?}", min - 0.01),
                        format!("{:?}", max + 0.01),
                        "nan".into(),
                        "inf".into(),
                        "true".into(),
                    ],
                ),
                schema::Kind::Flag => (
                    vec!["true".into(), "false".into()],
                    vec!["\"yes\"".into(), "1".into()],
                ),
                schema::Kind::Words(_) => (Vec::new(), vec!["\"burn\"".into(), "3".into()]),
                schema::Kind::Texts => (Vec::new(), vec!["\"x\"".into(), "[1]".into()]),
                schema::Kind::Address => (
                    vec!["\"[::1]:80\"".into()],
                    vec!["\"localhost\"".into(), "80".into()],
                ),
                schema::Kind::Text if key.name != "name" => (Vec::new(), vec!["7".into()]),
                schema::Kind::TextMap => (Vec::new(), vec!["[]".into()]),
                schema::Kind::Text | schema::Kind::Url => continue,
            };
            // The minimal converter has these already.
            if matches!(key.name, "command" | "name") {
                continue;
            }
            for value in good {
                let read = below(key, &value);
                assert!(read.is_ok(), "{} = {value}: {read:?}", key.name);
            }
            for value in bad {
                let errors = below(key, &value).expect_err(key.name);
                let message = &errors.problems[0].message;
                assert!(
                    message.contains(key.name) && message.contains(&key.kind.words()),
                    "{message}"
                );
            }
            checked += 1;
        }
        assert!(checked > 25, "{checked}");
    }

    #[test]
    fn an_explicit_zero_false_or_empty_wins_over_the_defaults() {
        let text = "[defaults]\narchive_enabled = true\nmax_archive_count = 5\nsettle_s = 9\nerror_folder = \"e\"\nretention_years = 10\n\
                    [[converter]]\nname = \"a\"\ncommand = [\"x\", \"{input}\"]\n\
                    [[converter]]\nname = \"b\"\ncommand = [\"x\", \"{input}\"]\narchive_enabled = false\nmax_archive_count = 0\nsettle_s = 0\nerror_folder = \"\"\nretention_years = 0\n";
        let config = parse(text).expect("valid");
        let [a, b] = &config.converters[..] else {
            panic!("two converters")
        };
        assert!(a.archive.enabled && !b.archive.enabled);
        assert_eq!((a.archive.max_count, b.archive.max_count), (Some(5), None));
        assert_eq!((a.settle.as_secs(), b.settle.as_secs()), (9, 0));
        assert_eq!(a.error_folder.as_deref(), Some(Path::new("/etc/annals/e")));
        assert_eq!(b.error_folder, None);
        assert_eq!(a.archive.retention.to_string(), "90d10y");
        assert_eq!(b.archive.retention.to_string(), "90d");
        let origin = |section: &str| {
            let of = |setting: &&Setting| setting.section == section && setting.key == "settle_s";
            config.settings().iter().find(of).map(|s| s.origin)
        };
        assert_eq!(origin("converter \"a\""), Some(Origin::Defaults(4)));
        assert_eq!(origin("converter \"b\""), Some(Origin::Line(15)));
    }

    #[test]
    fn unknown_keys_are_told_with_their_line_and_what_was_meant() {
        let text = format!(
            "[hots]\n[host]\nmax_concurent = 2\n{MINIMAL}watch_foldr = \"x\"\nmax_concurrent = 3\nretry = {{ delay = 3 }}\ncolour = 1\n[defaults]\nname = \"x\"\n"
        );
        assert_eq!(
            problems(&text),
            [
                (1, "there is no [hots]; did you mean [host]?".to_owned()),
                (
                    3,
                    "[host]: there is no 'max_concurent'; did you mean 'max_concurrent'?"
                        .to_owned()
                ),
                (
                    7,
                    "converter 'ICT': there is no 'watch_foldr'; did you mean 'watch_folder'?"
                        .to_owned()
                ),
                (
                    8,
                    "converter 'ICT': 'max_concurrent' belongs in [host]".to_owned()
                ),
                (
                    9,
                    "converter 'ICT': there is no 'retry.delay'; did you mean 'retry.delay_s'?"
                        .to_owned()
                ),
                (10, "converter 'ICT': there is no 'colour'".to_owned()),
                (
                    12,
                    "[defaults]: name must be given for each converter".to_owned()
                ),
            ]
        );
    }

    /// A mistyped scheme had the whole address told: on the terminal, in the log and in the status of a host, with the
    /// password and the key that stood in it.
    #[test]
    fn a_value_that_may_hold_a_secret_is_refused_without_being_told() {
        for wrong in [
            "[converter.submit]\nurl = \"htps://me:PASSWORD-77@wats.example/api?key=PASSWORD-77\"\n",
            "[converter.submit]\nurl = \"me:PASSWORD-77@wats.example\"\n",
            "[converter.submit]\nurl = \"http://me:PASSWORD-77@wats.example/a b\"\n",
            "[converter.submit]\nurl = [\"PASSWORD-77\"]\n",
            "[converter.submit]\nurl = \"http://x\"\nheaders = \"Basic PASSWORD-77\"\n",
            "[converter.submit]\nurl = \"http://x\"\nheaders = { a = [\"PASSWORD-77\"] }\n",
            "[converter.submit]\nurl = \"http://x\"\nheaders = { a = \"${PASSWORD-77\" }\n",
            "[converter.submit]\nurl = \"http://me:PASSWORD-77@x\n",
            "arguments = \"token=PASSWORD-77\"\nsecret_arguments = [\"token\"]\n",
        ] {
            let told = problems(&format!("{MINIMAL}{wrong}"));
            assert!(!told.is_empty(), "{wrong}");
            assert!(!format!("{told:?}").contains("PASSWORD-77"), "{told:?}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (more, said) in [
            ("post_process = \"archive\"\n", "needs archive_enabled"),
            ("post_process = \"move\"\n", "needs a done_folder"),
            (
                "watch_folder = \"in\"\ndone_folder = \"in/done\"\n",
                "inside the watched folder",
            ),
            (
                "watch_folder = \"in\"\nerror_folder = \"x/../in\"\n",
                "inside the watched folder",
            ),
            ("bundle = [\"../x\"]\n", "below the configuration's folder"),
            ("patterns = [\"[\"]\n", "is no pattern"),
            (
                "[[converter]]\nname = \"ICT\"\ncommand = [\"x\", \"{input}\"]\n",
                "two converters 'ICT'",
            ),
            (
                "[[converter]]\nname = \"b\"\ncommand = [\"x\"]\n",
                "{input}",
            ),
            ("[[converter]]\nname = \"b\"\n", "must name a program"),
            (
                "[[converter]]\ncommand = [\"x\", \"{input}\"]\n",
                "needs a name",
            ),
            ("[converter.submit]\nurl = \"ftp://x\"\n", "http://"),
            (
                "[converter.submit]\nurl = \"http://x\"\nheaders = { \"a b\" = \"c\" }\n",
                "is no header",
            ),
            (
                "[converter.submit]\nurl = \"http://x\"\nheaders = { a = \"${X\" }\n",
                "open",
            ),
        ] {
            let found = problems(&format!("{MINIMAL}{more}"));
            assert!(
                found.iter().any(|(_, text)| text.contains(said)),
                "{more}: {found:?}"
            );
        }
    }

    #[test]
    fn broken_toml_is_one_problem_at_its_line() {
        let found = problems("[host]\nmax_concurrent = \n[store]\n");
        assert_eq!(found[0].0, 2);
        assert!(found[0].1.contains("not TOML"), "{found:?}");
        assert!(
            problems("[converter]\nname = \"x\"\n")[0]
                .1
                .contains("[[converter]]")
        );
    }

    #[test]
    fn a_marker_is_a_plain_name_and_makes_its_converter_one_of_folders() {
        let config = parse(&format!("{MINIMAL}complete_marker = \"COMPLETE.marker\"\n"));
        let one = &config.expect("valid").converters[0];
        assert_eq!(one.converter.takes, Takes::Folders);
        assert_eq!(one.complete_marker.as_deref(), Some("COMPLETE.marker"));
        let none = &parse(&format!("{MINIMAL}complete_marker = \"\"\n"))
            .expect("valid")
            .converters[0];
        assert_eq!(
            (&none.converter.takes, &none.complete_marker),
            (&Takes::Files, &None)
        );
        for wrong in ["..", ".", "a/b", "/done", "a\\\\b", "done "] {
            let told = problems(&format!("{MINIMAL}complete_marker = \"{wrong}\"\n"));
            assert_eq!(told[0].0, 4);
            assert!(
                told[0].1.contains("converter 'ICT': complete_marker:"),
                "{told:?}"
            );
        }
        let inherited = parse(&format!("[defaults]\ncomplete_marker = \"x\"\n{MINIMAL}"));
        let one = &inherited.expect("valid").converters[0];
        assert_eq!(one.complete_marker.as_deref(), Some("x"));
    }

    /// A pattern that was typed on one system did not fit the names that another wrote, and the
    /// files stayed where they were.
    #[test]
    fn a_pattern_takes_a_name_in_whichever_way_its_letters_are_written() {
        let of = |pattern: &str| {
            let config = parse(&format!("{MINIMAL}patterns = [\"{pattern}\"]\n")).expect("valid");
            config.converters[0].clone()
        };
        for pattern in ["Pr\u{fc}f*.csv", "Pru\u{308}f*.CSV"] {
            let config = of(pattern);
            assert!(config.takes("Pr\u{fc}f1.csv"), "{pattern}");
            assert!(config.takes("PRU\u{308}F1.csv"), "{pattern}");
            assert!(!config.takes("Pr\u{fc}f1.txt"), "{pattern}");
        }
    }

    #[test]
    fn overlapping_patterns_in_one_folder_are_a_warning() {
        let text = format!(
            "{MINIMAL}watch_folder = \"in\"\npatterns = [\"*.csv\"]\n[[converter]]\nname = \"b\"\ncommand = [\"x\", \"{{input}}\"]\nwatch_folder = \"./in\"\npatterns = [\"*.log\", \"*\"]\n"
        );
        let config = parse(&text).expect("valid");
        assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    }

    #[test]
    fn secrets_are_in_no_setting_and_a_missing_variable_matters_only_when_used() {
        let text = format!(
            "{MINIMAL}arguments = {{ token = \"s3cret\", operation = 10 }}\nsecret_arguments = [\"token\"]\n[converter.submit]\nurl = \"http://me:s3cret@x?k=s3cret\"\nheaders = {{ Authorization = \"Basic ${{ANNALS_TEST_NOT_SET}}\" }}\n"
        );
        let config = parse(&text).expect("valid");
        let shown = format!("{config:?} {}", config.section("converter \"ICT\""));
        assert!(
            !shown.contains("s3cret") && !shown.contains("Basic"),
            "{shown}"
        );
        assert!(shown.contains("operation"));
        let submit = config.converters[0].submit.as_ref().expect("given");
        let missing = submit.reveal().err().map(|error| error.to_string());
        assert!(missing.is_some_and(|error| error.contains("ANNALS_TEST_NOT_SET")));
    }

    #[test]
    fn the_digest_follows_values_and_not_spelling() {
        let spaced = MINIMAL.replace(" = ", "   =   ");
        let digest = |text: &str| parse(text).expect("valid").digest();
        assert_eq!(
            digest(MINIMAL),
            digest(&format!("# comment\n{spaced}settle_s = 2.0\n"))
        );
        assert_ne!(digest(MINIMAL), digest(&format!("{MINIMAL}settle_s = 3\n")));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for text in [
            "\u{feff}",
            "=",
            "[",
            "[[converter]]",
            "converter = 1",
            "a.b.c = 1",
            "\0",
        ] {
            let _ = parse(text);
        }
    }
}
