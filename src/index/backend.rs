//! redb's storage on a file of the disk room, in blocks that are checked whenever they are read.
//!
//! redb checks its pages when it repairs, but not when it reads: a flipped bit could change an
//! answer or stop the process. So each block carries a checksum of its bytes and its place. A block
//! that does not check out is an error of kind `InvalidData`, which calls for a rebuild of the
//! index.
//!
//! The first block is left as it is: redb writes its commit slots there in place, and checks them
//! itself. All other pages are written beside the ones in use, so a power cut can only tear blocks
//! that nothing refers to yet.
//!
//! redb doubles its storage whenever it is full. So the file says how long redb's storage is, and
//! holds only the blocks up to the last one that was written:
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 20 | how long redb's storage is u64, the count of such records u64, CRC-32C of both u32 |
//! | 2,048 | 20 | the same. Records go to these two places in turn, and the later one counts |
//! | 4,096 | 4,096 | the first block |
//! | 8,192 | 4,100 each | the other blocks, each with its checksum |

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::disk::DiskFile;

/// Bytes of one redb page, and of one block.
const BLOCK_BYTES: u64 = 4096;
/// Bytes of a stored block: the block and its checksum.
const STORED_BYTES: u64 = BLOCK_BYTES + 4;
const BLOCK: usize = 4096;
const STORED: usize = BLOCK + 4;
/// Where the first block begins, behind the length.
const FIRST_BLOCK: u64 = BLOCK_BYTES;
/// The two places of the length. A torn write leaves the other record, which is long enough: redb
/// uses a longer storage only after a flush, and a shorter one before it says so.
const LENGTH_PLACES: [u64; 2] = [0, 2_048];
const LENGTH_BYTES: usize = 20;
/// The longest storage that is opened. Longer, it would hold more entries than there are numbers.
/// The limit matters because redb allocates memory in proportion to the length.
const LEN_MAX: u64 = 1 << 40;

/// A file of the store, presented to redb as its storage. It offers no file locks: the archive
/// locks the store as a whole.
pub(super) struct DiskBackend {
    file: Arc<dyn DiskFile>,
    failure: Failure,
    /// The count of the last record of the length.
    lengths: AtomicU64,
}

/// The kind of the first I/O error. After an error, redb fails every later call with an error that
/// does not name the cause.
pub(super) type Failure = Arc<OnceLock<io::ErrorKind>>;

impl DiskBackend {
    pub(super) fn new(file: Arc<dyn DiskFile>) -> Self {
        Self {
            file,
            failure: Failure::default(),
            lengths: AtomicU64::default(),
        }
    }

    pub(super) fn failure(&self) -> Failure {
        Arc::clone(&self.failure)
    }

    fn note<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| {
            self.failure.get_or_init(|| error.kind());
        })
    }

    /// Reads `blocks` with one call, checks each, and passes it to `each`.
    fn read_blocks(&self, blocks: Range<u64>, mut each: impl FnMut(u64, &[u8])) -> io::Result<()> {
        let count = usize::try_from(blocks.end - blocks.start).map_err(io::Error::other)?;
        let bytes = count
            .checked_mul(STORED)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mut stored = vec![0; bytes];
        let read = self.file.read_exact_at(&mut stored, place(blocks.start));
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("the index ends before its last block"),
            _ => error,
        })?;
        for (block, stored) in blocks.zip(stored.chunks_exact(STORED)) {
            let (bytes, sum) = stored.split_at(BLOCK);
            if sum != checksum(block, bytes) {
                return Err(damaged(&format!(
                    "block {block} of the index does not check out"
                )));
            }
            each(block, bytes);
        }
        Ok(())
    }
}

/// Returns the offset in the file at which a block is stored.
fn place(block: u64) -> u64 {
    match block {
        0 => FIRST_BLOCK,
        _ => FIRST_BLOCK + BLOCK_BYTES + (block - 1) * STORED_BYTES,
    }
}

/// Returns the `nth` record of the length.
fn length_record(nth: u64, len: u64) -> [u8; LENGTH_BYTES] {
    let mut record = [0; LENGTH_BYTES];
    record[..8].copy_from_slice(&len.to_le_bytes());
    record[8..16].copy_from_slice(&nth.to_le_bytes());
    let sum = crc32c::crc32c(&record[..16]);
    record[16..].copy_from_slice(&sum.to_le_bytes());
    record
}

/// Returns the count and the length that a record holds; `None` when it does not check out.
fn parse_length(record: &[u8; LENGTH_BYTES]) -> Option<(u64, u64)> {
    let number = |at: usize| record[at..at + 8].try_into().map(u64::from_le_bytes).ok();
    let (len, nth) = (number(0)?, number(8)?);
    (length_record(nth, len) == *record).then_some((nth, len))
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn checksum(block: u64, bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(&block.to_le_bytes()), bytes).to_le_bytes()
}

