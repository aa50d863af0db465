//! Grants turns to the conversions of reprocess jobs: files on their way come first, and no limit
//! on parallel conversions is exceeded.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::host::Host;
use super::queue::Precedence;
use crate::archive::{Turn, Turns};

/// How long the conversion of a job waits for files before it is next.
const GIVES_WAY_FOR: Duration = Duration::from_secs(1);
/// How often it looks whether it may start.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Grants turns as long as the host lives. The host owns the archives that own this.
pub(in crate::host) struct HostTurns(pub(in crate::host) Weak<Host>);

/// A conversion of a job that runs.
struct FromHistory {
    host: Arc<Host>,
    converter: Arc<str>,
}

impl Drop for FromHistory {
    fn drop(&mut self) {
        self.host.queue.end_from_history(&self.converter);
    }
}

/// A conversion of a job that waits.
struct Waiting {
    host: Arc<Host>,
    precedence: Precedence,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.precedence == Precedence::Next {
            self.host.queue.give_up_claim();
        }
    }
}

impl Turns for HostTurns {
    fn wait(&self, converter: &str, goes_on: &dyn Fn() -> bool) -> Option<Turn> {
        let Some(host) = self.0.upgrade() else {
            return goes_on().then(Turn::free);
        };
        let converter: Arc<str> = converter.into();
        let mut waiting = Waiting {
            host,
            precedence: Precedence::BehindFiles,
        };
        let since = Instant::now();
        while goes_on() {
            let queue = &waiting.host.queue;
            if queue.begin_from_history(&converter, waiting.precedence) {
                // Nothing is claimed any more.
                waiting.precedence = Precedence::BehindFiles;
                let host = Arc::clone(&waiting.host);
                return Some(Turn::held_by(FromHistory { host, converter }));
            }
            let is_due = since.elapsed() >= GIVES_WAY_FOR;
            if is_due
                && waiting.precedence == Precedence::BehindFiles
                && queue.claim_next(&converter)
            {
                waiting.precedence = Precedence::Next;
                continue;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        None
    }
}
