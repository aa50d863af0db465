//! Facts that people add to an entry after it was archived.

use serde::{Deserialize, Serialize};

use crate::entry::{Meta, Unit};
use crate::id::EntryId;

/// See [`Body::Annotated`](crate::event::Body::Annotated).
///
/// It has no old values: the events that recorded them still do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Annotated {
    /// The entry. It may have been purged.
    pub entry: EntryId,
    /// What there is to say about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Labels that it has from here on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Labels that it no longer has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlabels: Vec<String>,
    /// What is right of the unit. Absent fields stay as they are.
    #[serde(default, skip_serializing_if = "Unit::is_empty")]
    pub unit: Unit,
    /// Metadata that is right. Other metadata stays as it is.
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
    /// Why, in a person's words.
    pub reason: String,
}

impl Annotated {
    /// Returns what it says, in a few words, and why.
    pub fn summary(&self) -> String {
        let unit = [
            ("serial", &self.unit.serial),
            ("part", &self.unit.part),
            ("station", &self.unit.station),
            ("process", &self.unit.process),
        ];
        let unit = unit.into_iter().filter_map(|(name, value)| {
            let value = value.as_deref()?;
            Some(format!("{name} is {value}"))
        });
        let meta = self.meta.iter();
        let meta = meta.map(|(name, value)| format!("meta.{name} is {value}"));
        let added = self.labels.iter().map(|label| format!("label {label}"));
        let removed = self.unlabels.iter();
        let removed = removed.map(|label| format!("no label {label}"));
        let words = unit.chain(meta).chain(added).chain(removed);
        let words: Vec<String> = words.chain(self.text.clone()).collect();
        format!("{} ({})", words.join("; "), self.reason)
    }
}
