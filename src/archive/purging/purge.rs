//! Purges entries: a plan is made and shown, then recorded, then its bytes are freed.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::archive::appending::locks::{Locks, keeps};
use crate::archive::appending::purge_facts::{logical_bytes, purge_facts};
use crate::archive::files::event_line::decode;
use crate::archive::handle::Archive;
use crate::archive::purging::footprint::{Needs, Sizes};
use crate::archive::state::compact_outcome::CompactOutcome;
use crate::entry::{Entry, Part, Status};
use crate::index::{View, is_same_name};
use crate::retention::{
    AsOf, Candidate, EmptyPolicy, Leaving, Planner, Policy, PurgePlan, Spared, Unconverted,
};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// What a purge did. It is on record, whether or not its bytes could be freed.
#[derive(Debug)]
#[non_exhaustive]
pub struct PurgeOutcome {
    /// The durable record: these entries are gone.
    pub recorded: RecordedPurge,
    /// The result of freeing their bytes. After an error the entries are gone nevertheless;
    /// [`Archive::compact`], the next purge and the next opening for writing free what is left.
    pub reclaim: Result<CompactOutcome>,
}

/// A purge as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecordedPurge {
    /// Entries that were purged.
    pub archives_purged: u64,
    /// Parts that went of entries that stay.
    pub parts_purged: u64,
    /// When the oldest of them was archived.
    pub oldest_purged: Option<Timestamp>,
    /// When the newest of them was archived.
    pub newest_purged: Option<Timestamp>,
    /// The reason, in a person's words.
    pub reason: String,
    /// The plan that was carried out.
    pub plan_id: String,
    /// Until when the purge can be undone; `None` when it is final.
    pub final_at: Option<Timestamp>,
}

impl PurgeOutcome {
    /// Returns the bytes that were freed: those the packs shrank by, and those of content in the
    /// journal, which is overwritten there. 0 when freeing them failed.
    pub fn bytes_freed(&self) -> u64 {
        self.reclaim.as_ref().map_or(0, |done| done.bytes_freed)
    }
}

/// Why bytes could not be freed, as `--json` has errors.
#[derive(Serialize)]
pub(in crate::archive) struct ReclaimError<'a> {
    kind: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
}

impl<'a> ReclaimError<'a> {
    pub(in crate::archive) fn of(error: &'a Error) -> Self {
        Self {
            kind: error.kind().name(),
            message: error.message(),
            hint: error.next_step(),
        }
    }
}

/// Serializes all fields as one object. `reclaim_error` is null unless freeing the bytes failed.
impl Serialize for PurgeOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'a> {
            #[serde(flatten)]
            recorded: &'a RecordedPurge,
            bytes_freed: u64,
            reclaim_error: Option<ReclaimError<'a>>,
        }
        let error = self.reclaim.as_ref().err();
        let flat = Flat {
            recorded: &self.recorded,
            bytes_freed: self.bytes_freed(),
            reclaim_error: error.map(ReclaimError::of),
        };
        flat.serialize(serializer)
    }
}

