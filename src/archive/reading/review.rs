//! What happened in a range of the log, for somebody who reviews it, and the record of the review.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::archive::reading::notable::{Notable, notable};
use crate::archive::reading::read::Leaf;
use crate::entry::Outcome;
use crate::event::{Body, Event, Reviewed, Verdict};
use crate::id::EventSeq;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The longest reason that is recorded, in bytes.
const REASON_BYTES_MAX: usize = 4 << 10;
/// The most notable events that a plan lists.
const NOTABLE_MAX: usize = 500;

/// One end of the range that is to be reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReviewEdge {
    /// This event, included at either end.
    Event(EventSeq),
    /// The first event at or after this time; as the end, the last event before the first one at or
    /// after it.
    Time(Timestamp),
}

/// What a reviewer is shown before the review is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReviewPlan {
    /// The first event.
    pub from: EventSeq,
    /// The last event.
    pub to: EventSeq,
    /// The newest review that is on record.
    pub last_review: Option<EventSeq>,
    /// The events that the newest review did not reach and that this one leaves out, too.
    pub left_out: Option<(EventSeq, EventSeq)>,
    /// How many events of each type.
    pub counts: BTreeMap<String, u64>,
    /// How many events each account caused.
    pub actors: BTreeMap<String, u64>,
    /// How many attempts of each converter did not succeed.
    pub failures: BTreeMap<String, u64>,
    /// What a reviewer looks at one by one, oldest first: purges, holds, notes, keys, repairs,
    /// changes of the configuration and the like.
    pub notable: Vec<Notable>,
    /// How many more of these there are.
    pub more_notable: u64,
}

impl Archive {
    /// Returns what happened in a range of the log. Without a start it begins after the newest
    /// review, without an end it goes up to the newest event. Changes nothing.
    ///
    /// Reads every event of the range; with a time, every event of the log.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no event in the range.
    pub fn plan_review(
        &self,
        from: Option<ReviewEdge>,
        to: Option<ReviewEdge>,
    ) -> Result<ReviewPlan> {
        let reviewed = self.newest_review()?;
        let after = reviewed.as_ref().map_or(EventSeq(1), |(seq, fact)| {
            // A range that ends after its own review was never looked at.
            fact.to.min(EventSeq(seq.0 - 1)).next()
        });
        let newest = self.newest();
        let first = match from {
            None => after,
            Some(ReviewEdge::Event(seq)) => seq.max(EventSeq(1)),
            Some(ReviewEdge::Time(time)) => self.first_since(time)?,
        };
        let last = match to {
            None => newest,
            Some(ReviewEdge::Event(seq)) => seq.min(newest),
            Some(ReviewEdge::Time(time)) => EventSeq(self.first_since(time)?.0 - 1),
        };
        if first > last {
            return Err(nothing(first, reviewed.map(|(seq, _)| seq), newest));
        }
        let mut plan = ReviewPlan {
            from: first,
            to: last,
            last_review: reviewed.map(|(seq, _)| seq),
            left_out: (after < first).then(|| (after, EventSeq(first.0 - 1))),
            counts: BTreeMap::new(),
            actors: BTreeMap::new(),
            failures: BTreeMap::new(),
            notable: Vec::new(),
            more_notable: 0,
        };
        for leaf in self.events(first, Some(last))? {
            plan.add(&leaf?);
        }
        Ok(plan)
    }

    /// Records that the range of a plan was reviewed. The reviewer is the actor of this handle.
    /// Durable on `Ok`.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::event::Verdict;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.put(NewEntry::new("ICT"), &b"content"[..])?;
    /// let plan = archive.plan_review(None, None)?;
    /// assert_eq!(plan.counts["annals.archived.v1"], 1);
    /// let event = archive.record_review(&plan, Verdict::Accepted, "as expected")?;
    /// // The review itself is what the next one begins with.
    /// assert_eq!(archive.plan_review(None, None)?.from, event);
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` without a reason, and with one of more than 4 KiB.
    pub fn record_review(
        &self,
        plan: &ReviewPlan,
        verdict: Verdict,
        reason: &str,
    ) -> Result<EventSeq> {
        if reason.trim().is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "a review needs a reason")
                .hint("say with --reason TEXT what was looked at; it is recorded for good"));
        }
        if reason.len() > REASON_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "the reason has {} bytes; at most {REASON_BYTES_MAX} are recorded",
                    reason.len()
                ),
            ));
        }
        self.append_fact(Draft::fact(Body::Reviewed(Reviewed {
            from: plan.from,
            to: plan.to,
            counts: plan.counts.clone(),
            verdict: verdict.name().to_owned(),
            reason: reason.to_owned(),
        })))
    }

    /// Returns the newest review that is on record, with its event.
    pub fn newest_review(&self) -> Result<Option<(EventSeq, Reviewed)>> {
        let Some(seq) = self.store().index.view().evidence().review else {
            return Ok(None);
        };
        let leaf = self.events(seq, Some(seq))?.next().transpose()?;
        let event = leaf.map(|leaf| leaf.event()).transpose()?;
        Ok(match event.map(|event| event.body) {
            Some(Body::Reviewed(fact)) => Some((seq, fact)),
            _ => None,
        })
    }

    /// Returns the first event at or after a time; one past the newest when there is none.
    fn first_since(&self, time: Timestamp) -> Result<EventSeq> {
        for leaf in self.events(EventSeq(1), None)? {
            let leaf = leaf?;
            if leaf.event().is_ok_and(|event| event.time >= time) {
                return Ok(leaf.seq);
            }
        }
        Ok(self.newest().next())
    }
}

impl ReviewPlan {
    fn add(&mut self, leaf: &Leaf) {
        let Ok(event) = leaf.event() else {
            count(&mut self.counts, "unreadable");
            return self.list(Notable::unreadable(leaf.seq));
        };
        count(&mut self.counts, event.body.kind());
        count(&mut self.actors, &event.actor.id);
        self.note_failure(&event);
        if let Some(notable) = notable(&event) {
            self.list(notable);
        }
    }

    fn note_failure(&mut self, event: &Event) {
        if let Body::Converted(fact) = &event.body
            && matches!(fact.outcome, Outcome::Failed | Outcome::Rejected)
        {
            count(&mut self.failures, &fact.converter);
        }
    }

    fn list(&mut self, notable: Notable) {
        if self.notable.len() < NOTABLE_MAX {
            self.notable.push(notable);
        } else {
            self.more_notable += 1;
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, what: &str) {
    match counts.get_mut(what) {
        Some(count) => *count += 1,
        None => _ = counts.insert(what.to_owned(), 1),
    }
}

fn nothing(first: EventSeq, reviewed: Option<EventSeq>, newest: EventSeq) -> Error {
    let told = match reviewed {
        Some(review) if first > newest => {
            format!("there is nothing to review since event {review}, the newest review")
        }
        _ => format!("there is no event in that range; the newest is {newest}"),
    };
    Error::new(ErrorKind::NotFound, told)
}
