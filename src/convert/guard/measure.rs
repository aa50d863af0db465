//! Measures reports: their bytes, steps, measured values, and empty places.
//!
//! A report is read once and never held as a tree. The steps of a JSON report are the objects of
//! the list that has the most of them. Lists of one name count as one, at any depth, so that steps
//! within steps and steps of several groups count together.

use std::collections::HashMap;

use super::walk::{Child, Container, Scalar, Sink, walk};
use super::xml;
use crate::convert::converter::{Expect, Expected};
use crate::entry::{Extent, PathPart, ReportPath, Unit};

/// Most different names of lists that are told apart; further lists are not counted.
const NAMES_MAX: usize = 4096;

/// Measures the reports of a converter that named `unit`.
///
/// The steps are where `expect` says, and a serial or part in a report counts where it says.
pub fn measure(reports: &[Vec<u8>], unit: &Unit, expect: &Expect) -> Extent {
    let mut extent = Extent {
        bytes: reports.iter().map(|report| report.len() as u64).sum(),
        serial: unit.serial.is_some(),
        part: unit.part.is_some(),
        counted_at: expect.steps.as_ref().map(ToString::to_string),
        ..Extent::default()
    };
    for report in reports {
        let found = match &expect.steps {
            Some(path) => steps_at(report, path),
            None => steps_of(report),
        };
        if let Some(found) = found {
            extent.steps = Some(extent.steps.unwrap_or_default() + found.number);
            extent.values += found.values;
            extent.empty += found.empty;
        }
        let says = |expected: &Expected| match expected {
            Expected::At(path) => is_filled_at(report, path),
            Expected::Never | Expected::Usual | Expected::Always => false,
        };
        extent.serial = extent.serial || says(&expect.serial);
        extent.part = extent.part || says(&expect.part);
    }
    extent
}

/// The steps of one report, and what is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Steps {
    pub(super) number: u64,
    pub(super) values: u64,
    pub(super) empty: u64,
}

impl Steps {
    pub(super) fn add(&mut self, scalar: Scalar) {
        match scalar {
            Scalar::Number => self.values += 1,
            Scalar::Empty => self.empty += 1,
            Scalar::Other => {}
        }
    }
}

/// Returns the steps of a report; `None` when it is neither JSON nor XML.
fn steps_of(report: &[u8]) -> Option<Steps> {
    if xml::is_xml(report) {
        return xml::steps(report, None);
    }
    Some(walk(report, Lists::default())?.most())
}

fn steps_at(report: &[u8], path: &ReportPath) -> Option<Steps> {
    if xml::is_xml(report) {
        let name = path.parts().iter().rev().find_map(|part| match part {
            PathPart::Name(name) => Some(name.as_str()),
            PathPart::Each => None,
        });
        return xml::steps(report, name);
    }
    Some(walk(report, Stated::new(path))?.steps)
}

/// Returns true when the report has a text or number at `path`.
fn is_filled_at(report: &[u8], path: &ReportPath) -> bool {
    walk(report, Stated::new(path)).is_some_and(|stated| stated.is_filled)
}

/// Counts the objects of all lists, by the name of the list.
#[derive(Default)]
struct Lists {
    /// Where the lists of a name are counted, as a position in `counts`.
    named: HashMap<Box<str>, usize>,
    counts: Vec<Steps>,
    /// Where each list that the reading is in is counted; `None` for an object, and for a list
    /// beyond the names that are told apart.
    within: Vec<Option<usize>>,
    /// Where a list that begins now is counted.
    next: Option<usize>,
}

impl Lists {
    /// Returns the lists with the most objects; the first of those with equally many.
    fn most(self) -> Steps {
        let most = self.counts.into_iter().reduce(|most, other| {
            if other.number > most.number {
                other
            } else {
                most
            }
        });
        most.filter(|most| most.number > 0).unwrap_or_default()
    }

    fn place_of(&mut self, name: &str) -> Option<usize> {
        if let Some(known) = self.named.get(name) {
            return Some(*known);
        }
        if self.counts.len() >= NAMES_MAX {
            return None;
        }
        self.counts.push(Steps::default());
        self.named.insert(name.into(), self.counts.len() - 1);
        Some(self.counts.len() - 1)
    }
}

impl Sink for Lists {
    fn begin(&mut self, container: Container) {
        let counted = match container {
            Container::Object => {
                // An object that is an item is a step of its list.
                if let Some(Some(at)) = self.within.last() {
                    self.counts[*at].number += 1;
                }
                None
            }
            Container::List if self.within.is_empty() => self.place_of(""),
            Container::List => self.next,
        };
        self.within.push(counted);
    }

    fn child(&mut self, child: Child<'_>) {
        // A list within a list has the name of the outer one.
        self.next = match child {
            Child::Item(_) => self.within.last().copied().flatten(),
            Child::Member(name) => self.place_of(name),
        };
    }

    fn scalar(&mut self, scalar: Scalar) {
        for (depth, counted) in self.within.iter().enumerate() {
            let Some(at) = *counted else { continue };
            // What is in steps within steps counts once.
            if !self.within[..depth].contains(&Some(at)) {
                self.counts[at].add(scalar);
            }
        }
    }

    fn end(&mut self) {
        self.within.pop();
    }
}

/// Counts the steps at a stated place.
struct Stated<'a> {
    parts: &'a [PathPart],
    /// How far each list or object that the reading is in is on the path.
    within: Vec<Progress>,
    /// How far the next value is on the path.
    next: Progress,
    steps: Steps,
    /// True when a text or number stands at the place.
    is_filled: bool,
}

