//! `/`: one field that finds a unit.

use askama::Template;
use axum::response::Response;
use axum_extra::extract::Query;
use serde::Deserialize;

use super::frame::{Frame, Place, page};
use crate::web::visitor::Visitor;

/// What stands in the address of the page.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "find.html", config = "src/web/askama.toml")]
struct Find {
    frame: Frame,
    q: String,
}

/// Answers `GET /`.
pub(in crate::web) async fn find(visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    page(&Find {
        frame: Frame::new(Place::Find, &visitor),
        q: asked.q,
    })
}
