//! Parts of pages that are asked for alone, and what they answer when something is refused.

use askama::Template;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;

use super::frame::page;
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "parts/refusal.html", config = "src/web/askama.toml")]
struct Refusal<'a> {
    text: &'a str,
    hint: &'a str,
}

/// Returns true when a page that is shown asks for a part of itself.
pub(super) fn is_part(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    is("hx-request", "true") && is("hx-request-type", "partial")
}

/// Returns an error as a fragment, in the place where the answer was to stand.
pub(super) fn refusal(problem: &Problem) -> Response {
    page(&Refusal {
        text: problem.detail(),
        hint: problem.next_step().unwrap_or_default(),
    })
}

/// Sets a header of an answer that htmx acts on.
pub(super) fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static(name), value);
    }
}
