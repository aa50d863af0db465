//! Charts of small data, as they are sent.

use super::*;

fn part(number: u64, href: &str) -> Part {
    Part {
        number,
        text: number.to_string(),
        href: href.to_owned(),
    }
}

fn column(name: &str, success: u64, failed: u64) -> Column {
    let list = |status: &str| format!("/entries?from={name}&status={status}");
    Column {
        name: name.to_owned(),
        full_name: format!("day {name}"),
        title: format!("{} on {name}", success.saturating_add(failed)),
        whole: part(
            success.saturating_add(failed),
            &format!("/entries?from={name}"),
        ),
        parts: vec![
            part(success, &list("success")),
            part(failed, &list("failed")),
        ],
    }
}

fn chart(columns: Vec<Column>) -> ColumnChart {
    let layer = |name, is_hatched| Layer {
        name,
        word: name,
        is_hatched,
    };
    let words = Words {
        title: "Entries".to_owned(),
        description: "by day".to_owned(),
        period: "Day",
        counted: "All",
        as_table: "As a table",
    };
    let layers = vec![layer("success", false), layer("failed", true)];
    ColumnChart::new("days", words, layers, columns, |number| number.to_string())
}

fn drawn(columns: Vec<Column>) -> String {
    let html = chart(columns).render().expect("drawn");
    assert!(!html.contains("style="), "styles are refused by the policy");
    let svg = html.split("<svg class=\"chart").nth(1).expect("an svg");
    svg.split("</svg>").next().expect("its end").to_owned()
}

/// Shapes, places, links and words of a chart stay as they are unless somebody means to change
/// them.
#[test]
fn two_days_are_drawn_like_this() {
    let svg = drawn(vec![column("29", 0, 0), column("30", 3, 1)]);
    assert_eq!(svg, include_str!("two_days.svg.part"));
}

#[test]
fn a_chart_of_nothing_has_an_axis_and_no_shapes() {
    for columns in [vec![], vec![column("29", 0, 0), column("30", 0, 0)]] {
        let svg = drawn(columns);
        assert!(svg.contains("class=\"axis\""));
        assert!(!svg.contains("class=\"of-"), "{svg}");
        assert!(!svg.contains("<a "), "what is zero leads nowhere: {svg}");
    }
}

#[test]
fn one_day_is_no_wider_than_a_column() {
    let svg = drawn(vec![column("30", 5, 0)]);
    assert!(svg.contains(&format!(
        "width=\"{}\"",
        COLUMN_WIDTH_MAX - COLUMN_WIDTH_MAX / 5
    )));
}

/// Nothing may be drawn above the top, where it would be cut off or cover a heading.
#[test]
fn huge_counts_stay_within_the_chart() {
    for (success, failed) in [(u64::MAX, 1), (u64::MAX - 1, 1), (1, u64::MAX - 1)] {
        let chart = chart(vec![column("30", success, failed)]);
        let shapes = &chart.columns[0].shapes;
        let lowest = shapes.iter().map(|shape| shape.y + shape.height).max();
        assert_eq!(lowest, Some(ABOVE + HEIGHT));
        assert!(
            shapes
                .iter()
                .all(|shape| shape.y >= ABOVE && shape.height > 0)
        );
        assert_eq!(shapes.len(), 2);
    }
}

/// A converter's name comes from a file, and a file can say anything.
#[test]
fn what_names_say_is_text_and_nothing_else() {
    let svg = drawn(vec![column("<script>\"&", 1, 1)]);
    assert!(!svg.contains("<script>"), "{svg}");
    assert!(!svg.contains("from=<"), "{svg}");
}

/// Names that overlap cannot be read, and the last day is the one that is looked for.
#[test]
fn the_last_column_has_its_name_and_names_do_not_touch() {
    let days = (1..=30).map(|day| column(&format!("11-{day:02}"), day, 0));
    let chart = chart(days.collect());
    let named: Vec<&Drawn> = chart.columns.iter().filter(|one| one.is_named).collect();
    assert_eq!(named.last().expect("one").column.name, "11-30");
    for two in named.windows(2) {
        assert!(two[1].middle - two[0].middle >= 5 * LETTER_WIDTH);
    }
}

/// Those who see no chart get every number, the zeros too.
#[test]
fn the_table_has_what_the_columns_show() {
    let html = chart(vec![column("29", 0, 0), column("30", 3, 1)]);
    let html = html.render().expect("drawn");
    let table = html.split("<tbody>").nth(1).expect("a table");
    assert!(
        table.contains("<th scope=\"row\">day 29</th><td class=\"num\">0</td>"),
        "{table}"
    );
    assert!(table.contains("status=failed\">1</a>"), "{table}");
}
