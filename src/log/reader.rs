//! Reads events in order, from the journal or from segments.

use std::collections::{BTreeMap, VecDeque};
use std::io::BufRead;
use std::path::Path;
use std::sync::{Arc, RwLock};

use crate::disk::{Disk, DiskFile};
use crate::evidence::tree::{TreeHash, leaf_hash};
use crate::format::frame::{FRAME_HEADER_BYTES, Frame, FrameError, FrameHeader};
use crate::format::segment::BlockIndex;
use crate::id::{EventSeq, StoreId};
use crate::log::journal::journal_path;
use crate::log::segment::{SegmentReader, first_seq_of};
use crate::log::{EVENTS_DIR, LogError, list_or_nothing};

/// An event that is still in the journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LiveFrame {
    pub(crate) seq: EventSeq,
    pub(crate) slot: u32,
    pub(crate) generation: u64,
    pub(crate) offset: u64,
    pub(crate) frame_bytes: u32,
    /// The hash of its leaf, where the event was recorded by this process.
    pub(crate) leaf_hash: Option<TreeHash>,
}

/// A frame with its bytes.
pub(crate) struct OwnedFrame {
    bytes: Vec<u8>,
}

impl OwnedFrame {
    /// Returns the frame.
    pub(crate) fn frame(&self) -> Result<Frame<'_>, FrameError> {
        Frame::decode(&self.bytes)
    }
}

/// Reads one frame of a journal file; `None` when the file was recycled in the meantime.
pub(crate) fn read_frame(
    file: &dyn DiskFile,
    live: &LiveFrame,
) -> Result<Option<OwnedFrame>, LogError> {
    let path = journal_path(live.slot);
    let mut bytes = vec![0; live.frame_bytes as usize];
    file.read_exact_at(&mut bytes, live.offset)
        .map_err(LogError::io("read", &path))?;
    let same = bytes
        .get(..FRAME_HEADER_BYTES)
        .and_then(|head| FrameHeader::decode(head).ok())
        .is_some_and(|header| header.generation == live.generation && header.seq == live.seq);
    if !same {
        return Ok(None);
    }
    Ok(Some(OwnedFrame { bytes }))
}

impl State {
    /// Returns the frame of an event that is still in the journal.
    fn live_frame(&self, seq: EventSeq) -> Option<&LiveFrame> {
        let first = self.live.front()?.seq.0;
        let nth = usize::try_from(seq.0.checked_sub(first)?).ok()?;
        let near = self.live.get(nth).filter(|frame| frame.seq == seq);
        near.or_else(|| self.live.iter().find(|frame| frame.seq == seq))
    }
}

/// Knows which file holds which events. Shared by the writer, the sealer and all readers.
pub(crate) struct LogFiles {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    segments: BTreeMap<EventSeq, Arc<SegmentReader>>,
    /// Events that are not sealed yet, ascending without gaps.
    live: VecDeque<LiveFrame>,
    journals: BTreeMap<u32, Arc<dyn DiskFile>>,
}

impl LogFiles {
    /// Opens every segment of the store. Each must continue where the one before it ends.
    ///
    /// Damaged segments are left out, and `damage` gets one line for each of them.
    pub(crate) fn open(
        disk: &dyn Disk,
        store: &StoreId,
        damage: &mut Vec<String>,
    ) -> Result<Self, LogError> {
        let dir = Path::new(EVENTS_DIR);
        let mut segments: BTreeMap<EventSeq, Arc<SegmentReader>> = BTreeMap::new();
        let mut expected = EventSeq(1);
        for entry in list_or_nothing(disk, dir)? {
            let Some(first_seq) = first_seq_of(&entry.name) else {
                continue;
            };
            match SegmentReader::open(disk, store, first_seq) {
                Ok(segment) => {
                    if first_seq != expected {
                        damage.push(format!(
                            "events {expected} to {} are missing before {}",
                            first_seq.0.saturating_sub(1),
                            segment.path().display()
                        ));
                    }
                    expected = segment.last_seq().next();
                    segments.insert(first_seq, Arc::new(segment));
                }
                Err(error) => damage.push(error.to_string()),
            }
        }
        Ok(Self {
            state: RwLock::new(State {
                segments,
                ..State::default()
            }),
        })
    }

