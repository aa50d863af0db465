//! File name patterns. `*` matches any text, `?` any one character, `[a-z]` one character of a set,
//! and `[!a-z]` one character outside a set.

use super::text::{TEXT_END, fold};

/// A pattern over folded text. Every text is a valid pattern: a bracket that is never closed stands
/// for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    AnyOne,
    AnyRun,
    OneOf(Set),
}

impl Token {
    fn takes(&self, found: char) -> bool {
        match self {
            Self::Literal(wanted) => *wanted == found,
            Self::AnyOne | Self::AnyRun => true,
            Self::OneOf(set) => set.takes(found),
        }
    }
}

/// `[a-z]`, or with `[!a-z]` every other character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    outside: bool,
    ranges: Vec<(char, char)>,
}

impl Set {
    pub(super) fn takes(&self, found: char) -> bool {
        let within = |(first, last): &(char, char)| (*first..=*last).contains(&found);
        self.ranges.iter().any(within) != self.outside
    }
}

impl Glob {
    /// Returns the pattern that `text` spells, without regard to letter case.
    pub(super) fn new(text: &str) -> Self {
        let pattern: Vec<char> = fold(text).chars().collect();
        let mut tokens = Vec::with_capacity(pattern.len());
        let mut rest = pattern.as_slice();
        while let Some((first, behind)) = rest.split_first() {
            rest = behind;
            match first {
                '*' if tokens.last() == Some(&Token::AnyRun) => {}
                '*' => tokens.push(Token::AnyRun),
                '?' => tokens.push(Token::AnyOne),
                '[' => match set(rest) {
                    Some((set, behind)) => {
                        tokens.push(Token::OneOf(set));
                        rest = behind;
                    }
                    None => tokens.push(Token::Literal('[')),
                },
                literal => tokens.push(Token::Literal(*literal)),
            }
        }
        Self { tokens }
    }

    /// Returns true when the pattern matches the whole of `name`.
    ///
    /// On a mismatch only the last `*` takes one more character, so the work is at most the product
    /// of the two lengths.
    pub(super) fn matches(&self, name: &str) -> bool {
        let folded = fold(name);
        let mut rest = folded.chars();
        let mut token = 0;
        let mut widen: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let mut ahead = rest.clone();
            let found = ahead.next();
            match (self.tokens.get(token), found) {
                (Some(Token::AnyRun), _) => {
                    token += 1;
                    widen = Some((token, rest.clone()));
                    continue;
                }
                (Some(expected), Some(found)) if expected.takes(found) => {
                    token += 1;
                    rest = ahead;
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((after_run, from)) = &mut widen else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            token = *after_run;
            rest = from.clone();
        }
    }

    /// Returns folded texts that every matching name contains. If the pattern ends in literal text,
    /// the last of them carries the end mark.
    pub(super) fn parts(&self) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        let mut part = String::new();
        for token in &self.tokens {
            if let Token::Literal(letter) = token {
                part.push(*letter);
            } else if !part.is_empty() {
                parts.push(std::mem::take(&mut part).into_bytes());
            }
        }
        if !part.is_empty() {
            let mut last = part.into_bytes();
            last.push(TEXT_END);
            parts.push(last);
        }
        parts
    }
}

/// Returns true for a pattern with a bracket that is never closed, which is more often a slip than
/// a bracket that is meant.
#[cfg(any(test, feature = "host"))]
pub(crate) fn is_unclosed(text: &str) -> bool {
    let pattern: Vec<char> = text.chars().collect();
    let mut rest = pattern.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first == '[' {
            match set(rest) {
                Some((_, behind)) => rest = behind,
                None => return true,
            }
        }
    }
    false
}

/// Parses the set that follows an opening bracket, and returns it with the rest of the pattern.
pub(super) fn set(pattern: &[char]) -> Option<(Set, &[char])> {
    let (outside, mut rest) = match pattern.split_first() {
        Some(('!', behind)) => (true, behind),
        _ => (false, pattern),
    };
    let mut ranges = Vec::new();
    loop {
        match rest {
            // A closing bracket that comes first is a member of the set, as in every shell.
            [']', behind @ ..] if !ranges.is_empty() => {
                return Some((Set { outside, ranges }, behind));
            }
            [first, '-', last, behind @ ..] if *last != ']' => {
                ranges.push((*first, *last));
                rest = behind;
            }
            [only, behind @ ..] => {
                ranges.push((*only, *only));
                rest = behind;
            }
            [] => return None,
        }
    }
}

/// Returns whether a file name matches a glob, for the fuzz target.
#[cfg(feature = "testing")]
pub(crate) fn glob_matches(pattern: &str, name: &str) -> bool {
    Glob::new(pattern).matches(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_the_names_a_shell_would_give() {
        let cases = [
            ("*.csv", "A.CSV", true),
            ("*.csv", "a.csv.bak", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?", "ä", true),
            ("?", "", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("[a-c]x", "Bx", true),
            ("[A-C]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[]]x", "]x", true),
            ("[a", "[A", true),
            ("[!a", "[!a", true),
            ("[a-]", "-", true),
            ("**a**", "bab", true),
            ("*ab", "aab", true),
            ("ict_[0-9][0-9]?csv", "ICT_07.csv", true),
        ];
        for (pattern, name, fits) in cases {
            assert_eq!(Glob::new(pattern).matches(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_bracket_that_is_never_closed_is_noticed() {
        for (pattern, unclosed) in [
            ("[a", true),
            ("*.[ct]sv", false),
            ("[[]a", false),
            ("[]", true),
            ("a[b]c[!", true),
            ("plain", false),
        ] {
            assert_eq!(is_unclosed(pattern), unclosed, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_made_to_blow_up_is_still_answered() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!Glob::new(&pattern).matches(&"a".repeat(5000)));
    }

    #[test]
    fn a_fitting_name_contains_every_part() {
        assert_eq!(
            Glob::new("ict_*[0-9]x?.CSV").parts(),
            [&b"ict_"[..], b"x", b".csv\0"]
        );
        assert!(Glob::new("*?[a]").parts().is_empty());
    }
}
