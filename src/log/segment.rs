//! Segment files: written once when a journal file is sealed, then only read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, OpenMode, PublishError, publish};
use crate::evidence::tree::Frontier;
use crate::format::segment::{
    BLOCK_HEADER_BYTES, BLOCK_RAW_BYTES_MAX, BlockHeader, BlockIndex, Footer, SEGMENT_HEADER_BYTES,
    SEGMENT_TRAILER_BYTES, SegmentError, Trailer, decode_header, encode_header,
};
use crate::id::{EventSeq, PackId, StoreId};
use crate::log::{EVENTS_DIR, LogError};

/// A block is closed when its leaves reach this many bytes. That is enough for zstd to find
/// repetition, and little enough to unpack for a single event.
const BLOCK_RAW_BYTES: usize = 256 << 10;
/// The zstd level of blocks. Leaves are alike, so higher levels gain only a few per cent.
const BLOCK_LEVEL: i32 = 6;

/// Returns the path of the segment that begins with `first_seq`.
pub(crate) fn segment_path(first_seq: EventSeq) -> PathBuf {
    Path::new(EVENTS_DIR).join(format!("{:020}.seg", first_seq.0))
}

/// Returns the first event that a file name stands for.
pub(crate) fn first_seq_of(name: &str) -> Option<EventSeq> {
    let digits = name.strip_suffix(".seg")?;
    let first = (digits.len() == 20).then(|| digits.parse().ok().map(EventSeq))?;
    first.filter(|first| *first <= EventSeq::MAX)
}

/// Writes one segment to a temporary name; [`SegmentWriter::publish`] makes it part of the log.
pub(crate) struct SegmentWriter {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    tmp: PathBuf,
    first_seq: EventSeq,
    next_seq: EventSeq,
    offset: u64,
    block: Vec<u8>,
    block_first: EventSeq,
    footer: Footer,
    frontier: Frontier,
}

impl SegmentWriter {
    /// Starts a segment at `first_seq`. `frontier` is the tree over all earlier leaves.
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        tmp: PathBuf,
        store: &StoreId,
        first_seq: EventSeq,
        frontier: Frontier,
    ) -> Result<Self, LogError> {
        let file = disk
            .open(&tmp, OpenMode::CreateNew)
            .map_err(LogError::io("create", &tmp))?;
        let header = encode_header(store, first_seq);
        file.write_all_at(&header, 0)
            .map_err(LogError::io("write to", &tmp))?;
        Ok(Self {
            disk,
            file,
            tmp,
            first_seq,
            next_seq: first_seq,
            offset: SEGMENT_HEADER_BYTES as u64,
            block: Vec::with_capacity(BLOCK_RAW_BYTES + (64 << 10)),
            block_first: first_seq,
            footer: Footer::default(),
            frontier,
        })
    }

    /// Adds the next leaf.
    pub(crate) fn push(&mut self, leaf: &[u8]) -> Result<(), LogError> {
        if self.block.len() + leaf.len() + 1 > BLOCK_RAW_BYTES && !self.block.is_empty() {
            self.close_block()?;
        }
        self.block.extend_from_slice(leaf);
        self.block.push(b'\n');
        self.frontier.push(leaf);
        self.next_seq = self.next_seq.next();
        Ok(())
    }

    fn close_block(&mut self) -> Result<(), LogError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let refused = LogError::segment(&self.tmp);
        let packed = zstd::bulk::compress(&self.block, BLOCK_LEVEL)
            .map_err(LogError::io("compress events for", &self.tmp))?;
        let events = self.next_seq.0 - self.block_first.0;
        let sizes = (|| {
            Some(BlockHeader {
                stored_bytes: u32::try_from(packed.len()).ok()?,
                raw_bytes: u32::try_from(self.block.len()).ok()?,
                events: u32::try_from(events).ok()?,
                first_seq: self.block_first,
                body_crc: crc32c::crc32c(&packed),
            })
        })();
        let header = sizes.ok_or(SegmentError::Length).map_err(refused)?;
        let mut out = Vec::with_capacity(BLOCK_HEADER_BYTES + packed.len());
        header.encode_into(&mut out);
        out.extend_from_slice(&packed);
        self.file
            .write_all_at(&out, self.offset)
            .map_err(LogError::io("write to", &self.tmp))?;
        self.footer.blocks.push(BlockIndex {
            first_seq: self.block_first,
            offset: self.offset,
            events: header.events,
        });
        self.offset += out.len() as u64;
        self.block.clear();
        self.block_first = self.next_seq;
        Ok(())
    }

    /// Completes the segment and makes its bytes durable. It is not part of the log until it is
    /// published.
    pub(crate) fn finish(mut self, packs: Vec<(PackId, u64)>) -> Result<SyncedSegment, LogError> {
        self.footer.tree_size = self.frontier.size();
        self.footer.tree_root = self.frontier.root();
        self.footer.frontier = self.frontier.to_bytes();
        self.footer.packs = packs;
        self.close()
    }

    /// Completes a segment that a repair writes again. Its leaves may differ from those that the
    /// old tree covers.
    pub(crate) fn finish_repaired(mut self, tree: RepairedTree) -> Result<SyncedSegment, LogError> {
        match tree {
            RepairedTree::Grown => return self.finish(Vec::new()),
            RepairedTree::Kept(mut footer) => {
                footer.blocks.clear();
                self.footer = Footer {
                    blocks: std::mem::take(&mut self.footer.blocks),
                    ..footer
                };
            }
            RepairedTree::Unknown => self.footer.tree_size = self.next_seq.0 - 1,
        }
        self.close()
    }

    fn close(mut self) -> Result<SyncedSegment, LogError> {
        self.close_block()?;
        let tmp = self.tmp.clone();
        let footer = self.footer.encode().map_err(LogError::segment(&tmp))?;
        let trailer = Trailer {
            first_seq: self.first_seq,
            last_seq: EventSeq(self.next_seq.0 - 1),
            footer_offset: self.offset,
            footer_bytes: footer.len() as u64,
            footer_crc: crc32c::crc32c(&footer),
        };
        let mut end = footer;
        end.extend_from_slice(&trailer.encode());
        self.file
            .write_all_at(&end, self.offset)
            .map_err(LogError::io("write to", &tmp))?;
        self.file.sync().map_err(LogError::io("sync", &tmp))?;
        let reader = SegmentReader {
            bytes: self.offset + end.len() as u64,
            file: self.file,
            path: segment_path(self.first_seq),
            trailer,
        };
        Ok(SyncedSegment {
            disk: self.disk,
            tmp,
            reader,
        })
    }
}

