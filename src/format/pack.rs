//! A pack: a sealed file of blob records that says itself what it holds.
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
//! | 12 | 4 | reserved, 0 |
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
//! The records fill the space between header and footer without a gap. Every later version keeps the length of header
//! and trailer and the place of magic, version and checksum, so that it is recognised and not called damaged.

use std::fmt;
use std::io;

use crate::format::bytes::{Put, Reader, Truncated};
use crate::format::record::{
    self, NAMELESS_HEADER_BYTES, NAMELESS_MAGIC, PackedHeader, RECORD_BYTES_MAX,
    RECORD_HEADER_BYTES, RECORD_MAGIC, RECORD_RAW_BYTES_MAX, RecordKind,
};
use crate::id::{BlobId, EventSeq, PackId, StoreId};

/// The version this program writes, and the only one it reads.
pub const PACK_VERSION: u16 = 1;
/// Bytes before the first record.
pub const PACK_HEADER_BYTES: usize = 128;
/// Bytes of one entry of the footer.
pub const FOOTER_ENTRY_BYTES: usize = 52;
/// Entries a footer may have: far more than packs get, and a bound on what reading one may take.
pub const FOOTER_ENTRIES_MAX: u64 = 8 << 20;
/// Bytes at the very end.
pub const PACK_TRAILER_BYTES: usize = 64;
/// The longest class of a pack.
pub const PACK_CLASS_BYTES_MAX: usize = 64;

const HEADER_MAGIC: [u8; 8] = *b"ANNALPK\n";
const TRAILER_MAGIC: [u8; 8] = *b"ANNALPE\n";

/// What a pack was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackOrigin {
    /// Blobs that stood in the journal.
    Sealed,
    /// One long content, written past the journal.
    Streamed,
    /// What was left of older packs.
    Compacted,
}

/// Which blobs a pack gathers: those that will go at the same time, such as `90d/2027-02` or `forever/none`.
///
/// Words of lower-case letters, digits, `-` and `_` with `/` between them; safe as a relative path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackClass(String);

/// Text that is not the class of a pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a pack class such as 90d/2027-02")]
pub struct InvalidPackClass(String);

impl PackClass {
    /// The class of that name.
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

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a record starts, counted from the start of its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackOffset(pub u64);

/// What a pack says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackHeader {
    /// What it was made of.
    pub origin: PackOrigin,
    /// The store it belongs to.
    pub store: StoreId,
    /// Its number.
    pub pack: PackId,
    /// The first event of the journal range it was sealed from; 0 for none.
    pub first_seq: EventSeq,
    /// The last one.
    pub last_seq: EventSeq,
    /// Which blobs it gathers.
    pub class: PackClass,
}

/// Where one blob stands in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackEntry {
    /// The blob.
    pub id: BlobId,
    /// Where its record starts.
    pub offset: PackOffset,
    /// Bytes of its record, header included.
    pub len: u32,
    /// Bytes of its plaintext.
    pub raw_len: u32,
    /// What its plaintext is.
    pub kind: RecordKind,
}

/// The end of a pack; made only by [`decode_trailer`], so its lengths fit the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackTrailer {
    /// The pack it ends.
    pub pack: PackId,
    /// How many records there are.
    pub entry_count: u64,
    /// Where the records end and the footer starts.
    pub footer_offset: u64,
    /// Bytes of the footer.
    pub footer_len: u64,
    /// Bytes of all plaintexts together.
    pub raw_bytes: u64,
    /// Bytes of the last records before the footer: every dictionary once more.
    pub dictionary_bytes: u32,
    footer_crc: u32,
}

impl PackTrailer {
    /// Where the second copies of the dictionaries begin.
    pub const fn dictionaries_at(&self) -> u64 {
        self.footer_offset
            .saturating_sub(self.dictionary_bytes as u64)
    }
}

/// Why bytes are not a pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Something else is written there.
    #[error("this is not the {0} of a pack")]
    NotAPack(PackPart),
    /// Made by a later version.
    #[error("the pack is of format version {0}, this program knows version {PACK_VERSION}")]
    Version(u16),
    /// The file ends before the pack does.
    #[error("the pack is cut short: {0}")]
    Truncated(#[from] Truncated),
    /// It is not what was written.
    #[error("the checksum of the pack's {0} does not match")]
    Checksum(PackPart),
    /// The checksum holds and the content makes no sense.
    #[error("the pack's {part} contradicts itself: {what}")]
    Contradiction {
        /// Where.
        part: PackPart,
        /// In which way.
        what: &'static str,
    },
}

