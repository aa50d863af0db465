//! `/api/v1/entries/{id}` and what lies below it: one entry, its contents and its evidence.

use std::io::Read as _;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::Query;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::archive::RestoredFile;
use crate::entry::Entry;
use crate::event::Handed;
use crate::export::certificate::RestoredAs;
use crate::id::EntryId;
use crate::service::content::{
    WhichReport, numbered, refuse_purged_reports, refuse_without_source, report_of,
};
use crate::service::desk::Desk;
use crate::service::entries::no_entry;
use crate::service::entry::{Compare, configured_rules, entry_tag};
use crate::service::objects::{ShownEntry, WhyObject, timeline, why_kept};
use crate::web::download::{Download, Opened, is_known};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// How downloads are named in events about accesses.
const DOOR: &str = "web";
/// The most bytes of a report that is compared for a client.
const REPORT_BYTES_MAX: u64 = 8 << 20;
/// Bytes that are read at once while a content is checked.
const CHECKED_AT_ONCE: usize = 64 << 10;

fn found(desk: &Desk, id: EntryId) -> Result<Entry> {
    let entry = desk.archive.snapshot()?.entry(id)?;
    entry.ok_or_else(|| no_entry(id))
}

/// Returns an entry with all that `annals show --json` tells about it, purged or not.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}",
    params(("id" = u64, Path, description = "Number of the entry")),
    responses(
        (status = 200, description = "The entry, as `annals show --json` prints it"),
        (status = 304, description = "Nothing about it changed since `If-None-Match`"),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn entry(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = EntryId(id);
    let told = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let entry = found(&desk, id)?;
        let tag = format!("\"{}\"", entry_tag(&entry));
        // The timeline is looked up for those who read it only.
        if is_known(&headers, &tag) || method == Method::HEAD {
            return Ok((tag.clone(), is_known(&headers, &tag), None));
        }
        let shown = ShownEntry::of(&desk.archive, &entry, &desk.zone)?;
        Ok((tag, false, Some(json(&shown)?)))
    });
    let (tag, is_known, object) = told.await?;
    let mut response = match object {
        Some(object) => Json(object).into_response(),
        None if is_known => StatusCode::NOT_MODIFIED.into_response(),
        None => StatusCode::OK.into_response(),
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

fn json(object: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(object)
        .map_err(|error| Error::new(ErrorKind::Io, "cannot write JSON").caused_by(error))
}

/// Returns the source as it came in. Each piece is compared with its hash before it is sent.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}/source",
    params(("id" = u64, Path, description = "Number of the entry")),
    responses(
        (status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = 206, description = "The part that `Range` names"),
        (status = 304, description = "The client has it: `If-None-Match` is its SHA-256"),
        (status = 404, body = Problem),
        (status = 416, description = "`Range` lies beyond its end"),
    )
)]
pub(super) async fn source(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    method: Method,
    headers: HeaderMap,
) -> Result<Opened, Problem> {
    let id = EntryId(id);
    let opened = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let entry = found(&desk, id)?;
        refuse_without_source(&entry, &desk.zone)?;
        let download = Download {
            entry: id,
            what: Handed::Source,
            blob: entry.blake3,
            sha256: entry.sha256,
            name: entry.source_name.clone(),
        };
        download.open(&desk, &method, &headers, DOOR)
    });
    opened.await
}

