//! The lists of the page: which there are, and their tables.

use super::key_words;
use crate::entry::Status;
use crate::event::Body;
use crate::evidence::note::VerifierKey;
use crate::id::EventSeq;
use crate::service::evidence::{
    AccessObject, CheckpointItem, Door, ErasureObject, ExportObject, Record, Records, ReviewObject,
    VerifiedObject,
};
use crate::web::api::evidence::ListQuery;
use crate::web::pages::frame::Frame;
use crate::web::pages::jobs::address;
use crate::web::pages::parts::{Mark, Moment};
use crate::web::preview::visible;

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Checkpoints,
    Exports,
    Reviews,
    Accesses,
    Checks,
    Erasures,
}

impl Tab {
    pub(super) const ALL: [Self; 6] = [
        Self::Checkpoints,
        Self::Exports,
        Self::Reviews,
        Self::Accesses,
        Self::Checks,
        Self::Erasures,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Checkpoints => "checkpoints",
            Self::Exports => "exports",
            Self::Reviews => "reviews",
            Self::Accesses => "accesses",
            Self::Checks => "checks",
            Self::Erasures => "erasures",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tab| tab.name() == name)
    }

    pub(super) fn path(self) -> String {
        match self {
            Self::Checkpoints => "/evidence".to_owned(),
            _ => format!("/evidence/{}", self.name()),
        }
    }

    pub(super) fn word(self, frame: &Frame) -> &'static str {
        match self {
            Self::Checkpoints => frame.say("evidence.checkpoints"),
            Self::Exports => frame.say("evidence.exports"),
            Self::Reviews => frame.say("evidence.reviews"),
            Self::Accesses => frame.say("evidence.accesses"),
            Self::Checks => frame.say("evidence.checks"),
            Self::Erasures => frame.say("evidence.erasures"),
        }
    }

    pub(super) const fn records(self) -> Records {
        match self {
            Self::Checkpoints => Records::Checkpoints,
            Self::Exports => Records::Exports,
            Self::Reviews => Records::Reviews,
            Self::Accesses => Records::Accesses,
            Self::Checks => Records::Verifications,
            Self::Erasures => Records::Erasures,
        }
    }

    /// Returns the command line that shows the same.
    pub(super) const fn command(self) -> &'static str {
        match self {
            Self::Checkpoints => "annals checkpoint",
            Self::Exports => "annals events --type exported",
            Self::Reviews => "annals events --type reviewed",
            Self::Accesses => "annals events --type accessed",
            Self::Checks => "annals events --type verified",
            Self::Erasures => "annals events --type erased",
        }
    }

    pub(super) const fn has_doors(self) -> bool {
        matches!(self, Self::Accesses)
    }

    pub(super) fn older(self, query: &ListQuery, next: EventSeq) -> String {
        let next = next.to_string();
        let path = self.path();
        address(&path, pairs(query).chain([("after", next.as_str())]))
    }

    /// Returns the address of the list as CSV, where there is one.
    pub(super) fn csv(self, query: &ListQuery) -> Option<String> {
        let has_csv = !matches!(self, Self::Checks | Self::Erasures);
        let path = format!("/api/v1/{}.csv", self.name());
        has_csv.then(|| address(&path, pairs(query)))
    }
}

fn pairs(query: &ListQuery) -> impl Iterator<Item = (&str, &str)> {
    let pairs = [
        ("door", &query.door),
        ("account", &query.account),
        ("from", &query.from),
        ("to", &query.to),
    ];
    let stated = pairs
        .into_iter()
        .map(|(key, value)| (key, value.as_deref().unwrap_or_default()));
    stated.filter(|(_, value)| !value.is_empty())
}

pub(super) fn doors(query: &ListQuery, frame: &Frame) -> Vec<super::DoorChoice> {
    let chosen = query.door.as_deref().unwrap_or(Door::Any.name());
    let doors = Door::ALL.into_iter();
    doors
        .map(|door| super::DoorChoice {
            value: door.name(),
            word: match door {
                Door::Any => frame.say("evidence.door_any"),
                Door::CommandLine => frame.say("evidence.door_command_line"),
                Door::Web => frame.say("evidence.door_web"),
                Door::Refused => frame.say("evidence.door_refused"),
            },
            is_chosen: door.name() == chosen,
        })
        .collect()
}

