//! Explains why a text is not one JSON value, and where in the report the mistake is.
//!
//! The author of a converter sees only one line. A message such as `expected value at line 1 column
//! 3917` does not help; the path of the member, the bad token and the fix do.

use std::fmt::Write as _;

use serde_json::value::RawValue;

/// Characters that are shown on each side of the mistake.
const NEAR_CHARS: usize = 40;
/// Maximum number of lines that are tried as the beginning of the JSON when other text comes first.
const BEGINNINGS_MAX: usize = 100;

/// Returns a converter's output as text, without a byte order mark and surrounding white space.
///
/// # Errors
/// The encoding it seems to be in, when that is not UTF-8.
pub(in crate::convert) fn decode(bytes: &[u8]) -> Result<&str, String> {
    let head = &bytes[..bytes.len().min(64)];
    let marked = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    // Without a mark, every second byte of plain letters in UTF-16 is zero; JSON has no zero bytes.
    if marked || head.contains(&0) {
        return Err(
            "standard output is UTF-16, not UTF-8; in PowerShell set [Console]::OutputEncoding = \
             [Text.UTF8Encoding]::new($false), in Python PYTHONIOENCODING=utf-8"
                .to_owned(),
        );
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let before = str::from_utf8(&bytes[..at]).unwrap_or_default();
        let first = at.saturating_sub(NEAR_CHARS);
        let last = (at + NEAR_CHARS).min(bytes.len());
        format!(
            "standard output is not UTF-8: byte 0x{:02x} at {}; \
             in Python set PYTHONIOENCODING=utf-8; near: {}",
            bytes.get(at).copied().unwrap_or_default(),
            Place::of(before, at),
            String::from_utf8_lossy(&bytes[first..last]),
        )
    })?;
    Ok(text.trim_matches([' ', '\t', '\r', '\n', '\u{feff}']))
}

/// Returns `text` if it is exactly one JSON value.
///
/// # Errors
/// What the text is instead, where the mistake is, and how to fix the converter.
pub(in crate::convert) fn one_value(text: &str) -> Result<&RawValue, String> {
    serde_json::from_str(text).map_err(|error| {
        around(text)
            .or_else(|| inside(text, &error))
            .or_else(|| no_json_at_all(text))
            .unwrap_or_else(|| {
                let at = offset(text, &error);
                format!(
                    "standard output is not JSON: {} at {}; near: {}",
                    without_place(&error),
                    Place::of(text, at),
                    near(text, at)
                )
            })
    })
}

/// Explains text before or after a valid JSON value.
fn around(text: &str) -> Option<String> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    if text.starts_with(['{', '['])
        && let Some(Ok(_)) = values.next()
    {
        let rest = text[values.byte_offset()..].trim_start();
        let advice = match rest.as_bytes().first()? {
            b'{' | b'[' => "write one value; several reports go into the answer's `reports`",
            _ => "print what is not the report to standard error",
        };
        return Some(format!(
            "standard output goes on after the JSON value: {}; {advice}",
            beginning(rest)
        ));
    }
    let beginnings = text
        .match_indices('\n')
        .map(|(at, _)| text[at..].trim_start());
    let report = beginnings
        .filter(|rest| rest.starts_with(['{', '[']))
        .take(BEGINNINGS_MAX)
        .find(|rest| serde_json::from_str::<&RawValue>(rest).is_ok());
    if report.is_some() {
        return Some(format!(
            "standard output begins with text that is not JSON: {}; \
             print progress to standard error",
            beginning(text)
        ));
    }
    text.starts_with('<').then(|| {
        format!(
            "standard output is XML or HTML, and a report is JSON: {}",
            beginning(text)
        )
    })
}

/// Explains text that does not even begin like a report.
fn no_json_at_all(text: &str) -> Option<String> {
    (!text.starts_with(['{', '['])).then(|| {
        format!(
            "standard output is not JSON: {}; print the report there, and all else to standard error",
            beginning(text)
        )
    })
}

