//! What differs between two attempts of an entry.

use serde::Serialize;

use crate::archive::Archive;
use crate::convert::{
    Change, ChangeInContext, Difference, Focus, PathPattern, RuleBook, Run, Verdict,
    compare_in_context, judge,
};
use crate::entry::{Attempt, Entry};
use crate::host::Config;
use crate::id::{AttemptNo, EntryId};
use crate::service::content::{refuse_purged, refuse_purged_reports};
use crate::service::time::Zone;
use crate::{Error, ErrorKind, Result};

/// What is asked about the difference between two attempts.
#[derive(Debug, Clone)]
pub struct Compare {
    /// The newer attempt; the last one if `None`.
    pub attempt: Option<u32>,
    /// The older attempt; the one before if `None`.
    pub against: Option<u32>,
    /// Only what differs at this place, or below it.
    pub path: Option<PathPattern>,
    /// Each difference with so many members beside it.
    pub context: Option<usize>,
    /// Most differences with what is around them.
    pub limit: usize,
    /// Most bytes of a report that is compared.
    pub report_bytes_max: u64,
}

/// Returns the rules of the configured converters.
pub fn configured_rules(config: Option<&Config>) -> RuleBook {
    let configured = config.iter().flat_map(|config| &config.converters);
    let converters = configured.map(|config| &config.converter);
    RuleBook::of(converters.map(|converter| (converter.name.as_str(), &converter.compare)))
}

/// The most bytes of a report that the command line compares.
const REPORT_BYTES_MAX: u64 = 256 << 20;

/// Two attempts of an entry, and what differs between them.
#[derive(Debug)]
pub struct Comparison {
    /// The entry.
    pub id: EntryId,
    /// The older attempt.
    pub old: Attempt,
    /// The newer attempt.
    pub new: Attempt,
    /// What the difference says about the entry.
    pub verdict: Verdict,
    /// What differs, and what rules leave out.
    pub difference: Difference,
    /// What differs, with what is around it; empty unless that was asked for.
    pub around: Vec<ChangeInContext>,
    /// How many more of these there are.
    pub more_around: u64,
    path: Option<PathPattern>,
    has_context: bool,
}

/// A comparison as JSON output shows it.
#[derive(Debug, Serialize)]
pub struct Compared<'a> {
    id: EntryId,
    attempt: AttemptNo,
    against: AttemptNo,
    verdict: Verdict,
    changes: Shown<'a>,
    /// Number of differences that are not listed.
    more_changes: u64,
    ignored: &'a [Change],
    more_ignored: u64,
}

/// The differences, with or without what is around them.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Plain(Vec<&'a Change>),
    InContext(&'a [ChangeInContext]),
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            attempt: None,
            against: None,
            path: None,
            context: None,
            limit: 40,
            report_bytes_max: REPORT_BYTES_MAX,
        }
    }
}

impl Compare {
    /// Compares two attempts of an entry by the rules of its converter.
    pub fn of(
        &self,
        archive: &Archive,
        entry: &Entry,
        rules: &RuleBook,
        zone: &Zone,
    ) -> Result<Comparison> {
        refuse_purged(entry, zone)?;
        let (old, new) = self.pair(entry)?;
        for attempt in [old, new] {
            refuse_purged_reports(entry, attempt.attempt, zone)?;
        }
        let rules = rules.of_converter(&new.converter);
        let read = |attempt| reports_of(archive, attempt, self.report_bytes_max);
        let (old_reports, new_reports) = (read(old)?, read(new)?);
        let as_run = |attempt: &Attempt, reports| Run {
            outcome: attempt.status,
            reports,
            unit: None,
        };
        let judged = judge(rules, as_run(old, &old_reports), as_run(new, &new_reports));
        let (around, more_around) = match self.context {
            None => (Vec::new(), 0),
            Some(siblings) => {
                let focus = Focus {
                    path: self.path.clone(),
                    siblings,
                    limit: self.limit,
                };
                compare_in_context(rules, &old_reports, &new_reports, &focus)
            }
        };
        Ok(Comparison {
            id: entry.id,
            old: old.clone(),
            new: new.clone(),
            verdict: judged.verdict,
            difference: judged.difference,
            around,
            more_around,
            path: self.path.clone(),
            has_context: self.context.is_some(),
        })
    }

