//! The tabs with a report or the source: which attempt, what came of it, and the content.

use askama::Template;

use super::address::{Asked, Tab};
use super::content::{ContentPart, Shown, download_report, download_source};
use crate::Result;
use crate::entry::{Attempt, Entry, Report, Status, Submission};
use crate::id::AttemptNo;
use crate::service::content::{
    WhichReport, refuse_purged_reports, refuse_without_source, report_of,
};
use crate::service::desk::Desk;
use crate::service::words::duration;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts::{Mark, Moment};
use crate::web::preview::{Stored, preview, visible};

/// The most lines of an error that are shown at once.
const ERROR_CHARS: usize = 20_000;

/// What is read from the store for a tab with content.
pub(super) struct Read {
    attempt: Option<(AttemptNo, usize)>,
    /// The content, or why it cannot be shown.
    shown: Option<Result<Shown>>,
}

/// Reads the report that is asked for: of an attempt, else the newest that counts.
pub(super) fn read_report(desk: &Desk, entry: &Entry, asked: &Asked) -> Read {
    let wanted = asked.read::<u32>("attempt");
    let attempt = match wanted {
        Some(number) => entry.attempts.iter().find(|one| one.attempt.0 == number),
        None => match report_of(entry, WhichReport::Newest) {
            Ok((number, ..)) => entry.attempts.iter().find(|one| one.attempt == number),
            Err(_) => entry.attempts.last(),
        },
    };
    let Some(attempt) = attempt else {
        return Read {
            attempt: None,
            shown: None,
        };
    };
    let last = attempt.reports.len().saturating_sub(1);
    let nth = asked.read::<usize>("report").unwrap_or(last).min(last);
    let shown = attempt.reports.get(nth).map(|report| {
        refuse_purged_reports(entry, attempt.attempt, &desk.zone)?;
        let name = report_name(entry, attempt, nth);
        let content = Stored::open(&desk.archive, report.blake3)?;
        Ok(Shown {
            preview: preview(&content, &name, &asked.preview())?,
            download: download_report(entry.id, attempt.attempt, nth),
            name,
        })
    });
    Read {
        attempt: Some((attempt.attempt, nth)),
        shown,
    }
}

/// Reads the source.
pub(super) fn read_source(desk: &Desk, entry: &Entry, asked: &Asked) -> Read {
    let read = || {
        refuse_without_source(entry, &desk.zone)?;
        let content = Stored::open(&desk.archive, entry.blake3)?;
        Ok(Shown {
            preview: preview(&content, &entry.source_name, &asked.preview())?,
            download: download_source(entry.id),
            name: visible(&entry.source_name).into_owned(),
        })
    };
    Read {
        attempt: None,
        shown: Some(read()),
    }
}

/// Returns what a report is called: its id at the server, or the attempt.
fn report_name(entry: &Entry, attempt: &Attempt, nth: usize) -> String {
    let report_id = attempt
        .reports
        .get(nth)
        .and_then(|one| one.report_id.as_deref());
    match report_id {
        Some(id) => visible(id).into_owned(),
        None => format!("{}.{}.{}", entry.id, attempt.attempt, nth),
    }
}

/// The tab with a report.
#[derive(Template)]
#[template(path = "entry/report.html", config = "src/web/askama.toml")]
pub(super) struct ReportTab<'a> {
    frame: &'a Frame,
    /// All attempts that can be chosen, newest first.
    choices: Vec<Choice>,
    hidden: Vec<(String, String)>,
    attempt: Option<AttemptPart>,
    /// The reports of the attempt, where there are several.
    reports: Vec<ReportLink>,
    content: String,
}

struct Choice {
    number: u32,
    words: String,
    is_here: bool,
}

struct ReportLink {
    number: usize,
    href: String,
    is_here: bool,
}

/// What is known of an attempt.
struct AttemptPart {
    number: AttemptNo,
    mark: Mark,
    is_suspicious: bool,
    at: Moment,
    converter: String,
    version: Option<String>,
    identity: Option<String>,
    took: Option<String>,
    job: Option<String>,
    arguments: Vec<(String, String)>,
    suspicious: Vec<String>,
    warnings: Vec<String>,
    sandbox: String,
    error: Option<String>,
    superseded_by: Option<AttemptNo>,
    /// Where the submission of the shown report stands.
    submission: Option<String>,
    is_rejected: bool,
}

impl<'a> ReportTab<'a> {
    pub(super) fn new(frame: &'a Frame, asked: &'a Asked, entry: &'a Entry, read: &Read) -> Self {
        let here = read.attempt;
        let attempt = here.and_then(|(number, _)| {
            let mut attempts = entry.attempts.iter();
            attempts.find(|one| one.attempt == number)
        });
        let choices = entry.attempts.iter().rev().map(|one| Choice {
            number: one.attempt.0,
            words: choice_words(one, frame),
            is_here: here.is_some_and(|(number, _)| number == one.attempt),
        });
        let reports = attempt.map_or(0, |one| one.reports.len());
        let links = (0..reports).map(|nth| ReportLink {
            number: nth + 1,
            href: asked.to(
                Tab::Report,
                &[
                    (
                        "attempt",
                        &here.map_or(0, |(number, _)| number.0).to_string(),
                    ),
                    ("report", &nth.to_string()),
                ],
            ),
            is_here: here.is_some_and(|(_, shown)| shown == nth),
        });
        let report = here.and_then(|(_, nth)| attempt?.reports.get(nth));
        Self {
            frame,
            choices: choices.collect(),
            hidden: vec![("tab".to_owned(), Tab::Report.word().to_owned())],
            attempt: attempt.map(|one| AttemptPart::new(one, report, frame)),
            reports: if reports > 1 {
                links.collect()
            } else {
                Vec::new()
            },
            content: content(
                frame,
                asked,
                read.shown.as_ref(),
                frame.say("entry.no_report"),
            ),
        }
    }
}

