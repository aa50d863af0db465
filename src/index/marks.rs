//! What an overlay remembers of each row, so that a search decodes few of them.
//!
//! A search looks at every row of the overlays. Decoding one takes about a microsecond, comparing
//! its marks some nanoseconds.

use std::sync::Arc;

use super::rows::{self, EntryRow};
use super::tables::{DigestHead, Field};
use super::terms::digest_head;
use super::text::fold;
use crate::entry::Status;

/// The row of an entry in an overlay.
#[derive(Debug, Clone)]
pub(super) struct NewRow {
    pub(super) bytes: Arc<[u8]>,
    pub(super) marks: Marks,
}

impl NewRow {
    pub(super) fn of(row: &EntryRow<'_>) -> Self {
        Self {
            bytes: rows::encode(row).into(),
            marks: Marks::of(row),
        }
    }
}

/// Properties of a row that decide most filters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    /// When it was archived, in microseconds.
    pub(super) archived: i64,
    pub(super) status: Status,
    pub(super) is_purged: bool,
    /// Bytes of its source.
    pub(super) size: u64,
    /// The beginning of the hash of its source.
    pub(super) source: DigestHead,
    /// Of all texts of its head together.
    texts: TextMarks,
}

impl Marks {
    fn of(row: &EntryRow<'_>) -> Self {
        let head = &row.head;
        let texts = [
            (Field::Converter, Some(head.converter)),
            (Field::Version, head.converter_version),
            (Field::Serial, head.serial),
            (Field::Part, head.part),
            (Field::Station, head.station),
            (Field::Process, head.process),
        ];
        let marks = texts
            .into_iter()
            .filter_map(|(field, text)| Some(TextMarks::of(field, &fold(text?))));
        Self {
            archived: head.archived_at.micros(),
            status: head.status,
            is_purged: head.purged_at.is_some(),
            size: head.size,
            source: digest_head(row.blake3),
            texts: marks.fold(TextMarks::default(), TextMarks::and),
        }
    }

    /// Returns false when the row does not have the text to which `wanted` belongs. It may be true
    /// for a row that has another text with the same marks.
    pub(super) fn may_have(&self, wanted: TextMarks) -> bool {
        self.texts.0 & wanted.0 == wanted.0
    }
}

/// Three bits of 64 for each text, as in a Bloom filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TextMarks(u64);

impl TextMarks {
    /// Returns the marks of a folded text.
    pub(super) fn of(field: Field, folded: &str) -> Self {
        let mixed = crc32c::crc32c_append(field as u32, folded.as_bytes());
        let bit = |nth: u32| 1 << (mixed >> (6 * nth) & 63);
        Self(bit(0) | bit(1) | bit(2))
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A search may decode a row in vain, but must never pass over one that matches.
    #[test]
    fn a_text_has_its_marks_in_every_letter_case_and_few_other_texts_have_them() {
        let serials = (0..1000).map(|nth| format!("SN-Ä{nth:04}"));
        let marked = |serial: &str| {
            let texts = TextMarks::of(Field::Serial, &fold(serial))
                .and(TextMarks::of(Field::Converter, "ict csv"))
                .and(TextMarks::of(Field::Station, "line 4"));
            Marks {
                archived: 0,
                status: Status::Pending,
                is_purged: false,
                size: 0,
                source: 0,
                texts,
            }
        };
        let wanted = TextMarks::of(Field::Serial, &fold("sn-a\u{308}0007"));
        assert!(marked("SN-Ä0007").may_have(wanted));
        let taken = serials.filter(|serial| marked(serial).may_have(wanted));
        let taken = taken.count();
        assert!((1..50).contains(&taken), "{taken} of 1000");
        // The same text in another field has other marks.
        assert_ne!(
            TextMarks::of(Field::Part, "line 4"),
            TextMarks::of(Field::Station, "line 4")
        );
    }
}
