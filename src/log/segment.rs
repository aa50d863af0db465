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

/// Leaves are gathered up to this many bytes before a block is closed: enough for zstd to see what repeats, little
/// enough to unpack for one event.
const BLOCK_RAW_BYTES: usize = 256 << 10;
/// Leaves are alike; higher levels gain a few per cent of little.
const BLOCK_LEVEL: i32 = 6;

/// Where the segment that begins with `first_seq` is.
pub(crate) fn segment_path(first_seq: EventSeq) -> PathBuf {
    Path::new(EVENTS_DIR).join(format!("{:020}.seg", first_seq.0))
}

/// The first sequence a file name stands for.
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
    /// Begins a segment at `first_seq`; `frontier` is the tree over all earlier leaves.
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

    /// Closes the segment and makes its bytes durable. Nobody sees it before it has its name.
    pub(crate) fn finish(mut self, packs: Vec<(PackId, u64)>) -> Result<SyncedSegment, LogError> {
        self.footer.tree_size = self.frontier.size();
        self.footer.tree_root = self.frontier.root();
        self.footer.frontier = self.frontier.to_bytes();
        self.footer.packs = packs;
        self.close()
    }

    /// The same for a segment that was made anew by a repair, over leaves that may not be the ones its tree was made over.
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

/// What the footer of a segment that a repair made says of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RepairedTree {
    /// It grows over the leaves as they are now.
    Grown,
    /// What the old footer said, which was over the leaves as they were.
    Kept(Footer),
    /// Nothing: leaves are lost, and a later segment knows its tree better.
    Unknown,
}

/// A segment whose bytes are durable, and which has no name yet.
pub(crate) struct SyncedSegment {
    disk: Arc<dyn Disk>,
    tmp: PathBuf,
    reader: SegmentReader,
}

impl SyncedSegment {
    /// Gives it its name. On `Ok` it is part of the log for ever. After [`LogError::Unsure`] it may be, too: only opening the
    /// store again tells. After any other error it is not.
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

/// A sealed segment, open for reading. Its footer is read when it is needed.
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

    /// Opens a segment that has another name than in a store.
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

    /// The first event in it.
    pub(crate) fn first_seq(&self) -> EventSeq {
        self.trailer.first_seq
    }

    /// The last event in it.
    pub(crate) fn last_seq(&self) -> EventSeq {
        self.trailer.last_seq
    }

    /// Bytes of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its name below the store.
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

    /// The tree over all leaves up to the last of this segment.
    pub(crate) fn frontier(&self) -> Result<Frontier, LogError> {
        let footer = self.footer()?;
        Frontier::from_bytes(&footer.frontier)
            .ok()
            .filter(|frontier| {
                frontier.size() == footer.tree_size && frontier.root() == footer.tree_root
            })
            .ok_or_else(|| LogError::segment(&self.path)(SegmentError::Checksum("tree")))
    }

    /// The leaves of one block, each followed by a newline, checked.
    pub(crate) fn block(&self, at: &BlockIndex) -> Result<Vec<u8>, LogError> {
        read_block(&*self.file, &self.path, at)
    }
}

/// The leaves of the block at `at` of the file at `path`, each followed by a newline, checked.
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
mod tests {
    use super::*;
    use crate::disk::sim::{Fault, Repeat, SimDisk};

    const STORE: StoreId = StoreId::from_bytes([7; 16]);
    const FIRST: EventSeq = EventSeq(5);

    fn disk() -> SimDisk {
        let disk = SimDisk::new();
        for folder in ["tmp", EVENTS_DIR] {
            disk.make_dir(Path::new(folder)).expect("a folder");
        }
        disk
    }

    /// A segment from event 5 on, over a tree of four leaves.
    fn writer(disk: &SimDisk, leaves: &[Vec<u8>]) -> SegmentWriter {
        let mut before = Frontier::new();
        for leaf in [b"1", b"2", b"3", b"4"] {
            before.push(leaf);
        }
        let disk = Arc::new(disk.clone());
        let tmp = PathBuf::from("tmp/segment");
        let mut writer = SegmentWriter::create(disk, tmp, &STORE, FIRST, before).expect("begun");
        for leaf in leaves {
            writer.push(leaf).expect("added");
        }
        writer
    }

    fn leaves(lengths: &[usize]) -> Vec<Vec<u8>> {
        lengths.iter().map(|length| vec![b'x'; *length]).collect()
    }

    fn published(disk: &SimDisk, leaves: &[Vec<u8>]) -> SegmentReader {
        let synced = writer(disk, leaves).finish(vec![(PackId(3), 900)]);
        synced.and_then(SyncedSegment::publish).expect("published")
    }

