//! The place of a value in a report, and the patterns that select places.

use std::fmt;
use std::str::FromStr;

/// Maximum bytes of a pattern.
const PATTERN_BYTES_MAX: usize = 500;

/// The place of a value while a report is walked, as text and in its parts.
///
/// A part is a member or an index, in the spelling of a JSON Pointer.
#[derive(Debug, Default)]
pub(super) struct Path {
    text: String,
    /// Number of bytes before the report's own path, such as `/reports/1`.
    base: usize,
    parts: Vec<Bounds>,
}

/// Where a part lies in the text of a path.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    begin: usize,
    /// The end of the name, without a position among members of that name.
    bare_end: usize,
    end: usize,
}

/// One part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The part as it is shown: `Step[3]`, `name#2`, `12`.
    pub(super) full: &'a str,
    /// The part without its position among members of the same name: `Step`, `name`.
    pub(super) bare: &'a str,
}

impl Path {
    /// Returns an empty path below `base`, which patterns do not see.
    pub(super) fn below(base: &str) -> Self {
        Self {
            text: base.to_owned(),
            base: base.len(),
            parts: Vec::new(),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the path without its base.
    pub(super) fn own(&self) -> &str {
        &self.text[self.base..]
    }

    pub(super) fn parts(&self) -> impl DoubleEndedIterator<Item = Part<'_>> + ExactSizeIterator {
        self.parts.iter().map(|part| Part {
            full: &self.text[part.begin..part.end],
            bare: &self.text[part.begin..part.bare_end],
        })
    }

    pub(super) fn depth(&self) -> usize {
        self.parts.len()
    }

    /// Adds a member. `position` follows its name if other members have the same name.
    pub(super) fn push(&mut self, name: &str, position: fmt::Arguments<'_>) {
        use fmt::Write as _;
        self.text.push('/');
        let begin = self.text.len();
        for c in name.chars() {
            match c {
                '~' => self.text.push_str("~0"),
                '/' => self.text.push_str("~1"),
                c => self.text.push(c),
            }
        }
        // Writing to a text cannot fail.
        let _ = self.text.write_fmt(position);
        self.parts.push(Bounds {
            begin,
            bare_end: begin + bare(&self.text[begin..]).len(),
            end: self.text.len(),
        });
    }

    /// Adds an index of a list.
    pub(super) fn push_index(&mut self, index: usize) {
        self.push(&index.to_string(), format_args!(""));
    }

    /// Removes the last part.
    pub(super) fn pop(&mut self) {
        if let Some(part) = self.parts.pop() {
            self.text.truncate(part.begin - 1);
        }
    }
}

/// Returns the parts of a path that was written as text.
pub(super) fn parts_of(path: &str) -> Vec<Part<'_>> {
    let parts = path.split('/').skip(1);
    parts
        .map(|full| Part {
            full,
            bare: bare(full),
        })
        .collect()
}

/// Returns a part without a position such as `[3]` or `#2` at its end.
pub(super) fn bare(full: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let name = match full.strip_suffix(']') {
        Some(rest) => rest.rsplit_once('['),
        None => full.rsplit_once('#'),
    };
    match name {
        Some((name, position)) if !name.is_empty() && is_number(position) => name,
        _ => full,
    }
}

/// Selects places in reports: a JSON Pointer in which `*` stands for one member or index.
///
/// `/steps/*/id` is the `id` of each item of `steps`. A pattern that begins with `*/` matches at
/// any depth: `*/uuid` is every member `uuid`. In XML a part is the name of an element, `@name` for
/// an attribute, and `Step[3]` for the third of several elements of that name; `Step` is each of
/// them. A member whose own name ends like that, such as `V[3]`, is matched by `V`, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern {
    text: String,
    anywhere: bool,
    parts: Vec<PatternPart>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum PatternPart {
    Any,
    Named(String),
}

/// A text that is no pattern of places, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?} {why}")]
pub struct ParsePatternError {
    pattern: String,
    why: &'static str,
}

impl FromStr for PathPattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, ParsePatternError> {
        let wrong = |why| ParsePatternError {
            pattern: text.chars().take(80).collect(),
            why,
        };
        if text.len() > PATTERN_BYTES_MAX {
            return Err(wrong("is longer than 500 bytes"));
        }
        let (anywhere, rest) = match (text.strip_prefix("*/"), text.strip_prefix('/')) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => {
                return Err(wrong(
                    "must begin with '/', or with '*/' for any depth, such as /meta/id or */uuid",
                ));
            }
        };
        let mut parts = Vec::new();
        for part in rest.split('/') {
            let name = part.strip_suffix("[*]").unwrap_or(part);
            parts.push(match name {
                "*" => PatternPart::Any,
                name if name.contains('*') => {
                    return Err(wrong(
                        "has a '*' beside other characters; '*' stands for a whole part only",
                    ));
                }
                name if !is_escaped(name) => {
                    return Err(wrong("has a '~' that is not ~0 (for ~) or ~1 (for /)"));
                }
                name => PatternPart::Named(name.to_owned()),
            });
        }
        if parts.iter().all(|part| *part == PatternPart::Any) && (anywhere || parts.len() == 1) {
            return Err(wrong("matches the whole report; name a member of it"));
        }
        Ok(Self {
            text: text.to_owned(),
            anywhere,
            parts,
        })
    }
}

