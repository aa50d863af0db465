//! Packs: sealed files of blob records that describe their own content.
//!
//! ```text
//! header (128 bytes) | record | record | ... | footer (52 bytes an entry) | trailer (64 bytes)
//! ```
//!
//! | header | bytes | field |
//! |---:|---:|---|
//! | 0 | 8 | magic `ANNALPK\n` |
//! | 8 | 2 | format version, 1 |
//! | 10 | 1 | origin: 1 sealed, 2 streamed, 3 compacted |
//! | 11 | 1 | bytes of the class |
//! | 12 | 1 | level that its content waits to be compressed at, 1 to 9; 0 when it was made small |
//! | 13 | 3 | reserved, 0 |
//! | 16 | 16 | store id |
//! | 32 | 8 | pack number |
//! | 40 | 8 | first event it was sealed from, 0 for none |
//! | 48 | 8 | last event it was sealed from, 0 for none |
//! | 56 | 64 | class in ASCII, filled up with zeros |
//! | 120 | 4 | reserved, 0 |
//! | 124 | 4 | CRC32C of bytes 0 to 123 |
//!
//! | footer entry | bytes | field |
//! |---:|---:|---|
//! | 0 | 32 | blob id; entries ascend by it, then by kind and offset; a dictionary is there twice, all else once |
//! | 32 | 8 | offset of the record from the start of the file |
//! | 40 | 4 | bytes of the whole record |
//! | 44 | 4 | bytes of the plaintext |
//! | 48 | 1 | kind, as in the record |
//! | 49 | 3 | reserved, 0 |
//!
//! | trailer | bytes | field |
//! |---:|---:|---|
//! | 0 | 8 | magic `ANNALPE\n` |
//! | 8 | 2 | format version, 1 |
//! | 10 | 2 | reserved, 0 |
//! | 12 | 4 | bytes of the second copies of the dictionaries, the last records before the footer |
//! | 16 | 8 | number of entries |
//! | 24 | 8 | offset of the footer |
//! | 32 | 8 | bytes of the footer |
//! | 40 | 8 | bytes of all plaintexts together |
//! | 48 | 8 | pack number |
//! | 56 | 4 | CRC32C of the footer |
//! | 60 | 4 | CRC32C of bytes 0 to 59 |
//!
//! The records fill the space between header and footer without a gap. Every later version must
//! keep the lengths of header and trailer, and the position of magic, version and checksum. Then an
//! older program reports a later version instead of damage.

use std::fmt;

use crate::format::bytes::{Put, Reader, Truncated};
use crate::format::record::{self, RECORD_BYTES_MAX, RECORD_RAW_BYTES_MAX, RecordKind};
use crate::id::{BlobId, EventSeq, PackId, StoreId};

/// The version that this program writes, and the only one it reads.
pub const PACK_VERSION: u16 = 1;
/// Length of the header.
pub const PACK_HEADER_BYTES: usize = 128;
/// Length of one entry of the footer.
pub const FOOTER_ENTRY_BYTES: usize = 52;
/// The most entries of a footer: far more than packs get, and a bound on the memory for reading it.
pub const FOOTER_ENTRIES_MAX: u64 = 8 << 20;
/// Length of the trailer.
pub const PACK_TRAILER_BYTES: usize = 64;
/// The longest name of a pack class.
pub const PACK_CLASS_BYTES_MAX: usize = 64;

const HEADER_MAGIC: [u8; 8] = *b"ANNALPK\n";
const TRAILER_MAGIC: [u8; 8] = *b"ANNALPE\n";

/// The source of a pack's blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackOrigin {
    /// Blobs from the journal.
    Sealed,
    /// One long content, written without going through the journal.
    Streamed,
    /// The live blobs of older packs.
    Compacted,
}

/// How small the content of a pack was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackEffort {
    /// As small as was asked for.
    Small,
    /// Quickly. It waits to be compressed again at this level, 1 to 9.
    Quick(u8),
}

impl PackEffort {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Small => 0,
            Self::Quick(level) => level,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Small),
            1..=9 => Some(Self::Quick(byte)),
            _ => None,
        }
    }
}

/// The class of a pack's blobs: those that will expire at the same time, such as `90d/2027-02` or
/// `forever/none`.
///
/// The name consists of words of lower-case letters, digits, `-` and `_`, separated by `/`. It is
/// safe as a relative path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackClass(String);

/// The text is not a valid pack class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a pack class such as 90d/2027-02")]
pub struct InvalidPackClass(String);

