//! Plans of purges that a server keeps: shown, looked through page by page, carried out once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::configured::{UnmetLimit, classes_without_entries, unmet_limits};
use super::rules::Rules;
use crate::archive::{Archive, PlanImpact, PurgeOutcome};
use crate::event::Refusal;
use crate::host::Config;
use crate::retention::{PlannedPurge, PurgePlan};
use crate::service::desk::Desk;
use crate::service::time::Zone;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// How long a plan can be carried out.
const KEPT_FOR_MICROS: i64 = 30 * 60 * 1_000_000;
/// The most plans that are kept. The oldest go first.
const PLANS_MAX: usize = 32;
/// The most entries that the kept plans have together, beside the newest plan.
const ITEMS_MAX: usize = 1_000_000;
/// Plans that are made at a time: each reads every entry of the store.
const MADE_AT_ONCE: usize = 2;

/// A plan with what it would do.
#[derive(Debug, Serialize)]
pub struct Previewed<'a> {
    /// The plan.
    #[serde(flatten)]
    pub plan: &'a PurgePlan,
    /// What it would do.
    pub impact: &'a PlanImpact,
}

/// A plan that is kept, with what it would do and what became of it.
#[derive(Debug)]
pub struct Frozen {
    /// The plan.
    pub plan: PurgePlan,
    /// What it would do.
    pub impact: PlanImpact,
    /// The limits of the configuration that holds keep from being met.
    pub unmet: Vec<UnmetLimit>,
    /// The classes of the configuration that no entry matches.
    pub empty_classes: Vec<String>,
    /// The rules as they were asked for.
    pub rules: Rules,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it can be carried out.
    pub expires: Timestamp,
    done: Mutex<Option<Arc<PurgeOutcome>>>,
}

/// A kept plan as an object: that of `retention preview --json`, its entries apart.
#[derive(Debug, Serialize)]
pub struct FrozenObject<'a> {
    plan_id: &'a str,
    at_seq: crate::id::EventSeq,
    effective_now: Timestamp,
    rules: &'a [String],
    items: Option<&'a [PlannedPurge]>,
    count: u64,
    parts: u64,
    bytes_logical: u64,
    bytes_freed: u64,
    bytes_freed_at_once: u64,
    held_skipped: u64,
    waiting_skipped: u64,
    locked_skipped: u64,
    undated_skipped: u64,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    reason: &'a str,
    impact: &'a PlanImpact,
    limits_unmet: &'a [UnmetLimit],
    classes_without_entries: &'a [String],
    asked: &'a Rules,
    made_at: Timestamp,
    expires: Timestamp,
    /// What became of it, once it was carried out.
    purged: Option<Arc<PurgeOutcome>>,
}

impl Frozen {
    /// Plans what rules take, and looks at what that would do.
    ///
    /// # Errors
    /// Those of [`Rules::stated`] and [`Rules::plan`].
    pub fn make(desk: &Desk, rules: Rules) -> Result<Self> {
        let stated = rules.stated(desk.now, &desk.zone, || configuration(desk))?;
        let plan = rules.plan(&desk.archive, &stated, desk.config())?;
        let impact = desk.archive.impact(&plan)?;
        let (unmet, empty_classes) = match desk.config() {
            Some(config) if rules.configured => (
                unmet_limits(&desk.archive, config)?,
                classes_without_entries(&desk.archive, config)?,
            ),
            _ => (Vec::new(), Vec::new()),
        };
        Ok(Self {
            plan,
            impact,
            unmet,
            empty_classes,
            rules,
            made_at: desk.now,
            expires: desk.now.plus_micros(KEPT_FOR_MICROS),
            done: Mutex::default(),
        })
    }

