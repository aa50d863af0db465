//! Journal files: a header block, then frames. One frame is one event with all the blob records
//! that belong to it.
//!
//! ```text
//! journal file                      fixed size, pre-zeroed, recycled
//!   header block   4,096 bytes      [`JournalHeader`]
//!   frame, frame, ...               each at a multiple of 8
//!   zeros, or frames of an earlier generation
//!
//! journal header
//!   0  magic "ANNALSJ\n"   8  version u16   10 zero u16   12 store id [16]   28 generation u64
//!   36 first sequence u64  44 file size u64 52 crc32c of bytes 0..52 u32     56 zeros to 4,096
//!
//! frame
//!   0  magic "AFR1"        4  zero u16      6  records u16    8  generation u64
//!   16 sequence u64        24 first sequence of its group u64 32 time, microseconds i64
//!   40 leaf length u32     44 records length u32
//!   48 retention days u16  50 retention years u8 (both zero: for ever)   51 level of effort of sealing u8
//!   52 crc32c of the body u32   56 zero u32   60 crc32c of bytes 0..60 u32
//!   64 body: the leaf, then the records; then zeros up to a multiple of 8
//! ```
//!
//! All numbers are little-endian. A frame names the first sequence of the *group* it was written
//! and synced with. The writer starts a group only after the group before it is durable. So when a
//! frame fails its checksum, an intact frame of a later group proves that it had been durable
//! (damage). An intact frame of its own group proves nothing (a torn write).

use crate::entry::Retention;
use crate::format::bytes::{Put, Reader, Truncated};
use crate::id::{EventSeq, StoreId};
use crate::time::Timestamp;

/// Bytes of the header block of a journal file.
pub(crate) const JOURNAL_HEADER_BYTES: usize = 4096;
/// Bytes of a frame before its body.
pub(crate) const FRAME_HEADER_BYTES: usize = 64;
/// The longest frame, header and padding included.
pub(crate) const FRAME_BYTES_MAX: usize = 16 << 20;
/// The highest generation. No store ever reaches it, so adding one to a generation never overflows.
pub(crate) const GENERATION_MAX: u64 = u64::MAX >> 1;
/// Frames start at multiples of this.
pub(crate) const FRAME_ALIGN: usize = 8;

const JOURNAL_MAGIC: [u8; 8] = *b"ANNALSJ\n";
const JOURNAL_VERSION: u16 = 1;
const FRAME_MAGIC: [u8; 4] = *b"AFR1";

/// Bytes that are not a journal header or frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("no magic number")]
    Magic,
    #[error("journal format {0} is not known")]
    Version(u16),
    #[error("it belongs to another store")]
    OtherStore,
    #[error("it ends too early")]
    Truncated,
    #[error("its length is out of bounds")]
    Length,
    #[error("it is numbered as nothing can be")]
    Number,
    #[error("a reserved field is not zero")]
    Reserved,
    #[error("the header's checksum does not match")]
    HeaderChecksum,
    #[error("the body's checksum does not match")]
    BodyChecksum,
    #[error("its event is more than one line")]
    Lines,
}

impl From<Truncated> for FrameError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

/// The header of a journal file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JournalHeader {
    pub(crate) store: StoreId,
    /// Grows whenever any journal file of the store is started again. It separates live frames from
    /// stale ones.
    pub(crate) generation: u64,
    /// The first event in the file.
    pub(crate) first_seq: EventSeq,
    /// Length of the whole file in bytes.
    pub(crate) file_bytes: u64,
}

