//! Bytes as hexadecimal digits, with the characters that they may be.

use std::fmt::Write as _;

use super::content::{Content, Span};
use crate::Result;

/// The bytes of a page.
pub(super) const PAGE_BYTES: u64 = 8 << 10;
/// The bytes of a row.
const ROW_BYTES: usize = 16;

/// A row of bytes.
#[derive(Debug)]
pub(in crate::web) struct HexRow {
    /// The place of its first byte, in hexadecimal digits.
    pub(in crate::web) at: String,
    pub(in crate::web) digits: String,
    pub(in crate::web) characters: String,
}

pub(super) fn rows(content: &dyn Content, span: Span) -> Result<Vec<HexRow>> {
    let length = usize::try_from(span.to - span.from).unwrap_or(usize::MAX);
    let bytes = content.window(span.from, length)?;
    let rows = bytes.chunks(ROW_BYTES).zip(0_u64..).map(|(row, nth)| {
        let mut digits = String::with_capacity(3 * ROW_BYTES);
        for (place, byte) in row.iter().enumerate() {
            let gap = match place {
                0 => "",
                8 => "  ",
                _ => " ",
            };
            // Writing to a String does not fail.
            let _ = write!(digits, "{gap}{byte:02x}");
        }
        let shown = row.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '·',
        });
        HexRow {
            at: format!("{:08x}", span.from + nth * ROW_BYTES as u64),
            digits,
            characters: shown.collect(),
        }
    });
    Ok(rows.collect())
}
