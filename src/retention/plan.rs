//! A purge plan: which entries to purge, and by which rule each. A plan can be shown, stored and
//! compared, and is refused when it is stale.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::entry::{Part, Retention, whole_part};
use crate::id::{EntryId, EventSeq};
use crate::retention::policy::{EmptyPolicy, GovernanceLocks, Policy, Unsubmitted};
use crate::retention::words::{
    BYPASS_GOVERNANCE, EVEN_WAITING, EXPIRED, max_count, max_size, older_than,
};
use crate::time::Timestamp;

/// What a purge would take, as of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[must_use = "a plan purges nothing before `Archive::purge` carries it out"]
pub struct PurgePlan {
    /// A digest of the plan's content. Equal plans have equal ids.
    pub plan_id: String,
    /// The newest event that was taken into account.
    pub at_seq: EventSeq,
    /// The time the rules were applied for.
    pub effective_now: Timestamp,
    /// The rules, in words.
    pub rules: Vec<String>,
    /// What to purge: entries and parts of entries, those of the oldest entries first.
    pub items: Vec<PlannedPurge>,
    /// Number of entries to purge.
    pub count: u64,
    /// Number of parts that go of entries that stay.
    #[serde(default)]
    pub parts: u64,
    /// Bytes of their sources and reports before compression and deduplication.
    pub bytes_logical: u64,
    /// Bytes on disk that become unneeded: content that no other entry shares, as stored.
    pub bytes_freed: u64,
    /// Bytes by which the store shrinks at once, including what earlier purges left in the same
    /// packs. The rest is freed when half of its pack is unneeded.
    #[serde(default)]
    pub bytes_freed_at_once: u64,
    /// Number of entries that a rule selected but a hold kept.
    pub held_skipped: u64,
    /// Number of entries that a rule selected but that stay because they wait to be converted, or
    /// their reports to be submitted.
    #[serde(default)]
    pub waiting_skipped: u64,
    /// Number of entries that a rule selected but a retention lock kept.
    #[serde(default)]
    pub locked_skipped: u64,
    /// Number of entries that stay because the date that their period starts from is not known.
    #[serde(default)]
    pub undated_skipped: u64,
    /// When the oldest of the entries to purge was archived.
    pub oldest: Option<Timestamp>,
    /// When the newest of the entries to purge was archived.
    pub newest: Option<Timestamp>,
    /// The rules in one line.
    pub reason: String,
}

/// One entry of a plan, or a part of one, with the rule that selected it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedPurge {
    /// The entry.
    pub id: EntryId,
    /// What of it goes.
    #[serde(flatten, serialize_with = "whole_part")]
    pub part: Part,
    /// The rule that selected it.
    pub rule: String,
    /// The class of the policy that the rule belongs to, if the policy has classes.
    #[serde(default)]
    pub class: Option<String>,
    /// Bytes on disk that become unneeded by this item, after the items before it in the plan.
    pub bytes_freed: u64,
}

/// The facts about an entry that the planner needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) id: EntryId,
    pub(crate) archived_at: Timestamp,
    pub(crate) retention: Retention,
    /// Why the entry stays, whatever the rules say.
    pub(crate) spared: Option<Spared>,
    /// Bytes of its source and all its reports.
    pub(crate) bytes: u64,
}

/// Why an entry stays although a rule selected it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spared {
    /// It is on hold.
    Held,
    /// A retention lock keeps it.
    Locked,
    /// It has reports that wait to be submitted.
    Waiting,
    /// It waits to be converted.
    Unconverted,
}

/// The stored bytes that purging an entry frees, after the entries before it in the plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving {
    /// Bytes that no remaining selected entry needs.
    pub(crate) of_selection: u64,
    /// Bytes that nothing in the store needs.
    pub(crate) of_store: u64,
}

/// Builds a plan from the live entries, which it gets oldest first.
pub(crate) struct Planner<'a> {
    policy: &'a Policy,
    now: Timestamp,
    cutoff: Option<Timestamp>,
    /// Number of selected entries that remain if no more are purged, and their stored bytes.
    left_count: u64,
    left_stored: u64,
    plan: PurgePlan,
}

