//! Changes values of a configuration file, several at once, and keeps its comments and order.

use std::fs;
use std::path::PathBuf;

use toml::de::DeValue;
use toml_edit::DocumentMut;

use super::schema::{Key, Kind, find};
use super::settings::{Config, ConfigErrors, Problem, Setting, as_json_if_any};
use crate::convert::MASK;
use crate::{Error, ErrorKind, Result};

mod document;
mod replace;
mod target;

use target::{SectionRef, Target};

/// One value that is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `CONVERTER.KEY`, or `store.KEY`, `host.KEY`, `defaults.KEY` and so on.
    pub target: String,
    /// The value: a text literally, a list or table as TOML. `None` takes the key out of the file,
    /// so that its default is in force.
    pub value: Option<String>,
}

impl Change {
    /// Returns a change that sets a value.
    pub fn set(target: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            value: Some(value.into()),
        }
    }

    /// Returns a change that takes a key out of the file.
    pub fn unset(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            value: None,
        }
    }
}

/// Changes that have been checked and are not written yet.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The configuration file.
    pub path: PathBuf,
    /// What changes, in the order in which it was asked for.
    pub changes: Vec<ChangedValue>,
    /// The configuration after the changes.
    pub config: Config,
    before: String,
    after: String,
}

/// One value before and after an edit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ChangedValue {
    /// `store`, `host`, `defaults` or `converter "NAME"`, and so on.
    pub section: String,
    /// The key that changes, or the key and entry of a table of texts.
    pub key: String,
    /// The value before the change, with secrets masked. For `defaults` it is the text in the file.
    #[serde(serialize_with = "as_json_if_any")]
    pub old: Option<String>,
    /// The value after the change, with secrets masked.
    #[serde(serialize_with = "as_json_if_any")]
    pub new: Option<String>,
    /// Whether the file changes. Old and new can be equal all the same: when only a secret changes,
    /// or when the file states a default now.
    pub changed: bool,
}

/// The bytes of a configuration file, by their hash. Whoever edits names what they have seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    fn of(text: &str) -> Self {
        Self(blake3::hash(text.as_bytes()).to_hex()[..32].to_owned())
    }

    /// Returns the revision as text, to be compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A configuration as it stands in its file.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The configuration.
    pub config: Config,
    /// The bytes that it was read from.
    pub revision: Revision,
    text: String,
}

