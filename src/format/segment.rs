//! Segments: sealed, immutable files of events.
//!
//! ```text
//! segment file                       named by its first sequence
//!   header  64 bytes     0 magic "ANNALSE\n"  8 version u16  10 zero u16  12 store id [16]  28 first sequence u64
//!                        36 zeros             60 crc32c of bytes 0..60 u32
//!   block, block, ...
//!   footer               block index, tree, packs, signed checkpoint; see below
//!   trailer 64 bytes     0 magic "ANNALSE\n"  8 version u16  10 zero u16  12 first sequence u64  20 last sequence u64
//!                        28 footer offset u64 36 footer length u64  44 footer crc32c u32  48 zeros
//!                        60 crc32c of bytes 0..60 u32
//!
//! block
//!   0  magic "AEB1"  4 stored length u32  8 raw length u32  12 events u32  16 first sequence u64
//!   24 crc32c of the stored bytes u32   28 crc32c of bytes 0..28 u32
//!   32 one zstd frame: the leaves, each followed by a newline
//!
//! footer
//!   u32 blocks, then for each: first sequence u64, offset u64, events u32
//!   u64 tree size, [32] tree root   RFC 6962 over all leaves of the log up to the last of this segment
//!   u32 length, then the tree's frontier, from which it grows on: see `evidence`
//!   u32 packs, then for each: pack u64, bytes u64     written by the same seal
//!   u32 length, then a signed checkpoint over the root; empty when none was signed
//! ```
//!
//! Numbers are little-endian. The leaves are exactly the bytes that were acknowledged.

use crate::format::bytes::{Put, Reader, Truncated};
use crate::id::{EventSeq, PackId, StoreId};

/// Bytes of a segment's header.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 64;
/// Bytes of a segment's trailer.
pub(crate) const SEGMENT_TRAILER_BYTES: usize = 64;
/// Bytes of a block before its zstd frame.
pub(crate) const BLOCK_HEADER_BYTES: usize = 32;
/// The most bytes that the leaves of one block may take, uncompressed.
pub(crate) const BLOCK_RAW_BYTES_MAX: usize = 1 << 20;
/// The largest footer. A larger one is refused before memory is allocated for it.
pub(crate) const FOOTER_BYTES_MAX: u64 = 64 << 20;

const MAGIC: [u8; 8] = *b"ANNALSE\n";
const VERSION: u16 = 1;
const BLOCK_MAGIC: [u8; 4] = *b"AEB1";

/// Why bytes are not a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SegmentError {
    #[error("no magic number")]
    Magic,
    #[error("segment format {0} is not known")]
    Version(u16),
    #[error("it belongs to another store")]
    OtherStore,
    #[error("it ends too early")]
    Truncated,
    #[error("a length in it is out of bounds")]
    Length,
    #[error("it is numbered as nothing can be")]
    Number,
    #[error("a reserved field is not zero")]
    Reserved,
    #[error("the {0}'s checksum does not match")]
    Checksum(&'static str),
    #[error("its events are not the ones its name and index promise")]
    Order,
}

impl From<Truncated> for SegmentError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

/// Encodes the header of a segment.
pub(crate) fn encode_header(store: &StoreId, first_seq: EventSeq) -> Vec<u8> {
    let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES);
    out.put(&MAGIC);
    out.put_u16(VERSION);
    out.put(&[0; 2]);
    out.put(store.as_bytes());
    out.put_u64(first_seq.0);
    out.resize(60, 0);
    let crc = crc32c::crc32c(&out);
    out.put_u32(crc);
    out
}

/// Checks the header of a segment and returns its first sequence.
pub(crate) fn decode_header(bytes: &[u8], store: &StoreId) -> Result<EventSeq, SegmentError> {
    let mut fields = Reader::new(bytes);
    if fields.take_array::<8>()? != MAGIC {
        return Err(SegmentError::Magic);
    }
    let version = fields.take_u16()?;
    let reserved = fields.take_u16()?;
    let found = StoreId::from_bytes(fields.take_array()?);
    let first = EventSeq(fields.take_u64()?);
    checked(bytes, "header")?;
    if version != VERSION {
        return Err(SegmentError::Version(version));
    }
    if found != *store {
        return Err(SegmentError::OtherStore);
    }
    if reserved != 0 || bytes[36..60] != [0; 24] {
        return Err(SegmentError::Reserved);
    }
    if first > EventSeq::MAX {
        return Err(SegmentError::Number);
    }
    Ok(first)
}

