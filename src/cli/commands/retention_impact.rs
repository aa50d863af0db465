//! Prints what a plan would do: by rule, converter and month, and its share of the store.

use serde::Serialize;

use crate::archive::{ImpactGroup, PlanImpact};
use crate::cli::render::{Canvas, Cell, Column, Table, count, size};
use crate::retention::PurgePlan;

/// Most rows of each breakdown.
const ROWS: usize = 6;

/// A plan with what it would do.
#[derive(Serialize)]
pub(super) struct Previewed<'a> {
    #[serde(flatten)]
    pub(super) plan: &'a PurgePlan,
    pub(super) impact: &'a PlanImpact,
}

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
            Column::right("ENTRIES"),
            Column::right("PARTS"),
            Column::right("CONTENT"),
            Column::right("FREES"),
        ];
        let shown = groups.iter().take(ROWS).map(row);
        let rest = sum_of(groups.get(ROWS..).unwrap_or_default());
        let rows: Vec<_> = shown.chain(rest.iter().map(row)).collect();
        Table::new(&columns, canvas).page(&rows)
    });
    tables.collect::<Vec<_>>().join("\n")
}

/// Returns the share of the store that goes, in words.
pub(super) fn share(impact: &PlanImpact) -> String {
    format!(
        "{}% of the entries and {}% of the bytes on disk",
        impact.percent_of_entries, impact.percent_of_bytes
    )
}

/// Describes the entries that the rules select but something keeps, and why.
pub(super) fn kept(plan: &PurgePlan) -> Vec<String> {
    let reasons = [
        (plan.held_skipped, "kept by holds"),
        (
            plan.waiting_skipped,
            "kept because their reports wait to be submitted",
        ),
        (plan.locked_skipped, "kept by retention locks"),
        (
            plan.undated_skipped,
            "kept because what their period starts from is not known",
        ),
    ];
    let reasons = reasons.into_iter().filter(|(entries, _)| *entries > 0);
    reasons
        .map(|(entries, why)| format!("{} {why}", count(entries)))
        .collect()
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
