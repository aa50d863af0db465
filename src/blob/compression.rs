//! Zstandard for one record at a time: contexts are reused, output is bounded.

use std::cell::RefCell;
use std::fmt;
use std::sync::Mutex;

use zstd::dict::DecoderDictionary;
use zstd::zstd_safe::{CCtx, CParameter, DCtx, ResetDirective, Strategy, get_error_name};

use crate::format::record::{
    Codec, DICTIONARY_BYTES_MAX, DictTag, Record, RecordHeader, RecordKind,
};
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

/// How many compressors are kept when nobody compresses. What was needed beyond them at once is made anew the next time.
const AT_REST_MAX: usize = 16;

/// What is to be stored of a plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compressed<'a> {
    /// Whether zstd made it shorter.
    pub codec: Codec,
    /// What it takes to unpack it.
    pub dictionary: Option<DictTag>,
    /// The plaintext itself, or a shorter zstd frame.
    pub stored: &'a [u8],
}

impl<'a> Compressed<'a> {
    /// The record that stores `raw_len` bytes of plaintext so.
    pub const fn record(self, kind: RecordKind, id: BlobId, raw_len: u32) -> Record<'a> {
        Record {
            kind,
            codec: self.codec,
            dictionary: self.dictionary,
            raw_len,
            id,
            stored: self.stored,
        }
    }
}

/// Compresses at one level. Keeps its tables between calls.
pub struct Compressor {
    context: CCtx<'static>,
    dictionary: Option<DictTag>,
}

/// Parameters that every frame is written with: the record says all three.
const SAID_BY_THE_RECORD: [CParameter; 3] = [
    CParameter::ContentSizeFlag(false),
    CParameter::ChecksumFlag(false),
    CParameter::DictIdFlag(false),
];

/// How hard to try where most of a content stands in the dictionary. What a level means to zstd was chosen for content
/// without one: with one, its middle levels come out larger than the first. So the scale has four steps.
fn with_dictionary(level: Level) -> &'static [CParameter] {
    match level.0 {
        0..=3 => &[CParameter::CompressionLevel(1)],
        4..=6 => &[
            CParameter::CompressionLevel(15),
            CParameter::Strategy(Strategy::ZSTD_btopt),
            CParameter::SearchLog(1),
            CParameter::MinMatch(4),
            CParameter::TargetLength(48),
        ],
        7..=8 => &[
            CParameter::CompressionLevel(15),
            CParameter::Strategy(Strategy::ZSTD_btopt),
            CParameter::SearchLog(3),
            CParameter::MinMatch(3),
            CParameter::TargetLength(128),
        ],
        _ => &[CParameter::CompressionLevel(19)],
    }
}

/// How hard to try when a caller no longer waits and content goes where it stays. Measurements are columns of digits in
/// which zstd's usual levels find next to nothing: an optimal parse stores Touchstone files a fifth smaller than its level
/// 6, at a sixth of its rate. Tables of 2 MiB instead of the 16 that this level takes for a mebibyte came out as small, and
/// faster.
fn sealing(level: Level) -> &'static [CParameter] {
    match level.0 {
        0..=1 => &[CParameter::CompressionLevel(1)],
        2..=3 => &[CParameter::CompressionLevel(3)],
        4..=6 => &[
            CParameter::CompressionLevel(15),
            CParameter::Strategy(Strategy::ZSTD_btopt),
            CParameter::SearchLog(3),
            CParameter::MinMatch(3),
            CParameter::TargetLength(128),
            CParameter::HashLog(17),
            CParameter::ChainLog(18),
        ],
        7..=8 => &[CParameter::CompressionLevel(17)],
        _ => &[CParameter::CompressionLevel(19)],
    }
}

impl Compressor {
    /// At that level of zstd, while somebody waits.
    pub fn new(level: Level) -> Self {
        Self::with(&[CParameter::CompressionLevel(level.0.into())])
    }

    /// At that level, for what is sealed and has no dictionary.
    pub fn sealing(level: Level) -> Self {
        Self::with(sealing(level))
    }

