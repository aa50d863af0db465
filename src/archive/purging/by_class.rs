//! Plans a purge by the classes of a policy: first what is due, then what exceeds a limit.

use std::collections::HashSet;

use crate::Result;
use crate::archive::appending::locks::Locks;
use crate::archive::appending::purge_facts::logical_bytes;
use crate::archive::handle::Archive;
use crate::archive::purging::footprint::{Needs, Sizes};
use crate::archive::purging::purge::{empty_policy, spared, walk_selected};
use crate::entry::{Entry, Part};
use crate::id::EntryId;
use crate::index::{EntryMatcher, View, is_same_name};
use crate::retention::{
    Candidate, Class, Leaving, PlannedPurge, Planner, Policy, PurgePlan, Taken, Tally, over, taken,
};
use crate::time::Timestamp;

/// Finds the class of an entry.
pub(super) struct Classifier<'a> {
    matchers: Vec<EntryMatcher<'a>>,
}

impl<'a> Classifier<'a> {
    pub(super) fn new(classes: &'a [Class]) -> Self {
        let matchers = classes.iter().map(|class| EntryMatcher::new(&class.filter));
        Self {
            matchers: matchers.collect(),
        }
    }

    /// Returns the place of the first class that the entry matches.
    pub(super) fn class_of(&self, entry: &Entry) -> Option<usize> {
        self.matchers
            .iter()
            .position(|matcher| matcher.matches(entry))
    }
}

/// A plan in the making.
struct ByClass<'a> {
    policy: &'a Policy,
    classifier: Classifier<'a>,
    view: &'a View,
    now: Timestamp,
    locks: Locks,
    planner: Planner<'a>,
    /// What the store needs while items are taken.
    store: Needs<'a>,
    /// What each class needs, if it has a limit on size, and what is left of it.
    classes: Vec<(Option<Needs<'a>>, Tally)>,
    /// What the entries without a class need, if there is a limit on their size.
    others: Option<Needs<'a>>,
    /// Entries of which something goes because it is due, and such that something keeps.
    decided: HashSet<EntryId>,
}

impl Archive {
    /// Returns the plan of what the classes of `policy`, and its rules for other entries, take.
    pub(super) fn plan_by_classes(&self, policy: &Policy, now: Timestamp) -> Result<PurgePlan> {
        let view = self.store().index.view();
        let sizes = Sizes::new(&self.store().journal, &view)?;
        let measured = |limit: Option<u64>| limit.map(|_| Needs::of_all(&sizes));
        let mut classes: Vec<(Option<Needs<'_>>, Tally)> = (policy.classes.iter())
            .map(|class| (measured(class.max_size), Tally::default()))
            .collect();
        let mut others = measured(policy.max_size);
        let classifier = Classifier::new(&policy.classes);
        let mut rest = Tally::default();
        walk_selected(&view, selected(policy), |entry| {
            let (needs, tally) = match classifier.class_of(entry) {
                Some(place) => {
                    let (needs, tally) = &mut classes[place];
                    (needs, tally)
                }
                None => (&mut others, &mut rest),
            };
            tally.entries += 1;
            if let Some(needs) = needs {
                tally.stored += needs.add(entry)?;
            }
            Ok(())
        })?;
        let planner = Planner::new(policy, now, view.applied(), rest.entries, rest.stored);
        let mut plan = ByClass {
            policy,
            classifier,
            view: &view,
            now,
            locks: self.locks_now(&view),
            planner: planner.map_err(empty_policy)?,
            store: Needs::of_all(&sizes),
            classes,
            others,
            decided: HashSet::new(),
        };
        plan.take_due()?;
        // Without a limit on free disk nobody asks the disk.
        let wants_room = |class: &Class| class.min_free_disk.is_some();
        let free = if policy.classes.iter().any(wants_room) {
            self.free_once_all_is_final()?
        } else {
            None
        };
        plan.take_excess(free)?;
        Ok(plan.planner.finish(plan.store.freed_at_once()?))
    }

    /// Returns the free bytes of the store's disk, with those that purges free once they cannot be
    /// undone; `None` when the disk does not tell. Without the latter, each plan that is made
    /// during a grace period would take as much again.
    fn free_once_all_is_final(&self) -> Result<Option<u64>> {
        let Ok(free) = self.store().disk.free_bytes() else {
            return Ok(None);
        };
        let pending = self.pending_purges()?;
        let to_come: u64 = pending.iter().map(|purge| purge.bytes_freed).sum();
        Ok(Some(free.saturating_add(to_come)))
    }
}

fn selected(policy: &Policy) -> impl Fn(&Entry) -> bool + '_ {
    let wanted = policy.converter.as_ref();
    move |entry| wanted.is_none_or(|name| is_same_name(&entry.converter, name))
}

