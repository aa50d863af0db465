//! What really differs between two reports, and what that says about an entry.
//!
//! JSON reports are compared by structure: neither the order of an object's members nor white space counts, and
//! numbers are compared by value (whole numbers exactly, others as 64-bit floats). Arrays are aligned by their equal
//! beginnings and ends. A top-level `id` that is a UUID on both sides is minted anew in each run by some converters:
//! it is listed, but does not count. Reports that are not JSON are compared line by line, and else as bytes.

use serde::Serialize;
use serde_json::{Number, Value};

use crate::entry::Outcome;
use crate::id::BlobId;

/// One difference. A side that is absent has nothing there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Where: a JSON Pointer, or `line 12` of a text. Below `/reports/1` for the second of several reports.
    pub path: String,
    /// What was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// All that differs between two reports.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Difference {
    /// What counts.
    pub changes: Vec<Change>,
    /// What differs in every run and so does not count.
    pub ignored: Vec<Change>,
}

impl Difference {
    /// True when nothing that counts differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// What a run says about an entry, against the run before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The same outcome and the same reports.
    Unchanged,
    /// Another outcome short of success, or other reports.
    Changed,
    /// It succeeds now and did not before.
    Fixed,
    /// It succeeded before and does not now.
    Broken,
}

impl Verdict {
    /// Judges a run by its outcome and that of the run before, and by whether their reports differ.
    pub fn of(before: Outcome, now: Outcome, reports_differ: bool) -> Self {
        match (before, now) {
            (Outcome::Success, Outcome::Success) if reports_differ => Self::Changed,
            (Outcome::Success, Outcome::Success) => Self::Unchanged,
            (_, Outcome::Success) => Self::Fixed,
            (Outcome::Success, _) => Self::Broken,
            (before, now) if before == now => Self::Unchanged,
            _ => Self::Changed,
        }
    }
}

/// Compares two reports.
pub fn compare(old: &[u8], new: &[u8]) -> Difference {
    compare_at("", old, new)
}

/// Compares the reports of two runs, each with the one in its place.
pub fn compare_reports(old: &[Vec<u8>], new: &[Vec<u8>]) -> Difference {
    if let ([old], [new]) = (old, new) {
        return compare(old, new);
    }
    let mut all = Difference::default();
    for place in 0..old.len().max(new.len()) {
        let path = format!("/reports/{place}");
        match (old.get(place), new.get(place)) {
            (Some(old), Some(new)) => {
                let found = compare_at(&path, old, new);
                all.changes.extend(found.changes);
                all.ignored.extend(found.ignored);
            }
            (old, new) => all.changes.push(Change {
                path,
                old: old.map(|bytes| summary(bytes)),
                new: new.map(|bytes| summary(bytes)),
            }),
        }
    }
    all
}

fn compare_at(path: &str, old: &[u8], new: &[u8]) -> Difference {
    let mut found = Difference::default();
    if old == new {
        return found;
    }
    let json = |bytes| serde_json::from_slice::<Value>(bytes).ok();
    if let (Some(old), Some(new)) = (json(old), json(new)) {
        let mut path = path.to_owned();
        let base = path.len();
        walk(&mut path, &old, &new, &mut found.changes);
        let minted = |change: &Change| &change.path[base..] == "/id" && is_minted(change);
        (found.ignored, found.changes) = found.changes.into_iter().partition(minted);
        return found;
    }
    let text = |bytes| str::from_utf8(bytes).ok();
    if let (Some(old), Some(new)) = (text(old), text(new)) {
        compare_lines(path, old, new, &mut found.changes);
        return found;
    }
    found.changes.push(Change {
        path: path.to_owned(),
        old: Some(summary(old)),
        new: Some(summary(new)),
    });
    found
}

fn summary(bytes: &[u8]) -> Value {
    let id = BlobId::of(bytes).to_string();
    Value::from(format!("{} bytes, blake3 {}", bytes.len(), &id[..16]))
}

