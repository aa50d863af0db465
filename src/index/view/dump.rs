//! Writes everything in a view as text, for tests and for verification.

use super::layers::View;
use crate::event::EvidenceList;
use crate::id::{ConverterId, EntryId};
use crate::index::error::IndexError;
use crate::index::rows::{self, EntryRow};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

impl View {
    /// Passes everything in the view to `line`, one fact a line, in a fixed order. Two states are
    /// equal when their dumps are equal. Holds all blobs and keys in memory, so it is only for
    /// tests and `verify`.
    pub(crate) fn dump(&self, mut line: impl FnMut(String)) -> Result<(), IndexError> {
        line(format!("applied {} {:?}", self.applied(), self.totals()));
        let holds = self.holds();
        self.walk_rows(|id, row| {
            let row: EntryRow<'_> = rows::decode(row)?;
            line(format!("{:?}", row.entry(id, row.names_on(&holds, id))));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut blobs = BTreeMap::new();
        self.walk_blobs(|id, row| {
            blobs.insert(id, row);
        })?;
        for (id, row) in blobs {
            line(format!("{id:?} {row:?} {:?}", self.children(&id)?));
        }
        let mut keys = BTreeMap::new();
        for stored in self.reader.keys.range::<&[u8; 16]>(..)? {
            let (key, id) = stored?;
            keys.insert(*key.value(), Some(EntryId(id.value())));
        }
        for layer in self.layers.iter().rev() {
            keys.extend(layer.keys.iter().map(|(key, id)| (*key, *id)));
        }
        keys.retain(|_, id| id.is_some());
        line(format!("{keys:?}"));
        line(format!(
            "{:?} {:?} {:?}",
            self.personal_fields(),
            self.actors()?,
            self.all_disclosures()?
        ));
        let mut names = BTreeMap::new();
        for stored in self.reader.converter_names.range::<&str>(..)? {
            let (name, id) = stored?;
            names.insert(
                name.value().to_owned(),
                ConverterId::from_bytes(*id.value()),
            );
        }
        let mut config = BTreeMap::new();
        for stored in self.reader.config.range::<&str>(..)? {
            let (what, value) = stored?;
            config.insert(what.value().to_owned(), rows::decode(value.value())?);
        }
        for layer in self.layers.iter().rev() {
            names.extend(layer.small.converter_names.clone());
            config.extend(layer.small.config.clone());
        }
        line(format!("{names:?} {config:?}"));
        line(format!("{:?} {:?}", self.converters()?, self.jobs()?));
        line(format!("{:?}", self.promotions()?));
        for converter in self.converters()? {
            let id = converter.converter_id;
            line(format!("{id:?} {:?}", self.environments(&id)?));
        }
        line(format!("{holds:?} {:?}", self.pack_states()?));
        line(format!("{:?}", self.locks()));
        line(format!("{:?}", self.saved_views()?));
        for list in EvidenceList::ALL {
            let events = self.evidence_list(list, None, usize::MAX)?;
            line(format!("{list:?} {events:?}"));
        }
        line(format!("{:?} {:?}", self.counters()?, self.losses()?));
        line(format!(
            "{:?} {:?}",
            self.unreadable()?,
            self.pending_purges()
        ));
        for name in self.queues()? {
            line(format!(
                "{name:?} {:?}",
                self.queue(&name, None, usize::MAX)?
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
impl View {
    /// Returns every key and value of every table, as stored.
    pub(in crate::index) fn raw(&self) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
        fn add<K: redb::Key, V: redb::Value>(
            out: &mut Vec<(&'static str, Vec<u8>, Vec<u8>)>,
            name: &'static str,
            table: &redb::ReadOnlyTable<K, V>,
        ) {
            for row in redb::ReadableTable::iter(table).expect("sound") {
                let (key, value) = row.expect("sound");
                let key = K::as_bytes(&key.value()).as_ref().to_vec();
                out.push((name, key, V::as_bytes(&value.value()).as_ref().to_vec()));
            }
        }
        let (mut out, reader) = (Vec::new(), &self.reader);
        add(&mut out, "entries", &reader.entries.table);
        add(&mut out, "postings", &reader.postings);
        add(&mut out, "digests", &reader.digests);
        add(&mut out, "trigrams", &reader.trigrams);
        add(&mut out, "ordinals", &reader.ordinals);
        add(&mut out, "times", &reader.times);
        add(&mut out, "zones", &reader.zones);
        add(&mut out, "blobs", &reader.blobs);
        add(&mut out, "children", &reader.children);
        add(&mut out, "packs", &reader.packs);
        add(&mut out, "keys", &reader.keys);
        add(&mut out, "converters", &reader.converters);
        add(&mut out, "converter_names", &reader.converter_names);
        add(&mut out, "promotions", &reader.promotions);
        add(&mut out, "jobs", &reader.jobs);
        add(&mut out, "config", &reader.config);
        add(&mut out, "views", &reader.views);
        add(&mut out, "counters", &reader.counters);
        add(&mut out, "losses", &reader.losses);
        add(&mut out, "unreadable", &reader.unreadable);
        add(&mut out, "submissions", &reader.submissions);
        add(&mut out, "disclosures", &reader.disclosures);
        add(&mut out, "actors", &reader.actors);
        add(&mut out, "evidence", &reader.evidence);
        out
    }
}
