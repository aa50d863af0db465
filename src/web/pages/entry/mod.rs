//! `/entries/{id}`: everything about one entry, each part at an address of its own.
//!
//! - `address`: what the address asks for, and the links of the page;
//! - `facts`: the facts beside the tabs;
//! - `attempt`, `content`: the tabs with a report or the source;
//! - `timeline`, `differences`, `proof`, `kept`: the other tabs;
//! - `actions`: holds and notes from the page;
//! - `summary`: the entry in the preview of a list.

mod actions;
mod address;
mod attempt;
mod content;
mod differences;
mod facts;
mod kept;
mod proof;
mod summary;
mod timeline;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::Query;

pub(in crate::web) use actions::{hold, note, release};
pub(in crate::web) use summary::summary;

use super::frame::{Frame, Place, page};
use super::parts::{Mark, Moment};
use crate::Result;
use crate::archive::WhyKept;
use crate::entry::{Entry, Status};
use crate::id::EntryId;
use crate::service::desk::Desk;
use crate::service::entries::no_entry;
use crate::service::entry::entry_tag;
use crate::service::objects::{Personal, RanOn, SourceFile, TimelinePart, personal_values, ran_on};
use crate::web::preview::visible;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

use address::{Asked, Tab};
use facts::{Afterwards, Beside, Fact, Value};

/// The pairs of an address.
type Pairs = Vec<(String, String)>;