    #[test]
    fn a_name_stands_for_the_first_event_and_other_names_for_none() {
        for seq in [1, 42, EventSeq::MAX.0] {
            let path = segment_path(EventSeq(seq));
            let name = path.file_name().and_then(|name| name.to_str());
            assert_eq!(first_seq_of(name.expect("text")), Some(EventSeq(seq)));
        }
        let beyond = format!("{:020}.seg", EventSeq::MAX.0 + 1);
        for name in [
            "1.seg",
            "000000000000000000001.seg",
            "0000000000000000000x.seg",
            &beyond,
        ] {
            assert_eq!(first_seq_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_block_is_closed_before_it_grows_past_its_size_and_holds_a_longer_leaf_alone() {
        const FULL: usize = BLOCK_RAW_BYTES;
        let disk = disk();
        let leaves = leaves(&[100, FULL - 102, 1, FULL - 2, FULL + 10, 1]);
        let reader = published(&disk, &leaves);
        assert_eq!(
            (reader.first_seq(), reader.last_seq()),
            (FIRST, EventSeq(10))
        );
        let footer = reader.footer().expect("readable");
        let blocks: Vec<_> = footer
            .blocks
            .iter()
            .map(|block| (block.first_seq.0, block.events))
            .collect();
        assert_eq!(blocks, [(5, 2), (7, 1), (8, 1), (9, 1), (10, 1)]);
        assert_eq!(footer.packs, [(PackId(3), 900)]);
        let all: Vec<u8> = footer
            .blocks
            .iter()
            .flat_map(|block| reader.block(block).expect("readable"))
            .collect();
        let expected: Vec<u8> = leaves
            .iter()
            .flat_map(|leaf| [leaf.as_slice(), b"\n"].concat())
            .collect();
        assert!(all == expected);
        let again = SegmentReader::open(&disk, &STORE, FIRST).expect("opened");
        assert_eq!(again.footer().expect("readable"), footer);
        assert_eq!(again.bytes(), reader.bytes());
        let on_disk = disk.content(reader.path()).expect("there").len() as u64;
        assert_eq!(reader.bytes(), on_disk);
        let tree = again.frontier().expect("a tree");
        assert_eq!(tree.size(), 10);
    }

    /// Each block says itself what an index may say wrongly.
    #[test]
    fn a_block_that_is_not_the_one_asked_for_is_refused() {
        let reader = published(&disk(), &leaves(&[100, 200]));
        let block = reader.footer().expect("readable").blocks[0];
        let other_first = BlockIndex {
            first_seq: EventSeq(6),
            ..block
        };
        let other_events = BlockIndex { events: 3, ..block };
        for index in [other_first, other_events] {
            let refused = reader.block(&index).expect_err("another block");
            assert!(
                refused
                    .to_string()
                    .contains(&SegmentError::Order.to_string())
            );
        }
    }

    #[test]
    fn a_segment_under_another_name_of_another_store_or_cut_short_does_not_open() {
        let disk = disk();
        let reader = published(&disk, &leaves(&[100]));
        let whole = disk.content(reader.path()).expect("there");
        let why = |store: &StoreId, first: EventSeq, bytes: &[u8]| {
            disk.plant(segment_path(first), bytes).expect("planted");
            match SegmentReader::open(&disk, store, first) {
                Err(LogError::Segment { why, .. }) => Some(why),
                Err(error) => panic!("another error: {error}"),
                Ok(_) => None,
            }
        };
        assert_eq!(why(&STORE, FIRST, &whole), None);
        assert_eq!(why(&STORE, EventSeq(6), &whole), Some(SegmentError::Order));
        let other = StoreId::from_bytes([8; 16]);
        assert_eq!(why(&other, FIRST, &whole), Some(SegmentError::OtherStore));
        assert_eq!(
            why(&STORE, FIRST, &whole[..127]),
            Some(SegmentError::Truncated)
        );
        assert_eq!(why(&STORE, FIRST, &[]), Some(SegmentError::Truncated));
        let missing_a_byte = [&whole[..100], &whole[101..]].concat();
        assert_eq!(
            why(&STORE, FIRST, &missing_a_byte),
            Some(SegmentError::Length)
        );
        // Header and trailer of two segments.
        let at = whole.len() - SEGMENT_TRAILER_BYTES;
        let mut trailer = Trailer::decode(&whole[at..]).expect("a trailer");
        trailer.first_seq = EventSeq(4);
        let mixed = [&whole[..at], &trailer.encode()].concat();
        assert_eq!(why(&STORE, FIRST, &mixed), Some(SegmentError::Order));
        // As short as one can be.
        trailer.first_seq = FIRST;
        (trailer.footer_offset, trailer.footer_bytes) = (64, 0);
        let empty = [&whole[..64], &trailer.encode()].concat();
        assert_eq!(why(&STORE, FIRST, &empty), None);
    }

    #[test]
    fn a_repaired_segment_says_of_its_tree_what_is_known() {
        let disk = disk();
        let three = leaves(&[100, 200, 300]);
        let sound = published(&disk, &three).footer().expect("readable");
        let repaired = |tree| {
            let synced = writer(&disk, &three).finish_repaired(tree);
            let reader = synced.and_then(SyncedSegment::publish).expect("published");
            let tree = reader.frontier().map(|tree| tree.size());
            (reader.footer().expect("readable"), tree.ok())
        };
        let (grown, tree) = repaired(RepairedTree::Grown);
        assert_eq!((grown.tree_root, tree), (sound.tree_root, Some(7)));
        let mut old = sound.clone();
        old.checkpoint = b"signed".to_vec();
        old.blocks.push(old.blocks[0]);
        let (kept, tree) = repaired(RepairedTree::Kept(old.clone()));
        assert_eq!((&kept.checkpoint, tree), (&old.checkpoint, Some(7)));
        assert_eq!((kept.blocks, kept.packs), (sound.blocks.clone(), old.packs));
        let (unknown, tree) = repaired(RepairedTree::Unknown);
        assert_eq!((unknown.tree_size, tree), (7, None));
        // A size or a root that the frontier does not have.
        let mut wrong = sound.clone();
        wrong.tree_size += 1;
        assert_eq!(repaired(RepairedTree::Kept(wrong)).1, None);
        let mut wrong = sound;
        wrong.tree_root[0] ^= 1;
        assert_eq!(repaired(RepairedTree::Kept(wrong)).1, None);
    }

    #[test]
    fn a_segment_without_events_has_no_block() {
        let synced = writer(&disk(), &[]).finish(Vec::new()).expect("durable");
        let footer = synced.reader.footer().expect("readable");
        assert_eq!((footer.blocks.len(), footer.tree_size), (0, 4));
        assert_eq!(synced.reader.trailer.footer_offset, 64);
    }

    /// Its checksums hold; but who wrote it did not write lines.
    #[test]
    fn a_block_that_is_shorter_than_it_says_or_does_not_end_with_a_line_is_refused() {
        for (plain, raw_bytes, sound) in [
            ("a\n", 2, true),
            ("a\n", 3, false),
            ("ab", 2, false),
            ("", 0, false),
        ] {
            let packed = zstd::bulk::compress(plain.as_bytes(), BLOCK_LEVEL).expect("short");
            let header = BlockHeader {
                stored_bytes: u32::try_from(packed.len()).expect("short"),
                raw_bytes,
                events: 1,
                first_seq: FIRST,
                body_crc: crc32c::crc32c(&packed),
            };
            let mut bytes = Vec::new();
            header.encode_into(&mut bytes);
            bytes.extend(packed);
            let disk = SimDisk::new();
            let path = Path::new("block");
            disk.plant(path, &bytes).expect("planted");
            let file = disk.open(path, OpenMode::Read).expect("opened");
            let at = BlockIndex {
                first_seq: FIRST,
                offset: 0,
                events: 1,
            };
            match read_block(&*file, path, &at) {
                Ok(read) => assert!(sound && read == plain.as_bytes(), "{plain:?}"),
                Err(LogError::Segment { why, .. }) => {
                    assert!(!sound && why == SegmentError::Length, "{plain:?}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn a_block_that_holds_other_events_than_the_footer_says_is_refused() {
        let reader = published(&disk(), &leaves(&[100, 100, 100]));
        let block = reader.footer().expect("readable").blocks[0];
        assert!(reader.block(&block).is_ok());
        let later = BlockIndex {
            first_seq: block.first_seq.next(),
            ..block
        };
        let more = BlockIndex {
            events: block.events + 1,
            ..block
        };
        for other in [later, more] {
            match reader.block(&other) {
                Err(LogError::Segment { why, .. }) => assert_eq!(why, SegmentError::Order),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Whoever is unsure must open the store again; whoever knows can try again.
    #[test]
    fn a_segment_that_got_no_name_is_told_from_one_that_may_have_it() {
        for (calls, sure) in [(0, true), (1, false)] {
            let disk = disk();
            let synced = writer(&disk, &leaves(&[100])).finish(Vec::new());
            let synced = synced.expect("durable");
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            match synced.publish() {
                Err(LogError::Io { action, path, .. }) if sure => {
                    assert_eq!((action, path), ("rename", PathBuf::from("tmp/segment")));
                }
                Err(LogError::Unsure { path, .. }) if !sure => {
                    assert_eq!(path, segment_path(FIRST));
                }
                Err(other) => panic!("call {calls}: {other}"),
                Ok(_) => panic!("call {calls}: published"),
            }
            assert!(disk.content(segment_path(FIRST)).is_err());
        }
    }
}
