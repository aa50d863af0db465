//! Reads what a form of settings asks for: only what differs from what it showed.

use std::collections::BTreeMap;

use super::fields::{Field, Group, Input};
use crate::convert::MASK;
use crate::host::Change;

/// What a form posted.
#[derive(Debug, Clone, Default)]
pub struct Posted {
    /// The fields, by name. Of several with one name the last counts: a box that is not ticked
    /// leaves the hidden field before it.
    pub values: BTreeMap<String, String>,
    /// What the fields had when the form was shown. What somebody else changed since then is not
    /// changed back.
    pub shown: BTreeMap<String, String>,
    /// The names of the values that are to go back to their defaults.
    pub unset: Vec<String>,
    /// Whether `1,5` is one and a half.
    pub has_decimal_comma: bool,
}

impl Posted {
    /// Returns what was put into a field, or `shown` if the form had no such field.
    pub fn text_of<'a>(&'a self, name: &str, shown: &'a str) -> &'a str {
        self.values.get(name).map_or(shown, String::as_str)
    }

    /// Returns true when a field has another value than the form showed.
    pub fn is_changed(&self, name: &str, now: &str) -> bool {
        let before = self.shown.get(name).map_or(now, String::as_str);
        let posted = self.values.get(name);
        posted.is_some_and(|posted| tidy(posted) != tidy(before))
    }
}

/// Line ends as browsers send them do not count, nor does an end of line after the last item.
fn tidy(text: &str) -> String {
    text.replace("\r\n", "\n").trim_end_matches('\n').to_owned()
}

/// Returns the changes that a form asks for.
pub fn changes_of(groups: &[Group], posted: &Posted) -> Vec<Change> {
    let fields = groups.iter().flat_map(|group| &group.fields);
    let mut changes = Vec::new();
    for field in fields.filter(|field| field.input != Input::Shown) {
        if posted.unset.contains(&field.name) {
            if field.is_stated() {
                changes.push(Change::unset(&field.name));
            }
            continue;
        }
        if field.input == Input::Entries {
            entries(field, posted, &mut changes);
        } else if posted.is_changed(&field.name, &field.text) {
            let text = tidy(posted.text_of(&field.name, &field.text));
            changes.push(change_of(field, &text, posted.has_decimal_comma));
        }
    }
    changes
}

fn entries(field: &Field, posted: &Posted, changes: &mut Vec<Change>) {
    for entry in &field.entries {
        if posted.unset.contains(&entry.name) {
            changes.push(Change::unset(&entry.name));
        } else if posted.is_changed(&entry.name, &entry.text) {
            let text = posted.text_of(&entry.name, &entry.text);
            if !(entry.is_secret() && (text.is_empty() || text == MASK)) {
                changes.push(Change::set(&entry.name, text));
            }
        }
    }
    let new = posted.text_of(&format!("{}.", field.name), "");
    for line in new.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let (name, value) = (name.trim(), value.trim());
        changes.push(Change::set(format!("{}.{name}", field.name), value));
    }
}

/// Returns the change of one field. An empty field of a number is never 0: it takes the value out.
fn change_of(field: &Field, text: &str, has_decimal_comma: bool) -> Change {
    let name = &field.name;
    match field.input {
        Input::Lines => Change::set(name, list(text)),
        Input::Number if text.trim().is_empty() => Change::unset(name),
        Input::Number => Change::set(name, number(text, has_decimal_comma)),
        // Without a default, an empty text is no value.
        _ if text.is_empty() && field.key.default.is_none() => Change::unset(name),
        _ => Change::set(name, text),
    }
}

/// Returns lines as a list. A list as it stands in a file is taken as it is.
fn list(text: &str) -> String {
    let is_list = text.trim_start().starts_with('[')
        && toml::from_str::<BTreeMap<String, Vec<String>>>(&format!("value = {text}")).is_ok();
    if is_list {
        return text.trim().to_owned();
    }
    let items = text.lines().filter(|line| !line.trim().is_empty());
    let items: Vec<String> = items
        .map(|item| serde_json::Value::from(item).to_string())
        .collect();
    format!("[{}]", items.join(", "))
}

/// Returns a number as the file has it. Only one comma, without a point, is a decimal comma;
/// anything else is left for the check to refuse.
fn number(text: &str, has_decimal_comma: bool) -> String {
    let text = text.trim();
    let is_decimal = has_decimal_comma
        && text.matches(',').count() == 1
        && text
            .chars()
            .all(|c| c == ',' || c == '-' || c.is_ascii_digit());
    if is_decimal {
        text.replace(',', ".")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody typed `1,5` and got 15, somebody else `1,000` and got 1.
    #[test]
    fn a_comma_is_a_decimal_mark_where_people_write_it_so_and_an_error_elsewhere() {
        assert_eq!(number(" 1,5 ", true), "1.5");
        assert_eq!(number("1.5", true), "1.5");
        for (text, comma) in [("1,5", false), ("1.000,5", true), ("1,000,000", true)] {
            assert_eq!(number(text, comma), text);
        }
    }

    #[test]
    fn lines_become_a_list_with_their_spaces() {
        assert_eq!(list(" a.csv\n\n*.xml "), r#"[" a.csv", "*.xml "]"#);
        assert_eq!(list("[ab]*.csv"), r#"["[ab]*.csv"]"#);
        assert_eq!(list(r#"["", "a"]"#), r#"["", "a"]"#);
        assert_eq!(list(""), "[]");
    }
}