    /// Returns the attempts to compare, the older one first.
    pub fn pair<'a>(&self, entry: &'a Entry) -> Result<(&'a Attempt, &'a Attempt)> {
        let count = u32::try_from(entry.attempts.len()).unwrap_or(u32::MAX);
        let find = |wanted: u32| {
            entry
                .attempts
                .iter()
                .find(|attempt| attempt.attempt.0 == wanted)
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::NotFound,
                        format!("entry {} has no attempt {wanted}", entry.id),
                    )
                    .hint(format!("`annals show {}` lists its attempts", entry.id))
                })
        };
        let newer = self.attempt.unwrap_or(count);
        if self.against.is_none() && newer == count.min(1) {
            return Err(Error::new(
                ErrorKind::NotFound,
                match count {
                    0 => format!("entry {} was never converted", entry.id),
                    _ => format!("there is no attempt before attempt 1 of entry {}", entry.id),
                },
            )
            .hint("`annals reprocess ID` makes another attempt"));
        }
        let new = find(newer)?;
        let old = find(self.against.unwrap_or(newer - 1))?;
        Ok((old, new))
    }
}

impl Comparison {
    /// Returns the differences at the place that was asked for.
    pub fn meant(&self) -> Vec<&Change> {
        let changes = self.difference.changes.iter();
        let pattern = self.path.as_ref();
        changes
            .filter(|change| pattern.is_none_or(|pattern| pattern.covers(&change.path)))
            .collect()
    }

    /// Returns the number of differences that do not count.
    pub fn ignored(&self) -> u64 {
        self.difference.ignored.len() as u64 + self.difference.more_ignored
    }

    /// Returns the object of the comparison.
    pub fn object(&self) -> Compared<'_> {
        Compared {
            id: self.id,
            attempt: self.new.attempt,
            against: self.old.attempt,
            verdict: self.verdict,
            changes: if self.has_context {
                Shown::InContext(&self.around)
            } else {
                Shown::Plain(self.meant())
            },
            more_changes: if self.has_context {
                self.more_around
            } else {
                self.difference.more_changes
            },
            ignored: &self.difference.ignored,
            more_ignored: self.difference.more_ignored,
        }
    }
}

fn reports_of(archive: &Archive, attempt: &Attempt, bytes_max: u64) -> Result<Vec<Vec<u8>>> {
    let reports = attempt.reports.iter();
    reports
        .map(|report| archive.read_all(&report.blake3, bytes_max))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::entries::sample;

    #[test]
    fn the_last_attempt_is_compared_with_the_one_before_unless_others_are_named() {
        let mut entry = sample();
        let asked = |attempt, against| Compare {
            attempt,
            against,
            ..Compare::default()
        };
        let (none, second, cross) = (
            asked(None, None),
            asked(Some(2), None),
            asked(Some(1), Some(3)),
        );
        let error = none.pair(&entry).expect_err("only one attempt");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        for number in 2..=3 {
            let mut attempt = entry.attempts[0].clone();
            attempt.attempt = AttemptNo(number);
            entry.attempts.push(attempt);
        }
        let numbers = |asked: &Compare| {
            let (old, new) = asked.pair(&entry).expect("both are there");
            (old.attempt.0, new.attempt.0)
        };
        assert_eq!(numbers(&none), (2, 3));
        assert_eq!(numbers(&second), (1, 2));
        assert_eq!(numbers(&cross), (3, 1));
        let missing = asked(Some(9), None);
        assert!(missing.pair(&entry).is_err());
        entry.attempts.clear();
        assert!(none.pair(&entry).is_err());
    }
}
