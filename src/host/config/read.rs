//! Reads the host's configuration from its file and reports all of its problems at once.
use std::path::Path;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::schema::{Inherited, KEYS, find, unknown_key, unknown_section};
use super::scope::{Scope, Values, archive_settings};
use super::settings::{Config, ConfigErrors, EvidenceSettings, LogFormat, Problem, RetentionCare};
use crate::event::PersonalField;
use crate::{Error, ErrorKind, Result};

/// Maximum bytes of a configuration file.
const CONFIG_BYTES_MAX: u64 = 4 << 20;

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `Invalid` with every problem and its line; `NotFound` and `Io` when the file cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Ok(Self::parse(&text_of(path)?, path)?)
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
}

/// Returns the text of a configuration file.
pub(super) fn text_of(path: &Path) -> Result<String> {
    let failed = |error| Error::io("read the configuration", path, error);
    let size = path.metadata().map_err(failed)?.len();
    if size > CONFIG_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("{} is too large for a configuration", path.display()),
        ));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(
            ErrorKind::Invalid,
            format!("{} is not UTF-8 at byte {at}", path.display()),
        )
    })
}

pub(in crate::host) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    pub(in crate::host) fn problem(&mut self, line: usize, message: impl Into<String>) {
        self.problems.push(Problem {
            line,
            message: message.into(),
            section: None,
            key: None,
        });
    }

    /// Records a problem with one key of a section.
    pub(super) fn problem_of(
        &mut self,
        line: usize,
        section: &str,
        key: &str,
        message: impl Into<String>,
    ) {
        self.problems.push(Problem {
            line,
            message: message.into(),
            section: Some(section.to_owned()),
            key: Some(key.to_owned()),
        });
    }

    fn read(&mut self, path: &Path, dir: &Path) -> Config {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = self.line(error.span().map_or(0, |span| span.start));
            self.problem(line, format!("this is not TOML: {}", error.message()));
        }
        let mut store = Values::new();
        let mut evidence = Values::new();
        let mut privacy = Values::new();
        let mut host = Values::new();
        let mut defaults = Values::new();
        let mut converters: Vec<(usize, Values)> = Vec::new();
        let mut classes: Vec<(usize, Values)> = Vec::new();
        // After a syntax error, further problems would be guesses and only confuse.
        let document = if self.problems.is_empty() {
            document.into_inner()
        } else {
            DeTable::new()
        };
        for (name, value) in &document {
            let line = self.line(name.span().start);
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("store", DeValue::Table(table)) => {
                    self.table("store", &Place::of("store"), table, "", &mut store);
                }
                ("evidence", DeValue::Table(table)) => {
                    self.table("evidence", &Place::of("evidence"), table, "", &mut evidence);
                }
                ("privacy", DeValue::Table(table)) => {
                    self.table("privacy", &Place::of("privacy"), table, "", &mut privacy);
                }
                ("host", DeValue::Table(table)) => {
                    self.table("host", &Place::of("host"), table, "", &mut host);
                }
                ("defaults", DeValue::Table(table)) => {
                    self.table(
                        "converter",
                        &Place::of("defaults"),
                        table,
                        "",
                        &mut defaults,
                    );
                }
                ("converter", DeValue::Array(list)) => {
                    for item in list {
                        let line = self.line(item.span().start);
                        let DeValue::Table(table) = item.get_ref() else {
                            self.problem(line, "a converter must be a [[converter]] table");
                            continue;
                        };
                        let named = table.get("name").and_then(|name| name.get_ref().as_str());
                        let place = Place::listed("converter", named, converters.len());
                        let mut values = Values::new();
                        self.table("converter", &place, table, "", &mut values);
                        converters.push((line, values));
                    }
                }
                ("retention", value) => classes.extend(self.class_tables(line, value)),
                ("converter", _) => {
                    self.problem(
                        line,
                        "converters are written [[converter]], with two brackets",
                    );
                }
                (section @ ("store" | "evidence" | "privacy" | "host" | "defaults"), _) => {
                    self.problem(line, format!("[{section}] must be a table"));
                }
                (unknown, _) => {
                    let message = unknown_section(unknown);
                    self.problem(line, message);
                }
            }
        }
        self.build(
            path,
            dir,
            [&store, &evidence, &privacy, &host],
            &defaults,
            &converters,
            &classes,
        )
    }

    pub(super) fn table(
        &mut self,
        section: &'static str,
        place: &Place,
        table: &DeTable<'_>,
        prefix: &str,
        values: &mut Values,
    ) {
        for (name, value) in table {
            let line = self.line(name.span().start);
            let full = format!("{prefix}{}", name.get_ref());
            let inner = format!("{full}.");
            let has_inner = KEYS
                .iter()
                .any(|key| key.section == section && key.name.starts_with(&inner));
            let is_inner = has_inner && value.get_ref().is_table();
            if let Some(key) = find(section, &full).filter(|_| !is_inner) {
                if place.section == "defaults" && key.inherited == Inherited::No {
                    let why = format!("[defaults]: {full} must be given for each converter");
                    self.problem_of(line, &place.section, &full, why);
                    continue;
                }
                match key.kind.read(value.get_ref()) {
                    Ok(value) => {
                        values.insert(key.name, (value, line));
                    }
                    Err(found) => {
                        let must = key.kind.words();
                        let why = format!("{}: {full} must be {must}, not {found}", place.words);
                        self.problem_of(line, &place.section, &full, why);
                    }
                }
            } else if has_inner {
                match value.get_ref() {
                    DeValue::Table(table) => self.table(section, place, table, &inner, values),
                    _ => {
                        let why = format!("{}: {full} must be a table", place.words);
                        self.problem_of(line, &place.section, &full, why);
                    }
                }
            } else {
                let message = unknown_key(section, &place.words, &full);
                self.problem_of(line, &place.section, &full, message);
            }
        }
    }

    fn build(
        &mut self,
        path: &Path,
        dir: &Path,
        [store, evidence, privacy, host]: [&Values; 4],
        defaults: &Values,
        converters: &[(usize, Values)],
        classes: &[(usize, Values)],
    ) -> Config {
        let none = Values::new();
        let scope = |section, own, defaults| Scope {
            section,
            own,
            defaults,
            dir,
        };
        let in_store = scope("store", store, &none);
        let in_evidence = scope("evidence", evidence, &none);
        let in_privacy = scope("privacy", privacy, &none);
        let in_host = scope("host", host, &none);
        let in_defaults = scope("converter", &none, defaults);
        let mut settings = in_store.settings("store");
        settings.extend(in_evidence.settings("evidence"));
        settings.extend(in_privacy.settings("privacy"));
        settings.extend(in_host.settings("host"));
        let mut config = Config {
            path: path.to_owned(),
            dir: dir.to_owned(),
            store: in_store.folder("path"),
            evidence: EvidenceSettings {
                key_file: in_evidence.folder("key_file"),
                publish: in_evidence.folder("publish"),
                timestamp_url: Some(in_evidence.text("timestamp_url"))
                    .filter(|url| !url.is_empty()),
                record_access: in_evidence.flag("record_access"),
            },
            personal: self.personal(&in_privacy),
            listen: in_host.text("listen").parse().ok(),
            listen_names: in_host.texts("listen_names"),
            tls: in_host
                .folder("tls_certificate")
                .zip(in_host.folder("tls_key")),
            token_file: in_host.folder("token_file"),
            max_concurrent: in_host.whole("max_concurrent"),
            min_free_disk: in_host.gibibytes("min_free_disk_gb"),
            scan_every: in_host.seconds("scan_every_s"),
            stop_within: in_host.seconds("stop_within_s"),
            retention_every: Some(in_host.number("retention_every_h"))
                .filter(|hours| *hours > 0.0)
                .and_then(|hours| Duration::try_from_secs_f64(hours * 3600.0).ok()),
            retention_care: RetentionCare {
                grace: days(in_host.number("retention_grace_days")),
                ask_above_percent: in_host.whole("retention_ask_above_percent"),
                ask_after: Some(days(in_host.number("retention_ask_after_days")))
                    .filter(|time| !time.is_zero()),
                wait: days(in_host.number("retention_wait_h") / 24.0),
            },
            log: match in_host.text("log").as_str() {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            defaults: archive_settings(&in_defaults),
            converters: Vec::new(),
            retention: self.classes(classes),
            warnings: Vec::new(),
            settings: Vec::new(),
        };
        self.check_listening(&config, &in_host);
        let mut lines = Vec::new();
        for (line, values) in converters {
            let scope = scope("converter", values, defaults);
            let built = self.converter(&scope, &in_host, *line);
            settings.extend(scope.settings(&format!("converter \"{}\"", built.converter.name)));
            lines.push(*line);
            config.converters.push(built);
        }
        for (class, (_, values)) in config.retention.iter().zip(classes) {
            let scope = scope("retention", values, &none);
            settings.extend(scope.settings(&format!("retention \"{}\"", class.name)));
        }
        self.cross_check(&mut config, &lines, converters);
        config.settings = settings;
        config
    }

    /// Refuses an address that other machines reach without saying who may look, and half of a
    /// certificate.
    fn check_listening(&mut self, config: &Config, in_host: &Scope<'_>) {
        if let Some(address) = config.listen
            && !address.ip().is_loopback()
            && config.tls.is_none()
            && !in_host.flag("listen_openly")
        {
            let line = in_host.line("listen").unwrap_or(1);
            self.problem_of(
                line,
                "host",
                "listen",
                format!("[host]: listen: other machines can reach {address}, and what is asked there could be read on the way; tls_certificate and tls_key allow it, or listen_openly = true for /healthz and /metrics alone"),
            );
        }
        for (one, other) in [
            ("tls_certificate", "tls_key"),
            ("tls_key", "tls_certificate"),
        ] {
            if in_host.folder(one).is_some() && in_host.folder(other).is_none() {
                let line = in_host.line(one).unwrap_or(1);
                self.problem_of(line, "host", one, format!("[host]: {one} needs {other}"));
            }
        }
    }

    /// Returns the personal fields; one that cannot be personal is a problem.
    fn personal(&mut self, scope: &Scope<'_>) -> Vec<PersonalField> {
        let mut fields = Vec::new();
        for name in scope.texts("personal") {
            match name.parse() {
                Ok(field) => fields.push(field),
                Err(error) => {
                    let line = scope.line("personal").unwrap_or(1);
                    let why = format!("[privacy]: personal: {error}");
                    self.problem_of(line, "privacy", "personal", why);
                }
            }
        }
        fields
    }
}

/// A section of the file, as problems name it and as settings do.
pub(super) struct Place {
    words: String,
    section: String,
}

impl Place {
    /// Returns the place of a section that is there once.
    fn of(section: &str) -> Self {
        Self {
            words: format!("[{section}]"),
            section: section.to_owned(),
        }
    }

    /// Returns the place of one of several sections, by its name if it has one; `before` come
    /// before it.
    pub(super) fn listed(kind: &str, name: Option<&str>, before: usize) -> Self {
        Self {
            words: match name {
                Some(name) => format!("{kind} '{name}'"),
                None => format!("{kind} {}", before + 1),
            },
            section: format!("{kind} \"{}\"", name.unwrap_or_default()),
        }
    }
}

/// Returns a number of days that the schema has checked.
fn days(days: f64) -> Duration {
    Duration::try_from_secs_f64(days * 86_400.0).unwrap_or_default()
}
