//! `/api/v1/retention`: plans of purges, what a configuration would purge, classes and locks.

use std::io::Write;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Query;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answers::{Answer, csv_line};
use super::jobs::Page;
use super::lists::csv_answer;
use crate::id::EntryId;
use crate::service::entries::no_entry;
use crate::service::retention::{
    ITEM_COLUMNS, ItemObject, Rules, WhatIf, class_objects, compare, explained_in_zone,
    lock_in_zone, policy_in_force,
};
use crate::service::time::parse_age;
use crate::time::Timestamp;
use crate::web::body::written;
use crate::web::problem::Problem;
use crate::web::sent::Sent;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Entries of a page when no number is asked for.
const ITEMS_USUAL: usize = 100;
/// Entries after which a piece of CSV is sent.
const PIECE_ITEMS: usize = 500;

/// Plans what rules would purge, and keeps the plan for half an hour. Nothing is purged.
#[utoipa::path(
    post,
    path = "/api/v1/retention/plans",
    request_body = Rules,
    responses(
        (status = 201, description = "The plan, as `annals retention preview --json` prints it, but for its `items`; with `limits_unmet` and `expires`", body = serde_json::Value),
        (status = 400, description = "A rule cannot be read", body = Problem),
        (status = 404, description = "Nobody knows the converter, or no configuration is named", body = Problem),
        (status = 409, description = "There is no rule, the clock is in doubt, or others make plans", body = Problem)
    )
)]
pub(super) async fn plan(
    State(web): State<Web>,
    visitor: Visitor,
    Sent(rules): Sent<Rules>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let service = desk.service();
        let plan = desk.purges.make(&service, rules)?;
        let object = plan.object(false, &service.zone);
        Ok(Answer::object(&object)?.status(StatusCode::CREATED))
    });
    answer.await
}

/// What of a plan is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WithItems {
    items: bool,
}

/// Returns a plan that is kept, and what became of it if it was carried out.
#[utoipa::path(
    get,
    path = "/api/v1/retention/plans/{plan_id}",
    params(
        ("plan_id" = String, Path, description = "The plan"),
        ("items" = Option<bool>, Query, description = "true: with all its entries, as `annals retention apply --plan` reads it")
    ),
    responses(
        (status = 200, description = "The plan", body = serde_json::Value),
        (status = 404, description = "It is not kept, or no longer", body = Problem)
    )
)]
pub(super) async fn made_plan(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    Query(asked): Query<WithItems>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let plan = desk.purges.get(&plan_id)?;
        Answer::object(&plan.object(asked.items, &desk.service().zone))
    });
    answer.await
}

/// Returns the entries of a plan, those of the oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/retention/plans/{plan_id}/items",
    params(("plan_id" = String, Path, description = "The plan"), Page),
    responses(
        (status = 200, description = "Its entries, each with the rule that selected it", body = serde_json::Value),
        (status = 400, body = Problem),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn items(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let limit = page.limit(ITEMS_USUAL)?;
        let plan = desk.purges.get(&plan_id)?;
        let (snapshot, zone) = (desk.archive.snapshot()?, desk.service().zone);
        let all = &plan.plan.items;
        let first = usize::try_from(page.after.unwrap_or(0)).unwrap_or(usize::MAX);
        let first = first.min(all.len());
        let end = first.saturating_add(limit).min(all.len());
        let objects = all[first..end].iter();
        let objects = objects.map(|item| ItemObject::of(item, &snapshot, &zone));
        let objects = objects.collect::<Result<Vec<_>>>()?;
        let next = (end < all.len()).then(|| end.to_string());
        Answer::list(&objects, next, all.len() as u64)
    });
    answer.await
}

/// Returns the entries of a plan as CSV.
#[utoipa::path(
    get,
    path = "/api/v1/retention/plans/{plan_id}/items.csv",
    params(("plan_id" = String, Path, description = "The plan")),
    responses(
        (status = 200, description = "Its entries", content_type = "text/csv"),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn items_csv(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
) -> Result<Response, Problem> {
    let name = format!("purge-{plan_id}.csv");
    let plan = web.work(&visitor, move |desk| desk.purges.get(&plan_id));
    let plan = plan.await?;
    let body = written(web, visitor, move |desk, pieces| {
        let (snapshot, zone) = (desk.archive.snapshot()?, desk.service().zone);
        let gone = |error| Error::new(ErrorKind::Io, format!("the client is gone: {error}"));
        let mut lines = csv_line(&ITEM_COLUMNS.map(str::to_owned));
        for some in plan.plan.items.chunks(PIECE_ITEMS) {
            for item in some {
                lines += &csv_line(&ItemObject::of(item, &snapshot, &zone)?.fields());
            }
            pieces.write_all(lines.as_bytes()).map_err(gone)?;
            lines.clear();
        }
        pieces.write_all(lines.as_bytes()).map_err(gone)
    });
    Ok(csv_answer(body, &name))
}

/// Why a plan is carried out, and how long that can be undone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Apply {
    /// Why; recorded for good.
    reason: String,
    /// How long the purge can be undone, such as `7d`; without it, its bytes are freed at once.
    #[serde(default)]
    grace: Option<String>,
}

