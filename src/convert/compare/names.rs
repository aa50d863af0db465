//! Finds the names of objects, such as those of test steps.

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
/// Number of members among which the name of an object is looked for. Objects with names have it
/// near their beginning, and an object may have a million members that all differ.
const NAMED_AMONG: usize = 50;
/// Maximum characters of a name.
const NAME_CHARS_MAX: usize = 80;

/// Returns the name of the innermost object around a difference that has one.
pub(super) fn name_around(finding: &Finding<'_>) -> Option<String> {
    let own = finding.new.or(finding.old).and_then(name_of);
    own.or_else(|| outwards(finding.around).find_map(name_on_either_side))
}

pub(super) fn outwards<'a>(around: Option<&'a Around<'a>>) -> impl Iterator<Item = &'a Around<'a>> {
    std::iter::successors(around, |around| around.outer)
}

pub(super) fn name_on_either_side(around: &Around<'_>) -> Option<String> {
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
        let first = members.iter().take(NAMED_AMONG);
        let mut named = first.filter(|(name, _)| is_called(name, wanted));
        named.find_map(|(_, value)| {
            let text = single(value)?;
            let text = text.as_text()?;
            let shortened: String = text.trim().chars().take(NAME_CHARS_MAX).collect();
            (!shortened.is_empty()).then_some(shortened)
        })
    })
}

/// Returns a value that is no structure. In XML it is the text of the only element of a name.
pub(super) fn single(value: &Json) -> Option<&Json> {
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
