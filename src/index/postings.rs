//! Sets of entry ids within one span: as a bitmap for set operations, and packed for the table.

use super::error::IndexError;
use super::tables::SPAN_IDS;

const WORDS: usize = SPAN_IDS / 64;
const BITMAP_BYTES: usize = WORDS * 8;

/// The position of an id within its span.
pub(super) type Low = u16;

/// A set of ids of one span, one bit each.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bits(Box<[u64; WORDS]>);

impl Bits {
    pub(super) fn none() -> Self {
        Self(Box::new([0; WORDS]))
    }

    pub(super) fn insert(&mut self, low: Low) {
        self.0[usize::from(low >> 6)] |= 1 << (low & 63);
    }

    pub(super) fn contains(&self, low: Low) -> bool {
        self.0[usize::from(low >> 6)] & (1 << (low & 63)) != 0
    }

    /// Inserts every id from `first` to `last`, both included.
    pub(super) fn insert_range(&mut self, first: Low, last: Low) {
        if first > last {
            return;
        }
        let (from, to) = (usize::from(first >> 6), usize::from(last >> 6));
        let head = u64::MAX << (first & 63);
        let tail = u64::MAX >> (63 - (last & 63));
        if from == to {
            self.0[from] |= head & tail;
        } else {
            self.0[from] |= head;
            self.0[from + 1..to].fill(u64::MAX);
            self.0[to] |= tail;
        }
    }

    pub(super) fn union(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0.iter()) {
            *word |= other;
        }
    }

    pub(super) fn intersect(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0.iter()) {
            *word &= other;
        }
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0.iter()) {
            *word &= !other;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Returns the members, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = Low> + '_ {
        self.iter_words(0..WORDS)
    }

    /// Returns the members from word `words.start * 64` on, ascending.
    pub(super) fn iter_words(
        &self,
        words: std::ops::Range<usize>,
    ) -> impl Iterator<Item = Low> + '_ {
        words.flat_map(|at| {
            let mut word = self.0[at];
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(low(at * 64 + bit as usize))
            })
        })
    }

    /// Returns the smallest member at or above `from`.
    pub(super) fn next_from(&self, from: Low) -> Option<Low> {
        let start = usize::from(from >> 6);
        let first = self.0[start] & (u64::MAX << (from & 63));
        std::iter::once(first)
            .chain(self.0[start + 1..].iter().copied())
            .zip(start..)
            .find(|(word, _)| *word != 0)
            .map(|(word, at)| low(at * 64 + word.trailing_zeros() as usize))
    }

    /// Returns the greatest member at or below `from`.
    pub(super) fn last_from(&self, from: Low) -> Option<Low> {
        let start = usize::from(from >> 6);
        let first = self.0[start] & (u64::MAX >> (63 - (from & 63)));
        std::iter::once(first)
            .chain(self.0[..start].iter().rev().copied())
            .zip((0..=start).rev())
            .find(|(word, _)| *word != 0)
            .map(|(word, at)| low(at * 64 + 63 - word.leading_zeros() as usize))
    }

    /// Returns true when no member lies in the 64-bit words `words`.
    pub(super) fn is_empty_in(&self, words: std::ops::Range<usize>) -> bool {
        self.0[words].iter().all(|word| *word == 0)
    }

    /// Inserts the members of a packed set.
    pub(super) fn insert_packed(&mut self, packed: &[u8]) -> Result<(), IndexError> {
        match Packed::parse(packed)? {
            Packed::Array(pairs) => {
                for pair in pairs {
                    self.insert(Low::from_le_bytes(*pair));
                }
            }
            Packed::Runs(runs) => {
                for [a, b, c, d] in runs {
                    self.insert_range(Low::from_le_bytes([*a, *b]), Low::from_le_bytes([*c, *d]));
                }
            }
            Packed::Gaps(gaps) => {
                for low in gaps {
                    self.insert(low?);
                }
            }
            Packed::Bitmap(words) => {
                for (word, bytes) in self.0.iter_mut().zip(words) {
                    *word |= u64::from_le_bytes(*bytes);
                }
            }
        }
        Ok(())
    }
}

