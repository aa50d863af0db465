//! `POST /api/v1/entries`: archives the body of a request as a source.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::archive::{Archived, NewEntry};
use crate::convert::suggest;
use crate::service::words::parse_pair;
use crate::web::body::read;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// The header with the key under which a repeat is recognised.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// What can be said of a source.
const KEYS: [&str; 9] = [
    "converter",
    "version",
    "name",
    "path",
    "serial",
    "part",
    "station",
    "process",
    "meta",
];

/// The receipt of a source: the object of `annals archive --json`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ArchivedObject {
    #[serde(flatten)]
    #[schema(value_type = Object)]
    archived: Archived,
}

/// Archives the body as a source. On 201 it is durable.
///
/// With an `Idempotency-Key` that is known, the earlier entry is returned with 200, and nothing is
/// archived.
#[utoipa::path(
    post,
    path = "/api/v1/entries",
    params(
        ("converter" = String, Query, description = "The converter that it is meant for"),
        ("name" = Option<String>, Query, description = "Its file name"),
        ("path" = Option<String>, Query, description = "Where it came from"),
        ("version" = Option<String>, Query, description = "The version the converter claims"),
        ("serial" = Option<String>, Query, description = "Serial number of the unit"),
        ("part" = Option<String>, Query, description = "Part number of the unit"),
        ("station" = Option<String>, Query, description = "Test station"),
        ("process" = Option<String>, Query, description = "Test process"),
        ("meta" = Option<Vec<String>>, Query, description = "Further facts, as name=value"),
        ("Idempotency-Key" = Option<String>, Header, description = "Recognises a repeat"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "Archived and durable", body = ArchivedObject),
        (status = 200, description = "The key is known: the earlier entry", body = ArchivedObject),
        (status = 400, description = "A fact is unknown or missing", body = Problem),
    )
)]
pub(super) async fn archive(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Problem> {
    let mut new = new_entry(&query.unwrap_or_default())?;
    if let Some(key) = headers.get(IDEMPOTENCY_KEY) {
        new = new.key(key_text(key)?);
    }
    let archived = read(&web, &visitor, body, move |desk, content| {
        desk.archive.put(new, content)
    });
    let archived = archived.await?;
    let status = if archived.existing {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(ArchivedObject { archived })).into_response())
}

fn key_text(key: &axum::http::HeaderValue) -> Result<&str> {
    key.to_str().map_err(|_| {
        Error::new(ErrorKind::Invalid, "the Idempotency-Key is not plain text")
            .hint("use letters, digits and signs of ASCII")
    })
}

/// Returns what the query of the address says of a source.
fn new_entry(query: &str) -> Result<NewEntry> {
    let mut new = NewEntry::default();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let (key, value) = (&*key, value.into_owned());
        match key {
            "converter" => new.converter = value,
            "version" => new.converter_version = Some(value),
            "name" => new.source.name = value,
            "path" => new.source.path = value,
            "serial" => new.unit.serial = Some(value),
            "part" => new.unit.part = Some(value),
            "station" => new.unit.station = Some(value),
            "process" => new.unit.process = Some(value),
            "meta" => {
                let pair = parse_pair(&value).map_err(|why| {
                    let told = format!("'{value}' cannot stand for 'meta': {why}");
                    Error::new(ErrorKind::Invalid, told)
                })?;
                new.meta.insert(pair.0, pair.1);
            }
            other => return Err(unknown(other)),
        }
    }
    if new.converter.is_empty() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "it is not said which converter this is for",
        )
        .hint("say it with ?converter=NAME"));
    }
    Ok(new)
}

fn unknown(key: &str) -> Error {
    let told = format!("a source has no '{key}'");
    let error = Error::new(ErrorKind::Invalid, told);
    match suggest(key, KEYS.into_iter()) {
        Some(meant) => error.hint(format!("did you mean '{meant}'?")),
        None => error.hint(format!("it has {}", KEYS.join(", "))),
    }
}
