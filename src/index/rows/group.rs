//! Packs the rows of neighbouring entries together. Neighbours come from the same converter and
//! station, so a row is written as what differs from the row before it.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | which entries of the group have a row, the first in the lowest bit u32 |
//! | for each row: | its length, then steps until it is complete |
//!
//! A step is a number of new bytes, these bytes, and a copy of the row before, unless the row ends
//! with the new bytes. A copy is a number: its length times four, and where it begins. That is
//! where the last step ended, when it had as many old bytes as new ones (0), one byte later (1) or
//! earlier (2), or the place that the next number says (3). Numbers have seven bits in each byte,
//! the lowest first, and the highest bit where more follow.

use std::ops::Range;

use crate::index::error::IndexError;
use crate::index::tables::{put_number, take_number};

/// How many entry ids one group covers.
pub(in crate::index) const GROUP_IDS: usize = 1 << GROUP_BITS;
const GROUP_BITS: u32 = 5;

/// The shortest copy that is worth a step.
const COPY_MIN: usize = 4;

const ALIGNED: usize = 0;
const LATER: usize = 1;
const EARLIER: usize = 2;
const ELSEWHERE: usize = 3;

/// Returns the number of an entry's group, and the entry's place in it.
pub(in crate::index) fn group_of(id: u64) -> (u64, usize) {
    let place = id % GROUP_IDS as u64;
    (id >> GROUP_BITS, usize::from(place.to_le_bytes()[0]))
}

/// Returns the first entry of a group.
pub(in crate::index) fn first_of(group: u64) -> u64 {
    group << GROUP_BITS
}

/// The rows of a group.
#[derive(Default)]
pub(in crate::index) struct RowGroup {
    bytes: Vec<u8>,
    rows: Vec<(usize, Range<usize>)>,
}

impl RowGroup {
    /// Unpacks the rows of a group.
    pub(in crate::index) fn unpack(packed: &[u8]) -> Result<Self, IndexError> {
        unpacked(packed).ok_or(IndexError::Damaged("the entries"))
    }

    /// Returns where the row of an entry lies, by the entry's place in the group.
    pub(in crate::index) fn find(&self, place: usize) -> Option<Range<usize>> {
        let at = self.rows.binary_search_by_key(&place, |(at, _)| *at).ok()?;
        Some(self.rows[at].1.clone())
    }

    /// Returns the bytes that [`RowGroup::find`] names.
    pub(in crate::index) fn bytes(&self, row: Range<usize>) -> &[u8] {
        &self.bytes[row]
    }

    /// Returns the rows, each with the entry's place in the group, ascending.
    pub(in crate::index) fn rows(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let rows = self.rows.iter();
        rows.map(|(place, row)| (*place, &self.bytes[row.clone()]))
    }
}

/// Packs rows, each with the entry's place in the group. They must ascend, and be at most
/// [`GROUP_IDS`]. Equal rows give equal bytes.
#[derive(Default)]
pub(in crate::index) struct RowPacker {
    packed: Vec<u8>,
}

impl RowPacker {
    /// Returns the packed form of the rows. The bytes are valid until the next call.
    pub(in crate::index) fn pack<'a>(
        &mut self,
        rows: impl IntoIterator<Item = (usize, &'a [u8])>,
    ) -> &[u8] {
        self.packed.clear();
        self.packed.extend([0; 4]);
        let mut there = 0_u32;
        let mut before: &[u8] = &[];
        for (place, row) in rows {
            there |= 1 << place;
            put_row(&mut self.packed, before, row);
            before = row;
        }
        self.packed[..4].copy_from_slice(&there.to_le_bytes());
        &self.packed
    }
}

