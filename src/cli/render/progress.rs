//! A progress bar on stderr, shown once work takes longer than a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::archive::Progress;

const PATIENCE: Duration = Duration::from_secs(1);

/// Shows how far work has come. It is cheap to clone; all clones share one bar.
#[derive(Clone, Default)]
pub(crate) struct Meter(Option<Arc<Mutex<State>>>);

/// The fewest columns of a terminal on which text and bar fit into one line.
const BAR_COLUMNS: usize = 76;

struct State {
    /// The columns of the terminal.
    width: usize,
    since: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Meter {
    /// Returns a meter that draws on stderr.
    pub(crate) fn visible(width: usize) -> Self {
        let state = State {
            width,
            since: None,
            bar: None,
        };
        Self(Some(Arc::new(Mutex::new(state))))
    }

    /// Returns this meter in the type that the archive reports progress to.
    pub(crate) fn as_progress(&self) -> Progress {
        if self.0.is_none() {
            return Progress::default();
        }
        let meter = self.clone();
        Progress::to(move |done, total, what| meter.report(done, total, what))
    }

    /// Returns true when the meter draws.
    pub(crate) fn is_visible(&self) -> bool {
        self.0.is_some()
    }

    /// Reports that `done` of `total` is done; a `total` of 0 is unknown.
    pub(crate) fn report(&self, done: u64, total: u64, what: &str) {
        let Some(state) = &self.0 else { return };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *state.since.get_or_insert_with(Instant::now);
        if since.elapsed() < PATIENCE {
            return;
        }
        if let Some(bar) = &state.bar {
            if bar.length() != known(total) {
                // Prepared while hidden: text, length and position are of one kind of work.
                bar.set_draw_target(ProgressDrawTarget::hidden());
                measure(bar, total, state.width);
                bar.set_message(what.to_owned());
                bar.set_position(done);
                // Other work has another pace.
                bar.reset_eta();
                bar.set_draw_target(ProgressDrawTarget::stderr());
                return;
            }
            if bar.message() != what {
                bar.set_message(what.to_owned());
            }
            bar.set_position(done);
            return;
        }
        // Prepared while hidden, so that the first drawn bar is complete. The estimate of the time
        // left does not start with one large step.
        let bar = ProgressBar::hidden();
        measure(&bar, total, state.width);
        bar.set_message(what.to_owned());
        bar.set_position(done);
        bar.reset_eta();
        bar.set_draw_target(ProgressDrawTarget::stderr());
        state.bar = Some(bar);
    }

    /// Runs `print` while the bar is hidden.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        let bar = self.0.as_ref().and_then(|state| {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.bar.clone()
        });
        match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Removes the bar. Further work starts a new one.
    pub(crate) fn clear(&self) {
        let Some(state) = &self.0 else { return };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        state.since = None;
    }
}

/// Returns the total, or `None` for 0, which the archive reports for an unknown total.
fn known(total: u64) -> Option<u64> {
    (total > 0).then_some(total)
}

/// Sets the length of the bar and the matching template.
fn measure(bar: &ProgressBar, total: u64, width: usize) {
    let template = if let Some(total) = known(total) {
        bar.set_length(total);
        if width < BAR_COLUMNS {
            "{msg} {percent:>3}%  {eta} left"
        } else {
            "{msg} [{bar:32}] {percent:>3}%  {eta} left"
        }
    } else {
        bar.unset_length();
        "{spinner} {msg} {human_pos}"
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_ends_within_a_second_shows_no_bar() {
        let meter = Meter::visible(80);
        meter.report(1, 2, "reading");
        let state = meter.0.as_ref().expect("visible").lock().expect("lock");
        assert!(state.bar.is_none());
    }
}