/// Explains a known kind of mistake in the middle of the JSON.
fn inside(text: &str, error: &serde_json::Error) -> Option<String> {
    let at = offset(text, error);
    let walked = Walk::over(&text[..at]);
    let place = Place::of(text, at);
    let near = near(text, at);
    if error.is_eof() {
        return Some(format!(
            "standard output ends in the middle of the JSON: at {place}; \
             was the converter cut short? near: {near}"
        ));
    }
    let told = |what: &str, advice: &str| {
        Some(format!(
            "{what} is not JSON: at {place}; {advice}; near: {near}"
        ))
    };
    let dumps = "in Python print json.dumps(report), not the object itself";
    let found = text[at..].chars().next()?;
    if walked.in_text {
        // The parser stops at a control character or just before it.
        return if text[at..].chars().take(2).any(char::is_control) {
            told(
                "a line feed, tab or control character inside of a text",
                "escape it, as JSON writers do",
            )
        } else {
            told(
                "this backslash",
                "double it, as in \"C:\\\\data\", as JSON writers do",
            )
        };
    }
    let token = token(text, at);
    match token.to_ascii_lowercase().trim_start_matches(['-', '+']) {
        "nan" | "inf" | "infinity" | "1.#qnan" | "1.#ind" | "1.#inf" | "nan(ind)" => {
            return told(
                token,
                "write null or leave the member out; in Python use json.dumps(report, \
                 allow_nan=False) to see where it comes from",
            );
        }
        "none" | "true" | "false" => return told(token, dumps),
        "undefined" | "null" | "nil" => return told(token, "write null"),
        _ => {}
    }
    if found == '\'' {
        return told("a text in single quotes", dumps);
    }
    if matches!(found, '}' | ']') && text[..at].trim_end().ends_with(',') {
        return told("a comma after the last member", "leave it out");
    }
    if text[at..].starts_with("//") || text[at..].starts_with("/*") || found == '#' {
        return told("a comment", "leave it out");
    }
    let is_numeric = token.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if is_numeric && !walked.open.is_empty() {
        let advice = if walked.expects_name {
            "decimals are written with a point, not a comma"
        } else {
            "write it as a decimal number such as 7, 0.5 or 1e3, or as a text"
        };
        return told(token, advice);
    }
    if walked.expects_name && found.is_alphabetic() {
        return told(
            &format!("the member name {token} without double quotes"),
            "put it in double quotes",
        );
    }
    None
}

/// Returns the whole word or number that `at` lies in.
fn token(text: &str, at: usize) -> &str {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_+-.#".contains(byte);
    let bytes = text.as_bytes();
    let before = bytes[..at]
        .iter()
        .rev()
        .take(40)
        .take_while(|b| part(b))
        .count();
    let after = bytes[at..].iter().take(40).take_while(|b| part(b)).count();
    &text[at - before..at + after]
}

/// Returns where the parser stopped, as an offset at the beginning of a character.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return text.len();
    }
    let mut lines = text.match_indices('\n').map(|(at, _)| at + 1);
    let line = match error.line() {
        0 | 1 => 0,
        line => lines.nth(line - 2).unwrap_or(text.len()),
    };
    let mut at = (line + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => what.to_owned(),
        None => text,
    }
}

fn beginning(text: &str) -> String {
    near(text.lines().next().unwrap_or_default(), 0)
}

/// Returns the text around an offset, on one line.
fn near(text: &str, at: usize) -> String {
    let before: Vec<char> = text[..at].chars().rev().take(NEAR_CHARS).collect();
    let after = text[at..].chars().take(NEAR_CHARS);
    let window: String = before.into_iter().rev().chain(after).collect();
    window.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A position in a JSON document, for people: `$.steps[3].value (line 1, column 3917)`.
struct Place {
    path: String,
    line: usize,
    column: usize,
}

impl Place {
    /// Computes the position of `at`. `text` must be valid JSON up to there.
    fn of(text: &str, at: usize) -> Self {
        let before = &text[..at];
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            path: Walk::over(before).path(),
            line: before.matches('\n').count() + 1,
            column: before[line..].chars().count() + 1,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, line, column } = self;
        write!(f, "{path} (line {line}, column {column})")
    }
}

/// The objects and arrays that are open at the end of a part of a JSON document.
struct Walk<'a> {
    open: Vec<Open<'a>>,
    in_text: bool,
    expects_name: bool,
}

enum Open<'a> {
    /// An object, with the name of its current member as it is written.
    Object(Option<&'a str>),
    /// An array, with the position of its current item.
    List(usize),
}

impl<'a> Walk<'a> {
    /// Walks over text that is valid as far as it goes. For other text the result is meaningless.
    fn over(text: &'a str) -> Self {
        let mut walk = Self {
            open: Vec::new(),
            in_text: false,
            expects_name: false,
        };
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'"' => {
                    let end = end_of_text(bytes, at);
                    walk.in_text = end.is_none();
                    let name = &text[at..end.unwrap_or(text.len())];
                    if walk.expects_name
                        && let Some(Open::Object(last)) = walk.open.last_mut()
                    {
                        *last = Some(name);
                    }
                    at = end.map_or(text.len(), |end| end + 1);
                }
                b'{' => walk.open.push(Open::Object(None)),
                b'[' => walk.open.push(Open::List(0)),
                b'}' | b']' => {
                    walk.open.pop();
                }
                b',' => {
                    if let Some(Open::List(place)) = walk.open.last_mut() {
                        *place += 1;
                    }
                }
                _ => {}
            }
            let in_object = matches!(walk.open.last(), Some(Open::Object(_)));
            match byte {
                b'{' | b',' => walk.expects_name = in_object,
                b':' | b'[' => walk.expects_name = false,
                _ => {}
            }
        }
        walk
    }

    fn path(&self) -> String {
        let plain =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let mut path = "$".to_owned();
        for open in &self.open {
            // Writing to a string cannot fail.
            let _ = match open {
                Open::Object(None) => Ok(()),
                Open::Object(Some(name)) if plain(name) => write!(path, ".{name}"),
                Open::Object(Some(name)) => write!(path, "[\"{name}\"]"),
                Open::List(place) => write!(path, "[{place}]"),
            };
        }
        path
    }
}

