//! `/api/v1/failures` and `/api/v1/promotions`: what goes wrong, by cause, and which identity of a
//! converter is current.

use axum::extract::{Path, State};
use axum_extra::extract::Query;

use super::answers::Answer;
use crate::archive::FailureGroup;
use crate::query::Filter;
use crate::service::desk::Desk;
use crate::service::entries::Filters;
use crate::service::objects::{FailureObject, PromotionObject};
use crate::service::promotions::{ConverterRecord, last_promotions};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Lists what went wrong, by cause, the most frequent first. Takes the filters of the command
/// line, and `limit`.
#[utoipa::path(
    get,
    path = "/api/v1/failures",
    params(
        ("converter" = Option<Vec<String>>, Query, description = "Archived for this converter"),
        ("from" = Option<String>, Query, description = "Archived at or after this date"),
        ("to" = Option<String>, Query, description = "Archived before this date"),
        ("limit" = Option<usize>, Query, description = "At most this many causes", minimum = 1)
    ),
    responses(
        (status = 200, description = "The causes, as `annals failures --json` shows them", body = serde_json::Value),
        (status = 400, body = Problem)
    )
)]
pub(super) async fn failures(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Answer, Problem> {
    let (filters, limit) = read(query)?;
    let answer = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let failures = desk
            .archive
            .snapshot()?
            .failures(&filter(&filters, &desk)?)?;
        let config = desk.config_text();
        let object = |group| FailureObject::new(group, config.as_deref(), &desk.zone);
        let objects: Vec<FailureObject<'_>> = failures.iter().take(limit).map(object).collect();
        Answer::list(&objects, None, failures.len() as u64)
    });
    answer.await
}

/// Lists what went wrong, by cause, as CSV. Takes the filters of the command line, and `limit`.
#[utoipa::path(
    get,
    path = "/api/v1/failures.csv",
    params(
        ("converter" = Option<Vec<String>>, Query, description = "Archived for this converter"),
        ("from" = Option<String>, Query, description = "Archived at or after this date"),
        ("to" = Option<String>, Query, description = "Archived before this date"),
        ("limit" = Option<usize>, Query, description = "At most this many causes", minimum = 1)
    ),
    responses(
        (status = 200, description = "The causes", content_type = "text/csv", body = String),
        (status = 400, body = Problem)
    )
)]
pub(super) async fn failures_csv(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Answer, Problem> {
    let (filters, limit) = read(query)?;
    let answer = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let failures = desk
            .archive
            .snapshot()?
            .failures(&filter(&filters, &desk)?)?;
        let columns = [
            "cause",
            "kind",
            "converter",
            "entries",
            "first",
            "last",
            "example",
            "text",
        ];
        let row = |group: &FailureGroup| {
            vec![
                group.cause.id.to_string(),
                group.cause.kind.name().to_owned(),
                group.converter.clone(),
                group.entries.to_string(),
                desk.zone.exact(group.first).to_string(),
                desk.zone.exact(group.last).to_string(),
                group.example.to_string(),
                group.cause.text.clone(),
            ]
        };
        let rows: Vec<_> = failures.iter().take(limit).map(row).collect();
        Ok(Answer::csv(&columns, &rows))
    });
    answer.await
}

/// Reads the filters and the number of causes that are asked for.
fn read(query: Vec<(String, String)>) -> Result<(Filters, usize)> {
    let (mut filters, mut limit) = (Filters::default(), usize::MAX);
    for (key, value) in query {
        match key.as_str() {
            "limit" => limit = read_limit(&value)?,
            _ => filters.add(&key, &value)?,
        }
    }
    Ok((filters, limit))
}

/// Returns the filter that words state, with what only the store knows.
pub(in crate::web) fn filter(filters: &Filters, desk: &Desk) -> Result<Filter> {
    filters.to_filter(desk.now, &desk.zone)?.in_store(desk)
}

fn read_limit(value: &str) -> Result<usize> {
    let limit = value.parse().ok().filter(|limit| *limit > 0);
    limit.ok_or_else(|| Error::new(ErrorKind::Invalid, "the limit is a number above 0"))
}

/// Lists the last promotion of each converter that has one.
#[utoipa::path(
    get,
    path = "/api/v1/promotions",
    responses((status = 200, description = "The promotions, as `annals promotion list --json` shows them", body = serde_json::Value))
)]
pub(super) async fn promotions(
    State(web): State<Web>,
    visitor: Visitor,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let last = last_promotions(&desk.archive)?;
        let objects = last.iter().map(|one| PromotionObject::of(one, &desk.zone));
        let objects: Vec<PromotionObject<'_>> = objects.collect();
        Answer::list(&objects, None, objects.len() as u64)
    });
    answer.await
}

/// Returns what is recorded of a converter: promotions, waivers and identities.
#[utoipa::path(
    get,
    path = "/api/v1/promotions/{converter}",
    params(("converter" = String, Path, description = "Name of the converter")),
    responses(
        (status = 200, description = "The record, as `annals promotion show --json` shows it", body = serde_json::Value),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn promotion(
    State(web): State<Web>,
    visitor: Visitor,
    Path(converter): Path<String>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let record = ConverterRecord::of(&desk.archive, &converter)?;
        Answer::object(&record.object(&desk.zone))
    });
    answer.await
}
