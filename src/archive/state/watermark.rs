//! How far the log has come: in this process, and as the file `NEWEST` remembers it.

use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::archive::files::folders::NEWEST_FILE;
use crate::disk::{Disk, OpenMode};
use crate::format::newest::{NEWEST_BYTES, decode, encode};
use crate::id::{EventSeq, StoreId};
use crate::time::Stopwatch;

/// The newest acknowledged event of an open store.
pub(in crate::archive) struct Watermark {
    newest: Mutex<EventSeq>,
    grown: Condvar,
}

impl Watermark {
    /// Makes the watermark of a log that ends with `newest`.
    pub(in crate::archive) fn new(newest: EventSeq) -> Self {
        Self {
            newest: Mutex::new(newest),
            grown: Condvar::new(),
        }
    }

    /// Returns the newest acknowledged event.
    pub(in crate::archive) fn newest(&self) -> EventSeq {
        *self.newest.lock().expect("no panic while held")
    }

    /// Raises the watermark to an event that is durable, and wakes all who wait for it.
    pub(in crate::archive) fn raise(&self, last: EventSeq) {
        let mut newest = self.newest.lock().expect("no panic while held");
        // Plans are compared with the watermark, so it must never fall back.
        assert!(last > *newest, "BUG: event {last} comes after {newest}");
        *newest = last;
        self.grown.notify_all();
    }

    /// Waits until there is an event after `seq`, at most for `timeout`. Returns the newest event.
    pub(in crate::archive) fn wait_past(&self, seq: EventSeq, timeout: Duration) -> EventSeq {
        let waited = Stopwatch::start();
        let mut newest = self.newest.lock().expect("no panic while held");
        while *newest <= seq {
            let left = waited.left_of(timeout);
            if left.is_zero() {
                break;
            }
            newest = self
                .grown
                .wait_timeout(newest, left)
                .expect("no panic while held")
                .0;
        }
        *newest
    }
}

/// Reads the watermark that the last closing of the store left in `NEWEST`. `None` when the file is
/// missing, damaged, or of another store.
pub(in crate::archive) fn read(disk: &dyn Disk, store: &StoreId) -> Option<EventSeq> {
    let file = disk.open(Path::new(NEWEST_FILE), OpenMode::Read).ok()?;
    let mut bytes = [0; NEWEST_BYTES];
    file.read_exact_at(&mut bytes, 0).ok()?;
    decode(&bytes, store)
}

/// Writes the watermark to `NEWEST`. It is not synced: it helps where it is there, and nothing
/// depends on it.
pub(in crate::archive) fn write(disk: &dyn Disk, store: &StoreId, newest: EventSeq) {
    let path = Path::new(NEWEST_FILE);
    let file = disk
        .open(path, OpenMode::Write)
        .or_else(|_| disk.open(path, OpenMode::CreateNew));
    if let Ok(file) = file {
        // A disk that is full or read-only keeps the older watermark, which is still true.
        let _ = file.write_all_at(encode(store, newest).as_bytes(), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::disk::sim::SimDisk;

    #[test]
    fn a_waiter__is_woken_by_the_event_it_waits_for() {
        let watermark = Watermark::new(EventSeq(3));
        let nothing = watermark.wait_past(EventSeq(3), Duration::ZERO);
        assert_eq!(nothing, EventSeq(3));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| watermark.wait_past(EventSeq(3), Duration::from_mins(1)));
            watermark.raise(EventSeq(5));
            assert_eq!(waiting.join().expect("no panic"), EventSeq(5));
        });
        assert_eq!(watermark.newest(), EventSeq(5));
    }

    #[test]
    #[should_panic(expected = "BUG: event 3 comes after 3")]
    fn an_event_that_is_not_newer__is_a_bug() {
        Watermark::new(EventSeq(3)).raise(EventSeq(3));
    }

    #[test]
    fn a_watermark_file__counts_for_its_own_store() {
        let disk = SimDisk::new();
        let [own, other] = [1, 2].map(|byte| StoreId::from_bytes([byte; 16]));
        assert_eq!(read(&disk, &own), None);
        write(&disk, &own, EventSeq(7));
        write(&disk, &own, EventSeq(9));
        assert_eq!(read(&disk, &own), Some(EventSeq(9)));
        assert_eq!(read(&disk, &other), None);
    }
}
