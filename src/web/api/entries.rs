//! `/api/v1/entries`: entries as objects.

use axum::Json;
use axum::extract::{Path, State};

use crate::entry::Entry;
use crate::id::EntryId;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind};

/// Returns an entry, purged or not.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}",
    params(("id" = u64, Path, description = "Number of the entry")),
    responses((status = 200, description = "The entry"), (status = 404, body = Problem))
)]
pub(super) async fn entry(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Json<Entry>, Problem> {
    let id = EntryId(id);
    let found = web.work(&visitor, move |desk| desk.archive.snapshot()?.entry(id));
    let missing = || Error::new(ErrorKind::NotFound, format!("there is no entry {id}"));
    found.await?.map(Json).ok_or_else(|| missing().into())
}
