//! Decides what happens to each journal file: one table of cases for files with a header, one
//! function for files without.
//!
//! A group is written only after the group before it is durable, and a file is begun only after the
//! file before it is durable. Every case follows from these two rules.

/// How the journal continues after a file. Files are ordered by their first events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextFile {
    /// No other file follows: this one was written last.
    Missing,
    /// The next file begins where this one ends, or earlier.
    Continues,
    /// The next file begins later than this one ends: events in between were durable and are
    /// missing.
    LeavesGap,
}

/// What follows the last intact frame of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TailState {
    /// Zeros, and no frame of the file's generation after them.
    Clean,
    /// Traces of one group that may never have become durable.
    Torn,
    /// A frame of a later group, which proves that the group that fails its checksum was durable.
    Damaged,
}

/// Which of a file's events are sealed in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventsHeld {
    /// All of them, and the file began with a sealed event.
    AllSealed,
    /// None: the file was begun after the last sealed event and holds no intact frame.
    NoneYet,
    /// At least one intact frame is not sealed.
    Unsealed,
}

/// All facts that the decision about a file with a header depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) next: NextFile,
    pub(super) tail: TailState,
    pub(super) events: EventsHeld,
}

/// The verdict on the bytes after the last intact frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TailVerdict {
    /// Nothing is missing: everything that was durable is there.
    Nothing,
    /// A group that was never acknowledged, to be cut off.
    TornTail,
    /// Durable events are lost or unreadable. This is reported, and the bytes are never cut off.
    Damage,
}

/// What the file is used for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It holds nothing unsealed and may be started again.
    Free,
    /// It waits to be sealed.
    Full,
    /// The log continues in it.
    Current,
}

/// The decision about a file with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) tail: TailVerdict,
    pub(super) becomes: Use,
    /// True to report a file that is longer or shorter than it was made.
    pub(super) check_length: bool,
}

/// One row of the table: the decision for every combination of these observations.
struct Case {
    /// What has happened, for the message of a failing test.
    #[cfg(test)]
    story: &'static str,
    next: &'static [NextFile],
    tail: &'static [TailState],
    events: &'static [EventsHeld],
    decision: Decision,
}

impl Case {
    fn covers(&self, seen: Observed) -> bool {
        self.next.contains(&seen.next)
            && self.tail.contains(&seen.tail)
            && self.events.contains(&seen.events)
    }
}

/// Decides about a file with a header.
pub(super) fn decide(seen: Observed) -> Decision {
    let case = CASES.iter().find(|case| case.covers(seen));
    case.expect("BUG: a combination of observations has no case")
        .decision
}

macro_rules! cases {
    ($($story:literal: [$($next:ident)*] [$($tail:ident)*] [$($events:ident)*]
        => $verdict:ident $becomes:ident $length:literal;)*) => {
        &[$(Case {
            #[cfg(test)]
            story: $story,
            next: &[$(NextFile::$next),*],
            tail: &[$(TailState::$tail),*],
            events: &[$(EventsHeld::$events),*],
            decision: Decision {
                tail: TailVerdict::$verdict,
                becomes: Use::$becomes,
                check_length: $length,
            },
        }),*]
    };
}

/// All cases. Columns: next file, tail, events => verdict on the tail, use of the file, whether to
/// check its length.
#[rustfmt::skip]
const CASES: &[Case] = cases! {
    // A later file exists, so all of this file was durable.
    "sealed, not started again":  [Continues] [Clean Torn] [AllSealed NoneYet] => Nothing Free false;
    "full, waits to be sealed":   [Continues] [Clean Torn] [Unsealed] => Nothing Full true;
    "sealed, then damaged":       [Continues] [Damaged] [AllSealed NoneYet] => Damage Free false;
    "full, then damaged":         [Continues] [Damaged] [Unsealed] => Damage Full true;
    "all unsealed events lost":   [LeavesGap] [Clean Torn Damaged] [AllSealed NoneYet]
                                                                         => Damage Free false;
    "last events lost":           [LeavesGap] [Clean Torn Damaged] [Unsealed] => Damage Full true;
    // This file was written last, so its last group may have been in flight.
    "sealed to its end":          [Missing] [Clean] [AllSealed] => Nothing Free true;
    "sealed, torn behind that":   [Missing] [Torn] [AllSealed] => TornTail Free true;
    "sealed, damaged behind":     [Missing] [Damaged] [AllSealed] => Damage Free true;
    "goes on":                    [Missing] [Clean] [NoneYet Unsealed] => Nothing Current true;
    "goes on, last group torn":   [Missing] [Torn] [NoneYet Unsealed] => TornTail Current true;
    "goes on, damaged inside":    [Missing] [Damaged] [NoneYet Unsealed] => Damage Current true;
};

