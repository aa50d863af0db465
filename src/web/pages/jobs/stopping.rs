//! Pauses, resumes and cancels a job, and tries its failures again.

use axum::extract::{Path, State};
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::new::{go_to, refused};
use crate::event::JobStop;
use crate::id::JobId;
use crate::service::reprocess::Speed;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Why something is done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Why {
    reason: String,
}

/// Answers `POST /jobs/{id}/{act}`: `pause`, `resume`, `cancel` or `retry-failed`.
pub(in crate::web) async fn act(
    State(web): State<Web>,
    visitor: Visitor,
    Path((id, act)): Path<(u64, String)>,
    Form(Why { reason }): Form<Why>,
) -> Result<Response, Problem> {
    let id = JobId(id);
    let done = web.work(&visitor, move |desk| {
        let service = desk.service();
        let speed = Speed::default();
        Ok(match act.as_str() {
            "pause" => desk.archive.stop_job(id, JobStop::Paused).map(|()| id),
            "cancel" => desk.archive.stop_job(id, JobStop::Cancelled).map(|()| id),
            "resume" => desk.jobs.resume(&service, id, &speed).map(|()| id),
            "retry-failed" => {
                let reason = Some(reason).filter(|reason| !reason.trim().is_empty());
                desk.jobs.retry_failed(&service, id, reason, &speed)
            }
            _ => Err(unknown(&act)),
        })
    });
    Ok(match done.await? {
        Ok(job) => go_to(format!("/jobs/{job}")),
        Err(error) => refused(&error),
    })
}

fn unknown(act: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("a job cannot be told to {act}"),
    )
}
