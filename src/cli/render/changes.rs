//! Renders the differences between the reports of many entries, summed up by place.

use std::fmt::Write as _;

use super::table::{Canvas, Cell, Column, Table};
use crate::convert::{
    ChangeKind, ChangePattern, ChangeSummary, ChangedPlace, Json, RuleBook, Verdict,
};
use crate::service::words::{count, counted, short, short_path};

/// Most places in a table for people.
const PLACES_MAX: usize = 10;
/// Most patterns of a place in a table for people.
const PATTERNS_MAX: usize = 3;

/// Renders the places that differ in most reports as a table, after an empty line. Returns nothing
/// when nothing differs.
pub(crate) fn table(summary: &ChangeSummary, canvas: Canvas) -> String {
    let columns = [
        Column::clipped("WHERE").kept(),
        Column::right("REPORTS"),
        Column::right("CHANGES"),
        Column::clipped("HOW").kept(),
        Column::right("SEE ENTRY").kept(),
    ];
    let places = summary.places();
    let mut rows = Vec::new();
    for place in places.iter().take(PLACES_MAX) {
        for (nth, pattern) in place.patterns.iter().take(PATTERNS_MAX).enumerate() {
            let path = if nth == 0 { &place.path } else { "" };
            rows.push(vec![
                Cell::new(short_path(path)),
                Cell::new(count(pattern.counted.reports)),
                Cell::new(count(pattern.counted.changes)),
                Cell::new(how(pattern)),
                Cell::new(pattern.example.to_string()),
            ]);
        }
        let hidden = place.patterns.iter().skip(PATTERNS_MAX);
        let hidden: u64 = hidden.map(|pattern| pattern.counted.changes).sum();
        if hidden > 0 {
            rows.push(hidden_patterns(place, hidden));
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}", Table::new(&columns, canvas).page(&rows));
    let hidden = places.len().saturating_sub(PLACES_MAX) as u64;
    if hidden > 0 {
        let places = counted(hidden, "more place", "more places");
        let _ = writeln!(out, "and {places}; --json has them all");
    }
    if summary.beyond() > 0 {
        let changes = counted(summary.beyond(), "more change", "more changes");
        let _ = writeln!(out, "and {changes} at places beyond the first thousand");
    }
    out
}

fn hidden_patterns(place: &ChangedPlace, changes: u64) -> Vec<Cell> {
    let ways = place.patterns.len() - PATTERNS_MAX;
    vec![
        Cell::new(""),
        Cell::new(""),
        Cell::new(count(changes)),
        Cell::new(format!(
            "in {}",
            counted(ways as u64, "other way", "other ways")
        )),
        Cell::new(""),
    ]
}

/// Describes a pattern: `5 -> 6`, `times 1000: 5 -> 5000`, `added: 1`.
fn how(pattern: &ChangePattern) -> String {
    let shown = |value: &Option<Json>| value.as_ref().map_or_else(|| "-".to_owned(), short);
    let (old, new) = (shown(&pattern.old), shown(&pattern.new));
    match pattern.kind {
        ChangeKind::Added => format!("added: {new}"),
        ChangeKind::Removed => format!("removed: {old}"),
        ChangeKind::Type => format!("other type: {old} -> {new}"),
        ChangeKind::Factor(by) => format!("times {by}: {old} -> {new}"),
        ChangeKind::Offset(by) if by < 0.0 => format!("minus {}: {old} -> {new}", -by),
        ChangeKind::Offset(by) => format!("plus {by}: {old} -> {new}"),
        ChangeKind::Rounding => format!("rounding: {old} -> {new}"),
        ChangeKind::Varied => format!("varied: {old} -> {new}"),
        _ => format!("{old} -> {new}"),
    }
}

/// Says how many differences rules leave out. Returns nothing when there are none.
pub(crate) fn ignored(summary: &ChangeSummary) -> String {
    let rules = summary.ignored();
    let changes: u64 = rules.iter().map(|rule| rule.counted.changes).sum();
    if changes == 0 {
        return String::new();
    }
    let listed: Vec<&str> = rules
        .iter()
        .take(3)
        .map(|rule| rule.rule.as_str())
        .collect();
    let more = if rules.len() > listed.len() {
        ", ..."
    } else {
        ""
    };
    format!(
        "{} left out by {}: {}{more}\n",
        counted(changes, "difference", "differences"),
        counted(rules.len() as u64, "rule", "rules"),
        listed.join(", ")
    )
}

/// Proposes what to add to the configuration, after an empty line. Returns nothing when there is no
/// proposal.
pub(crate) fn proposal(summary: &ChangeSummary, rules: &RuleBook) -> String {
    let Some(proposal) = summary.proposal() else {
        return String::new();
    };
    let mut out = String::new();
    for converter in proposal.converters() {
        let _ = writeln!(
            out,
            "\nMost changed reports differ only in what is generated in each run. If that is\n\
             right, write into the section of converter '{}':\n",
            super::escape(converter)
        );
        out += &proposal.configuration(converter, rules.of_converter(converter));
    }
    out + &format!(
        "\nThen {} would be unchanged and {} changed (now {} and {}).\n",
        count(proposal.unchanged),
        count(proposal.changed),
        count(summary.number(Verdict::Unchanged)),
        count(summary.number(Verdict::Changed)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::{CompareRules, compare_with};
    use crate::id::EntryId;

    const PLAIN: Canvas = Canvas {
        colour: false,
        width: Some(80),
    };

    /// Reports of one converter release, and of the next: with ids, limits a thousand times as
    /// large, and one step less in some.
    fn summary() -> ChangeSummary {
        let mut summary = ChangeSummary::default();
        for number in 1..=200_u64 {
            let uuid = |run: u64| format!("{run:08x}-4f89-41d3-9a0c-{number:012x}");
            let report = |run: u64, factor: u64, gone: bool| {
                let high = number * factor;
                let last = if gone { "" } else { r#",{"name":"b"}"# };
                format!(
                    r#"{{"meta":{{"uuid":"{}"}},"steps":[{{"name":"a","high":{high}}}{last}]}}"#,
                    uuid(run)
                )
            };
            let changes = number > 180;
            let old = report(1, 1, false);
            let new = report(2, if changes { 1000 } else { 1 }, number > 195);
            let difference = compare_with(&CompareRules::default(), old.as_bytes(), new.as_bytes());
            summary.add(EntryId(number), "ICT", Some(Verdict::Changed), &difference);
        }
        summary
    }

    #[test]
    fn places_are_told_with_the_ways_in_which_they_differ() {
        let told = table(&summary(), PLAIN);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines[1..],
            [
                "WHERE          REPORTS  CHANGES  HOW                                   SEE ENTRY",
                "/meta/uuid         200      200  varied: \"00000001-4f89-41d3-9a0c-00…          1",
                "/steps/*/high       20       20  times 1000: 181 -> 181000                   181",
                "/steps/*             5        5  removed: { \"b\" ... }                        196",
            ]
        );
    }

    #[test]
    fn what_is_generated_is_proposed_and_what_is_measured_is_not() {
        let told = proposal(&summary(), &RuleBook::default());
        assert!(
            told.contains("  # 200 of 200 changed reports: every value a random id"),
            "{told}"
        );
        assert!(told.contains("  \"/meta/uuid\",\n]"), "{told}");
        assert!(
            told.contains("Then 180 would be unchanged and 20 changed (now 0 and 200)."),
            "{told}"
        );
        assert!(!told.contains("high"), "{told}");
        assert!(
            told.lines().all(|line| line.chars().count() <= 80),
            "{told}"
        );
    }

    /// Rules are not proposed when most reports also differ in something else.
    #[test]
    fn nothing_is_proposed_for_reports_that_differ_otherwise() {
        let mut summary = ChangeSummary::default();
        for number in 1..=9_u64 {
            let report = |run: u64| {
                format!(r#"{{"uuid":"{run:08x}-4f89-41d3-9a0c-{number:012x}","value":{run}}}"#)
            };
            let difference = compare_with(
                &CompareRules::default(),
                report(1).as_bytes(),
                report(2).as_bytes(),
            );
            summary.add(EntryId(number), "ICT", Some(Verdict::Changed), &difference);
        }
        assert_eq!(proposal(&summary, &RuleBook::default()), "");
    }
}
