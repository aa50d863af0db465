//! Breaks sentences between words, so that each line fits the terminal.

use super::commands::commands_in;
use crate::service::words::escape;

/// Returns the columns that `text` takes on a terminal.
///
/// Wide and combining characters are recognised by Unicode block, which is exact enough for file
/// names.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

pub(super) fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f
        | 0x1ab0..=0x1aff
        | 0x1dc0..=0x1dff
        | 0x20d0..=0x20ff
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x2_0000..=0x3_fffd => 2,
        _ => 1,
    }
}

/// Returns the lines of `text`, broken between words so that each fits `limit` columns.
///
/// A word that is longer stands alone, and so does a command: one that goes on in another line does
/// not run when it is copied.
pub(crate) fn wrap(text: &str, limit: usize) -> Vec<&str> {
    if width(text) <= limit {
        return vec![text];
    }
    let spaces = spaces_between_pieces(text);
    let mut lines = Vec::new();
    let mut begin = 0;
    while width(&text[begin..]) > limit {
        let rest = &text[begin..];
        // The indentation of a line is no place to break it.
        let from = begin + rest.len() - rest.trim_start().len();
        let within = || spaces.iter().copied().filter(|&at| at > from);
        let broken = within()
            .take_while(|&at| width(&text[begin..at]) <= limit)
            .last()
            .or_else(|| within().next());
        let Some(at) = broken else { break };
        lines.push(text[begin..at].trim_end());
        begin = text.len() - text[at..].trim_start().len();
    }
    lines.push(&text[begin..]);
    lines
}

/// Returns where `text` may be broken: at spaces outside of commands.
fn spaces_between_pieces(text: &str) -> Vec<usize> {
    let commands = commands_in(text);
    let spaces = text.match_indices(' ').map(|(at, _)| at);
    spaces
        .filter(|at| !commands.iter().any(|command| command.contains(at)))
        .collect()
}

/// Returns the columns of the longest part of `text` that is not broken.
pub(super) fn longest_piece(text: &str) -> usize {
    let spaces = spaces_between_pieces(text);
    let begins = std::iter::once(0).chain(spaces.iter().map(|at| at + 1));
    let ends = spaces.iter().copied().chain([text.len()]);
    begins
        .zip(ends)
        .map(|(begin, end)| width(&text[begin..end]))
        .max()
        .unwrap_or(0)
}

/// Returns `text`, whose lines stand behind a label of `indent` columns, broken to fit a terminal.
/// Without a terminal it is returned as it is.
pub(crate) fn sentence(text: &str, indent: usize, columns: Option<usize>) -> String {
    let Some(columns) = columns else {
        return text.to_owned();
    };
    let limit = columns.saturating_sub(indent).max(LEAST);
    let lines = text
        .split('\n')
        .map(|line| wrap(line, limit).join(&continued(indent)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns a line behind a label, made safe to show. Further lines begin below its first word.
pub(crate) fn labelled(painted: &str, label: &str, text: &str, columns: Option<usize>) -> String {
    let indent = label.len() + 2;
    format!("{painted}: {}\n", sentence(&escape(text), indent, columns))
}

/// The most columns of the help of a verb.
pub(crate) const PROSE_MAX: usize = 100;

/// The least columns that a sentence is broken for.
const LEAST: usize = 16;

fn continued(indent: usize) -> String {
    format!("\n{:indent$}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_never_in_a_command() {
        assert_eq!(
            wrap("a digest-without-spaces b", 6),
            ["a", "digest-without-spaces", "b"]
        );
        let told = "nothing is archived yet; `annals -s store archive PATH` archives the first";
        assert_eq!(
            wrap(told, 34),
            [
                "nothing is archived yet;",
                "`annals -s store archive PATH`",
                "archives the first"
            ]
        );
        assert_eq!(longest_piece(told), 30);
    }

    /// Hints ran over the edge of the terminal, in the middle of words.
    #[test]
    fn a_sentence_goes_on_below_its_first_word_and_is_whole_in_a_pipe() {
        let told = "no entry matches all of the filters\nand more";
        assert_eq!(sentence(told, 9, None), told);
        assert_eq!(
            sentence(told, 9, Some(30)),
            "no entry matches all\n         of the filters\nand more"
        );
    }
}
