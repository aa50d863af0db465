//! Counts the elements of an XML report, without a tree.
//!
//! This is no parser: it looks at the tags and at the texts between them, and counts what it sees
//! of a document that is not well formed.

use std::collections::HashMap;

use super::measure::Steps;
use super::walk::scalar_of;

/// Most different names that are told apart; further elements are not counted.
const NAMES_MAX: usize = 4096;

/// Returns true for text that begins like XML.
pub(super) fn is_xml(report: &[u8]) -> bool {
    let report = report.strip_prefix(b"\xef\xbb\xbf").unwrap_or(report);
    let begin = report.iter().position(|byte| !byte.is_ascii_whitespace());
    begin.is_some_and(|begin| report[begin] == b'<')
}

/// Counts the elements called `name`, or the most repeated ones, and the values and empty places of
/// the whole report. `None` when it is not UTF-8.
pub(super) fn steps(report: &[u8], name: Option<&str>) -> Option<Steps> {
    let mut rest = str::from_utf8(report).ok()?;
    let mut names: HashMap<&str, u64> = HashMap::new();
    let mut steps = Steps::default();
    while let Some((text, after)) = rest.split_once('<') {
        if !text.trim().is_empty() {
            steps.add(scalar_of(text));
        }
        let ends = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>"), ("!", ">")];
        let special = ends.iter().find(|(begin, _)| after.starts_with(begin));
        if let Some((_, end)) = special {
            rest = after.split_once(end).map_or("", |(_, rest)| rest);
            continue;
        }
        let Some((tag, behind)) = split_tag(after) else {
            break;
        };
        rest = behind;
        if tag.starts_with('/') {
            continue;
        }
        let end = tag.find(|c: char| c.is_whitespace() || c == '/');
        let (element, attributes) = tag.split_at(end.unwrap_or(tag.len()));
        let local = element.rsplit(':').next().unwrap_or(element);
        let known = names.len() < NAMES_MAX || names.contains_key(local);
        if known {
            *names.entry(local).or_default() += 1;
        }
        count_attributes(attributes, &mut steps);
        let is_closed = tag.ends_with('/') || rest.starts_with("</");
        if is_closed && !attributes.contains('=') {
            steps.add(scalar_of(""));
        }
    }
    steps.number = match name {
        Some(name) => names.get(name).copied().unwrap_or_default(),
        None => names.values().copied().max().unwrap_or_default(),
    };
    Some(steps)
}

/// Splits off a tag at its `>`, which may also stand in the value of an attribute.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return Some((&text[..at], &text[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

fn count_attributes(attributes: &str, steps: &mut Steps) {
    let mut rest = attributes;
    while let Some(at) = rest.find(['"', '\'']) {
        let quote = &rest[at..=at];
        let Some((value, after)) = rest[at + 1..].split_once(quote) else {
            return;
        };
        steps.add(scalar_of(value));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<?xml version="1.0"?>
        <!-- <Step/> -->
        <wats:Report xmlns:wats="urn:x" sn="K1">
          <wats:Step name="a > b"><Value>1.5</Value></wats:Step>
          <wats:Step name='b' limit="3"><Value/></wats:Step>
          <wats:Step name="c"><Value></Value><![CDATA[<Step>]]></wats:Step>
        </wats:Report>"#;

    #[test]
    fn steps_are_the_most_repeated_elements_or_those_of_a_name() {
        let found = |name| steps(REPORT.as_bytes(), name).map(|found| found.number);
        assert!(is_xml(REPORT.as_bytes()) && !is_xml(b"{}") && !is_xml(b""));
        assert_eq!(found(None), Some(3));
        assert_eq!(found(Some("Report")), Some(1));
        assert_eq!(found(Some("Nothing")), Some(0));
        let all = steps(REPORT.as_bytes(), None).expect("text");
        assert_eq!((all.values, all.empty), (2, 2));
    }

    #[test]
    fn what_is_not_well_formed_is_counted_as_far_as_it_goes() {
        for report in ["<a><a", "<", "<a b=\"", "<a><!-- ", "<a></a></a>", "<a 'b>"] {
            assert!(steps(report.as_bytes(), None).is_some(), "{report}");
        }
        assert_eq!(steps(b"<\xff", None), None);
    }
}
