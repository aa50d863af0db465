//! Cuts long content into content-defined chunks, so that a file that grew or changed in the middle
//! still shares its other chunks.
//!
//! A gear hash covers the last 64 bytes. A chunk ends where the top bits of the hash (18 of them)
//! are zero, once it is at least [`CHUNK_BYTES_MIN`] long. The minimum equals the mean distance
//! between such positions. At a given mean length this finds more repetition than "normalised"
//! chunking. The maximum of 2 MiB bounds the memory of everything that handles chunks.
//!
//! The positions of cuts are a storage format: changing them loses deduplication against everything
//! stored before.

use std::io::{self, Read};
use std::sync::LazyLock;

/// By default, content of this size or more is cut into chunks.
pub const STREAM_BYTES_MAX: usize = 1 << 20;
/// The smallest threshold that a store may set for cutting content.
const STREAM_BYTES_MIN: usize = 4 << 10;
/// The shortest chunk, except for the last chunk of a content.
pub const CHUNK_BYTES_MIN: usize = 256 << 10;
/// The longest chunk.
pub const CHUNK_BYTES_MAX: usize = 2 << 20;

/// Number of bytes read with one call. Also the most that is carried over from one chunk to the
/// next.
const READ_BYTES: usize = 128 << 10;
/// How many bytes the gear hash covers: each step shifts it by one of its 64 bits.
const WINDOW_BYTES: usize = 64;

const _: () = assert!(CHUNK_BYTES_MAX <= crate::format::record::RECORD_RAW_BYTES_MAX as usize);
const _: () = assert!(WINDOW_BYTES < CHUNK_BYTES_MIN && CHUNK_BYTES_MIN < CHUNK_BYTES_MAX);

/// The value that each byte adds to the hash: the first eight bytes of the BLAKE3 of that byte.
static GEAR: LazyLock<[u64; 256]> = LazyLock::new(|| {
    std::array::from_fn(|index| {
        let byte = u8::try_from(index).expect("there are 256 bytes");
        let hash = blake3::hash(&[byte]);
        let (first, _) = hash.as_bytes().split_first_chunk().expect("32 bytes");
        u64::from_le_bytes(*first)
    })
});

/// The parameters of chunking. They are constant within a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cuts {
    min: usize,
    max: usize,
    /// After the minimum, one position in two to the power of this ends a chunk, on average.
    gap_bits: u32,
}

impl Cuts {
    /// Returns the parameters for cutting content of `bytes` and more. `bytes` is rounded down to a
    /// power of two between 4 KiB and 1 MiB. Chunks are at least a quarter and at most twice that
    /// long.
    pub const fn from(bytes: usize) -> Self {
        let bytes = match bytes {
            0..STREAM_BYTES_MIN => STREAM_BYTES_MIN,
            STREAM_BYTES_MAX.. => STREAM_BYTES_MAX,
            _ => 1 << bytes.ilog2(),
        };
        Self {
            min: bytes / 4,
            max: bytes * 2,
            gap_bits: (bytes / 4).ilog2(),
        }
    }

    /// Returns the shortest length of content that is cut, in bytes.
    pub const fn stream_bytes(self) -> usize {
        self.min * 4
    }
}

impl Default for Cuts {
    fn default() -> Self {
        Self::from(STREAM_BYTES_MAX)
    }
}

const _: () = assert!(Cuts::from(STREAM_BYTES_MAX).min == CHUNK_BYTES_MIN);
const _: () = assert!(Cuts::from(STREAM_BYTES_MAX).max == CHUNK_BYTES_MAX);
const _: () = assert!(WINDOW_BYTES < Cuts::from(0).min);

/// Cuts the content of a reader into chunks. Buffers less than 128 KiB itself.
#[derive(Debug)]
pub struct Chunker<R> {
    reader: R,
    cuts: Cuts,
    /// Bytes that were read after the end of the last chunk.
    carried: Vec<u8>,
}

impl<R: Read> Chunker<R> {
    /// Cuts the content of `reader`, until its end.
    pub const fn new(reader: R, cuts: Cuts) -> Self {
        Self {
            reader,
            cuts,
            carried: Vec::new(),
        }
    }

    /// Replaces the content of `chunk` by the next chunk. Returns false at the end.
    ///
    /// `chunk` never grows beyond [`CHUNK_BYTES_MAX`] plus 128 KiB.
    pub fn next_into(&mut self, chunk: &mut Vec<u8>) -> io::Result<bool> {
        chunk.clear();
        chunk.reserve_exact(self.cuts.max + READ_BYTES);
        chunk.append(&mut self.carried);
        let mut scan = Scan::new(self.cuts);
        loop {
            if let Some(cut) = scan.find(chunk) {
                self.carried.extend_from_slice(&chunk[cut..]);
                chunk.truncate(cut);
                return Ok(true);
            }
            let read = self
                .reader
                .by_ref()
                .take(READ_BYTES as u64)
                .read_to_end(chunk)?;
            if read == 0 {
                return Ok(!chunk.is_empty());
            }
        }
    }
}

/// The search for the end of one chunk, continued while more bytes are read.
struct Scan {
    cuts: Cuts,
    /// Offset of the next byte to hash. Bytes before it are too far back to influence the hash at
    /// the minimum.
    at: usize,
    hash: u64,
}

