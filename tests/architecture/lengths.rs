//! How long files, functions and lines may be.

use crate::source::{Complaint, Source, Token, is_rust};

/// A file of more lines holds more than one idea.
pub(crate) const FILE_LINES_MAX: usize = 600;
/// A function of more lines does more than one thing.
pub(crate) const FUNCTION_LINES_MAX: usize = 100;
/// rustfmt keeps code within it; nobody keeps comments.
pub(crate) const COLUMNS_MAX: usize = 100;

/// Files that are one table or one story, and what it is.
const ONE_TABLE: &[(&str, &str)] = &[];

/// Complains of production files that are too long. Their inline tests don't count.
pub(crate) fn files(sources: &[Source]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for source in sources
        .iter()
        .filter(|source| source.in_src() && !source.is_test())
    {
        let inline = |token: &&Token| token.is_test();
        let tests = source.tokens.iter().find(inline).map(|token| token.line);
        let lines = tests.unwrap_or_else(|| source.text.lines().count());
        let excepted = ONE_TABLE.iter().any(|(path, _)| *path == source.path);
        if excepted != (lines > FILE_LINES_MAX) {
            found.push(source.complain(
                FILE_LINES_MAX + 1,
                if excepted {
                    "is excepted from the length of files and needs it no more".to_owned()
                } else {
                    format!("{lines} lines are too many to hold one idea: split it")
                },
            ));
        }
    }
    found
}

/// Complains of functions outside of tests that are too long.
pub(crate) fn functions(sources: &[Source]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for source in sources
        .iter()
        .filter(|source| source.in_src() && !source.is_test())
    {
        for at in 0..source.tokens.len() {
            if source.tokens[at].text != "fn" || source.tokens[at].is_test() {
                continue;
            }
            let Some(last) = last_line(source, at) else {
                continue;
            };
            let first = source.tokens[at].line;
            let lines = last - first + 1;
            if lines > FUNCTION_LINES_MAX {
                let name = source.tokens.get(at + 1).map_or("", |token| &*token.text);
                found.push(source.complain(first, format!("{name} has {lines} lines")));
            }
        }
    }
    found
}

/// The line of the brace that closes the function whose `fn` is at `at`; nothing for one without a
/// body.
fn last_line(source: &Source, at: usize) -> Option<usize> {
    let (mut braces, mut brackets) = (0, 0);
    for token in &source.tokens[at..] {
        match &*token.text {
            "{" => braces += 1,
            "}" if braces == 1 => return Some(token.line),
            "}" => braces -= 1,
            "[" => brackets += 1,
            "]" => brackets -= 1,
            ";" if braces == 0 && brackets == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Complains of comments that run past the right margin. Code is rustfmt's; long literals and
/// addresses can't be broken.
pub(crate) fn lines(sources: &[Source]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| is_rust(&source.path)) {
        let mut in_block = false;
        for (line, text) in (1..).zip(source.text.lines()) {
            let columns = text.chars().count();
            let comment = text.trim_start().starts_with("//");
            in_block ^= comment && text.contains("```");
            let is_row = in_block || text.contains(" | ");
            if comment && columns > COLUMNS_MAX && !is_row && !text.contains("://") {
                found.push(source.complain(line, format!("a comment of {columns} columns")));
            }
        }
    }
    found
}
