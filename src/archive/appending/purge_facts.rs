//! The facts that a purge is recorded as.

use std::collections::BTreeMap;

use crate::archive::appending::locks::{Locks, keeps};
use crate::archive::messages::Draft;
use crate::entry::{Entry, Part};
use crate::event::{Body, EntryRanges, PartName, PurgePlanned, PurgedEntries};
use crate::id::EntryId;
use crate::index::View;
use crate::retention::PurgePlan;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The most entries one event lists: so many ids always fit one leaf, however scattered they are.
pub(in crate::archive) const PURGED_PER_EVENT: usize = 1_500;

/// Why something goes, and what of it: entries with the same are in one event.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Why<'a> {
    part: Part,
    rule: &'a str,
    class: Option<&'a str>,
    /// Governance locks that are bypassed.
    bypassed: Vec<String>,
}

/// Returns the facts that a plan becomes, if every entry of it may still go.
///
/// The writer calls this. No hold can be placed between this check and the record of the purge,
/// because both go through the writer.
pub(in crate::archive) fn purge_facts(
    view: &View,
    locks: &Locks,
    plan: &PurgePlan,
    reason: &str,
    final_at: Option<Timestamp>,
) -> Result<Vec<Draft>> {
    let stale = |why: String| {
        Error::new(
            ErrorKind::Refused,
            format!("plan {} is stale: {why}", plan.plan_id),
        )
        .hint("make a new plan with 'annals retention preview' and look at it")
    };
    if plan.digest() != plan.plan_id {
        return Err(stale("it was changed after it was made".to_owned()));
    }
    // Entries with their bytes, by what goes of them and the rule that takes it.
    let mut by_rule: BTreeMap<Why<'_>, Vec<(EntryId, u64)>> = BTreeMap::new();
    for item in &plan.items {
        let entry = view
            .entry(item.id)?
            .ok_or_else(|| stale(format!("entry {} is not in this store", item.id)))?;
        if entry.purged_at.is_some() {
            return Err(stale(format!("entry {} was purged meanwhile", item.id)));
        }
        if let Some(hold) = entry.holds.first() {
            return Err(stale(format!(
                "entry {} is on hold '{hold}' by now",
                item.id
            )));
        }
        if entry.waits_for_submission() && !plan.takes_waiting() {
            return Err(stale(format!(
                "a report of entry {} waits to be submitted by now",
                item.id
            )));
        }
        let gone = entry.contents_of(item.part).next().is_none();
        if item.part != Part::Entry && gone {
            let (part, id) = (item.part, item.id);
            return Err(stale(format!("the {part} of entry {id} went meanwhile")));
        }
        if let Some(lock) = locks.keeping(&entry, plan.governance_locks()) {
            return Err(stale(keeps(&entry, &lock)));
        }
        let why = Why {
            part: item.part,
            rule: &item.rule,
            class: item.class.as_deref(),
            bypassed: locks.on(&entry).map(|lock| lock.name).collect(),
        };
        let going = by_rule.entry(why).or_default();
        going.push((item.id, logical_bytes(&entry, item.part)));
    }
    let bytes_of = |going: &[(EntryId, u64)]| going.iter().map(|(_, bytes)| bytes).sum();
    let mut facts = vec![Draft::fact(Body::PurgePlanned(PurgePlanned {
        plan_id: plan.plan_id.clone(),
        at_seq: plan.at_seq,
        effective_now: plan.effective_now,
        rules: plan.rules.clone(),
        count: plan.count,
        parts: plan.parts,
        bytes_logical: by_rule
            .values()
            .map(|going| -> u64 { bytes_of(going) })
            .sum(),
        held_skipped: plan.held_skipped,
        waiting_skipped: plan.waiting_skipped,
        locked_skipped: plan.locked_skipped,
        reason: reason.to_owned(),
        final_at,
    }))];
    for (why, going) in by_rule {
        for some in going.chunks(PURGED_PER_EVENT) {
            facts.push(Draft::fact(Body::PurgedEntries(PurgedEntries {
                plan_id: plan.plan_id.clone(),
                rule: why.rule.to_owned(),
                class: why.class.map(str::to_owned),
                bypassed: why.bypassed.clone(),
                part: PartName::of(why.part),
                through: why.part.through(),
                reason: reason.to_owned(),
                entries: EntryRanges::of(some.iter().map(|(id, _)| *id)),
                count: some.len() as u64,
                bytes_logical: bytes_of(some),
                // A part of an entry that stays goes at once.
                final_at: final_at.filter(|_| why.part == Part::Entry),
            })));
        }
    }
    Ok(facts)
}

/// Returns the bytes of the sources and reports that a purge of `part` takes.
pub(in crate::archive) fn logical_bytes(entry: &Entry, part: Part) -> u64 {
    let sizes = entry.contents_of(part).map(|(_, bytes)| bytes);
    sizes.fold(0, u64::saturating_add)
}
