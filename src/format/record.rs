//! A blob record: one piece of content with everything needed to check and unpack it. Journal
//! frames and packs consist of such records.
//!
//! | offset | bytes | field |
//! |---:|---:|---|
//! | 0 | 4 | magic `ANBR` |
//! | 4 | 1 | kind: 1 content, 2 manifest, 3 dictionary |
//! | 5 | 1 | codec: 0 raw, 1 zstd |
//! | 6 | 2 | reserved, 0 |
//! | 8 | 4 | dictionary: the first bytes of its id, 0 for none |
//! | 12 | 4 | bytes of the plaintext |
//! | 16 | 4 | bytes stored after this header |
//! | 20 | 32 | blob id |
//! | 52 | 4 | CRC32C of the stored bytes |
//! | 56 | 4 | CRC32C of bytes 0 to 55 |
//! | 60 | | the stored bytes |
//!
//! In a pack, a content record has no id: the footer has it, and it is the hash of the plaintext
//! anyway. Such a record begins with `ANBC` instead of `ANBR`. The checksum of the stored bytes is
//! at offset 20, that of bytes 0 to 23 at 24, and the stored bytes follow at 28.
//!
//! A raw record stores exactly its plaintext; a zstd record stores one frame that is shorter than
//! its plaintext.

use std::num::NonZeroU32;

use crate::format::bytes::{Put, Reader, Truncated};
use crate::id::BlobId;

/// Length of the header of a record with an id.
pub const RECORD_HEADER_BYTES: usize = 60;
/// Length of the header of a record without an id.
pub const NAMELESS_HEADER_BYTES: usize = 28;
/// The longest plaintext one record may hold. Longer content is cut into chunks.
pub const RECORD_RAW_BYTES_MAX: u32 = 8 << 20;
/// The longest dictionary. Reading a record needs its dictionary in memory too.
pub const DICTIONARY_BYTES_MAX: u32 = 1 << 20;
/// The longest record, header included.
pub const RECORD_BYTES_MAX: usize = RECORD_HEADER_BYTES + RECORD_RAW_BYTES_MAX as usize;
/// The first bytes of a record with an id.
pub const RECORD_MAGIC: [u8; 4] = *b"ANBR";
/// The first bytes of a record without an id.
pub const NAMELESS_MAGIC: [u8; 4] = *b"ANBC";

const ID_BYTES: usize = 32;
const _: () = assert!(NAMELESS_HEADER_BYTES + ID_BYTES == RECORD_HEADER_BYTES);

/// The kind of the plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Content; the id is its hash.
    Content,
    /// The root of a list of chunks. The id is the hash of all chunks concatenated.
    Manifest,
    /// A dictionary that other records of the pack were compressed with; the id is the hash of its
    /// bytes.
    Dictionary,
}

impl RecordKind {
    /// Returns the byte that encodes it.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Content => 1,
            Self::Manifest => 2,
            Self::Dictionary => 3,
        }
    }

    /// Returns the kind that a byte encodes.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Content),
            2 => Some(Self::Manifest),
            3 => Some(Self::Dictionary),
            _ => None,
        }
    }
}

/// How the plaintext is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Unchanged.
    Raw,
    /// As one zstd frame.
    Zstd,
}

/// Names the dictionary that a record was compressed with: the first four bytes of the dictionary's
/// id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DictTag(NonZeroU32);

impl DictTag {
    /// Returns the tag for a header field; `None` for 0, which means no dictionary.
    pub const fn new(field: u32) -> Option<Self> {
        match NonZeroU32::new(field) {
            Some(field) => Some(Self(field)),
            None => None,
        }
    }

    /// Returns the tag of the dictionary `id`; `None` when its id begins with four zeros.
    pub fn of(id: &BlobId) -> Option<Self> {
        let [a, b, c, d, ..] = *id.as_bytes();
        Self::new(u32::from_le_bytes([a, b, c, d]))
    }

