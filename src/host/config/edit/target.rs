//! Finds the section and the key that a change is for.

use crate::host::config::schema::{KEYS, Key, Kind, find, suggest, unknown_key};
use crate::host::config::settings::{Config, section_of};
use crate::{Error, ErrorKind, Result};

/// The sections that are there once.
const SECTIONS: [&str; 5] = ["store", "evidence", "privacy", "host", "defaults"];

/// The value to change: its section and key.
pub(super) struct Target<'a> {
    pub(super) place: SectionRef<'a>,
    /// The key, or the key and entry of a table of texts.
    pub(super) path: &'a str,
}

/// A section, or a converter by its position in the file.
#[derive(Clone, Copy)]
pub(super) enum SectionRef<'a> {
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
    pub(super) fn section(self) -> String {
        match self {
            Self::Section(name) => name.to_owned(),
            Self::Converter(_, name) => section_of(name),
        }
    }

    /// Returns the section's name in problems.
    pub(super) fn words(self) -> String {
        match self {
            Self::Section(name) => format!("[{name}]"),
            Self::Converter(_, name) => format!("converter '{name}'"),
        }
    }
}

impl<'a> Target<'a> {
    /// Returns the key, and its entry if the key is a table of texts.
    pub(super) fn key(&self) -> Result<(&'static Key, Option<&'a str>)> {
        let section = self.place.schema();
        if let Some(key) = find(section, self.path) {
            return Ok((key, None));
        }
        let entry = KEYS
            .iter()
            .filter(|key| key.section == section && matches!(key.kind, Kind::TextMap))
            .find_map(|key| {
                let entry = self.path.strip_prefix(key.name)?.strip_prefix('.')?;
                Some((key, Some(entry))).filter(|_| !entry.is_empty())
            });
        entry.ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                unknown_key(section, &self.place.words(), self.path),
            )
            .hint("`config schema` lists every key with its range and default")
        })
    }
}

impl Config {
    /// Splits `target` into converter and key. Both may contain dots, so the longest converter name
    /// that fits wins.
    pub(super) fn target<'a>(&'a self, target: &'a str) -> Result<Target<'a>> {
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
        if let Some(section) = SECTIONS.into_iter().find(|name| *name == first) {
            return Ok(Target {
                place: SectionRef::Section(section),
                path,
            });
        }
        let names = self
            .converters
            .iter()
            .map(|config| config.converter.name.as_str());
        let message = match suggest(first, names.chain(SECTIONS)) {
            Some(meant) => format!("there is no converter '{first}'; did you mean '{meant}'?"),
            None => format!("there is no converter '{first}'"),
        };
        Err(Error::new(ErrorKind::NotFound, message).hint("`config show` lists the converters"))
    }
}
