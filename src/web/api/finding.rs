//! `GET /api/v1/find`: entries by serial, part, file, report id or hash.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::entry::Entry;
use crate::service::entries::{FoundEntry, Reason, reason, searched};
use crate::web::address::read_limit;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::unchanged::Tag;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Matches that are returned, unless `limit` says otherwise.
const USUAL: usize = 100;

/// What a search found, best matches first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Found {
    /// The entries, purged ones too, as `annals find --json` prints them. `matched` says what the
    /// text was found in, how much of it the text is, and its value.
    #[schema(value_type = Vec<Object>)]
    items: Vec<serde_json::Value>,
    /// Whether there may be more matches than were asked for.
    more: bool,
}

/// Finds entries by the whole, the beginning or the end of a serial, and by part, file name, report
/// id or hash.
#[utoipa::path(
    get,
    path = "/api/v1/find",
    params(
        ("q" = String, Query, description = "What to look for, also as sha256:HASH"),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 1000"),
    ),
    responses(
        (status = 200, description = "The matches; none is no error", body = Found),
        (status = 400, description = "A key is unknown or has no such value", body = Problem),
    )
)]
pub(super) async fn find(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (text, limit) = asked(&query.unwrap_or_default()).map_err(Problem::from)?;
    let answered = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let tag = Tag::of(desk.archive.newest(), &(&text, limit, &desk.zone));
        if tag.is_known(&headers) {
            return Ok(tag.unchanged());
        }
        let entries = desk.archive.snapshot()?.find(&text, limit)?;
        let contents = desk.archive.find_contents(&text, limit)?;
        let item = |entry: &Entry| {
            let found = FoundEntry::new(entry, &contents, &desk.zone);
            let found = FoundItem {
                matched: reason(entry, &text),
                found,
            };
            serde_json::to_value(found)
                .map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))
        };
        let found = Found {
            more: entries.len() == limit,
            items: entries.iter().map(item).collect::<Result<_>>()?,
        };
        Ok(tag.on(Json(found).into_response()))
    });
    answered.await
}

/// An entry, and why it was found.
#[derive(Serialize)]
struct FoundItem<'a> {
    #[serde(flatten)]
    found: FoundEntry<'a>,
    matched: Option<Reason>,
}

fn asked(query: &str) -> Result<(String, usize)> {
    let (mut text, mut limit) = (None, USUAL);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "q" => text = Some(searched(&value).to_owned()),
            "limit" => limit = read_limit(&value)?,
            other => {
                let told = format!("a search has no '{other}'");
                return Err(Error::new(ErrorKind::Invalid, told)
                    .hint("it has 'q' and 'limit'; /api/v1/entries has filters"));
            }
        }
    }
    match text.filter(|text| !text.is_empty()) {
        Some(text) => Ok((text, limit)),
        None => Err(
            Error::new(ErrorKind::Invalid, "there is nothing to look for")
                .hint("say it with q, such as /api/v1/find?q=SN1042"),
        ),
    }
}
