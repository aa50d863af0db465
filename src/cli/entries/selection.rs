//! Describes a selection that was recorded with a job or a waiver.

use crate::query::Filter;
use crate::service::entries::Filters;
use crate::service::words::counted;

/// Returns a recorded selection in the words of the filters: `converter ICT CSV, status failed`.
///
/// A text that is no filter, or one that words cannot state whole, stays as it is.
pub(crate) fn selection_words(recorded: &str) -> String {
    let Ok(filter) = serde_json::from_str::<Filter>(recorded) else {
        return recorded.to_owned();
    };
    match filter.ids.as_slice() {
        [] => {}
        [one] => return format!("entry {one}"),
        ids => return format!("{} by id", counted(ids.len() as u64, "entry", "entries")),
    }
    if !Filters::tell_all_of(&filter) {
        return recorded.to_owned();
    }
    let pairs = Filters::of(&filter).pairs();
    let words: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    if words.is_empty() {
        return "all entries".to_owned();
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_told_in_words_and_whole() {
        for (recorded, told) in [
            (
                r#"{"converter":["ICT"],"serial":"SN1"}"#,
                "converter ICT, serial SN1",
            ),
            (r#"{"ids":[7]}"#, "entry 7"),
            (r#"{"ids":[7,9]}"#, "2 entries by id"),
            ("{}", "all entries"),
            ("by hand", "by hand"),
            // A part of it would be told as all entries.
            (r#"{"report_id":"R-1"}"#, r#"{"report_id":"R-1"}"#),
        ] {
            assert_eq!(selection_words(recorded), told);
        }
    }
}
