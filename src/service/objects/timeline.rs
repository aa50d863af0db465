//! The timeline of an entry: each event that names it, in a sentence.

use std::borrow::Cow;

use serde::Serialize;

use super::event::Envelope;
use crate::Result;
use crate::archive::{Account, Archive, Leaf};
use crate::entry::Part;
use crate::event::{ActorKind, Body};
use crate::id::{EntryId, EventSeq};
use crate::service::entries::accessed_words;
use crate::service::time::Zone;
use crate::service::words::{counted, size};
use crate::time::Timestamp;

/// One event of an entry's life.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// The number of the event.
    #[serde(rename = "event")]
    pub seq: EventSeq,
    /// Its type in full.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was recorded.
    #[serde(rename = "at")]
    pub time: Timestamp,
    /// Who caused it.
    #[serde(rename = "by")]
    pub actor: Option<String>,
    /// The pseudonym of the actor, where the log has one.
    pub pseudonym: Option<String>,
    /// What it says about the entry, in a sentence.
    pub summary: String,
    /// What caused it: a person, a service or annals itself.
    #[serde(skip)]
    pub actor_kind: Option<ActorKind>,
    /// The fact itself, with its personal values; `None` when it cannot be read.
    #[serde(skip)]
    pub fact: Option<Box<Body>>,
}

/// Returns the events that name the entry. None is older than the entry's first event.
pub fn timeline(archive: &Archive, id: EntryId, zone: &Zone) -> Result<Vec<Moment>> {
    TimelinePart::read(archive, id, zone, id.event(), u64::MAX).map(|part| part.moments)
}

/// The events that name an entry, as far as the log was looked through.
#[derive(Debug)]
pub struct TimelinePart {
    /// The events, the oldest first.
    pub moments: Vec<Moment>,
    /// Where to look on; `None` when the log was looked through to its end.
    pub next: Option<EventSeq>,
}

impl TimelinePart {
    /// Looks through at most `events` events of the log, from `from` on.
    pub fn read(
        archive: &Archive,
        id: EntryId,
        zone: &Zone,
        from: EventSeq,
        events: u64,
    ) -> Result<Self> {
        let from = from.max(id.event());
        let last = EventSeq(from.0.saturating_add(events.saturating_sub(1)));
        let mut life = Life::of(Some(archive), id);
        let mut moments = Vec::new();
        for leaf in archive.events(from, Some(last))? {
            if let Some(mut moment) = life.moment(&leaf?) {
                moment.time = zone.exact(moment.time);
                moments.push(moment);
            }
        }
        let next = (last < archive.newest()).then(|| EventSeq(last.0 + 1));
        Ok(Self { moments, next })
    }
}

/// Selects the events of one entry.
struct Life<'a> {
    /// What reveals personal values; without it they stay absent.
    archive: Option<&'a Archive>,
    id: EntryId,
    /// How an event's JSON names this entry. Searching for this text avoids parsing unrelated
    /// events.
    spelled: String,
    /// Names of the holds on the entry. The event that releases a hold names only the hold.
    holds: Vec<String>,
}

impl<'a> Life<'a> {
    fn of(archive: Option<&'a Archive>, id: EntryId) -> Self {
        Self {
            archive,
            id,
            spelled: format!("\"entry\":{id}"),
            holds: Vec::new(),
        }
    }

    fn moment(&mut self, leaf: &Leaf) -> Option<Moment> {
        let may_concern = leaf.seq == self.id.event()
            || leaf.line.contains(&self.spelled)
            || leaf.line.contains("\"annals.hold.")
            || leaf.line.contains("\"annals.purge")
            || leaf.line.contains("\"annals.accessed.")
            || leaf.line.contains("\"annals.erased.");
        if !may_concern {
            return None;
        }
        // An unreadable event does not hide the others. `annals verify` finds it.
        let Ok(envelope) = Envelope::of(leaf) else {
            return None;
        };
        let (body, account) = self.revealed(leaf, &envelope);
        let summary = match &body {
            Some(body) => self.summary(leaf.seq, body.clone()),
            None => Some("it cannot be read: 'annals verify' says why".to_owned()),
        };
        let actor = envelope.authid.map(Cow::into_owned);
        let (actor, pseudonym) = match account {
            Some(account) => (account.name.or_else(|| actor.clone()), actor),
            None => (actor, None),
        };
        summary.map(|summary| Moment {
            seq: leaf.seq,
            kind: envelope.kind.into_owned(),
            time: envelope.time,
            actor,
            pseudonym,
            summary,
            actor_kind: envelope.authtype,
            fact: body.map(Box::new),
        })
    }

    /// Returns the fact of an event with its personal values, and whom its pseudonym stands for.
    fn revealed(&self, leaf: &Leaf, envelope: &Envelope<'_>) -> (Option<Body>, Option<Account>) {
        match self.archive.map(|archive| archive.reveal(leaf)) {
            Some(Ok(revealed)) => (Some(revealed.event.body), revealed.account),
            Some(Err(_)) => (None, None),
            None => {
                let body = Body::from_json(&envelope.kind, envelope.data.get());
                (body.ok(), None)
            }
        }
    }

