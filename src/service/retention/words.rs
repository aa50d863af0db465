//! Plans of purges in the words of the command line.

use crate::archive::PlanImpact;
use crate::retention::{PlannedPurge, PurgePlan};
use crate::service::time::Zone;
use crate::service::words::{count, counted, size};

/// Returns the share of the store that goes, in words.
pub fn share(impact: &PlanImpact) -> String {
    format!(
        "{}% of the entries and {}% of the bytes on disk",
        impact.percent_of_entries, impact.percent_of_bytes
    )
}

/// Describes the entries that the rules select but something keeps, and why.
pub fn kept(plan: &PurgePlan) -> Vec<String> {
    let reasons = [
        (plan.held_skipped, "kept by holds"),
        (
            plan.waiting_skipped,
            "kept because they wait to be converted or submitted",
        ),
        (plan.locked_skipped, "kept by retention locks"),
        (
            plan.undated_skipped,
            "kept because what their period starts from is not known",
        ),
    ];
    let reasons = reasons.into_iter().filter(|(entries, _)| *entries > 0);
    reasons
        .map(|(entries, why)| format!("{} {why}", count(entries)))
        .collect()
}

/// Describes the rule of an item, with the class that it belongs to.
pub fn rule_of(item: &PlannedPurge) -> String {
    match &item.class {
        Some(class) => format!("{class}: {}", item.rule),
        None => item.rule.clone(),
    }
}

/// Describes how many entries and parts of entries a plan takes.
pub fn things(plan: &PurgePlan) -> String {
    let entries = counted(plan.count, "entry", "entries");
    match (plan.count, plan.parts) {
        (_, 0) => entries,
        (0, parts) => counted(parts, "part of an entry", "parts of entries"),
        (_, parts) => {
            let parts = counted(parts, "part of others", "parts of others");
            format!("{entries} and {parts}")
        }
    }
}

/// Describes a plan in one line, as something that would happen.
pub fn summary(plan: &PurgePlan, zone: &Zone) -> String {
    let text = match (plan.oldest, plan.newest) {
        (Some(oldest), Some(newest)) if !plan.items.is_empty() => format!(
            "would purge {} archived {}: {} of sources and reports, {}",
            things(plan),
            period(&zone.short(oldest), &zone.short(newest)),
            size(plan.bytes_logical),
            on_disk(plan)
        ),
        _ => "would purge nothing".to_owned(),
    };
    std::iter::once(text)
        .chain(kept(plan))
        .collect::<Vec<_>>()
        .join("; ")
}

fn period(oldest: &str, newest: &str) -> String {
    if oldest == newest {
        return oldest.to_owned();
    }
    format!("from {oldest} to {newest}")
}

/// Describes how much a plan frees on disk, and how much of that at once.
pub fn on_disk(plan: &PurgePlan) -> String {
    let all = size(plan.bytes_freed);
    if plan.bytes_freed_at_once >= plan.bytes_freed {
        return format!("{all} on disk");
    }
    let at_once = size(plan.bytes_freed_at_once);
    format!("{all} on disk ({at_once} at once, the rest when half of its packs is unneeded)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_never_speaks_in_the_past_tense() {
        assert_eq!(
            summary(&PurgePlan::sample(), &Zone::Utc),
            "would purge 1 entry archived 2026-03-01 07:30:00Z: \
             4.0 KiB of sources and reports, 2.0 KiB on disk; 2 kept by holds"
        );
        let nothing = PurgePlan {
            count: 0,
            items: Vec::new(),
            oldest: None,
            newest: None,
            held_skipped: 0,
            ..PurgePlan::sample()
        };
        assert_eq!(summary(&nothing, &Zone::Utc), "would purge nothing");
    }
}
