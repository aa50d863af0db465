//! `/api/v1/config`: the values of the configuration, and changes of them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::Query;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answers::Answer;
use crate::host::{Change, Config, KeyInfo};
use crate::service::settings::{AppliedObject, apply, check, draft};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Changes of the configuration, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The new values by name, such as `ICT CSV.retention_days` or `defaults.settle_s`. `null`
    /// takes a value out of the file, so that its default is in force. What is not named stays.
    values: BTreeMap<String, serde_json::Value>,
    /// Why; recorded for good. A check needs none.
    #[serde(default)]
    reason: String,
}

/// Whether changes are only checked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    #[serde(default)]
    check: bool,
}

/// Returns every value in force with its origin, secrets masked. The entity tag names the bytes of
/// the file.
#[utoipa::path(
    get,
    path = "/api/v1/config",
    responses(
        (status = 200, description = "The values, as `annals config show --origin --json` prints them", body = serde_json::Value),
        (status = 304, description = "The file is the one of `If-None-Match`"),
        (status = 400, body = Problem, description = "The file is not valid: each problem with its line"),
        (status = 404, body = Problem, description = "No configuration file is named")
    )
)]
pub(super) async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shown = web.work(&visitor, move |desk| {
        let draft = draft(&desk.service())?;
        let settings = draft.config.settings();
        let answer = Answer::list(settings, None, settings.len() as u64)?;
        Ok((draft.revision, answer))
    });
    let (revision, answer) = shown.await?;
    let tag = format!("\"{}\"", revision.as_str());
    let known = tags(&headers, &header::IF_NONE_MATCH);
    let answer = if known.contains(&tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        answer.into_response()
    };
    Ok(tagged(answer, &tag))
}

/// Lists every key with its range, default, unit and meaning.
#[utoipa::path(
    get,
    path = "/api/v1/config/keys",
    responses((status = 200, description = "The keys, as `annals config schema --json` prints them", body = serde_json::Value))
)]
pub(super) async fn keys() -> Result<Answer, Problem> {
    let keys: Vec<KeyInfo> = Config::keys().collect();
    Ok(Answer::list(&keys, None, keys.len() as u64)?)
}

/// Changes values of the configuration, all or none; comments and order of the file stay. A secret
/// that comes back as it was shown, masked, stays as it is. The same request again is no error.
#[utoipa::path(
    put,
    path = "/api/v1/config",
    params(
        ("If-Match" = String, Header, description = "The entity tag of what was looked at"),
        ("check" = Option<bool>, Query, description = "Only check; nothing is written")
    ),
    request_body = Wanted,
    responses(
        (status = 200, description = "Each value before and after, and what the host made of it", body = serde_json::Value),
        (status = 400, body = Problem, description = "Not valid: every error with its key and line"),
        (status = 404, body = Problem, description = "No configuration file is named, or no such converter"),
        (status = 409, body = Problem, description = "Only the file itself changes such a key"),
        (status = 412, body = Problem, description = "Somebody else changed the file meanwhile"),
        (status = 428, body = Problem, description = "`If-Match` is missing"),
        (status = 503, body = Problem, description = "The file cannot be written to, or another program is changing it")
    )
)]
pub(super) async fn change(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(how): Query<How>,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    let tags = tags(&headers, &header::IF_MATCH);
    if tags.is_empty() && !how.check {
        let told = "If-Match is missing: name the entity tag of the configuration you looked at";
        let missing = StatusCode::PRECONDITION_REQUIRED;
        return Err(Problem::new(missing, ErrorKind::Invalid, told)
            .hint("GET /api/v1/config sends it as ETag"));
    }
    let changed = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let changes = changes(&wanted.values)?;
        if how.check {
            let draft = draft(&desk)?;
            let edit = check(&desk, &draft, &changes)?;
            let tag = format!("\"{}\"", draft.revision.as_str());
            return Ok((tag, Answer::object(&AppliedObject::checked(&edit))?));
        }
        let seen = draft(&desk)?.revision;
        let seen = Some(format!("\"{}\"", seen.as_str())).filter(|tag| tags.contains(tag));
        let seen = seen.unwrap_or_default();
        let applied = apply(&desk, seen.trim_matches('"'), &changes, &wanted.reason)?;
        let tag = format!("\"{}\"", applied.edit.revision().as_str());
        Ok((tag, Answer::object(&AppliedObject::of(&applied))?))
    });
    let (tag, answer) = changed.await.map_err(|problem| {
        if problem.is(ErrorKind::Changed) {
            problem.with_status(StatusCode::PRECONDITION_FAILED)
        } else {
            problem
        }
    })?;
    Ok(tagged(answer.into_response(), &tag))
}

/// Returns the entity tags of a header.
fn tags(headers: &HeaderMap, name: &header::HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    let tags = texts
        .flat_map(|text| text.split(','))
        .map(|tag| tag.trim().to_owned());
    tags.filter(|tag| !tag.is_empty()).collect()
}

fn tagged(mut answer: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    answer
}

/// Returns values of JSON as changes.
fn changes(values: &BTreeMap<String, serde_json::Value>) -> Result<Vec<Change>> {
    let change = |(target, value): (&String, &serde_json::Value)| match value {
        serde_json::Value::Null => Change::unset(target),
        serde_json::Value::String(text) => Change::set(target, text),
        serde_json::Value::Object(table) => {
            let pairs = table.iter().map(|(name, value)| {
                let name = serde_json::Value::from(name.as_str());
                format!("{name} = {value}")
            });
            let pairs: Vec<String> = pairs.collect();
            Change::set(target, format!("{{ {} }}", pairs.join(", ")))
        }
        other => Change::set(target, other.to_string()),
    };
    let changes: Vec<Change> = values.iter().map(change).collect();
    if changes.is_empty() {
        let error = Error::new(ErrorKind::Invalid, "no values are named");
        return Err(error.hint("name them in `values`"));
    }
    Ok(changes)
}
