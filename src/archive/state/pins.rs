//! Packs that compaction leaves alone: content in them is on its way into an event.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::id::PackId;

/// Counts for each pack how many callers wait to name content in it.
#[derive(Default)]
pub(in crate::archive) struct Pins {
    callers: Mutex<BTreeMap<PackId, usize>>,
}

impl Pins {
    /// Keeps compaction away from these packs until the pin is dropped.
    pub(in crate::archive) fn pin(self: &Arc<Self>, packs: Vec<PackId>) -> Pin {
        let mut callers = self.callers.lock().expect("no panic while held");
        for pack in &packs {
            *callers.entry(*pack).or_default() += 1;
        }
        drop(callers);
        Pin {
            pins: Arc::clone(self),
            packs,
        }
    }

    /// Returns true while a pack is pinned.
    pub(in crate::archive) fn is_pinned(&self, pack: PackId) -> bool {
        let callers = self.callers.lock().expect("no panic while held");
        callers.contains_key(&pack)
    }
}

/// Packs that compaction leaves alone as long as this lives.
pub(in crate::archive) struct Pin {
    pins: Arc<Pins>,
    packs: Vec<PackId>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut callers = self.pins.callers.lock().expect("no panic while held");
        for pack in &self.packs {
            let waiting = callers.get_mut(pack);
            let waiting = waiting.expect("a pin counts its packs for as long as it lives");
            *waiting -= 1;
            if *waiting == 0 {
                callers.remove(pack);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_pinned_twice__stays_until_both_pins_are_dropped() {
        let pins = Arc::new(Pins::default());
        let first = pins.pin(vec![PackId(1), PackId(2)]);
        let second = pins.pin(vec![PackId(2), PackId(2)]);
        drop(first);
        assert!(!pins.is_pinned(PackId(1)));
        assert!(pins.is_pinned(PackId(2)));
        drop(second);
        assert!(!pins.is_pinned(PackId(2)));
    }
}
