//! `/entries/{id}/summary`: an entry in the preview beside a list.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::address::{Asked, Tab};
use super::attempt::submission_words;
use super::content::{download_report, download_source};
use super::facts::{Beside, Fact, Value, facts};
use super::title;
use crate::entry::{Entry, Status};
use crate::id::EntryId;
use crate::service::entries::no_entry;
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::parts::{Mark, Moment};
use crate::web::preview::{cut, visible};
use crate::web::state::Web;
use crate::web::visitor::Visitor;

/// The attempts that are shown, the newest ones.
const ATTEMPTS: usize = 4;
/// The most characters of an error.
const ERROR_CHARS: usize = 600;

#[derive(Template)]
#[template(path = "entry/summary.html", config = "src/web/askama.toml")]
struct Summary<'a> {
    frame: &'a Frame,
    id: u64,
    title: String,
    mark: Mark,
    is_suspicious: bool,
    is_held: bool,
    is_purged: bool,
    href: String,
    timeline: String,
    differences: Option<String>,
    source: Option<String>,
    report: Option<String>,
    attempts: Vec<Attempt>,
    more_attempts: usize,
    facts: Vec<Fact>,
}

struct Attempt {
    number: u32,
    href: String,
    mark: Mark,
    at: Moment,
    version: String,
    error: String,
    submission: String,
}

/// Answers `GET /entries/{id}/summary`.
pub(in crate::web) async fn summary(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Response {
    let id = EntryId(id);
    let read = web.work(&visitor, move |desk| {
        let found = desk.archive.snapshot()?.entry(id)?;
        found.ok_or_else(|| no_entry(id))
    });
    match read.await {
        Ok(entry) => {
            let frame = Frame::new(Place::Entries, &visitor);
            page(&Summary::new(&frame, &entry))
        }
        Err(problem) => problem.into_response(),
    }
}

impl<'a> Summary<'a> {
    fn new(frame: &'a Frame, entry: &Entry) -> Self {
        let asked = Asked::new(entry.id, Vec::new());
        let beside = Beside {
            personal: &[],
            ran_on: &[],
            source_file: None,
            afterwards: None,
        };
        let newest = entry.attempts_with_reports().last();
        let last = entry.attempts.last();
        let attempts = entry.attempts.iter().rev().take(ATTEMPTS);
        let attempts = attempts.map(|attempt| {
            let number = attempt.attempt.0;
            let error = attempt.error.as_deref().unwrap_or_default();
            let report = attempt.reports.last();
            let submission = report.and_then(|report| submission_words(report, frame));
            Attempt {
                number,
                href: asked.to(Tab::Report, &[("attempt", &number.to_string())]),
                mark: frame.mark(Status::from(attempt.status)),
                at: frame.moment(attempt.at),
                version: visible(attempt.converter_version.as_deref().unwrap_or_default())
                    .into_owned(),
                error: visible(cut(error, ERROR_CHARS).0).into_owned(),
                submission: submission.unwrap_or_default(),
            }
        });
        Self {
            frame,
            id: entry.id.0,
            title: title(entry),
            mark: frame.mark(entry.status),
            is_suspicious: last.is_some_and(|last| !last.suspicious.is_empty()),
            is_held: !entry.holds.is_empty(),
            is_purged: entry.purged_at.is_some(),
            href: format!("/entries/{}", entry.id),
            timeline: asked.to(Tab::Timeline, &[]),
            differences: (entry.attempts.len() > 1).then(|| asked.to(Tab::Differences, &[])),
            source: entry.has_source().then(|| download_source(entry.id)),
            report: newest.map(|attempt| {
                let nth = attempt.reports.len().saturating_sub(1);
                download_report(entry.id, attempt.attempt, nth)
            }),
            attempts: attempts.collect(),
            more_attempts: entry.attempts.len().saturating_sub(ATTEMPTS),
            facts: facts(entry, &beside, frame),
        }
    }
}
