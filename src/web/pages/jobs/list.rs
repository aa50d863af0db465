//! `/jobs`: what runs, and what came of earlier jobs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum_extra::extract::Query;
use serde::Deserialize;

use super::words::{address, decimal, duration, selection_words, state_mark};
use crate::archive::JobState;
use crate::convert::Which;
use crate::event::JobFinished;
use crate::id::JobId;
use crate::service::objects::ShownJob;
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::parts::{Mark, Moment};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::texts::Language;
use crate::web::visitor::Visitor;

/// Jobs on one page.
const JOBS_SHOWN: usize = 50;

/// What stands in the address of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    after: Option<u64>,
}

#[derive(Template)]
#[template(path = "jobs/list.html", config = "src/web/askama.toml")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    is_first: bool,
    older: Option<String>,
    runs: bool,
    told: String,
}

/// A job in the table.
struct Row {
    id: u64,
    mark: Mark,
    at: Moment,
    by: String,
    converter: String,
    selection: String,
    reason: String,
    total: String,
    /// Of a running job.
    progress: Option<Progress>,
    /// Successes, failures, changed, fixed and broken of one that ended.
    numbers: Option<[Count; 5]>,
}

/// A number of entries with the page that lists them.
struct Count {
    text: String,
    href: String,
    tone: &'static str,
}

/// How far a running job has come.
pub(super) struct Progress {
    pub(super) done: u64,
    pub(super) total: u64,
    /// In words: how much, how quickly, how long still.
    pub(super) text: String,
}

impl Progress {
    /// Returns the progress of a job that runs.
    pub(super) fn of(shown: &ShownJob, language: Language) -> Option<Self> {
        let so_far = shown.job.progress?;
        let mut text = language.fill(
            "jobs.progress",
            &[
                ("done", &language.count(so_far.done)),
                ("total", &language.count(so_far.total)),
            ],
        );
        let seconds = so_far.running_for.as_secs_f64();
        if so_far.done_in_this_run > 0 && seconds > 0.0 {
            let rate = so_far.done_in_this_run as f64 / seconds;
            text += " · ";
            text += &language.fill("jobs.rate", &[("rate", &decimal(rate, language))]);
        }
        if let Some(left) = so_far.time_left() {
            text += " · ";
            let left = duration(left.as_secs());
            text += &language.fill("jobs.left", &[("time", &left)]);
        }
        if so_far.stopping.is_some() {
            text += " · ";
            text += language.say("jobs.stopping");
        }
        Some(Self {
            done: so_far.done,
            total: so_far.total,
            text,
        })
    }
}

/// Says which converter a job runs.
pub(super) fn converter_words(recorded: &str, language: Language) -> String {
    match Which::of_word(recorded) {
        Which::Current => language.say("jobs.converter_current").to_owned(),
        Which::Recorded => language.say("jobs.converter_recorded").to_owned(),
        _ => recorded.to_owned(),
    }
}

impl Row {
    fn of(shown: &ShownJob, frame: &Frame) -> Self {
        let (job, language) = (&shown.job, frame.language);
        let id = job.id.0;
        let count = |number: u64, verdict: &str, tone: &'static str| Count {
            text: language.count(number),
            href: address(&format!("/jobs/{id}"), [("verdict", verdict)]),
            tone: if number == 0 { "quiet" } else { tone },
        };
        let numbers = |end: &JobFinished| {
            [
                count(end.successful, "", ""),
                count(end.failed, "failing", "bad"),
                count(end.changed, "changed", ""),
                count(end.fixed, "fixed", "good"),
                count(end.broken, "broken", "bad"),
            ]
        };
        Self {
            id,
            mark: state_mark(job.state(), language),
            at: frame.moment(shown.at),
            by: shown.by.id.clone(),
            converter: converter_words(&job.started.converter_version, language),
            selection: selection_words(&job.started.selection, language),
            reason: job.started.reason.clone().unwrap_or_default(),
            total: language.count(job.started.total),
            progress: Progress::of(shown, language),
            numbers: job.finished.as_ref().map(numbers),
        }
    }
}

/// Answers `GET /jobs`.
pub(in crate::web) async fn list(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Jobs, &visitor).command("annals job list");
    let listed = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let all = desk.archive.jobs()?;
        let count = all.len();
        let before = |id: JobId| asked.after.is_none_or(|after| id.0 < after);
        let mut jobs = all.into_iter().rev().filter(|job| before(job.id));
        let mut shown = Vec::new();
        for job in jobs.by_ref().take(JOBS_SHOWN) {
            shown.push(ShownJob::of(job, &desk.archive, &desk.zone)?);
        }
        let has_more = jobs.next().is_some();
        Ok((shown, has_more, count))
    });
    let (shown, has_more, count) = listed.await?;
    let last = shown.last().map(|last| last.job.id.to_string());
    let last = last.filter(|_| has_more);
    let count = frame.language.count(count as u64);
    Ok(page(&List {
        rows: shown.iter().map(|shown| Row::of(shown, &frame)).collect(),
        is_first: asked.after.is_none(),
        older: last.map(|last| address("/jobs", [("after", last.as_str())])),
        runs: shown
            .iter()
            .any(|shown| shown.job.state() == JobState::Running),
        told: frame.fill("jobs.count", &[("n", &count)]),
        frame,
    }))
}
