//! Finds what can still be read of a damaged log: blocks of segments and frames of journal files,
//! at any offset.
//!
//! Blocks and frames carry their own numbers and checksums, so each is found without the headers,
//! indexes and names around it. Nothing is written here.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::format::frame::{
    FRAME_ALIGN, FRAME_HEADER_BYTES, Frame, FrameHeader, JOURNAL_HEADER_BYTES, JournalHeader,
};
use crate::format::leaf;
use crate::format::segment::{
    BLOCK_HEADER_BYTES, BlockHeader, BlockIndex, Footer, SEGMENT_HEADER_BYTES, SegmentError,
};
use crate::id::{EventSeq, StoreId};
use crate::log::journal::{JOURNAL_BYTES_MAX, journal_path, slot_of};
use crate::log::journal_bytes::JournalBytes;
use crate::log::reader::{LiveFrame, read_frame};
use crate::log::segment::{SegmentReader, first_seq_of, read_block, segment_path};
use crate::log::{EVENTS_DIR, JOURNAL_DIR, LogError, list_or_nothing};

/// All that is left of a log.
pub(crate) struct Remains {
    /// Segments, by name.
    pub(crate) segments: Vec<SegmentRemains>,
    /// Journal files, by slot.
    pub(crate) journals: Vec<JournalRemains>,
}

/// What is left of a segment.
pub(crate) struct SegmentRemains {
    /// The first event it holds, according to its name.
    pub(crate) first_seq: EventSeq,
    pub(crate) path: PathBuf,
    pub(crate) state: SegmentState,
}

pub(crate) enum SegmentState {
    /// Every block can be read, and the blocks match the name and the footer.
    Intact(SegmentReader),
    Broken {
        why: String,
        /// The footer, if it can be read.
        end: Option<(SegmentReader, Footer)>,
        /// The blocks that can be read.
        blocks: Vec<BlockIndex>,
        file: Arc<dyn DiskFile>,
    },
}

/// What is left of a journal file.
pub(crate) struct JournalRemains {
    pub(crate) slot: u32,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) bytes: u64,
    /// The header, or why it cannot be read.
    pub(crate) header: Result<JournalHeader, String>,
    /// Every intact frame of any generation, in file order.
    pub(crate) frames: Vec<LiveFrame>,
    /// The newest event in any readable frame header, even if the rest of that frame is damaged.
    pub(crate) newest_head: Option<EventSeq>,
    /// True when the file is longer than a journal file may be, with content after the part that is
    /// read.
    pub(crate) holds_more: bool,
}

impl JournalRemains {
    /// Returns the generation whose frames belong to the file: the one in the header, or else the
    /// newest that has a frame.
    pub(crate) fn generation(&self) -> Option<u64> {
        let newest = || self.frames.iter().map(|frame| frame.generation).max();
        match &self.header {
            Ok(header) => Some(header.generation),
            Err(_) => newest(),
        }
    }

    /// Returns the frames of the file's generation.
    pub(crate) fn own(&self) -> impl Iterator<Item = &LiveFrame> {
        let generation = self.generation();
        let own = move |frame: &&LiveFrame| Some(frame.generation) == generation;
        self.frames.iter().filter(own)
    }

    /// Returns the first event of the file, as far as it is known.
    pub(crate) fn first_seq(&self) -> Option<EventSeq> {
        match &self.header {
            Ok(header) => Some(header.first_seq),
            Err(_) => self.own().map(|frame| frame.seq).min(),
        }
    }
}

impl Remains {
    /// Reads the whole log of `store`.
    pub(crate) fn survey(disk: &dyn Disk, store: &StoreId) -> Result<Self, LogError> {
        Ok(Self {
            segments: segments(disk, store)?,
            journals: journals(disk, store)?,
        })
    }

    /// Returns access to leaves by event number, from broken segments and from journal files.
    pub(crate) fn leaves(&self) -> Leaves<'_> {
        let mut blocks = BTreeMap::new();
        for segment in &self.segments {
            if let SegmentState::Broken {
                blocks: found,
                file,
                ..
            } = &segment.state
            {
                for block in found {
                    blocks.insert(block.first_seq, (*block, &**file, segment.path.as_path()));
                }
            }
        }
        let mut frames: BTreeMap<EventSeq, (LiveFrame, &dyn DiskFile)> = BTreeMap::new();
        for journal in &self.journals {
            for frame in &journal.frames {
                let newer = frames
                    .get(&frame.seq)
                    .is_none_or(|(known, _)| known.generation < frame.generation);
                if newer {
                    frames.insert(frame.seq, (*frame, &*journal.file));
                }
            }
        }
        Leaves {
            blocks,
            frames,
            open: None,
        }
    }
}

/// Leaves by event number; see [`Remains::leaves`].
pub(crate) struct Leaves<'a> {
    blocks: BTreeMap<EventSeq, (BlockIndex, &'a dyn DiskFile, &'a Path)>,
    frames: BTreeMap<EventSeq, (LiveFrame, &'a dyn DiskFile)>,
    /// The block that was read last, with its leaves.
    open: Option<(EventSeq, Vec<Vec<u8>>)>,
}

