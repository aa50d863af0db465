//! `POST /api/v1/entries/{id}/notes`: texts, labels and corrections.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Result;
use crate::archive::Annotation;
use crate::entry::Unit;
use crate::id::{EntryId, EventSeq};
use crate::web::problem::Problem;
use crate::web::sent::Sent;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

/// What is to be added to an entry. Nothing that is recorded is changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NewNote {
    /// What there is to say.
    text: Option<String>,
    /// Labels to add.
    labels: Vec<String>,
    /// Labels to remove.
    unlabels: Vec<String>,
    /// The right serial number.
    serial: Option<String>,
    /// The right part number.
    part: Option<String>,
    /// The right test station.
    station: Option<String>,
    /// The right test process.
    process: Option<String>,
    /// Metadata that is right.
    meta: BTreeMap<String, String>,
    /// Why; recorded for good.
    reason: String,
}

impl NewNote {
    /// Returns it as the store takes it.
    ///
    /// # Errors
    /// `Invalid` when it says nothing, or not why.
    pub(super) fn annotation(self) -> Result<Annotation> {
        let annotation = Annotation {
            text: self.text,
            labels: self.labels,
            unlabels: self.unlabels,
            unit: Unit {
                serial: self.serial,
                part: self.part,
                station: self.station,
                process: self.process,
            },
            meta: self.meta,
            reason: self.reason,
        };
        annotation.check()?;
        Ok(annotation)
    }
}

/// A note that was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NoteRecorded {
    /// The entry.
    #[schema(value_type = u64)]
    id: EntryId,
    /// The event that records it.
    #[schema(value_type = u64)]
    event: EventSeq,
}

/// Adds a text, labels or corrected facts to an entry, purged or not.
#[utoipa::path(
    post,
    path = "/api/v1/entries/{id}/notes",
    params(("id" = u64, Path, description = "Number of the entry")),
    request_body = NewNote,
    responses(
        (status = 200, description = "The note is durable", body = NoteRecorded),
        (status = 400, description = "The note says nothing, or not why", body = Problem),
        (status = 404, description = "There is no such entry", body = Problem),
    )
)]
pub(super) async fn note(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    Sent(note): Sent<NewNote>,
) -> Result<Json<NoteRecorded>, Problem> {
    let (id, annotation) = (EntryId(id), note.annotation()?);
    let noted = web.work(&visitor, move |desk| desk.archive.annotate(id, annotation));
    Ok(Json(NoteRecorded {
        id,
        event: noted.await?,
    }))
}
