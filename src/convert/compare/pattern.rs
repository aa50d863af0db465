//! The ways in which the values of one place differ.

use serde::{Serialize, Serializer};

use super::change::Change;
use super::counted::Counted;
use super::tolerance::machine_number;
use crate::complete::Complete;
use crate::convert::protocol::Json;
use crate::id::EntryId;

/// Maximum number of patterns of one place. Further changes count as one pattern.
const PATTERNS_MAX: usize = 8;
/// Maximum number of bytes of an example; longer values are described.
const EXAMPLE_BYTES_MAX: usize = 300;
/// Relative difference up to which two factors or offsets are one.
const ALMOST: f64 = 1e-9;

/// How values differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "by")]
#[non_exhaustive]
pub enum ChangeKind {
    /// The value is new.
    Added,
    /// The value is gone.
    Removed,
    /// The value is of another type.
    Type,
    /// One value became another one.
    Value,
    /// Numbers are multiplied by this.
    Factor(f64),
    /// This is added to numbers.
    Offset(f64),
    /// Numbers differ by a billionth of their size at most.
    Rounding,
    /// Values differ in many ways.
    Varied,
}

/// One way in which the values of a place differ, with an example.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChangePattern {
    /// The way.
    #[serde(flatten, serialize_with = "whole_kind")]
    pub kind: ChangeKind,
    /// Number of reports and differences.
    #[serde(flatten)]
    pub counted: Counted,
    /// An entry whose reports differ like that.
    pub example: EntryId,
    /// The value in the old report of that entry; long ones are described.
    pub old: Option<Json>,
    /// The value in its new report.
    pub new: Option<Json>,
}

fn whole_kind<S: Serializer>(kind: &ChangeKind, to: S) -> Result<S::Ok, S::Error> {
    Complete::new(kind, &["kind", "by"]).serialize(to)
}

/// The ways in which the values of one place differ.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone)]
struct Pattern {
    way: Way,
    counted: Counted,
    example: EntryId,
    old: Option<Json>,
    new: Option<Json>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Added,
    Removed,
    Type,
    /// Always the values of the example.
    Pair,
    /// Numbers that differ by one factor, by one offset, or so far by both.
    Steady(Steady),
    /// Numbers that are almost equal.
    Rounding,
    Varied,
}

/// What all changes so far have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Steady {
    factor: Option<f64>,
    offset: Option<f64>,
}

impl Steady {
    fn of(old: f64, new: f64) -> Self {
        let factor = new / old;
        Self {
            factor: (old != 0.0 && new != 0.0 && factor.is_finite()).then_some(factor),
            offset: Some(new - old),
        }
    }

    /// Returns what these changes and one more have in common, if there is something.
    fn with(self, old: f64, new: f64) -> Option<Self> {
        let almost = |a: f64, b: f64, size: f64| (a - b).abs() <= ALMOST * size;
        let size = old.abs().max(new.abs());
        let factor = self.factor.filter(|factor| almost(old * factor, new, size));
        let offset = self.offset.filter(|offset| almost(old + offset, new, size));
        (factor.is_some() || offset.is_some()).then_some(Self { factor, offset })
    }
}

impl Patterns {
    pub(super) fn add(&mut self, entry: EntryId, change: &Change) {
        let (way, numbers) = match (&change.old, &change.new) {
            (None, _) => (Way::Added, None),
            (_, None) => (Way::Removed, None),
            (Some(old), Some(new)) if !is_same_type(old, new) => (Way::Type, None),
            (Some(old), Some(new)) => match number(old).zip(number(new)) {
                Some((old, new)) if (old - new).abs() <= ALMOST * old.abs().max(new.abs()) => {
                    (Way::Rounding, None)
                }
                numbers => (Way::Pair, numbers),
            },
        };
        let is_known = |pattern: &Pattern| {
            pattern.way == way
                && (way != Way::Pair
                    || (is_example(pattern.old.as_ref(), change.old.as_ref())
                        && is_example(pattern.new.as_ref(), change.new.as_ref())))
        };
        if let Some(known) = self.0.iter_mut().find(|pattern| is_known(pattern)) {
            known.counted.count(entry);
            return;
        }
        if let Some((old, new)) = numbers {
            for pattern in &mut self.0 {
                let so_far = match pattern.way {
                    Way::Steady(steady) => Some(steady),
                    Way::Pair => pattern.numbers().map(|(old, new)| Steady::of(old, new)),
                    _ => None,
                };
                if let Some(steady) = so_far.and_then(|steady| steady.with(old, new)) {
                    pattern.way = Way::Steady(steady);
                    pattern.counted.count(entry);
                    return;
                }
            }
        }
        if self.0.len() < PATTERNS_MAX {
            self.push(way, entry, change);
        } else if let Some(varied) = self.0.iter_mut().find(|pattern| pattern.way == Way::Varied) {
            varied.counted.count(entry);
        } else {
            self.push(Way::Varied, entry, change);
        }
    }