/// Returns the length of a grace period; `None` for none.
pub(in crate::web) fn grace_of(text: Option<&str>, now: Timestamp) -> Result<Option<Duration>> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let micros = text.map(|text| parse_age(text, now)).transpose()?;
    Ok(micros.map(|micros| Duration::from_micros(micros.unsigned_abs())))
}

/// Purges exactly the entries of a plan. Sent again, it answers with what the first one did.
#[utoipa::path(
    post,
    path = "/api/v1/retention/plans/{plan_id}/apply",
    params(("plan_id" = String, Path, description = "The plan")),
    request_body = Apply,
    responses(
        (status = 200, description = "What was purged, as `annals retention apply --json` prints it; `reclaim_error` says that bytes are still to be freed", body = serde_json::Value),
        (status = 400, description = "There is no reason, or no such grace period", body = Problem),
        (status = 404, description = "There is no such plan, or no longer", body = Problem),
        (status = 409, description = "The plan takes nothing, expired, or is stale: something was held, locked or purged after it was made", body = Problem)
    )
)]
pub(super) async fn apply(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    Sent(Apply { reason, grace }): Sent<Apply>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let plan = desk.purges.get(&plan_id)?;
        let now = desk.service().now;
        let grace = grace_of(grace.as_deref(), now)?;
        Answer::object(&*plan.apply(&desk.archive, now, &reason, grace)?)
    });
    answer.await
}

/// Says what a host would purge with another configuration, beside what it purges with its own.
/// Nothing is written.
#[utoipa::path(
    post,
    path = "/api/v1/retention/what-if",
    request_body = WhatIf,
    responses(
        (status = 200, description = "Both, in all and by converter", body = serde_json::Value),
        (status = 400, description = "The text or a value cannot be used", body = Problem),
        (status = 404, description = "No configuration is named, or it has no such converter", body = Problem),
        (status = 409, description = "The clock is in doubt, or others look at the whole store", body = Problem)
    )
)]
pub(super) async fn what_if(
    State(web): State<Web>,
    visitor: Visitor,
    Sent(asked): Sent<WhatIf>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let compared = desk.purges.in_turn(|| compare(&desk.service(), &asked))?;
        Answer::object(&compared)
    });
    answer.await
}

/// Returns the classes of the configuration in the order in which they are tried.
#[utoipa::path(
    get,
    path = "/api/v1/retention/classes",
    responses((status = 200, description = "The classes, as `annals retention classes --json` prints them; none without a configuration", body = serde_json::Value))
)]
pub(super) async fn classes(State(web): State<Web>, visitor: Visitor) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let service = desk.service();
        let config = service.config();
        let stated = config.map(|config| config.retention.as_slice());
        let objects = class_objects(stated.unwrap_or_default(), config);
        Answer::list(&objects, None, objects.len() as u64)
    });
    answer.await
}

/// Says which class has an entry, when each part is due, and what keeps it.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}/retention",
    params(("id" = u64, Path, description = "The entry")),
    responses(
        (status = 200, description = "As `annals retention explain --json` prints it", body = serde_json::Value),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn explain(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let service = desk.service();
        let id = EntryId(id);
        let entry = desk.archive.snapshot()?.entry(id)?;
        let entry = entry.ok_or_else(|| no_entry(id))?;
        let policy = policy_in_force(&entry, service.config());
        let explained = desk.archive.explain_retention(id, &policy)?;
        Answer::object(&explained_in_zone(explained, &service.zone))
    });
    answer.await
}

/// Returns the retention locks.
#[utoipa::path(
    get,
    path = "/api/v1/retention/locks",
    responses((status = 200, description = "The locks, as `annals retention locks --json` prints them", body = serde_json::Value))
)]
pub(super) async fn locks(State(web): State<Web>, visitor: Visitor) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let zone = desk.service().zone;
        let locks = desk.archive.retention_locks().into_iter();
        let locks: Vec<_> = locks.map(|lock| lock_in_zone(lock, &zone)).collect();
        Answer::list(&locks, None, locks.len() as u64)
    });
    answer.await
}