/// Returns the last report of an attempt; `newest` is the newest one that counts.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}/reports/{attempt}",
    params(
        ("id" = u64, Path, description = "Number of the entry"),
        ("attempt" = String, Path, description = "Number of the attempt, or `newest`"),
    ),
    responses(
        (status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = 206, description = "The part that `Range` names"),
        (status = 304, description = "The client has it: `If-None-Match` is its SHA-256"),
        (status = 404, body = Problem),
        (status = 416, description = "`Range` lies beyond its end"),
    )
)]
pub(super) async fn report(
    State(web): State<Web>,
    visitor: Visitor,
    Path((id, attempt)): Path<(u64, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Opened, Problem> {
    opened_report(&web, &visitor, EntryId(id), attempt, None, method, headers).await
}

/// Returns one of the reports of an attempt, counted from 0.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}/reports/{attempt}/{n}",
    params(
        ("id" = u64, Path, description = "Number of the entry"),
        ("attempt" = String, Path, description = "Number of the attempt, or `newest`"),
        ("n" = usize, Path, description = "Which of its reports, from 0"),
    ),
    responses(
        (status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = 206, description = "The part that `Range` names"),
        (status = 304, description = "The client has it: `If-None-Match` is its SHA-256"),
        (status = 404, body = Problem),
        (status = 416, description = "`Range` lies beyond its end"),
    )
)]
pub(super) async fn report_nth(
    State(web): State<Web>,
    visitor: Visitor,
    Path((id, attempt, nth)): Path<(u64, String, usize)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Opened, Problem> {
    let nth = Some(nth);
    opened_report(&web, &visitor, EntryId(id), attempt, nth, method, headers).await
}

async fn opened_report(
    web: &Web,
    visitor: &Visitor,
    id: EntryId,
    attempt: String,
    nth: Option<usize>,
    method: Method,
    headers: HeaderMap,
) -> Result<Opened, Problem> {
    let opened = web.work(visitor, move |desk| {
        let desk = desk.service();
        let entry = found(&desk, id)?;
        let which: WhichReport = attempt.parse().map_err(|why: &str| {
            Error::new(
                ErrorKind::Invalid,
                format!("'{attempt}' is no attempt: {why}"),
            )
        })?;
        let (attempt, place, last) = report_of(&entry, which)?;
        refuse_purged_reports(&entry, attempt, &desk.zone)?;
        let (place, report) = match nth {
            None => (place, last),
            Some(nth) => {
                let mut attempts = entry.attempts.iter();
                let of_attempt = attempts.find(|one| one.attempt == attempt);
                let report = of_attempt.and_then(|one| one.reports.get(nth));
                let report = report.ok_or_else(|| {
                    let said = format!("attempt {attempt} of entry {id} has no report {nth}");
                    Error::new(ErrorKind::NotFound, said)
                })?;
                (u32::try_from(nth).unwrap_or(u32::MAX), report)
            }
        };
        let stem = entry.unit.serial.as_deref().unwrap_or("report");
        let download = Download {
            entry: id,
            what: Handed::Report {
                attempt,
                report: place,
            },
            blob: report.blake3,
            sha256: report.sha256,
            name: format!("{id}_{stem}_{attempt}.report"),
        };
        download.open(&desk, &method, &headers, DOOR)
    });
    opened.await
}

/// What is asked about a difference.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct DiffQuery {
    /// The older attempt; the one before if absent.
    from: Option<u32>,
    /// The newer attempt; the last one if absent.
    to: Option<u32>,
    /// Only what differs at this place, such as `/steps/*/limits`.
    path: Option<String>,
    /// Each difference with so many members beside it.
    context: Option<usize>,
}

/// Returns what differs between the reports of two attempts.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}/diff",
    params(("id" = u64, Path, description = "Number of the entry"), DiffQuery),
    responses(
        (status = 200, description = "The difference, as `annals diff --json` prints it"),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn diff(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    Query(asked): Query<DiffQuery>,
) -> Result<Json<serde_json::Value>, Problem> {
    let id = EntryId(id);
    let compared = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let entry = found(&desk, id)?;
        let path = asked.path.as_deref().map(|path| {
            path.parse().map_err(|error| {
                Error::new(ErrorKind::Invalid, format!("'{path}' is no place: {error}"))
            })
        });
        let compare = Compare {
            attempt: asked.to,
            against: asked.from,
            path: path.transpose()?,
            context: asked.context.map(|siblings| siblings.min(100)),
            report_bytes_max: REPORT_BYTES_MAX,
            limit: 1_000,
        };
        let rules = configured_rules(desk.config());
        let compared = compare.of(&desk.archive, &entry, &rules, &desk.zone)?;
        json(&compared.object())
    });
    compared.await.map(Json)
}

