//! Says in words what was added to an entry later.

use crate::cli::render::{Canvas, Cell, Column, Table};
use crate::entry::Note;
use crate::event::Accessed;
use crate::service::time::Zone;

/// Returns what a note added and corrected, in a few words.
pub(crate) fn note_words(note: &Note) -> String {
    let mut words: Vec<String> = note
        .changes
        .iter()
        .map(|change| match &change.old {
            Some(old) => format!("{}: {old} -> {}", change.fact, change.new),
            None => format!("{}: {} (unknown before)", change.fact, change.new),
        })
        .collect();
    words.extend(note.labels.iter().map(|label| format!("label {label}")));
    let removed = note.unlabels.iter();
    words.extend(removed.map(|label| format!("no label {label}")));
    words.extend(note.text.clone());
    if words.is_empty() {
        words.push("confirmed what was known, or its values were erased".to_owned());
    }
    words.join("; ")
}

/// Returns how contents were handed out, for a timeline.
pub(crate) fn accessed_words(fact: &Accessed) -> String {
    match &fact.to {
        Some(to) => format!("content handed out by {} to {to}", fact.how),
        None => format!("content handed out by {}", fact.how),
    }
}

/// Returns the notes of an entry as a table, with old and new values, who, when and why.
pub(crate) fn notes_table(notes: &[Note], zone: &Zone, canvas: Canvas) -> String {
    let columns = [
        Column::right("SEQ"),
        Column::left("TIME"),
        Column::left("BY"),
        Column::left("WHAT"),
        Column::left("REASON"),
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
