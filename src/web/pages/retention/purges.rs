//! The second tab: purges that can be undone, and what was purged: who, why, how much.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use axum_extra::extract::{Form, Query};
use serde::Deserialize;

use super::words::things;
use crate::archive::PendingPurge;
use crate::id::EventSeq;
use crate::service::retention::{Ended, PurgeRecord, certify, history};
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::jobs::{address, go_to, refused};
use crate::web::pages::parts::{Mark, Moment};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Purges on one page.
const PURGES_SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "retention/purges.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    /// How many entries can come back, in words; empty when none can.
    pending: String,
    rows: Vec<Row>,
    is_first: bool,
    older: Option<String>,
    told: String,
    /// Whether certificates can be signed here.
    signs: bool,
}

/// A purge on record.
struct Row {
    seq: u64,
    at: Moment,
    by: String,
    plan_id: String,
    things: String,
    content: String,
    rules: Vec<String>,
    reason: String,
    mark: Mark,
    /// What there is to say about its end.
    end: String,
    has_certificate: bool,
}

/// Where a page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Back {
    before: Option<u64>,
}

/// Answers `GET /retention/purges`.
pub(in crate::web) async fn purges(
    State(web): State<Web>,
    visitor: Visitor,
    Query(Back { before }): Query<Back>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Retention, &visitor);
    let made = web.work(&visitor, move |desk| {
        let zone = desk.service().zone;
        let found = history(&desk.archive, before.map(EventSeq), PURGES_SHOWN, &zone)?;
        let back_to = found
            .looked_back_to_time
            .map(|time| frame.moment(time).short);
        let pending = desk.archive.snapshot()?.stats()?.pending;
        let seq = found.looked_back_to.to_string();
        Ok(Page {
            pending: if pending == 0 {
                String::new()
            } else {
                things(pending, 0, &frame)
            },
            rows: found
                .purges
                .iter()
                .map(|one| Row::of(one, &frame))
                .collect(),
            is_first: before.is_none(),
            older: found
                .more
                .then(|| address("/retention/purges", [("before", seq.as_str())])),
            told: match back_to {
                Some(time) if found.more => frame.fill("retention.looked_back", &[("time", &time)]),
                _ => frame.say("retention.looked_at_all").to_owned(),
            },
            signs: desk.archive.signs(),
            frame: frame.command("annals events --type purge.planned"),
        })
    });
    Ok(page(&made.await?))
}

impl Row {
    fn of(purge: &PurgeRecord, frame: &Frame) -> Self {
        let word = |key: &str| frame.say(key);
        let (mark, end) = match &purge.ended {
            Ended::Pending => {
                let until = purge.final_at.map(|time| frame.moment(time).short);
                let until = until.unwrap_or_default();
                let words = frame.fill("retention.undo_until", &[("time", &until)]);
                (
                    Mark::named("pending", word("retention.state_pending")),
                    words,
                )
            }
            Ended::Undone { reason, by } => {
                let mark = Mark::named("skipped", word("retention.state_undone"));
                let parts = [by.as_deref(), reason.as_deref()];
                let parts: Vec<&str> = parts.into_iter().flatten().collect();
                (mark, parts.join(": "))
            }
            Ended::Final { reason } => {
                let mark = Mark::named("success", word("retention.state_final"));
                (mark, reason.clone().unwrap_or_default())
            }
        };
        Self {
            seq: purge.seq.0,
            at: frame.moment(purge.at),
            by: purge.by.clone().unwrap_or_default(),
            plan_id: purge.plan_id.clone(),
            things: things(purge.entries, purge.parts, frame),
            content: frame.size(purge.bytes_logical),
            rules: purge.rules.clone(),
            reason: purge.reason.clone(),
            mark,
            end,
            has_certificate: matches!(purge.ended, Ended::Final { .. }),
        }
    }
}

#[derive(Template)]
#[template(path = "retention/pending.html", config = "src/web/askama.toml")]
struct Pending {
    frame: Frame,
    rows: Vec<PendingRow>,
}

