//! `/api/v1/exports/plans`: an evidence bundle that is counted, written, and handed out.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answers::Answer;
use crate::archive::HandingOut;
use crate::event::{Door, Handed, Scope};
use crate::export::WithContents;
use crate::id::EventSeq;
use crate::service::content::record_access;
use crate::service::entries::Filters;
use crate::service::evidence::what_of;
use crate::web::body::written;
use crate::web::exports::{Export, Stage, expected_bytes};
use crate::web::problem::Problem;
use crate::web::sent::Sent;
use crate::web::state::{Desk, Web};
use crate::web::visitor::Visitor;
use crate::{Error, Result};

/// A bundle that is asked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::web) struct NewExport {
    /// Filters, with the names of the command line. Without any, it is the whole log.
    #[schema(value_type = Option<Object>)]
    pub(in crate::web) filters: Option<Filters>,
    /// Also the contents that the events name.
    pub(in crate::web) with_blobs: bool,
}

/// A bundle on its way.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct ExportPlan {
    /// Its name.
    pub(in crate::web) id: String,
    /// `counting`, `counted`, `writing`, `ready`, `failed` or `cancelled`.
    pub(in crate::web) state: &'static str,
    /// Events that are done in this state.
    pub(in crate::web) done: u64,
    /// Of how many.
    pub(in crate::web) total: u64,
    /// What is in it, once that is counted.
    pub(in crate::web) counts: Option<ExportCounts>,
    /// What is checked against, once it is ready.
    pub(in crate::web) bundle: Option<ReadyBundle>,
    /// Why it could not be made.
    pub(in crate::web) error: Option<String>,
}

/// What is in a bundle.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::web) struct ExportCounts {
    /// `whole` or `selection`.
    pub(in crate::web) scope: &'static str,
    /// Lines of the log.
    pub(in crate::web) events: u64,
    /// How many entries they archived.
    pub(in crate::web) entries: u64,
    /// How many contents; null when they are left out.
    pub(in crate::web) contents: Option<u64>,
    /// Roughly how many bytes it has.
    pub(in crate::web) bytes: u64,
}

/// A bundle that is ready.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::web) struct ReadyBundle {
    /// The event that records it.
    #[schema(value_type = u64)]
    pub(in crate::web) event: EventSeq,
    /// The key that signed it. Give it to whoever checks the bundle by another way.
    pub(in crate::web) vkey: String,
    /// The address of the tar file.
    pub(in crate::web) href: String,
    /// Bytes of the tar file.
    pub(in crate::web) bytes: u64,
}

impl ExportPlan {
    /// Returns how far a bundle is.
    pub(in crate::web) fn of(export: &Export) -> Self {
        let stage = export.stage();
        let (done, total) = export.progress();
        let (state, exported) = match &*stage {
            Stage::Counting => ("counting", None),
            Stage::Counted(counted) => ("counted", Some(&counted.exported)),
            Stage::Writing(exported) => ("writing", Some(&**exported)),
            Stage::Ready(exported, _) => ("ready", Some(&**exported)),
            Stage::Failed(_) => ("failed", None),
            Stage::Cancelled => ("cancelled", None),
        };
        Self {
            id: export.id.clone(),
            state,
            done,
            total,
            counts: exported.map(|exported| ExportCounts {
                scope: match exported.scope {
                    Scope::Whole => "whole",
                    Scope::Selection => "selection",
                },
                events: exported.counts.events,
                entries: exported.counts.entries,
                contents: exported.contents.map(|contents| contents.count),
                bytes: expected_bytes(exported),
            }),
            bundle: match &*stage {
                Stage::Ready(_, bundle) => export.tar_of(bundle).ok().map(|tar| ReadyBundle {
                    event: bundle.event,
                    vkey: bundle.vkey.clone(),
                    href: format!("/api/v1/exports/plans/{}/bundle.tar", export.id),
                    bytes: tar.bytes(),
                }),
                _ => None,
            },
            error: match &*stage {
                Stage::Failed(error) => Some(error.message().to_owned()),
                _ => None,
            },
        }
    }
}

