//! Finds journal files that a purge should have wiped.

use crate::disk::{Disk, OpenMode};
use crate::format::frame::JOURNAL_HEADER_BYTES;
use crate::id::EventSeq;
use crate::log::{Found, Journal, journal_path};

/// Returns true when a journal file still holds content from before `purged`, the newest purge.
pub(in crate::archive) fn has_stale_journal(
    disk: &dyn Disk,
    found: &Found,
    purged: EventSeq,
) -> bool {
    let current = found.current.as_ref();
    let current_is_stale = found.stale_behind_end
        && current.is_some_and(|(journal, _)| journal.header.first_seq <= purged);
    current_is_stale || found.free.iter().any(|free| is_stale(disk, free, purged))
}

/// Bytes that are read where the first frame of a journal file would be.
const FRAME_HEAD_BYTES: usize = 64;

/// Returns true when a free journal file still holds content from before `purged`. A purge wipes
/// free files, unless it was cut off.
fn is_stale(disk: &dyn Disk, free: &Journal, purged: EventSeq) -> bool {
    if free.header.first_seq > purged {
        return false;
    }
    let mut head = [0; FRAME_HEAD_BYTES];
    let read = disk
        .open(&journal_path(free.slot), OpenMode::Read)
        .and_then(|file| file.read_exact_at(&mut head, JOURNAL_HEADER_BYTES as u64));
    read.is_ok() && head.iter().any(|byte| *byte != 0)
}
