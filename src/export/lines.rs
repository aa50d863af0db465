//! Reads the lines of `data/events.jsonl` with bounded memory.

use std::borrow::Cow;
use std::io;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::event::Event;
use crate::format::leaf;
use crate::id::EventSeq;

/// Bytes that are read at once; a line always fits.
const PIECE_BYTES: usize = 1 << 20;

/// Where a line is in the file: its offset and, in the lowest 16 bits, its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(NonZeroU64);

impl Place {
    /// Returns `None` for an empty line, a line too long for an event, and an absurd offset.
    pub(super) fn new(offset: u64, len: usize) -> Option<Self> {
        let len = u16::try_from(len).ok().filter(|len| *len > 0)?;
        let high = offset.checked_mul(1 << 16)?;
        NonZeroU64::new(high | u64::from(len)).map(Self)
    }

    fn offset(self) -> u64 {
        self.0.get() >> 16
    }

    fn len(self) -> usize {
        let [low, high, ..] = self.0.get().to_le_bytes();
        usize::from(u16::from_le_bytes([low, high]))
    }
}

/// What comes next in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A line, now in the caller's buffer.
    Line(Place),
    /// The file ends after a line feed, or is empty.
    End,
    /// The file ends inside a line.
    Cut,
    /// What comes next is no line of an event: it is empty or too long.
    NoLine,
}

/// A file of lines, each ended by a line feed.
pub(super) struct Lines {
    file: Arc<dyn DiskFile>,
    bytes: u64,
    /// Offset in the file of the first byte in `piece`.
    piece_at: u64,
    piece: Vec<u8>,
    /// The first byte in `piece` that was not handed out.
    start: usize,
}

impl Lines {
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = disk.open(path, OpenMode::Read)?;
        Ok(Self {
            bytes: file.size()?,
            file,
            piece_at: 0,
            piece: Vec::new(),
            start: 0,
        })
    }

    /// Copies the next line to `line`, without its line feed.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Next> {
        let mut searched = self.start;
        let end = loop {
            let found = memchr(&self.piece[searched..]).map(|at| searched + at);
            if let Some(end) = found {
                break end;
            }
            if self.piece.len() - self.start > leaf::LEAF_BYTES_MAX {
                return Ok(Next::NoLine);
            }
            let waiting = self.piece.len() - self.start;
            if !self.read_on()? {
                return Ok(if waiting == 0 { Next::End } else { Next::Cut });
            }
            searched = self.start + waiting;
        };
        line.clear();
        line.extend_from_slice(&self.piece[self.start..end]);
        let place = Place::new(self.piece_at + self.start as u64, line.len());
        self.start = end + 1;
        Ok(place.map_or(Next::NoLine, Next::Line))
    }

    /// Reads the next piece behind what was not handed out. Returns false at the end of the file.
    fn read_on(&mut self) -> io::Result<bool> {
        self.piece.drain(..self.start);
        self.piece_at += self.start as u64;
        self.start = 0;
        let from = self.piece_at + self.piece.len() as u64;
        let left = usize::try_from(self.bytes - from).unwrap_or(PIECE_BYTES);
        let take = left.min(PIECE_BYTES);
        let held = self.piece.len();
        self.piece.resize(held + take, 0);
        self.file.read_exact_at(&mut self.piece[held..], from)?;
        Ok(take > 0)
    }

    /// Reads a line again, and decodes it.
    pub(super) fn event_at(&self, place: Place) -> io::Result<Option<Event>> {
        let mut line = vec![0; place.len()];
        self.file.read_exact_at(&mut line, place.offset())?;
        Ok(event_of(&line))
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

/// Returns the event of a line; `None` for a line that this version cannot read.
pub(super) fn event_of(line: &[u8]) -> Option<Event> {
    leaf::decode(str::from_utf8(line).ok()?).ok()
}

/// What a line says of its own place in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(super) seq: EventSeq,
    /// `urn:annals:` and the store id.
    pub(super) source: String,
    pub(super) kind: String,
}

#[derive(Deserialize)]
struct RawHead<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    sequence: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

impl Head {
    /// Returns the head of a line. Returns `None` when it is no event, or has two different
    /// numbers.
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        let raw: RawHead<'_> = serde_json::from_slice(line).ok()?;
        let seq: EventSeq = raw.id.parse().ok()?;
        (raw.sequence == format!("{:020}", seq.0)).then(|| Self {
            seq,
            source: raw.source.into_owned(),
            kind: raw.kind.into_owned(),
        })
    }
}
