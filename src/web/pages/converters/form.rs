//! The form of a section of the configuration: its fields, what is wrong with them, and what would
//! change.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::review::{Carried, Review};
use crate::host::{Draft, Origin};
use crate::service::desk::Desk;
use crate::service::settings::{Field, Group, Input, Posted, Section, draft, groups_of};
use crate::web::pages::frame::Frame;
use crate::web::problem::{KeyProblem, Problem};
use crate::web::texts::Language;

/// A form with everything that is told about it.
pub(super) struct FormView {
    /// Where it is sent.
    pub(super) action: String,
    /// The bytes of the file that it was made from.
    pub(super) etag: String,
    /// What the fields have, as JSON.
    pub(super) shown: String,
    pub(super) groups: Vec<GroupView>,
    /// Whether anything can be changed here at all.
    pub(super) is_editable: bool,
    /// What is wrong and not with one field.
    pub(super) errors: Vec<String>,
    /// Tone, text and what to do.
    pub(super) notice: Option<(&'static str, String, String)>,
    /// Why nothing can be changed, and what to do.
    pub(super) read_only: Option<(String, String)>,
    pub(super) review: Option<Review>,
    /// What goes back to how it was.
    pub(super) undo: Option<Carried>,
}

pub(super) struct GroupView {
    pub(super) id: String,
    pub(super) title: &'static str,
    pub(super) hint: &'static str,
    pub(super) fields: Vec<FieldView>,
    pub(super) is_open: bool,
    /// How many of its values the section states itself.
    pub(super) stated: String,
}

pub(super) struct FieldView {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) about: &'static str,
    pub(super) range: String,
    pub(super) unit: &'static str,
    /// Which input it is, for the template.
    pub(super) input: &'static str,
    pub(super) text: String,
    pub(super) rows: usize,
    pub(super) choices: Vec<(&'static str, bool)>,
    pub(super) is_checked: bool,
    pub(super) origin: String,
    /// Whether it can go back to its default, and whether that is ticked.
    pub(super) can_reset: bool,
    pub(super) is_reset: bool,
    pub(super) default: String,
    pub(super) error: String,
    /// What somebody else has written meanwhile.
    pub(super) theirs: Option<String>,
    pub(super) entries: Vec<EntryView>,
}

pub(super) struct EntryView {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) entry: String,
    pub(super) text: String,
    pub(super) is_secret: bool,
    pub(super) is_reset: bool,
}

/// What was sent, and what became of it.
#[derive(Default)]
pub(super) struct Outcome<'a> {
    pub(super) posted: Posted,
    pub(super) problem: Option<&'a Problem>,
    pub(super) is_stale: bool,
}

impl FormView {
    /// Makes the form of a section as its file stands, with what was typed on top.
    pub(super) fn of(
        draft: &Draft,
        section: &Section,
        outcome: &Outcome<'_>,
        desk: &Desk,
        frame: &Frame,
    ) -> Self {
        let groups = groups_of(draft, section);
        let mut rest: Vec<&KeyProblem> = Vec::new();
        let mut of_field: BTreeMap<String, String> = BTreeMap::new();
        let names: Vec<&Field> = groups.iter().flat_map(|group| &group.fields).collect();
        for problem in outcome.problem.map(Problem::errors).unwrap_or_default() {
            let field = problem.key.as_deref().and_then(|key| {
                let is_it = |field: &&&Field| {
                    let rest = key.strip_prefix(&field.name);
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                };
                names.iter().find(is_it)
            });
            match field {
                Some(field) => {
                    let told = of_field.entry(field.name.clone()).or_default();
                    let gap = if told.is_empty() { "" } else { "; " };
                    let _ = write!(told, "{gap}{}", plain(&problem.message, field));
                }
                None => rest.push(problem),
            }
        }
        let errors = rest.iter().map(|problem| at_line(problem, frame));
        let errors: Vec<String> = errors.collect();
        let maker = Maker {
            outcome,
            errors: &of_field,
            frame,
        };
        Self {
            action: action_of(section),
            etag: draft.revision.as_str().to_owned(),
            shown: shown(&groups, frame.language),
            groups: groups
                .iter()
                .enumerate()
                .map(|one| maker.group(one))
                .collect(),
            is_editable: names.iter().any(|field| field.input != Input::Shown),
            notice: outcome.notice(frame),
            errors,
            read_only: read_only(draft, desk, frame),
            review: None,
            undo: None,
        }
    }
}

