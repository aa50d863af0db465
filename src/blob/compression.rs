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

    /// The default level.
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

/// How many idle compressors are kept. Others are made when they are needed.
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
    /// Returns the record that stores `raw_len` bytes of plaintext so.
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

/// Returns how hard to try where most of a content stands in the dictionary. What a level means to
/// zstd was chosen for content without one: with one, its middle levels come out larger than the
/// first. So the scale has four steps.
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

/// Returns how hard to try when a caller no longer waits and content goes where it stays.
/// Measurements are columns of digits in which zstd's usual levels find next to nothing: an optimal
/// parse stores Touchstone files a fifth smaller than its level 6, at a sixth of its rate. Tables
/// of 2 MiB instead of the 16 that this level takes for a mebibyte came out as small, and faster.
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

    /// Compresses `raw` into `scratch`; where that wins nothing, `raw` itself is what is to be
    /// stored.
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
/// Handed out is the one that was used last, whose tables are still in a processor's cache. With
/// one for each thread, 64 callers each brought tables of 200 KB that had long left the cache; so
/// they archive a quarter more files a second.
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

    /// Compresses `raw` as [`Compressor::compress`] does, and hands what is to be stored to
    /// `store`.
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

/// What similar content is compressed with and unpacked with: whole files of its kind, one behind
/// the other.
pub struct Dictionary {
    id: BlobId,
    tag: DictTag,
    bytes: Vec<u8>,
    prepared: DecoderDictionary<'static>,
}

/// What zstd takes for the start of a dictionary in a form of its own.
const TRAINED_MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];

impl Dictionary {
    /// Returns a dictionary of those bytes; `None` when they cannot be one. Bytes that begin as
    /// zstd's own form of a dictionary do would be taken for one, and a dictionary whose id begins
    /// with zeros has no name.
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

    /// Returns the tag by which records name it.
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

/// Unpacks what a record stores into `out`, replacing what was there; `dictionary` is the one it
/// names.
///
/// Never allocates more than the record's plaintext length, whatever the frame claims: a frame is
/// unpacked in one step straight into `out`, which takes no window beside it.
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
mod tests;