fn checked(block: &[u8], what: &'static str) -> Result<(), SegmentError> {
    let (fields, crc) = block
        .get(..64)
        .and_then(|block| block.split_at_checked(60))
        .ok_or(SegmentError::Truncated)?;
    let expected = crc32c::crc32c(fields).to_le_bytes();
    if crc == expected {
        Ok(())
    } else {
        Err(SegmentError::Checksum(what))
    }
}

/// The trailer of a segment: which events it holds and where its footer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) first_seq: EventSeq,
    pub(crate) last_seq: EventSeq,
    pub(crate) footer_offset: u64,
    pub(crate) footer_bytes: u64,
    pub(crate) footer_crc: u32,
}

impl Trailer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_TRAILER_BYTES);
        out.put(&MAGIC);
        out.put_u16(VERSION);
        out.put(&[0; 2]);
        out.put_u64(self.first_seq.0);
        out.put_u64(self.last_seq.0);
        out.put_u64(self.footer_offset);
        out.put_u64(self.footer_bytes);
        out.put_u32(self.footer_crc);
        out.resize(60, 0);
        let crc = crc32c::crc32c(&out);
        out.put_u32(crc);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, SegmentError> {
        let mut fields = Reader::new(bytes);
        if fields.take_array::<8>()? != MAGIC {
            return Err(SegmentError::Magic);
        }
        let version = fields.take_u16()?;
        let reserved = fields.take_u16()?;
        let trailer = Self {
            first_seq: EventSeq(fields.take_u64()?),
            last_seq: EventSeq(fields.take_u64()?),
            footer_offset: fields.take_u64()?,
            footer_bytes: fields.take_u64()?,
            footer_crc: fields.take_u32()?,
        };
        checked(bytes, "trailer")?;
        if version != VERSION {
            return Err(SegmentError::Version(version));
        }
        if reserved != 0 || bytes[48..60] != [0; 12] {
            return Err(SegmentError::Reserved);
        }
        if trailer.first_seq > trailer.last_seq || trailer.footer_bytes > FOOTER_BYTES_MAX {
            return Err(SegmentError::Length);
        }
        if trailer.last_seq > EventSeq::MAX {
            return Err(SegmentError::Number);
        }
        Ok(trailer)
    }
}

/// The header of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub(crate) stored_bytes: u32,
    pub(crate) raw_bytes: u32,
    pub(crate) events: u32,
    pub(crate) first_seq: EventSeq,
    pub(crate) body_crc: u32,
}

impl BlockHeader {
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.put(&BLOCK_MAGIC);
        out.put_u32(self.stored_bytes);
        out.put_u32(self.raw_bytes);
        out.put_u32(self.events);
        out.put_u64(self.first_seq.0);
        out.put_u32(self.body_crc);
        let crc = crc32c::crc32c(&out[start..]);
        out.put_u32(crc);
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, SegmentError> {
        let mut fields = Reader::new(bytes);
        if fields.take_array::<4>()? != BLOCK_MAGIC {
            return Err(SegmentError::Magic);
        }
        let header = Self {
            stored_bytes: fields.take_u32()?,
            raw_bytes: fields.take_u32()?,
            events: fields.take_u32()?,
            first_seq: EventSeq(fields.take_u64()?),
            body_crc: fields.take_u32()?,
        };
        if crc32c::crc32c(&bytes[..28]) != fields.take_u32()? {
            return Err(SegmentError::Checksum("block header"));
        }
        // zstd grows incompressible input by far less than an eighth.
        let bound = BLOCK_RAW_BYTES_MAX + BLOCK_RAW_BYTES_MAX / 8;
        if header.raw_bytes as usize > BLOCK_RAW_BYTES_MAX || header.stored_bytes as usize > bound {
            return Err(SegmentError::Length);
        }
        if header.first_seq > EventSeq::MAX {
            return Err(SegmentError::Number);
        }
        Ok(header)
    }
}

/// The position and the first event of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockIndex {
    pub(crate) first_seq: EventSeq,
    pub(crate) offset: u64,
    pub(crate) events: u32,
}

/// The footer of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Footer {
    pub(crate) blocks: Vec<BlockIndex>,
    pub(crate) tree_size: u64,
    pub(crate) tree_root: [u8; 32],
    /// The frontier, from which the tree can grow.
    pub(crate) frontier: Vec<u8>,
    /// The packs that were written by this seal, with their sizes.
    pub(crate) packs: Vec<(PackId, u64)>,
    /// A signed checkpoint over the root; may be empty.
    pub(crate) checkpoint: Vec<u8>,
}

