//! The quick search: finds entries by serial, part, file name, report id or hash, and by the end of
//! a serial. Serials and parts that a note corrected find the entry, too.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::error::IndexError;
use super::postings::{Bits, Low};
use super::rows::{self, EntryRow, Raw};
use super::tables::{
    DIGEST_BITS, DigestHead, Field, Span, digest_item, digest_items, digest_key, digest_low,
    entry_at, posting_key, term_bounds,
};
use super::terms;
use super::text::{self, Trigram, fold};
use super::view::View;
use crate::entry::Entry;
use crate::id::{BlobId, EntryId, Sha256};

/// The shortest beginning of a hash that is searched for; a shorter one would match too many
/// entries.
const DIGEST_DIGITS_MIN: usize = 6;
const DIGEST_DIGITS_MAX: usize = 64;
/// The fewest letters of the end of a serial that are searched for; fewer are the end of too many.
const END_LETTERS_MIN: usize = 4;
/// Digits of a digest head, which is compared before the whole digest.
const HEAD_DIGITS: usize = 16;
/// Digits that the index holds of a digest.
const INDEXED_DIGITS: usize = DIGEST_BITS as usize / 4;

impl View {
    /// Returns the entries that match `text`, purged or not, without regard to letter case.
    ///
    /// An entry matches when its serial, part, file name or report id is `text` or begins with it,
    /// when a serial or part did before a note corrected it,
    /// or when `text` is its id. From six hexadecimal digits on, it also matches when a BLAKE3 or
    /// SHA-256 hash of its source or reports begins with `text`; from four letters on, when its
    /// serial ends with `text`, or did before a note corrected it. Full matches come first, then
    /// prefix matches, then ends of serials, each newest first.
    pub(crate) fn find(&self, text: &str, limit: usize) -> Result<Vec<Entry>, IndexError> {
        let wanted = Wanted::new(text);
        if wanted.text.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut found = Found::default();
        let changed = self.changed_rows(EntryId(0)..=EntryId(u64::MAX));
        for (id, row) in &changed {
            found.note(*id, wanted.look_at(*id, &rows::decode(&row.bytes)?));
        }
        let is_changed = |id: &EntryId| changed.binary_search_by_key(id, |(id, _)| *id).is_ok();
        if let Some(id) = wanted.id
            && self.stored(id)?.is_some()
        {
            found.note(id, Some(Match::Whole));
        }
        for (span, _) in self.reader.spans()?.into_iter().rev() {
            // Results are newest first, so only entries of newer spans come before the entries of
            // this span.
            let enough = |ids: &BTreeSet<EntryId>| {
                let newer = ids.range(entry_at(span, Low::MAX)..);
                newer.take(limit).count() == limit
            };
            if enough(&found.whole) {
                break;
            }
            let (whole, mut begun) = self.find_in(span, &wanted, !enough(&found.begun))?;
            begun.subtract(&whole);
            for (bits, kind) in [(whole, Match::Whole), (begun, Match::Beginning)] {
                for low in bits.iter() {
                    let id = entry_at(span, low);
                    // An entry with a row in an overlay was looked at above.
                    if !is_changed(&id) {
                        found.note(id, Some(kind));
                    }
                }
            }
        }
        let begun: Vec<EntryId> = found.begun.difference(&found.whole).copied().collect();
        let mut ids: Vec<EntryId> = found.whole.iter().rev().copied().collect();
        ids.extend(begun.iter().rev());
        if ids.len() < limit && !wanted.end.is_empty() {
            found.ended.retain(|id| !ids.contains(id));
            let better: BTreeSet<EntryId> = ids.iter().copied().collect();
            self.find_ends(&wanted, limit - ids.len(), &mut found.ended, |id| {
                better.contains(id) || is_changed(id)
            })?;
            ids.extend(found.ended.iter().rev());
        }
        ids.truncate(limit);
        self.entries(&ids)
    }

    /// Adds the entries of the tables whose serials end with the text, the newest first, until
    /// there are `limit`.
    fn find_ends(
        &self,
        wanted: &Wanted,
        limit: usize,
        ended: &mut BTreeSet<EntryId>,
        is_known: impl Fn(&EntryId) -> bool,
    ) -> Result<(), IndexError> {
        for (span, _) in self.reader.spans()?.into_iter().rev() {
            let newer = ended.range(entry_at(span, Low::MAX)..);
            if newer.take(limit).count() == limit {
                break;
            }
            let found = self.ends_in(span, wanted)?;
            let ids = found.iter().map(|low| entry_at(span, low));
            ended.extend(ids.filter(|id| !is_known(id)));
        }
        Ok(())
    }