impl Draft {
    /// Reads a configuration file to edit it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let text = super::read::text_of(&path)?;
        Ok(Self {
            config: Config::parse(&text, &path)?,
            revision: Revision::of(&text),
            text,
        })
    }

    /// Checks that the file may be written to.
    ///
    /// # Errors
    /// `ReadOnly` and `Io`, with the reason.
    pub fn can_write(&self) -> Result<()> {
        replace::open(&self.config.path).map(drop)
    }

    /// Returns what `[defaults]` states for a key, masked where it may hold secrets, and the line.
    pub fn stated_default(&self, key: &str) -> Option<(String, usize)> {
        let key = find("converter", key)?;
        let value = standing(&self.text, key, key.name)?;
        // A default that every converter overrides is nobody's origin, so its line is looked up.
        let line = document::line_of(&self.text, key.name)?;
        Some((value, line))
    }

    /// Refuses changes that a visitor of the page or a program must not make: those of keys that
    /// decide which programs run and with which rights, and new references to secrets, which could
    /// hand out any file that the host can read.
    ///
    /// # Errors
    /// `Refused` with each problem.
    pub fn refuse_by_hand(&self, changes: &[Change]) -> Result<()> {
        let mut problems = Vec::new();
        for change in changes {
            let Ok(target) = self.config.target(&change.target) else {
                continue;
            };
            let Ok((key, entry)) = target.key() else {
                continue;
            };
            let why = if key.is_by_hand() {
                "decides which programs run, where reports go or who may look: change it in the \
                 file, or with `annals config set`"
            } else if refers(change, &key.kind)
                && change.value != document::secret(&self.text, &target, entry)
            {
                "refers to a secret with ${…}: write it in the file, or with `annals config set`"
            } else {
                continue;
            };
            problems.push(self.problem(&target, key, why.to_owned()));
        }
        if problems.is_empty() {
            return Ok(());
        }
        let told: Vec<&str> = problems.iter().map(|one| one.message.as_str()).collect();
        let told = told.join("; ");
        Err(Error::new(ErrorKind::Refused, told)
            .hint("nothing was written")
            .caused_by(ConfigErrors {
                path: self.config.path.clone(),
                problems,
            }))
    }

    /// Prepares changes of the file, all or none. Nothing is written yet.
    ///
    /// A secret that comes back masked, as it was shown, stays as it is.
    ///
    /// # Errors
    /// `NotFound` for an unknown converter; `Invalid` for unknown keys, values out of their range,
    /// and changes that would make the configuration as a whole invalid. All problems are told at
    /// once: the source of the error is a [`ConfigErrors`].
    pub fn edit(&self, changes: &[Change]) -> Result<Edit> {
        let mut document = Document::of(&self.text)?;
        let mut problems = Vec::new();
        let mut unknown = Vec::new();
        let mut changed = Vec::new();
        for change in changes {
            let found = self.config.target(&change.target);
            let (target, key, entry) = match found.and_then(|target| {
                let (key, entry) = target.key()?;
                Ok((target, key, entry))
            }) {
                Ok(found) => found,
                Err(error) => {
                    unknown.push((&change.target, error));
                    continue;
                }
            };
            let value = match &change.value {
                None => Ok(None),
                Some(value) => self.written(&target, key, entry, value).map(Some),
            };
            let before = document.text();
            let put = match value {
                Ok(Some(Written::Unchanged)) => Ok(()),
                Ok(Some(Written::Toml(value))) => {
                    document::set(&mut document.tables, &target, &value)
                }
                Ok(None) => document::unset(&mut document.tables, &target),
                Err(why) => {
                    problems.push(self.problem(&target, key, why));
                    continue;
                }
            };
            put?;
            changed.push((target, key, before != document.text()));
        }
        if unknown.len() == 1 && changes.len() == 1 {
            return Err(unknown.remove(0).1);
        }
        problems.extend(unknown.into_iter().map(|(target, error)| Problem {
            line: 1,
            message: error.message().to_owned(),
            section: None,
            key: Some(target.clone()),
        }));
        let after = document.whole();
        let next = match Config::parse(&after, &self.config.path) {
            Ok(next) => Some(next),
            Err(errors) => {
                problems.extend(errors.problems);
                None
            }
        };
        let Some(next) = next.filter(|_| problems.is_empty()) else {
            return Err(refusal(ConfigErrors {
                path: self.config.path.clone(),
                problems,
            }));
        };
        let values = changed.into_iter();
        let values = values.map(|(target, key, is_new)| {
            let section = target.place.section();
            let (old, new) = match target.place {
                // A value of `[defaults]` is no setting, so it is shown as it stands in the file.
                SectionRef::Section("defaults") => (
                    standing(&self.text, key, target.path),
                    standing(&after, key, target.path),
                ),
                _ => (
                    value_in(&self.config, &section, key.name),
                    value_in(&next, &section, key.name),
                ),
            };
            ChangedValue {
                key: target.path.to_owned(),
                section,
                old,
                new,
                changed: is_new,
            }
        });
        Ok(Edit {
            path: self.config.path.clone(),
            changes: values.collect(),
            config: next,
            before: self.text.clone(),
            after,
        })
    }

    /// Returns `value` as TOML. The error says what is wrong with it.
    fn written(
        &self,
        target: &Target<'_>,
        key: &Key,
        entry: Option<&str>,
        value: &str,
    ) -> Result<Written, String> {
        let stands = |name: Option<&str>| document::secret(&self.text, target, name);
        if key.kind.may_hold_secrets() && value.contains(MASK) {
            let is_shown = match (entry, key.kind) {
                (Some(_), _) => value == MASK,
                (None, Kind::Url) => {
                    let shown = value_in(&self.config, &target.place.section(), key.name);
                    shown == Some(quoted(value))
                }
                (None, _) => false,
            };
            if is_shown {
                return match stands(entry) {
                    Some(_) => Ok(Written::Unchanged),
                    None => Err(format!("{MASK} stands for a secret that is not there")),
                };
            }
        }
        let must = || match entry {
            Some(_) => "a text".to_owned(),
            None => key.kind.words(),
        };
        let text = toml_of(key, entry, value)
            .map_err(|found| format!("must be {}, not {found}", must()))?;
        if matches!(key.kind, Kind::TextMap) && entry.is_none() && text.contains(MASK) {
            return document::unmask(&text, |name| stands(Some(name))).map(Written::Toml);
        }
        Ok(Written::Toml(text))
    }

    /// Returns the problem with a value that cannot be written, at the line where the key stands.
    fn problem(&self, target: &Target<'_>, key: &Key, why: String) -> Problem {
        let section = target.place.section();
        let line = self.config.settings().iter().find_map(|setting| {
            let is_it = setting.section == section && setting.key == key.name;
            is_it.then(|| setting.origin.line()).flatten()
        });
        Problem {
            line: line.unwrap_or(1),
            message: format!("{}: {} {why}", target.place.words(), target.path),
            section: Some(section),
            key: Some(target.path.to_owned()),
        }
    }
}

/// Tells whether a value would be replaced by that of a variable, a file or a credential.
fn refers(change: &Change, kind: &Kind) -> bool {
    let value = change.value.as_deref().unwrap_or_default();
    kind.may_hold_secrets() && value.contains("${")
}

