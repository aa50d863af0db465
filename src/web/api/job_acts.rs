//! `/api/v1/jobs/{id}/…`: pausing, cancelling, going on with a job, and trying its failures again.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answers::{Answer, body};
use super::jobs::job_answer;
use crate::event::JobStop;
use crate::id::JobId;
use crate::service::reprocess::Speed;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

/// Pauses a running job after the entries that it is working on.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/pause",
    params(("id" = u64, Path, description = "Number of the job")),
    responses(
        (status = 200, description = "The job", body = serde_json::Value),
        (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn pause(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Answer, Problem> {
    stop(&web, &visitor, JobId(id), JobStop::Paused).await
}

/// Stops a job for good.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/cancel",
    params(("id" = u64, Path, description = "Number of the job")),
    responses(
        (status = 200, description = "The job", body = serde_json::Value),
        (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn cancel(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Answer, Problem> {
    stop(&web, &visitor, JobId(id), JobStop::Cancelled).await
}

async fn stop(web: &Web, visitor: &Visitor, id: JobId, how: JobStop) -> Result<Answer, Problem> {
    let answer = web.work(visitor, move |desk| {
        desk.archive.stop_job(id, how)?;
        job_answer(desk, id)
    });
    answer.await
}

/// Goes on with a job that was paused or cut off.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/resume",
    params(("id" = u64, Path, description = "Number of the job")),
    request_body = Option<Speed>,
    responses(
        (status = 200, description = "The job", body = serde_json::Value),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn resume(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    speed: axum::body::Bytes,
) -> Result<Answer, Problem> {
    let speed: Speed = body(&speed)?;
    let answer = web.work(&visitor, move |desk| {
        let id = JobId(id);
        desk.jobs.resume(&desk.service(), id, &speed)?;
        job_answer(desk, id)
    });
    answer.await
}

/// Why failures are tried again, and how quickly.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Retry {
    /// Why; recorded for good.
    reason: Option<String>,
    /// How quickly the job runs.
    speed: Speed,
}

/// Starts a new job over the entries that did not succeed in an old one.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/retry-failed",
    params(("id" = u64, Path, description = "Number of the old job")),
    request_body = Option<Retry>,
    responses(
        (status = 201, description = "The new job", body = serde_json::Value),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn retry_failed(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    retry: axum::body::Bytes,
) -> Result<Answer, Problem> {
    let Retry { reason, speed } = body(&retry)?;
    let answer = web.work(&visitor, move |desk| {
        let job = desk
            .jobs
            .retry_failed(&desk.service(), JobId(id), reason, &speed)?;
        Ok(job_answer(desk, job)?.status(StatusCode::CREATED))
    });
    answer.await
}
