//! The bytes of a whole journal file, read without spending memory on its zeros.

use crate::disk::DiskFile;
use crate::format::frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FrameHeader};
use crate::log::journal::JOURNAL_BYTES_MAX;
use std::io;

/// The bytes of a whole journal file. A file that is not full consists mostly of zeros that were
/// written ahead. It is read piece by piece, and blocks of zeros take no memory.
pub(super) struct JournalBytes {
    bytes: Vec<u8>,
    /// Where the zeros at the end of the file begin, rounded up to a block.
    written: usize,
}

impl JournalBytes {
    pub(super) const BLOCK: usize = 4096;
    const ZEROS: [u8; Self::BLOCK] = [0; Self::BLOCK];
    /// Number of bytes read with one call; a piece of this size fits a processor's cache.
    pub(super) const PIECE: usize = 64 * Self::BLOCK;

    pub(super) fn read(file: &dyn DiskFile, len: u64) -> io::Result<Self> {
        // A longer file is reported as damage by the caller.
        let len = usize::try_from(len.min(JOURNAL_BYTES_MAX)).map_err(io::Error::other)?;
        // The system provides zeroed memory on first write, so blocks of zeros that are not copied
        // take none.
        let mut bytes = vec![0; len];
        let mut written = 0;
        let mut piece = vec![0; len.min(Self::PIECE)];
        for from in (0..len).step_by(Self::PIECE) {
            let piece = &mut piece[..Self::PIECE.min(len - from)];
            file.read_exact_at(piece, from as u64)?;
            for (nth, block) in piece.chunks(Self::BLOCK).enumerate() {
                if *block != Self::ZEROS[..block.len()] {
                    let at = from + nth * Self::BLOCK;
                    written = at + block.len();
                    bytes[at..written].copy_from_slice(block);
                }
            }
        }
        Ok(Self { bytes, written })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns where the zeros at the end of the file begin, rounded up to a block.
    pub(super) fn written_to(&self) -> usize {
        self.written
    }

    /// Returns true when any byte from `from` on is not zero.
    pub(super) fn is_written_from(&self, from: usize) -> bool {
        let rest = self.bytes.get(from..self.written).unwrap_or_default();
        rest.iter().any(|byte| *byte != 0)
    }

    /// Returns every position from `from` on where a valid frame header stands, of any generation.
    pub(super) fn heads(&self, from: usize) -> impl Iterator<Item = (usize, FrameHeader)> + '_ {
        let mut offset = from;
        std::iter::from_fn(move || {
            while offset < self.written {
                let at = offset;
                if at.is_multiple_of(Self::BLOCK)
                    && self.bytes.get(at..at + Self::BLOCK) == Some(&Self::ZEROS)
                {
                    offset += Self::BLOCK;
                    continue;
                }
                offset += FRAME_ALIGN;
                let head = self.bytes.get(at..at + FRAME_HEADER_BYTES)?;
                if let Ok(header) = FrameHeader::decode(head) {
                    return Some((at, header));
                }
            }
            None
        })
    }
}
