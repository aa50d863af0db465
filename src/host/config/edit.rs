//! Changes one value of a configuration file and keeps its comments and order.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use toml::de::DeValue;
use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::schema::{KEYS, Key, Kind, find, suggest, unknown_key};
use super::settings::{Config, Setting};
use crate::convert::MASK;
use crate::{Error, ErrorKind, Result};

/// A change that has been checked and is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The configuration file.
    pub path: PathBuf,
    /// `store`, `host`, `defaults` or `converter "NAME"`.
    pub section: String,
    /// The key that changes.
    pub key: String,
    /// The value before the change, with secrets masked. For `defaults` it is the text in the file.
    pub old: Option<String>,
    /// The value after the change, with secrets masked.
    pub new: Option<String>,
    before: String,
    after: String,
}

/// The value to change: its section and key.
struct Target<'a> {
    /// `store`, `host`, `defaults`, or the index of a converter.
    place: SectionRef<'a>,
    /// The key, or the key and entry of a table of texts.
    path: &'a str,
}

#[derive(Clone, Copy)]
enum SectionRef<'a> {
    Section(&'a str),
    Converter(usize, &'a str),
}

impl SectionRef<'_> {
    /// Returns the section's name in the schema.
    fn schema(self) -> &'static str {
        match self {
            Self::Section("store") => "store",
            Self::Section("evidence") => "evidence",
            Self::Section("privacy") => "privacy",
            Self::Section("host") => "host",
            _ => "converter",
        }
    }

    /// Returns the section's name in settings.
    fn section(self) -> String {
        match self {
            Self::Section(name) => name.to_owned(),
            Self::Converter(_, name) => format!("converter \"{name}\""),
        }
    }

    /// Returns the section's name in problems.
    fn words(self) -> String {
        match self {
            Self::Section(name) => format!("[{name}]"),
            Self::Converter(_, name) => format!("converter '{name}'"),
        }
    }
}

impl Config {
    /// Prepares to change one value of the configuration file. Nothing is written yet.
    ///
    /// `target` is `CONVERTER.KEY`, `store.KEY`, `host.KEY` or `defaults.KEY`. Texts are taken
    /// literally; lists and tables are TOML.
    ///
    /// # Errors
    /// `NotFound` for an unknown converter; `Invalid` for an unknown key, a value out of its range,
    /// and a change that would make the configuration as a whole invalid; `Changed` when the file
    /// has changed since it was read.
    pub fn edit(&self, target: &str, value: &str) -> Result<Edit> {
        let before = fs::read_to_string(&self.path)
            .map_err(|error| Error::io("read the configuration", &self.path, error))?;
        let current = Self::parse(&before, &self.path)?;
        let target = current.target(target)?;
        let (key, entry) = key_of(&target)?;
        let written = written(key, entry, value).map_err(|found| {
            Error::new(
                ErrorKind::Invalid,
                format!(
                    "{}: {} must be {}, not {found}",
                    target.place.words(),
                    target.path,
                    if entry.is_some() {
                        "a text".to_owned()
                    } else {
                        key.kind.words()
                    }
                ),
            )
        })?;
        let after = changed_text(&before, &target, &written)?;
        let next =
            Self::parse(&after, &self.path).map_err(|errors| {
                let problems: Vec<String> = errors
                    .problems
                    .iter()
                    .map(|problem| problem.message.clone())
                    .collect();
                Error::new(
                ErrorKind::Invalid,
                format!("the configuration would not be valid: {}", problems.join("; ")),
            )
            .hint("nothing was written; `config schema` lists every key with its range and default")
            })?;
        let section = target.place.section();
        let in_force = |config: &Self| config.value_in(&section, key.name);
        let (old, new) = match target.place {
            // A value of `[defaults]` is no setting, so it is shown as it stands in the file.
            SectionRef::Section("defaults") => {
                let shown = |value: String| {
                    let may_be_secret = matches!(key.name, "submit.headers" | "submit.url");
                    if may_be_secret {
                        MASK.to_owned()
                    } else {
                        value
                    }
                };
                let old = standing(&before, target.path).map(shown);
                (old, Some(shown(written.clone())))
            }
            _ => (in_force(&current), in_force(&next)),
        };
        Ok(Edit {
            path: self.path.clone(),
            key: target.path.to_owned(),
            old,
            new,
            section,
            before,
            after,
        })
    }