    /// Returns the last sealed event.
    pub(crate) fn sealed(&self) -> EventSeq {
        let state = self.state.read().expect("no panic while held");
        state
            .segments
            .last_key_value()
            .map_or(EventSeq(0), |(_, segment)| segment.last_seq())
    }

    /// Returns the last event.
    pub(crate) fn last(&self) -> EventSeq {
        let state = self.state.read().expect("no panic while held");
        match state.live.back() {
            Some(frame) => frame.seq,
            None => state
                .segments
                .last_key_value()
                .map_or(EventSeq(0), |(_, segment)| segment.last_seq()),
        }
    }

    /// Returns every segment, oldest first.
    pub(crate) fn segments(&self) -> Vec<Arc<SegmentReader>> {
        let state = self.state.read().expect("no panic while held");
        state.segments.values().cloned().collect()
    }

    /// Returns every event still in the journal, oldest first.
    pub(crate) fn live(&self) -> Vec<LiveFrame> {
        let state = self.state.read().expect("no panic while held");
        state.live.iter().copied().collect()
    }

    /// Returns the journal file in `slot`.
    pub(crate) fn journal(&self, slot: u32) -> Option<Arc<dyn DiskFile>> {
        let state = self.state.read().expect("no panic while held");
        state.journals.get(&slot).cloned()
    }

    /// Returns the space that the journal files take.
    pub(crate) fn journal_bytes(&self) -> Result<u64, LogError> {
        let state = self.state.read().expect("no panic while held");
        let sizes = state.journals.iter().map(|(slot, file)| {
            file.allocated()
                .map_err(LogError::io("measure", &journal_path(*slot)))
        });
        sizes.sum()
    }

    /// Forgets a journal file that was removed. All its events are sealed.
    pub(crate) fn remove_journal(&self, slot: u32) {
        let mut state = self.state.write().expect("no panic while held");
        state.journals.remove(&slot);
    }

    /// Registers a journal file, so that readers find it.
    pub(crate) fn add_journal(&self, slot: u32, file: Arc<dyn DiskFile>) {
        let mut state = self.state.write().expect("no panic while held");
        state.journals.insert(slot, file);
    }

    /// Makes frames visible to readers. The frames must be durable.
    pub(crate) fn add_live(&self, frames: impl IntoIterator<Item = LiveFrame>) {
        let mut state = self.state.write().expect("no panic while held");
        state.live.extend(frames);
    }

    /// Registers a new segment. From now on it serves its events, and their journal file may be
    /// recycled.
    pub(crate) fn add_segment(&self, segment: SegmentReader) {
        let mut state = self.state.write().expect("no panic while held");
        let last = segment.last_seq();
        while state.live.front().is_some_and(|frame| frame.seq <= last) {
            state.live.pop_front();
        }
        state
            .segments
            .insert(segment.first_seq(), Arc::new(segment));
    }

    /// Returns the event at which reading can continue when event `seq` cannot be read: the next
    /// one that starts a block, a segment or a frame.
    ///
    /// The events before it are lost, whatever number a damaged file claims.
    pub(crate) fn begins_after(&self, seq: EventSeq) -> Option<EventSeq> {
        let state = self.state.read().expect("no panic while held");
        let within = state.segments.range(..=seq).next_back();
        let blocks = within.and_then(|(_, segment)| segment.footer().ok());
        let blocks = blocks.into_iter().flat_map(|footer| footer.blocks);
        let later = state.segments.range(seq.next()..).next();
        let live = state.live.iter().map(|frame| frame.seq);
        blocks
            .map(|block| block.first_seq)
            .chain(later.map(|(first, _)| *first))
            .chain(live)
            .filter(|begins| *begins > seq)
            .min()
    }

