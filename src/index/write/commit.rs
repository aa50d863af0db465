//! Begins and commits the transaction of a checkpoint, and writes the tables that are not posting
//! lists.

use super::changes::spans;
use super::postings::write_postings;
use super::trigrams::write_trigrams;
use crate::id::{EventSeq, StoreId};
use crate::index::entries::{PART_BYTES, part_key, read_group};
use crate::index::error::IndexError;
use crate::index::overlay::{Counter, Overlay};
use crate::index::reader::Reader;
use crate::index::rows::{self, RowPacker, Totals, group_of};
use crate::index::tables;
use redb::{Database, Durability, ReadableTable, ReadableTableMetadata, WriteTransaction};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::thread;

/// Makes every table, without rows.
pub(in crate::index) fn begin(db: &Database, store: StoreId) -> Result<(), IndexError> {
    let txn = begin_write(db)?;
    {
        let mut meta = txn.open_table(tables::META)?;
        meta.insert(tables::META_SCHEMA, &tables::SCHEMA.to_le_bytes()[..])?;
        meta.insert(tables::META_STORE, &store.as_bytes()[..])?;
        meta.insert(tables::META_APPLIED, &0_u64.to_le_bytes()[..])?;
        let totals = rows::encode(&Totals::default());
        meta.insert(tables::META_TOTALS, totals.as_slice())?;
    }
    txn.open_table(tables::ENTRIES)?;
    txn.open_table(tables::POSTINGS)?;
    txn.open_table(tables::DIGESTS)?;
    txn.open_table(tables::TRIGRAMS)?;
    txn.open_table(tables::ORDINALS)?;
    txn.open_table(tables::TIMES)?;
    txn.open_table(tables::ZONES)?;
    txn.open_table(tables::BLOBS)?;
    txn.open_table(tables::CHILDREN)?;
    txn.open_table(tables::PACKS)?;
    txn.open_table(tables::KEYS)?;
    txn.open_table(tables::CONVERTERS)?;
    txn.open_table(tables::CONVERTER_NAMES)?;
    txn.open_table(tables::PROMOTIONS)?;
    txn.open_table(tables::JOBS)?;
    txn.open_table(tables::CONFIG)?;
    txn.open_table(tables::HOLDS)?;
    txn.open_table(tables::PENDING_PURGES)?;
    txn.open_table(tables::VIEWS)?;
    txn.open_table(tables::COUNTERS)?;
    txn.open_table(tables::LOSSES)?;
    txn.open_table(tables::UNREADABLE)?;
    txn.open_table(tables::SUBMISSIONS)?;
    txn.open_table(tables::DISCLOSURES)?;
    txn.open_table(tables::ACTORS)?;
    txn.open_table(tables::EVIDENCE)?;
    txn.commit()?;
    Ok(())
}

pub(super) fn begin_write(db: &Database) -> Result<WriteTransaction, IndexError> {
    let mut txn = db.begin_write()?;
    // Quick repair keeps redb from walking the whole file when it opens after a crash.
    txn.set_quick_repair(true);
    Ok(txn)
}

/// How much of an overlay a checkpoint writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::index) enum Extent {
    /// All of it. Afterwards the file is an index.
    Whole,
    /// Part of it. The file is no index until a checkpoint writes the whole.
    HalfMade {
        /// True to write the rows with unordered keys too.
        scattered: bool,
    },
}

