//! `/api/v1/jobs`: reprocess jobs, what became of them, and what stops them or lets them go on.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum_extra::extract::Query;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::Answer;
use crate::archive::JobState;
use crate::convert::{Change, PathPattern, Verdict};
use crate::entry::Outcome;
use crate::id::{AttemptNo, EntryId, JobId};
use crate::service::desk::Desk as ServiceDesk;
use crate::service::jobs::{JudgedAttempt, VerdictWord, difference_of};
use crate::service::objects::{Failures, JobObject, ShownJob};
use crate::service::reprocess::ChangesObject;
use crate::time::Stopwatch;
use crate::web::address::page_limit;
use crate::web::problem::Problem;
use crate::web::state::{Desk, Web};
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Jobs of a page when no number is asked for.
const JOBS_USUAL: usize = 100;
/// How long an answer waits for the comparison of a job's reports.
const COMPARED_WITHIN: Duration = Duration::from_secs(10);

/// A page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// The most items.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the page before.
    pub(super) after: Option<u64>,
}

impl Page {
    pub(super) fn limit(&self, usual: usize) -> Result<usize> {
        page_limit(self.limit.unwrap_or(usual))
    }
}

/// Lists the jobs, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    params(Page),
    responses(
        (status = 200, description = "The jobs, as `annals job list --json` shows them", body = serde_json::Value),
        (status = 400, body = Problem)
    )
)]
pub(super) async fn jobs(
    State(web): State<Web>,
    visitor: Visitor,
    Query(page): Query<Page>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let desk = desk.service();
        let (shown, next, count) = page_of(&desk, &page)?;
        let objects: Vec<JobObject<'_>> = shown.iter().map(ShownJob::object).collect();
        Answer::list(&objects, next, count)
    });
    answer.await
}

/// Lists the jobs as CSV, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/jobs.csv",
    params(Page),
    responses(
        (status = 200, description = "The jobs", content_type = "text/csv", body = String),
        (status = 400, body = Problem)
    )
)]
pub(super) async fn jobs_csv(
    State(web): State<Web>,
    visitor: Visitor,
    Query(page): Query<Page>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        let (shown, _, _) = page_of(&desk.service(), &page)?;
        Ok(table(&shown))
    });
    answer.await
}

/// Returns the jobs of a page, where the next one begins, and how many there are.
fn page_of(desk: &ServiceDesk, page: &Page) -> Result<(Vec<ShownJob>, Option<String>, u64)> {
    let limit = page.limit(JOBS_USUAL)?;
    let all = desk.archive.jobs()?;
    let count = all.len() as u64;
    let before = |id: JobId| page.after.is_none_or(|after| id.0 < after);
    let mut jobs = all.into_iter().rev().filter(|job| before(job.id));
    let mut shown = Vec::new();
    for job in jobs.by_ref().take(limit) {
        shown.push(ShownJob::of(job, &desk.archive, &desk.zone)?);
    }
    let next = jobs.next().and(shown.last());
    let next = next.map(|last| last.job.id.to_string());
    Ok((shown, next, count))
}

fn table(jobs: &[ShownJob]) -> Answer {
    let columns = [
        "job",
        "state",
        "started_at",
        "started_by",
        "converter_version",
        "total",
        "successful",
        "failed",
        "unchanged",
        "changed",
        "fixed",
        "broken",
        "reason",
    ];
    let row = |shown: &ShownJob| {
        let (job, end) = (&shown.job, shown.job.finished.as_ref());
        let number = |of: fn(&crate::event::JobFinished) -> u64| {
            end.map(|end| of(end).to_string()).unwrap_or_default()
        };
        vec![
            job.id.to_string(),
            state_word(job.state()).to_owned(),
            shown.at.to_string(),
            shown.by.id.clone(),
            job.started.converter_version.clone(),
            job.started.total.to_string(),
            number(|end| end.successful),
            number(|end| end.failed),
            number(|end| end.unchanged),
            number(|end| end.changed),
            number(|end| end.fixed),
            number(|end| end.broken),
            job.started.reason.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    Answer::csv(&columns, &rows)
}

/// Returns the word of a state.
pub(in crate::web) const fn state_word(state: JobState) -> &'static str {
    match state {
        JobState::Running => "running",
        JobState::Paused => "paused",
        JobState::Interrupted => "interrupted",
        JobState::Finished => "finished",
        JobState::Cancelled => "cancelled",
    }
}

/// Returns a job, with its failures by cause.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}",
    params(("id" = u64, Path, description = "Number of the job")),
    responses(
        (status = 200, description = "The job, as `annals job show --json` shows it", body = serde_json::Value),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn job(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| job_answer(desk, JobId(id)));
    answer.await
}

pub(super) fn job_answer(desk: &Desk, id: JobId) -> Result<Answer> {
    #[derive(Serialize)]
    struct WithFailures<'a> {
        #[serde(flatten)]
        job: JobObject<'a>,
        #[serde(flatten)]
        failures: &'a Failures,
    }
    let desk = desk.service();
    let job = desk.archive.existing_job(id)?;
    let failures = Failures::of(&desk.archive, id, job.finished.as_ref())?;
    let shown = ShownJob::of(job, &desk.archive, &desk.zone)?;
    Answer::object(&WithFailures {
        job: shown.object(),
        failures: &failures,
    })
}

