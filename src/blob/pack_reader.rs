//! Reading packs: one positioned read a record, every byte checked before it is handed out.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::blob::compression::{DecompressError, decompress};
use crate::disk::{Disk, DiskFile, OpenMode};
use crate::format::pack::{
    self, PACK_HEADER_BYTES, PACK_TRAILER_BYTES, PackEntry, PackError, PackHeader, PackOffset,
    PackTrailer, ReadAt,
};
use crate::format::record::{
    self, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, Record, RecordError, RecordHeader, RecordKind,
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
    /// What it says of itself.
    pub header: RecordHeader,
    bytes: Vec<u8>,
}

impl StoredRecord {
    /// The stored bytes.
    pub fn stored(&self) -> &[u8] {
        &self.bytes[RECORD_HEADER_BYTES..]
    }

    /// The plaintext of this record, which was read at `at`, if it is the one of blob `expected`.
    pub fn into_plain(self, at: PackOffset, expected: &BlobId) -> Result<Plain, PackReadError> {
        let mut bytes = Vec::new();
        decompress(&self.header, self.stored(), &mut bytes)
            .map_err(|error| PackReadError::Decompress { at, error })?;
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

    /// The same record, to be written elsewhere as it is.
    pub fn as_record(&self) -> Record<'_> {
        Record {
            kind: self.header.kind,
            codec: self.header.codec,
            dictionary: self.header.dictionary,
            raw_len: self.header.raw_len,
            id: self.header.id,
            stored: self.stored(),
        }
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
#[derive(Clone)]
pub struct PackReader {
    file: Arc<dyn DiskFile>,
    header: PackHeader,
    trailer: PackTrailer,
}

impl std::fmt::Debug for PackReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackReader")
            .field("header", &self.header)
            .field("trailer", &self.trailer)
            .finish_non_exhaustive()
    }
}

impl PackReader {
    /// Opens a pack after a look at its two ends.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, PackReadError> {
        let file = disk.open(path, OpenMode::Read)?;
        let size = file.size()?;
        let mut header = [0; PACK_HEADER_BYTES];
        let mut trailer = [0; PACK_TRAILER_BYTES];
        let trailer_at = size.saturating_sub(PACK_TRAILER_BYTES as u64);
        if trailer_at < PACK_HEADER_BYTES as u64 {
            return Err(PackError::Truncated(crate::format::bytes::Truncated {
                needed: PACK_HEADER_BYTES + PACK_TRAILER_BYTES,
                left: usize::try_from(size).unwrap_or(usize::MAX),
            })
            .into());
        }
        file.read_exact_at(&mut header, 0)?;
        file.read_exact_at(&mut trailer, trailer_at)?;
        let header = pack::decode_header(&header)?;
        let trailer = pack::decode_trailer(&trailer, size)?;
        if header.pack != trailer.pack {
            return Err(PackError::Contradiction {
                part: pack::PackPart::Trailer,
                what: "it ends another pack",
            }
            .into());
        }
        Ok(Self {
            file,
            header,
            trailer,
        })
    }

    /// What the pack says of itself.
    pub const fn header(&self) -> &PackHeader {
        &self.header
    }

    /// What the pack's end says.
    pub const fn trailer(&self) -> &PackTrailer {
        &self.trailer
    }

    /// What stands where, ascending by blob id; read from the footer at each call.
    pub fn entries(&self) -> Result<Vec<PackEntry>, PackReadError> {
        let len = usize::try_from(self.trailer.footer_len)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let mut footer = vec![0; len];
        self.file
            .read_exact_at(&mut footer, self.trailer.footer_offset)?;
        Ok(pack::decode_footer(&footer, &self.trailer)?)
    }

    /// Reads the record of `len` bytes at `at`: one read, both checksums.
    pub fn read_record(&self, at: PackOffset, len: u32) -> Result<StoredRecord, PackReadError> {
        read_record(&*self.file, self.trailer.footer_offset, at, len)
    }

    /// Reads the plaintext of blob `expected` from the record at `at`.
    pub fn read_plain(
        &self,
        at: PackOffset,
        len: u32,
        expected: &BlobId,
    ) -> Result<Plain, PackReadError> {
        self.read_record(at, len)?.into_plain(at, expected)
    }
}

/// Reads one record of a pack whose records end at `records_end`; for a pack without its footer that is the end of the file.
pub fn read_record(
    file: &dyn DiskFile,
    records_end: u64,
    at: PackOffset,
    len: u32,
) -> Result<StoredRecord, PackReadError> {
    let size = len as usize;
    let end = at.0.checked_add(u64::from(len));
    if !(RECORD_HEADER_BYTES..=RECORD_BYTES_MAX).contains(&size)
        || end.is_none_or(|end| end > records_end)
    {
        return Err(PackReadError::Place { at, len });
    }
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, at.0)?;
    let (header, _) =
        record::decode(&bytes).map_err(|error| PackReadError::Record { at, error })?;
    if header.record_len() == len {
        Ok(StoredRecord { header, bytes })
    } else {
        Err(PackReadError::Place { at, len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::pack_writer::tests::{new_disk, small_pack};
    use crate::format::pack::RecordScan;

    #[test]
    fn a_pack_without_its_end_still_gives_up_its_records_byte_for_byte() {
        let (dir, disk) = new_disk();
        let pack = small_pack(&disk);
        let path = dir.path().join(&pack.path);
        let bytes = std::fs::read(&path).expect("readable");
        let cut = bytes.len() - PACK_TRAILER_BYTES - 10;
        std::fs::write(&path, &bytes[..cut]).expect("writable");
        assert!(PackReader::open(&*disk, &pack.path).is_err());

        let file = disk.open(&pack.path, OpenMode::Read).expect("opened");
        let mut copied = bytes[..PACK_HEADER_BYTES].to_vec();
        for found in RecordScan::new(&*file).expect("opened") {
            let (at, header) = found.expect("readable");
            let record =
                read_record(&*file, cut as u64, at, header.record_len()).expect("a whole record");
            assert_eq!(record.header, header);
            record::encode_into(&mut copied, &record.as_record()).expect("valid");
        }
        let records_end = bytes.len() - PACK_TRAILER_BYTES - 3 * pack::FOOTER_ENTRY_BYTES;
        assert_eq!(copied, bytes[..records_end]);
    }
}
