//! Finds the commands of this program in a text for people.

use std::ops::Range;

/// How every command begins.
const BEGINNING: &str = "annals ";

/// Returns where commands stand in `text`, in order and without their quotation marks.
///
/// A command stands between backticks or apostrophes, or after a colon or an opening bracket up to
/// the end of its part of the sentence. Verbs print commands in no other way, so that each gets the
/// flags of the run and none is broken into two lines.
pub(crate) fn commands_in(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(BEGINNING) {
        let begin = from + at;
        let rest = &text[begin..];
        let length = match text[..begin].chars().next_back() {
            Some(mark @ ('`' | '\'')) => rest.find(mark),
            Some('(') => Some(to_end_of_sentence(rest)),
            _ if text[..begin].ends_with(": ") => Some(to_end_of_sentence(rest)),
            _ => None,
        };
        from = begin + length.unwrap_or(BEGINNING.len());
        found.extend(length.map(|length| begin..begin + length));
    }
    found
}

/// Returns the length of a command without quotation marks at the beginning of `text`. What stands
/// between the apostrophes of a shell belongs to it.
fn to_end_of_sentence(text: &str) -> usize {
    let mut is_quoted = false;
    let end = text.find(|c: char| {
        is_quoted ^= c == '\'';
        c == '\n' || !is_quoted && matches!(c, ';' | ')' | ',')
    });
    text[..end.unwrap_or(text.len())].trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `to go on: annals job resume 99` was printed without the store, and did not run.
    #[test]
    fn commands_are_found_with_and_without_marks() {
        for (text, expected) in [
            (
                "see `annals verify`, then 'annals repair'",
                &["annals verify", "annals repair"][..],
            ),
            ("to go on: annals job resume 99", &["annals job resume 99"]),
            ("3: annals list --job 5; or wait", &["annals list --job 5"]),
            (
                "so: annals -s 'a; b' list\nmore",
                &["annals -s 'a; b' list"],
            ),
            (
                "3 failed (annals list --failure f)",
                &["annals list --failure f"],
            ),
            ("annals itself failed here", &[]),
            (
                "`annals list --serial 'a b'`",
                &["annals list --serial 'a b'"],
            ),
            ("use the annals that wrote it", &[]),
            ("'annals x", &[]),
        ] {
            let found: Vec<&str> = commands_in(text).into_iter().map(|at| &text[at]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