/// The rank of each member of a set: how many members are smaller.
pub(super) struct Ranks {
    bits: Bits,
    before: Vec<u32>,
}

impl Ranks {
    pub(super) fn of(bits: Bits) -> Self {
        let mut before = Vec::with_capacity(WORDS + 1);
        let mut sum = 0;
        for word in bits.0.iter() {
            before.push(sum);
            sum += word.count_ones();
        }
        before.push(sum);
        Self { bits, before }
    }

    /// Returns the number of members.
    pub(super) fn len(&self) -> usize {
        self.before.last().map_or(0, |sum| *sum as usize)
    }

    /// Passes each member of `some` to `each` with its rank in this set, ascending. `some` must be
    /// a subset of this set.
    pub(super) fn each_rank(&self, some: &Bits, mut each: impl FnMut(Low, usize)) {
        let words = self.bits.0.iter().zip(some.0.iter()).zip(&self.before);
        for (at, ((all, some), before)) in words.enumerate() {
            let mut some = *some;
            while some != 0 {
                let bit = some.trailing_zeros();
                let below = all & !(u64::MAX << bit);
                each(
                    low(at * 64 + bit as usize),
                    (before + below.count_ones()) as usize,
                );
                some &= some - 1;
            }
        }
    }

    /// Returns how many members are smaller than `low`.
    pub(super) fn rank(&self, low: Low) -> usize {
        let at = usize::from(low >> 6);
        let below = self.bits.0[at] & !(u64::MAX << (low & 63));
        (self.before[at] + below.count_ones()) as usize
    }
}

/// A packed set as the table stores it: one byte for the form, then the elements of that form in
/// little-endian.
enum Packed<'a> {
    /// Ascending members.
    Array(&'a [[u8; 2]]),
    /// Ascending (first, last) pairs, both included.
    Runs(&'a [[u8; 4]]),
    /// One bit for each id of the span.
    Bitmap(&'a [[u8; 8]]),
    /// Ascending members, each as its distance from the smallest one it could be.
    Gaps(Gaps<'a>),
}

const ARRAY: u8 = 0;
const RUNS: u8 = 1;
const BITMAP: u8 = 2;
const GAPS: u8 = 3;

/// The members of a set that is packed as distances: seven bits in each byte, the lowest first, and
/// the highest bit where more follow.
#[derive(Clone)]
struct Gaps<'a> {
    bytes: std::slice::Iter<'a, u8>,
    /// The smallest member that can come next.
    next: u32,
}

impl<'a> Gaps<'a> {
    fn over(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.iter(),
            next: 0,
        }
    }
}

impl Iterator for Gaps<'_> {
    type Item = Result<Low, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut byte = *self.bytes.next()?;
        let mut gap = u32::from(byte & 0x7f);
        let mut shift = 7;
        while byte & 0x80 != 0 {
            let Some(more) = self.bytes.next().filter(|_| shift <= 14) else {
                return Some(Err(IndexError::Damaged("a posting list")));
            };
            byte = *more;
            gap |= u32::from(byte & 0x7f) << shift;
            shift += 7;
        }
        let member = self.next + gap;
        self.next = member.saturating_add(1);
        Some(Low::try_from(member).map_err(|_| {
            // Nothing behind it can be read.
            self.bytes = [].iter();
            IndexError::Damaged("a posting list")
        }))
    }
}

/// Returns the distance of each member from the smallest one it could be.
fn gaps(members: &[Low]) -> impl Iterator<Item = u32> + '_ {
    let mut next = 0;
    members.iter().map(move |low| {
        let gap = u32::from(*low) - next;
        next = u32::from(*low) + 1;
        gap
    })
}

/// Returns how many bytes a distance takes.
fn gap_bytes(gap: u32) -> usize {
    match gap {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        _ => 3,
    }
}

