//! `/api/v1/views`: filters, order and columns that all who use the store share.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::archive::SavedView;
use crate::web::address::Address;
use crate::web::problem::Problem;
use crate::web::sent::Sent;
use crate::web::state::Web;
use crate::web::unchanged::Tag;
use crate::web::visitor::Visitor;

/// The saved views, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SavedViews {
    #[schema(value_type = Vec<Object>)]
    items: Vec<SavedView>,
}

/// What a view shows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewView {
    /// The query of a list, such as `status=failed&from=today&sort=size:desc`.
    query: String,
}

/// Returns the saved views.
#[utoipa::path(
    get,
    path = "/api/v1/views",
    responses(
        (status = 200, description = "The saved views", body = SavedViews),
        (status = 304, description = "Nothing has changed since the ETag"),
    )
)]
pub(super) async fn list(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let answered = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let tag = Tag::of(desk.archive.newest(), &("views", &desk.zone));
        if tag.is_known(&headers) {
            return Ok(tag.unchanged());
        }
        let mut items = desk.archive.snapshot()?.views()?;
        for view in &mut items {
            view.at = desk.zone.exact(view.at);
        }
        Ok(tag.on(Json(SavedViews { items }).into_response()))
    });
    answered.await
}

/// Saves a view, or replaces the one of this name.
#[utoipa::path(
    put,
    path = "/api/v1/views/{name}",
    params(("name" = String, Path, description = "What it is called")),
    request_body = NewView,
    responses(
        (status = 204, description = "Saved"),
        (status = 400, description = "The query is none, or the name cannot be used", body = Problem),
    )
)]
pub(super) async fn save(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    Sent(new): Sent<NewView>,
) -> Result<StatusCode, Problem> {
    // A view that no list takes is not saved.
    let query = Address::read(&new.query)?.query();
    let saved = web.work(&visitor, move |desk| desk.archive.save_view(&name, &query));
    saved.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Drops a view.
#[utoipa::path(
    delete,
    path = "/api/v1/views/{name}",
    params(("name" = String, Path, description = "What it is called")),
    responses(
        (status = 204, description = "Dropped"),
        (status = 404, description = "There is no view of this name", body = Problem),
    )
)]
pub(super) async fn drop_view(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let dropped = web.work(&visitor, move |desk| desk.archive.drop_view(&name));
    dropped.await?;
    Ok(StatusCode::NO_CONTENT)
}
