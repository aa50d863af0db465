//! Reads every journal file and says what is found beyond the sealed segments.

use super::scan::{Scan, Tail};
use super::torn_tail::TornTail;
use crate::disk::{Disk, OpenMode};
use crate::format::frame::{Frame, JOURNAL_HEADER_BYTES, JournalHeader};
use crate::id::{EventSeq, StoreId};
use crate::log::journal::{JOURNAL_BYTES_MAX, Journal, journal_path, slot_of};
use crate::log::journal_bytes::JournalBytes;
use crate::log::{JOURNAL_DIR, LogError, list_or_nothing};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// What the journal files hold beyond the sealed segments.
pub(crate) struct Found {
    /// Full files that wait to be sealed, oldest first, with their last event.
    pub(crate) full: Vec<(Journal, EventSeq)>,
    /// The file to go on in and where; `None` when every file is free.
    pub(crate) current: Option<(Journal, u64)>,
    /// Files that hold nothing unsealed.
    pub(crate) free: VecDeque<Journal>,
    /// Files too short to be whole: made when the disk filled up or the power went, unless something is damaged.
    pub(crate) half_made: Vec<PathBuf>,
    /// How many slots are taken.
    pub(crate) slots: u32,
    /// The number the next event gets.
    pub(crate) next_seq: EventSeq,
    /// Behind the end of the file to go on in lies something that it held before it was used again.
    pub(crate) stale_behind_end: bool,
    /// Bytes of a group that never became durable.
    pub(crate) torn: Option<TornTail>,
    /// Why the journal is not whole, one line for each place.
    pub(crate) damage: Vec<String>,
}

/// A file that may hold unsealed events. It is read when its turn comes, so that one at a time is in memory, and not at all
/// when everything in it was sealed.
struct Candidate {
    journal: Journal,
    /// How long it is.
    len: u64,
    /// How long it was made; it is begun only after all of that is durable.
    made_bytes: u64,
}