struct PendingRow {
    plan_id: String,
    purged: Moment,
    until: Moment,
    reason: String,
    undo: String,
    finalize: String,
    things: String,
    frees: String,
}

/// Answers `GET /retention/pending`: a part of the page, because it reads each of their entries.
pub(in crate::web) async fn pending(
    State(web): State<Web>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Retention, &visitor);
    let made = web.work(&visitor, move |desk| {
        let pending = desk.archive.pending_purges()?;
        let rows = pending.iter().map(|purge| PendingRow::of(purge, &frame));
        let rows = rows.collect();
        Ok(Pending { frame, rows })
    });
    Ok(page(&made.await?))
}

impl PendingRow {
    fn of(purge: &PendingPurge, frame: &Frame) -> Self {
        let things = things(purge.entries, 0, frame);
        let frees = frame.size(purge.bytes_freed);
        let values = [("things", things.as_str()), ("size", frees.as_str())];
        Self {
            plan_id: purge.plan_id.clone(),
            purged: frame.moment(purge.purged_at),
            until: frame.moment(purge.final_at),
            reason: purge.reason.clone(),
            undo: frame.fill("retention.undo_do", &values),
            finalize: frame.fill("retention.finalize_do", &values),
            things,
            frees,
        }
    }
}

/// Why something is done.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Why {
    #[serde(default)]
    reason: String,
}

/// Answers `POST /retention/purges/{plan_id}/undo`.
pub(in crate::web) async fn undo(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    Form(why): Form<Why>,
) -> Result<Response, Problem> {
    let done = web.work(&visitor, move |desk| {
        let undo = || {
            let reason = stated(&why)?;
            desk.archive.undo_purge(&plan_id, reason).map(drop)
        };
        Ok(undo())
    });
    Ok(match done.await? {
        Ok(()) => go_to("/retention/purges".to_owned()),
        Err(error) => refused(&error),
    })
}

/// Answers `POST /retention/purges/{plan_id}/finalize`.
pub(in crate::web) async fn finalize(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    Form(why): Form<Why>,
) -> Result<Response, Problem> {
    let done = web.work(&visitor, move |desk| {
        let finalize = || {
            let reason = stated(&why)?;
            let freed = desk.archive.finalize_purge(&plan_id, reason)?;
            freed.map_err(|error| crate::service::retention::unfreed(&error))
        };
        Ok(finalize())
    });
    Ok(match done.await? {
        Ok(_) => go_to("/retention/purges".to_owned()),
        Err(error) => refused(&error),
    })
}

fn stated(why: &Why) -> Result<&str> {
    let reason = why.reason.trim();
    if reason.is_empty() {
        let told = "say why: the reason is recorded for good";
        return Err(Error::new(ErrorKind::Invalid, told));
    }
    Ok(reason)
}

#[derive(Template)]
#[template(path = "retention/certificate.html", config = "src/web/askama.toml")]
struct Signed {
    frame: Frame,
    text: String,
    /// What it says in short.
    told: &'static str,
    tone: &'static str,
    command: String,
}

/// Answers `POST /retention/purges/{plan_id}/certificate`.
pub(in crate::web) async fn certificate(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Retention, &visitor);
    let signed = web.work(&visitor, move |desk| {
        let signed = certify(&desk.archive, Some(&plan_id));
        Ok(signed.map(|(certificate, note)| Signed {
            text: note.to_string(),
            told: if certificate.is_complete() {
                frame.say("retention.destroyed")
            } else {
                frame.say("retention.not_all_destroyed")
            },
            tone: if certificate.is_complete() {
                "good"
            } else {
                "warn"
            },
            command: format!("annals retention certificate {plan_id} -o destroyed.certificate"),
            frame,
        }))
    });
    Ok(match signed.await? {
        Ok(signed) => page(&signed),
        Err(error) => refused(&error),
    })
}