    /// Returns the plan as an object; its entries as well if `with_items`, as
    /// `retention apply --plan` reads it.
    pub fn object(&self, with_items: bool, zone: &Zone) -> FrozenObject<'_> {
        let plan = &self.plan;
        FrozenObject {
            plan_id: &plan.plan_id,
            at_seq: plan.at_seq,
            effective_now: plan.effective_now,
            rules: &plan.rules,
            items: with_items.then_some(&plan.items),
            count: plan.count,
            parts: plan.parts,
            bytes_logical: plan.bytes_logical,
            bytes_freed: plan.bytes_freed,
            bytes_freed_at_once: plan.bytes_freed_at_once,
            held_skipped: plan.held_skipped,
            waiting_skipped: plan.waiting_skipped,
            locked_skipped: plan.locked_skipped,
            undated_skipped: plan.undated_skipped,
            oldest: plan.oldest,
            newest: plan.newest,
            reason: &plan.reason,
            impact: &self.impact,
            limits_unmet: &self.unmet,
            classes_without_entries: &self.empty_classes,
            asked: &self.rules,
            made_at: zone.exact(self.made_at),
            expires: zone.exact(self.expires),
            purged: self.done().clone(),
        }
    }

    /// Returns what became of the plan; `None` while it was not carried out.
    pub fn outcome(&self) -> Option<Arc<PurgeOutcome>> {
        self.done().clone()
    }

    fn done(&self) -> MutexGuard<'_, Option<Arc<PurgeOutcome>>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries the plan out. Asked again, it returns what it did the first time.
    ///
    /// # Errors
    /// `Invalid` without a reason; `Refused` when the plan expired, takes nothing, or is stale
    /// because of a hold, a lock or a purge that came after it. What is refused is recorded.
    pub fn apply(
        &self,
        archive: &Archive,
        now: Timestamp,
        reason: &str,
        grace: Option<Duration>,
    ) -> Result<Arc<PurgeOutcome>> {
        let reason = reason.trim();
        if reason.is_empty() {
            let told = "say why: the reason is recorded with the purge";
            return Err(Error::new(ErrorKind::Invalid, told));
        }
        // Held while it is carried out, so that a second request waits for the first.
        let mut done = self.done();
        if let Some(done) = &*done {
            return Ok(Arc::clone(done));
        }
        if now >= self.expires {
            let told = format!("plan {} has expired", self.plan.plan_id);
            let refused = archive.record_refused_purge(
                Some(&self.plan),
                Refusal::StalePlan,
                &told,
                Some(reason),
            );
            // It is refused whether or not that could be recorded.
            drop(refused);
            return Err(Error::new(ErrorKind::Refused, told)
                .hint("make the plan again, and look at what changed"));
        }
        let outcome = match grace {
            Some(grace) => archive.purge_with_grace(&self.plan, reason, grace)?,
            None => archive.purge(&self.plan, reason)?,
        };
        let outcome = Arc::new(outcome);
        *done = Some(Arc::clone(&outcome));
        Ok(outcome)
    }
}

/// Returns the configuration of a desk.
///
/// # Errors
/// `NotFound` when none is named, and what is wrong with it.
pub(super) fn configuration(desk: &Desk) -> Result<Config> {
    let Some(file) = &desk.config_file else {
        let told = "no configuration is named, so no rules of a host are known";
        return Err(Error::new(ErrorKind::NotFound, told)
            .hint("start the server with --config FILE, or state rules"));
    };
    Config::load(file)
}

/// The plans that were made and can be carried out.
#[derive(Debug, Default)]
pub struct Plans {
    kept: Mutex<BTreeMap<String, Arc<Frozen>>>,
    making: AtomicUsize,
}

