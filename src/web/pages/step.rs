//! `/step`: one archived entry after the other through a converter that somebody works on. Nothing
//! is recorded.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum_extra::extract::{Form, Query};
use serde::Deserialize;

use super::frame::{Frame, Place, page};
use super::jobs::{address, how};
use super::parts::Mark;
use crate::convert::{Cancel, Verdict};
use crate::entry::Status;
use crate::id::EntryId;
use crate::service::reprocess::{ShownReport, Stepped, configured, identity_now, step};
use crate::web::chosen::Chosen;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Marks of changes that were seen before; the oldest are forgotten.
const SEEN_MAX: usize = 60;
/// Ways of change that are shown for one entry.
const GROUPS_SHOWN: usize = 60;

type Pairs = Vec<(String, String)>;

#[derive(Template)]
#[template(path = "step/page.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    /// Nothing is chosen.
    is_empty: bool,
    place: String,
    at: u64,
    converter: String,
    names: Vec<String>,
    /// The choice of entries, as hidden fields.
    chosen: Pairs,
    seen: String,
    was: String,
    previous: Option<String>,
    next: Option<String>,
    list_href: String,
    job_href: String,
    error: Option<(String, String)>,
}

/// What belongs to a step, beside the choice of entries.
#[derive(Debug, Default, Clone)]
struct Position {
    at: Option<EntryId>,
    converter: String,
    was: String,
    seen: String,
}

impl Position {
    fn take(pairs: &[(String, String)]) -> Result<Self> {
        let mut position = Self::default();
        for (key, value) in pairs {
            match key.as_str() {
                "at" => {
                    let wrong = || Error::new(ErrorKind::Invalid, format!("'{value}' is no entry"));
                    position.at = Some(value.parse().map_err(|_| wrong())?);
                }
                "with" => position.converter.clone_from(value),
                "was" => position.was.clone_from(value),
                "seen" => position.seen.clone_from(value),
                _ => {
                    let told = format!("'{key}' is not known here");
                    return Err(Error::new(ErrorKind::Invalid, told));
                }
            }
        }
        Ok(position)
    }

    /// Returns the address of the step at another entry.
    fn at(&self, chosen: &Chosen, at: EntryId) -> String {
        let (pairs, at) = (chosen.pairs(), at.to_string());
        let chosen = pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let own = [
            ("with", self.converter.as_str()),
            ("at", at.as_str()),
            ("was", self.was.as_str()),
            ("seen", self.seen.as_str()),
        ];
        address("/step", chosen.chain(own))
    }
}

/// Answers `GET /step`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(pairs): Query<Pairs>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Jobs, &visitor);
    let pairs: Pairs = pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let (chosen, others) = Chosen::take(pairs)?;
    let position = Position::take(&others)?;
    let made = web.work(&visitor, move |desk| {
        let service = desk.service();
        let config = service.config();
        let names = config.iter().flat_map(|config| &config.converters);
        let names = names.map(|config| config.converter.name.clone()).collect();
        let title = frame.say("step.title");
        let mut page = Page {
            frame: frame.titled(title),
            is_empty: chosen.is_empty(),
            place: String::new(),
            at: 0,
            converter: position.converter.clone(),
            names,
            chosen: chosen.pairs(),
            seen: position.seen.clone(),
            was: position.was.clone(),
            previous: None,
            next: None,
            list_href: address("/entries", as_strs(&chosen.pairs())),
            job_href: address("/jobs/new", as_strs(&chosen.pairs())),
            error: None,
        };
        if page.is_empty {
            return Ok(page);
        }
        let ids = match chosen.selection(&service, &desk.selections, &desk.digests) {
            Ok(selection) => selection.ids,
            Err(error) => {
                page.error = Some(super::jobs::told(&error));
                return Ok(page);
            }
        };
        let at = position.at.unwrap_or(ids[0]);
        let nth = ids.partition_point(|id| *id < at);
        page.at = at.0;
        page.place = page.frame.fill(
            "step.place",
            &[
                ("n", &page.frame.count(nth as u64 + 1)),
                ("of", &page.frame.count(ids.len() as u64)),
            ],
        );
        let previous = nth.checked_sub(1).and_then(|nth| ids.get(nth));
        page.previous = previous.map(|id| position.at(&chosen, *id));
        let next = ids
            .get(nth)
            .filter(|id| **id > at)
            .or_else(|| ids.get(nth + 1));
        page.next = next.map(|id| position.at(&chosen, *id));
        if page.converter.is_empty() {
            let entry = service.archive.snapshot()?.entry(at)?;
            page.converter = entry.map(|entry| entry.converter).unwrap_or_default();
        }
        let with = crate::service::words::in_shell(&page.converter).into_owned();
        let config = service.config_text();
        let config = config
            .as_deref()
            .map_or("FILE".into(), crate::service::words::in_shell);
        let command = format!("annals --config {config} convert {at} -c {with} --no-record");
        page.frame = page.frame.command(command);
        Ok(page)
    });
    Ok(page(&made.await?))
}

