//! What was purged: who, why, how much, and whether it came back. Read from the log, newest first.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Result;
use crate::archive::{Archive, Leaf};
use crate::event::{Body, PurgePlanned};
use crate::id::EventSeq;
use crate::service::time::Zone;
use crate::time::Timestamp;

/// Events that are read at a time.
const BLOCK: u64 = 2_000;
/// The most events that one answer looks at.
const LOOKED_AT_MAX: u64 = 100_000;
/// Events of one purge that are looked at for one with entries.
const MAX_GROUPS: usize = 200;
/// Stands in the line of each event about purges.
const MARK: &str = "\"annals.purge";

/// A purge on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PurgeRecord {
    /// The event that records its plan.
    pub seq: EventSeq,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who caused it, as far as that is known.
    pub by: Option<String>,
    /// The plan that was carried out.
    pub plan_id: String,
    /// The rules, in the words of the log.
    pub rules: Vec<String>,
    /// Why, in a person's words.
    pub reason: String,
    /// Number of entries.
    pub entries: u64,
    /// Number of parts of entries that stay.
    pub parts: u64,
    /// Bytes of their sources and reports.
    pub bytes_logical: u64,
    /// Until when it could be undone; `None` when it was final at once.
    pub final_at: Option<Timestamp>,
    /// How it ended.
    pub ended: Ended,
}

/// How a purge ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Ended {
    /// It was final at once, or its grace period is over.
    Final {
        /// Why somebody did not wait for the end of the grace period.
        reason: Option<String>,
    },
    /// It was undone.
    Undone {
        /// Why; unknown when that is too far away in the log.
        reason: Option<String>,
        /// Who did it.
        by: Option<String>,
    },
    /// It can still be undone.
    Pending,
}

/// A part of the history of purges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct History {
    /// The purges, the newest first.
    pub purges: Vec<PurgeRecord>,
    /// The oldest event that was looked at.
    pub looked_back_to: EventSeq,
    /// When that was recorded.
    pub looked_back_to_time: Option<Timestamp>,
    /// Whether there are older events to look at.
    pub more: bool,
}

/// Returns up to `most` purges that were recorded before the event `before`. Looks at a bounded
/// number of events.
pub fn history(
    archive: &Archive,
    before: Option<EventSeq>,
    most: usize,
    zone: &Zone,
) -> Result<History> {
    let newest = archive.newest().0;
    let end = before.map_or(newest + 1, |seq| seq.0.clamp(1, newest + 1));
    let mut first = end;
    let mut found = Found {
        archive,
        zone,
        endings: BTreeMap::new(),
        purges: Vec::new(),
    };
    let mut oldest = None;
    while first > 1 && end - first < LOOKED_AT_MAX && found.purges.len() < most {
        let from = first.saturating_sub(BLOCK).max(1);
        let leaves = archive.events(EventSeq(from), Some(EventSeq(first - 1)))?;
        let mut of_purges = Vec::new();
        oldest = None;
        for leaf in leaves {
            let leaf = leaf?;
            if oldest.is_none() {
                oldest = time_of(&leaf);
            }
            if leaf.line.contains(MARK) {
                of_purges.push(leaf);
            }
        }
        first = from;
        for leaf in of_purges.iter().rev() {
            found.add(leaf)?;
            if found.purges.len() == most {
                first = leaf.seq.0;
                oldest = time_of(leaf);
                break;
            }
        }
    }
    Ok(History {
        purges: found.purges,
        looked_back_to: EventSeq(first),
        looked_back_to_time: oldest.map(|time| zone.exact(time)),
        more: first > 1,
    })
}

fn time_of(leaf: &Leaf) -> Option<Timestamp> {
    let envelope = crate::service::objects::Envelope::of(leaf).ok()?;
    Some(envelope.time)
}

struct Found<'a> {
    archive: &'a Archive,
    zone: &'a Zone,
    /// How plans ended, by their ids: an ending comes after its purge, and is met before it.
    endings: BTreeMap<String, Ended>,
    purges: Vec<PurgeRecord>,
}

impl Found<'_> {
    fn add(&mut self, leaf: &Leaf) -> Result<()> {
        // An event that cannot be read is told by `verify`; the others are told here.
        let Ok(revealed) = self.archive.reveal(leaf) else {
            return Ok(());
        };
        let by = match revealed.account {
            Some(account) => account.name,
            None => None,
        };
        let by = by.or(Some(revealed.event.actor.id));
        match revealed.event.body {
            Body::PurgeUndone(fact) => {
                let reason = Some(fact.reason);
                let ended = Ended::Undone { reason, by };
                self.endings.insert(fact.plan_id, ended);
            }
            Body::PurgeFinalized(fact) => {
                let ended = Ended::Final {
                    reason: fact.reason,
                };
                self.endings.insert(fact.plan_id, ended);
            }
            Body::PurgePlanned(fact) => {
                let ended = match self.endings.remove(&fact.plan_id) {
                    Some(ended) => ended,
                    None => self.how_it_ended(leaf.seq, &fact)?,
                };
                self.purges.push(PurgeRecord {
                    seq: leaf.seq,
                    at: self.zone.exact(revealed.event.time),
                    by,
                    plan_id: fact.plan_id,
                    rules: fact.rules,
                    reason: fact.reason,
                    entries: fact.count,
                    parts: fact.parts,
                    bytes_logical: fact.bytes_logical,
                    final_at: fact.final_at.map(|time| self.zone.exact(time)),
                    ended,
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Asks one of its entries how a purge ended whose end was not met.
    fn how_it_ended(&self, planned: EventSeq, fact: &PurgePlanned) -> Result<Ended> {
        let is_final = Ended::Final { reason: None };
        if fact.final_at.is_none() {
            return Ok(is_final);
        }
        let snapshot = self.archive.snapshot()?;
        let behind = EventSeq(planned.0 + 1);
        for leaf in self.archive.events(behind, None)?.take(MAX_GROUPS) {
            let leaf = leaf?;
            let Ok(revealed) = self.archive.reveal(&leaf) else {
                continue;
            };
            let Body::PurgedEntries(purged) = revealed.event.body else {
                break;
            };
            // A part of an entry that stays goes at once, and says nothing of the others.
            if purged.plan_id != fact.plan_id || purged.final_at.is_none() {
                continue;
            }
            let Some(id) = purged.entries.iter().next() else {
                continue;
            };
            let entry = snapshot.entry(id)?;
            let by_this = entry.filter(|entry| entry.purged_at == Some(revealed.event.time));
            return Ok(match by_this {
                Some(entry) if entry.final_at.is_some() => Ended::Pending,
                Some(_) => is_final,
                None => Ended::Undone {
                    reason: None,
                    by: None,
                },
            });
        }
        Ok(is_final)
    }
}
