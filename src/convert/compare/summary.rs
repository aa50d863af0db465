//! Sums up the differences of many reports by their places.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::change::{Change, Difference};
use super::counted::Counted;
use super::evidence::Evidence;
use super::judge::Verdict;
use super::path::general;
use super::pattern::{ChangePattern, Patterns};
use crate::id::EntryId;

/// Maximum number of places that are kept. Changes at further ones are only counted.
const PLACES_MAX: usize = 1_000;
/// Maximum number of combinations of places that are kept.
const COMBINATIONS_MAX: usize = 1_000;
/// Maximum number of rules, and of converters of one place, that are kept.
const NAMES_MAX: usize = 1_000;

/// The differences of many reports, summed up by place.
///
/// Paths are general: `/steps/*/limits/high` is a place in every step. Memory is bounded, whatever
/// the number of reports: 1,000 places, each with eight patterns of change, and 1,000 combinations
/// of places. What does not fit is counted.
#[derive(Debug, Clone, Default)]
pub struct ChangeSummary {
    places: BTreeMap<String, Place>,
    beyond: u64,
    /// Number of reports by the places at which they differ.
    combinations: HashMap<Vec<u32>, u64>,
    /// Number of changed reports whose places are not known.
    uncombined: u64,
    verdicts: [u64; 4],
    ignored: BTreeMap<String, Counted>,
}

#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) number: u32,
    pub(super) counted: Counted,
    pub(super) patterns: Patterns,
    pub(super) evidence: Evidence,
    pub(super) converters: BTreeSet<String>,
}

/// One place at which reports differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChangedPlace {
    /// The general path; it is a pattern that selects the place.
    pub path: String,
    /// Number of reports and differences.
    #[serde(flatten)]
    pub counted: Counted,
    /// How the values differ, the most frequent way first.
    pub patterns: Vec<ChangePattern>,
}

/// Differences that a rule leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IgnoredByRule {
    /// The rule.
    pub rule: String,
    /// Number of reports and differences.
    #[serde(flatten)]
    pub counted: Counted,
}

impl ChangeSummary {
    /// Adds the differences of one entry's reports. An entry is added once.
    pub fn add(
        &mut self,
        entry: EntryId,
        converter: &str,
        verdict: Option<Verdict>,
        difference: &Difference,
    ) {
        let mut combination = Some(BTreeSet::new());
        for change in &difference.changes {
            match (self.add_change(entry, converter, change), &mut combination) {
                (Some(place), Some(places)) => {
                    places.insert(place);
                }
                _ => combination = None,
            }
        }
        for change in &difference.ignored {
            let rule = change.rule.as_deref().unwrap_or_default();
            if let Some(counted) = self.ignored.get_mut(rule) {
                counted.count(entry);
            } else if self.ignored.len() < NAMES_MAX {
                self.ignored
                    .entry(rule.to_owned())
                    .or_default()
                    .count(entry);
            }
        }
        if difference.more_changes > 0 {
            self.beyond += difference.more_changes;
            combination = None;
        }
        let Some(verdict) = verdict else { return };
        self.verdicts[verdict as usize] += 1;
        if verdict == Verdict::Changed {
            self.combine(combination);
        }
    }

    fn combine(&mut self, combination: Option<BTreeSet<u32>>) {
        let Some(places) = combination.filter(|places| !places.is_empty()) else {
            self.uncombined += 1;
            return;
        };
        let places: Vec<u32> = places.into_iter().collect();
        if let Some(reports) = self.combinations.get_mut(&places) {
            *reports += 1;
        } else if self.combinations.len() < COMBINATIONS_MAX {
            self.combinations.insert(places, 1);
        } else {
            self.uncombined += 1;
        }
    }

    /// Adds one difference. Returns the number of its place, or `None` if that is not kept.
    fn add_change(&mut self, entry: EntryId, converter: &str, change: &Change) -> Option<u32> {
        let path = general(&change.path);
        if !self.places.contains_key(&path) && self.places.len() >= PLACES_MAX {
            self.beyond += 1;
            return None;
        }
        let number = u32::try_from(self.places.len()).ok()?;
        let place = self.places.entry(path).or_insert_with_key(|path| Place {
            number,
            counted: Counted::default(),
            patterns: Patterns::default(),
            evidence: Evidence::at(path),
            converters: BTreeSet::new(),
        });
        place.counted.count(entry);
        place.patterns.add(entry, change);
        place.evidence.add(entry, change);
        if !place.converters.contains(converter) && place.converters.len() < NAMES_MAX {
            place.converters.insert(converter.to_owned());
        }
        Some(place.number)
    }

    /// Returns the places that differ, those in most reports first.
    pub fn places(&self) -> Vec<ChangedPlace> {
        let mut places: Vec<ChangedPlace> = self
            .places
            .iter()
            .map(|(path, place)| ChangedPlace {
                path: path.clone(),
                counted: place.counted,
                patterns: place.patterns.told(place.counted),
            })
            .collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.counted.reports));
        places
    }

    /// Returns the number of differences at places that are not kept.
    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Returns what rules leave out, by rule.
    pub fn ignored(&self) -> Vec<IgnoredByRule> {
        let rules = self.ignored.iter();
        rules
            .map(|(rule, counted)| IgnoredByRule {
                rule: rule.clone(),
                counted: *counted,
            })
            .collect()
    }

    /// Returns how many entries have a verdict.
    pub fn number(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize]
    }

    pub(super) fn each_place(&self) -> impl Iterator<Item = (&str, &Place)> {
        let places = self.places.iter();
        places.map(|(path, place)| (path.as_str(), place))
    }

    /// Returns the combinations of places in which reports differ, with the number of reports.
    pub(super) fn combinations(&self) -> impl Iterator<Item = (&[u32], u64)> {
        let all = self.combinations.iter();
        all.map(|(places, reports)| (places.as_slice(), *reports))
    }
}
