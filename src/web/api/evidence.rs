//! `/api/v1/checkpoints`, `exports`, `reviews` and `accesses`: what can be proven, and who looked.

use std::io::Write as _;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Query;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::{Answer, csv_line};
use super::lists::csv_answer;
use crate::event::Verdict;
use crate::evidence::note::VerifierKey;
use crate::id::EventSeq;
use crate::service::desk::Desk;
use crate::service::evidence::{
    AccessObject, Asked, CheckpointItem, CheckpointObject, Door, ExportObject, Item, Record,
    RecordPage, Records, ReviewAnswer, ReviewObject, edge, newest,
};
use crate::web::address::page_limit;
use crate::web::body::{Pieces, written};
use crate::web::problem::Problem;
use crate::web::sent::Sent;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Events of a page, unless `limit` says otherwise.
const USUAL: usize = 100;

/// What is asked of a list of evidence.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ListQuery {
    /// The most events.
    #[param(minimum = 1, maximum = 1000)]
    pub(in crate::web) limit: Option<usize>,
    /// The `next` of the page before.
    pub(in crate::web) after: Option<u64>,
    /// Only what this account caused.
    pub(in crate::web) account: Option<String>,
    /// Recorded at or after this date.
    pub(in crate::web) from: Option<String>,
    /// Recorded before this date.
    pub(in crate::web) to: Option<String>,
    /// Of accesses: `any`, `command_line`, `web` or `refused`.
    pub(in crate::web) door: Option<String>,
}

impl ListQuery {
    /// Reads what is asked for.
    ///
    /// # Errors
    /// `Invalid` for a value that cannot be read, and for a filter that the list does not have.
    pub(in crate::web) fn asked(&self, records: Records, desk: &Desk) -> Result<Asked> {
        let limit = page_limit(self.limit.unwrap_or(USUAL))?;
        let door = self.door.as_deref().unwrap_or_default();
        if records != Records::Accesses && !door.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "only accesses have a door"));
        }
        let date = |text: &Option<String>| {
            let text = text.as_deref().map(str::trim);
            let text = text.filter(|text| !text.is_empty());
            text.map(|text| desk.when(text)).transpose()
        };
        let (from, to) = (date(&self.from)?, date(&self.to)?);
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            // The same date twice is a day to many people; an empty list would hide that.
            let told = "the period is empty: its end is not included";
            return Err(Error::new(ErrorKind::Invalid, told)
                .hint("for one day, name the next day as its end"));
        }
        let account = self.account.as_deref().map(str::trim);
        Ok(Asked {
            before: self.after.map(EventSeq),
            limit,
            door: Door::of_name(door)?,
            account: account
                .filter(|account| !account.is_empty())
                .map(str::to_owned),
            from,
            to,
        })
    }
}

/// A page of a list.
#[derive(Serialize)]
struct Listed<T> {
    items: Vec<T>,
    next: Option<String>,
    count: u64,
    more: bool,
    looked_back_to: Option<EventSeq>,
}

async fn list<T: Item + 'static>(
    web: Web,
    visitor: Visitor,
    records: Records,
    query: ListQuery,
    of: fn(&Record, &[VerifierKey]) -> T,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let asked = query.asked(records, &desk)?;
        let page = RecordPage::read(records, &asked, &desk)?;
        let keys = keys(&desk)?;
        Answer::object(&Listed {
            items: page
                .records
                .iter()
                .map(|record| of(record, &keys))
                .collect(),
            next: page.next.map(|next| next.to_string()),
            count: page.count.n,
            more: page.count.more,
            looked_back_to: page.looked_back_to,
        })
    });
    answer.await
}

/// Returns the keys that the log names.
fn keys(desk: &Desk) -> Result<Vec<VerifierKey>> {
    let keys = desk.archive.keys_of_log()?.into_iter();
    Ok(keys.map(|(_, key)| key).collect())
}

