//! `/api/v1/holds`: named reasons why entries may not be purged.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::archive::{Hold, HoldOn, NewHold};
use crate::id::EntryId;
use crate::service::desk::Desk;
use crate::service::entries::no_entry;
use crate::service::entry::refuse_changed;
use crate::service::objects::HoldObject;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// A hold that is to be placed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// What it is called.
    name: String,
    /// Why; recorded for good.
    reason: String,
    /// The entries. Each must be there and not be purged.
    ids: Vec<u64>,
    /// When somebody is to look whether it is still needed, such as `2099-05-01`.
    review: Option<String>,
}

/// Why a hold is released.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// Why; recorded for good.
    reason: String,
}

/// The hold that was released.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Released {
    released: String,
    reason: String,
}

/// Returns the holds.
#[utoipa::path(
    get,
    path = "/api/v1/holds",
    responses((status = 200, description = "The holds, as `annals hold list --json` prints them"))
)]
pub(super) async fn list(
    State(web): State<Web>,
    visitor: Visitor,
) -> Result<Json<serde_json::Value>, Problem> {
    let told = web.work(&visitor, |desk| {
        let desk = desk.service();
        let holds = desk.archive.holds()?.into_iter();
        let holds: Vec<HoldObject> = holds.map(|hold| object(hold, &desk)).collect();
        let count = holds.len();
        Ok(serde_json::json!({ "items": holds, "next": null, "count": count }))
    });
    told.await.map(Json)
}

/// Places a hold on entries. The same request again, with the same name, reason and entries,
/// answers with the hold that is there.
#[utoipa::path(
    post,
    path = "/api/v1/holds",
    request_body = Wanted,
    responses(
        (status = 201, description = "The hold, as `annals hold list --json` prints it"),
        (status = 200, description = "It was there already"),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Another hold has this name, or the entry in \
            `If-Match` has changed"),
    )
)]
pub(super) async fn place(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    let tag = headers.get(header::IF_MATCH).cloned();
    let placed = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let tag = tag.as_ref().and_then(|tag| tag.to_str().ok());
        place_hold(&desk, &wanted, tag)
    });
    let (status, hold) = placed.await?;
    Ok((status, Json(hold)).into_response())
}

fn place_hold(desk: &Desk, wanted: &Wanted, tag: Option<&str>) -> Result<(StatusCode, HoldObject)> {
    if wanted.ids.is_empty() {
        let error = Error::new(ErrorKind::Invalid, "no entries are named");
        return Err(error.hint("name them in `ids`"));
    }
    let mut ids: Vec<EntryId> = wanted.ids.iter().copied().map(EntryId).collect();
    ids.sort_unstable();
    ids.dedup();
    let snapshot = desk.archive.snapshot()?;
    let mut all_held = true;
    for &id in &ids {
        let entry = snapshot.entry(id)?.ok_or_else(|| no_entry(id))?;
        all_held &= entry.holds.contains(&wanted.name);
        if let (Some(tag), 1) = (tag, ids.len()) {
            refuse_changed(&entry, tag)?;
        }
    }
    if let Some(hold) = named(desk, &wanted.name)?
        && all_held
        && hold.reason == wanted.reason
        && hold.entries == ids.len() as u64
    {
        return Ok((StatusCode::OK, object(hold, desk)));
    }
    let mut new = NewHold::new(&wanted.name, &wanted.reason, HoldOn::Entries(ids));
    new.review = wanted
        .review
        .as_deref()
        .map(|text| desk.when(text))
        .transpose()?;
    desk.archive.hold(new)?;
    let hold = named(desk, &wanted.name)?.ok_or_else(|| no_hold(&wanted.name))?;
    Ok((StatusCode::CREATED, object(hold, desk)))
}

fn object(hold: Hold, desk: &Desk) -> HoldObject {
    HoldObject::new(hold, desk.now, &desk.zone)
}

fn named(desk: &Desk, name: &str) -> Result<Option<Hold>> {
    let holds = desk.archive.holds()?;
    Ok(holds.into_iter().find(|hold| hold.name == name))
}

fn no_hold(name: &str) -> Error {
    let error = Error::new(ErrorKind::NotFound, format!("there is no hold '{name}'"));
    error.hint("`annals hold list` lists the holds")
}

/// Lifts a hold from all its entries.
#[utoipa::path(
    post,
    path = "/api/v1/holds/{name}/release",
    params(("name" = String, Path, description = "The hold")),
    request_body = Reason,
    responses((status = 200, body = Released), (status = 404, body = Problem))
)]
pub(super) async fn release(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    Json(Reason { reason }): Json<Reason>,
) -> Result<Json<Released>, Problem> {
    let released = web.work(&visitor, move |desk| {
        desk.archive.release_hold(&name, &reason)?;
        let released = name;
        Ok(Released { released, reason })
    });
    released.await.map(Json)
}