/// A value as it is to stand in the file.
enum Written {
    Toml(String),
    /// A secret came back as it was shown.
    Unchanged,
}

/// A file taken apart: its mark, its line ends, its tables.
struct Document {
    mark: &'static str,
    has_crlf: bool,
    tables: DocumentMut,
}

impl Document {
    fn of(text: &str) -> Result<Self> {
        let body = text.strip_prefix('\u{feff}');
        let mark = if body.is_some() { "\u{feff}" } else { "" };
        let body = body.unwrap_or(text);
        let tables = body.replace("\r\n", "\n").parse().map_err(|error| {
            Error::new(ErrorKind::Invalid, format!("this is not TOML: {error}"))
        })?;
        Ok(Self {
            mark,
            has_crlf: body.contains("\r\n"),
            tables,
        })
    }

    fn text(&self) -> String {
        document::text(&self.tables)
    }

    fn whole(&self) -> String {
        let mut text = self.text();
        if self.has_crlf {
            text = text.replace('\n', "\r\n");
        }
        format!("{}{text}", self.mark)
    }
}

impl Config {
    /// Prepares to change one value of the configuration file. Nothing is written yet.
    ///
    /// `target` is `CONVERTER.KEY`, `store.KEY`, `host.KEY` or `defaults.KEY`. Texts are taken
    /// literally; lists and tables are TOML.
    ///
    /// # Errors
    /// As [`Draft::edit`].
    pub fn edit(&self, target: &str, value: &str) -> Result<Edit> {
        Draft::load(&self.path)?.edit(&[Change::set(target, value)])
    }
}

impl Edit {
    /// Returns true when the edit changes the file.
    pub fn changes_file(&self) -> bool {
        self.before != self.after
    }

    /// Returns the text of the file after the edit.
    pub fn text(&self) -> &str {
        &self.after
    }

    /// Returns the revision of the file after the edit.
    pub fn revision(&self) -> Revision {
        Revision::of(&self.after)
    }

    /// Replaces the file atomically. The new file is flushed and keeps permissions and owner.
    ///
    /// Where no other file can take its place, such as one that is mounted by itself, the file is
    /// written to; if that fails, it gets its old content back.
    ///
    /// # Errors
    /// `Changed` when somebody else has changed the file meanwhile; `Locked` while another program
    /// is changing it; `ReadOnly`, `Full` and `Io`.
    pub fn write(&self) -> Result<()> {
        if !self.changes_file() {
            return Ok(());
        }
        // Replaces the target of a link, so that the link stays.
        let path =
            fs::canonicalize(&self.path).map_err(|error| Error::io("find", &self.path, error))?;
        replace::replace(&path, self.before.as_bytes(), self.after.as_bytes())
    }
}

fn value_in(config: &Config, section: &str, key: &str) -> Option<String> {
    let is_it = |setting: &&Setting| setting.section == section && setting.key == key;
    let found = config.settings().iter().find(is_it);
    found.map(|setting| setting.value.clone())
}

/// Returns the text of a key in `[defaults]`, masked where it may hold secrets.
fn standing(text: &str, key: &Key, path: &str) -> Option<String> {
    let document = Document::of(text).ok()?;
    let mut item = document.tables.get("defaults")?;
    for part in path.split('.') {
        item = item.get(part)?;
    }
    Some(if matches!(key.name, "submit.headers" | "submit.url") {
        MASK.to_owned()
    } else {
        item.to_string().trim().to_owned()
    })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns the error of changes that cannot be made, with all their problems.
fn refusal(errors: ConfigErrors) -> Error {
    let problems: Vec<&str> = errors
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    Error::new(
        ErrorKind::Invalid,
        format!(
            "the configuration would not be valid: {}",
            problems.join("; ")
        ),
    )
    .hint("nothing was written; `config schema` lists every key with its range and default")
    .caused_by(errors)
}

/// Returns `value` as TOML. The error says what the value is instead of what the key expects.
fn toml_of(key: &Key, entry: Option<&str>, value: &str) -> Result<String, String> {
    let is_bare = |value: &str| matches!(value, "true" | "false");
    let is_text = match key.kind {
        Kind::Text | Kind::Words(_) | Kind::Address | Kind::Url | Kind::ReportPath => true,
        Kind::Days(..) => value == "forever",
        // As on a command line, where `/sn` is easier to write than `"/sn"`.
        Kind::Expected => !is_bare(value) && !value.starts_with('"'),
        _ => false,
    };
    let text = if entry.is_some() || is_text {
        quoted(value)
    } else {
        value.trim().to_owned()
    };
    let parsed = DeValue::parse(&text).map_err(|_| {
        if key.kind.may_hold_secrets() {
            "what was given".to_owned()
        } else {
            quoted(value)
        }
    })?;
    if entry.is_none() {
        key.kind.read(parsed.get_ref())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
