//! Journal files that wait to be sealed, and how far sealing has come when the store is closed.

use std::sync::Mutex;

use crate::archive::options::Progress;

/// Journal files that were handed over to be sealed.
#[derive(Default)]
pub(in crate::archive) struct Backlog(Mutex<Counts>);

#[derive(Default, Clone, Copy)]
struct Counts {
    /// Files and bytes handed over since the store was opened.
    files: u64,
    bytes: u64,
    /// Files that were sealed, and their bytes.
    sealed_files: u64,
    sealed_bytes: u64,
    /// Bytes of the present file that were packed.
    packed: u64,
    /// What was sealed when closing began. Before that nobody waits, and nothing is reported.
    closing_from: Option<(u64, u64)>,
}

impl Backlog {
    /// Notes that a file with so many bytes of events and content was handed over.
    pub(in crate::archive) fn hand_over(&self, bytes: u64) {
        self.with(|counts| {
            counts.files += 1;
            counts.bytes += bytes;
        });
    }

    /// Notes that a file was sealed.
    pub(in crate::archive) fn sealed(&self, bytes: u64) {
        self.with(|counts| {
            counts.sealed_files += 1;
            counts.sealed_bytes += bytes;
            counts.packed = 0;
        });
    }

    /// Returns true while a file waits, or is being sealed.
    pub(in crate::archive) fn is_waiting(&self) -> bool {
        self.with(|counts| counts.files > counts.sealed_files)
    }

    /// Notes that the store is being closed. From now on somebody waits for what is left.
    pub(in crate::archive) fn set_closing(&self) {
        self.with(|counts| {
            counts.closing_from = Some((counts.sealed_files, counts.sealed_bytes));
        });
    }

    /// Notes that more of the present file was packed, and reports it if the store is being closed.
    pub(in crate::archive) fn packed(&self, bytes: u64, progress: &Progress) {
        let counts = self.with(|counts| {
            counts.packed += bytes;
            *counts
        });
        let Some((files, sealed)) = counts.closing_from else {
            return;
        };
        let total = counts.bytes.saturating_sub(sealed);
        let done = counts.sealed_bytes + counts.packed;
        let done = done.saturating_sub(sealed).min(total);
        let what = format!(
            "packing {} of {}, {} of {} MiB",
            counts.sealed_files - files + 1,
            counts.files - files,
            done >> 20,
            total >> 20
        );
        progress.report(done, total, &what);
    }

    fn with<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.0.lock().expect("no panic while held"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_file_waits__until_it_is_sealed() {
        let backlog = Backlog::default();
        assert!(!backlog.is_waiting());
        backlog.hand_over(10);
        backlog.hand_over(10);
        backlog.sealed(10);
        assert!(backlog.is_waiting());
        backlog.sealed(10);
        assert!(!backlog.is_waiting());
    }

    /// `archive` of a large tree stood still for seconds without a word.
    #[test]
    fn who_waits_for_the_end__is_told_of_what_is_left() {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&told);
        let progress = Progress::to(move |done, total, what| {
            let line = format!("{what}: {} of {}", done >> 20, total >> 20);
            heard.lock().expect("no panic").push(line);
        });
        let backlog = Backlog::default();
        let mib = 1 << 20;
        for _ in 0..3 {
            backlog.hand_over(30 * mib);
        }
        backlog.packed(15 * mib, &progress);
        backlog.sealed(30 * mib);
        assert!(told.lock().expect("no panic").is_empty());
        backlog.set_closing();
        backlog.packed(20 * mib, &progress);
        backlog.sealed(30 * mib);
        backlog.packed(15 * mib, &progress);
        let told = told.lock().expect("no panic");
        assert_eq!(
            *told,
            [
                "packing 1 of 2, 20 of 60 MiB: 20 of 60",
                "packing 2 of 2, 45 of 60 MiB: 45 of 60"
            ]
        );
    }
}
