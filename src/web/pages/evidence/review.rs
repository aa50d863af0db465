//! `/evidence/review`: what happened in a range of the log, and the verdict about it.

use std::fmt::Write as _;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum_extra::extract::{Form, Query};
use serde::Deserialize;

use crate::archive::{ReviewEdge, ReviewPlan};
use crate::event::Verdict;
use crate::id::EventSeq;
use crate::service::desk::Desk;
use crate::service::evidence::edge;
use crate::service::objects::bare;
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::jobs::{go_to, refused, told};
use crate::web::pages::parts::Moment;
use crate::web::preview::visible;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// The range in the address of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Range {
    from: String,
    to: String,
}

/// A verdict about a range.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Judged {
    from: u64,
    to: u64,
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    reason: String,
}

#[derive(Template)]
#[template(path = "evidence/review.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    from: String,
    to: String,
    error: Option<(String, String)>,
    plan: Option<Plan>,
}

struct Plan {
    from: EventSeq,
    to: EventSeq,
    /// The range in words.
    lead: String,
    left_out: String,
    /// Events by type, by account, and failed attempts by converter.
    counts: Vec<Counts>,
    notable: Vec<NotableRow>,
    more: String,
}

struct Counts {
    title: &'static str,
    rows: Vec<(String, String)>,
}

struct NotableRow {
    seq: EventSeq,
    at: Option<Moment>,
    by: String,
    kind: String,
    summary: String,
}

impl Plan {
    fn of(plan: &ReviewPlan, frame: &Frame) -> Self {
        let events = plan.to.0 - plan.from.0 + 1;
        let mut lead = frame.fill(
            "evidence.review_range",
            &[
                ("from", &frame.count(plan.from.0)),
                ("to", &frame.count(plan.to.0)),
                ("n", &frame.count(events)),
            ],
        );
        lead += " · ";
        lead += &match plan.last_review {
            Some(last) => frame.fill("evidence.review_last", &[("event", &frame.count(last.0))]),
            None => frame.say("evidence.review_first").to_owned(),
        };
        let rows = |counts: &std::collections::BTreeMap<String, u64>| {
            let rows = counts.iter();
            rows.map(|(name, number)| (visible(bare(name)).into_owned(), frame.count(*number)))
                .collect::<Vec<_>>()
        };
        let counts = [
            ("evidence.by_type", rows(&plan.counts)),
            ("evidence.by_account", rows(&plan.actors)),
            ("evidence.by_failures", rows(&plan.failures)),
        ];
        let counts = counts.into_iter().filter(|(_, rows)| !rows.is_empty());
        let counts = counts.map(|(key, rows)| Counts {
            title: frame.say(key),
            rows,
        });
        let notable = plan.notable.iter().map(|one| NotableRow {
            seq: one.seq,
            at: one.time.map(|time| frame.moment(time)),
            by: visible(one.actor.as_deref().unwrap_or_default()).into_owned(),
            kind: bare(&one.kind).to_owned(),
            summary: visible(&one.summary).into_owned(),
        });
        Self {
            from: plan.from,
            to: plan.to,
            lead,
            left_out: match plan.left_out {
                Some((first, last)) => frame.fill(
                    "evidence.review_left_out",
                    &[
                        ("from", &frame.count(first.0)),
                        ("to", &frame.count(last.0)),
                    ],
                ),
                None => String::new(),
            },
            counts: counts.collect(),
            notable: notable.collect(),
            more: match plan.more_notable {
                0 => String::new(),
                more => frame.fill("evidence.review_more", &[("n", &frame.count(more))]),
            },
        }
    }
}

fn plan(desk: &Desk, range: &Range) -> Result<ReviewPlan> {
    let end = |text: &str| match text.trim() {
        "" => Ok(None),
        text => edge(text, desk).map(Some),
    };
    desk.archive.plan_review(end(&range.from)?, end(&range.to)?)
}

/// Answers `GET /evidence/review`.
pub(in crate::web) async fn ask(
    State(web): State<Web>,
    visitor: Visitor,
    Query(range): Query<Range>,
) -> Result<Response, Problem> {
    let title = visitor.language.say("evidence.review_title");
    let mut command = "annals review".to_owned();
    for (key, value) in [("from", &range.from), ("to", &range.to)] {
        if !value.trim().is_empty() {
            let value = crate::service::words::in_shell(value.trim());
            // Writing into a `String` cannot fail.
            let _ = write!(command, " --{key} {value}");
        }
    }
    let frame = Frame::new(Place::Evidence, &visitor)
        .titled(title)
        .command(command);
    let made = web.work(&visitor, move |desk| {
        let planned = plan(&desk.service(), &range);
        Ok(match planned {
            Ok(planned) => Page {
                plan: Some(Plan::of(&planned, &frame)),
                error: None,
                from: range.from,
                to: range.to,
                frame,
            },
            Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound) => {
                Page {
                    plan: None,
                    error: Some(told(&error)),
                    from: range.from,
                    to: range.to,
                    frame,
                }
            }
            Err(error) => return Err(error),
        })
    });
    Ok(page(&made.await?))
}

/// Answers `POST /evidence/review`.
pub(in crate::web) async fn record(
    State(web): State<Web>,
    visitor: Visitor,
    Form(judged): Form<Judged>,
) -> Result<Response, Problem> {
    let recorded = web.work(&visitor, move |desk| {
        let archive = &desk.archive;
        let record = || {
            let verdict: Verdict = judged.verdict.parse().map_err(|_| {
                let told = "say whether the range is accepted, or has a finding";
                Error::new(ErrorKind::Invalid, told)
            })?;
            let end = |seq: u64| Some(ReviewEdge::Event(EventSeq(seq)));
            let plan = archive.plan_review(end(judged.from), end(judged.to))?;
            archive.record_review(&plan, verdict, judged.reason.trim())
        };
        Ok(record())
    });
    Ok(match recorded.await? {
        Ok(_) => go_to("/evidence/reviews".to_owned()),
        Err(error) => refused(&error),
    })
}
