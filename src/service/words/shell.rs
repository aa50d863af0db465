//! Writes text as a word of a shell, for command lines that are shown.

use std::borrow::Cow;

/// Returns a text as one word of a shell.
pub fn in_shell(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', "'\\''")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People paste shown command lines into a shell.
    #[test]
    fn a_word_reaches_the_program_as_it_is_written() {
        assert_eq!(in_shell("ICT"), "ICT");
        assert_eq!(in_shell(""), "''");
        assert_eq!(in_shell("ICT CSV"), "'ICT CSV'");
        assert_eq!(in_shell("it's"), r"'it'\''s'");
        assert_eq!(in_shell("$(reboot)"), "'$(reboot)'");
    }
}