/// Writes `overlay` in one transaction, and how much space the file took when it was last compact.
/// Its rows replace those that `reader` sees.
pub(in crate::index) fn commit(
    db: &Database,
    reader: &Reader,
    overlay: &Overlay,
    extent: Extent,
    compact_bytes: u64,
) -> Result<(), IndexError> {
    let txn = if is_passing(reader, overlay, extent) {
        let mut txn = db.begin_write()?;
        let set = txn.set_durability(Durability::None);
        set.map_err(|error| IndexError::Redb(error.into()))?;
        txn
    } else {
        begin_write(db)?
    };
    let spans = &spans(reader, overlay)?;
    let txn_ref = &txn;
    thread::scope(|scope| {
        let trigrams = scope.spawn(move || write_trigrams(txn_ref, reader, spans));
        let postings = scope.spawn(move || write_postings(txn_ref, reader, spans));
        let rest = write_rows(txn_ref, reader, overlay, extent);
        for thread in [trigrams, postings] {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        rest
    })?;
    let mut meta = txn.open_table(tables::META)?;
    meta.insert(tables::META_COMPACT_BYTES, &compact_bytes.to_le_bytes()[..])?;
    drop(meta);
    txn.commit()?;
    Ok(())
}

/// Returns true for a checkpoint that need not reach the disk: the file says already that it is no
/// index, and after a crash it is made again from nothing.
///
/// One of several spans is made durable, because redb remembers every page until then.
fn is_passing(reader: &Reader, overlay: &Overlay, extent: Extent) -> bool {
    const DURABLE_EVERY: u64 = 16;
    let span = |seq: EventSeq| seq.0 / tables::CHECKPOINT_EVENTS / DURABLE_EVERY;
    let is_first = reader.applied == EventSeq(0);
    extent != Extent::Whole && !is_first && span(reader.applied) == span(overlay.applied)
}

fn write_rows(
    txn: &WriteTransaction,
    reader: &Reader,
    overlay: &Overlay,
    extent: Extent,
) -> Result<(), IndexError> {
    write_entries(txn, reader, overlay)?;
    if extent != (Extent::HalfMade { scattered: false }) {
        write_scattered(txn, overlay)?;
    }
    write_small(txn, overlay)?;
    write_personal(txn, overlay)?;

    let mut meta = txn.open_table(tables::META)?;
    let schema = match extent {
        Extent::Whole => tables::SCHEMA,
        Extent::HalfMade { .. } => tables::SCHEMA_HALF_MADE,
    };
    meta.insert(tables::META_SCHEMA, &schema.to_le_bytes()[..])?;
    meta.insert(tables::META_APPLIED, &overlay.applied.0.to_le_bytes()[..])?;
    meta.insert(
        tables::META_TOTALS,
        rows::encode(&overlay.totals).as_slice(),
    )?;
    Ok(())
}

/// Writes the rows of entries into their groups.
fn write_entries(
    txn: &WriteTransaction,
    reader: &Reader,
    overlay: &Overlay,
) -> Result<(), IndexError> {
    let mut entries = txn.open_table(tables::ENTRIES)?;
    let mut packer = RowPacker::default();
    let (newest, _) = group_of(reader.totals.newest_entry);
    let rows = overlay.entries.iter().map(|(id, row)| {
        let (group, place) = group_of(id.0);
        (group, place, &*row.bytes)
    });
    let rows: Vec<_> = rows.collect();
    let begun = rows.partition_point(|(group, ..)| *group <= newest);
    for changed in rows[..begun].chunk_by(|a, b| a.0 == b.0) {
        let number = changed[0].0;
        let (stored, known) = read_group(&entries, number)?;
        let mut all: BTreeMap<usize, &[u8]> = stored.rows().collect();
        all.extend(changed.iter().map(|(_, place, row)| (*place, *row)));
        let parts = packer.pack(all).chunks(PART_BYTES);
        for part in parts.len()..known {
            entries.remove(part_key(number, part))?;
        }
        for (nth, part) in parts.enumerate() {
            entries.insert(part_key(number, nth), part)?;
        }
    }
    let mut end = entries.upper_bound_mut(Bound::<u64>::Unbounded)?;
    for new in rows[begun..].chunk_by(|a, b| a.0 == b.0) {
        let packed = packer.pack(new.iter().map(|(_, place, row)| (*place, *row)));
        for (nth, part) in packed.chunks(PART_BYTES).enumerate() {
            end.insert_before(part_key(new[0].0, nth), part)?;
        }
    }
    end.close()?;
    Ok(())
}

/// Writes the rows of blobs: one by one if they are few, and otherwise the whole table anew, in the
/// order of its keys.
fn write_blobs(txn: &WriteTransaction, overlay: &Overlay) -> Result<(), IndexError> {
    /// A row that is written by itself costs about as much as this many that are written in order.
    const ANEW: u64 = 8;
    let changed = &overlay.blobs;
    let mut blobs = txn.open_table(tables::BLOBS)?;
    if changed.len() as u64 * ANEW < blobs.len()? {
        for (id, row) in changed.iter_ordered() {
            match row {
                Some(row) => drop(blobs.insert(id.as_bytes(), rows::encode(row).as_slice())?),
                None => drop(blobs.remove(id.as_bytes())?),
            }
        }
        return Ok(());
    }
    let mut anew = txn.open_table(tables::BLOBS_ANEW)?;
    let mut end = anew.upper_bound_mut(Bound::<&[u8; 32]>::Unbounded)?;
    let mut changed = changed.iter_ordered().peekable();
    for stored in blobs.iter()? {
        let (id, stored) = stored?;
        let id = id.value();
        while let Some((before, row)) = changed.next_if(|(before, _)| before.as_bytes() < id) {
            if let Some(row) = row {
                end.insert_before(before.as_bytes(), rows::encode(row).as_slice())?;
            }
        }
        match changed.next_if(|(same, _)| same.as_bytes() == id) {
            Some((_, Some(row))) => end.insert_before(id, rows::encode(row).as_slice())?,
            Some((_, None)) => {}
            None => end.insert_before(id, stored.value())?,
        }
    }
    for (id, row) in changed {
        if let Some(row) = row {
            end.insert_before(id.as_bytes(), rows::encode(row).as_slice())?;
        }
    }
    end.close()?;
    drop((blobs, anew));
    txn.delete_table(tables::BLOBS)?;
    txn.rename_table(tables::BLOBS_ANEW, tables::BLOBS)?;
    Ok(())
}

/// Writes the rows whose keys come in no order.
fn write_scattered(txn: &WriteTransaction, overlay: &Overlay) -> Result<(), IndexError> {
    if overlay.blobs.len() > 0 {
        write_blobs(txn, overlay)?;
    }
    let mut children = txn.open_table(tables::CHILDREN)?;
    for (id, list) in overlay.children.iter() {
        match list {
            Some(list) => {
                let bytes: Vec<u8> = list.iter().flat_map(|id| *id.as_bytes()).collect();
                children.insert(id.as_bytes(), bytes.as_slice())?;
            }
            None => drop(children.remove(id.as_bytes())?),
        }
    }
    let mut keys = txn.open_table(tables::KEYS)?;
    for (key, id) in overlay.keys.iter() {
        match id {
            Some(id) => drop(keys.insert(key, id.0)?),
            None => drop(keys.remove(key)?),
        }
    }
    Ok(())
}

fn write_personal(txn: &WriteTransaction, overlay: &Overlay) -> Result<(), IndexError> {
    if let Some(fields) = &overlay.small.personal {
        let mut meta = txn.open_table(tables::META)?;
        let fields = rows::encode(&&**fields);
        meta.insert(tables::META_PERSONAL, fields.as_slice())?;
    }
    if overlay.disclosures.len() > 0 {
        let mut disclosures = txn.open_table(tables::DISCLOSURES)?;
        for (id, rows) in overlay.disclosures.iter() {
            disclosures.insert(id.0, rows::encode(&&**rows).as_slice())?;
        }
    }
    if !overlay.small.actors.is_empty() {
        let mut actors = txn.open_table(tables::ACTORS)?;
        for (pseudonym, row) in &overlay.small.actors {
            actors.insert(pseudonym.as_str(), rows::encode(row).as_slice())?;
        }
    }
    Ok(())
}

fn write_small(txn: &WriteTransaction, overlay: &Overlay) -> Result<(), IndexError> {
    let small = &overlay.small;
    let mut packs = txn.open_table(tables::PACKS)?;
    for (id, state) in &small.packs {
        match state {
            Some(state) => drop(packs.insert(id.0, rows::encode(state).as_slice())?),
            None => drop(packs.remove(id.0)?),
        }
    }
    let mut converters = txn.open_table(tables::CONVERTERS)?;
    for (id, row) in &small.converters {
        converters.insert(id.as_bytes(), rows::encode(row).as_slice())?;
    }
    let mut names = txn.open_table(tables::CONVERTER_NAMES)?;
    for (name, id) in &small.converter_names {
        names.insert(name.as_str(), id.as_bytes())?;
    }
    let mut promotions = txn.open_table(tables::PROMOTIONS)?;
    for (name, row) in &small.promotions {
        promotions.insert(name.as_str(), rows::encode(row).as_slice())?;
    }
    let mut jobs = txn.open_table(tables::JOBS)?;
    for (id, row) in &small.jobs {
        jobs.insert(id.0, rows::encode(row).as_slice())?;
    }
    let mut config = txn.open_table(tables::CONFIG)?;
    for (what, value) in &small.config {
        config.insert(what.as_str(), rows::encode(value).as_slice())?;
    }
    let mut holds = txn.open_table(tables::HOLDS)?;
    for (name, hold) in &small.holds {
        match hold {
            Some(hold) => drop(holds.insert(name.as_str(), rows::encode(&**hold).as_slice())?),
            None => drop(holds.remove(name.as_str())?),
        }
    }
    let mut pending = txn.open_table(tables::PENDING_PURGES)?;
    for (plan, purge) in &small.pending_purges {
        match purge {
            Some(purge) => {
                let row = rows::encode(&**purge);
                drop(pending.insert(plan.as_str(), row.as_slice())?);
            }
            None => drop(pending.remove(plan.as_str())?),
        }
    }
    let mut views = txn.open_table(tables::VIEWS)?;
    for (name, view) in &small.views {
        match view {
            Some(view) => drop(views.insert(name.as_str(), rows::encode(view).as_slice())?),
            None => drop(views.remove(name.as_str())?),
        }
    }
    if let Some(locks) = &small.locks {
        let mut meta = txn.open_table(tables::META)?;
        meta.insert(tables::META_LOCKS, rows::encode(&&**locks).as_slice())?;
    }
    let mut losses = txn.open_table(tables::LOSSES)?;
    for (id, seq) in &small.losses {
        losses.insert(id.as_bytes(), seq.0)?;
    }
    let mut unreadable = txn.open_table(tables::UNREADABLE)?;
    for (seq, declared_by) in &small.unreadable {
        unreadable.insert(seq.0, declared_by.map_or(0, |by| by.0))?;
    }
    let mut submissions = txn.open_table(tables::SUBMISSIONS)?;
    for (place, queued) in overlay.submissions.iter() {
        let key = (&*queued.converter, place.queued.0, place.report);
        match &queued.row {
            Some(row) => drop(submissions.insert(key, rows::encode(row).as_slice())?),
            None => drop(submissions.remove(key)?),
        }
    }
    let mut evidence = txn.open_table(tables::EVIDENCE)?;
    for (key, ()) in overlay.evidence.iter() {
        evidence.insert(key, ())?;
    }
    let mut counters = txn.open_table(tables::COUNTERS)?;
    for (key, counter) in &small.counters {
        if *counter == Counter::default() {
            counters.remove(key.bytes().as_slice())?;
        } else {
            counters.insert(key.bytes().as_slice(), counter.bytes().as_slice())?;
        }
    }
    Ok(())
}