impl PackClass {
    /// Returns the class with this name.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidPackClass> {
        let name = name.into();
        let word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        };
        if name.len() <= PACK_CLASS_BYTES_MAX && name.split('/').all(word) {
            Ok(Self(name))
        } else {
            Err(InvalidPackClass(name))
        }
    }

    /// Returns its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The start of a record, counted from the start of its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackOffset(pub u64);

/// The header of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackHeader {
    /// The source of its blobs.
    pub origin: PackOrigin,
    /// How small its blobs were made.
    pub effort: PackEffort,
    /// The store it belongs to.
    pub store: StoreId,
    /// Its number.
    pub pack: PackId,
    /// The first event of the journal range it was sealed from; 0 for none.
    pub first_seq: EventSeq,
    /// The last event of that range; 0 for none.
    pub last_seq: EventSeq,
    /// The class of its blobs.
    pub class: PackClass,
}

/// The position of one blob in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackEntry {
    /// The blob.
    pub id: BlobId,
    /// The start of its record.
    pub offset: PackOffset,
    /// Bytes of its record, header included.
    pub len: u32,
    /// Bytes of its plaintext.
    pub raw_len: u32,
    /// The kind of its plaintext.
    pub kind: RecordKind,
}

/// The trailer of a pack. Only [`decode_trailer`] makes one, so its lengths are known to fit the
/// file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackTrailer {
    /// The pack that it ends.
    pub pack: PackId,
    /// The number of footer entries.
    pub entry_count: u64,
    /// Where the records end and the footer begins.
    pub footer_offset: u64,
    /// Bytes of the footer.
    pub footer_len: u64,
    /// Bytes of all plaintexts together.
    pub raw_bytes: u64,
    /// Bytes of the last records before the footer: the second copy of every dictionary.
    pub dictionary_bytes: u32,
    footer_crc: u32,
}

impl PackTrailer {
    /// Returns the offset of the second copies of the dictionaries.
    pub const fn dictionaries_at(&self) -> u64 {
        self.footer_offset
            .saturating_sub(self.dictionary_bytes as u64)
    }
}

/// Why bytes are not a pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The bytes are something else.
    #[error("this is not the {0} of a pack")]
    NotAPack(PackPart),
    /// The pack was made by a later version.
    #[error("the pack is of format version {0}, this program knows version {PACK_VERSION}")]
    Version(u16),
    /// The file ends before the pack does.
    #[error("the pack is cut short: {0}")]
    Truncated(#[from] Truncated),
    /// The bytes were changed after they were written.
    #[error("the checksum of the pack's {0} does not match")]
    Checksum(PackPart),
    /// The checksum is valid, but the content is inconsistent.
    #[error("the pack's {part} contradicts itself: {what}")]
    Contradiction {
        /// The part of the pack.
        part: PackPart,
        /// What is inconsistent.
        what: &'static str,
    },
}

/// A part of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackPart {
    /// The header, at the start.
    Header,
    /// The footer: the list of records.
    Footer,
    /// The trailer, at the end.
    Trailer,
}

impl fmt::Display for PackPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Header => "header",
            Self::Footer => "footer",
            Self::Trailer => "trailer",
        })
    }
}

/// Encodes the header of a pack.
pub fn encode_header(header: &PackHeader) -> Vec<u8> {
    let class = header.class.as_str().as_bytes();
    let mut out = Vec::with_capacity(PACK_HEADER_BYTES);
    out.put(&HEADER_MAGIC);
    out.put_u16(PACK_VERSION);
    out.put_u8(match header.origin {
        PackOrigin::Sealed => 1,
        PackOrigin::Streamed => 2,
        PackOrigin::Compacted => 3,
    });
    out.put_u8(u8::try_from(class.len()).expect("a class is at most 64 bytes"));
    out.put_u8(header.effort.to_byte());
    out.put(&[0; 3]);
    out.put(header.store.as_bytes());
    out.put_u64(header.pack.0);
    out.put_u64(header.first_seq.0);
    out.put_u64(header.last_seq.0);
    out.put(class);
    out.resize(PACK_HEADER_BYTES - 4, 0);
    seal(&mut out);
    out
}

