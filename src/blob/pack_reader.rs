//! Reads packs: one positioned read for each record, every byte checked before it is returned.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use crate::blob::compression::{DecompressError, Dictionary, decompress};
use crate::blob::dictionary::DictionaryCache;
use crate::disk::{Disk, DiskFile, OpenMode};
use crate::format::pack::{
    self, PACK_HEADER_BYTES, PACK_TRAILER_BYTES, PackEntry, PackError, PackHeader, PackOffset,
    PackTrailer, ReadAt, RecordScan,
};
use crate::format::record::{
    self, DictTag, NAMELESS_HEADER_BYTES, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, Record,
    RecordError, RecordHeader, RecordKind,
};
use crate::id::BlobId;

/// Why something in a pack could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PackReadError {
    /// The operating system failed; `NotFound` when there is no such pack.
    #[error("cannot read the pack")]
    Io(#[from] io::Error),
    /// The file is no pack, or a damaged one.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// There is no whole record where one should be.
    #[error("at byte {}: {error}", at.0)]
    Record {
        /// Where it should be.
        at: PackOffset,
        /// What is wrong with it.
        error: RecordError,
    },
    /// There is a record, but not the one that was asked for.
    #[error("at byte {}: this is not blob {expected}", at.0)]
    OtherBlob {
        /// Where it should be.
        at: PackOffset,
        /// The blob that was asked for.
        expected: BlobId,
    },
    /// The stored bytes are whole and cannot be unpacked.
    #[error("at byte {}: {error}", at.0)]
    Decompress {
        /// Where the record is.
        at: PackOffset,
        /// What is wrong with it.
        error: DecompressError,
    },
    /// The dictionary that records name can be read at neither of its places.
    #[error("dictionary {0} is missing or damaged")]
    Dictionary(DictTag),
    /// The place cannot be that of a record.
    #[error("no record of {len} bytes can be at byte {}", at.0)]
    Place {
        /// Where it should be.
        at: PackOffset,
        /// How long it should be.
        len: u32,
    },
}

impl ReadAt for dyn DiskFile {
    fn size(&self) -> io::Result<u64> {
        DiskFile::size(self)
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        DiskFile::read_exact_at(self, out, offset)
    }
}

/// One record as it is stored, its checksums checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// What it says of itself, and the id it was asked for by.
    pub header: RecordHeader,
    bytes: Vec<u8>,
    stored_at: usize,
}

impl StoredRecord {
    /// Returns the record of a journal at the start of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (header, _) = record::decode(bytes)?;
        Ok(Self {
            bytes: bytes[..header.record_len() as usize].to_vec(),
            header,
            stored_at: RECORD_HEADER_BYTES,
        })
    }

    /// Returns the stored bytes.
    pub fn stored(&self) -> &[u8] {
        &self.bytes[self.stored_at..]
    }

    /// Returns a record that is not checked yet.
    pub fn encode(record: &Record<'_>) -> Result<Self, RecordError> {
        let mut bytes = Vec::with_capacity(record.len());
        record::encode_into(&mut bytes, record)?;
        Ok(Self {
            header: record::decode_header(&bytes)?,
            bytes,
            stored_at: RECORD_HEADER_BYTES,
        })
    }

    /// Returns the plaintext of this record, which was read at `at`, if it is the one of blob
    /// `expected`. `dictionary` is the one it names; in a journal, none does.
    pub fn plain(
        &self,
        at: PackOffset,
        expected: &BlobId,
        dictionary: Option<&Dictionary>,
    ) -> Result<Plain, PackReadError> {
        let bytes = self.unpacked(at, dictionary)?;
        let kind = self.header.kind;
        let named_right = self.header.id == *expected
            && (kind == RecordKind::Manifest || BlobId::of(&bytes) == *expected);
        if named_right {
            Ok(Plain { kind, bytes })
        } else {
            Err(PackReadError::OtherBlob {
                at,
                expected: *expected,
            })
        }
    }

    /// Returns the plaintext without comparing its id.
    fn unpacked(
        &self,
        at: PackOffset,
        dictionary: Option<&Dictionary>,
    ) -> Result<Vec<u8>, PackReadError> {
        let mut bytes = Vec::new();
        decompress(&self.header, self.stored(), dictionary, &mut bytes)
            .map_err(|error| PackReadError::Decompress { at, error })?;
        Ok(bytes)
    }

    /// Returns the record as it is stored, to be written elsewhere.
    pub fn as_record(&self) -> Record<'_> {
        self.header.with(self.stored())
    }
}

