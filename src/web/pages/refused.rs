//! What a browser shows where a page cannot be: the problem, within the frame of all pages.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::frame::{Frame, page};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

#[derive(Template)]
#[template(path = "refused.html", config = "src/web/askama.toml")]
struct Refused<'a> {
    frame: Frame,
    text: &'a str,
    hint: &'a str,
}

/// Turns the problem that an address leads to into a page, if a person opened it in a browser.
/// Programs, scripts of a page, and everything under `/api/` get the problem itself.
pub(in crate::web) async fn explain(
    State(_): State<Web>,
    visitor: Visitor,
    request: Request,
    next: Next,
) -> Response {
    let is_opened = request.method() == Method::GET
        && opens_page(request.headers())
        && !request.uri().path().starts_with("/api/");
    let answer = next.run(request).await;
    match answer.extensions().get::<Problem>() {
        Some(problem) if is_opened => shown(problem, &visitor),
        _ => answer,
    }
}

fn shown(problem: &Problem, visitor: &Visitor) -> Response {
    let language = visitor.language;
    let title = match problem.status() {
        StatusCode::NOT_FOUND => language.say("frame.refused_missing"),
        _ => language.say("frame.request_failed"),
    };
    let mut answer = page(&Refused {
        frame: Frame::elsewhere(title, visitor),
        text: problem.detail(),
        hint: problem.next_step().unwrap_or_default(),
    });
    if answer.status() == StatusCode::OK {
        *answer.status_mut() = problem.status();
    }
    answer
}

/// Tells whether a browser asks for a whole page, and no script of a page for a part of it.
fn opens_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|line| line.to_str().ok());
    !headers.contains_key("hx-request") && accepted.any(|line| line.contains("text/html"))
}
