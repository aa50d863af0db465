//! Values that the parts in `templates/parts` show: states, times, names.

use crate::entry::Status;
use crate::service::time::Zone;
use crate::time::Timestamp;
use crate::web::assets;
use crate::web::texts::Language;

/// Longest name that is shown as a whole, in characters.
const NAME_CHARS_MAX: usize = 20;
/// Characters that are left at the beginning and at the end of a longer one.
const HEAD_CHARS: usize = 10;
const TAIL_CHARS: usize = 6;

/// A state as a word, a sign and, by its name in the style sheet, a colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// The stable name, which `status-NAME` in the style sheet colours.
    pub(super) name: &'static str,
    /// The address of the picture that tells states apart without colour. Drawn, because not every
    /// machine has a font with such signs, and some show them as coloured pictures.
    pub(super) sign: String,
    pub(super) word: &'static str,
}

impl Mark {
    pub(super) fn of(status: Status, language: Language) -> Self {
        let word = match status {
            Status::Pending => language.say("frame.status_pending"),
            Status::Success => language.say("frame.status_success"),
            Status::Failed => language.say("frame.status_failed"),
            Status::Suspended => language.say("frame.status_suspended"),
            Status::Skipped => language.say("frame.status_skipped"),
            Status::Rejected => language.say("frame.status_rejected"),
        };
        Self::named(status.name(), word)
    }

    /// Returns the mark of a result that lost something although its converter says success.
    pub(super) fn suspicious(language: Language) -> Self {
        Self::named("suspicious", language.say("frame.status_suspicious"))
    }

    /// Returns a mark with the sign and the colour of a status, and another word.
    pub(super) fn named(name: &'static str, word: &'static str) -> Self {
        let sign = format!("/assets/{}/icons.svg#{name}", assets::version());
        Self { name, sign, word }
    }
}

/// A time as a visitor reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// RFC 3339, for the attribute `datetime`.
    pub(super) exact: String,
    /// To the second, in the visitor's zone.
    pub(super) short: String,
    /// The same with its offset.
    pub(super) long: String,
}

impl Moment {
    pub(super) fn new(time: Timestamp, zone: &Zone) -> Self {
        Self {
            exact: time.to_utc_string(),
            short: zone.short(time),
            long: zone.long(time),
        }
    }
}

/// Returns a name with its middle left out, if it is long.
pub(super) fn shortened(text: &str) -> String {
    let chars = text.chars().count();
    if chars <= NAME_CHARS_MAX {
        return text.to_owned();
    }
    let head: String = text.chars().take(HEAD_CHARS).collect();
    let tail: String = text.chars().skip(chars - TAIL_CHARS).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// People compare the ends of a hash with what they have on paper.
    #[test]
    fn a_long_name_keeps_its_beginning_and_its_end() {
        assert_eq!(shortened("SN-4711"), "SN-4711");
        assert_eq!(
            shortened("0123456789abcdef0123456789abcdef"),
            "0123456789…abcdef"
        );
        assert_eq!(
            shortened("prüfprüfprüfprüfprüfprüfprüf"),
            "prüfprüfpr…üfprüf"
        );
    }

    /// A state without a sign of its own could be told by colour only.
    #[test]
    fn every_state_has_a_sign_and_a_word_of_its_own() {
        let signs = include_str!("../assets/icons.svg");
        for language in Language::ALL {
            let states = Status::ALL.into_iter();
            let states = states.map(|status| Mark::of(status, language));
            let marks: Vec<Mark> = states.chain([Mark::suspicious(language)]).collect();
            for mark in &marks {
                let drawn = format!("<symbol id=\"{}\"", mark.name);
                assert!(signs.contains(&drawn), "{drawn}");
            }
            let words: BTreeSet<&str> = marks.iter().map(|mark| mark.word).collect();
            assert_eq!(words.len(), marks.len(), "{words:?}");
        }
    }
}
