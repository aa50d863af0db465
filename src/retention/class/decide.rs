//! Decides about one entry by its class: when each part is due, and what goes.

use serde::{Serialize, Serializer};

use super::{Base, Class, Keep};
use crate::complete::Complete;
use crate::entry::{Attempt, Entry, Outcome, Part, whole_part};
use crate::time::Timestamp;

/// Clocks that nobody has set begin in 1970, and those of FAT file systems on 1 January 1980. This
/// is a day later.
const CLOCKS_ARE_SET: Timestamp = Timestamp::from_micros(315_619_200_000_000);

/// When a part of an entry may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "due", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Due {
    /// From this time on.
    At {
        /// That time.
        at: Timestamp,
        /// The time that its period counts from.
        from: Timestamp,
    },
    /// Never.
    Never,
    /// Not yet known: what its period counts from is not there.
    Undated {
        /// Why.
        why: Undated,
    },
}

fn whole_due<S: Serializer>(due: &Due, to: S) -> Result<S::Ok, S::Error> {
    Complete::new(due, &["due", "at", "from", "why"]).serialize(to)
}

impl Due {
    fn is_over(&self, now: Timestamp) -> bool {
        matches!(self, Self::At { at, .. } if *at <= now)
    }
}

/// Why the time that a period counts from is not known. The part stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Undated {
    /// The source had no modification time.
    NoSourceTime,
    /// The source's modification time is from before 1980-01-02: the clock of its machine was not
    /// set.
    ClockNotSet,
    /// It was never converted.
    NeverConverted,
    /// No server has accepted a report.
    NeverReported,
    /// The event that it waits for has not happened: there is no such label or metadata.
    NotHappened,
    /// The date that a label or metadata tells cannot be read.
    NoDate,
}

impl Undated {
    /// Returns it in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoSourceTime => "the source had no modification time",
            Self::ClockNotSet => "the clock that dated the source was not set",
            Self::NeverConverted => "it was never converted",
            Self::NeverReported => "no server has accepted a report",
            Self::NotHappened => "what the period starts from has not happened",
            Self::NoDate => "the date that the period starts from cannot be read",
        }
    }
}

/// A part of an entry that is there, and when it may go by its class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartDue {
    /// The part.
    #[serde(flatten, serialize_with = "whole_part")]
    pub part: Part,
    /// When.
    #[serde(flatten, serialize_with = "whole_due")]
    pub due: Due,
    /// The rule.
    pub rule: String,
}

/// A part that goes, and the rule that takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) part: Part,
    pub(crate) rule: String,
}

/// Returns the parts of an entry that are there, with the times from which they may go. An entry
/// without content is one part.
pub(crate) fn due_parts(class: &Class, entry: &Entry) -> Vec<PartDue> {
    let base = base(class, entry);
    let mut parts = Vec::new();
    let keeps = class.keep;
    let named = |name: &str, keep: Keep| {
        let which = if keeps.sources == keeps.reports {
            ""
        } else {
            name
        };
        format!("keep {which}{keep}{}", class.counting())
    };
    if entry.has_source() {
        parts.push(PartDue {
            part: Part::Source,
            due: due(class, entry, keeps.sources, base),
            rule: named("sources ", keeps.sources),
        });
    }
    let newest = entry.attempts_with_reports().last();
    if let Some(newest) = newest {
        parts.push(PartDue {
            part: Part::Reports {
                through: newest.attempt,
            },
            due: due(class, entry, keeps.reports, base),
            rule: named("reports ", keeps.reports),
        });
    }
    if parts.is_empty() && entry.purged_at.is_none() {
        // Only facts are there. They go when a source would.
        parts.push(PartDue {
            part: Part::Entry,
            due: due(class, entry, keeps.sources, base),
            rule: named("sources ", keeps.sources),
        });
    }
    if let Some(keep) = keeps.superseded {
        parts.extend(superseded(class, entry, keep));
    }
    parts
}

/// Returns the superseded reports that are there. Several attempts may have been replaced at
/// different times, so there is one part for each of them.
fn superseded(class: &Class, entry: &Entry, keep: Keep) -> Vec<PartDue> {
    let Some(last) = entry.superseded_through() else {
        return Vec::new();
    };
    let replaces = |other: &Attempt| other.status == Outcome::Success && !other.reports.is_empty();
    let mut parts = Vec::new();
    for attempt in entry.attempts_with_reports() {
        if attempt.attempt > last {
            break;
        }
        let mut later = entry.attempts.iter();
        let by = later.find(|other| other.attempt > attempt.attempt && replaces(other));
        let replaced = by.map(|other| other.at).ok_or(Undated::NeverConverted);
        parts.push(PartDue {
            part: Part::Superseded {
                through: attempt.attempt,
            },
            due: due(class, entry, keep, replaced),
            rule: format!("keep superseded {keep}{}", class.ending()),
        });
    }
    parts
}

