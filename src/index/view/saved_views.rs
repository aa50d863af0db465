//! Saved views.

use super::layers::View;
use crate::index::error::IndexError;
use crate::index::rows::{self, ViewRow};
use std::collections::BTreeMap;

impl View {
    /// Returns a saved view.
    pub(crate) fn saved_view(&self, name: &str) -> Result<Option<ViewRow>, IndexError> {
        let mut newer = self.layers.iter();
        if let Some(row) = newer.find_map(|layer| layer.small.views.get(name)) {
            return Ok(row.clone());
        }
        let stored = self.reader.views.get(name)?;
        stored.map(|row| rows::decode(row.value())).transpose()
    }

    /// Returns every saved view, by name.
    pub(crate) fn saved_views(&self) -> Result<BTreeMap<String, ViewRow>, IndexError> {
        let mut all = BTreeMap::new();
        for stored in self.reader.views.range::<&str>(..)? {
            let (name, row) = stored?;
            all.insert(name.value().to_owned(), rows::decode(row.value())?);
        }
        for layer in self.layers.iter().rev() {
            for (name, row) in &layer.small.views {
                match row {
                    Some(row) => drop(all.insert(name.clone(), row.clone())),
                    None => drop(all.remove(name)),
                }
            }
        }
        Ok(all)
    }
}