impl Scan {
    const fn new(cuts: Cuts) -> Self {
        Self {
            cuts,
            at: cuts.min - WINDOW_BYTES,
            hash: 0,
        }
    }

    /// Returns the length of the chunk at the start of `bytes`, once its end is found. Each further
    /// call must pass the bytes of the call before, followed by more.
    fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let mask = !(u64::MAX >> self.cuts.gap_bits);
        let gear = &*GEAR;
        let step = |hash: u64, byte: u8| (hash << 1).wrapping_add(gear[usize::from(byte)]);
        let end = bytes.len().min(self.cuts.max);
        // A chunk of the minimum length ends after this byte; no chunk ends earlier.
        let first_cut = self.cuts.min - 1;
        if self.at < first_cut {
            let until = end.min(first_cut);
            let warm_up = bytes.get(self.at..until)?;
            self.hash = warm_up
                .iter()
                .fold(self.hash, |hash, byte| step(hash, *byte));
            self.at = until;
        }
        let mut hash = self.hash;
        for (offset, byte) in bytes.get(self.at..end)?.iter().enumerate() {
            hash = step(hash, *byte);
            if hash & mask == 0 {
                return Some(self.at + offset + 1);
            }
        }
        self.at = end;
        self.hash = hash;
        (end == self.cuts.max).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: Cuts = Cuts {
        min: 100,
        max: 700,
        gap_bits: 7,
    };

    /// Returns pseudo-random bytes that never change.
    fn noise(seed: &str, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        blake3::Hasher::new()
            .update(seed.as_bytes())
            .finalize_xof()
            .fill(&mut out);
        out
    }

    fn chunks(cuts: Cuts, reader: impl Read) -> Vec<Vec<u8>> {
        let mut chunker = Chunker::new(reader, cuts);
        let mut chunk = Vec::new();
        let mut all = Vec::new();
        while chunker.next_into(&mut chunk).expect("a slice can be read") {
            all.push(chunk.clone());
        }
        all
    }

    /// A reader that yields at most this many bytes a call, and is sometimes interrupted.
    struct Trickle<'a>(&'a [u8], usize, bool);

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let len = self.1.min(out.len());
            self.0.read(&mut out[..len])
        }
    }

    #[test]
    fn chunks_are_cut_where_they_always_were() {
        let content = noise("chunker golden", 6 << 20);
        let lens: Vec<usize> = chunks(Cuts::default(), &content[..])
            .iter()
            .map(Vec::len)
            .collect();
        assert_eq!(lens, GOLDEN_LENS);
        let table: Vec<u8> = GEAR.iter().flat_map(|gear| gear.to_le_bytes()).collect();
        assert_eq!(blake3::hash(&table).to_hex().as_str(), GOLDEN_GEAR);
        assert_eq!(
            chunks(Cuts::default(), io::repeat(0).take(9 << 20))
                .iter()
                .map(Vec::len)
                .collect::<Vec<_>>(),
            [CHUNK_BYTES_MAX; 4]
                .into_iter()
                .chain([1 << 20])
                .collect::<Vec<_>>()
        );
    }

    const GOLDEN_LENS: [usize; 15] = [
        266_670, 452_928, 642_009, 471_352, 475_781, 392_897, 278_014, 366_971, 265_277, 496_722,
        265_146, 747_947, 294_482, 602_765, 272_495,
    ];
    const GOLDEN_GEAR: &str = "ff72d64c8f5544367c1d905ea54ba745bd18bf8490b15de7ab8207fc9668ddc4";

    #[test]
    fn a_change_in_the_middle_costs_the_chunks_around_it_and_no_others() {
        let before = noise("log file", 100_000);
        let mut after = before.clone();
        after.splice(
            50_000..50_010,
            *b"inserted text that is longer than what it replaces",
        );
        let old = chunks(SMALL, &before[..]);
        let new = chunks(SMALL, &after[..]);
        let fresh = new.iter().filter(|chunk| !old.contains(chunk)).count();
        assert!(old.len() > 300, "{} chunks", old.len());
        assert!((1..=5).contains(&fresh), "{fresh} new chunks");
    }

    /// The definition: a chunk ends after the first position at or past the minimum where the hash
    /// of the 64 bytes before it has its top bits zero.
    fn naive(cuts: Cuts, mut content: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while !content.is_empty() {
            let end = content.len().min(cuts.max);
            let ends_here = |len: &usize| {
                let window = &content[len - WINDOW_BYTES..*len];
                let hash = window.iter().fold(0_u64, |hash, byte| {
                    (hash << 1).wrapping_add(GEAR[usize::from(*byte)])
                });
                hash >> (64 - cuts.gap_bits) == 0
            };
            let len = (cuts.min..=end).find(ends_here).unwrap_or(end);
            all.push(content[..len].to_vec());
            content = &content[len..];
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn cuts_depend_on_the_content_and_not_on_how_it_is_read(
            seed in ".{0,4}",
            len in prop::sample::select(vec![0_usize, 1, 99, 100, 101, 700, 701, 5000, 140_000]),
            step in 1_usize..3000,
        ) {
            let content = noise(&seed, len);
            let whole = chunks(SMALL, &content[..]);
            prop_assert_eq!(whole.concat(), &content[..]);
            prop_assert_eq!(&chunks(SMALL, Trickle(&content, step, false)), &whole);
            prop_assert_eq!(naive(SMALL, &content), whole);
        }
    }
}
