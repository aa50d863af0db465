//! Renders why entries were not converted: each reason once, with its number of entries.

use super::numbers::count;
use super::table::{Canvas, Cell, Column, Table};
use crate::id::EntryId;

/// Most reasons that are listed.
const LISTED_MAX: usize = 8;

/// Renders reasons as a table, the most common first, after an empty line.
///
/// Returns nothing when there are no reasons.
pub(crate) fn table<'a>(
    reasons: impl Iterator<Item = (EntryId, &'a str)>,
    canvas: Canvas,
) -> String {
    let mut kinds: Vec<(&str, u64, EntryId)> = Vec::new();
    for (entry, reason) in reasons {
        match kinds.iter_mut().find(|(words, ..)| *words == reason) {
            Some((_, number, _)) => *number += 1,
            None => kinds.push((reason, 1, entry)),
        }
    }
    if kinds.is_empty() {
        return String::new();
    }
    kinds.sort_by_key(|(_, number, _)| std::cmp::Reverse(*number));
    let hidden = kinds.len().saturating_sub(LISTED_MAX);
    kinds.truncate(LISTED_MAX);
    let columns = [
        Column::right("ENTRIES"),
        Column::right("SEE ENTRY"),
        Column::clipped("NOT CONVERTED BECAUSE"),
    ];
    let rows: Vec<_> = kinds
        .iter()
        .map(|(words, number, example)| {
            vec![
                Cell::new(count(*number)),
                Cell::new(example.to_string()),
                Cell::new(words),
            ]
        })
        .collect();
    let mut text = format!("\n{}", Table::new(&columns, canvas).page(&rows));
    if hidden > 0 {
        let more = format!("and {hidden} more reasons; --json has them all\n");
        text += &more;
    }
    text
}
