//! What the changes of a form would do, shown before they are saved, and how they are taken back.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::form::{in_catalogue, localized};
use crate::host::{ChangedValue, Edit};
use crate::service::desk::Desk;
use crate::service::settings::{Group, Posted, changes_of};
use crate::service::words::in_shell;
use crate::web::pages::frame::Frame;
use crate::web::texts::Language;

/// Keys whose change decides what is purged.
const OF_RETENTION: [&str; 4] = [
    "retention_days",
    "retention_years",
    "max_archive_size_gb",
    "max_archive_count",
];

/// Fields that are sent along without being shown.
pub(super) struct Carried {
    pub(super) etag: String,
    pub(super) shown: String,
    pub(super) pairs: Vec<(String, String)>,
}

/// What would change, to be confirmed.
pub(super) struct Review {
    pub(super) rows: Vec<ReviewRow>,
    pub(super) carried: Carried,
    pub(super) button: String,
    pub(super) warnings: Vec<String>,
    /// Whether it decides what is purged.
    pub(super) is_retention: bool,
    /// The command line that does the same.
    pub(super) command: String,
    pub(super) reason: String,
}

pub(super) struct ReviewRow {
    pub(super) label: String,
    pub(super) name: String,
    pub(super) old: String,
    pub(super) new: String,
}

impl Review {
    /// Tells what an edit would change.
    pub(super) fn of(
        edit: &Edit,
        groups: &[Group],
        posted: &Posted,
        etag: &str,
        desk: &Desk,
        frame: &Frame,
    ) -> Self {
        let changed = edit.changes.iter().filter(|value| value.changed);
        let rows: Vec<ReviewRow> = changed
            .clone()
            .map(|value| ReviewRow::of(value, groups, frame))
            .collect();
        let number = rows.len().to_string();
        Self {
            is_retention: changed
                .clone()
                .any(|value| OF_RETENTION.contains(&value.key.as_str())),
            button: match rows.len() {
                1 => frame.say("converters.save_one").to_owned(),
                _ => frame.fill("converters.save", &[("n", &number)]),
            },
            warnings: edit.config.warnings.clone(),
            carried: Carried::of(posted, etag),
            command: command(posted, groups, desk),
            reason: String::new(),
            rows,
        }
    }
}

impl ReviewRow {
    fn of(value: &ChangedValue, groups: &[Group], frame: &Frame) -> Self {
        let mut fields = groups.iter().flat_map(|group| &group.fields);
        let field = fields.find(|field| {
            let rest = value.key.strip_prefix(field.key.key);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let label = field.map_or("", |field| {
            frame.say(&format!("settings.label_{}", in_catalogue(field)))
        });
        let told = |text: &Option<String>| match text {
            Some(text) => text.clone(),
            None => frame.say("converters.not_set").to_owned(),
        };
        let (old, mut new) = (told(&value.old), told(&value.new));
        if old == new {
            // Only a secret changes, or what is in force by default is stated now, or no longer.
            frame.say("converters.written_now").clone_into(&mut new);
        }
        Self {
            label: label.to_owned(),
            name: value.key.clone(),
            old,
            new,
        }
    }
}

impl Carried {
    /// Keeps what was typed, and nothing else.
    fn of(posted: &Posted, etag: &str) -> Self {
        let mut pairs = Vec::new();
        let mut shown = BTreeMap::new();
        for (name, text) in &posted.values {
            let before = posted.shown.get(name);
            if before.map_or(!text.is_empty(), |before| before != text) {
                pairs.push((name.clone(), text.clone()));
                if let Some(before) = before {
                    shown.insert(name, before);
                }
            }
        }
        let unset = posted.unset.iter();
        pairs.extend(unset.map(|name| ("unset".to_owned(), name.clone())));
        Self {
            etag: etag.to_owned(),
            shown: serde_json::to_string(&shown).unwrap_or_default(),
            pairs,
        }
    }

    /// Takes back what was saved: what was stated gets its old text, the rest its default. Secrets
    /// are not known here and stay.
    pub(super) fn back(before: &[Group], edit: &Edit, language: Language) -> Option<Self> {
        let mut pairs = Vec::new();
        let mut shown = BTreeMap::new();
        for value in edit.changes.iter().filter(|value| value.changed) {
            let mut fields = before.iter().flat_map(|group| &group.fields);
            let field = fields.find(|field| field.key.key == value.key)?;
            if field.is_stated() {
                pairs.push((field.name.clone(), localized(&field.text, field, language)));
                shown.insert(field.name.clone(), "\u{fdd0}".to_owned());
            } else {
                pairs.push(("unset".to_owned(), field.name.clone()));
            }
        }
        Some(Self {
            etag: edit.revision().as_str().to_owned(),
            shown: serde_json::to_string(&shown).unwrap_or_default(),
            pairs,
        })
    }
}

/// Returns the command line that changes the same. Secrets are left for the reader to type.
fn command(posted: &Posted, groups: &[Group], desk: &Desk) -> String {
    let changes = changes_of(groups, posted);
    let file = desk.config_text().unwrap_or_else(|| "FILE".to_owned());
    let mut line = format!("annals --config {} config ", in_shell(&file));
    let sets: Vec<_> = changes.iter().filter(|one| one.value.is_some()).collect();
    if sets.is_empty() {
        line += "unset";
        for change in &changes {
            let _ = write!(line, " {}", in_shell(&change.target));
        }
        return line;
    }
    let secrets = groups.iter().flat_map(|group| &group.fields);
    let secrets: Vec<&str> = secrets
        .flat_map(|field| &field.entries)
        .filter(|entry| entry.is_secret())
        .map(|entry| entry.name.as_str())
        .collect();
    for (nth, change) in sets.into_iter().enumerate() {
        let value = if secrets.contains(&change.target.as_str()) {
            "…"
        } else {
            change.value.as_deref().unwrap_or_default()
        };
        let word = if nth == 0 { "set" } else { " --also" };
        let _ = write!(
            line,
            "{word} {} {}",
            in_shell(&change.target),
            in_shell(value)
        );
    }
    line
}