    fn push(&mut self, way: Way, entry: EntryId, change: &Change) {
        let mut counted = Counted::default();
        counted.count(entry);
        self.0.push(Pattern {
            way,
            counted,
            example: entry,
            old: change.old.as_ref().map(example),
            new: change.new.as_ref().map(example),
        });
    }

    /// Returns the patterns, the most frequent first. Values that occur once are told as one
    /// pattern if there are many of them.
    pub(super) fn told(&self, in_all: Counted) -> Vec<ChangePattern> {
        let is_single = |pattern: &Pattern| {
            matches!(pattern.way, Way::Pair | Way::Varied)
                && (pattern.counted.changes == 1 || pattern.way == Way::Varied)
        };
        let singles = self.0.iter().filter(|pattern| is_single(pattern)).count();
        let mut told: Vec<ChangePattern> = Vec::new();
        let mut varied: Option<ChangePattern> = None;
        for pattern in &self.0 {
            if singles > 2 && is_single(pattern) {
                let all = varied.get_or_insert_with(|| ChangePattern {
                    kind: ChangeKind::Varied,
                    counted: Counted::default(),
                    ..pattern.told()
                });
                all.counted.changes += pattern.counted.changes;
                let reports = all.counted.reports + pattern.counted.reports;
                // One report may have several of them.
                all.counted.reports = reports.min(in_all.reports);
            } else {
                told.push(pattern.told());
            }
        }
        told.extend(varied);
        told.sort_by_key(|pattern| std::cmp::Reverse(pattern.counted.changes));
        told
    }
}

impl Pattern {
    fn numbers(&self) -> Option<(f64, f64)> {
        number(self.old.as_ref()?).zip(number(self.new.as_ref()?))
    }

    fn told(&self) -> ChangePattern {
        let kind = match self.way {
            Way::Added => ChangeKind::Added,
            Way::Removed => ChangeKind::Removed,
            Way::Type => ChangeKind::Type,
            Way::Pair => ChangeKind::Value,
            Way::Rounding => ChangeKind::Rounding,
            Way::Varied => ChangeKind::Varied,
            Way::Steady(Steady { factor, offset }) => match (factor, offset) {
                (Some(factor), _) => ChangeKind::Factor(rounded(factor)),
                (None, Some(offset)) => ChangeKind::Offset(rounded(offset)),
                (None, None) => ChangeKind::Varied,
            },
        };
        ChangePattern {
            kind,
            counted: self.counted,
            example: self.example,
            old: self.old.clone(),
            new: self.new.clone(),
        }
    }
}

/// Returns a factor or offset without the noise of the last digits.
fn rounded(number: f64) -> f64 {
    format!("{number:.8e}").parse().unwrap_or(number)
}

fn is_same_type(old: &Json, new: &Json) -> bool {
    std::mem::discriminant(old) == std::mem::discriminant(new)
}

/// Returns the value of a number, or of a text that is one: XML and tables know no numbers.
fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) => machine_number(number.digits()),
        Json::Text(text) => machine_number(&text.words()),
        _ => None,
    }
}

/// Returns true if a value is the one that was kept as an example.
fn is_example(kept: Option<&Json>, value: Option<&Json>) -> bool {
    match (kept, value) {
        (Some(kept), Some(value)) => *kept == *value || *kept == example(value),
        (None, None) => true,
        _ => false,
    }
}

/// Returns a value, or a description of a long one.
fn example(value: &Json) -> Json {
    if bytes_of(value, EXAMPLE_BYTES_MAX) <= EXAMPLE_BYTES_MAX {
        return value.clone();
    }
    match value {
        Json::Text(text) => {
            let text = text.words();
            let begin: String = text.chars().take(EXAMPLE_BYTES_MAX / 4).collect();
            Json::text(format!("{begin}..."))
        }
        Json::Object(members) => {
            let name = value.member("name").and_then(Json::as_text);
            let name = name.map_or_else(String::new, |name| {
                let name: String = name.chars().take(60).collect();
                format!(", name {name:?}")
            });
            Json::text(format!("{{ {} members{name} }}", members.len()))
        }
        Json::List(items) => Json::text(format!("[ {} items ]", items.len())),
        Json::Number(number) => {
            let begin: String = number.digits().chars().take(60).collect();
            Json::text(format!("{begin}..."))
        }
        plain => plain.clone(),
    }
}

