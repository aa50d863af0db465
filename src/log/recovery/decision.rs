//! Decides what becomes of a journal file: one table of cases for files with a header, one for
//! files without.
//!
//! A group is written only after the group before it is durable, and a file is begun only after the
//! file before it is durable. Every case follows from these two rules.

/// What follows a journal file, in the order of first events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextFile {
    /// No other file: this one was written last.
    Missing,
    /// The next file goes on where this one ends, or earlier.
    Continues,
    /// The next file begins later than this one ends: events between them had been durable.
    LeavesGap,
}

/// What lies behind the last intact frame of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TailState {
    /// Zeros, and nothing of the file's generation behind them.
    Clean,
    /// Traces of one group that may never have become durable.
    Torn,
    /// A frame of a later group: the group that does not check out had been durable.
    Damaged,
}

/// Which of a file's events are in a segment by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventsHeld {
    /// All of them, and the file began with a sealed event.
    AllSealed,
    /// The file was begun after the last sealed event and holds no intact frame.
    NoneYet,
    /// At least one intact frame is not sealed.
    Unsealed,
}

/// Everything that the decision about a file with a header depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) next: NextFile,
    pub(super) tail: TailState,
    pub(super) events: EventsHeld,
}

/// What is made of the bytes behind the last intact frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TailVerdict {
    /// Nothing: all that had been durable is there.
    Nothing,
    /// A group that was never acknowledged, to be cut off.
    TornTail,
    /// Durable events are lost or unreadable: reported, and never cut off.
    Damage,
}

/// What the file is used for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It holds nothing unsealed and may be started again.
    Free,
    /// It waits to be sealed.
    Full,
    /// The log goes on in it.
    Current,
}

/// What becomes of a file with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) tail: TailVerdict,
    pub(super) becomes: Use,
    /// A file that is longer or shorter than it was made is reported.
    pub(super) check_length: bool,
}

/// One row of the table: every combination of these observations gets this decision.
struct Case {
    /// What has happened, for the reader of a test that fails.
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

/// All cases. Columns: next file, tail, events => verdict on the tail, use of the file, check of
/// its length.
#[rustfmt::skip]
const CASES: &[Case] = cases! {
    // A later file exists, so this one had been durable as a whole.
    "sealed, not started again":  [Continues] [Clean Torn] [AllSealed NoneYet] => Nothing Free false;
    "full, waits to be sealed":   [Continues] [Clean Torn] [Unsealed] => Nothing Full true;
    "sealed, then damaged":       [Continues] [Damaged] [AllSealed NoneYet] => Damage Free false;
    "full, then damaged":         [Continues] [Damaged] [Unsealed] => Damage Full true;
    "all unsealed events lost":   [LeavesGap] [Clean Torn Damaged] [AllSealed NoneYet]
                                                                         => Damage Free false;
    "last events lost":           [LeavesGap] [Clean Torn Damaged] [Unsealed] => Damage Full true;
    // It was written last, so its last group may have been in flight.
    "sealed to its end":          [Missing] [Clean] [AllSealed] => Nothing Free true;
    "sealed, torn behind that":   [Missing] [Torn] [AllSealed] => TornTail Free true;
    "sealed, damaged behind":     [Missing] [Damaged] [AllSealed] => Damage Free true;
    "goes on":                    [Missing] [Clean] [NoneYet Unsealed] => Nothing Current true;
    "goes on, last group torn":   [Missing] [Torn] [NoneYet Unsealed] => TornTail Current true;
    "goes on, damaged inside":    [Missing] [Damaged] [NoneYet Unsealed] => Damage Current true;
};

/// How long a file without a readable header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// Shorter than the smallest journal file.
    Short,
    /// A length that a journal file may have.
    Whole,
    /// Longer than the largest journal file.
    TooLong,
}

/// What becomes of a file without a readable header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Headerless {
    /// Its header was damaged: an unsealed frame stands behind it.
    HeaderDamaged,
    /// It is too long for a journal file, which is damage.
    TooLong,
    /// Its header was torn while it was started. All that it held was sealed by then.
    Free,
    /// It was being made when the disk filled up or the power went.
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

    /// One observation for each row, in the order of the table, with the decision in words.
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

    /// Only the file that was written last can have a group in flight, and only it is gone on in.
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
