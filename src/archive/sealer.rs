//! The background thread, off the acknowledgement path: moves full journal files into segments and packs, writes the
//! index, recycles the files; and compacts packs, so that sealing and compaction never meet.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::archive::CompactOutcome;
use crate::archive::compact;
use crate::archive::packing::{self, Effort, Families, Piece, Source};
use crate::archive::shared::{
    FailOnPanic, Manifest, Shared, pack_class, pack_row, place_blobs, read_error, write_error,
};
use crate::archive::writer::{Control, ask};
use crate::blob::compression::Level;
use crate::blob::pack_reader::{PackReadError, PackReader, Plain, StoredRecord, read_record};
use crate::blob::pack_writer::{PackSeries, SyncedPack};
use crate::disk::Disk;
use crate::event::Body;
use crate::evidence::tree::Frontier;
use crate::format::frame::{Frame, FrameError};
use crate::format::leaf;
use crate::format::pack::{PackClass, PackOffset, PackOrigin};
use crate::format::record::{self, RecordKind};
use crate::id::{BlobId, EventSeq};
use crate::index::{Overlay, View};
use crate::log::{
    FullJournal, LiveFrame, LogError, OwnedFrame, SegmentReader, SegmentWriter, journal_path,
    read_frame,
};
use crate::{Error, ErrorKind, Result};

/// How long to wait before sealing is tried again after the disk was full.
const RETRY: Duration = Duration::from_millis(500);

/// What the sealer is asked to do.
pub(super) enum Job {
    /// Seal a journal file that takes no more frames.
    Seal(FullJournal),
    /// Reclaim dead bytes, at the most so many.
    Compact(Option<u64>, Sender<Result<CompactOutcome>>),
    /// Answer when everything handed over before is sealed, after writing the index.
    Settle(Sender<Result<()>>),
    /// Do something that no seal and no compaction may come in between of.
    Run(Work),
    /// End.
    Stop,
}

/// Whether the thread works on.
enum Next {
    GoOn,
    End,
}

/// Work for the sealing thread.
pub(super) type Work = Box<dyn FnOnce(&Arc<Shared>, &Sender<Control>) + Send>;

pub(super) struct Sealer {
    shared: Arc<Shared>,
    jobs: Receiver<Job>,
    control: Sender<Control>,
    /// Handed over while an earlier one could not be sealed.
    waiting: VecDeque<FullJournal>,
}

impl Sealer {
    pub(super) fn new(shared: Arc<Shared>, jobs: Receiver<Job>, control: Sender<Control>) -> Self {
        Self {
            shared,
            jobs,
            control,
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _failing = FailOnPanic::new(&shared, "the sealing thread");
        loop {
            let job = match self.waiting.pop_front() {
                Some(full) => Job::Seal(full),
                None => match self.jobs.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                },
            };
            match job {
                Job::Seal(full) => match self.seal_until_done(&full) {
                    Ok(Next::GoOn) => {}
                    Ok(Next::End) => return,
                    Err(error) => {
                        // The journal still holds everything; but nothing is sealed after a gap.
                        self.shared
                            .fail(format!("sealing failed: {}", error.message()));
                        return;
                    }
                },
                Job::Compact(max_bytes, reply) => {
                    let _ =
                        reply.send(compact::run(&self.shared, &self.control, max_bytes, || {
                            true
                        }));
                }
                Job::Settle(reply) => {
                    let _ = reply.send(checkpoint(&self.shared, &self.control));
                }
                Job::Run(work) => work(&self.shared, &self.control),
                Job::Stop => return,
            }
        }
    }

