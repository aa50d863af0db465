//! Compresses one record at a time with Zstandard. Contexts are reused, and output is bounded.

use std::cell::RefCell;
use std::fmt;
use std::sync::Mutex;

use zstd::dict::DecoderDictionary;
use zstd::zstd_safe::{CCtx, CParameter, DCtx, ResetDirective, Strategy, get_error_name};

use crate::format::record::{
    Codec, DICTIONARY_BYTES_MAX, DictTag, Record, RecordHeader, RecordKind,
};
use crate::id::BlobId;

/// The compression effort: 1 is fastest, 9 is smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    /// The fastest level, which already has most of the gain.
    pub const FASTEST: Self = Self(1);

    /// The default level.
    pub const DEFAULT: Self = Self(6);

    /// Returns the level with this number; `None` when it is not 1 to 9.
    pub const fn new(level: u8) -> Option<Self> {
        match level {
            1..=9 => Some(Self(level)),
            _ => None,
        }
    }

    /// Returns true when sealing at this level takes long enough to be put off: it uses zstd's
    /// optimal parse.
    pub const fn is_slow_to_seal(self) -> bool {
        self.0 > 3
    }

    /// Returns its number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// The most idle compressors that are kept. Others are made when needed.
const AT_REST_MAX: usize = 16;

/// The form in which a plaintext is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compressed<'a> {
    /// Whether zstd made it shorter.
    pub codec: Codec,
    /// The dictionary that is needed to unpack it.
    pub dictionary: Option<DictTag>,
    /// The bytes to store: the plaintext itself, or a shorter zstd frame.
    pub stored: &'a [u8],
}

impl<'a> Compressed<'a> {
    /// Returns the record that stores `raw_len` bytes of plaintext in this form.
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

/// Compresses at one level. Reuses its tables between calls.
pub struct Compressor {
    context: CCtx<'static>,
    dictionary: Option<DictTag>,
}

/// Fields that zstd frames leave out, because the record holds all three.
const SAID_BY_THE_RECORD: [CParameter; 3] = [
    CParameter::ContentSizeFlag(false),
    CParameter::ChecksumFlag(false),
    CParameter::DictIdFlag(false),
];

/// Returns the zstd parameters for content that is compressed with a dictionary.
///
/// zstd's levels are tuned for content without a dictionary. With one, its middle levels produce
/// larger output than its first. So this scale has only four steps.
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

/// Returns the zstd parameters for sealing, when no caller waits and the content goes to its final
/// place.
///
/// Measurements are columns of digits, in which zstd's usual levels find little repetition; an
/// optimal parse finds much more. The tables are limited to 2 MiB, because larger ones cost speed
/// without making the output smaller.
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

/// The zstd parameters for content that lies in the journal until it is sealed.
///
/// A negative level leaves out what costs most, the coding of literals. That halves the time that
/// each caller spends, and a disk of 100 MB/s still keeps up with two cores.
const FOR_JOURNAL: [CParameter; 1] = [CParameter::CompressionLevel(-5)];

impl Compressor {
    /// Returns a compressor for content whose caller waits.
    pub fn new(level: Level) -> Self {
        Self::with(&[CParameter::CompressionLevel(level.0.into())])
    }

    /// Returns a compressor for sealing content without a dictionary.
    pub fn sealing(level: Level) -> Self {
        Self::with(sealing(level))
    }

    /// Returns a compressor for sealing content with a dictionary.
    pub fn with_dictionary(level: Level, dictionary: &Dictionary) -> Self {
        let mut compressor = Self::with(with_dictionary(level));
        let loaded = compressor.context.load_dictionary(&dictionary.bytes);
        debug_assert!(loaded.is_ok(), "a dictionary is copied, nothing else");
        compressor.dictionary = loaded.is_ok().then_some(dictionary.tag);
        compressor
    }

    /// Returns a compressor at the highest level, for bytes that are written once and read often.
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

    /// Compresses `raw` into `scratch`. Where that saves nothing, the result is `raw` itself.
    pub fn compress<'a>(&mut self, raw: &'a [u8], scratch: &'a mut Vec<u8>) -> Compressed<'a> {
        scratch.clear();
        // The buffer has room for the plaintext's length only, so zstd stops as soon as it cannot
        // save anything.
        scratch.reserve_exact(raw.len());
        let won = self
            .context
            .compress2(scratch, raw)
            .is_ok_and(|len| len < raw.len());
        if !won {
            // An aborted frame is still open.
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

/// A pool of compressors for the journal, for many threads of which few compress at the same time.
///
/// It hands out the compressor that was used last, because its tables are still in a processor's
/// cache. With one compressor for each thread, every call would load cold tables of 200 KB.
/// Compressors are made when needed.
#[derive(Default)]
pub struct Compressors {
    at_rest: Mutex<Vec<Workplace>>,
}

/// A compressor with its output buffer.
struct Workplace {
    compressor: Compressor,
    scratch: Vec<u8>,
}

impl Compressors {
    /// Compresses `raw` as [`Compressor::compress`] does, and passes the result to `store`.
    pub fn compress<T>(&self, raw: &[u8], store: impl FnOnce(Compressed<'_>) -> T) -> T {
        let rested = self.at_rest.lock().expect("no panic while held").pop();
        let mut workplace = rested.unwrap_or_else(|| Workplace {
            compressor: Compressor::with(&FOR_JOURNAL),
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

/// A zstd dictionary for similar content. It consists of whole sample files, concatenated.
pub struct Dictionary {
    id: BlobId,
    tag: DictTag,
    bytes: Vec<u8>,
    prepared: DecoderDictionary<'static>,
}

/// The magic number of zstd's own dictionary form.
const TRAINED_MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];

impl Dictionary {
    /// Returns a dictionary of these bytes, or `None` when they cannot be one.
    ///
    /// zstd would interpret bytes that begin with the magic number of its own form. A dictionary
    /// whose id begins with zeros cannot be named by a record.
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

    /// Returns its id.
    pub const fn id(&self) -> &BlobId {
        &self.id
    }

    /// Returns the tag that names it in records.
    pub const fn tag(&self) -> DictTag {
        self.tag
    }

    /// Returns its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns roughly how much memory it takes.
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
    /// They were compressed with a dictionary that is not available.
    #[error("dictionary {0} is missing")]
    UnknownDictionary(DictTag),
    /// They are not a zstd frame, or unpack to more bytes than the record states.
    #[error("zstd refuses the stored bytes: {0}")]
    Zstd(&'static str),
    /// They unpack to fewer bytes than the record states.
    #[error("the stored bytes unpack to {got} bytes instead of {expected}")]
    Length {
        /// The length that the record states.
        expected: u32,
        /// The length that was unpacked.
        got: usize,
    },
}

/// Unpacks the stored bytes of a record into `out`, replacing its content. `dictionary` is the one
/// that the record names.
///
/// Never allocates more than the record's plaintext length, whatever the frame claims. The frame is
/// unpacked in one step into `out`, so zstd needs no separate window.
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