/// Begins to count a bundle.
pub(in crate::web) fn plan_export(desk: &Desk, new: &NewExport) -> Result<Arc<Export>> {
    let service = desk.service();
    let filters = new.filters.clone().unwrap_or_default();
    let stated = filters.to_filter(service.now, &service.zone)?;
    let filter = stated.in_store(&service)?;
    let what = what_of(filter, &desk.archive, service.config())?;
    let with = if new.with_blobs {
        WithContents::Yes
    } else {
        WithContents::No
    };
    let account = &desk.visitor.account;
    desk.exports.plan(&desk.archive, account, what, with)
}

/// Counts what an evidence bundle would have. Nothing is recorded yet.
#[utoipa::path(
    post,
    path = "/api/v1/exports/plans",
    request_body = NewExport,
    responses(
        (status = 202, description = "It is being counted", body = ExportPlan),
        (status = 400, description = "A filter cannot be read", body = Problem),
        (status = 409, description = "There is no key to sign with, or another bundle is being made", body = Problem),
    )
)]
pub(super) async fn plan(
    State(web): State<Web>,
    visitor: Visitor,
    Sent(new): Sent<NewExport>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let export = plan_export(desk, &new)?;
        Ok(Answer::object(&ExportPlan::of(&export))?.status(StatusCode::ACCEPTED))
    });
    answer.await
}

/// Returns how far a bundle is.
#[utoipa::path(
    get,
    path = "/api/v1/exports/plans/{plan}",
    params(("plan" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "How far it is", body = ExportPlan),
        (status = 404, description = "It is no longer kept, or somebody else asked for it", body = Problem),
    )
)]
pub(super) async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let export = desk.exports.get(&id, &desk.visitor.account)?;
        Answer::object(&ExportPlan::of(&export))
    });
    answer.await
}

/// Records the export, signs the log up to it, and writes the bundle.
#[utoipa::path(
    post,
    path = "/api/v1/exports/plans/{plan}/start",
    params(("plan" = String, Path, description = "Its name")),
    responses(
        (status = 202, description = "It is being written", body = ExportPlan),
        (status = 404, description = "It is no longer kept, or somebody else asked for it", body = Problem),
        (status = 409, description = "It was not counted, or is written already", body = Problem),
        (status = 507, description = "The disk has too little room", body = Problem),
    )
)]
pub(super) async fn start(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let export = desk.exports.get(&id, &desk.visitor.account)?;
        desk.exports.start(&desk.archive, &export)?;
        Ok(Answer::object(&ExportPlan::of(&export))?.status(StatusCode::ACCEPTED))
    });
    answer.await
}

/// Ends the work on a bundle, and removes what there is of it.
#[utoipa::path(
    post,
    path = "/api/v1/exports/plans/{plan}/cancel",
    params(("plan" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "It is not made", body = ExportPlan),
        (status = 404, description = "It is no longer kept, or somebody else asked for it", body = Problem),
    )
)]
pub(super) async fn cancel(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let export = desk.exports.get(&id, &desk.visitor.account)?;
        export.cancel();
        Answer::object(&ExportPlan::of(&export))
    });
    answer.await
}

/// Returns a bundle as a tar file. Its length is stated, so that a part is not taken for the whole.
#[utoipa::path(
    get,
    path = "/api/v1/exports/plans/{plan}/bundle.tar",
    params(("plan" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The bundle", content_type = "application/x-tar"),
        (status = 404, description = "It is no longer kept, or somebody else asked for it", body = Problem),
        (status = 409, description = "It is not ready", body = Problem),
    )
)]
pub(super) async fn bundle(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let opened = web.work(&visitor, move |desk| {
        let export = desk.exports.get(&id, &desk.visitor.account)?;
        let tar = export.tar()?;
        if let (WithContents::Yes, Some(entries)) = (export.with, &export.entries) {
            let out = || {
                let out = HandingOut::new(Handed::Export, entries.iter().collect(), "export");
                Ok::<_, Error>(out.door(Door::Web))
            };
            record_access(&desk.service(), out)?;
        }
        Ok((export, tar))
    });
    let (export, tar) = opened.await?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar".to_owned()),
        (header::CONTENT_LENGTH, tar.bytes().to_string()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}.tar\"", tar.name),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let body = written(web, visitor, move |_, pieces| {
        let written = tar.write(pieces);
        // The files stay as long as they are read.
        drop(export);
        written
    });
    Ok((headers, body).into_response())
}
