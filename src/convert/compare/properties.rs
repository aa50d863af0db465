//! Checks over random reports that comparing never invents a difference, and rules never add one.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// JSON values with few names and values, so that two of them have much in common.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (0..4_i64).prop_map(Into::into),
        (0..4_i64).prop_map(|n| serde_json::json!(n as f64 / 8.0)),
        "[ab/~*\\[\\]1]{0,3}".prop_map(Into::into),
        Just("<a><b x=\"1\"/></a>".into()),
        Just("k,v\n1,2\n".into()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            vec(("[abn/~]{1,2}", inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

fn pattern() -> impl Strategy<Value = PathPattern> {
    let part = prop_oneof![
        Just("*"),
        Just("a"),
        Just("b"),
        Just("0"),
        Just("1"),
        Just("n")
    ];
    let parts = vec(part, 1..4);
    (any::<bool>(), parts).prop_filter_map("not everything", |(anywhere, parts)| {
        let start = if anywhere { "*/" } else { "/" };
        format!("{start}{}", parts.join("/")).parse().ok()
    })
}

fn rules() -> impl Strategy<Value = CompareRules> {
    let amount = prop_oneof![Just("0"), Just("0.125"), Just("50%")];
    let (ignored, keyed) = (vec(pattern(), 0..3), vec(pattern(), 0..2));
    (ignored, vec((pattern(), amount), 0..2), keyed).prop_map(|(ignored, tolerated, keyed)| {
        let rules = ignored
            .into_iter()
            .fold(CompareRules::default(), CompareRules::ignoring);
        let rules = tolerated
            .into_iter()
            .fold(rules, |rules, (pattern, amount)| {
                rules.tolerating(pattern, amount.parse().expect("amount"))
            });
        let keyed = keyed.into_iter();
        keyed.fold(rules, |rules, pattern| rules.keyed(pattern, "n"))
    })
}

/// Turns the members of all objects around.
fn reversed(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .rev()
                .map(|(name, value)| format!("{}:{}", serde_json::json!(name), reversed(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(reversed).collect();
            format!("[ {}]", items.join(","))
        }
        plain => plain.to_string(),
    }
}

proptest! {
    #[test]
    fn a_report_never_differs_from_itself(report in json(), rules in rules()) {
        let text = report.to_string();
        let turned = reversed(&report);
        let found = compare_with(&rules, text.as_bytes(), turned.as_bytes());
        prop_assert_eq!(found, Difference::default());
    }

    #[test]
    fn rules_never_make_a_difference_appear(old in json(), new in json(), rules in rules()) {
        let (old, new) = (old.to_string(), new.to_string());
        let all = compare_with(&CompareRules::strict(), old.as_bytes(), new.as_bytes());
        let by_rules = compare_with(&rules, old.as_bytes(), new.as_bytes());
        if all.is_empty() {
            prop_assert_eq!(&by_rules, &Difference::default());
        }
        // What rules take away is told, unless a list was compared as a set.
        if by_rules.is_empty() && !all.is_empty() && !rules.has_keys() {
            prop_assert!(!by_rules.ignored.is_empty());
        }
        // A report compares the same way in both directions.
        let back = compare_with(&rules, new.as_bytes(), old.as_bytes());
        prop_assert_eq!(by_rules.is_empty(), back.is_empty());
    }

    #[test]
    fn any_bytes_are_compared(old in vec(any::<u8>(), 0..60), new in vec(any::<u8>(), 0..60)) {
        let found = compare(&old, &new);
        if old == new {
            prop_assert_eq!(found, Difference::default());
        }
    }

    #[test]
    fn odd_text_is_compared(old in "[<>/a=\"';,\n\r\t&#x1{}\\[\\]\u{feff}!-]{0,40}", new in "[<>/a=\"';,\n\r&{}]{0,40}") {
        let found = compare(old.as_bytes(), new.as_bytes());
        prop_assert!(old != new || found == Difference::default());
        let path: Vec<String> = found.changes.into_iter().map(|change| change.path).collect();
        prop_assert!(path.len() <= 100);
    }
}
