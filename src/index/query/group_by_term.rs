//! Groups the matches of a filter by the terms of a field, without reading their rows.

use std::collections::BTreeMap;

use super::search::Search;
use crate::id::EntryId;
use crate::index::error::IndexError;
use crate::index::postings::{Bits, Low};
use crate::index::rows;
use crate::index::tables::{Field, POSTING_PREFIX, entry_at, term_bounds};
use crate::index::terms;
use crate::index::view::View;
use crate::query::Filter;

/// The entries that have one term in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TermGroup {
    /// Number of entries.
    pub(crate) entries: u64,
    /// The oldest of them.
    pub(crate) oldest: EntryId,
    /// The newest of them.
    pub(crate) newest: EntryId,
}

type Groups = BTreeMap<Vec<u8>, TermGroup>;

impl View {
    /// Returns the entries that `filter` selects by the cause of the trouble with their last
    /// attempt. An entry may have several causes.
    pub(crate) fn groups_by_cause(&self, filter: &Filter) -> Result<Groups, IndexError> {
        self.group_by_term(Field::Cause, filter)
    }

    /// Returns the entries that `filter` selects by the converter that made their last success.
    pub(crate) fn groups_by_maker(&self, filter: &Filter) -> Result<Groups, IndexError> {
        self.group_by_term(Field::Maker, filter)
    }

    /// Memory is bounded by the number of different terms.
    fn group_by_term(&self, field: Field, filter: &Filter) -> Result<Groups, IndexError> {
        let search = Search::new(self, filter)?;
        search.sharpen();
        let mut groups = Groups::new();
        for (span, zone) in &search.spans {
            let Some(matching) = search.matches(*span, *zone)? else {
                continue;
            };
            let (first, end) = term_bounds(*span, field);
            let terms = first.as_slice()..end.as_slice();
            for row in self.reader.postings.range::<&[u8]>(terms)? {
                let (key, packed) = row?;
                let mut bits = Bits::none();
                bits.insert_packed(packed.value())?;
                bits.intersect(&matching);
                if search.is_doubtful() {
                    bits = confirmed(&search, *span, &bits)?;
                }
                let ends = bits.next_from(Low::MIN).zip(bits.last_from(Low::MAX));
                if let Some((oldest, newest)) = ends {
                    let found = TermGroup {
                        entries: u64::from(bits.len()),
                        oldest: entry_at(*span, oldest),
                        newest: entry_at(*span, newest),
                    };
                    add(&mut groups, &key.value()[POSTING_PREFIX..], found);
                }
            }
        }
        for (id, row) in &search.changed {
            if search.matcher.takes(*id, row)? {
                let found = TermGroup {
                    entries: 1,
                    oldest: *id,
                    newest: *id,
                };
                terms::terms(&rows::decode(&row.bytes)?, |of, term| {
                    if of == field {
                        add(&mut groups, term, found);
                    }
                });
            }
        }
        Ok(groups)
    }
}

fn confirmed(search: &Search<'_>, span: u32, bits: &Bits) -> Result<Bits, IndexError> {
    let mut confirmed = Bits::none();
    for low in bits.iter() {
        if search.confirms(entry_at(span, low))? {
            confirmed.insert(low);
        }
    }
    Ok(confirmed)
}

fn add(groups: &mut Groups, term: &[u8], found: TermGroup) {
    match groups.get_mut(term) {
        Some(known) => {
            known.entries += found.entries;
            known.oldest = known.oldest.min(found.oldest);
            known.newest = known.newest.max(found.newest);
        }
        None => drop(groups.insert(term.to_vec(), found)),
    }
}