/// How far a value is on a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The first parts led to it, this many.
    Parts(usize),
    /// It is within a step.
    Inside,
    Off,
}

impl<'a> Stated<'a> {
    fn new(path: &'a ReportPath) -> Self {
        // The steps are the items at the place anyway.
        let parts = path.parts();
        let parts = parts.strip_suffix(&[PathPart::Each]).unwrap_or(parts);
        Self {
            parts,
            within: Vec::new(),
            next: Progress::Parts(0),
            steps: Steps::default(),
            is_filled: false,
        }
    }
}

impl Sink for Stated<'_> {
    fn begin(&mut self, _: Container) {
        self.within.push(self.next);
    }

    fn child(&mut self, child: Child<'_>) {
        let around = self.within.last().copied().unwrap_or(Progress::Off);
        self.next = match around {
            Progress::Parts(at) => match self.parts.get(at) {
                None => {
                    self.steps.number += 1;
                    Progress::Inside
                }
                Some(part) => {
                    let leads = match (part, child) {
                        (PathPart::Each, _) => true,
                        (PathPart::Name(name), Child::Member(member)) => name == member,
                        (PathPart::Name(name), Child::Item(nth)) => name.parse() == Ok(nth),
                    };
                    if leads {
                        Progress::Parts(at + 1)
                    } else {
                        Progress::Off
                    }
                }
            },
            around => around,
        };
    }

    fn scalar(&mut self, scalar: Scalar) {
        match self.next {
            Progress::Inside => self.steps.add(scalar),
            Progress::Parts(at) if at == self.parts.len() => {
                self.is_filled = self.is_filled || scalar != Scalar::Empty;
            }
            Progress::Parts(_) | Progress::Off => {}
        }
    }

    fn end(&mut self) {
        // An empty list or object that ends is a value of its own.
        self.next = self.within.pop().unwrap_or(Progress::Off);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(report: &str) -> Option<(u64, u64, u64)> {
        let found = steps_of(report.as_bytes())?;
        Some((found.number, found.values, found.empty))
    }

    fn at(report: &str, path: &str) -> Option<(u64, u64, u64)> {
        let found = steps_at(report.as_bytes(), &path.parse().expect("a path"))?;
        Some((found.number, found.values, found.empty))
    }

    #[test]
    fn steps_are_the_objects_of_the_list_with_the_most() {
        for (report, found) in [
            (
                r#"{"steps":[{"v":1},{"v":2.5},{"v":"3"}],"unit":[{"sn":1}]}"#,
                (3, 3, 0),
            ),
            // One list of steps, spread over groups.
            (
                r#"{"groups":[{"steps":[{"v":1},{"v":2}]},{"steps":[{"v":3}]},{"steps":[]}]}"#,
                (3, 3, 1),
            ),
            // Steps within steps, as in a sequence that calls others.
            (
                r#"{"steps":[{"v":1,"steps":[{"v":2},{"steps":[{"v":3},{"v":null}]}]}],"x":[{},{}]}"#,
                (5, 3, 1),
            ),
            (r#"{"rows":[[{"v":1}],[{"v":2}]]}"#, (2, 2, 0)),
            (
                r#"[{"v":null},{"v":""},{"v":[]},{"v":{}},{"v":"NaN"}]"#,
                (5, 0, 5),
            ),
            (r#"{"sn":"1","value":7}"#, (0, 0, 0)),
            (r#"{"values":[1,2,3]}"#, (0, 0, 0)),
            ("{}", (0, 0, 0)),
        ] {
            assert_eq!(steps(report), Some(found), "{report}");
        }
        assert_eq!(steps("SN1;PASS\n"), None);
        assert_eq!(steps(r#"{"a":1} x"#), None);
        assert_eq!(steps(&"[".repeat(100_000)), None);
    }

    #[test]
    fn steps_may_be_at_a_stated_place() {
        let report =
            r#"{"root":{"steps":[{"v":1},{"v":null}]},"all":[{},{},{}],"by":{"a":{"v":1},"b":2}}"#;
        assert_eq!(at(report, "/root/steps"), Some((2, 1, 1)));
        assert_eq!(at(report, "/root/steps/*"), Some((2, 1, 1)));
        assert_eq!(at(report, "/by"), Some((2, 2, 0)));
        assert_eq!(at(report, "/*/steps"), Some((2, 1, 1)));
        assert_eq!(at(report, "/nowhere"), Some((0, 0, 0)));
        assert_eq!(at(report, "/root/steps/0"), Some((1, 1, 0)));
    }

    #[test]
    fn a_serial_may_stand_in_the_report() {
        let expect = Expect::default().serial(Expected::At("/sn".parse().expect("a path")));
        for (report, has) in [
            (r#"{"sn":"K1"}"#, true),
            (r#"{"sn":12}"#, true),
            (r#"{"sn":""}"#, false),
            (r#"{"sn":null}"#, false),
            (r#"{"sn":{"sn":"K1"}}"#, false),
            (r#"{"unit":{"sn":"K1"}}"#, false),
            ("no JSON", false),
        ] {
            let reports = [report.as_bytes().to_vec()];
            assert_eq!(
                measure(&reports, &Unit::default(), &expect).serial,
                has,
                "{report}"
            );
        }
    }

    /// Names that are ids make a list of each. The counting ends, and takes little memory.
    #[test]
    fn a_report_with_too_many_names_is_counted_in_part() {
        let lists: Vec<String> = (0..20_000)
            .map(|nth| format!(r#""{nth}":[{{}}]"#))
            .collect();
        let report = format!(r#"{{{},"steps":[{{}},{{}}]}}"#, lists.join(","));
        assert_eq!(steps(&report), Some((1, 0, 1)));
    }
}