/// Returns the tab with the source.
pub(super) fn source_tab(frame: &Frame, asked: &Asked, read: &Read) -> String {
    content(frame, asked, read.shown.as_ref(), "")
}

/// Returns a content as a part of the page, or why there is none.
pub(super) fn content(
    frame: &Frame,
    asked: &Asked,
    shown: Option<&Result<Shown>>,
    nothing: &str,
) -> String {
    match shown {
        None => Nothing::new(frame, nothing, "").told(),
        Some(Ok(shown)) => {
            let part = ContentPart::new(frame, asked, shown);
            part.render().unwrap_or_else(|error| error.to_string())
        }
        Some(Err(error)) => {
            let hint = error.next_step().unwrap_or_default();
            Nothing::new(frame, error.message(), hint).told()
        }
    }
}

/// Says why there is nothing to see.
#[derive(Template)]
#[template(path = "entry/nothing.html", config = "src/web/askama.toml")]
pub(super) struct Nothing<'a> {
    frame: &'a Frame,
    text: &'a str,
    hint: &'a str,
}

impl<'a> Nothing<'a> {
    pub(super) fn new(frame: &'a Frame, text: &'a str, hint: &'a str) -> Self {
        Self { frame, text, hint }
    }

    pub(super) fn told(&self) -> String {
        self.render().unwrap_or_else(|error| error.to_string())
    }
}

fn choice_words(attempt: &Attempt, frame: &Frame) -> String {
    let version = attempt.converter_version.as_deref().unwrap_or_default();
    let mark = frame.mark(Status::from(attempt.status));
    let converter = format!("{} {version}", attempt.converter);
    format!(
        "{} · {} · {} · {}",
        attempt.attempt,
        mark.word,
        visible(converter.trim_end()),
        frame.moment(attempt.at).short
    )
}

impl AttemptPart {
    fn new(attempt: &Attempt, report: Option<&Report>, frame: &Frame) -> Self {
        let shown = |text: &String| visible(text).into_owned();
        let pairs = attempt.arguments.iter();
        let error = attempt.error.as_deref().map(|error| {
            let (error, left_out) = crate::web::preview::cut(error, ERROR_CHARS);
            let lines: Vec<_> = error.lines().map(visible).collect();
            let more = if left_out > 0 { "\n…" } else { "" };
            lines.join("\n") + more
        });
        Self {
            number: attempt.attempt,
            mark: frame.mark(Status::from(attempt.status)),
            is_suspicious: !attempt.suspicious.is_empty(),
            at: frame.moment(attempt.at),
            converter: shown(&attempt.converter),
            version: attempt.converter_version.as_ref().map(shown),
            identity: attempt.converter_id.map(|id| id.to_string()),
            took: attempt.duration_ms.map(duration),
            job: attempt.job.map(|job| job.to_string()),
            arguments: pairs
                .map(|(name, value)| (shown(name), shown(value)))
                .collect(),
            suspicious: attempt.suspicious.iter().map(shown).collect(),
            warnings: attempt.warnings.iter().map(shown).collect(),
            sandbox: visible(&attempt.sandbox.join(" ")).into_owned(),
            error,
            superseded_by: attempt.superseded_by,
            submission: report.and_then(|report| submission_words(report, frame)),
            is_rejected: report.is_some_and(|report| {
                matches!(report.submission, Some(Submission::Rejected { .. }))
            }),
        }
    }
}

/// Says where the submission of a report stands; `None` when it is not to be submitted.
pub(super) fn submission_words(report: &Report, frame: &Frame) -> Option<String> {
    let time = |time| frame.moment(time).short;
    match (&report.report_id, &report.submission) {
        (Some(id), None) => {
            let at = report.reported_at.map(time).unwrap_or_default();
            let id = visible(id);
            Some(frame.fill("entry.submitted_as", &[("id", &*id), ("at", &at)]))
        }
        (None, None) => None,
        (_, Some(Submission::Waiting { since, endpoint })) => {
            let endpoint = visible(endpoint);
            let pairs = [("endpoint", &*endpoint), ("since", &time(*since))];
            Some(frame.fill("entry.submission_waits", &pairs))
        }
        (
            _,
            Some(Submission::Rejected {
                at,
                endpoint,
                status,
                text,
            }),
        ) => {
            let (endpoint, text) = (visible(endpoint), visible(text));
            let pairs = [
                ("endpoint", &*endpoint),
                ("at", &time(*at)),
                ("status", &status.to_string()),
                ("text", &*text),
            ];
            Some(frame.fill("entry.submission_rejected", &pairs))
        }
    }
}
