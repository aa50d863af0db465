//! Appends to the log: collects frames into a group, and makes the group durable with one write and
//! one sync.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::entry::Retention;
use crate::format::frame::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES, JOURNAL_HEADER_BYTES, NewFrame};
use crate::id::{EventSeq, StoreId};
use crate::log::journal::{Journal, TERMINATOR_BYTES, journal_path};
use crate::log::{JOURNAL_DIR, LogError};
use crate::time::Timestamp;

/// A group is full when it holds this many bytes.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// The single writer of the journal. The first failed write or sync poisons it: no write is retried
/// on a file handle that failed.
pub(crate) struct Appender {
    disk: Arc<dyn Disk>,
    store: StoreId,
    journal_bytes: u64,
    current: Journal,
    /// The offset in the current file at which the next group starts.
    end: u64,
    free: VecDeque<Journal>,
    /// Slots of all journal files, wherever they are.
    slots: BTreeSet<u32>,
    next_generation: u64,
    next_seq: EventSeq,
    group: Vec<u8>,
    group_first: EventSeq,
    poisoned: bool,
}

/// The future position of a staged frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Staged {
    pub(crate) slot: u32,
    pub(crate) generation: u64,
    pub(crate) offset: u64,
    pub(crate) frame_bytes: u32,
    /// The offset of its first blob record.
    pub(crate) records_at: u64,
}

/// A journal file that takes no more frames and waits to be sealed.
pub(crate) struct FullJournal {
    pub(crate) journal: Journal,
    pub(crate) last_seq: EventSeq,
    /// Bytes of its frames.
    pub(crate) bytes: u64,
}

/// The content of a frame before it gets its number.
pub(crate) struct FrameDraft<'a> {
    pub(crate) time: Timestamp,
    pub(crate) retention: Retention,
    pub(crate) level: u8,
    pub(crate) leaf: &'a [u8],
    pub(crate) records: &'a [&'a [u8]],
}