impl<'a> Planner<'a> {
    /// Starts a plan over `entries` live entries, which take `stored` bytes on disk in total.
    pub(crate) fn new(
        policy: &'a Policy,
        now: Timestamp,
        at_seq: EventSeq,
        entries: u64,
        stored: u64,
    ) -> Result<Self, EmptyPolicy> {
        let rules = policy.rules()?;
        Ok(Self {
            policy,
            now,
            cutoff: policy.cutoff(now),
            left_count: entries,
            left_stored: stored,
            plan: PurgePlan {
                plan_id: String::new(),
                at_seq,
                effective_now: now,
                reason: rules.join(", "),
                rules,
                items: Vec::new(),
                count: 0,
                parts: 0,
                bytes_logical: 0,
                bytes_freed: 0,
                bytes_freed_at_once: 0,
                held_skipped: 0,
                waiting_skipped: 0,
                locked_skipped: 0,
                undated_skipped: 0,
                oldest: None,
                newest: None,
            },
        })
    }

    /// Decides about the next entry. The freed bytes are computed only when the entry is purged.
    pub(crate) fn consider<E>(
        &mut self,
        entry: &Candidate,
        leaving: impl FnOnce() -> Result<Leaving, E>,
    ) -> Result<(), E> {
        let Some(rule) = self.rule_for(entry) else {
            return Ok(());
        };
        // An entry that is spared still counts towards the limits on size and count.
        if entry.spared.is_some_and(|why| self.spare(why)) {
            return Ok(());
        }
        let leaving = leaving()?;
        self.left_count = self.left_count.saturating_sub(1);
        self.left_stored = self.left_stored.saturating_sub(leaving.of_selection);
        let item = PlannedPurge {
            id: entry.id,
            part: Part::Entry,
            rule,
            class: None,
            bytes_freed: leaving.of_store,
        };
        self.take(item, entry.archived_at, entry.bytes);
        Ok(())
    }

    /// Adds an item. `archived_at` is when its entry was archived, `bytes` is the length of what
    /// goes.
    pub(crate) fn take(&mut self, item: PlannedPurge, archived_at: Timestamp, bytes: u64) {
        let plan = &mut self.plan;
        match item.part {
            Part::Entry => plan.count += 1,
            _ => plan.parts += 1,
        }
        plan.bytes_logical += bytes;
        plan.bytes_freed += item.bytes_freed;
        let at = archived_at;
        plan.oldest = Some(plan.oldest.map_or(at, |time| time.min(at)));
        plan.newest = Some(plan.newest.map_or(at, |time| time.max(at)));
        plan.items.push(item);
    }

    /// Counts an entry that a rule selects and something keeps. Returns false when it may go
    /// nevertheless.
    pub(crate) fn spare(&mut self, why: Spared) -> bool {
        match why {
            // A hold overrides every rule, and so does a lock.
            Spared::Held => self.plan.held_skipped += 1,
            Spared::Locked => self.plan.locked_skipped += 1,
            Spared::Waiting if self.policy.unsubmitted == Unsubmitted::Keep => {
                self.plan.waiting_skipped += 1;
            }
            Spared::Waiting => return false,
            Spared::Unconverted => self.plan.waiting_skipped += 1,
        }
        true
    }

    /// Counts an entry that stays because the time that its period counts from is not known.
    pub(crate) fn note_undated(&mut self) {
        self.plan.undated_skipped += 1;
    }

    /// Returns the bytes that become unneeded by what is taken so far.
    pub(crate) fn freed(&self) -> u64 {
        self.plan.bytes_freed
    }

    fn rule_for(&self, entry: &Candidate) -> Option<String> {
        if let (Some(cutoff), Some(micros)) = (self.cutoff, self.policy.older_than_micros)
            && entry.archived_at <= cutoff
        {
            return Some(older_than(micros));
        }
        if self.policy.expired
            && entry
                .retention
                .expires_at(entry.archived_at)
                .is_some_and(|expires| expires <= self.now)
        {
            return Some(EXPIRED.to_owned());
        }
        if let Some(limit) = self.policy.max_size
            && self.left_stored > limit
        {
            return Some(max_size(limit));
        }
        if let Some(limit) = self.policy.max_count
            && self.left_count > limit
        {
            return Some(max_count(limit));
        }
        None
    }

    /// Returns the finished plan. `freed_at_once` is the number of bytes that it frees at once.
    pub(crate) fn finish(mut self, freed_at_once: u64) -> PurgePlan {
        // Limits take entries after those that are due.
        self.plan.items.sort_by_key(|item| (item.id, item.part));
        if !self.plan.items.is_empty() {
            self.plan.bytes_freed_at_once = freed_at_once;
        }
        self.plan.plan_id = self.plan.digest();
        self.plan
    }
}