/// Answers `GET /entries/{id}`.
pub(in crate::web) async fn entry(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    Query(pairs): Query<Pairs>,
) -> Response {
    let asked = Asked::new(EntryId(id), pairs);
    match told(&web, &visitor, asked, None).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

/// What the page says above the tabs after something was done.
pub(super) struct Notice {
    pub(super) tone: &'static str,
    pub(super) text: String,
    pub(super) hint: String,
}

/// Reads what the page shows, and fills it in.
async fn told(
    web: &Web,
    visitor: &Visitor,
    asked: Asked,
    notice: Option<Notice>,
) -> Result<Response, Problem> {
    let (asked, read) = web
        .work(visitor, move |desk| {
            let read = Read::of(&desk.service(), &asked)?;
            Ok((asked, read))
        })
        .await?;
    let title = title(&read.entry);
    let frame = Frame::new(Place::Entries, visitor)
        .titled(&title)
        .command(format!("annals show {}", read.entry.id));
    let shown = EntryPage::new(&frame, &asked, &read, notice);
    let mut response = page(&shown);
    let tag = format!("\"{}\"", read.tag);
    if let Ok(tag) = tag.parse() {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// What is read from the store for the page.
struct Read {
    entry: Entry,
    tag: String,
    personal: Vec<Personal>,
    ran_on: Vec<RanOn>,
    source_file: Option<SourceFile>,
    afterwards: Option<Afterwards>,
    proof: proof::Read,
    tab: Tab,
    body: Body,
}

/// What is read for the tab that is shown.
enum Body {
    Report(attempt::Read),
    Source(attempt::Read),
    Timeline(TimelinePart),
    Differences(Box<differences::Read>),
    Proof,
    Kept(WhyKept),
}

impl Read {
    fn of(desk: &Desk, asked: &Asked) -> Result<Self> {
        let id = asked.id();
        let found = desk.archive.snapshot()?.entry(id)?;
        let entry = found.ok_or_else(|| no_entry(id))?;
        let tab = asked.tab().unwrap_or_else(|| first_tab(&entry));
        let body = match tab {
            Tab::Report => Body::Report(attempt::read_report(desk, &entry, asked)),
            Tab::Source => Body::Source(attempt::read_source(desk, &entry, asked)),
            Tab::Timeline => Body::Timeline(timeline::read(desk, &entry, asked)?),
            Tab::Differences => Body::Differences(Box::new(differences::read(desk, &entry, asked))),
            Tab::Proof => Body::Proof,
            Tab::Kept => Body::Kept(kept::read(desk, &entry, asked)?),
        };
        Ok(Self {
            tag: entry_tag(&entry),
            personal: personal_values(&desk.archive, id)?,
            ran_on: ran_on(&desk.archive, &entry)?,
            source_file: SourceFile::of(&desk.archive, &entry, &desk.zone)?,
            afterwards: Afterwards::of(&entry, desk.config()),
            proof: proof::read(desk, &entry)?,
            tab,
            body,
            entry,
        })
    }
}

/// Returns the tab that tells most: the report, else the source, else what happened.
fn first_tab(entry: &Entry) -> Tab {
    if !entry.attempts.is_empty() {
        Tab::Report
    } else if entry.has_source() {
        Tab::Source
    } else {
        Tab::Timeline
    }
}

/// Returns what an entry is called: its serial, which is never cut, else its file.
fn title(entry: &Entry) -> String {
    let name = entry.unit.serial.as_deref().unwrap_or(&entry.source_name);
    if name.is_empty() {
        return format!("#{}", entry.id);
    }
    visible(name).into_owned()
}

#[derive(Template)]
#[template(path = "entry/entry.html", config = "src/web/askama.toml")]
struct EntryPage<'a> {
    frame: &'a Frame,
    id: u64,
    file: String,
    mark: Mark,
    is_suspicious: bool,
    is_held: bool,
    is_purged: bool,
    archived: Moment,
    tabs: Vec<TabLink>,
    facts: Vec<Fact>,
    body: String,
    /// The proof, for the printed page.
    proof: Option<String>,
    attempts: Vec<PrintedAttempt>,
    notice: Option<Notice>,
    has_source: bool,
    report: Option<String>,
    holds: &'a [String],
    serial: &'a str,
    part: &'a str,
    station: &'a str,
    process: &'a str,
    labels: String,
    tag: &'a str,
    query: String,
}

struct TabLink {
    name: String,
    href: String,
    is_here: bool,
}

/// An attempt on the printed page.
struct PrintedAttempt {
    number: u32,
    at: Moment,
    mark: Mark,
    converter: String,
    reports: Vec<String>,
}

impl<'a> EntryPage<'a> {
    fn new(frame: &'a Frame, asked: &'a Asked, read: &'a Read, notice: Option<Notice>) -> Self {
        let entry = &read.entry;
        let beside = Beside {
            personal: &read.personal,
            ran_on: &read.ran_on,
            source_file: read.source_file.as_ref(),
            afterwards: read.afterwards.clone(),
        };
        let given = |value: &'a Option<String>| value.as_deref().unwrap_or_default();
        let newest = entry.attempts_with_reports().last();
        let proof = proof::ProofTab::new(frame, entry, &read.proof);
        let suspicious = entry.attempts.last();
        Self {
            frame,
            id: entry.id.0,
            file: visible(&entry.source_name).into_owned(),
            mark: frame.mark(entry.status),
            is_suspicious: suspicious.is_some_and(|last| !last.suspicious.is_empty()),
            is_held: !entry.holds.is_empty(),
            is_purged: entry.purged_at.is_some(),
            archived: frame.moment(entry.archived_at),
            tabs: tabs(frame, asked, read),
            facts: facts::facts(entry, &beside, frame),
            body: body(frame, asked, read, &proof),
            proof: (read.tab != Tab::Proof).then(|| proof.told()),
            attempts: printed(entry, frame),
            notice,
            has_source: entry.has_source(),
            report: newest.map(|attempt| {
                let last = attempt.reports.len().saturating_sub(1);
                content::download_report(entry.id, attempt.attempt, last)
            }),
            holds: &entry.holds,
            serial: given(&entry.unit.serial),
            part: given(&entry.unit.part),
            station: given(&entry.unit.station),
            process: given(&entry.unit.process),
            labels: entry.labels.join(", "),
            tag: &read.tag,
            query: asked.query(),
        }
    }
}

fn tabs(frame: &Frame, asked: &Asked, read: &Read) -> Vec<TabLink> {
    let attempts = read.entry.attempts.len() as u64;
    let tabs = Tab::ALL.into_iter().map(|tab| {
        let name = match tab {
            Tab::Report => frame.say("entry.tab_report").to_owned(),
            Tab::Source => frame.say("entry.tab_source").to_owned(),
            Tab::Timeline => frame.say("entry.tab_timeline").to_owned(),
            Tab::Differences if attempts > 1 => {
                let count = frame.count(attempts);
                frame.fill("entry.tab_differences_of", &[("n", &count)])
            }
            Tab::Differences => frame.say("entry.tab_differences").to_owned(),
            Tab::Proof => frame.say("entry.tab_proof").to_owned(),
            Tab::Kept => frame.say("entry.tab_kept").to_owned(),
        };
        TabLink {
            name,
            href: asked.to(tab, &[]),
            is_here: tab == read.tab,
        }
    });
    tabs.collect()
}

/// Returns the tab that is shown.
fn body(frame: &Frame, asked: &Asked, read: &Read, proof: &proof::ProofTab<'_>) -> String {
    let entry = &read.entry;
    let rendered = match &read.body {
        Body::Report(tab) => attempt::ReportTab::new(frame, asked, entry, tab).render(),
        Body::Source(tab) => Ok(attempt::source_tab(frame, asked, tab)),
        Body::Timeline(events) => timeline::TimelineTab::new(frame, asked, events).render(),
        Body::Differences(tab) => {
            differences::DifferencesTab::new(frame, asked, entry, tab).render()
        }
        Body::Proof => proof.render(),
        Body::Kept(why) => kept::KeptTab::new(frame, asked, entry, why).render(),
    };
    rendered.unwrap_or_else(|error| error.to_string())
}

/// Returns the attempts for the printed page, the newest ones.
fn printed(entry: &Entry, frame: &Frame) -> Vec<PrintedAttempt> {
    const PRINTED_MAX: usize = 12;
    let newest = entry.attempts.iter().rev().take(PRINTED_MAX);
    let printed = newest.map(|attempt| {
        let version = attempt.converter_version.as_deref().unwrap_or_default();
        let converter = format!("{} {version}", attempt.converter);
        let reports = attempt.reports.iter();
        PrintedAttempt {
            number: attempt.attempt.0,
            at: frame.moment(attempt.at),
            mark: frame.mark(Status::from(attempt.status)),
            converter: visible(converter.trim_end()).into_owned(),
            reports: reports.map(|report| report.sha256.to_string()).collect(),
        }
    });
    printed.collect()
}
