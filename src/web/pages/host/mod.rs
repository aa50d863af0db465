//! `/host`: is all well? The figures of the store, and how its host is.

mod fact;
mod lasting;
mod station;
mod view;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum_extra::extract::Query;
use serde::Deserialize;

use self::view::View;
use super::fragment::is_part;
use super::frame::{Frame, Place, page};
use crate::service::status::{Figures, Span};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

/// What stands in the address of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    span: String,
}

#[derive(Template)]
#[template(path = "host/page.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    view: View,
}

/// What changes, which takes the place of what was shown before.
#[derive(Template)]
#[template(path = "host/live.html", config = "src/web/askama.toml")]
struct Live {
    frame: Frame,
    view: View,
}

/// Answers `GET /host`: the page, or what changes of it while it is open.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let span = Span::of_name(&asked.span).unwrap_or_default();
    let owner = web.owner_status().await;
    let command = if owner.is_some() {
        "annals host status"
    } else {
        "annals stats"
    };
    let frame = Frame::new(Place::Host, &visitor).command(command);
    let is_part = is_part(&headers);
    let shared = Arc::clone(web.figures());
    let answer = web.work(&visitor, move |desk| {
        let service = desk.service();
        let figures = if is_part {
            shared.read(&service, desk.visitor.zone.as_deref(), span)?
        } else {
            Arc::new(Figures::read(&service, span)?)
        };
        let view = View::of(&figures, owner.as_ref(), span, &frame);
        Ok(if is_part {
            page(&Live { frame, view })
        } else {
            page(&Page { frame, view })
        })
    });
    answer.await
}
