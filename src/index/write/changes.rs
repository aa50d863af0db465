//! The changed entries of an overlay, grouped by span.

use crate::id::EntryId;
use crate::index::error::IndexError;
use crate::index::overlay::Overlay;
use crate::index::postings::Low;
use crate::index::reader::Reader;
use crate::index::tables::{Span, locate};
/// The changed entries of one span.
pub(super) struct ChangedSpan<'a> {
    pub(super) span: Span,
    /// True when the tables have no row of this span yet, so that its rows can be appended.
    pub(super) fresh: bool,
    pub(super) entries: Vec<ChangedEntry<'a>>,
}

pub(super) struct ChangedEntry<'a> {
    pub(super) id: EntryId,
    pub(super) low: Low,
    /// False when the tables have no row of this entry yet.
    pub(super) known: bool,
    pub(super) row: &'a [u8],
}

pub(super) fn spans<'a>(
    reader: &Reader,
    overlay: &'a Overlay,
) -> Result<Vec<ChangedSpan<'a>>, IndexError> {
    let newest = reader.totals.newest_entry;
    let newest_span = match newest {
        0 => None,
        id => locate(id).map(|(span, _)| span),
    };
    let mut spans: Vec<ChangedSpan<'_>> = Vec::new();
    for (id, row) in overlay.entries.iter() {
        let (span, low) = locate(id.0).ok_or(IndexError::TooManyEvents(id.event()))?;
        let entry = ChangedEntry {
            id: *id,
            low,
            known: id.0 <= newest,
            row: &row.bytes,
        };
        match spans.last_mut() {
            Some(last) if last.span == span => last.entries.push(entry),
            _ => spans.push(ChangedSpan {
                span,
                fresh: Some(span) > newest_span,
                entries: vec![entry],
            }),
        }
    }
    Ok(spans)
}

/// The members that one trigram or one term gains and loses.
#[derive(Default)]
pub(super) struct Edit {
    pub(super) added: Vec<Low>,
    pub(super) removed: Vec<Low>,
}