impl<'a> Packed<'a> {
    fn parse(packed: &'a [u8]) -> Result<Self, IndexError> {
        let damaged = || IndexError::Damaged("a posting list");
        let (form, body) = packed.split_first().ok_or_else(damaged)?;
        match *form {
            ARRAY => match body.as_chunks() {
                (pairs, []) => Ok(Self::Array(pairs)),
                _ => Err(damaged()),
            },
            RUNS => match body.as_chunks() {
                (runs, []) => Ok(Self::Runs(runs)),
                _ => Err(damaged()),
            },
            BITMAP if body.len() == BITMAP_BYTES => Ok(Self::Bitmap(body.as_chunks().0)),
            GAPS => Ok(Self::Gaps(Gaps::over(body))),
            _ => Err(damaged()),
        }
    }
}

/// Returns the members of a packed set, ascending.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<Low>, IndexError> {
    match Packed::parse(packed)? {
        Packed::Array(pairs) => {
            return Ok(pairs.iter().map(|pair| Low::from_le_bytes(*pair)).collect());
        }
        Packed::Gaps(gaps) => return gaps.collect(),
        Packed::Runs(_) | Packed::Bitmap(_) => {}
    }
    let mut bits = Bits::none();
    bits.insert_packed(packed)?;
    Ok(bits.iter().collect())
}

/// Returns the members of a packed set if it is stored as a short list, ascending; otherwise
/// `None`.
pub(super) fn short_list(packed: &[u8]) -> Result<Option<Vec<Low>>, IndexError> {
    const SHORT: usize = 32;
    match Packed::parse(packed)? {
        Packed::Array(pairs) if pairs.len() <= SHORT => unpack(packed).map(Some),
        // At least one byte for each member.
        Packed::Gaps(_) if packed.len() <= SHORT => unpack(packed).map(Some),
        _ => Ok(None),
    }
}

/// Returns the smallest member of a packed set.
pub(super) fn first(packed: &[u8]) -> Result<Low, IndexError> {
    let found = match Packed::parse(packed)? {
        Packed::Array(pairs) => pairs.first().map(|pair| Low::from_le_bytes(*pair)),
        Packed::Runs(runs) => runs.first().map(|[a, b, ..]| Low::from_le_bytes([*a, *b])),
        Packed::Bitmap(_) => unpack(packed)?.first().copied(),
        Packed::Gaps(mut gaps) => gaps.next().transpose()?,
    };
    found.ok_or(IndexError::Damaged("a posting list"))
}

/// Packs ascending, distinct members into the smallest form. Equal sets therefore have equal bytes.
pub(super) fn pack(members: &[Low]) -> Vec<u8> {
    let runs = 1 + members
        .windows(2)
        .filter(|pair| pair[1] != pair[0] + 1)
        .count();
    let (array_bytes, runs_bytes) = (members.len() * 2, runs * 4);
    let gaps_bytes = gaps(members).map(gap_bytes).sum::<usize>();
    let least = array_bytes
        .min(runs_bytes)
        .min(BITMAP_BYTES)
        .min(gaps_bytes);
    let mut packed = Vec::with_capacity(1 + least);
    // Of forms that are as small, the first is the fastest to read.
    if array_bytes == least {
        packed.push(ARRAY);
        packed.extend(members.iter().flat_map(|low| low.to_le_bytes()));
    } else if runs_bytes == least {
        packed.push(RUNS);
        for run in members.chunk_by(|a, b| *b == a + 1) {
            packed.extend(run[0].to_le_bytes());
            packed.extend(run[run.len() - 1].to_le_bytes());
        }
    } else if BITMAP_BYTES == least {
        let mut bits = Bits::none();
        for low in members {
            bits.insert(*low);
        }
        packed.push(BITMAP);
        packed.extend(bits.0.iter().flat_map(|word| word.to_le_bytes()));
    } else {
        packed.push(GAPS);
        for mut gap in gaps(members) {
            while gap >= 0x80 {
                packed.push(gap.to_le_bytes()[0] | 0x80);
                gap >>= 7;
            }
            packed.push(gap.to_le_bytes()[0]);
        }
    }
    packed
}

