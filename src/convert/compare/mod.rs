//! Compares the reports of two runs, and judges what the difference says about an entry.
//!
//! Reports are compared by structure, in which the order of members and white space do not count:
//!
//! - JSON: numbers are compared by their exact decimal value, repeated members one by one.
//! - XML: elements and attributes, whatever their prefixes and however their text is written.
//! - Tables of separated columns whose first row names them.
//! - A text inside of a report that is XML or a table is compared like that, too.
//!
//! Lists are aligned by their equal beginnings and ends, or by a member that [`CompareRules`] name.
//! What is none of these is compared line by line if it is text, and otherwise as bytes.

mod change;
mod context;
mod evidence;
mod generated;
mod judge;
mod path;
mod pattern;
mod proposal;
mod rules;
mod summary;
mod table;
mod tolerance;
mod walk;
mod xml;

pub use change::{Change, Difference};
pub use context::{ChangeInContext, Focus, Level, Sibling, compare_in_context};
pub use generated::Generated;
pub use judge::{Judgement, Run, Verdict, judge};
pub use path::{ParsePatternError, PathPattern};
pub use pattern::{ChangeKind, ChangePattern};
pub use proposal::{Proposal, ProposedRule};
pub use rules::{CompareRules, RuleBook, RuleError};
pub use summary::{ChangeSummary, ChangedPlace, Counted, IgnoredByRule};
pub use tolerance::{ParseToleranceError, Tolerance};

use self::walk::{Finding, walk};
use crate::convert::protocol::Json;
use crate::id::BlobId;

/// Compares two reports. Only what a run generates does not count: see [`CompareRules`].
pub fn compare(old: &[u8], new: &[u8]) -> Difference {
    compare_with(&CompareRules::default(), old, new)
}

/// Compares two reports by rules.
pub fn compare_with(rules: &CompareRules, old: &[u8], new: &[u8]) -> Difference {
    let mut all = Difference::default();
    walk(rules, "", old, new, &mut |finding| all.add(finding));
    all
}

/// Compares the reports of two runs pairwise, by their position in the list.
///
/// Paths in several reports begin with `/reports/1` for the second one. Patterns of rules are
/// compared with the rest of the path.
pub fn compare_reports(rules: &CompareRules, old: &[Vec<u8>], new: &[Vec<u8>]) -> Difference {
    let mut all = Difference::default();
    each_difference(rules, old, new, &mut |finding| all.add(finding));
    all
}

/// Calls `found` for each difference of the reports of two runs.
fn each_difference(
    rules: &CompareRules,
    old: &[Vec<u8>],
    new: &[Vec<u8>],
    found: &mut dyn FnMut(&Finding<'_>),
) {
    if let ([old], [new]) = (old, new) {
        return walk(rules, "", old, new, found);
    }
    for place in 0..old.len().max(new.len()) {
        let base = format!("/reports/{place}");
        match (old.get(place), new.get(place)) {
            (Some(old), Some(new)) => walk(rules, &base, old, new, found),
            (old, new) => {
                let [old, new] = [old, new].map(|bytes| bytes.map(|bytes| summary(bytes)));
                found(&Finding {
                    path: &path::Path::below(&base),
                    old: old.as_ref(),
                    new: new.as_ref(),
                    rule: None,
                    around: None,
                });
            }
        }
    }
}

/// Describes a report that is shown as a whole.
fn summary(bytes: &[u8]) -> Json {
    let id = BlobId::of(bytes).to_string();
    Json::text(format!("{} bytes, blake3 {}", bytes.len(), &id[..16]))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tests;
