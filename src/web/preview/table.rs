//! Text with separated columns as a table, one page of bytes at a time.

use super::content::{Content, Span};
use super::kind::Guess;
use super::text::decode;
use super::visible::{cut, visible};
use crate::Result;

/// The bytes of a page. A row belongs to the page that it begins on.
pub(super) const PAGE_BYTES: u64 = 32 << 10;
/// Bytes behind a page that are read to end its last row.
const LAST_ROW_BYTES: u64 = 32 << 10;
/// The most columns that are shown.
const COLUMNS_MAX: usize = 100;
/// The most characters of a field that are shown.
const FIELD_CHARS: usize = 300;

/// Rows of fields.
#[derive(Debug, Default)]
pub(in crate::web) struct Table {
    /// The names of the columns, if the first row has names.
    pub(in crate::web) head: Vec<String>,
    pub(in crate::web) rows: Vec<Vec<Field>>,
    /// How many columns of the widest row are left out.
    pub(in crate::web) columns_left_out: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Field {
    pub(in crate::web) text: String,
    /// It is a number, so it is aligned at its right.
    pub(in crate::web) is_number: bool,
    /// How many characters are left out.
    pub(in crate::web) left_out: usize,
}

/// Returns the rows that begin on a page, and how many bytes of it are no UTF-8.
pub(super) fn page(content: &dyn Content, span: Span, guess: &Guess) -> Result<(Table, u64)> {
    let delimiter = guess.delimiter.unwrap_or(',');
    let length = usize::try_from(span.to - span.from + LAST_ROW_BYTES).unwrap_or(usize::MAX);
    let bytes = content.window(span.from, length)?;
    let begins_row = span.from == 0 || content.window(span.from - 1, 1)? == b"\n";
    let skipped = if begins_row {
        0
    } else {
        bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(bytes.len(), |end| end + 1)
    };
    let (text, not_utf8) = decode(&bytes[skipped..], guess.encoding);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let own = usize::try_from(span.to - span.from).unwrap_or(usize::MAX);
    let mut table = Table::default();
    let mut rest = text;
    let mut is_first = span.from == 0;
    // Characters for odd bytes are longer than those, which ends a page with many of them early
    // by a few rows at most.
    while !rest.is_empty() && text.len() - rest.len() + skipped < own {
        let (fields, after) = row(rest, delimiter);
        rest = after;
        let names = is_first && names(&fields);
        is_first = false;
        let beyond = fields.len().saturating_sub(COLUMNS_MAX);
        table.columns_left_out = table.columns_left_out.max(beyond);
        if names {
            let shown = fields.iter().take(COLUMNS_MAX);
            table.head = shown.map(|name| field(name).text).collect();
        } else if fields.iter().any(|text| !text.is_empty()) {
            let shown = fields.iter().take(COLUMNS_MAX);
            table.rows.push(shown.map(|text| field(text)).collect());
        }
    }
    if span.from > 0 {
        table.head = head(content, guess, delimiter)?;
    }
    Ok((table, not_utf8))
}

/// Returns the names of the columns, from the beginning of the content.
fn head(content: &dyn Content, guess: &Guess, delimiter: char) -> Result<Vec<String>> {
    let (text, _) = decode(&content.window(0, super::BEGINNING_BYTES)?, guess.encoding);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (fields, _) = row(text, delimiter);
    if !names(&fields) {
        return Ok(Vec::new());
    }
    let shown = fields.iter().take(COLUMNS_MAX);
    Ok(shown.map(|name| field(name).text).collect())
}

/// Returns true for a row that names columns: no field is empty or a number.
fn names(fields: &[String]) -> bool {
    let is_name = |text: &String| !text.trim().is_empty() && !is_number(text);
    fields.len() > 1 && fields.iter().all(is_name)
}

fn is_number(text: &str) -> bool {
    let text = text.trim();
    let digits = text.trim_start_matches(['+', '-']);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | 'e' | 'E' | '+' | '-' | '%'))
}

fn field(text: &str) -> Field {
    let (shown, left_out) = cut(text, FIELD_CHARS);
    Field {
        text: visible(shown).into_owned(),
        is_number: is_number(text),
        left_out,
    }
}

/// Reads one row. Quoted fields may hold delimiters, line ends and doubled quotes; a quote that is
/// not closed ends with the text.
fn row(text: &str, delimiter: char) -> (Vec<String>, &str) {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut is_quoted = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                field.push('"');
                chars.next();
            }
            '"' if is_quoted => is_quoted = false,
            '"' if field.is_empty() => is_quoted = true,
            '\n' if !is_quoted => {
                let end = field.trim_end_matches('\r').len();
                field.truncate(end);
                fields.push(field);
                return (fields, &text[at + 1..]);
            }
            c if c == delimiter && !is_quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    (fields, "")
}
