//! `/jobs/{id}`: how far a job is, what came of it, what it changed, and single differences.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use axum_extra::extract::Query;
use serde::Deserialize;

use super::differences::{ChangedRow, Histogram};
use super::list::{Progress, converter_words};
use super::words::{address, duration, per_mille, selection_words, state_mark};
use crate::Result;
use crate::archive::{Job, JobState};
use crate::convert::Verdict;
use crate::entry::Outcome;
use crate::event::JobPriority;
use crate::id::{EntryId, JobId};
use crate::service::desk::Desk as ServiceDesk;
use crate::service::entry::configured_rules;
use crate::service::jobs::{Digest, JudgedAttempt, VerdictWord};
use crate::service::objects::{Failures, ShownJob};
use crate::service::promotions::ConverterRecord;
use crate::web::api::jobs::{DrilledDown, Wanted, drill_down, pattern};
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::parts::{Mark, Moment};
use crate::web::problem::Problem;
use crate::web::state::{Desk, Web};
use crate::web::visitor::Visitor;

/// Entries of a page.
const ENTRIES_SHOWN: usize = 50;
/// Causes of failures that are shown.
const CAUSES_SHOWN: usize = 8;

/// What stands in the address of the page.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    verdict: String,
    path: String,
    after: Option<u64>,
}

#[derive(Template)]
#[template(path = "jobs/show.html", config = "src/web/askama.toml")]
struct Show {
    frame: Frame,
    id: u64,
    mark: Mark,
    is_interrupted: bool,
    progress: Option<Progress>,
    facts: Vec<(&'static str, String)>,
    at: Moment,
    by: String,
    acts: Acts,
    causes: Vec<Cause>,
    result: Option<ResultView>,
}

/// What can be done with the job.
struct Acts {
    pause: bool,
    cancel: bool,
    resume: bool,
    /// The words on the button that tries failures again; empty when nothing failed.
    retry: String,
    /// The words on the link to a job that submits what changed, and its address.
    submit: Option<(String, String)>,
}

/// Failures of one kind.
struct Cause {
    entries: String,
    example: u64,
    text: String,
}

/// What a job changed, once its reports are compared.
struct ResultView {
    /// How far the comparison is, while it is not over.
    comparing: Option<(u64, u64, String)>,
    /// Why it could not be done.
    error: Option<(String, String)>,
    counts: Vec<CountLink>,
    histogram: Option<Histogram>,
    list: Option<ListView>,
    promotions: Vec<PromotionView>,
}

struct CountLink {
    name: &'static str,
    number: String,
    href: String,
    tone: &'static str,
    is_here: bool,
    share: u64,
}

/// The entries with one verdict, or that differ at one place.
struct ListView {
    title: String,
    rows: Vec<ChangedRow>,
    next: Option<String>,
    first: Option<String>,
    all_href: String,
}

/// Whether the identity that the job ran is current, and what the job says for or against it.
struct PromotionView {
    converter: String,
    identity: String,
    current: String,
    is_current: bool,
    /// What the job found, in words.
    words: String,
    tone: &'static str,
    command: String,
}

/// Answers `GET /jobs/{id}`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<u64>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Jobs, &visitor);
    let shown = web.work(&visitor, move |desk| {
        show_of(desk, JobId(id), &asked, frame)
    });
    Ok(page(&shown.await?))
}

fn show_of(desk: &Desk, id: JobId, asked: &Asked, frame: Frame) -> Result<Show> {
    let service = desk.service();
    let title = frame.fill("jobs.title", &[("id", &id.to_string())]);
    let frame = frame.titled(title).command(command(id, asked));
    let job = service.archive.existing_job(id)?;
    let state = job.state();
    let shown = ShownJob::of(job, &service.archive, &service.zone)?;
    let job = &shown.job;
    let result = match state {
        JobState::Running => None,
        _ => Some(ResultView::of(desk, &service, job, asked, &frame)?),
    };
    let failures = match state {
        JobState::Running => Failures::default(),
        _ => Failures::of(&service.archive, id, job.finished.as_ref())?,
    };
    let causes = failures
        .causes
        .iter()
        .take(CAUSES_SHOWN)
        .map(|cause| Cause {
            entries: frame.count(cause.entries),
            example: cause.example.0,
            text: cause.text.clone(),
        });
    Ok(Show {
        id: id.0,
        mark: state_mark(state, frame.language),
        is_interrupted: state == JobState::Interrupted,
        progress: Progress::of(&shown, frame.language),
        facts: facts(job, &frame),
        at: frame.moment(shown.at),
        by: shown.by.id.clone(),
        acts: Acts::of(job, &failures, result.as_ref(), &frame),
        causes: causes.collect(),
        result,
        frame,
    })
}

/// Returns the command line that shows the same.
fn command(id: JobId, asked: &Asked) -> String {
    if !asked.path.is_empty() {
        let path = crate::service::words::in_shell(&asked.path);
        return format!("annals job changes {id} --path {path}");
    }
    if asked.verdict.is_empty() {
        format!("annals job show {id}")
    } else {
        format!("annals job changes {id}")
    }
}

