//! Makes text from outside safe for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns true for characters that move the cursor, change colours or reorder text around them.
fn is_dangerous(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns `text` made safe for a terminal.
///
/// Control and direction characters become escapes such as `\x1b` and `\u{202e}`.
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_with(text, |c, out| {
        let code = u32::from(c);
        if code <= 0xff {
            write!(out, "\\x{code:02x}")
        } else {
            write!(out, "\\u{{{code:x}}}")
        }
    })
}

/// Returns JSON text with dangerous characters as `\u` escapes. Its value stays equal.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    escape_with(json, |c, out| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units)
            .iter()
            .try_for_each(|unit| write!(out, "\\u{unit:04x}"))
    })
}

fn escape_with(
    text: &str,
    mut spell: impl FnMut(char, &mut String) -> std::fmt::Result,
) -> Cow<'_, str> {
    if !text.contains(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if !is_dangerous(c) {
            safe.push(c);
        } else if spell(c, &mut safe).is_err() {
            // Writing to a String does not fail. If it did, the character would be left out.
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_command_the_terminal() {
        for (text, shown) in [
            ("SN1.csv", "SN1.csv"),
            ("\u{1b}[2Jgone", "\\x1b[2Jgone"),
            ("a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd"),
            ("\u{9b}31m", "\\x9b31m"),
            ("\u{7f}", "\\x7f"),
            ("exe.\u{202e}vsc", "exe.\\u{202e}vsc"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("Prüfplatz 東京 é", "Prüfplatz 東京 é"),
        ] {
            assert_eq!(escape(text), shown);
        }
    }

    #[test]
    fn json_shown_on_a_terminal_is_safe_and_says_the_same() {
        for text in [
            "\u{9b}31m",
            "\u{202e}x",
            "\u{e0001}",
            "\u{1b}[0m",
            "plain \"quoted\"",
        ] {
            let json = serde_json::to_string(text).expect("json");
            let safe = escape_json(&json);
            assert!(!safe.contains(is_dangerous), "{safe}");
            assert_eq!(
                serde_json::from_str::<String>(&safe).expect("still json"),
                text
            );
        }
    }
}
