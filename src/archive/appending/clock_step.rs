//! Notices when the wall clock jumps, so that the log says why its times are out of order.

use crate::event::{ClockReading, ClockStepped};
use crate::id::EventSeq;
use crate::time::Timestamp;

/// How far the wall clock may be from where the monotonic clock says it should be. The start of the
/// machine is known to the second only.
const STEP_MS: i64 = 5_000;

/// The clocks as they stood when an event was recorded.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Stamped {
    pub(in crate::archive) seq: EventSeq,
    pub(in crate::archive) time: Timestamp,
    pub(in crate::archive) clock: ClockReading,
}

impl Stamped {
    /// Returns the step that the wall clock made between this event and a later time of the same
    /// run of the machine: it went back, or is [`STEP_MS`] or more away from where the monotonic
    /// clock says it should be.
    pub(super) fn step_to(&self, found: Timestamp, clock: &ClockReading) -> Option<ClockStepped> {
        // A clock that does not know the time since the start says 0.
        let is_known = self.clock.mono_ms > 0 && clock.mono_ms > 0;
        if self.clock.boot != clock.boot || !is_known {
            return None;
        }
        let passed_ms = clock.mono_ms.saturating_sub(self.clock.mono_ms);
        let passed_micros =
            i64::try_from(passed_ms).map_or(i64::MAX, |ms| ms.saturating_mul(1_000));
        let expected = self.time.micros().saturating_add(passed_micros);
        let step_ms = found.micros().saturating_sub(expected) / 1_000;
        let went_back = found.micros() / 1_000 < self.time.micros() / 1_000;
        (went_back || step_ms.abs() >= STEP_MS).then(|| ClockStepped {
            after: self.seq,
            expected: Timestamp::from_micros(expected).at_offset(found.offset_s()),
            found,
            step_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::archive::{Archive, NewEntry, Options};
    use crate::disk::sim::SimDisk;
    use crate::event::Body;
    use crate::time::Clock;

    /// A wall clock that somebody sets, and a monotonic clock that grows by a second at each look.
    struct Set {
        wall: AtomicI64,
        mono_ms: AtomicI64,
    }

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.wall.fetch_add(1_000_000, Ordering::Relaxed))
        }

        fn monotonic_ms(&self) -> u64 {
            let ms = self.mono_ms.fetch_add(1_000, Ordering::Relaxed);
            u64::try_from(ms).unwrap_or(0)
        }

        fn boot(&self) -> &'static str {
            "test"
        }
    }

    fn put(archive: &Archive) {
        let new = NewEntry::new("ICT");
        archive.put(new, &b"x"[..]).expect("archived");
    }

    /// Returns the steps on record, each with the time of the event after it.
    fn steps(archive: &Archive) -> Vec<(ClockStepped, Timestamp)> {
        let events = archive.events(EventSeq(1), None).expect("sound");
        let events: Vec<_> = events
            .map(|leaf| leaf.and_then(|leaf| leaf.event()).expect("readable"))
            .collect();
        let pairs = events.windows(2);
        pairs
            .filter_map(|pair| match &pair[0].body {
                Body::ClockStepped(step) => Some((step.clone(), pair[1].time)),
                _ => None,
            })
            .collect()
    }

    /// A technician set the clock back. From then on times were out of order, and an auditor took
    /// that for a forged log.
    #[test]
    fn a_clock_that_is_set__is_on_record_before_the_next_event() {
        const HOUR: i64 = 3_600_000_000;
        let clock = Arc::new(Set {
            wall: AtomicI64::new(20_000 * 24 * HOUR),
            mono_ms: AtomicI64::new(90_000),
        });
        let options = || Options {
            clock: Arc::<Set>::clone(&clock),
            ..Options::default()
        };
        let disk = Arc::new(SimDisk::new());
        let archive = Archive::create_on(disk.clone(), options()).expect("made");
        put(&archive);
        put(&archive);
        assert_eq!(steps(&archive), Vec::new(), "it went on evenly");

        clock.wall.fetch_sub(HOUR, Ordering::Relaxed);
        put(&archive);
        put(&archive);
        let told = steps(&archive);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0.step_ms, -3_600_000);
        assert_eq!(told[0].0.found, told[0].1, "the next event has that time");
        archive.close().expect("closed");

        // Between two openings in one run of the machine it is noticed, too.
        clock.wall.fetch_add(2 * HOUR, Ordering::Relaxed);
        let archive = Archive::open_on(disk, options()).expect("opened");
        assert_eq!(steps(&archive).len(), 1, "opening records nothing");
        put(&archive);
        let told = steps(&archive);
        assert_eq!((told.len(), told[1].0.step_ms), (2, 7_200_000), "{told:?}");
        archive.close().expect("closed");
    }

    fn stamped(micros: i64, mono_ms: u64) -> Stamped {
        Stamped {
            seq: EventSeq(7),
            time: Timestamp::from_micros(micros),
            clock: reading("a", mono_ms),
        }
    }

    fn reading(boot: &str, mono_ms: u64) -> ClockReading {
        ClockReading {
            boot: boot.to_owned(),
            mono_ms,
        }
    }

    /// Returns the step from (10 s, 3 s of uptime) to these clocks.
    fn step(micros: i64, boot: &str, mono_ms: u64) -> Option<i64> {
        let found = Timestamp::from_micros(micros);
        let stepped = stamped(10_000_000, 3_000).step_to(found, &reading(boot, mono_ms));
        stepped.map(|step| step.step_ms)
    }

    #[test]
    fn a_clock_that_goes_on_evenly__is_no_step() {
        assert_eq!(step(11_000_000, "a", 4_000), None);
        assert_eq!(
            step(15_900_000, "a", 4_000),
            None,
            "less than the threshold"
        );
        assert_eq!(step(10_000_000, "a", 6_000), None, "late, but not before");
    }

    #[test]
    fn a_clock_that_jumps_or_goes_back__is_a_step() {
        assert_eq!(step(16_000_000, "a", 4_000), Some(5_000));
        assert_eq!(step(9_990_000, "a", 3_000), Some(-10));
        assert_eq!(step(10_500_000, "a", 9_000), Some(-5_500));
        assert!(step(i64::MIN, "a", u64::MAX).is_some_and(|ms| ms < 0));
        assert!(step(i64::MAX, "a", 0).is_none(), "no monotonic clock");
    }

    #[test]
    fn another_run_of_the_machine__says_nothing_of_a_step() {
        assert_eq!(step(99_000_000, "b", 4_000), None);
    }
}
