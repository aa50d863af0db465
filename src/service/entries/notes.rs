//! Says in words what was added to an entry later.

use crate::entry::Note;
use crate::event::Accessed;

/// Returns what a note added and corrected, in a few words.
pub fn note_words(note: &Note) -> String {
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
pub fn accessed_words(fact: &Accessed) -> String {
    match &fact.to {
        Some(to) => format!("content handed out by {} to {to}", fact.how),
        None => format!("content handed out by {}", fact.how),
    }
}
