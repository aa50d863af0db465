//! `/api/v1/jobs/plans`: what a job would do, tried without recording anything, and started.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answers::{Answer, body};
use crate::id::{EntryId, JobId};
use crate::service::entries::Filters;
use crate::service::reprocess::{FrozenPlan, JobRequest};
use crate::web::chosen::Chosen;
use crate::web::problem::Problem;
use crate::web::state::{Desk, Web};
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// The most entries of a preview that were chosen one by one.
const PREVIEW_MAX: usize = 100_000;

/// A job that is to be planned: which entries, and how.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PlanRequest {
    /// Entries by id.
    #[schema(value_type = Vec<u64>)]
    ids: Vec<EntryId>,
    /// The name of a selection that the server keeps.
    selection: Option<String>,
    /// Filters, with the names of the command line: `{"converter": ["ICT"], "from": "yesterday"}`.
    #[schema(value_type = Option<Object>)]
    filters: Option<Filters>,
    /// An older job; with `verdict`, its entries of which that is true.
    of: Option<u64>,
    /// `changed`, `fixed`, `broken`, `failing`, `unchanged`, `suspicious` or `first`.
    verdict: Option<String>,
    /// How the job runs.
    options: JobRequest,
}

impl PlanRequest {
    fn chosen(&self) -> Result<Chosen> {
        let filters = self
            .filters
            .as_ref()
            .map(Filters::pairs)
            .unwrap_or_default();
        let filters = filters
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        let judged = match (self.of, &self.verdict) {
            (Some(job), Some(verdict)) => Some((JobId(job), verdict.parse()?)),
            (None, None) => None,
            _ => {
                let told = "'of' names a job and 'verdict' which of its entries; give both";
                return Err(Error::new(ErrorKind::Invalid, told));
            }
        };
        let chosen = Chosen {
            ids: self.ids.clone(),
            frozen: self.selection.clone(),
            filters: filters.collect(),
            judged,
        };
        chosen.refuse_mixed()?;
        Ok(chosen)
    }
}

/// Makes a plan of chosen entries, and keeps it to be started.
pub(in crate::web) fn make_plan(
    desk: &Desk,
    chosen: &Chosen,
    request: JobRequest,
) -> Result<Arc<FrozenPlan>> {
    let service = desk.service();
    let selection = chosen.selection(&service, &desk.selections, &desk.digests)?;
    let plan = FrozenPlan::make(&service, request, &selection)?;
    Ok(desk.jobs.plans.keep(plan))
}

/// Plans a job over a selection that does not change any more. Nothing runs.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/plans",
    request_body = PlanRequest,
    responses(
        (status = 201, description = "The plan: `plan_id`, `at_seq`, `count`, `runs`, `skipped`, `blocked`, `expires`", body = serde_json::Value),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn plan(
    State(web): State<Web>,
    visitor: Visitor,
    request: Bytes,
) -> Result<Answer, Problem> {
    let request: PlanRequest = body(&request)?;
    let answer = web.work(&visitor, move |desk| {
        let plan = make_plan(desk, &request.chosen()?, request.options)?;
        Ok(Answer::object(&plan.object())?.status(StatusCode::CREATED))
    });
    answer.await
}

/// Returns a plan, and the job that it became, if it was started.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/plans/{plan_id}",
    params(("plan_id" = String, Path, description = "The plan")),
    responses(
        (status = 200, description = "The plan", body = serde_json::Value),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn made_plan(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        Answer::object(&desk.jobs.plans.get(&plan_id)?.object())
    });
    answer.await
}

/// Why a plan is started.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Start {
    /// Why; recorded for good. It replaces the reason of the plan.
    reason: Option<String>,
}

/// The job that a plan became.
#[derive(Debug, Serialize, ToSchema)]
struct Started {
    job: u64,
    plan_id: String,
}

/// Starts a plan. Started again, it answers with the job that it became.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/plans/{plan_id}/start",
    params(("plan_id" = String, Path, description = "The plan")),
    request_body = Option<Start>,
    responses(
        (status = 200, description = "The job that runs, or ran", body = Started),
        (status = 400, body = Problem),
        (status = 404, description = "There is no such plan, or no longer", body = Problem),
        (status = 409, description = "The plan is stale or expired", body = Problem)
    )
)]
pub(super) async fn start(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    why: Bytes,
) -> Result<Answer, Problem> {
    let Start { reason } = body(&why)?;
    let answer = web.work(&visitor, move |desk| {
        let plan = desk.jobs.plans.get(&plan_id)?;
        let job = desk.jobs.start(&desk.service(), &plan, reason)?;
        Answer::object(&Started {
            job: job.0,
            plan_id,
        })
    });
    answer.await
}

/// How many entries a preview runs over.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AskedPreview {
    /// At most so many, with every class among them; when absent, all.
    #[schema(minimum = 1, maximum = 100_000)]
    sample: Option<usize>,
}

/// Runs a plan without recording anything.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/plans/{plan_id}/preview",
    params(("plan_id" = String, Path, description = "The plan")),
    request_body = Option<AskedPreview>,
    responses(
        (status = 202, description = "The preview that runs", body = serde_json::Value),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
        (status = 409, description = "Too many previews run", body = Problem)
    )
)]
pub(super) async fn start_preview(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    asked: Bytes,
) -> Result<Answer, Problem> {
    let AskedPreview { sample } = body(&asked)?;
    if sample.is_some_and(|most| !(1..=PREVIEW_MAX).contains(&most)) {
        let told = format!("a sample has from 1 to {PREVIEW_MAX} entries");
        return Err(Error::new(ErrorKind::Invalid, told).into());
    }
    let answer = web.work(&visitor, move |desk| {
        let plan = desk.jobs.plans.get(&plan_id)?;
        let preview = desk.jobs.preview(&desk.service(), &plan, sample)?;
        Ok(Answer::object(&preview.object(None))?.status(StatusCode::ACCEPTED))
    });
    answer.await
}

/// Returns a preview; once it is over, with what it found.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/previews/{id}",
    params(("id" = u64, Path, description = "The preview")),
    responses(
        (status = 200, description = "The preview; its outcome is that of `annals reprocess --compare-only --json`", body = serde_json::Value),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn preview(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let preview = desk.jobs.kept_preview(id)?;
        let end = preview.end();
        Answer::object(&preview.object(end.as_deref()))
    });
    answer.await
}

/// Ends a preview.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/previews/{id}/cancel",
    params(("id" = u64, Path, description = "The preview")),
    responses(
        (status = 200, description = "The preview", body = serde_json::Value),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn cancel_preview(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let preview = desk.jobs.kept_preview(id)?;
        preview.cancel();
        let end = preview.end();
        Answer::object(&preview.object(end.as_deref()))
    });
    answer.await
}
