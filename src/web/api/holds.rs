//! `/api/v1/holds`: named reasons why entries may not be purged.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use utoipa::ToSchema;

use super::answers::Answer;
use crate::archive::{Hold, HoldOn, NewHold};
use crate::id::EntryId;
use crate::query::{Filter, Sort};
use crate::service::desk::Desk as ServiceDesk;
use crate::service::entries::{Filters, Selected, no_entry, nothing_selected};
use crate::service::entry::refuse_changed;
use crate::service::holds::{self, Reach, Released, Reviewed, held};
use crate::service::objects::HoldObject;
use crate::time::Timestamp;
use crate::web::problem::Problem;
use crate::web::sent::Sent;
use crate::web::state::{Desk, Web};
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// A hold that is to be placed: on entries by id, on a selection, or on what filters match.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewHoldRequest {
    /// What it is called.
    pub(in crate::web) name: String,
    /// Why; recorded for good.
    pub(in crate::web) reason: String,
    /// The entries. Each must be there and not be purged.
    #[serde(default)]
    pub(in crate::web) ids: Vec<u64>,
    /// The name of a selection that the server keeps.
    #[serde(default)]
    pub(in crate::web) selection: Option<String>,
    /// Filters, with the names of the command line: `{"serial": "SN1001"}`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(in crate::web) filters: Option<Filters>,
    /// With filters: also every entry that matches later, until the hold is released.
    #[serde(default)]
    pub(in crate::web) future: bool,
    /// When somebody is to look whether it is still needed, such as `2099-05-01`.
    #[serde(default)]
    pub(in crate::web) review: Option<String>,
}

/// Why a hold is released.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// Why; recorded for good.
    reason: String,
}

/// When somebody is to look at a hold again, and why it stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Review {
    /// When, such as `2099-11-01`.
    until: String,
    /// Why it is still needed; recorded for good.
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
        let all = desk.archive.holds()?.into_iter();
        let holds: Vec<HoldObject> = all.map(|hold| holds::object(hold, &desk)).collect();
        let count = holds.len();
        Ok(serde_json::json!({ "items": holds, "next": null, "count": count }))
    });
    told.await.map(Json)
}

/// Places a hold. The same request again, with the same name, reason and entries, answers with the
/// hold that is there.
#[utoipa::path(
    post,
    path = "/api/v1/holds",
    request_body = NewHoldRequest,
    responses(
        (status = 201, description = "The hold, as `annals hold list --json` prints it", body = serde_json::Value),
        (status = 200, description = "It was there already", body = serde_json::Value),
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
    Sent(wanted): Sent<NewHoldRequest>,
) -> Result<Answer, Problem> {
    let tag = headers.get(header::IF_MATCH).cloned();
    let answer = web.work(&visitor, move |desk| {
        let tag = tag.as_ref().and_then(|tag| tag.to_str().ok());
        let (status, hold) = place_hold(desk, wanted, tag)?;
        Ok(Answer::object(&hold)?.status(status))
    });
    answer.await
}

/// Places the hold that is asked for, unless it is there already.
pub(in crate::web) fn place_hold(
    desk: &Desk,
    wanted: NewHoldRequest,
    tag: Option<&str>,
) -> Result<(StatusCode, HoldObject)> {
    let service = desk.service();
    let on = lies_on(desk, &service, &wanted)?;
    if let HoldOn::Entries(ids) = &on {
        if let (Some(tag), [id]) = (tag, ids.as_slice()) {
            let entry = desk.archive.snapshot()?.entry(*id)?;
            refuse_changed(&entry.ok_or_else(|| no_entry(*id))?, tag)?;
        }
        if let Some(hold) = same_as(&service, &wanted, ids)? {
            return Ok((StatusCode::OK, holds::object(hold, &service)));
        }
    }
    let review = wanted.review.as_deref().map(str::trim);
    let review = review.filter(|date| !date.is_empty());
    let mut new = NewHold::new(wanted.name.trim(), wanted.reason.trim(), on);
    new.review = review.map(|text| service.when(text)).transpose()?;
    let name = new.name.clone();
    holds::place(&desk.archive, new)?;
    let hold = holds::named(&service, &name)?.ok_or_else(|| holds::no_hold(&name))?;
    Ok((StatusCode::CREATED, holds::object(hold, &service)))
}

