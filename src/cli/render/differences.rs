//! Renders the differences between the reports of one entry.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::style::Style;
use super::table::{Canvas, Cell, Column, Table};
use crate::convert::{Change, ChangeInContext, Json, Sibling};
use crate::service::words::{counted, escape, short, short_path};

/// Most values of a structure that are shown where one is new or gone.
const LEAVES_MAX: usize = 12;

/// Renders changes as rows: `+` is new, `-` is gone, `~` is different. Also returns how many rows
/// there are beyond `limit`.
///
/// Structures are shown member by member.
pub(crate) fn table(changes: &[&Change], limit: usize, canvas: Canvas) -> (String, u64) {
    let columns = [
        Column::left(""),
        Column::clipped("WHERE").kept(),
        Column::clipped("BEFORE").kept(),
        Column::clipped("NOW").kept(),
    ];
    let mut rows = Vec::new();
    let mut hidden = 0;
    let mut add = |sign, path: &str, old: Option<&Json>, new: Option<&Json>| {
        if rows.len() < limit {
            rows.push(row(sign, path, old, new));
        } else {
            hidden += 1;
        }
    };
    for change in changes {
        match (&change.old, &change.new) {
            (None, Some(new)) => leaves(&change.path, new, &mut |path, value| {
                add(Sign::Added, path, None, Some(value));
            }),
            (Some(old), None) => leaves(&change.path, old, &mut |path, value| {
                add(Sign::Removed, path, Some(value), None);
            }),
            (old, new) => add(Sign::Different, &change.path, old.as_ref(), new.as_ref()),
        }
    }
    (Table::new(&columns, canvas).page(&rows), hidden)
}

/// Renders differences that do not count, with the rules that say so.
pub(crate) fn ignored(changes: &[Change], limit: usize, canvas: Canvas) -> String {
    let columns = [
        Column::clipped("LEFT OUT").kept(),
        Column::clipped("BY"),
        Column::clipped("BEFORE").kept(),
        Column::clipped("NOW").kept(),
    ];
    let listed = changes.iter().take(limit);
    let rows: Vec<_> = listed
        .map(|change| {
            vec![
                Cell::new(short_path(&change.path)),
                Cell::maybe(change.rule.as_deref()),
                Cell::maybe(change.old.as_ref().map(short)),
                Cell::maybe(change.new.as_ref().map(short)),
            ]
        })
        .collect();
    let mut text = Table::new(&columns, canvas).page(&rows);
    if let hidden @ 1.. = changes.len().saturating_sub(limit) {
        let more = counted(hidden as u64, "more difference", "more differences");
        let _ = writeln!(text, "and {more}; --limit N shows more of them");
    }
    text
}

/// Renders one change between the members beside it, after an empty line. Above it stand its path
/// and the names of what it is in.
pub(crate) fn in_context(found: &ChangeInContext, canvas: Canvas) -> String {
    let change = &found.change;
    let around = found.around.iter();
    let names: Vec<_> = around.map(|level| escape(&level.name)).collect();
    let path = match change.path.as_str() {
        "" => Cow::Borrowed("the whole report"),
        path => escape(path),
    };
    let title = Style::Bold.paint(&path, canvas.colour).into_owned();
    let mut text = format!("\n{title}\n");
    if !names.is_empty() {
        let _ = writeln!(text, "  in {}", names.join(" > "));
    }
    let own = change.path.rsplit('/').next().unwrap_or_default();
    let mut rows = Vec::new();
    let beside = |sibling: &Sibling| {
        vec![
            Cell::new(""),
            Cell::new(&sibling.name),
            Cell::new(short(&sibling.value)),
        ]
    };
    let marked = |sign: Sign, path: &str, value: &Json| {
        vec![
            sign.cell(),
            Cell::new(short_path(path)),
            Cell::new(short(value)),
        ]
    };
    let half = found.siblings.len().div_ceil(2);
    rows.extend(found.siblings[..half].iter().map(beside));
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => {
            rows.push(marked(Sign::Removed, own, old));
            rows.push(marked(Sign::Added, own, new));
        }
        (old, new) => {
            let sign = if old.is_some() {
                Sign::Removed
            } else {
                Sign::Added
            };
            if let Some(value) = old.as_ref().or(new.as_ref()) {
                let mut all = 0;
                leaves(own, value, &mut |path, value| {
                    all += 1;
                    if all <= LEAVES_MAX {
                        rows.push(marked(sign, path, value));
                    }
                });
                if all > LEAVES_MAX {
                    let more = format!("and {} more", all - LEAVES_MAX);
                    rows.push(vec![sign.cell(), Cell::new(more), Cell::new("")]);
                }
            }
        }
    }
    rows.extend(found.siblings[half..].iter().map(beside));
    let columns = [
        Column::left(""),
        Column::clipped("").kept(),
        Column::clipped("").kept(),
    ];
    let table = Table::new(&columns, canvas).untitled().page(&rows);
    text + &table
}

