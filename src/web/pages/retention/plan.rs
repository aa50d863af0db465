//! A plan: what would go, by which rule, what stays nevertheless, and the purge itself.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::{Form, Query};
use serde::Deserialize;

use super::words::{Kept, kept, percent, things};
use crate::archive::{ImpactGroup, PurgeOutcome};
use crate::service::desk::Desk;
use crate::service::retention::{Frozen, ItemObject, Rules, UnmetLimit, rule_of};
use crate::service::words::in_shell;
use crate::web::api::retention::grace_of;
use crate::web::pages::frame::{Frame, Place, page};
use crate::web::pages::jobs::{address, go_to, refused, told};
use crate::web::pages::parts::Moment;
use crate::web::problem::Problem;
use crate::web::state::Web;
use crate::web::visitor::Visitor;
use crate::{Error, ErrorKind, Result};

/// Entries on one page.
const ITEMS_SHOWN: usize = 50;
/// Rows of a breakdown.
const GROUPS_SHOWN: usize = 12;
/// A host purges fewer entries by itself, whatever their share is.
const LARGE_FROM: u64 = 100;
/// Days in which a purge can be undone, where nobody has said how many.
const GRACE_DAYS: u32 = 7;

#[derive(Template)]
#[template(path = "retention/plan.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    plan_id: String,
    made: Moment,
    expires: Moment,
    rules: Vec<String>,
    /// What goes, in words; empty when nothing does.
    goes: String,
    facts: Vec<(&'static str, String)>,
    share: String,
    /// Whether the share is so large that a host would not purge it by itself.
    is_large: bool,
    kept: Vec<Kept>,
    unmet: Vec<String>,
    empty_classes: Vec<String>,
    impact: Vec<Breakdown>,
    items: Vec<Item>,
    newer: Option<String>,
    older: Option<String>,
    shown: String,
    /// The words on the button: how many, how much.
    button: String,
    question: String,
    /// How long the purge can be undone.
    graces: Vec<Grace>,
    done: Option<Done>,
    again: String,
}

/// A breakdown of what goes.
struct Breakdown {
    title: &'static str,
    rows: Vec<Group>,
    more: String,
}

struct Group {
    name: String,
    entries: String,
    parts: String,
    content: String,
    frees: String,
    per_mille: u64,
}

struct Item {
    id: u64,
    archived: Option<Moment>,
    frees: String,
    part: &'static str,
    rule: String,
    converter: String,
    serial: String,
    file: String,
}

struct Grace {
    value: String,
    label: String,
    is_chosen: bool,
}

/// What became of the plan.
struct Done {
    text: String,
    hint: String,
    tone: &'static str,
    /// Whether it can be undone.
    is_pending: bool,
}

/// The rules that a form asks for. Fields that are left empty are no rules.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    configured: bool,
    converter: String,
    older_than: String,
    expired: bool,
    max_size: String,
    max_count: String,
    even_waiting: bool,
    bypass_governance: bool,
    now: String,
}

impl Asked {
    fn rules(self) -> Result<Rules> {
        let stated = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let max_count = stated(self.max_count).map(|text| {
            text.parse().map_err(|_| {
                let told = format!("'{text}' is no number of entries");
                Error::new(ErrorKind::Invalid, told)
            })
        });
        Ok(Rules {
            converter: stated(self.converter),
            older_than: stated(self.older_than),
            expired: self.expired,
            // German forms have a comma in 1,5 GB.
            max_size: stated(self.max_size).map(|size| size.replace(',', ".")),
            max_count: max_count.transpose()?,
            classes: false,
            configured: self.configured,
            even_waiting: self.even_waiting,
            bypass_governance: self.bypass_governance,
            now: stated(self.now),
        })
    }
}

/// Answers `POST /retention/plans`: makes a plan, and leads to it.
pub(in crate::web) async fn make(
    State(web): State<Web>,
    visitor: Visitor,
    Form(asked): Form<Asked>,
) -> Result<Response, Problem> {
    let made = web.work(&visitor, move |desk| {
        let make = || desk.purges.make(&desk.service(), asked.rules()?);
        Ok(make())
    });
    Ok(match made.await? {
        Ok(plan) => go_to(format!("/retention/plans/{}", plan.plan.plan_id)),
        Err(error) => refused(&error),
    })
}

