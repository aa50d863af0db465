//! The keys of a section as the fields of a form, in groups.

use std::collections::BTreeMap;

use crate::convert::MASK;
use crate::host::{Config, Draft, KeyInfo, Origin};

/// A part of the configuration that has a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Section {
    /// A section that is there once, such as `host`.
    Named(&'static str),
    /// A converter.
    Converter(String),
}

impl Section {
    /// Returns the section's name in settings.
    fn in_settings(&self) -> String {
        match self {
            Self::Named(name) => (*name).to_owned(),
            Self::Converter(name) => format!("converter \"{name}\""),
        }
    }

    /// Returns the section's name in the schema.
    fn in_schema(&self) -> &'static str {
        match self {
            Self::Named("defaults") | Self::Converter(_) => "converter",
            Self::Named(name) => name,
        }
    }

    /// Returns what stands before the dot in the name of a value.
    fn prefix(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Converter(name) => name,
        }
    }
}

/// Returns the name of a value as `config set` and the fields of a form have it.
pub fn name_of(section: &Section, key: &str) -> String {
    format!("{}.{key}", section.prefix())
}

/// Returns the sections that are there once and have a form.
pub fn sections_of() -> [Section; 5] {
    ["defaults", "host", "store", "evidence", "privacy"].map(Section::Named)
}

/// How a value is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Yes or no.
    Flag,
    /// One of several words.
    Choice,
    /// A number, as text: a browser's number field turns what it cannot read into nothing.
    Number,
    /// One line of text.
    Text,
    /// A list, one item on each line.
    Lines,
    /// A table, one field for each entry.
    Entries,
    /// It is only shown.
    Shown,
}

/// One field of a form.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name, as `config set` takes it.
    pub name: String,
    /// The key.
    pub key: KeyInfo,
    /// How it is put in.
    pub input: Input,
    /// The value in force as it stands in the field; secrets are masked.
    pub text: String,
    /// Where it comes from; `None` for what nothing states.
    pub origin: Option<Origin>,
    /// The entries of a table.
    pub entries: Vec<Entry>,
}

impl Field {
    /// Returns true when the section itself states the value, so that it can be taken out.
    pub fn is_stated(&self) -> bool {
        matches!(self.origin, Some(Origin::Line(_)))
    }
}

/// One entry of a table.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name of the entry.
    pub entry: String,
    /// The name of the field.
    pub name: String,
    /// The value, or a mask.
    pub text: String,
}

/// Fields that belong together.
#[derive(Debug, Clone)]
pub struct Group {
    /// The name, for a heading.
    pub name: &'static str,
    /// The fields.
    pub fields: Vec<Field>,
}

/// The keys of converters by what they are about. What only the file changes comes last.
const CONVERTER_GROUPS: &[(&str, &[&str])] = &[
    (
        "archive",
        &[
            "archive_enabled",
            "archive_folder",
            "retention_days",
            "retention_years",
            "max_archive_size_gb",
            "compression_level",
            "max_archive_count",
            "archive_required",
            "archive_source_files",
            "archive_output_reports",
            "archive_max_mb",
            "delete_facts_only",
        ],
    ),
    (
        "sources",
        &[
            "watch_folder",
            "patterns",
            "ignore",
            "priority",
            "settle_s",
            "empty_after_s",
            "wait_for_writers",
            "follow_symlinks",
            "recursive",
            "complete_marker",
            "companions",
            "companions_required",
            "post_process",
            "done_folder",
            "error_folder",
        ],
    ),
    (
        "conversion",
        &[
            "version",
            "environment",
            "mode",
            "worker_idle_s",
            "max_concurrent",
            "order",
            "serial_in_name",
            "timeout_s",
            "memory_mb",
            "file_size_mb",
            "retry.max_attempts",
            "retry.delay_s",
            "arguments",
        ],
    ),
    ("promotion", &["promotion", "gate.over", "gate.sample"]),
    (
        "expect",
        &[
            "on_suspicious",
            "expect.serial",
            "expect.part",
            "expect.values",
            "expect.steps",
            "expect.steps_min",
            "expect.steps_of_siblings",
            "expect.report_bytes_min",
            "compare.ignore",
            "compare.tolerance",
            "compare.keys",
        ],
    ),
    (
        "submit",
        &[
            "submit.url",
            "submit.headers",
            "submit.relation",
            "submit.timeout_s",
        ],
    ),
    (
        "program",
        &[
            "name",
            "command",
            "bundle",
            "secret_arguments",
            "sandbox",
            "read_paths",
            "write_paths",
            "network",
            "run_as",
        ],
    ),
];