/// Returns what goes of an entry at `now`. Nothing overlaps. When nothing of the entry would be
/// left, it is the entry that goes.
pub(crate) fn taken(class: &Class, entry: &Entry, now: Timestamp) -> (Vec<Taken>, Option<Undated>) {
    let parts = due_parts(class, entry);
    let undated = parts.iter().find_map(|part| match part.due {
        Due::Undated { why } => Some(why),
        Due::At { .. } | Due::Never => None,
    });
    let over = |part: &&PartDue| part.due.is_over(now);
    let content = |part: &&PartDue| !matches!(part.part, Part::Superseded { .. });
    let take = |part: &PartDue| Taken {
        part: part.part,
        rule: part.rule.clone(),
    };
    let whole: Vec<&PartDue> = parts.iter().filter(content).collect();
    if let Some(last) = whole.iter().max_by_key(|part| match part.due {
        Due::At { at, .. } => at,
        Due::Never | Due::Undated { .. } => Timestamp::MAX,
    }) && whole.iter().all(|part| part.due.is_over(now))
    {
        let rule = last.rule.clone();
        let part = Part::Entry;
        return (vec![Taken { part, rule }], None);
    }
    let mut takes: Vec<Taken> = whole.iter().copied().filter(over).map(take).collect();
    let reports_go = takes
        .iter()
        .any(|taken| matches!(taken.part, Part::Reports { .. }));
    if !reports_go {
        let superseded = parts.iter().filter(|part| !content(part));
        takes.extend(superseded.take_while(over).last().map(take));
    }
    (takes, undated)
}

fn due(class: &Class, entry: &Entry, keep: Keep, base: Result<Timestamp, Undated>) -> Due {
    let period = match keep {
        Keep::Forever => return Due::Never,
        Keep::Recorded => {
            let from = entry.archived_at;
            let at = entry.retention.expires_at(from);
            return at.map_or(Due::Never, |at| Due::At { at, from });
        }
        Keep::For(period) => period,
    };
    match base {
        Err(why) => Due::Undated { why },
        Ok(from) => match class.zone.after(from, period, class.until) {
            Some(at) => Due::At { at, from },
            None => Due::Never,
        },
    }
}

/// Returns the time that the periods of a class count from.
fn base(class: &Class, entry: &Entry) -> Result<Timestamp, Undated> {
    let reports = entry.attempts.iter().flat_map(|attempt| &attempt.reports);
    match &class.from {
        Base::Archived => Ok(entry.archived_at),
        Base::SourceTime => match entry.source_modified {
            None => Err(Undated::NoSourceTime),
            Some(at) if at < CLOCKS_ARE_SET => Err(Undated::ClockNotSet),
            Some(at) => Ok(at),
        },
        Base::LastAttempt => {
            let last = entry.attempts.iter().map(|attempt| attempt.at).max();
            last.ok_or(Undated::NeverConverted)
        }
        Base::Reported => {
            let accepted = reports.filter_map(|report| report.reported_at);
            accepted.max().ok_or(Undated::NeverReported)
        }
        Base::Label(name) => happened(class, entry, name),
    }
}

/// Returns when the event of this name happened, as labels and metadata tell it.
fn happened(class: &Class, entry: &Entry, name: &str) -> Result<Timestamp, Undated> {
    let same = |text: &str| text.to_lowercase() == name.to_lowercase();
    let mut dates = Vec::new();
    let mut unreadable = false;
    let mut told = |text: &str| match read_date(class, text) {
        Some(date) => dates.push(date),
        None => unreadable = true,
    };
    let meta = entry.meta.iter().filter(|(key, _)| same(key));
    meta.for_each(|(_, value)| told(value));
    let mut bare = false;
    for label in &entry.labels {
        match label.split_once('=') {
            Some((key, value)) if same(key.trim()) => told(value.trim()),
            None if same(label) => bare = true,
            _ => {}
        }
    }
    if bare {
        // The label stands since the newest note that put it there.
        let puts = |labels: &[String]| labels.iter().any(|label| same(label));
        let notes = entry.notes.iter().filter(|note| puts(&note.labels));
        dates.extend(notes.map(|note| note.at).max());
    }
    match dates.into_iter().max() {
        // A date that cannot be read may be the last one.
        Some(_) | None if unreadable => Err(Undated::NoDate),
        Some(date) => Ok(date),
        None => Err(Undated::NotHappened),
    }
}

fn read_date(class: &Class, text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| class.zone.start_of(text))
}

#[cfg(test)]
mod tests {
    //! The time that a period counts from. What is not known keeps, and is never taken for "long
    //! ago".

    use super::*;
    use crate::entry::{Note, Period};