/// Returns the offset of the quote that ends a text.
fn end_of_text(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    //! Checks that the author of a converter is told which member is wrong, not only a line and a
    //! column.

    use super::*;

    fn told(text: &str) -> String {
        one_value(text).expect_err("not JSON")
    }

    #[test]
    fn what_is_not_json_is_named_with_its_place_and_a_way_out() {
        for (text, expected) in [
            (
                r#"{"steps":[1,2,3,{"name":"R1","value":NaN}]}"#,
                [
                    "NaN is not JSON: at $.steps[3].value (line 1, column 38)",
                    "allow_nan=False",
                ],
            ),
            (
                "{\"a\":\n -Infinity}",
                ["-Infinity is not JSON: at $.a (line 2, column", "allow_nan"],
            ),
            (
                r#"{"a b":[Infinity]}"#,
                ["Infinity is not JSON: at $[\"a b\"][0]", "allow_nan"],
            ),
            (r#"{"a":nan}"#, ["nan is not JSON: at $.a", "allow_nan"]),
            (r#"{"a":-1.#IND}"#, ["-1.#IND is not JSON: at $.a", "null"]),
            (
                r#"{"a":None,"b":1}"#,
                ["None is not JSON: at $.a", "json.dumps"],
            ),
            (r#"{"a":True}"#, ["True is not JSON: at $.a", "json.dumps"]),
            (
                "{'status': 'success'}",
                ["a text in single quotes is not JSON", "json.dumps"],
            ),
            (
                r#"{"a":[1,2,],"b":1}"#,
                ["a comma after the last member", "$.a[2]"],
            ),
            (r#"{"a":1,}"#, ["a comma after the last member", "$.a"]),
            (
                r#"{status:"failed"}"#,
                ["the member name status without double quotes", "$ (line 1"],
            ),
            (
                "{\"a\":1 // volts\n}",
                ["a comment is not JSON", "leave it out"],
            ),
            (r#"{"volts":4,97}"#, ["97 is not JSON", "with a point"]),
            (r#"{"sn":007}"#, ["007 is not JSON: at $.sn", "as a text"]),
            (r#"{"sn":0x1F}"#, ["0x1F is not JSON: at $.sn", "as a text"]),
            (r#"{"a":.5}"#, [".5 is not JSON: at $.a", "0.5"]),
            (
                "{\"a\":\"one\ntwo\"}",
                ["a line feed, tab or control character", "$.a"],
            ),
            (
                r#"{"a":"C:\data"}"#,
                ["this backslash is not JSON: at $.a", "double it"],
            ),
            (r#"{"a":{"b":[1,"#, ["ends in the middle", "$.a.b[1]"]),
            (
                "Reading x.csv\n{\"a\":1}",
                ["begins with text that is not JSON: Reading x.csv", "error"],
            ),
            (
                "[INFO] x.csv\n{\"a\":1}",
                ["begins with text that is not JSON: [INFO]", "error"],
            ),
            (
                "{\"a\":1}\nDone.",
                ["goes on after the JSON value: Done.", "standard error"],
            ),
            (
                "{\"a\":1}\n{\"a\":2}",
                ["goes on after the JSON value", "`reports`"],
            ),
            ("<html><p>no</p></html>", ["XML or HTML", "<html>"]),
            (
                "Traceback: boom",
                ["not JSON: Traceback: boom", "standard error"],
            ),
            (
                "2026-03-01 10:00 done",
                ["not JSON: 2026-03-01 10:00 done", "standard error"],
            ),
            ("None", ["None is not JSON: at $ (line 1", "json.dumps"]),
            ("{\"a\":1 \"b\":2}", ["not JSON", "$.a"]),
            (
                "{\"ä\":\"😀\",\"b\":NaN}",
                ["NaN is not JSON: at $.b (line 1, column 14)", "null"],
            ),
        ] {
            let told = told(text);
            for part in expected {
                assert!(told.contains(part), "{text}: {told}");
            }
        }
    }

    #[test]
    fn another_encoding_is_named() {
        let utf_16: Vec<u8> = "{\"a\":1}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for bytes in [utf_16.clone(), [&b"\xff\xfe"[..], &utf_16].concat()] {
            assert!(decode(&bytes).expect_err("not UTF-8").contains("UTF-16"));
        }
        let told = decode(b"{\"sn\":1,\"op\":\"M\xfcller\"}").expect_err("Latin-1");
        assert!(told.contains("0xfc at $.op (line 1, column 16)"), "{told}");
        assert_eq!(decode(b"\xef\xbb\xbf \n{}\r\n"), Ok("{}"));
    }

    #[test]
    fn no_text_is_too_odd_to_be_told_about() {
        let text = r#"{"a":["ä\"",{'b':NaN}],"c":-1.5e3,😀"#;
        let ends = (0..=text.len()).filter(|end| text.is_char_boundary(*end));
        for end in ends.clone() {
            for start in ends.clone().take_while(|start| *start <= end) {
                let _ = one_value(&text[start..end]);
            }
        }
        let _ = one_value(&"[".repeat(100_000));
        let _ = decode(b"\"\xff");
    }
}