/// Appends a row as what differs from the row before it.
///
/// No byte of that row is copied twice, but for one or two where a step is as long. So no row is
/// longer than everything that is packed.
fn put_row(out: &mut Vec<u8>, before: &[u8], row: &[u8]) {
    put_number(out, row.len() as u64);
    let prefix = matching(before, row);
    // Rows of different lengths differ in the middle, and end alike.
    let suffix = matching_backwards(&before[prefix..], &row[prefix..]);
    let (old, new) = (&before[..before.len() - suffix], &row[..row.len() - suffix]);
    let (mut from, mut at) = (0, 0);
    while let Some(copy) = next_copy(old, from, new, at) {
        put_number(out, (copy.at - at) as u64);
        out.extend_from_slice(&new[at..copy.at]);
        let len = matching(&old[copy.from..], &new[copy.at..]);
        put_copy(out, len, from + copy.at - at, copy.from);
        (from, at) = (copy.from + len, copy.at + len);
    }
    if at < row.len() {
        put_number(out, (new.len() - at) as u64);
        out.extend_from_slice(&new[at..]);
        if suffix > 0 {
            put_copy(out, suffix, from + new.len() - at, old.len());
        }
    }
}

/// Appends a copy of `len` bytes from `from`. It is shortest near `expected`.
fn put_copy(out: &mut Vec<u8>, len: usize, expected: usize, from: usize) {
    let how = if from == expected {
        ALIGNED
    } else if from == expected + 1 {
        LATER
    } else if from + 1 == expected {
        EARLIER
    } else {
        ELSEWHERE
    };
    put_number(out, (len << 2 | how) as u64);
    if how == ELSEWHERE {
        put_number(out, from as u64);
    }
}

/// Where bytes of the old row are found again in the new one.
struct Copy {
    from: usize,
    at: usize,
}

/// Finds the next bytes from `at` that are those of the old row about as far behind `from`.
fn next_copy(old: &[u8], from: usize, new: &[u8], at: usize) -> Option<Copy> {
    /// Only numbers are followed by what was moved a little, and they are shorter.
    const MOVED_WITHIN: usize = 12;
    let four = |bytes: &[u8], at: usize| -> Option<u32> {
        let bytes = bytes.get(at..)?.first_chunk::<COPY_MIN>()?;
        Some(u32::from_le_bytes(*bytes))
    };
    for there in at..new.len() {
        let wanted = four(new, there)?;
        let same = from + (there - at);
        if four(old, same) == Some(wanted) {
            return Some(Copy {
                from: same,
                at: there,
            });
        }
        if there - at < MOVED_WITHIN {
            let near = [
                same + 1,
                same.wrapping_sub(1),
                same + 2,
                same.wrapping_sub(2),
            ];
            if let Some(from) = near
                .into_iter()
                .find(|from| four(old, *from) == Some(wanted))
            {
                return Some(Copy { from, at: there });
            }
        }
    }
    None
}

/// Returns how many bytes two rows have in common at their beginning.
fn matching(one: &[u8], other: &[u8]) -> usize {
    let (words, _) = one.as_chunks::<8>();
    let (others, _) = other.as_chunks::<8>();
    let pairs = words.iter().zip(others);
    let whole = pairs.take_while(|(one, other)| one == other).count() * 8;
    let pairs = one[whole..].iter().zip(&other[whole..]);
    whole + pairs.take_while(|(one, other)| one == other).count()
}

/// Returns how many bytes two rows have in common at their end.
fn matching_backwards(one: &[u8], other: &[u8]) -> usize {
    let pairs = one.iter().rev().zip(other.iter().rev());
    pairs.take_while(|(one, other)| one == other).count()
}

fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(take_number(bytes)?).ok()
}

fn unpacked(packed: &[u8]) -> Option<RowGroup> {
    let (there, mut rest) = packed.split_first_chunk()?;
    let there = u32::from_le_bytes(*there);
    let mut group = RowGroup {
        bytes: Vec::with_capacity(packed.len() * 2),
        rows: Vec::with_capacity(there.count_ones() as usize),
    };
    let mut before = 0..0;
    for place in (0..GROUP_IDS).filter(|place| there >> place & 1 == 1) {
        let len = take_length(&mut rest).filter(|len| *len <= packed.len())?;
        let row = take_row(&mut rest, &mut group.bytes, before, len)?;
        group.rows.push((place, row.clone()));
        before = row;
    }
    rest.is_empty().then_some(group)
}

