//! `GET /api/v1/entries`: lists of entries as JSON and as CSV, whole or page by page.

use std::io::Write as _;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, body::Body};
use serde::Serialize;
use utoipa::ToSchema;

use crate::archive::Snapshot;
use crate::entry::Entry;
use crate::query::{Count, Cursor};
use crate::service::desk::Desk;
use crate::service::entries::{CsvColumns, EntryObject, Formulas, each_page};
use crate::web::address::Address;
use crate::web::body::{Pieces, written};
use crate::web::listing::{count, list};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::unchanged::Tag;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Entries of a page, unless `limit` says otherwise.
const PAGE: usize = 100;

/// A page of a list of entries.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntryPage {
    /// The entries, in the order asked for.
    #[schema(value_type = Vec<Object>)]
    items: Vec<serde_json::Value>,
    /// What to pass as `after` for the next page; null at the end.
    #[schema(value_type = Option<String>)]
    next: Option<Cursor>,
    /// How many entries match, counted no further than 10,000.
    count: u64,
    /// Whether there are more than `count`.
    more: bool,
}

/// What is asked for beside the address of a list.
#[derive(Debug, Clone, Default)]
struct Form {
    /// The members of each entry; empty for all.
    columns: Vec<String>,
    csv: bool,
    raw: bool,
}

impl Form {
    /// Reads the query of an address.
    fn read(query: &str, headers: &HeaderMap) -> Result<(Address, Self)> {
        let accepted = headers.get(header::ACCEPT);
        let accepted = accepted.and_then(|value| value.to_str().ok());
        let mut form = Self {
            csv: accepted.is_some_and(|kinds| kinds.trim_start().starts_with("text/csv")),
            ..Self::default()
        };
        let mut format = String::new();
        let address = Address::read_with(query, |key, value| {
            match key {
                "columns" => {
                    let names = value.split(',').map(str::trim);
                    let names = names.filter(|name| !name.is_empty());
                    form.columns.extend(names.map(str::to_owned));
                }
                "format" => value.clone_into(&mut format),
                _ => return false,
            }
            true
        })?;
        match format.as_str() {
            "" => {}
            "json" => form.csv = false,
            "csv" => form.csv = true,
            "csv-raw" => (form.csv, form.raw) = (true, true),
            other => {
                let told = format!("'{other}' is no format of a list");
                return Err(Error::new(ErrorKind::Invalid, told)
                    .hint("the formats are json, csv and csv-raw"));
            }
        }
        Ok((address, form))
    }
}

/// Lists entries, newest first.
///
/// The filters and their names are those of `annals list`. A key that is unknown is refused. With
/// `Accept: text/csv` or `format=csv`, the whole list is sent as CSV, with the columns of
/// `annals list -o csv`; `limit` shortens it.
#[utoipa::path(
    get,
    path = "/api/v1/entries",
    params(
        ("converter" = Option<Vec<String>>, Query, description = "Archived for any of these"),
        ("status" = Option<Vec<String>>, Query, description = "With any of these statuses"),
        ("from" = Option<String>, Query, description = "Archived at or after, such as yesterday"),
        ("to" = Option<String>, Query, description = "Archived before"),
        ("serial" = Option<String>, Query, description = "Serial number"),
        ("part" = Option<String>, Query, description = "Part number"),
        ("station" = Option<String>, Query, description = "Test station"),
        ("process" = Option<String>, Query, description = "Test process"),
        ("file" = Option<String>, Query, description = "File name, with * ? [a-z]"),
        ("path" = Option<String>, Query, description = "Path or folder, with * ** ? [a-z]"),
        ("meta" = Option<Vec<String>>, Query, description = "Metadata, as name=value"),
        ("label" = Option<Vec<String>>, Query, description = "With each of these labels"),
        ("hold" = Option<String>, Query, description = "Under this hold, or * for any"),
        ("file_time_from" = Option<String>, Query, description = "File changed at or after"),
        ("file_time_to" = Option<String>, Query, description = "File changed before"),
        ("job" = Option<u64>, Query, description = "Has an attempt of this reprocess job"),
        ("text" = Option<String>, Query, description = "Text in names, errors, metadata, notes"),
        ("failure" = Option<String>, Query, description = "With this cause of trouble"),
        ("suspicious" = Option<bool>, Query, description = "Only suspicious results"),
        ("made_by" = Option<String>, Query, description = "First digits of a converter's identity"),
        ("outdated" = Option<bool>, Query, description = "Made by an older converter"),
        ("purged" = Option<bool>, Query, description = "Also those whose bytes were purged"),
        ("sort" = Option<String>, Query, description = "FIELD or FIELD:desc; id:desc by default"),
        ("columns" = Option<String>, Query, description = "Members, separated by commas"),
        ("limit" = Option<usize>, Query, description = "At most so many, 1 to 1000"),
        ("after" = Option<String>, Query, description = "The `next` of the page before"),
        ("format" = Option<String>, Query, description = "json, csv or csv-raw"),
    ),
    responses(
        (status = 200, description = "A page of entries", body = EntryPage),
        (status = 304, description = "Nothing has changed since the ETag"),
        (status = 400, description = "A filter is unknown or has no such value", body = Problem),
    )
)]
pub(super) async fn entries(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    let (address, form) = Form::read(&query, &headers).map_err(Problem::from)?;
    if form.csv {
        return csv(&web, &visitor, address, form).await;
    }
    let answered = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let filter = address.filter(&desk)?;
        let at = desk.archive.newest();
        let tag = Tag::of(at, &(filter, &address, &form.columns, &desk.zone));
        if tag.is_known(&headers) {
            return Ok(tag.unchanged());
        }
        let listed = list(&desk, &address, PAGE)?;
        let count = match listed.count {
            Some(count) => count,
            None => count(&desk, &address)?,
        };
        let page = page(&listed.entries, listed.next, count, &form.columns, &desk)?;
        Ok(tag.on(Json(page).into_response()))
    });
    answered.await
}

