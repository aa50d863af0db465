//! Reads every journal file and reports what it holds beyond the sealed segments.

use super::decision::{
    EventsHeld, Headerless, Length, NextFile, Observed, TailVerdict, Use, decide, decide_headerless,
};
use super::scan::{Scan, Tail};
use super::torn_tail::TornTail;
use crate::disk::{Disk, OpenMode};
use crate::format::frame::{Frame, JOURNAL_HEADER_BYTES, JournalHeader};
use crate::id::{EventSeq, StoreId};
use crate::log::journal::{JOURNAL_BYTES_MAX, JOURNAL_BYTES_MIN, Journal, journal_path, slot_of};
use crate::log::journal_bytes::JournalBytes;
use crate::log::{JOURNAL_DIR, LogError, list_or_nothing};
use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// What the journal files hold beyond the sealed segments.
pub(crate) struct Found {
    /// Full files that wait to be sealed, oldest first, each with its last event.
    pub(crate) full: Vec<(Journal, EventSeq)>,
    /// The file and offset at which the log continues; `None` when every file is free.
    pub(crate) current: Option<(Journal, u64)>,
    /// Files that hold nothing unsealed.
    pub(crate) free: VecDeque<Journal>,
    /// Files shorter than the smallest journal file. They were being made when the disk filled up
    /// or the power was cut.
    pub(crate) half_made: Vec<PathBuf>,
    /// Slots in use.
    pub(crate) slots: BTreeSet<u32>,
    /// The number that the next event gets.
    pub(crate) next_seq: EventSeq,
    /// True when bytes of an earlier generation follow the end of the current file.
    pub(crate) stale_behind_end: bool,
    /// Bytes of a group that never became durable.
    pub(crate) torn: Option<TornTail>,
    /// Why the journal is incomplete, one line for each place.
    pub(crate) damage: Vec<String>,
}

/// A file with a readable header. It is read only when its turn comes, so that one file at a time
/// is in memory. A file whose events are all sealed is not read.
struct Begun {
    journal: Journal,
    /// Its length now.
    len: u64,
    /// Its length when it was made. A file is begun only after its whole length is durable.
    made_bytes: u64,
}