impl Outcome<'_> {
    /// Tells why nothing was saved: tone, text, what to do.
    fn notice(&self, frame: &Frame) -> Option<(&'static str, String, String)> {
        let say = |tone, text: &str, hint: &str| Some((tone, text.to_owned(), hint.to_owned()));
        match self.problem {
            _ if self.is_stale => {
                let hint = frame.say("converters.stale_hint");
                say("warn", frame.say("converters.stale"), hint)
            }
            None => None,
            Some(problem) if problem.errors().is_empty() => {
                let hint = problem.next_step().unwrap_or_default();
                say("error", problem.detail(), hint)
            }
            Some(_) => {
                let hint = frame.say("converters.refused_hint");
                say("error", frame.say("converters.refused"), hint)
            }
        }
    }
}

fn at_line(problem: &KeyProblem, frame: &Frame) -> String {
    let line = problem.line.to_string();
    let values = [("line", line.as_str()), ("text", &problem.message)];
    frame.fill("converters.error_at", &values)
}

/// Returns where the form of a section is sent.
pub(super) fn action_of(section: &Section) -> String {
    match section {
        Section::Named(name) => format!("/settings/{name}"),
        Section::Converter(name) => format!("/converters/{}", in_path(name)),
    }
}

/// Returns a name as a part of the path of an address.
pub(super) fn in_path(name: &str) -> String {
    let mut path = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

/// Returns why there is nothing to set, if there is no configuration or it is not valid.
pub(super) fn no_configuration(desk: &Desk, frame: &Frame) -> Option<(String, String)> {
    let error = draft(desk).err()?;
    if desk.config_file.is_none() {
        let hint = frame.say("converters.no_file_hint");
        return Some((frame.say("converters.no_file").to_owned(), hint.to_owned()));
    }
    let file = desk.config_text().unwrap_or_default();
    let problem = Problem::from(error);
    let told = match problem.errors() {
        [] => problem.detail().to_owned(),
        errors => {
            let lines = errors.iter().map(|error| at_line(error, frame));
            lines.collect::<Vec<_>>().join(" · ")
        }
    };
    Some((
        frame.fill(
            "converters.invalid_file",
            &[("file", &file), ("why", &told)],
        ),
        frame.say("converters.invalid_file_hint").to_owned(),
    ))
}

fn read_only(draft: &Draft, desk: &Desk, frame: &Frame) -> Option<(String, String)> {
    let error = draft.can_write().err()?;
    let file = desk.config_text().unwrap_or_default();
    let why = error.message();
    Some((
        frame.fill("converters.read_only", &[("file", &file), ("why", why)]),
        frame.say("converters.read_only_hint").to_owned(),
    ))
}

/// Returns what all fields have, for the comparison when the form comes back.
fn shown(groups: &[Group], language: Language) -> String {
    let fields = groups.iter().flat_map(|group| &group.fields);
    let mut texts = BTreeMap::new();
    for field in fields.filter(|field| field.input != Input::Shown) {
        if field.input == Input::Entries {
            let entries = field.entries.iter();
            texts.extend(entries.map(|entry| (&entry.name, entry.text.clone())));
        } else {
            texts.insert(&field.name, localized(&field.text, field, language));
        }
    }
    serde_json::to_string(&texts).unwrap_or_default()
}

/// Leaves out what stands above the message anyway: the converter and the key.
fn plain(message: &str, field: &Field) -> String {
    let after = message.split_once(": ").map_or(message, |(_, rest)| rest);
    let rest = after.strip_prefix(field.key.key).unwrap_or(after);
    rest.trim_start_matches([':', ' ']).to_owned()
}

/// Makes the views of fields.
struct Maker<'a> {
    outcome: &'a Outcome<'a>,
    errors: &'a BTreeMap<String, String>,
    frame: &'a Frame,
}

