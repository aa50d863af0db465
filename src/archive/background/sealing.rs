//! Seals a full journal file: its content goes into packs, its events into a segment.
//!
//! Everything here is a function of a journal file and the parts it is given. Telling the writer
//! and the index is up to the caller.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::archive::background::family::{Kind, Kinds};
use crate::archive::background::packing;
use crate::archive::background::packing::{
    Effort, Families, Pace, PackLimits, Piece, Source, Written,
};
use crate::archive::files::pack_error::write_error;
use crate::archive::files::pack_files::{pack_class, personal_class};
use crate::archive::files::tmp_names::TmpNames;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::pack_store::{PackStore, discard_unpublished};
use crate::blob::compression::Level;
use crate::blob::pack_reader::{PackReadError, Plain, StoredRecord, read_record};
use crate::blob::pack_writer::{PackPlace, PackSeries, SyncedPack};
use crate::disk::Disk;
use crate::evidence::tree::Frontier;
use crate::format::frame::{Frame, FrameError};
use crate::format::pack::{PackClass, PackEffort, PackHeader, PackOffset, PackOrigin};
use crate::format::record::{self, RecordKind};
use crate::id::{BlobId, EventSeq, StoreId};
use crate::log::{
    FullJournal, LiveFrame, LogError, LogFiles, OwnedFrame, SegmentReader, SegmentWriter,
    journal_path, read_frame,
};
use crate::{Error, ErrorKind, Result};

/// The parts of a store that sealing works with.
pub(in crate::archive) struct Sealing<'a> {
    pub(in crate::archive) disk: &'a Arc<dyn Disk>,
    pub(in crate::archive) store: StoreId,
    pub(in crate::archive) log: &'a LogFiles,
    pub(in crate::archive) index: &'a LayeredIndex,
    pub(in crate::archive) packs: &'a PackStore,
    pub(in crate::archive) tmp: &'a TmpNames,
    pub(in crate::archive) limits: PackLimits,
    /// Told how far the content has come.
    pub(in crate::archive) pace: &'a dyn Pace,
}

/// What a journal file became. The packs must be placed in the index before the segment serves its
/// events.
pub(in crate::archive) struct Sealed {
    pub(in crate::archive) packs: Vec<SyncedPack>,
    pub(in crate::archive) segment: SegmentReader,
}