impl Appender {
    /// Starts the log of a new store in its first journal file.
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        store: StoreId,
        journal_bytes: u64,
    ) -> Result<Self, LogError> {
        let mut current = Journal::create(&*disk, 0, store, journal_bytes)?;
        current.start(1, EventSeq(1))?;
        Ok(Self::resume(
            disk,
            store,
            journal_bytes,
            current,
            JOURNAL_HEADER_BYTES as u64,
            VecDeque::new(),
            BTreeSet::from([0]),
            EventSeq(1),
        ))
    }

    /// Continues at offset `end` of `current`. `slots` are those of all journal files.
    #[expect(
        clippy::too_many_arguments,
        reason = "recovery is the one caller and knows all of it"
    )]
    pub(crate) fn resume(
        disk: Arc<dyn Disk>,
        store: StoreId,
        journal_bytes: u64,
        current: Journal,
        end: u64,
        free: VecDeque<Journal>,
        slots: BTreeSet<u32>,
        next_seq: EventSeq,
    ) -> Self {
        let newest = free
            .iter()
            .map(|journal| journal.header.generation)
            .chain([current.header.generation])
            .max()
            .unwrap_or(0);
        Self {
            disk,
            store,
            journal_bytes,
            current,
            end,
            free,
            slots,
            next_generation: newest + 1,
            next_seq,
            group: Vec::new(),
            group_first: next_seq,
            poisoned: false,
        }
    }

    /// Returns the number that the next staged frame gets. Numbers of a discarded group are used
    /// again.
    pub(crate) fn next_seq(&self) -> EventSeq {
        self.next_seq
    }

    /// Returns the journal file being written, with its slot.
    pub(crate) fn current_file(&self) -> (u32, Arc<dyn DiskFile>) {
        (self.current.slot, Arc::clone(&self.current.file))
    }

    /// Returns true when nothing has been appended to the current file.
    pub(crate) fn current_is_empty(&self) -> bool {
        self.end == JOURNAL_HEADER_BYTES as u64 && self.group.is_empty()
    }

    /// Returns true when a frame of `frame_bytes` fits after what is staged, and leaves `reserve`
    /// bytes free. The reserve is for frames that must always find room, such as purges.
    pub(crate) fn fits(&self, frame_bytes: usize, reserve: usize) -> bool {
        let needed = self.group.len() + frame_bytes + TERMINATOR_BYTES + reserve;
        self.end + needed as u64 <= self.current.room_to()
    }

    /// Returns the size of the reserve: `bytes`, but at most an eighth of a journal file.
    pub(crate) fn reserve_bytes(&self, bytes: usize) -> usize {
        usize::try_from(self.journal_bytes / 8).map_or(bytes, |eighth| eighth.min(bytes))
    }

    /// Returns the size of a frame with this leaf and these records, or an error when no journal
    /// file could hold it.
    pub(crate) fn frame_bytes(&self, leaf: usize, records: usize) -> Result<usize, LogError> {
        let bytes = (FRAME_HEADER_BYTES + leaf + records).next_multiple_of(8);
        let room = self.journal_bytes - JOURNAL_HEADER_BYTES as u64 - TERMINATOR_BYTES as u64;
        if bytes > FRAME_BYTES_MAX || bytes as u64 > room {
            return Err(LogError::TooLarge { bytes });
        }
        Ok(bytes)
    }

    /// Returns true when the group should be committed before more is staged.
    pub(crate) fn group_is_full(&self) -> bool {
        self.group.len() >= GROUP_BYTES_MAX
    }

    /// Returns true when something is staged.
    pub(crate) fn has_staged(&self) -> bool {
        !self.group.is_empty()
    }

    /// Adds a frame to the group; it must fit. Nothing is durable before [`Appender::commit`].
    pub(crate) fn stage(&mut self, draft: &FrameDraft<'_>) -> Result<Staged, LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        let path = journal_path(self.current.slot);
        if self.group.is_empty() {
            self.group_first = self.next_seq;
        }
        let frame = NewFrame {
            generation: self.current.header.generation,
            seq: self.next_seq,
            group: self.group_first,
            time: draft.time,
            retention: draft.retention,
            level: draft.level,
            leaf: draft.leaf,
            records: draft.records,
        };
        let frame_bytes = frame.frame_bytes();
        debug_assert!(self.fits(frame_bytes, 0), "the caller rotates first");
        let offset = self.end + self.group.len() as u64;
        frame
            .encode_into(&mut self.group)
            .map_err(|why| LogError::Frame { path, offset, why })?;
        self.next_seq = self.next_seq.next();
        Ok(Staged {
            slot: self.current.slot,
            generation: self.current.header.generation,
            offset,
            frame_bytes: u32::try_from(frame_bytes)
                .map_err(|_| LogError::TooLarge { bytes: frame_bytes })?,
            records_at: offset + (FRAME_HEADER_BYTES + draft.leaf.len()) as u64,
        })
    }

    /// Discards the staged group. None of it is written; its numbers and its space are used again.
    pub(crate) fn discard(&mut self) {
        if !self.group.is_empty() {
            self.group.clear();
            self.next_seq = self.group_first;
        }
    }

    /// Writes the group and syncs it. On `Ok` every staged frame survives a power cut.
    ///
    /// After an error no event of the group may be acknowledged. Whether they are durable is known
    /// only when the store is opened again.
    pub(crate) fn commit(&mut self) -> Result<(), LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        if self.group.is_empty() {
            return Ok(());
        }
        let path = journal_path(self.current.slot);
        let frames = self.group.len();
        self.group.resize(frames + TERMINATOR_BYTES, 0);
        let written = self
            .current
            .write(&self.group, self.end)
            .map_err(LogError::io("write to", &path))
            .and_then(|()| {
                self.current
                    .file
                    .sync()
                    .map_err(LogError::io("sync", &path))
            });
        if let Err(error) = written {
            self.poisoned = true;
            // After a failed sync the system may still show these bytes, although they may not be
            // durable. The next process must not take them for part of the log and append after
            // them. So they are overwritten, if the disk allows it.
            self.group.fill(0);
            let _ = self.current.file.write_all_at(&self.group, self.end);
            return Err(error);
        }
        self.end += frames as u64;
        self.group.clear();
        Ok(())
    }

    /// Adds a recycled file to the free files.
    pub(crate) fn give_back(&mut self, mut journal: Journal) {
        if journal.room_to() < journal.header.file_bytes {
            // There was no room for all of it when the store was opened.
            journal.take_room(JOURNAL_HEADER_BYTES as u64);
        }
        self.free.push_back(journal);
    }

    /// Zeroes what the current file holds of earlier generations. The group must be committed
    /// first.
    pub(crate) fn wipe(&mut self) -> Result<(), LogError> {
        debug_assert!(self.group.is_empty(), "what is staged is not written yet");
        self.current.wipe(&*self.disk, self.end)
    }

    /// Takes out the free files. The caller wipes them and gives them back.
    pub(crate) fn take_free(&mut self) -> Vec<Journal> {
        self.free.drain(..).collect()
    }

    /// Removes the free files that are not kept. Returns their slots.
    ///
    /// All that they held is sealed under a durable name. So a file that a power cut brings back is
    /// free again, and one that cannot be removed stays free.
    pub(crate) fn trim(&mut self, spare: Spare) -> Vec<u32> {
        let mut removed = Vec::new();
        if self.poisoned {
            return removed;
        }
        let kept = match spare {
            Spare::One => 1,
            Spare::None => 0,
        };
        while self.free.len() > kept
            && let Some(journal) = self.free.pop_back()
        {
            if self.disk.remove(&journal_path(journal.slot)).is_err() {
                self.free.push_back(journal);
                break;
            }
            self.slots.remove(&journal.slot);
            removed.push(journal.slot);
        }
        if !removed.is_empty() {
            // It saves the next opening from looking at them; nothing depends on it.
            let _ = self.disk.sync_dir(Path::new(JOURNAL_DIR));
        }
        if spare == Spare::None && self.group.is_empty() {
            self.current.release_room(self.end);
        }
        removed
    }

    /// Returns how many bytes of frames the current file holds.
    pub(crate) fn current_bytes(&self) -> u64 {
        self.end - JOURNAL_HEADER_BYTES as u64
    }

    /// Returns the lowest slot without a file. Names have four digits, so slots are used again.
    fn unused_slot(&self) -> u32 {
        let mut slot = 0;
        while self.slots.contains(&slot) {
            slot += 1;
        }
        slot
    }

    /// Returns how many free files could hold a frame of `frame_bytes`.
    pub(crate) fn free_files(&self, frame_bytes: usize) -> usize {
        let holds = |journal: &&Journal| holds(journal, frame_bytes);
        self.free.iter().filter(holds).count()
    }

    /// Returns the number of journal files, without free ones that are too small for a frame of
    /// `frame_bytes`. An earlier process may have made smaller files.
    pub(crate) fn files(&self, frame_bytes: usize) -> usize {
        let too_small = self.free.len() - self.free_files(frame_bytes);
        self.slots.len() - too_small
    }

    /// Continues in the next journal file that can hold a frame of `frame_bytes`, and returns the
    /// full file. Takes a free file, or else makes one. The group must be committed first.
    ///
    /// When no file can be made (a full disk), the current file stays and the error says so. The
    /// appender is not poisoned then.
    pub(crate) fn rotate(&mut self, frame_bytes: usize) -> Result<FullJournal, LogError> {
        debug_assert!(self.group.is_empty(), "a group never spans two files");
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        let fitting = self
            .free
            .iter()
            .position(|journal| holds(journal, frame_bytes));
        let mut next = match fitting.and_then(|nth| self.free.remove(nth)) {
            Some(journal) => journal,
            None => {
                let slot = self.unused_slot();
                let made = Journal::create(&*self.disk, slot, self.store, self.journal_bytes)?;
                self.slots.insert(slot);
                made
            }
        };
        if let Err(error) = next.start(self.next_generation, self.next_seq) {
            self.poisoned = true;
            return Err(error);
        }
        self.next_generation += 1;
        let bytes = self.current_bytes();
        self.end = JOURNAL_HEADER_BYTES as u64;
        let journal = std::mem::replace(&mut self.current, next);
        Ok(FullJournal {
            journal,
            last_seq: EventSeq(self.next_seq.0 - 1),
            bytes,
        })
    }
}