impl Leaves<'_> {
    /// Returns true when event `seq` can be read.
    pub(crate) fn holds(&self, seq: EventSeq) -> bool {
        self.block_of(seq).is_some() || self.frames.contains_key(&seq)
    }

    /// Returns the newest event in a broken segment.
    pub(crate) fn newest_in_blocks(&self) -> Option<EventSeq> {
        let last = |block: &BlockIndex| EventSeq(block.first_seq.0 + u64::from(block.events) - 1);
        self.blocks.values().map(|(block, _, _)| last(block)).max()
    }

    fn block_of(&self, seq: EventSeq) -> Option<(BlockIndex, &dyn DiskFile, &Path)> {
        let (_, (block, file, path)) = self.blocks.range(..=seq).next_back()?;
        let behind = block.first_seq.0 + u64::from(block.events);
        (seq.0 < behind).then_some((*block, *file, *path))
    }

    /// Returns the bytes of event `seq`; `None` when it is lost.
    pub(crate) fn leaf(&mut self, seq: EventSeq) -> Result<Option<Vec<u8>>, LogError> {
        if let Some((block, file, path)) = self.block_of(seq) {
            let first = block.first_seq;
            if self.open.as_ref().is_none_or(|(open, _)| *open != first) {
                let leaves = split(&read_block(file, path, &block)?);
                self.open = Some((first, leaves));
            }
            let leaves = self.open.as_ref().map(|(_, leaves)| leaves);
            let nth = usize::try_from(seq.0 - first.0).unwrap_or(usize::MAX);
            return Ok(leaves.and_then(|leaves| leaves.get(nth).cloned()));
        }
        let Some((live, file)) = self.frames.get(&seq) else {
            return Ok(None);
        };
        let frame = read_frame(*file, live)?;
        Ok(frame.and_then(|owned| Some(owned.frame().ok()?.leaf.to_vec())))
    }
}

fn split(plain: &[u8]) -> Vec<Vec<u8>> {
    let lines = plain.strip_suffix(b"\n").unwrap_or(plain);
    lines
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// Returns true when `leaf` is event `seq` of `store`. A checksum proves that bytes are as written,
/// but not for which store.
fn is_event(leaf: &[u8], store: &StoreId, seq: EventSeq) -> bool {
    let line = str::from_utf8(leaf).ok();
    let source = format!("\"source\":\"urn:annals:{store}\"");
    line.filter(|line| line.contains(&source))
        .and_then(|line| leaf::decode(line).ok())
        .is_some_and(|event| event.seq == seq)
}

fn segments(disk: &dyn Disk, store: &StoreId) -> Result<Vec<SegmentRemains>, LogError> {
    let dir = Path::new(EVENTS_DIR);
    let mut found = Vec::new();
    for entry in list_or_nothing(disk, dir)? {
        let Some(first_seq) = first_seq_of(&entry.name) else {
            continue;
        };
        let path = segment_path(first_seq);
        let state = match examine(disk, store, first_seq) {
            Ok(reader) => SegmentState::Intact(reader),
            Err(refused) => {
                let Refused { why, end } = *refused;
                // A file that ends too early is damaged. A disk that cannot be read is not for the
                // repair to fix.
                if let LogError::Io { source, .. } = &why
                    && source.kind() != io::ErrorKind::UnexpectedEof
                {
                    return Err(why);
                }
                let file = disk
                    .open(&path, OpenMode::Read)
                    .map_err(LogError::io("open", &path))?;
                SegmentState::Broken {
                    why: why.to_string(),
                    end,
                    blocks: blocks(&*file, &path, store)?,
                    file,
                }
            }
        };
        found.push(SegmentRemains {
            first_seq,
            path,
            state,
        });
    }
    Ok(found)
}

/// Why a segment is broken, and its footer if that can be read.
struct Refused {
    why: LogError,
    end: Option<(SegmentReader, Footer)>,
}

impl From<LogError> for Box<Refused> {
    fn from(why: LogError) -> Self {
        Self::new(Refused { why, end: None })
    }
}

/// Returns the segment if every byte of it checks out.
fn examine(
    disk: &dyn Disk,
    store: &StoreId,
    first_seq: EventSeq,
) -> Result<SegmentReader, Box<Refused>> {
    let reader = SegmentReader::open(disk, store, first_seq)?;
    let footer = reader.footer()?;
    match check_blocks(&reader, &footer) {
        Ok(()) => Ok(reader),
        Err(why) => Err(Box::new(Refused {
            why,
            end: Some((reader, footer)),
        })),
    }
}

/// Checks that every block can be read and that the blocks hold the events that header and trailer
/// state.
fn check_blocks(reader: &SegmentReader, footer: &Footer) -> Result<(), LogError> {
    let other = || LogError::segment(reader.path())(SegmentError::Order);
    let mut next = reader.first_seq();
    for block in &footer.blocks {
        let leaves = split(&reader.block(block)?).len();
        if block.first_seq != next || leaves != block.events as usize {
            return Err(other());
        }
        next = EventSeq(next.0 + u64::from(block.events));
    }
    if next == reader.last_seq().next() {
        Ok(())
    } else {
        Err(other())
    }
}

/// Number of bytes searched at a time for the next block.
const PIECE_BYTES: usize = 1 << 20;

/// Returns every intact block of a file that holds events of `store`, found by its magic number.
fn blocks(file: &dyn DiskFile, path: &Path, store: &StoreId) -> Result<Vec<BlockIndex>, LogError> {
    let size = file.size().map_err(LogError::io("measure", path))?;
    let mut found = Vec::new();
    let mut at = SEGMENT_HEADER_BYTES as u64;
    while size.saturating_sub(at) >= BLOCK_HEADER_BYTES as u64 {
        let length = usize::try_from(size - at).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at)
            .map_err(LogError::io("read", path))?;
        let mut offset = 0;
        // A block header that crosses two pieces starts the next piece.
        while let Some(head) = bytes.get(offset..offset + BLOCK_HEADER_BYTES) {
            let step = BlockHeader::decode(head)
                .ok()
                .and_then(|header| {
                    let index = BlockIndex {
                        first_seq: header.first_seq,
                        offset: at + offset as u64,
                        events: header.events,
                    };
                    let plain = read_block(file, path, &index).ok()?;
                    let leaves = split(&plain);
                    // One unreadable event does not make the block another store's.
                    let is_ours = (header.first_seq.0..)
                        .zip(&leaves)
                        .any(|(seq, leaf)| is_event(leaf, store, EventSeq(seq)));
                    let whole = leaves.len() == header.events as usize && is_ours;
                    whole.then(|| {
                        found.push(index);
                        BLOCK_HEADER_BYTES + header.stored_bytes as usize
                    })
                })
                .unwrap_or(1);
            offset += step;
        }
        at += offset as u64;
    }
    Ok(found)
}

