//! `/converters/{name}`: which programs a converter was, which is current, and its settings.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::answer::answer;
use super::form::{FormView, Outcome, in_path, no_configuration};
use crate::host::Promotion;
use crate::service::converters::{IdentityLine, identities};
use crate::service::desk::Desk;
use crate::service::promotions::{self, ConverterRecord, nothing_known};
use crate::service::settings::{Section, draft};
use crate::service::words::in_shell;
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::jobs::{address, go_to, refused};
use crate::web::pages::parts::Moment;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Hex digits that name an identity in an address.
const IDENTITY_DIGITS: usize = 12;
/// Promotions that are shown, the newest first.
const PROMOTIONS_SHOWN: usize = 10;

#[derive(Template)]
#[template(path = "converters/show.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    action: String,
    entries_href: String,
    failures_href: String,
    try_href: String,
    identities: Vec<Identity>,
    /// What is told of promotions; nothing for a converter that is not gated and never was.
    gate: Option<Gate>,
    form: Option<FormView>,
    /// Why there is no form, and what to do.
    unset: Option<(String, String)>,
}

struct Identity {
    id: String,
    digits: String,
    version: String,
    environment: String,
    command: String,
    entries: String,
    href: String,
    span: Option<(Moment, Moment)>,
    runs_now: bool,
    is_promoted: bool,
    try_href: String,
}

struct Gate {
    is_gated: bool,
    words: String,
    promotions: Vec<PromotionRow>,
    waivers: Vec<String>,
    command: String,
}

struct PromotionRow {
    id: String,
    at: Moment,
    by: String,
    grounds: &'static str,
    found: String,
    reason: String,
}

/// Answers `GET /converters/{name}`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Converters, &visitor).titled(&name);
    let made = web.work(&visitor, move |desk| page_of(&desk.service(), name, frame));
    Ok(page(&made.await?))
}

fn page_of(desk: &Desk, name: String, frame: Frame) -> Result<Page> {
    let draft = draft(desk).ok();
    let configured = draft
        .as_ref()
        .and_then(|draft| draft.config.converter(&name));
    let promoted = desk.archive.promoted(&name)?;
    let lines = identities(desk, &name)?;
    let snapshot = desk.archive.snapshot()?;
    if configured.is_none() && lines.is_empty() && !snapshot.converters()?.contains(&name) {
        return Err(nothing_known(&name));
    }
    let is_gated = configured.is_some_and(|one| matches!(one.promotion, Promotion::Gated(_)));
    let gate = gate(desk, &name, is_gated, &frame)?;
    let form = draft
        .as_ref()
        .filter(|_| configured.is_some())
        .map(|draft| {
            let section = Section::Converter(name.clone());
            FormView::of(draft, &section, &Outcome::default(), desk, &frame)
        });
    let unset = match (&form, &draft) {
        (Some(_), _) => None,
        (None, None) => no_configuration(desk, &frame),
        (None, Some(_)) => Some((
            frame.say("converters.not_configured").to_owned(),
            frame.say("converters.not_configured_hint").to_owned(),
        )),
    };
    let of_it = [("converter", name.as_str())];
    Ok(Page {
        action: format!("/converters/{}", in_path(&name)),
        entries_href: address("/entries", of_it),
        failures_href: address("/failures", of_it),
        try_href: address("/jobs/new", of_it),
        identities: lines
            .iter()
            .map(|line| {
                let is_promoted = promoted == Some(line.fact.converter_id);
                Identity::of(line, is_promoted, &frame)
            })
            .collect(),
        gate,
        form,
        unset,
        frame: frame.command(format!("annals promotion show {}", in_shell(&name))),
    })
}