    /// Describes what the event says about this entry, if anything.
    fn summary(&mut self, seq: EventSeq, body: Body) -> Option<String> {
        match body {
            Body::Archived(archived) if seq == self.id.event() => {
                let duplicate = if archived.duplicate {
                    ", content already stored"
                } else {
                    ""
                };
                Some(format!(
                    "archived {} for {}, {}{duplicate}",
                    archived.source.name,
                    archived.converter,
                    size(archived.blob.size)
                ))
            }
            Body::Converted(converted) if converted.entry == self.id => {
                let reports = converted.reports.len() as u64;
                let mut parts = vec![format!(
                    "attempt {} by {}: {}",
                    converted.attempt, converted.converter, converted.outcome
                )];
                if reports > 0 {
                    parts.push(counted(reports, "report", "reports"));
                }
                parts.extend(
                    converted
                        .submit
                        .map(|place| format!("to be submitted to {place}")),
                );
                parts.extend(converted.job.map(|job| format!("job {job}")));
                parts.extend(converted.error);
                let suspicious = converted.suspicious.iter();
                parts.extend(suspicious.map(|why| format!("suspicious: {why}")));
                Some(parts.join(", "))
            }
            Body::SubmitIntended(intended) if intended.entry == self.id => {
                let corrects = intended.corrects.map(|corrected| {
                    let (id, attempt) = (corrected.report_id, corrected.attempt);
                    format!(", as a correction of {id} of attempt {attempt}")
                });
                Some(format!(
                    "report of attempt {} to be sent to {} under key {:.12}{}",
                    intended.attempt,
                    intended.endpoint,
                    intended.key,
                    corrects.unwrap_or_default()
                ))
            }
            Body::SubmitRejected(rejected) if rejected.entry == self.id => Some(format!(
                "report of attempt {} rejected by {} ({}): {}",
                rejected.attempt, rejected.endpoint, rejected.status, rejected.text
            )),
            Body::Reported(reported) if reported.entry == self.id => {
                let endpoint = reported.endpoint.map(|place| format!(" to {place}"));
                Some(format!(
                    "report of attempt {} submitted{} as {}",
                    reported.attempt,
                    endpoint.unwrap_or_default(),
                    reported.report_id
                ))
            }
            Body::SourceCleared(fact) if fact.entry == self.id => Some(format!(
                "source file {}",
                fact.how.words(fact.path.as_deref())
            )),
            Body::Annotated(note) if note.entry == self.id => Some(note.summary()),
            Body::Accessed(fact) if fact.entries.contains(self.id) => Some(accessed_words(&fact)),
            Body::HoldPlaced(hold) if hold.entries.contains(self.id) => {
                let summary = format!("held by {}: {}", hold.name, hold.reason);
                self.holds.push(hold.name);
                Some(summary)
            }
            Body::HoldReleased(hold) if self.holds.contains(&hold.name) => {
                self.holds.retain(|name| *name != hold.name);
                Some(format!("released by {}: {}", hold.name, hold.reason))
            }
            Body::PurgedEntries(purged) if purged.entries.contains(self.id) => {
                let what = match purged.what() {
                    Part::Entry => String::new(),
                    part => format!("{part} "),
                };
                Some(format!(
                    "{what}purged by rule {}, plan {}: {}",
                    purged.rule, purged.plan_id, purged.reason
                ))
            }
            Body::PurgeUndone(undone) if undone.entries.contains(self.id) => Some(format!(
                "the purge by plan {} was undone: {}",
                undone.plan_id, undone.reason
            )),
            Body::PurgeFinalized(ended) if ended.entries.contains(self.id) => {
                Some(format!("the purge by plan {} is final", ended.plan_id))
            }
            Body::Erased(erased) if erased.entries.contains(self.id) => {
                Some(format!("erased {}: {}", erased.field, erased.reason))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(seq: u64, kind: &str, data: &str) -> Leaf {
        Leaf {
            seq: EventSeq(seq),
            line: format!(
                r#"{{"specversion":"1.0","type":"annals.{kind}.v1","time":"2026-03-01T08:30:00+01:00","authid":"mia","data":{data}}}"#
            ),
            raw: None,
        }
    }

    #[test]
    fn the_timeline_of_an_entry_leaves_out_other_entries() {
        let mut life = Life::of(None, EntryId(47));
        let mut told = |leaf: Leaf| {
            let moment = life.moment(&leaf);
            moment.map(|moment| moment.summary)
        };
        let of = |entry: u64| {
            format!(
                r#"{{"entry":{entry},"attempt":1,"report":0,"report_id":"R-9","endpoint":"http://x"}}"#
            )
        };
        let hold = |name: &str, ranges: &str| {
            format!(r#"{{"name":"{name}","reason":"audit","entries":{ranges}}}"#)
        };
        assert_eq!(
            told(leaf(50, "reported", &of(47))).as_deref(),
            Some("report of attempt 1 submitted to http://x as R-9")
        );
        assert_eq!(told(leaf(51, "reported", &of(470))), None);
        assert_eq!(told(leaf(52, "reported", &of(4))), None);
        assert_eq!(
            told(leaf(53, "hold.placed", &hold("h", "[[40,50]]"))).as_deref(),
            Some("held by h: audit")
        );
        assert_eq!(told(leaf(54, "hold.placed", &hold("g", "[[1,46]]"))), None);
        assert_eq!(
            told(leaf(55, "hold.released", r#"{"name":"g","reason":"over"}"#)),
            None
        );
        assert_eq!(
            told(leaf(56, "hold.released", r#"{"name":"h","reason":"over"}"#)).as_deref(),
            Some("released by h: over")
        );
    }

    #[test]
    fn a_leaf_that_cannot_be_read_is_told_as_such_and_not_left_out() {
        let broken = leaf(47, "archived", r#"{"converter":1}"#);
        let moment = Life::of(None, EntryId(47)).moment(&broken).expect("told");
        assert_eq!(moment.kind, "annals.archived.v1");
        assert!(
            moment.summary.starts_with("it cannot be read"),
            "{}",
            moment.summary
        );
    }
}
