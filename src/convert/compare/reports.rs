//! Compares the reports of two runs.

use super::change::Difference;
use super::path::Path;
use super::rules::CompareRules;
use super::walk::{Finding, walk, whole};

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
pub(super) fn each_difference(
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
                let [old, new] = [old, new].map(|bytes| bytes.map(|bytes| whole(bytes)));
                found(&Finding {
                    path: &Path::below(&base),
                    old: old.as_ref(),
                    new: new.as_ref(),
                    rule: None,
                    around: None,
                });
            }
        }
    }
}
