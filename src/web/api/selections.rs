//! `/api/v1/selections`: entries frozen by the server, and what is done with all of them at once.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lists::{csv_answer, write_csv};
use super::notes::NewNote;
use crate::id::{EntryId, EventSeq};
use crate::service::entries::Filters;
use crate::time::Timestamp;
use crate::web::address::Address;
use crate::web::batch::{Held, NewHoldOnSelection, Noted, hold_all, note_all};
use crate::web::body::written;
use crate::web::listing::{Chosen, freeze};
use crate::web::problem::Problem;
use crate::web::selections::{LeftOut, Selection};
use crate::web::sent::Sent;
use crate::web::sources::{sources_answer, write_sources};
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Which entries to freeze: ids, or filters.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSelection {
    /// These entries.
    #[serde(default)]
    #[schema(value_type = Vec<u64>)]
    ids: Vec<EntryId>,
    /// All that match these filters, which have the names of the command line's.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    filters: Option<Filters>,
    /// With filters: also those whose bytes were purged.
    #[serde(default)]
    purged: bool,
}

/// A frozen selection.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SelectionObject {
    /// The name under which it is kept for two hours after its last use.
    selection: String,
    /// How many entries it has.
    count: u64,
    /// The newest event that it knows of.
    #[schema(value_type = u64)]
    at_seq: EventSeq,
    /// When it was made.
    #[schema(value_type = String)]
    at: Timestamp,
    /// Those of its entries that no converter can be run on again, and why; null when there are
    /// so many entries that only the plan of a job looks at each.
    left_out: Option<Vec<LeftOut>>,
}

impl SelectionObject {
    fn of(selection: &Selection) -> Self {
        Self {
            selection: selection.id.clone(),
            count: selection.ids.len() as u64,
            at_seq: selection.at_seq,
            at: selection.at,
            left_out: selection.left_out.clone(),
        }
    }
}

/// Freezes entries: what a batch works on later is what matches now.
#[utoipa::path(
    post,
    path = "/api/v1/selections",
    request_body = NewSelection,
    responses(
        (status = 201, description = "The selection", body = SelectionObject),
        (status = 400, description = "A filter cannot be read", body = Problem),
        (status = 404, description = "Nothing matches", body = Problem),
    )
)]
pub(super) async fn create(
    State(web): State<Web>,
    visitor: Visitor,
    Sent(new): Sent<NewSelection>,
) -> Result<Response, Problem> {
    let chosen = chosen(new)?;
    let made = web.work(&visitor, move |desk| freeze(&desk.service(), chosen));
    let kept = web.selections().keep(made.await?)?;
    Ok((StatusCode::CREATED, Json(SelectionObject::of(&kept))).into_response())
}

fn chosen(new: NewSelection) -> Result<Chosen> {
    match (new.ids.is_empty(), new.filters) {
        (false, None) => Ok(Chosen::Ids(new.ids)),
        (true, Some(filters)) => {
            let address = Address {
                filters,
                purged: new.purged,
                ..Address::default()
            };
            Ok(Chosen::Matching(Box::new(address)))
        }
        (true, None) => Err(Error::new(ErrorKind::Invalid, "no entries are named")
            .hint("give ids, or filters; an empty object of filters means every entry")),
        (false, Some(_)) => Err(
            Error::new(ErrorKind::Invalid, "ids and filters are both given")
                .hint("give ids, or filters, not both"),
        ),
    }
}

/// Returns a frozen selection.
#[utoipa::path(
    get,
    path = "/api/v1/selections/{selection}",
    params(("selection" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The selection", body = SelectionObject),
        (status = 404, description = "It is no longer kept", body = Problem),
    )
)]
pub(super) async fn show(
    State(web): State<Web>,
    Path(name): Path<String>,
) -> Result<Json<SelectionObject>, Problem> {
    let selection = kept(&web, &name)?;
    Ok(Json(SelectionObject::of(&selection)))
}

/// Adds a note, labels or corrected facts to each entry of a selection.
#[utoipa::path(
    post,
    path = "/api/v1/selections/{selection}/notes",
    params(("selection" = String, Path, description = "Its name")),
    request_body = NewNote,
    responses(
        (status = 200, description = "What was noted on how many", body = Noted),
        (status = 400, description = "The note says nothing, or not why", body = Problem),
        (status = 404, description = "The selection is no longer kept", body = Problem),
    )
)]
pub(super) async fn note(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    Sent(note): Sent<NewNote>,
) -> Result<Json<Noted>, Problem> {
    let selection = kept(&web, &name)?;
    let annotation = note.annotation()?;
    let noted = web.work(&visitor, move |desk| {
        note_all(&desk.service(), &selection, &annotation)
    });
    Ok(Json(noted.await?))
}

/// Places a hold on the entries of a selection that are not purged.
#[utoipa::path(
    post,
    path = "/api/v1/selections/{selection}/holds",
    params(("selection" = String, Path, description = "Its name")),
    request_body = NewHoldOnSelection,
    responses(
        (status = 200, description = "On how many entries the hold lies", body = Held),
        (status = 404, description = "The selection is no longer kept", body = Problem),
        (status = 409, description = "There is a hold of that name", body = Problem),
    )
)]
pub(super) async fn hold(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    Sent(hold): Sent<NewHoldOnSelection>,
) -> Result<Json<Held>, Problem> {
    let selection = kept(&web, &name)?;
    let held = web.work(&visitor, move |desk| {
        hold_all(&desk.service(), &selection, hold)
    });
    Ok(Json(held.await?))
}

/// Returns the entries of a selection as CSV.
#[utoipa::path(
    get,
    path = "/api/v1/selections/{selection}/entries.csv",
    params(("selection" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "Its entries", content_type = "text/csv"),
        (status = 404, description = "It is no longer kept", body = Problem),
    )
)]
pub(super) async fn csv(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let selection = kept(&web, &name)?;
    let body = written(web, visitor, move |desk, pieces| {
        let desk = desk.service();
        write_csv(&selection.ids, &desk.archive.snapshot()?, &desk, pieces)
    });
    Ok(csv_answer(body, "entries.csv"))
}

/// Returns the sources of a selection as a tar file. Those whose bytes are gone are named in
/// `left-out.csv` at its end.
#[utoipa::path(
    get,
    path = "/api/v1/selections/{selection}/sources.tar",
    params(("selection" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "Its sources", content_type = "application/x-tar"),
        (status = 404, description = "It is no longer kept", body = Problem),
    )
)]
pub(super) async fn tar(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let selection = kept(&web, &name)?;
    let body = written(web, visitor, move |desk, pieces| {
        write_sources(&desk.service(), &selection, pieces)
    });
    Ok(sources_answer(body))
}

fn kept(web: &Web, name: &str) -> Result<Arc<Selection>, Problem> {
    web.selections().get(name).map_err(Problem::from)
}