/// Answers with a whole list as CSV, however long it is.
async fn csv<T: Item + 'static>(
    web: Web,
    visitor: Visitor,
    (records, name): (Records, &'static str),
    query: ListQuery,
    of: fn(&Record, &[VerifierKey]) -> T,
) -> Result<Response, Problem> {
    // What cannot be read is told as such, not by a list that breaks off.
    let first = query.clone();
    let asked = web.work(&visitor, move |desk| first.asked(records, &desk.service()));
    let mut asked = asked.await?;
    let mut left = query.limit.unwrap_or(usize::MAX);
    let body = written(web, visitor, move |desk, pieces| {
        let desk = desk.service();
        let keys = keys(&desk)?;
        let columns: Vec<String> = T::COLUMNS.iter().map(|name| (*name).to_owned()).collect();
        put(pieces, &csv_line(&columns))?;
        loop {
            asked.limit = left.min(USUAL);
            let page = RecordPage::read(records, &asked, &desk)?;
            for record in &page.records {
                put(pieces, &csv_line(&of(record, &keys).row()))?;
            }
            left -= page.records.len();
            match page.next {
                Some(next) if left > 0 => asked.before = Some(next),
                _ => return Ok(()),
            }
        }
    });
    Ok(csv_answer(body, name))
}

fn put(pieces: &mut Pieces, line: &str) -> Result<()> {
    let put = pieces.write_all(line.as_bytes());
    put.map_err(|error| Error::new(ErrorKind::Io, format!("the client is gone: {error}")))
}

/// Returns the newest signed checkpoint. Nothing is signed by asking.
#[utoipa::path(
    get,
    path = "/api/v1/checkpoint",
    responses(
        (status = 200, description = "As `annals checkpoint --json` prints it", body = serde_json::Value),
        (status = 404, description = "Nothing was signed yet", body = Problem),
    )
)]
pub(super) async fn checkpoint(
    State(web): State<Web>,
    visitor: Visitor,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, |desk| {
        Answer::object(&CheckpointObject::new(&newest(&desk.archive)?))
    });
    answer.await
}

/// Signs everything up to now.
#[utoipa::path(
    post,
    path = "/api/v1/checkpoints",
    responses(
        (status = 201, description = "As `annals checkpoint --json` prints it", body = serde_json::Value),
        (status = 200, description = "Nothing came since this one", body = serde_json::Value),
        (status = 409, description = "There is no key here to sign with", body = Problem),
    )
)]
pub(super) async fn sign(State(web): State<Web>, visitor: Visitor) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, |desk| {
        let before = desk.archive.newest();
        let made = desk.archive.checkpoint()?;
        let status = if made.event > before {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        Ok(Answer::object(&CheckpointObject::new(&made))?.status(status))
    });
    answer.await
}

/// Lists the checkpoints, the newest first. Each signature is verified with the keys that the log
/// names.
#[utoipa::path(
    get,
    path = "/api/v1/checkpoints",
    params(ListQuery),
    responses((status = 200, description = "The checkpoints", body = serde_json::Value))
)]
pub(super) async fn checkpoints(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Answer, Problem> {
    list(
        web,
        visitor,
        Records::Checkpoints,
        query,
        CheckpointItem::of,
    )
    .await
}

/// Lists the checkpoints as CSV.
#[utoipa::path(
    get,
    path = "/api/v1/checkpoints.csv",
    params(ListQuery),
    responses((status = 200, description = "The checkpoints", content_type = "text/csv", body = String))
)]
pub(super) async fn checkpoints_csv(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let list = (Records::Checkpoints, "checkpoints.csv");
    csv(web, visitor, list, query, CheckpointItem::of).await
}

/// Lists the evidence bundles that were made, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/exports",
    params(ListQuery),
    responses((status = 200, description = "The exports", body = serde_json::Value))
)]
pub(super) async fn exports(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Answer, Problem> {
    let of = |record: &Record, _: &[VerifierKey]| ExportObject::of(record);
    list(web, visitor, Records::Exports, query, of).await
}

/// Lists the evidence bundles that were made as CSV.
#[utoipa::path(
    get,
    path = "/api/v1/exports.csv",
    params(ListQuery),
    responses((status = 200, description = "The exports", content_type = "text/csv", body = String))
)]
pub(super) async fn exports_csv(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let of = |record: &Record, _: &[VerifierKey]| ExportObject::of(record);
    csv(web, visitor, (Records::Exports, "exports.csv"), query, of).await
}

