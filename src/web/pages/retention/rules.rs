//! The first tab: the rules in force, what to ask of them, and locks.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum_extra::extract::Query;

use super::words::{class_rules, converter_rules, period};
use crate::Result;
use crate::archive::RetentionLock;
use crate::event::LockMode;
use crate::host::Config;
use crate::service::desk::Desk;
use crate::service::entries::Filters;
use crate::service::words::in_shell;
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::jobs::{address, told};
use crate::web::pages::parts::Moment;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

#[derive(Template)]
#[template(path = "retention/rules.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    /// Whether a configuration is known.
    is_configured: bool,
    /// What is wrong with the configuration.
    error: Option<(String, String)>,
    rows: Vec<Row>,
    /// When the host purges, in words.
    rhythm: String,
    locks: Vec<Lock>,
    /// Names of converters.
    names: Vec<String>,
    /// The rules as they stand in the form.
    asked: Asked,
}

/// A class or a converter with its rules.
struct Row {
    place: usize,
    name: String,
    is_class: bool,
    entries: String,
    href: String,
    rules: Vec<String>,
    /// Whether nothing of it goes into this store.
    note: &'static str,
}

struct Lock {
    name: String,
    keep: String,
    mode: &'static str,
    is_compliance: bool,
    placed: Moment,
    entries: String,
    reason: String,
}

/// What stands in the form for other rules: an address may state it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    converter: String,
    older_than: String,
    expired: bool,
    max_size: String,
    max_count: String,
    even_waiting: bool,
    bypass_governance: bool,
    now: String,
}

/// Answers `GET /retention`.
pub(in crate::web) async fn rules(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Retention, &visitor);
    let made = web.work(&visitor, move |desk| page_of(&desk.service(), asked, frame));
    Ok(page(&made.await?))
}

fn page_of(desk: &Desk, asked: Asked, frame: Frame) -> Result<Page> {
    let config = desk.config();
    let wrong = match (&desk.config_file, config) {
        (Some(file), None) => Config::load(file).err(),
        _ => None,
    };
    let command = match desk.config_text() {
        Some(file) => format!("annals --config {} retention classes", in_shell(&file)),
        None => "annals retention preview --expired".to_owned(),
    };
    let locks = desk.archive.retention_locks().into_iter();
    let names = desk.archive.snapshot()?.converters()?.into_iter();
    Ok(Page {
        is_configured: desk.config_file.is_some(),
        error: wrong.map(|error| told(&error)),
        rows: config
            .map(|config| rows(config, &frame))
            .unwrap_or_default(),
        rhythm: config
            .map(|config| rhythm(config, desk.host.is_some(), &frame))
            .unwrap_or_default(),
        locks: locks.map(|lock| Lock::of(lock, &frame)).collect(),
        names: names.collect(),
        asked,
        frame: frame.command(command),
    })
}

/// Returns the classes, then the converters, in the order in which they are tried.
fn rows(config: &Config, frame: &Frame) -> Vec<Row> {
    let classes = config.retention.iter().map(|class| {
        let pairs = Filters::of(&class.filter).pairs();
        let words = pairs.iter().map(|(key, value)| format!("{key} {value}"));
        let words = words.collect::<Vec<_>>().join(" · ");
        let pairs = pairs.iter().map(|(key, value)| (*key, value.as_str()));
        Row {
            place: 0,
            name: class.name.clone(),
            is_class: true,
            entries: if words.is_empty() {
                frame.say("retention.all_entries").to_owned()
            } else {
                words
            },
            href: address("/entries", pairs),
            rules: class_rules(class, frame),
            note: "",
        }
    });
    let converters = config.converters.iter().map(|converter| {
        let name = converter.converter.name.clone();
        Row {
            place: 0,
            is_class: false,
            entries: format!("converter {name}"),
            href: address("/entries", [("converter", name.as_str())]),
            rules: converter_rules(converter, frame),
            note: if !converter.archive.archives() {
                frame.say("retention.archives_nothing")
            } else if converter.archive.folder.is_some() {
                frame.say("retention.own_store")
            } else {
                ""
            },
            name,
        }
    });
    let mut rows: Vec<Row> = classes.chain(converters).collect();
    for (nth, row) in rows.iter_mut().enumerate() {
        row.place = nth + 1;
    }
    rows
}

/// Tells when a host purges by itself, and how long that can be undone.
fn rhythm(config: &Config, host_runs: bool, frame: &Frame) -> String {
    let mut told = vec![match config.retention_every {
        Some(every) => {
            let hours = frame.count(every.as_secs().div_ceil(3_600));
            frame.fill("retention.every", &[("n", &hours)])
        }
        None => frame.say("retention.never").to_owned(),
    }];
    let grace = config.retention_care.grace.as_secs() / 86_400;
    if grace > 0 {
        let days = frame.count(grace);
        told.push(frame.fill("retention.grace_is", &[("n", &days)]));
    }
    if !host_runs {
        told.push(frame.say("retention.no_host").to_owned());
    }
    told.join(" ")
}

impl Lock {
    fn of(lock: RetentionLock, frame: &Frame) -> Self {
        let labels = lock.labels.iter().map(|label| format!("label {label}"));
        let names = lock
            .converters
            .iter()
            .map(|name| format!("converter {name}"));
        let entries: Vec<String> = names.chain(labels).collect();
        Self {
            keep: period(lock.keep, frame),
            mode: match lock.mode {
                LockMode::Governance => frame.say("retention.governance"),
                LockMode::Compliance => frame.say("retention.compliance"),
            },
            is_compliance: lock.mode == LockMode::Compliance,
            placed: frame.moment(lock.placed_at),
            entries: if entries.is_empty() {
                frame.say("retention.all_entries").to_owned()
            } else {
                entries.join(" · ")
            },
            name: lock.name,
            reason: lock.reason,
        }
    }
}