/// Reads every journal file and calls `each` with every intact frame after `sealed`, in order.
/// Writes nothing.
pub(crate) fn recover(
    disk: &dyn Disk,
    store: &StoreId,
    sealed: EventSeq,
    access: OpenMode,
    mut each: impl FnMut(u32, u64, &Frame<'_>),
) -> Result<Found, LogError> {
    let mut found = Found {
        full: Vec::new(),
        current: None,
        free: VecDeque::new(),
        half_made: Vec::new(),
        slots: BTreeSet::new(),
        next_seq: sealed.next(),
        stale_behind_end: false,
        torn: None,
        damage: Vec::new(),
    };
    let mut begun = find_files(disk, store, sealed, access, &mut found)?;
    begun.sort_by_key(|file| {
        (
            file.journal.header.first_seq,
            file.journal.header.generation,
        )
    });
    let mut remaining = begun.into_iter().peekable();
    while let Some(file) = remaining.next() {
        let later = remaining.peek().map(|next| next.journal.header.first_seq);
        read_file(file, later, sealed, &mut found, &mut each)?;
    }
    if found.current.is_none() {
        // A file is sealed only after the next file was durably begun, so there must be one to
        // continue in.
        found.damage.push(format!(
            "{}: the newest journal file is missing or damaged; what was recorded after event {} is lost with it",
            Path::new(JOURNAL_DIR).display(),
            found.next_seq.0 - 1
        ));
    }
    Ok(found)
}

/// Opens every journal file. Returns those with a header, and decides about the others at once.
fn find_files(
    disk: &dyn Disk,
    store: &StoreId,
    sealed: EventSeq,
    access: OpenMode,
    found: &mut Found,
) -> Result<Vec<Begun>, LogError> {
    let mut begun = Vec::new();
    for entry in list_or_nothing(disk, Path::new(JOURNAL_DIR))? {
        let Some(slot) = slot_of(&entry.name) else {
            continue;
        };
        found.slots.insert(slot);
        let path = journal_path(slot);
        let file = disk
            .open(&path, access)
            .map_err(LogError::io("open", &path))?;
        let read = |len| JournalBytes::read(&*file, len).map_err(LogError::io("read", &path));
        let head = read(entry.len.min(JOURNAL_HEADER_BYTES as u64))?;
        match JournalHeader::decode(head.bytes(), store) {
            Ok(mut header) => {
                let made_bytes = header.file_bytes;
                // A file that was cut short by something else is read as far as it goes.
                header.file_bytes = made_bytes.min(entry.len);
                begun.push(Begun {
                    journal: Journal::found(slot, file, header),
                    len: entry.len,
                    made_bytes,
                });
            }
            Err(why) => {
                let all = read(entry.len)?;
                let mut heads = all.heads(JOURNAL_HEADER_BYTES);
                let has_unsealed_head = heads.any(|(_, frame)| frame.seq > sealed);
                match decide_headerless(has_unsealed_head, length(entry.len)) {
                    Headerless::HeaderDamaged => found
                        .damage
                        .push(format!("{}: header: {why}", path.display())),
                    Headerless::TooLong => found.damage.push(too_long(&path, entry.len)),
                    Headerless::Free => {
                        let header = JournalHeader {
                            store: *store,
                            generation: 0,
                            first_seq: EventSeq(0),
                            file_bytes: entry.len,
                        };
                        found.free.push_back(Journal::found(slot, file, header));
                    }
                    Headerless::HalfMade => found.half_made.push(path),
                }
            }
        }
    }
    Ok(begun)
}

fn length(len: u64) -> Length {
    if len > JOURNAL_BYTES_MAX {
        Length::TooLong
    } else if len >= JOURNAL_BYTES_MIN {
        Length::Whole
    } else {
        Length::Short
    }
}

/// Reads one file, decides about it and records the decision. `later` is the first event of the
/// next file.
fn read_file(
    file: Begun,
    later: Option<EventSeq>,
    sealed: EventSeq,
    found: &mut Found,
    each: &mut impl FnMut(u32, u64, &Frame<'_>),
) -> Result<(), LogError> {
    let (len, journal) = (file.len, &file.journal);
    let path = journal_path(journal.slot);
    let starts = journal.header.first_seq;
    if len > JOURNAL_BYTES_MAX {
        found.damage.push(too_long(&path, len));
    }
    if later.is_some_and(|next| next <= found.next_seq) && starts <= sealed {
        // Everything in it is sealed: it need not be read.
        found.free.push_back(file.journal.with_file_bytes(len));
        return Ok(());
    }
    let all = JournalBytes::read(&*journal.file, len).map_err(LogError::io("read", &path))?;
    let mut scan = Scan::new(journal, &all);
    let last = read_frames(journal, &mut scan, found, each);
    let expected = last.next();
    let told = found.damage.len();
    let tail = scan.tail();
    let decision = decide(Observed {
        next: next_file(later, expected, found.next_seq),
        tail: tail.state(),
        events: events_held(starts, last, sealed),
    });
    match (decision.tail, tail) {
        (TailVerdict::TornTail, Tail::Torn(range)) => {
            found.torn = Some(TornTail {
                slot: journal.slot,
                offset: range.start as u64,
                bytes: all.bytes()[range].to_vec(),
            });
        }
        (TailVerdict::Nothing | TailVerdict::TornTail, _) => {}
        (TailVerdict::Damage, _) => {
            found.damage.push(format!(
                "{}: event {expected} at byte {} does not check out, and later events prove that it was durable",
                path.display(),
                scan.at
            ));
            read_survivors(journal, &scan, &all, found, each);
        }
    }
    if decision.check_length {
        check_length(&file, &path, found);
    }
    match decision.becomes {
        Use::Free => found.free.push_back(file.journal.with_file_bytes(len)),
        Use::Full => {
            let end = EventSeq(found.next_seq.0 - 1);
            found.full.push((file.journal, end));
        }
        Use::Current => {
            if scan.expected != found.next_seq && found.damage.len() == told {
                // Events appended here would not be part of the log at the next recovery.
                found.damage.push(format!(
                    "{}: it goes on with event {}, and the log with event {}",
                    path.display(),
                    scan.expected,
                    found.next_seq
                ));
            }
            let at = scan.at as u64;
            found.stale_behind_end = all.is_written_from(scan.at);
            found.current = Some((file.journal, at));
        }
    }
    Ok(())
}

/// Passes the intact frames of a file to `each`, up to the first frame that fails its checksum.
/// Returns the last event passed, or the event before the file's first.
fn read_frames(
    journal: &Journal,
    scan: &mut Scan<'_>,
    found: &mut Found,
    each: &mut impl FnMut(u32, u64, &Frame<'_>),
) -> EventSeq {
    let mut last = EventSeq(journal.header.first_seq.0.saturating_sub(1));
    while let Some((offset, frame)) = scan.next_frame() {
        last = frame.header.seq;
        if frame.header.seq == found.next_seq {
            found.next_seq = found.next_seq.next();
            each(journal.slot, offset, &frame);
        } else if frame.header.seq > found.next_seq {
            found.damage.push(format!(
                "{}: event {} is missing before event {} at byte {offset}",
                journal_path(journal.slot).display(),
                found.next_seq,
                frame.header.seq
            ));
            found.next_seq = frame.header.seq.next();
            each(journal.slot, offset, &frame);
        }
    }
    last
}

/// Passes the intact frames after damage to `each`.
fn read_survivors(
    journal: &Journal,
    scan: &Scan<'_>,
    all: &JournalBytes,
    found: &mut Found,
    each: &mut impl FnMut(u32, u64, &Frame<'_>),
) {
    for (offset, seq) in scan.survivors() {
        if let Ok(frame) = Frame::decode(&all.bytes()[offset..])
            && seq >= found.next_seq
        {
            found.next_seq = seq.next();
            each(journal.slot, offset as u64, &frame);
        }
    }
}

/// Returns how the next file, which begins with event `later`, continues after this one. `expected`
/// is the event after the last one of this file.
fn next_file(later: Option<EventSeq>, expected: EventSeq, next_seq: EventSeq) -> NextFile {
    match later {
        None => NextFile::Missing,
        Some(begins) if begins > expected && begins > next_seq => NextFile::LeavesGap,
        Some(_) => NextFile::Continues,
    }
}

/// Returns which events of a file are sealed. Its intact events are `starts..=last`.
fn events_held(starts: EventSeq, last: EventSeq, sealed: EventSeq) -> EventsHeld {
    if last > sealed {
        EventsHeld::Unsealed
    } else if starts <= sealed {
        EventsHeld::AllSealed
    } else {
        EventsHeld::NoneYet
    }
}

/// Reports a file that is longer or shorter than it was made.
fn check_length(file: &Begun, path: &Path, found: &mut Found) {
    let (len, made_bytes) = (file.len, file.made_bytes);
    if made_bytes < len && len <= JOURNAL_BYTES_MAX {
        found.damage.push(format!(
            "{}: it has {len} bytes and was made with {made_bytes}; \
             something else wrote behind its end",
            path.display(),
        ));
    }
    if file.journal.header.file_bytes < made_bytes {
        found.damage.push(format!(
            "{}: {} bytes are left of {made_bytes}; what was recorded in the rest is lost with it",
            path.display(),
            file.journal.header.file_bytes
        ));
    }
}

fn too_long(path: &Path, len: u64) -> String {
    format!(
        "{}: it has {len} bytes, and a journal file has at most {JOURNAL_BYTES_MAX}; \
         what lies behind that is not read",
        path.display()
    )
}
