//! Recognises values that a program makes up in each run.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDateTime};

/// A kind of value that a program makes up in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Generated {
    /// A UUID, a ULID, or a random number of at least 32 hexadecimal digits.
    Id,
    /// A date with a time.
    Time,
    /// A version such as `0.1.150`.
    Version,
    /// An absolute path that ends in the same name.
    Path,
    /// How long the conversion took.
    Duration,
}

/// Returns true for the usual form of a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Returns true for an identifier that is random by its form.
pub(super) fn is_random_id(text: &str) -> bool {
    let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let text = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    let is_ulid = text.len() == 26
        && text.starts_with(|c: char| ('0'..='7').contains(&c))
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase() && !b"ILOU".contains(&b))
        && text.bytes().any(|b| b.is_ascii_uppercase());
    let is_hexadecimal = (32..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_hexdigit())
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && text.bytes().any(|b| b.is_ascii_digit());
    is_uuid(text) || is_ulid || is_hexadecimal
}

/// Returns the seconds of a date with a time, of any zone.
pub(super) fn seconds_of_time(text: &str) -> Option<f64> {
    if !(16..=40).contains(&text.len()) || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let utc = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc().naive_utc());
    let time = utc.ok().or_else(|| {
        let forms = [
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y%m%dT%H%M%S",
        ];
        let text = text.trim_end_matches('Z');
        forms
            .into_iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    })?;
    let time = time.and_utc();
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a year fit")]
    Some(time.timestamp_micros() as f64 / 1e6)
}

/// Returns the numbers of a version such as `v1.20.3`. `None` with fewer than two of them.
pub(super) fn numbers_of_version(text: &str) -> Option<Vec<u64>> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    if text.len() > 40 {
        return None;
    }
    // A suffix such as `-rc1` or `+build` says nothing about the order.
    let text = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Option<Vec<u64>> = text.split('.').map(|part| part.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() >= 2)
}

/// Returns the last name of an absolute path.
pub(super) fn name_of_path(text: &str) -> Option<&str> {
    let text = text.strip_prefix("file://").unwrap_or(text);
    let is_drive = |text: &str| {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
            && bytes.next() == Some(b':')
            && matches!(bytes.next(), Some(b'\\' | b'/'))
    };
    let is_absolute = text.starts_with('/') || text.starts_with("\\\\") || is_drive(text);
    if !is_absolute || text.len() > 4096 || text.chars().any(char::is_control) {
        return None;
    }
    let mut names = text.rsplit(['/', '\\']);
    let name = names.next().filter(|name| !name.is_empty())?;
    // `/x` is no path of a file that anybody would tell.
    (names.filter(|name| !name.is_empty()).count() >= 1).then_some(name)
}

/// The beginning of the names of temporary folders; 32 hexadecimal digits follow.
const SCRATCH: &str = "annals-";
const SCRATCH_DIGITS: usize = 32;

/// Returns a text in which paths of temporary folders of conversions are shortened to what the
/// converter was given in them: `/tmp/annals-3f../in/a.csv` becomes `annals-*/in/a.csv`.
///
/// So reports of two runs are equal although their sources lay in different folders.
pub(super) fn without_scratch(text: &str) -> Cow<'_, str> {
    let Some(first) = find_scratch(text, 0) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::new();
    let mut told = 0;
    let mut next = Some(first);
    while let Some(begin) = next {
        let end = begin + SCRATCH.len() + SCRATCH_DIGITS;
        let before = &text[told..begin];
        // The path begins after the last character that separates words.
        let is_between = |c: char| c.is_whitespace() || "\"'`<>|,;=()[]{}*".contains(c);
        let path_begin = before
            .char_indices()
            .rev()
            .find(|(_, c)| is_between(*c))
            .map_or(0, |(place, c)| place + c.len_utf8());
        let path = &before[path_begin..];
        if told > 0 && (path == "/in/" || path == "\\in\\") {
            // A worker's folder of one source lies in the folder of the worker.
        } else {
            out.push_str(&before[..path_begin]);
            out.push_str("annals-*");
        }
        told = end;
        next = find_scratch(text, end);
    }
    out.push_str(&text[told..]);
    Cow::Owned(out)
}

fn find_scratch(text: &str, from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let begin = from + text.get(from..)?.find(SCRATCH)?;
        let digits = &text.as_bytes()[begin + SCRATCH.len()..];
        let is_name = digits.len() >= SCRATCH_DIGITS
            && digits[..SCRATCH_DIGITS]
                .iter()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
            && !digits
                .get(SCRATCH_DIGITS)
                .is_some_and(u8::is_ascii_alphanumeric);
        if is_name {
            return Some(begin);
        }
        from = begin + SCRATCH.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_values_are_told_from_data() {
        for (text, is_id) in [
            ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", true),
            ("urn:uuid:3f2504e0-4f89-41d3-9a0c-0305e82c3301", true),
            ("01ARZ3NDEKTSV4RRFFQ69G5FAV", true),
            ("9e107d9d372bb6826bd81d3542a419d6", true),
            ("89470000000000000012894700000000", false),
            ("SN0001042", false),
            ("", false),
        ] {
            assert_eq!(is_random_id(text), is_id, "{text}");
        }
        assert_eq!(
            seconds_of_time("2026-03-01T12:00:01.5+01:00"),
            seconds_of_time("2026-03-01 11:00:01.5")
        );
        for text in [
            "2026-03-01",
            "12:00:00",
            "4.97",
            "20260301",
            "2026-13-01T00:00:00Z",
        ] {
            assert_eq!(seconds_of_time(text), None, "{text}");
        }
        assert_eq!(numbers_of_version("v0.1.150-rc1"), Some(vec![0, 1, 150]));
        for text in ["5", "1.a", "", "1..2", "A.1"] {
            assert_eq!(numbers_of_version(text), None, "{text}");
        }
        assert_eq!(name_of_path("/tmp/x/a.csv"), Some("a.csv"));
        assert_eq!(name_of_path(r"C:\in\a.csv"), Some("a.csv"));
        for text in ["a/b", "/", "/a", "N/A", "1/2", "", "/a/"] {
            assert_eq!(name_of_path(text), None, "{text}");
        }
    }

    #[test]
    fn the_folder_of_a_run_is_taken_out_of_a_text() {
        let one = "a".repeat(32);
        let two = "0123456789abcdef".repeat(2);
        for (text, told) in [
            (
                format!("/tmp/annals-{one}/in/a b.csv"),
                "annals-*/in/a b.csv",
            ),
            (
                format!("read '/var/tmp/annals-{two}/in/a' ok"),
                "read 'annals-*/in/a' ok",
            ),
            (
                format!("/tmp/annals-{one}/in/annals-{two}/in/a"),
                "annals-*/in/a",
            ),
            (
                format!("annals-{one}, annals-{two}!"),
                "annals-*, annals-*!",
            ),
            (format!(r"C:\T\annals-{one}\in\a"), r"annals-*\in\a"),
            (format!("file:///tmp/annals-{one}/in/a"), "annals-*/in/a"),
            (
                format!("annals-{one}0"),
                "annals-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0",
            ),
            (
                "annals-of-history annals-".to_owned(),
                "annals-of-history annals-",
            ),
            ("\u{e4}annals-\u{e4}".to_owned(), "\u{e4}annals-\u{e4}"),
        ] {
            assert_eq!(without_scratch(&text), told);
        }
    }
}