/// A table: the columns after event, time and account, and the rows.
pub(super) struct List {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    pub(super) none: &'static str,
}

pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) is_number: bool,
}

pub(super) struct Row {
    pub(super) event: EventSeq,
    pub(super) at: Option<Moment>,
    pub(super) by: String,
    pub(super) pseudonym: String,
    pub(super) cells: Vec<Cell>,
}

/// A value of a table.
pub(super) enum Cell {
    Text(String),
    Number(String),
    /// A long name that can be copied.
    Name(String),
    Marked(Mark),
    /// Entries that the archive has.
    Entry(u64),
}

impl List {
    pub(super) fn empty(tab: Tab, frame: &Frame) -> Self {
        let text = |key: &str| Column {
            name: frame.say(key),
            is_number: false,
        };
        let number = |key: &str| Column {
            name: frame.say(key),
            is_number: true,
        };
        let (columns, none) = match tab {
            Tab::Checkpoints => (
                vec![
                    number("evidence.covers"),
                    text("evidence.root"),
                    text("evidence.key"),
                ],
                frame.say("evidence.none_checkpoints"),
            ),
            Tab::Exports => (
                vec![
                    text("evidence.scope"),
                    number("evidence.events"),
                    number("evidence.entries"),
                    number("evidence.contents"),
                ],
                frame.say("evidence.none_exports"),
            ),
            Tab::Reviews => (
                vec![
                    text("evidence.range"),
                    text("evidence.verdict"),
                    text("evidence.reason"),
                ],
                frame.say("evidence.none_reviews"),
            ),
            Tab::Accesses => (
                vec![
                    text("evidence.door"),
                    text("evidence.what"),
                    number("evidence.number"),
                    text("evidence.of_entries"),
                    text("evidence.to_where"),
                ],
                frame.say("evidence.none_accesses"),
            ),
            Tab::Checks => (
                vec![
                    text("evidence.result"),
                    text("evidence.depth"),
                    number("evidence.upto"),
                    number("evidence.contents"),
                    number("evidence.read"),
                ],
                frame.say("evidence.none_checks"),
            ),
            Tab::Erasures => (
                vec![
                    text("evidence.field"),
                    text("evidence.of_entries"),
                    number("evidence.values"),
                    text("evidence.reason"),
                ],
                frame.say("evidence.none_erasures"),
            ),
        };
        Self {
            columns,
            rows: Vec::new(),
            none,
        }
    }

    pub(super) fn fill(
        &mut self,
        tab: Tab,
        records: &[Record],
        keys: &[VerifierKey],
        frame: &Frame,
    ) {
        let rows = records.iter().map(|record| Row {
            event: record.event,
            at: record.time.map(|time| frame.moment(time)),
            by: match &record.by {
                // Nobody knows who was refused; the event names the account of the server.
                Some(_) if is_refused(record) => "–".to_owned(),
                Some(actor) => visible(&actor.id).into_owned(),
                None => frame.say("evidence.unreadable").to_owned(),
            },
            pseudonym: record.pseudonym.clone().unwrap_or_default(),
            cells: match &record.fact {
                Some(_) => cells(tab, record, keys, frame),
                None => self
                    .columns
                    .iter()
                    .map(|_| Cell::Text(String::new()))
                    .collect(),
            },
        });
        self.rows = rows.collect();
    }
}

fn is_refused(record: &Record) -> bool {
    matches!(&record.fact, Some(Body::Accessed(fact)) if fact.is_refused())
}

