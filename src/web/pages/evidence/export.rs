//! `/evidence/export`: an evidence bundle that is asked for, counted, made and handed out.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::{Form, Query};

use crate::service::entries::Filters;
use crate::web::api::exports::{ExportPlan, NewExport, plan_export};
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::jobs::{go_to, refused};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{ErrorKind, Result};

type Pairs = Vec<(String, String)>;

/// The field that asks for contents.
const WITH_BLOBS: &str = "with_blobs";

#[derive(Template)]
#[template(path = "evidence/ask.html", config = "src/web/askama.toml")]
struct Ask {
    frame: Frame,
    names: Vec<String>,
    converter: String,
    serial: String,
    from: String,
    to: String,
    /// Filters that the form has no field for.
    others: Pairs,
    with_blobs: bool,
    signs: bool,
}

#[derive(Template)]
#[template(path = "evidence/export.html", config = "src/web/askama.toml")]
struct Shown {
    frame: Frame,
    plan: ExportPlan,
    counts: Option<[String; 4]>,
    is_whole: bool,
    at_work: bool,
    progress: String,
    make: String,
    download: String,
    verify: String,
}

/// Reads what a form asks for.
fn read(pairs: Pairs) -> Result<NewExport> {
    let (with, filters): (Pairs, Pairs) = pairs.into_iter().partition(|(key, _)| key == WITH_BLOBS);
    Ok(NewExport {
        filters: Some(Filters::from_pairs(filters)?),
        with_blobs: with.iter().any(|(_, value)| value == "true"),
    })
}

/// Answers `GET /evidence/export`.
pub(in crate::web) async fn ask(
    State(web): State<Web>,
    visitor: Visitor,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Problem> {
    let asked = read(pairs).map_err(Problem::from)?;
    let title = visitor.language.say("evidence.export_title");
    let filters = asked.filters.unwrap_or_default();
    let mut command = filters.command("export DIR");
    if asked.with_blobs {
        command += " --with-blobs";
    }
    let frame = Frame::new(Place::Evidence, &visitor)
        .titled(title)
        .command(command);
    let known = web.work(&visitor, |desk| {
        let names = desk.archive.snapshot()?.converters()?;
        Ok((names.into_iter().collect(), desk.archive.signs()))
    });
    let (names, signs) = known.await?;
    let (mut own, mut others) = ([const { String::new() }; 4], Vec::new());
    for (key, value) in filters.pairs() {
        let place = ["converter", "serial", "from", "to"]
            .iter()
            .position(|own| *own == key);
        match place {
            Some(at) if own[at].is_empty() => own[at] = value,
            _ => others.push((key.to_owned(), value)),
        }
    }
    let [converter, serial, from, to] = own;
    Ok(page(&Ask {
        frame,
        names,
        converter,
        serial,
        from,
        to,
        others,
        with_blobs: asked.with_blobs,
        signs,
    }))
}

/// Answers `POST /evidence/export`.
pub(in crate::web) async fn plan(
    State(web): State<Web>,
    visitor: Visitor,
    Form(pairs): Form<Pairs>,
) -> Result<Response, Problem> {
    let planned = web.work(&visitor, move |desk| {
        Ok(read(pairs).and_then(|new| plan_export(desk, &new)))
    });
    Ok(match planned.await? {
        Ok(export) => go_to(format!("/evidence/exports/{}", export.id)),
        Err(error) => refused(&error),
    })
}

/// Answers `GET /evidence/exports/{id}`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let title = visitor.language.say("evidence.export_title");
    let frame = Frame::new(Place::Evidence, &visitor).titled(title);
    let plan = web.work(&visitor, move |desk| {
        let export = desk.exports.get(&id, &desk.visitor.account)?;
        Ok(ExportPlan::of(&export))
    });
    Ok(page(&Shown::of(plan.await?, frame)))
}

impl Shown {
    fn of(plan: ExportPlan, frame: Frame) -> Self {
        let counts = plan.counts.as_ref();
        let size = counts.map(|counts| frame.size(counts.bytes));
        let progress = match plan.total {
            0 => String::new(),
            total => frame.fill(
                "evidence.progress",
                &[
                    ("done", &frame.count(plan.done)),
                    ("total", &frame.count(total)),
                ],
            ),
        };
        let bundle = plan.bundle.as_ref();
        let vkey = bundle
            .map(|bundle| bundle.vkey.as_str())
            .unwrap_or_default();
        let name = bundle.map(|bundle| format!("annals-evidence-{}", bundle.event));
        let name = name.unwrap_or_default();
        Self {
            is_whole: counts.is_some_and(|counts| counts.scope == "whole"),
            at_work: matches!(plan.state, "counting" | "writing"),
            make: match (counts, &size) {
                (Some(counts), Some(size)) => frame.fill(
                    "evidence.make",
                    &[("n", &frame.count(counts.events)), ("size", size)],
                ),
                _ => String::new(),
            },
            download: bundle
                .map(|bundle| {
                    frame.fill("evidence.download", &[("size", &frame.size(bundle.bytes))])
                })
                .unwrap_or_default(),
            verify: format!("tar xf {name}.tar && annals verify-export {name} --vkey '{vkey}'"),
            counts: counts.zip(size).map(|(counts, size)| {
                let contents = counts.contents.map(|contents| frame.count(contents));
                [
                    frame.count(counts.events),
                    frame.count(counts.entries),
                    contents.unwrap_or_else(|| "–".to_owned()),
                    size,
                ]
            }),
            progress,
            plan,
            frame,
        }
    }
}

/// Answers `POST /evidence/exports/{id}/{act}`.
pub(in crate::web) async fn act(
    State(web): State<Web>,
    visitor: Visitor,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, Problem> {
    if !matches!(act.as_str(), "start" | "cancel") {
        let told = format!("a bundle cannot be '{act}'");
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            ErrorKind::NotFound,
            &told,
        ));
    }
    let address = format!("/evidence/exports/{id}");
    let done = web.work(&visitor, move |desk| {
        let export = desk.exports.get(&id, &desk.visitor.account)?;
        if act == "cancel" {
            export.cancel();
            return Ok(Ok(()));
        }
        Ok(desk.exports.start(&desk.archive, &export))
    });
    Ok(match done.await? {
        Ok(()) => go_to(address),
        Err(error) => refused(&error),
    })
}