/// Where a page of entries begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct At {
    after: usize,
}

#[derive(Template)]
#[template(path = "retention/gone.html", config = "src/web/askama.toml")]
struct Gone {
    frame: Frame,
    text: String,
    hint: String,
}

/// Answers `GET /retention/plans/{plan_id}`.
pub(in crate::web) async fn plan(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    Query(At { after }): Query<At>,
) -> Result<Response, Problem> {
    let frame = Frame::new(Place::Retention, &visitor);
    let made = web.work(&visitor, move |desk| {
        Ok(match desk.purges.get(&plan_id) {
            Ok(plan) => Ok(page_of(&plan, after, &desk.service(), frame)?),
            Err(error) => Err((error, frame)),
        })
    });
    Ok(match made.await? {
        Ok(made) => page(&made),
        Err((error, frame)) => {
            let (text, hint) = told(&error);
            let title = frame.say("retention.plan_gone");
            let frame = frame.titled(title);
            let mut answer = page(&Gone { frame, text, hint });
            *answer.status_mut() = axum::http::StatusCode::NOT_FOUND;
            answer
        }
    })
}

fn page_of(frozen: &Arc<Frozen>, after: usize, desk: &Desk, frame: Frame) -> Result<Page> {
    let plan = &frozen.plan;
    let nothing = plan.items.is_empty();
    let goes = things(plan.count, plan.parts, &frame);
    let size = frame.size(plan.bytes_logical);
    let values = [("things", goes.as_str()), ("size", size.as_str())];
    let outcome = frozen.outcome();
    let title = match (&outcome, nothing) {
        (Some(_), _) => frame.fill("retention.plan_done", &values),
        (None, true) => frame.say("retention.nothing_goes").to_owned(),
        (None, false) => frame.fill("retention.plan_title", &values),
    };
    let first = after.min(plan.items.len());
    let end = first.saturating_add(ITEMS_SHOWN).min(plan.items.len());
    let path = format!("/retention/plans/{}", plan.plan_id);
    let page_at = |at: usize| match at {
        0 => path.clone(),
        _ => address(&path, [("after", at.to_string().as_str())]) + "#items",
    };
    let snapshot = desk.archive.snapshot()?;
    let items = plan.items[first..end].iter().map(|item| {
        let object = ItemObject::of(item, &snapshot, &desk.zone)?;
        Ok(Item::of(&object, &frame))
    });
    let config = desk.config_text();
    let mut command = frozen.rules.command("retention preview");
    if let Some(config) = config.filter(|_| frozen.rules.configured) {
        let named = format!("annals --config {} ", in_shell(&config));
        command = command.replacen("annals ", &named, 1);
    }
    let limit = desk
        .config()
        .map_or(20, |config| config.retention_care.ask_above_percent);
    let (one, many) = (frame.count(first as u64 + 1), frame.count(end as u64));
    let all = frame.count(plan.items.len() as u64);
    let shown = [
        ("from", one.as_str()),
        ("to", many.as_str()),
        ("n", all.as_str()),
    ];
    Ok(Page {
        plan_id: plan.plan_id.clone(),
        made: frame.moment(frozen.made_at),
        expires: frame.moment(frozen.expires),
        rules: plan.rules.clone(),
        goes: if nothing { String::new() } else { goes.clone() },
        facts: facts(frozen, &frame),
        share: share(frozen, &frame),
        is_large: plan.count + plan.parts >= LARGE_FROM
            && frozen.impact.percent() > f64::from(limit),
        kept: kept(plan, &frame),
        unmet: frozen.unmet.iter().map(|one| unmet(one, &frame)).collect(),
        empty_classes: (frozen.empty_classes.iter())
            .map(|name| frame.fill("retention.class_empty", &[("name", name)]))
            .collect(),
        impact: breakdowns(frozen, &frame),
        items: items.collect::<Result<_>>()?,
        newer: (first > 0).then(|| page_at(first.saturating_sub(ITEMS_SHOWN))),
        older: (end < plan.items.len()).then(|| page_at(end)),
        shown: frame.fill("retention.shown", &shown),
        question: format!("{}?", frame.fill("retention.purge", &values)),
        button: frame.fill("retention.purge", &values),
        graces: graces(desk, &frame),
        done: outcome.map(|outcome| Done::of(&outcome, &frame)),
        again: again(&frozen.rules),
        frame: frame.titled(title).command(command),
    })
}

