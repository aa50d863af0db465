//! Reads packs: one positioned read for each record. Every byte is checked before it is returned.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use crate::blob::compression::{DecompressError, Dictionary, decompress};
use crate::blob::dictionary::DictionaryCache;
use crate::disk::{Disk, DiskFile, OpenMode};
use crate::format::pack::{
    self, PACK_HEADER_BYTES, PACK_TRAILER_BYTES, PackEntry, PackError, PackHeader, PackOffset,
    PackTrailer,
};
use crate::format::pack_scan::{ReadAt, RecordScan};
use crate::format::record::{
    self, DictTag, NAMELESS_HEADER_BYTES, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, Record,
    RecordError, RecordHeader, RecordKind,
};
use crate::id::BlobId;

/// Why something in a pack could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PackReadError {
    /// The operating system reported an error; `NotFound` when there is no such pack.
    #[error("cannot read the pack")]
    Io(#[from] io::Error),
    /// The file is not a pack, or a damaged one.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// There is no complete record at the expected offset.
    #[error("at byte {}: {error}", at.0)]
    Record {
        /// The expected offset.
        at: PackOffset,
        /// What is wrong with it.
        error: RecordError,
    },
    /// There is a record, but of another blob.
    #[error("at byte {}: this is not blob {expected}", at.0)]
    OtherBlob {
        /// The expected offset.
        at: PackOffset,
        /// The blob that was requested.
        expected: BlobId,
    },
    /// The stored bytes are intact but cannot be unpacked.
    #[error("at byte {}: {error}", at.0)]
    Decompress {
        /// Offset of the record.
        at: PackOffset,
        /// What is wrong with it.
        error: DecompressError,
    },
    /// Neither copy of the dictionary that records name can be read.
    #[error("dictionary {0} is missing or damaged")]
    Dictionary(DictTag),
    /// No record can have this offset and length.
    #[error("no record of {len} bytes can be at byte {}", at.0)]
    Place {
        /// The expected offset.
        at: PackOffset,
        /// The expected length.
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

/// One record as it is stored, with verified checksums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The header. Where the record itself has no id, it holds the id that was requested.
    pub header: RecordHeader,
    bytes: Vec<u8>,
    stored_at: usize,
}

impl StoredRecord {
    /// Decodes the journal record at the start of `bytes`.
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

    /// Encodes a record; [`StoredRecord::plain`] verifies its content.
    pub fn encode(record: &Record<'_>) -> Result<Self, RecordError> {
        let mut bytes = Vec::with_capacity(record.len());
        record::encode_into(&mut bytes, record)?;
        Ok(Self {
            header: record::decode_header(&bytes)?,
            bytes,
            stored_at: RECORD_HEADER_BYTES,
        })
    }

    /// Returns the verified plaintext of this record, which was read at `at`, if it is blob
    /// `expected`. `dictionary` is the one that the record names; journal records name none.
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

    /// Returns the plaintext without checking its id.
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

    /// Returns the record in its stored form, to be written elsewhere.
    pub fn as_record(&self) -> Record<'_> {
        self.header.with(self.stored())
    }
}

/// A verified plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// The kind of plaintext. The hash of a content equals its id. A manifest is verified only by
    /// checksum and structure: the code that joins its chunks must compare the hash of the whole.
    pub kind: RecordKind,
    /// The plaintext.
    pub bytes: Vec<u8>,
}

/// An open pack. It holds no entries and no buffer, and can be shared between threads.
///
/// A pack that lost its end can be opened too. Its records can still be read, and
/// [`PackReader::salvage`] finds them.
#[derive(Clone)]
pub struct PackReader {
    file: Arc<dyn DiskFile>,
    header: PackHeader,
    end: Result<PackTrailer, PackError>,
    size: u64,
    /// The dictionaries that were requested so far.
    known: Arc<Mutex<BTreeMap<DictTag, BlobId>>>,
    /// The positions of dictionaries, found by one scan, in a pack whose second copies are not
    /// trusted.
    copies: Arc<OnceLock<Vec<PackEntry>>>,
    dictionaries: Arc<DictionaryCache>,
}