impl Archive {
    /// Returns the plan of what `policy` would purge on a day. Changes nothing.
    ///
    /// Refused when the policy has no rule. Also refused when it asks the clock for the day and the
    /// log says that the clock may have jumped: a clock that is years ahead makes every entry old.
    pub fn plan_purge(&self, policy: &Policy, as_of: AsOf) -> Result<PurgePlan> {
        let now = match as_of {
            AsOf::Vouched(day) => day,
            AsOf::Clock if policy.asks_the_day() => self.trusted_now()?,
            AsOf::Clock => self.store().options.clock.now(),
        };
        if !policy.classes.is_empty() {
            return self.plan_by_classes(policy, now);
        }
        let view = self.store().index.view();
        let locks = self.locks_now(&view);
        let selected = |entry: &Entry| {
            let wanted = policy.converter.as_ref();
            wanted.is_none_or(|name| is_same_name(&entry.converter, name))
        };
        let sizes = Sizes::new(&self.store().journal, &view)?;
        let mut selection = Needs::of_all(&sizes);
        // When the whole store fits the limit, the selected part of it does too and is not
        // measured.
        let is_measured = policy
            .max_size
            .is_some_and(|limit| sizes.of_everything() > limit);
        let mut entries = 0;
        let mut stored = 0;
        if is_measured || policy.max_count.is_some() {
            walk_selected(&view, selected, |entry| {
                entries += 1;
                if is_measured {
                    stored += selection.add(entry)?;
                }
                Ok(())
            })?;
        }
        let mut planner =
            Planner::new(policy, now, view.applied(), entries, stored).map_err(empty_policy)?;
        let mut store = Needs::of_all(&sizes);
        walk_selected(&view, selected, |entry| {
            let candidate = Candidate {
                id: entry.id,
                archived_at: entry.archived_at,
                retention: entry.retention,
                spared: spared(entry, &locks, policy, now),
                bytes: logical_bytes(entry, Part::Entry),
            };
            planner.consider(&candidate, || {
                let of_selection = if is_measured {
                    selection.remove(entry, Part::Entry)?
                } else {
                    0
                };
                Ok(Leaving {
                    of_selection,
                    of_store: store.remove(entry, Part::Entry)?,
                })
            })
        })?;
        Ok(planner.finish(store.freed_at_once()?))
    }

    /// Carries a plan out: records it, then frees the bytes.
    ///
    /// Refused when the plan is empty, was altered, or is stale: holds, locks or purges came after
    /// it, or a lock keeps one of its entries. The refusal is recorded. On `Ok` the purge is
    /// durable, and [`PurgeOutcome::reclaim`] says whether its bytes are freed. On an error nothing
    /// was purged, except for the kinds `Poisoned` and `Io`: then the store must be opened again to
    /// learn whether it was.
    ///
    /// ```
    /// use annals::archive::{Archive, NewEntry};
    /// use annals::retention::{AsOf, Policy};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.put(NewEntry::new("ICT"), &b"old"[..])?;
    /// archive.put(NewEntry::new("ICT"), &b"new"[..])?;
    /// let plan = archive.plan_purge(&Policy::default().max_count(1), AsOf::Clock)?;
    /// assert_eq!(plan.count, 1);
    /// let done = archive.purge(&plan, "more than we keep")?;
    /// // On record in any case; the bytes may still be there.
    /// assert_eq!(done.recorded.archives_purged, 1);
    /// assert!(done.reclaim.is_ok());
    /// # archive.close()
    /// # }
    /// ```
    pub fn purge(&self, plan: &PurgePlan, reason: &str) -> Result<PurgeOutcome> {
        self.carry_out(plan, reason, None)
            .inspect_err(|error| self.note_refusal(plan, reason, error))
    }

    pub(super) fn carry_out(
        &self,
        plan: &PurgePlan,
        reason: &str,
        final_at: Option<Timestamp>,
    ) -> Result<PurgeOutcome> {
        if plan.items.is_empty() {
            return Err(Error::new(ErrorKind::Refused, "the plan takes nothing"));
        }
        if reason.trim().is_empty() {
            return Err(Error::new(ErrorKind::Refused, "a purge needs a reason")
                .hint("state it with --reason TEXT; it is recorded for good"));
        }
        self.refuse_stale(plan)?;
        self.refuse_locked(plan)?;
        // What the purge takes was signed before it, and that it was taken after it.
        self.checkpoint_if_signed();
        let final_at = final_at.filter(|_| plan.count > 0);
        self.record_purge(plan, reason, final_at)?;
        // Parts of entries that stay go at once.
        let reclaim = if final_at.is_none() || plan.parts > 0 {
            self.free_gone()
        } else {
            Ok(CompactOutcome::default())
        };
        self.checkpoint_if_signed();
        Ok(PurgeOutcome {
            recorded: RecordedPurge {
                archives_purged: plan.count,
                parts_purged: plan.parts,
                oldest_purged: plan.oldest,
                newest_purged: plan.newest,
                reason: reason.to_owned(),
                plan_id: plan.plan_id.clone(),
                final_at,
            },
            reclaim,
        })
    }

