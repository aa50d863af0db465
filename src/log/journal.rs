//! One journal file: made once at full size, then filled and recycled.
//!
//! A write to blocks that were never written also changes file system metadata, which makes the
//! next sync slower. So zeros are written ahead of the groups. They are written piece by piece,
//! because a store that holds little never fills most of its journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::format::frame::{FRAME_ALIGN, JOURNAL_HEADER_BYTES, JournalHeader};
use crate::id::{EventSeq, StoreId};
use crate::log::{JOURNAL_DIR, LogError};

/// The smallest journal file. Holding the largest frame twice would take 32 MiB; stores of tiny
/// test files use this size and refuse larger events.
pub(crate) const JOURNAL_BYTES_MIN: u64 = 64 << 10;

/// The largest journal file. Recovery reads no more of a file, and holds all of it in memory.
pub(crate) const JOURNAL_BYTES_MAX: u64 = 1 << 30;

/// Number of zeros after each group. They separate its end from stale bytes of an earlier
/// generation.
pub(crate) const TERMINATOR_BYTES: usize = 64;
const _: () = assert!(TERMINATOR_BYTES.is_multiple_of(FRAME_ALIGN));

/// How far ahead of a group zeros are written into blocks that were never written.
const AHEAD_BYTES: u64 = 1 << 20;
/// Space behind the end of the log that a closed store keeps. It is what a purge needs to be
/// recorded when the disk is full, and as much again.
const ROOM_KEPT: u64 = 512 << 10;
/// What file systems allocate space in.
const BLOCK_BYTES: u64 = 4 << 10;
/// Number of zeros written with one call.
const PIECE_BYTES: usize = 1 << 20;

/// Returns up to where a file of `file_bytes` keeps its space when the store is closed and the log
/// goes on at `end`.
fn room_kept(end: u64, file_bytes: u64) -> u64 {
    let kept = ROOM_KEPT.min(file_bytes / 4);
    (end + kept).next_multiple_of(BLOCK_BYTES).min(file_bytes)
}

/// Returns the path of the journal file of a slot.
pub(crate) fn journal_path(slot: u32) -> PathBuf {
    Path::new(JOURNAL_DIR).join(format!("{slot:04}.journal"))
}

/// Returns the slot that a file name stands for.
pub(crate) fn slot_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".journal")?;
    (digits.len() == 4).then(|| digits.parse().ok())?
}

/// The position of a blob record in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JournalPlace {
    pub(crate) slot: u32,
    /// The file's generation when the record was written. It no longer matches once the file is
    /// recycled.
    pub(crate) generation: u64,
    pub(crate) offset: u64,
    /// Bytes of the record, header included.
    pub(crate) bytes: u32,
}

/// An open journal file.
#[derive(Clone)]
pub(crate) struct Journal {
    pub(crate) slot: u32,
    pub(crate) file: Arc<dyn DiskFile>,
    /// The header as last written or read; meaningless while the file is free.
    pub(crate) header: JournalHeader,
    /// Everything before this offset was written by this process, so the file system has allocated
    /// its blocks.
    written_to: u64,
    /// Everything from this offset on is zeros.
    dirty_to: u64,
    /// Up to here the space of the file is known to be allocated.
    room_to: u64,
}

impl Journal {
    /// Wraps an existing file, whose content is unknown.
    pub(crate) fn found(slot: u32, file: Arc<dyn DiskFile>, header: JournalHeader) -> Self {
        let dirty_to = header.file_bytes;
        Self {
            slot,
            file,
            header,
            written_to: 0,
            dirty_to,
            room_to: dirty_to,
        }
    }

    /// Returns the file as a free file whose whole length may be used.
    pub(crate) fn with_file_bytes(mut self, file_bytes: u64) -> Self {
        self.header.file_bytes = file_bytes.min(JOURNAL_BYTES_MAX);
        self.dirty_to = self.dirty_to.max(self.header.file_bytes);
        self.room_to = self.header.file_bytes;
        self
    }

    /// Returns up to where the file can be filled.
    pub(crate) fn room_to(&self) -> u64 {
        self.room_to.min(self.header.file_bytes)
    }

    /// Allocates the space again that [`Journal::release_room`] gave back when the store was
    /// closed. `end` is where the log goes on.
    ///
    /// On a full disk the file can be filled up to what was kept, so that a purge can be recorded.
    pub(crate) fn take_room(&mut self, end: u64) {
        let whole = self.header.file_bytes;
        self.room_to = match self.file.reserve(whole) {
            Ok(()) => whole,
            // Such a system does not give space back either.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => whole,
            Err(_) => room_kept(end, whole),
        };
    }

