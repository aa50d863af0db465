//! Zstandard for one record at a time: contexts are reused, output is bounded.

use std::cell::RefCell;
use std::fmt;

use zstd::zstd_safe::{CCtx, CParameter, DCtx, ResetDirective, get_error_name};

use crate::format::record::{Codec, DictNo, Record, RecordHeader, RecordKind};
use crate::id::BlobId;

/// How hard to try: 1 is fastest, 9 is smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    /// Little work, and already most of the gain.
    pub const FASTEST: Self = Self(1);

    /// What is used where nobody chose.
    pub const DEFAULT: Self = Self(6);

    /// That level; `None` when it is not 1 to 9.
    pub const fn new(level: u8) -> Option<Self> {
        match level {
            1..=9 => Some(Self(level)),
            _ => None,
        }
    }

    /// Its number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// What is to be stored of a plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compressed<'a> {
    /// Whether zstd made it shorter.
    pub codec: Codec,
    /// The plaintext itself, or a shorter zstd frame.
    pub stored: &'a [u8],
}

impl<'a> Compressed<'a> {
    /// The record that stores `raw_len` bytes of plaintext so.
    pub const fn record(self, kind: RecordKind, id: BlobId, raw_len: u32) -> Record<'a> {
        Record {
            kind,
            codec: self.codec,
            dictionary: None,
            raw_len,
            id,
            stored: self.stored,
        }
    }
}

/// Compresses at one level. Keeps its tables between calls.
pub struct Compressor {
    context: CCtx<'static>,
}

impl Compressor {
    /// At that level.
    pub fn new(level: Level) -> Self {
        let mut context = CCtx::create();
        let parameters = [
            CParameter::CompressionLevel(level.0.into()),
            // The record says all three.
            CParameter::ContentSizeFlag(false),
            CParameter::ChecksumFlag(false),
            CParameter::DictIdFlag(false),
        ];
        for parameter in parameters {
            context
                .set_parameter(parameter)
                .expect("a new context takes parameters in their range");
        }
        Self { context }
    }