    /// Returns the value of the header field.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl std::fmt::Display for DictTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get()
            .to_le_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A record to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The kind of the plaintext.
    pub kind: RecordKind,
    /// How it is stored.
    pub codec: Codec,
    /// The dictionary it was compressed with.
    pub dictionary: Option<DictTag>,
    /// Bytes of the plaintext.
    pub raw_len: u32,
    /// The blob's id.
    pub id: BlobId,
    /// The stored bytes.
    pub stored: &'a [u8],
}

impl Record<'_> {
    /// Returns the length of the record in a journal, header included.
    pub const fn len(&self) -> usize {
        RECORD_HEADER_BYTES + self.stored.len()
    }

    /// Returns the length of the record in a pack, header included.
    pub const fn packed_len(&self) -> usize {
        packed_header_bytes(self.kind) + self.stored.len()
    }
}

/// Returns the length of the header of a record of this kind in a pack.
pub const fn packed_header_bytes(kind: RecordKind) -> usize {
    match kind {
        RecordKind::Content => NAMELESS_HEADER_BYTES,
        // The id of a manifest is not the hash of its plaintext, and a dictionary is searched for
        // by its id.
        RecordKind::Manifest | RecordKind::Dictionary => RECORD_HEADER_BYTES,
    }
}

/// The decoded header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// The kind of the plaintext.
    pub kind: RecordKind,
    /// How it is stored.
    pub codec: Codec,
    /// The dictionary it was compressed with.
    pub dictionary: Option<DictTag>,
    /// Bytes of the plaintext, at most [`RECORD_RAW_BYTES_MAX`].
    pub raw_len: u32,
    /// Bytes stored, at most `raw_len`.
    pub stored_len: u32,
    /// The blob's id.
    pub id: BlobId,
    /// The checksum of the stored bytes.
    stored_crc: u32,
}

impl RecordHeader {
    /// Returns the length of the whole record in a journal, header included.
    #[expect(clippy::cast_possible_truncation, reason = "the constant is 60")]
    pub const fn record_len(&self) -> u32 {
        RECORD_HEADER_BYTES as u32 + self.stored_len
    }

    /// Returns the record with these stored bytes, which must belong to this header.
    pub const fn with<'a>(&self, stored: &'a [u8]) -> Record<'a> {
        Record {
            kind: self.kind,
            codec: self.codec,
            dictionary: self.dictionary,
            raw_len: self.raw_len,
            id: self.id,
            stored,
        }
    }

    /// Returns the length of the whole record in a pack.
    #[expect(clippy::cast_possible_truncation, reason = "at most 60")]
    pub const fn packed_len(&self) -> u32 {
        packed_header_bytes(self.kind) as u32 + self.stored_len
    }
}

/// The header of a record in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackedHeader {
    /// The header of a record with an id.
    Named(RecordHeader),
    /// The header of a content record without an id; its `id` field is a placeholder.
    Nameless(RecordHeader),
}

impl PackedHeader {
    /// Returns the header as that of blob `id`; `None` when the record has another id.
    pub fn of(self, id: &BlobId) -> Option<RecordHeader> {
        match self {
            Self::Named(header) => (header.id == *id).then_some(header),
            Self::Nameless(header) => Some(RecordHeader { id: *id, ..header }),
        }
    }

    /// Returns the id, if the record has one.
    pub const fn id(&self) -> Option<BlobId> {
        match self {
            Self::Named(header) => Some(header.id),
            Self::Nameless(_) => None,
        }
    }

    /// Returns the kind of the plaintext.
    pub const fn kind(&self) -> RecordKind {
        self.fields().kind
    }

    /// Returns the length of the plaintext.
    pub const fn raw_len(&self) -> u32 {
        self.fields().raw_len
    }

    /// Returns the number of stored bytes.
    pub const fn stored_len(&self) -> u32 {
        self.fields().stored_len
    }

    /// Returns the length of the header.
    pub const fn header_bytes(&self) -> usize {
        match self {
            Self::Named(_) => RECORD_HEADER_BYTES,
            Self::Nameless(_) => NAMELESS_HEADER_BYTES,
        }
    }

