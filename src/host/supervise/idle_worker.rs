//! Packs again, while nothing else is to be done, what stores packed quickly while files came in.

use std::time::Duration;

use crate::convert::Cancel;
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::pipeline::host::Host;

/// How long nothing must have been to be done.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// Time between two looks whether something is to be done.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Bytes of packs that are packed again in one turn of a store. Between two turns it is looked
/// whether there is work.
const TURN_BYTES: u64 = 16 << 20;

impl Host {
    /// Makes the stores smaller while nothing else is to be done, until cancelled.
    pub(super) fn idle_loop(&self, over: &Cancel, hooks: &Hooks) {
        let mut idle = Duration::ZERO;
        while over.sleep(LOOK_EVERY) {
            idle = if self.queue.is_idle() {
                idle + LOOK_EVERY
            } else {
                Duration::ZERO
            };
            if idle >= IDLE_FOR {
                self.use_idle_time(hooks);
            }
        }
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