/// A turn to make a plan, given back when it is dropped.
struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Plans {
    /// Makes a plan and keeps it.
    ///
    /// # Errors
    /// Those of [`Frozen::make`]; `Refused` while others make theirs.
    pub fn make(&self, desk: &Desk, rules: Rules) -> Result<Arc<Frozen>> {
        let _turn = self.turn()?;
        Ok(self.keep(Frozen::make(desk, rules)?))
    }

    /// Lets a limited number of callers read the whole store at a time.
    fn turn(&self) -> Result<Turn<'_>> {
        if self.making.fetch_add(1, Ordering::AcqRel) < MADE_AT_ONCE {
            return Ok(Turn(&self.making));
        }
        self.making.fetch_sub(1, Ordering::AcqRel);
        let told = "others look at the whole store at this moment";
        Err(Error::new(ErrorKind::Refused, told).hint("ask again in a moment"))
    }

    /// Runs work that reads the whole store, when it is its turn.
    ///
    /// # Errors
    /// `Refused` while others do; what the work returns.
    pub fn in_turn<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let _turn = self.turn()?;
        work()
    }

    /// Keeps a plan. One that says the same and was carried out stays, with what became of it.
    fn keep(&self, made: Frozen) -> Arc<Frozen> {
        let now = made.made_at;
        let mut kept = self.lock();
        kept.retain(|_, plan| now < plan.expires);
        if let Some(known) = kept.get(&made.plan.plan_id)
            && known.outcome().is_some()
        {
            return Arc::clone(known);
        }
        let items = |kept: &BTreeMap<String, Arc<Frozen>>| -> usize {
            kept.values().map(|plan| plan.plan.items.len()).sum()
        };
        let new = made.plan.items.len();
        while kept.len() >= PLANS_MAX || items(&kept) + new > ITEMS_MAX {
            let oldest = kept.values().min_by_key(|plan| plan.made_at);
            let Some(oldest) = oldest.map(|plan| plan.plan.plan_id.clone()) else {
                break;
            };
            kept.remove(&oldest);
        }
        let made = Arc::new(made);
        kept.insert(made.plan.plan_id.clone(), Arc::clone(&made));
        made
    }

    /// Returns a plan.
    ///
    /// # Errors
    /// `NotFound` for one that was never made, or that is not kept any more.
    pub fn get(&self, plan_id: &str) -> Result<Arc<Frozen>> {
        let plan = self.lock().get(plan_id).map(Arc::clone);
        plan.ok_or_else(|| {
            let told = format!("there is no plan '{plan_id}' that could be carried out");
            Error::new(ErrorKind::NotFound, told)
                .hint("plans are kept for half an hour, and not across a restart: make it again")
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Frozen>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::NewEntry;

    fn desk(entries: u8) -> (tempfile::TempDir, Desk) {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::builder().create(folder.path().join("store"));
        let archive = archive.expect("a store");
        for nth in 0..entries {
            archive.put(NewEntry::new("ICT"), &[nth][..]).expect("put");
        }
        let now = crate::time::Clock::now(&crate::time::SystemClock);
        (folder, Desk::new(archive, Zone::Utc, now))
    }

    fn at_most(count: u64) -> Rules {
        Rules {
            max_count: Some(count),
            ..Rules::default()
        }
    }

    /// A plan that lay open over night was carried out in the morning.
    #[test]
    fn an_expired_plan_is_refused_and_the_refusal_recorded() {
        let (_folder, desk) = desk(3);
        let plans = Plans::default();
        let plan = plans.make(&desk, at_most(1)).expect("a plan");
        let before = desk.archive.newest();
        let late = plan.expires;
        let refused = plan.apply(&desk.archive, late, "late", None);
        assert_eq!(refused.expect_err("late").kind(), ErrorKind::Refused);
        assert_eq!(desk.archive.newest().0, before.0 + 1);
        assert_eq!(plan.plan.count, 2);
        plan.apply(&desk.archive, desk.now, "in time", None)
            .expect("carried out");
    }

    /// A press on the button that was repeated purged again, or told that it failed.
    #[test]
    fn a_plan_is_carried_out_once_and_says_so_again() {
        let (_folder, desk) = desk(5);
        let plan = Plans::default().make(&desk, at_most(2)).expect("a plan");
        assert_eq!(
            plan.apply(&desk.archive, desk.now, " ", None)
                .expect_err("no reason")
                .kind(),
            ErrorKind::Invalid
        );
        let first = plan
            .apply(&desk.archive, desk.now, "trial", None)
            .expect("done");
        let newest = desk.archive.newest();
        let again = plan
            .apply(&desk.archive, desk.now, "trial", None)
            .expect("done before");
        assert_eq!(first.recorded, again.recorded);
        assert_eq!(first.recorded.archives_purged, plan.plan.count);
        assert_eq!(desk.archive.newest(), newest);
        assert_eq!(plan.outcome().expect("done").recorded, first.recorded);
    }

    /// Somebody who asks for plans all day must not fill the memory of a host.
    #[test]
    fn plans_are_bounded_in_number_and_the_oldest_go_first() {
        let (_folder, desk) = desk(1);
        let plans = Plans::default();
        let first = plans.make(&desk, at_most(0)).expect("a plan");
        for (nth, micros) in (0..PLANS_MAX as u64).zip(1..) {
            let mut later = desk.clone();
            later.now = desk.now.plus_micros(micros);
            plans.make(&later, at_most(10 + nth)).expect("a plan");
        }
        assert!(plans.get(&first.plan.plan_id).is_err());
        assert_eq!(plans.lock().len(), PLANS_MAX);
    }
}
