//! `/failures`: what is broken, how often, and what to do about it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum_extra::extract::{Form, Query};
use serde::Deserialize;

use super::frame::{Frame, Place, page};
use super::jobs::{address, go_to, refused, told};
use super::parts::Moment;
use crate::archive::FailureGroup;
use crate::entry::CauseKind;
use crate::query::Filter;
use crate::service::desk::Desk as ServiceDesk;
use crate::service::entries::Filters;
use crate::service::failures::{TREND_DAYS, trend};
use crate::service::objects::command_for;
use crate::service::promotions::waive_cause;
use crate::web::api::failures::filter;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Causes on one page.
const CAUSES_SHOWN: usize = 25;
/// Height of the bars of a trend.
const BAR_HEIGHT: u64 = 24;
/// Most characters of an example's error.
const ERROR_CHARS_MAX: usize = 600;

type Pairs = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "failures/page.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    more: String,
    filters: Vec<Chip>,
    names: Vec<String>,
    chosen: String,
    from: String,
    to: String,
    error: Option<(String, String)>,
}

/// A filter that holds, with the page without it.
struct Chip {
    name: String,
    value: String,
    href: String,
}

struct Row {
    id: String,
    kind: &'static str,
    converter: String,
    text: String,
    entries: String,
    first: Moment,
    last: Moment,
    example: u64,
    /// The error of the example as it was recorded, if it says more than the cause.
    message: String,
    bars: Vec<Bar>,
    /// The trend in words, for those who see no bars.
    trend: String,
    again: String,
    again_href: String,
    step_href: String,
    list_href: String,
    command: String,
    /// The words on the button that waives the cause, where promotions are gated.
    waive: String,
}

/// One day of a trend.
struct Bar {
    x: usize,
    y: u64,
    height: u64,
    title: String,
}

/// Answers `GET /failures`.
pub(in crate::web) async fn failures(
    State(web): State<Web>,
    visitor: Visitor,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Failures, &visitor);
    let pairs: Pairs = pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let made = web.work(&visitor, move |desk| {
        page_of(&desk.service(), &pairs, frame)
    });
    Ok(page(&made.await?))
}

