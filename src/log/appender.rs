//! The writing end of the log: stages frames into a group, and makes the group durable with one write and one sync.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::entry::Retention;
use crate::format::frame::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES, JOURNAL_HEADER_BYTES, NewFrame};
use crate::id::{EventSeq, StoreId};
use crate::log::LogError;
use crate::log::journal::{Journal, TERMINATOR_BYTES, journal_path};
use crate::time::Timestamp;

/// A group is closed when it holds this many bytes.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// The single writer of the journal. Poisoned by the first failed write or sync: nothing is retried on the same handle.
pub(crate) struct Appender {
    disk: Arc<dyn Disk>,
    store: StoreId,
    journal_bytes: u64,
    current: Journal,
    /// Where the next group goes.
    end: u64,
    free: VecDeque<Journal>,
    slots: u32,
    next_generation: u64,
    next_seq: EventSeq,
    group: Vec<u8>,
    group_first: EventSeq,
    poisoned: bool,
}

/// Where a staged frame will be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Staged {
    pub(crate) slot: u32,
    pub(crate) generation: u64,
    pub(crate) offset: u64,
    pub(crate) frame_bytes: u32,
    /// Where its first record will be.
    pub(crate) records_at: u64,
}

/// A journal file that takes no more frames and waits to be sealed.
pub(crate) struct FullJournal {
    pub(crate) journal: Journal,
    pub(crate) last_seq: EventSeq,
}

/// What a frame is made of.
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
            1,
            EventSeq(1),
        ))
    }

    /// Goes on at `end` of `current`. `slots` is how many journal files there are, free ones included.
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
        slots: u32,
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

    /// The number the next staged frame gets.
    pub(crate) fn next_seq(&self) -> EventSeq {
        self.next_seq
    }

    /// The journal file being written, with its slot.
    pub(crate) fn current_file(&self) -> (u32, Arc<dyn DiskFile>) {
        (self.current.slot, Arc::clone(&self.current.file))
    }

    /// True when nothing was ever appended to the current file.
    pub(crate) fn current_is_empty(&self) -> bool {
        self.end == JOURNAL_HEADER_BYTES as u64 && self.group.is_empty()
    }

    /// True when a frame of `frame_bytes` fits behind what is staged, and leaves `reserve` bytes for the frames that
    /// must always find room (purges and the like).
    pub(crate) fn fits(&self, frame_bytes: usize, reserve: usize) -> bool {
        let needed = self.group.len() + frame_bytes + TERMINATOR_BYTES + reserve;
        self.end + needed as u64 <= self.current.header.file_bytes
    }

    /// At most `bytes`, and never more than an eighth of a journal file.
    pub(crate) fn reserve_bytes(&self, bytes: usize) -> usize {
        usize::try_from(self.journal_bytes / 8).map_or(bytes, |eighth| eighth.min(bytes))
    }

    /// Bytes a frame with this leaf and these records takes, or an error when no journal file could hold it.
    pub(crate) fn frame_bytes(&self, leaf: usize, records: usize) -> Result<usize, LogError> {
        let bytes = (FRAME_HEADER_BYTES + leaf + records).next_multiple_of(8);
        let room = self.journal_bytes - JOURNAL_HEADER_BYTES as u64 - TERMINATOR_BYTES as u64;
        if bytes > FRAME_BYTES_MAX || bytes as u64 > room {
            return Err(LogError::TooLarge { bytes });
        }
        Ok(bytes)
    }

    /// True when the group should be committed before more is staged.
    pub(crate) fn group_is_full(&self) -> bool {
        self.group.len() >= GROUP_BYTES_MAX
    }

    /// True when something is staged.
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

    /// Writes the group and syncs it. On `Ok` every staged frame survives a power cut. On an error none may be
    /// acknowledged: they are there or not, and only opening the store again tells.
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
            .file
            .write_all_at(&self.group, self.end)
            .map_err(LogError::io("write to", &path))
            .and_then(|()| {
                self.current
                    .file
                    .sync()
                    .map_err(LogError::io("sync", &path))
            });
        if let Err(error) = written {
            self.poisoned = true;
            // The system may go on showing what it failed to make durable. Whoever opens the store next must not take it
            // for part of the log and write behind it, so it is taken out of sight, as far as the disk lets us.
            self.group.fill(0);
            let _ = self.current.file.write_all_at(&self.group, self.end);
            return Err(error);
        }
        self.end += frames as u64;
        self.group.clear();
        Ok(())
    }

    /// Takes a recycled file back for later use.
    pub(crate) fn give_back(&mut self, journal: Journal) {
        self.free.push_back(journal);
    }

    /// Overwrites with zeros what the files held in earlier generations: the free ones, and the rest of the current one. The
    /// group must be committed.
    pub(crate) fn wipe(&self) -> Result<(), LogError> {
        debug_assert!(self.group.is_empty(), "what is staged is not written yet");
        let current = (&self.current, self.end);
        let free = self
            .free
            .iter()
            .map(|journal| (journal, JOURNAL_HEADER_BYTES as u64));
        for (journal, from) in free.chain([current]) {
            let path = journal_path(journal.slot);
            journal
                .wipe(from)
                .map_err(LogError::io("overwrite", &path))?;
        }
        Ok(())
    }

    /// How many files could still be started without making one.
    pub(crate) fn free_files(&self) -> usize {
        self.free.len()
    }

    /// How many journal files there are.
    pub(crate) fn files(&self) -> u32 {
        self.slots
    }

    /// Goes on in the next journal file, a free one or a new one, and hands out the full one. The group must be committed.
    ///
    /// When no file can be made (a full disk), the current one stays and the error says so; the appender is not poisoned.
    pub(crate) fn rotate(&mut self) -> Result<FullJournal, LogError> {
        debug_assert!(self.group.is_empty(), "a group never spans two files");
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        let mut next = match self.free.pop_front() {
            Some(journal) => journal,
            None => {
                let made =
                    Journal::create(&*self.disk, self.slots, self.store, self.journal_bytes)?;
                self.slots += 1;
                made
            }
        };
        if let Err(error) = next.start(self.next_generation, self.next_seq) {
            self.poisoned = true;
            return Err(error);
        }
        self.next_generation += 1;
        self.end = JOURNAL_HEADER_BYTES as u64;
        let journal = std::mem::replace(&mut self.current, next);
        Ok(FullJournal {
            journal,
            last_seq: EventSeq(self.next_seq.0 - 1),
        })
    }
}
