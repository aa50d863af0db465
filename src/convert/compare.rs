//! Compares the reports of two runs, and judges what the difference says about an entry.
//!
//! JSON reports are compared by structure: neither the order of an object's members nor white space
//! counts. Numbers are compared by their exact decimal value. Repeated members are compared one by
//! one. Arrays are aligned by their equal beginnings and ends. Some converters make up a new
//! top-level `id` in each run: where `id` is a UUID on both sides, it is listed but does not count.
//! Reports that are not JSON are compared line by line if they are text, and otherwise as bytes.

use serde::Serialize;

use super::protocol::{Json, Text, pairs};
use crate::entry::{Outcome, Unit};
use crate::id::BlobId;

/// One difference between two reports. A side is `None` where that report has nothing at `path`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// Where the difference is: a JSON Pointer, `line 12` of a text, or `serial`, `part`, `station`
    /// or `process` of the unit.
    ///
    /// A path begins with `/reports/1` for the second of several reports. `/a#2` is the second of
    /// several members that are all called `a`.
    pub path: String,
    /// The value in the old report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Json>,
    /// The value in the new report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Json>,
}

/// All differences between two reports.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Differences that count.
    pub changes: Vec<Change>,
    /// Differences that do not count, because the value differs in every run.
    pub ignored: Vec<Change>,
}

impl Difference {
    /// Returns true when nothing that counts differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// How a run of a converter compares with the run before it, for one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// Outcome and reports are equal.
    Unchanged,
    /// The outcome is another one (but no success), or the reports differ.
    Changed,
    /// The converter succeeds now and did not before.
    Fixed,
    /// The converter succeeded before and does not now.
    Broken,
}

impl Verdict {
    /// Judges a run by the outcomes of both runs, and by whether their reports differ.
    pub fn of(before: Outcome, now: Outcome, reports_differ: bool) -> Self {
        match (before, now) {
            (Outcome::Success, Outcome::Success) if reports_differ => Self::Changed,
            (Outcome::Success, Outcome::Success) => Self::Unchanged,
            (_, Outcome::Success) => Self::Fixed,
            (Outcome::Success, _) => Self::Broken,
            (before, now) if before == now && !reports_differ => Self::Unchanged,
            _ => Self::Changed,
        }
    }
}

/// Compares two reports.
pub fn compare(old: &[u8], new: &[u8]) -> Difference {
    compare_at("", old, new)
}

/// Returns the identifiers in which two units differ.
pub(super) fn compare_units(old: &Unit, new: &Unit) -> Vec<Change> {
    let names = |unit: &Unit| {
        let Unit {
            serial,
            part,
            station,
            process,
        } = unit.clone();
        [serial, part, station, process]
    };
    let paths = ["serial", "part", "station", "process"];
    let sides = names(old).into_iter().zip(names(new));
    paths
        .into_iter()
        .zip(sides)
        .filter(|(_, (old, new))| old != new)
        .map(|(path, (old, new))| Change {
            path: path.to_owned(),
            old: old.map(Json::text),
            new: new.map(Json::text),
        })
        .collect()
}

/// Compares the reports of two runs pairwise, by their position in the list.
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
    if let (Some(old), Some(new)) = (Json::parse(old), Json::parse(new)) {
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

fn summary(bytes: &[u8]) -> Json {
    let id = BlobId::of(bytes).to_string();
    Json::text(format!("{} bytes, blake3 {}", bytes.len(), &id[..16]))
}

fn is_minted(change: &Change) -> bool {
    let is_uuid = |value: &Option<Json>| {
        value.as_ref().and_then(Json::as_text).is_some_and(|text| {
            text.len() == 36
                && text.bytes().enumerate().all(|(place, byte)| match place {
                    8 | 13 | 18 | 23 => byte == b'-',
                    _ => byte.is_ascii_hexdigit(),
                })
        })
    };
    is_uuid(&change.old) && is_uuid(&change.new)
}

/// Adds the differences below `path` to `changes`.
///
/// Recursion is bounded, because parsing to [`Json`] refuses values that are nested too deeply.
fn walk(path: &mut String, old: &Json, new: &Json, changes: &mut Vec<Change>) {
    let length = path.len();
    match (old, new) {
        (Json::Object(old), Json::Object(new)) => {
            for pair in pairs(old, new) {
                path.push_str(&member_path(pair.name, pair.nth));
                step(path, pair.old, pair.new, changes);
                path.truncate(length);
            }
        }
        (Json::List(old), Json::List(new)) => {
            for (place, old, new) in align(old, new, |old, new| old == new) {
                path.push('/');
                path.push_str(&place.to_string());
                step(path, old, new, changes);
                path.truncate(length);
            }
        }
        (old, new) if old == new => {}
        (old, new) => changes.push(Change {
            path: path.clone(),
            old: Some(old.clone()),
            new: Some(new.clone()),
        }),
    }
}

fn member_path(name: &Text, nth: usize) -> String {
    let name = name.words().replace('~', "~0").replace('/', "~1");
    match nth {
        1 => format!("/{name}"),
        nth => format!("/{name}#{nth}"),
    }
}

fn step(path: &mut String, old: Option<&Json>, new: Option<&Json>, changes: &mut Vec<Change>) {
    match (old, new) {
        (Some(old), Some(new)) => walk(path, old, new, changes),
        (old, new) => changes.push(Change {
            path: path.clone(),
            old: old.cloned(),
            new: new.cloned(),
        }),
    }
}

/// Pairs the items between the equal beginning and the equal end of two sequences, in order.
///
/// Each pair has a position: that in the new sequence, or that in the old one for an item that is
/// gone.
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
                old: old.map(|line| Json::text(*line)),
                new: new.map(|line| Json::text(*line)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    //! Checks that a converter fix shows as exactly the members it changed, and that a reconversion
    //! without a fix shows no change.

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
        let json = |text: &str| Json::parse(text.as_bytes());
        let expected = [
            ("/big", json("9007199254740993"), json("9007199254740992")),
            ("/come", None, json("2")),
            ("/deep/a~1b~0c/1/x", json("true"), json("false")),
            ("/gone", json("1"), None),
            ("/type", json("\"5\""), json("5")),
        ];
        let found: Vec<_> = found
            .changes
            .iter()
            .map(|change| (change.path.as_str(), change.old.clone(), change.new.clone()))
            .collect();
        assert_eq!(found, expected);
    }

    /// A changed digit that no machine number holds, and a changed repeated member, must count as
    /// changes.
    #[test]
    fn digits_beyond_a_machine_number_and_doubled_members_are_changes() {
        let iccid = ["89470000000000000012", "89470000000000000013"];
        let found = compare(iccid[0].as_bytes(), iccid[1].as_bytes());
        let told = serde_json::to_string(&found.changes).expect("JSON");
        assert_eq!(
            told,
            format!(r#"[{{"path":"","old":{},"new":{}}}]"#, iccid[0], iccid[1])
        );
        assert_eq!(paths(r#"{"a":1,"a":2}"#, r#"{"a":3,"a":2}"#), ["/a"]);
        assert_eq!(paths(r#"{"a":1,"a":2}"#, r#"{"a":1}"#), ["/a#2"]);
        assert_eq!(paths("[1e400]", "[1e401]"), ["/0"]);
        assert_eq!(
            paths("[1e400,\"\\u0041\",-0]", "[10e399,\"A\",0.0]"),
            [""; 0]
        );
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
            (Failed, Failed, true, Verdict::Changed),
            (Failed, Skipped, false, Verdict::Changed),
        ] {
            assert_eq!(Verdict::of(before, now, differ), verdict);
        }
    }
}
