//! Copies an index into an empty file, row by row in the order of the keys. The copy has no free
//! pages, and its pages are full.

use super::commit::begin_write;
use crate::index::error::IndexError;
use crate::index::reader::Reader;
use crate::index::rows;
use crate::index::tables;
use redb::{
    Database, Key, ReadOnlyTable, ReadableTable, ReadableTableMetadata, TableDefinition, Value,
    WriteTransaction,
};
use std::ops::Bound;

/// Calls `$each` with every table that is copied as it is: the table that is read, then its
/// definition. `meta`, `holds` and `pending_purges` are not among them, because a [`Reader`] has
/// them decoded.
macro_rules! each_table {
    ($reader:expr, $each:ident $(, $more:expr)*) => {
        $each(&$reader.entries.table, tables::ENTRIES $(, $more)*)?;
        $each(&$reader.postings, tables::POSTINGS $(, $more)*)?;
        $each(&$reader.digests, tables::DIGESTS $(, $more)*)?;
        $each(&$reader.trigrams, tables::TRIGRAMS $(, $more)*)?;
        $each(&$reader.ordinals, tables::ORDINALS $(, $more)*)?;
        $each(&$reader.times, tables::TIMES $(, $more)*)?;
        $each(&$reader.zones, tables::ZONES $(, $more)*)?;
        $each(&$reader.blobs, tables::BLOBS $(, $more)*)?;
        $each(&$reader.children, tables::CHILDREN $(, $more)*)?;
        $each(&$reader.packs, tables::PACKS $(, $more)*)?;
        $each(&$reader.keys, tables::KEYS $(, $more)*)?;
        $each(&$reader.converters, tables::CONVERTERS $(, $more)*)?;
        $each(&$reader.converter_names, tables::CONVERTER_NAMES $(, $more)*)?;
        $each(&$reader.promotions, tables::PROMOTIONS $(, $more)*)?;
        $each(&$reader.jobs, tables::JOBS $(, $more)*)?;
        $each(&$reader.config, tables::CONFIG $(, $more)*)?;
        $each(&$reader.views, tables::VIEWS $(, $more)*)?;
        $each(&$reader.counters, tables::COUNTERS $(, $more)*)?;
        $each(&$reader.losses, tables::LOSSES $(, $more)*)?;
        $each(&$reader.unreadable, tables::UNREADABLE $(, $more)*)?;
        $each(&$reader.submissions, tables::SUBMISSIONS $(, $more)*)?;
        $each(&$reader.disclosures, tables::DISCLOSURES $(, $more)*)?;
        $each(&$reader.actors, tables::ACTORS $(, $more)*)?;
        $each(&$reader.evidence, tables::EVIDENCE $(, $more)*)?;
    };
}

/// Copies what `reader` sees to `to`, an index without rows, in one transaction.
pub(in crate::index) fn copy(reader: &Reader, to: &Database) -> Result<(), IndexError> {
    let txn = begin_write(to)?;
    let txn_ref = &txn;
    each_table!(reader, copy_table, txn_ref);
    {
        let mut holds = txn.open_table(tables::HOLDS)?;
        for (name, hold) in &reader.holds {
            holds.insert(name.as_str(), rows::encode(&**hold).as_slice())?;
        }
        let mut pending = txn.open_table(tables::PENDING_PURGES)?;
        for (plan, purge) in &reader.pending_purges {
            pending.insert(plan.as_str(), rows::encode(&**purge).as_slice())?;
        }
        let mut meta = txn.open_table(tables::META)?;
        meta.insert(tables::META_APPLIED, &reader.applied.0.to_le_bytes()[..])?;
        let totals = rows::encode(&reader.totals);
        meta.insert(tables::META_TOTALS, totals.as_slice())?;
        let locks = rows::encode(&&*reader.locks);
        meta.insert(tables::META_LOCKS, locks.as_slice())?;
        let personal = rows::encode(&&*reader.personal);
        meta.insert(tables::META_PERSONAL, personal.as_slice())?;
        // A copy has no free pages, which could hold what was erased.
        let scrubbed = reader.totals.newest_erased.to_le_bytes();
        meta.insert(tables::META_SCRUBBED, &scrubbed[..])?;
    }
    txn.commit()?;
    Ok(())
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    from: &ReadOnlyTable<K, V>,
    definition: TableDefinition<'_, K, V>,
    txn: &WriteTransaction,
) -> Result<(), IndexError> {
    let mut table = txn.open_table(definition)?;
    let mut end = table.upper_bound_mut(Bound::<K::SelfType<'_>>::Unbounded)?;
    for row in from.iter()? {
        let (key, value) = row?;
        end.insert_before(key.value(), value.value())?;
    }
    end.close()?;
    Ok(())
}

/// Returns roughly how many bytes a copy of what `reader` sees would have. Reads all pages.
pub(in crate::index) fn bytes_of_copy(reader: &Reader) -> Result<u64, IndexError> {
    let mut bytes = 0;
    let sum = &mut bytes;
    each_table!(reader, add_bytes, sum);
    Ok(bytes)
}

fn add_bytes<K: Key + 'static, V: Value + 'static>(
    table: &ReadOnlyTable<K, V>,
    _: TableDefinition<'_, K, V>,
    sum: &mut u64,
) -> Result<(), IndexError> {
    let stats = table.stats()?;
    *sum += stats.stored_bytes() + stats.metadata_bytes();
    Ok(())
}
