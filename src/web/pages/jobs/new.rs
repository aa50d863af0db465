//! `/jobs/new`: what is to be converted again, how, and what that would do. Then the start.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::{Form, Query};
use serde::Deserialize;

use super::words::{address, selection_words};
use crate::convert::{ConverterLabel, OnError, Params, Resend};
use crate::service::desk::Desk as ServiceDesk;
use crate::service::reprocess::{FrozenPlan, JobRequest};
use crate::service::words::in_shell;
use crate::web::api::job_plans::make_plan;
use crate::web::chosen::Chosen;
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Entries of a sample that is tried without recording anything.
const SAMPLE: u64 = 50;
/// Hex digits that name an identity in a choice.
const IDENTITY_DIGITS: usize = 12;

type Pairs = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "jobs/new.html", config = "src/web/askama.toml")]
struct New {
    frame: Frame,
    /// The choice of entries as hidden fields.
    chosen: Pairs,
    /// The choice in words; empty when nothing is chosen.
    chosen_words: String,
    list_href: String,
    step_href: String,
    form: FormFields,
    converters: Vec<Choice>,
    /// Names of converters, to choose entries by.
    names: Vec<String>,
    plan: Option<PlanView>,
    error: Option<(String, String)>,
}

/// An option of a choice.
struct Choice {
    value: String,
    label: String,
    is_chosen: bool,
}

/// The options as they stand in the form.
struct FormFields {
    params: &'static str,
    submit: &'static str,
    on_error: &'static str,
    jobs: String,
    rate: String,
    priority: String,
    strict: bool,
    ignore: String,
}

/// What the plan says.
struct PlanView {
    plan_id: String,
    count: String,
    as_of: crate::web::pages::parts::Moment,
    runs: Vec<RunView>,
    /// What cannot run and why, with a page that lists or mends it.
    left_out: Vec<LeftOut>,
    runnable: u64,
    sample: String,
    all: String,
    has_sample: bool,
    /// The words on the button, with the count.
    start: String,
    submits: bool,
}

struct RunView {
    entries: String,
    before: Label,
    now: Label,
    is_other: bool,
    environment: String,
}

#[derive(Default)]
struct Label {
    name: String,
    identity: String,
}

struct LeftOut {
    entries: String,
    reason: String,
    is_blocked: bool,
    href: String,
    link: &'static str,
}

/// Reads the options of a job from the pairs of an address.
///
/// # Errors
/// `Invalid` for a key that is unknown, or a value that cannot be read.
pub(super) fn request_of(pairs: &[(String, String)]) -> Result<JobRequest> {
    let mut request = JobRequest::default();
    for (key, value) in pairs {
        let wrong = || {
            Error::new(
                ErrorKind::Invalid,
                format!("'{value}' cannot be read as {key}"),
            )
            .hint("`annals reprocess --help` describes the options")
        };
        match key.as_str() {
            "converter_version" => request.converter_version.clone_from(value),
            "params" => {
                request.params = Some(match value.as_str() {
                    "recorded" => Params::Recorded,
                    "current" => Params::Current,
                    _ => return Err(wrong()),
                });
            }
            "submit" => {
                request.submit = match value.as_str() {
                    "none" => Resend::None,
                    "changed" => Resend::Changed,
                    "all" => Resend::All,
                    _ => return Err(wrong()),
                };
            }
            "on_error" => {
                request.on_error = match value.as_str() {
                    "skip" => OnError::Skip,
                    "stop" => OnError::Stop,
                    _ => return Err(wrong()),
                };
            }
            "jobs" => request.jobs = Some(value.parse().map_err(|_| wrong())?),
            "rate" => {
                let rate = value.trim_end_matches("/s").replace(',', ".");
                request.rate = Some(rate.parse().map_err(|_| wrong())?);
            }
            "priority" => request.priority = Some(value.parse().map_err(|_| wrong())?),
            "strict" => request.strict = true,
            "ignore" => {
                let places = value.split([',', '\n']).map(str::trim);
                let places = places.filter(|place| !place.is_empty());
                request.ignore.extend(places.map(str::to_owned));
            }
            "reason" => request.reason = Some(value.clone()),
            _ => {
                let told = format!("'{key}' is not known here");
                return Err(Error::new(ErrorKind::Invalid, told));
            }
        }
    }
    Ok(request)
}

