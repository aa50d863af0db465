//! Renders the differences between reports: one by one for an entry, summed up for many.

use std::collections::BTreeMap;

use serde::Serialize;

use super::numbers::count;
use super::style::Style;
use super::table::{Canvas, Cell, Column, Table};
use crate::convert::{Change, Json};
use crate::id::EntryId;

/// Most distinct places that are summed up. Changes at further places are only counted.
const PLACES_MAX: usize = 1_000;
/// Most distinct pairs of old and new value kept for one place. Beyond it, the place is marked as
/// changing in many ways.
const PAIRS_MAX: usize = 3;
/// Most rows of a summary for people.
const ROWS_MAX: usize = 12;
/// Most characters of a value for people.
const VALUE_CHARS_MAX: usize = 60;

/// The changes of many entries, grouped by their place in the report.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    places: BTreeMap<String, Place>,
    beyond: u64,
}

#[derive(Debug)]
struct Place {
    entries: u64,
    newest: EntryId,
    pairs: Vec<Pair>,
    in_many_ways: bool,
}

#[derive(Debug)]
struct Pair {
    old: Option<Json>,
    new: Option<Json>,
    entries: u64,
    example: EntryId,
}

/// One place that differs, as JSON output shows it.
#[derive(Serialize)]
pub(crate) struct PlaceObject<'a> {
    path: &'a str,
    entries: u64,
    example: Option<Example<'a>>,
}

#[derive(Serialize)]
struct Example<'a> {
    id: EntryId,
    old: Option<&'a Json>,
    new: Option<&'a Json>,
}

impl Differences {
    /// Adds the changes of one entry.
    pub(crate) fn add(&mut self, entry: EntryId, changes: &[Change]) {
        for change in changes {
            self.add_one(entry, change);
        }
    }

    fn add_one(&mut self, entry: EntryId, change: &Change) {
        let path = general(&change.path);
        if !self.places.contains_key(&path) && self.places.len() >= PLACES_MAX {
            self.beyond += 1;
            return;
        }
        let place = self.places.entry(path).or_insert(Place {
            entries: 0,
            newest: EntryId::default(),
            pairs: Vec::new(),
            in_many_ways: false,
        });
        let first_of_entry = place.entries == 0 || place.newest != entry;
        if first_of_entry {
            place.entries += 1;
            place.newest = entry;
        }
        let known = place
            .pairs
            .iter_mut()
            .find(|pair| pair.old == change.old && pair.new == change.new);
        if let Some(pair) = known {
            pair.entries += u64::from(first_of_entry);
        } else if place.pairs.len() < PAIRS_MAX {
            place.pairs.push(Pair {
                old: change.old.clone(),
                new: change.new.clone(),
                entries: 1,
                example: entry,
            });
        } else {
            place.in_many_ways = true;
        }
    }

    /// Returns the places, those with most entries first.
    fn by_entries(&self) -> Vec<(&str, &Place)> {
        let mut places: Vec<_> = self
            .places
            .iter()
            .map(|(path, place)| (path.as_str(), place))
            .collect();
        places.sort_by_key(|(_, place)| std::cmp::Reverse(place.entries));
        places
    }

    pub(crate) fn objects(&self) -> Vec<PlaceObject<'_>> {
        self.by_entries()
            .into_iter()
            .map(|(path, place)| PlaceObject {
                path,
                entries: place.entries,
                example: place.pairs.first().map(|pair| Example {
                    id: pair.example,
                    old: pair.old.as_ref(),
                    new: pair.new.as_ref(),
                }),
            })
            .collect()
    }

    /// Renders the places that differ in most entries as a table. Returns nothing when nothing
    /// differs.
    pub(crate) fn table(&self, canvas: Canvas) -> String {
        let columns = [
            Column::clipped("WHERE"),
            Column::right("ENTRIES"),
            Column::clipped("BEFORE"),
            Column::clipped("NOW"),
            Column::right("SEE ENTRY"),
        ];
        let mut rows = Vec::new();
        for (path, place) in self.by_entries() {
            // A place that changes in many ways shows only its first example.
            let pairs = if place.in_many_ways {
                &place.pairs[..1]
            } else {
                &place.pairs[..]
            };
            for pair in pairs {
                let entries = if place.in_many_ways {
                    place.entries
                } else {
                    pair.entries
                };
                let shown = |value: &Option<Json>| {
                    let text = short(value.as_ref()?);
                    Some(if place.in_many_ways {
                        format!("{text}, ...")
                    } else {
                        text
                    })
                };
                rows.push(vec![
                    Cell::new(path),
                    Cell::new(count(entries)),
                    Cell::maybe(shown(&pair.old)),
                    Cell::maybe(shown(&pair.new)),
                    Cell::new(pair.example.to_string()),
                ]);
            }
        }
        let hidden = rows.len().saturating_sub(ROWS_MAX) as u64 + self.beyond;
        rows.truncate(ROWS_MAX);
        let mut out = Table::new(&columns, canvas).page(&rows);
        if hidden > 0 {
            let more = format!("and {} more; --json has them all\n", count(hidden));
            out += &more;
        }
        out
    }
}

