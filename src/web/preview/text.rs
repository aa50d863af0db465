//! Text with line numbers, one page of bytes at a time.

use std::fmt::Write as _;

use super::content::{Content, Span};
use super::kind::Encoding;
use super::visible::visible;
use crate::Result;

/// The bytes of a page. Even, so that a page of UTF-16 begins with a whole unit.
pub(super) const PAGE_BYTES: u64 = 64 << 10;
/// The most characters in a row; longer lines take several rows.
const ROW_CHARS: usize = 2_000;
/// The most bytes that are read to count the lines before a page.
const COUNTED_BYTES_MAX: u64 = 32 << 20;
/// Bytes that are read at once while lines are counted.
const COUNT_STEP: usize = 1 << 20;

/// A row of text.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Line {
    /// The number of its line; `None` where a line goes on, and where it was not counted.
    pub(in crate::web) number: Option<u64>,
    /// Where the line begins in the content, in bytes.
    pub(in crate::web) is_continued: bool,
    pub(in crate::web) text: String,
}

/// Returns the rows of a page, and how many of its bytes are no UTF-8.
///
/// Each byte of the content stands on exactly one page.
pub(super) fn page(
    content: &dyn Content,
    span: Span,
    encoding: Encoding,
) -> Result<(Vec<Line>, u64)> {
    let bytes = whole_characters(content, span, encoding)?;
    let (text, not_utf8) = decode(&bytes, encoding);
    let (before, begins_line) = before(content, span.from)?;
    let text = match span.from {
        0 => text.strip_prefix('\u{feff}').unwrap_or(&text),
        _ => &text,
    };
    let mut number = before.map(|before| before + 1);
    let mut lines = Vec::new();
    for (nth, line) in text.split_inclusive('\n').enumerate() {
        let goes_on = nth == 0 && !begins_line;
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        add(&mut lines, line, number, goes_on);
        number = number.map(|number| number + 1);
    }
    Ok((lines, not_utf8))
}

/// Adds the rows of a line.
fn add(lines: &mut Vec<Line>, line: &str, number: Option<u64>, goes_on: bool) {
    let mut rest = line;
    let mut is_continued = goes_on;
    loop {
        let (row, left) = super::cut(rest, ROW_CHARS);
        lines.push(Line {
            number: number.filter(|_| !is_continued),
            is_continued,
            text: visible(row).into_owned(),
        });
        if left == 0 {
            return;
        }
        rest = &rest[row.len()..];
        is_continued = true;
    }
}

/// Reads a page. A character that lies on two pages belongs to the one that it begins on.
fn whole_characters(content: &dyn Content, span: Span, encoding: Encoding) -> Result<Vec<u8>> {
    let length = usize::try_from(span.to - span.from).unwrap_or(usize::MAX);
    if encoding != Encoding::Utf8 {
        return content.window(span.from, length);
    }
    let bytes = content.window(span.from, length + 3)?;
    let begin = if span.from == 0 {
        0
    } else {
        continuations(&bytes)
    };
    let end = length.min(bytes.len());
    let end = end + continuations(&bytes[end..]);
    Ok(bytes[begin.min(end)..end].to_vec())
}

/// Returns how many bytes at the beginning, at most three, go on with a character.
fn continuations(bytes: &[u8]) -> usize {
    let going_on = bytes.iter().take(3);
    going_on.take_while(|byte| **byte & 0xc0 == 0x80).count()
}

/// Returns the number of lines before a place, unless that is too far to count, and whether a line
/// begins there.
fn before(content: &dyn Content, at: u64) -> Result<(Option<u64>, bool)> {
    if at == 0 {
        return Ok((Some(0), true));
    }
    if at > COUNTED_BYTES_MAX {
        let last = content.window(at - 1, 1)?;
        return Ok((None, last == b"\n"));
    }
    let mut reader = content.reader()?;
    let (mut left, mut lines, mut last) = (at, 0, 0);
    let mut step = vec![0; COUNT_STEP];
    while left > 0 {
        let wanted = usize::try_from(left).map_or(COUNT_STEP, |left| left.min(COUNT_STEP));
        let read = reader.read(&mut step[..wanted]);
        let read = read.map_err(super::content::read_error)?;
        if read == 0 {
            break;
        }
        lines += step[..read].split(|byte| *byte == b'\n').skip(1).count() as u64;
        last = step[read - 1];
        left -= read as u64;
    }
    Ok((Some(lines), last == b'\n'))
}

/// Decodes bytes. What is no character is shown as its digits, and counted.
pub(super) fn decode(bytes: &[u8], encoding: Encoding) -> (String, u64) {
    let unit = |pair: &[u8], of: fn([u8; 2]) -> u16| of([pair[0], pair[1]]);
    let units: Vec<u16> = match encoding {
        Encoding::Utf8 => return decode_utf8(bytes),
        Encoding::Utf16Le => bytes
            .chunks_exact(2)
            .map(|pair| unit(pair, u16::from_le_bytes))
            .collect(),
        Encoding::Utf16Be => bytes
            .chunks_exact(2)
            .map(|pair| unit(pair, u16::from_be_bytes))
            .collect(),
    };
    (String::from_utf16_lossy(&units), 0)
}

fn decode_utf8(bytes: &[u8]) -> (String, u64) {
    let mut text = String::with_capacity(bytes.len());
    let mut odd = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            odd += 1;
            // Writing into a `String` cannot fail.
            let _ = write!(text, "⟨{byte:02X}⟩");
        }
    }
    (text, odd)
}
