//! What comes of a form of settings: what would change, what is wrong, or that it is saved.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::form::{FormView, Outcome};
use super::review::{Carried, Review};
use crate::host::Draft;
use crate::service::desk::Desk;
use crate::service::settings::{
    Applied, Group, Posted, Section, TakenUp, apply, changes_of, check, draft, groups_of,
};
use crate::web::pages::frame::{Frame, page};
use crate::web::problem::Problem;
use crate::web::texts::Language;
use crate::{ErrorKind, Result};

/// The form alone, to take the place of the one that was sent.
#[derive(Template)]
#[template(path = "converters/form.html", config = "src/web/askama.toml")]
struct Part {
    frame: Frame,
    form: FormView,
}

/// What a form sent besides its fields.
struct Sent {
    posted: Posted,
    etag: String,
    is_confirmed: bool,
    reason: String,
}

impl Sent {
    fn of(pairs: Vec<(String, String)>, language: Language) -> Self {
        let mut sent = Self {
            posted: Posted {
                has_decimal_comma: language == Language::German,
                ..Posted::default()
            },
            etag: String::new(),
            is_confirmed: false,
            reason: String::new(),
        };
        for (name, value) in pairs {
            match name.as_str() {
                "etag" => sent.etag = value,
                "reason" => sent.reason = value,
                "step" => sent.is_confirmed = value == "save",
                "unset" => sent.posted.unset.push(value),
                "shown" => {
                    let shown: Option<BTreeMap<String, String>> = serde_json::from_str(&value).ok();
                    sent.posted.shown = shown.unwrap_or_default();
                }
                _ => drop(sent.posted.values.insert(name, value)),
            }
        }
        sent
    }
}

/// Answers a form that was sent: the first time with what would change, then by saving it.
pub(super) fn answer(
    desk: &Desk,
    section: &Section,
    pairs: Vec<(String, String)>,
    frame: Frame,
) -> Result<Response> {
    let sent = Sent::of(pairs, frame.language);
    let draft = draft(desk)?;
    let groups = groups_of(&draft, section);
    let changes = changes_of(&groups, &sent.posted);
    if sent.etag != draft.revision.as_str() {
        return Ok(refused(desk, &draft, section, sent.posted, None, frame));
    }
    if changes.is_empty() {
        let mut form = FormView::of(&draft, section, &Outcome::default(), desk, &frame);
        let told = frame.say("converters.nothing_changed").to_owned();
        form.notice = Some(("", told, String::new()));
        return Ok(page(&Part { frame, form }));
    }
    let checked = check(desk, &draft, &changes);
    if sent.is_confirmed && checked.is_ok() {
        let applied = match apply(desk, &sent.etag, &changes, &sent.reason) {
            Ok(applied) => applied,
            Err(error) => {
                let now = self::draft(desk)?;
                let stale = error.kind() == ErrorKind::Changed;
                let problem = (!stale).then(|| Problem::from(error));
                return Ok(refused(desk, &now, section, sent.posted, problem, frame));
            }
        };
        return saved(desk, section, &groups, &applied, frame);
    }
    match checked {
        Ok(edit) => {
            let outcome = Outcome {
                posted: sent.posted,
                ..Outcome::default()
            };
            let mut form = FormView::of(&draft, section, &outcome, desk, &frame);
            let etag = draft.revision.as_str();
            let mut review = Review::of(&edit, &groups, &outcome.posted, etag, desk, &frame);
            review.reason = sent.reason;
            form.review = Some(review);
            Ok(page(&Part { frame, form }))
        }
        Err(error) => {
            let problem = Some(Problem::from(error));
            Ok(refused(desk, &draft, section, sent.posted, problem, frame))
        }
    }
}

/// Returns the form with what was typed, and why it was not taken: what is wrong with it, or that
/// somebody else has changed the file.
fn refused(
    desk: &Desk,
    draft: &Draft,
    section: &Section,
    posted: Posted,
    problem: Option<Problem>,
    frame: Frame,
) -> Response {
    let outcome = Outcome {
        is_stale: problem.is_none(),
        problem: problem.as_ref(),
        posted,
    };
    let form = FormView::of(draft, section, &outcome, desk, &frame);
    let status = match &problem {
        None => StatusCode::PRECONDITION_FAILED,
        Some(problem) => problem.status(),
    };
    (status, page(&Part { frame, form })).into_response()
}

/// Returns the form as the file stands after it was saved.
fn saved(
    desk: &Desk,
    section: &Section,
    before: &[Group],
    applied: &Applied,
    frame: Frame,
) -> Result<Response> {
    let draft = draft(desk)?;
    let mut form = FormView::of(&draft, section, &Outcome::default(), desk, &frame);
    let host = match &applied.taken_up {
        TakenUp::Unchanged => frame.say("converters.nothing_changed").to_owned(),
        TakenUp::NoHost => frame.say("converters.no_host").to_owned(),
        TakenUp::Active => frame.say("converters.host_active").to_owned(),
        TakenUp::Refused(why) => frame.fill("converters.host_refused", &[("why", why)]),
    };
    let tone = match (&applied.taken_up, &applied.unrecorded) {
        (TakenUp::Refused(_), _) | (_, Some(_)) => "warn",
        _ => "good",
    };
    let hint = match &applied.unrecorded {
        Some(why) => frame.fill("converters.unrecorded", &[("why", why), ("host", &host)]),
        None => host,
    };
    form.notice = Some((tone, frame.say("converters.saved").to_owned(), hint));
    form.undo = Carried::back(before, &applied.edit, frame.language);
    Ok(page(&Part { frame, form }))
}
