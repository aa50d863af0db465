//! The tab with what happened to an entry: its events, who caused them, when and why.

use askama::Template;

use super::address::Asked;
use super::facts::cleared_words;
use crate::Result;
use crate::entry::{Entry, Outcome, Part, Status};
use crate::event::{ActorKind, Annotated, Body, Converted};
use crate::id::EventSeq;
use crate::service::desk::Desk;
use crate::service::objects::{self, TimelinePart};
use crate::service::words::duration;
use crate::web::pages::frame::Frame;
use crate::web::pages::parts;
use crate::web::preview::{cut, visible};

/// The events of a page.
const PAGE_EVENTS: usize = 100;
/// The most events of the log that are looked through at once.
const LOOKED_THROUGH: u64 = 2_000_000;
/// The most characters of a text in the timeline.
const TEXT_CHARS: usize = 2_000;

/// Looks for the events of an entry.
pub(super) fn read(desk: &Desk, entry: &Entry, asked: &Asked) -> Result<TimelinePart> {
    let from = asked.read("look").map_or(entry.id.event(), EventSeq);
    TimelinePart::read(&desk.archive, entry.id, &desk.zone, from, LOOKED_THROUGH)
}

/// The tab.
#[derive(Template)]
#[template(path = "entry/timeline.html", config = "src/web/askama.toml")]
pub(super) struct TimelineTab<'a> {
    frame: &'a Frame,
    happenings: Vec<Happening>,
    filters: Vec<Choice>,
    orders: Vec<Choice>,
    range: String,
    before: Option<String>,
    after: Option<String>,
    /// Where to look on, when the log was not looked through to its end.
    look_on: Option<String>,
}

struct Choice {
    word: &'static str,
    href: String,
    is_here: bool,
}