impl FormFields {
    fn of(request: &JobRequest) -> Self {
        let number = |number: Option<String>| number.unwrap_or_default();
        Self {
            params: match request.params {
                None => "",
                Some(Params::Recorded) => "recorded",
                Some(_) => "current",
            },
            submit: match request.submit {
                Resend::Changed => "changed",
                Resend::All => "all",
                _ => "none",
            },
            on_error: match request.on_error {
                OnError::Stop => "stop",
                _ => "skip",
            },
            jobs: number(request.jobs.map(|jobs| jobs.to_string())),
            rate: number(request.rate.map(|rate| rate.to_string())),
            priority: number(request.priority.map(|priority| priority.to_string())),
            strict: request.strict,
            ignore: request.ignore.join(", "),
        }
    }
}

/// Returns the command line of a request over chosen entries.
pub(super) fn command(chosen: &Chosen, request: &JobRequest, config: Option<&str>) -> String {
    let line = chosen.command("reprocess");
    let mut line = match config {
        Some(file) => line.replacen(
            "annals ",
            &format!("annals --config {} ", in_shell(file)),
            1,
        ),
        None => line,
    };
    let form = FormFields::of(request);
    let version = &request.converter_version;
    if version != "current" {
        line.extend([" --converter-version ", &in_shell(version)]);
    }
    for (flag, value, usual) in [
        ("params", form.params, ""),
        ("submit", form.submit, "none"),
        ("on-error", form.on_error, "skip"),
        ("jobs", &form.jobs, ""),
        ("rate", &form.rate, ""),
        ("priority", &form.priority, ""),
    ] {
        if value != usual {
            line.extend([" --", flag, " ", value]);
        }
    }
    if request.strict {
        line += " --strict";
    }
    for place in &request.ignore {
        line.extend([" --ignore ", &in_shell(place)]);
    }
    line
}

/// Lists what may be run: the current converters, the recorded ones, each by itself.
fn converters(desk: &ServiceDesk, chosen: &str, frame: &Frame) -> Result<Vec<Choice>> {
    let mut choices = vec![
        (
            "current".to_owned(),
            frame.say("jobs.converter_current").to_owned(),
        ),
        (
            "recorded".to_owned(),
            frame.say("jobs.converter_recorded").to_owned(),
        ),
    ];
    for config in desk.config().iter().flat_map(|config| &config.converters) {
        let converter = &config.converter;
        let label = label(&converter.name, converter.version.as_deref());
        let label = frame.fill("jobs.converter_configured", &[("name", &label)]);
        choices.push((converter.name.clone(), label));
    }
    for recorded in desk.archive.converters()? {
        let identity = format!("{:.*}", IDENTITY_DIGITS, recorded.converter_id);
        let name = label(&recorded.name, recorded.version.as_deref());
        let label = format!("{name} · {identity}");
        choices.push((identity, label));
    }
    if !choices.iter().any(|(value, _)| value == chosen) {
        choices.push((chosen.to_owned(), chosen.to_owned()));
    }
    let choices = choices.into_iter().map(|(value, label)| Choice {
        is_chosen: value == chosen,
        value,
        label,
    });
    Ok(choices.collect())
}

fn label(name: &str, version: Option<&str>) -> String {
    match version {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    }
}

impl Label {
    fn of(converter: &ConverterLabel) -> Self {
        let identity = converter.converter_id;
        Self {
            name: label(&converter.converter, converter.version.as_deref()),
            identity: identity
                .map(|id| format!("{id:.IDENTITY_DIGITS$}"))
                .unwrap_or_default(),
        }
    }
}