/// Returns the address of the form with the same rules.
fn again(rules: &Rules) -> String {
    let flag = |flag: bool| if flag { "true" } else { "" };
    let count = rules.max_count.map(|count| count.to_string());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let pairs = [
        ("converter", text(&rules.converter)),
        ("older_than", text(&rules.older_than)),
        ("expired", flag(rules.expired).to_owned()),
        ("max_size", text(&rules.max_size)),
        ("max_count", count.unwrap_or_default()),
        ("even_waiting", flag(rules.even_waiting).to_owned()),
        (
            "bypass_governance",
            flag(rules.bypass_governance).to_owned(),
        ),
        ("now", text(&rules.now)),
    ];
    address(
        "/retention",
        pairs.iter().map(|(key, value)| (*key, value.as_str())),
    )
}

fn facts(frozen: &Frozen, frame: &Frame) -> Vec<(&'static str, String)> {
    let plan = &frozen.plan;
    let mut facts = vec![
        (
            frame.say("retention.content"),
            frame.size(plan.bytes_logical),
        ),
        (frame.say("retention.frees"), frame.size(plan.bytes_freed)),
    ];
    if plan.bytes_freed_at_once < plan.bytes_freed {
        let at_once = frame.size(plan.bytes_freed_at_once);
        facts.push((frame.say("retention.frees_at_once"), at_once));
    }
    if let (Some(oldest), Some(newest)) = (plan.oldest, plan.newest) {
        let ends = format!(
            "{} – {}",
            frame.moment(oldest).short,
            frame.moment(newest).short
        );
        facts.push((frame.say("retention.archived"), ends));
    }
    facts
}

fn share(frozen: &Frozen, frame: &Frame) -> String {
    let impact = &frozen.impact;
    let values = [
        ("entries", percent(impact.percent_of_entries, frame)),
        ("bytes", percent(impact.percent_of_bytes, frame)),
    ];
    frame.fill(
        "retention.share",
        &values
            .each_ref()
            .map(|(name, value)| (*name, value.as_str())),
    )
}

/// Tells a limit that cannot be met.
pub(super) fn unmet(limit: &UnmetLimit, frame: &Frame) -> String {
    let mut told = Vec::new();
    if let Some(size) = limit.max_size.filter(|_| limit.held.over_size) {
        let values = [
            ("held", frame.size(limit.held.bytes)),
            ("converter", limit.converter.clone()),
            ("limit", frame.size(size)),
        ];
        let values = values
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        told.push(frame.fill("retention.unmet", &values));
    }
    if let Some(count) = limit.max_count.filter(|_| limit.held.over_count) {
        let values = [
            ("held", things(limit.held.entries, 0, frame)),
            ("converter", limit.converter.clone()),
            ("limit", things(count, 0, frame)),
        ];
        let values = values
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        told.push(frame.fill("retention.unmet", &values));
    }
    told.join(" ")
}

fn breakdowns(frozen: &Frozen, frame: &Frame) -> Vec<Breakdown> {
    let impact = &frozen.impact;
    let all = [
        (frame.say("retention.by_rule"), &impact.by_rule),
        (frame.say("retention.by_converter"), &impact.by_converter),
        (frame.say("retention.by_month"), &impact.by_month),
    ];
    let filled = all.into_iter().filter(|(_, groups)| !groups.is_empty());
    filled
        .map(|(title, groups)| Breakdown::of(title, groups, frozen.plan.bytes_freed, frame))
        .collect()
}