    fn value_in(&self, section: &str, key: &str) -> Option<String> {
        let is_it = |setting: &&Setting| setting.section == section && setting.key == key;
        self.settings()
            .iter()
            .find(is_it)
            .map(|setting| setting.value.clone())
    }

    /// Splits `target` into converter and key. Both may contain dots, so the longest converter name
    /// that fits wins.
    fn target<'a>(&'a self, target: &'a str) -> Result<Target<'a>> {
        let converter = self
            .converters
            .iter()
            .enumerate()
            .filter_map(|(index, config)| {
                let name = config.converter.name.as_str();
                let path = target.strip_prefix(name)?.strip_prefix('.')?;
                Some((
                    name.len(),
                    Target {
                        place: SectionRef::Converter(index, name),
                        path,
                    },
                ))
            })
            .max_by_key(|(length, _)| *length)
            .map(|(_, target)| target);
        if let Some(target) = converter {
            return Ok(target);
        }
        let Some((first, path)) = target.split_once('.') else {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("'{target}' is not CONVERTER.KEY"),
            )
            .hint("for example: config set 'ICT CSV.timeout_s' 300"));
        };
        if let Some(section) = ["store", "evidence", "privacy", "host", "defaults"]
            .into_iter()
            .find(|name| *name == first)
        {
            return Ok(Target {
                place: SectionRef::Section(section),
                path,
            });
        }
        let names = self
            .converters
            .iter()
            .map(|config| config.converter.name.as_str());
        let message = match suggest(
            first,
            names.chain(["store", "evidence", "privacy", "host", "defaults"]),
        ) {
            Some(meant) => format!("there is no converter '{first}'; did you mean '{meant}'?"),
            None => format!("there is no converter '{first}'"),
        };
        Err(Error::new(ErrorKind::NotFound, message).hint("`config show` lists the converters"))
    }
}

impl Edit {
    /// Returns true when the edit changes the file.
    pub fn changes(&self) -> bool {
        self.before != self.after
    }

    /// Returns the text of the file after the edit.
    pub fn text(&self) -> &str {
        &self.after
    }

    /// Replaces the file atomically. The new file is flushed and keeps permissions and owner.
    ///
    /// # Errors
    /// `Changed` when somebody else has changed the file meanwhile; `Io`.
    pub fn write(&self) -> Result<()> {
        if !self.changes() {
            return Ok(());
        }
        // Replaces the target of a link, so that the link stays.
        let path =
            fs::canonicalize(&self.path).map_err(|error| Error::io("find", &self.path, error))?;
        let dir = path.parent().unwrap_or(Path::new("."));
        let beside =
            temporary(&path).map_err(|error| Error::io("name a file beside", &path, error))?;
        let written = write_beside(&beside, &path, self.after.as_bytes())
            .map_err(|error| Error::io("write", &beside, error))
            .and_then(|()| self.swap(&beside, &path));
        if written.is_err() {
            // The file may not exist.
            let _ = fs::remove_file(&beside);
        }
        written?;
        sync_folder(dir).map_err(|error| Error::io("sync", dir, error))
    }

    fn swap(&self, beside: &Path, path: &Path) -> Result<()> {
        let now = fs::read(path).map_err(|error| Error::io("read", path, error))?;
        if now != self.before.as_bytes() {
            return Err(Error::new(
                ErrorKind::Changed,
                format!("{} was changed by somebody else meanwhile", path.display()),
            )
            .hint("look at it and try again; nothing was written"));
        }
        fs::rename(beside, path).map_err(|error| Error::io("replace", path, error))
    }
}

/// Returns the key, and its entry if the key is a table of texts.
fn key_of<'a>(target: &Target<'a>) -> Result<(&'static Key, Option<&'a str>)> {
    let section = target.place.schema();
    if let Some(key) = find(section, target.path) {
        return Ok((key, None));
    }
    let entry = KEYS
        .iter()
        .filter(|key| key.section == section && matches!(key.kind, Kind::TextMap))
        .find_map(|key| {
            let entry = target.path.strip_prefix(key.name)?.strip_prefix('.')?;
            Some((key, Some(entry))).filter(|_| !entry.is_empty())
        });
    entry.ok_or_else(|| {
        Error::new(
            ErrorKind::Invalid,
            unknown_key(section, &target.place.words(), target.path),
        )
        .hint("`config schema` lists every key with its range and default")
    })
}

