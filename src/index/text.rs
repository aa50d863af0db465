//! Compares text without regard to spelling variants, and finds substrings by trigrams.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::decompose_compatible;

/// East Asian letters and marks of unusual width: full-width Latin, half-width Katakana.
const OTHER_WIDTH: std::ops::RangeInclusive<char> = '\u{ff01}'..='\u{ffee}';
const DOT_ABOVE: char = '\u{307}';
const DOTLESS_I: char = '\u{131}';
/// The small sigma at the end of a word; it shares its capital letter with the ordinary sigma.
const SIGMA_AT_END: char = '\u{3c2}';

/// Returns `text` without the differences that people do not mean: letter case, composed and
/// decomposed letters, the width of East Asian letters, and the four kinds of i in Turkish. Folded
/// text folds to itself.
///
/// Other variants stay different. `²` is not 2, because two serial numbers may differ in that. `ß`
/// stays one letter, because `?` in a pattern stands for one letter.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
    }
    let mut usual_width = String::with_capacity(text.len());
    for letter in text.chars() {
        if OTHER_WIDTH.contains(&letter) {
            decompose_compatible(letter, |part| usual_width.push(part));
        } else {
            usual_width.push(letter);
        }
    }
    let mut before = None;
    let lower_case = usual_width.nfd().flat_map(char::to_lowercase);
    let folded = lower_case.filter_map(|letter| {
        let letter = match letter {
            DOTLESS_I => 'i',
            SIGMA_AT_END => 'σ',
            other => other,
        };
        let is_dot_of_i = letter == DOT_ABOVE && before == Some('i');
        before = Some(letter);
        (!is_dot_of_i).then_some(letter)
    });
    Cow::Owned(folded.nfc().collect())
}

/// Returns `text` with its letters composed (NFC), as most systems write them. Letter case is kept.
#[cfg(feature = "host")]
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// Returns true when two names differ only in what [`fold`] removes.
pub(crate) fn is_same_name(one: &str, other: &str) -> bool {
    equals_folded(one, &fold(other))
}

/// Returns true when `text` folds to `folded`.
pub(super) fn equals_folded(text: &str, folded: &str) -> bool {
    if text.is_ascii() {
        text.eq_ignore_ascii_case(folded)
    } else {
        fold(text) == folded
    }
}

/// Returns true when the folded form of `text` contains `folded`.
pub(super) fn contains_folded(text: &str, folded: &str) -> bool {
    if !text.is_ascii() {
        return fold(text).contains(folded);
    }
    let needle = folded.as_bytes();
    let Some((first, rest)) = needle.split_first() else {
        return true;
    };
    let hay = text.as_bytes();
    hay.len() >= needle.len()
        && hay[..=hay.len() - needle.len()]
            .iter()
            .enumerate()
            .any(|(at, byte)| {
                byte.to_ascii_lowercase() == *first
                    && hay[at + 1..at + needle.len()].eq_ignore_ascii_case(rest)
            })
}

/// Three consecutive bytes of folded text, the first in the highest place.
pub(super) type Trigram = u32;

/// The end mark, which follows the text so that its last two bytes begin a trigram too.
pub(super) const TEXT_END: u8 = 0;

/// The trigrams of a row's texts, with what is needed to find one or two letters as well.
#[derive(Default)]
pub(super) struct Trigrams {
    bytes: [u64; 4],
}

impl Trigrams {
    /// Passes every trigram of `text` to `emit`, the end mark included, in order and with
    /// repetitions.
    pub(super) fn of(&mut self, text: &str, mut emit: impl FnMut(Trigram)) {
        let folded = fold(text);
        let mut window: Trigram = 0;
        for (at, byte) in folded.bytes().chain([TEXT_END]).enumerate() {
            window = (window << 8 | Trigram::from(byte)) & 0x00ff_ffff;
            if at >= 2 {
                emit(window);
            }
            if at < folded.len() {
                self.bytes[usize::from(byte >> 6)] |= 1 << (byte & 63);
            }
        }
    }