/// Returns about how many bytes a value takes, or any number above `limit`.
fn bytes_of(value: &Json, limit: usize) -> usize {
    let mut sum = 4;
    match value {
        Json::Null | Json::Bool(_) => {}
        Json::Number(number) => sum += number.digits().len(),
        Json::Text(text) => sum += text.words().len(),
        Json::List(items) => {
            for item in items {
                sum += bytes_of(item, limit);
                if sum > limit {
                    break;
                }
            }
        }
        Json::Object(members) => {
            for (name, value) in members {
                sum += name.words().len() + bytes_of(value, limit);
                if sum > limit {
                    break;
                }
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    //! Checks that a limit in another unit is told as one pattern, not as thousands of values.

    use super::*;

    fn told(pairs: &[(&str, &str)]) -> Vec<(ChangeKind, u64)> {
        let mut patterns = Patterns::default();
        let mut in_all = Counted::default();
        let json =
            |text: &str| (!text.is_empty()).then(|| Json::parse(text.as_bytes()).expect(text));
        for (number, (old, new)) in (1..).zip(pairs) {
            in_all.count(EntryId(number));
            patterns.add(EntryId(number), &Change::new("/x", json(old), json(new)));
        }
        let told = patterns.told(in_all).into_iter();
        told.map(|pattern| (pattern.kind, pattern.counted.reports))
            .collect()
    }

    #[test]
    fn numbers_are_told_by_what_they_have_in_common() {
        assert_eq!(
            told(&[
                ("1", "1000"),
                ("2.5", "2500"),
                ("0.3", "300"),
                ("1", "1000")
            ]),
            [(ChangeKind::Factor(1000.0), 4)]
        );
        assert_eq!(
            told(&[("1", "1.5"), ("2", "2.5"), ("-7.25", "-6.75")]),
            [(ChangeKind::Offset(0.5), 3)]
        );
        assert_eq!(
            told(&[("\"1\"", "\"2\""), ("\"4\"", "\"8\"")]),
            [(ChangeKind::Factor(2.0), 2)]
        );
        assert_eq!(told(&[("5", "6"); 3]), [(ChangeKind::Value, 3)]);
        assert_eq!(
            told(&[("1", "1.0000000000001"), ("3", "3.0000000000002")]),
            [(ChangeKind::Rounding, 2)]
        );
        let scattered = [
            ("1", "9.1"),
            ("2", "3.3"),
            ("5", "4.4"),
            ("7", "1.9"),
            ("3", "8.8"),
        ];
        assert_eq!(told(&scattered), [(ChangeKind::Varied, 5)]);
    }

    #[test]
    fn other_ways_are_counted_apart() {
        let mut pairs = vec![
            ("", "1"),
            ("1", ""),
            ("1", "\"1\""),
            ("\"P\"", "\"F\""),
            ("\"P\"", "\"F\""),
        ];
        assert_eq!(
            told(&pairs),
            [
                (ChangeKind::Value, 2),
                (ChangeKind::Added, 1),
                (ChangeKind::Removed, 1),
                (ChangeKind::Type, 1)
            ]
        );
        // Many values of no kind are one pattern, whatever their number.
        let texts: Vec<String> = (0..50).map(|n| format!("\"t{}\"", n * n)).collect();
        pairs.extend(
            texts
                .windows(2)
                .map(|pair| (pair[0].as_str(), pair[1].as_str())),
        );
        let all = told(&pairs);
        assert_eq!(all[0], (ChangeKind::Varied, 49));
        assert!(all.len() <= PATTERNS_MAX, "{all:?}");
    }

    #[test]
    fn long_values_are_described() {
        let long = Json::text("ä".repeat(10_000));
        assert!(bytes_of(&example(&long), usize::MAX) < EXAMPLE_BYTES_MAX);
        let list = Json::List(vec![long; 3]);
        assert_eq!(example(&list), Json::text("[ 3 items ]"));
    }
}