/// A plaintext, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// A content is the very bytes its id is the hash of. A manifest is verified by checksum and
    /// structure only: whoever joins its chunks compares the hash of the whole.
    pub kind: RecordKind,
    /// The plaintext.
    pub bytes: Vec<u8>,
}

/// An open pack. Holds no entries and no buffer; shared freely between threads.
///
/// A pack that lost its end opens as well: its records can still be read, and
/// [`PackReader::salvage`] finds them.
#[derive(Clone)]
pub struct PackReader {
    file: Arc<dyn DiskFile>,
    header: PackHeader,
    end: Result<PackTrailer, PackError>,
    size: u64,
    /// The dictionaries that were asked for so far.
    known: Arc<Mutex<BTreeMap<DictTag, BlobId>>>,
    /// Where dictionaries are, in a pack whose second copies are not to be trusted; found out once.
    copies: Arc<OnceLock<Vec<PackEntry>>>,
    dictionaries: Arc<DictionaryCache>,
}

/// Memory for dictionaries of a pack that is opened by itself.
const DICTIONARY_CACHE_BYTES: usize = 8 << 20;

impl PackReader {
    /// Opens a pack after a look at its two ends. The header must be whole.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, PackReadError> {
        let dictionaries = Arc::new(DictionaryCache::new(DICTIONARY_CACHE_BYTES));
        Self::open_with(disk, path, dictionaries)
    }

    /// Opens a pack whose dictionaries are cached with those of other packs.
    pub fn open_with(
        disk: &dyn Disk,
        path: &Path,
        dictionaries: Arc<DictionaryCache>,
    ) -> Result<Self, PackReadError> {
        let file = disk.open(path, OpenMode::Read)?;
        let size = file.size()?;
        let mut header = [0; PACK_HEADER_BYTES];
        if size < PACK_HEADER_BYTES as u64 {
            return Err(too_short(size).into());
        }
        file.read_exact_at(&mut header, 0)?;
        let header = pack::decode_header(&header)?;
        let end = read_end(&*file, size, &header)?;
        Ok(Self {
            file,
            header,
            end,
            size,
            known: Arc::default(),
            copies: Arc::default(),
            dictionaries,
        })
    }

    /// Returns a pack of which nothing but its records is believed; `header` is what it is taken
    /// for.
    pub fn open_remains(
        disk: &dyn Disk,
        path: &Path,
        header: PackHeader,
    ) -> Result<Self, PackReadError> {
        let file = disk.open(path, OpenMode::Read)?;
        let size = file.size()?;
        Ok(Self {
            file,
            header,
            end: Err(too_short(0)),
            size,
            known: Arc::default(),
            copies: Arc::default(),
            dictionaries: Arc::new(DictionaryCache::new(DICTIONARY_CACHE_BYTES)),
        })
    }

    /// What the pack says of itself.
    pub const fn header(&self) -> &PackHeader {
        &self.header
    }

    /// Returns the blobs in it, ascending by id; read from the footer at each call. An error when
    /// the pack's end is damaged.
    pub fn entries(&self) -> Result<Vec<PackEntry>, PackReadError> {
        Ok(blobs(self.listed()?))
    }

    /// Everything in it, both copies of its dictionaries as well.
    pub fn listed(&self) -> Result<Vec<PackEntry>, PackReadError> {
        let trailer = self.end.clone()?;
        let len = usize::try_from(trailer.footer_len)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let mut footer = vec![0; len];
        self.file
            .read_exact_at(&mut footer, trailer.footer_offset)?;
        Ok(pack::decode_footer(&footer, &trailer)?)
    }

    /// What [`PackReader::listed`] answers, found by walking over the records instead of asking the
    /// footer: every record whose checksums hold and whose id is known. Content is unpacked to know
    /// it.
    pub fn salvage(&self) -> Result<Vec<PackEntry>, PackReadError> {
        let mut entries = BTreeMap::new();
        for found in RecordScan::new(&*self.file)? {
            let (offset, header) = found?;
            let id = match header.id() {
                Some(id) => id,
                None => match self.hash_of(offset, header.record_len()) {
                    Ok(id) => id,
                    // What the walk found a moment ago is there: it is the disk that fails.
                    Err(error @ PackReadError::Io(_)) => return Err(error),
                    Err(_) => continue,
                },
            };
            // Of a blob one is enough, of a dictionary there are two.
            let is_dictionary = header.kind() == RecordKind::Dictionary;
            let nth = if is_dictionary { offset } else { PackOffset(0) };
            entries
                .entry((id, is_dictionary, nth))
                .or_insert(PackEntry {
                    id,
                    offset,
                    len: header.record_len(),
                    raw_len: header.raw_len(),
                    kind: header.kind(),
                });
        }
        Ok(entries.into_values().collect())
    }

    /// Returns the hash of the plaintext of the record at `at`, which may be any content.
    fn hash_of(&self, at: PackOffset, len: u32) -> Result<BlobId, PackReadError> {
        let record = self.read_record(at, len, &BlobId::from_bytes([0; 32]))?;
        let dictionary = self.dictionary_of(&record)?;
        Ok(BlobId::of(&record.unpacked(at, dictionary.as_deref())?))
    }

    /// Reads the record of `len` bytes at `at`, which is to be that of blob `id`: one read, both
    /// checksums. Of content, which has no id there, only [`PackReader::unpack`] tells whose it is.
    pub fn read_record(
        &self,
        at: PackOffset,
        len: u32,
        id: &BlobId,
    ) -> Result<StoredRecord, PackReadError> {
        let records_end = match &self.end {
            Ok(trailer) => trailer.footer_offset,
            Err(_) => self.size,
        };
        read_record(&*self.file, records_end, at, len, id)
    }

    /// Reads the plaintext of blob `expected` from the record at `at`.
    pub fn read_plain(
        &self,
        at: PackOffset,
        len: u32,
        expected: &BlobId,
    ) -> Result<Plain, PackReadError> {
        self.unpack(&self.read_record(at, len, expected)?, at, expected)
    }

    /// Returns the plaintext of a record that was read from this pack.
    pub fn unpack(
        &self,
        record: &StoredRecord,
        at: PackOffset,
        expected: &BlobId,
    ) -> Result<Plain, PackReadError> {
        let dictionary = self.dictionary_of(record)?;
        record.plain(at, expected, dictionary.as_deref())
    }

    fn dictionary_of(
        &self,
        record: &StoredRecord,
    ) -> Result<Option<Arc<Dictionary>>, PackReadError> {
        let named = record.header.dictionary.map(|tag| self.dictionary(tag));
        named.transpose()
    }

    /// Returns the dictionary that records of this pack name so: the copy at the end, or else the
    /// one at the front.
    pub fn dictionary(&self, tag: DictTag) -> Result<Arc<Dictionary>, PackReadError> {
        let known = self
            .known
            .lock()
            .expect("no panic while held")
            .get(&tag)
            .copied();
        if let Some(dictionary) = known.and_then(|id| self.dictionaries.get(&id)) {
            return Ok(dictionary);
        }
        let (_, dictionary) = self.find_dictionary(tag)?;
        let dictionary = Arc::new(dictionary);
        self.known
            .lock()
            .expect("no panic while held")
            .insert(tag, *dictionary.id());
        self.dictionaries.keep(&dictionary);
        Ok(dictionary)
    }

    /// That dictionary as it is stored.
    pub fn stored_dictionary(&self, tag: DictTag) -> Result<StoredRecord, PackReadError> {
        Ok(self.find_dictionary(tag)?.0)
    }

    fn find_dictionary(&self, tag: DictTag) -> Result<(StoredRecord, Dictionary), PackReadError> {
        if let Ok(trailer) = &self.end {
            let copies = RecordScan::between(
                &*self.file,
                trailer.dictionaries_at(),
                trailer.footer_offset,
            );
            for found in dictionaries(copies) {
                if let Some(found) = self.try_dictionary(tag, &found?)? {
                    return Ok(found);
                }
            }
        }
        let copies = match self.copies.get() {
            Some(copies) => copies,
            None => {
                let mut listed = match self.listed() {
                    Err(PackReadError::Io(error))
                        if error.kind() != io::ErrorKind::UnexpectedEof =>
                    {
                        return Err(error.into());
                    }
                    Err(_) => {
                        let scan = RecordScan::new(&*self.file)?;
                        dictionaries(scan).collect::<io::Result<_>>()?
                    }
                    Ok(listed) => listed,
                };
                listed.retain(|entry| entry.kind == RecordKind::Dictionary);
                self.copies.get_or_init(|| listed)
            }
        };
        for entry in copies {
            if let Some(found) = self.try_dictionary(tag, entry)? {
                return Ok(found);
            }
        }
        Err(PackReadError::Dictionary(tag))
    }

    /// Returns the dictionary at that place, if it is the one that is looked for and nothing is
    /// wrong with it.
    fn try_dictionary(
        &self,
        tag: DictTag,
        copy: &PackEntry,
    ) -> Result<Option<(StoredRecord, Dictionary)>, PackReadError> {
        if DictTag::of(&copy.id) != Some(tag) {
            return Ok(None);
        }
        let record = self.read_record(copy.offset, copy.len, &copy.id);
        let read = record.and_then(|record| {
            let plain = record.plain(copy.offset, &copy.id, None)?;
            Ok((record, plain))
        });
        match read {
            Ok((record, plain)) => {
                Ok(Dictionary::new(plain.bytes).map(|dictionary| (record, dictionary)))
            }
            Err(PackReadError::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Err(error.into())
            }
            Err(_) => Ok(None),
        }
    }
}

