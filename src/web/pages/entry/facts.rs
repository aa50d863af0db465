//! The facts beside the tabs: what is known of an entry, one line each.

use super::address::encoded;
use crate::convert::PostAction;
use crate::entry::{Correction, Entry, FactName, Meta};
use crate::event::Clearing;
use crate::host::Config;
use crate::service::objects::{Personal, RanOn, SourceFile, personal_gone, ran_on_lines};
use crate::web::pages::frame::Frame;
use crate::web::pages::parts::Moment;
use crate::web::preview::visible;

/// A fact with its name.
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) value: Value,
}

pub(super) enum Value {
    Text(String),
    /// A long name, which is shortened and can be copied.
    Name(String),
    /// A path or a short name that can be copied, and is never shortened.
    Whole(String),
    Time(Moment),
    /// A text that leads to all entries like it.
    Link {
        text: String,
        href: String,
    },
}

/// What the facts are made of, beside the entry.
pub(super) struct Beside<'a> {
    pub(super) personal: &'a [Personal],
    pub(super) ran_on: &'a [RanOn],
    /// What became of the source file.
    pub(super) source_file: Option<&'a SourceFile>,
    /// What the host does with the source file, in words of the configuration.
    pub(super) afterwards: Option<Afterwards>,
}

/// What becomes of a source file in its watch folder.
#[derive(Debug, Clone)]
pub(super) struct Afterwards {
    action: PostAction,
    folder: Option<String>,
}

impl Afterwards {
    /// Returns what the configuration says for the converter of an entry.
    pub(super) fn of(entry: &Entry, config: Option<&Config>) -> Option<Self> {
        let converter = config?.converter(&entry.converter)?;
        let folder = converter.done_folder.as_ref();
        Some(Self {
            action: converter.post_process,
            folder: folder.map(|path| path.display().to_string()),
        })
    }

    fn words(&self, frame: &Frame) -> String {
        let folder = self.folder.as_deref().unwrap_or_default();
        let folder = visible(folder);
        let folder = [("folder", &*folder)];
        match self.action {
            PostAction::Delete | PostAction::Archive => frame.say("entry.after_removed").to_owned(),
            PostAction::Move => frame.fill("entry.after_moved", &folder),
            PostAction::Zip => frame.fill("entry.after_zipped", &folder),
            _ => frame.say("entry.after_kept").to_owned(),
        }
    }
}

/// Says what became of a source file that lies at `path` since.
pub(super) fn cleared_words(how: Clearing, path: Option<&str>, frame: &Frame) -> String {
    let path = path.map(visible);
    match (how, path.as_deref()) {
        (Clearing::Moved, Some(path)) => frame.fill("entry.cleared_moved", &[("path", path)]),
        (Clearing::Zipped, Some(path)) => frame.fill("entry.cleared_zipped", &[("path", path)]),
        (Clearing::Moved, None) => frame.say("entry.cleared_moved_away").to_owned(),
        (Clearing::Zipped, None) => frame.say("entry.cleared_zipped_away").to_owned(),
        (Clearing::Removed, _) => frame.say("entry.cleared_removed").to_owned(),
    }
}

/// Returns the facts that are known.
pub(super) fn facts(entry: &Entry, beside: &Beside<'_>, frame: &Frame) -> Vec<Fact> {
    let mut list = List {
        facts: Vec::new(),
        entry,
        frame,
    };
    list.unit();
    list.source(beside);
    list.converter(beside);
    list.given();
    list.kept(beside);
    list.add(
        frame.say("entry.number"),
        Value::Whole(entry.id.to_string()),
    );
    list.add("BLAKE3", Value::Name(entry.blake3.to_string()));
    list.add("SHA-256", Value::Name(entry.sha256.to_string()));
    list.facts
}

struct List<'a> {
    facts: Vec<Fact>,
    entry: &'a Entry,
    frame: &'a Frame,
}