/// Appends a row of `len` bytes, and returns where it lies.
fn take_row(
    rest: &mut &[u8],
    bytes: &mut Vec<u8>,
    before: Range<usize>,
    len: usize,
) -> Option<Range<usize>> {
    let row = bytes.len()..bytes.len() + len;
    let mut from = 0;
    while bytes.len() < row.end {
        let count = take_length(rest).filter(|count| *count <= row.end - bytes.len())?;
        let (literal, behind) = rest.split_at_checked(count)?;
        bytes.extend_from_slice(literal);
        *rest = behind;
        if bytes.len() == row.end {
            break;
        }
        let copy = take_length(rest)?;
        from += count;
        from = match copy & 3 {
            ALIGNED => from,
            LATER => from + 1,
            EARLIER => from.checked_sub(1)?,
            _ => take_length(rest)?,
        };
        let (len, old) = (copy >> 2, before.len());
        if from > old || len > old - from || len > row.end - bytes.len() {
            return None;
        }
        let copied = before.start + from;
        bytes.extend_from_within(copied..copied + len);
        from += len;
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn survives(rows: &[(usize, Vec<u8>)]) -> usize {
        let mut packer = RowPacker::default();
        let packed = packer.pack(rows.iter().map(|(place, row)| (*place, row.as_slice())));
        let group = RowGroup::unpack(packed).expect("just packed");
        let back: Vec<_> = (group.rows())
            .map(|(place, row)| (place, row.to_vec()))
            .collect();
        assert_eq!(back, rows);
        for (place, row) in rows {
            let found = group.find(*place).expect("there");
            assert_eq!(group.bytes(found), row);
        }
        packed.len()
    }

    /// Rows differ in numbers and digests. What they share is not written again.
    #[test]
    fn a_row_like_the_one_before_it_takes_little_more_than_what_differs() {
        let row = |nth: usize, attempts: &str| {
            let digest = blake3::hash(&nth.to_le_bytes());
            let text = format!("ICT CSV|1.4.0|K2510-{nth:07}|{attempts}|/data/in/|3000 days");
            [digest.as_bytes(), text.as_bytes(), digest.as_bytes()].concat()
        };
        let rows = [
            (0, row(7, "")),
            (3, row(8, "")),
            (4, row(1_234_567, "a first attempt")),
            (31, row(1_234_568, "a first attempt, and a second")),
        ];
        let plain: usize = rows.iter().map(|(_, row)| row.len()).sum();
        let digests = rows.len() * 64;
        let packed = survives(&rows);
        assert!(
            packed < digests + (plain - digests) * 2 / 3,
            "{packed} of {plain}"
        );
    }

    #[test]
    fn groups_that_do_not_check_out_are_refused() {
        for wrong in [
            &[][..],
            &[1, 0, 0],
            // No row, and bytes behind it; a row without bytes; a row longer than everything.
            &[0, 0, 0, 0, 1],
            &[1, 0, 0, 0],
            &[1, 0, 0, 0, 2, 1, b'a'],
            &[1, 0, 0, 0, 200, 1],
            // A copy of a row that is not there, and a number without an end.
            &[1, 0, 0, 0, 2, 1, b'a', 4],
            &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(RowGroup::unpack(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn every_group_is_read_back(
            rows in proptest::collection::btree_map(
                0..GROUP_IDS,
                proptest::collection::vec(0_u8..3, 0..60),
                0..GROUP_IDS,
            ),
        ) {
            survives(&rows.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_make_reading_fail_otherwise_than_by_an_error(
            packed in proptest::collection::vec(0_u8..9, 0..60),
        ) {
            let _ = RowGroup::unpack(&packed);
        }
    }
}