    /// At that level, for what is sealed with a dictionary.
    pub fn with_dictionary(level: Level, dictionary: &Dictionary) -> Self {
        let mut compressor = Self::with(with_dictionary(level));
        let loaded = compressor.context.load_dictionary(&dictionary.bytes);
        debug_assert!(loaded.is_ok(), "a dictionary is copied, nothing else");
        compressor.dictionary = loaded.is_ok().then_some(dictionary.tag);
        compressor
    }

    /// As hard as the best level there is: for what is written once and read often.
    pub fn hardest() -> Self {
        Self::with(&[CParameter::CompressionLevel(19)])
    }

    fn with(effort: &[CParameter]) -> Self {
        let mut context = CCtx::create();
        for parameter in effort.iter().chain(&SAID_BY_THE_RECORD) {
            context
                .set_parameter(*parameter)
                .expect("a new context takes parameters in their range");
        }
        Self {
            context,
            dictionary: None,
        }
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
                dictionary: self.dictionary,
                stored: scratch,
            }
        } else {
            Compressed {
                codec: Codec::Raw,
                dictionary: None,
                stored: raw,
            }
        }
    }
}

/// Compressors of one level for many threads, few of which compress at the same moment.
///
/// Handed out is the one that was used last, whose tables are still in a processor's cache. With one for each thread, 64
/// callers each brought tables of 200 KB that had long left the cache; so they archive a quarter more files a second.
pub struct Compressors {
    level: Level,
    at_rest: Mutex<Vec<Workplace>>,
}

/// A compressor, and room for what it makes.
struct Workplace {
    compressor: Compressor,
    scratch: Vec<u8>,
}

impl Compressors {
    /// At that level, while somebody waits; made as they are needed.
    pub const fn new(level: Level) -> Self {
        Self {
            level,
            at_rest: Mutex::new(Vec::new()),
        }
    }

    /// Compresses `raw` as [`Compressor::compress`] does, and hands what is to be stored to `store`.
    pub fn compress<T>(&self, raw: &[u8], store: impl FnOnce(Compressed<'_>) -> T) -> T {
        let rested = self.at_rest.lock().expect("no panic while held").pop();
        let mut workplace = rested.unwrap_or_else(|| Workplace {
            compressor: Compressor::new(self.level),
            scratch: Vec::new(),
        });
        let Workplace {
            compressor,
            scratch,
        } = &mut workplace;
        let stored = store(compressor.compress(raw, scratch));
        let mut at_rest = self.at_rest.lock().expect("no panic while held");
        if at_rest.len() < AT_REST_MAX {
            at_rest.push(workplace);
        }
        stored
    }
}

impl fmt::Debug for Compressors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressors").finish_non_exhaustive()
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

/// What similar content is compressed with and unpacked with: whole files of its kind, one behind the other.
pub struct Dictionary {
    id: BlobId,
    tag: DictTag,
    bytes: Vec<u8>,
    prepared: DecoderDictionary<'static>,
}

/// What zstd takes for the start of a dictionary in a form of its own.
const TRAINED_MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];