fn is_escaped(name: &str) -> bool {
    let mut rest = name.split('~');
    rest.next();
    rest.all(|after| after.starts_with(['0', '1']))
}

impl PathPattern {
    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns true if the pattern matches a path such as `/steps/3/id`.
    pub fn matches(&self, path: &str) -> bool {
        self.matches_parts(&parts_of(path))
    }

    /// Returns true if the pattern matches a path, or one of the values around it.
    pub fn covers(&self, path: &str) -> bool {
        self.covers_parts(&parts_of(path))
    }

    pub(super) fn covers_parts(&self, parts: &[Part<'_>]) -> bool {
        (1..=parts.len()).any(|length| self.matches_parts(&parts[..length]))
    }

    pub(super) fn matches_parts(&self, parts: &[Part<'_>]) -> bool {
        let Some(skipped) = parts.len().checked_sub(self.parts.len()) else {
            return false;
        };
        (self.anywhere || skipped == 0)
            && self
                .parts
                .iter()
                .zip(&parts[skipped..])
                .all(|(pattern, part)| match pattern {
                    PatternPart::Any => true,
                    PatternPart::Named(name) => name == part.full || name == part.bare,
                })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl serde::Serialize for PathPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Returns the general form of a path: `*` for every list index and line number, and no positions
/// among members of one name.
///
/// So changes of all items of a list count as one place. The general form of a path is a pattern
/// that matches it.
pub(super) fn general(path: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let separator = if path.starts_with("line ") { ' ' } else { '/' };
    let parts: Vec<&str> = path
        .split(separator)
        .map(|part| if is_number(part) { "*" } else { bare(part) })
        .collect();
    parts.join(&separator.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> PathPattern {
        text.parse().expect(text)
    }

    #[test]
    fn a_pattern_selects_members_items_and_depths() {
        for (text, path, is_there) in [
            ("/id", "/id", true),
            ("/id", "/meta/id", false),
            ("*/id", "/id", true),
            ("*/id", "/a/0/id", true),
            ("*/a/id", "/x/a/id", true),
            ("/steps/*/id", "/steps/12/id", true),
            ("/steps/*/id", "/steps/id", false),
            ("/steps/3/id", "/steps/4/id", false),
            ("/a~1b", "/a~1b", true),
            ("/name", "/name#2", true),
            ("/name#2", "/name", false),
            ("/R/Step/@value", "/R/Step[3]/@value", true),
            ("/R/Step[*]/@value", "/R/Step[3]/@value", true),
            ("/R/Step[2]/@value", "/R/Step[3]/@value", false),
        ] {
            assert_eq!(pattern(text).matches(path), is_there, "{text} {path}");
        }
        assert!(pattern("/meta").covers("/meta/made/at"));
        assert!(pattern("*/meta").covers("/a/meta/made"));
        assert!(!pattern("/meta/made").covers("/meta"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "must begin"),
            ("id", "must begin"),
            ("*", "must begin"),
            ("/*", "whole report"),
            ("*/*", "whole report"),
            ("/a*", "whole part"),
            ("/a~2", "'~'"),
        ] {
            let error = text.parse::<PathPattern>().expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!("/".repeat(501).parse::<PathPattern>().is_err());
        assert!("/*/x".parse::<PathPattern>().is_ok());
    }

    #[test]
    fn a_general_path_is_a_pattern_of_the_path() {
        for (path, told) in [
            ("/a/12/b2", "/a/*/b2"),
            ("/R/Step[3]/@x", "/R/Step/@x"),
            ("/a#2", "/a"),
            ("line 12", "line *"),
            ("/reports/1 line 3", "/reports/1 line 3"),
            ("", ""),
        ] {
            assert_eq!(general(path), told);
            if let Ok(pattern) = told.parse::<PathPattern>() {
                assert!(pattern.matches(path), "{told} {path}");
            }
        }
    }

    #[test]
    fn parts_are_taken_off_as_they_were_put_on() {
        let mut path = Path::below("/reports/0");
        path.push("a/b~", format_args!("[{}]", 2));
        path.push_index(7);
        assert_eq!(path.text(), "/reports/0/a~1b~0[2]/7");
        let parts: Vec<_> = path.parts().map(|part| (part.full, part.bare)).collect();
        assert_eq!(parts, [("a~1b~0[2]", "a~1b~0"), ("7", "7")]);
        path.pop();
        path.pop();
        assert_eq!(
            (path.text(), path.own(), path.depth()),
            ("/reports/0", "", 0)
        );
    }
}