impl Identity {
    fn of(line: &IdentityLine, is_promoted: bool, frame: &Frame) -> Self {
        let fact = &line.fact;
        let name = fact.name.as_str();
        let digits = format!("{:.IDENTITY_DIGITS$}", fact.converter_id);
        let span = line.span;
        Self {
            id: fact.converter_id.to_string(),
            version: fact.version.clone().unwrap_or_default(),
            environment: fact.environment.clone(),
            command: fact.command.join(" "),
            entries: frame.count(line.entries),
            href: address("/entries", [("converter", name), ("made_by", &digits)]),
            span: span.map(|(first, last)| (frame.moment(first), frame.moment(last))),
            runs_now: line.runs_now,
            is_promoted,
            try_href: address(
                "/jobs/new",
                [("converter", name), ("converter_version", &digits)],
            ),
            digits,
        }
    }
}

fn gate(desk: &Desk, name: &str, is_gated: bool, frame: &Frame) -> Result<Option<Gate>> {
    let record = match ConverterRecord::of(&desk.archive, name) {
        Ok(record) => record,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !is_gated && record.promotions.is_empty() {
        return Ok(None);
    }
    let status = desk.host.as_ref().map(|host| host.status());
    let verdict = status.and_then(|status| {
        let mut converters = status.converters.into_iter();
        let found = converters.find(|converter| converter.name == name)?;
        found.promotion?.verdict
    });
    let promotions = record.promotions.iter().rev().take(PROMOTIONS_SHOWN);
    let config = desk.config_text().unwrap_or_else(|| "FILE".to_owned());
    Ok(Some(Gate {
        is_gated,
        words: match (is_gated, verdict) {
            (false, _) => frame.say("converters.gate_free").to_owned(),
            (true, Some(verdict)) => frame.fill("converters.gate_verdict", &[("text", &verdict)]),
            (true, None) => frame.say("converters.gate_words").to_owned(),
        },
        promotions: promotions
            .map(|promotion| PromotionRow {
                id: promotion.fact.converter_id.to_string(),
                at: frame.moment(promotion.at),
                by: promotion.by.id.clone(),
                grounds: promotion.fact.grounds.name(),
                found: promotion
                    .fact
                    .evidence
                    .as_ref()
                    .map_or_else(String::new, |found| {
                        let values = [("n", found.tried), ("broken", found.broken)]
                            .map(|(name, number)| (name, frame.count(number)));
                        let values = values.each_ref();
                        let values = values.map(|(name, number)| (*name, number.as_str()));
                        frame.fill("converters.tried", &values)
                    }),
                reason: promotion.fact.reason.clone(),
            })
            .collect(),
        waivers: record
            .waivers
            .iter()
            .rev()
            .filter(|waiver| waiver.revoked.is_none())
            .map(|waiver| format!("{} · {}", waiver.event, waiver.fact.reason))
            .collect(),
        command: format!(
            "annals --config {} convert test {} --over 90d",
            in_shell(&config),
            in_shell(name)
        ),
    }))
}

/// Answers `POST /converters/{name}`: what would change, or that it is saved.
pub(in crate::web) async fn change(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Converters, &visitor).titled(&name);
    let answered = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let known = draft(&desk)?.config.converter(&name).is_some();
        if !known {
            let told = format!("no converter '{name}' is configured");
            return Err(Error::new(ErrorKind::NotFound, told));
        }
        answer(&desk, &Section::Converter(name), pairs, frame)
    });
    answered.await
}

/// Which identity becomes current, and why.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Promote {
    identity: String,
    #[serde(default)]
    reason: String,
}

/// Answers `POST /converters/{name}/promote`.
pub(in crate::web) async fn promote(
    State(web): State<Web>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(asked): Form<Promote>,
) -> Result<Response, Problem> {
    let promoted = web.work(&visitor, move |desk| {
        let promote = || {
            if asked.reason.trim().is_empty() {
                let told = "say why: the reason is recorded with the promotion";
                return Err(Error::new(ErrorKind::Invalid, told));
            }
            let id = asked.identity.parse().map_err(|_| {
                let told = format!("'{}' is no identity", asked.identity);
                Error::new(ErrorKind::Invalid, told)
            })?;
            promotions::promote(&desk.archive, &name, id, &asked.reason)?;
            Ok(name)
        };
        Ok(promote())
    });
    Ok(match promoted.await? {
        Ok(name) => go_to(format!("/converters/{}", in_path(&name))),
        Err(error) => refused(&error),
    })
}