/// What is asked of the differences of a job.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AskedEntries {
    /// Only entries of which this is true: `unchanged`, `changed`, `fixed`, `broken`, `failing`,
    /// `suspicious` or `first`.
    verdict: Option<String>,
    /// Only entries whose reports differ at this place, or below it.
    path: Option<String>,
    /// The most entries.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<u64>,
}

/// How far the reports of a job are compared.
#[derive(Debug, Serialize, ToSchema)]
struct Comparing {
    job: u64,
    compared: u64,
    of: u64,
}

/// Returns what differs in the reports of a job, summed up by place.
///
/// The reports are compared in the background; until then the answer has status 202 and says how
/// far it is.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/changes",
    params(("id" = u64, Path, description = "Number of the job")),
    responses(
        (status = 200, description = "The differences, as `annals job changes --json` shows them", body = serde_json::Value),
        (status = 202, description = "How far the comparison is; ask again", body = Comparing),
        (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn changes(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
) -> Result<Answer, Problem> {
    #[derive(Serialize)]
    struct Changes {
        job: JobId,
        unchanged: u64,
        changed: u64,
        fixed: u64,
        broken: u64,
        #[serde(flatten)]
        places: ChangesObject,
        entries: [u64; 0],
        more_entries: u64,
    }
    let answer = web.work(&visitor, move |desk| {
        let id = JobId(id);
        let digest = desk.digests.of(&desk.archive, id)?;
        digest.wait(COMPARED_WITHIN);
        let Some(summary) = digest.summary()? else {
            return comparing(id, digest.progress());
        };
        Answer::object(&Changes {
            job: id,
            unchanged: summary.number(Verdict::Unchanged),
            changed: summary.number(Verdict::Changed),
            fixed: summary.number(Verdict::Fixed),
            broken: summary.number(Verdict::Broken),
            places: ChangesObject::of(summary),
            entries: [],
            more_entries: 0,
        })
    });
    answer.await
}

fn comparing(job: JobId, (compared, of): (u64, u64)) -> Result<Answer> {
    let so_far = Comparing {
        job: job.0,
        compared,
        of,
    };
    Ok(Answer::object(&so_far)?.status(StatusCode::ACCEPTED))
}

/// An entry of a job, with how its new result compares.
#[derive(Debug, Serialize)]
struct JudgedObject {
    id: EntryId,
    attempt: AttemptNo,
    against: Option<AttemptNo>,
    verdict: Option<Verdict>,
    status: Outcome,
    suspicious: bool,
    changes: Vec<Change>,
}

/// Lists the entries of a job by verdict, with their differences.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/entries",
    params(("id" = u64, Path, description = "Number of the job"), AskedEntries),
    responses(
        (status = 200, description = "The entries", body = serde_json::Value),
        (status = 202, description = "How far the comparison is; ask again", body = Comparing),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn entries(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    Query(asked): Query<AskedEntries>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        entries_answer(desk, JobId(id), &asked, |found, count| {
            let next = found.next.map(|next| next.to_string());
            let objects: Vec<JudgedObject> = found.rows.into_iter().map(JudgedObject::of).collect();
            Answer::list(&objects, next, count)
        })
    });
    answer.await
}

/// Lists the entries of a job by verdict, as CSV.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}/entries.csv",
    params(("id" = u64, Path, description = "Number of the job"), AskedEntries),
    responses(
        (status = 200, description = "The entries", content_type = "text/csv", body = String),
        (status = 202, description = "How far the comparison is; ask again", body = Comparing),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn entries_csv(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    Query(asked): Query<AskedEntries>,
) -> Result<Answer, Problem> {
    let answer = web.work(&visitor, move |desk| {
        entries_answer(desk, JobId(id), &asked, |found, _| {
            Ok(entries_table(&found))
        })
    });
    answer.await
}

fn entries_table(found: &DrilledDown) -> Answer {
    let columns = [
        "id",
        "attempt",
        "against",
        "verdict",
        "status",
        "suspicious",
        "changes",
    ];
    let row = |(judged, changes): &(JudgedAttempt, Option<Vec<Change>>)| {
        vec![
            judged.entry.to_string(),
            judged.attempt.to_string(),
            judged
                .before
                .map(|before| before.to_string())
                .unwrap_or_default(),
            judged.verdict.map_or("", Verdict::name).to_owned(),
            judged.status.to_string(),
            judged.is_suspicious.to_string(),
            changes.as_ref().map_or(0, Vec::len).to_string(),
        ]
    };
    let rows: Vec<_> = found.rows.iter().map(row).collect();
    Answer::csv(&columns, &rows)
}

impl JudgedObject {
    fn of((judged, changes): (JudgedAttempt, Option<Vec<Change>>)) -> Self {
        Self {
            id: judged.entry,
            attempt: judged.attempt,
            against: judged.before,
            verdict: judged.verdict,
            status: judged.status,
            suspicious: judged.is_suspicious,
            changes: changes.unwrap_or_default(),
        }
    }
}

fn entries_answer(
    desk: &Desk,
    id: JobId,
    asked: &AskedEntries,
    written: impl FnOnce(DrilledDown, u64) -> Result<Answer>,
) -> Result<Answer> {
    let word = asked.verdict.as_deref().map(str::parse).transpose()?;
    let page = Page {
        limit: asked.limit,
        ..Page::default()
    };
    let wanted = Wanted {
        word,
        path: pattern(asked.path.as_deref())?,
        after: asked.after.map(EntryId),
        limit: page.limit(50)?,
    };
    let digest = desk.digests.of(&desk.archive, id)?;
    digest.wait(COMPARED_WITHIN);
    let Some(attempts) = digest.attempts()? else {
        return comparing(id, digest.progress());
    };
    let found = drill_down(desk, id, attempts, &wanted)?;
    let count = attempts.iter().filter(|judged| wanted.is(judged)).count() as u64;
    written(found, count)
}

/// Reads a pattern of places.
pub(in crate::web) fn pattern(text: Option<&str>) -> Result<Option<PathPattern>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let read = text.parse().map(Some);
    read.map_err(|error| Error::new(ErrorKind::Invalid, format!("'{text}': {error}")))
}

/// Which entries of a job are wanted.
#[derive(Debug, Default)]
pub(in crate::web) struct Wanted {
    pub(in crate::web) word: Option<VerdictWord>,
    pub(in crate::web) path: Option<PathPattern>,
    pub(in crate::web) after: Option<EntryId>,
    pub(in crate::web) limit: usize,
}

impl Wanted {
    fn is(&self, judged: &JudgedAttempt) -> bool {
        self.word.is_none_or(|word| judged.is(word))
    }
}

/// Entries of a job with their differences. `None` stands for differences that were not looked
/// at, because that took too long.
#[derive(Debug, Default)]
pub(in crate::web) struct DrilledDown {
    pub(in crate::web) rows: Vec<(JudgedAttempt, Option<Vec<Change>>)>,
    /// Where the next page goes on.
    pub(in crate::web) next: Option<EntryId>,
}

/// How long reports are compared for one page.
const COMPARE_FOR: Duration = Duration::from_millis(1_500);

/// Compares the reports of the wanted entries anew, a page of them.
///
/// Time is bounded: reports may be large, and a place may be rare. A page may therefore have fewer
/// entries than asked for, and still a next one.
pub(in crate::web) fn drill_down(
    desk: &Desk,
    id: JobId,
    attempts: &[JudgedAttempt],
    wanted: &Wanted,
) -> Result<DrilledDown> {
    let job = desk.archive.existing_job(id)?;
    let began = Stopwatch::start();
    let begin = wanted.after.map_or(0, |after| {
        attempts.partition_point(|judged| judged.entry <= after)
    });
    let mut found = DrilledDown::default();
    let mut last = None;
    for judged in attempts[begin..].iter().filter(|judged| wanted.is(judged)) {
        let is_late = began.left_of(COMPARE_FOR).is_zero();
        if found.rows.len() >= wanted.limit || (is_late && wanted.path.is_some()) {
            found.next = last;
            break;
        }
        last = Some(judged.entry);
        let differs = judged
            .verdict
            .is_some_and(|verdict| verdict != Verdict::Unchanged);
        let changes = match &wanted.path {
            None if !differs => Some(Vec::new()),
            None if is_late => None,
            Some(_) if !differs => continue,
            path => {
                let mut changes = difference_of(&desk.archive, &job, judged)?.changes;
                if let Some(path) = path {
                    changes.retain(|change| path.covers(&change.path));
                    if changes.is_empty() {
                        continue;
                    }
                }
                Some(changes)
            }
        };
        found.rows.push((*judged, changes));
    }
    Ok(found)
}