/// A part of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackPart {
    /// The first bytes.
    Header,
    /// The list of records.
    Footer,
    /// The last bytes.
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

/// The first bytes of a pack.
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
    out.put_u32(0);
    out.put(header.store.as_bytes());
    out.put_u64(header.pack.0);
    out.put_u64(header.first_seq.0);
    out.put_u64(header.last_seq.0);
    out.put(class);
    out.resize(PACK_HEADER_BYTES - 4, 0);
    seal(&mut out);
    out
}

/// Reads the first bytes of a pack; what follows them is left alone.
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
    let reserved = reader.take_u32()?;
    let store = StoreId::from_bytes(reader.take_array()?);
    let pack = PackId(reader.take_u64()?);
    let first_seq = EventSeq(reader.take_u64()?);
    let last_seq = EventSeq(reader.take_u64()?);
    let field: [u8; PACK_CLASS_BYTES_MAX] = reader.take_array()?;
    if reserved != 0 || reader.rest() != [0; 4] {
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
        store,
        pack,
        first_seq,
        last_seq,
        class,
    })
}

/// The footer and the trailer of a pack whose records end at `records_end`, the last `dictionary_bytes` of them being the
/// second copies of its dictionaries. `entries` ascend by id, kind and offset.
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

/// Reads the last [`PACK_TRAILER_BYTES`] of a pack that is `file_len` bytes long.
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

/// Reads the footer that `trailer` speaks of: what stands where, ascending by id. A dictionary is listed for each of its two
/// copies.
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

/// Appends the checksum of everything in `out`.
fn seal(out: &mut Vec<u8>) {
    let crc = crc32c::crc32c(out);
    out.put_u32(crc);
}

/// Checks magic, checksum and version of a sealed part, in this order; answers what stands between version and checksum.
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

/// Bytes that can be read by position.
pub trait ReadAt {
    /// How many there are.
    fn size(&self) -> io::Result<u64>;

    /// Fills `out` from `offset`, or fails.
    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let part = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.get(offset..)?.get(..out.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(part);
        Ok(())
    }
}

/// Finds the records of a pack without its footer: every one whose checksums hold, in the order they stand.
///
/// A damaged stretch is skipped up to the next record. Memory is bounded by the longest record. For packs this store wrote:
/// the time is proportional to the file's length; a file made to mislead can cost a record's length at each step.
#[derive(Debug)]
pub struct RecordScan<'s, S: ?Sized> {
    source: &'s S,
    at: u64,
    end: u64,
    buffer: Vec<u8>,
}

/// Bytes looked through at once for the next record.
const SCAN_BYTES: u64 = 64 << 10;

impl<'s, S: ReadAt + ?Sized> RecordScan<'s, S> {
    /// Starts where the first record of a pack does.
    pub fn new(source: &'s S) -> io::Result<Self> {
        Ok(Self {
            source,
            at: PACK_HEADER_BYTES as u64,
            end: source.size()?,
            buffer: Vec::new(),
        })
    }

    /// Of the stretch from `from` to `to`, which begins with a record.
    pub const fn between(source: &'s S, from: u64, to: u64) -> Self {
        Self {
            source,
            at: from,
            end: to,
            buffer: Vec::new(),
        }
    }

    fn read(&mut self, offset: u64, len: usize) -> io::Result<()> {
        self.buffer.resize(len, 0);
        self.source.read_exact_at(&mut self.buffer, offset)
    }

    /// The record that starts at `self.at`, if a whole one does.
    fn record_here(&mut self) -> io::Result<Option<PackedHeader>> {
        let longest = (self.end - self.at).min(RECORD_HEADER_BYTES as u64);
        self.read(
            self.at,
            usize::try_from(longest).expect("a header is short"),
        )?;
        let Ok(header) = record::decode_packed_header(&self.buffer) else {
            return Ok(None);
        };
        if self.end - self.at < u64::from(header.record_len()) {
            return Ok(None);
        }
        self.read(self.at, header.record_len() as usize)?;
        Ok(record::decode_packed(&self.buffer)
            .is_ok()
            .then_some(header))
    }

