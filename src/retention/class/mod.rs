//! The classes of a policy: which entries belong to one, and how long their parts are kept.

#[cfg(feature = "host")]
mod bytes;
mod decide;
mod keep;
mod limits;
#[cfg(feature = "host")]
mod reach;

use std::fmt;
use std::str::FromStr;

use crate::entry::ParseWordError;
use crate::query::Filter;
use crate::retention::words;
use crate::retention::zone::{Until, Zone};
use crate::setters::setters;

pub use decide::{Due, PartDue, Undated};
pub use keep::Keep;

#[cfg(feature = "host")]
pub(crate) use bytes::parse_bytes;
pub(crate) use decide::{Taken, due_parts, taken};
pub(crate) use limits::{Tally, over};
#[cfg(feature = "host")]
pub(crate) use reach::unreachable;

/// One class of a policy. The first class that an entry matches decides about it, and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Class {
    /// Its name, which is recorded with what it takes.
    pub name: String,
    /// Which entries belong to it, unless an earlier class has them. An empty filter is all.
    ///
    /// The fields that count are `converter`, `status`, `serial`, `part`, `station`, `process`,
    /// `file`, `meta` and `label`.
    pub filter: Filter,
    /// How long sources, reports and superseded reports are kept.
    pub keep: Keeps,
    /// The time from which that counts.
    pub from: Base,
    /// To which end it is moved on.
    pub until: Until,
    /// The zone of the calendar.
    pub zone: Zone,
    /// Takes the oldest until the class has at most this many bytes on disk, whatever `keep` says.
    pub max_size: Option<u64>,
    /// Takes the oldest until the class has at most this many entries, whatever `keep` says.
    pub max_count: Option<u64>,
    /// Takes the oldest until at least this many bytes of the store's disk are free, whatever
    /// `keep` says.
    pub min_free_disk: Option<u64>,
}

impl Class {
    /// Returns a class of all entries, which are kept for ever.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            filter: Filter::default(),
            keep: Keeps::default(),
            from: Base::default(),
            until: Until::default(),
            zone: Zone::default(),
            max_size: None,
            max_count: None,
            min_free_disk: None,
        }
    }
}

setters! { Class {
    /// Sets which entries belong to it.
    filter: [Filter];
    /// Sets how long the parts are kept.
    keep: into [Keeps];
    /// Sets the time from which that counts.
    from: [Base];
    /// Sets to which end it is moved on.
    until: [Until];
    /// Sets the zone of the calendar.
    zone: [Zone];
    /// Sets the most bytes on disk.
    max_size: opt [u64];
    /// Sets the most entries.
    max_count: opt [u64];
    /// Sets the least bytes of the disk that are to be free.
    min_free_disk: opt [u64];
} }

/// How long each part of an entry is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Keeps {
    /// The source.
    pub sources: Keep,
    /// All reports.
    pub reports: Keep,
    /// Reports that a later attempt replaced, counted from when it did. `None`: as other reports.
    pub superseded: Option<Keep>,
}

impl From<Keep> for Keeps {
    fn from(keep: Keep) -> Self {
        Self {
            sources: keep,
            reports: keep,
            superseded: None,
        }
    }
}

setters! { Keeps {
    /// Sets how long sources are kept.
    sources: [Keep];
    /// Sets how long reports are kept.
    reports: [Keep];
    /// Sets how long reports are kept once a later attempt replaced them.
    superseded: opt [Keep];
} }

impl fmt::Display for Keeps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sources == self.reports {
            write!(f, "{}", self.sources)?;
        } else {
            write!(f, "sources {}, reports {}", self.sources, self.reports)?;
        }
        match self.superseded {
            None => Ok(()),
            Some(keep) => write!(f, ", superseded {keep}"),
        }
    }
}

/// The time from which a class counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Base {
    /// When the entry was archived.
    #[default]
    Archived,
    /// When its source file was last modified.
    SourceTime,
    /// When it was last converted.
    LastAttempt,
    /// When a server last accepted a report of it.
    Reported,
    /// When something happened that a note tells: a label of this name, a label `NAME=2026-05-01`,
    /// or metadata of this name with a date. Of several dates it is the last one.
    Label(String),
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archived => f.write_str("archived"),
            Self::SourceTime => f.write_str("source_time"),
            Self::LastAttempt => f.write_str("last_attempt"),
            Self::Reported => f.write_str("reported"),
            Self::Label(name) => write!(f, "label:{name}"),
        }
    }
}

impl FromStr for Base {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        match text {
            "archived" => Ok(Self::Archived),
            "source_time" => Ok(Self::SourceTime),
            "last_attempt" => Ok(Self::LastAttempt),
            "reported" => Ok(Self::Reported),
            _ => match text.strip_prefix("label:") {
                Some(name) if !name.trim().is_empty() && !name.contains('=') => {
                    Ok(Self::Label(name.trim().to_owned()))
                }
                _ => {
                    let known = [
                        "archived",
                        "source_time",
                        "last_attempt",
                        "reported",
                        "label:NAME",
                    ];
                    Err(ParseWordError::new(text, known))
                }
            },
        }
    }
}

impl Class {
    /// Returns whether it takes anything: it has a limit, or something is not kept for ever.
    pub fn takes_something(&self) -> bool {
        self.asks_the_day()
            || self.max_size.is_some()
            || self.max_count.is_some()
            || self.min_free_disk.is_some()
    }

    /// Returns whether what it takes depends on the day.
    pub(crate) fn asks_the_day(&self) -> bool {
        let Keeps {
            sources,
            reports,
            superseded,
        } = self.keep;
        let keeps = [sources, reports, superseded.unwrap_or_default()];
        keeps.into_iter().any(|keep| keep != Keep::Forever)
    }

    /// Returns the class without what depends on the day.
    pub(crate) fn timeless(&self) -> Self {
        Self {
            keep: Keeps::default(),
            ..self.clone()
        }
    }

    /// Describes what it counts from and to, where that is not the usual.
    fn counting(&self) -> String {
        let from = match &self.from {
            Base::Archived => String::new(),
            base => format!(" from {base}"),
        };
        from + &self.ending()
    }

    /// Describes to which end it counts and in which zone, where that is not the usual.
    fn ending(&self) -> String {
        let mut text = String::new();
        if let Some(end) = self.until.name() {
            text.push_str(" until ");
            text.push_str(end);
        }
        if self.zone != Zone::default() {
            text.push_str(" in ");
            text.push_str(&self.zone.to_string());
        }
        text
    }

    /// Returns its rules in words.
    pub fn rules(&self) -> String {
        let mut rules = vec![format!("keep {}{}", self.keep, self.counting())];
        rules.extend(self.max_size.map(words::max_size));
        rules.extend(self.max_count.map(words::max_count));
        rules.extend(self.min_free_disk.map(words::min_free_disk));
        rules.join(", ")
    }
}