/// Returns what a hold is to lie on.
fn lies_on(desk: &Desk, service: &ServiceDesk, wanted: &NewHoldRequest) -> Result<HoldOn> {
    let ids: Vec<EntryId> = wanted.ids.iter().copied().map(EntryId).collect();
    let invalid = |told: &str, hint: &str| {
        let error = Error::new(ErrorKind::Invalid, told.to_owned());
        Err(error.hint(hint.to_owned()))
    };
    if wanted.future && wanted.filters.is_none() {
        return invalid(
            "only filters can be for entries to come",
            "give `filters` with `future`",
        );
    }
    match (ids.is_empty(), &wanted.selection, &wanted.filters) {
        (false, None, None) => {
            let snapshot = desk.archive.snapshot()?;
            held(Selected::Ids(ids), Reach::Now, &snapshot, None)
        }
        (true, Some(name), None) => {
            // Purged entries have nothing that could be kept.
            let living = Filter::default().ids(desk.selections.get(name)?.ids.clone());
            let living = desk.archive.snapshot()?.ids(&living, Sort::default())?;
            if living.is_empty() {
                return Err(nothing_selected());
            }
            Ok(HoldOn::Entries(living))
        }
        (true, None, Some(filters)) => {
            let filter = filters.to_filter(service.now, &service.zone)?;
            let selected = Selected::of(Vec::new(), filter)?.in_store(service)?;
            let reach = if wanted.future {
                Reach::NowAndLater
            } else {
                Reach::Now
            };
            held(selected, reach, &desk.archive.snapshot()?, service.config())
        }
        (true, None, None) => invalid(
            "no entries are named",
            "give `ids`, a `selection`, or `filters`",
        ),
        _ => invalid(
            "entries are chosen in several ways at once",
            "give one of `ids`, `selection` and `filters`",
        ),
    }
}

/// Returns the hold that a request asks for, if it is there already.
fn same_as(desk: &ServiceDesk, wanted: &NewHoldRequest, ids: &[EntryId]) -> Result<Option<Hold>> {
    let Some(hold) = holds::named(desk, wanted.name.trim())? else {
        return Ok(None);
    };
    if hold.reason != wanted.reason.trim() || hold.entries != ids.len() as u64 {
        return Ok(None);
    }
    let snapshot = desk.archive.snapshot()?;
    for id in ids {
        let entry = snapshot.entry(*id)?;
        if !entry.is_some_and(|entry| entry.holds.contains(&hold.name)) {
            return Ok(None);
        }
    }
    Ok(Some(hold))
}

/// Lifts a hold from all its entries.
#[utoipa::path(
    post,
    path = "/api/v1/holds/{name}/release",
    params(("name" = String, Path, description = "The hold")),
    request_body = Reason,
    responses(
        (status = 200, body = Released),
        (status = 400, body = Problem),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn release(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    Sent(Reason { reason }): Sent<Reason>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        release_hold(desk, &name, &reason)?;
        Answer::object(&Released {
            name,
            reason: reason.trim().to_owned(),
        })
    });
    answer.await
}

/// Lifts a hold from all its entries.
pub(in crate::web) fn release_hold(desk: &Desk, name: &str, reason: &str) -> Result<()> {
    if reason.trim().is_empty() {
        let told = "say why: the reason is recorded with the release";
        return Err(Error::new(ErrorKind::Invalid, told));
    }
    let released = desk.archive.release_hold(name, reason.trim());
    released.map_err(holds::with_list)
}

/// Records that a hold is still needed, and when to look again.
#[utoipa::path(
    post,
    path = "/api/v1/holds/{name}/review",
    params(("name" = String, Path, description = "The hold")),
    request_body = Review,
    responses(
        (status = 200, body = Reviewed),
        (status = 400, body = Problem, description = "The date is over or cannot be read, or there is no reason"),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn review(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    Sent(Review { until, reason }): Sent<Review>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let until = review_hold(desk, &name, &until, &reason)?;
        Answer::object(&Reviewed {
            name,
            review: until,
            reason: reason.trim().to_owned(),
        })
    });
    answer.await
}

/// Records that a hold is still needed. Returns when somebody is to look again.
pub(in crate::web) fn review_hold(
    desk: &Desk,
    name: &str,
    until: &str,
    reason: &str,
) -> Result<Timestamp> {
    let service = desk.service();
    let until = service.when(until.trim())?;
    let reviewed = desk.archive.review_hold(name, until, reason.trim());
    reviewed.map_err(holds::with_list)?;
    Ok(service.zone.exact(until))
}
