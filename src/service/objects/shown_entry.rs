//! An entry with all that is known of it, as one object.

use serde::Serialize;

use super::personal::{Personal, personal_values};
use super::ran_on::{RanOn, ran_on};
use super::source_file::SourceFile;
use super::timeline::{Moment, timeline};
use crate::Result;
use crate::archive::Archive;
use crate::entry::Entry;
use crate::service::entries::EntryObject;
use crate::service::time::Zone;

/// An entry with all that is known of it.
#[derive(Debug, Serialize)]
pub struct ShownEntry<'a> {
    /// The entry.
    #[serde(flatten)]
    pub entry: EntryObject<'a>,
    /// What became of its source file; null when no host has recorded it.
    pub source_file: Option<SourceFile>,
    /// What became of its personal values, the oldest first.
    pub personal: Vec<Personal>,
    /// What each attempt ran on.
    pub ran_on: Vec<RanOn>,
    /// Its events, the oldest first.
    pub timeline: Vec<Moment>,
}

impl<'a> ShownEntry<'a> {
    /// Looks up all that is known of an entry, with times in `zone`. It reads the whole log from
    /// the entry on.
    pub fn of(archive: &Archive, entry: &'a Entry, zone: &Zone) -> Result<Self> {
        Ok(Self {
            entry: EntryObject::new(entry, zone),
            source_file: SourceFile::of(archive, entry, zone)?,
            timeline: timeline(archive, entry.id, zone)?,
            personal: personal_values(archive, entry.id)?,
            ran_on: ran_on(archive, entry)?,
        })
    }
}