/// Returns the fields of a section in groups. A section that the file does not have gives its
/// defaults.
pub fn groups_of(draft: &Draft, section: &Section) -> Vec<Group> {
    let keys = || Config::keys().filter(|key| key.section == section.in_schema());
    let field = |key: KeyInfo| Field::of(draft, section, key);
    if section.in_schema() != "converter" {
        let name = match section {
            Section::Named(name) => name,
            Section::Converter(_) => "",
        };
        let mut fields: Vec<Field> = keys().map(field).collect();
        fields.sort_by_key(|field| field.input == Input::Shown);
        return vec![Group { name, fields }];
    }
    let is_default = *section == Section::Named("defaults");
    let groups = CONVERTER_GROUPS.iter().map(|(name, names)| {
        let known = names
            .iter()
            .filter_map(|name| keys().find(|key| key.key == *name));
        let known = known.filter(|key| !is_default || key.in_defaults);
        Group {
            name,
            fields: known.map(field).collect(),
        }
    });
    groups.filter(|group| !group.fields.is_empty()).collect()
}

impl Field {
    fn of(draft: &Draft, section: &Section, key: KeyInfo) -> Self {
        let name = name_of(section, key.key);
        let (value, origin) = match section {
            Section::Named("defaults") => match draft.stated_default(key.key) {
                Some((value, line)) => (Some(value), Some(Origin::Line(line))),
                None => (None, None),
            },
            _ => {
                let in_settings = section.in_settings();
                let mut settings = draft.config.settings().iter();
                let found = settings
                    .find(|setting| setting.section == in_settings && setting.key == key.key);
                let value = found.map(|setting| setting.value.clone());
                (value, found.map(|setting| setting.origin))
            }
        };
        let value = value.as_deref().and_then(parsed);
        let input = match key.kind {
            _ if key.by_hand => Input::Shown,
            "flag" => Input::Flag,
            "choice" => Input::Choice,
            "whole" | "number" | "number_or_zero" | "days" => Input::Number,
            "list" => Input::Lines,
            // Rules of comparing are easier to get right in the file, beside one another.
            "table" if key.key == "arguments" => Input::Entries,
            "table" => Input::Shown,
            _ => Input::Text,
        };
        let entries = match &value {
            Some(toml::Value::Table(table)) if input == Input::Entries => table
                .iter()
                .map(|(entry, value)| Entry {
                    name: format!("{name}.{entry}"),
                    entry: entry.clone(),
                    text: text_of(value),
                })
                .collect(),
            _ => Vec::new(),
        };
        Self {
            text: value.as_ref().map(text_of).unwrap_or_default(),
            name,
            key,
            input,
            origin,
            entries,
        }
    }
}

/// Reads one value of TOML.
fn parsed(value: &str) -> Option<toml::Value> {
    let mut table: BTreeMap<String, toml::Value> =
        toml::from_str(&format!("value = {value}")).ok()?;
    table.remove("value")
}

/// Returns a value as it stands in a field: a text as it is, a list line by line.
fn text_of(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => {
            let texts: Vec<&str> = items.iter().filter_map(toml::Value::as_str).collect();
            // What lines cannot say is shown as it stands in the file.
            if texts
                .iter()
                .any(|text| text.is_empty() || text.contains(['\n', '\r']))
            {
                value.to_string()
            } else {
                texts.join("\n")
            }
        }
        toml::Value::Table(table) => {
            let lines = table.iter().map(|(name, value)| {
                let value = text_of(value);
                format!("{name} = {value}")
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        toml::Value::Float(number) => number.to_string(),
        other => other.to_string(),
    }
}

impl Entry {
    /// Returns true when the value is a secret, of which only a mask is shown.
    pub fn is_secret(&self) -> bool {
        self.text == MASK
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A key that was added to the schema had no field, and nobody could find it on the page.
    #[test]
    fn every_key_of_converters_is_in_one_group() {
        let grouped = CONVERTER_GROUPS.iter().flat_map(|(_, keys)| keys.iter());
        let names: Vec<&str> = grouped.copied().collect();
        let once: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(once.len(), names.len());
        let keys = Config::keys().filter(|key| key.section == "converter");
        let known: BTreeSet<&str> = keys.map(|key| key.key).collect();
        assert_eq!(once, known);
    }
}