    /// Moves to the next place after `self.at` that begins like a record, or to the end.
    fn resync(&mut self) -> io::Result<()> {
        self.at += 1;
        loop {
            let len = (self.end - self.at).min(SCAN_BYTES);
            if len < NAMELESS_HEADER_BYTES as u64 {
                self.at = self.end;
                return Ok(());
            }
            self.read(
                self.at,
                usize::try_from(len).expect("SCAN_BYTES is a usize"),
            )?;
            let magic = self
                .buffer
                .windows(RECORD_MAGIC.len())
                .position(|window| window == RECORD_MAGIC || window == NAMELESS_MAGIC);
            match magic {
                Some(found) => {
                    self.at += found as u64;
                    return Ok(());
                }
                // The last bytes may be the start of a magic.
                None => self.at += len - (RECORD_MAGIC.len() as u64 - 1),
            }
        }
    }
}

impl<S: ReadAt + ?Sized> Iterator for RecordScan<'_, S> {
    type Item = io::Result<(PackOffset, PackedHeader)>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.end.saturating_sub(self.at) >= NAMELESS_HEADER_BYTES as u64 {
            let step = match self.record_here() {
                Ok(Some(header)) => {
                    let offset = PackOffset(self.at);
                    self.at += u64::from(header.record_len());
                    return Some(Ok((offset, header)));
                }
                Ok(None) => self.resync(),
                Err(error) => Err(error),
            };
            if let Err(error) = step {
                self.at = self.end;
                return Some(Err(error));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;
    use crate::format::record::{Codec, Record};

    fn header() -> PackHeader {
        PackHeader {
            origin: PackOrigin::Sealed,
            store: StoreId::from_bytes([0x51; 16]),
            pack: PackId(7),
            first_seq: EventSeq(3),
            last_seq: EventSeq(9),
            class: PackClass::new("90d/2027-02").expect("a class"),
        }
    }

    /// A whole pack holding these contents, raw.
    fn pack(contents: &[&[u8]]) -> (Vec<u8>, Vec<PackEntry>) {
        let mut bytes = encode_header(&header());
        let mut entries = Vec::new();
        for content in contents {
            let record = Record {
                kind: RecordKind::Content,
                codec: Codec::Raw,
                dictionary: None,
                raw_len: u32::try_from(content.len()).expect("short"),
                id: BlobId::of(content),
                stored: content,
            };
            entries.push(PackEntry {
                id: record.id,
                offset: PackOffset(bytes.len() as u64),
                len: u32::try_from(record.packed_len()).expect("short"),
                raw_len: record.raw_len,
                kind: record.kind,
            });
            record::encode_packed_into(&mut bytes, &record).expect("a valid record");
        }
        entries.sort_by_key(|entry| entry.id);
        let end = encode_footer(PackId(7), bytes.len() as u64, 0, entries.iter());
        bytes.extend(end);
        (bytes, entries)
    }

    fn decode(bytes: &[u8]) -> Result<Vec<PackEntry>, PackError> {
        decode_header(bytes)?;
        let at = bytes.len().saturating_sub(PACK_TRAILER_BYTES);
        let trailer = decode_trailer(&bytes[at..], bytes.len() as u64)?;
        let footer_at = usize::try_from(trailer.footer_offset).expect("fits the slice");
        decode_footer(&bytes[footer_at..at], &trailer)
    }

    /// Where whole records are, and the hashes of what they hold, which is stored raw.
    fn scan(bytes: &[u8]) -> Vec<(u64, BlobId)> {
        RecordScan::new(bytes)
            .expect("a slice has a size")
            .map(|found| {
                let (offset, header) = found.expect("a slice can be read");
                let at = usize::try_from(offset.0).expect("fits");
                let record = &bytes[at..at + header.record_len() as usize];
                (offset.0, BlobId::of(&record[header.header_bytes()..]))
            })
            .collect()
    }

    #[test]
    fn the_bytes_of_a_pack_never_change() {
        let (bytes, _) = pack(&[b"unit 42"]);
        let mut golden = b"ANNALPK\n\x01\0\x01\x0b\0\0\0\0".to_vec();
        golden.extend([0x51; 16]);
        golden.extend(b"\x07\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0");
        golden.extend(b"90d/2027-02");
        golden.extend([0; 64 - 11 + 4]);
        golden.extend(GOLDEN_HEADER_CRC);
        assert_eq!(bytes[..PACK_HEADER_BYTES], golden);

        let mut golden = BlobId::of(b"unit 42").as_bytes().to_vec();
        golden.extend(b"\x80\0\0\0\0\0\0\0\x23\0\0\0\x07\0\0\0\x01\0\0\0");
        golden.extend(b"ANNALPE\n\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
        golden.extend(b"\xa3\0\0\0\0\0\0\0\x34\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0");
        golden.extend(GOLDEN_TRAILER_CRCS);
        assert_eq!(bytes[PACK_HEADER_BYTES + 35..], golden);
    }
    const GOLDEN_HEADER_CRC: [u8; 4] = [0x32, 0x1d, 0x9e, 0x15];
    const GOLDEN_TRAILER_CRCS: [u8; 8] = [0x5a, 0xb0, 0xbb, 0xe9, 0x93, 0xaa, 0x07, 0xd8];

    #[test]
    fn the_bytes_of_a_footer_with_a_dictionary_never_change() {
        let entry = |id, offset, kind| PackEntry {
            id: BlobId::from_bytes([id; 32]),
            offset: PackOffset(offset),
            len: 0x46,
            raw_len: 10,
            kind,
        };
        let entries = [
            entry(1, 0xc6, RecordKind::Content),
            entry(2, 0x80, RecordKind::Dictionary),
            entry(2, 0x10c, RecordKind::Dictionary),
        ];
        let mut golden = Vec::new();
        for (id, offset, kind) in [(1, b"\xc6\0", 1), (2, b"\x80\0", 3), (2, b"\x0c\x01", 3)] {
            golden.extend([id; 32]);
            golden.extend(offset);
            golden.extend(b"\0\0\0\0\0\0\x46\0\0\0\x0a\0\0\0");
            golden.extend([kind, 0, 0, 0]);
        }
        let crc = crc32c::crc32c(&golden);
        let mut trailer = b"ANNALPE\n\x01\0\0\0\x46\0\0\0\x03\0\0\0\0\0\0\0".to_vec();
        trailer.extend(b"\x52\x01\0\0\0\0\0\0\x9c\0\0\0\0\0\0\0\x1e\0\0\0\0\0\0\0");
        trailer.extend(b"\x07\0\0\0\0\0\0\0");
        trailer.extend(crc.to_le_bytes());
        seal(&mut trailer);
        golden.extend(trailer);
        let end = encode_footer(PackId(7), 0x152, 0x46, entries.iter());
        assert_eq!(end, golden);
        let (footer, trailer) = end.split_at(end.len() - PACK_TRAILER_BYTES);
        let trailer = decode_trailer(trailer, 0x152 + end.len() as u64).expect("sound");
        assert_eq!(trailer.dictionaries_at(), 0x10c);
        assert_eq!(decode_footer(footer, &trailer).as_deref(), Ok(&entries[..]));
    }

    #[test]
    fn a_class_can_be_a_path_and_never_leads_out_of_its_directory() {
        for class in ["forever/none", "90d/2027-02", &"a".repeat(64)] {
            assert!(PackClass::new(class).is_ok(), "{class}");
        }
        for class in [
            "",
            "/etc",
            "a//b",
            "a/",
            "../a",
            "a.b",
            "C:",
            "A",
            "ä",
            &"a".repeat(65),
        ] {
            assert!(PackClass::new(class).is_err(), "{class}");
        }
    }

    #[test]
    fn a_footer_that_claims_more_than_the_file_holds_is_refused_before_anything_is_allocated() {
        let (bytes, _) = pack(&[b"a", b"bb"]);
        let at = bytes.len() - PACK_TRAILER_BYTES;
        let claim = |count: u64, offset: u64, len: u64| {
            let mut trailer = bytes[at..at + 60].to_vec();
            trailer[16..24].copy_from_slice(&count.to_le_bytes());
            trailer[24..32].copy_from_slice(&offset.to_le_bytes());
            trailer[32..40].copy_from_slice(&len.to_le_bytes());
            seal(&mut trailer);
            decode_trailer(&trailer, bytes.len() as u64)
        };
        let entry = FOOTER_ENTRY_BYTES as u64;
        assert!(claim(2, at as u64 - 2 * entry, 2 * entry).is_ok());
        for (count, offset, len) in [
            (1 << 40, 128, entry << 40),
            (u64::MAX, 128, u64::MAX),
            (2, u64::MAX, 2 * entry),
            (2, u64::MAX - 2 * entry, 2 * entry),
            (3, at as u64 - 2 * entry, 2 * entry),
            (0, 128, 0),
        ] {
            assert!(
                matches!(
                    claim(count, offset, len),
                    Err(PackError::Contradiction { .. })
                ),
                "{count} {offset} {len}"
            );
        }
    }

    #[test]
    fn a_later_version_is_named_and_not_called_damaged() {
        let mut bytes = encode_header(&header());
        bytes.truncate(PACK_HEADER_BYTES - 4);
        bytes[8] = 2;
        seal(&mut bytes);
        assert_eq!(decode_header(&bytes), Err(PackError::Version(2)));
    }

    #[test]
    fn a_lost_footer_costs_no_record_and_a_damaged_record_costs_only_itself() {
        // A pack inside a pack: a scan that stepped into an intact record would find its records, too.
        let (inner, _) = pack(&[b"inner one", b"inner two"]);
        let long = vec![b'A'; 3 * usize::try_from(SCAN_BYTES).expect("small")];
        let contents: [&[u8]; 4] = [b"first", &inner, &long, b"last"];
        let (bytes, entries) = pack(&contents);
        let mut placed: Vec<_> = entries
            .iter()
            .map(|entry| (entry.offset.0, entry.id))
            .collect();
        placed.sort_unstable();
        assert_eq!(scan(&bytes), placed);

        let footer = bytes.len() - PACK_TRAILER_BYTES - 4 * FOOTER_ENTRY_BYTES;
        assert_eq!(scan(&bytes[..footer]), placed);
        assert_eq!(scan(&bytes[..footer - 1]), placed[..3]);
        assert_eq!(scan(&bytes[..PACK_HEADER_BYTES - 5]), []);

        for (victim, at) in [(0, 28), (2, 12), (2, 28 + 70_000)] {
            let mut damaged = bytes.clone();
            let start = usize::try_from(placed[victim].0).expect("fits");
            damaged[start + at] ^= 0x40;
            let mut rest = placed.clone();
            rest.remove(victim);
            assert_eq!(scan(&damaged), rest, "record {victim} at {at}");
        }
    }

    /// It is a header and nothing else, and there may be no more left than that when it is looked for.
    #[test]
    fn an_empty_record_is_found_at_the_very_end_behind_a_stray_byte() {
        let (bytes, _) = pack(&[b""]);
        let record = &bytes[PACK_HEADER_BYTES..][..NAMELESS_HEADER_BYTES];
        let stray = [&bytes[..PACK_HEADER_BYTES], b"x", record].concat();
        let at = PACK_HEADER_BYTES as u64 + 1;
        assert_eq!(scan(&stray), [(at, BlobId::of(b""))]);
    }

    fn contradiction(part: PackPart, what: &'static str) -> PackError {
        PackError::Contradiction { part, what }
    }

    /// Numbers are compared and added to further on; one past the greatest would come out as another.
    #[test]
    fn a_header_with_the_greatest_numbers_is_read_and_one_with_the_next_is_refused() {
        let numbered = |pack, last| PackHeader {
            pack: PackId(pack),
            last_seq: EventSeq(last),
            ..header()
        };
        let greatest = numbered(PackId::MAX.0, EventSeq::MAX.0);
        assert_eq!(decode_header(&encode_header(&greatest)), Ok(greatest));
        let refused = contradiction(PackPart::Header, "it is numbered as nothing can be");
        for header in [
            numbered(PackId::MAX.0 + 1, EventSeq::MAX.0),
            numbered(PackId::MAX.0, EventSeq::MAX.0 + 1),
        ] {
            assert_eq!(decode_header(&encode_header(&header)), Err(refused.clone()));
        }
    }

    /// Where the second copies begin is taken from the end; they cannot begin inside the header.
    #[test]
    fn dictionaries_may_fill_a_pack_from_its_header_on_and_no_more() {
        let trailer = |dictionary_bytes| {
            let end = encode_footer(PackId(7), 228, dictionary_bytes, [].iter());
            decode_trailer(&end, 228 + end.len() as u64)
        };
        assert_eq!(
            trailer(100).map(|trailer| trailer.dictionaries_at()),
            Ok(128)
        );
        let refused = contradiction(PackPart::Trailer, "the dictionaries do not fit the file");
        assert_eq!(trailer(101), Err(refused.clone()));
        assert_eq!(trailer(u32::MAX), Err(refused));
    }

    /// A footer of these entries, as one writes it who gets the checksums right; read again.
    fn footer_of(
        records_end: u64,
        dictionary_bytes: u32,
        entries: &[PackEntry],
    ) -> Result<Vec<PackEntry>, PackError> {
        let end = encode_footer(PackId(7), records_end, dictionary_bytes, entries.iter());
        let (footer, trailer) = end.split_at(end.len() - PACK_TRAILER_BYTES);
        let trailer = decode_trailer(trailer, records_end + end.len() as u64)?;
        decode_footer(footer, &trailer)
    }

    fn entry(id: u8, offset: u64, len: u32, kind: RecordKind) -> PackEntry {
        PackEntry {
            id: BlobId::from_bytes([id; 32]),
            offset: PackOffset(offset),
            len,
            raw_len: 10,
            kind,
        }
    }

    #[test]
    fn a_footer_that_is_not_as_long_as_its_trailer_says_is_refused_whatever_its_checksum() {
        let entries = [entry(1, 128, 70, RecordKind::Content)];
        let end = encode_footer(PackId(7), 198, 0, entries.iter());
        let (footer, trailer) = end.split_at(FOOTER_ENTRY_BYTES);
        let trailer = decode_trailer(trailer, 198 + end.len() as u64).expect("sound");
        assert_eq!(decode_footer(footer, &trailer).as_deref(), Ok(&entries[..]));
        let refused = contradiction(PackPart::Footer, "it is not as long as the trailer says");
        for len in [FOOTER_ENTRY_BYTES - 1, FOOTER_ENTRY_BYTES + 1] {
            assert_eq!(decode_footer(&end[..len], &trailer), Err(refused.clone()));
        }
    }

    #[test]
    fn an_entry_with_a_byte_set_that_means_nothing_is_refused() {
        let entries = [entry(1, 128, 70, RecordKind::Content)];
        let end = encode_footer(PackId(7), 198, 0, entries.iter());
        let (footer, trailer) = end.split_at(FOOTER_ENTRY_BYTES);
        let refused = contradiction(PackPart::Footer, "a reserved field is not zero");
        for at in FOOTER_ENTRY_BYTES - 3..FOOTER_ENTRY_BYTES {
            let mut footer = footer.to_vec();
            footer[at] = 1;
            let mut trailer = trailer[..PACK_TRAILER_BYTES - 8].to_vec();
            seal_over(&mut trailer, &footer);
            let trailer = decode_trailer(&trailer, 198 + end.len() as u64).expect("sound");
            let read = decode_footer(&footer, &trailer);
            assert_eq!(read, Err(refused.clone()), "byte {at}");
        }
    }

    /// Ends a trailer as one does who knows the footer.
    fn seal_over(trailer: &mut Vec<u8>, footer: &[u8]) {
        trailer.put_u32(crc32c::crc32c(footer));
        seal(trailer);
    }

    /// Two copies are what a damaged record needs to cost only itself.
    #[test]
    fn a_dictionary_that_is_listed_once_is_refused_before_another_blob_and_at_the_end() {
        let content = |id| entry(id, 198, 70, RecordKind::Content);
        let first = entry(2, 128, 70, RecordKind::Dictionary);
        let second = entry(2, 268, 70, RecordKind::Dictionary);
        assert!(footer_of(338, 70, &[content(1), first, second]).is_ok());
        assert!(footer_of(338, 70, &[first, second, content(3)]).is_ok());
        let refused = contradiction(PackPart::Footer, "a dictionary is there only once");
        for alone in [
            [content(1), first],
            [first, content(3)],
            [first, entry(3, 268, 70, RecordKind::Dictionary)],
        ] {
            assert_eq!(footer_of(338, 70, &alone), Err(refused.clone()));
        }
    }

    /// A dictionary may be one file as a whole, and then its name is there three times; nothing else is there twice.
    #[test]
    fn a_record_that_is_listed_more_often_than_it_may_be_is_refused() {
        let content = |id, offset| entry(id, offset, 70, RecordKind::Content);
        let dictionary = |offset, len| entry(2, offset, len, RecordKind::Dictionary);
        assert!(
            footer_of(
                338,
                70,
                &[content(2, 198), dictionary(128, 70), dictionary(268, 70)]
            )
            .is_ok()
        );
        let refused = contradiction(PackPart::Footer, "a record is there too often");
        for (records_end, dictionary_bytes, entries) in [
            (268, 0, vec![content(1, 128), content(1, 198)]),
            (
                268,
                0,
                vec![content(1, 128), entry(1, 198, 70, RecordKind::Manifest)],
            ),
            (
                339,
                71,
                vec![content(1, 198), dictionary(128, 70), dictionary(268, 71)],
            ),
            (
                408,
                140,
                vec![
                    content(1, 128),
                    dictionary(198, 70),
                    dictionary(268, 70),
                    dictionary(338, 70),
                ],
            ),
        ] {
            assert_eq!(
                footer_of(records_end, dictionary_bytes, &entries),
                Err(refused.clone())
            );
        }
    }

    #[test]
    fn an_entry_that_lies_in_the_header_or_in_the_footer_is_refused() {
        let at = |offset| footer_of(198, 0, &[entry(1, offset, 70, RecordKind::Content)]);
        assert!(at(128).is_ok());
        let refused = contradiction(PackPart::Footer, "an entry lies outside the records");
        for offset in [0, 127, 129, u64::MAX] {
            assert_eq!(at(offset), Err(refused.clone()), "{offset}");
        }
    }

    #[test]
    fn a_header_with_a_byte_set_that_means_nothing_is_refused() {
        let refused = contradiction(PackPart::Header, "a reserved field is not zero");
        for at in (12..16).chain(PACK_HEADER_BYTES - 8..PACK_HEADER_BYTES - 4) {
            let mut bytes = encode_header(&header());
            bytes.truncate(PACK_HEADER_BYTES - 4);
            bytes[at] = 1;
            seal(&mut bytes);
            assert_eq!(decode_header(&bytes), Err(refused.clone()), "byte {at}");
        }
    }

    #[test]
    fn an_error_names_the_part_of_the_pack_that_it_is_in() {
        for (part, name) in [
            (PackPart::Header, "header"),
            (PackPart::Footer, "footer"),
            (PackPart::Trailer, "trailer"),
        ] {
            let told = PackError::Checksum(part).to_string();
            assert!(told.contains(name), "{told}");
        }
    }

    /// Readers make room for a record before they look at it.
    #[test]
    fn entries_of_the_shortest_and_the_longest_record_are_read_and_the_next_are_refused() {
        let longest = u32::try_from(RECORD_BYTES_MAX).expect("8 MiB");
        let of_length = |len: u32, raw_len| {
            let entry = PackEntry {
                raw_len,
                ..entry(1, 128, len, RecordKind::Content)
            };
            footer_of(128 + u64::from(len), 0, &[entry]).map(|entries| entries.len())
        };
        assert_eq!(of_length(28, 0), Ok(1));
        assert_eq!(of_length(longest, RECORD_RAW_BYTES_MAX), Ok(1));
        let refused = contradiction(PackPart::Footer, "no record is as long as an entry says");
        for (len, raw_len) in [
            (27, 0),
            (longest + 1, RECORD_RAW_BYTES_MAX),
            (longest, RECORD_RAW_BYTES_MAX + 1),
        ] {
            assert_eq!(of_length(len, raw_len), Err(refused.clone()));
        }
    }

    /// A gap is a record that nobody can find.
    #[test]
    fn entries_that_add_up_to_more_or_less_than_the_records_are_refused() {
        let two = |second_at| {
            let second = entry(2, second_at, 70, RecordKind::Content);
            footer_of(268, 0, &[entry(1, 128, 70, RecordKind::Content), second])
        };
        assert!(two(198).is_ok());
        let refused = contradiction(PackPart::Footer, "its entries do not fill the pack");
        let one = [entry(1, 128, 70, RecordKind::Content)];
        assert!(footer_of(198, 0, &one).is_ok());
        assert_eq!(footer_of(199, 0, &one), Err(refused.clone()));
        let thrice = [1, 2, 3].map(|id| entry(id, 128, 70, RecordKind::Content));
        assert_eq!(footer_of(268, 0, &thrice), Err(refused));
    }

    /// Bytes of which so many reads succeed.
    #[derive(Debug)]
    struct Worn {
        bytes: Vec<u8>,
        sound: bool,
        reads_left: Cell<u32>,
    }

    impl ReadAt for Worn {
        fn size(&self) -> io::Result<u64> {
            if self.sound {
                self.bytes[..].size()
            } else {
                Err(io::ErrorKind::PermissionDenied.into())
            }
        }

        fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
            match self.reads_left.get() {
                0 => Err(io::ErrorKind::PermissionDenied.into()),
                left => {
                    self.reads_left.set(left - 1);
                    self.bytes[..].read_exact_at(out, offset)
                }
            }
        }
    }

    /// What the disk does not give is not known to be damaged, and a scan that went on would leave it out in silence.
    #[test]
    fn a_scan_tells_the_first_error_of_the_disk_once_and_is_over() {
        let (mut bytes, entries) = pack(&[b"first", b"second", b"third"]);
        let end = bytes.len() - PACK_TRAILER_BYTES - 3 * FOOTER_ENTRY_BYTES;
        bytes.truncate(end);
        let starts = |bytes: &[u8]| scan(bytes).len();
        assert_eq!(starts(&bytes), 3);
        // The second begins as nothing does, so that the scan looks for the next.
        let mut offsets: Vec<u64> = entries.iter().map(|entry| entry.offset.0).collect();
        offsets.sort_unstable();
        let second = usize::try_from(offsets[1]).expect("short");
        bytes[second] ^= 0xff;
        assert_eq!(starts(&bytes), 2);
        // Header and content of the first; header of the second, then the search; header and content of the third.
        for (reads_left, found) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (5, 1)] {
            let worn = Worn {
                bytes: bytes.clone(),
                sound: true,
                reads_left: Cell::new(reads_left),
            };
            let mut scan = RecordScan::new(&worn).expect("it has a size");
            for _ in 0..found {
                assert!(scan.next().expect("one more").is_ok());
            }
            let told = scan.next().expect("not over").expect_err("an error");
            assert_eq!(told.kind(), io::ErrorKind::PermissionDenied, "{reads_left}");
            worn.reads_left.set(u32::MAX);
            assert!(scan.next().is_none(), "{reads_left}");
        }
        let worn = Worn {
            bytes,
            sound: false,
            reads_left: Cell::new(u32::MAX),
        };
        let told = RecordScan::new(&worn).expect_err("it has no size");
        assert_eq!(told.kind(), io::ErrorKind::PermissionDenied);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(contents in prop::collection::hash_set(prop::collection::vec(any::<u8>(), 0..50), 0..20)) {
            let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
            let (bytes, entries) = pack(&contents);
            prop_assert_eq!(decode_header(&bytes), Ok(header()));
            prop_assert_eq!(decode(&bytes), Ok(entries));
            prop_assert_eq!(scan(&bytes).len(), contents.len());
        }

        #[test]
        fn any_bytes_at_all_are_answered_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&bytes);
            let _ = scan(&bytes);
            let mut header = [&HEADER_MAGIC[..], &PACK_VERSION.to_le_bytes(), &bytes].concat();
            header.resize(PACK_HEADER_BYTES - 4, 0);
            seal(&mut header);
            let _ = decode_header(&header);
            if let Some(trailer) = bytes.last_chunk::<PACK_TRAILER_BYTES>() {
                let mut trailer = trailer[..PACK_TRAILER_BYTES - 4].to_vec();
                trailer[..10].copy_from_slice(&[&TRAILER_MAGIC[..], &PACK_VERSION.to_le_bytes()].concat());
                seal(&mut trailer);
                let _ = decode_trailer(&trailer, bytes.len() as u64);
            }
        }
    }
}