/// Splits a range of `len` bytes from `offset`: how many bytes lie in the first block, which has no
/// checksum, and the offset at which the rest begins.
fn split(offset: u64, len: usize) -> (usize, u64) {
    let first = usize::try_from(BLOCK_BYTES.saturating_sub(offset)).unwrap_or(BLOCK);
    let first = first.min(len);
    (first, offset + first as u64)
}

/// Returns the blocks that `len` bytes from `offset` touch.
fn touched(offset: u64, len: usize) -> Range<u64> {
    offset / BLOCK_BYTES..(offset + len as u64).div_ceil(BLOCK_BYTES)
}

/// Returns the part of `block` that lies within `len` bytes from `offset`, once as a range of the
/// block and once as a range of the `len` bytes.
fn overlap(block: u64, offset: u64, len: usize) -> (Range<usize>, Range<usize>) {
    let starts = block * BLOCK_BYTES;
    let from = offset.max(starts);
    let to = (offset + len as u64).min(starts + BLOCK_BYTES);
    let within = |at: u64, base: u64| usize::try_from(at - base).expect("within a range in memory");
    (
        within(from, starts)..within(to, starts),
        within(from, offset)..within(to, offset),
    )
}

impl fmt::Debug for DiskBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiskBackend")
    }
}

impl redb::StorageBackend for DiskBackend {
    fn len(&self) -> io::Result<u64> {
        self.note(self.stored_len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.note(self.read_checked(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note(self.store_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note(self.file.sync())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(self.write_checked(offset, data))
    }
}

impl DiskBackend {
    fn stored_len(&self) -> io::Result<u64> {
        if self.file.size()? == 0 {
            return Ok(0);
        }
        let mut newest = None;
        for place in LENGTH_PLACES {
            let mut stored = [0; LENGTH_BYTES];
            self.file.read_exact_at(&mut stored, place)?;
            newest = newest.max(parse_length(&stored));
        }
        let (nth, len) = newest
            .filter(|(_, len)| *len <= LEN_MAX)
            .ok_or_else(|| damaged("the length of the index does not check out"))?;
        self.lengths.store(nth, Ordering::Relaxed);
        Ok(len)
    }

    /// A longer storage takes no room until it is written to.
    fn store_len(&self, len: u64) -> io::Result<()> {
        let nth = self.lengths.fetch_add(1, Ordering::Relaxed) + 1;
        let [even, odd] = LENGTH_PLACES;
        let place_of_length = if nth.is_multiple_of(2) { even } else { odd };
        self.file
            .write_all_at(&length_record(nth, len), place_of_length)?;
        let end = place(len.div_ceil(BLOCK_BYTES));
        if self.file.size()? > end {
            self.file.set_len(end)?;
        }
        Ok(())
    }

    fn read_checked(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (first, rest) = split(offset, out.len());
        if first > 0 {
            self.file
                .read_exact_at(&mut out[..first], FIRST_BLOCK + offset)?;
        }
        let (offset, out) = (rest, &mut out[first..]);
        if out.is_empty() {
            return Ok(());
        }
        let len = out.len();
        self.read_blocks(touched(offset, len), |block, bytes| {
            let (in_block, in_range) = overlap(block, offset, len);
            out[in_range].copy_from_slice(&bytes[in_block]);
        })
    }

    fn write_checked(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (first, rest) = split(offset, data.len());
        if first > 0 {
            self.file
                .write_all_at(&data[..first], FIRST_BLOCK + offset)?;
        }
        let (offset, data) = (rest, &data[first..]);
        if data.is_empty() {
            return Ok(());
        }
        let blocks = touched(offset, data.len());
        let mut stored = Vec::with_capacity(data.len() / BLOCK * STORED + STORED);
        for block in blocks.clone() {
            let (in_block, in_range) = overlap(block, offset, data.len());
            let start = stored.len();
            if in_block.len() == BLOCK {
                stored.extend_from_slice(&data[in_range]);
            } else {
                // Only part of the block is written; its other bytes stay.
                stored.resize(start + BLOCK, 0);
                self.read_blocks(block..block + 1, |_, bytes| {
                    stored[start..].copy_from_slice(bytes);
                })?;
                stored[start..][in_block].copy_from_slice(&data[in_range]);
            }
            let sum = checksum(block, &stored[start..]);
            stored.extend_from_slice(&sum);
        }
        self.file.write_all_at(&stored, place(blocks.start))
    }
}

#[cfg(test)]
mod tests {
    use redb::StorageBackend;

    use super::*;
    use crate::disk::sim::SimDisk;
    use crate::disk::{Disk, OpenMode};

    fn backend(disk: &SimDisk) -> DiskBackend {
        let file = disk.open("index".as_ref(), OpenMode::CreateNew);
        DiskBackend::new(file.expect("made"))
    }

    fn bytes(len: usize, seed: u8) -> Vec<u8> {
        (0..len)
            .map(|at| seed.wrapping_add(at.to_le_bytes()[0]))
            .collect()
    }

    #[test]
    fn what_is_written_across_blocks_is_read_back_and_keeps_what_stands_beside_it() {
        let disk = SimDisk::new();
        let backend = backend(&disk);
        backend.set_len(40_960).expect("long enough");
        assert_eq!(backend.len().expect("measured"), 40_960);
        let whole = bytes(40_960, 1);
        backend.write(0, &whole).expect("written");
        let mut expected = whole;
        for (offset, len) in [
            (0, 320),
            (4_000, 200),
            (4_096, 4_096),
            (5_000, 9_000),
            (8_192, 8_192),
        ] {
            let patch = bytes(len, 77);
            backend.write(offset as u64, &patch).expect("written");
            expected[offset..offset + len].copy_from_slice(&patch);
        }
        for (offset, len) in [
            (0, 40_960),
            (4_095, 2),
            (4_096, 1),
            (12_000, 9_999),
            (40_959, 1),
        ] {
            let mut out = vec![0; len];
            backend.read(offset as u64, &mut out).expect("read");
            assert!(out == expected[offset..offset + len], "{len} at {offset}");
        }
        let mut out = [0; 2];
        assert!(backend.read(40_959, &mut out).is_err(), "past the end");
    }

    /// redb asked for twice the room it used, and half of every index file was empty.
    #[test]
    fn a_longer_storage_takes_no_room_until_it_is_written_to() {
        let disk = SimDisk::new();
        let backend = backend(&disk);
        let stored = || disk.content("index").expect("there").len() as u64;
        backend.set_len(3 * BLOCK_BYTES).expect("long enough");
        backend.write(0, &bytes(3 * BLOCK, 3)).expect("written");
        let used = stored();
        backend.set_len(900 * BLOCK_BYTES).expect("longer");
        assert_eq!(stored(), used);
        assert_eq!(backend.len().expect("known"), 900 * BLOCK_BYTES);
        let mut out = [0; BLOCK];
        let unwritten = backend.read(800 * BLOCK_BYTES, &mut out);
        let unwritten = unwritten.expect_err("never written").kind();
        assert_eq!(unwritten, io::ErrorKind::InvalidData);
        backend.set_len(2 * BLOCK_BYTES).expect("shorter");
        assert_eq!(stored(), place(2));
        assert_eq!(backend.len().expect("known"), 2 * BLOCK_BYTES);
    }

    /// The power went while the length was written.
    #[test]
    fn a_torn_length_leaves_the_one_before() {
        let disk = SimDisk::new();
        let first = backend(&disk);
        for blocks in [3, 6, 12] {
            first.set_len(blocks * BLOCK_BYTES).expect("long enough");
        }
        first.write(0, &bytes(BLOCK, 3)).expect("written");
        let open = || {
            let file = disk.open("index".as_ref(), OpenMode::Write);
            DiskBackend::new(file.expect("there"))
        };
        assert_eq!(open().len().expect("known"), 12 * BLOCK_BYTES);
        disk.overwrite("index", LENGTH_PLACES[1] + 3, &[9])
            .expect("there");
        let torn = open();
        assert_eq!(torn.len().expect("the other"), 6 * BLOCK_BYTES);
        torn.set_len(24 * BLOCK_BYTES).expect("written again");
        assert_eq!(open().len().expect("known"), 24 * BLOCK_BYTES);
        for place in LENGTH_PLACES {
            disk.overwrite("index", place, &[9]).expect("there");
        }
        let lost = open().len().expect_err("both").kind();
        assert_eq!(lost, io::ErrorKind::InvalidData);
    }

    /// redb does not check the pages that it reads. Without block checksums a flipped bit would
    /// change the contents of a list or make redb panic, and only a full check of the index would
    /// find it.
    #[test]
    fn a_block_that_is_flipped_or_stands_in_the_place_of_another_is_not_read() {
        let disk = SimDisk::new();
        let backend = backend(&disk);
        backend.set_len(4 * BLOCK_BYTES).expect("long enough");
        backend.write(0, &bytes(4 * BLOCK, 3)).expect("written");
        let kind = |block: u64| {
            let mut out = [0; BLOCK];
            let read = backend.read(block * BLOCK_BYTES, &mut out);
            read.map_err(|error| error.kind())
        };
        assert_eq!((kind(1), kind(2), kind(3)), (Ok(()), Ok(()), Ok(())));
        disk.flip_bit("index", (place(2) + 99) * 8).expect("there");
        assert_eq!(kind(2), Err(io::ErrorKind::InvalidData));
        let content = disk.content("index").expect("there");
        let third = usize::try_from(place(3)).expect("small");
        let third = content[third..third + STORED].to_vec();
        disk.overwrite("index", place(1), &third).expect("there");
        assert_eq!(kind(1), Err(io::ErrorKind::InvalidData));
        assert_eq!(kind(3), Ok(()));
    }
}
