//! Words for `annals show --why`: why an entry is still in the store, and when it may go.

use serde::Serialize;

use crate::Result;
use crate::archive::{Archive, KeepReason, MayGo, OwnContent, UnneededPlace, WhyKept};
use crate::cli::render::{Canvas, Style, counted, escape, facts, size};
use crate::cli::run::Context;
use crate::entry::Entry;
use crate::id::EntryId;
use crate::service::time::Zone;
use crate::time::Timestamp;

/// The answer as JSON, with times in the zone of the caller.
#[derive(Debug, Serialize)]
pub(super) struct WhyObject {
    reasons: Vec<KeepReason>,
    may_go: MayGo,
    earliest: Option<Timestamp>,
    text: String,
}

/// Asks why an entry is kept. The rules of the configured host are asked about as well; for a
/// converter that it does not have, these are the classes.
pub(super) fn ask(archive: &Archive, entry: &Entry, context: &Context<'_>) -> Result<WhyKept> {
    let config = context.configuration().ok();
    let policy = config
        .as_ref()
        .and_then(|config| match config.converter(&entry.converter) {
            Some(converter) => Some(config.retention_policy(converter)),
            None => config.retention_classes(),
        });
    archive.why_kept(entry.id, policy.as_ref())
}

pub(super) fn object(why: &WhyKept, zone: &Zone) -> WhyObject {
    WhyObject {
        reasons: why
            .reasons
            .iter()
            .map(|reason| in_zone(reason, zone))
            .collect(),
        may_go: why.may_go,
        earliest: why.earliest.map(|time| zone.exact(time)),
        text: conclusion(why, zone),
    }
}

fn in_zone(reason: &KeepReason, zone: &Zone) -> KeepReason {
    let mut reason = reason.clone();
    match &mut reason {
        KeepReason::Retention { until, .. } | KeepReason::Lock { until, .. } => {
            *until = until.map(|at| zone.exact(at));
        }
        KeepReason::Hold { placed_at: at, .. } | KeepReason::WaitingReport { since: at, .. } => {
            *at = zone.exact(*at);
        }
        _ => {}
    }
    reason
}

/// Returns the reasons and the conclusion, for people.
pub(super) fn page(why: &WhyKept, zone: &Zone, canvas: Canvas) -> String {
    let known = why.reasons.iter().map(|reason| named(reason, zone));
    let conclusion = conclusion(why, zone);
    let text = facts(known, canvas);
    // It has names of holds, which come from outside.
    let conclusion = escape(&conclusion);
    let bold = Style::Bold.paint(&conclusion, canvas.colour);
    format!("{text}{bold}\n")
}

fn named(reason: &KeepReason, zone: &Zone) -> (&'static str, String) {
    match reason {
        KeepReason::Retention {
            retention,
            until,
            passed,
        } => {
            let until = match until {
                Some(until) if *passed => format!(", which ended {}", zone.long(*until)),
                Some(until) => format!(", until {}", zone.long(*until)),
                None => String::new(),
            };
            ("recorded retention", format!("{retention}{until}"))
        }
        KeepReason::Hold {
            name,
            reason,
            placed_at,
        } => (
            "hold",
            format!("{name}, since {}: {reason}", zone.long(*placed_at)),
        ),
        KeepReason::Lock { name, mode, until } => {
            let until = until.map_or_else(|| "for ever".to_owned(), |at| zone.long(at));
            ("lock", format!("{name}, {}, until {until}", mode.name()))
        }
        KeepReason::WaitingReport {
            attempt,
            report,
            endpoint,
            since,
        } => (
            "waiting report",
            format!(
                "report {report} of attempt {attempt} is to be sent to {endpoint}, since {}",
                zone.long(*since)
            ),
        ),
        KeepReason::Policy { rules, selects } => {
            let selects = match selects {
                Some(rule) => format!("'{rule}' selects it now"),
                None => "none selects it now".to_owned(),
            };
            (
                "rules of the host",
                format!("{}: {selects}", rules.join(", ")),
            )
        }
        KeepReason::Shared {
            content,
            bytes,
            references,
            entries,
            ..
        } => (
            "shared content",
            format!(
                "{}, {}: named {} elsewhere{}",
                what(*content),
                size(*bytes),
                counted(*references, "time", "times"),
                in_entries(entries)
            ),
        ),
        KeepReason::NotFreed { content, place, .. } => (
            "not freed yet",
            format!("{}, {}", what(*content), lies(place)),
        ),
    }
}

fn what(content: OwnContent) -> String {
    match content {
        OwnContent::Report { attempt, report } => format!("report {report} of attempt {attempt}"),
        _ => "the source".to_owned(),
    }
}

fn in_entries(entries: &[EntryId]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let ids: Vec<String> = entries.iter().map(ToString::to_string).collect();
    format!(
        ", by {} {}",
        if ids.len() == 1 { "entry" } else { "entries" },
        ids.join(", ")
    )
}

fn lies(place: &UnneededPlace) -> String {
    match place {
        UnneededPlace::Pack {
            pack,
            bytes,
            unneeded,
            is_next,
        } => {
            let when = if *is_next {
                "'annals compact' frees it"
            } else {
                "it is freed once half of the pack is unneeded"
            };
            format!(
                "in pack {pack}, of which {} of {} are unneeded: {when}",
                size(*unneeded),
                size(*bytes)
            )
        }
        _ => "in the journal: 'annals compact' frees it".to_owned(),
    }
}

fn conclusion(why: &WhyKept, zone: &Zone) -> String {
    match why.may_go {
        MayGo::Gone => "it was purged; nothing of it is left that nothing else needs".to_owned(),
        MayGo::BeingFreed => "it was purged, and its bytes wait to be freed".to_owned(),
        MayGo::Now => "it may go now: the next purge takes it".to_owned(),
        MayGo::Later => match why.earliest {
            Some(time) => format!("it may go from {} on", zone.long(time)),
            None => "it may go later".to_owned(),
        },
        MayGo::Blocked => {
            let waits = blocked_by(&why.reasons).join(" and ");
            let then = why
                .earliest
                .map(|time| format!(", and not before {}", zone.long(time)));
            format!("it stays until {waits}{}", then.unwrap_or_default())
        }
        _ => {
            "no recorded or configured rule takes it; a purge by age, size or count may".to_owned()
        }
    }
}

fn blocked_by(reasons: &[KeepReason]) -> Vec<String> {
    let waits = reasons.iter().filter_map(|reason| match reason {
        KeepReason::Hold { name, .. } => Some(format!("the hold '{name}' is released")),
        KeepReason::Lock { name, .. } => Some(format!("the lock '{name}' lets it go")),
        KeepReason::WaitingReport {
            attempt, report, ..
        } => Some(format!(
            "report {report} of attempt {attempt} is submitted or rejected"
        )),
        _ => None,
    });
    waits.collect()
}