    /// Gives back the space behind `end`, where the log goes on, except for a little. Nobody has
    /// the store open meanwhile.
    ///
    /// The file keeps its length, and zeros are read from where nothing is stored. A power cut may
    /// bring the old bytes back, which were behind the end of the log before as well.
    pub(crate) fn release_room(&mut self, end: u64) {
        let whole = self.header.file_bytes;
        let from = room_kept(end, whole);
        // Where it is refused, the space stays reserved.
        if from < whole && self.file.release(from, whole).is_ok() {
            self.room_to = from;
            self.written_to = self.written_to.min(from);
        }
    }

    /// Makes a journal file of `file_bytes` zeros. It holds nothing until [`Journal::start`].
    ///
    /// On an error the partial file is removed if the disk allows it, so that it does not take
    /// space on a full disk.
    pub(crate) fn create(
        disk: &dyn Disk,
        slot: u32,
        store: StoreId,
        file_bytes: u64,
    ) -> Result<Self, LogError> {
        let path = journal_path(slot);
        let made = Self::make_zeros(disk, &path, file_bytes);
        match made {
            Ok((file, written_to)) => Ok(Self {
                slot,
                file,
                header: JournalHeader {
                    store,
                    generation: 0,
                    first_seq: EventSeq(0),
                    file_bytes,
                },
                written_to,
                dirty_to: 0,
                room_to: file_bytes,
            }),
            Err(error) => {
                // The first error is the one to report. If the file stays, the next open finds it
                // as a free file.
                let _ = disk.remove(&path);
                Err(error)
            }
        }
    }

    /// Makes the file of zeros. Returns the end of what was written.
    fn make_zeros(
        disk: &dyn Disk,
        path: &Path,
        file_bytes: u64,
    ) -> Result<(Arc<dyn DiskFile>, u64), LogError> {
        let file = disk
            .open(path, OpenMode::CreateNew)
            .map_err(LogError::io("create", path))?;
        let written_to = match file.reserve(file_bytes) {
            Ok(()) => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                write_zeros(&*file, 0, file_bytes).map(|()| file_bytes)
            }
            Err(error) => Err(error),
        }
        .map_err(LogError::io("fill", path))?;
        file.sync().map_err(LogError::io("sync", path))?;
        disk.sync_dir(Path::new(JOURNAL_DIR))
            .map_err(LogError::io("sync", Path::new(JOURNAL_DIR)))?;
        Ok((file, written_to))
    }

    /// Writes `bytes`, which end with a terminator, at `offset`. Where the next group will go and
    /// nothing was written before, it also writes zeros. Nothing is durable before a sync.
    pub(crate) fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        self.dirty_to = self
            .dirty_to
            .max(end.saturating_sub(TERMINATOR_BYTES as u64));
        if end > self.written_to {
            // On a full disk there is no space behind what was kept.
            let ahead = end
                .next_multiple_of(AHEAD_BYTES)
                .min(self.room_to())
                .max(end);
            write_zeros(&*self.file, end, ahead)?;
            self.written_to = ahead;
        }
        self.file.write_all_at(bytes, offset)
    }

    /// Starts a new generation of the file. Once this is durable, earlier content is void.
    pub(crate) fn start(&mut self, generation: u64, first_seq: EventSeq) -> Result<(), LogError> {
        let path = journal_path(self.slot);
        self.header.generation = generation;
        self.header.first_seq = first_seq;
        let mut block = self.header.encode();
        // The terminator of an empty file.
        block.resize(JOURNAL_HEADER_BYTES + TERMINATOR_BYTES, 0);
        let started = self
            .write(&block, 0)
            .map_err(LogError::io("write to", &path))
            .and_then(|()| self.file.sync().map_err(LogError::io("sync", &path)));
        if started.is_err() {
            // The next process must not see a header that may not be durable. Without a header the
            // file counts as free, as it was before.
            block.fill(0);
            let _ = self.file.write_all_at(&block, 0);
        }
        started
    }

    /// Zeroes everything in a free file after its header.
    pub(crate) fn wipe_free(&mut self, disk: &dyn Disk) -> Result<(), LogError> {
        self.wipe(disk, JOURNAL_HEADER_BYTES as u64)
    }

    /// Zeroes everything from `from` on, so that purged content does not remain after what is
    /// written next.
    pub(crate) fn wipe(&mut self, disk: &dyn Disk, from: u64) -> Result<(), LogError> {
        let path = journal_path(self.slot);
        self.make_zeros_from(disk, from)
            .map_err(LogError::io("overwrite", &path))
    }

    fn make_zeros_from(&mut self, disk: &dyn Disk, from: u64) -> io::Result<()> {
        if self.dirty_to <= from {
            return Ok(());
        }
        // Some file systems release the blocks before they allocate them again. On a full disk
        // another program could take the space in between.
        let has_room = disk
            .free_bytes()
            .is_ok_and(|free| free > self.dirty_to - from);
        if has_room && self.file.erase(from, self.dirty_to).is_ok() {
            // The erased blocks count as never written.
            self.written_to = self.written_to.min(from);
        } else {
            let room_to = self.dirty_to.min(self.room_to().max(from));
            if room_to < self.dirty_to {
                // No space is allocated there, so none can be written to.
                self.file.release(room_to, self.dirty_to)?;
            }
            write_zeros_backwards(&*self.file, from, room_to)?;
        }
        self.file.sync()?;
        self.dirty_to = from;
        Ok(())
    }
}