/// Inserts `added` into a packed set and removes `removed`; both are ascending. `None` is the empty
/// set.
pub(super) fn edit(
    packed: Option<&[u8]>,
    added: &[Low],
    removed: &[Low],
) -> Result<Option<Vec<u8>>, IndexError> {
    let mut members = packed.map(unpack).transpose()?.unwrap_or_default();
    if members.last() < added.first() {
        members.extend(added);
    } else {
        members.extend(added);
        members.sort_unstable();
        members.dedup();
    }
    if !removed.is_empty() {
        members.retain(|low| removed.binary_search(low).is_err());
    }
    Ok((!members.is_empty()).then(|| pack(&members)))
}

fn low(number: usize) -> Low {
    Low::try_from(number).expect("a span has as many ids as this type has values")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn bits(members: &[Low]) -> Bits {
        let mut bits = Bits::none();
        bits.insert_packed(&pack(members)).expect("just packed");
        bits
    }

    #[test]
    fn every_form_gives_back_its_members() {
        let sparse = vec![20_000, 40_000, 65_535];
        let runs: Vec<Low> = (100..20_000).collect();
        let dense: Vec<Low> = (0..60_000).step_by(2).collect();
        let here_and_there: Vec<Low> = (300..60_000).step_by(30).collect();
        for (members, form) in [
            (sparse, ARRAY),
            (runs, RUNS),
            (dense, BITMAP),
            (here_and_there, GAPS),
        ] {
            let packed = pack(&members);
            assert_eq!(packed[0], form);
            assert_eq!(unpack(&packed).expect("just packed"), members);
            assert_eq!(bits(&members).iter().collect::<Vec<_>>(), members);
        }
        let all: Vec<Low> = (0..=Low::MAX).collect();
        assert_eq!(bits(&all).len(), 65_536);
    }

    #[test]
    fn damaged_sets_are_refused() {
        for wrong in [
            &[][..],
            &[9],
            &[ARRAY, 1],
            &[RUNS, 1, 2],
            &[BITMAP, 0],
            &[GAPS, 0x80],
            &[GAPS, 0x80, 0x80, 0x80, 0],
            &[GAPS, 0xff, 0xff, 0x03, 0],
        ] {
            assert!(unpack(wrong).is_err());
            assert!(Bits::none().insert_packed(wrong).is_err());
        }
        // A run whose end is before its beginning has no members.
        assert!(unpack(&[RUNS, 9, 0, 3, 0]).expect("harmless").is_empty());
    }

    proptest! {
        #[test]
        fn sets_behave_like_sets(
            a in proptest::collection::btree_set(0_u16.., 0..300),
            b in proptest::collection::btree_set(0_u16.., 0..300),
            at in 0_u16..,
        ) {
            let list = |set: &BTreeSet<Low>| set.iter().copied().collect::<Vec<_>>();
            let (left, right) = (list(&a), list(&b));
            let edited = edit(Some(&pack(&left)), &right, &[]).expect("sound");
            let union: Vec<Low> = a.union(&b).copied().collect();
            prop_assert_eq!(edited, (!union.is_empty()).then(|| pack(&union)));
            let edited = edit((!left.is_empty()).then(|| pack(&left)).as_deref(), &[], &right).expect("sound");
            let rest: Vec<Low> = a.difference(&b).copied().collect();
            prop_assert_eq!(edited, (!rest.is_empty()).then(|| pack(&rest)));

            let (mut and, mut or, mut not) = (bits(&left), bits(&left), bits(&left));
            and.intersect(&bits(&right));
            or.union(&bits(&right));
            not.subtract(&bits(&right));
            prop_assert_eq!(and.iter().collect::<Vec<_>>(), a.intersection(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(or.iter().collect::<Vec<_>>(), union);
            prop_assert_eq!(not.iter().collect::<Vec<_>>(), rest);
            prop_assert_eq!(bits(&left).next_from(at), a.range(at..).next().copied());
            prop_assert_eq!(bits(&left).last_from(at), a.range(..=at).next_back().copied());
            let ranks = Ranks::of(bits(&left));
            prop_assert_eq!(ranks.rank(at), a.range(..at).count());
            prop_assert_eq!(ranks.len(), a.len());
        }
    }
}
