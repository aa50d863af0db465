//! Tracks converters that cannot run: their files wait, and one file at a time tries the converter.
//!
//! A program that is missing, or dies before it can answer anything, is no fault of a file. The
//! converter is then stopped: its files are archived and stay where they are, without an attempt.
//! After a pause one file is given to the converter. When it answers, all files continue.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::host::observe::status::StoppedLine;
use crate::host::panics::lock;
use crate::time::{Clock, SystemClock};

/// The pause before the first trial; doubled after each failed trial.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two trials.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Whether a file may be handed to its converter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum Admission {
    Open,
    /// It may, as a trial of whether the converter runs again.
    Trial,
    Closed,
}

struct Stopped {
    told: StoppedLine,
    pause: Duration,
    next: Instant,
    /// True while a trial is running.
    trying: bool,
}

/// The converters of a host that cannot run, by name.
#[derive(Default)]
pub(in crate::host) struct StoppedConverters(Mutex<BTreeMap<String, Stopped>>);

impl StoppedConverters {
    /// Decides whether a file may go to a converter. End a trial with `stop`, `run` or `leave`.
    pub(in crate::host) fn enter(&self, converter: &str) -> Admission {
        match lock(&self.0).get_mut(converter) {
            None => Admission::Open,
            Some(line) if line.trying || Instant::now() < line.next => Admission::Closed,
            Some(line) => {
                line.trying = true;
                Admission::Trial
            }
        }
    }

    /// Returns true when a file may be handed to the converter now. Starts no trial.
    pub(super) fn is_due(&self, converter: &str) -> bool {
        let lines = lock(&self.0);
        let line = lines.get(converter);
        line.is_none_or(|line| !line.trying && Instant::now() >= line.next)
    }

    pub(super) fn is_stopped(&self, converter: &str) -> bool {
        lock(&self.0).contains_key(converter)
    }

    /// Records that the converter cannot run. Returns true when that is new.
    pub(in crate::host) fn stop(
        &self,
        converter: &str,
        admission: Admission,
        reason: &str,
    ) -> bool {
        let mut lines = lock(&self.0);
        let Some(line) = lines.get_mut(converter) else {
            let told = StoppedLine {
                since: SystemClock.now(),
                reason: reason.to_owned(),
                trials: 1,
            };
            let line = Stopped {
                told,
                pause: PAUSE,
                next: Instant::now() + PAUSE,
                trying: false,
            };
            lines.insert(converter.to_owned(), line);
            return true;
        };
        // Files that the converter already had when it was stopped tell nothing new.
        if admission == Admission::Trial {
            line.trying = false;
            line.pause = (line.pause * 2).min(PAUSE_MAX);
            line.next = Instant::now() + line.pause;
            line.told.trials += 1;
        }
        let is_news = line.told.reason != reason;
        reason.clone_into(&mut line.told.reason);
        is_news
    }

    /// Records that the converter answered. Returns true when it had been stopped.
    pub(in crate::host) fn run(&self, converter: &str) -> bool {
        lock(&self.0).remove(converter).is_some()
    }

    /// Ends a trial without a result: the file changed, or the host is stopping.
    pub(in crate::host) fn leave(&self, converter: &str, admission: Admission) {
        if admission == Admission::Trial
            && let Some(line) = lock(&self.0).get_mut(converter)
        {
            line.trying = false;
            line.next = Instant::now() + line.pause;
        }
    }

    /// Lets all converters be tried at once, after a change of the configuration.
    pub(in crate::host) fn forget(&self) {
        lock(&self.0).clear();
    }

    pub(in crate::host) fn status(&self, converter: &str) -> Option<StoppedLine> {
        lock(&self.0).get(converter).map(|line| line.told.clone())
    }

    /// Returns a sentence for each stopped converter.
    pub(in crate::host) fn reasons(&self) -> Vec<String> {
        let lines = lock(&self.0);
        let sentence = |line: &Stopped| {
            let (reason, trials) = (&line.told.reason, line.told.trials);
            format!("{reason}; its files wait, and it was tried {trials} times")
        };
        lines.values().map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While a converter cannot run, only one file at a time may try it, so that the backlog stays
    /// without failed attempts.
    #[test]
    fn a_line_that_is_stopped_lets_one_file_through_at_a_time_until_it_runs() {
        let lines = StoppedConverters::default();
        assert_eq!(lines.enter("T"), Admission::Open);
        assert!(lines.stop("T", Admission::Open, "no such program"));
        assert!(
            !lines.stop("T", Admission::Open, "no such program"),
            "told once"
        );
        assert_eq!(lines.enter("T"), Admission::Closed);
        assert_eq!(lines.enter("U"), Admission::Open, "another line goes on");
        let due = |lines: &StoppedConverters| {
            if let Some(line) = lock(&lines.0).get_mut("T") {
                line.next = Instant::now();
            }
        };
        due(&lines);
        assert_eq!(lines.enter("T"), Admission::Trial);
        assert_eq!(lines.enter("T"), Admission::Closed, "one at a time");
        lines.leave("T", Admission::Trial);
        due(&lines);
        assert_eq!(lines.enter("T"), Admission::Trial);
        assert!(!lines.stop("T", Admission::Trial, "no such program"));
        assert_eq!(lines.status("T").map(|line| line.trials), Some(2));
        due(&lines);
        assert_eq!(lines.enter("T"), Admission::Trial);
        assert!(lines.run("T"));
        assert_eq!(lines.enter("T"), Admission::Open);
        assert!(lines.reasons().is_empty());
    }

    #[test]
    fn pauses_between_trials_grow_to_a_bound() {
        let lines = StoppedConverters::default();
        lines.stop("T", Admission::Open, "x");
        for _ in 0..20 {
            lines.stop("T", Admission::Trial, "x");
        }
        let left = |line: &Stopped| line.next.saturating_duration_since(Instant::now());
        let left = lock(&lines.0).get("T").map(left).expect("stopped");
        assert!(left > PAUSE && left <= PAUSE_MAX);
    }
}
