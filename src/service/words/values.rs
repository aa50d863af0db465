//! Values and paths of reports in a few characters.

use std::borrow::Cow;

use crate::convert::Json;

/// Most characters of a value for people.
const VALUE_CHARS_MAX: usize = 60;
/// Most characters of a path for people.
const PATH_CHARS_MAX: usize = 44;

/// Returns a value in at most 60 characters.
pub fn short(value: &Json) -> String {
    let text = match value {
        Json::Object(members) => match value.member("name").and_then(Json::as_text) {
            Some(name) => format!("{{ {name:?} ... }}"),
            None => format!("{{ {} members }}", members.len()),
        },
        Json::List(items) => format!("[ {} items ]", items.len()),
        plain => plain.to_string(),
    };
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text;
    }
    let cut: String = text.chars().take(VALUE_CHARS_MAX - 1).collect();
    cut + "…"
}

/// Returns a path in at most 44 characters: the parts at its end tell more than those before them.
pub fn short_path(path: &str) -> Cow<'_, str> {
    let chars = path.chars().count();
    if chars <= PATH_CHARS_MAX {
        return Cow::Borrowed(path);
    }
    let begin = path
        .char_indices()
        .nth(chars + 1 - PATH_CHARS_MAX)
        .map_or(0, |(place, _)| place);
    let end = &path[begin..];
    let whole_parts = end.find('/').map_or(end, |slash| &end[slash..]);
    let end = if whole_parts.chars().count() > PATH_CHARS_MAX / 2 {
        whole_parts
    } else {
        end
    };
    Cow::Owned(format!("…{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_at_its_end_and_a_long_path_at_its_beginning() {
        assert_eq!(short(&Json::text("x".repeat(100))).chars().count(), 60);
        let path = "/plate reader aggregate document/*/measurement document/*/identifier";
        assert_eq!(short_path(path), "…/*/measurement document/*/identifier");
        assert_eq!(short_path(&"ä".repeat(100)).chars().count(), 44);
        assert_eq!(short_path("/a/b"), "/a/b");
    }
}
