//! Patterns of paths. `*` and `?` match within one name, `**` across folders, `[a-z]` one character
//! of a set.

use super::glob::{Set, set};
use super::text::fold;

/// A pattern over the folded path of a source, in which `\\` is `/`.
///
/// A pattern that begins at the root is compared with the whole path, any other one with each end
/// of it that begins with a name. A pattern that fits a folder matches all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathGlob {
    tokens: Vec<Token>,
    from_root: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`
    AnyOne,
    /// `*`
    AnyName,
    /// `**` that is not followed by a slash.
    AnyRun,
    /// `**/`: any number of folders, also none.
    AnyFolders,
    OneOf(Set),
}

impl PathGlob {
    pub(super) fn new(text: &str) -> Self {
        let pattern = fold(text).replace('\\', "/");
        let pattern: Vec<char> = pattern.trim_end_matches('/').chars().collect();
        let from_root = matches!(pattern.as_slice(), ['/', ..] | [_, ':', '/', ..]);
        let mut tokens = Vec::with_capacity(pattern.len());
        let mut rest = pattern.as_slice();
        while let Some((first, behind)) = rest.split_first() {
            rest = behind;
            let token = match (first, behind) {
                ('*', ['*', '/', behind @ ..])
                    if matches!(tokens.last(), None | Some(Token::Literal('/'))) =>
                {
                    rest = behind;
                    Token::AnyFolders
                }
                ('*', ['*', behind @ ..]) => {
                    rest = behind;
                    Token::AnyRun
                }
                ('*', _) => Token::AnyName,
                ('?', _) => Token::AnyOne,
                ('[', _) => match set(behind) {
                    Some((set, behind)) => {
                        rest = behind;
                        Token::OneOf(set)
                    }
                    None => Token::Literal('['),
                },
                (literal, _) => Token::Literal(*literal),
            };
            tokens.push(token);
        }
        Self { tokens, from_root }
    }

    /// Returns true when the pattern matches `path`, or a folder that it is in.
    ///
    /// All positions of the pattern that are possible are followed at once, so the work is at most
    /// the product of the two lengths.
    pub(super) fn matches(&self, path: &str) -> bool {
        let path = fold(path).replace('\\', "/");
        let end = self.tokens.len();
        let mut now = vec![false; end + 1];
        let mut begins_name = true;
        for (at, found) in path.chars().enumerate() {
            if begins_name && (at == 0 || !self.from_root) {
                now[0] = true;
            }
            self.pass_empty(&mut now, begins_name);
            if found == '/' && at > 0 && now[end] {
                return true;
            }
            let mut next = vec![false; end + 1];
            for (at, token) in self.tokens.iter().enumerate() {
                if now[at] {
                    let (stays, goes) = step(token, found);
                    next[at] |= stays;
                    next[at + 1] |= goes;
                }
            }
            now = next;
            begins_name = found == '/';
        }
        self.pass_empty(&mut now, begins_name);
        now[end]
    }

    /// Goes on behind tokens that may match nothing here.
    fn pass_empty(&self, now: &mut [bool], begins_name: bool) {
        for (at, token) in self.tokens.iter().enumerate() {
            let may_be_empty = match token {
                Token::AnyName | Token::AnyRun => true,
                Token::AnyFolders => begins_name,
                _ => false,
            };
            if now[at] && may_be_empty {
                now[at + 1] = true;
            }
        }
    }
}

/// Returns whether a token may take further characters after `found`, and whether it may end there.
fn step(token: &Token, found: char) -> (bool, bool) {
    match token {
        Token::Literal(wanted) => (false, *wanted == found),
        Token::AnyOne => (false, found != '/'),
        Token::AnyName => (found != '/', false),
        Token::AnyRun | Token::AnyFolders => (true, false),
        Token::OneOf(set) => (false, found != '/' && set.takes(found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_the_paths_that_people_mean() {
        let cases = [
            ("a.csv", "/data/in/a.csv", true),
            ("in/a.csv", "/data/in/A.CSV", true),
            ("n/a.csv", "/data/in/a.csv", false),
            ("in", "/data/in/x/a.csv", true),
            ("in/", "/data/in/x/a.csv", true),
            ("in", "/data/within/a.csv", false),
            ("in/*.csv", "/data/in/a.csv", true),
            ("in/*.csv", "/data/in/x/a.csv", false),
            ("in/**/*.csv", "/data/in/a.csv", true),
            ("in/**/*.csv", "/data/in/x/y/a.csv", true),
            ("in/**", "/data/in/x/y/a.csv", true),
            ("/data/*/a.csv", "/data/in/a.csv", true),
            ("/in", "/data/in/a.csv", false),
            ("/data", "/data/in/a.csv", true),
            ("**/in/?.csv", "/data/in/a.csv", true),
            ("[!b].csv", "/data/in/a.csv", true),
            ("[!b]csv", "/data/in/a/csv", false),
            ("line 3/x", r"C:\data\Line 3\x\a.csv", true),
            ("c:/data", r"C:\data\a.csv", true),
            ("a**c", "/x/abc", true),
            ("*", "a.csv", true),
            ("", "a.csv", false),
        ];
        for (pattern, path, fits) in cases {
            assert_eq!(
                PathGlob::new(pattern).matches(path),
                fits,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn a_pattern_made_to_blow_up_is_still_answered() {
        let pattern = "**/a*".repeat(40) + "b";
        assert!(!PathGlob::new(&pattern).matches(&"a/".repeat(1000)));
    }
}