impl Sealing<'_> {
    /// Writes the packs and the segment of a full journal file. `None` when the file holds nothing
    /// that is not sealed.
    ///
    /// Packs come first, then the segment: its name in the folder is what makes the seal true.
    /// Before that, a crash leaves packs that nothing names, and the journal, which still holds
    /// everything.
    pub(in crate::archive) fn seal(&self, full: &FullJournal) -> Result<Option<Sealed>> {
        let journal = &full.journal;
        let mut frames = self.log.live();
        frames.retain(|frame| {
            (frame.slot, frame.generation) == (journal.slot, journal.header.generation)
        });
        let Some(first) = frames.first().map(|frame| frame.seq) else {
            return Ok(None);
        };
        let frontier = match self.log.segments().last() {
            Some(segment) => {
                let sealed = segment.last_seq();
                assert_eq!(sealed.next(), first, "BUG: events are sealed out of order");
                segment.frontier()?
            }
            None => Frontier::new(),
        };
        let packs = self.write_packs(full, first, &frames)?;
        let tmp = self.tmp.next("segment");
        match self.write_segment(full, &frames, first, frontier, &packs, &tmp) {
            Ok(segment) => Ok(Some(Sealed { packs, segment })),
            // The log may name the packs by now, so they must stay.
            Err(error @ LogError::Unsure { .. }) => Err(error.into()),
            Err(error) => {
                let paths = packs.iter().map(|pack| &pack.path);
                discard_unpublished(&**self.disk, paths.chain([&tmp]));
                Err(error.into())
            }
        }
    }

    fn write_packs(
        &self,
        full: &FullJournal,
        first: EventSeq,
        frames: &[LiveFrame],
    ) -> Result<Vec<SyncedPack>> {
        at_low_priority(|| {
            let mut pieces = JournalPieces::new(self, full)?;
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
        let disk = Arc::clone(self.disk);
        let mut segment =
            SegmentWriter::create(disk, tmp.to_owned(), &self.store, first, frontier)?;
        for live in frames {
            let owned = frame_of(full, live)?;
            let frame = owned.frame().map_err(|why| damaged(live, why))?;
            segment.push(frame.leaf)?;
        }
        let sizes = packs.iter().map(|pack| (pack.id, pack.bytes)).collect();
        segment.finish(sizes)?.publish()
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

/// Runs `work` on a thread of low priority. Compressing again takes longer than anything a caller
/// waits for, and there is no hurry while there are journal files.
///
/// On other systems than Linux, priority belongs to the process, and `work` runs at the normal one.
fn at_low_priority<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let quietly = || {
        #[cfg(target_os = "linux")]
        {
            const NICE: i32 = 10;
            // Where lowering it is not allowed, the work runs at the normal priority.
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

/// The content of a journal file that has to go into packs.
struct JournalPieces<'a> {
    sealing: &'a Sealing<'a>,
    full: &'a FullJournal,
    path: PathBuf,
    classes: BTreeMap<PackClass, Families<Kind>>,
    gathered: HashSet<BlobId>,
    /// Events that cannot be read. What they need is unknown, so their content is kept.
    unreadable: BTreeMap<EventSeq, Option<EventSeq>>,
}

impl<'a> JournalPieces<'a> {
    fn new(sealing: &'a Sealing<'a>, full: &'a FullJournal) -> Result<Self> {
        Ok(Self {
            unreadable: sealing.index.view().unreadable()?,
            sealing,
            full,
            path: journal_path(full.journal.slot),
            classes: BTreeMap::new(),
            gathered: HashSet::new(),
        })
    }

    /// Gathers the blobs of a frame, except those that were purged meanwhile or lie in a pack
    /// already.
    fn gather(&mut self, live: &LiveFrame, frame: &Frame<'_>) -> Result<()> {
        let records_at = live.offset + frame.header.records_at() as u64;
        let mut kinds = None;
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
            let row = self.sealing.index.view().blob(&header.id)?;
            let is_needed = row.is_some_and(|row| row.refs > 0 && row.place.is_none());
            let is_kept = self.unreadable.contains_key(&frame.header.seq)
                && row.is_none_or(|row| row.place.is_none());
            if is_needed || is_kept {
                let level = Level::new(frame.header.level).unwrap_or(Level::DEFAULT);
                let piece = Piece::new(&header, at, header.record_len(), Effort::Compress(level));
                let class = pack_class(frame.header.retention, frame.header.time);
                let kinds = kinds.get_or_insert_with(|| Kinds::of(frame.leaf));
                let kind = kinds.kind(&header.id);
                let class = match kind {
                    Kind::Personal => personal_class(&class),
                    _ => class,
                };
                let families = self.classes.entry(class).or_default();
                families.entry(kind).or_default().push(piece);
                self.gathered.insert(header.id);
            }
        }
        Ok(())
    }

    /// Writes the gathered blobs, one series of packs for each class.
    fn write(&self, sealed: (EventSeq, EventSeq)) -> Result<Vec<SyncedPack>> {
        let sealing = self.sealing;
        let mut packs = Vec::new();
        let series = self.classes.iter().flat_map(|(class, families)| {
            let each = by_effort(families, sealing.limits.quick_from).into_iter();
            each.map(move |(effort, families)| (class, effort, families))
        });
        for (class, effort, families) in series {
            let written = sealing.packs.make_class_dir(class).and_then(|()| {
                let place = || {
                    let place = sealing.packs.next_place(class, PackOrigin::Sealed, sealed);
                    PackPlace {
                        header: PackHeader {
                            effort,
                            ..place.header
                        },
                        ..place
                    }
                };
                let disk = Arc::clone(sealing.disk);
                let mut series = PackSeries::new(disk, sealing.limits.pack_bytes, place);
                let written =
                    packing::write(sealing.limits, &families, self, &mut series, sealing.pace)?;
                assert_eq!(written, Written::Whole, "BUG: a seal is never given up");
                series.finish().map_err(write_error)
            });
            match written {
                Ok(written) => packs.extend(written),
                Err(error) => {
                    discard_unpublished(
                        &**sealing.disk,
                        packs.iter().map(|pack: &SyncedPack| &pack.path),
                    );
                    return Err(error);
                }
            }
        }
        Ok(packs)
    }
}

/// Splits the content of a class by how small it is made at once.
///
/// Much content that is to be made small takes long. It is packed quickly first, so that the
/// journal file is free again soon, and waits for a compaction.
fn by_effort(families: &Families<Kind>, quick_from: u64) -> Vec<(PackEffort, Families<Kind>)> {
    let slow = |piece: &Piece| match piece.effort {
        Effort::Compress(level) if level.is_slow_to_seal() => Some(level),
        _ => None,
    };
    let slow_bytes: u64 = families
        .values()
        .flatten()
        .filter(|piece| slow(piece).is_some())
        .map(|piece| u64::from(piece.raw_len))
        .sum();
    let mut split: BTreeMap<Option<Level>, Families<Kind>> = BTreeMap::new();
    for (kind, pieces) in families {
        for piece in pieces {
            let waits_for = slow(piece).filter(|_| slow_bytes >= quick_from);
            let effort = waits_for.map_or(piece.effort, |_| Effort::Quick);
            let family = split.entry(waits_for).or_default();
            let piece = piece.with_effort(effort);
            family.entry(kind.clone()).or_default().push(piece);
        }
    }
    let effort = |level: Option<Level>| {
        level.map_or(PackEffort::Small, |level| PackEffort::Quick(level.get()))
    };
    split
        .into_iter()
        .map(|(level, families)| (effort(level), families))
        .collect()
}

impl Source for JournalPieces<'_> {
    fn read(&self, piece: &Piece) -> Result<(StoredRecord, Plain), PackReadError> {
        let file = &*self.full.journal.file;
        let end = piece.at.0 + u64::from(piece.len);
        let record = read_record(file, end, piece.at, piece.len, &piece.id)?;
        let plain = record.plain(piece.at, &piece.id, None)?;
        Ok((record, plain))
    }

    fn path(&self, _piece: &Piece) -> &Path {
        &self.path
    }
}
