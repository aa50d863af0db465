//! Checks the clock against the log before a purge asks it for the day.

use crate::archive::files::event_line::decode;
use crate::archive::handle::Archive;
use crate::id::EventSeq;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The most days between two events, and between the newest event and the clock, that need no
/// person to confirm the day.
const GAP_DAYS_MAX: i64 = 366;
/// How many of the newest events are read. A wrong clock looks right next to one event that it
/// dated itself.
const LOOKED_AT: u64 = 256;

impl Archive {
    /// Returns the time of the store's clock. Refused when that clock may have jumped.
    pub(in crate::archive) fn trusted_now(&self) -> Result<Timestamp> {
        let now = self.store().options.clock.now();
        let newest = self.newest();
        let first = EventSeq(newest.0.saturating_sub(LOOKED_AT).max(1));
        let mut before: Option<(EventSeq, Timestamp)> = None;
        for leaf in self.events(first, None)? {
            let leaf = leaf?;
            // An event without a readable time is no reason to refuse.
            let Ok(event) = decode(leaf.seq, leaf.line.as_bytes()) else {
                continue;
            };
            let this = (event.seq, event.time);
            if let Some(before) = before.replace(this)
                && let Some(gap) = gap(before.1, this.1)
            {
                return Err(doubtful(format!(
                    "event {} was recorded {gap} days after event {}",
                    this.0, before.0
                )));
            }
        }
        match before.and_then(|(seq, time)| Some((seq, gap(time, now)?))) {
            None => Ok(now),
            Some((seq, gap)) => Err(doubtful(format!(
                "by this machine's clock it is {now}, which is {gap} days after event {seq}, \
                 the newest"
            ))),
        }
    }
}

/// Returns the days between two times, if they are more than a sound clock has between them.
fn gap(earlier: Timestamp, later: Timestamp) -> Option<i64> {
    const DAY_MICROS: i64 = 86_400_000_000;
    let days = later.micros().saturating_sub(earlier.micros()) / DAY_MICROS;
    (later > earlier.plus_days(GAP_DAYS_MAX)).then_some(days)
}

fn doubtful(why: String) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!("{why}: the clock may have jumped"),
    )
    .hint("if the clock is right, say so with --now and today's date; otherwise correct it first")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::archive::{NewEntry, Options};
    use crate::disk::sim::SimDisk;
    use crate::retention::{AsOf, Policy};
    use crate::time::Clock;

    /// Days since 1970, as somebody sets them.
    struct Set(AtomicI64);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(0).plus_days(self.0.load(Ordering::Relaxed))
        }

        fn monotonic_ms(&self) -> u64 {
            0
        }

        fn boot(&self) -> &'static str {
            "test"
        }
    }

    fn store(day: i64) -> (Archive, Arc<Set>) {
        let clock = Arc::new(Set(AtomicI64::new(day)));
        let options = Options {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ..Options::default()
        };
        let archive = Archive::create_on(Arc::new(SimDisk::new()), options).expect("made");
        (archive, clock)
    }

    fn put(archive: &Archive) {
        let new = NewEntry {
            converter: "ICT".into(),
            ..NewEntry::default()
        };
        archive.put(new, &b"x"[..]).expect("archived");
    }

    fn by_age() -> Policy {
        Policy {
            older_than_micros: Some(0),
            ..Policy::default()
        }
    }

    fn planned(archive: &Archive, policy: &Policy, as_of: AsOf) -> Result<u64, ErrorKind> {
        let plan = archive.plan_purge(policy, as_of);
        plan.map(|plan| plan.count).map_err(|error| error.kind())
    }

    #[test]
    fn a_clock_over_a_year_ahead__is_not_trusted() {
        let (archive, clock) = store(20_000);
        put(&archive);
        clock.0.store(20_366, Ordering::Relaxed);
        assert_eq!(planned(&archive, &by_age(), AsOf::Clock), Ok(1));
        clock.0.store(20_367, Ordering::Relaxed);
        assert_eq!(
            planned(&archive, &by_age(), AsOf::Clock),
            Err(ErrorKind::Refused)
        );
        let expired = Policy {
            expired: true,
            ..Policy::default()
        };
        assert_eq!(
            planned(&archive, &expired, AsOf::Clock),
            Err(ErrorKind::Refused)
        );
        assert_eq!(
            planned(&archive, &by_age(), AsOf::Vouched(clock.now())),
            Ok(1)
        );
    }

    /// One file that came in under the wrong clock made that clock look right, and the nightly
    /// purge took everything.
    #[test]
    fn an_event_of_a_wrong_clock__does_not_make_it_trusted() {
        let (archive, clock) = store(20_000);
        put(&archive);
        clock.0.store(24_000, Ordering::Relaxed);
        put(&archive);
        assert_eq!(
            planned(&archive, &by_age(), AsOf::Clock),
            Err(ErrorKind::Refused)
        );
    }

    #[test]
    fn a_rule_without_a_day__does_not_ask_the_clock() {
        let (archive, clock) = store(20_000);
        put(&archive);
        clock.0.store(24_000, Ordering::Relaxed);
        let by_count = Policy {
            max_count: Some(0),
            ..Policy::default()
        };
        assert_eq!(planned(&archive, &by_count, AsOf::Clock), Ok(1));
    }
}
