//! What people see: escaped names, sizes, times, colours, tables.

use std::borrow::Cow;
use std::fmt::Write as _;

pub(crate) use super::zone::Zone;

/// True for characters that move the cursor, change colours or reorder the text around them.
fn is_dangerous(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` from outside, made safe for a terminal: control and direction characters stand as `\x1b` and `\u{202e}`.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    escape_with(text, |c, out| {
        let code = u32::from(c);
        if code <= 0xff {
            write!(out, "\\x{code:02x}")
        } else {
            write!(out, "\\u{{{code:x}}}")
        }
    })
}

/// JSON text with the same characters as `\u` escapes: the same value, safe for a terminal.
pub(crate) fn escape_json(json: &str) -> Cow<'_, str> {
    escape_with(json, |c, out| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units)
            .iter()
            .try_for_each(|unit| write!(out, "\\u{unit:04x}"))
    })
}

fn escape_with(
    text: &str,
    mut spell: impl FnMut(char, &mut String) -> std::fmt::Result,
) -> Cow<'_, str> {
    if !text.contains(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if !is_dangerous(c) {
            safe.push(c);
        } else if spell(c, &mut safe).is_err() {
            // Writing to a String does not fail; were it to, the character is left out.
        }
    }
    Cow::Owned(safe)
}

/// `1.5 KiB`: binary units, one decimal, never rounded up to 1024.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut scale = 1024_u64;
    while unit + 1 < UNITS.len() && bytes / scale >= 1024 {
        scale <<= 10;
        unit += 1;
    }
    let whole = bytes / scale;
    let tenth = u128::from(bytes % scale) * 10 / u128::from(scale);
    format!("{whole}.{tenth} {}", UNITS[unit])
}

/// `12,345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 entry`, `2 entries`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// How long something took.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// What a piece of text is, so that colour follows meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    #[default]
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
}

impl Style {
    /// `text` in this style, if colours are wanted at all.
    pub(crate) fn paint(self, text: &str, colour: bool) -> Cow<'_, str> {
        let code = match self {
            _ if !colour || text.is_empty() => return Cow::Borrowed(text),
            Self::Plain => return Cow::Borrowed(text),
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Warn => "33",
        };
        Cow::Owned(format!("\u{1b}[{code}m{text}\u{1b}[0m"))
    }
}

/// Columns `text` takes on a terminal. Wide and combining characters by block, which is right for names of files.
fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f
        | 0x1ab0..=0x1aff
        | 0x1dc0..=0x1dff
        | 0x20d0..=0x20ff
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x2_0000..=0x3_fffd => 2,
        _ => 1,
    }
}

/// The beginning of `text` that fits in `limit` columns, ending in `…` when something is missing.
fn clip(text: &str, limit: usize) -> Cow<'_, str> {
    if width(text) <= limit {
        return Cow::Borrowed(text);
    }
    let mut clipped = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += char_width(c);
        if used > limit {
            break;
        }
        clipped.push(c);
    }
    clipped.push('…');
    Cow::Owned(clipped)
}

/// One field of a table, escaped.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Text of our own or from outside; it is escaped here, once.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self {
            text: escape(text.as_ref()).into_owned(),
            style: Style::Plain,
        }
    }

    /// What is there, or a dim dash.
    pub(crate) fn maybe(text: Option<impl AsRef<str>>) -> Self {
        match text {
            Some(text) if !text.as_ref().is_empty() => Self::new(text),
            _ => Self::new("-").style(Style::Dim),
        }
    }

    pub(crate) fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }

    pub(crate) fn painted(&self, colour: bool) -> Cow<'_, str> {
        self.style.paint(&self.text, colour)
    }
}

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    layout: Layout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Never shortened: clipping an id or a time would falsify it.
    Left,
    /// Numbers.
    Right,
    /// Shortened with `…` when the terminal is too narrow.
    Clipped,
}

impl Column {
    pub(crate) const fn left(title: &'static str) -> Self {
        Self {
            title,
            layout: Layout::Left,
        }
    }

    pub(crate) const fn right(title: &'static str) -> Self {
        Self {
            title,
            layout: Layout::Right,
        }
    }

    pub(crate) const fn clipped(title: &'static str) -> Self {
        Self {
            title,
            layout: Layout::Clipped,
        }
    }
}

/// How a table may look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Canvas {
    pub(crate) colour: bool,
    /// Columns of the terminal; `None` where nothing may be shortened, as in a pipe.
    pub(crate) width: Option<usize>,
}

/// Rows under titled columns, rendered page by page; columns only ever grow.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    widths: Vec<usize>,
    canvas: Canvas,
    titled: bool,
}

const GAP: &str = "  ";
const CLIPPED_MIN: usize = 8;

impl Table {
    pub(crate) fn new(columns: &[Column], canvas: Canvas) -> Self {
        Self {
            columns: columns.to_vec(),
            widths: columns.iter().map(|column| width(column.title)).collect(),
            canvas,
            titled: false,
        }
    }

    /// The next rows as lines; the first page has the titles above it. No rows, no titles.
    pub(crate) fn page(&mut self, rows: &[Vec<Cell>]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        for row in rows {
            for (at, cell) in row.iter().enumerate() {
                self.widths[at] = self.widths[at].max(width(&cell.text));
            }
        }
        self.fit();
        let mut out = String::new();
        if !self.titled {
            self.titled = true;
            let titles: Vec<Cell> = self
                .columns
                .iter()
                .map(|column| Cell::new(column.title).style(Style::Bold))
                .collect();
            self.line(&titles, &mut out);
        }
        for row in rows {
            self.line(row, &mut out);
        }
        out
    }

    /// Narrows the widest clipped columns until a line fits the terminal, or nothing more can be taken.
    fn fit(&mut self) {
        let Some(limit) = self.canvas.width else {
            return;
        };
        let gaps = GAP.len() * self.widths.len().saturating_sub(1);
        loop {
            let total: usize = self.widths.iter().sum::<usize>() + gaps;
            let widest = (0..self.widths.len())
                .filter(|&at| self.columns[at].layout == Layout::Clipped)
                .max_by_key(|&at| self.widths[at]);
            match widest {
                Some(at) if total > limit && self.widths[at] > CLIPPED_MIN => {
                    self.widths[at] -= 1;
                }
                _ => return,
            }
        }
    }

    fn line(&self, row: &[Cell], out: &mut String) {
        let last = row.len().saturating_sub(1);
        for (at, cell) in row.iter().enumerate() {
            let layout = self.columns[at].layout;
            let text = match layout {
                Layout::Clipped => clip(&cell.text, self.widths[at]),
                Layout::Left | Layout::Right => Cow::Borrowed(cell.text.as_str()),
            };
            let padding = " ".repeat(self.widths[at].saturating_sub(width(&text)));
            let painted = cell.style.paint(&text, self.canvas.colour);
            if at > 0 {
                out.push_str(GAP);
            }
            match layout {
                Layout::Right => {
                    out.push_str(&padding);
                    out.push_str(&painted);
                }
                Layout::Left | Layout::Clipped => {
                    out.push_str(&painted);
                    if at < last {
                        out.push_str(&padding);
                    }
                }
            }
        }
        out.push('\n');
    }
}

/// Named facts under each other, the values aligned. Values are escaped here.
pub(crate) fn facts<'a>(
    facts: impl IntoIterator<Item = (&'a str, String)>,
    canvas: Canvas,
) -> String {
    let facts: Vec<_> = facts.into_iter().collect();
    let widest = facts.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in facts {
        let padding = " ".repeat(widest - width(name));
        out.push_str("  ");
        out.push_str(&Style::Dim.paint(name, canvas.colour));
        out.push_str(&padding);
        out.push_str(GAP);
        out.push_str(&escape(&value));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Canvas = Canvas {
        colour: false,
        width: None,
    };

    #[test]
    fn a_file_name_cannot_command_the_terminal() {
        for (text, shown) in [
            ("SN1.csv", "SN1.csv"),
            ("\u{1b}[2Jgone", "\\x1b[2Jgone"),
            ("a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd"),
            ("\u{9b}31m", "\\x9b31m"),
            ("\u{7f}", "\\x7f"),
            ("exe.\u{202e}vsc", "exe.\\u{202e}vsc"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("Prüfplatz 東京 é", "Prüfplatz 東京 é"),
        ] {
            assert_eq!(escape(text), shown);
        }
    }

    #[test]
    fn json_shown_on_a_terminal_is_safe_and_says_the_same() {
        for text in [
            "\u{9b}31m",
            "\u{202e}x",
            "\u{e0001}",
            "\u{1b}[0m",
            "plain \"quoted\"",
        ] {
            let json = serde_json::to_string(text).expect("json");
            let safe = escape_json(&json);
            assert!(!safe.contains(is_dangerous), "{safe}");
            assert_eq!(
                serde_json::from_str::<String>(&safe).expect("still json"),
                text
            );
        }
    }

    #[test]
    fn sizes_are_read_at_a_glance() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1023.9 KiB"),
            (10 << 30, "10.0 GiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "entry", "entries"), "1 entry");
        assert_eq!(duration(1_540), "1.5 s");
        assert_eq!(duration(61_000), "1 min 1 s");
    }

    #[test]
    fn columns_line_up_by_what_is_seen_and_not_by_bytes() {
        let mut table = Table::new(
            &[
                Column::right("ID"),
                Column::clipped("FILE"),
                Column::left("X"),
            ],
            PLAIN,
        );
        let page = table.page(&[
            vec![Cell::new("7"), Cell::new("東京"), Cell::new("a")],
            vec![Cell::new("123"), Cell::new("ü"), Cell::new("b")],
        ]);
        assert_eq!(page, " ID  FILE  X\n  7  東京  a\n123  ü     b\n");
    }

    #[test]
    fn only_what_may_be_shortened_is_shortened_on_a_narrow_terminal() {
        let canvas = Canvas {
            colour: false,
            width: Some(20),
        };
        let mut table = Table::new(&[Column::right("ID"), Column::clipped("FILE")], canvas);
        let page = table.page(&[vec![Cell::new("12345"), Cell::new("a-very-long-name.csv")]]);
        assert_eq!(page, "   ID  FILE\n12345  a-very-long-…\n");
        assert!(page.lines().all(|line| width(line) <= 20));
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        assert_eq!(Style::Bad.paint("x", false), "x");
        assert_eq!(Style::Bad.paint("x", true), "\u{1b}[31mx\u{1b}[0m");
    }
}
