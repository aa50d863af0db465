//! Personal values in a view: declared fields, disclosures, and pseudonyms.

use super::layers::View;
use crate::id::{EntryId, EventSeq};
use crate::index::error::IndexError;
use crate::index::overlay::PersonalFields;
use crate::index::rows::{self, ActorRow, DisclosureRow};
use std::collections::BTreeMap;
use std::sync::Arc;

impl View {
    /// Returns the personal fields, as they were declared.
    pub(crate) fn personal_fields(&self) -> PersonalFields {
        let newer = self
            .layers
            .iter()
            .find_map(|layer| layer.small.personal.clone());
        newer.unwrap_or_else(|| Arc::clone(&self.reader.personal))
    }

    /// Returns the newest event that personal values went with; 0 means none.
    pub(crate) fn newest_erased(&self) -> EventSeq {
        EventSeq(self.totals().newest_erased)
    }

    /// Returns how many personal values leaves have digests of, and how many of them were erased.
    pub(crate) fn sealed_and_erased(&self) -> (u64, u64) {
        let totals = self.totals();
        (totals.sealed, totals.erased)
    }

    /// Returns the disclosures of an entry, in the order of the events that name them.
    pub(crate) fn disclosures(&self, id: EntryId) -> Result<Arc<[DisclosureRow]>, IndexError> {
        if self.totals().sealed == 0 {
            return Ok(Arc::default());
        }
        if let Some(rows) = self.layered(|layer| layer.disclosures.get(&id)) {
            return Ok(rows);
        }
        match self.reader.disclosures.get(id.0)? {
            Some(rows) => Ok(rows::decode::<Vec<DisclosureRow>>(rows.value())?.into()),
            None => Ok(Arc::default()),
        }
    }

    /// Returns what is known of a pseudonym.
    pub(crate) fn actor(&self, pseudonym: &str) -> Result<Option<ActorRow>, IndexError> {
        if let Some(row) = self.layered(|layer| layer.small.actors.get(pseudonym)) {
            return Ok(Some(row));
        }
        let stored = self.reader.actors.get(pseudonym)?;
        stored.map(|row| rows::decode(row.value())).transpose()
    }

    /// Returns every pseudonym.
    pub(crate) fn actors(&self) -> Result<BTreeMap<String, ActorRow>, IndexError> {
        let mut all = BTreeMap::new();
        for stored in self.reader.actors.range::<&str>(..)? {
            let (pseudonym, row) = stored?;
            all.insert(pseudonym.value().to_owned(), rows::decode(row.value())?);
        }
        for layer in self.layers.iter().rev() {
            all.extend(layer.small.actors.clone());
        }
        Ok(all)
    }

    /// Hands the disclosures of every entry to `each`, in no order.
    pub(crate) fn walk_disclosures(
        &self,
        mut each: impl FnMut(EntryId, &[DisclosureRow]),
    ) -> Result<(), IndexError> {
        let mut changed = BTreeMap::new();
        for layer in self.layers.iter().rev() {
            changed.extend(layer.disclosures.iter());
        }
        for stored in self.reader.disclosures.range::<u64>(..)? {
            let (id, rows) = stored?;
            let id = EntryId(id.value());
            if !changed.contains_key(&id) {
                each(id, &rows::decode::<Vec<DisclosureRow>>(rows.value())?);
            }
        }
        for (id, rows) in changed {
            each(*id, rows);
        }
        Ok(())
    }

    /// Returns the disclosures of every entry that has any.
    pub(super) fn all_disclosures(
        &self,
    ) -> Result<BTreeMap<EntryId, Arc<[DisclosureRow]>>, IndexError> {
        let mut all = BTreeMap::new();
        for stored in self.reader.disclosures.range::<u64>(..)? {
            let (id, rows) = stored?;
            let rows: Vec<DisclosureRow> = rows::decode(rows.value())?;
            all.insert(EntryId(id.value()), rows.into());
        }
        for layer in self.layers.iter().rev() {
            let newer = layer.disclosures.iter();
            all.extend(newer.map(|(id, rows)| (*id, Arc::clone(rows))));
        }
        Ok(all)
    }
}
