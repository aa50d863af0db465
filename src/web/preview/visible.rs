//! Text that shows the characters which would command or reorder it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns true for characters without a shape of their own: controls, marks of direction and
/// joining, tags, and everything else that changes how the text around it is read.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}' | '\u{a}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}'
        | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
}

/// Returns text in which every such character is a visible one: `␛` for an escape, `⟨U+202E⟩` for
/// a mark of direction.
pub(in crate::web) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match u32::from(c) {
            // Pictures for these controls stand in the same order.
            code @ 0..=0x1f if is_unseen(c) => {
                shown.push(char::from_u32(0x2400 + code).unwrap_or('\u{fffd}'));
            }
            0x7f => shown.push('\u{2421}'),
            code if is_unseen(c) => {
                // Writing to a String does not fail.
                let _ = write!(shown, "⟨U+{code:04X}⟩");
            }
            _ => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Returns the beginning of a text, and how many characters are left out.
pub(in crate::web) fn cut(text: &str, chars: usize) -> (&str, usize) {
    match text.char_indices().nth(chars) {
        Some((end, _)) => (&text[..end], text[end..].chars().count()),
        None => (text, 0),
    }
}