/// Returns the general form of a path, with `*` for every list index and line number.
///
/// So changes to different members of a list count as one place.
fn general(path: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let separator = if path.starts_with("line ") { ' ' } else { '/' };
    let parts: Vec<&str> = path
        .split(separator)
        .map(|part| if is_number(part) { "*" } else { part })
        .collect();
    parts.join(&separator.to_string())
}

/// Renders every change as a row: `+` is new, `-` is gone, `~` is different.
///
/// Structures are shown member by member.
pub(crate) fn table(changes: &[Change], canvas: Canvas) -> String {
    let columns = [
        Column::left(""),
        Column::clipped("WHERE"),
        Column::clipped("BEFORE"),
        Column::clipped("NOW"),
    ];
    let mut rows = Vec::new();
    for change in changes {
        match (&change.old, &change.new) {
            (None, Some(new)) => leaves(&change.path, new, &mut |path, value| {
                rows.push(row("+", Style::Good, path, None, Some(value)));
            }),
            (Some(old), None) => leaves(&change.path, old, &mut |path, value| {
                rows.push(row("-", Style::Bad, path, Some(value), None));
            }),
            (old, new) => rows.push(row(
                "~",
                Style::Warn,
                &change.path,
                old.as_ref(),
                new.as_ref(),
            )),
        }
    }
    Table::new(&columns, canvas).page(&rows)
}

fn row(sign: &str, style: Style, path: &str, old: Option<&Json>, new: Option<&Json>) -> Vec<Cell> {
    vec![
        Cell::new(sign).style(style),
        Cell::new(path),
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
                    walk(&format!("{path}/{}", name.words()), value, told);
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

fn short(value: &Json) -> String {
    let text = match value {
        Json::Object(members) => match value.member("name").and_then(Json::as_text) {
            Some(name) => format!("{{ {name:?} ... }}"),
            None => format!("{{ {} members }}", members.len()),
        },
        Json::List(items) => format!("[ {} items ]", items.len()),
        plain => plain.to_string(),
    };
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text;
    }
    let cut: String = text.chars().take(VALUE_CHARS_MAX - 1).collect();
    cut + "…"
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
    fn the_same_change_in_many_entries_is_one_row_with_their_number() {
        let mut all = Differences::default();
        for id in 1..=5 {
            let step = json!({"name": "BT1", "value": id});
            let place = format!("/steps/{id}");
            all.add(
                EntryId(id),
                &[
                    change("/result", Some(json!("P")), Some(json!("F"))),
                    change(&place, None, Some(step)),
                ],
            );
        }
        all.add(
            EntryId(9),
            &[change("/result", Some(json!("F")), Some(json!("P")))],
        );
        assert_eq!(
            all.table(PLAIN),
            "WHERE     ENTRIES  BEFORE  NOW                 SEE ENTRY\n\
             /result         5  \"P\"     \"F\"                         1\n\
             /result         1  \"F\"     \"P\"                         9\n\
             /steps/*        5  -       { \"BT1\" ... }, ...          1\n"
        );
        assert_eq!(all.objects()[0].entries, 6);
    }

    #[test]
    fn a_new_structure_is_told_member_by_member() {
        let text = table(
            &[
                change("/result", Some(json!("P")), Some(json!("F"))),
                change(
                    "/steps/3",
                    None,
                    Some(json!({"name": "BT1", "limits": [1, 2]})),
                ),
            ],
            PLAIN,
        );
        assert_eq!(
            text,
            "   WHERE              BEFORE  NOW\n\
             ~  /result            \"P\"     \"F\"\n\
             +  /steps/3/limits/0  -       1\n\
             +  /steps/3/limits/1  -       2\n\
             +  /steps/3/name      -       \"BT1\"\n"
        );
    }

    #[test]
    fn a_long_value_is_cut_and_a_line_of_text_keeps_its_words() {
        assert_eq!(short(&Json::text("x".repeat(100))).chars().count(), 60);
        assert_eq!(general("line 12"), "line *");
        assert_eq!(general("/a/12/b2"), "/a/*/b2");
        assert_eq!(general(""), "");
    }
}
