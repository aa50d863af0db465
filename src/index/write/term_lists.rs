//! Collects the members of each term of a new span.

use crate::index::error::IndexError;
use crate::index::postings::Low;
use crate::index::tables::Field;
use std::collections::HashMap;
use std::ops::Range;

/// The members of each term of a new span. A key is the byte of the field, then the term.
#[derive(Default)]
pub(super) struct TermLists {
    /// Terms that many entries share.
    shared: HashMap<Vec<u8>, Vec<Low>>,
    /// Terms that usually belong to one entry only: sorting these is cheaper than hashing them.
    own: Vec<OwnTerm>,
    texts: Vec<u8>,
    key: Vec<u8>,
}

struct OwnTerm {
    /// The first bytes of the key, so that most comparisons need not look at the text.
    head: u128,
    text: Range<u32>,
    low: Low,
}

impl TermLists {
    /// Adds a member. Members must come in ascending order; repetitions are allowed.
    pub(super) fn push(&mut self, field: Field, term: &[u8], low: Low) {
        self.key.clear();
        self.key.push(field as u8);
        self.key.extend_from_slice(term);
        let start = u32::try_from(self.texts.len());
        let end = u32::try_from(self.texts.len() + self.key.len());
        if let (true, Ok(start), Ok(end)) = (field.identifies(), start, end) {
            self.texts.extend_from_slice(&self.key);
            let mut head = [0; 16];
            let known = self.key.len().min(head.len());
            head[..known].copy_from_slice(&self.key[..known]);
            self.own.push(OwnTerm {
                head: u128::from_be_bytes(head),
                text: start..end,
                low,
            });
            return;
        }
        let members = match self.shared.get_mut(&self.key) {
            Some(members) => members,
            None => self.shared.entry(self.key.clone()).or_default(),
        };
        if members.last() != Some(&low) {
            members.push(low);
        }
    }

    /// Passes each key to the callback with its members, ascending.
    pub(super) fn each(
        mut self,
        mut take: impl FnMut(&[u8], &[Low]) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let texts = self.texts;
        let text = |term: &OwnTerm| &texts[term.text.start as usize..term.text.end as usize];
        self.own.sort_unstable_by(|a, b| {
            let heads = a.head.cmp(&b.head);
            heads.then_with(|| (text(a), a.low).cmp(&(text(b), b.low)))
        });
        let mut shared: Vec<(Vec<u8>, Vec<Low>)> = self.shared.into_iter().collect();
        shared.sort_unstable();
        let mut shared = shared.into_iter().peekable();
        let mut members = Vec::new();
        for group in self.own.chunk_by(|a, b| text(a) == text(b)) {
            let key = text(&group[0]);
            while let Some((key, members)) = shared.next_if(|(earlier, _)| earlier.as_slice() < key)
            {
                take(&key, &members)?;
            }
            members.clear();
            members.extend(group.iter().map(|term| term.low));
            members.dedup();
            // Own terms that no longer fit 32-bit offsets go to the shared list, so a key may be in
            // both.
            if let Some((_, more)) = shared.next_if(|(same, _)| same.as_slice() == key) {
                members.extend(more);
                members.sort_unstable();
                members.dedup();
            }
            take(key, &members)?;
        }
        for (key, members) in shared {
            take(&key, &members)?;
        }
        Ok(())
    }
}
