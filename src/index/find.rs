//! The quick search: finds entries by serial, part, file name, report id or hash. Serials and parts
//! that a note corrected find the entry, too.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::error::IndexError;
use super::postings::{Bits, Low};
use super::rows::{self, EntryRow};
use super::tables::{
    DIGEST_BITS, DigestHead, Field, Span, digest_item, digest_items, digest_key, digest_low,
    entry_at, posting_key, term_bounds,
};
use super::terms;
use super::text::fold;
use super::view::View;
use crate::entry::Entry;
use crate::id::{EntryId, Sha256};

/// The shortest beginning of a hash that is searched for; a shorter one would match too many
/// entries.
const DIGEST_DIGITS_MIN: usize = 6;
const DIGEST_DIGITS_MAX: usize = 64;
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
    /// SHA-256 hash of its source or reports begins with `text`. Full matches come first, then
    /// prefix matches, each newest first.
    pub(crate) fn find(&self, text: &str, limit: usize) -> Result<Vec<Entry>, IndexError> {
        let wanted = Wanted::new(text);
        if wanted.text.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut found = Found::default();
        let changed = self.changed_rows(EntryId(0)..=EntryId(u64::MAX));
        for (id, row) in &changed {
            found.note(*id, wanted.look_at(*id, &rows::decode(row)?));
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
        let begun = found
            .begun
            .iter()
            .rev()
            .filter(|id| !found.whole.contains(id));
        let ids = found.whole.iter().rev().chain(begun).copied();
        let ids: Vec<EntryId> = ids.take(limit).collect();
        self.entries(&ids)
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
            let (first, last) = (*digest.heads.start(), *digest.heads.end());
            let keys = digest_key(span, first)..=digest_key(span, last);
            let items = digest_item(first, Low::MIN)..=digest_item(last, Low::MAX);
            let bits = if digest.is_whole() {
                &mut begun
            } else {
                &mut doubtful
            };
            // The shortest beginning is longer than a key, so they share one key.
            for row in self.reader.digests.range(keys)? {
                let value = row?.1;
                let found =
                    digest_items(value.value()).ok_or(IndexError::Damaged("the digests"))?;
                let begins = found.partition_point(|item| item < items.start());
                let matching = found[begins..].iter();
                for item in matching.take_while(|item| *item <= items.end()) {
                    bits.insert(digest_low(*item));
                }
            }
        }
        for low in doubtful.iter() {
            let id = entry_at(span, low);
            let Some(row) = self.reader.entries.get(id)? else {
                return Err(IndexError::Damaged("the entries"));
            };
            match wanted.look_at(id, &rows::decode(row.value())?) {
                Some(Match::Whole) => whole.insert(low),
                Some(Match::Beginning) => begun.insert(low),
                None => {}
            }
        }
        Ok((whole, begun))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Whole,
    Beginning,
}

#[derive(Default)]
struct Found {
    whole: BTreeSet<EntryId>,
    begun: BTreeSet<EntryId>,
}

impl Found {
    fn note(&mut self, id: EntryId, kind: Option<Match>) {
        match kind {
            Some(Match::Whole) => self.whole.insert(id),
            Some(Match::Beginning) => self.begun.insert(id),
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
}

impl Wanted {
    fn new(text: &str) -> Self {
        let folded = fold(text).into_owned();
        Self {
            term: terms::text_term(Some(text)),
            is_whole: terms::is_whole(&folded),
            id: text.parse().ok(),
            digest: DigestBeginning::new(&folded),
            text: folded,
        }
    }

    fn look_at(&self, id: EntryId, row: &EntryRow<'_>) -> Option<Match> {
        let mut best = (self.id == Some(id)).then_some(Match::Whole);
        let mut note = |kind: Option<Match>| match kind {
            Some(Match::Whole) => best = Some(Match::Whole),
            Some(Match::Beginning) => best = best.or(Some(Match::Beginning)),
            None => {}
        };
        let head = &row.head;
        let texts = [Some(head.source_name), head.serial, head.part];
        let reported = row.reports().map(|report| report.report_id);
        let former = row.former().map(Some);
        for text in texts.into_iter().chain(reported).chain(former).flatten() {
            note(begins(&fold(text), &self.text));
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
