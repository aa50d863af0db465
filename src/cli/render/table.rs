//! Renders tables and lists of facts, aligned by display width.

use std::borrow::Cow;

use super::style::Style;
use crate::service::words::escape;

/// Returns the columns that `text` takes on a terminal.
///
/// Wide and combining characters are recognised by Unicode block, which is exact enough for file
/// names.
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

/// Returns the beginning of `text` that fits `limit` columns, ending in `…` when text is cut off.
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

/// One escaped field of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Returns a cell with `text`, which is escaped here and nowhere else.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self {
            text: escape(text.as_ref()).into_owned(),
            style: Style::Plain,
        }
    }

    /// Returns a cell with the text, or a dim dash when there is none.
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
    /// For numbers.
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

/// The surface that output is drawn on: colours and width.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Canvas {
    pub(crate) colour: bool,
    /// Columns of the terminal; `None` where nothing may be shortened, as in a pipe.
    pub(crate) width: Option<usize>,
}

/// Rows under titled columns, rendered page by page. Columns never shrink between pages.
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

    /// Leaves out the titles.
    pub(crate) fn untitled(mut self) -> Self {
        self.titled = true;
        self
    }

    /// Renders further rows. The first page has the titles above it; without rows there are no
    /// titles.
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

    /// Narrows the widest clipped columns until a line fits the terminal, or no column can shrink.
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

/// Renders named facts below each other, with aligned values. Values are escaped here.
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
}