impl Footer {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, SegmentError> {
        let count = |items: usize| {
            u32::try_from(items)
                .map(u32::to_le_bytes)
                .map_err(|_| SegmentError::Length)
        };
        let mut out = Vec::new();
        out.put(&count(self.blocks.len())?);
        for block in &self.blocks {
            out.put_u64(block.first_seq.0);
            out.put_u64(block.offset);
            out.put_u32(block.events);
        }
        out.put_u64(self.tree_size);
        out.put(&self.tree_root);
        out.put(&count(self.frontier.len())?);
        out.put(&self.frontier);
        out.put(&count(self.packs.len())?);
        for (pack, bytes) in &self.packs {
            out.put_u64(pack.0);
            out.put_u64(*bytes);
        }
        out.put(&count(self.checkpoint.len())?);
        out.put(&self.checkpoint);
        if out.len() as u64 > FOOTER_BYTES_MAX {
            return Err(SegmentError::Length);
        }
        Ok(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, SegmentError> {
        let mut fields = Reader::new(bytes);
        // Every list is read item by item. So for a false count the bytes end before memory does.
        let mut footer = Self::default();
        for _ in 0..fields.take_u32()? {
            footer.blocks.push(BlockIndex {
                first_seq: EventSeq(fields.take_u64()?),
                offset: fields.take_u64()?,
                events: fields.take_u32()?,
            });
        }
        footer.tree_size = fields.take_u64()?;
        footer.tree_root = fields.take_array()?;
        let frontier = fields.take_u32()?;
        footer.frontier = fields.take(frontier as usize)?.to_vec();
        for _ in 0..fields.take_u32()? {
            let pack = PackId(fields.take_u64()?);
            footer.packs.push((pack, fields.take_u64()?));
        }
        let checkpoint = fields.take_u32()?;
        footer.checkpoint = fields.take(checkpoint as usize)?.to_vec();
        if !fields.is_empty() {
            return Err(SegmentError::Length);
        }
        let mut numbers = footer.blocks.iter().map(|block| block.first_seq);
        let mut packs = footer.packs.iter().map(|(pack, _)| *pack);
        if numbers.any(|first| first > EventSeq::MAX) || packs.any(|pack| pack > PackId::MAX) {
            return Err(SegmentError::Number);
        }
        Ok(footer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer() -> Footer {
        Footer {
            blocks: vec![BlockIndex {
                first_seq: EventSeq(1),
                offset: 64,
                events: 9,
            }],
            tree_size: 9,
            tree_root: [1; 32],
            frontier: vec![2; 72],
            packs: vec![(PackId(4), 1000)],
            checkpoint: b"note".to_vec(),
        }
    }

    fn trailer() -> Trailer {
        Trailer {
            first_seq: EventSeq(5),
            last_seq: EventSeq(9),
            footer_offset: 100,
            footer_bytes: 20,
            footer_crc: 3,
        }
    }

    #[test]
    fn a_footer_survives_being_written_and_read_and_is_refused_when_cut() {
        let bytes = footer().encode().expect("small");
        assert_eq!(Footer::decode(&bytes), Ok(footer()));
        for len in 0..bytes.len() {
            assert!(Footer::decode(&bytes[..len]).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn a_footer_with_a_wild_count_is_refused_without_setting_memory_aside() {
        let mut bytes = footer().encode().expect("small");
        bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Footer::decode(&bytes), Err(SegmentError::Truncated));
    }

    #[test]
    fn a_later_version_is_named_and_not_called_damaged() {
        let store = StoreId::from_bytes([7; 16]);
        let mut header = encode_header(&store, EventSeq(5));
        header[8] = 2;
        let covered = header.len() - 4;
        let crc = crc32c::crc32c(&header[..covered]);
        header[covered..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(
            decode_header(&header, &store),
            Err(SegmentError::Version(2))
        );
    }

    #[test]
    fn header_trailer_and_block_head_notice_every_flipped_bit() {
        let store = StoreId::from_bytes([7; 16]);
        let header = encode_header(&store, EventSeq(5));
        assert_eq!(decode_header(&header, &store), Ok(EventSeq(5)));
        let trailer = trailer();
        let trailer_bytes = trailer.encode();
        assert_eq!(Trailer::decode(&trailer_bytes), Ok(trailer));
        let block = BlockHeader {
            stored_bytes: 10,
            raw_bytes: 20,
            events: 2,
            first_seq: EventSeq(5),
            body_crc: 1,
        };
        let mut block_bytes = Vec::new();
        block.encode_into(&mut block_bytes);
        assert_eq!(block_bytes.len(), BLOCK_HEADER_BYTES);
        assert_eq!(BlockHeader::decode(&block_bytes), Ok(block));
        let flip = |bytes: &[u8], bit: usize| {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            damaged
        };
        for bit in 0..64 * 8 {
            assert!(decode_header(&flip(&header, bit), &store).is_err());
            assert!(Trailer::decode(&flip(&trailer_bytes, bit)).is_err());
        }
        for bit in 0..BLOCK_HEADER_BYTES * 8 {
            assert!(BlockHeader::decode(&flip(&block_bytes, bit)).is_err());
        }
    }

    /// A valid checksum does not prove that this version wrote the bytes. Fields that no version
    /// uses yet must be refused.
    #[test]
    fn reserved_fields_that_are_not_zero_are_refused_even_with_the_right_checksum() {
        let store = StoreId::from_bytes([7; 16]);
        let header = encode_header(&store, EventSeq(5));
        let marked = |bytes: &[u8], at: usize| {
            let mut marked = bytes.to_vec();
            marked[at] = 1;
            let crc = crc32c::crc32c(&marked[..60]);
            marked[60..].copy_from_slice(&crc.to_le_bytes());
            marked
        };
        for at in [10, 11].into_iter().chain(36..60) {
            let found = decode_header(&marked(&header, at), &store);
            assert_eq!(found, Err(SegmentError::Reserved), "{at}");
        }
        for at in [10, 11].into_iter().chain(48..60) {
            let found = Trailer::decode(&marked(&trailer().encode(), at));
            assert_eq!(found, Err(SegmentError::Reserved), "{at}");
        }
    }

    #[test]
    fn the_greatest_numbers_are_read_and_the_next_ones_refused() {
        let store = StoreId::from_bytes([7; 16]);
        let most = EventSeq::MAX.0;
        let header = |first| decode_header(&encode_header(&store, EventSeq(first)), &store);
        assert_eq!(header(most), Ok(EventSeq::MAX));
        assert_eq!(header(most + 1), Err(SegmentError::Number));
        let trailer = |last, footer_bytes| {
            let trailer = Trailer {
                first_seq: EventSeq(9),
                last_seq: EventSeq(last),
                footer_offset: 64,
                footer_bytes,
                footer_crc: 0,
            };
            Trailer::decode(&trailer.encode()).map(|_| ())
        };
        assert_eq!(trailer(most, FOOTER_BYTES_MAX), Ok(()));
        assert_eq!(trailer(most + 1, 0), Err(SegmentError::Number));
        assert_eq!(
            trailer(most, FOOTER_BYTES_MAX + 1),
            Err(SegmentError::Length)
        );
        assert_eq!(trailer(9, 0), Ok(()));
        assert_eq!(trailer(8, 0), Err(SegmentError::Length));
        let block = |first, stored_bytes, raw_bytes| {
            let block = BlockHeader {
                stored_bytes,
                raw_bytes,
                events: 1,
                first_seq: EventSeq(first),
                body_crc: 0,
            };
            let mut out = Vec::new();
            block.encode_into(&mut out);
            BlockHeader::decode(&out).map(|_| ())
        };
        // 1 MiB, plus an eighth for incompressible leaves.
        let (raw, stored) = (1_048_576, 1_179_648);
        assert_eq!(block(most, stored, raw), Ok(()));
        assert_eq!(block(most + 1, 1, 1), Err(SegmentError::Number));
        assert_eq!(block(1, stored + 1, 1), Err(SegmentError::Length));
        assert_eq!(block(1, 1, raw + 1), Err(SegmentError::Length));
        let footer = |first, pack| {
            let mut footer = footer();
            footer.blocks[0].first_seq = EventSeq(first);
            footer.packs = vec![(PackId(pack), 1)];
            Footer::decode(&footer.encode().expect("short")).map(|_| ())
        };
        assert_eq!(footer(most, most), Ok(()));
        assert_eq!(footer(most + 1, most), Err(SegmentError::Number));
        assert_eq!(footer(most, most + 1), Err(SegmentError::Number));
    }

    #[test]
    fn a_footer_that_no_reader_would_take_is_not_written() {
        let mut footer = footer();
        footer.checkpoint.clear();
        let around = footer.encode().expect("short").len();
        footer.checkpoint = vec![b'x'; usize::try_from(FOOTER_BYTES_MAX).expect("64 MiB") - around];
        assert!(footer.encode().is_ok());
        footer.checkpoint.push(b'x');
        assert_eq!(footer.encode(), Err(SegmentError::Length));
    }
}