/// Writes zeros from the end to the beginning. If this is interrupted, the first bytes are still
/// there and the next open sees it.
fn write_zeros_backwards(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let mut end = to;
    while end > from {
        let start = end.saturating_sub(PIECE_BYTES as u64).max(from);
        write_zeros(file, start, end)?;
        end = start;
    }
    Ok(())
}

fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE_BYTES];
    let mut at = from;
    while at < to {
        let left = usize::try_from(to - at).unwrap_or(PIECE_BYTES);
        let piece = &zeros[..left.min(PIECE_BYTES)];
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{Call, Fault, Repeat, SimDisk};

    const PATH: &str = "journal/0003.journal";
    const STORE: StoreId = StoreId::from_bytes([7; 16]);

    fn disk() -> SimDisk {
        let disk = SimDisk::new();
        disk.make_dir(Path::new(JOURNAL_DIR)).expect("a folder");
        disk
    }

    #[test]
    fn a_name_stands_for_its_slot_and_other_names_for_none() {
        for slot in [0, 3, 9_999] {
            let path = journal_path(slot);
            let name = path.file_name().and_then(|name| name.to_str());
            assert_eq!(slot_of(name.expect("text")), Some(slot));
        }
        for name in [
            "3.journal",
            "00003.journal",
            "000x.journal",
            "0003.seg",
            "0003",
        ] {
            assert_eq!(slot_of(name), None, "{name}");
        }
    }

    /// Lengths around the piece size, on a disk that can reserve space and on one that cannot.
    #[test]
    fn a_file_is_made_of_as_many_zeros_as_it_is_long_or_not_at_all() {
        for file_bytes in [64 << 10, 1 << 20, (1 << 20) + 8, (2 << 20) - 8] {
            for reserves in [true, false] {
                let disk = disk();
                if !reserves {
                    // The calls before it cannot fail with this error.
                    disk.fail_at(1, Fault::Kind(io::ErrorKind::Unsupported), Repeat::Once);
                }
                let journal = Journal::create(&disk, 3, STORE, file_bytes).expect("made");
                assert_eq!(journal.header.file_bytes, file_bytes);
                let written_to = if reserves { 0 } else { file_bytes };
                assert_eq!((journal.written_to, journal.dirty_to), (written_to, 0));
                let content = disk.content(PATH).expect("there");
                assert_eq!(content.len() as u64, file_bytes);
                assert!(content.iter().all(|byte| *byte == 0));
                let zeros = if reserves {
                    0
                } else {
                    file_bytes.div_ceil(1 << 20)
                };
                assert_eq!(writes(&disk), zeros);
            }
        }
        for calls in 0.. {
            let disk = disk();
            disk.fail_at(calls, Fault::Kind(io::ErrorKind::StorageFull), Repeat::Once);
            let made = Journal::create(&disk, 3, STORE, 1 << 20);
            if disk.struck() == 0 {
                assert!(calls > 2 && made.is_ok());
                break;
            }
            assert!(made.is_err() && disk.files().is_empty(), "call {calls}");
        }
    }

    #[test]
    fn a_file_that_could_not_be_started_is_free_as_it_was() {
        for calls in [0, 1, 2] {
            let disk = disk();
            let mut journal = Journal::create(&disk, 3, STORE, 64 << 10).expect("made");
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            assert!(journal.start(2, EventSeq(9)).is_err());
            let content = disk.content(PATH).expect("there");
            assert!(content.iter().all(|byte| *byte == 0), "call {calls}");
        }
        let disk = disk();
        let mut journal = Journal::create(&disk, 3, STORE, 64 << 10).expect("made");
        // Stale bytes of an earlier generation at the place of the first frame must not be read as
        // a frame.
        disk.overwrite(PATH, 4_096, &[0xAB; 100]).expect("written");
        journal.written_to = 64 << 10;
        journal.start(2, EventSeq(9)).expect("started");
        let content = disk.content(PATH).expect("there");
        let header = JournalHeader::decode(&content, &STORE).expect("a header");
        assert_eq!((header.generation, header.first_seq), (2, EventSeq(9)));
        assert_eq!(content[4_096..4_160], [0; 64]);
        assert_eq!(content[4_160..4_196], [0xAB; 36]);
    }

    #[test]
    fn a_file_is_wiped_from_a_place_to_its_end() {
        for (file_bytes, from) in [(64 << 10, 5_000), (2 << 20, 8), ((1 << 20) + 8, 0)] {
            let disk = disk();
            let made = Journal::create(&disk, 3, STORE, file_bytes).expect("made");
            let full = vec![0xAB; usize::try_from(file_bytes).expect("small")];
            for (capacity, writes) in [
                (None, 0),
                // There is no space to release the blocks and take them again.
                (
                    Some(disk.used_bytes()),
                    (file_bytes - from).div_ceil(1 << 20),
                ),
            ] {
                disk.overwrite(PATH, 0, &full).expect("filled");
                disk.set_capacity(capacity);
                let before = disk.census();
                let mut journal = Journal::found(3, Arc::clone(&made.file), made.header);
                journal.wipe(&disk, from).expect("wiped");
                let written = disk.census().of(Call::Write) - before.of(Call::Write);
                assert_eq!(written, writes);
                let content = disk.content(PATH).expect("there");
                let (kept, wiped) = content.split_at(usize::try_from(from).expect("small"));
                assert_eq!(content.len(), full.len());
                assert!(kept.iter().all(|byte| *byte == 0xAB));
                assert!(wiped.iter().all(|byte| *byte == 0));
            }
        }
    }

    /// A purge must not overwrite journal files from end to end: most of them were never written
    /// to.
    #[test]
    fn a_wipe_overwrites_what_was_written_and_nothing_twice() {
        let disk = disk();
        let mut journal = Journal::create(&disk, 3, STORE, 2 << 20).expect("made");
        journal.start(1, EventSeq(1)).expect("started");
        let calls = disk.calls();
        journal.wipe(&disk, 4_096).expect("nothing to do");
        assert_eq!(disk.calls(), calls);
        let mut group = vec![0xAB; 1_000];
        group.resize(1_064, 0);
        journal.write(&group, 4_096).expect("written");
        disk.overwrite(PATH, 5_096, &[0xCD; 100]).expect("written");
        journal.wipe(&disk, 4_096).expect("wiped");
        let content = disk.content(PATH).expect("there");
        assert!(content[4_096..5_096].iter().all(|byte| *byte == 0));
        assert_eq!(content[5_096..5_196], [0xCD; 100], "not its business");
        let calls = disk.calls();
        journal.wipe(&disk, 4_096).expect("nothing to do");
        assert_eq!(disk.calls(), calls);
    }

    #[test]
    fn zeros_are_written_ahead_once_and_never_past_the_end() {
        let disk = disk();
        let file_bytes = (2 << 20) + 8;
        let mut journal = Journal::create(&disk, 3, STORE, file_bytes).expect("made");
        let mut written = Vec::new();
        for (at, len) in [
            (0, 4_160),
            (4_096, 100),
            ((1 << 20) - 64, 64),
            (1 << 20, 64),
            ((2 << 20) - 56, 64),
        ] {
            let before = writes(&disk);
            journal.write(&vec![0; len], at).expect("written");
            written.push((writes(&disk) - before, journal.written_to));
        }
        let (one, two) = (1 << 20, 2 << 20);
        assert_eq!(
            written,
            [(2, one), (1, one), (1, one), (2, two), (1, file_bytes)]
        );
        // The file existed before this process, so how far it was written is unknown.
        let mut journal = Journal::found(3, journal.file, journal.header);
        journal.write(&[0; 64], 4_096).expect("written");
        assert_eq!((journal.written_to, journal.dirty_to), (one, file_bytes));
    }

    fn writes(disk: &SimDisk) -> u64 {
        disk.census().of(Call::Write)
    }
}