    fn entry(more: &str) -> Entry {
        let digest = "00".repeat(32);
        let text = format!(
            r#"{{"id":3,"converter":"ICT","converter_version":null,"source_name":"a","source_path":"a",
            "source_modified":null,"archived_at":"2026-03-01T08:00:00+00:00","status":"pending","size":1,
            "stored_size":1,"blake3":"{digest}","sha256":"{digest}","unit":{{}},"unit_given":0,"meta":{{}},
            "arguments":{{}},"retention":"90d","key":null,"report_id":null,"attempts":[],"holds":[],
            "purged_at":null,"purged_by":null}}"#
        );
        let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let more: serde_json::Value = serde_json::from_str(more).expect("JSON");
        let fields = more.as_object().expect("an object").clone();
        value.as_object_mut().expect("an object").extend(fields);
        serde_json::from_value(value).expect("an entry")
    }

    fn of(from: &str) -> Class {
        let keep = Keep::For(Period::years(1));
        Class::new("c")
            .keep(keep)
            .from(from.parse().expect("a base"))
    }

    fn starts(from: &str, more: &str) -> Result<String, Undated> {
        base(&of(from), &entry(more)).map(|time| time.to_utc_string()[..10].to_owned())
    }

    #[test]
    fn each_base_is_a_time_of_the_entry_or_a_reason_to_stay() {
        assert_eq!(starts("archived", "{}"), Ok("2026-03-01".into()));
        assert_eq!(starts("source_time", "{}"), Err(Undated::NoSourceTime));
        let modified = |day: &str| format!(r#"{{"source_modified":"{day}T00:00:00+00:00"}}"#);
        assert_eq!(
            starts("source_time", &modified("2026-02-01")),
            Ok("2026-02-01".into())
        );
        // A tester without a battery dates its files 1970 or 1980.
        for day in ["1970-01-01", "1980-01-01"] {
            assert_eq!(
                starts("source_time", &modified(day)),
                Err(Undated::ClockNotSet)
            );
        }
        assert_eq!(starts("last_attempt", "{}"), Err(Undated::NeverConverted));
        assert_eq!(starts("reported", "{}"), Err(Undated::NeverReported));
    }

    #[test]
    fn an_event_is_told_by_a_label_a_dated_label_or_metadata_and_the_last_date_counts() {
        let told = |more: &str| starts("label:end", more);
        assert_eq!(told("{}"), Err(Undated::NotHappened));
        assert_eq!(
            told(r#"{"labels":["end=2027-05-01"]}"#),
            Ok("2027-05-01".into())
        );
        assert_eq!(
            told(r#"{"meta":{"END":"2028-01-02"}}"#),
            Ok("2028-01-02".into())
        );
        let both = r#"{"labels":["end=2027-05-01"],"meta":{"end":"2028-01-02"}}"#;
        assert_eq!(told(both), Ok("2028-01-02".into()));
        let wrong = r#"{"labels":["end=2027-05-01","end=soon"]}"#;
        assert_eq!(told(wrong), Err(Undated::NoDate));
        assert_eq!(
            told(r#"{"labels":["ending=2027-05-01"]}"#),
            Err(Undated::NotHappened)
        );
        let mut labelled = entry(r#"{"labels":["End"]}"#);
        let note = r#"{"event":9,"at":"2026-06-07T08:00:00+00:00","by":"x","text":null,
            "labels":["end"],"unlabels":[],"changes":[],"reason":"r"}"#;
        labelled
            .notes
            .push(serde_json::from_str::<Note>(note).expect("a note"));
        let at = base(&of("label:end"), &labelled).expect("told");
        assert_eq!(&at.to_utc_string()[..10], "2026-06-07");
    }

    #[test]
    fn a_base_in_the_future_keeps_until_after_it() {
        let ahead = entry(r#"{"source_modified":"2090-01-01T00:00:00+00:00"}"#);
        let now = "2080-01-01T00:00:00+00:00".parse().expect("valid");
        assert_eq!(taken(&of("source_time"), &ahead, now), (Vec::new(), None));
    }

    #[test]
    fn an_entry_with_facts_only_goes_when_its_source_would() {
        let facts = entry(r#"{"facts_only":true}"#);
        let class = of("archived");
        let before = "2027-03-01T07:59:59+00:00".parse().expect("valid");
        assert_eq!(taken(&class, &facts, before), (Vec::new(), None));
        let after = "2027-03-01T08:00:00+00:00".parse().expect("valid");
        let rule = "keep 1y".to_owned();
        let part = Part::Entry;
        let all = vec![Taken { part, rule }];
        assert_eq!(taken(&class, &facts, after), (all, None));
    }

    #[test]
    fn recorded_periods_stay_what_they_were() {
        let class = Class::new("c").keep(Keep::Recorded);
        let due = due_parts(&class, &entry("{}"));
        let at = "2026-05-30T08:00:00+00:00".parse().expect("valid");
        assert!(
            matches!(due[0].due, Due::At { at: found, .. } if found == at),
            "{due:?}"
        );
    }
}