impl ByClass<'_> {
    /// Takes what is due, and entries without a class that another rule selects.
    fn take_due(&mut self) -> Result<()> {
        let (view, policy) = (self.view, self.policy);
        walk_selected(view, selected(policy), |entry| {
            let Some(place) = self.classifier.class_of(entry) else {
                return self.consider_other(entry);
            };
            let class = &policy.classes[place];
            let (takes, undated) = taken(class, entry, self.now);
            if undated.is_some() {
                self.planner.note_undated();
            }
            if takes.is_empty() {
                return Ok(());
            }
            // What is left of it is for the next plan, also if a limit is exceeded by then.
            self.decided.insert(entry.id);
            if self.spares(entry) {
                return Ok(());
            }
            takes
                .into_iter()
                .try_for_each(|take| self.take(place, entry, take))
        })
    }

    /// Takes the oldest entries of each class while one of its limits is exceeded.
    fn take_excess(&mut self, free: Option<u64>) -> Result<()> {
        let (view, policy) = (self.view, self.policy);
        let exceeded = |plan: &Self, place: usize| {
            let freed = plan.planner.freed();
            let free = free.map(|free| free.saturating_add(freed));
            over(&policy.classes[place], plan.classes[place].1, free)
        };
        if (0..policy.classes.len()).all(|place| exceeded(self, place).is_none()) {
            return Ok(());
        }
        walk_selected(view, selected(policy), |entry| {
            let Some(place) = self.classifier.class_of(entry) else {
                return Ok(());
            };
            let Some(rule) = exceeded(self, place) else {
                return Ok(());
            };
            if self.decided.contains(&entry.id) || self.spares(entry) {
                return Ok(());
            }
            let part = Part::Entry;
            self.take(place, entry, Taken { part, rule })
        })
    }

    /// Returns whether something keeps an entry that a class takes, and counts it.
    fn spares(&mut self, entry: &Entry) -> bool {
        let why = spared(entry, &self.locks, self.policy, self.now);
        why.is_some_and(|why| self.planner.spare(why))
    }

    fn consider_other(&mut self, entry: &Entry) -> Result<()> {
        if !self.policy.has_other_rules() {
            return Ok(());
        }
        let candidate = Candidate {
            id: entry.id,
            archived_at: entry.archived_at,
            retention: entry.retention,
            spared: spared(entry, &self.locks, self.policy, self.now),
            bytes: logical_bytes(entry, Part::Entry),
        };
        let (store, others) = (&mut self.store, &mut self.others);
        self.planner.consider(&candidate, || {
            let of_selection = match others {
                Some(needs) => needs.remove(entry, Part::Entry)?,
                None => 0,
            };
            Ok(Leaving {
                of_selection,
                of_store: store.remove(entry, Part::Entry)?,
            })
        })
    }

    fn take(&mut self, place: usize, entry: &Entry, Taken { part, rule }: Taken) -> Result<()> {
        let class = &self.policy.classes[place];
        let (needs, left) = &mut self.classes[place];
        if let Some(needs) = needs {
            left.stored = left.stored.saturating_sub(needs.remove(entry, part)?);
        }
        if part == Part::Entry {
            left.entries = left.entries.saturating_sub(1);
        }
        let item = PlannedPurge {
            id: entry.id,
            part,
            rule,
            class: Some(class.name.clone()),
            bytes_freed: self.store.remove(entry, part)?,
        };
        let bytes = logical_bytes(entry, part);
        self.planner.take(item, entry.archived_at, bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
