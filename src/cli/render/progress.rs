//! A progress bar on stderr, for a person who has waited more than a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::archive::Progress;

const PATIENCE: Duration = Duration::from_secs(1);

/// Shows how far long work has come. Cheap to clone; all clones are one bar.
#[derive(Clone, Default)]
pub(crate) struct Meter(Option<Arc<Mutex<State>>>);

#[derive(Default)]
struct State {
    since: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Meter {
    /// A meter that draws on stderr.
    pub(crate) fn visible() -> Self {
        Self(Some(Arc::default()))
    }

    /// The same meter as the archive knows it.
    pub(crate) fn as_progress(&self) -> Progress {
        if self.0.is_none() {
            return Progress::default();
        }
        let meter = self.clone();
        Progress::to(move |done, total, what| meter.report(done, total, what))
    }

    /// Work stands at `done` of `total`; a `total` of 0 is unknown.
    pub(crate) fn report(&self, done: u64, total: u64, what: &str) {
        let Some(state) = &self.0 else { return };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *state.since.get_or_insert_with(Instant::now);
        if since.elapsed() < PATIENCE {
            return;
        }
        if let Some(bar) = &state.bar {
            if bar.length() != known(total) {
                measure(bar, total);
            }
            if bar.message() != what {
                bar.set_message(what.to_owned());
            }
            bar.set_position(done);
            return;
        }
        // Prepared out of sight, so that the first thing seen is whole and the time left is not
        // guessed from one leap.
        let bar = ProgressBar::hidden();
        measure(&bar, total);
        bar.set_message(what.to_owned());
        bar.set_position(done);
        bar.reset_eta();
        bar.set_draw_target(ProgressDrawTarget::stderr());
        state.bar = Some(bar);
    }

    /// Runs `print` with the bar out of the way.
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

    /// Takes the bar away; the next work starts a new one.
    pub(crate) fn clear(&self) {
        let Some(state) = &self.0 else { return };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        state.since = None;
    }
}

/// Zero is how the archive says that it does not know.
fn known(total: u64) -> Option<u64> {
    (total > 0).then_some(total)
}

/// Gives the bar its length and the looks that go with it.
fn measure(bar: &ProgressBar, total: u64) {
    let template = if let Some(total) = known(total) {
        bar.set_length(total);
        "{msg} [{bar:32}] {percent:>3}%  {eta} left"
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
        let meter = Meter::visible();
        meter.report(1, 2, "reading");
        let state = meter.0.as_ref().expect("visible").lock().expect("lock");
        assert!(state.bar.is_none());
    }
}