    /// Seals `full`; as long as the disk is full, again and again, until it is time to end. Purges make room meanwhile.
    fn seal_until_done(&mut self, full: &FullJournal) -> Result<Next> {
        loop {
            match self.seal(full) {
                Ok(()) => {
                    self.shared.set_stalled(None);
                    return Ok(Next::GoOn);
                }
                Err(error) if error.kind() == ErrorKind::Full => {
                    self.shared.set_stalled(Some(error.message().to_owned()));
                    if let Next::End = self.wait_for_room() {
                        return Ok(Next::End);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Serves what may make room while sealing can't get on.
    fn wait_for_room(&mut self) -> Next {
        match self.jobs.recv_timeout(RETRY) {
            Ok(Job::Compact(max_bytes, reply)) => {
                let _ = reply.send(compact::run(&self.shared, &self.control, max_bytes, || {
                    true
                }));
            }
            Ok(Job::Settle(reply)) => {
                let why = self.shared.stalled().unwrap_or_default();
                let _ =
                    reply
                        .send(Err(Error::new(ErrorKind::Full, why)
                            .hint("free some space; nothing was lost")));
            }
            Ok(Job::Run(work)) => work(&self.shared, &self.control),
            // In its turn; the journal holds it until then.
            Ok(Job::Seal(full)) => self.waiting.push_back(full),
            Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return Next::End,
            Err(RecvTimeoutError::Timeout) => {}
        }
        Next::GoOn
    }

    /// Packs first, then the segment: its name in the folder is what makes the seal true. Before that, a crash leaves
    /// packs that nothing names, and the journal, which still has it all.
    fn seal(&self, full: &FullJournal) -> Result<()> {
        let shared = &self.shared;
        let journal = &full.journal;
        let frames: Vec<LiveFrame> = shared
            .files
            .live()
            .into_iter()
            .filter(|frame| {
                (frame.slot, frame.generation) == (journal.slot, journal.header.generation)
            })
            .collect();
        let Some(first) = frames.first().map(|frame| frame.seq) else {
            // Sealed before, up to the index, for which there was no room then; or it never held anything.
            return self.let_go(full);
        };
        let frontier = match shared.files.segments().last() {
            Some(segment) => segment.frontier()?,
            None => Frontier::new(),
        };
        let packs = self.write_packs(full, first, &frames)?;
        let tmp = shared.tmp_path("segment");
        let written = self.write_segment(full, &frames, first, frontier, &packs, &tmp);
        let reader = match written {
            Ok(reader) => reader,
            // Then the packs must stay: it may be the log that names them.
            Err(error @ LogError::Unsure { .. }) => return Err(error.into()),
            Err(error) => {
                unmake(
                    &*shared.disk,
                    packs.iter().map(|pack| &pack.path).chain([&tmp]),
                );
                return Err(error.into());
            }
        };
        place_packs(shared, &self.control, packs)?;
        shared.files.add_segment(reader);
        self.let_go(full)
    }

    fn write_packs(
        &self,
        full: &FullJournal,
        first: EventSeq,
        frames: &[LiveFrame],
    ) -> Result<Vec<SyncedPack>> {
        giving_way(|| {
            let mut pieces = JournalPieces::new(&self.shared, full)?;
            for live in frames {
                let owned = frame_of(full, live)?;
                let frame = owned.frame().map_err(|why| damaged(live, why))?;
                pieces.gather(live, &frame)?;
            }
            pieces.write((first, full.last_seq))
        })
    }

    fn write_segment(
        &self,
        full: &FullJournal,
        frames: &[LiveFrame],
        first: EventSeq,
        frontier: Frontier,
        packs: &[SyncedPack],
        tmp: &Path,
    ) -> Result<SegmentReader, LogError> {
        let shared = &self.shared;
        let disk = Arc::clone(&shared.disk);
        let mut segment =
            SegmentWriter::create(disk, tmp.to_owned(), &shared.store, first, frontier)?;
        for live in frames {
            let owned = frame_of(full, live)?;
            let frame = owned.frame().map_err(|why| damaged(live, why))?;
            segment.push(frame.leaf)?;
        }
        let sizes = packs.iter().map(|pack| (pack.id, pack.bytes)).collect();
        segment.finish(sizes)?.publish()
    }

    /// Writes the index, so that nothing looks for content in the file any more, and hands the file back.
    fn let_go(&self, full: &FullJournal) -> Result<()> {
        let journal = &full.journal;
        checkpoint(&self.shared, &self.control)?;
        self.shared
            .forget_inline(journal.slot, journal.header.generation);
        self.recycle(full);
        Ok(())
    }

    fn recycle(&self, full: &FullJournal) {
        // When the writer is gone there is nobody to use the file again.
        let _ = self.control.send(Control::Recycle(full.journal.clone()));
    }
}

fn frame_of(full: &FullJournal, live: &LiveFrame) -> Result<OwnedFrame, LogError> {
    read_frame(&*full.journal.file, live)?.ok_or(LogError::Missing { seq: live.seq })
}

fn damaged(live: &LiveFrame, why: FrameError) -> LogError {
    LogError::Frame {
        path: journal_path(live.slot),
        offset: live.offset,
        why,
    }
}

/// Takes files back that were written before the work they belong to failed: nothing names them, the next try writes them
/// anew, and a full disk has no room for both.
pub(super) fn unmake<'a>(disk: &dyn Disk, paths: impl Iterator<Item = &'a PathBuf>) {
    for path in paths {
        // What cannot be removed now is garbage, which opening the store or a compaction removes.
        let _ = disk.remove(path);
    }
}

/// Does `work` on a thread that leaves the processor to others first: compressing again takes longer than all that a
/// caller waits for, and there is no hurry as long as there are journal files.
///
/// Elsewhere than on Linux priority belongs to the process, and the work gets its even share.
fn giving_way<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let quietly = || {
        #[cfg(target_os = "linux")]
        {
            const NICE: i32 = 10;
            // Where it is not allowed, the work is done all the same.
            let _ = rustix::process::nice(NICE);
        }
        work()
    };
    thread::scope(|scope| {
        let worker = scope.spawn(quietly);
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Moves what is newer than the index into the index.
pub(super) fn checkpoint(shared: &Shared, control: &Sender<Control>) -> Result<()> {
    ask(shared, control, Control::Freeze)?;
    shared.write_frozen()
}

/// Makes packs that were just published known to the index.
pub(super) fn place_packs(
    shared: &Arc<Shared>,
    control: &Sender<Control>,
    packs: Vec<SyncedPack>,
) -> Result<()> {
    if packs.is_empty() {
        return Ok(());
    }
    // Lists of chunks are read before the writer is asked to wait.
    let mut manifests = HashMap::new();
    for pack in &packs {
        let reader = PackReader::open(&*shared.disk, &pack.path)
            .map_err(|error| read_error(&pack.path, error))?;
        for entry in pack
            .entries
            .iter()
            .filter(|entry| entry.kind == RecordKind::Manifest)
        {
            let root = reader
                .read_plain(entry.offset, entry.len, &entry.id)
                .map_err(|error| read_error(&pack.path, error))?;
            let manifest = Manifest::read(&root.bytes, |id| fetch_node(shared, &packs, id))?;
            manifests.insert(entry.id, manifest);
        }
    }
    ask(shared, control, |reply| {
        let change = move |active: &mut Overlay, below: &View| {
            for pack in &packs {
                place_blobs(active, below, pack.id, &pack.entries, |entry| {
                    manifests.remove(&entry.id).ok_or_else(|| {
                        Error::new(
                            ErrorKind::Damaged,
                            format!("manifest {} is missing", entry.id),
                        )
                    })
                })?;
                let row = pack_row(
                    pack.id,
                    pack.class.as_str(),
                    pack.bytes,
                    pack.entries.len(),
                    pack.dictionary_bytes,
                );
                active.add_pack(&row, below)?;
            }
            Ok(())
        };
        Control::Change(Box::new(change), reply)
    })
}

/// An inner node of a manifest, which lies in one of the new packs or in the store.
fn fetch_node(shared: &Shared, packs: &[SyncedPack], id: &BlobId) -> Result<Vec<u8>> {
    for pack in packs {
        if let Ok(at) = pack.entries.binary_search_by_key(id, |entry| entry.id) {
            let entry = &pack.entries[at];
            let reader = PackReader::open(&*shared.disk, &pack.path)
                .map_err(|error| read_error(&pack.path, error))?;
            let plain = reader
                .read_plain(entry.offset, entry.len, id)
                .map_err(|error| read_error(&pack.path, error))?;
            return Ok(plain.bytes);
        }
    }
    match shared.plain(id)? {
        Some(plain) => Ok(plain.bytes),
        None => Err(Error::new(
            ErrorKind::Damaged,
            format!("blob {id} is missing"),
        )),
    }
}

/// Says that the threads of the store are no more.
pub(super) fn ended(shared: &Shared) -> Error {
    let why = shared
        .failure()
        .unwrap_or_else(|| "the store was closed".to_owned());
    Error::new(ErrorKind::Poisoned, why)
        .hint("close the store and open it again; what was acknowledged is safe")
}

/// What content is alike in: what made it, and in which form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Sources of one converter, with one file name extension.
    Source {
        converter: String,
        extension: String,
    },
    /// Reports of one converter.
    Report { converter: String },
    /// Everything else.
    Other,
}

impl Kind {
    fn of(leaf: &[u8]) -> Self {
        let event = str::from_utf8(leaf)
            .ok()
            .and_then(|line| leaf::decode(line).ok());
        match event.map(|event| event.body) {
            Some(Body::Archived(fact)) => Self::Source {
                extension: extension(&fact.source.name),
                converter: fact.converter,
            },
            Some(Body::Converted(fact)) => Self::Report {
                converter: fact.converter,
            },
            _ => Self::Other,
        }
    }
}

/// The file name's extension, in one letter case.
fn extension(name: &str) -> String {
    let extension = Path::new(name).extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}

/// The content of a journal file that has to go into packs.
struct JournalPieces<'a> {
    shared: &'a Shared,
    full: &'a FullJournal,
    path: PathBuf,
    classes: BTreeMap<PackClass, Families<Kind>>,
    gathered: HashSet<BlobId>,
    /// Events that cannot be read. Nobody can say what they need, so what they brought along is
    /// kept.
    unreadable: BTreeMap<EventSeq, Option<EventSeq>>,
}

impl<'a> JournalPieces<'a> {
    fn new(shared: &'a Shared, full: &'a FullJournal) -> Result<Self> {
        Ok(Self {
            unreadable: shared.view().unreadable()?,
            shared,
            full,
            path: journal_path(full.journal.slot),
            classes: BTreeMap::new(),
            gathered: HashSet::new(),
        })
    }

    /// Notes the blobs of a frame, except those that were purged meanwhile or lie in a pack already.
    fn gather(&mut self, live: &LiveFrame, frame: &Frame<'_>) -> Result<()> {
        let records_at = live.offset + frame.header.records_at() as u64;
        let mut kind = None;
        let mut rest = frame.records;
        while !rest.is_empty() {
            let at = PackOffset(records_at + (frame.records.len() - rest.len()) as u64);
            let (header, _) = record::decode(rest).map_err(|why| {
                Error::new(
                    ErrorKind::Damaged,
                    format!("event {} holds a damaged blob: {why}", frame.header.seq),
                )
            })?;
            rest = &rest[header.record_len() as usize..];
            if header.kind == RecordKind::Dictionary {
                return Err(Error::new(
                    ErrorKind::Damaged,
                    format!(
                        "event {} holds a dictionary, which is no content",
                        frame.header.seq
                    ),
                ));
            }
            if self.gathered.contains(&header.id) {
                continue;
            }
            let row = self.shared.view().blob(&header.id)?;
            let is_needed = row.is_some_and(|row| row.refs > 0 && row.place.is_none());
            let is_kept = self.unreadable.contains_key(&frame.header.seq)
                && row.is_none_or(|row| row.place.is_none());
            if is_needed || is_kept {
                let level = Level::new(frame.header.level).unwrap_or(Level::DEFAULT);
                let piece = Piece::new(&header, at, header.record_len(), Effort::Compress(level));
                let class = pack_class(frame.header.retention, frame.header.time);
                let kind = kind.get_or_insert_with(|| Kind::of(frame.leaf)).clone();
                let families = self.classes.entry(class).or_default();
                families.entry(kind).or_default().push(piece);
                self.gathered.insert(header.id);
            }
        }
        Ok(())
    }

    /// Writes them, one series of packs a class.
    fn write(&self, sealed: (EventSeq, EventSeq)) -> Result<Vec<SyncedPack>> {
        let shared = self.shared;
        let mut packs = Vec::new();
        for (class, families) in &self.classes {
            let written = shared.make_class_dir(class).and_then(|()| {
                let place = || shared.next_pack_place(class, PackOrigin::Sealed, sealed);
                let disk = Arc::clone(&shared.disk);
                let mut series = PackSeries::new(disk, shared.options.pack_bytes, place);
                packing::write(shared, families, self, &mut series)?;
                series.finish().map_err(write_error)
            });
            match written {
                Ok(written) => packs.extend(written),
                Err(error) => {
                    unmake(
                        &*shared.disk,
                        packs.iter().map(|pack: &SyncedPack| &pack.path),
                    );
                    return Err(error);
                }
            }
        }
        Ok(packs)
    }
}

impl Source for JournalPieces<'_> {
    fn read(&self, piece: &Piece) -> Result<(StoredRecord, Plain), PackReadError> {
        let file = &*self.full.journal.file;
        let end = piece.at.0 + u64::from(piece.len);
        let record = read_record(file, end, piece.at, piece.len, &piece.id)?;
        let plain = record.plain(piece.at, &piece.id, None)?;
        Ok((record, plain))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