fn cells(tab: Tab, record: &Record, keys: &[VerifierKey], frame: &Frame) -> Vec<Cell> {
    let text = |text: Option<String>| {
        let text = text.unwrap_or_default();
        Cell::Text(visible(&text).into_owned())
    };
    let number = |number: u64| Cell::Number(frame.count(number));
    match tab {
        Tab::Checkpoints => {
            let item = CheckpointItem::of(record, keys);
            let (key, is_known) = key_words(&item, frame);
            vec![
                number(item.size.unwrap_or_default()),
                Cell::Name(item.root.map(|root| root.to_string()).unwrap_or_default()),
                if is_known {
                    Cell::Name(key)
                } else {
                    Cell::Text(key)
                },
            ]
        }
        Tab::Exports => {
            let item = ExportObject::of(record);
            let whole = frame.say("evidence.scope_whole");
            let scope = match item.scope_name() {
                "whole" => whole.to_owned(),
                _ => item.filter_words(),
            };
            vec![
                text(Some(scope)),
                number(item.events),
                number(item.entries),
                match item.contents {
                    Some(contents) => number(contents),
                    None => Cell::Number("–".to_owned()),
                },
            ]
        }
        Tab::Reviews => {
            let item = ReviewObject::of(record);
            let from = item.from.map_or(0, |from| from.0);
            let to = item.to.map_or(0, |to| to.0);
            let range = format!("{}–{}", frame.count(from), frame.count(to));
            vec![
                Cell::Text(range),
                match item.verdict.as_deref() {
                    Some("accepted") => Cell::Marked(Mark::named(
                        Status::Success.name(),
                        frame.say("evidence.accepted"),
                    )),
                    Some("finding") => {
                        Cell::Marked(Mark::named("suspicious", frame.say("evidence.finding")))
                    }
                    other => text(other.map(str::to_owned)),
                },
                text(item.reason),
            ]
        }
        Tab::Accesses => access(&AccessObject::of(record), frame),
        Tab::Checks => {
            let item = VerifiedObject::of(record);
            let mark = match item.findings {
                Some(0) => Mark::named(Status::Success.name(), frame.say("evidence.intact")),
                _ => Mark::named(Status::Failed.name(), frame.say("evidence.damaged")),
            };
            let depth = match item.depth.as_deref() {
                Some("deep") => frame.say("evidence.deep"),
                _ => frame.say("evidence.quick"),
            };
            vec![
                Cell::Marked(mark),
                Cell::Text(depth.to_owned()),
                number(item.upto.map_or(0, |upto| upto.0)),
                number(item.blobs),
                Cell::Number(frame.size(item.checked_bytes)),
            ]
        }
        Tab::Erasures => {
            let item = ErasureObject::of(record);
            vec![
                text(item.field),
                Cell::Text(item.entries),
                number(item.values),
                text(item.reason),
            ]
        }
    }
}

fn access(item: &AccessObject, frame: &Frame) -> Vec<Cell> {
    let is_refused = item.outcome == Some("refused");
    let door = match item.door.as_deref() {
        _ if is_refused => Cell::Marked(Mark::named(
            Status::Rejected.name(),
            frame.say("evidence.door_refused"),
        )),
        Some("web") => Cell::Text(frame.say("evidence.door_web").to_owned()),
        Some("command_line") => Cell::Text(frame.say("evidence.door_command_line").to_owned()),
        other => Cell::Text(other.unwrap_or_default().to_owned()),
    };
    let what = match item.what.as_deref() {
        Some("source") => frame.say("evidence.what_source"),
        Some("report") => frame.say("evidence.what_report"),
        Some("export") => frame.say("evidence.what_export"),
        Some("sign_in") => frame.say("evidence.what_sign_in"),
        _ => frame.say("evidence.what_contents"),
    };
    let how = item.how.as_deref().unwrap_or_default();
    let what = format!("{what} · {}", visible(how));
    let towards = item.to.clone().unwrap_or_else(|| item.from.join(", "));
    let entries = match item.entries.parse() {
        Ok(entry) => Cell::Entry(entry),
        Err(_) => Cell::Text(item.entries.clone()),
    };
    vec![
        door,
        Cell::Text(what),
        Cell::Number(frame.count(item.count)),
        entries,
        Cell::Text(visible(&towards).into_owned()),
    ]
}