/// How a row is marked.
#[derive(Debug, Clone, Copy)]
enum Sign {
    Added,
    Removed,
    Different,
}

impl Sign {
    fn cell(self) -> Cell {
        match self {
            Self::Added => Cell::new("+").style(Style::Good),
            Self::Removed => Cell::new("-").style(Style::Bad),
            Self::Different => Cell::new("~").style(Style::Warn),
        }
    }
}

fn row(sign: Sign, path: &str, old: Option<&Json>, new: Option<&Json>) -> Vec<Cell> {
    vec![
        sign.cell(),
        Cell::new(short_path(path)),
        Cell::maybe(old.map(short)),
        Cell::maybe(new.map(short)),
    ]
}

/// Calls `told` for every leaf below `value`.
///
/// The recursion is bounded, because parsing into [`Json`] refuses deep nesting.
fn leaves(path: &str, value: &Json, told: &mut impl FnMut(&str, &Json)) {
    fn walk(path: &str, value: &Json, told: &mut dyn FnMut(&str, &Json)) {
        match value {
            Json::Object(members) if !members.is_empty() => {
                for (name, value) in members {
                    match name.words() {
                        // The text of an XML element has the place of the element.
                        name if name.is_empty() => walk(path, value, told),
                        name => walk(&format!("{path}/{name}"), value, told),
                    }
                }
            }
            Json::List(items) if !items.is_empty() => {
                for (place, value) in items.iter().enumerate() {
                    walk(&format!("{path}/{place}"), value, told);
                }
            }
            plain => told(path, plain),
        }
    }
    walk(path, value, told);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const PLAIN: Canvas = Canvas {
        colour: false,
        width: None,
    };

    fn change(path: &str, old: Option<Value>, new: Option<Value>) -> Change {
        let exact = |value: Value| Json::parse(value.to_string().as_bytes()).expect("JSON");
        Change::new(path, old.map(exact), new.map(exact))
    }

    #[test]
    fn a_new_structure_is_told_member_by_member() {
        let changes = [
            change("/result", Some(json!("P")), Some(json!("F"))),
            change(
                "/steps/3",
                None,
                Some(json!({"name": "BT1", "limits": [1, 2]})),
            ),
        ];
        let changes: Vec<&Change> = changes.iter().collect();
        let (short, hidden) = table(&changes, 2, PLAIN);
        assert_eq!((short.lines().count(), hidden), (3, 2));
        let (text, _) = table(&changes, 10, PLAIN);
        assert_eq!(
            text,
            "   WHERE              BEFORE  NOW\n\
             ~  /result            \"P\"     \"F\"\n\
             +  /steps/3/limits/0  -       1\n\
             +  /steps/3/limits/1  -       2\n\
             +  /steps/3/name      -       \"BT1\"\n"
        );
    }
}