impl Dictionary {
    /// A dictionary of those bytes; `None` when they cannot be one. Bytes that begin as zstd's own form of a dictionary do
    /// would be taken for one, and a dictionary whose id begins with zeros has no name.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let id = BlobId::of(&bytes);
        let tag = DictTag::of(&id)?;
        if bytes.starts_with(&TRAINED_MAGIC) || bytes.len() > DICTIONARY_BYTES_MAX as usize {
            return None;
        }
        let prepared = DecoderDictionary::try_copy(&bytes).ok()?;
        Some(Self {
            id,
            tag,
            bytes,
            prepared,
        })
    }

    /// Its name.
    pub const fn id(&self) -> &BlobId {
        &self.id
    }

    /// How records name it.
    pub const fn tag(&self) -> DictTag {
        self.tag
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Memory it takes, about.
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.prepared.as_ddict().sizeof()
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dictionary")
            .field("id", &self.id)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Why stored bytes could not be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// They were compressed with a dictionary that is not at hand.
    #[error("dictionary {0} is missing")]
    UnknownDictionary(DictTag),
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

/// Unpacks what a record stores into `out`, replacing what was there; `dictionary` is the one it names.
///
/// Never allocates more than the record's plaintext length, whatever the frame claims: a frame is unpacked in one step
/// straight into `out`, which takes no window beside it.
pub fn decompress(
    header: &RecordHeader,
    stored: &[u8],
    dictionary: Option<&Dictionary>,
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
            let dictionary = match header.dictionary {
                None => None,
                Some(tag) => Some(
                    dictionary
                        .filter(|dictionary| dictionary.tag == tag)
                        .ok_or(DecompressError::UnknownDictionary(tag))?,
                ),
            };
            let unpacked = CONTEXT.with_borrow_mut(|context| match dictionary {
                None => context.decompress(out, stored),
                Some(dictionary) => {
                    let prepared = dictionary.prepared.as_ddict();
                    context.decompress_using_ddict(out, stored, prepared)
                }
            });
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
    use std::fmt::Write as _;

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

    /// A form, filled in for one unit.
    fn form(unit: u32) -> Vec<u8> {
        let rows = (0..40_u32).map(|row| format!("{};PASS\n", BlobId::of(&row.to_le_bytes())));
        let own = format!("unit;{unit}\n");
        rows.chain([own]).collect::<String>().into_bytes()
    }

    #[test]
    fn every_level_gives_back_what_it_compressed_with_a_dictionary_and_needs_that_dictionary() {
        let dictionary = Dictionary::new([form(1), form(2)].concat()).expect("a dictionary");
        let other = Dictionary::new(form(3)).expect("a dictionary");
        let raw = form(4711);
        let mut scratch = Vec::new();
        let alone = Compressor::new(Level::DEFAULT)
            .compress(&raw, &mut scratch)
            .stored
            .len();
        for level in 1..=9 {
            let level = Level::new(level).expect("1 to 9");
            let mut compressor = Compressor::with_dictionary(level, &dictionary);
            for _ in 0..2 {
                let compressed = compressor.compress(&raw, &mut scratch);
                assert_eq!(compressed.dictionary, Some(dictionary.tag()));
                assert!(compressed.stored.len() * 9 < alone, "{level:?}");
                let (header, stored) = through_record(compressed, &raw);
                let mut out = Vec::new();
                let unpacked = decompress(&header, &stored, Some(&dictionary), &mut out);
                assert_eq!((unpacked, &out), (Ok(()), &raw));
                for without in [None, Some(&other)] {
                    let refused = decompress(&header, &stored, without, &mut out);
                    let missing = DecompressError::UnknownDictionary(dictionary.tag());
                    assert_eq!(refused, Err(missing));
                }
            }
        }
    }

    #[test]
    fn bytes_that_zstd_would_take_for_a_dictionary_of_its_own_form_are_no_dictionary() {
        let bytes = [&TRAINED_MAGIC[..], &form(1)].concat();
        assert!(Dictionary::new(bytes).is_none());
        assert!(Dictionary::new(vec![0; DICTIONARY_BYTES_MAX as usize + 1]).is_none());
    }

    /// Columns of measurements are most of what stations write. zstd's middle levels leave them longer than need be.
    #[test]
    fn a_higher_level_seals_columns_of_numbers_smaller() {
        let mut digits = vec![0; 4 * 2_000];
        blake3::Hasher::new().finalize_xof().fill(&mut digits);
        let mut columns = String::new();
        for (row, noise) in digits.chunks_exact(4).enumerate() {
            let noise = u32::from_le_bytes(noise.try_into().expect("four")) % 10_000;
            let (hertz, loss) = (300_000 + 1_500 * row, -12.0 - f64::from(noise) / 1e5);
            writeln!(columns, "{hertz}\t{loss:.7}\t{:.7}", loss / 3.0).expect("a string grows");
        }
        let raw = columns.into_bytes();
        let mut scratch = Vec::new();
        let mut bytes_at = |mut compressor: Compressor| {
            let compressed = compressor.compress(&raw, &mut scratch);
            let (header, stored) = through_record(compressed, &raw);
            let mut out = Vec::new();
            let unpacked = decompress(&header, &stored, None, &mut out);
            assert_eq!((unpacked, &out), (Ok(()), &raw));
            stored.len()
        };
        let waited_for = bytes_at(Compressor::new(Level::DEFAULT));
        let [quick, default, smallest] = [1, 6, 9].map(|level| {
            let level = Level::new(level).expect("1 to 9");
            bytes_at(Compressor::sealing(level))
        });
        for sealed in [default, smallest] {
            assert!(sealed < quick && sealed * 10 < waited_for * 9);
        }
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
            let cut = decompress(&claim(raw_len, &bomb), &bomb, None, &mut out);
            assert!(matches!(cut, Err(DecompressError::Zstd(_))), "{cut:?}");
            assert!(out.capacity() <= raw_len as usize);
        }
        let two = [&bomb[..], &bomb].concat();
        let mut out = Vec::new();
        assert!(decompress(&claim(8 << 20, &two), &two, None, &mut out).is_err());
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
            decompress(&claim(1001, &frame), &frame, None, &mut out),
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
            let answer = decompress(&claim(200, &frame), &frame, None, &mut out);
            assert!(answer.is_err() || out == [b'A'; 200], "{answer:?}");
            assert!(out.capacity() <= 200);
        }
    }

    /// Compressors were one for each thread. Whoever gets one now gets what another has used, and must not find anything of it.
    #[test]
    fn threads_that_share_compressors_get_what_one_of_their_own_would_make() {
        let noise: Vec<u8> = (0..300_u32)
            .flat_map(|n| *BlobId::of(&n.to_le_bytes()).as_bytes())
            .collect();
        let contents: Vec<Vec<u8>> = (0..40).map(form).chain([noise, Vec::new()]).collect();
        let mut scratch = Vec::new();
        let expected: Vec<_> = contents
            .iter()
            .map(|raw| {
                let mut own = Compressor::new(Level::FASTEST);
                through_record(own.compress(raw, &mut scratch), raw)
            })
            .collect();
        let shared = Compressors::new(Level::FASTEST);
        let all = || {
            for (raw, expected) in contents.iter().zip(&expected) {
                let made = shared.compress(raw, |stored| through_record(stored, raw));
                assert_eq!(&made, expected);
            }
        };
        all();
        assert_eq!(
            shared.at_rest.lock().expect("sound").len(),
            1,
            "it was used again"
        );
        std::thread::scope(|scope| {
            for _ in 0..2 * AT_REST_MAX {
                scope.spawn(all);
            }
        });
        let at_rest = shared.at_rest.lock().expect("sound").len();
        assert!((1..=AT_REST_MAX).contains(&at_rest), "{at_rest} are kept");
    }

    proptest! {
        #[test]
        fn every_level_gives_back_what_it_was_given(
            raw in prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..3000),
            level in 1_u8..=9,
        ) {
            let level = Level::new(level).expect("1 to 9");
            for mut compressor in [Compressor::new(level), Compressor::sealing(level)] {
                let (mut scratch, mut out) = (Vec::new(), Vec::new());
                let (header, stored) = through_record(compressor.compress(&raw, &mut scratch), &raw);
                prop_assert_eq!(decompress(&header, &stored, None, &mut out), Ok(()));
                prop_assert_eq!(&out, &raw);
            }
        }

        #[test]
        fn any_bytes_at_all_are_unpacked_or_refused_within_the_bound(
            stored in prop::collection::vec(any::<u8>(), 0..300),
            raw_len in 301_u32..5000,
        ) {
            let stored = [&b"\x28\xb5\x2f\xfd"[..], &stored].concat();
            let mut out = Vec::new();
            let _ = decompress(&claim(raw_len + 4, &stored), &stored, None, &mut out);
            prop_assert!(out.capacity() <= raw_len as usize + 4);
        }
    }
}