/// Returns the dictionaries among what a scan finds. They have their ids with them.
fn dictionaries(
    scan: RecordScan<'_, dyn DiskFile>,
) -> impl Iterator<Item = io::Result<PackEntry>> + '_ {
    scan.filter_map(|found| match found {
        Ok((offset, header)) if header.kind() == RecordKind::Dictionary => header.id().map(|id| {
            Ok(PackEntry {
                id,
                offset,
                len: header.record_len(),
                raw_len: header.raw_len(),
                kind: header.kind(),
            })
        }),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// Those of the records in a pack that hold blobs.
pub fn blobs(mut listed: Vec<PackEntry>) -> Vec<PackEntry> {
    listed.retain(|entry| entry.kind != RecordKind::Dictionary);
    listed
}

/// Returns the trailer, or what is wrong with it; an error only when the system failed.
fn read_end(
    file: &dyn DiskFile,
    size: u64,
    header: &PackHeader,
) -> io::Result<Result<PackTrailer, PackError>> {
    let at = size.saturating_sub(PACK_TRAILER_BYTES as u64);
    if at < PACK_HEADER_BYTES as u64 {
        return Ok(Err(too_short(size)));
    }
    let mut trailer = [0; PACK_TRAILER_BYTES];
    file.read_exact_at(&mut trailer, at)?;
    Ok(pack::decode_trailer(&trailer, size).and_then(|trailer| {
        if trailer.pack == header.pack {
            Ok(trailer)
        } else {
            Err(PackError::Contradiction {
                part: pack::PackPart::Trailer,
                what: "it ends another pack",
            })
        }
    }))
}

fn too_short(size: u64) -> PackError {
    PackError::Truncated(crate::format::bytes::Truncated {
        needed: PACK_HEADER_BYTES + PACK_TRAILER_BYTES,
        left: usize::try_from(size).unwrap_or(usize::MAX),
    })
}

/// Reads one record, which is to be that of blob `id`, of a file whose records end at
/// `records_end`; for a pack without its footer that is the end of the file.
pub fn read_record(
    file: &dyn DiskFile,
    records_end: u64,
    at: PackOffset,
    len: u32,
    id: &BlobId,
) -> Result<StoredRecord, PackReadError> {
    let size = len as usize;
    let end = at.0.checked_add(u64::from(len));
    if !(NAMELESS_HEADER_BYTES..=RECORD_BYTES_MAX).contains(&size)
        || end.is_none_or(|end| end > records_end)
    {
        return Err(PackReadError::Place { at, len });
    }
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, at.0)?;
    let (packed, _) =
        record::decode_packed(&bytes).map_err(|error| PackReadError::Record { at, error })?;
    if packed.record_len() != len {
        return Err(PackReadError::Place { at, len });
    }
    let header = packed
        .of(id)
        .ok_or(PackReadError::OtherBlob { at, expected: *id })?;
    Ok(StoredRecord {
        header,
        bytes,
        stored_at: packed.header_bytes(),
    })
}

#[cfg(test)]
mod tests;