impl PurgePlan {
    /// Returns whether the plan was made to include entries with waiting reports.
    pub(crate) fn takes_waiting(&self) -> bool {
        self.rules.iter().any(|rule| rule == EVEN_WAITING)
    }

    /// Returns what the plan was made to do with governance locks.
    pub(crate) fn governance_locks(&self) -> GovernanceLocks {
        if self.rules.iter().any(|rule| rule == BYPASS_GOVERNANCE) {
            GovernanceLocks::Bypass
        } else {
            GovernanceLocks::Obey
        }
    }

    /// Returns the `plan_id` that an unchanged plan has.
    pub(crate) fn digest(&self) -> String {
        let mut digest = blake3::Hasher::new_derive_key("annals purge plan v1");
        digest.update(&self.at_seq.0.to_le_bytes());
        digest.update(&self.effective_now.micros().to_le_bytes());
        for item in &self.items {
            digest.update(&item.id.0.to_le_bytes());
            digest.update(item.part.name().as_bytes());
            digest.update(&item.part.through().map_or(0, |last| last.0).to_le_bytes());
            for text in [&item.rule, item.class.as_deref().unwrap_or_default()] {
                digest.update(text.as_bytes());
                digest.update(&[0]);
            }
        }
        if self.governance_locks() == GovernanceLocks::Bypass {
            digest.update(BYPASS_GOVERNANCE.as_bytes());
        }
        digest.finalize().to_hex()[..16].to_owned()
    }
}

impl fmt::Display for PurgePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "plan {} at event {}: {} entries, {} bytes of content, {} bytes to free ({})",
            self.plan_id,
            self.at_seq,
            self.count,
            self.bytes_logical,
            self.bytes_freed,
            self.reason
        )
    }
}