    /// Returns the entries of a span whose serials end with the text, and perhaps some that match
    /// better.
    fn ends_in(&self, span: Span, wanted: &Wanted) -> Result<Bits, IndexError> {
        /// Fewer rows than this are read one by one; more take longer than all serials.
        const FEW: u32 = 1000;
        let mut candidates: Option<Bits> = None;
        for trigram in &wanted.end {
            let mut bits = Bits::none();
            self.reader.add_trigram(span, *trigram, &mut bits)?;
            if let Some(before) = &candidates {
                bits.intersect(before);
            }
            if bits.is_empty() {
                return Ok(bits);
            }
            candidates = Some(bits);
        }
        let mut doubtful = candidates.unwrap_or_else(Bits::none);
        let mut found = Bits::none();
        if doubtful.len() > FEW {
            let mut unsure = Bits::none();
            for field in [Field::Serial, Field::Former] {
                let (first, end) = term_bounds(span, field);
                let terms = first.as_slice()..end.as_slice();
                for row in self.reader.postings.range::<&[u8]>(terms)? {
                    let (key, packed) = row?;
                    let known = terms::text_of(&key.value()[first.len()..]);
                    match known {
                        Some(text) if !text.ends_with(&wanted.text) => {}
                        // What a note corrected may have been a part.
                        Some(_) if field == Field::Serial => found.insert_packed(packed.value())?,
                        _ => unsure.insert_packed(packed.value())?,
                    }
                }
            }
            found.intersect(&doubtful);
            doubtful.intersect(&unsure);
        }
        for low in doubtful.iter() {
            let id = entry_at(span, low);
            let Some(row) = self.reader.entries.get(id)? else {
                return Err(IndexError::Damaged("the entries"));
            };
            if wanted.look_at(id, &rows::decode(row.value())?).is_some() {
                found.insert(low);
            }
        }
        Ok(found)
    }

    /// Returns the entries of a span that match in full, and those that match by prefix if
    /// `beginnings` is true.
    fn find_in(
        &self,
        span: Span,
        wanted: &Wanted,
        beginnings: bool,
    ) -> Result<(Bits, Bits), IndexError> {
        const FIELDS: [Field; 5] = [
            Field::Serial,
            Field::Part,
            Field::SourceName,
            Field::Report,
            Field::Former,
        ];
        let (mut whole, mut begun) = (Bits::none(), Bits::none());
        let mut doubtful = Bits::none();
        for field in FIELDS {
            let first = posting_key(span, field, &wanted.term);
            if wanted.is_whole && !beginnings {
                self.reader
                    .add_posting(span, field, &wanted.term, &mut whole)?;
                continue;
            }
            let (_, end) = term_bounds(span, field);
            for row in self
                .reader
                .postings
                .range::<&[u8]>(first.as_slice()..&end[..])?
            {
                let (key, packed) = row?;
                let Some(more) = key.value().strip_prefix(first.as_slice()) else {
                    break;
                };
                let bits = match (wanted.is_whole, more) {
                    (false, _) => &mut doubtful,
                    (true, []) => &mut whole,
                    (true, _) => &mut begun,
                };
                bits.insert_packed(packed.value())?;
            }
        }
        if let Some(digest) = &wanted.digest
            && (beginnings || digest.digits.len() == DIGEST_DIGITS_MAX)
        {
            let bits = if digest.is_whole() {
                &mut begun
            } else {
                &mut doubtful
            };
            self.add_digests(span, &digest.heads, bits)?;
        }
        for low in doubtful.iter() {
            let id = entry_at(span, low);
            let Some(row) = self.reader.entries.get(id)? else {
                return Err(IndexError::Damaged("the entries"));
            };
            match wanted.look_at(id, &rows::decode(row.value())?) {
                Some(Match::Whole) => whole.insert(low),
                Some(Match::Beginning) => begun.insert(low),
                Some(Match::End) | None => {}
            }
        }
        Ok((whole, begun))
    }

    /// Returns the entries whose source has this content, purged or not, the oldest first. Decodes
    /// only rows that very probably have it.
    pub(crate) fn with_source(&self, content: &BlobId) -> Result<Vec<Entry>, IndexError> {
        let head = terms::digest_head(Raw(content.as_bytes()));
        let mut ids = BTreeSet::new();
        for layer in &self.layers {
            let rows = layer.entries.iter();
            let marked = rows.filter(|(_, row)| row.marks.source == head);
            ids.extend(marked.map(|(id, _)| *id));
        }
        for (span, _) in self.reader.spans()? {
            let mut bits = Bits::none();
            self.add_digests(span, &(head..=head), &mut bits)?;
            ids.extend(bits.iter().map(|low| entry_at(span, low)));
        }
        let ids: Vec<EntryId> = ids.into_iter().collect();
        let mut entries = self.entries(&ids)?;
        entries.retain(|entry| entry.blake3 == *content);
        Ok(entries)
    }