fn facts(job: &Job, frame: &Frame) -> Vec<(&'static str, String)> {
    let started = &job.started;
    let language = frame.language;
    let submit = match started.submit.as_deref() {
        Some("changed") => frame.say("jobs.submit_changed"),
        Some("all") => frame.say("jobs.submit_all"),
        _ => frame.say("jobs.submit_none"),
    };
    let params = match started.params.as_str() {
        "recorded" => frame.say("jobs.params_recorded"),
        _ => frame.say("jobs.params_current"),
    };
    let mut facts = vec![
        (frame.say("jobs.entries"), language.count(started.total)),
        (
            frame.say("jobs.selection"),
            selection_words(&started.selection, language),
        ),
        (
            frame.say("jobs.converter"),
            converter_words(&started.converter_version, language),
        ),
        (frame.say("jobs.params"), params.to_owned()),
        (frame.say("jobs.submit"), submit.to_owned()),
    ];
    if started.priority != JobPriority::default() {
        facts.push((frame.say("jobs.priority"), started.priority.to_string()));
    }
    if let Some(old) = started.retry_of {
        let told = frame.fill("jobs.retry_of", &[("id", &old.to_string())]);
        facts.push((frame.say("jobs.retries"), told));
    }
    if let Some(reason) = &started.reason {
        facts.push((frame.say("jobs.why"), reason.clone()));
    }
    if let Some(progress) = &job.progress {
        let running = duration(progress.running_for.as_secs());
        facts.push((frame.say("jobs.running_for"), running));
    }
    facts
}

impl Acts {
    fn of(job: &Job, failures: &Failures, result: Option<&ResultView>, frame: &Frame) -> Self {
        let state = job.state();
        let failed = failures.errors.len() as u64 + failures.more_errors;
        let is_over = matches!(state, JobState::Finished | JobState::Cancelled);
        let sends = job
            .started
            .submit
            .as_deref()
            .is_some_and(|submit| submit != "none");
        let changed = job.finished.as_ref().map_or(0, |end| end.changed);
        let submit = (is_over && !sends && changed > 0 && result.is_some()).then(|| {
            let words = frame.fill("jobs.submit_them", &[("n", &frame.count(changed))]);
            let id = job.id.to_string();
            let pairs = [
                ("of", id.as_str()),
                ("verdict", VerdictWord::Changed.name()),
                ("converter_version", &job.started.converter_version),
                ("params", &job.started.params),
                ("submit", "all"),
            ];
            (words, address("/jobs/new", pairs))
        });
        let stopping = job
            .progress
            .is_some_and(|progress| progress.stopping.is_some());
        Self {
            pause: state == JobState::Running && !stopping,
            cancel: !is_over && !stopping,
            resume: matches!(state, JobState::Paused | JobState::Interrupted),
            retry: if is_over && failed > 0 {
                frame.fill("jobs.retry_failed", &[("n", &frame.count(failed))])
            } else {
                String::new()
            },
            submit,
        }
    }
}

impl ResultView {
    fn of(
        desk: &Desk,
        service: &ServiceDesk,
        job: &Job,
        asked: &Asked,
        frame: &Frame,
    ) -> Result<Self> {
        let mut view = Self {
            comparing: None,
            error: None,
            counts: Vec::new(),
            histogram: None,
            list: None,
            promotions: Vec::new(),
        };
        let found = desk.digests.of(&service.archive, job.id);
        let digest = match found {
            Ok(digest) => digest,
            Err(error) => {
                view.error = Some(super::new::told(&error));
                return Ok(view);
            }
        };
        // Small jobs are compared before anybody could read that they are.
        digest.wait(std::time::Duration::from_millis(150));
        let parts = digest
            .summary()
            .and_then(|summary| Ok((summary, digest.attempts()?)));
        let (summary, attempts) = match parts {
            Ok((Some(summary), Some(attempts))) => (summary, attempts),
            Ok(_) => {
                let (done, total) = digest.progress();
                let values = [("done", frame.count(done)), ("total", frame.count(total))];
                let values = values
                    .each_ref()
                    .map(|(name, value)| (*name, value.as_str()));
                view.comparing = Some((done, total, frame.fill("jobs.comparing", &values)));
                return Ok(view);
            }
            Err(error) => {
                view.error = Some(super::new::told(&error));
                return Ok(view);
            }
        };
        let here = format!("/jobs/{}", job.id);
        view.counts = counts(&digest, &here, asked, frame)?;
        let rules = configured_rules(service.config());
        view.histogram = Some(Histogram::of(summary, &rules, Some(&here), frame));
        view.promotions = promotions(service, attempts, job.id, frame)?;
        if !asked.verdict.is_empty() || !asked.path.is_empty() {
            let wanted = Wanted {
                word: match asked.verdict.as_str() {
                    "" => None,
                    word => Some(word.parse()?),
                },
                path: pattern(Some(&asked.path))?,
                after: asked.after.map(EntryId),
                limit: ENTRIES_SHOWN,
            };
            let found = drill_down(desk, job.id, attempts, &wanted)?;
            view.list = Some(ListView::of(found, &here, asked, frame));
        }
        Ok(view)
    }
}