impl List<'_> {
    fn add(&mut self, name: &str, value: Value) {
        self.facts.push(Fact {
            name: name.to_owned(),
            value,
        });
    }

    fn text(&mut self, name: &str, text: &str) {
        self.add(name, Value::Text(visible(text).into_owned()));
    }

    fn unit(&mut self) {
        let (entry, frame) = (self.entry, self.frame);
        let unit = [
            (
                FactName::Serial,
                "serial",
                frame.say("entry.serial"),
                &entry.unit.serial,
            ),
            (
                FactName::Part,
                "part",
                frame.say("entry.part"),
                &entry.unit.part,
            ),
            (
                FactName::Station,
                "station",
                frame.say("entry.station"),
                &entry.unit.station,
            ),
            (
                FactName::Process,
                "process",
                frame.say("entry.process"),
                &entry.unit.process,
            ),
        ];
        for (fact, filter, name, value) in unit {
            if let Some(value) = value {
                let href = format!("/entries?{filter}={}", encoded(value));
                let text = visible(value).into_owned();
                self.add(name, Value::Link { text, href });
            }
            if let Some(old) = self.before(&fact) {
                let old = visible(&old).into_owned();
                let words = frame.fill("entry.corrected_from", &[("old", &old)]);
                self.add("", Value::Text(words));
            }
        }
        if let Some(id) = &entry.report_id {
            self.add(
                frame.say("entry.report_id"),
                Value::Whole(visible(id).into_owned()),
            );
        }
    }

    /// Returns what was known of a fact before the newest note corrected it.
    fn before(&self, fact: &FactName) -> Option<String> {
        let notes = self.entry.notes.iter().rev();
        let mut changes = notes.flat_map(|note| note.changes.iter().rev());
        let newest: &Correction = changes.find(|change| change.fact == *fact)?;
        newest.old.clone()
    }

    fn source(&mut self, beside: &Beside<'_>) {
        let (entry, frame) = (self.entry, self.frame);
        let name = visible(&entry.source_name).into_owned();
        self.add(frame.say("entry.file"), Value::Whole(name));
        let path = visible(&entry.source_path).into_owned();
        if !path.is_empty() {
            self.add(frame.say("entry.path"), Value::Whole(path));
        }
        if let Some(modified) = entry.source_modified {
            self.add(
                frame.say("entry.modified"),
                Value::Time(frame.moment(modified)),
            );
        }
        self.add(
            frame.say("entry.archived"),
            Value::Time(frame.moment(entry.archived_at)),
        );
        let sizes = [
            ("size", frame.size(entry.size)),
            ("stored", frame.size(entry.stored_size)),
        ];
        let sizes = sizes
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        self.text(
            frame.say("entry.size"),
            &frame.fill("entry.size_stored", &sizes),
        );
        if entry.facts_only {
            self.text(frame.say("entry.content"), frame.say("entry.facts_only"));
        }
        let afterwards = match (beside.source_file, &beside.afterwards) {
            (Some(file), _) => {
                let words = cleared_words(file.how, file.path.as_deref(), frame);
                Some(format!("{words}, {}", frame.moment(file.at).short))
            }
            (None, Some(afterwards)) => Some(afterwards.words(frame)),
            (None, None) => None,
        };
        if let Some(words) = afterwards {
            self.text(frame.say("entry.afterwards"), &words);
        }
    }

    fn converter(&mut self, beside: &Beside<'_>) {
        let (entry, frame) = (self.entry, self.frame);
        let version = entry.converter_version.as_deref().unwrap_or_default();
        let text = format!("{} {version}", entry.converter);
        self.add(
            frame.say("entry.converter"),
            Value::Link {
                text: visible(text.trim_end()).into_owned(),
                href: format!("/entries?converter={}", encoded(&entry.converter)),
            },
        );
        for (_, words) in ran_on_lines(beside.ran_on) {
            self.text(frame.say("entry.ran_on"), &words);
        }
    }

    fn given(&mut self) {
        let (entry, frame) = (self.entry, self.frame);
        if let Some(key) = &entry.key {
            self.add(
                frame.say("entry.key"),
                Value::Whole(visible(key).into_owned()),
            );
        }
        self.pairs(frame.say("entry.meta"), &entry.meta);
        self.pairs(frame.say("entry.arguments"), &entry.arguments);
        for label in &entry.labels {
            let href = format!("/entries?label={}", encoded(label));
            let text = visible(label).into_owned();
            self.add(frame.say("entry.label"), Value::Link { text, href });
        }
    }

    fn pairs(&mut self, name: &str, pairs: &Meta) {
        for (key, value) in pairs {
            self.text(name, &format!("{key} = {value}"));
        }
    }

    fn kept(&mut self, beside: &Beside<'_>) {
        let (entry, frame) = (self.entry, self.frame);
        let kept = entry.retention.to_string();
        let words = match entry.retention.expires_at(entry.archived_at) {
            Some(until) => {
                let until = frame.moment(until).short;
                frame.fill("entry.kept_until", &[("kept", &kept), ("until", &until)])
            }
            None => frame.say("entry.kept_for_ever").to_owned(),
        };
        self.text(frame.say("entry.retention"), &words);
        for hold in &entry.holds {
            let href = format!("/entries?hold={}", encoded(hold));
            let text = visible(hold).into_owned();
            self.add(frame.say("entry.held_by"), Value::Link { text, href });
        }
        for gone in &entry.purged_parts {
            let pairs = [
                ("part", gone.part.to_string()),
                ("at", frame.moment(gone.at).short),
                ("rule", visible(&gone.by).into_owned()),
            ];
            let pairs = pairs
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            self.text(
                frame.say("entry.purged"),
                &frame.fill("entry.part_purged", &pairs),
            );
        }
        if let Some(at) = entry.purged_at {
            let rule = entry.purged_by.as_deref().unwrap_or("-");
            let pairs = [("at", &*frame.moment(at).short), ("rule", &visible(rule))];
            self.text(
                frame.say("entry.purged"),
                &frame.fill("entry.purged_by", &pairs),
            );
        }
        if let Some(until) = entry.final_at {
            self.add(
                frame.say("entry.can_be_undone"),
                Value::Time(frame.moment(until)),
            );
        }
        for (_, words) in personal_gone(beside.personal) {
            self.text(frame.say("entry.personal"), &words);
        }
    }
}
