//! Writes the trigrams of changed entries.

use super::changes::{ChangedSpan, Edit};
use crate::index::error::IndexError;
use crate::index::postings::{self, Low};
use crate::index::reader::Reader;
use crate::index::rows::{self, EntryRow};
use crate::index::tables::{self};
use crate::index::terms;
use crate::index::text::Trigram;
use redb::{ReadableTable, WriteTransaction};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

pub(super) fn write_trigrams(
    txn: &WriteTransaction,
    reader: &Reader,
    spans: &[ChangedSpan<'_>],
) -> Result<(), IndexError> {
    let mut table = txn.open_table(tables::TRIGRAMS)?;
    let mut stored = reader.entries.cursor();
    for span in spans {
        let mut gained = TrigramLists::default();
        let mut edits: BTreeMap<Trigram, Edit> = BTreeMap::new();
        for entry in &span.entries {
            let row: EntryRow<'_> = rows::decode(entry.row)?;
            if !entry.known {
                terms::trigrams(&row, |code| gained.push(code, entry.low));
                continue;
            }
            let old: EntryRow<'_> = rows::decode(stored.row(entry.id)?)?;
            // Most changes are reports, submissions and purges, which change no text.
            if texts(&old) == texts(&row) {
                continue;
            }
            let (old, new) = (trigram_set(&old), trigram_set(&row));
            for code in new.difference(&old) {
                edits.entry(*code).or_default().added.push(entry.low);
            }
            for code in old.difference(&new) {
                edits.entry(*code).or_default().removed.push(entry.low);
            }
        }
        if span.fresh {
            let mut end = table.upper_bound_mut(Bound::<u64>::Unbounded)?;
            gained.each(|code, members| {
                let packed = postings::pack(members);
                Ok(end.insert_before(tables::trigram_key(span.span, code), packed.as_slice())?)
            })?;
            end.close()?;
            continue;
        }
        gained.each(|code, members| {
            edits.entry(code).or_default().added.extend(members);
            Ok(())
        })?;
        for (code, edit) in edits {
            let key = tables::trigram_key(span.span, code);
            let old = table.get(key)?.map(|packed| packed.value().to_vec());
            match postings::edit(old.as_deref(), &edit.added, &edit.removed)? {
                Some(packed) => drop(table.insert(key, packed.as_slice())?),
                None => drop(table.remove(key)?),
            }
        }
    }
    Ok(())
}

fn texts<'a>(row: &EntryRow<'a>) -> Vec<&'a str> {
    let mut texts = Vec::new();
    terms::searched_texts(row, |text| texts.push(text));
    texts
}

fn trigram_set(row: &EntryRow<'_>) -> BTreeSet<Trigram> {
    let mut set = BTreeSet::new();
    terms::trigrams(row, |code| {
        set.insert(code);
    });
    set
}

/// The members of each trigram, indexed by its bytes without hashing or sorting.
#[derive(Default)]
struct TrigramLists {
    /// Indexed by the first two bytes, allocated on first use; then by the third. The value is the
    /// number of the list, counted from 1.
    heads: Vec<Option<Box<[u32; 256]>>>,
    lists: Vec<Vec<Low>>,
}

impl TrigramLists {
    /// Adds a member. Members must come in ascending order; repetitions are allowed.
    fn push(&mut self, code: Trigram, low: Low) {
        let (head, tail) = ((code >> 8) as usize, (code & 0xff) as usize);
        if head >= self.heads.len() {
            self.heads.resize_with(head + 1, || None);
        }
        let list = &mut self.heads[head].get_or_insert_with(|| Box::new([0; 256]))[tail];
        if *list == 0 {
            self.lists.push(Vec::new());
            // A trigram has 24 bits, so there are at most that many lists.
            *list = u32::try_from(self.lists.len()).expect("BUG: more lists than trigrams");
        }
        let members = &mut self.lists[*list as usize - 1];
        if members.last() != Some(&low) {
            members.push(low);
        }
    }

    /// Passes each trigram that has members to the callback, ascending.
    fn each(
        self,
        mut take: impl FnMut(Trigram, &[Low]) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        for (head, tails) in (0..).zip(&self.heads) {
            for (tail, list) in (0..).zip(tails.iter().flat_map(|tails| tails.iter())) {
                if *list != 0 {
                    take(head << 8 | tail, &self.lists[*list as usize - 1])?;
                }
            }
        }
        Ok(())
    }
}