    /// Passes the code of each single byte that occurs in the texts to `emit`.
    pub(super) fn single_bytes(self, mut emit: impl FnMut(Trigram)) {
        for byte in 0..=u8::MAX {
            if self.bytes[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0 {
                emit(single_byte(byte));
            }
        }
    }
}

/// Returns the code for a byte anywhere in the texts. The byte 0xff occurs in no text, so this code
/// is never a real trigram.
fn single_byte(byte: u8) -> Trigram {
    Trigram::from(byte) << 16 | 0xffff
}

/// Returns the trigrams that every text ending with `folded` has. Empty for a text of one byte.
pub(super) fn trigrams_of_end(folded: &str) -> Vec<Trigram> {
    let mut trigrams = Vec::new();
    Trigrams::default().of(folded, |trigram| trigrams.push(trigram));
    trigrams
}

/// Returns the ranges of trigrams that every text containing `part` has. All ranges are inclusive,
/// and all must be met.
///
/// No range is left out. For up to three bytes, meeting the ranges therefore proves that the text
/// contains `part`. Empty for an empty part.
pub(super) fn trigram_ranges(part: &[u8]) -> Vec<(Trigram, Trigram)> {
    match *part {
        [] => Vec::new(),
        [a] => vec![(single_byte(a), single_byte(a))],
        [a, b] => {
            let first = Trigram::from(a) << 16 | Trigram::from(b) << 8;
            vec![(first, first | 0xfe)]
        }
        _ => {
            let mut codes: Vec<Trigram> = part
                .windows(3)
                .map(|three| {
                    Trigram::from(three[0]) << 16
                        | Trigram::from(three[1]) << 8
                        | Trigram::from(three[2])
                })
                .collect();
            codes.sort_unstable();
            codes.dedup();
            codes.into_iter().map(|code| (code, code)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<Trigram> {
        let (mut all, mut trigrams) = (Vec::new(), Trigrams::default());
        trigrams.of(text, |code| all.push(code));
        trigrams.single_bytes(|code| all.push(code));
        all
    }

    #[test]
    fn folding_a_part_gives_a_part_of_the_folded_whole() {
        // `str::to_lowercase` maps the last sigma of a word to another letter than a sigma inside
        // it.
        assert!(fold("ΟΔΟΣ").contains(&*fold("ΟΣ")));
        assert!(fold("ΟΔΟΣΑ").contains(&*fold("ΟΔΟΣ")));
        assert!(contains_folded("Straße ÄÖ", "äö"));
        assert!(equals_folded("ÄB", "äb") && equals_folded("AB", "ab"));
    }

    /// A Mac writes `ü` as u with a mark, Windows as one letter. A search on one must find what the
    /// other archived.
    #[test]
    fn spellings_that_mean_one_text_fold_to_one() {
        for (one, other) in [
            ("Pr\u{fc}fling.csv", "PRU\u{308}FLING.CSV"),
            ("\u{1e69}", "s\u{307}\u{323}"),
            ("\u{ac00}", "\u{1100}\u{1161}"),
            ("\u{212b}", "\u{e5}"),
            ("Straße", "STRAẞE"),
            ("ΟΔΟΣ", "οδος"),
            ("ΟΔΟΣ", "οδοσ"),
            ("İSTANBUL", "istanbul"),
            ("I\u{307}STANBUL", "İstanbul"),
            ("ISPARTA", "ısparta"),
            ("ＳＮ１０４２－Ａ", "sn1042-a"),
            ("ｶﾞｲﾄﾞ", "ガイド"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
            assert!(equals_folded(one, &fold(other)) && is_same_name(other, one));
            assert!(
                contains_folded(&format!("x{one}y"), &fold(other)),
                "{one} {other}"
            );
        }
    }

    /// Serial numbers are identities: texts that look different must stay different.
    #[test]
    fn texts_that_look_different_stay_different() {
        for (one, other) in [
            ("SN2", "SN²"),
            ("SN01", "SN1"),
            ("SNO", "SN0"),
            ("A-1", "A\u{2011}1"),
            ("e", "é"),
            ("ø", "o"),
            ("①", "1"),
            ("ﬁ", "fl"),
            ("А", "A"),
        ] {
            assert_ne!(fold(one), fold(other), "{one} {other}");
            assert!(!is_same_name(one, other));
        }
    }

    proptest::proptest! {
        #[test]
        fn folded_text_folds_to_itself(text in "\\PC{0,12}") {
            let once = fold(&text).into_owned();
            proptest::prop_assert_eq!(&*fold(&once), &once);
        }

        #[test]
        fn every_normal_form_folds_alike(text in "[\\p{L}\\p{M}\\p{N}]{0,12}") {
            let folded = fold(&text).into_owned();
            let composed: String = text.nfc().collect();
            let decomposed: String = text.nfd().collect();
            proptest::prop_assert_eq!(&*fold(&composed), &folded);
            proptest::prop_assert_eq!(&*fold(&decomposed), &folded);
        }
    }

    #[test]
    fn a_part_is_found_wherever_it_stands() {
        for (part, found) in [
            ("", true),
            ("ab", true),
            ("1", true),
            ("b-1", true),
            ("b1", false),
        ] {
            assert_eq!(contains_folded("xAB-1", part), found, "{part}");
        }
        assert!(!contains_folded("a", "ab"));
    }

    #[test]
    fn every_part_of_a_text_meets_all_its_ranges() {
        let text = "SN-42 Ä";
        let all = codes(text);
        let folded = fold(text);
        for (from, _) in folded.char_indices() {
            for to in from + 1..=folded.len() {
                let ranges = trigram_ranges(&folded.as_bytes()[from..to]);
                assert!(!ranges.is_empty());
                for (low, high) in ranges {
                    assert!(all.iter().any(|code| (low..=high).contains(code)));
                }
            }
        }
    }

    #[test]
    fn a_text_has_the_trigrams_of_its_bytes_and_end() {
        assert!(codes("").is_empty());
        assert_eq!(codes("a"), [0x0061_ffff]);
        assert_eq!(codes("aB"), [0x0061_6200, 0x0061_ffff, 0x0062_ffff]);
    }
}