/// The length of a file without a readable header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// Shorter than the smallest journal file.
    Short,
    /// A length that a journal file may have.
    Whole,
    /// Longer than the largest journal file.
    TooLong,
}

/// The decision about a file without a readable header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Headerless {
    /// Its header was damaged: an unsealed frame follows it.
    HeaderDamaged,
    /// It is too long for a journal file, which is damage.
    TooLong,
    /// Its header was torn when the file was started again. All that it held was sealed by then.
    Free,
    /// It was being made when the disk filled up or the power was cut.
    HalfMade,
}

/// Decides about a file without a readable header.
pub(super) const fn decide_headerless(has_unsealed_head: bool, length: Length) -> Headerless {
    match (has_unsealed_head, length) {
        (true, _) => Headerless::HeaderDamaged,
        (false, Length::TooLong) => Headerless::TooLong,
        (false, Length::Whole) => Headerless::Free,
        (false, Length::Short) => Headerless::HalfMade,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: [NextFile; 3] = [NextFile::Missing, NextFile::Continues, NextFile::LeavesGap];
    const TAILS: [TailState; 3] = [TailState::Clean, TailState::Torn, TailState::Damaged];
    const EVENTS: [EventsHeld; 3] = [
        EventsHeld::AllSealed,
        EventsHeld::NoneYet,
        EventsHeld::Unsealed,
    ];

    fn all() -> impl Iterator<Item = Observed> {
        NEXT.into_iter().flat_map(|next| {
            TAILS.into_iter().flat_map(move |tail| {
                EVENTS
                    .into_iter()
                    .map(move |events| Observed { next, tail, events })
            })
        })
    }

    #[test]
    fn every_combination_of_observations_has_exactly_one_case() {
        for seen in all() {
            let covering: Vec<_> = CASES.iter().filter(|case| case.covers(seen)).collect();
            let stories: Vec<_> = covering.iter().map(|case| case.story).collect();
            assert_eq!(stories.len(), 1, "{seen:?}: {stories:?}");
        }
    }

    /// One observation for each row, in the order of the table, with the expected decision in
    /// words.
    #[test]
    fn an_example_of_each_case_gets_its_decision() {
        use EventsHeld::{AllSealed, NoneYet, Unsealed};
        use NextFile::{Continues, LeavesGap, Missing};
        use TailState::{Clean, Damaged, Torn};
        let examples = [
            (Continues, Torn, AllSealed, "Nothing Free false"),
            (Continues, Torn, Unsealed, "Nothing Full true"),
            (Continues, Damaged, NoneYet, "Damage Free false"),
            (Continues, Damaged, Unsealed, "Damage Full true"),
            (LeavesGap, Clean, AllSealed, "Damage Free false"),
            (LeavesGap, Torn, Unsealed, "Damage Full true"),
            (Missing, Clean, AllSealed, "Nothing Free true"),
            (Missing, Torn, AllSealed, "TornTail Free true"),
            (Missing, Damaged, AllSealed, "Damage Free true"),
            (Missing, Clean, NoneYet, "Nothing Current true"),
            (Missing, Torn, Unsealed, "TornTail Current true"),
            (Missing, Damaged, NoneYet, "Damage Current true"),
        ];
        assert_eq!(examples.len(), CASES.len(), "each row has its example");
        for (case, (next, tail, events, expected)) in CASES.iter().zip(examples) {
            let seen = Observed { next, tail, events };
            assert!(case.covers(seen), "{}", case.story);
            let Decision {
                tail,
                becomes,
                check_length,
            } = decide(seen);
            let decided = format!("{tail:?} {becomes:?} {check_length}");
            assert_eq!(decided, expected, "{}", case.story);
        }
    }

    /// Only the file that was written last can have a group in flight, and only there can the log
    /// continue.
    #[test]
    fn a_file_that_another_one_follows_is_neither_torn_nor_current() {
        for seen in all().filter(|seen| seen.next != NextFile::Missing) {
            let decision = decide(seen);
            assert_ne!(decision.tail, TailVerdict::TornTail, "{seen:?}");
            assert_ne!(decision.becomes, Use::Current, "{seen:?}");
        }
    }

    #[test]
    fn a_file_without_a_header_is_damaged_only_with_a_reason() {
        for length in [Length::Short, Length::Whole, Length::TooLong] {
            let damaged = decide_headerless(true, length);
            assert_eq!(damaged, Headerless::HeaderDamaged, "{length:?}");
        }
        assert_eq!(
            decide_headerless(false, Length::TooLong),
            Headerless::TooLong
        );
        assert_eq!(decide_headerless(false, Length::Whole), Headerless::Free);
        assert_eq!(
            decide_headerless(false, Length::Short),
            Headerless::HalfMade
        );
    }
}
