//! Retention policies: the rules that select entries to purge.

use crate::retention::class::Class;
use crate::retention::words::{
    BYPASS_GOVERNANCE, EVEN_WAITING, EXPIRED, max_count, max_size, older_than,
};
use crate::setters::setters;
use crate::time::Timestamp;

/// The rules that select entries to purge. An entry is purged when any rule selects it and no hold
/// or lock applies to it.
///
/// The first of the classes that an entry matches decides about it alone. The other rules are for
/// entries that no class matches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Policy {
    /// Only entries of this converter, without regard to letter case.
    pub converter: Option<String>,
    /// Entries archived more than this many microseconds ago.
    pub older_than_micros: Option<i64>,
    /// Entries past the retention recorded with each of them.
    pub expired: bool,
    /// Purges the oldest entries until the sources and reports of the remaining ones take at most
    /// this many bytes on disk. Bytes are counted compressed, and shared content once.
    pub max_size: Option<u64>,
    /// Purges the oldest entries until at most this many are left.
    pub max_count: Option<u64>,
    /// What to do with entries whose reports no server has accepted yet.
    pub unsubmitted: Unsubmitted,
    /// What to do with entries whose conversion is still to come.
    pub unconverted: Unconverted,
    /// The classes, in the order in which they are tried.
    pub classes: Vec<Class>,
    /// What to do with entries that a governance lock keeps.
    pub governance_locks: GovernanceLocks,
}

setters! { Policy {
    /// Takes only entries of this converter.
    converter: some [String];
    /// Takes entries archived more than this many microseconds ago.
    older_than_micros: opt [i64];
    /// Takes entries past the retention recorded with each of them.
    expired: [bool];
    /// Takes the oldest, until those left take at most this many bytes on disk.
    max_size: opt [u64];
    /// Takes the oldest, until at most this many entries are left.
    max_count: opt [u64];
    /// Sets what to do with entries whose reports no server has accepted yet.
    unsubmitted: [Unsubmitted];
    /// Sets what to do with entries whose conversion is still to come.
    unconverted: [Unconverted];
    /// Sets the classes, in the order in which they are tried.
    classes: [Vec<Class>];
    /// Sets what to do with entries that a governance lock keeps.
    governance_locks: [GovernanceLocks];
} }

/// What to do with a selected entry whose reports wait to be submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unsubmitted {
    /// Keep it until a server has accepted or refused the reports.
    #[default]
    Keep,
    /// Purge it; its reports are never submitted.
    Take,
}

/// What to do with a selected entry that has no attempt yet and was archived within the last day.
/// One that is older is taken in any case: what has not converted it by then may never do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unconverted {
    /// Purge it. An archive without converters has nothing else.
    #[default]
    Take,
    /// Keep it. A host that is behind would otherwise purge what it has still to convert.
    Keep,
}

/// What to do with a selected entry that a governance lock keeps. A compliance lock keeps its
/// entries in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum GovernanceLocks {
    /// Keep it.
    #[default]
    Obey,
    /// Purge it; which locks were bypassed is recorded with the purge.
    Bypass,
}

/// The day for which a policy is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AsOf {
    /// The day of the store's clock, unless the log makes that doubtful.
    Clock,
    /// This day, which the caller vouches for.
    Vouched(Timestamp),
}

/// A policy without a rule selects nothing. It is refused, so that nobody takes it for
/// "everything".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the policy has no rule, so nothing can be selected by it")]
pub struct EmptyPolicy;

impl Policy {
    /// Returns the rules in words, in the order in which they are tried.
    pub fn rules(&self) -> Result<Vec<String>, EmptyPolicy> {
        let classes = self.classes.iter();
        let classes = classes.map(|class| format!("class '{}': {}", class.name, class.rules()));
        let rules: Vec<String> = [
            self.older_than_micros.map(older_than),
            self.expired.then(|| EXPIRED.to_owned()),
            self.max_size.map(max_size),
            self.max_count.map(max_count),
        ]
        .into_iter()
        .flatten()
        .collect();
        if rules.is_empty() && !self.classes.iter().any(Class::takes_something) {
            return Err(EmptyPolicy);
        }
        let unsubmitted = match self.unsubmitted {
            Unsubmitted::Keep => None,
            Unsubmitted::Take => Some(EVEN_WAITING.to_owned()),
        };
        let bypass = match self.governance_locks {
            GovernanceLocks::Obey => None,
            GovernanceLocks::Bypass => Some(BYPASS_GOVERNANCE.to_owned()),
        };
        let all = classes.chain(rules).chain(unsubmitted);
        Ok(all.chain(bypass).collect())
    }

    /// Returns whether the selection depends on the day.
    pub(crate) fn asks_the_day(&self) -> bool {
        self.has_rule_of_age() || self.classes.iter().any(Class::asks_the_day)
    }

    fn has_rule_of_age(&self) -> bool {
        self.expired || self.older_than_micros.is_some()
    }

    /// Returns whether entries that no class matches may go.
    pub(crate) fn has_other_rules(&self) -> bool {
        self.has_rule_of_age() || self.max_size.is_some() || self.max_count.is_some()
    }

    /// Returns the policy without what depends on the day; `None` when nothing is left of it.
    #[must_use]
    pub fn timeless(&self) -> Option<Self> {
        let timeless = Self {
            older_than_micros: None,
            expired: false,
            classes: self.classes.iter().map(Class::timeless).collect(),
            ..self.clone()
        };
        timeless.rules().is_ok().then_some(timeless)
    }

    /// Returns the time of archiving up to which entries are too old.
    pub(crate) fn cutoff(&self, now: Timestamp) -> Option<Timestamp> {
        self.older_than_micros
            .map(|micros| now.plus_micros(micros.saturating_neg()))
    }
}
