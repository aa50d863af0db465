//! Renders tables and lists of facts, aligned by display width.

use std::borrow::Cow;

use super::sentences::{char_width, longest_piece, width, wrap};
use super::style::Style;
use crate::service::words::escape;

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

    fn is_empty(&self) -> bool {
        self.text.is_empty() || self.text == "-"
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
    worth: Option<Worth>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Never shortened: clipping an id or a time would falsify it.
    Left,
    /// For numbers.
    Right,
    /// Shortened with `…` when the terminal is too narrow.
    Clipped,
    /// Wrapped between words, and put below its row when too little room is left beside it.
    Text,
}

/// What a column is worth when not all of them fit the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    /// Stays, whole.
    Key,
    /// Stays, and may be shortened.
    Kept,
    /// Dropped before those with a smaller number.
    Drop(u8),
}

impl Column {
    pub(crate) const fn left(title: &'static str) -> Self {
        Self::new(title, Layout::Left)
    }

    pub(crate) const fn right(title: &'static str) -> Self {
        Self::new(title, Layout::Right)
    }

    pub(crate) const fn clipped(title: &'static str) -> Self {
        Self::new(title, Layout::Clipped)
    }

    /// Returns a column of sentences. Only the last column may be one.
    pub(crate) const fn text(title: &'static str) -> Self {
        Self::new(title, Layout::Text)
    }

    const fn new(title: &'static str, layout: Layout) -> Self {
        Self {
            title,
            layout,
            worth: None,
        }
    }

    /// Keeps the column, whole, however narrow the terminal is.
    ///
    /// Without any of these, the first column and sentences stay, and the others are dropped from
    /// right to left.
    pub(crate) const fn key(mut self) -> Self {
        self.worth = Some(Worth::Key);
        self
    }

    /// Keeps the column, however narrow the terminal is. It may be clipped.
    pub(crate) const fn kept(mut self) -> Self {
        self.worth = Some(Worth::Kept);
        self
    }

    /// Drops the column on a terminal that is too narrow, before columns with a smaller `order`.
    pub(crate) const fn dropped(mut self, order: u8) -> Self {
        self.worth = Some(Worth::Drop(order));
        self
    }