fn as_strs(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Which entry is converted with what.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    at: u64,
    with: String,
    /// The identity of the step before.
    #[serde(default)]
    was: String,
    /// The marks of the changes that were seen before.
    #[serde(default)]
    seen: String,
}

#[derive(Template)]
#[template(path = "step/result.html", config = "src/web/askama.toml")]
struct Part {
    frame: Frame,
    error: Option<(String, String)>,
    ran: Option<Ran>,
}

/// What a step showed.
struct Ran {
    id: u64,
    name: String,
    identity: String,
    /// True if the program is another one than at the step before.
    is_new: bool,
    status: Mark,
    duration: String,
    message: String,
    remarks: Vec<String>,
    verdict: String,
    compared_with: String,
    groups: Vec<Group>,
    same: Vec<Group>,
    same_words: String,
    ignored: String,
    more: String,
    old: Side,
    new: Side,
    /// The marks that are seen from here on.
    seen: String,
}

struct Group {
    path: String,
    words: String,
    number: String,
}

/// One report, line by line.
#[derive(Default)]
struct Side {
    lines: Vec<Line>,
    is_cut: bool,
}

struct Line {
    text: String,
    is_marked: bool,
}

/// Cancels a conversion when its visitor leaves.
struct WhileThere(Cancel);

impl Drop for WhileThere {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Answers `POST /step/run`.
pub(in crate::web) async fn run(
    State(web): State<Web>,
    visitor: Visitor,
    Form(asked): Form<Asked>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Jobs, &visitor);
    // The answer is not awaited any more once the visitor is gone, and that drops this.
    let there = WhileThere(Cancel::default());
    let cancel = there.0.clone();
    let Some(turn) = web.step_turn() else {
        let told = Error::new(ErrorKind::Refused, "others step through entries right now");
        let error = Some(super::jobs::told(&told.hint("try again in a moment")));
        return Ok(page(&Part {
            frame,
            error,
            ran: None,
        }));
    };
    let part = web.work(&visitor, move |desk| {
        let _turn = turn;
        let service = desk.service();
        let with = Some(asked.with.as_str()).filter(|name| !name.is_empty());
        let stepped = step(&service, EntryId(asked.at), with, &cancel);
        let (ran, error) = match stepped {
            Ok(Some(stepped)) => (Some(Ran::of(&stepped, &asked, &frame)), None),
            Ok(None) => {
                let told = Error::new(ErrorKind::Refused, "the conversion was cancelled");
                (None, Some(super::jobs::told(&told)))
            }
            Err(error) => (None, Some(super::jobs::told(&error))),
        };
        Ok(Part { frame, error, ran })
    });
    let part = part.await;
    drop(there);
    Ok(page(&part?))
}

/// Which converter is watched, and what it was.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Watched {
    with: String,
    was: String,
}

#[derive(Template)]
#[template(path = "step/changed.html", config = "src/web/askama.toml")]
struct Changed {
    frame: Frame,
    with: String,
    identity: Option<String>,
    error: Option<(String, String)>,
}

/// Answers `GET /step/identity`: whether the program on disk is another one than it was.
pub(in crate::web) async fn identity(
    State(web): State<Web>,
    visitor: Visitor,
    Query(Watched { with, was }): Query<Watched>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Jobs, &visitor);
    let part = web.work(&visitor, move |desk| {
        let service = desk.service();
        let now = configured(&service, &with).and_then(|_| identity_now(&service, &with));
        let (identity, error) = match now {
            Ok(now) => (Some(format!("{now:.12}")).filter(|now| *now != was), None),
            Err(error) => (None, Some(super::jobs::told(&error))),
        };
        Ok(Changed {
            frame,
            with,
            identity,
            error,
        })
    });
    Ok(page(&part.await?))
}