/// Free journal files that are kept when the others are given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spare {
    /// One: the store goes on.
    One,
    /// None, and little behind the end of the current file: the store is being closed.
    None,
}

/// Returns true when an empty journal file can hold a frame of `frame_bytes`.
fn holds(journal: &Journal, frame_bytes: usize) -> bool {
    let needed = JOURNAL_HEADER_BYTES + frame_bytes + TERMINATOR_BYTES;
    needed as u64 <= journal.room_to()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{Fault, Repeat, SimDisk};
    use crate::log::JOURNAL_DIR;
    use std::path::Path;

    const FILE_BYTES: u64 = 64 << 10;

    fn appender(disk: &SimDisk) -> Appender {
        let folder = disk.make_dir(Path::new(JOURNAL_DIR));
        folder.expect("a folder");
        let store = StoreId::from_bytes([7; 16]);
        Appender::create(Arc::new(disk.clone()), store, FILE_BYTES).expect("made")
    }

    fn stage(appender: &mut Appender, leaf_bytes: usize) -> Result<Staged, LogError> {
        appender.stage(&FrameDraft {
            time: Timestamp::from_micros(0),
            retention: Retention::Forever,
            level: 6,
            leaf: &vec![b'x'; leaf_bytes],
            records: &[],
        })
    }

    /// If two files had one generation, stale frames of one would be taken for frames of the other.
    #[test]
    fn no_generation_is_given_twice() {
        let disk = SimDisk::new();
        let mut first = appender(&disk);
        let mut generations = vec![first.current.header.generation];
        for _ in 0..3 {
            stage(&mut first, 10).expect("staged");
            first.commit().expect("durable");
            let mut full = first.rotate(10).expect("another file").journal;
            full.header.first_seq = EventSeq(1);
            assert_eq!(first.free_files(10), 0);
            first.give_back(full);
            assert_eq!(first.free_files(10), 1);
            generations.push(first.current.header.generation);
        }
        assert_eq!(generations, [1, 2, 3, 4]);
        assert_eq!(first.files(10), 2, "they take turns");
        let (store, slots, next) = (first.store, first.slots, first.next_seq);
        let (current, end, free) = (first.current, first.end, first.free);
        assert_eq!(free.len() + 1, slots.len());
        let resume = |current, free| {
            let (disk, slots) = (Arc::new(disk.clone()), slots.clone());
            Appender::resume(disk, store, FILE_BYTES, current, end, free, slots, next)
        };
        assert_eq!(resume(current.clone(), free.clone()).next_generation, 5);
        let mut older = current;
        older.header.generation = 1;
        assert_eq!(resume(older, free).next_generation, 4);
    }

    /// Names of journal files have four digits. A store that was opened and closed ten thousand
    /// times would otherwise make files that nobody finds again.
    #[test]
    fn the_slot_of_a_file_that_was_given_back_is_used_again() {
        let disk = SimDisk::new();
        let mut appender = appender(&disk);
        for _ in 0..5 {
            stage(&mut appender, 10).expect("staged");
            appender.commit().expect("durable");
            let full = appender.rotate(10).expect("another file").journal;
            assert_eq!(disk.files().len(), 2);
            appender.give_back(full);
            assert!(appender.trim(Spare::One).is_empty(), "one is kept");
            assert_eq!(disk.files().len(), 2);
            assert_eq!(appender.trim(Spare::None).len(), 1);
            assert_eq!(disk.files().len(), 1);
            assert!(appender.current.slot < 2);
            assert_eq!(appender.files(10), 1);
        }
    }

    /// A store that nobody has open kept 32 MiB for each journal file it ever needed.
    #[test]
    fn a_file_gives_back_the_room_behind_the_log_and_takes_it_again() {
        let disk = SimDisk::new();
        let mut first = appender(&disk);
        stage(&mut first, 1_000).expect("staged");
        first.commit().expect("durable");
        let before = disk.content("journal/0000.journal").expect("there");
        let reserved = disk.used_bytes();
        first.trim(Spare::None);
        let kept = disk.used_bytes();
        assert!(kept <= reserved / 2, "{kept} of {reserved}");
        let after = disk.content("journal/0000.journal").expect("there");
        assert!(before == after, "the same bytes and the same length");
        assert!(first.fits(8_192, 0), "what a purge needs is kept");

        let mut journal = first.current.clone();
        disk.set_capacity(Some(disk.used_bytes()));
        journal.take_room(first.end);
        assert!(journal.room_to() < FILE_BYTES, "on a full disk");
        assert!(journal.room_to() >= first.end + 8_192);
        disk.set_capacity(None);
        journal.take_room(first.end);
        assert_eq!(journal.room_to(), FILE_BYTES);
        assert_eq!(disk.used_bytes(), reserved);
    }

    /// On a full disk zeros were written ahead of the log, behind what was kept. That failed, and
    /// the writer stopped.
    #[test]
    fn what_was_kept_takes_records_and_can_be_wiped_while_the_disk_is_full() {
        let disk = SimDisk::new();
        let mut appender = appender(&disk);
        stage(&mut appender, 1_000).expect("staged");
        appender.commit().expect("durable");
        appender.trim(Spare::None);
        disk.set_capacity(Some(disk.used_bytes()));
        // As the next process finds it.
        let before = &appender.current;
        let file = Arc::clone(&before.file);
        appender.current = Journal::found(before.slot, file, before.header);
        appender.current.take_room(appender.end);
        assert!(appender.current.room_to() < FILE_BYTES);
        stage(&mut appender, 8_000).expect("staged");
        appender.commit().expect("durable");
        let end = appender.end;
        appender.current.wipe(&disk, end).expect("wiped");
    }

    #[test]
    fn a_group_is_followed_by_64_zeros_and_nothing_else() {
        let disk = SimDisk::new();
        let mut appender = appender(&disk);
        let path = "journal/0000.journal";
        let stale = vec![0xAB; 61_440];
        disk.overwrite(path, 4_096, &stale).expect("written");
        let before = disk.content(path).expect("there");
        let staged = stage(&mut appender, 10).expect("staged");
        appender.commit().expect("durable");
        let after = disk.content(path).expect("there");
        let end = usize::try_from(staged.offset).expect("small") + staged.frame_bytes as usize;
        assert_eq!(after.len(), before.len());
        assert_eq!(after[..4_096], before[..4_096]);
        assert_ne!(after[end - 8..end], [0xAB; 8]);
        assert_eq!(after[end..end + 64], [0; 64]);
        assert_eq!(after[end + 64..], before[end + 64..]);
        // The next group begins where this one ended.
        assert_eq!(stage(&mut appender, 10).expect("staged").offset, end as u64);
    }

    #[test]
    fn a_file_is_filled_to_its_last_byte_and_not_beyond() {
        let mut appender = appender(&SimDisk::new());
        assert!(appender.current_is_empty() && !appender.has_staged());
        let mut room = 65_536 - 4_096 - 64;
        assert!(appender.fits(room, 0) && !appender.fits(room + 8, 0));
        assert!(appender.fits(room - 100, 100) && !appender.fits(room - 92, 100));
        stage(&mut appender, 1_000).expect("staged");
        room -= 1_064;
        assert!(!appender.current_is_empty() && appender.has_staged());
        assert!(appender.fits(room, 0) && !appender.fits(room + 8, 0));
        appender.commit().expect("durable");
        assert!(!appender.current_is_empty() && !appender.has_staged());
        assert!(appender.fits(room, 0) && !appender.fits(room + 8, 0));
        let last = stage(&mut appender, room - 64).expect("staged");
        assert_eq!(u64::from(last.frame_bytes) + last.offset, FILE_BYTES - 64);
        assert_eq!(last.records_at, FILE_BYTES - 64);
        appender.commit().expect("durable");
        assert!(!appender.fits(8, 0));
    }

    #[test]
    fn what_no_file_could_hold_is_told_before_it_is_staged() {
        let mut appender = appender(&SimDisk::new());
        let room = 65_536 - 4_096 - 64;
        assert_eq!(appender.frame_bytes(room - 64, 0).expect("fits"), room);
        assert_eq!(appender.frame_bytes(10, room - 74).expect("fits"), room);
        assert!(appender.frame_bytes(room - 63, 0).is_err());
        assert!(appender.frame_bytes(FRAME_BYTES_MAX, 0).is_err());
        appender.journal_bytes = 1 << 30;
        let longest = FRAME_BYTES_MAX - 64;
        assert_eq!(
            appender.frame_bytes(longest, 0).expect("fits"),
            FRAME_BYTES_MAX
        );
        assert!(appender.frame_bytes(longest + 1, 0).is_err());
    }

    #[test]
    fn the_reserve_is_at_most_an_eighth_of_a_file() {
        let appender = appender(&SimDisk::new());
        assert_eq!(appender.reserve_bytes(100), 100);
        assert_eq!(appender.reserve_bytes(100_000), 8_192);
    }

    #[test]
    fn a_group_is_full_at_four_mebibytes() {
        let mut appender = appender(&SimDisk::new());
        appender.group.resize((4 << 20) - 1, 0);
        assert!(!appender.group_is_full());
        appender.group.push(0);
        assert!(appender.group_is_full());
        appender.group.push(0);
        assert!(appender.group_is_full());
    }

    #[test]
    fn a_group_of_nothing_is_durable_without_a_call_to_the_disk() {
        let disk = SimDisk::new();
        let mut appender = appender(&disk);
        let calls = disk.calls();
        appender.commit().expect("nothing to do");
        assert_eq!(disk.calls(), calls);
    }

    #[test]
    fn after_a_failure_nothing_is_staged_written_or_begun() {
        for calls in [0, 1] {
            let disk = SimDisk::new();
            // Zeros were written ahead when the file was started.
            let mut appender = appender(&disk);
            stage(&mut appender, 10).expect("staged");
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            assert!(matches!(appender.commit(), Err(LogError::Io { .. })));
            appender.group.clear();
            assert!(matches!(stage(&mut appender, 10), Err(LogError::Poisoned)));
            assert!(matches!(appender.commit(), Err(LogError::Poisoned)));
            assert!(matches!(appender.rotate(0), Err(LogError::Poisoned)));
        }
    }
}
