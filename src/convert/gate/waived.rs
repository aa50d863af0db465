//! Finds the waiver, if there is one, by which an entry may break with a new identity.

use std::collections::BTreeMap;

use super::verdict::BrokenEntry;
use crate::Result;
use crate::archive::{Archive, Waiver};
use crate::id::{ConverterId, EntryId, EventSeq};
use crate::query::{Filter, Query};
use crate::time::Timestamp;

/// The waivers that a gate goes by: those on record, and some for this time only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waivers {
    /// Those on record that are in force.
    recorded: Vec<Waiver>,
    /// Entries that may break, as an experiment.
    pub entries: Vec<EntryId>,
    /// Parts of errors with which entries may break, as an experiment.
    pub causes: Vec<String>,
}

impl Waivers {
    /// Returns the recorded waivers of a converter that are in force for a new identity.
    ///
    /// # Errors
    /// When the archive cannot be read.
    pub fn on_record(
        archive: &Archive,
        converter: &str,
        candidate: ConverterId,
        now: Timestamp,
    ) -> Result<Self> {
        let mut recorded = archive.waivers(converter)?;
        recorded.retain(|waiver| waiver.is_in_force(candidate, now));
        Ok(Self {
            recorded,
            ..Self::default()
        })
    }

    /// Notes for each broken entry whether it may break, and by which waiver.
    pub(super) fn apply(&self, archive: &Archive, broken: &mut [BrokenEntry]) -> Result<()> {
        let mut waived_by: BTreeMap<EntryId, EventSeq> = BTreeMap::new();
        for waiver in &self.recorded {
            let cause = waiver.fact.cause.as_deref();
            let fits = broken
                .iter()
                .filter(|entry| cause.is_none_or(|cause| says(entry, cause)));
            let ids: Vec<EntryId> = fits.map(|entry| entry.id).collect();
            for id in of_waiver(archive, waiver, &ids)? {
                waived_by.entry(id).or_insert(waiver.event);
            }
        }
        for entry in broken {
            entry.waiver = waived_by.get(&entry.id).copied();
            entry.waived = entry.waiver.is_some()
                || self.entries.contains(&entry.id)
                || self.causes.iter().any(|cause| says(entry, cause));
        }
        Ok(())
    }
}

/// Returns true when the error of a broken entry has a text in it.
fn says(entry: &BrokenEntry, cause: &str) -> bool {
    let error = entry.error.as_deref();
    error.is_some_and(|error| error.contains(cause))
}

/// Returns those of some entries that a waiver is for, whatever their error.
fn of_waiver(archive: &Archive, waiver: &Waiver, ids: &[EntryId]) -> Result<Vec<EntryId>> {
    let named = &waiver.fact.entries;
    let of_ids = ids.iter().copied();
    let mut ids: Vec<EntryId> = of_ids
        .filter(|id| named.is_empty() || named.contains(*id))
        .collect();
    let Some(text) = &waiver.fact.filter else {
        return Ok(ids);
    };
    // A filter of a later version may say what this one cannot check: then nothing is waived.
    let Ok(filter) = serde_json::from_str::<Filter>(text) else {
        return Ok(Vec::new());
    };
    if !filter.ids.is_empty() {
        ids.retain(|id| filter.ids.contains(id));
    }
    if ids.is_empty() {
        return Ok(ids);
    }
    let page = archive.snapshot()?.query(&Query {
        limit: Some(ids.len()),
        filter: Filter { ids, ..filter },
        ..Query::default()
    })?;
    Ok(page.entries.iter().map(|entry| entry.id).collect())
}