/// The tree that the footer of a repaired segment states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RepairedTree {
    /// The tree over the leaves as they are now.
    Grown,
    /// The tree of the old footer, over the leaves as they were.
    Kept(Footer),
    /// None: leaves are lost, and a later segment states the tree.
    Unknown,
}

/// A segment whose bytes are durable, but which has no name yet.
pub(crate) struct SyncedSegment {
    disk: Arc<dyn Disk>,
    tmp: PathBuf,
    reader: SegmentReader,
}

impl SyncedSegment {
    /// Gives the segment its name. On `Ok` it is part of the log for ever. After
    /// [`LogError::Unsure`] it may be part of the log: only opening the store again tells. After
    /// any other error it is not.
    pub(crate) fn publish(self) -> Result<SegmentReader, LogError> {
        let path = &self.reader.path;
        publish(&*self.disk, &self.tmp, path).map_err(|error| match error {
            PublishError::Rename(error) => LogError::io("rename", &self.tmp)(error),
            PublishError::SyncDir(source) => LogError::Unsure {
                path: path.clone(),
                source,
            },
        })?;
        Ok(self.reader)
    }
}

/// A sealed segment, open for reading. The footer is read only when it is needed.
#[derive(Clone)]
pub(crate) struct SegmentReader {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    trailer: Trailer,
    bytes: u64,
}

impl SegmentReader {
    /// Opens the segment that begins with `first_seq`, checking header and trailer.
    pub(crate) fn open(
        disk: &dyn Disk,
        store: &StoreId,
        first_seq: EventSeq,
    ) -> Result<Self, LogError> {
        Self::open_at(disk, segment_path(first_seq), store, first_seq)
    }