/// Returns `value` as TOML. The error says what the value is instead of what the key expects.
fn written(key: &Key, entry: Option<&str>, value: &str) -> Result<String, String> {
    let quoted = || serde_json::Value::from(value).to_string();
    let is_text = matches!(
        key.kind,
        Kind::Text | Kind::Words(_) | Kind::Address | Kind::Url
    ) || (matches!(key.kind, Kind::Days(..)) && value == "forever");
    let text = if entry.is_some() || is_text {
        quoted()
    } else {
        value.trim().to_owned()
    };
    let parsed = DeValue::parse(&text).map_err(|_| {
        if key.kind.may_hold_secrets() {
            "what was given".to_owned()
        } else {
            quoted()
        }
    })?;
    if entry.is_none() {
        key.kind.read(parsed.get_ref())?;
    }
    Ok(text)
}

fn unusual(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("{what} is written in a way that cannot be changed here"),
    )
    .hint("change the file by hand, then `config check`")
}

/// Returns the whole text with one value changed.
fn changed_text(before: &str, target: &Target<'_>, value: &str) -> Result<String> {
    let body = before.strip_prefix('\u{feff}').unwrap_or(before);
    let mark = &before[..before.len() - body.len()];
    let has_crlf = body.contains("\r\n");
    let mut document: DocumentMut = body
        .replace("\r\n", "\n")
        .parse()
        .map_err(|error| Error::new(ErrorKind::Invalid, format!("this is not TOML: {error}")))?;
    let value: toml_edit::Value = value
        .parse()
        .map_err(|error| Error::new(ErrorKind::Invalid, format!("this is not TOML: {error}")))?;
    let table: &mut dyn TableLike = match target.place {
        SectionRef::Section(name) => document
            .as_table_mut()
            .entry(name)
            .or_insert_with(|| Item::Table(Table::new()))
            .as_table_like_mut()
            .ok_or_else(|| unusual(name))?,
        SectionRef::Converter(index, name) => document
            .get_mut("converter")
            .and_then(Item::as_array_of_tables_mut)
            .and_then(|converters| converters.get_mut(index))
            .ok_or_else(|| unusual(&format!("converter '{name}'")))?,
    };
    put(table, target, value)?;
    let mut text = document.to_string();
    if has_crlf {
        text = text.replace('\n', "\r\n");
    }
    Ok(format!("{mark}{text}"))
}

fn put(
    mut table: &mut dyn TableLike,
    target: &Target<'_>,
    mut value: toml_edit::Value,
) -> Result<()> {
    let (_, entry) = key_of(target)?;
    // An entry's name may contain dots. In the name of a key, a dot separates the inner table.
    let name = entry.map_or(target.path, |entry| {
        &target.path[..target.path.len() - entry.len() - 1]
    });
    let mut parts: Vec<&str> = name.split('.').chain(entry).collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let inner = table.entry(part).or_insert_with(|| {
            let mut inner = Table::new();
            inner.set_dotted(true);
            Item::Table(inner)
        });
        table = inner.as_table_like_mut().ok_or_else(|| unusual(part))?;
    }
    match table.get_mut(last) {
        Some(Item::Value(there)) => {
            // Keeps the white space around the value, and the comment after it.
            *value.decor_mut() = there.decor().clone();
            *there = value;
        }
        Some(Item::None) | None => {
            table.insert(last, Item::Value(value));
        }
        Some(_) => return Err(unusual(target.path)),
    }
    Ok(())
}

/// Returns the text of a key in `[defaults]`.
fn standing(text: &str, path: &str) -> Option<String> {
    let document: DocumentMut = text.trim_start_matches('\u{feff}').parse().ok()?;
    let mut item = document.get("defaults")?;
    for part in path.split('.') {
        item = item.get(part)?;
    }
    Some(item.to_string().trim().to_owned())
}

/// Returns an unused name in the folder of `path`.
fn temporary(path: &Path) -> io::Result<PathBuf> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = u64::from_le_bytes(bytes);
    Ok(path.with_file_name(format!(".{name}.{number:016x}.tmp")))
}

/// Writes a file beside the original, with the permissions and owner of `like`.
///
/// Until these are set, only this account may read the file.
fn write_beside(beside: &Path, like: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(beside)?;
    file.write_all(bytes)?;
    let metadata = fs::metadata(like)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let ours = file.metadata()?;
        if (ours.uid(), ours.gid()) != (metadata.uid(), metadata.gid()) {
            fchown(&file, Some(metadata.uid()), Some(metadata.gid()))?;
        }
    }
    file.set_permissions(metadata.permissions())?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

// Windows offers no handle to flush a folder; NTFS journals names itself.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
