//! How jobs and differences are told on the pages.

use form_urlencoded::Serializer;

use crate::archive::JobState;
use crate::convert::{ChangeKind, ChangePattern, Json};
use crate::query::Filter;
use crate::service::entries::Filters;
use crate::service::words::short;
use crate::web::pages::parts::Mark;
use crate::web::texts::Language;

/// Returns an address with a query.
pub(in crate::web::pages) fn address<'a>(
    path: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// Returns the state of a job as sign, word and colour.
pub(super) fn state_mark(state: JobState, language: Language) -> Mark {
    let (name, word) = match state {
        JobState::Running => ("pending", language.say("jobs.state_running")),
        JobState::Paused => ("suspended", language.say("jobs.state_paused")),
        JobState::Interrupted => ("suspicious", language.say("jobs.state_interrupted")),
        JobState::Finished => ("success", language.say("jobs.state_finished")),
        JobState::Cancelled => ("skipped", language.say("jobs.state_cancelled")),
    };
    Mark::named(name, word)
}

/// Describes the selection of a job in words of the command line.
pub(in crate::web::pages) fn selection_words(recorded: &str, language: Language) -> String {
    let Ok(filter) = serde_json::from_str::<Filter>(recorded) else {
        return recorded.to_owned();
    };
    if !filter.ids.is_empty() {
        if let [one] = filter.ids.as_slice() {
            return language.fill("jobs.selection_one", &[("id", &one.to_string())]);
        }
        let number = language.count(filter.ids.len() as u64);
        return language.fill("jobs.selection_ids", &[("n", &number)]);
    }
    let pairs = Filters::of(&filter).pairs();
    let words = pairs
        .into_iter()
        .map(|(key, value)| format!("{key} {value}"));
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        language.say("jobs.selection_all").to_owned()
    } else {
        words.join(" · ")
    }
}

/// Describes a way in which the values of a place differ: `5 → 6`, `× 1000: 5 → 5000`.
pub(in crate::web::pages) fn how(pattern: &ChangePattern, language: Language) -> String {
    let shown = |value: &Option<Json>| value.as_ref().map_or_else(|| "–".to_owned(), short);
    let (old, new) = (shown(&pattern.old), shown(&pattern.new));
    let both = format!("{old} → {new}");
    match pattern.kind {
        ChangeKind::Added => format!("{}: {new}", language.say("jobs.how_added")),
        ChangeKind::Removed => format!("{}: {old}", language.say("jobs.how_removed")),
        ChangeKind::Type => format!("{}: {both}", language.say("jobs.how_type")),
        ChangeKind::Factor(by) => format!("× {by}: {both}"),
        ChangeKind::Offset(by) if by < 0.0 => format!("− {}: {both}", -by),
        ChangeKind::Offset(by) => format!("+ {by}: {both}"),
        ChangeKind::Rounding => format!("{}: {both}", language.say("jobs.how_rounding")),
        ChangeKind::Varied => format!("{}: {both}", language.say("jobs.how_varied")),
        _ => both,
    }
}

/// Returns a duration in the largest units that tell something: `2 h 5 min`, `40 s`.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Returns a number with one digit behind the decimal mark of the language.
pub(super) fn decimal(number: f64, language: Language) -> String {
    let text = format!("{number:.1}");
    match language {
        Language::English => text,
        Language::German => text.replace('.', ","),
    }
}

/// Returns a part of a whole in thousandths.
pub(in crate::web::pages) fn per_mille(part: u64, whole: u64) -> u64 {
    let thousandths = u128::from(part) * 1_000 / u128::from(whole.max(1));
    u64::try_from(thousandths).unwrap_or(1_000).min(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_carries_any_text_and_leaves_out_what_is_empty() {
        let pairs = [
            ("path", "/steps/*/a&b"),
            ("after", ""),
            ("verdict", "changed"),
        ];
        assert_eq!(
            address("/jobs/7", pairs),
            "/jobs/7?path=%2Fsteps%2F*%2Fa%26b&verdict=changed"
        );
        assert_eq!(address("/jobs", [("after", "")]), "/jobs");
    }

    #[test]
    fn a_selection_is_told_in_the_words_of_the_filters() {
        let english = Language::English;
        let told = selection_words(r#"{"converter":["ICT"],"serial":"SN1"}"#, english);
        assert_eq!(told, "converter ICT · serial SN1");
        assert_eq!(
            selection_words(r#"{"ids":[7,9]}"#, english),
            "2 entries, named one by one"
        );
        assert_eq!(selection_words("by hand", english), "by hand");
    }

    #[test]
    fn a_share_never_leaves_its_bar() {
        assert_eq!(per_mille(5, 10), 500);
        assert_eq!(per_mille(u64::MAX, 1), 1_000);
        assert_eq!(per_mille(0, 0), 0);
        assert_eq!(duration(3_725), "1 h 2 min");
    }
}