    /// Records a purge, and frees nothing.
    pub(in crate::archive) fn record_purge(
        &self,
        plan: &PurgePlan,
        reason: &str,
        final_at: Option<Timestamp>,
    ) -> Result<()> {
        let (plan, reason) = (plan.clone(), reason.to_owned());
        let clock = Arc::clone(&self.store().options.clock);
        self.record_facts(move |view| {
            let locks = Locks::at(view, Some(clock.now()));
            purge_facts(view, &locks, &plan, &reason, final_at)
        })?;
        Ok(())
    }

    /// Frees the bytes of what is gone for good, by record. Personal values go with their entries.
    pub(super) fn free_gone(&self) -> Result<CompactOutcome> {
        let reclaim = self.free_purged(None);
        let reclaim = reclaim.and_then(|done| self.scrub_index().map(|()| done));
        self.shrink_index_later();
        reclaim
    }

    /// Refuses a plan with an entry that a lock keeps. The writer looks again, by the same clock.
    /// But only here it is known whether that clock is in doubt.
    fn refuse_locked(&self, plan: &PurgePlan) -> Result<()> {
        let view = self.store().index.view();
        if view.locks().is_empty() {
            return Ok(());
        }
        let locks = self.locks_now(&view);
        for item in &plan.items {
            if let Some(entry) = view.entry(item.id)?
                && let Some(lock) = locks.keeping(&entry, plan.governance_locks())
            {
                return Err(Error::new(ErrorKind::Refused, keeps(&entry, &lock)));
            }
        }
        Ok(())
    }

    /// Refuses a stale plan: a hold was placed or released, or entries were purged, after it was
    /// made.
    fn refuse_stale(&self, plan: &PurgePlan) -> Result<()> {
        if plan.at_seq > self.newest() {
            return Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "plan {} is stale: it was made at event {}, which this store has not reached",
                    plan.plan_id, plan.at_seq
                ),
            )
            .hint("make a new plan with 'annals retention preview'"));
        }
        let newest = self.store().index.view().plans_stale_since();
        if newest <= plan.at_seq {
            return Ok(());
        }
        let leaf = self.events(newest, None)?.next().transpose()?;
        let event = leaf.map(|leaf| decode(newest, leaf.line.as_bytes()));
        let event = event.transpose()?;
        let kind = event.as_ref().map_or("unknown", |event| event.body.kind());
        Err(Error::new(
            ErrorKind::Refused,
            format!(
                "plan {} is stale: event {newest} ({kind}) came after it",
                plan.plan_id
            ),
        )
        .hint("make a new plan with 'annals retention preview' and look at it"))
    }
}

pub(super) fn empty_policy(error: EmptyPolicy) -> Error {
    Error::new(ErrorKind::Refused, error.to_string()).hint(
        "state at least one rule, such as --older-than 90d, --expired, --max-size or --max-count",
    )
}

/// Hands the selected live entries to `each`, oldest first, until one fails.
pub(super) fn walk_selected(
    view: &View,
    selected: impl Fn(&Entry) -> bool,
    mut each: impl FnMut(&Entry) -> Result<()>,
) -> Result<()> {
    let mut done = Ok(());
    view.walk_oldest(|entry| {
        if selected(&entry) {
            done = each(&entry);
        }
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    done
}

/// Returns what keeps an entry on a day, whatever the rules say.
pub(super) fn spared(
    entry: &Entry,
    locks: &Locks,
    policy: &Policy,
    now: Timestamp,
) -> Option<Spared> {
    if !entry.holds.is_empty() {
        Some(Spared::Held)
    } else if locks.keeping(entry, policy.governance_locks).is_some() {
        Some(Spared::Locked)
    } else if entry.waits_for_submission() {
        Some(Spared::Waiting)
    } else if policy.unconverted == Unconverted::Keep && waits_for_conversion(entry, now) {
        Some(Spared::Unconverted)
    } else {
        None
    }
}

fn waits_for_conversion(entry: &Entry, now: Timestamp) -> bool {
    entry.status == Status::Pending && now < entry.archived_at.plus_days(1)
}

#[cfg(test)]
mod tests;
