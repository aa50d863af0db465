//! Shows differences with the values around them, for reports that nobody reads as a whole.

use serde::Serialize;

use super::change::Change;
use super::each_difference;
use super::path::{Part, PathPattern};
use super::rules::CompareRules;
use super::walk::{Around, Finding};
use crate::convert::protocol::{Json, Text};

/// Members that name an object, the most telling first. Letter case, and the `@` of an attribute,
/// do not count.
const NAMES: [&str; 7] = [
    "name",
    "stepname",
    "step_name",
    "title",
    "label",
    "designator",
    "testname",
];
/// Maximum characters of a name.
const NAME_CHARS_MAX: usize = 80;

/// Which differences to show, and with how much around them.
#[derive(Debug, Clone, Default)]
pub struct Focus {
    /// Only differences at places that this pattern matches, and below them.
    pub path: Option<PathPattern>,
    /// How many members beside a difference are shown.
    pub siblings: usize,
    /// How many differences are shown. Further ones are counted.
    pub limit: usize,
}

/// A difference and what is around it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChangeInContext {
    /// The difference.
    #[serde(flatten)]
    pub change: Change,
    /// The named objects around it, the outermost first.
    pub around: Vec<Level>,
    /// Members beside it with a single value, those closest to it in the new report.
    pub siblings: Vec<Sibling>,
}

/// A named object around a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Level {
    /// Where it is.
    pub path: String,
    /// What it is called.
    pub name: String,
}

/// A member beside a difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sibling {
    /// Its name.
    pub name: String,
    /// Its value in the new report, or in the old one where the new one has none.
    pub value: Json,
}

/// Compares the reports of two runs, and returns differences with what is around them. Also returns
/// how many more there are.
///
/// Differences that do not count are left out.
pub fn compare_in_context(
    rules: &CompareRules,
    old: &[Vec<u8>],
    new: &[Vec<u8>],
    focus: &Focus,
) -> (Vec<ChangeInContext>, u64) {
    let mut shown = Vec::new();
    let mut more = 0;
    each_difference(rules, old, new, &mut |finding| {
        let parts: Vec<Part<'_>> = finding.path.parts().collect();
        let is_meant = focus
            .path
            .as_ref()
            .is_none_or(|pattern| pattern.covers_parts(&parts));
        if finding.rule.is_some() || !is_meant {
            return;
        }
        if shown.len() >= focus.limit {
            more += 1;
            return;
        }
        shown.push(ChangeInContext {
            change: Change::of(finding),
            around: levels(finding),
            siblings: siblings(finding, focus.siblings),
        });
    });
    (shown, more)
}

/// Returns the name of the innermost object around a difference that has one.
pub(super) fn name_around(finding: &Finding<'_>) -> Option<String> {
    let own = finding.new.or(finding.old).and_then(name_of);
    own.or_else(|| outwards(finding.around).find_map(name_on_either_side))
}

fn outwards<'a>(around: Option<&'a Around<'a>>) -> impl Iterator<Item = &'a Around<'a>> {
    std::iter::successors(around, |around| around.outer)
}

fn name_on_either_side(around: &Around<'_>) -> Option<String> {
    name_of(around.new).or_else(|| name_of(around.old))
}

/// Returns the name of an object, shortened.
fn name_of(value: &Json) -> Option<String> {
    let Json::Object(members) = value else {
        return None;
    };
    let is_called = |name: &Text, wanted: &str| {
        let name = name.words();
        let name = name.strip_prefix('@').unwrap_or(&name);
        name.eq_ignore_ascii_case(wanted)
    };
    NAMES.iter().find_map(|wanted| {
        let mut named = members.iter().filter(|(name, _)| is_called(name, wanted));
        named.find_map(|(_, value)| {
            let text = single(value)?;
            let text = text.as_text()?;
            let shortened: String = text.trim().chars().take(NAME_CHARS_MAX).collect();
            (!shortened.is_empty()).then_some(shortened)
        })
    })
}

/// Returns a value that is no structure. In XML it is the text of the only element of a name.
fn single(value: &Json) -> Option<&Json> {
    match value {
        Json::List(items) => match items.as_slice() {
            [Json::Object(members)] => match members.as_slice() {
                [(name, text)] if name.words().is_empty() => Some(text),
                _ => None,
            },
            _ => None,
        },
        Json::Object(_) => None,
        plain => Some(plain),
    }
}

fn levels(finding: &Finding<'_>) -> Vec<Level> {
    let parts: Vec<Part<'_>> = finding.path.parts().collect();
    let base = finding.path.text().len() - finding.path.own().len();
    let mut found: Vec<Level> = outwards(finding.around)
        .filter_map(|around| {
            let name = name_on_either_side(around)?;
            let lengths = parts.iter().take(around.depth);
            let length: usize = lengths.map(|part| part.full.len() + 1).sum();
            Some(Level {
                path: finding.path.text()[..base + length].to_owned(),
                name,
            })
        })
        .collect();
    found.reverse();
    found
}

/// Returns members with single values beside a difference: half of them before it, half after.
fn siblings(finding: &Finding<'_>, number: usize) -> Vec<Sibling> {
    let inner = outwards(finding.around).find(|around| matches!(around.new, Json::Object(_)));
    let (Some(inner), true) = (inner, number > 0) else {
        return Vec::new();
    };
    let Json::Object(members) = inner.new else {
        return Vec::new();
    };
    let own = finding.path.parts().nth(inner.depth);
    let own = own.map_or("", |part| part.bare);
    let position = members
        .iter()
        .position(|(name, _)| escaped(name) == own)
        .unwrap_or(members.len());
    let others = members
        .iter()
        .enumerate()
        .filter_map(|(place, (name, value))| {
            let value = single(value)?;
            (place != position && !name.words().is_empty()).then_some((place, name, value))
        });
    let mut others: Vec<_> = others.collect();
    others.sort_by_key(|(place, ..)| place.abs_diff(position));
    others.truncate(number);
    others.sort_by_key(|(place, ..)| *place);
    others
        .into_iter()
        .map(|(_, name, value)| Sibling {
            name: name.words().into_owned(),
            value: value.clone(),
        })
        .collect()
}

fn escaped(name: &Text) -> String {
    name.words().replace('~', "~0").replace('/', "~1")
}
