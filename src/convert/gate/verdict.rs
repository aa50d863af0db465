//! Judges each entry that a new identity was run over, and all of them together.

use std::fmt;

use serde::Serialize;

use crate::convert::compare::Verdict;
use crate::entry::Outcome;
use crate::id::{EntryId, EventSeq};

/// How an entry fares with a new identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fares {
    Unchanged,
    Changed,
    Fixed,
    Broken,
    StillFailing,
    /// It was never converted before.
    First,
    /// It could not be tried.
    Untried,
}

impl Fares {
    /// Judges one entry. The verdict is that of the comparison; an entry that had nothing to
    /// convert and now fails counts as broken, too, because its file would be set aside.
    pub(super) fn of(before: Option<Outcome>, now: Outcome, verdict: Option<Verdict>) -> Self {
        let fails = |outcome| {
            matches!(
                outcome,
                Outcome::Failed | Outcome::Rejected | Outcome::Suspended
            )
        };
        match (before, verdict) {
            (None, _) | (_, None) => Self::First,
            (Some(before), Some(_)) if fails(before) && fails(now) => Self::StillFailing,
            (Some(before), Some(_)) if !fails(before) && fails(now) => Self::Broken,
            (_, Some(Verdict::Broken)) => Self::Broken,
            (_, Some(Verdict::Fixed)) => Self::Fixed,
            (_, Some(Verdict::Unchanged)) => Self::Unchanged,
            (_, Some(_)) => Self::Changed,
        }
    }

    /// Returns the word in the list whose digest is recorded.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Fixed => "fixed",
            Self::Broken => "broken",
            Self::StillFailing => "still_failing",
            Self::First => "first",
            Self::Untried => "untried",
        }
    }
}

/// An entry that worked before and does not with the new identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BrokenEntry {
    /// The entry.
    pub id: EntryId,
    /// How it ended before.
    pub before: Outcome,
    /// How it ends now.
    pub now: Outcome,
    /// Why it does not succeed.
    pub error: Option<String>,
    /// The waiver by which it may break; `None` without one, and for one that is not recorded.
    pub waiver: Option<EventSeq>,
    /// True when a waiver, recorded or not, says that it may break.
    pub waived: bool,
}

/// Whether a new identity may take the place of the current one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "reason")]
#[non_exhaustive]
pub enum GateVerdict {
    /// Nothing that worked breaks, or each exception is waived.
    MayBePromoted,
    /// It may not, for this reason.
    Refused(String),
}

impl GateVerdict {
    /// Returns true when the new identity may be promoted.
    pub fn may_be_promoted(&self) -> bool {
        *self == Self::MayBePromoted
    }
}

impl fmt::Display for GateVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MayBePromoted => f.write_str("may be promoted"),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_worked_can_break() {
        use Outcome::{Failed, Rejected, Skipped, Success};
        let of = |before, now, verdict| Fares::of(Some(before), now, Some(verdict));
        assert_eq!(of(Success, Failed, Verdict::Broken), Fares::Broken);
        assert_eq!(of(Success, Skipped, Verdict::Broken), Fares::Broken);
        assert_eq!(of(Skipped, Failed, Verdict::Changed), Fares::Broken);
        assert_eq!(of(Failed, Rejected, Verdict::Changed), Fares::StillFailing);
        assert_eq!(of(Failed, Failed, Verdict::Unchanged), Fares::StillFailing);
        assert_eq!(of(Failed, Success, Verdict::Fixed), Fares::Fixed);
        assert_eq!(of(Success, Success, Verdict::Changed), Fares::Changed);
        assert_eq!(Fares::of(None, Failed, None), Fares::First);
    }
}
