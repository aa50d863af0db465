//! `annals host run`: works until it is stopped, and writes a log.

use std::sync::{Arc, Mutex, PoisonError};

use super::configuration::watching;
use super::listening::Open;
use super::service::{Ended, Service, while_listening};
use super::summary::{exit_of, in_words};
use crate::Error;
use crate::cli::daemon::{Console, Log};
use crate::cli::render::to_json;
use crate::cli::store::State;
use crate::host::{Hooks, Notice, RunSummary};
use crate::time::{Clock, SystemClock};

/// Runs the host until it is stopped.
///
/// Its output is for people. The host keeps working when nobody reads it.
pub(super) fn run_until_stopped(
    service: Service,
    open: Open,
    state: Arc<State>,
    log: Log,
    console: &Console,
    json: bool,
) -> Result<Ended, Error> {
    let asked = console.clone();
    service.host.ask_too(move || asked.troubles());
    let log = Arc::new(log);
    let panics = Arc::clone(&log);
    std::panic::set_hook(Box::new(move |panic| panics.panicked(panic)));
    let last = Arc::new(Mutex::new(RunSummary::default()));
    let out = console.out.clone();
    let hooks = Hooks::new({
        let last = Arc::clone(&last);
        move |notice| {
            log.notice(notice);
            if let Notice::Passed(summary) = notice {
                state.owner.passed(summary, SystemClock.now());
                if let Some(line) = line_of(summary, json) {
                    out.say(line);
                }
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                last.clone_from(summary);
            }
        }
    });
    let watching = watching(&service.host.config());
    let (host, stop) = (Arc::clone(&service.host), service.stop.clone());
    let supervisor = service.supervisor.clone();
    let ended = while_listening(service, &hooks, || {
        supervisor.ready(&watching);
        let failed = open.while_open(|listener| host.run(listener, &stop, &hooks));
        if let Some(error) = failed {
            console.err.say(format!("the page: {error}\n"));
        }
    });
    let last = last.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((ended?, exit_of(&last)))
}

/// Returns the line that a running host prints for a pass that had something to do.
fn line_of(summary: &RunSummary, json: bool) -> Option<String> {
    let sent = summary.reports_submitted + summary.reports_rejected;
    let something = summary.archived + summary.converted + summary.done_before + sent > 0;
    if json {
        let worth = something || !summary.errors.is_empty();
        let line = to_json(summary).ok().filter(|_| worth)?;
        return Some(format!("{line}\n"));
    }
    something.then(|| in_words(summary))
}
