//! Says in words what was added to an entry later.

use crate::entry::Note;
use crate::event::{Accessed, Door};

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
    let what = match (fact.what.as_deref(), fact.attempt, fact.report) {
        (Some("source"), ..) => "source".to_owned(),
        (Some("report"), Some(attempt), Some(report)) => {
            format!("report {report} of attempt {attempt}")
        }
        _ => "content".to_owned(),
    };
    let to = fact.to.as_ref().map(|to| format!(" to {to}"));
    let door = match fact.door.as_deref() {
        Some(door) if door == Door::Web.name() => " through the page",
        _ => "",
    };
    let to = to.unwrap_or_default();
    format!("{what} handed out by {}{to}{door}", fact.how)
}