/// The size of the dictionary cache of a pack that is opened alone.
const DICTIONARY_CACHE_BYTES: usize = 8 << 20;

impl PackReader {
    /// Opens a pack and checks its header and trailer. The header must be intact.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, PackReadError> {
        let dictionaries = Arc::new(DictionaryCache::new(DICTIONARY_CACHE_BYTES));
        Self::open_with(disk, path, dictionaries)
    }

    /// Opens a pack that shares a dictionary cache with other packs.
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

    /// Opens a pack of which only the records are trusted. `header` is assumed as its header.
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

    /// Returns the header of the pack.
    pub const fn header(&self) -> &PackHeader {
        &self.header
    }

    /// Returns the trailer of the pack. Fails when the end of the pack is damaged.
    pub fn trailer(&self) -> Result<PackTrailer, PackReadError> {
        Ok(self.end.clone()?)
    }

    /// Returns the blobs in the pack, ascending by id. Reads the footer at each call. Fails when
    /// the end of the pack is damaged.
    pub fn entries(&self) -> Result<Vec<PackEntry>, PackReadError> {
        Ok(blobs(self.listed()?))
    }

    /// Returns everything in the pack, including both copies of its dictionaries.
    pub fn listed(&self) -> Result<Vec<PackEntry>, PackReadError> {
        let trailer = self.end.clone()?;
        let len = usize::try_from(trailer.footer_len)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let mut footer = vec![0; len];
        self.file
            .read_exact_at(&mut footer, trailer.footer_offset)?;
        Ok(pack::decode_footer(&footer, &trailer)?)
    }

    /// Returns the entries of [`PackReader::listed`] without using the footer. It scans for records
    /// with valid checksums and a known id. Content is unpacked to compute its id.
    pub fn salvage(&self) -> Result<Vec<PackEntry>, PackReadError> {
        let mut entries = BTreeMap::new();
        for found in RecordScan::new(&*self.file)? {
            let (offset, header) = found?;
            let id = match header.id() {
                Some(id) => id,
                None => match self.hash_of(offset, header.record_len()) {
                    Ok(id) => id,
                    // The scan has just read these bytes, so the disk is failing.
                    Err(error @ PackReadError::Io(_)) => return Err(error),
                    Err(_) => continue,
                },
            };
            // Of each blob one entry is kept, of each dictionary two.
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

    /// Returns the hash of the plaintext of the record at `at`, which may hold any content.
    fn hash_of(&self, at: PackOffset, len: u32) -> Result<BlobId, PackReadError> {
        let record = self.read_record(at, len, &BlobId::from_bytes([0; 32]))?;
        let dictionary = self.dictionary_of(&record)?;
        Ok(BlobId::of(&record.unpacked(at, dictionary.as_deref())?))
    }

    /// Reads the record of `len` bytes at `at`, which should be that of blob `id`: one read, both
    /// checksums. Content records have no id in a pack, so only [`PackReader::unpack`] can tell
    /// whose content it is.
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

    /// Returns the dictionary that records of this pack name by `tag`: the copy at the end, or else
    /// the copy at the front.
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

    /// Returns that dictionary in its stored form.
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

    /// Returns the dictionary at a position, if it is the requested one and intact.
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

/// Returns the dictionaries among the records that a scan finds. Their records contain their ids.
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

/// Returns the entries that are blobs, without the dictionaries.
pub fn blobs(mut listed: Vec<PackEntry>) -> Vec<PackEntry> {
    listed.retain(|entry| entry.kind != RecordKind::Dictionary);
    listed
}

/// Returns the trailer, or what is wrong with it. Fails only when the operating system reports an
/// error.
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

/// Reads one record, which should be that of blob `id`, from a file whose records end at
/// `records_end`. For a pack without its footer that is the end of the file.
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
