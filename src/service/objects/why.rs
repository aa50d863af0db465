//! Why an entry is still in the store, and when it may go.

use serde::Serialize;

use crate::Result;
use crate::archive::{KeepReason, MayGo, WhyKept};
use crate::complete::Complete;
use crate::entry::Entry;
use crate::id::EntryId;
use crate::service::desk::Desk;
use crate::service::time::Zone;
use crate::time::Timestamp;

/// Why an entry is still in the store, and when it may go.
#[derive(Debug, Serialize)]
pub struct WhyObject {
    /// The entry.
    id: EntryId,
    /// What keeps it.
    reasons: Vec<Complete<KeepReason>>,
    /// Whether it may go.
    may_go: MayGo,
    /// The first moment at which it may go, as far as that is known.
    earliest: Option<Timestamp>,
    /// The conclusion in a sentence.
    text: String,
}

impl WhyObject {
    /// Returns the object of an answer, with times in `zone`.
    pub fn new(id: EntryId, why: &WhyKept, zone: &Zone) -> Self {
        let reasons = why.reasons.iter();
        Self {
            id,
            reasons: reasons
                .map(|reason| Complete::new(in_zone(reason, zone), REASON_FIELDS))
                .collect(),
            may_go: why.may_go,
            earliest: why.earliest.map(|time| zone.exact(time)),
            text: conclusion(why, zone),
        }
    }
}

/// All fields that a reason can have.
const REASON_FIELDS: &[&str] = &[
    "kind",
    "retention",
    "until",
    "passed",
    "name",
    "reason",
    "placed_at",
    "mode",
    "attempt",
    "report",
    "endpoint",
    "since",
    "rules",
    "selects",
    "content",
    "sha256",
    "bytes",
    "references",
    "entries",
    "place",
];

/// Asks why an entry is kept. The rules of the configured host are asked about as well; for a
/// converter that it does not have, these are the classes.
pub fn why_kept(desk: &Desk, entry: &Entry) -> Result<WhyKept> {
    let policy = desk
        .config()
        .and_then(|config| match config.converter(&entry.converter) {
            Some(converter) => Some(config.retention_policy(converter)),
            None => config.retention_classes(),
        });
    desk.archive.why_kept(entry.id, policy.as_ref())
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

/// Returns the conclusion in a sentence.
pub fn conclusion(why: &WhyKept, zone: &Zone) -> String {
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
