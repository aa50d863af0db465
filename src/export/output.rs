//! Writes files of a bundle, and remembers the digest of each.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use sha2::Digest;

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::id::Sha256;

/// Bytes that are written at once.
const PIECE_BYTES: usize = 1 << 20;

/// A file that is being written.
pub(super) struct Output {
    file: Arc<dyn DiskFile>,
    written: u64,
    piece: Vec<u8>,
    hasher: sha2::Sha256,
}

/// A file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) sha256: Sha256,
    pub(super) bytes: u64,
}

impl Output {
    /// Makes a file that must not exist yet.
    pub(super) fn create(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: disk.open(path, OpenMode::CreateNew)?,
            written: 0,
            piece: Vec::new(),
            hasher: sha2::Sha256::new(),
        })
    }

    /// Ends the file. It is durable, except for its name.
    pub(super) fn finish(mut self) -> io::Result<Written> {
        self.flush()?;
        self.file.sync()?;
        Ok(Written {
            sha256: Sha256::from_bytes(self.hasher.finalize().into()),
            bytes: self.written,
        })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.piece, self.written)?;
        self.hasher.update(&self.piece);
        self.written += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }
}

/// Compares what is written to it with a file that exists.
pub(super) struct Compared {
    file: Arc<dyn DiskFile>,
    bytes: u64,
    at: u64,
    piece: Vec<u8>,
    known: Vec<u8>,
    differs: bool,
}

impl Compared {
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = disk.open(path, OpenMode::Read)?;
        Ok(Self {
            bytes: file.size()?,
            file,
            at: 0,
            piece: Vec::new(),
            known: Vec::new(),
            differs: false,
        })
    }

    /// Returns whether the file has exactly the bytes that were written.
    pub(super) fn finish_same(mut self) -> io::Result<bool> {
        self.flush()?;
        Ok(!self.differs && self.at == self.bytes)
    }
}

impl Write for Compared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.differs {
            self.piece.extend_from_slice(bytes);
            if self.piece.len() >= PIECE_BYTES {
                self.flush()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let end = self.at + self.piece.len() as u64;
        if self.differs || end > self.bytes {
            self.differs = true;
            return Ok(());
        }
        self.known.resize(self.piece.len(), 0);
        self.file.read_exact_at(&mut self.known, self.at)?;
        self.differs = self.known != self.piece;
        self.at = end;
        self.piece.clear();
        Ok(())
    }
}