/// Reads every journal file and calls `each` with every intact frame after `sealed`, in order. Writes nothing.
pub(crate) fn recover(
    disk: &dyn Disk,
    store: &StoreId,
    sealed: EventSeq,
    access: OpenMode,
    mut each: impl FnMut(u32, u64, &Frame<'_>),
) -> Result<Found, LogError> {
    let dir = Path::new(JOURNAL_DIR);
    let mut found = Found {
        full: Vec::new(),
        current: None,
        free: VecDeque::new(),
        half_made: Vec::new(),
        slots: 0,
        next_seq: sealed.next(),
        stale_behind_end: false,
        torn: None,
        damage: Vec::new(),
    };
    let mut live: Vec<Candidate> = Vec::new();
    for entry in list_or_nothing(disk, dir)? {
        let Some(slot) = slot_of(&entry.name) else {
            continue;
        };
        found.slots = found.slots.max(slot + 1);
        let path = journal_path(slot);
        let file = disk
            .open(&path, access)
            .map_err(LogError::io("open", &path))?;
        let read = |len| JournalBytes::read(&*file, len).map_err(LogError::io("read", &path));
        let head = read(entry.len.min(JOURNAL_HEADER_BYTES as u64))?;
        let free = |file| {
            let header = JournalHeader {
                store: *store,
                generation: 0,
                first_seq: EventSeq(0),
                file_bytes: entry.len,
            };
            Journal::found(slot, file, header)
        };
        match JournalHeader::decode(head.bytes(), store) {
            Ok(mut header) => {
                let made_bytes = header.file_bytes;
                // One cut short behind our back is still read as far as it goes.
                header.file_bytes = made_bytes.min(entry.len);
                let journal = Journal::found(slot, file, header);
                live.push(Candidate {
                    journal,
                    len: entry.len,
                    made_bytes,
                });
            }
            // A header torn while the file was started anew covers nothing: all it held was sealed by then. But if
            // there is an unsealed frame behind it, the header itself was damaged.
            Err(why) => {
                let all = read(entry.len)?;
                let mut heads = all.heads(JOURNAL_HEADER_BYTES);
                if heads.any(|(_, frame)| frame.seq > sealed) {
                    found
                        .damage
                        .push(format!("{}: header: {why}", path.display()));
                } else if entry.len > JOURNAL_BYTES_MAX {
                    found.damage.push(too_long(&path, entry.len));
                } else if entry.len >= crate::log::JOURNAL_BYTES_MIN {
                    found.free.push_back(free(file));
                } else {
                    found.half_made.push(path);
                }
            }
        }
    }
    live.sort_by_key(|candidate| {
        (
            candidate.journal.header.first_seq,
            candidate.journal.header.generation,
        )
    });
    let mut remaining = live.into_iter().peekable();
    while let Some(candidate) = remaining.next() {
        let Candidate {
            journal,
            len,
            made_bytes,
        } = candidate;
        let path = journal_path(journal.slot);
        let starts = journal.header.first_seq;
        let later = remaining.peek().map(|next| next.journal.header.first_seq);
        if len > JOURNAL_BYTES_MAX {
            found.damage.push(too_long(&path, len));
        }
        if later.is_some_and(|next| next <= found.next_seq) && starts <= sealed {
            // Everything in it was sealed.
            found.free.push_back(journal.with_file_bytes(len));
            continue;
        }
        let all = JournalBytes::read(&*journal.file, len).map_err(LogError::io("read", &path))?;
        let mut scan = Scan::new(&journal, &all);
        let mut last = EventSeq(starts.0.saturating_sub(1));
        while let Some((offset, frame)) = scan.next_frame() {
            last = frame.header.seq;
            if frame.header.seq == found.next_seq {
                found.next_seq = found.next_seq.next();
                each(journal.slot, offset, &frame);
            } else if frame.header.seq > found.next_seq {
                found.damage.push(format!(
                    "{}: event {} is missing before event {} at byte {offset}",
                    path.display(),
                    found.next_seq,
                    frame.header.seq
                ));
                found.next_seq = frame.header.seq.next();
                each(journal.slot, offset, &frame);
            }
        }
        let tail = scan.tail();
        let told = found.damage.len();
        let expected = last.next();
        let proven = later.is_some_and(|next| next > expected && next > found.next_seq);
        match tail {
            Tail::Clean if !proven => {}
            Tail::Torn(range) if !proven && later.is_none() => {
                found.torn = Some(TornTail {
                    slot: journal.slot,
                    offset: range.start as u64,
                    bytes: all.bytes()[range].to_vec(),
                });
            }
            // A later file was started only after all of this one was durable.
            Tail::Torn(_) if !proven => {}
            Tail::Clean | Tail::Torn(_) | Tail::Damaged => {
                found.damage.push(format!(
                    "{}: event {expected} at byte {} does not check out, and later events prove that it was durable",
                    path.display(),
                    scan.at
                ));
                for (offset, seq) in scan.survivors() {
                    if let Ok(frame) = Frame::decode(&all.bytes()[offset..])
                        && seq >= found.next_seq
                    {
                        found.next_seq = seq.next();
                        each(journal.slot, offset as u64, &frame);
                    }
                }
            }
        }
        let unsealed = last > sealed || later.is_none();
        if unsealed && made_bytes < len && len <= JOURNAL_BYTES_MAX {
            found.damage.push(format!(
                "{}: it has {len} bytes and was made with {made_bytes}; \
                 something else wrote behind its end",
                path.display(),
            ));
        }
        if unsealed && journal.header.file_bytes < made_bytes {
            found.damage.push(format!(
                "{}: {} bytes are left of {made_bytes}; what was recorded in the rest is lost with it",
                path.display(),
                journal.header.file_bytes
            ));
        }
        if last <= sealed && later.is_some() {
            found.free.push_back(journal.with_file_bytes(len));
        } else if later.is_some() {
            let end = EventSeq(found.next_seq.0 - 1);
            found.full.push((journal, end));
        } else if last <= sealed && starts <= sealed {
            // The newest file was sealed to its end and not started anew yet.
            found.free.push_back(journal.with_file_bytes(len));
        } else {
            if scan.expected != found.next_seq && found.damage.len() == told {
                // Whatever were written behind its last event would be taken for no part of the log at the next look.
                found.damage.push(format!(
                    "{}: it goes on with event {}, and the log with event {}",
                    path.display(),
                    scan.expected,
                    found.next_seq
                ));
            }
            let at = scan.at as u64;
            found.stale_behind_end = all.is_written_from(scan.at);
            found.current = Some((journal, at));
        }
    }
    if found.current.is_none() {
        // A file is sealed only after the next one was durably begun, so there always is one to go on in.
        found.damage.push(format!(
            "{}: the newest journal file is missing or damaged; what was recorded after event {} is lost with it",
            dir.display(),
            found.next_seq.0 - 1
        ));
    }
    Ok(found)
}

fn too_long(path: &Path, len: u64) -> String {
    format!(
        "{}: it has {len} bytes, and a journal file has at most {JOURNAL_BYTES_MAX}; \
         what lies behind that is not read",
        path.display()
    )
}