    /// Adds the entries of a span with a digest that begins so, of a source or a report.
    fn add_digests(
        &self,
        span: Span,
        heads: &RangeInclusive<DigestHead>,
        bits: &mut Bits,
    ) -> Result<(), IndexError> {
        let (first, last) = (*heads.start(), *heads.end());
        let keys = digest_key(span, first)..=digest_key(span, last);
        let items = digest_item(first, Low::MIN)..=digest_item(last, Low::MAX);
        // The shortest beginning is longer than a key, so they share one key.
        for row in self.reader.digests.range(keys)? {
            let value = row?.1;
            let found = digest_items(value.value()).ok_or(IndexError::Damaged("the digests"))?;
            let begins = found.partition_point(|item| item < items.start());
            let matching = found[begins..].iter();
            for item in matching.take_while(|item| *item <= items.end()) {
                bits.insert(digest_low(*item));
            }
        }
        Ok(())
    }
}

/// How well an entry matches; the best is the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    End,
    Beginning,
    Whole,
}

#[derive(Default)]
struct Found {
    whole: BTreeSet<EntryId>,
    begun: BTreeSet<EntryId>,
    ended: BTreeSet<EntryId>,
}

impl Found {
    fn note(&mut self, id: EntryId, kind: Option<Match>) {
        match kind {
            Some(Match::Whole) => self.whole.insert(id),
            Some(Match::Beginning) => self.begun.insert(id),
            Some(Match::End) => self.ended.insert(id),
            None => false,
        };
    }
}

/// The searched text in every form that it can be compared in.
struct Wanted {
    text: String,
    term: Vec<u8>,
    /// True when equal terms prove equal texts.
    is_whole: bool,
    id: Option<EntryId>,
    digest: Option<DigestBeginning>,
    /// The trigrams that every text with this end has; none if it is too short.
    end: Vec<Trigram>,
}

impl Wanted {
    fn new(text: &str) -> Self {
        let folded = fold(text).into_owned();
        Self {
            term: terms::text_term(Some(text)),
            is_whole: terms::is_whole(&folded),
            id: text.parse().ok(),
            digest: DigestBeginning::new(&folded),
            end: if folded.chars().count() < END_LETTERS_MIN {
                Vec::new()
            } else {
                text::trigrams_of_end(&folded)
            },
            text: folded,
        }
    }

    fn look_at(&self, id: EntryId, row: &EntryRow<'_>) -> Option<Match> {
        let mut best = (self.id == Some(id)).then_some(Match::Whole);
        let mut note = |kind: Option<Match>| best = best.max(kind);
        let head = &row.head;
        let texts = [Some(head.source_name), head.serial, head.part];
        let reported = row.reports().map(|report| report.report_id);
        let former = row.former().map(Some);
        for text in texts.into_iter().chain(reported).chain(former).flatten() {
            note(begins(&fold(text), &self.text));
        }
        if !self.end.is_empty() {
            let serials = head.serial.into_iter().chain(row.former_serials());
            for serial in serials {
                note(fold(serial).ends_with(&self.text).then_some(Match::End));
            }
        }
        if let Some(digest) = &self.digest {
            let of_reports = row.reports().map(|report| [report.blake3, report.sha256]);
            for raw in of_reports.chain([[row.blake3, row.sha256]]).flatten() {
                if digest.heads.contains(&terms::digest_head(raw)) {
                    note(begins(
                        &Sha256::from_bytes(*raw.0).to_string(),
                        &digest.digits,
                    ));
                }
            }
        }
        best
    }
}

fn begins(text: &str, wanted: &str) -> Option<Match> {
    match text.strip_prefix(wanted) {
        Some("") => Some(Match::Whole),
        Some(_) => Some(Match::Beginning),
        None => None,
    }
}

/// The first digits of a digest.
struct DigestBeginning {
    digits: String,
    /// The digest heads (first eight bytes) that begin with these digits.
    heads: RangeInclusive<DigestHead>,
}

impl DigestBeginning {
    fn new(folded: &str) -> Option<Self> {
        let fits = (DIGEST_DIGITS_MIN..=DIGEST_DIGITS_MAX).contains(&folded.len());
        if !fits || !folded.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let bound = |fill: u32| {
            let digits = folded.chars().filter_map(|digit| digit.to_digit(16));
            digits
                .chain(std::iter::repeat(fill))
                .take(HEAD_DIGITS)
                .fold(0, |head, digit| head << 4 | DigestHead::from(digit))
        };
        Some(Self {
            digits: folded.to_owned(),
            heads: bound(0)..=bound(15),
        })
    }

    /// Returns true when the index holds every digit that is compared.
    fn is_whole(&self) -> bool {
        self.digits.len() <= INDEXED_DIGITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_number_of_digits_covers_both_halves_of_the_last_byte() {
        let digest = DigestBeginning::new("abcdef1").expect("seven digits");
        assert_eq!(digest.heads, 0xabcd_ef10_0000_0000..=0xabcd_ef1f_ffff_ffff);
        for other in ["abcde", "abcdeg", &"a".repeat(65)] {
            assert!(DigestBeginning::new(other).is_none(), "{other}");
        }
    }
}
