//! Shows differences with the values around them, for reports that nobody reads as a whole.

use serde::Serialize;

use super::change::Change;
use super::names::{name_on_either_side, outwards, single};
use super::path::{Part, PathPattern};
use super::reports::each_difference;
use super::rules::CompareRules;
use super::walk::Finding;
use crate::convert::protocol::{Json, Text};

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
