//! The entries of a plan, page by page.

use serde::Serialize;

use super::words::rule_of;
use crate::Result;
use crate::archive::Snapshot;
use crate::retention::PlannedPurge;
use crate::service::time::Zone;
use crate::time::Timestamp;

/// An entry of a plan with what helps to know it again.
#[derive(Debug, Serialize)]
pub struct ItemObject<'a> {
    /// What goes, and by which rule.
    #[serde(flatten)]
    pub item: &'a PlannedPurge,
    /// When the entry was archived.
    pub archived_at: Option<Timestamp>,
    /// Its converter.
    pub converter: Option<String>,
    /// Its serial.
    pub serial: Option<String>,
    /// The name of its source file.
    pub source_name: Option<String>,
}

/// The columns of items as CSV.
pub const ITEM_COLUMNS: [&str; 8] = [
    "id",
    "part",
    "rule",
    "bytes_freed",
    "archived_at",
    "converter",
    "serial",
    "source_name",
];

impl<'a> ItemObject<'a> {
    /// Looks the entry of an item up.
    pub fn of(item: &'a PlannedPurge, snapshot: &Snapshot, zone: &Zone) -> Result<Self> {
        let entry = snapshot.entry(item.id)?;
        let archived_at = entry.as_ref().map(|entry| zone.exact(entry.archived_at));
        let (converter, serial, source_name) = match entry {
            Some(entry) => (
                Some(entry.converter),
                entry.unit.serial,
                Some(entry.source_name),
            ),
            None => (None, None, None),
        };
        Ok(Self {
            item,
            archived_at,
            converter,
            serial,
            source_name,
        })
    }

    /// Returns the fields of [`ITEM_COLUMNS`].
    pub fn fields(&self) -> Vec<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            self.item.id.to_string(),
            self.item.part.name().to_owned(),
            rule_of(self.item),
            self.item.bytes_freed.to_string(),
            self.archived_at
                .map(|time| time.to_string())
                .unwrap_or_default(),
            text(&self.converter),
            text(&self.serial),
            text(&self.source_name),
        ]
    }
}
