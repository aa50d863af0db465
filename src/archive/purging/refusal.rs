//! Records purges that a safety rule refused.

use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::event::{Body, PurgeRefused, Refusal};
use crate::retention::PurgePlan;
use crate::{Error, ErrorKind, Result};

/// The longest list of rules that is recorded.
const RULES_MAX: usize = 20;

impl Archive {
    /// Records that a purge was refused before it came to a plan, or before the plan was handed in.
    /// [`Archive::purge`] records what it refuses by itself.
    pub fn record_refused_purge(
        &self,
        plan: Option<&PurgePlan>,
        refusal: Refusal,
        told: &str,
        reason: Option<&str>,
    ) -> Result<()> {
        let rules = plan.map_or(&[][..], |plan| &plan.rules);
        self.append_fact(Draft::fact(Body::PurgeRefused(PurgeRefused {
            plan_id: plan.map(|plan| plan.plan_id.clone()),
            rules: rules.iter().take(RULES_MAX).cloned().collect(),
            count: plan.map_or(0, |plan| plan.count),
            refusal: refusal.name().to_owned(),
            told: told.to_owned(),
            reason: reason
                .filter(|reason| !reason.trim().is_empty())
                .map(str::to_owned),
        })))?;
        Ok(())
    }

    /// Records a refusal by [`Archive::purge`]. What else goes wrong is not on record.
    pub(super) fn note_refusal(&self, plan: &PurgePlan, reason: &str, error: &Error) {
        if error.kind() != ErrorKind::Refused {
            return;
        }
        let refusal = self.refusal_of(plan, reason);
        // The caller is told of the refusal, whether or not it could be recorded.
        let _ = self.record_refused_purge(Some(plan), refusal, error.message(), Some(reason));
    }

    /// Returns which safety rule a refused plan met first.
    fn refusal_of(&self, plan: &PurgePlan, reason: &str) -> Refusal {
        if plan.items.is_empty() {
            return Refusal::EmptyPlan;
        }
        if reason.trim().is_empty() {
            return Refusal::NoReason;
        }
        let view = self.store().index.view();
        let is_held = plan.items.iter().any(|item| {
            let entry = view.entry(item.id).ok().flatten();
            entry.is_some_and(|entry| !entry.holds.is_empty())
        });
        let locks = self.locks_now(&view);
        let is_locked = plan.items.iter().any(|item| {
            let entry = view.entry(item.id).ok().flatten();
            let kept = |entry| locks.keeping(&entry, plan.governance_locks());
            entry.and_then(kept).is_some()
        });
        if is_held {
            Refusal::Hold
        } else if is_locked {
            Refusal::Lock
        } else {
            Refusal::StalePlan
        }
    }
}
