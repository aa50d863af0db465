//! Checks that a converter fix shows as exactly the members it changed, and that a reconversion
//! without a fix shows no change.

use super::*;
use crate::convert::protocol::Json;
use crate::entry::Outcome;

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
        format!(
            r#"[{{"path":"","kind":"changed","old":{},"new":{},"within":null,"rule":null}}]"#,
            iccid[0], iccid[1]
        )
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
    let found = compare_reports(&CompareRules::default(), &old, &new);
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

fn rules(text: &str) -> CompareRules {
    let table: toml::Table = text.parse().expect("TOML");
    let map = |name: &str| {
        let entries = table.get(name).and_then(|value| value.as_table());
        entries
            .into_iter()
            .flatten()
            .map(|(key, value)| {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                (key.clone(), value)
            })
            .collect()
    };
    let ignore = table.get("ignore").and_then(|value| value.as_array());
    let ignore: Vec<String> = ignore
        .into_iter()
        .flatten()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    CompareRules::parse(&ignore, &map("tolerance"), &map("keys")).expect(text)
}

/// Returns the paths of the differences that count, and the rules of those that do not.
fn told(rules: &CompareRules, old: &str, new: &str) -> (Vec<String>, Vec<String>) {
    let found = compare_with(rules, old.as_bytes(), new.as_bytes());
    let ignored = found.ignored.into_iter();
    (
        found
            .changes
            .into_iter()
            .map(|change| change.path)
            .collect(),
        ignored.filter_map(|change| change.rule).collect(),
    )
}