    /// Returns the length of the whole record.
    #[expect(clippy::cast_possible_truncation, reason = "at most 60")]
    pub const fn record_len(&self) -> u32 {
        self.header_bytes() as u32 + self.fields().stored_len
    }

    const fn fields(&self) -> &RecordHeader {
        match self {
            Self::Named(header) | Self::Nameless(header) => header,
        }
    }
}

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end before the record does.
    #[error("the record is cut short: {0}")]
    Truncated(#[from] Truncated),
    /// No record starts here.
    #[error("no record starts here")]
    NotARecord,
    /// The header was changed after it was written.
    #[error("the checksum of the record's header does not match")]
    HeaderChecksum,
    /// The stored bytes were changed after they were written.
    #[error("the checksum of the record's stored bytes does not match")]
    StoredChecksum,
    /// A kind, codec or reserved field of a later version.
    #[error("the record's {field} is {value}, which this version does not know")]
    Unknown {
        /// The name of the field.
        field: &'static str,
        /// The value of the field.
        value: u32,
    },
    /// The lengths contradict each other or exceed the limit.
    #[error("a record of {raw_len} bytes cannot be stored as {stored_len} bytes of its codec")]
    Length {
        /// Bytes of the plaintext.
        raw_len: u32,
        /// Bytes stored.
        stored_len: u32,
    },
    /// Only content records may have no id.
    #[error("a record that is no content has no id")]
    NoId,
    /// A raw record needs no dictionary, and a dictionary may not use another.
    #[error("a raw record or a dictionary names dictionary {0}")]
    NeedlessDictionary(DictTag),
}

/// Appends the bytes of `record` with its id to `out`. A record that [`decode`] would refuse is an
/// error and appends nothing.
pub fn encode_into(out: &mut Vec<u8>, record: &Record<'_>) -> Result<(), RecordError> {
    encode_as(out, record, RECORD_HEADER_BYTES)
}

/// Appends the bytes of `record` in the form for packs.
pub fn encode_packed_into(out: &mut Vec<u8>, record: &Record<'_>) -> Result<(), RecordError> {
    encode_as(out, record, packed_header_bytes(record.kind))
}

fn encode_as(
    out: &mut Vec<u8>,
    record: &Record<'_>,
    header_bytes: usize,
) -> Result<(), RecordError> {
    let stored_len = u32::try_from(record.stored.len()).unwrap_or(u32::MAX);
    check(
        record.kind,
        record.codec,
        record.dictionary,
        record.raw_len,
        stored_len,
    )?;
    let has_id = header_bytes == RECORD_HEADER_BYTES;
    let start = out.len();
    out.reserve(header_bytes + record.stored.len());
    out.put(if has_id {
        &RECORD_MAGIC
    } else {
        &NAMELESS_MAGIC
    });
    out.put_u8(record.kind.to_byte());
    out.put_u8(match record.codec {
        Codec::Raw => 0,
        Codec::Zstd => 1,
    });
    out.put_u16(0);
    out.put_u32(record.dictionary.map_or(0, DictTag::get));
    out.put_u32(record.raw_len);
    out.put_u32(stored_len);
    if has_id {
        out.put(record.id.as_bytes());
    }
    out.put_u32(crc32c::crc32c(record.stored));
    let header_crc = crc32c::crc32c(&out[start..]);
    out.put_u32(header_crc);
    out.put(record.stored);
    Ok(())
}

/// Decodes the record at the start of `bytes`: its header and its stored bytes, both checked.
/// Ignores bytes after it.
pub fn decode(bytes: &[u8]) -> Result<(RecordHeader, &[u8]), RecordError> {
    let header = decode_header(bytes)?;
    let mut reader = Reader::new(&bytes[RECORD_HEADER_BYTES..]);
    let stored = reader.take(header.stored_len as usize)?;
    check_stored(&header, stored)?;
    Ok((header, stored))
}

