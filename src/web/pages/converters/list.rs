//! `/converters`: every converter that is configured or that made entries.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::form::{in_path, no_configuration};
use crate::Result;
use crate::service::converters::{ConverterLine, converters};
use crate::service::desk::Desk;
use crate::service::words::path_text;
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::jobs::address;
use crate::web::pages::parts::Moment;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;

/// Hex digits of an identity in a list.
const IDENTITY_DIGITS: usize = 12;

#[derive(Template)]
#[template(path = "converters/list.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    /// Why there are no settings, with what to do.
    unset: Option<(String, String)>,
}

struct Row {
    name: String,
    href: String,
    /// The name of the state in the style sheet, and its word.
    state: (&'static str, &'static str),
    folder: String,
    version: String,
    identity: String,
    entries: String,
    entries_href: String,
    failed: String,
    failed_href: String,
    has_failed: bool,
    last: Option<Moment>,
    promotion: &'static str,
}

/// Answers `GET /converters`.
pub(in crate::web) async fn list(
    State(web): State<Web>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Converters, &visitor);
    let made = web.work(&visitor, move |desk| page_of(&desk.service(), frame));
    Ok(page(&made.await?))
}

fn page_of(desk: &Desk, frame: Frame) -> Result<Page> {
    let lines = converters(desk)?;
    Ok(Page {
        rows: lines.iter().map(|line| Row::of(line, &frame)).collect(),
        unset: no_configuration(desk, &frame),
        frame: frame.command("annals stats --by converter"),
    })
}

impl Row {
    fn of(line: &ConverterLine, frame: &Frame) -> Self {
        let name = line.name.as_str();
        let state = match &line.configured {
            None => ("skipped", frame.say("converters.only_archived")),
            Some(configured) if configured.archives => {
                ("success", frame.say("converters.archives"))
            }
            Some(_) => ("suspended", frame.say("converters.archives_not")),
        };
        let folder = line.configured.as_ref().map(|configured| {
            let folder = configured.folder.as_deref();
            folder.map_or_else(|| frame.say("converters.by_hand").to_owned(), path_text)
        });
        let newest = line.newest.as_ref();
        let is_gated = line.configured.as_ref().is_some_and(|one| one.is_gated);
        let newest_id = newest.map(|newest| newest.converter_id);
        let promotion = match (is_gated, line.current) {
            (false, _) => frame.say("converters.free"),
            (true, None) => frame.say("converters.none_promoted"),
            (true, current) if current == newest_id => frame.say("converters.is_current"),
            (true, _) => frame.say("converters.newer_waits"),
        };
        let of_converter = [("converter", name)];
        Self {
            href: format!("/converters/{}", in_path(name)),
            state,
            folder: folder.unwrap_or_default(),
            version: newest
                .and_then(|newest| newest.version.clone())
                .unwrap_or_default(),
            identity: newest_id
                .map(|id| format!("{id:.IDENTITY_DIGITS$}"))
                .unwrap_or_default(),
            entries: frame.count(line.entries),
            entries_href: address("/entries", of_converter),
            failed: frame.count(line.failed),
            failed_href: address("/failures", of_converter),
            has_failed: line.failed > 0,
            last: line.last.map(|last| frame.moment(last)),
            promotion: if line.configured.is_some() {
                promotion
            } else {
                ""
            },
            name: name.to_owned(),
        }
    }
}
