//! Writes the posting lists, ordinals, digests and times of changed entries.

use super::changes::{ChangedSpan, Edit};
use super::ordinals::Columns;
use super::term_lists::TermLists;
use crate::index::error::IndexError;
use crate::index::postings::{self, Low};
use crate::index::reader::Reader;
use crate::index::rows::{self, EntryRow};
use crate::index::tables::{
    self, BLOCK_IDS, Bytes, DigestItem, Field, POSTING_PREFIX, Span, Times, Zones,
};
use crate::index::terms;
use crate::time::Timestamp;
use redb::{ReadableTable, Table, WriteTransaction};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

pub(super) fn write_postings(
    txn: &WriteTransaction,
    reader: &Reader,
    spans: &[ChangedSpan<'_>],
) -> Result<(), IndexError> {
    let mut postings = txn.open_table(tables::POSTINGS)?;
    let mut ordinals = txn.open_table(tables::ORDINALS)?;
    let mut digests = txn.open_table(tables::DIGESTS)?;
    let mut times = txn.open_table(tables::TIMES)?;
    let mut zones = txn.open_table(tables::ZONES)?;
    let mut stored = reader.entries.cursor();
    for span in spans {
        let mut gained = TermLists::default();
        let mut edits: BTreeMap<Vec<u8>, Edit> = BTreeMap::new();
        let mut archived = Vec::new();
        let mut heads = Vec::new();
        for entry in &span.entries {
            let row: EntryRow<'_> = rows::decode(entry.row)?;
            let mut push_head = |head| {
                heads.push((
                    tables::digest_key(span.span, head),
                    tables::digest_item(head, entry.low),
                ));
            };
            if !entry.known {
                terms::digests(&row, push_head);
                terms::terms(&row, |field, term| gained.push(field, term, entry.low));
                archived.push(Times {
                    low: entry.low,
                    archived: row.head.archived_at.micros(),
                    changed: row.source_modified.map(Timestamp::micros),
                    size: row.head.size,
                });
                continue;
            }
            let old: EntryRow<'_> = rows::decode(stored.row(entry.id)?)?;
            let mut known = Vec::new();
            terms::digests(&old, |head| known.push(head));
            terms::digests(&row, |head| {
                if !known.contains(&head) {
                    push_head(head);
                }
            });
            let (old, new) = (term_set(&old), term_set(&row));
            for key in new.difference(&old) {
                edits.entry(key.clone()).or_default().added.push(entry.low);
            }
            for key in old.difference(&new) {
                let edit = edits.entry(key.clone()).or_default();
                edit.removed.push(entry.low);
            }
        }
        heads.sort_unstable();
        heads.dedup();
        write_digests(&mut digests, span.fresh, &heads)?;
        write_times(&mut times, &mut zones, span.span, &archived)?;
        if span.fresh {
            append_terms(&mut postings, &mut ordinals, span.span, gained)?;
        } else {
            gained.each(|key, members| {
                edits.entry(key.to_vec()).or_default().added.extend(members);
                Ok(())
            })?;
            edit_terms(&mut postings, &mut ordinals, span.span, edits)?;
        }
    }
    Ok(())
}

/// Returns the terms of a row, each preceded by the byte of its field.
fn term_set(row: &EntryRow<'_>) -> BTreeSet<Vec<u8>> {
    let mut set = BTreeSet::new();
    terms::terms(row, |field, term| {
        set.insert([&[field as u8], term].concat());
    });
    set
}

fn write_digests(
    digests: &mut Table<'_, u64, Bytes>,
    fresh: bool,
    heads: &[(u64, DigestItem)],
) -> Result<(), IndexError> {
    let groups = heads.chunk_by(|a, b| a.0 == b.0);
    let items = |group: &[(u64, DigestItem)]| -> Vec<DigestItem> {
        group.iter().map(|(_, item)| *item).collect()
    };
    if fresh {
        let mut end = digests.upper_bound_mut(Bound::<u64>::Unbounded)?;
        for group in groups {
            end.insert_before(group[0].0, items(group).as_flattened())?;
        }
        end.close()?;
        return Ok(());
    }
    for group in groups {
        let key = group[0].0;
        let mut all = match digests.get(key)? {
            Some(value) => tables::digest_items(value.value())
                .ok_or(IndexError::Damaged("the digests"))?
                .to_vec(),
            None => Vec::new(),
        };
        let known = all.len();
        all.extend(items(group));
        all.sort_unstable();
        all.dedup();
        if all.len() > known {
            digests.insert(key, all.as_flattened())?;
        }
    }
    Ok(())
}

fn write_times(
    times: &mut Table<'_, u64, Bytes>,
    zones: &mut Table<'_, u32, Bytes>,
    span: Span,
    archived: &[Times],
) -> Result<(), IndexError> {
    if archived.is_empty() {
        return Ok(());
    }
    let mut zone = match zones.get(span)? {
        Some(value) => Zones::parse(value.value()).ok_or(IndexError::Damaged("a zone"))?,
        None => Zones::NEVER,
    };
    let block_of = |low: Low| usize::from(low) / BLOCK_IDS;
    for entries in archived.chunk_by(|a, b| block_of(a.low) == block_of(b.low)) {
        let block = block_of(entries[0].low);
        let key = tables::block_key(span, block);
        let mut value = match times.get(key)? {
            Some(value) => value.value().to_vec(),
            None => Vec::new(),
        };
        tables::push_times(&mut value, entries);
        for entry in entries {
            zone.whole.take_in(entry.archived);
            zone.blocks[block].take_in(entry.archived);
        }
        times.insert(key, value.as_slice())?;
    }
    zones.insert(span, zone.bytes().as_slice())?;
    Ok(())
}

/// Writes the terms of a span that has none in the tables yet.
fn append_terms(
    postings: &mut Table<'_, Bytes, Bytes>,
    ordinals: &mut Table<'_, u64, Bytes>,
    span: Span,
    gained: TermLists,
) -> Result<(), IndexError> {
    let mut end = postings.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
    let mut columns = Columns::default();
    let mut key = span.to_be_bytes().to_vec();
    gained.each(|term, members| {
        key.truncate(size_of::<Span>());
        key.extend_from_slice(term);
        end.insert_before(key.as_slice(), postings::pack(members).as_slice())?;
        columns.push(term[0], members);
        Ok(())
    })?;
    end.close()?;
    for (field, column) in columns.finished {
        ordinals.insert(tables::ordinals_key(span, field), column.bytes().as_slice())?;
    }
    Ok(())
}

/// Changes the terms of a span that has some in the tables.
fn edit_terms(
    postings: &mut Table<'_, Bytes, Bytes>,
    ordinals: &mut Table<'_, u64, Bytes>,
    span: Span,
    edits: BTreeMap<Vec<u8>, Edit>,
) -> Result<(), IndexError> {
    let touched: BTreeSet<u8> = edits.keys().map(|key| key[0]).collect();
    let mut key = span.to_be_bytes().to_vec();
    for (term, edit) in edits {
        key.truncate(size_of::<Span>());
        key.extend(term);
        let old = postings.get(key.as_slice())?;
        let old = old.map(|packed| packed.value().to_vec());
        match postings::edit(old.as_deref(), &edit.added, &edit.removed)? {
            Some(packed) => drop(postings.insert(key.as_slice(), packed.as_slice())?),
            None => drop(postings.remove(key.as_slice())?),
        }
    }
    for field in Field::ORDERED {
        if !touched.contains(&(field as u8)) {
            continue;
        }
        let mut columns = Columns::default();
        for field in [Field::All, field] {
            let (from, to) = tables::term_bounds(span, field);
            for row in postings.range::<&[u8]>(&from[..]..&to[..])? {
                let (key, packed) = row?;
                let members = postings::unpack(packed.value())?;
                columns.push(key.value()[POSTING_PREFIX - 1], &members);
            }
        }
        for (field, column) in columns.finished {
            ordinals.insert(tables::ordinals_key(span, field), column.bytes().as_slice())?;
        }
    }
    Ok(())
}
