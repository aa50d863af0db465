//! A progress bar on stderr, shown once work takes longer than a second.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{
    HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use crate::archive::Progress;

const PATIENCE: Duration = Duration::from_secs(1);

/// Shows how far work has come. It is cheap to clone; all clones share one bar.
#[derive(Clone, Default)]
pub(crate) struct Meter(Option<Arc<Mutex<State>>>);

/// The fewest columns of a terminal on which text and bar fit into one line.
const BAR_COLUMNS: usize = 76;

/// How often the sign of work without a known end moves.
const TICK: Duration = Duration::from_millis(200);

struct State {
    /// The columns of the terminal.
    width: usize,
    /// When the work began.
    since: Option<Instant>,
    /// What was reported last.
    newest: Step,
    bar: Option<ProgressBar>,
}

/// How far work has come.
#[derive(Clone, Default)]
struct Step {
    done: u64,
    /// 0 when it is unknown.
    total: u64,
    what: String,
}

impl Meter {
    /// Returns a meter that draws on stderr.
    pub(crate) fn visible(width: usize) -> Self {
        let state = State {
            width,
            since: None,
            newest: Step::default(),
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

    /// Says what begins. It is shown after a second, even if nothing is reported until then, and
    /// until [`Meter::clear`].
    pub(crate) fn begin(&self, what: &str) {
        let Some(shared) = &self.0 else { return };
        let mut state = lock(shared);
        let now = Instant::now();
        state.since = Some(now);
        state.newest = Step {
            what: what.to_owned(),
            ..Step::default()
        };
        let shared = Arc::downgrade(shared);
        // Without the thread, the first report after a second shows the bar.
        let _ = thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || show_after_a_second(&shared, now));
    }

    /// Reports that `done` of `total` is done; a `total` of 0 is unknown.
    pub(crate) fn report(&self, done: u64, total: u64, what: &str) {
        let Some(state) = &self.0 else { return };
        let mut state = lock(state);
        let since = *state.since.get_or_insert_with(Instant::now);
        (state.newest.done, state.newest.total) = (done, total);
        if state.newest.what != what {
            what.clone_into(&mut state.newest.what);
        }
        if since.elapsed() >= PATIENCE {
            state.draw();
        }
    }

    /// Runs `print` while the bar is hidden.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        let bar = self.0.as_ref().and_then(|state| lock(state).bar.clone());
        match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Removes the bar. Further work starts a new one.
    pub(crate) fn clear(&self) {
        let Some(state) = &self.0 else { return };
        let mut state = lock(state);
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        state.since = None;
    }
}

impl State {
    /// Shows what was reported last.
    fn draw(&mut self) {
        let Step { done, total, what } = self.newest.clone();
        if let Some(bar) = &self.bar {
            if bar.length() != known(total) {
                // Prepared while hidden: text, length and position are of one kind of work.
                bar.set_draw_target(ProgressDrawTarget::hidden());
                measure(bar, total, self.width);
                bar.set_message(what);
                bar.set_position(done);
                // Other work has another pace.
                bar.reset_eta();
                bar.set_draw_target(ProgressDrawTarget::stderr());
                return;
            }
            if bar.message() != what {
                bar.set_message(what);
            }
            bar.set_position(done);
            return;
        }
        // Prepared while hidden, so that the first drawn bar is complete. The estimate of the time
        // left does not start with one large step.
        let bar = ProgressBar::hidden();
        measure(&bar, total, self.width);
        bar.set_message(what);
        bar.set_position(done);
        bar.reset_eta();
        bar.set_draw_target(ProgressDrawTarget::stderr());
        self.bar = Some(bar);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows the work that began at `since`, unless it is over by then.
fn show_after_a_second(state: &Weak<Mutex<State>>, since: Instant) {
    thread::sleep(PATIENCE);
    if let Some(state) = state.upgrade() {
        let mut state = lock(&state);
        if state.since == Some(since) && state.bar.is_none() {
            state.draw();
        }
    }
}

/// Returns the total, or `None` for 0, which the archive reports for an unknown total.
fn known(total: u64) -> Option<u64> {
    (total > 0).then_some(total)
}

/// Sets the length of the bar and the matching template.
fn measure(bar: &ProgressBar, total: u64, width: usize) {
    let template = if let Some(total) = known(total) {
        bar.disable_steady_tick();
        bar.set_length(total);
        if width < BAR_COLUMNS {
            "{msg} {percent:>3}%{left}"
        } else {
            "{msg} [{bar:32}] {percent:>3}%{left}"
        }
    } else {
        bar.unset_length();
        bar.enable_steady_tick(TICK);
        "{spinner} {msg} {count}"
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    // Where nothing is counted yet, 0 would say that nothing happens.
    let count = |state: &ProgressState, out: &mut dyn fmt::Write| {
        if state.pos() > 0 {
            let _ = write!(out, "{}", HumanCount(state.pos()));
        }
    };
    // Nor is a time known before the first part is done.
    let left = |state: &ProgressState, out: &mut dyn fmt::Write| {
        if state.pos() > 0 {
            let _ = write!(out, "  {:#} left", HumanDuration(state.eta()));
        }
    };
    let style = style.with_key("count", count).with_key("left", left);
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

    /// `verify` over many small files in one pack was silent for ten seconds: it reports for each
    /// pack, and nothing was drawn before the next report.
    #[test]
    fn work_that_reports_nothing_is_shown_all_the_same() {
        let meter = Meter::visible(80);
        let state = meter.0.as_ref().expect("visible");
        let began = Instant::now();
        let show = |since| show_after_a_second(&Arc::downgrade(state), since);
        lock(state).since = Some(began);
        show(began);
        assert!(lock(state).bar.is_some());
        // What ended before is not shown, nor in place of what began since.
        meter.clear();
        show(began);
        assert!(lock(state).bar.is_none());
    }
}
