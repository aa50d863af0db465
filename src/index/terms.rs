//! The terms, sort values and searched texts of an entry.

use super::rows::{EntryHead, EntryRow, Raw};
use super::tables::{DigestHead, Field};
use super::text::{Trigram, Trigrams, fold};
use crate::entry::Status;
use crate::id::ConverterId;
use crate::query::SortField;

/// How many bytes of a text count for sorting and for posting-list terms. Texts that agree in these
/// bytes sort as equal, and a filter on a longer text reads the rows.
pub(super) const TERM_BYTES_MAX: usize = 120;

const PRESENT: u8 = 1;
/// The whole term of an absent value; it sorts after every present value.
const ABSENT: u8 = 2;
/// Bytes of the term of a converter.
const MAKER_BYTES: usize = 16;

/// Returns the term of a text. Terms sort like the folded texts, absent last.
pub(super) fn text_term(text: Option<&str>) -> Vec<u8> {
    let mut term = Vec::new();
    put_text_term(&mut term, text);
    term
}

/// Returns true when an equal term proves an equal text, because the term was not cut off.
pub(super) fn is_whole(folded: &str) -> bool {
    folded.len() < TERM_BYTES_MAX
}

/// Returns the folded text of a term; `None` when the term was cut off.
pub(super) fn text_of(term: &[u8]) -> Option<&str> {
    match term.split_first() {
        Some((&PRESENT, text)) if text.len() < TERM_BYTES_MAX => str::from_utf8(text).ok(),
        _ => None,
    }
}

fn put_text_term(out: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text else {
        out.push(ABSENT);
        return;
    };
    out.push(PRESENT);
    let folded = fold(text);
    out.extend_from_slice(clip(folded.as_bytes()));
}

fn clip(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(TERM_BYTES_MAX)]
}

/// Returns the term of a piece of metadata.
pub(super) fn meta_term(name: &str, value: &str) -> Vec<u8> {
    let mut term = Vec::new();
    put_meta_term(&mut term, name, value);
    term
}

fn put_meta_term(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    out.extend_from_slice(value.as_bytes());
    out.truncate(TERM_BYTES_MAX);
}

/// Returns true when equal terms prove equal metadata.
pub(super) fn is_whole_meta(name: &str, value: &str) -> bool {
    name.len() + 1 + value.len() < TERM_BYTES_MAX && !name.contains('\0')
}

/// Returns the term of a status.
pub(super) fn status_term(status: Status) -> &'static [u8] {
    status.name().as_bytes()
}

/// Returns the term of a converter: a hash of its name and identity.
pub(super) fn maker_term(converter: &str, id: &ConverterId) -> [u8; MAKER_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key("annals 2026-11 index maker term v1");
    hasher.update(id.as_bytes());
    hasher.update(converter.as_bytes());
    let mut term = [0; MAKER_BYTES];
    hasher.finalize_xof().fill(&mut term);
    term
}

/// Passes every term of `row` to `emit` with its field. A term may be passed twice.
pub(super) fn terms(row: &EntryRow<'_>, mut emit: impl FnMut(Field, &[u8])) {
    let mut term = Vec::with_capacity(TERM_BYTES_MAX + 1);
    let mut text = |field, value: Option<&str>| {
        term.clear();
        put_text_term(&mut term, value);
        emit(field, &term);
    };
    text(Field::Converter, Some(row.head.converter));
    text(Field::Version, row.head.converter_version);
    text(Field::Serial, row.head.serial);
    text(Field::Part, row.head.part);
    text(Field::Station, row.head.station);
    text(Field::Process, row.head.process);
    text(Field::SourceName, Some(row.head.source_name));
    for report in row.reports() {
        if report.report_id.is_some() {
            text(Field::Report, report.report_id);
        }
    }
    for label in row.labels() {
        text(Field::Label, Some(label));
    }
    for former in row.former() {
        text(Field::Former, Some(former));
    }
    for (name, value) in &row.meta {
        term.clear();
        put_meta_term(&mut term, name, value);
        emit(Field::Meta, &term);
    }
    emit(Field::All, &[]);
    if row.head.purged_at.is_some() {
        emit(Field::Purged, &[]);
    }
    emit(Field::Status, status_term(row.head.status));
    emit(Field::Size, &row.head.size.to_be_bytes());
    for attempt in &row.attempts {
        if let Some(job) = attempt.job {
            emit(Field::Job, &job.0.to_be_bytes());
        }
    }
    if row.is_suspicious() {
        emit(Field::Suspicious, &[]);
    }
    for cause in row.causes() {
        emit(Field::Cause, cause.id.as_bytes());
    }
    for placed in &row.matched_holds {
        emit(Field::Held, &placed.0.to_be_bytes());
    }
    if let Some((converter, id)) = row.maker() {
        emit(Field::Maker, &maker_term(converter, &id));
    }
}