#[cfg(all(test, feature = "host"))]
impl PurgePlan {
    /// Returns a plan that takes one entry and spares two.
    pub(crate) fn sample() -> Self {
        let time = |text: &str| text.parse::<Timestamp>().expect("valid");
        Self {
            plan_id: "p".into(),
            at_seq: EventSeq(9),
            effective_now: time("2026-11-23T12:00:00Z"),
            rules: vec!["older than 90d".into()],
            items: vec![PlannedPurge {
                id: EntryId(3),
                part: crate::entry::Part::Entry,
                class: None,
                rule: "older than 90d".into(),
                bytes_freed: 2048,
            }],
            count: 1,
            parts: 0,
            bytes_logical: 4096,
            bytes_freed: 2048,
            bytes_freed_at_once: 2048,
            held_skipped: 2,
            waiting_skipped: 0,
            locked_skipped: 0,
            undated_skipped: 0,
            oldest: Some(time("2026-03-01T07:30:00Z")),
            newest: Some(time("2026-03-01T07:30:00Z")),
            reason: "manual".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn entry(id: u64, age_days: i64) -> Candidate {
        Candidate {
            id: EntryId(id),
            archived_at: now().plus_days(-age_days),
            retention: Retention::days(10),
            spared: None,
            bytes: 100,
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_micros(1_000 * DAY)
    }

    fn plan(policy: &Policy, entries: &[Candidate]) -> PurgePlan {
        let count = entries.len() as u64;
        let mut planner =
            Planner::new(policy, now(), EventSeq(9), count, 10 * count).expect("has a rule");
        for entry in entries {
            let leaving = Leaving {
                of_selection: 10,
                of_store: 10,
            };
            planner
                .consider(entry, || Ok::<_, std::convert::Infallible>(leaving))
                .expect("infallible");
        }
        planner.finish(7)
    }

    fn ids(plan: &PurgePlan) -> Vec<u64> {
        plan.items.iter().map(|item| item.id.0).collect()
    }

    #[test]
    fn a_policy_without_a_rule_is_refused_and_not_taken_for_everything() {
        let policy = Policy {
            converter: Some("ICT".into()),
            ..Policy::default()
        };
        assert_eq!(policy.rules(), Err(EmptyPolicy));
    }

    #[test]
    fn an_entry_goes_by_the_first_rule_that_lets_it_and_says_so() {
        let policy = Policy {
            older_than_micros: Some(30 * DAY),
            expired: true,
            ..Policy::default()
        };
        let plan = plan(&policy, &[entry(1, 40), entry(2, 20), entry(3, 5)]);
        assert_eq!(ids(&plan), [1, 2]);
        assert_eq!(plan.items[0].rule, "older-than 30d");
        assert_eq!(plan.items[1].rule, "expired");
        assert_eq!(
            (plan.count, plan.bytes_logical, plan.bytes_freed),
            (2, 200, 20)
        );
        assert_eq!(plan.oldest, Some(now().plus_days(-40)));
    }

    /// Reports that are made and never submitted are what the host must prevent.
    #[test]
    fn what_waits_to_be_submitted_stays_unless_it_is_asked_for_and_a_hold_keeps_it_even_then() {
        let spared = |spared| Candidate {
            spared: Some(spared),
            ..entry(1, 20)
        };
        let all = [spared(Spared::Waiting), spared(Spared::Held), entry(3, 20)];
        let mut policy = Policy {
            expired: true,
            ..Policy::default()
        };
        let kept = plan(&policy, &all);
        assert_eq!(ids(&kept), [3]);
        assert_eq!((kept.held_skipped, kept.waiting_skipped), (1, 1));
        assert!(!kept.takes_waiting());
        policy.unsubmitted = Unsubmitted::Take;
        let taken = plan(&policy, &all);
        assert_eq!(ids(&taken), [1, 3]);
        assert_eq!((taken.held_skipped, taken.waiting_skipped), (1, 0));
        assert_eq!(
            (taken.takes_waiting(), &*taken.reason),
            (true, "expired, even-waiting")
        );
        policy.expired = false;
        assert_eq!(policy.rules(), Err(EmptyPolicy));
    }

    /// The text of the rule stays in the log for good.
    #[test]
    fn a_limit_says_what_it_was_when_it_takes_an_entry() {
        let by_size = Policy {
            max_size: Some(15),
            ..Policy::default()
        };
        let by_count = Policy {
            max_count: Some(1),
            ..Policy::default()
        };
        for (policy, rule) in [(by_size, "max-size 15"), (by_count, "max-count 1")] {
            let plan = plan(&policy, &[entry(1, 2), entry(2, 1)]);
            let rules: Vec<&str> = plan.items.iter().map(|item| &*item.rule).collect();
            assert_eq!(rules, [rule]);
        }
    }

    #[test]
    fn a_hold_beats_every_rule_and_the_held_entry_still_counts_towards_the_size() {
        let policy = Policy {
            max_size: Some(20),
            ..Policy::default()
        };
        let held = Candidate {
            spared: Some(Spared::Held),
            ..entry(1, 40)
        };
        let plan = plan(&policy, &[held, entry(2, 30), entry(3, 20), entry(4, 10)]);
        assert_eq!(ids(&plan), [2, 3]);
        assert_eq!(plan.held_skipped, 1);
    }

    #[test]
    fn the_oldest_go_until_at_most_the_allowed_number_is_left() {
        let policy = Policy {
            max_count: Some(1),
            ..Policy::default()
        };
        let plan = plan(&policy, &[entry(1, 3), entry(2, 2), entry(3, 1)]);
        assert_eq!(ids(&plan), [1, 2]);
    }

    #[test]
    fn equal_plans_have_equal_names_and_different_ones_do_not() {
        let policy = Policy {
            older_than_micros: Some(DAY),
            ..Policy::default()
        };
        let one = plan(&policy, &[entry(1, 3), entry(2, 2)]);
        assert_eq!(
            one.plan_id,
            plan(&policy, &[entry(1, 3), entry(2, 2)]).plan_id
        );
        assert_ne!(one.plan_id, plan(&policy, &[entry(1, 3)]).plan_id);
    }

    #[test]
    fn ages_at_the_ends_of_the_range_do_not_wrap_around() {
        let policy = Policy {
            older_than_micros: Some(i64::MAX),
            ..Policy::default()
        };
        assert!(plan(&policy, &[entry(1, 3)]).items.is_empty());
    }

    #[test]
    fn a_plan_is_told_in_one_line() {
        let policy = Policy {
            max_count: Some(1),
            ..Policy::default()
        };
        let plan = plan(&policy, &[entry(1, 40), entry(2, 20), entry(3, 5)]);
        assert_eq!(
            plan.to_string(),
            format!(
                "plan {} at event 9: 2 entries, 200 bytes of content, 20 bytes to free ({})",
                plan.plan_id, plan.reason
            )
        );
    }
}