fn page_of(desk: &ServiceDesk, pairs: &[(String, String)], frame: Frame) -> Result<Page> {
    let value = |name: &str| {
        let found = pairs.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let snapshot = desk.archive.snapshot()?;
    let mut page = Page {
        rows: Vec::new(),
        more: String::new(),
        filters: pairs.iter().map(|one| Chip::of(one, pairs)).collect(),
        names: snapshot.converters()?.into_iter().collect(),
        chosen: value("converter"),
        from: value("from"),
        to: value("to"),
        error: None,
        frame,
    };
    let filters = Filters::from_pairs(pairs.iter().map(|(key, value)| (key, value)));
    let stated = filters.and_then(|filters| Ok((filter(&filters, desk)?, filters)));
    let (filter, filters) = match stated {
        Ok(stated) => stated,
        Err(error) => {
            page.error = Some(told(&error));
            return Ok(page);
        }
    };
    let groups = snapshot.failures(&filter)?;
    let hidden = groups.len().saturating_sub(CAUSES_SHOWN) as u64;
    if hidden > 0 {
        page.more = page
            .frame
            .fill("failures.more", &[("n", &page.frame.count(hidden))]);
    }
    for group in groups.iter().take(CAUSES_SHOWN) {
        let recent = trend(&snapshot, group, &filter, desk.now, &desk.zone)?;
        page.rows
            .push(Row::of(group, &recent.days, pairs, desk, &page.frame));
    }
    page.frame = page.frame.command(filters.command("failures"));
    Ok(page)
}

impl Chip {
    fn of(one: &(String, String), all: &[(String, String)]) -> Self {
        let others = all.iter().filter(|other| *other != one);
        let others = others.map(|(key, value)| (key.as_str(), value.as_str()));
        Self {
            name: one.0.clone(),
            value: one.1.clone(),
            href: address("/failures", others),
        }
    }
}

impl Row {
    fn of(
        group: &FailureGroup,
        days: &[u64; TREND_DAYS],
        pairs: &[(String, String)],
        desk: &ServiceDesk,
        frame: &Frame,
    ) -> Self {
        let id = group.cause.id.to_string();
        let narrowed = || {
            let filters = pairs.iter().filter(|(key, _)| key != "failure");
            let filters = filters.map(|(key, value)| (key.as_str(), value.as_str()));
            filters.chain([("failure", id.as_str())])
        };
        let entries = frame.count(group.entries);
        let again = match group.entries {
            1 => frame.say("failures.again_one").to_owned(),
            _ => frame.fill("failures.again", &[("n", &entries)]),
        };
        let error = group.example_error.as_deref().unwrap_or_default();
        let message: String = error.chars().take(ERROR_CHARS_MAX).collect();
        let config = desk.config();
        let configured = config.and_then(|config| config.converter(&group.converter));
        let is_gated = configured.is_some_and(|converter| converter.promotion.is_gated());
        Self {
            kind: match group.cause.kind {
                CauseKind::Refused => frame.say("failures.kind_refused"),
                CauseKind::Suspicious => frame.say("frame.status_suspicious"),
                _ => frame.say("frame.status_failed"),
            },
            converter: group.converter.clone(),
            message: if message == group.cause.text {
                String::new()
            } else {
                message
            },
            text: group.cause.text.clone(),
            first: frame.moment(group.first),
            last: frame.moment(group.last),
            example: group.example.0,
            bars: bars(days, frame),
            trend: trend_words(days, frame),
            again: if group.cause.kind == CauseKind::Refused {
                String::new()
            } else {
                again
            },
            again_href: address("/jobs/new", narrowed()),
            step_href: address("/step", narrowed()),
            list_href: address("/entries", narrowed()),
            command: command_for(group, desk.config_text().as_deref()),
            waive: if is_gated && group.cause.kind == CauseKind::Failed {
                frame.fill("failures.waive", &[("n", &entries)])
            } else {
                String::new()
            },
            entries,
            id,
        }
    }
}

/// Returns the bars of a trend, the highest as high as there is room.
fn bars(days: &[u64; TREND_DAYS], frame: &Frame) -> Vec<Bar> {
    let most = days.iter().copied().max().unwrap_or_default().max(1);
    let bar = |(nth, number): (usize, &u64)| {
        let height = (number * BAR_HEIGHT).div_ceil(most);
        let ago = TREND_DAYS - 1 - nth;
        Bar {
            x: nth * 6,
            y: BAR_HEIGHT - height,
            height,
            title: frame.fill(
                "failures.day",
                &[("n", &frame.count(*number)), ("days", &ago.to_string())],
            ),
        }
    };
    days.iter().enumerate().map(bar).collect()
}

/// Tells a trend in words: how many in the last week, and in the week before.
fn trend_words(days: &[u64; TREND_DAYS], frame: &Frame) -> String {
    let (before, last) = days.split_at(TREND_DAYS / 2);
    let (before, last): (u64, u64) = (before.iter().sum(), last.iter().sum());
    let values = [("last", frame.count(last)), ("before", frame.count(before))];
    frame.fill(
        "failures.trend",
        &values
            .each_ref()
            .map(|(name, value)| (*name, value.as_str())),
    )
}

/// Which cause is waived, and why.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Waive {
    converter: String,
    cause: String,
    #[serde(default)]
    reason: String,
}

/// Answers `POST /failures/waive`.
pub(in crate::web) async fn waive(
    State(web): State<Web>,
    visitor: Visitor,
    Form(asked): Form<Waive>,
) -> Result<Response, Problem> {
    let waived = web.work(&visitor, move |desk| {
        let waive = || {
            if asked.reason.trim().is_empty() {
                let told = "say why: the reason is recorded with the waiver";
                return Err(Error::new(ErrorKind::Invalid, told));
            }
            let cause = asked.cause.parse().map_err(|why| {
                Error::new(ErrorKind::Invalid, format!("'{}': {why}", asked.cause))
            })?;
            let filter = Filter::default().failure(cause);
            waive_cause(&desk.service(), &asked.converter, &filter, &asked.reason)?;
            Ok(asked.converter)
        };
        Ok(waive())
    });
    Ok(match waived.await? {
        Ok(converter) => go_to(address("/failures", [("converter", converter.as_str())])),
        Err(error) => refused(&error),
    })
}