/// Lists the reviews, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/reviews",
    params(ListQuery),
    responses((status = 200, description = "The reviews", body = serde_json::Value))
)]
pub(super) async fn reviews(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Answer, Problem> {
    let of = |record: &Record, _: &[VerifierKey]| ReviewObject::of(record);
    list(web, visitor, Records::Reviews, query, of).await
}

/// Lists the reviews as CSV.
#[utoipa::path(
    get,
    path = "/api/v1/reviews.csv",
    params(ListQuery),
    responses((status = 200, description = "The reviews", content_type = "text/csv", body = String))
)]
pub(super) async fn reviews_csv(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let of = |record: &Record, _: &[VerifierKey]| ReviewObject::of(record);
    csv(web, visitor, (Records::Reviews, "reviews.csv"), query, of).await
}

/// Lists who got at contents and who was not let in, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accesses",
    params(ListQuery),
    responses((status = 200, description = "The accesses", body = serde_json::Value))
)]
pub(super) async fn accesses(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Answer, Problem> {
    let of = |record: &Record, _: &[VerifierKey]| AccessObject::of(record);
    list(web, visitor, Records::Accesses, query, of).await
}

/// Lists who got at contents and who was not let in as CSV.
#[utoipa::path(
    get,
    path = "/api/v1/accesses.csv",
    params(ListQuery),
    responses((status = 200, description = "The accesses", content_type = "text/csv", body = String))
)]
pub(super) async fn accesses_csv(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let of = |record: &Record, _: &[VerifierKey]| AccessObject::of(record);
    csv(web, visitor, (Records::Accesses, "accesses.csv"), query, of).await
}

/// A range of the log that is looked at, and what was found.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::web) struct NewReview {
    /// The first event, or a date; after the last review by default.
    pub(in crate::web) from: Option<String>,
    /// The last event, or the date before which it ends; the newest event by default.
    pub(in crate::web) to: Option<String>,
    /// `accepted` or `finding`. Without it, nothing is recorded.
    pub(in crate::web) verdict: Option<String>,
    /// What the reviewer has to say about it; recorded for good.
    pub(in crate::web) reason: Option<String>,
}

impl NewReview {
    /// Returns the verdict with its reason, if one is given.
    fn judged(&self) -> Result<Option<(Verdict, &str)>> {
        let invalid = |told: &str| Error::new(ErrorKind::Invalid, told.to_owned());
        match (self.verdict.as_deref(), self.reason.as_deref()) {
            (None, None) => Ok(None),
            (Some(verdict), Some(reason)) => {
                let verdict = verdict.parse();
                let verdict = verdict.map_err(|error| invalid(&format!("verdict: {error}")))?;
                Ok(Some((verdict, reason)))
            }
            (Some(_), None) => Err(invalid("a review needs a reason")),
            (None, Some(_)) => Err(invalid("a reason needs a verdict")
                .hint("say whether the range is accepted, or has a finding")),
        }
    }
}

/// Tells what happened in a range of the log; with a verdict, records that it was reviewed.
#[utoipa::path(
    post,
    path = "/api/v1/reviews",
    request_body = NewReview,
    responses(
        (status = 201, description = "The review is recorded; as `annals review --json` prints it", body = serde_json::Value),
        (status = 200, description = "What happened in the range", body = serde_json::Value),
        (status = 400, description = "A date, the verdict or the reason cannot be taken", body = Problem),
        (status = 404, description = "There is no event in the range", body = Problem),
    )
)]
pub(super) async fn review(
    State(web): State<Web>,
    visitor: Visitor,
    Sent(new): Sent<NewReview>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let judged = new.judged()?;
        let end = |text: &Option<String>| text.as_deref().map(|text| edge(text, &desk)).transpose();
        let mut plan = desk.archive.plan_review(end(&new.from)?, end(&new.to)?)?;
        let recorded = match judged {
            Some((verdict, reason)) => Some(desk.archive.record_review(&plan, verdict, reason)?),
            None => None,
        };
        for notable in &mut plan.notable {
            notable.time = notable.time.map(|time| desk.zone.exact(time));
        }
        let answer = Answer::object(&ReviewAnswer {
            plan: &plan,
            verdict: judged.map(|(verdict, _)| verdict.name()),
            recorded,
        })?;
        Ok(match recorded {
            Some(_) => answer.status(StatusCode::CREATED),
            None => answer,
        })
    });
    answer.await
}