impl JournalHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(JOURNAL_HEADER_BYTES);
        out.put(&JOURNAL_MAGIC);
        out.put_u16(JOURNAL_VERSION);
        out.put(&[0; 2]);
        out.put(self.store.as_bytes());
        out.put_u64(self.generation);
        out.put_u64(self.first_seq.0);
        out.put_u64(self.file_bytes);
        let crc = crc32c::crc32c(&out);
        out.put_u32(crc);
        out.resize(JOURNAL_HEADER_BYTES, 0);
        out
    }

    pub(crate) fn decode(bytes: &[u8], store: &StoreId) -> Result<Self, FrameError> {
        let mut fields = Reader::new(bytes);
        if fields.take_array::<8>()? != JOURNAL_MAGIC {
            return Err(FrameError::Magic);
        }
        let version = fields.take_u16()?;
        if version != JOURNAL_VERSION {
            return Err(FrameError::Version(version));
        }
        let reserved = fields.take_u16()?;
        let found = StoreId::from_bytes(fields.take_array()?);
        let header = Self {
            store: found,
            generation: fields.take_u64()?,
            first_seq: EventSeq(fields.take_u64()?),
            file_bytes: fields.take_u64()?,
        };
        if crc32c::crc32c(&bytes[..52]) != fields.take_u32()? {
            return Err(FrameError::HeaderChecksum);
        }
        if found != *store {
            return Err(FrameError::OtherStore);
        }
        if reserved != 0 {
            return Err(FrameError::Reserved);
        }
        if header.generation > GENERATION_MAX || header.first_seq > EventSeq::MAX {
            return Err(FrameError::Number);
        }
        Ok(header)
    }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) generation: u64,
    pub(crate) seq: EventSeq,
    /// The first event of the group that this frame was synced with.
    pub(crate) group: EventSeq,
    pub(crate) time: Timestamp,
    /// How long its blobs are kept; used to group them into packs.
    pub(crate) retention: Retention,
    /// The compression level for sealing its blobs.
    pub(crate) level: u8,
    /// Number of blob records after the leaf.
    pub(crate) records: u16,
    leaf_bytes: u32,
    records_bytes: u32,
    body_crc: u32,
}

impl FrameHeader {
    /// Returns the length of the whole frame, padding included.
    pub(crate) fn frame_bytes(&self) -> usize {
        padded(FRAME_HEADER_BYTES + self.body_bytes())
    }

    fn body_bytes(&self) -> usize {
        self.leaf_bytes as usize + self.records_bytes as usize
    }

    /// Returns the offset of the records from the start of the frame.
    pub(crate) fn records_at(&self) -> usize {
        FRAME_HEADER_BYTES + self.leaf_bytes as usize
    }

    /// Decodes the header alone. Checks its checksum and the bounds of its lengths.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let mut fields = Reader::new(bytes);
        if fields.take_array::<4>()? != FRAME_MAGIC {
            return Err(FrameError::Magic);
        }
        let zero = fields.take_u16()?;
        let records = fields.take_u16()?;
        let generation = fields.take_u64()?;
        let seq = EventSeq(fields.take_u64()?);
        let group = EventSeq(fields.take_u64()?);
        let time = Timestamp::from_micros(i64::from_le_bytes(fields.take_array()?));
        let leaf_bytes = fields.take_u32()?;
        let records_bytes = fields.take_u32()?;
        let days = fields.take_u16()?;
        let years = fields.take_u8()?;
        let level = fields.take_u8()?;
        let body_crc = fields.take_u32()?;
        let reserved = fields.take_u32()?;
        if crc32c::crc32c(&bytes[..60]) != fields.take_u32()? {
            return Err(FrameError::HeaderChecksum);
        }
        let header = Self {
            generation,
            seq,
            group,
            time,
            retention: match (days, years) {
                (0, 0) => Retention::Forever,
                (days, years) => Retention::Period { days, years },
            },
            level,
            records,
            leaf_bytes,
            records_bytes,
            body_crc,
        };
        let bounded = u64::from(leaf_bytes) + u64::from(records_bytes) <= FRAME_BYTES_MAX as u64;
        if zero != 0 || reserved != 0 {
            return Err(FrameError::Reserved);
        }
        if !bounded || group > seq {
            return Err(FrameError::Length);
        }
        if generation > GENERATION_MAX || seq > EventSeq::MAX {
            return Err(FrameError::Number);
        }
        Ok(header)
    }
}

/// A complete frame that was checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) header: FrameHeader,
    /// The event, one line of JSON.
    pub(crate) leaf: &'a [u8],
    /// The blob records, without gaps.
    pub(crate) records: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Decodes the frame at the start of `bytes`.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let header = FrameHeader::decode(bytes)?;
        let body = bytes
            .get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + header.body_bytes())
            .ok_or(FrameError::Truncated)?;
        if crc32c::crc32c(body) != header.body_crc {
            return Err(FrameError::BodyChecksum);
        }
        let (leaf, records) = body.split_at(header.leaf_bytes as usize);
        // A segment separates leaves by newlines only.
        if leaf.contains(&b'\n') {
            return Err(FrameError::Lines);
        }
        Ok(Self {
            header,
            leaf,
            records,
        })
    }
}

/// The content of a frame that is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewFrame<'a> {
    pub(crate) generation: u64,
    pub(crate) seq: EventSeq,
    pub(crate) group: EventSeq,
    pub(crate) time: Timestamp,
    pub(crate) retention: Retention,
    pub(crate) level: u8,
    pub(crate) leaf: &'a [u8],
    /// Encoded blob records, in order.
    pub(crate) records: &'a [&'a [u8]],
}

