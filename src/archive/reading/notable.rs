//! Events that a reviewer looks at one by one, each in a few words.

use serde::Serialize;

use crate::entry::Part;
use crate::event::{Accessed, Body, Erased, Event, JobStop, JobStopped};
use crate::id::EventSeq;
use crate::time::Timestamp;

/// An event that is rare and decides something: a purge, a hold, a note, a key, a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Notable {
    /// Its number.
    #[serde(rename = "event")]
    pub seq: EventSeq,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was recorded; `None` when it cannot be read.
    #[serde(rename = "at")]
    pub time: Option<Timestamp>,
    /// The account that caused it.
    #[serde(rename = "by")]
    pub actor: Option<String>,
    /// What it says, in a few words.
    pub summary: String,
}

impl Notable {
    pub(super) fn unreadable(seq: EventSeq) -> Self {
        Self {
            seq,
            kind: "unreadable".to_owned(),
            time: None,
            actor: None,
            summary: "it cannot be read: 'annals verify' says why".to_owned(),
        }
    }
}

/// Returns what there is to say of an event; `None` for the many that are only counted.
pub(super) fn notable(event: &Event) -> Option<Notable> {
    let summary = summary(&event.body)?;
    Some(Notable {
        seq: event.seq,
        kind: event.body.kind().to_owned(),
        time: Some(event.time),
        actor: Some(event.actor.id.clone()),
        summary,
    })
}

fn entries(count: u64) -> String {
    match count {
        1 => "1 entry".to_owned(),
        _ => format!("{count} entries"),
    }
}

fn accessed(fact: &Accessed) -> String {
    let door = fact.door.as_deref().map_or("", |_| " through the page");
    if fact.is_refused() {
        let from = fact.from.join(", ");
        return format!("{} refused by {}{door}, from {from}", fact.count, fact.how);
    }
    format!("{} by {}{door}", entries(fact.count), fact.how)
}

/// Returns whose value was erased.
fn erased(fact: &Erased) -> String {
    match &fact.actor {
        Some(pseudonym) => format!("the name of {pseudonym}"),
        None => {
            let count = fact.entries.iter().take(fact.digests.len()).count();
            entries(count as u64)
        }
    }
}

/// Says what an event does to a hold or a lock, or how a purge ended that could be undone.
fn about_keeping(body: &Body) -> Option<String> {
    Some(match body {
        Body::RetentionLocked(fact) => format!(
            "{}: {} for {}, {}",
            fact.name,
            fact.mode.name(),
            fact.keep,
            fact.reason
        ),
        Body::RetentionUnlocked(fact) => format!("{}: {}", fact.name, fact.reason),
        Body::HoldPlaced(fact) => format!("{}: {}", fact.name, fact.reason),
        Body::HoldReleased(fact) => format!("{}: {}", fact.name, fact.reason),
        Body::HoldReviewed(fact) => format!(
            "{} stays until it is reviewed at {}: {}",
            fact.name, fact.review, fact.reason
        ),
        Body::PurgeUndone(fact) => format!(
            "{} of plan {:.12} {} back: {}",
            entries(fact.count),
            fact.plan_id,
            if fact.count == 1 { "is" } else { "are" },
            fact.reason
        ),
        Body::PurgeFinalized(fact) => format!(
            "{} of plan {:.12}{}",
            entries(fact.count),
            fact.plan_id,
            match &fact.reason {
                Some(reason) => format!(", early: {reason}"),
                None => String::new(),
            }
        ),
        _ => return None,
    })
}

fn stopped(fact: &JobStopped) -> String {
    let how = match fact.how {
        JobStop::Paused => "paused",
        JobStop::Cancelled => "cancelled",
    };
    format!("job {} was {how}", fact.job)
}