/// One event as a row of the timeline.
struct Happening {
    seq: EventSeq,
    time: parts::Moment,
    tone: Tone,
    /// What happened.
    words: String,
    /// Why, or what was said about it.
    detail: String,
    who: String,
    /// The kind of whoever caused it.
    door: &'static str,
    job: Option<String>,
    /// The attempt that the event is about.
    attempt: Option<(u32, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Good,
    Bad,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

impl<'a> TimelineTab<'a> {
    pub(super) fn new(frame: &'a Frame, asked: &'a Asked, timeline: &'a TimelinePart) -> Self {
        let is_failed_only = asked.get("only") == Some("failed");
        let is_oldest_first = asked.get("order") == Some("oldest");
        let mut moments: Vec<&objects::Moment> = timeline
            .moments
            .iter()
            .filter(|moment| !is_failed_only || tone(moment) == Tone::Bad)
            .collect();
        if !is_oldest_first {
            moments.reverse();
        }
        let all = moments.len();
        let pages = all.div_ceil(PAGE_EVENTS).max(1);
        let page = asked.read("page").unwrap_or(1).clamp(1, pages);
        let first = (page - 1) * PAGE_EVENTS;
        let shown = moments.iter().skip(first).take(PAGE_EVENTS);
        let happenings: Vec<Happening> = shown
            .map(|moment| happening(moment, frame, asked))
            .collect();
        let count = |number: usize| frame.count(number as u64);
        let to = |page: usize| asked.with(&[("page", &page.to_string())]);
        Self {
            frame,
            range: frame.fill(
                "entry.events_shown",
                &[
                    ("from", &count(first + usize::from(all > 0))),
                    ("to", &count(first + happenings.len())),
                    ("n", &count(all)),
                ],
            ),
            happenings,
            filters: vec![
                Choice {
                    word: frame.say("entry.events_all"),
                    href: asked.with(&[("only", ""), ("page", "")]),
                    is_here: !is_failed_only,
                },
                Choice {
                    word: frame.say("entry.events_failed"),
                    href: asked.with(&[("only", "failed"), ("page", "")]),
                    is_here: is_failed_only,
                },
            ],
            orders: vec![
                Choice {
                    word: frame.say("entry.newest_first"),
                    href: asked.with(&[("order", ""), ("page", "")]),
                    is_here: !is_oldest_first,
                },
                Choice {
                    word: frame.say("entry.oldest_first"),
                    href: asked.with(&[("order", "oldest"), ("page", "")]),
                    is_here: is_oldest_first,
                },
            ],
            before: (page > 1).then(|| to(page - 1)),
            after: (page < pages).then(|| to(page + 1)),
            look_on: timeline
                .next
                .map(|next| asked.with(&[("look", &next.0.to_string()), ("page", "")])),
        }
    }
}

/// Returns how an event is shown: failures and refusals are bad, successes good.
fn tone(moment: &objects::Moment) -> Tone {
    match moment.fact.as_deref() {
        None | Some(Body::SubmitRejected(_)) => Tone::Bad,
        Some(Body::Converted(converted)) => match converted.outcome {
            Outcome::Success if converted.suspicious.is_empty() => Tone::Good,
            Outcome::Success | Outcome::Failed | Outcome::Rejected => Tone::Bad,
            _ => Tone::Plain,
        },
        Some(Body::Reported(_)) => Tone::Good,
        Some(_) => Tone::Plain,
    }
}

fn happening(moment: &objects::Moment, frame: &Frame, asked: &Asked) -> Happening {
    let (words, detail) = match moment.fact.as_deref() {
        Some(body) => words(body, frame),
        None => (
            frame.say("entry.event_unreadable").to_owned(),
            String::new(),
        ),
    };
    let attempt = match moment.fact.as_deref() {
        Some(Body::Converted(fact)) if !fact.reports.is_empty() => Some(fact.attempt.0),
        Some(Body::Reported(fact)) => Some(fact.attempt.0),
        Some(Body::SubmitRejected(fact)) => Some(fact.attempt.0),
        _ => None,
    };
    let job = match moment.fact.as_deref() {
        Some(Body::Converted(fact)) => fact.job.map(|job| job.to_string()),
        _ => None,
    };
    Happening {
        seq: moment.seq,
        time: frame.moment(moment.time),
        tone: tone(moment),
        words: short(&words),
        detail: short(&detail),
        who: visible(moment.actor.as_deref().unwrap_or_default()).into_owned(),
        door: match moment.actor_kind {
            Some(ActorKind::User) => frame.say("entry.by_person"),
            Some(ActorKind::ServiceAccount) => frame.say("entry.by_service"),
            Some(ActorKind::System) => frame.say("entry.by_annals"),
            None => "",
        },
        job,
        attempt: attempt.map(|number| {
            let pairs = [("attempt", number.to_string())];
            let pairs = pairs
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            (number, asked.to(super::address::Tab::Report, &pairs))
        }),
    }
}

fn short(text: &str) -> String {
    let (shown, left_out) = cut(text, TEXT_CHARS);
    let more = if left_out > 0 { "…" } else { "" };
    let lines: Vec<_> = shown.lines().map(visible).collect();
    lines.join("\n") + more
}

/// Says what an event tells about the entry, and why.
fn words(body: &Body, frame: &Frame) -> (String, String) {
    match body {
        Body::Archived(fact) => {
            let size = frame.size(fact.blob.size);
            let pairs = [("file", fact.source.name.as_str()), ("size", &size)];
            let detail = match (fact.facts_only, fact.duplicate) {
                (true, _) => frame.say("entry.event_facts_only"),
                (false, true) => frame.say("entry.event_duplicate"),
                (false, false) => "",
            };
            (
                frame.fill("entry.event_archived", &pairs),
                detail.to_owned(),
            )
        }
        Body::Converted(fact) => converted(fact, frame),
        Body::SubmitIntended(fact) => {
            let attempt = fact.attempt.to_string();
            let pairs = [("attempt", attempt.as_str()), ("endpoint", &fact.endpoint)];
            let corrects = fact.corrects.as_ref().map(|corrected| {
                let attempt = corrected.attempt.to_string();
                let pairs = [("id", corrected.report_id.as_str()), ("attempt", &attempt)];
                frame.fill("entry.event_corrects", &pairs)
            });
            (
                frame.fill("entry.event_intended", &pairs),
                corrects.unwrap_or_default(),
            )
        }
        Body::SubmitRejected(fact) => {
            let (attempt, status) = (fact.attempt.to_string(), fact.status.to_string());
            let pairs = [
                ("attempt", attempt.as_str()),
                ("endpoint", &fact.endpoint),
                ("status", &status),
            ];
            (
                frame.fill("entry.event_rejected", &pairs),
                fact.text.clone(),
            )
        }
        Body::Reported(fact) => {
            let attempt = fact.attempt.to_string();
            let endpoint = fact.endpoint.as_deref().unwrap_or_default();
            let pairs = [
                ("attempt", attempt.as_str()),
                ("id", &fact.report_id),
                ("endpoint", endpoint),
            ];
            let words = if endpoint.is_empty() {
                frame.fill("entry.event_reported_by_hand", &pairs)
            } else {
                frame.fill("entry.event_reported", &pairs)
            };
            (words, String::new())
        }
        Body::SourceCleared(fact) => {
            let words = cleared_words(fact.how, fact.path.as_deref(), frame);
            let words = frame.fill("entry.event_cleared", &[("words", &words)]);
            (words, String::new())
        }
        Body::Annotated(fact) => (annotated(fact, frame), fact.reason.clone()),
        Body::Accessed(fact) => {
            let to = fact.to.as_deref().unwrap_or_default();
            let pairs = [("how", fact.how.as_str()), ("to", to)];
            let words = if to.is_empty() {
                frame.fill("entry.event_accessed", &pairs)
            } else {
                frame.fill("entry.event_accessed_to", &pairs)
            };
            (words, String::new())
        }
        other => kept_or_gone(other, frame),
    }
}

fn converted(fact: &Converted, frame: &Frame) -> (String, String) {
    let attempt = fact.attempt.to_string();
    let version = fact.converter_version.as_deref().unwrap_or_default();
    let converter = format!("{} {version}", fact.converter);
    let mark = frame.mark(Status::from(fact.outcome));
    let mut words = frame.fill(
        "entry.event_converted",
        &[
            ("attempt", attempt.as_str()),
            ("converter", converter.trim_end()),
            ("outcome", mark.word),
        ],
    );
    if let Some(ms) = fact.duration_ms {
        words = format!("{words}, {}", duration(ms));
    }
    let mut detail: Vec<String> = fact.error.iter().cloned().collect();
    detail.extend(fact.suspicious.iter().map(|why| {
        let suspicious = frame.say("entry.suspicious");
        format!("{suspicious} {why}")
    }));
    if let Some(endpoint) = &fact.submit {
        let pairs = [("endpoint", endpoint.as_str())];
        detail.push(frame.fill("entry.event_to_submit", &pairs));
    }
    (words, detail.join("\n"))
}

fn annotated(fact: &Annotated, frame: &Frame) -> String {
    let unit = [
        (frame.say("entry.serial"), &fact.unit.serial),
        (frame.say("entry.part"), &fact.unit.part),
        (frame.say("entry.station"), &fact.unit.station),
        (frame.say("entry.process"), &fact.unit.process),
    ];
    let unit = unit.into_iter().filter_map(|(name, value)| {
        let value = value.as_deref()?;
        Some(format!("{name}: {value}"))
    });
    let meta = fact
        .meta
        .iter()
        .map(|(name, value)| format!("{name}: {value}"));
    let added = fact.labels.iter().map(|label| format!("+ {label}"));
    let removed = fact.unlabels.iter().map(|label| format!("− {label}"));
    let words = unit.chain(meta).chain(added).chain(removed);
    let words: Vec<String> = words.chain(fact.text.clone()).collect();
    if words.is_empty() {
        return frame.say("entry.event_confirmed").to_owned();
    }
    frame.fill("entry.event_noted", &[("words", &words.join("; "))])
}

/// Says what an event about holds, purges and erasures tells.
fn kept_or_gone(body: &Body, frame: &Frame) -> (String, String) {
    match body {
        Body::HoldPlaced(fact) => (
            frame.fill("entry.event_held", &[("name", &fact.name)]),
            fact.reason.clone(),
        ),
        Body::HoldReleased(fact) => (
            frame.fill("entry.event_released", &[("name", &fact.name)]),
            fact.reason.clone(),
        ),
        Body::PurgedEntries(fact) => {
            let pairs = [("rule", fact.rule.as_str()), ("plan", &fact.plan_id)];
            let words = match fact.what() {
                Part::Entry => frame.fill("entry.event_purged", &pairs),
                Part::Source => frame.fill("entry.event_source_purged", &pairs),
                _ => frame.fill("entry.event_reports_purged", &pairs),
            };
            (words, fact.reason.clone())
        }
        Body::PurgeUndone(fact) => (
            frame.fill("entry.event_undone", &[("plan", &fact.plan_id)]),
            fact.reason.clone(),
        ),
        Body::PurgeFinalized(fact) => (
            frame.fill("entry.event_final", &[("plan", &fact.plan_id)]),
            String::new(),
        ),
        Body::Erased(fact) => (
            frame.fill("entry.event_erased", &[("field", &fact.field)]),
            fact.reason.clone(),
        ),
        other => (other.kind().to_owned(), String::new()),
    }
}