fn journals(disk: &dyn Disk, store: &StoreId) -> Result<Vec<JournalRemains>, LogError> {
    let dir = Path::new(JOURNAL_DIR);
    let mut found = Vec::new();
    for entry in list_or_nothing(disk, dir)? {
        let Some(slot) = slot_of(&entry.name) else {
            continue;
        };
        let path = journal_path(slot);
        let file = disk
            .open(&path, OpenMode::Read)
            .map_err(LogError::io("open", &path))?;
        let all = JournalBytes::read(&*file, entry.len).map_err(LogError::io("read", &path))?;
        let holds_more = holds_more(&*file, entry.len).map_err(LogError::io("read", &path))?;
        let header = JournalHeader::decode(all.bytes(), store);
        let generation = header.as_ref().ok().map(|header| header.generation);
        found.push(JournalRemains {
            slot,
            file,
            bytes: entry.len,
            frames: frames(&all, slot, store, generation),
            header: header.map_err(|why| why.to_string()),
            holds_more,
            newest_head: all
                .heads(JOURNAL_HEADER_BYTES)
                .map(|(_, head)| head.seq)
                .max(),
        });
    }
    Ok(found)
}

/// Returns whether anything but zeros follows the part of a journal file that is read. A file of
/// absurd length is not read and counts as holding something.
fn holds_more(file: &dyn DiskFile, len: u64) -> io::Result<bool> {
    const LOOKED_AT_MAX: u64 = 16 << 30;
    if len > LOOKED_AT_MAX {
        return Ok(true);
    }
    let (zeros, mut piece) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut at = JOURNAL_BYTES_MAX;
    while at < len {
        let left = usize::try_from(len - at).unwrap_or(PIECE_BYTES);
        let piece = &mut piece[..left.min(PIECE_BYTES)];
        file.read_exact_at(piece, at)?;
        if *piece != zeros[..piece.len()] {
            return Ok(true);
        }
        at += piece.len() as u64;
    }
    Ok(false)
}

/// Returns every intact frame. The inside of a frame is content and is not searched. A frame of the
/// file's own generation belongs to this store, even if its event cannot be read.
fn frames(
    all: &JournalBytes,
    slot: u32,
    store: &StoreId,
    generation: Option<u64>,
) -> Vec<LiveFrame> {
    let mut found = Vec::new();
    let mut at = JOURNAL_HEADER_BYTES;
    while let Some(rest) = all
        .bytes()
        .get(at..)
        .filter(|rest| rest.len() >= FRAME_HEADER_BYTES && at < all.written_to())
    {
        let step = match FrameHeader::decode(rest).and_then(|_| Frame::decode(rest)) {
            Ok(frame)
                if Some(frame.header.generation) == generation
                    || is_event(frame.leaf, store, frame.header.seq) =>
            {
                let frame_bytes = frame.header.frame_bytes();
                found.push(LiveFrame {
                    seq: frame.header.seq,
                    slot,
                    generation: frame.header.generation,
                    offset: at as u64,
                    frame_bytes: u32::try_from(frame_bytes)
                        .expect("BUG: a frame that was decoded is within its limit"),
                    leaf_hash: None,
                });
                frame_bytes
            }
            _ => FRAME_ALIGN,
        };
        at += step;
    }
    found
}

#[cfg(test)]
mod tests;
