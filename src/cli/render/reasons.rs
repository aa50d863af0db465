//! Renders why entries were not converted: each cause once, with its number of entries.

use super::table::{Canvas, Cell, Column, Table};
use crate::id::EntryId;
use crate::service::objects::Kinds;
use crate::service::words::count;

/// Most reasons that are listed.
const LISTED_MAX: usize = 8;

/// Renders reasons as a table by cause, the most common first, after an empty line.
///
/// Returns nothing when there are no reasons.
pub(crate) fn table<'a>(
    reasons: impl Iterator<Item = (EntryId, &'a str)>,
    canvas: Canvas,
) -> String {
    let mut kinds = Kinds::default();
    for (entry, reason) in reasons {
        kinds.add(entry, reason);
    }
    let kinds = kinds.most_frequent_first();
    let kinds = kinds
        .iter()
        .map(|kind| (kind.entries, kind.example, kind.text.as_str()));
    table_of(kinds, canvas)
}

/// Renders causes, each with its number of entries and an example, after an empty line.
pub(crate) fn table_of<'a>(
    causes: impl Iterator<Item = (u64, EntryId, &'a str)>,
    canvas: Canvas,
) -> String {
    let columns = [
        Column::right("ENTRIES"),
        Column::right("SEE ENTRY").kept(),
        Column::text("NOT CONVERTED BECAUSE"),
    ];
    let mut rows: Vec<_> = causes
        .map(|(number, example, words)| {
            vec![
                Cell::new(count(number)),
                Cell::new(example.to_string()),
                Cell::new(words),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let hidden = rows.len().saturating_sub(LISTED_MAX);
    rows.truncate(LISTED_MAX);
    let mut text = format!("\n{}", Table::new(&columns, canvas).page(&rows));
    if hidden > 0 {
        let more = format!("and {hidden} more reasons; --json has them all\n");
        text += &more;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file of a job failed for one reason, and each error named its own line.
    #[test]
    fn reasons_that_differ_in_numbers_are_one_line() {
        let canvas = Canvas {
            colour: false,
            width: None,
        };
        let reasons = ["line 12: no serial", "timed out", "line 14: no serial"];
        let reasons = reasons.iter().zip(7..);
        let text = table(reasons.map(|(why, id)| (EntryId(id), *why)), canvas);
        assert_eq!(
            text,
            "\nENTRIES  SEE ENTRY  NOT CONVERTED BECAUSE\n\
             \u{20}     2          7  line *: no serial\n\
             \u{20}     1          8  timed out\n"
        );
        assert_eq!(table(std::iter::empty(), canvas), "");
    }
}