    /// Compresses `raw` into `scratch`; where that wins nothing, `raw` itself is what is to be stored.
    pub fn compress<'a>(&mut self, raw: &'a [u8], scratch: &'a mut Vec<u8>) -> Compressed<'a> {
        scratch.clear();
        // No room for more than the plaintext: zstd gives up as soon as it cannot win.
        scratch.reserve_exact(raw.len());
        let won = self
            .context
            .compress2(scratch, raw)
            .is_ok_and(|len| len < raw.len());
        if !won {
            // A frame that was given up is still open.
            let reset = self.context.reset(ResetDirective::SessionOnly);
            debug_assert!(reset.is_ok(), "resetting a session cannot fail");
        }
        if won {
            Compressed {
                codec: Codec::Zstd,
                stored: scratch,
            }
        } else {
            Compressed {
                codec: Codec::Raw,
                stored: raw,
            }
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

/// Why stored bytes could not be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// The dictionary is not there.
    #[error("dictionary {0} is missing")]
    UnknownDictionary(DictNo),
    /// They are no zstd frame, or one that unpacks to more than the record says.
    #[error("zstd refuses the stored bytes: {0}")]
    Zstd(&'static str),
    /// They unpack to less than the record says.
    #[error("the stored bytes unpack to {got} bytes instead of {expected}")]
    Length {
        /// What the record says.
        expected: u32,
        /// What came out.
        got: usize,
    },
}

/// Unpacks what a record stores into `out`, replacing what was there.
///
/// Never allocates more than the record's plaintext length, whatever the frame claims: a frame is unpacked in one step
/// straight into `out`, which takes no window beside it.
pub fn decompress(
    header: &RecordHeader,
    stored: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    thread_local! {
        static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
    }
    out.clear();
    let raw_len = header.raw_len as usize;
    match header.codec {
        Codec::Raw => out.extend_from_slice(stored),
        Codec::Zstd => {
            out.reserve_exact(raw_len);
            // Records name their dictionary from the first version on, so that stores with dictionaries are told apart.
            if let Some(number) = header.dictionary {
                return Err(DecompressError::UnknownDictionary(number));
            }
            let unpacked = CONTEXT.with_borrow_mut(|context| context.decompress(out, stored));
            unpacked.map_err(|code| DecompressError::Zstd(get_error_name(code)))?;
        }
    }
    if out.len() == raw_len {
        Ok(())
    } else {
        Err(DecompressError::Length {
            expected: header.raw_len,
            got: out.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::record;

    /// The record that is made of a plaintext, written and read again.
    fn through_record(compressed: Compressed<'_>, raw: &[u8]) -> (RecordHeader, Vec<u8>) {
        let raw_len = u32::try_from(raw.len()).expect("short");
        let mut bytes = Vec::new();
        let record = compressed.record(RecordKind::Content, BlobId::of(raw), raw_len);
        record::encode_into(&mut bytes, &record).expect("a valid record");
        let (header, stored) = record::decode(&bytes).expect("just written");
        (header, stored.to_vec())
    }

    /// The header of a record that claims to store a zstd frame of `raw_len` bytes of plaintext.
    fn claim(raw_len: u32, stored: &[u8]) -> RecordHeader {
        let record = Record {
            kind: RecordKind::Content,
            codec: Codec::Zstd,
            dictionary: None,
            raw_len,
            id: BlobId::of(b""),
            stored,
        };
        let mut bytes = Vec::new();
        record::encode_into(&mut bytes, &record).expect("a valid record");
        record::decode_header(&bytes).expect("just written")
    }

    #[test]
    fn a_record_of_a_later_version_that_needs_a_dictionary_is_refused_by_its_number() {
        let mut header = claim(1000, &[0x28, 0xb5, 0x2f, 0xfd]);
        header.dictionary = DictNo::new(3);
        let refused = decompress(&header, &[0x28, 0xb5, 0x2f, 0xfd], &mut Vec::new());
        let needed = DictNo::new(3).map(DecompressError::UnknownDictionary);
        assert_eq!(refused.err(), needed);
    }

    #[test]
    fn what_zstd_cannot_shorten_is_stored_as_it_is() {
        let mut noise = vec![0; 100_000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let mut compressor = Compressor::new(Level::new(1).expect("a level"));
        let mut scratch = Vec::new();
        for raw in [&noise[..], b"", b"a", b"ab"] {
            let compressed = compressor.compress(raw, &mut scratch);
            assert_eq!((compressed.codec, compressed.stored), (Codec::Raw, raw));
        }
        // A frame that was given up leaves the compressor as good as new.
        let zeros = vec![0; 100_000];
        assert!(compressor.compress(&zeros, &mut scratch).stored.len() < 100);
    }

    #[test]
    fn a_frame_that_unpacks_to_more_than_its_record_says_is_cut_off_there() {
        let mut scratch = Vec::new();
        let zeros = vec![0; 8 << 20];
        let bomb = Compressor::new(Level::DEFAULT)
            .compress(&zeros, &mut scratch)
            .stored
            .to_vec();
        assert!(bomb.len() < 2000);
        for raw_len in [3000, 4 << 20, (8 << 20) - 1] {
            let mut out = Vec::new();
            let cut = decompress(&claim(raw_len, &bomb), &bomb, &mut out);
            assert!(matches!(cut, Err(DecompressError::Zstd(_))), "{cut:?}");
            assert!(out.capacity() <= raw_len as usize);
        }
        let two = [&bomb[..], &bomb].concat();
        let mut out = Vec::new();
        assert!(decompress(&claim(8 << 20, &two), &two, &mut out).is_err());
    }

    #[test]
    fn a_frame_that_unpacks_to_less_than_its_record_says_is_damaged() {
        let mut scratch = Vec::new();
        let frame = Compressor::new(Level::DEFAULT)
            .compress(&[7; 1000], &mut scratch)
            .stored
            .to_vec();
        let mut out = Vec::new();
        assert_eq!(
            decompress(&claim(1001, &frame), &frame, &mut out),
            Err(DecompressError::Length {
                expected: 1001,
                got: 1000
            })
        );
    }

    #[test]
    fn a_frame_that_asks_for_a_huge_window_gets_no_memory_for_it() {
        // The largest window zstd can be asked for, and one that it cannot.
        for window in [0xa8, 0xf8] {
            // Magic, no content size, the window, one last block: 200 times 'A'.
            let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, window, 0x43, 0x06, 0, b'A'];
            let mut context = DCtx::create();
            let before = context.sizeof();
            let mut out = Vec::with_capacity(200);
            let unpacked = context.decompress(&mut out, &frame);
            assert_eq!(context.sizeof(), before, "{unpacked:?}");

            let mut out = Vec::new();
            let answer = decompress(&claim(200, &frame), &frame, &mut out);
            assert!(answer.is_err() || out == [b'A'; 200], "{answer:?}");
            assert!(out.capacity() <= 200);
        }
    }

    proptest! {
        #[test]
        fn every_level_gives_back_what_it_was_given(
            raw in prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..3000),
            level in 1_u8..=9,
        ) {
            let mut compressor = Compressor::new(Level::new(level).expect("1 to 9"));
            let (mut scratch, mut out) = (Vec::new(), Vec::new());
            let (header, stored) = through_record(compressor.compress(&raw, &mut scratch), &raw);
            prop_assert_eq!(decompress(&header, &stored, &mut out), Ok(()));
            prop_assert_eq!(out, raw);
        }

        #[test]
        fn any_bytes_at_all_are_unpacked_or_refused_within_the_bound(
            stored in prop::collection::vec(any::<u8>(), 0..300),
            raw_len in 301_u32..5000,
        ) {
            let stored = [&b"\x28\xb5\x2f\xfd"[..], &stored].concat();
            let mut out = Vec::new();
            let _ = decompress(&claim(raw_len + 4, &stored), &stored, &mut out);
            prop_assert!(out.capacity() <= raw_len as usize + 4);
        }
    }
}
