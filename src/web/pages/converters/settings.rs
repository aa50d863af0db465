//! `/settings/{section}`: what all converters have by default, and how the host is set up.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::Form;

use super::answer::answer;
use super::form::{FormView, Outcome, no_configuration};
use crate::service::desk::Desk;
use crate::service::settings::{Section, draft, sections_of};
use crate::service::words::in_shell;
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

#[derive(Template)]
#[template(path = "converters/settings.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    tabs: Vec<Tab>,
    form: Option<FormView>,
    /// Why there is no form, and what to do.
    unset: Option<(String, String)>,
}

struct Tab {
    href: String,
    name: &'static str,
    is_here: bool,
}

/// Answers `GET /settings`.
pub(in crate::web) async fn first_settings() -> Response {
    Redirect::to("/settings/defaults").into_response()
}

/// Answers `GET /settings/{section}`.
pub(in crate::web) async fn settings(
    State(web): State<Web>,
    visitor: Visitor,
    Path(section): Path<String>,
) -> Result<Response, Problem> {
    let frame = frame(&visitor);
    let made = web.work(&visitor, move |desk| {
        let section = section_named(&section)?;
        Ok(page_of(&desk.service(), &section, frame))
    });
    Ok(page(&made.await?))
}

fn frame(visitor: &Visitor) -> Frame {
    let frame = Frame::new(Place::Converters, visitor);
    let title = frame.say("converters.settings_all");
    frame.titled(title)
}

fn page_of(desk: &Desk, section: &Section, frame: Frame) -> Page {
    let form = draft(desk)
        .ok()
        .map(|draft| FormView::of(&draft, section, &Outcome::default(), desk, &frame));
    let file = desk.config_text().unwrap_or_else(|| "FILE".to_owned());
    let command = format!("annals --config {} config show --origin", in_shell(&file));
    let tabs = sections_of().into_iter().filter_map(|one| {
        let Section::Named(name) = one else {
            return None;
        };
        Some(Tab {
            href: format!("/settings/{name}"),
            name: frame.say(&format!("converters.group_{name}")),
            is_here: one == *section,
        })
    });
    Page {
        tabs: tabs.collect(),
        unset: no_configuration(desk, &frame),
        form,
        frame: frame.command(command),
    }
}

fn section_named(name: &str) -> Result<Section> {
    let mut sections = sections_of().into_iter();
    let found = sections.find(|section| matches!(section, Section::Named(one) if *one == name));
    found.ok_or_else(|| {
        let told = format!("there are no settings called '{name}'");
        Error::new(ErrorKind::NotFound, told).hint("/settings has those that there are")
    })
}

/// Answers `POST /settings/{section}`: what would change, or that it is saved.
pub(in crate::web) async fn change_settings(
    State(web): State<Web>,
    visitor: Visitor,
    Path(section): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let frame = frame(&visitor);
    let answered = web.work(&visitor, move |desk| {
        let section = section_named(&section)?;
        answer(&desk.service(), &section, pairs, frame)
    });
    answered.await
}
