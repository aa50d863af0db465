//! Prints what was added to an entry later.

use crate::cli::render::{Canvas, Cell, Column, Table};
use crate::entry::Note;
use crate::service::entries::note_words;
use crate::service::time::Zone;

/// Returns the notes of an entry as a table, with old and new values, who, when and why.
pub(crate) fn notes_table(notes: &[Note], zone: &Zone, canvas: Canvas) -> String {
    let columns = [
        Column::right("SEQ"),
        Column::left("TIME"),
        Column::left("BY").dropped(1),
        Column::left("WHAT").kept(),
        Column::text("REASON"),
    ];
    let rows: Vec<_> = notes
        .iter()
        .map(|note| {
            vec![
                Cell::new(note.event.to_string()),
                Cell::new(zone.short(note.at)),
                Cell::new(&note.by),
                Cell::new(note_words(note)),
                Cell::new(&note.reason),
            ]
        })
        .collect();
    Table::new(&columns, canvas).page(&rows)
}