impl PlanView {
    fn of(plan: &FrozenPlan, chosen: &Chosen, frame: &Frame) -> Self {
        let runs = plan.plan.runs.iter().map(|run| {
            let before = run.before.as_ref();
            RunView {
                entries: frame.count(run.entries),
                before: before.map(Label::of).unwrap_or_default(),
                is_other: before != Some(&run.now),
                now: Label::of(&run.now),
                environment: run.environment.clone().unwrap_or_default(),
            }
        });
        let list = entries_address(chosen);
        let skipped = plan.plan.skipped.iter().map(|skip| LeftOut {
            entries: frame.count(skip.entries),
            reason: skip.reason.clone(),
            is_blocked: false,
            href: list.clone(),
            link: frame.say("jobs.list_entries"),
        });
        let blocked = plan.plan.blocked.iter().map(|skip| LeftOut {
            entries: frame.count(skip.entries),
            reason: skip.reason.clone(),
            is_blocked: true,
            href: String::new(),
            link: "",
        });
        let runnable = plan.runnable();
        Self {
            plan_id: plan.plan_id.clone(),
            count: frame.count(plan.plan.total),
            as_of: frame.moment(plan.made_at),
            runs: runs.collect(),
            left_out: skipped.chain(blocked).collect(),
            runnable,
            sample: frame.fill("jobs.try_sample", &[("n", &frame.count(SAMPLE))]),
            all: frame.fill("jobs.try_all", &[("n", &frame.count(plan.plan.total))]),
            has_sample: plan.plan.total > SAMPLE,
            start: start_words(plan, frame),
            submits: plan.request.submit != Resend::None,
        }
    }
}

/// Returns the words on the button that starts a job: how many entries, with what, and what is
/// sent.
fn start_words(plan: &FrozenPlan, frame: &Frame) -> String {
    let mut with: Vec<String> = plan
        .plan
        .runs
        .iter()
        .map(|run| Label::of(&run.now).name)
        .collect();
    with.sort_unstable();
    with.dedup();
    let with = match with.as_slice() {
        [one] => one.clone(),
        many => frame.fill("jobs.converters", &[("n", &frame.count(many.len() as u64))]),
    };
    let runnable = plan.runnable();
    let count = frame.count(runnable);
    let values = [("n", count.as_str()), ("with", with.as_str())];
    let one = runnable == 1;
    match (plan.request.submit, one) {
        (Resend::Changed, false) => frame.fill("jobs.start_changed", &values),
        (Resend::Changed, true) => frame.fill("jobs.start_changed_one", &values),
        (Resend::All, false) => frame.fill("jobs.start_all", &values),
        (Resend::All, true) => frame.fill("jobs.start_all_one", &values),
        (_, false) => frame.fill("jobs.start", &values),
        (_, true) => frame.fill("jobs.start_one", &values),
    }
}

/// Returns the page that lists chosen entries, those that were purged among them.
pub(super) fn entries_address(chosen: &Chosen) -> String {
    let pairs = match chosen.judged {
        Some((job, _)) => vec![("job".to_owned(), job.to_string())],
        None => chosen.pairs(),
    };
    address(
        "/entries",
        pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str())),
    )
}

/// Answers `GET /jobs/new`.
pub(in crate::web) async fn new(
    State(web): State<Web>,
    visitor: Visitor,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Jobs, &visitor);
    let pairs: Pairs = pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let (chosen, options) = Chosen::take(pairs)?;
    let request = request_of(&options)?;
    let made = web.work(&visitor, move |desk| {
        let service = desk.service();
        let title = frame.say("jobs.new_title");
        let frame = frame.titled(title);
        let command = command(&chosen, &request, service.config_text().as_deref());
        let converters = converters(&service, &request.converter_version, &frame)?;
        let names = service
            .archive
            .snapshot()?
            .converters()?
            .into_iter()
            .collect();
        let planned = (!chosen.is_empty()).then(|| make_plan(desk, &chosen, request.clone()));
        let (plan, error) = match planned.transpose() {
            Ok(plan) => (plan, None),
            // What cannot be planned is told beside the form, where it can be changed.
            Err(error) => (None, Some(told(&error))),
        };
        let plan: Option<Arc<FrozenPlan>> = plan;
        Ok(New {
            chosen_words: words_of(&chosen, plan.as_deref(), &frame),
            list_href: entries_address(&chosen),
            step_href: address(
                "/step",
                chosen
                    .pairs()
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_str())),
            ),
            plan: plan.map(|plan| PlanView::of(&plan, &chosen, &frame)),
            chosen: chosen.pairs(),
            form: FormFields::of(&request),
            converters,
            names,
            error,
            frame: frame.command(command),
        })
    });
    Ok(page(&made.await?))
}

