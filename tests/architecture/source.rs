//! Rust read as words and signs: files, their tokens, and the paths of their imports.

use std::fmt;
use std::path::Path;

pub(crate) struct Source {
    /// From the root of the package, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
}

/// A word or a sign of the code; comments and the insides of literals are left out.
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
    /// The module it stands in, inline modules included.
    pub(crate) module: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens: if is_rust(path) {
                tokens(path, text)
            } else {
                Vec::new()
            },
        }
    }

    pub(crate) fn complain(&self, line: usize, what: impl Into<String>) -> Complaint {
        Complaint {
            path: self.path.clone(),
            line,
            what: what.into(),
        }
    }

    pub(crate) fn in_src(&self) -> bool {
        is_rust(&self.path) && self.path.starts_with("src/")
    }

    /// The room it belongs to; the crate root belongs to none.
    pub(crate) fn room(&self) -> Option<String> {
        self.module().into_iter().next()
    }

    /// The module that it is, from the crate root.
    pub(crate) fn module(&self) -> Vec<String> {
        module_of(&self.path)
    }

    /// True for a file of a module `tests`.
    pub(crate) fn is_test(&self) -> bool {
        self.module().iter().any(|name| name == "tests")
    }
}

impl Token {
    pub(crate) fn is_test(&self) -> bool {
        self.module.iter().any(|name| name == "tests")
    }
}

pub(crate) fn is_rust(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs")
}

/// `src/log/reader.rs` is `["log", "reader"]`, a `mod.rs` its folder.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let stem = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if matches!(stem, "lib" | "main") || module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// Cuts Rust into words and signs. It knows what hides code: comments, strings, raw strings,
/// characters.
pub(crate) fn lex(text: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let start = i;
        match chars[i] {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && chars[i] != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => {
                i += 1;
                while i < chars.len() && chars[i] != '"' {
                    i += if chars[i] == '\\' { 2 } else { 1 };
                }
                i += 1;
                out.push((line, "\"\"".to_owned()));
            }
            // A character, and not a lifetime.
            '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => {
                i += if at(i + 1) == '\\' { 3 } else { 2 };
                while i < chars.len() && chars[i] != '\'' {
                    i += 1;
                }
                i += 1;
            }
            c if word(c) => {
                while i < chars.len() && word(chars[i]) {
                    i += 1;
                }
                let found: String = chars[start..i].iter().collect();
                let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
                if matches!(&*found, "r" | "br" | "cr") && at(i + hashes) == '"' {
                    let end: Vec<char> = ['"'].into_iter().chain(vec!['#'; hashes]).collect();
                    i += hashes + 1;
                    while i < chars.len() && !chars[i..].starts_with(&end) {
                        i += 1;
                    }
                    i += end.len();
                } else {
                    out.push((line, found));
                }
            }
            ':' if at(i + 1) == ':' => {
                i += 2;
                out.push((line, "::".to_owned()));
            }
            c => {
                i += 1;
                if !c.is_whitespace() {
                    out.push((line, c.to_string()));
                }
            }
        }
        let passed = &chars[start..i.min(chars.len())];
        line += passed.iter().filter(|c| **c == '\n').count();
    }
    out
}

pub(crate) fn tokens(path: &str, text: &str) -> Vec<Token> {
    let lexed = lex(text);
    let mut module = module_of(path);
    let mut depth = 0;
    let mut opened = Vec::new();
    let mut out: Vec<Token> = Vec::new();
    for (line, text) in lexed {
        match &*text {
            "{" => {
                depth += 1;
                if let [.., keyword, name] = &*out
                    && keyword.text == "mod"
                {
                    module.push(name.text.clone());
                    opened.push(depth);
                }
            }
            "}" => {
                if opened.last() == Some(&depth) {
                    opened.pop();
                    module.pop();
                }
                depth -= 1;
            }
            _ => {}
        }
        out.push(Token {
            line,
            text,
            module: module.clone(),
        });
    }
    out
}

/// One path of a use tree.
pub(crate) struct Used {
    pub(crate) line: usize,
    /// As the item is called where it comes from.
    pub(crate) path: Vec<String>,
    /// As it is called here.
    pub(crate) name: String,
}

/// The paths of the use tree (or plain path) that begins at `at`: `a::{b, c::d}` is `a::b` and
/// `a::c::d`.
pub(crate) fn use_tree(tokens: &[Token], at: &mut usize, before: &[String]) -> Vec<Used> {
    let mut path = before.to_vec();
    let mut line = 0;
    while let Some(token) = tokens.get(*at) {
        line = token.line;
        if token.text == "{" {
            let mut found = Vec::new();
            while tokens.get(*at).is_some_and(|token| token.text != "}") {
                *at += 1;
                if tokens.get(*at).is_some_and(|token| token.text != "}") {
                    found.extend(use_tree(tokens, at, &path));
                }
            }
            *at += 1;
            return found;
        }
        path.push(token.text.clone());
        *at += 1;
        if tokens.get(*at).is_none_or(|token| token.text != "::") {
            break;
        }
        *at += 1;
    }
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let mut name = path.last().cloned().unwrap_or_default();
    if tokens.get(*at).is_some_and(|token| token.text == "as") {
        name = tokens.get(*at + 1).map_or(name, |token| token.text.clone());
        *at += 2;
    }
    vec![Used { line, path, name }]
}

/// Every path that starts at the crate root, by `crate::` or by enough `super::`.
pub(crate) fn root_paths(source: &Source) -> Vec<Used> {
    let tokens = &source.tokens;
    let text = |i: usize| tokens.get(i).map_or("", |token| &*token.text);
    let mut found = Vec::new();
    for i in 0..tokens.len() {
        if i > 0 && text(i - 1) == "::" {
            continue;
        }
        let mut at = i;
        match text(i) {
            "crate" => at += 1,
            "super" => {
                let mut ups = 1;
                at += 1;
                while text(at) == "::" && text(at + 1) == "super" {
                    ups += 1;
                    at += 2;
                }
                if ups != tokens[i].module.len() {
                    continue;
                }
            }
            _ => continue,
        }
        if text(at) == "::" {
            at += 1;
            found.extend(use_tree(tokens, &mut at, &[]));
        }
    }
    found
}