/// Decodes the header of a pack from its first bytes; ignores the bytes after it.
pub fn decode_header(bytes: &[u8]) -> Result<PackHeader, PackError> {
    let part = PackPart::Header;
    let contradiction = |what| PackError::Contradiction { part, what };
    let mut reader = open_sealed(part, HEADER_MAGIC, PACK_HEADER_BYTES, bytes)?;
    let origin = match reader.take_u8()? {
        1 => PackOrigin::Sealed,
        2 => PackOrigin::Streamed,
        3 => PackOrigin::Compacted,
        _ => return Err(contradiction("unknown origin")),
    };
    let class_len = usize::from(reader.take_u8()?);
    let effort = PackEffort::from_byte(reader.take_u8()?);
    let effort = effort.ok_or(contradiction("unknown level"))?;
    let reserved: [u8; 3] = reader.take_array()?;
    let store = StoreId::from_bytes(reader.take_array()?);
    let pack = PackId(reader.take_u64()?);
    let first_seq = EventSeq(reader.take_u64()?);
    let last_seq = EventSeq(reader.take_u64()?);
    let field: [u8; PACK_CLASS_BYTES_MAX] = reader.take_array()?;
    if reserved != [0; 3] || reader.rest() != [0; 4] {
        return Err(contradiction("a reserved field is not zero"));
    }
    if first_seq > last_seq {
        return Err(contradiction("its events end before they begin"));
    }
    if pack > PackId::MAX || last_seq > EventSeq::MAX {
        return Err(contradiction("it is numbered as nothing can be"));
    }
    let class = field
        .split_at_checked(class_len)
        .filter(|(_, fill)| fill.iter().all(|byte| *byte == 0))
        .and_then(|(class, _)| str::from_utf8(class).ok())
        .and_then(|class| PackClass::new(class).ok())
        .ok_or(contradiction("its class is no class"))?;
    Ok(PackHeader {
        origin,
        effort,
        store,
        pack,
        first_seq,
        last_seq,
        class,
    })
}

/// Encodes the footer and the trailer of a pack whose records end at `records_end`. The last
/// `dictionary_bytes` of the records are the second copies of its dictionaries. `entries` ascend by
/// id, kind and offset.
pub fn encode_footer<'e>(
    pack: PackId,
    records_end: u64,
    dictionary_bytes: u32,
    entries: impl ExactSizeIterator<Item = &'e PackEntry>,
) -> Vec<u8> {
    let entry_count = entries.len();
    let footer_len = entry_count * FOOTER_ENTRY_BYTES;
    let mut out = Vec::with_capacity(footer_len + PACK_TRAILER_BYTES);
    let mut raw_bytes = 0;
    for entry in entries {
        out.put(entry.id.as_bytes());
        out.put_u64(entry.offset.0);
        out.put_u32(entry.len);
        out.put_u32(entry.raw_len);
        out.put_u8(entry.kind.to_byte());
        out.put(&[0; 3]);
        raw_bytes += u64::from(entry.raw_len);
    }
    let footer_crc = crc32c::crc32c(&out);
    let mut trailer = Vec::with_capacity(PACK_TRAILER_BYTES);
    trailer.put(&TRAILER_MAGIC);
    trailer.put_u16(PACK_VERSION);
    trailer.put_u16(0);
    trailer.put_u32(dictionary_bytes);
    trailer.put_u64(entry_count as u64);
    trailer.put_u64(records_end);
    trailer.put_u64(footer_len as u64);
    trailer.put_u64(raw_bytes);
    trailer.put_u64(pack.0);
    trailer.put_u32(footer_crc);
    seal(&mut trailer);
    out.put(&trailer);
    out
}

/// Decodes the trailer: the last [`PACK_TRAILER_BYTES`] of a pack that is `file_len` bytes long.
pub fn decode_trailer(bytes: &[u8], file_len: u64) -> Result<PackTrailer, PackError> {
    let part = PackPart::Trailer;
    let contradiction = |what| PackError::Contradiction { part, what };
    let mut reader = open_sealed(part, TRAILER_MAGIC, PACK_TRAILER_BYTES, bytes)?;
    if reader.take_u16()? != 0 {
        return Err(contradiction("a reserved field is not zero"));
    }
    let trailer = PackTrailer {
        dictionary_bytes: reader.take_u32()?,
        entry_count: reader.take_u64()?,
        footer_offset: reader.take_u64()?,
        footer_len: reader.take_u64()?,
        raw_bytes: reader.take_u64()?,
        pack: PackId(reader.take_u64()?),
        footer_crc: reader.take_u32()?,
    };
    if trailer.entry_count.checked_mul(FOOTER_ENTRY_BYTES as u64) != Some(trailer.footer_len) {
        return Err(contradiction(
            "the footer's length is not that of its entries",
        ));
    }
    if trailer.entry_count > FOOTER_ENTRIES_MAX {
        return Err(contradiction("it has more entries than a pack may hold"));
    }
    let end = trailer
        .footer_offset
        .checked_add(trailer.footer_len)
        .and_then(|end| end.checked_add(PACK_TRAILER_BYTES as u64));
    if end != Some(file_len) || trailer.footer_offset < PACK_HEADER_BYTES as u64 {
        return Err(contradiction("the footer does not fit the file"));
    }
    if trailer.dictionaries_at() < PACK_HEADER_BYTES as u64 {
        return Err(contradiction("the dictionaries do not fit the file"));
    }
    Ok(trailer)
}

