//! The bytes of a whole journal file, of which zeros take no memory.

use crate::disk::DiskFile;
use crate::format::frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FrameHeader};
use crate::log::journal::JOURNAL_BYTES_MAX;
use std::io;

/// The bytes of a whole journal file. Most of a file that is not full is zeros, written ahead. They
/// are compared where they were read, a piece at a time, and take no memory.
pub(super) struct JournalBytes {
    bytes: Vec<u8>,
    /// Where the zeros begin that the file ends with, to the block.
    written: usize,
}

impl JournalBytes {
    pub(super) const BLOCK: usize = 4096;
    const ZEROS: [u8; Self::BLOCK] = [0; Self::BLOCK];
    /// What is asked of the disk at once: as much as the nearest caches of a processor hold.
    pub(super) const PIECE: usize = 64 * Self::BLOCK;

    pub(super) fn read(file: &dyn DiskFile, len: u64) -> io::Result<Self> {
        // A longer file is reported as damage by the caller.
        let len = usize::try_from(len.min(JOURNAL_BYTES_MAX)).map_err(io::Error::other)?;
        // The system gives memory that was never written to only when it is: blocks of zeros are
        // left as they are.
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

    /// Returns where the zeros begin that the file ends with, to the block.
    pub(super) fn written_to(&self) -> usize {
        self.written
    }

    /// Returns true when anything but zeros stands from `from` on.
    pub(super) fn is_written_from(&self, from: usize) -> bool {
        let rest = self.bytes.get(from..self.written).unwrap_or_default();
        rest.iter().any(|byte| *byte != 0)
    }

    /// Everything from `from` on that reads as the head of a frame, of whatever generation.
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
