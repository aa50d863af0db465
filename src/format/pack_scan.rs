//! Finds the records of a pack without its footer.

use std::io;

use crate::format::pack::{PACK_HEADER_BYTES, PackOffset};
use crate::format::record::{
    self, NAMELESS_HEADER_BYTES, NAMELESS_MAGIC, PackedHeader, RECORD_HEADER_BYTES, RECORD_MAGIC,
};

/// A source of bytes that is read by position.
pub trait ReadAt {
    /// Returns the number of bytes.
    fn size(&self) -> io::Result<u64>;

    /// Fills `out` with the bytes from `offset` on, or fails.
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

/// Finds the records of a pack without its footer: every record with valid checksums, in file
/// order.
///
/// A damaged stretch is skipped up to the next record. Memory is bounded by the longest record.
///
/// For packs that this store wrote, the time is proportional to the file's length. A malicious file
/// can cost a record's length at each step.
#[derive(Debug)]
pub struct RecordScan<'s, S: ?Sized> {
    source: &'s S,
    at: u64,
    end: u64,
    buffer: Vec<u8>,
}

/// Number of bytes searched at a time for the next record.
pub(super) const SCAN_BYTES: u64 = 64 << 10;

impl<'s, S: ReadAt + ?Sized> RecordScan<'s, S> {
    /// Starts the scan at the first record of a pack.
    pub fn new(source: &'s S) -> io::Result<Self> {
        Ok(Self {
            source,
            at: PACK_HEADER_BYTES as u64,
            end: source.size()?,
            buffer: Vec::new(),
        })
    }

    /// Scans the range from `from` to `to`, which must begin with a record.
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

    /// Returns the header of the record at `self.at`, if a complete record starts there.
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

    /// Moves to the next position after `self.at` that looks like the start of a record, or to the
    /// end.
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
                // The last bytes may be the start of a magic number.
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
