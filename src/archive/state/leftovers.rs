//! What purges left undone before an opening, and what the opening freed of it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::archive::state::compact_outcome::CompactOutcome;

/// What purges left undone before this opening.
#[derive(Default)]
pub(in crate::archive) struct Leftovers {
    stale_journal: AtomicBool,
    /// Bytes freed in the background that no caller knows of yet.
    untold: Mutex<CompactOutcome>,
}

impl Leftovers {
    /// Returns true when a journal file was not wiped after a purge, when the store was opened.
    pub(in crate::archive) fn has_stale_journal(&self) -> bool {
        self.stale_journal.load(Ordering::Relaxed)
    }

    /// Notes that a journal file was not wiped after a purge.
    pub(in crate::archive) fn set_stale_journal(&self) {
        self.stale_journal.store(true, Ordering::Relaxed);
    }

    /// Adds to what was freed in the background.
    pub(in crate::archive) fn note_freed(&self, done: CompactOutcome) {
        let mut untold = self.untold.lock().expect("no panic while held");
        *untold = untold.plus(done);
    }

    /// Takes what was freed in the background, to report it to a caller.
    pub(in crate::archive) fn take_freed(&self) -> CompactOutcome {
        std::mem::take(&mut *self.untold.lock().expect("no panic while held"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_freed_in_the_background__are_told_once() {
        let leftovers = Leftovers::default();
        let one = CompactOutcome {
            packs_removed: 1,
            packs_written: 0,
            bytes_freed: 10,
        };
        leftovers.note_freed(one);
        leftovers.note_freed(one);
        assert_eq!(leftovers.take_freed(), one.plus(one));
        assert_eq!(leftovers.take_freed(), CompactOutcome::default());
    }
}
