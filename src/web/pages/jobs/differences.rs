//! What a job or a preview changed, for the templates: places with their ways, and single entries.

use super::words::{address, how, per_mille};
use crate::convert::{Change, ChangeSummary, RuleBook, Verdict};
use crate::entry::Status;
use crate::service::jobs::JudgedAttempt;
use crate::service::reprocess::ChangesObject;
use crate::service::words::short;
use crate::web::pages::frame::Frame;

/// Places that are shown; further ones are counted.
const PLACES_SHOWN: usize = 40;
/// Ways of one place that are shown.
const WAYS_SHOWN: usize = 4;
/// Changes of one entry that are shown in a list.
const CHANGES_SHOWN: usize = 3;

/// The differences of many entries.
pub(super) struct Histogram {
    pub(super) places: Vec<Place>,
    /// What is not listed, in words; empty when all is.
    pub(super) more: String,
    /// What rules leave out, in words.
    pub(super) ignored: String,
    pub(super) proposals: Vec<Proposed>,
    /// What the proposal would do.
    pub(super) proposal_words: String,
}

/// One place, with a bar for the entries that differ there.
pub(super) struct Place {
    pub(super) path: String,
    pub(super) href: String,
    pub(super) entries: String,
    pub(super) changes: String,
    pub(super) per_mille: u64,
    pub(super) ways: Vec<Way>,
    pub(super) more_ways: String,
}

/// One way in which values differ.
pub(super) struct Way {
    pub(super) words: String,
    pub(super) changes: String,
    pub(super) example: String,
}

/// Rules to write into the section of a converter.
pub(super) struct Proposed {
    pub(super) converter: String,
    pub(super) text: String,
}

impl Histogram {
    /// Returns the histogram of a summary. `of_entries` is the address of the list of entries that
    /// differ at a place, if there is one.
    pub(super) fn of(
        summary: &ChangeSummary,
        rules: &RuleBook,
        of_entries: Option<&str>,
        frame: &Frame,
    ) -> Self {
        let object = ChangesObject::of(summary);
        let most = object.differences.first().map_or(1, |first| first.entries);
        let hidden = object.differences.len().saturating_sub(PLACES_SHOWN) as u64;
        let mut more = String::new();
        if hidden > 0 {
            more = frame.fill("jobs.more_places", &[("n", &frame.count(hidden))]);
        }
        if object.more_differences > 0 {
            let number = frame.count(object.more_differences);
            more += &frame.fill("jobs.more_changes", &[("n", &number)]);
        }
        let places = object.differences.iter().take(PLACES_SHOWN).map(|place| {
            let ways = place.patterns.iter().take(WAYS_SHOWN).map(|pattern| Way {
                words: how(pattern, frame.language),
                changes: frame.count(pattern.counted.changes),
                example: pattern.example.to_string(),
            });
            let more_ways = place.patterns.len().saturating_sub(WAYS_SHOWN) as u64;
            Place {
                href: of_entries
                    .map(|list| address(list, [("path", place.path.as_str())]))
                    .unwrap_or_default(),
                path: if place.path.is_empty() {
                    frame.say("jobs.whole_report").to_owned()
                } else {
                    place.path.clone()
                },
                entries: frame.count(place.entries),
                changes: frame.count(place.changes),
                per_mille: per_mille(place.entries, most),
                ways: ways.collect(),
                more_ways: match more_ways {
                    0 => String::new(),
                    more => frame.fill("jobs.more_ways", &[("n", &frame.count(more))]),
                },
            }
        });
        let ignored: u64 = object.ignored.iter().map(|rule| rule.counted.changes).sum();
        let rule_names = object.ignored.iter().map(|rule| rule.rule.as_str());
        let rule_names: Vec<&str> = rule_names.take(3).collect();
        let proposal = object.proposal.as_ref();
        Self {
            places: places.collect(),
            more,
            ignored: match ignored {
                0 => String::new(),
                n => frame.fill(
                    "jobs.ignored",
                    &[("n", &frame.count(n)), ("rules", &rule_names.join(", "))],
                ),
            },
            proposals: proposal
                .iter()
                .flat_map(|proposal| {
                    proposal.converters().into_iter().map(|converter| Proposed {
                        text: proposal.configuration(converter, rules.of_converter(converter)),
                        converter: converter.to_owned(),
                    })
                })
                .collect(),
            proposal_words: proposal
                .map(|proposal| {
                    let values = [
                        ("unchanged", frame.count(proposal.unchanged)),
                        ("changed", frame.count(proposal.changed)),
                        (
                            "now_unchanged",
                            frame.count(summary.number(Verdict::Unchanged)),
                        ),
                        ("now_changed", frame.count(summary.number(Verdict::Changed))),
                    ];
                    let values = values
                        .each_ref()
                        .map(|(name, value)| (*name, value.as_str()));
                    frame.fill("jobs.proposal_effect", &values)
                })
                .unwrap_or_default(),
        }
    }
}