/// A parser release writes other ids and its own version. Only a changed value must remain.
#[test]
fn ignored_places_are_listed_with_their_rule() {
    let rules = rules(r#"ignore = ["/start", "*/uuid", "/steps/*/id", "/meta"]"#);
    let old = r#"{"start":1,"uuid":2,"meta":{"v":[1,2]},"steps":[{"id":1,"v":1},{"id":2,"v":2}]}"#;
    let new = r#"{"start":2,"uuid":3,"meta":{"v":[1]},"steps":[{"id":8,"v":1},{"id":9,"v":3}]}"#;
    let (changes, ignored) = told(&rules, old, new);
    assert_eq!(changes, ["/steps/1/v"]);
    assert_eq!(
        ignored,
        ["/meta", "/start", "/steps/*/id", "/steps/*/id", "*/uuid"]
    );
}

/// An inserted step must be one change, although every step has a new id.
#[test]
fn items_are_aligned_by_what_counts() {
    let rules = rules(
        r#"ignore = ["/s/*/id"]
        tolerance = { "/s/*/v" = 0.1 }"#,
    );
    let old = r#"{"s":[{"id":1,"v":1},{"id":2,"v":2},{"id":3,"v":3}]}"#;
    let new = r#"{"s":[{"id":4,"v":1.05},{"id":9,"v":7},{"id":5,"v":2},{"id":6,"v":3.01}]}"#;
    let (changes, ignored) = told(&rules, old, new);
    assert_eq!(changes, ["/s/1"]);
    assert_eq!(ignored.len(), 5, "{ignored:?}");
    assert!(ignored.contains(&"/s/*/v within 0.1".to_owned()));
}

#[test]
fn a_list_with_keys_is_a_set() {
    let rules = rules(r#"keys = { "/s" = "name" }"#);
    let old = r#"{"s":[{"name":"a","v":1},{"name":"b","v":2},{"name":"c"},{"v":5}]}"#;
    let new = r#"{"s":[{"name":"d"},{"name":"b","v":3},{"name":"a","v":1},{"v":5}]}"#;
    let found = compare_with(&rules, old.as_bytes(), new.as_bytes());
    let changes: Vec<_> = found
        .changes
        .iter()
        .map(|change| (change.path.as_str(), change.within.as_deref()))
        .collect();
    assert_eq!(
        changes,
        [
            ("/s/0", Some("d")),
            ("/s/1/v", Some("b")),
            ("/s/2", Some("c"))
        ]
    );
    let moved = r#"{"s":[{"name":"b","v":2},{"v":5},{"name":"c"},{"name":"a","v":1}]}"#;
    assert_eq!(told(&rules, old, moved).0, [""; 0]);
}

#[test]
fn tolerances_hold_for_numbers_of_one_type() {
    let rules = rules(r#"tolerance = { "/a" = "1%", "*/t" = 0 }"#);
    assert_eq!(told(&rules, r#"{"a":100}"#, r#"{"a":101}"#).0, [""; 0]);
    assert_eq!(told(&rules, r#"{"a":100}"#, r#"{"a":102}"#).0, ["/a"]);
    assert_eq!(told(&rules, r#"{"a":100}"#, r#"{"a":"100"}"#).0, ["/a"]);
    assert_eq!(told(&rules, r#"{"t":"1.0"}"#, r#"{"t":"1"}"#).0, [""; 0]);
    assert_eq!(told(&rules, r#"{"x":"1.0"}"#, r#"{"x":"1"}"#).0, ["/x"]);
}

/// Two runs see their source in different folders. That says nothing about the converter.
#[test]
fn the_temporary_folder_of_a_run_does_not_count_unless_everything_does() {
    let with = |digit: &str, name: &str| {
        format!(
            r#"{{"input":"/tmp/annals-{}/in/{name}"}}"#,
            digit.repeat(32)
        )
    };
    let (old, new) = (with("1", "a.csv"), with("2", "a.csv"));
    let usual = CompareRules::default();
    assert_eq!(
        told(&usual, &old, &new),
        (vec![], vec!["temporary folder".into()])
    );
    assert_eq!(told(&CompareRules::strict(), &old, &new).0, ["/input"]);
    assert_eq!(told(&usual, &old, &with("2", "b.csv")).0, ["/input"]);
    let uuid = |digit: &str| {
        format!(
            r#"{{"id":"{0}-{1}-{1}-{1}-{0}{1}"}}"#,
            digit.repeat(8),
            digit.repeat(4)
        )
    };
    assert_eq!(told(&usual, &uuid("1"), &uuid("2")).0, [""; 0]);
    assert_eq!(
        told(&CompareRules::strict(), &uuid("1"), &uuid("2")).0,
        ["/id"]
    );
}

#[test]
fn xml_is_compared_by_elements_and_attributes() {
    let old = r#"<Report><Steps><Step n="a" value="1.0"/><Step n="b" value="2"/><Step n="c">x</Step></Steps></Report>"#;
    let new = r#"<Report>
        <Steps><Step value="1.0" n="a"/><Step n="b" value="2.5"/><Step n="c"><![CDATA[y]]></Step><Step n="d"/></Steps>
        <Extra/></Report>"#;
    let usual = CompareRules::default();
    assert_eq!(
        told(&usual, old, new).0,
        [
            "/Report/Extra",
            "/Report/Steps/Step[2]/@value",
            "/Report/Steps/Step[3]",
            "/Report/Steps/Step[4]"
        ]
    );
    let rules = rules(
        r#"ignore = ["/Report/Extra", "/Report/Steps/Step[4]"]
        tolerance = { "/Report/Steps/Step/@value" = 0.5 }
        keys = { "/Report/Steps/Step" = "@n" }"#,
    );
    assert_eq!(told(&rules, old, new).0, ["/Report/Steps/Step[3]"]);
    let embedded = |xml: &str| serde_json::json!({"wsxf": xml, "n": 1}).to_string();
    let path = &told(&usual, &embedded(old), &embedded(new)).0[1];
    assert_eq!(path, "/wsxf/Report/Steps/Step[2]/@value");
}

#[test]
fn tables_are_compared_by_row_and_column() {
    let old = "Step,Volts,Unit\na,1.0,V\nb,2.0,V\n";
    let new = "Step;Volts;Unit\r\nb;2.0;V\r\na;1.5;V\r\n";
    let keyed = rules(
        r#"keys = { "/rows" = "Step" }
        ignore = ["/delimiter"]"#,
    );
    assert_eq!(told(&keyed, old, new).0, ["/rows/1/Volts"]);
    let added = "Step,Volts,Unit\na,1.0,V\nx,0,V\nb,2.0,V\n";
    assert_eq!(told(&CompareRules::default(), old, added).0, ["/rows/1"]);
}

/// A report of many differences must not be kept twice over.
#[test]
fn the_list_of_differences_is_bounded() {
    let list = |digit: &str| format!("[{}]", vec![digit; 20_001].join(","));
    let found = compare(list("1").as_bytes(), list("2").as_bytes());
    assert_eq!((found.changes.len(), found.more_changes), (10_000, 10_001));
    let rules = rules(r#"ignore = ["/*/x", "/a"]"#);
    let wide = |digit: &str| format!("{{\"a\":{}}}", list(digit));
    let found = compare_with(&rules, wide("1").as_bytes(), wide("2").as_bytes());
    assert_eq!((found.ignored.len(), found.more_ignored), (10_000, 10_001));
    assert!(found.is_empty());
}

/// Comparing must take time in proportion to the report, also where every level of a deep report
/// differs.
#[test]
fn deep_reports_are_compared_in_time() {
    let deep = |digit: &str| "[".repeat(120) + digit + &"]".repeat(120);
    assert_eq!(paths(&deep("1"), &deep("2")).len(), 1);
    let xml = |digit: &str| "<a>".repeat(120) + digit + &"</a>".repeat(120);
    assert_eq!(paths(&xml("1"), &xml("2")).len(), 1);
}

#[test]
fn a_change_is_shown_with_what_is_around_it() {
    let steps = |high: u32| {
        let step = |n: u32, high: u32| {
            format!(
                r#"{{"name":"BT{n}","unit":"V","limits":{{"low":1,"high":{high},"comp":"GELE"}}}}"#
            )
        };
        format!(r#"{{"sn":"1","steps":[{},{}]}}"#, step(1, 5), step(2, high)).into_bytes()
    };
    let focus = Focus {
        path: Some("/steps".parse().expect("pattern")),
        siblings: 2,
        limit: 1,
    };
    let rules = CompareRules::default();
    let (shown, more) = compare_in_context(&rules, &[steps(5)], &[steps(6)], &focus);
    assert_eq!((shown.len(), more), (1, 0));
    let told = serde_json::to_string(&shown[0]).expect("JSON");
    assert_eq!(
        told,
        r#"{"path":"/steps/1/limits/high","kind":"changed","old":5,"new":6,"within":"BT2","rule":null,"around":[{"path":"/steps/1","name":"BT2"}],"siblings":[{"name":"low","value":1},{"name":"comp","value":"GELE"}]}"#
    );
    let none = Focus {
        path: Some("/sn".parse().expect("pattern")),
        ..focus
    };
    assert_eq!(
        compare_in_context(&rules, &[steps(5)], &[steps(6)], &none)
            .0
            .len(),
        0
    );
}

/// An object of many members that all differ must not be searched for its name each time.
#[test]
fn wide_reports_are_compared_in_time() {
    let wide = |value: u32| {
        let members: Vec<String> = (0..100_000).map(|n| format!("\"m{n}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let found = compare(wide(1).as_bytes(), wide(2).as_bytes());
    assert_eq!((found.changes.len(), found.more_changes), (10_000, 90_000));
}