/// `GET /api/v1/entries.csv`: the same list as CSV, for clients that cannot set headers.
#[utoipa::path(
    get,
    path = "/api/v1/entries.csv",
    responses(
        (status = 200, description = "All entries of the list", content_type = "text/csv"),
        (status = 400, description = "A filter is unknown or has no such value", body = Problem),
    )
)]
pub(super) async fn entries_csv(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    let (address, mut form) = Form::read(&query, &headers).map_err(Problem::from)?;
    form.csv = true;
    csv(&web, &visitor, address, form).await
}

fn page(
    entries: &[Entry],
    next: Option<Cursor>,
    count: Count,
    columns: &[String],
    desk: &Desk,
) -> Result<EntryPage> {
    let items = entries.iter().map(|entry| object(entry, columns, desk));
    Ok(EntryPage {
        items: items.collect::<Result<_>>()?,
        next,
        count: count.n,
        more: count.more,
    })
}

/// Returns the object of an entry, with all its members or those that were asked for.
fn object(entry: &Entry, columns: &[String], desk: &Desk) -> Result<serde_json::Value> {
    let object = serde_json::to_value(EntryObject::new(entry, &desk.zone));
    let object = object.map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
    let serde_json::Value::Object(mut members) = object else {
        return Ok(object);
    };
    if let Some(unknown) = columns.iter().find(|name| !members.contains_key(*name)) {
        let told = format!("an entry has no member '{unknown}'");
        let known: Vec<&str> = members.keys().map(String::as_str).collect();
        return Err(Error::new(ErrorKind::Invalid, told)
            .hint(format!("its members are {}", known.join(", "))));
    }
    if !columns.is_empty() {
        members.retain(|name, _| columns.contains(name));
    }
    Ok(members.into())
}

async fn csv(
    web: &Web,
    visitor: &Visitor,
    address: Address,
    form: Form,
) -> Result<Response, Problem> {
    let columns = CsvColumns::named(&form.columns).map_err(Problem::from)?;
    let formulas = if form.raw {
        Formulas::Kept
    } else {
        Formulas::Disarmed
    };
    // A filter that cannot be read is told as such, not by a list that breaks off.
    let first = address.clone();
    let filter = web.work(visitor, move |desk| first.filter(&desk.service()));
    let mut query = address.page(filter.await?, PAGE);
    query.limit = address.limit;
    let body = written(web.clone(), visitor.clone(), move |desk, pieces| {
        let desk = desk.service();
        let snapshot = desk.archive.snapshot()?;
        let mut lines = columns.title();
        each_page(&snapshot, query, |entries| {
            for entry in entries {
                columns.line(entry, &desk.zone, formulas, &mut lines);
            }
            put(pieces, &mut lines)
        })?;
        put(pieces, &mut lines)
    });
    Ok(csv_answer(body, "entries.csv"))
}

/// Writes the entries of a snapshot as CSV.
pub(super) fn write_csv(
    ids: &[crate::id::EntryId],
    snapshot: &Snapshot,
    desk: &Desk,
    pieces: &mut Pieces,
) -> Result<()> {
    let columns = CsvColumns::default();
    let mut lines = columns.title();
    for (nth, id) in ids.iter().enumerate() {
        if let Some(entry) = snapshot.entry(*id)? {
            columns.line(&entry, &desk.zone, Formulas::Disarmed, &mut lines);
        }
        if nth % PAGE == 0 {
            put(pieces, &mut lines)?;
        }
    }
    put(pieces, &mut lines)
}

fn put(pieces: &mut Pieces, lines: &mut String) -> Result<()> {
    let put = pieces.write_all(lines.as_bytes());
    lines.clear();
    put.map_err(|error| Error::new(ErrorKind::Io, format!("the client is gone: {error}")))
}

/// Returns an answer that browsers save as a file.
pub(super) fn csv_answer(body: Body, name: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (StatusCode::OK, headers, body).into_response()
}