/// Returns the events that name an entry, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}/events",
    params(("id" = u64, Path, description = "Number of the entry")),
    responses(
        (status = 200, description = "The `timeline` of `annals show --json`"),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn events(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Json<serde_json::Value>, Problem> {
    let id = EntryId(id);
    let told = web.work(&visitor, move |desk| {
        let desk = desk.service();
        found(&desk, id)?;
        let moments = timeline(&desk.archive, id, &desk.zone)?;
        let count = moments.len();
        Ok(serde_json::json!({ "items": json(&moments)?, "next": null, "count": count }))
    });
    told.await.map(Json)
}

/// Returns why an entry is still in the store, and when it may go.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}/why",
    params(("id" = u64, Path, description = "Number of the entry")),
    responses(
        (status = 200, description = "The reasons, as `annals show --why --json` prints them"),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn why(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Json<serde_json::Value>, Problem> {
    let id = EntryId(id);
    let told = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let entry = found(&desk, id)?;
        let why = why_kept(&desk, &entry)?;
        json(&WhyObject::new(id, &why, &desk.zone))
    });
    told.await.map(Json)
}

/// Returns the proof of what happened to an entry, as `annals prove` writes it. Signs a checkpoint
/// first, if anything came since the newest one and there is a key.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}/proof",
    params(("id" = u64, Path, description = "Number of the entry")),
    responses(
        (status = 200, description = "The proof", content_type = "text/plain"),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "The store is not signed"),
    )
)]
pub(super) async fn proof(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    let id = EntryId(id);
    let proven = web.work(&visitor, move |desk| {
        desk.archive.prove(id).map(|proof| proof.to_string())
    });
    Ok(text_file(&format!("{id}.proof"), proven.await?))
}

/// Returns a signed certificate that the source, as it can be downloaded now, is what came in.
/// The whole source is read and compared with both of its hashes for it.
#[utoipa::path(
    get,
    path = "/api/v1/entries/{id}/certificate",
    params(("id" = u64, Path, description = "Number of the entry")),
    responses(
        (status = 200, description = "The certificate", content_type = "text/plain"),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "There is no key to sign with"),
    )
)]
pub(super) async fn certificate(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Response, Problem> {
    let id = EntryId(id);
    let certified = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let entry = found(&desk, id)?;
        refuse_without_source(&entry, &desk.zone)?;
        if !desk.archive.signs() {
            let said = "there is no key here to sign a certificate with";
            return Err(Error::new(ErrorKind::Refused, said)
                .hint("make one with 'annals key init', and start the server again"));
        }
        check_whole(&desk, &entry)?;
        let name = numbered(&entry);
        let checks = CHECKS.map(str::to_owned).to_vec();
        let file = RestoredFile::new(id, &name, RestoredAs::File, desk.now, checks);
        let notes = desk.archive.certify_restored(&[file])?;
        let note = notes.first().map(ToString::to_string);
        Ok((format!("{name}.certificate"), note.unwrap_or_default()))
    });
    let (name, text) = certified.await?;
    Ok(text_file(&name, text))
}

/// The checks that a certified source has passed.
const CHECKS: [&str; 2] = [
    "each part was compared with its BLAKE3 hash when it was read from the store",
    "the whole was compared with its BLAKE3 and SHA-256 hashes as recorded when it came in",
];

/// Reads the source and compares it with its hashes.
fn check_whole(desk: &Desk, entry: &Entry) -> Result<()> {
    use sha2::Digest as _;
    let mut reader = desk.archive.read(&entry.blake3)?;
    let mut sha256 = sha2::Sha256::new();
    let mut piece = vec![0; CHECKED_AT_ONCE];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => sha256.update(&piece[..read]),
            Err(error) => {
                return Err(match error.downcast::<Error>() {
                    Ok(error) => error,
                    Err(error) => Error::io("read", "the stored content", error),
                });
            }
        }
    }
    let read = crate::id::Sha256::from_bytes(sha256.finalize().into());
    if read == entry.sha256 {
        return Ok(());
    }
    let said = format!(
        "the source of entry {} is not what came in: its SHA-256 differs",
        entry.id
    );
    Err(Error::new(ErrorKind::Damaged, said).hint("run 'annals verify --deep'"))
}

/// Returns a text that a browser stores as a file.
fn text_file(name: &str, text: String) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    let plain = "text/plain; charset=utf-8";
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(plain));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(attachment) = HeaderValue::from_str(&crate::web::download::attachment(name)) {
        headers.insert(header::CONTENT_DISPOSITION, attachment);
    }
    response
}
