//! One journal file: made once at full size, then filled and recycled.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::format::frame::{FRAME_ALIGN, JOURNAL_HEADER_BYTES, JournalHeader};
use crate::id::{EventSeq, StoreId};
use crate::log::{JOURNAL_DIR, LogError};

/// The smallest journal file that holds the largest frame twice over would be 32 MiB; stores of tiny test files use
/// this and refuse larger events.
pub(crate) const JOURNAL_BYTES_MIN: u64 = 64 << 10;

/// Zeros written after each group, so that its end is told from stale bytes of an earlier generation.
pub(crate) const TERMINATOR_BYTES: usize = 64;
const _: () = assert!(TERMINATOR_BYTES.is_multiple_of(FRAME_ALIGN));

/// Where journal file number `slot` is.
pub(crate) fn journal_path(slot: u32) -> PathBuf {
    Path::new(JOURNAL_DIR).join(format!("{slot:04}.journal"))
}

/// The slot a file name stands for.
pub(crate) fn slot_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".journal")?;
    (digits.len() == 4).then(|| digits.parse().ok())?
}

/// Where a blob record lies in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JournalPlace {
    pub(crate) slot: u32,
    /// Tells whether the file was recycled since.
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
    /// What its header says; meaningless while it is free.
    pub(crate) header: JournalHeader,
}

impl Journal {
    /// Makes a journal file of `file_bytes` zeros. It holds nothing until [`Journal::start`].
    ///
    /// On error the half-made file is removed again, as far as the disk lets us: a full disk must not keep it.
    pub(crate) fn create(
        disk: &dyn Disk,
        slot: u32,
        store: StoreId,
        file_bytes: u64,
    ) -> Result<Self, LogError> {
        let path = journal_path(slot);
        let made = Self::write_zeros(disk, &path, file_bytes);
        match made {
            Ok(file) => Ok(Self {
                slot,
                file,
                header: JournalHeader {
                    store,
                    generation: 0,
                    first_seq: EventSeq(0),
                    file_bytes,
                },
            }),
            Err(error) => {
                // The first error is the one to tell; a leftover file is found free at the next open.
                let _ = disk.remove(&path);
                Err(error)
            }
        }
    }

    fn write_zeros(
        disk: &dyn Disk,
        path: &Path,
        file_bytes: u64,
    ) -> Result<Arc<dyn DiskFile>, LogError> {
        const PIECE: usize = 1 << 20;
        let zeros = vec![0; PIECE];
        let file = disk
            .open(path, OpenMode::CreateNew)
            .map_err(LogError::io("create", path))?;
        let mut at = 0;
        while at < file_bytes {
            // At most PIECE, which is a usize.
            let piece = usize::try_from(file_bytes - at).unwrap_or(PIECE).min(PIECE);
            file.write_all_at(&zeros[..piece], at)
                .map_err(LogError::io("fill", path))?;
            at += piece as u64;
        }
        file.sync().map_err(LogError::io("sync", path))?;
        disk.sync_dir(Path::new(JOURNAL_DIR))
            .map_err(LogError::io("sync", Path::new(JOURNAL_DIR)))?;
        Ok(file)
    }

    /// Begins a new generation of the file: what it held before is void once this is durable.
    pub(crate) fn start(&mut self, generation: u64, first_seq: EventSeq) -> Result<(), LogError> {
        let path = journal_path(self.slot);
        self.header.generation = generation;
        self.header.first_seq = first_seq;
        let mut block = self.header.encode();
        // The terminator of an empty file.
        block.resize(JOURNAL_HEADER_BYTES + TERMINATOR_BYTES, 0);
        let started = self
            .file
            .write_all_at(&block, 0)
            .map_err(LogError::io("write to", &path))
            .and_then(|()| self.file.sync().map_err(LogError::io("sync", &path)));
        if started.is_err() {
            // A header that may not be durable must not be seen by whoever opens the store next: without one the file is
            // free, which it was.
            block.fill(0);
            let _ = self.file.write_all_at(&block, 0);
        }
        started
    }

    /// Overwrites everything from `from` on with zeros, so that purged content does not linger behind what is written next.
    pub(crate) fn wipe(&self, from: u64) -> io::Result<()> {
        const PIECE: usize = 1 << 20;
        let zeros = vec![0; PIECE];
        let mut at = from;
        while at < self.header.file_bytes {
            let left = self.header.file_bytes - at;
            let piece = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            self.file.write_all_at(&zeros[..piece], at)?;
            at += piece as u64;
        }
        self.file.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{Fault, Repeat, SimDisk};

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

    /// Lengths around the pieces in which zeros are written.
    #[test]
    fn a_file_is_made_of_as_many_zeros_as_it_is_long_or_not_at_all() {
        for file_bytes in [64 << 10, 1 << 20, (1 << 20) + 8, (2 << 20) - 8] {
            let disk = disk();
            let journal = Journal::create(&disk, 3, STORE, file_bytes).expect("made");
            assert_eq!(journal.header.file_bytes, file_bytes);
            let content = disk.content(PATH).expect("there");
            assert_eq!(content.len() as u64, file_bytes);
            assert!(content.iter().all(|byte| *byte == 0));
        }
        for calls in 0.. {
            let disk = disk();
            disk.fail_at(calls, Fault::Kind(io::ErrorKind::StorageFull), Repeat::Once);
            let made = Journal::create(&disk, 3, STORE, 1 << 20);
            if disk.struck() == 0 {
                assert!(calls > 3 && made.is_ok());
                break;
            }
            assert!(made.is_err() && disk.files().is_empty(), "call {calls}");
        }
    }

    #[test]
    fn a_file_that_could_not_be_started_is_free_as_it_was() {
        for calls in [0, 1] {
            let disk = disk();
            let mut journal = Journal::create(&disk, 3, STORE, 64 << 10).expect("made");
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            assert!(journal.start(2, EventSeq(9)).is_err());
            let content = disk.content(PATH).expect("there");
            assert!(content.iter().all(|byte| *byte == 0), "call {calls}");
        }
        let disk = disk();
        let mut journal = Journal::create(&disk, 3, STORE, 64 << 10).expect("made");
        // What an earlier generation left where the first frame goes must not be taken for one.
        disk.overwrite(PATH, 4_096, &[0xAB; 100]).expect("written");
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
            let journal = Journal::create(&disk, 3, STORE, file_bytes).expect("made");
            let full = vec![0xAB; usize::try_from(file_bytes).expect("small")];
            disk.overwrite(PATH, 0, &full).expect("filled");
            journal.wipe(from).expect("wiped");
            let content = disk.content(PATH).expect("there");
            let (kept, wiped) = content.split_at(usize::try_from(from).expect("small"));
            assert_eq!(content.len(), full.len());
            assert!(kept.iter().all(|byte| *byte == 0xAB));
            assert!(wiped.iter().all(|byte| *byte == 0));
        }
    }
}
