//! Refused sign-ins: a few are recorded as they happen, and many are counted.

use std::collections::BTreeSet;

use crate::event::Door;

/// Until so many milliseconds have passed, more refused sign-ins are only counted.
const WINDOW_MS: u64 = 60_000;
/// How many of a window are recorded one by one.
const SINGLE: u32 = 5;
/// How many addresses, and ways to sign in, an event names.
const NAMED_MAX: usize = 16;

/// Refused sign-ins that one event stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) struct RefusedSignIns {
    pub(in crate::archive) door: Door,
    pub(in crate::archive) count: u64,
    /// Some of the addresses that asked.
    pub(in crate::archive) from: BTreeSet<String>,
    /// With what they tried.
    pub(in crate::archive) how: BTreeSet<String>,
}

/// What is known of the refused sign-ins of the newest minute.
#[derive(Debug, Default)]
pub(in crate::archive) struct SignIns {
    /// When the window began; `None` before the first one.
    since: Option<u64>,
    recorded: u32,
    waiting: Option<RefusedSignIns>,
}

impl SignIns {
    /// Takes note of a refused sign-in. Returns what is to be recorded now.
    pub(in crate::archive) fn refuse(
        &mut self,
        door: Door,
        from: String,
        how: String,
        now_ms: u64,
    ) -> Option<RefusedSignIns> {
        if self.is_over(now_ms) {
            (self.since, self.recorded) = (Some(now_ms), 0);
        }
        let waiting = self.waiting.get_or_insert_with(|| RefusedSignIns {
            door,
            count: 0,
            from: BTreeSet::new(),
            how: BTreeSet::new(),
        });
        waiting.count += 1;
        for (names, name) in [(&mut waiting.from, from), (&mut waiting.how, how)] {
            if names.len() < NAMED_MAX {
                names.insert(name);
            }
        }
        if self.recorded == SINGLE {
            return None;
        }
        self.recorded += 1;
        self.waiting.take()
    }

    /// Returns what waits since a window that is over.
    pub(in crate::archive) fn due(&mut self, now_ms: u64) -> Option<RefusedSignIns> {
        if self.is_over(now_ms) {
            self.waiting.take()
        } else {
            None
        }
    }

    /// Returns what waits.
    pub(in crate::archive) fn take(&mut self) -> Option<RefusedSignIns> {
        self.waiting.take()
    }

    /// A clock that went back counts as one whose minute is over.
    fn is_over(&self, now_ms: u64) -> bool {
        self.since
            .is_none_or(|since| now_ms < since || now_ms - since >= WINDOW_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(sign_ins: &mut SignIns, now_ms: u64) -> Option<u64> {
        let refused = sign_ins.refuse(Door::Web, "::1".into(), "token".into(), now_ms);
        refused.map(|refused| refused.count)
    }

    #[test]
    fn what_was_counted_in_one_minute__is_told_with_the_first_of_the_next() {
        let mut sign_ins = SignIns::default();
        for _ in 0..5 {
            assert_eq!(refuse(&mut sign_ins, 7), Some(1));
        }
        for _ in 0..100 {
            assert_eq!(refuse(&mut sign_ins, 60_006), None);
        }
        assert_eq!(sign_ins.due(60_006), None);
        assert_eq!(refuse(&mut sign_ins, 60_007), Some(101));
        assert_eq!(sign_ins.due(900_000), None, "nothing is left");
    }

    #[test]
    fn what_waits__is_due_when_the_minute_is_over() {
        let mut sign_ins = SignIns::default();
        for _ in 0..8 {
            refuse(&mut sign_ins, 1_000);
        }
        assert_eq!(sign_ins.due(60_999), None);
        let due = sign_ins.due(61_000).expect("three wait");
        assert_eq!((due.count, due.from.len()), (3, 1));
        // A machine that slept may have another clock.
        for _ in 0..7 {
            refuse(&mut sign_ins, 50);
        }
        assert!(sign_ins.due(10).is_some());
    }
}
