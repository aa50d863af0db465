//! Packs again, while nothing else is to be done, what stores packed quickly while files came in.

use std::time::Duration;

use crate::archive::Archive;
use crate::convert::Cancel;
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::pipeline::host::Host;
use crate::id::EventSeq;

/// How long nothing must have been to be done.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// Time between two looks whether something is to be done. A turn may take as long.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Bytes of packs that are packed again in one turn of a store. Between two turns it is looked
/// whether there is work.
const TURN_BYTES: u64 = 64 << 20;

impl Host {
    /// Makes the stores smaller while nothing else is to be done, until cancelled. Stores that are
    /// as small as they get are left alone until something is recorded in them.
    pub(super) fn idle_loop(&self, over: &Cancel, hooks: &Hooks) {
        let mut idle = Duration::ZERO;
        let mut small: Option<Vec<EventSeq>> = None;
        while over.sleep(LOOK_EVERY) {
            if !self.queue.is_idle() {
                idle = Duration::ZERO;
                continue;
            }
            idle += LOOK_EVERY;
            if idle >= IDLE_FOR && small.as_ref() != Some(&self.newest_events()) {
                let before = self.newest_events();
                self.use_idle_time(hooks);
                // A store that was packed again has recorded it.
                small = Some(before);
            }
        }
    }

    fn newest_events(&self) -> Vec<EventSeq> {
        self.archives.iter().map(Archive::newest).collect()
    }

    /// Makes each store a little smaller.
    fn use_idle_time(&self, hooks: &Hooks) {
        for archive in self.archives.iter() {
            if archive.can_write().is_err() {
                continue;
            }
            // A damaged pack is told of once; the store leaves it alone from then on.
            if let Err(error) = archive.compact_while_idle(TURN_BYTES) {
                (hooks.notice)(&Notice::Trouble {
                    path: archive.dir(),
                    error: &error,
                });
            }
        }
    }
}