impl Ran {
    fn of(stepped: &Stepped, asked: &Asked, frame: &Frame) -> Self {
        let (trial, conversion) = (&stepped.trial, &stepped.trial.conversion);
        let identity = format!("{:.12}", trial.converter_id);
        let seen: Vec<&str> = asked
            .seen
            .split('.')
            .filter(|mark| !mark.is_empty())
            .collect();
        let (mut groups, mut same) = (Vec::new(), Vec::new());
        for group in &stepped.groups {
            let number = frame.count(group.pattern.counted.changes);
            let view = Group {
                path: group.path.clone(),
                words: how(&group.pattern, frame.language),
                number,
            };
            if seen.contains(&group.mark.as_str()) {
                same.push(view);
            } else {
                groups.push(view);
            }
        }
        let marks = stepped.groups.iter().map(|group| group.mark.as_str());
        let mut all: Vec<&str> = seen
            .iter()
            .copied()
            .filter(|mark| !marks.clone().any(|new| new == *mark))
            .collect();
        all.extend(marks);
        let all = &all[all.len().saturating_sub(SEEN_MAX)..];
        let hidden = groups.len().saturating_sub(GROUPS_SHOWN) as u64;
        groups.truncate(GROUPS_SHOWN);
        let ignored = trial.difference.ignored.len() as u64 + trial.difference.more_ignored;
        let mut remarks = conversion.warnings.clone();
        remarks.extend(
            conversion
                .suspicious
                .iter()
                .map(|why| format!("{}: {why}", frame.say("frame.status_suspicious"))),
        );
        let (old, new) = sides(stepped.old.as_ref(), stepped.new.as_ref());
        Self {
            id: stepped.entry.id.0,
            name: stepped.converter.clone(),
            is_new: !asked.was.is_empty() && asked.was != identity,
            identity,
            status: frame.mark(Status::from(conversion.outcome)),
            duration: format!("{} ms", conversion.duration.as_millis()),
            message: conversion.error.clone().unwrap_or_default(),
            remarks,
            verdict: verdict(trial.verdict, frame).to_owned(),
            compared_with: trial
                .compared_with
                .map(|attempt| attempt.to_string())
                .unwrap_or_default(),
            same_words: match same.len() as u64 {
                0 => String::new(),
                n => frame.fill("step.same", &[("n", &frame.count(n))]),
            },
            groups,
            same,
            ignored: match ignored {
                0 => String::new(),
                n => frame.fill("step.ignored", &[("n", &frame.count(n))]),
            },
            more: match hidden {
                0 => String::new(),
                n => frame.fill("step.more", &[("n", &frame.count(n))]),
            },
            old,
            new,
            seen: all.join("."),
        }
    }
}

fn verdict(verdict: Option<Verdict>, frame: &Frame) -> &'static str {
    match verdict {
        Some(Verdict::Unchanged) => frame.say("jobs.verdict_unchanged"),
        Some(Verdict::Changed) => frame.say("jobs.verdict_changed"),
        Some(Verdict::Fixed) => frame.say("jobs.verdict_fixed"),
        Some(Verdict::Broken) => frame.say("jobs.verdict_broken"),
        None => frame.say("jobs.verdict_first"),
    }
}

/// Returns two reports with those lines marked that the other one has not.
fn sides(old: Option<&ShownReport>, new: Option<&ShownReport>) -> (Side, Side) {
    let lines = |report: Option<&ShownReport>| {
        let text = report.map_or("", |report| report.text.as_str()).to_owned();
        text.lines().map(str::to_owned).collect::<Vec<String>>()
    };
    let (before, now) = (lines(old), lines(new));
    let both = old.is_some() && new.is_some();
    let side = |own: &[String], other: &[String], report: Option<&ShownReport>| {
        let mut left = std::collections::HashMap::<&str, usize>::new();
        for line in other {
            *left.entry(bare(line)).or_default() += 1;
        }
        let marked = own.iter().map(|line| {
            let known = left.get_mut(bare(line)).filter(|left| **left > 0);
            let is_known = known.map(|left| *left -= 1).is_some();
            Line {
                text: line.clone(),
                is_marked: both && !is_known,
            }
        });
        Side {
            lines: marked.collect(),
            is_cut: report.is_some_and(|report| report.is_cut),
        }
    };
    (side(&before, &now, old), side(&now, &before, new))
}

/// Returns a line without the comma that only says whether another member follows.
fn bare(line: &str) -> &str {
    line.trim_end_matches(',')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member that was added behind another one marked that one, too, because of its comma.
    #[test]
    fn only_lines_that_the_other_report_has_not_are_marked() {
        let report = |text: &str| ShownReport {
            text: text.to_owned(),
            is_cut: false,
        };
        let (old, new) = (
            report("{\n  \"a\": 1\n}"),
            report("{\n  \"a\": 1,\n  \"b\": 2\n}"),
        );
        let (old, new) = sides(Some(&old), Some(&new));
        let marked = |side: &Side| {
            let lines = side.lines.iter().filter(|line| line.is_marked);
            lines.map(|line| line.text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(marked(&old), Vec::<String>::new());
        assert_eq!(marked(&new), ["  \"b\": 2"]);
        let (alone, _) = sides(Some(&report("x")), None);
        assert_eq!(marked(&alone), Vec::<String>::new());
    }

    #[test]
    fn a_step_keeps_the_choice_and_what_was_seen_in_its_address() {
        let pairs = vec![("status".to_owned(), "failed".to_owned())];
        let (chosen, _) = Chosen::take(pairs).expect("clear");
        let position = Position {
            at: None,
            converter: "ICT CSV".into(),
            was: "0123456789ab".into(),
            seen: "a1b2c3.d4e5f6".into(),
        };
        assert_eq!(
            position.at(&chosen, EntryId(7)),
            "/step?status=failed&with=ICT+CSV&at=7&was=0123456789ab&seen=a1b2c3.d4e5f6"
        );
    }
}
