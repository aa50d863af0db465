//! Converters that cannot run: their files wait, and one of them at a time is tried.
//!
//! A program that is not there, or that dies before it could answer anything, is no fault of a file.
//! So the line is stopped: its files are archived and then stay where they are, without an attempt.
//! After a pause one file is given to the converter; when it answers, all of them go on.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::lock;
use crate::time::{Clock, SystemClock, Timestamp};

/// The pause before the first trial; doubled after each that fails.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two trials.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A converter that cannot run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoppedLine {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
    /// How often it was tried.
    pub trials: u64,
}

/// Whether a file may be handed to its converter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// It may, to see whether the converter runs again.
    Trial,
    Closed,
}

struct Stopped {
    told: StoppedLine,
    pause: Duration,
    next: Instant,
    /// A file is with the converter to see whether it runs.
    trying: bool,
}

/// The converters of a host that cannot run, by name.
#[derive(Default)]
pub(super) struct Lines(Mutex<BTreeMap<String, Stopped>>);

impl Lines {
    /// Asks to hand a file to a converter. A trial has to be ended by one of the other calls.
    pub(super) fn enter(&self, converter: &str) -> Gate {
        match lock(&self.0).get_mut(converter) {
            None => Gate::Open,
            Some(line) if line.trying || Instant::now() < line.next => Gate::Closed,
            Some(line) => {
                line.trying = true;
                Gate::Trial
            }
        }
    }

    /// True when a file may be handed to it now; takes no trial.
    pub(super) fn is_due(&self, converter: &str) -> bool {
        let lines = lock(&self.0);
        let line = lines.get(converter);
        line.is_none_or(|line| !line.trying && Instant::now() >= line.next)
    }

    pub(super) fn is_stopped(&self, converter: &str) -> bool {
        lock(&self.0).contains_key(converter)
    }

    /// The converter cannot run. True when that is news.
    pub(super) fn stop(&self, converter: &str, gate: Gate, reason: &str) -> bool {
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
        // Files that were with the converter when it was stopped say nothing new.
        if gate == Gate::Trial {
            line.trying = false;
            line.pause = (line.pause * 2).min(PAUSE_MAX);
            line.next = Instant::now() + line.pause;
            line.told.trials += 1;
        }
        let is_news = line.told.reason != reason;
        reason.clone_into(&mut line.told.reason);
        is_news
    }

    /// The converter answered. True when it had been stopped.
    pub(super) fn run(&self, converter: &str) -> bool {
        lock(&self.0).remove(converter).is_some()
    }

    /// A trial came to nothing: the file changed, or the host is stopping.
    pub(super) fn leave(&self, converter: &str, gate: Gate) {
        if gate == Gate::Trial
            && let Some(line) = lock(&self.0).get_mut(converter)
        {
            line.trying = false;
            line.next = Instant::now() + line.pause;
        }
    }

    /// Tries all of them at once: somebody has changed the configuration.
    pub(super) fn forget(&self) {
        lock(&self.0).clear();
    }

    pub(super) fn status(&self, converter: &str) -> Option<StoppedLine> {
        lock(&self.0).get(converter).map(|line| line.told.clone())
    }

    /// A sentence for each.
    pub(super) fn reasons(&self) -> Vec<String> {
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

    /// A worker whose module was missing took the whole backlog to the error folder in a minute.
    #[test]
    fn a_line_that_is_stopped_lets_one_file_through_at_a_time_until_it_runs() {
        let lines = Lines::default();
        assert_eq!(lines.enter("T"), Gate::Open);
        assert!(lines.stop("T", Gate::Open, "no such program"));
        assert!(!lines.stop("T", Gate::Open, "no such program"), "told once");
        assert_eq!(lines.enter("T"), Gate::Closed);
        assert_eq!(lines.enter("U"), Gate::Open, "another line goes on");
        let due = |lines: &Lines| {
            if let Some(line) = lock(&lines.0).get_mut("T") {
                line.next = Instant::now();
            }
        };
        due(&lines);
        assert_eq!(lines.enter("T"), Gate::Trial);
        assert_eq!(lines.enter("T"), Gate::Closed, "one at a time");
        lines.leave("T", Gate::Trial);
        due(&lines);
        assert_eq!(lines.enter("T"), Gate::Trial);
        assert!(!lines.stop("T", Gate::Trial, "no such program"));
        assert_eq!(lines.status("T").map(|line| line.trials), Some(2));
        due(&lines);
        assert_eq!(lines.enter("T"), Gate::Trial);
        assert!(lines.run("T"));
        assert_eq!(lines.enter("T"), Gate::Open);
        assert!(lines.reasons().is_empty());
    }

    #[test]
    fn pauses_between_trials_grow_to_a_bound() {
        let lines = Lines::default();
        lines.stop("T", Gate::Open, "x");
        for _ in 0..20 {
            lines.stop("T", Gate::Trial, "x");
        }
        let left = |line: &Stopped| line.next.saturating_duration_since(Instant::now());
        let left = lock(&lines.0).get("T").map(left).expect("stopped");
        assert!(left > PAUSE && left <= PAUSE_MAX);
    }
}
