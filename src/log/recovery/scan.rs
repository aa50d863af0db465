//! Walks the frames of one generation of a journal file.

use super::decision::TailState;
use crate::format::frame::{Frame, FrameHeader, JOURNAL_HEADER_BYTES};
use crate::id::EventSeq;
use crate::log::journal::{Journal, TERMINATOR_BYTES};
use crate::log::journal_bytes::JournalBytes;

pub(super) enum Tail {
    /// Zeros where the next frame would be, and no frame of this generation after them.
    Clean,
    /// Traces of a group that never became durable.
    Torn(std::ops::Range<usize>),
    /// A later frame proves that the bytes here were durable.
    Damaged,
}

impl Tail {
    /// Returns the kind of the tail, without its position.
    pub(super) fn state(&self) -> TailState {
        match self {
            Self::Clean => TailState::Clean,
            Self::Torn(_) => TailState::Torn,
            Self::Damaged => TailState::Damaged,
        }
    }
}

/// Walks the frames of one generation of a file.
pub(super) struct Scan<'a> {
    all: &'a JournalBytes,
    generation: u64,
    pub(super) expected: EventSeq,
    pub(super) at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(journal: &Journal, all: &'a JournalBytes) -> Self {
        Self {
            all,
            generation: journal.header.generation,
            expected: journal.header.first_seq,
            at: JOURNAL_HEADER_BYTES,
        }
    }

    pub(super) fn next_frame(&mut self) -> Option<(u64, Frame<'a>)> {
        let frame = Frame::decode(self.all.bytes().get(self.at..)?).ok()?;
        if frame.header.generation != self.generation || frame.header.seq != self.expected {
            return None;
        }
        let offset = self.at;
        self.at += frame.header.frame_bytes();
        self.expected = self.expected.next();
        Some((offset as u64, frame))
    }

    /// Returns the frame headers of this generation after the position where the walk stopped.
    pub(super) fn survivors(&self) -> impl Iterator<Item = (usize, EventSeq)> + '_ {
        let expected = self.expected;
        self.heads()
            .filter(move |(_, header)| header.seq > expected)
            .map(|(offset, header)| (offset, header.seq))
    }

    fn heads(&self) -> impl Iterator<Item = (usize, FrameHeader)> + '_ {
        self.all.heads(self.at).filter(|(_, header)| {
            header.generation == self.generation && header.seq >= self.expected
        })
    }

    pub(super) fn tail(&self) -> Tail {
        let bytes = self.all.bytes();
        let mut end = None;
        for (offset, header) in self.heads() {
            if header.group > self.expected {
                return Tail::Damaged;
            }
            end = Some((offset + header.frame_bytes()).min(bytes.len()));
        }
        let rest = &bytes[self.at.min(bytes.len())..];
        let head = &rest[..rest.len().min(TERMINATOR_BYTES)];
        match end {
            Some(end) => Tail::Torn(self.at..end),
            None if head.iter().all(|byte| *byte == 0) => Tail::Clean,
            None => Tail::Torn(self.at..self.at + head.len()),
        }
    }
}
