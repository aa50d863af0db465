//! `/api/v1/retention/purges`: what was purged, what can be undone, and certificates.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::Query;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::answers::Answer;
use crate::id::EventSeq;
use crate::service::retention::{Finalized, certify, history, pending_in_zone};
use crate::web::problem::Problem;
use crate::web::sent::Sent;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Purges of a page when no number is asked for.
const PURGES_USUAL: usize = 20;
/// The most purges of a page.
const PURGES_MAX: usize = 100;

/// A page of the history of purges.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Back {
    /// The most purges.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// Only what was recorded before this event: the `next` of the page before.
    before: Option<u64>,
}

/// Lists what was purged, the newest first: who, why, how much, and how it ended. A page looks at
/// 100,000 events; one without purges may have a `next`.
#[utoipa::path(
    get,
    path = "/api/v1/retention/purges",
    params(Back),
    responses(
        (status = 200, description = "The purges", body = serde_json::Value),
        (status = 400, body = Problem)
    )
)]
pub(super) async fn list(
    State(web): State<Web>,
    visitor: Visitor,
    Query(page): Query<Back>,
) -> Result<Answer, Problem> {
    let limit = page.limit.unwrap_or(PURGES_USUAL);
    if !(1..=PURGES_MAX).contains(&limit) {
        let told = format!("a page has from 1 to {PURGES_MAX} purges");
        return Err(Error::new(ErrorKind::Invalid, told).into());
    }
    let answer = web.work(&visitor, move |desk| {
        let before = page.before.map(EventSeq);
        let zone = desk.service().zone;
        let found = history(&desk.archive, before, limit, &zone)?;
        let next = found.more.then(|| found.looked_back_to.to_string());
        Answer::list(&found.purges, next, found.purges.len() as u64)
    });
    answer.await
}

/// Lists the purges that can be undone, the next one to become final first.
#[utoipa::path(
    get,
    path = "/api/v1/retention/pending",
    responses((status = 200, description = "The purges, as `annals retention pending --json` prints them", body = serde_json::Value))
)]
pub(super) async fn pending(State(web): State<Web>, visitor: Visitor) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let zone = desk.service().zone;
        let pending = desk.archive.pending_purges()?.into_iter();
        let pending: Vec<_> = pending.map(|one| pending_in_zone(one, &zone)).collect();
        Answer::list(&pending, None, pending.len() as u64)
    });
    answer.await
}

/// Why something is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// Why; recorded for good.
    reason: String,
}

impl Why {
    /// Returns the reason.
    fn stated(self) -> Result<String> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            let told = "say why: the reason is recorded for good";
            return Err(Error::new(ErrorKind::Invalid, told).hint("give it in `reason`"));
        }
        Ok(reason.to_owned())
    }
}

/// Brings back every entry that a plan purged, while the purge is not final.
#[utoipa::path(
    post,
    path = "/api/v1/retention/purges/{plan_id}/undo",
    params(("plan_id" = String, Path, description = "The plan of the purge")),
    request_body = Why,
    responses(
        (status = 200, description = "As `annals retention undo --json` prints it", body = serde_json::Value),
        (status = 400, description = "There is no reason", body = Problem),
        (status = 404, description = "No purge was made by this plan", body = Problem),
        (status = 409, description = "It is final, or was undone", body = Problem)
    )
)]
pub(super) async fn undo(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    Sent(why): Sent<Why>,
) -> Result<Answer, Problem> {
    let reason = why.stated()?;
    let answer = web.work(&visitor, move |desk| {
        Answer::object(&desk.archive.undo_purge(&plan_id, &reason)?)
    });
    answer.await
}

/// Makes a purge final before its time, and frees its bytes.
#[utoipa::path(
    post,
    path = "/api/v1/retention/purges/{plan_id}/finalize",
    params(("plan_id" = String, Path, description = "The plan of the purge")),
    request_body = Why,
    responses(
        (status = 200, description = "As `annals retention finalize --json` prints it", body = serde_json::Value),
        (status = 400, description = "There is no reason", body = Problem),
        (status = 404, description = "No purge was made by this plan", body = Problem),
        (status = 409, description = "It is final, or was undone", body = Problem)
    )
)]
pub(super) async fn finalize(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    Sent(why): Sent<Why>,
) -> Result<Answer, Problem> {
    let reason = why.stated()?;
    let answer = web.work(&visitor, move |desk| {
        let freed = desk.archive.finalize_purge(&plan_id, &reason)?;
        Answer::object(&Finalized {
            plan_id: &plan_id,
            bytes_freed: freed.map_or(0, |done| done.bytes_freed),
        })
    });
    answer.await
}

/// Frees what a purge left, and signs what became of its contents: a certificate of destruction.
#[utoipa::path(
    post,
    path = "/api/v1/retention/purges/{plan_id}/certificate",
    params(("plan_id" = String, Path, description = "The plan of the purge")),
    responses(
        (status = 200, description = "The certificate, which `annals verify-proof` checks", content_type = "text/plain"),
        (status = 404, description = "No purge was made by this plan", body = Problem),
        (status = 409, description = "It can still be undone, or there is no key to sign with", body = Problem)
    )
)]
pub(super) async fn certificate(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
) -> Result<Response, Problem> {
    let name = format!("{plan_id}.certificate");
    let signed = web.work(&visitor, move |desk| {
        let (_, note) = certify(&desk.archive, Some(&plan_id))?;
        Ok(note.to_string())
    });
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, signed.await?).into_response())
}
