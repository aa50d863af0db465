//! What a preview reads: a stored content, or bytes in memory in tests.

use std::io::{self, Read, Seek, SeekFrom};

use crate::archive::{Archive, BlobReader};
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// The bytes that a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) struct Span {
    pub(in crate::web) from: u64,
    pub(in crate::web) to: u64,
    pub(in crate::web) page: u64,
    pub(in crate::web) pages: u64,
}

/// Bytes of which any part can be read.
pub(in crate::web) trait Content {
    /// Returns the bytes of the whole.
    fn size(&self) -> u64;

    /// Reads up to `bytes` bytes from `at` on; fewer at the end.
    fn window(&self, at: u64, bytes: usize) -> Result<Vec<u8>>;

    /// Returns a reader that passes over what is not read. It seeks forwards only.
    fn reader(&self) -> Result<Box<dyn Forwards>>;
}

/// A reader that seeks forwards only.
pub(in crate::web) trait Forwards: Read + Seek {}

impl<T: Read + Seek> Forwards for T {}

/// A content of the store.
pub(in crate::web) struct Stored<'a> {
    archive: &'a Archive,
    blob: BlobId,
    size: u64,
}

impl<'a> Stored<'a> {
    /// Returns a content of the store. Fails when the store has it no longer.
    pub(in crate::web) fn open(archive: &'a Archive, blob: BlobId) -> Result<Self> {
        let size = archive.read(&blob)?.size();
        Ok(Self {
            archive,
            blob,
            size,
        })
    }
}

impl Content for Stored<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn window(&self, at: u64, bytes: usize) -> Result<Vec<u8>> {
        let mut reader = self.archive.read(&self.blob)?;
        reader.skip(at)?;
        let mut read = Vec::new();
        reader
            .take(bytes as u64)
            .read_to_end(&mut read)
            .map_err(read_error)?;
        Ok(read)
    }

    fn reader(&self) -> Result<Box<dyn Forwards>> {
        Ok(Box::new(Skipping {
            at: 0,
            reader: self.archive.read(&self.blob)?,
        }))
    }
}

/// Returns the archive's error when an `io::Error` carries one.
pub(super) fn read_error(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::io("read", "the stored content", error),
    }
}

/// A stored content that is read forwards, with gaps.
struct Skipping {
    at: u64,
    reader: BlobReader,
}

impl Read for Skipping {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(out)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Skipping {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        let ahead = to.and_then(|to| to.checked_sub(self.at)).ok_or_else(|| {
            let refused = Error::new(ErrorKind::Unsupported, "this content is read forwards only");
            io::Error::other(refused)
        })?;
        self.reader.skip(ahead).map_err(io::Error::other)?;
        self.at += ahead;
        Ok(self.at)
    }
}

#[cfg(test)]
impl Content for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn window(&self, at: u64, bytes: usize) -> Result<Vec<u8>> {
        let at = usize::try_from(at).expect("small").min(self.len());
        Ok(self[at..self.len().min(at.saturating_add(bytes))].to_vec())
    }

    fn reader(&self) -> Result<Box<dyn Forwards>> {
        Ok(Box::new(io::Cursor::new(self.clone())))
    }
}