    /// Opens a segment under a name that differs from its name in a store.
    pub(crate) fn open_at(
        disk: &dyn Disk,
        path: PathBuf,
        store: &StoreId,
        first_seq: EventSeq,
    ) -> Result<Self, LogError> {
        let refused = |why| LogError::segment(&path)(why);
        let file = disk
            .open(&path, OpenMode::Read)
            .map_err(LogError::io("open", &path))?;
        let bytes = file.size().map_err(LogError::io("measure", &path))?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        let mut trailer = [0; SEGMENT_TRAILER_BYTES];
        let at = bytes
            .checked_sub(SEGMENT_TRAILER_BYTES as u64)
            .filter(|at| *at >= SEGMENT_HEADER_BYTES as u64)
            .ok_or_else(|| refused(SegmentError::Truncated))?;
        file.read_exact_at(&mut header, 0)
            .and_then(|()| file.read_exact_at(&mut trailer, at))
            .map_err(LogError::io("read", &path))?;
        let named = decode_header(&header, store).map_err(refused)?;
        let trailer = Trailer::decode(&trailer).map_err(refused)?;
        if named != first_seq || trailer.first_seq != first_seq {
            return Err(refused(SegmentError::Order));
        }
        if trailer.footer_offset.checked_add(trailer.footer_bytes) != Some(at) {
            return Err(refused(SegmentError::Length));
        }
        Ok(Self {
            file,
            path,
            trailer,
            bytes,
        })
    }

    /// Returns the first event in it.
    pub(crate) fn first_seq(&self) -> EventSeq {
        self.trailer.first_seq
    }

    /// Returns the last event in it.
    pub(crate) fn last_seq(&self) -> EventSeq {
        self.trailer.last_seq
    }

    /// Returns the length of the file in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns its path relative to the store.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads and checks the footer.
    pub(crate) fn footer(&self) -> Result<Footer, LogError> {
        let length = usize::try_from(self.trailer.footer_bytes)
            .map_err(|_| LogError::segment(&self.path)(SegmentError::Length))?;
        let mut footer = vec![0; length];
        self.file
            .read_exact_at(&mut footer, self.trailer.footer_offset)
            .map_err(LogError::io("read", &self.path))?;
        if crc32c::crc32c(&footer) != self.trailer.footer_crc {
            return Err(LogError::segment(&self.path)(SegmentError::Checksum(
                "footer",
            )));
        }
        Footer::decode(&footer).map_err(LogError::segment(&self.path))
    }

    /// Returns the tree over all leaves up to the last of this segment.
    pub(crate) fn frontier(&self) -> Result<Frontier, LogError> {
        let footer = self.footer()?;
        Frontier::from_bytes(&footer.frontier)
            .ok()
            .filter(|frontier| {
                frontier.size() == footer.tree_size && frontier.root() == footer.tree_root
            })
            .ok_or_else(|| LogError::segment(&self.path)(SegmentError::Checksum("tree")))
    }

    /// Returns the leaves of one block, each followed by a newline. Checksums are verified.
    pub(crate) fn block(&self, at: &BlockIndex) -> Result<Vec<u8>, LogError> {
        read_block(&*self.file, &self.path, at)
    }
}

/// Returns the leaves of the block at `at` in the file at `path`, each followed by a newline.
/// Checksums are verified.
pub(super) fn read_block(
    file: &dyn DiskFile,
    path: &Path,
    at: &BlockIndex,
) -> Result<Vec<u8>, LogError> {
    let refused = |why| LogError::segment(path)(why);
    let mut head = [0; BLOCK_HEADER_BYTES];
    file.read_exact_at(&mut head, at.offset)
        .map_err(LogError::io("read", path))?;
    let header = BlockHeader::decode(&head).map_err(refused)?;
    if header.first_seq != at.first_seq || header.events != at.events {
        return Err(refused(SegmentError::Order));
    }
    let mut packed = vec![0; header.stored_bytes as usize];
    file.read_exact_at(&mut packed, at.offset + BLOCK_HEADER_BYTES as u64)
        .map_err(LogError::io("read", path))?;
    if crc32c::crc32c(&packed) != header.body_crc {
        return Err(refused(SegmentError::Checksum("block")));
    }
    debug_assert!(header.raw_bytes as usize <= BLOCK_RAW_BYTES_MAX);
    let plain = zstd::bulk::decompress(&packed, header.raw_bytes as usize).map_err(|error| {
        LogError::Unpack {
            path: path.to_owned(),
            why: error.to_string(),
        }
    })?;
    if plain.len() != header.raw_bytes as usize || plain.last() != Some(&b'\n') {
        return Err(refused(SegmentError::Length));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests;