/// Passes the first bytes of every digest of the source and the reports to `emit`. An entry never
/// loses a digest.
pub(super) fn digests(row: &EntryRow<'_>, mut emit: impl FnMut(DigestHead)) {
    emit(digest_head(row.blake3));
    emit(digest_head(row.sha256));
    for report in row.reports() {
        emit(digest_head(report.blake3));
        emit(digest_head(report.sha256));
    }
}

/// Returns the first bytes of a digest.
pub(super) fn digest_head(digest: Raw<'_>) -> DigestHead {
    digest
        .0
        .first_chunk()
        .copied()
        .map_or(0, DigestHead::from_be_bytes)
}

/// Passes every text of `row` that a text filter searches to `emit`.
pub(super) fn searched_texts<'a>(row: &EntryRow<'a>, mut emit: impl FnMut(&'a str)) {
    emit(row.head.source_name);
    row.head.serial.map(&mut emit);
    row.head.part.map(&mut emit);
    for attempt in &row.attempts {
        attempt.error.map(&mut emit);
    }
    for (_, value) in &row.meta {
        emit(value);
    }
    row.notes
        .iter()
        .filter_map(|note| note.text)
        .for_each(&mut emit);
    row.former().for_each(emit);
}

/// Passes every trigram of every searched text to `emit`, with repetitions.
pub(super) fn trigrams(row: &EntryRow<'_>, mut emit: impl FnMut(Trigram)) {
    let mut trigrams = Trigrams::default();
    searched_texts(row, |text| trigrams.of(text, &mut emit));
    trigrams.single_bytes(emit);
}

/// Returns the bytes that sort an entry in a column: ascending bytes are ascending values.
pub(super) fn order_value(column: SortField, head: &EntryHead<'_>) -> Vec<u8> {
    match column {
        SortField::Id => Vec::new(),
        SortField::ArchivedAt => time_value(head.archived_at.micros()).to_vec(),
        SortField::Converter => text_term(Some(head.converter)),
        SortField::SourceName => text_term(Some(head.source_name)),
        SortField::Status => status_term(head.status).to_vec(),
        SortField::Size => head.size.to_be_bytes().to_vec(),
        SortField::Serial => text_term(head.serial),
        SortField::Part => text_term(head.part),
        SortField::Station => text_term(head.station),
        SortField::Process => text_term(head.process),
    }
}

const SIGN: u64 = 1 << 63;

/// Returns a time as bytes that sort like times.
pub(super) fn time_value(micros: i64) -> [u8; 8] {
    (micros.cast_unsigned() ^ SIGN).to_be_bytes()
}

/// Decodes the bytes of [`time_value`].
pub(super) fn time_of(value: &[u8]) -> Option<i64> {
    let number = u64::from_be_bytes(value.try_into().ok()?);
    Some((number ^ SIGN).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_sort_as_their_values_do() {
        assert!(text_term(Some("")) < text_term(Some("a")));
        assert!(text_term(Some("B")) > text_term(Some("a")));
        assert!(text_term(Some("zzz")) < text_term(None));
        let times = [i64::MIN, -1, 0, 1, i64::MAX];
        assert!(times.is_sorted_by_key(|micros| time_value(*micros)));
        assert!(times.map(|micros| time_of(&time_value(micros))) == times.map(Some));
        assert_eq!(time_of(&[1]), None);
    }

    #[test]
    fn a_long_text_has_a_short_term() {
        let long = "ä".repeat(500);
        assert_eq!(text_term(Some(&long)).len(), TERM_BYTES_MAX + 1);
        assert!(!is_whole(&long) && is_whole("short"));
        assert!(is_whole_meta("k", "v") && !is_whole_meta("k\0", "v"));
    }
}
