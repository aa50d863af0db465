//! Cases from bug reports of other programs that compare: what went wrong there must not here.

use super::*;

/// Returns the paths of the differences that count.
fn paths(rules: &CompareRules, old: &str, new: &str) -> Vec<String> {
    let found = compare_with(rules, old.as_bytes(), new.as_bytes());
    found
        .changes
        .into_iter()
        .map(|change| change.path)
        .collect()
}

fn ignoring(pattern: &str) -> CompareRules {
    CompareRules::default().ignoring(pattern.parse().expect(pattern))
}

fn keyed(list: &str, member: &str) -> CompareRules {
    CompareRules::default().keyed(list.parse().expect(list), member)
}

/// deepdiff 234: with the order ignored, a value that came twice and comes once now was no change.
#[test]
fn a_repeated_item_that_is_gone_is_a_change() {
    let (old, new) = (r#"{"foo":["b1","b2","b1"]}"#, r#"{"foo":["b1","b2"]}"#);
    assert_eq!(paths(&CompareRules::default(), old, new), ["/foo/2"]);
    let (old, new) = (r#"[{"k":1},{"k":2},{"k":1}]"#, r#"[{"k":2},{"k":1}]"#);
    let list = r#"{"foo":"#;
    let wrapped = |text: &str| format!("{list}{text}}}");
    assert_eq!(
        paths(&keyed("/foo", "k"), &wrapped(old), &wrapped(new)),
        ["/foo/2"]
    );
}

/// deepdiff 257: the first item is gone and the second changed. It was told the other way round.
#[test]
fn items_are_paired_by_their_key_and_not_by_their_likeness() {
    let old = r#"{"l":[{"key":"a/","value":""},{"key":"a/no","value":"1"}]}"#;
    let new = r#"{"l":[{"key":"a/no","value":"2"}]}"#;
    assert_eq!(paths(&keyed("/l", "key"), old, new), ["/l/0/value", "/l/0"]);
}

/// deepdiff 23: lists inside of the items of a list were not compared as sets.
#[test]
fn sets_inside_of_sets_are_compared() {
    let old =
        r#"{"items":[{"tags":[{"id":"2"},{"id":"1"}],"t":"1"},{"tags":[{"id":"1"}],"t":"2"}]}"#;
    let new =
        r#"{"items":[{"tags":[{"id":"1"}],"t":"2"},{"tags":[{"id":"1"},{"id":"2"}],"t":"1"}]}"#;
    let rules = keyed("/items", "t").keyed("/items/*/tags".parse().expect("pattern"), "id");
    assert_eq!(paths(&rules, old, new), [""; 0]);
}

/// deepdiff 209: an item that was put in made the whole list another one.
#[test]
fn an_item_that_was_put_in_is_told_where_it_is() {
    let old = r#"[{"id":11,"us":[{"uid":15206},{"uid":22019}]}]"#;
    let new = r#"[{"id":11,"us":[{"uid":15206},{"uid":17799},{"uid":22019}]}]"#;
    assert_eq!(paths(&CompareRules::default(), old, new), ["/0/us/1"]);
}

/// JsonUnit 107 and 807: a field inside of two lists, and a field wherever it is.
#[test]
fn fields_in_lists_and_at_any_depth_are_ignored() {
    let report = |from: u32| {
        format!(
            r#"{{"calendars":[{{"dates":[{{"id":"x","from":{from}}}],"from":{from}}}],"from":{from}}}"#
        )
    };
    let (old, new) = (report(1), report(2));
    assert_eq!(
        paths(&ignoring("/calendars/*/dates/*/from"), &old, &new),
        ["/calendars/0/from", "/from"]
    );
    assert_eq!(paths(&ignoring("*/from"), &old, &new), [""; 0]);
}

/// difftastic 758, SemanticDiff 67, prettydiff 104: order of attributes, `<Data />`.
#[test]
fn spellings_of_tags_do_not_count() {
    let usual = CompareRules::default();
    let (old, new) = (
        r#"<foo bar="1" quux="true"/>"#,
        "<foo  quux='true' bar='1' ></foo>",
    );
    assert_eq!(paths(&usual, old, new), [""; 0]);
    assert_eq!(
        paths(&usual, "<a><title /></a>", "<a><title/></a>"),
        [""; 0]
    );
}

/// xmldiff 28, libxmldiff 2, oscal-tools 8: white space of indentation, line ends in CDATA, and a
/// value on a line of its own are no changes; a space in a value is.
#[test]
fn layout_of_xml_does_not_count() {
    let usual = CompareRules::default();
    let old = "<m:r xmlns:m='urn:m'><m:p n='l'>AC-2 (1)</m:p><m:c><![CDATA[1\r\n2]]></m:c></m:r>";
    let new = "<r xmlns='urn:m'>\n  <p n='l'>\n    AC-2 (1)\n  </p>\n  <c>1\n2</c>\n</r>";
    assert_eq!(paths(&usual, old, new), [""; 0]);
    let spaced = new.replace("AC-2 (1)", "AC-2(1)");
    assert_eq!(paths(&usual, old, &spaced), ["/r/p"]);
}

/// csvdiff (Python) 9 and 60, csvdiff (Go) 25 and 26: a new column, quoted delimiters, a tab in a
/// file with semicolons.
#[test]
fn tables_with_odd_columns_are_compared() {
    let usual = CompareRules::default();
    let (old, new) = ("id,v\n1,a\n2,b\n", "id,v,w\n1,a,x\n2,b,y\n");
    assert_eq!(
        paths(&usual, old, new),
        ["/columns/2", "/rows/0/w", "/rows/1/w"]
    );
    let (old, new) = ("id,v\n1,\"one,two\"\n", "id,v\n1,\"one,four\"\n");
    assert_eq!(paths(&usual, old, new), ["/rows/0/v"]);
    let (old, new) = ("id;v\n1;a\tb\n2;4,97\n", "id;v\n1;a\tc\n2;4,97\n");
    assert_eq!(paths(&usual, old, new), ["/rows/0/v"]);
    let (old, new) = (
        "As of Date,Title\n1,2\n",
        "'As of Date',As of Date,Title\n1,1,2\n",
    );
    assert_eq!(
        paths(&usual, old, new),
        ["/columns/0", "/rows/0/'As of Date'"]
    );
}