    pub(crate) const fn title(&self) -> &'static str {
        self.title
    }

    /// Returns the least width at which the column is still of use, when its cells need `natural`.
    fn least(&self, natural: usize) -> usize {
        match (self.layout, self.worth) {
            (Layout::Clipped, None | Some(Worth::Drop(_))) => natural.min(CLIPPED_MIN),
            (Layout::Clipped, Some(Worth::Kept)) => natural.min(KEPT_MIN),
            _ => natural,
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

/// Rows under titled columns, rendered page by page.
///
/// What does not fit a terminal is clipped first, and then dropped column by column. Columns never
/// shrink or come back between pages.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    /// Width of the widest cell so far.
    natural: Vec<usize>,
    /// Width of each column; `None` when it is dropped.
    widths: Vec<Option<usize>>,
    canvas: Canvas,
    titled: bool,
    /// Whether the last column stands below each row.
    below: bool,
}

const GAP: &str = "  ";
const CLIPPED_MIN: usize = 12;
const KEPT_MIN: usize = 8;
/// Least room for sentences beside the other columns.
const TEXT_MIN: usize = 24;
/// Begins a line that continues a row.
const INDENT: &str = "    ";

impl Table {
    pub(crate) fn new(columns: &[Column], canvas: Canvas) -> Self {
        let natural: Vec<usize> = columns.iter().map(|column| width(column.title)).collect();
        Self {
            columns: columns.to_vec(),
            widths: natural.iter().copied().map(Some).collect(),
            natural,
            canvas,
            titled: false,
            below: false,
        }
    }

    /// Leaves out the titles.
    pub(crate) fn untitled(mut self) -> Self {
        self.titled = true;
        self
    }

    /// Returns the titles of the columns that were dropped because the terminal is too narrow.
    pub(crate) fn dropped(&self) -> Vec<&'static str> {
        let all = self.columns.iter().zip(&self.widths);
        all.filter(|(_, width)| width.is_none())
            .map(|(column, _)| column.title)
            .collect()
    }

    /// Renders further rows. The first page has the titles above it; without rows there are no
    /// titles.
    pub(crate) fn page(&mut self, rows: &[Vec<Cell>]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        for row in rows {
            for (at, cell) in row.iter().enumerate() {
                self.natural[at] = self.natural[at].max(width(&cell.text));
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

    /// Chooses which columns are shown, and how wide.
    fn fit(&mut self) {
        let Some(limit) = self.canvas.width else {
            self.widths = self.natural.iter().copied().map(Some).collect();
            return;
        };
        let mut shown: Vec<usize> = (0..self.columns.len())
            .filter(|&at| self.widths[at].is_some())
            .collect();
        let last = self.columns.len() - 1;
        while self.least(&shown) > limit {
            if self.columns[last].layout == Layout::Text && !self.below {
                self.below = true;
                continue;
            }
            let Some(&gone) = shown.iter().max_by_key(|&&at| self.drop_order(at)) else {
                break;
            };
            if self.drop_order(gone).is_none() {
                break;
            }
            shown.retain(|&at| at != gone);
        }
        // A row of which not even the keys fit goes on in a second line.
        self.below |= self.least(&shown) > limit && shown.len() > 1 && shown.contains(&last);
        self.shrink(&shown, limit);
    }

    /// Returns when a column is dropped; `None` when it stays.
    fn drop_order(&self, at: usize) -> Option<(u8, usize)> {
        let column = &self.columns[at];
        match (column.worth, column.layout) {
            (Some(Worth::Key | Worth::Kept), _) | (None, Layout::Text) => None,
            (Some(Worth::Drop(order)), _) => Some((order, at)),
            (None, _) if at == 0 => None,
            (None, _) => Some((0, at)),
        }
    }

    /// Returns the columns of `shown` that stand beside each other.
    fn beside<'a>(&self, shown: &'a [usize]) -> &'a [usize] {
        match shown.split_last() {
            Some((&at, rest)) if self.below && at + 1 == self.columns.len() => rest,
            _ => shown,
        }
    }

    /// Returns the least width of a row.
    fn least(&self, shown: &[usize]) -> usize {
        let beside = self.beside(shown);
        let least = |&at: &usize| match self.columns[at].layout {
            Layout::Text => self.natural[at].min(TEXT_MIN),
            _ => self.columns[at].least(self.natural[at]),
        };
        let gaps = GAP.len() * beside.len().saturating_sub(1);
        beside.iter().map(least).sum::<usize>() + gaps
    }

    /// Narrows the widest columns that may be narrowed until a row fits, or none is left.
    fn shrink(&mut self, shown: &[usize], limit: usize) {
        let mut widths = vec![None; self.columns.len()];
        for &at in shown {
            widths[at] = Some(self.natural[at]);
        }
        let beside = self.beside(shown).to_vec();
        let gaps = GAP.len() * beside.len().saturating_sub(1);
        let least = |at: usize| match self.columns[at].layout {
            Layout::Text => self.natural[at].min(TEXT_MIN),
            _ => self.columns[at].least(self.natural[at]),
        };
        loop {
            let total: usize = beside.iter().filter_map(|&at| widths[at]).sum();
            // Sentences wrap, which costs nothing, so they give room first.
            let narrowed = beside
                .iter()
                .filter(|&&at| widths[at] > Some(least(at)))
                .max_by_key(|&&at| (self.columns[at].layout == Layout::Text, widths[at]));
            match narrowed {
                Some(&at) if total + gaps > limit => widths[at] = widths[at].map(|wide| wide - 1),
                _ => break,
            }
        }
        self.widths = widths;
    }

    fn line(&self, row: &[Cell], out: &mut String) {
        let shown: Vec<usize> = (0..row.len())
            .filter(|&at| self.widths[at].is_some())
            .collect();
        let beside = self.beside(&shown);
        let mut used = 0;
        for (nth, &at) in beside.iter().enumerate() {
            let (cell, wide) = (&row[at], self.widths[at].unwrap_or_default());
            let layout = self.columns[at].layout;
            if nth > 0 {
                out.push_str(GAP);
                used += GAP.len();
            }
            if layout == Layout::Text && self.canvas.width.is_some() {
                self.wrapped(cell, wide, used, out);
                continue;
            }
            let text = match layout {
                Layout::Clipped => clip(&cell.text, wide),
                Layout::Left | Layout::Right | Layout::Text => Cow::Borrowed(cell.text.as_str()),
            };
            let padding = " ".repeat(wide.saturating_sub(width(&text)));
            let painted = cell.style.paint(&text, self.canvas.colour);
            match layout {
                Layout::Right => {
                    out.push_str(&padding);
                    out.push_str(&painted);
                }
                _ => {
                    out.push_str(&painted);
                    if nth + 1 < beside.len() {
                        out.push_str(&padding);
                    }
                }
            }
            used += wide;
        }
        out.push('\n');
        if beside.len() < shown.len()
            && let Some(cell) = row.last().filter(|cell| !cell.is_empty())
        {
            let limit = self.canvas.width.unwrap_or(usize::MAX);
            out.push_str(INDENT);
            self.wrapped(cell, limit.saturating_sub(INDENT.len()), INDENT.len(), out);
            out.push('\n');
        }
    }

    /// Appends a text whose lines after the first begin below its first word.
    fn wrapped(&self, cell: &Cell, wide: usize, indent: usize, out: &mut String) {
        for (nth, line) in wrap(&cell.text, wide).iter().enumerate() {
            if nth > 0 {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
            }
            out.push_str(&cell.style.paint(line, self.canvas.colour));
        }
    }
}

/// Renders named facts below each other, with aligned values. Values are escaped here.
pub(crate) fn facts<'a>(
    facts: impl IntoIterator<Item = (&'a str, String)>,
    canvas: Canvas,
) -> String {
    let facts: Vec<_> = facts.into_iter().collect();
    let widest = facts.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let beside = GAP.len() + widest + GAP.len();
    let mut out = String::new();
    for (name, value) in facts {
        out.push_str(GAP);
        out.push_str(&Style::Dim.paint(name, canvas.colour));
        let value = escape(&value);
        let room = |indent| canvas.width.unwrap_or(usize::MAX).saturating_sub(indent);
        let longest = longest_piece(&value);
        // A digest or a command that is wider than the rest of the line begins a line of its own.
        let indent = if longest > room(beside) && longest <= width(&value) {
            INDENT.len()
        } else {
            beside
        };
        for (nth, line) in wrap(&value, room(indent)).iter().enumerate() {
            if nth == 0 && indent == beside {
                out.push_str(&" ".repeat(widest - width(name) + GAP.len()));
            } else {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
            }
            out.push_str(line);
        }
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

    fn within(columns: usize) -> Canvas {
        Canvas {
            width: Some(columns),
            ..PLAIN
        }
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
        let columns = [Column::right("ID"), Column::clipped("FILE")];
        let mut table = Table::new(&columns, within(20));
        let page = table.page(&[vec![Cell::new("12345"), Cell::new("a-very-long-name.csv")]]);
        assert_eq!(page, "   ID  FILE\n12345  a-very-long-…\n");
        assert!(page.lines().all(|line| width(line) <= 20));
    }
    /// `find K2510-00117` on a terminal of 80 columns once listed serials as `K2510-0…`.
    #[test]
    fn columns_are_dropped_before_a_key_is_cut() {
        let columns = [
            Column::right("ID"),
            Column::left("STATUS").dropped(1),
            Column::left("SERIAL").key(),
            Column::clipped("FILE").dropped(2),
        ];
        let row = ["581", "success", "K2510-00117", "TEST-K2510-00117.xml"].map(Cell::new);
        for (wide, expected) in [
            (
                60,
                " ID  STATUS   SERIAL       FILE\n581  success  K2510-00117  TEST-K2510-00117.xml\n",
            ),
            (
                40,
                " ID  STATUS   SERIAL       FILE\n581  success  K2510-00117  TEST-K2510-0…\n",
            ),
            (30, " ID  STATUS   SERIAL\n581  success  K2510-00117\n"),
            (20, " ID  SERIAL\n581  K2510-00117\n"),
            (5, " ID  SERIAL\n581  K2510-00117\n"),
        ] {
            let mut table = Table::new(&columns, within(wide));
            assert_eq!(table.page(&[row.to_vec()]), expected, "{wide}");
        }
        let mut table = Table::new(&columns, within(20));
        table.page(&[row.to_vec()]);
        assert_eq!(table.dropped(), ["STATUS", "FILE"]);
    }

    #[test]
    fn sentences_wrap_between_words_or_stand_below() {
        let columns = [Column::left("NAME"), Column::text("REASON")];
        let row = ["audit", "an audit of the line in March"].map(Cell::new);
        for (wide, expected) in [
            (40, "NAME   REASON\naudit  an audit of the line in March\n"),
            (
                33,
                "NAME   REASON\naudit  an audit of the line in\n       March\n",
            ),
            (
                24,
                "NAME\n    REASON\naudit\n    an audit of the line\n    in March\n",
            ),
        ] {
            let mut table = Table::new(&columns, within(wide));
            assert_eq!(table.page(&[row.to_vec()]), expected, "{wide}");
        }
        assert_eq!(
            wrap("a digest-without-spaces b", 6),
            ["a", "digest-without-spaces", "b"]
        );
    }

    #[test]
    fn a_fact_that_is_too_wide_goes_on_below() {
        let width = Some(24);
        let known = [
            ("serial", "SN1042".to_owned()),
            ("note", "two words and more of them".to_owned()),
            ("sha256", "0123456789abcdef0123".to_owned()),
        ];
        assert_eq!(
            facts(
                known,
                Canvas {
                    colour: false,
                    width
                }
            ),
            "  serial  SN1042\n  note    two words and\n          more of them\n  \
             sha256\n    0123456789abcdef0123\n"
        );
    }
}