impl Breakdown {
    fn of(title: &'static str, groups: &[ImpactGroup], freed: u64, frame: &Frame) -> Self {
        let rows = groups.iter().take(GROUPS_SHOWN).map(|group| Group {
            name: group.name.clone(),
            entries: frame.count(group.entries),
            parts: frame.count(group.parts),
            content: frame.size(group.bytes_logical),
            frees: frame.size(group.bytes_freed),
            per_mille: crate::web::pages::jobs::per_mille(group.bytes_freed, freed),
        });
        let hidden = groups.len().saturating_sub(GROUPS_SHOWN) as u64;
        Self {
            title,
            rows: rows.collect(),
            more: if hidden == 0 {
                String::new()
            } else {
                frame.fill("retention.more_groups", &[("n", &frame.count(hidden))])
            },
        }
    }
}

impl Item {
    fn of(object: &ItemObject<'_>, frame: &Frame) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            id: object.item.id.0,
            archived: object.archived_at.map(|time| frame.moment(time)),
            frees: frame.size(object.item.bytes_freed),
            part: match object.item.part.name() {
                "entry" => frame.say("retention.part_entry"),
                "source" => frame.say("retention.part_source"),
                "superseded" => frame.say("retention.part_superseded"),
                _ => frame.say("retention.part_reports"),
            },
            rule: rule_of(object.item),
            converter: text(&object.converter),
            serial: text(&object.serial),
            file: text(&object.source_name),
        }
    }
}

/// Returns the grace periods to choose from; that of the configuration is chosen.
fn graces(desk: &Desk, frame: &Frame) -> Vec<Grace> {
    let configured = desk
        .config()
        .map(|config| config.retention_care.grace.as_secs() / 86_400)
        .and_then(|days| u32::try_from(days).ok());
    let usual = configured.filter(|days| *days > 0).unwrap_or(GRACE_DAYS);
    let mut days = vec![1, GRACE_DAYS, 30, usual];
    days.sort_unstable();
    days.dedup();
    let mut graces: Vec<Grace> = days
        .into_iter()
        .map(|days| Grace {
            value: format!("{days}d"),
            label: super::words::period(crate::entry::Period::days(days), frame),
            is_chosen: days == usual,
        })
        .collect();
    graces.push(Grace {
        value: String::new(),
        label: frame.say("retention.no_grace").to_owned(),
        is_chosen: false,
    });
    graces
}

impl Done {
    fn of(outcome: &PurgeOutcome, frame: &Frame) -> Self {
        let recorded = &outcome.recorded;
        let things = things(recorded.archives_purged, recorded.parts_purged, frame);
        let text = frame.fill("retention.purged", &[("things", &things)]);
        let (tone, hint) = match (&outcome.reclaim, recorded.final_at) {
            (Err(error), _) => {
                let error = crate::service::retention::unfreed(error);
                ("warn", told(&error).0)
            }
            (Ok(_), Some(until)) => {
                let until = frame.moment(until).short;
                (
                    "good",
                    frame.fill("retention.undo_until", &[("time", &until)]),
                )
            }
            (Ok(done), None) => {
                let size = frame.size(done.bytes_freed);
                ("good", frame.fill("retention.freed", &[("size", &size)]))
            }
        };
        Self {
            text,
            hint,
            tone,
            is_pending: recorded.final_at.is_some(),
        }
    }
}

/// Why a plan is carried out, and how long that can be undone.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Apply {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    grace: String,
}

/// Answers `POST /retention/plans/{plan_id}/apply`.
pub(in crate::web) async fn apply(
    State(web): State<Web>,
    visitor: Visitor,
    Path(plan_id): Path<String>,
    Form(Apply { reason, grace }): Form<Apply>,
) -> Result<Response, Problem> {
    let done = web.work(&visitor, move |desk| {
        let apply = || {
            let plan = desk.purges.get(&plan_id)?;
            let now = desk.service().now;
            plan.apply(&desk.archive, now, &reason, grace_of(Some(&grace), now)?)?;
            Ok(plan_id.clone())
        };
        Ok(apply())
    });
    Ok(match done.await? {
        Ok(plan_id) => go_to(format!("/retention/plans/{plan_id}")),
        Err(error) => refused(&error).into_response(),
    })
}