/// An entry in the list of those that changed.
pub(super) struct ChangedRow {
    pub(super) id: u64,
    pub(super) verdict: &'static str,
    pub(super) status: crate::web::pages::parts::Mark,
    pub(super) is_suspicious: bool,
    /// The page that compares the two attempts in full.
    pub(super) diff_href: String,
    pub(super) changes: Vec<OneChange>,
    /// Further changes in words, or that there was no time to look.
    pub(super) more: String,
}

/// One difference.
pub(super) struct OneChange {
    pub(super) path: String,
    pub(super) within: String,
    pub(super) old: String,
    pub(super) new: String,
}

impl OneChange {
    pub(super) fn of(change: &Change) -> Self {
        let shown = |value: &Option<crate::convert::Json>| {
            value.as_ref().map_or_else(|| "–".to_owned(), short)
        };
        Self {
            path: change.path.clone(),
            within: change.within.clone().unwrap_or_default(),
            old: shown(&change.old),
            new: shown(&change.new),
        }
    }
}

impl ChangedRow {
    pub(super) fn of(judged: &JudgedAttempt, changes: Option<&[Change]>, frame: &Frame) -> Self {
        let id = judged.entry.0;
        let before = judged.before.map(|before| before.to_string());
        let attempt = judged.attempt.to_string();
        let pairs = [
            ("tab", "differences"),
            ("from", before.as_deref().unwrap_or_default()),
            ("to", attempt.as_str()),
        ];
        let all = changes.unwrap_or_default();
        let hidden = all.len().saturating_sub(CHANGES_SHOWN) as u64;
        let more = match (changes.is_none(), hidden) {
            (true, _) => frame.say("jobs.not_compared_here").to_owned(),
            (false, 0) => String::new(),
            (false, more) => frame.fill("jobs.more_of_entry", &[("n", &frame.count(more))]),
        };
        Self {
            id,
            verdict: verdict_words(judged.verdict, frame),
            status: frame.mark(Status::from(judged.status)),
            is_suspicious: judged.is_suspicious,
            diff_href: address(&format!("/entries/{id}"), pairs),
            changes: all.iter().take(CHANGES_SHOWN).map(OneChange::of).collect(),
            more,
        }
    }
}

/// Returns how a result compares, in a word.
pub(super) fn verdict_words(verdict: Option<Verdict>, frame: &Frame) -> &'static str {
    match verdict {
        Some(Verdict::Unchanged) => frame.say("jobs.verdict_unchanged"),
        Some(Verdict::Changed) => frame.say("jobs.verdict_changed"),
        Some(Verdict::Fixed) => frame.say("jobs.verdict_fixed"),
        Some(Verdict::Broken) => frame.say("jobs.verdict_broken"),
        None => frame.say("jobs.verdict_first"),
    }
}