/// Returns how many entries there are of each verdict, with the pages that list them.
fn counts(digest: &Digest, here: &str, asked: &Asked, frame: &Frame) -> Result<Vec<CountLink>> {
    let attempts = digest.attempts()?.unwrap_or_default();
    let mut links = Vec::new();
    for word in VerdictWord::ALL {
        let number = attempts.iter().filter(|judged| judged.is(word)).count() as u64;
        let (name, tone) = match word {
            VerdictWord::Unchanged => (frame.say("jobs.verdict_unchanged"), ""),
            VerdictWord::Changed => (frame.say("jobs.verdict_changed"), ""),
            VerdictWord::Fixed => (frame.say("jobs.verdict_fixed"), "good"),
            VerdictWord::Broken => (frame.say("jobs.verdict_broken"), "bad"),
            VerdictWord::Failing => (frame.say("jobs.verdict_failing"), "bad"),
            VerdictWord::Suspicious => (frame.say("frame.status_suspicious"), "odd"),
            VerdictWord::First => (frame.say("jobs.verdict_first"), ""),
        };
        if number == 0 && matches!(word, VerdictWord::Suspicious | VerdictWord::First) {
            continue;
        }
        links.push(CountLink {
            name,
            number: frame.count(number),
            href: address(here, [("verdict", word.name())]),
            tone: if number == 0 { "quiet" } else { tone },
            is_here: asked.verdict == word.name(),
            share: per_mille(number, attempts.len() as u64),
        });
    }
    Ok(links)
}

impl ListView {
    fn of(found: DrilledDown, here: &str, asked: &Asked, frame: &Frame) -> Self {
        let rows = found.rows.iter();
        let rows = rows.map(|(judged, changes)| ChangedRow::of(judged, changes.as_deref(), frame));
        let next = found.next.map(|next| next.to_string());
        let same = [
            ("verdict", asked.verdict.as_str()),
            ("path", asked.path.as_str()),
        ];
        Self {
            title: if asked.path.is_empty() {
                frame.say("jobs.entries").to_owned()
            } else {
                frame.fill("jobs.differ_at", &[("path", &asked.path)])
            },
            rows: rows.collect(),
            next: next
                .map(|next| address(here, same.into_iter().chain([("after", next.as_str())]))),
            first: asked.after.map(|_| address(here, same)),
            all_href: here.to_owned(),
        }
    }
}

/// Returns, for each identity that the job ran and that is not current where promotions are known,
/// what the job found.
fn promotions(
    service: &ServiceDesk,
    attempts: &[JudgedAttempt],
    job: JobId,
    frame: &Frame,
) -> Result<Vec<PromotionView>> {
    let snapshot = service.archive.snapshot()?;
    // All attempts of a job with one converter have one identity; the first of each tells it.
    let mut seen = std::collections::BTreeMap::new();
    for judged in attempts.iter().take(1_000) {
        let Some(entry) = snapshot.entry(judged.entry)? else {
            continue;
        };
        let made = entry.attempts.iter().find(|tried| tried.job == Some(job));
        if let Some(made) = made
            && let Some(identity) = made.converter_id
        {
            seen.entry(made.converter.clone()).or_insert(identity);
        }
    }
    let broken = attempts
        .iter()
        .filter(|one| one.verdict == Some(Verdict::Broken))
        .count() as u64;
    let failing = attempts
        .iter()
        .filter(|one| one.status != Outcome::Success)
        .count() as u64;
    let mut views = Vec::new();
    for (converter, identity) in seen {
        let Ok(record) = ConverterRecord::of(&service.archive, &converter) else {
            continue;
        };
        let Some(current) = record.current else {
            continue;
        };
        let values = [
            ("n", frame.count(attempts.len() as u64)),
            ("broken", frame.count(broken)),
            ("failing", frame.count(failing)),
        ];
        let values = values
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let (words, tone) = match (current == identity, broken) {
            (true, _) => (frame.say("jobs.is_current").to_owned(), "good"),
            (false, 0) => (frame.fill("jobs.breaks_nothing", &values), "good"),
            (false, _) => (frame.fill("jobs.breaks", &values), "error"),
        };
        views.push(PromotionView {
            identity: format!("{identity:.12}"),
            current: format!("{current:.12}"),
            is_current: current == identity,
            words,
            tone,
            command: format!(
                "annals --config FILE convert test {} --over 90d --promote",
                crate::service::words::in_shell(&converter)
            ),
            converter,
        });
    }
    Ok(views)
}