impl Maker<'_> {
    fn group(&self, (nth, group): (usize, &Group)) -> GroupView {
        let frame = self.frame;
        let fields: Vec<FieldView> = group
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| self.field(field, format!("f{nth}-{at}")))
            .collect();
        let posted = &self.outcome.posted;
        let is_touched = group.fields.iter().any(|field| {
            let in_entries = field
                .entries
                .iter()
                .any(|entry| posted.is_changed(&entry.name, &entry.text));
            in_entries || posted.is_changed(&field.name, &field.text)
        });
        let stated = group
            .fields
            .iter()
            .filter(|field| field.is_stated())
            .count();
        GroupView {
            id: format!("group-{}", group.name),
            title: frame.say(&format!("converters.group_{}", group.name)),
            hint: frame.say(&format!("converters.hint_{}", group.name)),
            is_open: nth == 0
                || is_touched
                || fields
                    .iter()
                    .any(|field| !field.error.is_empty() || field.theirs.is_some()),
            stated: frame.fill("converters.stated", &[("n", &stated.to_string())]),
            fields,
        }
    }

    fn field(&self, field: &Field, id: String) -> FieldView {
        let frame = self.frame;
        let posted = &self.outcome.posted;
        let is_typed = posted.is_changed(&field.name, &field.text);
        let text = if is_typed {
            posted.text_of(&field.name, &field.text)
        } else {
            &field.text
        };
        let before = posted.shown.get(&field.name);
        let localized = |text: &str| localized(text, field, frame.language);
        let now = localized(&field.text);
        let is_theirs = self.outcome.is_stale && before.is_some_and(|before| *before != now);
        let key = field.key.key;
        let text = if is_typed {
            text.to_owned()
        } else {
            localized(text)
        };
        FieldView {
            label: frame.say(&format!("settings.label_{}", in_catalogue(field))),
            about: frame.say(&format!("settings.about_{}", in_catalogue(field))),
            range: range(field, frame),
            unit: unit(field, frame),
            input: match field.input {
                Input::Flag => "flag",
                Input::Choice => "choice",
                Input::Number => "number",
                Input::Text => "text",
                Input::Lines => "lines",
                Input::Entries => "entries",
                Input::Shown => "shown",
            },
            rows: text.lines().count().clamp(2, 8),
            choices: choices(field, &text),
            is_checked: text == "true",
            origin: origin(field, frame),
            can_reset: field.is_stated() && field.input != Input::Shown,
            is_reset: posted.unset.contains(&field.name),
            default: default(field, frame),
            error: self.errors.get(&field.name).cloned().unwrap_or_default(),
            theirs: (is_theirs && is_typed).then_some(now),
            entries: self.entries(field, &id),
            name: field.name.clone(),
            key,
            text,
            id,
        }
    }

    fn entries(&self, field: &Field, id: &str) -> Vec<EntryView> {
        let posted = &self.outcome.posted;
        let entries = field.entries.iter().enumerate();
        let view = entries.map(|(nth, entry)| EntryView {
            id: format!("{id}-{nth}"),
            name: entry.name.clone(),
            entry: entry.entry.clone(),
            text: posted.text_of(&entry.name, &entry.text).to_owned(),
            is_secret: entry.is_secret(),
            is_reset: posted.unset.contains(&entry.name),
        });
        view.collect()
    }
}

/// Returns the key of a field's words in the catalogue.
pub(super) fn in_catalogue(field: &Field) -> String {
    let name = field.key.key.replace('.', "_");
    match field.key.section {
        "converter" => name,
        section => format!("{section}_{name}"),
    }
}

fn choices(field: &Field, text: &str) -> Vec<(&'static str, bool)> {
    let words = field.key.choices.iter();
    let mut choices: Vec<_> = words.map(|word| (*word, *word == text)).collect();
    if !choices.iter().any(|(_, is_chosen)| *is_chosen) && field.input == Input::Choice {
        choices.insert(0, ("", true));
    }
    choices
}

/// Returns a number with the decimal mark of the visitor's language.
pub(super) fn localized(text: &str, field: &Field, language: Language) -> String {
    let has_comma = field.input == Input::Number && language == Language::German;
    if has_comma && text.parse::<f64>().is_ok() {
        text.replace('.', ",")
    } else {
        text.to_owned()
    }
}

fn unit(field: &Field, frame: &Frame) -> &'static str {
    match field.key.unit {
        Some("s") => frame.say("converters.unit_s"),
        Some("h") => frame.say("converters.unit_h"),
        Some("days") => frame.say("converters.unit_days"),
        Some("years") => frame.say("converters.unit_years"),
        Some("bytes") => frame.say("converters.unit_bytes"),
        Some(unit) => unit,
        None => "",
    }
}

fn range(field: &Field, frame: &Frame) -> String {
    let (Some(min), Some(max)) = (field.key.min, field.key.max) else {
        return match field.input {
            Input::Lines => frame.say("converters.range_lines").to_owned(),
            _ => String::new(),
        };
    };
    let number = |number: f64| localized(&number.to_string(), field, frame.language);
    let words = match field.key.kind {
        "days" => "converters.range_days",
        "number_or_zero" => "converters.range_or_zero",
        "whole" => "converters.range_whole",
        _ => "converters.range_number",
    };
    frame.fill(words, &[("min", &number(min)), ("max", &number(max))])
}

fn origin(field: &Field, frame: &Frame) -> String {
    match field.origin {
        Some(Origin::Line(line)) => {
            frame.fill("converters.from_line", &[("line", &line.to_string())])
        }
        Some(Origin::Defaults(line)) => {
            frame.fill("converters.from_defaults", &[("line", &line.to_string())])
        }
        Some(Origin::BuiltIn) => frame.say("converters.from_built_in").to_owned(),
        None => frame.say("converters.from_nothing").to_owned(),
    }
}

fn default(field: &Field, frame: &Frame) -> String {
    match field.key.default.as_deref() {
        Some("\"\"" | "[]" | "{}") | None => String::new(),
        Some(default) => {
            let default = localized(default.trim_matches('"'), field, frame.language);
            frame.fill("converters.default_is", &[("value", &default)])
        }
    }
}