fn summary(body: &Body) -> Option<String> {
    Some(match body {
        Body::PurgedEntries(fact) => format!(
            "{}{} by rule {}, plan {:.12}: {}",
            match fact.what() {
                Part::Entry => String::new(),
                part => format!("{part} of "),
            },
            entries(fact.count),
            fact.rule,
            fact.plan_id,
            fact.reason
        ),
        Body::PurgeRefused(fact) => {
            format!("{}, {}: {}", entries(fact.count), fact.refusal, fact.told)
        }
        Body::Annotated(fact) => format!("entry {}: {}", fact.entry, fact.summary()),
        Body::Repaired(fact) => format!(
            "{} files, {} ranges of events and {} contents were lost",
            fact.files.len(),
            fact.events.len(),
            fact.contents.len()
        ),
        Body::Lost(fact) => format!("stands for an event lost with {}", fact.file),
        Body::Recovered(fact) => {
            format!("{} bytes of a torn write were cut off", fact.bytes)
        }
        Body::StoreContinued(fact) => format!(
            "continues {} on {}, from event {}",
            fact.folder, fact.host, fact.event
        ),
        Body::ConfigChanged(fact) => fact.what.clone(),
        Body::ConverterPromoted(fact) => format!(
            "{} {:.16}, {}: {}",
            fact.converter,
            fact.converter_id,
            fact.grounds.name(),
            fact.reason
        ),
        Body::ConverterWaived(fact) => format!("{}: {}", fact.converter, fact.reason),
        Body::WaiverRevoked(fact) => format!(
            "{}, waiver {}: {}",
            fact.converter, fact.waiver, fact.reason
        ),
        Body::KeyCreated(fact) => format!("the log is signed with {}", fact.vkey),
        Body::KeyRotated(_) => "a new key took over, both signed that".to_owned(),
        Body::KeyLost(_) => "a new key, without the consent of the old one".to_owned(),
        Body::CheckpointCadence(fact) => format!(
            "signed every {} events or {} seconds",
            fact.every_events, fact.every_s
        ),
        Body::Exported(fact) => format!("{} events", fact.counts.events),
        Body::Verified(fact) => format!(
            "{}, up to event {}: {} findings",
            fact.depth, fact.upto, fact.findings
        ),
        Body::Reviewed(fact) => format!(
            "events {} to {} {}: {}",
            fact.from, fact.to, fact.verdict, fact.reason
        ),
        Body::Accessed(fact) => accessed(fact),
        Body::ClockStepped(fact) => format!("by {} ms, to {}", fact.step_ms, fact.found),
        Body::SubmitRejected(fact) => {
            format!("entry {}: {} {}", fact.entry, fact.status, fact.text)
        }
        Body::PrivacyDeclared(fact) => format!("personal: {}", fact.fields.join(", ")),
        Body::Erased(fact) => format!("{}, {}: {}", fact.field, erased(fact), fact.reason),
        Body::JobStopped(fact) => stopped(fact),
        Body::HoldPlaced(_)
        | Body::HoldReleased(_)
        | Body::HoldReviewed(_)
        | Body::PurgeUndone(_)
        | Body::PurgeFinalized(_)
        | Body::RetentionLocked(_)
        | Body::RetentionUnlocked(_) => about_keeping(body)?,
        Body::Unknown(_) => "a type that this version does not know".to_owned(),
        Body::StoreCreated(_)
        | Body::StoreOpened(_)
        | Body::Archived(_)
        | Body::Converted(_)
        | Body::SourceCleared(_)
        | Body::SubmitIntended(_)
        | Body::Reported(_)
        | Body::ConverterRegistered(_)
        | Body::ConverterEnvironment(_)
        | Body::ViewSaved(_)
        | Body::ViewDropped(_)
        | Body::PurgePlanned(_)
        | Body::Compacted(_)
        | Body::JobStarted(_)
        | Body::ActorNamed(_)
        | Body::JobSelected(_)
        | Body::JobResumed(_)
        | Body::JobFinished(_)
        | Body::CheckpointSigned(_)
        | Body::CheckpointTimestamped(_) => return None,
    })
}
