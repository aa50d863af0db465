//! Proposes rules for places that are generated in each run.

use std::fmt::Write as _;

use serde::Serialize;

use super::generated::Generated;
use super::judge::Verdict;
use super::rules::CompareRules;
use super::summary::ChangeSummary;

/// Minimum number of reports that a proposal rests on.
const REPORTS_MIN: u64 = 3;

/// A place that should not count, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProposedRule {
    /// The pattern to ignore.
    pub ignore: String,
    /// What is generated there.
    pub kind: Generated,
    /// The converters whose reports have the place.
    pub converters: Vec<String>,
    /// Number of changed reports that differ there.
    pub reports: u64,
    /// Number of changed reports.
    pub of: u64,
    /// Why its values are taken for generated.
    pub why: String,
}

/// Rules to add, and what the verdicts would be with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Proposal {
    /// The rules, those that concern most reports first.
    pub rules: Vec<ProposedRule>,
    /// Number of entries that would be unchanged.
    pub unchanged: u64,
    /// Number of entries that would be changed.
    pub changed: u64,
}

impl ChangeSummary {
    /// Proposes rules when most changed reports differ in nothing but generated values.
    ///
    /// Members that are named like data (a value, a limit, a status, a serial number) are never
    /// proposed, nor are values that came in another report before, times that moved by a constant
    /// distance, and versions that differ from report to report. At least three reports must agree.
    pub fn proposal(&self) -> Option<Proposal> {
        let changed = self.number(Verdict::Changed);
        let generated: Vec<(u32, ProposedRule)> = self
            .each_place()
            .filter(|(_, place)| place.counted.reports >= REPORTS_MIN)
            .filter_map(|(path, place)| {
                let (kind, why) = place.evidence.conclusion()?;
                let rule = ProposedRule {
                    ignore: path.to_owned(),
                    kind,
                    converters: place.converters.iter().cloned().collect(),
                    reports: place.counted.reports,
                    of: changed,
                    why,
                };
                Some((place.number, rule))
            })
            .collect();
        let is_generated = |place: &u32| generated.iter().any(|(number, _)| number == place);
        let mut would = 0;
        let mut needed: Vec<u32> = Vec::new();
        for (places, reports) in self.combinations() {
            if places.iter().all(is_generated) {
                would += reports;
                needed.extend(places);
            }
        }
        if would < REPORTS_MIN || would * 2 <= changed {
            return None;
        }
        let rules = generated.into_iter();
        let mut rules: Vec<ProposedRule> = rules
            .filter(|(number, _)| needed.contains(number))
            .map(|(_, rule)| rule)
            .collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.reports));
        Some(Proposal {
            rules,
            unchanged: self.number(Verdict::Unchanged) + would,
            changed: changed - would,
        })
    }
}

impl Proposal {
    /// Returns the converters whose reports have the places.
    pub fn converters(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .rules
            .iter()
            .flat_map(|rule| &rule.converters)
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns what to write into the section of a converter. Each rule has its reason above it;
    /// patterns that the converter ignores already come first.
    pub fn configuration(&self, converter: &str, configured: &CompareRules) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut out = "compare.ignore = [\n".to_owned();
        for pattern in configured.ignored() {
            let _ = writeln!(out, "  {},", quoted(pattern.as_str()));
        }
        let concerned = |rule: &&ProposedRule| rule.converters.iter().any(|name| name == converter);
        for rule in self.rules.iter().filter(concerned) {
            let (reports, of) = (rule.reports, rule.of);
            let _ = writeln!(out, "  # {reports} of {of} changed reports: {}", rule.why);
            let _ = writeln!(out, "  {},", quoted(&rule.ignore));
        }
        out + "]\n"
    }
}
