//! Why entries were not converted, as people see it: the same words once, with the number of
//! entries.

use super::numbers::count;
use super::table::{Canvas, Cell, Column, Table};
use crate::id::EntryId;

/// Reasons that are listed.
const LISTED_MAX: usize = 8;

/// A table of reasons, the commonest first, after an empty line; nothing when there are none.
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