    /// Returns the hash of the leaf of an event that is still in the journal, if this process
    /// recorded it.
    fn live_hash(&self, seq: EventSeq) -> Option<TreeHash> {
        let state = self.state.read().expect("no panic while held");
        state.live_frame(seq)?.leaf_hash
    }

    fn place(&self, seq: EventSeq) -> Place {
        let state = self.state.read().expect("no panic while held");
        if let Some((_, segment)) = state.segments.range(..=seq).next_back()
            && seq <= segment.last_seq()
        {
            return Place::Segment(Arc::clone(segment));
        }
        match state.live_frame(seq) {
            Some(frame) => match state.journals.get(&frame.slot) {
                Some(file) => Place::Journal(*frame, Arc::clone(file)),
                None => Place::Nowhere,
            },
            None => Place::Nowhere,
        }
    }
}

enum Place {
    Segment(Arc<SegmentReader>),
    Journal(LiveFrame, Arc<dyn DiskFile>),
    Nowhere,
}

/// Reads leaves in order, while events may move from the journal to a segment.
pub(crate) struct LogReader {
    files: Arc<LogFiles>,
    next: EventSeq,
    last: EventSeq,
    block: Option<OpenBlock>,
}

struct OpenBlock {
    segment: Arc<SegmentReader>,
    index: Arc<[BlockIndex]>,
    nth: usize,
    plain: Vec<u8>,
    /// Offset of the next leaf in `plain`.
    at: usize,
}

impl LogReader {
    /// Reads from `from` to `last`, both included.
    pub(crate) fn new(files: Arc<LogFiles>, from: EventSeq, last: EventSeq) -> Self {
        Self {
            files,
            next: from,
            last,
            block: None,
        }
    }

    /// Returns the next leaf. After an error the reader has ended: events are never skipped
    /// silently.
    pub(crate) fn next_leaf(&mut self) -> Option<Result<(EventSeq, Vec<u8>), LogError>> {
        if self.next > self.last {
            return None;
        }
        let seq = self.next;
        let leaf = self.leaf(seq);
        match &leaf {
            Ok(_) => self.next = seq.next(),
            Err(_) => self.next = self.last.next(),
        }
        Some(leaf.map(|leaf| (seq, leaf)))
    }

    /// Returns the hash of the next leaf. Events that this process recorded are not read for it.
    /// After an error the reader has ended.
    pub(crate) fn next_hash(&mut self) -> Option<Result<TreeHash, LogError>> {
        if self.next > self.last {
            return None;
        }
        if self.block.is_none()
            && let Some(hash) = self.files.live_hash(self.next)
        {
            self.next = self.next.next();
            return Some(Ok(hash));
        }
        let leaf = self.next_leaf()?;
        Some(leaf.map(|(_, line)| leaf_hash(&line)))
    }

    fn leaf(&mut self, seq: EventSeq) -> Result<Vec<u8>, LogError> {
        if let Some(leaf) = self.take_from_block() {
            return Ok(leaf);
        }
        if let Some(mut open) = self.block.take()
            && open.nth + 1 < open.index.len()
            && open.index[open.nth + 1].first_seq == seq
        {
            open.nth += 1;
            open.plain = open.segment.block(&open.index[open.nth])?;
            open.at = 0;
            self.block = Some(open);
            return self.take_from_block().ok_or(LogError::Missing { seq });
        }
        // The journal file was recycled, so its events are in a segment now: look again.
        for _ in 0..3 {
            match self.files.place(seq) {
                Place::Segment(segment) => {
                    self.open_block(segment, seq)?;
                    return self.take_from_block().ok_or(LogError::Missing { seq });
                }
                Place::Journal(live, file) => {
                    if let Some(owned) = read_frame(&*file, &live)? {
                        let frame = owned.frame().map_err(|why| LogError::Frame {
                            path: journal_path(live.slot),
                            offset: live.offset,
                            why,
                        })?;
                        return Ok(frame.leaf.to_vec());
                    }
                }
                Place::Nowhere => break,
            }
        }
        Err(LogError::Missing { seq })
    }

