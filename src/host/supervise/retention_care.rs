//! Decides whether a purge by rule may go on, or waits for a person.

use std::time::Duration;

use super::retention_worker::BY_CLASS;
use crate::Result;
use crate::archive::{Archive, HeldOverLimit, PlanImpact};
use crate::host::config::settings::{ConverterConfig, RetentionCare};
use crate::host::observe::status::{RetentionStatus, WaitingPurge};
use crate::retention::PurgePlan;
use crate::time::Timestamp;

/// A purge of fewer entries never waits because of its share: a young store is small.
const ASK_FROM_ENTRIES: u64 = 100;

/// What is known of a store when a host is about to purge in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreAtStart {
    /// When the newest event was recorded that was there when the host opened the store.
    pub(super) newest_before: Option<Timestamp>,
    /// When the host began to look after retention.
    pub(super) begun: Timestamp,
    pub(super) now: Timestamp,
}

impl RetentionCare {
    /// Returns why a purge waits; `None` when it may go on.
    pub(super) fn waits(
        &self,
        plan: &PurgePlan,
        impact: &PlanImpact,
        store: StoreAtStart,
        converter: &str,
    ) -> Option<WaitingPurge> {
        let waiting = |why: String, until| WaitingPurge {
            converter: converter.to_owned(),
            entries: plan.count,
            bytes_freed: plan.bytes_freed,
            why,
            until,
        };
        let limit = f64::from(self.ask_above_percent);
        let items = plan.count + plan.parts;
        if limit < 100.0 && items >= ASK_FROM_ENTRIES && impact.percent() > limit {
            let why = format!(
                "it takes {}% of the store, and more than {}% waits for a person: {}",
                impact.percent(),
                self.ask_above_percent,
                by_hand(converter)
            );
            return Some(waiting(why, None));
        }
        let off = off_for(store.newest_before?, store.begun);
        let ended = store.begun.plus_micros(micros(self.wait));
        if off > self.ask_after? && store.now < ended {
            let why = format!(
                "nothing was recorded for {} days before the host started, so it waits until \
                 {ended}: {}",
                off.as_secs() / 86_400,
                by_hand(converter)
            );
            return Some(waiting(why, Some(ended)));
        }
        None
    }
}

fn by_hand(converter: &str) -> String {
    if converter == BY_CLASS {
        return "look at it with 'annals retention preview --classes --plan FILE'".to_owned();
    }
    format!("look at it with 'annals retention preview -c \"{converter}\" --expired --plan FILE'")
}

fn off_for(newest: Timestamp, begun: Timestamp) -> Duration {
    let off = begun.micros().saturating_sub(newest.micros());
    Duration::from_micros(u64::try_from(off).unwrap_or(0))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Collects what retention has to tell besides what it purged.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) status: RetentionStatus,
}

impl Looked {
    /// Notes which holds of a store are to be reviewed, and how many purged entries can come back.
    pub(super) fn look(&mut self, archive: &Archive, now: Timestamp) -> Result<()> {
        for hold in archive.hold_dates()? {
            if hold.is_overdue(now) {
                self.status.holds_overdue += 1;
                let name = &hold.name;
                self.status.holds.push(format!(
                    "the review of hold '{name}' is overdue: 'annals hold review' or 'annals hold \
                     release'"
                ));
            }
        }
        self.status.pending_entries += archive.snapshot()?.stats()?.pending;
        Ok(())
    }

    /// Notes that holds keep more of a converter's entries than its limits allow.
    pub(super) fn look_at_limits(
        &mut self,
        archive: &Archive,
        config: &ConverterConfig,
    ) -> Result<()> {
        let (size, count) = (config.archive.max_size, config.archive.max_count);
        let name = &config.converter.name;
        if let Some(held) = archive.held_over_limit(Some(name), size, count)? {
            self.status.limits_unmet += u64::from(held.over_size) + u64::from(held.over_count);
            self.status.holds.extend(unmet(name, held, size, count));
        }
        Ok(())
    }
}

fn unmet(
    converter: &str,
    held: HeldOverLimit,
    size: Option<u64>,
    count: Option<u64>,
) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(limit) = size.filter(|_| held.over_size) {
        told.push(format!(
            "holds keep {} of '{converter}'; its limit of {} cannot be met",
            gibibytes(held.bytes),
            gibibytes(limit)
        ));
    }
    if let Some(limit) = count.filter(|_| held.over_count) {
        told.push(format!(
            "holds keep {} entries of '{converter}'; its limit of {limit} cannot be met",
            held.entries
        ));
    }
    told
}

/// Writes bytes in GiB with one digit, or exactly where that would say nothing.
#[expect(clippy::cast_precision_loss, reason = "it is rounded to one digit")]
fn gibibytes(bytes: u64) -> String {
    match bytes {
        0..0x400_0000 => format!("{bytes} bytes"),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

#[cfg(test)]
mod tests;