fn words_of(chosen: &Chosen, plan: Option<&FrozenPlan>, frame: &Frame) -> String {
    if chosen.is_empty() {
        return String::new();
    }
    if let Some((job, verdict)) = chosen.judged {
        let verdict = verdict.name();
        return frame.fill(
            "jobs.of_job",
            &[("job", &job.to_string()), ("verdict", verdict)],
        );
    }
    if chosen.filters.is_empty() {
        return plan
            .map(|plan| selection_words(&plan.description, frame.language))
            .unwrap_or_default();
    }
    let words = chosen
        .filters
        .iter()
        .map(|(key, value)| format!("{key} {value}"));
    words.collect::<Vec<_>>().join(" · ")
}

/// Returns an error as its fact and its next step.
pub(in crate::web::pages) fn told(error: &Error) -> (String, String) {
    let hint = error.next_step().unwrap_or_default().to_owned();
    (error.message().to_owned(), hint)
}

/// Which plan is started, and why.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Start {
    plan_id: String,
    #[serde(default)]
    reason: String,
}

#[derive(Template)]
#[template(path = "jobs/refused.html", config = "src/web/askama.toml")]
struct Refused {
    text: String,
    hint: String,
}

/// Returns an error as a part of a page.
pub(in crate::web::pages) fn refused(error: &Error) -> Response {
    let (text, hint) = told(error);
    let part = page(&Refused { text, hint });
    (StatusCode::CONFLICT, part).into_response()
}

/// Returns the answer that lets the browser go to another page.
pub(in crate::web::pages) fn go_to(address: String) -> Response {
    (
        StatusCode::OK,
        [(HeaderName::from_static("hx-redirect"), address)],
    )
        .into_response()
}

/// Answers `POST /jobs/new/start`.
pub(in crate::web) async fn start(
    State(web): State<Web>,
    visitor: Visitor,
    Form(Start { plan_id, reason }): Form<Start>,
) -> Result<Response, Problem> {
    let started = web.work(&visitor, move |desk| {
        if reason.trim().is_empty() {
            let told = "say why: the reason is recorded with the job";
            return Ok(Err(Error::new(ErrorKind::Invalid, told)));
        }
        let plan = match desk.jobs.plans.get(&plan_id) {
            Ok(plan) => plan,
            Err(error) => return Ok(Err(error)),
        };
        Ok(desk.jobs.start(&desk.service(), &plan, Some(reason)))
    });
    Ok(match started.await? {
        Ok(job) => go_to(format!("/jobs/{job}")),
        Err(error) => refused(&error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(of: &[(&str, &str)]) -> Pairs {
        of.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    /// The dialog and the command line must mean the same.
    #[test]
    fn the_command_line_says_what_the_form_says() {
        let options = pairs(&[
            ("converter_version", "1.4.0"),
            ("submit", "changed"),
            ("rate", "2,5"),
            ("ignore", "/meta/id, /run"),
        ]);
        let request = request_of(&options).expect("known options");
        let (chosen, _) = Chosen::take(pairs(&[("converter", "ICT CSV")])).expect("clear");
        assert_eq!(
            command(&chosen, &request, Some("host.toml")),
            "annals --config host.toml reprocess --converter 'ICT CSV' --converter-version 1.4.0 \
             --submit changed --rate 2.5 --ignore /meta/id --ignore /run"
        );
    }

    #[test]
    fn an_option_that_nobody_knows_is_refused() {
        for wrong in [
            ("sumbit", "all"),
            ("submit", "some"),
            ("jobs", "x"),
            ("priority", "11"),
        ] {
            let refused = request_of(&pairs(&[wrong])).expect_err("unknown");
            assert_eq!(refused.kind(), ErrorKind::Invalid, "{wrong:?}");
        }
    }
}
