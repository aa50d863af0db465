//! Reading packs: one positioned read a record, every byte checked before it is handed out.

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
    /// The record of a journal at the start of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (header, _) = record::decode(bytes)?;
        Ok(Self {
            bytes: bytes[..header.record_len() as usize].to_vec(),
            header,
            stored_at: RECORD_HEADER_BYTES,
        })
    }

    /// The stored bytes.
    pub fn stored(&self) -> &[u8] {
        &self.bytes[self.stored_at..]
    }

    /// A record that nobody has read yet.
    pub fn encode(record: &Record<'_>) -> Result<Self, RecordError> {
        let mut bytes = Vec::with_capacity(record.len());
        record::encode_into(&mut bytes, record)?;
        Ok(Self {
            header: record::decode_header(&bytes)?,
            bytes,
            stored_at: RECORD_HEADER_BYTES,
        })
    }

    /// The plaintext of this record, which was read at `at`, if it is the one of blob `expected`. `dictionary` is the one it
    /// names; in a journal, none does.
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

    /// The plaintext, whosever it is.
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

    /// The same record, to be written elsewhere as it is.
    pub fn as_record(&self) -> Record<'_> {
        self.header.with(self.stored())
    }
}

/// A plaintext, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// A content is the very bytes its id is the hash of. A manifest is verified by checksum and structure only: whoever
    /// joins its chunks compares the hash of the whole.
    pub kind: RecordKind,
    /// The plaintext.
    pub bytes: Vec<u8>,
}

/// An open pack. Holds no entries and no buffer; shared freely between threads.
///
/// A pack that lost its end opens as well: its records can still be read, and [`PackReader::salvage`] finds them.
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

    /// The same; the dictionaries it needs are kept with those of other packs.
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

    /// A pack of which nothing but its records is believed; `header` is what it is taken for.
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

    /// The blobs in it, ascending by id; read from the footer at each call. An error when the pack's end is damaged.
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

    /// What [`PackReader::listed`] answers, found by walking over the records instead of asking the footer: every record whose
    /// checksums hold and whose id is known. Content is unpacked to know it.
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

    /// The hash of the plaintext of the record at `at`, which may be any content.
    fn hash_of(&self, at: PackOffset, len: u32) -> Result<BlobId, PackReadError> {
        let record = self.read_record(at, len, &BlobId::from_bytes([0; 32]))?;
        let dictionary = self.dictionary_of(&record)?;
        Ok(BlobId::of(&record.unpacked(at, dictionary.as_deref())?))
    }

    /// Reads the record of `len` bytes at `at`, which is to be that of blob `id`: one read, both checksums. Of content, which has
    /// no id there, only [`PackReader::unpack`] tells whose it is.
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

    /// The plaintext of a record that was read from this pack.
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

    /// The dictionary that records of this pack name so: the copy at the end, or else the one at the front.
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

    /// The dictionary at that place, if it is the one that is looked for and nothing is wrong with it.
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

/// The dictionaries among what a scan finds. They have their ids with them.
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

/// The trailer, or what is wrong with it; an error only when the system failed.
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

