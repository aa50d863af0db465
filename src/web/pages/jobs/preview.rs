//! The preview of a plan: what would change, without recording anything. It is a part of the page
//! of a new job, fetched again until it is over.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use axum_extra::extract::Query;
use serde::Deserialize;

use super::differences::Histogram;
use super::new::{refused, told};
use super::words::duration;
use crate::Result;
use crate::convert::RuleBook;
use crate::service::entry::configured_rules;
use crate::service::reprocess::{Preview, PreviewEnd};
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

/// Entries that are listed by id.
const LISTED_MAX: usize = 12;

#[derive(Template)]
#[template(path = "jobs/preview.html", config = "src/web/askama.toml")]
struct Part {
    frame: Frame,
    id: u64,
    done: u64,
    total: u64,
    progress: String,
    end: Option<End>,
    error: Option<(String, String)>,
}

/// What a preview found.
struct End {
    words: String,
    counts: Vec<CountView>,
    histogram: Histogram,
    /// Why entries failed, the first ones.
    errors: Vec<(String, String)>,
}

struct CountView {
    name: &'static str,
    number: String,
    tone: &'static str,
    ids: Vec<u64>,
    more: bool,
}

/// Which plan is tried, and over how many entries.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    plan_id: String,
    sample: Option<usize>,
}

/// Answers `POST /jobs/previews`.
pub(in crate::web) async fn run(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Jobs, &visitor);
    let begun = web.work(&visitor, move |desk| {
        let begin = || {
            let plan = desk.jobs.plans.get(&asked.plan_id)?;
            desk.jobs.preview(&desk.service(), &plan, asked.sample)
        };
        Ok(begin())
    });
    Ok(match begun.await? {
        Ok(preview) => page(&Part::of(&preview, None, frame, &RuleBook::default())),
        Err(error) => refused(&error),
    })
}

/// Answers `GET /jobs/previews/{id}`.
pub(in crate::web) async fn preview(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    part(&web, &visitor, id, false).await
}

/// Answers `POST /jobs/previews/{id}/cancel`.
pub(in crate::web) async fn cancel(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    part(&web, &visitor, id, true).await
}

async fn part(web: &Web, visitor: &Visitor, id: u64, cancel: bool) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Jobs, visitor);
    let part = web.work(visitor, move |desk| {
        let preview = desk.jobs.kept_preview(id)?;
        if cancel {
            preview.cancel();
        }
        let end = preview.end();
        let rules = configured_rules(desk.service().config());
        Ok(Part::of(&preview, end.as_deref(), frame, &rules))
    });
    Ok(page(&part.await?))
}

impl Part {
    fn of(
        preview: &Preview,
        end: Option<&Result<PreviewEnd>>,
        frame: Frame,
        rules: &crate::convert::RuleBook,
    ) -> Self {
        let (done, total) = (preview.done(), preview.total);
        let progress = frame.fill(
            "jobs.progress",
            &[("done", &frame.count(done)), ("total", &frame.count(total))],
        );
        Self {
            id: preview.id,
            done,
            total,
            progress,
            error: end.and_then(|end| end.as_ref().err()).map(told),
            end: end
                .and_then(|end| end.as_ref().ok())
                .map(|end| End::of(end, &frame, rules)),
            frame,
        }
    }
}

impl End {
    fn of(end: &PreviewEnd, frame: &Frame, rules: &crate::convert::RuleBook) -> Self {
        let (result, findings) = (&end.result, &end.findings);
        let tried = frame.count(result.processed);
        let total = frame.count(result.total);
        let time = duration(result.duration_ms.div_ceil(1_000));
        let values = [("n", tried.as_str()), ("of", &total), ("time", &time)];
        let words = if result.interrupted {
            frame.fill("jobs.preview_cancelled", &values)
        } else {
            frame.fill("jobs.preview_over", &values)
        };
        let count = |name, number: u64, tone, ids: &[crate::id::EntryId]| CountView {
            name,
            number: frame.count(number),
            tone: if number == 0 { "quiet" } else { tone },
            ids: ids.iter().take(LISTED_MAX).map(|id| id.0).collect(),
            more: ids.len() > LISTED_MAX,
        };
        let mut counts = vec![
            count(
                frame.say("jobs.verdict_unchanged"),
                result.unchanged,
                "",
                &[],
            ),
            count(frame.say("jobs.verdict_changed"), result.changed, "", &[]),
            count(
                frame.say("jobs.verdict_fixed"),
                result.fixed,
                "good",
                &findings.fixed,
            ),
            count(
                frame.say("jobs.verdict_broken"),
                result.broken,
                "bad",
                &findings.broken,
            ),
            count(frame.say("jobs.failed"), result.failed, "bad", &[]),
        ];
        if result.suspicious > 0 {
            let name = frame.say("frame.status_suspicious");
            counts.push(count(name, result.suspicious, "odd", &findings.suspicious));
        }
        if result.first > 0 {
            counts.push(count(
                frame.say("jobs.verdict_first"),
                result.first,
                "",
                &[],
            ));
        }
        if result.not_tried > 0 {
            counts.push(count(
                frame.say("jobs.not_tried"),
                result.not_tried,
                "bad",
                &[],
            ));
        }
        let errors = result.errors.iter().take(LISTED_MAX);
        Self {
            words,
            counts,
            histogram: Histogram::of(&findings.changes, rules, None, frame),
            errors: errors
                .map(|error| (error.id.to_string(), error.error.clone()))
                .collect(),
        }
    }
}
