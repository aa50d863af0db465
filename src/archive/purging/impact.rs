//! What a plan would do, by rule, converter and month, and its share of the store; and limits that
//! holds keep from being met.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Result;
use crate::archive::appending::purge_facts::logical_bytes;
use crate::archive::handle::Archive;
use crate::archive::purging::footprint::{Needs, Sizes};
use crate::archive::purging::purge::walk_selected;
use crate::entry::Part;
use crate::index::is_same_name;
use crate::retention::PurgePlan;
use crate::time::Timestamp;

/// What a plan takes and what it leaves.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PlanImpact {
    /// What goes, by class and rule.
    pub by_rule: Vec<ImpactGroup>,
    /// What goes, by converter.
    pub by_converter: Vec<ImpactGroup>,
    /// What goes, by month of archiving in UTC.
    pub by_month: Vec<ImpactGroup>,
    /// The share of the store's entries that goes, in percent.
    pub percent_of_entries: f64,
    /// The share of the store's bytes on disk that is freed, in percent. Log and index are not
    /// counted.
    pub percent_of_bytes: f64,
}

/// A part of what a plan takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct ImpactGroup {
    /// The rule, the converter, or the month as `2026-03`.
    pub name: String,
    /// Number of entries that go.
    pub entries: u64,
    /// Number of parts that go of entries that stay.
    pub parts: u64,
    /// Bytes of their sources and reports.
    pub bytes_logical: u64,
    /// Bytes on disk that become unneeded.
    pub bytes_freed: u64,
}

impl PlanImpact {
    /// Returns the larger of the shares that go, in percent.
    pub fn percent(&self) -> f64 {
        self.percent_of_entries.max(self.percent_of_bytes)
    }
}

/// A limit that cannot be met, because holds keep more than it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HeldOverLimit {
    /// Number of entries that are on hold.
    pub entries: u64,
    /// Bytes on disk of their sources and reports, shared content once.
    pub bytes: u64,
    /// Whether they take more bytes than the limit on size.
    pub over_size: bool,
    /// Whether they are more than the limit on the number of entries.
    pub over_count: bool,
}

impl Archive {
    /// Returns what a plan takes, by rule, converter and month. Reads every entry of the plan.
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
    /// let impact = archive.impact(&plan)?;
    /// assert_eq!(impact.by_converter[0].entries, 1);
    /// assert_eq!(impact.percent_of_entries, 50.0);
    /// # archive.close()
    /// # }
    /// ```
    pub fn impact(&self, plan: &PurgePlan) -> Result<PlanImpact> {
        let view = self.store().index.view();
        let mut by_rule = Groups::default();
        let mut by_converter = Groups::default();
        let mut by_month = Groups::default();
        for item in &plan.items {
            let Some(entry) = view.entry(item.id)? else {
                continue;
            };
            let logical = logical_bytes(&entry, item.part);
            let rule = match &item.class {
                Some(class) => format!("{class}: {}", item.rule),
                None => item.rule.clone(),
            };
            let whole = item.part == Part::Entry;
            let month = month_of(entry.archived_at);
            for (groups, name) in [
                (&mut by_rule, rule),
                (&mut by_converter, entry.converter),
                (&mut by_month, month),
            ] {
                groups.add(name, whole, logical, item.bytes_freed);
            }
        }
        let groups = view.stats()?.groups;
        let live = groups.iter().filter(|group| !group.purged);
        let entries: u64 = live.map(|group| group.entries).sum();
        let stored = Sizes::new(&self.store().journal, &view)?.of_everything();
        Ok(PlanImpact {
            by_rule: by_rule.largest_first(),
            by_converter: by_converter.largest_first(),
            by_month: by_month.by_name(),
            percent_of_entries: percent(plan.count, entries),
            percent_of_bytes: percent(plan.bytes_freed, stored),
        })
    }

    /// Returns what holds keep of a converter's entries, if that is more than its limits allow.
    /// `converter` of `None` means all entries. Reads all of them, if there is a hold.
    pub fn held_over_limit(
        &self,
        converter: Option<&str>,
        max_size: Option<u64>,
        max_count: Option<u64>,
    ) -> Result<Option<HeldOverLimit>> {
        let view = self.store().index.view();
        if view.holds().is_empty() || (max_size.is_none() && max_count.is_none()) {
            return Ok(None);
        }
        let sizes = Sizes::new(&self.store().journal, &view)?;
        let mut needs = Needs::of_all(&sizes);
        let (mut entries, mut bytes) = (0, 0);
        let of_converter = |name: &str| converter.is_none_or(|wanted| is_same_name(name, wanted));
        walk_selected(
            &view,
            |entry| !entry.holds.is_empty() && of_converter(&entry.converter),
            |entry| {
                entries += 1;
                bytes += needs.add(entry)?;
                Ok(())
            },
        )?;
        let over_size = max_size.is_some_and(|limit| bytes > limit);
        let over_count = max_count.is_some_and(|limit| entries > limit);
        Ok((over_size || over_count).then_some(HeldOverLimit {
            entries,
            bytes,
            over_size,
            over_count,
        }))
    }

    /// Returns when the newest event was recorded that was there when this store was opened for
    /// writing; `None` for a new store.
    pub fn newest_before_opening(&self) -> Option<Timestamp> {
        self.store().newest_before.get().copied()
    }
}

/// Sums by name.
#[derive(Default)]
struct Groups(BTreeMap<String, ImpactGroup>);

impl Groups {
    fn add(&mut self, name: String, whole: bool, logical: u64, freed: u64) {
        let group = self.0.entry(name.clone()).or_insert_with(|| ImpactGroup {
            name,
            ..ImpactGroup::default()
        });
        if whole {
            group.entries += 1;
        } else {
            group.parts += 1;
        }
        group.bytes_logical += logical;
        group.bytes_freed += freed;
    }

    fn by_name(self) -> Vec<ImpactGroup> {
        self.0.into_values().collect()
    }

    fn largest_first(self) -> Vec<ImpactGroup> {
        let mut groups = self.by_name();
        groups.sort_by_key(|group| std::cmp::Reverse((group.bytes_freed, group.entries)));
        groups
    }
}

fn month_of(time: Timestamp) -> String {
    let day = Timestamp::from_micros(time.micros());
    day.to_chrono().format("%Y-%m").to_string()
}

#[expect(clippy::cast_precision_loss, reason = "a share is rounded anyway")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let exact = part as f64 * 100.0 / whole as f64;
    (exact * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
