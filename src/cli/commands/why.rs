//! Words for `annals show --why`: why an entry is still in the store, and when it may go.

use crate::archive::{KeepReason, OwnContent, UnneededPlace, WhyKept};
use crate::cli::render::{Canvas, Style, counted, escape, facts, size};
use crate::cli::run::StoreFlags;
use crate::id::EntryId;
use crate::service::objects::conclusion;
use crate::service::time::Zone;

/// Returns the reasons and the conclusion, for people.
pub(super) fn page(why: &WhyKept, zone: &Zone, canvas: Canvas, flags: &StoreFlags) -> String {
    let known = why.reasons.iter().map(|reason| named(reason, zone));
    let conclusion = conclusion(why, zone);
    let text = facts(flags.in_facts(known), canvas);
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