/// Decodes the footer that `trailer` describes: the positions of all records, ascending by id. A
/// dictionary has one entry for each of its two copies.
pub fn decode_footer(bytes: &[u8], trailer: &PackTrailer) -> Result<Vec<PackEntry>, PackError> {
    let part = PackPart::Footer;
    let contradiction = |what| PackError::Contradiction { part, what };
    if bytes.len() as u64 != trailer.footer_len {
        return Err(contradiction("it is not as long as the trailer says"));
    }
    if crc32c::crc32c(bytes) != trailer.footer_crc {
        return Err(PackError::Checksum(part));
    }
    let mut entries: Vec<PackEntry> = Vec::with_capacity(bytes.len() / FOOTER_ENTRY_BYTES);
    let mut reader = Reader::new(bytes);
    let mut stored_bytes = 0;
    let mut raw_bytes = 0;
    let mut second_copies = 0;
    let mut alone = false;
    while !reader.is_empty() {
        let id = BlobId::from_bytes(reader.take_array()?);
        let offset = reader.take_u64()?;
        let len = reader.take_u32()?;
        let raw_len = reader.take_u32()?;
        let kind = RecordKind::from_byte(reader.take_u8()?);
        let kind = kind.ok_or(contradiction("an entry is of an unknown kind"))?;
        if reader.take_array()? != [0; 3] {
            return Err(contradiction("a reserved field is not zero"));
        }
        let is_dictionary = kind == RecordKind::Dictionary;
        let before = entries.last();
        if before.is_some_and(|e| (e.id, e.kind, e.offset.0) >= (id, kind, offset)) {
            return Err(contradiction("its entries do not ascend"));
        }
        let same_id = before.filter(|entry| entry.id == id);
        let first_copy = same_id.filter(|entry| entry.kind == kind && is_dictionary);
        if first_copy.is_some_and(|first| !alone || first.len != len)
            || (same_id.is_some() && !is_dictionary)
        {
            return Err(contradiction("a record is there too often"));
        }
        if alone && first_copy.is_none() {
            return Err(contradiction("a dictionary is there only once"));
        }
        let second = first_copy.is_some();
        alone = is_dictionary && !second;
        if second {
            second_copies += u64::from(len);
        }
        if is_dictionary && second != (offset >= trailer.dictionaries_at()) {
            return Err(contradiction("a dictionary is out of its place"));
        }
        let lengths = record::packed_header_bytes(kind)..=RECORD_BYTES_MAX;
        if !lengths.contains(&(len as usize)) || raw_len > RECORD_RAW_BYTES_MAX {
            return Err(contradiction("no record is as long as an entry says"));
        }
        let end = offset.checked_add(u64::from(len));
        if offset < PACK_HEADER_BYTES as u64 || end.is_none_or(|end| end > trailer.footer_offset) {
            return Err(contradiction("an entry lies outside the records"));
        }
        stored_bytes += u64::from(len);
        raw_bytes += u64::from(raw_len);
        entries.push(PackEntry {
            id,
            offset: PackOffset(offset),
            len,
            raw_len,
            kind,
        });
    }
    if alone {
        return Err(contradiction("a dictionary is there only once"));
    }
    if second_copies != u64::from(trailer.dictionary_bytes) {
        return Err(contradiction("its dictionaries add up to another sum"));
    }
    if raw_bytes != trailer.raw_bytes {
        return Err(contradiction("its plaintexts add up to another sum"));
    }
    if stored_bytes != trailer.footer_offset - PACK_HEADER_BYTES as u64 {
        return Err(contradiction("its entries do not fill the pack"));
    }
    Ok(entries)
}

/// Appends the checksum of all bytes in `out`.
fn seal(out: &mut Vec<u8>) {
    let crc = crc32c::crc32c(out);
    out.put_u32(crc);
}

/// Checks magic, checksum and version of a part, in this order. Returns the bytes between version
/// and checksum.
fn open_sealed(
    part: PackPart,
    magic: [u8; 8],
    len: usize,
    bytes: &[u8],
) -> Result<Reader<'_>, PackError> {
    let (covered, crc) = Reader::new(bytes).take(len)?.split_at(len - 4);
    let mut reader = Reader::new(covered);
    if reader.take_array()? != magic {
        return Err(PackError::NotAPack(part));
    }
    if Reader::new(crc).take_u32()? != crc32c::crc32c(covered) {
        return Err(PackError::Checksum(part));
    }
    match reader.take_u16()? {
        PACK_VERSION => Ok(reader),
        other => Err(PackError::Version(other)),
    }
}

#[cfg(test)]
mod tests;