fn is_minted(change: &Change) -> bool {
    let is_uuid = |value: &Option<Value>| {
        value.as_ref().and_then(Value::as_str).is_some_and(|text| {
            text.len() == 36
                && text.bytes().enumerate().all(|(place, byte)| match place {
                    8 | 13 | 18 | 23 => byte == b'-',
                    _ => byte.is_ascii_hexdigit(),
                })
        })
    };
    is_uuid(&change.old) && is_uuid(&change.new)
}

/// Recursion is bounded: the parser refuses what is nested deeper than 128 levels.
fn walk(path: &mut String, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let length = path.len();
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|name| !old.contains_key(*name));
            let mut names: Vec<&String> = old.keys().chain(added).collect();
            names.sort();
            for name in names {
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                step(path, old.get(name), new.get(name), changes);
                path.truncate(length);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (place, old, new) in align(old, new, same) {
                path.push('/');
                path.push_str(&place.to_string());
                step(path, old, new, changes);
                path.truncate(length);
            }
        }
        (old, new) if same(old, new) => {}
        (old, new) => changes.push(Change {
            path: path.clone(),
            old: Some(old.clone()),
            new: Some(new.clone()),
        }),
    }
}

fn step(path: &mut String, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change>) {
    match (old, new) {
        (Some(old), Some(new)) => walk(path, old, new, changes),
        (old, new) => changes.push(Change {
            path: path.clone(),
            old: old.cloned(),
            new: new.cloned(),
        }),
    }
}

/// Pairs what lies between the equal beginning and the equal end of two sequences, in order, with its place: the new
/// one, or the old one of what is gone.
fn align<'a, T>(
    old: &'a [T],
    new: &'a [T],
    same: impl Fn(&T, &T) -> bool,
) -> Vec<(usize, Option<&'a T>, Option<&'a T>)> {
    let head = old.iter().zip(new).take_while(|(a, b)| same(a, b)).count();
    let tail = old[head..]
        .iter()
        .rev()
        .zip(new[head..].iter().rev())
        .take_while(|(a, b)| same(a, b))
        .count();
    let old = &old[head..old.len() - tail];
    let new = &new[head..new.len() - tail];
    (0..old.len().max(new.len()))
        .map(|place| (head + place, old.get(place), new.get(place)))
        .collect()
}

fn same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Number(old), Value::Number(new)) => same_number(old, new),
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| same(old, new))
        }
        (Value::Object(old), Value::Object(new)) => {
            old.len() == new.len()
                && old
                    .iter()
                    .all(|(name, old)| new.get(name).is_some_and(|new| same(old, new)))
        }
        (old, new) => old == new,
    }
}

fn same_number(old: &Number, new: &Number) -> bool {
    let whole = |number: &Number| {
        number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from))
    };
    match (whole(old), whole(new)) {
        (Some(old), Some(new)) => old == new,
        _ => old.as_f64() == new.as_f64(),
    }
}

