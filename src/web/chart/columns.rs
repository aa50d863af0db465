//! Columns of stacked parts, one for each period.
//!
//! All columns are equally wide: a day of 23 hours is a day.

use askama::Template;

use super::scale::{lengths, round_top};

/// Height of the columns.
const HEIGHT: u64 = 120;
/// Room above them, for half a line of text.
const ABOVE: u64 = 8;
/// Room below them, for the names.
const BELOW: u64 = 20;
/// How wide the columns are together, and one at most.
const WIDTH: usize = 560;
const COLUMN_WIDTH_MAX: usize = 56;
/// About how wide a letter of a name is.
const LETTER_WIDTH: usize = 8;
/// Room beside the columns at the right, for half a name.
const RIGHT: usize = 16;

/// A part that columns have in common, from the bottom to the top.
#[derive(Debug, Clone)]
pub(in crate::web) struct Layer {
    /// The name in the style sheet.
    pub(in crate::web) name: &'static str,
    /// The word in the legend.
    pub(in crate::web) word: &'static str,
    /// It is hatched, besides its colour.
    pub(in crate::web) is_hatched: bool,
}

/// What stands above one period.
#[derive(Debug, Clone)]
pub(in crate::web) struct Column {
    /// The name on the axis.
    pub(in crate::web) name: String,
    /// The full name, in the table.
    pub(in crate::web) full_name: String,
    /// The column in words.
    pub(in crate::web) title: String,
    /// The list of all that it counts, and how many that are.
    pub(in crate::web) whole: Part,
    /// One for each layer.
    pub(in crate::web) parts: Vec<Part>,
}

/// A number with the list behind it.
#[derive(Debug, Clone)]
pub(in crate::web) struct Part {
    pub(in crate::web) number: u64,
    /// The number as the reader writes it.
    pub(in crate::web) text: String,
    pub(in crate::web) href: String,
}

/// A chart with its legend and its table.
#[derive(Template)]
#[template(path = "chart/columns.html", config = "src/web/askama.toml")]
pub(in crate::web) struct ColumnChart {
    id: &'static str,
    title: String,
    description: String,
    /// What the periods are called, at the head of the table.
    period: &'static str,
    /// What is counted.
    counted: &'static str,
    /// The words that open the table.
    as_table: &'static str,
    layers: Vec<Layer>,
    columns: Vec<Drawn>,
    grid: Vec<GridLine>,
    left: usize,
    width: usize,
    height: u64,
    floor: u64,
    has_hatched: bool,
}

/// A column with its shapes.
struct Drawn {
    column: Column,
    x: usize,
    /// Where all of its width begins, which a pointer meets.
    from: usize,
    width: usize,
    step: usize,
    middle: usize,
    is_named: bool,
    shapes: Vec<Shape>,
}

/// A rectangle.
struct Shape {
    name: &'static str,
    is_hatched: bool,
    y: u64,
    height: u64,
    href: String,
    title: String,
}

struct GridLine {
    y: u64,
    /// Where its number stands.
    text_y: u64,
    text: String,
}

/// What a chart says beside its numbers.
pub(in crate::web) struct Words {
    pub(in crate::web) title: String,
    pub(in crate::web) description: String,
    pub(in crate::web) period: &'static str,
    pub(in crate::web) counted: &'static str,
    pub(in crate::web) as_table: &'static str,
}

impl ColumnChart {
    /// Draws columns. `id` is the only one of its page; `count` writes the numbers of the scale.
    pub(in crate::web) fn new(
        id: &'static str,
        words: Words,
        layers: Vec<Layer>,
        columns: Vec<Column>,
        count: impl Fn(u64) -> String,
    ) -> Self {
        let most = columns.iter().map(|column| column.whole.number).max();
        let top = round_top(most.unwrap_or(0));
        let grid = grid(top, &count);
        let letters = grid.iter().map(|line| line.text.chars().count()).max();
        let left = letters.unwrap_or(1) * LETTER_WIDTH + 8;
        let step = (WIDTH / columns.len().max(1)).clamp(3, COLUMN_WIDTH_MAX);
        let names = columns.iter().map(|column| column.name.chars().count());
        let name_width = names.max().unwrap_or(0) * LETTER_WIDTH + 6;
        let every = name_width.div_ceil(step).max(1);
        let width = left + step * columns.len() + RIGHT;
        let last = columns.len().saturating_sub(1);
        let drawn = columns.into_iter().enumerate().map(|(nth, column)| {
            let from = left + nth * step;
            let gap = (step / 5).max(1);
            Drawn {
                shapes: shapes(&column, &layers, top),
                x: from + gap / 2,
                from,
                width: step - gap,
                step,
                middle: from + step / 2,
                // Counted from the last one, which is what people look for.
                is_named: (last - nth).is_multiple_of(every),
                column,
            }
        });
        Self {
            id,
            title: words.title,
            description: words.description,
            period: words.period,
            counted: words.counted,
            as_table: words.as_table,
            columns: drawn.collect(),
            grid,
            left,
            width,
            height: ABOVE + HEIGHT + BELOW,
            floor: ABOVE + HEIGHT,
            has_hatched: layers.iter().any(|layer| layer.is_hatched),
            layers,
        }
    }
}

/// Returns the lines at the top, and half way up where that is a whole number.
fn grid(top: u128, count: &impl Fn(u64) -> String) -> Vec<GridLine> {
    let line = |number: u128, y: u64| GridLine {
        y,
        text_y: y + 4,
        text: count(u64::try_from(number).unwrap_or(u64::MAX)),
    };
    let mut lines = vec![line(top, ABOVE)];
    if top.is_multiple_of(2) {
        lines.push(line(top / 2, ABOVE + HEIGHT / 2));
    }
    lines.push(line(0, ABOVE + HEIGHT));
    lines
}

/// Returns the rectangles of a column, from the bottom to the top. What is zero has none.
fn shapes(column: &Column, layers: &[Layer], top: u128) -> Vec<Shape> {
    let numbers: Vec<u64> = column.parts.iter().map(|part| part.number).collect();
    let lengths = lengths(&numbers, top, HEIGHT);
    let mut y = ABOVE + HEIGHT;
    let mut shapes = Vec::new();
    for ((part, layer), height) in column.parts.iter().zip(layers).zip(lengths) {
        if height == 0 {
            continue;
        }
        y -= height;
        shapes.push(Shape {
            name: layer.name,
            is_hatched: layer.is_hatched,
            y,
            height,
            href: part.href.clone(),
            title: format!("{}: {} {}", column.full_name, part.text, layer.word),
        });
    }
    shapes
}

#[cfg(test)]
mod tests;