/// Reads one record, which is to be that of blob `id`, of a file whose records end at `records_end`; for a pack without its footer
/// that is the end of the file.
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
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::blob::pack_writer::tests::{new_disk, pack_with_dictionary, small_pack};
    use crate::disk::sim::{Fault, Repeat, SimDisk};

    #[test]
    fn a_pack_without_its_end_still_gives_up_its_records_byte_for_byte() {
        let (dir, disk) = new_disk();
        let pack = small_pack(&disk);
        let path = dir.path().join(&pack.path);
        let bytes = std::fs::read(&path).expect("readable");
        let whole = PackReader::open(&*disk, &pack.path).expect("opened");
        let listed = whole.entries().expect("a footer");
        assert_eq!(whole.salvage().expect("readable"), listed);

        std::fs::write(&path, &bytes[..bytes.len() - PACK_TRAILER_BYTES - 10]).expect("writable");
        let cut = PackReader::open(&*disk, &pack.path).expect("the header is whole");
        assert!(matches!(cut.entries(), Err(PackReadError::Pack(_))));
        assert_eq!(cut.salvage().expect("readable"), listed);
        for entry in listed {
            let record = |reader: &PackReader| {
                let record = reader.read_record(entry.offset, entry.len, &entry.id);
                record.expect("whole")
            };
            assert_eq!(record(&cut), record(&whole));
        }
    }

    /// What is read under a name is taken for what it names, without another look.
    #[test]
    fn content_is_handed_out_under_its_own_name_only() {
        let record = |id: BlobId| {
            StoredRecord::encode(&Record {
                kind: RecordKind::Content,
                codec: crate::format::record::Codec::Raw,
                dictionary: None,
                raw_len: 7,
                id,
                stored: b"content",
            })
            .expect("a record")
        };
        let (own, other) = (BlobId::of(b"content"), BlobId::of(b"another"));
        let at = PackOffset(128);
        let plain = record(own).plain(at, &own, None).expect("its own");
        assert_eq!(plain.bytes, b"content");
        for (named, asked) in [(own, other), (other, own), (other, other)] {
            let refused = record(named).plain(at, &asked, None);
            assert!(
                matches!(refused, Err(PackReadError::OtherBlob { expected, .. }) if expected == asked)
            );
        }
    }

    /// One whose header is whole says whose it is, so that what is in it can be looked for.
    #[test]
    fn a_pack_opens_once_its_header_is_whole_and_is_too_short_without_room_for_its_end() {
        let (sim, path, ..) = sim_pack();
        let whole = sim.content(&path).expect("there");
        let least = PACK_HEADER_BYTES + PACK_TRAILER_BYTES;
        let cut = |len: usize| {
            sim.plant(&path, &whole[..len]).expect("planted");
            PackReader::open(&sim, &path).map(|reader| reader.listed().map(drop))
        };
        let short = |error: &PackReadError, left: usize| {
            let expected = crate::format::bytes::Truncated {
                needed: least,
                left,
            };
            matches!(error, PackReadError::Pack(PackError::Truncated(short)) if *short == expected)
        };
        let unopened = cut(PACK_HEADER_BYTES - 1).expect_err("no header");
        assert!(short(&unopened, PACK_HEADER_BYTES - 1));
        for len in [PACK_HEADER_BYTES, PACK_HEADER_BYTES + 1, least - 1] {
            let listed = cut(len).expect("its header is whole");
            assert!(listed.is_err_and(|error| short(&error, len)), "{len}");
        }
        let listed = cut(least).expect("its header is whole");
        assert!(listed.is_err_and(|error| !short(&error, least)));
    }

    /// A dictionary may be one file as a whole, which is a blob under the same name.
    #[test]
    fn what_is_found_by_walking_stands_in_the_order_of_the_footer() {
        let (sim, path, listed, _) = sim_pack();
        let reader = PackReader::open(&sim, &path).expect("opened");
        assert_eq!(reader.salvage().expect("readable"), listed);
        let [first, _] = copies(&listed);
        assert_eq!(
            listed.iter().filter(|entry| entry.id == first.id).count(),
            3
        );
    }

    /// A disk with a pack that has a dictionary in it, what the pack lists, and the name of the dictionary.
    fn sim_pack() -> (SimDisk, PathBuf, Vec<PackEntry>, DictTag) {
        let sim = SimDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        for dir in ["tmp", "packs"] {
            disk.make_dir(Path::new(dir)).expect("made");
        }
        let path = pack_with_dictionary(&disk).path;
        let reader = PackReader::open(&*disk, &path).expect("opened");
        let listed = reader.listed().expect("a footer");
        let dictionary = listed
            .iter()
            .find(|entry| entry.kind == RecordKind::Dictionary);
        let tag = DictTag::of(&dictionary.expect("listed").id).expect("a name");
        (sim, path, listed, tag)
    }

    /// Where the two copies of the dictionary are.
    fn copies(listed: &[PackEntry]) -> [PackEntry; 2] {
        let of_dictionary = |entry: &&PackEntry| entry.kind == RecordKind::Dictionary;
        let copies: Vec<PackEntry> = listed.iter().filter(of_dictionary).copied().collect();
        copies.try_into().expect("two copies")
    }

    fn damage(sim: &SimDisk, path: &Path, record: &PackEntry) {
        let bit = (record.offset.0 + RECORD_HEADER_BYTES as u64) * 8;
        sim.flip_bit(path, bit).expect("flipped");
    }

    /// Taken for damage, a read that fails once would make content unreadable that is whole.
    #[test]
    fn whatever_read_fails_while_a_dictionary_is_looked_for_the_error_of_the_disk_is_told() {
        let (sim, path, listed, tag) = sim_pack();
        let [first, second] = copies(&listed);
        let footer = second.offset.0 + u64::from(second.len);
        let whole = sim.content(&path).expect("readable");
        let mut struck = Vec::new();
        for (second_is_whole, has_end) in [(true, true), (false, true), (false, false)] {
            sim.overwrite(&path, 0, &whole).expect("as it was");
            if !second_is_whole {
                damage(&sim, &path, &second);
            }
            if !has_end {
                sim.truncate(&path, footer).expect("cut");
            }
            let mut failed = 0;
            loop {
                let reader = PackReader::open(&sim, &path).expect("opened");
                assert_eq!(reader.entries().is_ok(), has_end);
                let struck_before = sim.struck();
                sim.fail_at(failed, Fault::Os(5), Repeat::Once);
                let found = reader.dictionary(tag);
                sim.heal();
                if sim.struck() == struck_before {
                    let bytes = found.expect("readable");
                    assert_eq!(BlobId::of(bytes.bytes()), first.id);
                    break;
                }
                assert!(
                    matches!(&found, Err(PackReadError::Io(error)) if error.raw_os_error() == Some(5)),
                    "call {failed} of a pack with {second_is_whole} {has_end}: {found:?}"
                );
                failed += 1;
                // It failed once, and is found by the same reader from then on.
                reader.dictionary(tag).expect("readable");
            }
            struck.push(failed);
        }
        // The second copy: walked over in two reads, then read. Damaged: the walk goes on, then the footer and the first copy.
        assert_eq!(struck[0], 3);
        assert!(struck[1] > 4 && struck[2] > 4, "{struck:?}");
    }

    /// Behind damage the walk finds its way back to records of both forms: content, and dictionaries with their ids.
    #[test]
    fn a_damaged_record_costs_a_walk_that_record_and_no_other() {
        let (sim, path, listed, _) = sim_pack();
        let whole = sim.content(&path).expect("readable");
        for gone in &listed {
            sim.overwrite(&path, 0, &whole).expect("as it was");
            damage(&sim, &path, gone);
            let reader = PackReader::open(&sim, &path).expect("opened");
            let found = reader.salvage().expect("readable");
            let expected: Vec<_> = listed.iter().filter(|entry| *entry != gone).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{gone:?}");
        }
    }

    /// Taken for damage, it would cost a repair content that is whole.
    #[test]
    fn whatever_read_fails_while_a_pack_is_walked_over_the_error_of_the_disk_is_told() {
        let (sim, path, listed, _) = sim_pack();
        for failed in 0.. {
            let reader = PackReader::open(&sim, &path).expect("opened");
            let struck_before = sim.struck();
            sim.fail_at(failed, Fault::Os(5), Repeat::Once);
            let found = reader.salvage();
            sim.heal();
            if sim.struck() == struck_before {
                assert_eq!(found.expect("readable"), listed);
                assert!(failed > 2 * listed.len() as u64, "{failed}");
                break;
            }
            assert!(
                matches!(&found, Err(PackReadError::Io(error)) if error.raw_os_error() == Some(5)),
                "call {failed}: {found:?}"
            );
        }
    }

    /// A file that is cut while it is open reads as one that was cut before.
    #[test]
    fn a_pack_that_loses_its_footer_while_it_is_open_still_gives_its_dictionary() {
        let (sim, path, listed, tag) = sim_pack();
        let [first, second] = copies(&listed);
        damage(&sim, &path, &second);
        let reader = PackReader::open(&sim, &path).expect("opened");
        let footer = second.offset.0 + u64::from(second.len);
        sim.truncate(&path, footer + 1).expect("cut");
        let listed = reader.listed();
        assert!(
            matches!(listed, Err(PackReadError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof)
        );
        let stored = reader.stored_dictionary(tag).expect("the first copy");
        assert_eq!(stored.header.id, first.id);
    }

    #[test]
    fn a_dictionary_that_was_cut_off_is_missing_and_no_error_of_the_disk() {
        let (sim, path, listed, tag) = sim_pack();
        let [first, second] = copies(&listed);
        sim.truncate(&path, second.offset.0).expect("cut");
        let reader = PackReader::open(&sim, &path).expect("opened");
        let stored = reader.stored_dictionary(tag).expect("the first copy");
        assert_eq!(stored.header.id, first.id);
        sim.truncate(&path, first.offset.0 + 1).expect("cut");
        let lost = reader.stored_dictionary(tag);
        assert!(matches!(lost, Err(PackReadError::Dictionary(of)) if of == tag));
    }
}