impl NewFrame<'_> {
    /// Returns the length that the frame will have, padding included.
    pub(crate) fn frame_bytes(&self) -> usize {
        let records: usize = self.records.iter().map(|record| record.len()).sum();
        padded(FRAME_HEADER_BYTES + self.leaf.len() + records)
    }

    /// Appends the frame to `out`. A frame that exceeds the limit is an error and appends nothing.
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        if self.frame_bytes() > FRAME_BYTES_MAX {
            return Err(FrameError::Length);
        }
        if self.leaf.contains(&b'\n') {
            return Err(FrameError::Lines);
        }
        let records_bytes: usize = self.records.iter().map(|record| record.len()).sum();
        let length = |bytes: usize| u32::try_from(bytes).map_err(|_| FrameError::Length);
        let body_crc = self
            .records
            .iter()
            .fold(crc32c::crc32c(self.leaf), |crc, record| {
                crc32c::crc32c_append(crc, record)
            });
        let (days, years) = match self.retention {
            Retention::Forever => (0, 0),
            Retention::Period { days, years } => (days, years),
        };
        let records = u16::try_from(self.records.len()).map_err(|_| FrameError::Length)?;
        let (leaf, all_records) = (length(self.leaf.len())?, length(records_bytes)?);
        let start = out.len();
        out.put(&FRAME_MAGIC);
        out.put(&[0; 2]);
        out.put_u16(records);
        out.put_u64(self.generation);
        out.put_u64(self.seq.0);
        out.put_u64(self.group.0);
        out.put(&self.time.micros().to_le_bytes());
        out.put_u32(leaf);
        out.put_u32(all_records);
        out.put_u16(days);
        out.put_u8(years);
        out.put_u8(self.level);
        out.put_u32(body_crc);
        out.put(&[0; 4]);
        let header_crc = crc32c::crc32c(&out[start..]);
        out.put_u32(header_crc);
        out.put(self.leaf);
        for record in self.records {
            out.put(record);
        }
        out.resize(start + self.frame_bytes(), 0);
        Ok(())
    }
}

fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(FRAME_ALIGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(leaf: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        NewFrame {
            generation: 2,
            seq: EventSeq(7),
            group: EventSeq(5),
            time: Timestamp::from_micros(1_000_001),
            retention: Retention::Period { days: 90, years: 1 },
            level: 6,
            leaf,
            records: &[b"rec", b"ord"],
        }
        .encode_into(&mut out)
        .expect("fits");
        out
    }

    #[test]
    fn the_greatest_numbers_are_read_and_the_next_ones_refused() {
        let store = StoreId::from_bytes([7; 16]);
        let header = |generation, first_seq| {
            let header = JournalHeader {
                store,
                generation,
                first_seq: EventSeq(first_seq),
                file_bytes: 1 << 20,
            };
            JournalHeader::decode(&header.encode(), &store).map(|_| ())
        };
        let frame = |generation, seq| {
            let mut out = Vec::new();
            let frame = NewFrame {
                generation,
                seq: EventSeq(seq),
                group: EventSeq(1),
                time: Timestamp::from_micros(0),
                retention: Retention::Forever,
                level: 6,
                leaf: b"{}",
                records: &[],
            };
            frame.encode_into(&mut out).expect("fits");
            FrameHeader::decode(&out).map(|_| ())
        };
        let most = EventSeq::MAX.0;
        assert_eq!(header(GENERATION_MAX, most), Ok(()));
        assert_eq!(header(GENERATION_MAX + 1, most), Err(FrameError::Number));
        assert_eq!(header(GENERATION_MAX, most + 1), Err(FrameError::Number));
        assert_eq!(frame(GENERATION_MAX, most), Ok(()));
        assert_eq!(frame(GENERATION_MAX + 1, most), Err(FrameError::Number));
        assert_eq!(frame(GENERATION_MAX, most + 1), Err(FrameError::Number));
    }

    #[test]
    fn the_bytes_of_a_frame_are_pinned() {
        let bytes = frame(b"{}");
        assert_eq!(&bytes[..4], b"AFR1");
        assert_eq!(bytes.len(), 72);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            concat!(
                "41465231",
                "0000",
                "0200",
                "0200000000000000",
                "0700000000000000",
                "0500000000000000",
                "41420f0000000000",
                "02000000",
                "06000000",
                "5a00",
                "01",
                "06",
                "532ce4f0",
                "00000000",
                "2ee17f21",
                "7b7d",
                "7265636f7264"
            )
        );
    }

    #[test]
    fn a_frame_survives_being_written_and_read() {
        let bytes = frame(b"{\"a\":1}");
        let read = Frame::decode(&bytes).expect("whole");
        assert_eq!(read.leaf, b"{\"a\":1}");
        assert_eq!(read.records, b"record");
        assert_eq!(
            read.header.retention,
            Retention::Period { days: 90, years: 1 }
        );
        assert_eq!(read.header.frame_bytes(), bytes.len());
        assert_eq!(
            (read.header.seq, read.header.group),
            (EventSeq(7), EventSeq(5))
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_frame_is_noticed() {
        let bytes = frame(b"{\"a\":1}");
        let body_end = FRAME_HEADER_BYTES + 7 + 6;
        for bit in 0..body_end * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&damaged).is_err(), "bit {bit}");
        }
        for len in 0..body_end {
            assert!(Frame::decode(&bytes[..len]).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn a_frame_header_that_contradicts_itself_is_refused() {
        let changed = |at: usize, field: &[u8]| {
            let mut bytes = frame(b"{}");
            bytes[at..at + field.len()].copy_from_slice(field);
            let crc = crc32c::crc32c(&bytes[..60]);
            bytes[60..64].copy_from_slice(&crc.to_le_bytes());
            FrameHeader::decode(&bytes).map(|header| header.group.0)
        };
        let longest = u32::try_from(FRAME_BYTES_MAX).expect("small") - 6;
        assert_eq!(changed(24, &7_u64.to_le_bytes()), Ok(7));
        assert_eq!(changed(40, &longest.to_le_bytes()), Ok(5));
        for (at, field, why) in [
            (4, &1_u16.to_le_bytes()[..], FrameError::Reserved),
            (24, &8_u64.to_le_bytes(), FrameError::Length),
            (40, &(longest + 1).to_le_bytes(), FrameError::Length),
            (56, &1_u32.to_le_bytes(), FrameError::Reserved),
        ] {
            assert_eq!(changed(at, field), Err(why), "byte {at}");
        }
    }

    /// A frame that is too large must not leave half of itself in the group, before the next staged
    /// frame.
    #[test]
    fn a_frame_that_holds_too_much_leaves_nothing_behind() {
        let one: &[u8] = b"x";
        let too_many = vec![one; 1 << 16];
        let too_long = vec![0; FRAME_BYTES_MAX];
        for records in [&too_many[..], &[&too_long[..]]] {
            let mut out = b"before".to_vec();
            let frame = NewFrame {
                generation: 2,
                seq: EventSeq(7),
                group: EventSeq(5),
                time: Timestamp::from_micros(0),
                retention: Retention::Forever,
                level: 6,
                leaf: b"{}",
                records,
            };
            assert_eq!(frame.encode_into(&mut out), Err(FrameError::Length));
            assert_eq!(out, b"before");
        }
        let leaf = vec![b' '; FRAME_BYTES_MAX - FRAME_HEADER_BYTES];
        assert_eq!(frame(&leaf[6..]).len(), FRAME_BYTES_MAX, "the longest");
    }

    #[test]
    fn a_journal_header_is_pinned_and_every_damaged_bit_is_noticed() {
        let store = StoreId::from_bytes([7; 16]);
        let header = JournalHeader {
            store,
            generation: 3,
            first_seq: EventSeq(9),
            file_bytes: 1 << 20,
        };
        let bytes = header.encode();
        assert_eq!(bytes.len(), JOURNAL_HEADER_BYTES);
        assert_eq!(JournalHeader::decode(&bytes, &store), Ok(header));
        for bit in 0..56 * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                JournalHeader::decode(&damaged, &store).is_err(),
                "bit {bit}"
            );
        }
        assert_eq!(
            JournalHeader::decode(&bytes, &StoreId::from_bytes([8; 16])),
            Err(FrameError::OtherStore)
        );
        // The checksum is valid here, but no version writes these fields yet.
        let mut marked = bytes;
        marked[11] = 1;
        let crc = crc32c::crc32c(&marked[..52]);
        marked[52..56].copy_from_slice(&crc.to_le_bytes());
        let refused = JournalHeader::decode(&marked, &store);
        assert_eq!(refused, Err(FrameError::Reserved));
    }
}
