//! What is done from the page of an entry: holds and notes. The answer is the page as it is then.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::response::{Html, IntoResponse, Response};
use axum_extra::extract::Form;
use serde::Deserialize;

use super::address::Asked;
use super::{Notice, told};
use crate::archive::{Annotation, HoldOn, NewHold};
use crate::entry::{Entry, Unit};
use crate::id::EntryId;
use crate::service::desk::Desk;
use crate::service::entries::no_entry;
use crate::service::entry::refuse_changed;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::texts::Language;
use crate::web::visitor::Visitor;
use crate::{ErrorKind, Result};

/// What every form of the page says: the state that its reader saw, and where he was.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Seen {
    tag: String,
    #[serde(default)]
    query: String,
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct HoldForm {
    name: String,
    reason: String,
    #[serde(default)]
    review: String,
    tag: String,
    #[serde(default)]
    query: String,
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct ReleaseForm {
    name: String,
    reason: String,
    tag: String,
    #[serde(default)]
    query: String,
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct NoteForm {
    #[serde(default)]
    text: String,
    #[serde(default)]
    labels: String,
    #[serde(default)]
    serial: String,
    #[serde(default)]
    part: String,
    #[serde(default)]
    station: String,
    #[serde(default)]
    process: String,
    reason: String,
    tag: String,
    #[serde(default)]
    query: String,
}

/// Answers `POST /entries/{id}/hold`.
pub(in crate::web) async fn hold(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    Form(form): Form<HoldForm>,
) -> Response {
    let seen = Seen {
        tag: form.tag,
        query: form.query,
    };
    let id = EntryId(id);
    let said = visitor
        .language
        .fill("entry.hold_done", &[("name", &form.name)]);
    let done = act(&web, &visitor, id, &seen, move |desk, entry| {
        let on = HoldOn::Entries(vec![entry.id]);
        let mut new = NewHold::new(form.name.trim(), form.reason.trim(), on);
        if !form.review.trim().is_empty() {
            new.review = Some(desk.when(form.review.trim())?);
        }
        desk.archive.hold(new).map(drop)
    });
    let done = done.await;
    answer(&web, &visitor, id, &seen, done, said, "#hold-error").await
}

/// Answers `POST /entries/{id}/release`.
pub(in crate::web) async fn release(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    Form(form): Form<ReleaseForm>,
) -> Response {
    let seen = Seen {
        tag: form.tag,
        query: form.query,
    };
    let id = EntryId(id);
    let said = visitor
        .language
        .fill("entry.release_done", &[("name", &form.name)]);
    let done = act(&web, &visitor, id, &seen, move |desk, _| {
        let released = desk.archive.release_hold(&form.name, form.reason.trim());
        released.map(drop)
    });
    let done = done.await;
    answer(&web, &visitor, id, &seen, done, said, "#release-error").await
}

/// Answers `POST /entries/{id}/note`.
pub(in crate::web) async fn note(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    Form(mut form): Form<NoteForm>,
) -> Response {
    let seen = Seen {
        tag: std::mem::take(&mut form.tag),
        query: std::mem::take(&mut form.query),
    };
    let id = EntryId(id);
    let said = visitor.language.say("entry.note_done").to_owned();
    let done = act(&web, &visitor, id, &seen, move |desk, entry| {
        desk.archive
            .annotate(entry.id, annotation(entry, form))
            .map(drop)
    });
    let done = done.await;
    answer(&web, &visitor, id, &seen, done, said, "#note-error").await
}

/// Returns the note that a form says: only what differs from what is known.
fn annotation(entry: &Entry, form: NoteForm) -> Annotation {
    let wanted: BTreeSet<String> = form
        .labels
        .split(',')
        .map(|label| label.trim().to_owned())
        .filter(|label| !label.is_empty())
        .collect();
    let known: BTreeSet<String> = entry.labels.iter().cloned().collect();
    let corrected = |text: String, known: &Option<String>| {
        let text = text.trim();
        let is_new = !text.is_empty() && known.as_deref() != Some(text);
        is_new.then(|| text.to_owned())
    };
    let text = form.text.trim();
    Annotation {
        text: (!text.is_empty()).then(|| text.to_owned()),
        labels: wanted.difference(&known).cloned().collect(),
        unlabels: known.difference(&wanted).cloned().collect(),
        unit: Unit {
            serial: corrected(form.serial, &entry.unit.serial),
            part: corrected(form.part, &entry.unit.part),
            station: corrected(form.station, &entry.unit.station),
            process: corrected(form.process, &entry.unit.process),
        },
        reason: form.reason.trim().to_owned(),
        ..Annotation::default()
    }
}

/// Does something with an entry, unless it is another one than the visitor saw.
async fn act(
    web: &Web,
    visitor: &Visitor,
    id: EntryId,
    seen: &Seen,
    action: impl FnOnce(&Desk, &Entry) -> Result<()> + Send + 'static,
) -> Result<(), Problem> {
    let tag = seen.tag.clone();
    let done = web.work(visitor, move |desk| {
        let entry = desk.archive.snapshot()?.entry(id)?;
        let entry = entry.ok_or_else(|| no_entry(id))?;
        refuse_changed(&entry, &tag)?;
        action(&desk.service(), &entry)
    });
    done.await
}

/// Answers with the page as it is now; or, when nothing was done, with the reason, which is put
/// into the dialog so that what was typed stays.
async fn answer(
    web: &Web,
    visitor: &Visitor,
    id: EntryId,
    seen: &Seen,
    done: Result<(), Problem>,
    said: String,
    place: &'static str,
) -> Response {
    let notice = match done {
        Ok(()) => Notice {
            tone: "good",
            text: said,
            hint: String::new(),
        },
        Err(problem) if problem.is(ErrorKind::Changed) => stale(visitor.language),
        Err(problem) => return refused(&problem, place),
    };
    let pairs = axum::http::Uri::builder()
        .path_and_query(format!("/?{}", seen.query))
        .build();
    let pairs = pairs.ok().and_then(|uri| {
        let query = axum_extra::extract::Query::try_from_uri(&uri).ok()?;
        let axum_extra::extract::Query(pairs) = query;
        Some(pairs)
    });
    let asked = Asked::new(id, pairs.unwrap_or_default());
    match told(web, visitor, asked, Some(notice)).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

/// Says that the entry changed meanwhile. The page below is the entry as it is now.
fn stale(language: Language) -> Notice {
    Notice {
        tone: "warn",
        text: language.say("entry.stale").to_owned(),
        hint: language.say("entry.stale_hint").to_owned(),
    }
}

fn refused(problem: &Problem, place: &'static str) -> Response {
    let escaped = askama::filters::escape(problem.detail(), askama::filters::Html);
    let text = escaped.map(|text| text.to_string()).unwrap_or_default();
    let hint = askama::filters::escape(
        problem.next_step().unwrap_or_default(),
        askama::filters::Html,
    );
    let hint = hint.map(|text| text.to_string()).unwrap_or_default();
    let mut response = Html(format!(
        "<span class=\"refused\">{text} <small>{hint}</small></span>"
    ))
    .into_response();
    *response.status_mut() = problem.status();
    let headers = response.headers_mut();
    headers.insert("HX-Retarget", HeaderValue::from_static(place));
    headers.insert("HX-Reswap", HeaderValue::from_static("innerHTML"));
    headers.insert("HX-Reselect", HeaderValue::from_static(".refused"));
    response
}