fn compare_lines(path: &str, old: &str, new: &str, changes: &mut Vec<Change>) {
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = new.lines().collect();
    let place_name = |place: usize| match path {
        "" => format!("line {}", place + 1),
        path => format!("{path} line {}", place + 1),
    };
    for (place, old, new) in align(&old, &new, |a, b| a == b) {
        if old != new {
            changes.push(Change {
                path: place_name(place),
                old: old.map(|line| Value::from(*line)),
                new: new.map(|line| Value::from(*line)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    //! A converter fix must show as the members it changed, and a reconversion without a fix must show as nothing.

    use serde_json::json;

    use super::*;

    fn paths(old: &str, new: &str) -> Vec<String> {
        compare(old.as_bytes(), new.as_bytes())
            .changes
            .into_iter()
            .map(|change| change.path)
            .collect()
    }

    #[test]
    fn order_of_members_white_space_and_spelling_of_numbers_do_not_count() {
        let old = r#"{"a":1,"b":[1.0,100,"x"],"c":{"d":null,"e":18446744073709551615}}"#;
        let new = r#"{ "c" : {"e":18446744073709551615, "d":null},
                       "b":[1,1e2,"x"], "a":1.000 }"#;
        assert_eq!(
            compare(old.as_bytes(), new.as_bytes()),
            Difference::default()
        );
    }

    #[test]
    fn every_kind_of_change_is_found_at_its_place() {
        let old = r#"{"gone":1,"type":"5","deep":{"a/b~c":[1,{"x":true}]},"big":9007199254740993}"#;
        let new = r#"{"come":2,"type":5,"deep":{"a/b~c":[1,{"x":false}]},"big":9007199254740992}"#;
        let found = compare(old.as_bytes(), new.as_bytes());
        let expected = [
            (
                "/big",
                Some(json!(9_007_199_254_740_993_u64)),
                Some(json!(9_007_199_254_740_992_u64)),
            ),
            ("/come", None, Some(json!(2))),
            ("/deep/a~1b~0c/1/x", Some(json!(true)), Some(json!(false))),
            ("/gone", Some(json!(1)), None),
            ("/type", Some(json!("5")), Some(json!(5))),
        ];
        let found: Vec<_> = found
            .changes
            .iter()
            .map(|change| (change.path.as_str(), change.old.clone(), change.new.clone()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_step_put_in_is_one_change_and_not_all_that_follow() {
        assert_eq!(paths("[1,2,3,4]", "[1,9,2,3,4]"), ["/1"]);
        assert_eq!(paths("[1,2,3,4]", "[1,2]"), ["/2", "/3"]);
        assert_eq!(paths("[1,1,1]", "[1,1]"), ["/2"]);
        assert_eq!(paths("[[1,2],[3]]", "[[1,5],[3]]"), ["/0/1"]);
    }

    #[test]
    fn a_report_id_minted_per_run_is_listed_but_does_not_count() {
        let old = r#"{"id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301","sub":{"id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301"}}"#;
        let new = r#"{"id":"aaaaaaaa-4f89-41d3-9a0c-0305e82c3301","sub":{"id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301"}}"#;
        let found = compare(old.as_bytes(), new.as_bytes());
        assert!(found.is_empty());
        assert_eq!(found.ignored.len(), 1);
        assert_eq!(paths(r#"{"id":"1"}"#, r#"{"id":"2"}"#), ["/id"]);
        let deeper = new.replace("\"sub\":{\"id\":\"3f", "\"sub\":{\"id\":\"4f");
        assert_eq!(paths(old, &deeper), ["/sub/id"]);
    }

    #[test]
    fn texts_are_compared_by_lines_and_other_bytes_as_a_whole() {
        assert_eq!(paths("<a>\n<b>\n</a>", "<a>\r\n<c>\n</a>"), ["line 2"]);
        let found = compare(b"\xff\x00", b"\xff\x01");
        assert_eq!(found.changes.len(), 1);
        assert_eq!(paths("{}", "not json"), ["line 1"]);
    }

    #[test]
    fn several_reports_are_compared_each_with_the_one_in_its_place() {
        let old = [b"{\"x\":1}".to_vec(), b"{}".to_vec()];
        let new = [b"{\"x\":2}".to_vec()];
        let found = compare_reports(&old, &new);
        let paths: Vec<&str> = found.changes.iter().map(|c| c.path.as_str()).collect();
        assert_eq!(paths, ["/reports/0/x", "/reports/1"]);
    }

    #[test]
    fn fixed_and_broken_are_told_from_changed() {
        use Outcome::{Failed, Skipped, Success};
        for (before, now, differ, verdict) in [
            (Success, Success, false, Verdict::Unchanged),
            (Success, Success, true, Verdict::Changed),
            (Failed, Success, true, Verdict::Fixed),
            (Success, Failed, true, Verdict::Broken),
            (Failed, Failed, false, Verdict::Unchanged),
            (Failed, Skipped, false, Verdict::Changed),
        ] {
            assert_eq!(Verdict::of(before, now, differ), verdict);
        }
    }
}
