//! Folds retention locks, and the clock that they count by.

use super::state::Fold;
use crate::event::{Body, Event, LockMode, RetentionLocked, RetentionUnlocked};
use crate::index::rows::{LockRow, Totals};
use std::sync::Arc;

impl Fold<'_> {
    /// Places a lock, or makes one longer. What would make a lock weaker changes nothing.
    pub(super) fn locked(&mut self, event: &Event, body: &RetentionLocked) {
        let mut locks = self.locks().to_vec();
        match locks.iter_mut().find(|lock| lock.name == body.name) {
            None => locks.push(LockRow::new(event.seq, event.time, body)),
            Some(lock) if lock.may_become(body) => {
                (lock.keep, lock.mode) = (body.keep, body.mode);
                lock.reason.clone_from(&body.reason);
            }
            Some(_) => return,
        }
        self.top.small_mut().locks = Some(locks.into());
    }

    pub(super) fn unlocked(&mut self, body: &RetentionUnlocked) {
        let stays = |lock: &LockRow| lock.name != body.name || lock.mode == LockMode::Compliance;
        let locks = self
            .locks()
            .iter()
            .filter(|lock| stays(lock))
            .cloned()
            .collect();
        self.top.small_mut().locks = Some(locks);
    }

    fn locks(&self) -> Arc<[LockRow]> {
        match &self.top.small.locks {
            Some(locks) => Arc::clone(locks),
            None => self.below.locks(),
        }
    }
}

impl Totals {
    /// Follows the wall clock through an event.
    ///
    /// A step ahead counts as far as it leads past the latest time so far: a clock that was behind
    /// and is set right steps ahead as well. A step back takes off what was counted.
    pub(in crate::index) fn follow_clock(&mut self, event: &Event) {
        if let Body::ClockStepped(step) = &event.body {
            let step_micros = step.step_ms.saturating_mul(1_000);
            // What the monotonic clock says is as good as an event of that time.
            self.latest = self.latest.max(step.expected.micros());
            if step_micros > 0 {
                let ahead = step.found.micros().saturating_sub(self.latest).max(0);
                self.clock_ahead = self.clock_ahead.saturating_add(ahead);
            } else {
                let back = step_micros.saturating_neg().min(self.clock_ahead);
                self.clock_ahead = self.clock_ahead.saturating_sub(back);
                self.latest = self.latest.saturating_sub(back);
            }
        }
        self.latest = self.latest.max(event.time.micros());
    }
}