/// Decodes a record in the form for packs: its header and its stored bytes.
pub fn decode_packed(bytes: &[u8]) -> Result<(PackedHeader, &[u8]), RecordError> {
    let header = decode_packed_header(bytes)?;
    let mut reader = Reader::new(&bytes[header.header_bytes()..]);
    let stored = reader.take(header.stored_len() as usize)?;
    check_stored(header.fields(), stored)?;
    Ok((header, stored))
}

/// Decodes only the header at the start of `bytes`.
pub fn decode_header(bytes: &[u8]) -> Result<RecordHeader, RecordError> {
    decode_as(bytes, RECORD_MAGIC, RECORD_HEADER_BYTES)
}

/// Decodes only the header of a record in the form for packs.
pub fn decode_packed_header(bytes: &[u8]) -> Result<PackedHeader, RecordError> {
    if !bytes.starts_with(&NAMELESS_MAGIC) {
        return decode_header(bytes).map(PackedHeader::Named);
    }
    let header = decode_as(bytes, NAMELESS_MAGIC, NAMELESS_HEADER_BYTES)?;
    if header.kind == RecordKind::Content {
        Ok(PackedHeader::Nameless(header))
    } else {
        Err(RecordError::NoId)
    }
}

fn decode_as(
    bytes: &[u8],
    magic: [u8; 4],
    header_bytes: usize,
) -> Result<RecordHeader, RecordError> {
    let header = Reader::new(bytes).take(header_bytes)?;
    let (covered, crc) = header.split_at(header_bytes - 4);
    let mut reader = Reader::new(covered);
    if reader.take_array()? != magic {
        return Err(RecordError::NotARecord);
    }
    if Reader::new(crc).take_u32()? != crc32c::crc32c(covered) {
        return Err(RecordError::HeaderChecksum);
    }
    let unknown = |field, value| RecordError::Unknown { field, value };
    let kind = reader.take_u8()?;
    let kind = RecordKind::from_byte(kind).ok_or(unknown("kind", kind.into()))?;
    let codec = match reader.take_u8()? {
        0 => Codec::Raw,
        1 => Codec::Zstd,
        other => return Err(unknown("codec", other.into())),
    };
    match reader.take_u16()? {
        0 => {}
        other => return Err(unknown("reserved field", other.into())),
    }
    let header = RecordHeader {
        kind,
        codec,
        dictionary: DictTag::new(reader.take_u32()?),
        raw_len: reader.take_u32()?,
        stored_len: reader.take_u32()?,
        id: if header_bytes == RECORD_HEADER_BYTES {
            BlobId::from_bytes(reader.take_array()?)
        } else {
            BlobId::from_bytes([0; ID_BYTES])
        },
        stored_crc: reader.take_u32()?,
    };
    check(
        header.kind,
        header.codec,
        header.dictionary,
        header.raw_len,
        header.stored_len,
    )?;
    Ok(header)
}

/// Checks stored bytes that were read separately from their header.
pub fn check_stored(header: &RecordHeader, stored: &[u8]) -> Result<(), RecordError> {
    if crc32c::crc32c(stored) == header.stored_crc {
        Ok(())
    } else {
        Err(RecordError::StoredChecksum)
    }
}

/// Checks the rules between fields; writing and reading both use it.
fn check(
    kind: RecordKind,
    codec: Codec,
    dictionary: Option<DictTag>,
    raw_len: u32,
    stored_len: u32,
) -> Result<(), RecordError> {
    let fits = match codec {
        Codec::Raw => stored_len == raw_len,
        Codec::Zstd => stored_len < raw_len,
    };
    let longest = match kind {
        RecordKind::Content | RecordKind::Manifest => RECORD_RAW_BYTES_MAX,
        RecordKind::Dictionary => DICTIONARY_BYTES_MAX,
    };
    if !fits || raw_len > longest {
        return Err(RecordError::Length {
            raw_len,
            stored_len,
        });
    }
    match dictionary {
        Some(tag) if codec == Codec::Raw || kind == RecordKind::Dictionary => {
            Err(RecordError::NeedlessDictionary(tag))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
