//! Describes a selection that was recorded with a job or a waiver.

use crate::query::Filter;
use crate::service::entries::Filters;
use crate::service::words::counted;
use crate::time::Timestamp;

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
        .map(|(key, value)| format!("{key} {}", without_micros(value)))
        .collect();
    if words.is_empty() {
        return "all entries".to_owned();
    }
    words.join(", ")
}

/// Returns a value without a fraction of a second that is zero, if it is a time.
fn without_micros(value: String) -> String {
    match value.split_once(".000000") {
        Some((before, after)) if value.parse::<Timestamp>().is_ok() => format!("{before}{after}"),
        _ => value,
    }
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
            (
                r#"{"from":"2026-03-01T00:00:00.000000+01:00","part":"1.000000"}"#,
                "from 2026-03-01T00:00:00+01:00, part 1.000000",
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
