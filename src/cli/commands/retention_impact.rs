//! Prints what a plan would do: by rule, converter and month.

use crate::archive::{ImpactGroup, PlanImpact};
use crate::cli::render::{Canvas, Cell, Column, Table, count, size};

/// Most rows of each breakdown.
const ROWS: usize = 6;

/// Returns the breakdowns of what goes, at most a screen of them.
pub(super) fn breakdowns(impact: &PlanImpact, canvas: Canvas) -> String {
    let groups = [
        ("RULE", &impact.by_rule),
        ("CONVERTER", &impact.by_converter),
        ("MONTH", &impact.by_month),
    ];
    let tables = groups.iter().map(|(title, groups)| {
        let columns = [
            Column::clipped(title),
            Column::right("ENTRIES").kept(),
            Column::right("PARTS"),
            Column::right("CONTENT"),
            Column::right("FREES").kept(),
        ];
        let shown = groups.iter().take(ROWS).map(row);
        let rest = sum_of(groups.get(ROWS..).unwrap_or_default());
        let rows: Vec<_> = shown.chain(rest.iter().map(row)).collect();
        Table::new(&columns, canvas).page(&rows)
    });
    tables.collect::<Vec<_>>().join("\n")
}

/// Returns the sum of groups that are not shown one by one.
fn sum_of(groups: &[ImpactGroup]) -> Option<ImpactGroup> {
    let mut sum = groups.first()?.clone();
    for group in &groups[1..] {
        sum.entries += group.entries;
        sum.parts += group.parts;
        sum.bytes_logical += group.bytes_logical;
        sum.bytes_freed += group.bytes_freed;
    }
    sum.name = format!("{} more", groups.len());
    Some(sum)
}

fn row(group: &ImpactGroup) -> Vec<Cell> {
    vec![
        Cell::new(&group.name),
        Cell::new(count(group.entries)),
        Cell::new(count(group.parts)),
        Cell::new(size(group.bytes_logical)),
        Cell::new(size(group.bytes_freed)),
    ]
}