    fn open_block(&mut self, segment: Arc<SegmentReader>, seq: EventSeq) -> Result<(), LogError> {
        let index: Arc<[BlockIndex]> = segment.footer()?.blocks.into();
        let nth = index
            .partition_point(|block| block.first_seq <= seq)
            .checked_sub(1)
            .ok_or(LogError::Missing { seq })?;
        let plain = segment.block(&index[nth])?;
        let skip = seq.0 - index[nth].first_seq.0;
        let mut at = 0;
        for _ in 0..skip {
            let length = plain[at..].iter().position(|byte| *byte == b'\n');
            at += length.ok_or(LogError::Missing { seq })? + 1;
        }
        self.block = Some(OpenBlock {
            segment,
            index,
            nth,
            plain,
            at,
        });
        Ok(())
    }

    fn take_from_block(&mut self) -> Option<Vec<u8>> {
        let open = self.block.as_mut()?;
        let mut rest = &open.plain[open.at..];
        let mut leaf = Vec::new();
        // This looks for the newline faster than an iterator does, and cannot fail in memory.
        rest.read_until(b'\n', &mut leaf).ok()?;
        open.at = open.plain.len() - rest.len();
        leaf.pop_if(|last| *last == b'\n')?;
        Some(leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::OpenMode;
    use crate::disk::sim::SimDisk;
    use crate::log::tests::{STORE, disk, journal, leaf, seal};

    /// A file with events 4 and 5, and their positions.
    fn two_frames(disk: &SimDisk) -> (Arc<dyn DiskFile>, [LiveFrame; 2]) {
        let places = journal(disk, 0, 3, 4..=5);
        let live = |nth: usize| LiveFrame {
            seq: EventSeq(4 + nth as u64),
            slot: 0,
            generation: 3,
            offset: places[nth],
            frame_bytes: u32::try_from(places[nth + 1] - places[nth]).expect("short"),
            leaf_hash: None,
        };
        let file = disk.open(&journal_path(0), OpenMode::Read).expect("there");
        (file, [live(0), live(1)])
    }

    fn files(disk: &SimDisk) -> LogFiles {
        let mut damage = Vec::new();
        let files = LogFiles::open(disk, &STORE, &mut damage).expect("readable");
        assert_eq!(damage, Vec::<String>::new());
        files
    }

    #[test]
    fn a_frame_of_a_file_that_was_used_again_is_none() {
        let (file, [live, _]) = two_frames(&disk());
        let found = read_frame(&*file, &live).expect("readable");
        let found = found.expect("the one");
        assert_eq!(found.frame().expect("whole").leaf, leaf(4));
        let earlier = LiveFrame {
            generation: 2,
            ..live
        };
        let other = LiveFrame {
            seq: EventSeq(5),
            ..live
        };
        for gone in [earlier, other] {
            assert!(read_frame(&*file, &gone).expect("readable").is_none());
        }
    }

    /// Otherwise the list of journal events would grow for as long as the store is open.
    #[test]
    fn what_a_segment_serves_is_in_the_journal_no_longer() {
        let disk = disk();
        let files = files(&disk);
        let (_, live) = two_frames(&disk);
        files.add_live(live);
        files.add_segment(seal(&disk, 1..=4));
        let left: Vec<EventSeq> = files.live().iter().map(|frame| frame.seq).collect();
        assert_eq!(left, [EventSeq(5)]);
        assert_eq!(files.sealed(), EventSeq(4));
    }

    /// Reading years of events, from the start or from any event, must read each footer only once.
    #[test]
    fn reading_from_any_event_reads_the_footer_once() {
        const LAST: u64 = 3_000;
        let disk = disk();
        let segment = seal(&disk, 1..=LAST);
        let blocks = segment.footer().expect("readable").blocks;
        assert!(blocks.len() > 2, "{}", blocks.len());
        let files = Arc::new(files(&disk));
        let read_from = |from: u64| {
            let reader = LogReader::new(Arc::clone(&files), EventSeq(from), EventSeq(LAST));
            let mut reader = reader;
            let mut next = from;
            while let Some(read) = reader.next_leaf() {
                let (seq, line) = read.expect("readable");
                assert_eq!((seq, line), (EventSeq(next), leaf(next)));
                next += 1;
            }
            assert_eq!(next, LAST + 1);
        };
        let second = blocks[1].first_seq.0;
        for from in [1, 2, second - 1, second, second + 1, LAST - 1, LAST] {
            read_from(from);
        }
        let reads_from = |from| {
            let before = disk.census().of(crate::disk::sim::Call::Read);
            read_from(from);
            disk.census().of(crate::disk::sim::Call::Read) - before
        };
        let (one, two) = (
            reads_from(LAST),
            reads_from(blocks[blocks.len() - 2].first_seq.0),
        );
        let a_block = two - one;
        assert!(
            a_block < one,
            "the segment's end comes with the first block"
        );
        assert_eq!(reads_from(1), one + a_block * (blocks.len() as u64 - 1));
    }

    /// Such as a person's notes or an editor's temporary file.
    #[test]
    fn a_file_in_the_folder_of_segments_that_is_none_is_passed_over() {
        let disk = disk();
        seal(&disk, 1..=3);
        for name in ["README.txt", "1.seg", "00000000000000000001.seg~"] {
            let path = Path::new(EVENTS_DIR).join(name);
            disk.plant(path, b"notes").expect("planted");
        }
        let files = files(&disk);
        assert_eq!(files.segments().len(), 1);
        assert_eq!(files.last(), EventSeq(3));
    }

    /// Recovery may leave out a damaged file. Its events must then be missing, and must not be read
    /// from another file.
    #[test]
    fn an_event_whose_journal_file_is_not_known_is_missing() {
        let disk = disk();
        seal(&disk, 1..=3);
        let (file, live) = two_frames(&disk);
        let files = Arc::new(files(&disk));
        files.add_live(live);
        let read =
            |from| LogReader::new(Arc::clone(&files), EventSeq(from), EventSeq(5)).next_leaf();
        let missing = read(4);
        assert!(
            matches!(missing, Some(Err(LogError::Missing { seq })) if seq == EventSeq(4)),
            "{missing:?}"
        );
        files.add_journal(0, file);
        let there = read(4).expect("one").expect("readable");
        assert_eq!(there, (EventSeq(4), leaf(4)));
    }

    #[test]
    fn a_frame_damaged_while_open_ends_reading_with_its_place() {
        let disk = disk();
        seal(&disk, 1..=3);
        let (file, live) = two_frames(&disk);
        let files = Arc::new(files(&disk));
        files.add_live(live);
        files.add_journal(0, file);
        let body = live[1].offset + FRAME_HEADER_BYTES as u64;
        disk.flip_bit(journal_path(0), body * 8).expect("there");
        let mut reader = LogReader::new(files, EventSeq(4), EventSeq(5));
        let first = reader.next_leaf().expect("one").expect("readable");
        assert_eq!(first, (EventSeq(4), leaf(4)));
        match reader.next_leaf() {
            Some(Err(LogError::Frame { path, offset, why })) => {
                assert_eq!((path, offset), (journal_path(0), live[1].offset));
                assert_eq!(why, FrameError::BodyChecksum);
            }
            other => panic!("{other:?}"),
        }
        assert!(reader.next_leaf().is_none());
    }
}
