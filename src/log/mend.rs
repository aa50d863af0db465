//! Making a damaged log whole: which of its files have to be written anew, and out of what.
//!
//! What can be read is kept byte for byte under the number it has. Where an event is lost, another one that says so takes its
//! place, so that the log has no gaps and readers need to know nothing of repairs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, OpenMode, PublishError, publish};
use crate::evidence::tree::Frontier;
use crate::format::frame::{JOURNAL_HEADER_BYTES, JournalHeader, NewFrame};
use crate::format::record;
use crate::id::{EventSeq, StoreId};
use crate::log::LogError;
use crate::log::journal::{JOURNAL_BYTES_MAX, TERMINATOR_BYTES, journal_path};
use crate::log::reader::{LiveFrame, read_frame};
use crate::log::recovery::recover;
use crate::log::salvage::{JournalRemains, Leaves, Remains, SegmentState};
use crate::log::segment::{RepairedTree, SegmentWriter, segment_path};
use crate::time::Timestamp;

/// More lost events than this are no accident; a witness that claims so is not believed.
const LOST_MAX: u64 = 1 << 24;

/// What has to be written anew so that the log is whole.
pub(crate) struct LogMend {
    pub(crate) segments: Vec<SegmentMend>,
    pub(crate) journals: Vec<JournalMend>,
    /// Events that cannot be read anywhere any more, as ascending inclusive ranges.
    pub(crate) lost: Vec<(EventSeq, EventSeq)>,
    /// The last event in a segment once this is done.
    pub(crate) sealed: EventSeq,
    /// Files that nothing takes the place of.
    pub(crate) spare: Vec<Spare>,
    /// The journal file that was written last is gone. This is the event behind all that something else knows of: if it and
    /// others behind it were recorded, they are lost, and nobody can say how many.
    pub(crate) end: Option<EventSeq>,
}

/// A file to be taken out.
pub(crate) struct Spare {
    pub(crate) path: PathBuf,
    /// What is wrong with it.
    pub(crate) why: String,
    pub(crate) events: SpareEvents,
}

/// Where the events of a file are that is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpareEvents {
    /// In journal files that are kept, or written anew.
    InJournal,
    /// Nowhere: none of them can be read.
    Unreadable,
    /// In segments, if it ever had any.
    Sealed,
}

/// A segment to be written.
pub(crate) struct SegmentMend {
    pub(crate) path: PathBuf,
    pub(crate) first_seq: EventSeq,
    pub(crate) last_seq: EventSeq,
    /// What is wrong with the one that is there; `None` when there is none.
    pub(crate) why: Option<String>,
    pub(crate) lost: u64,
    tree: RepairedTree,
}

/// A journal file to be written.
pub(crate) struct JournalMend {
    pub(crate) path: PathBuf,
    /// What is wrong with the one that is there; `None` when there is none.
    pub(crate) why: Option<String>,
    pub(crate) lost: u64,
    pub(crate) last_seq: EventSeq,
    header: JournalHeader,
    /// The frames of events that can be read; the others are lost.
    kept: BTreeMap<EventSeq, LiveFrame>,
}

impl LogMend {
    /// True when the log is whole as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.journals.is_empty() && self.spare.is_empty()
    }

    /// Decides. `witness` is the newest event that something outside of the log knows of; a journal file that has to be made
    /// from nothing gets `journal_bytes`.
    pub(crate) fn plan(
        disk: &dyn Disk,
        store: &StoreId,
        remains: &Remains,
        witness: Option<EventSeq>,
        journal_bytes: u64,
    ) -> Result<Self, LogError> {
        let leaves = remains.leaves();
        let in_segments = newest_sealed(remains, &leaves);
        let mut live: Vec<&JournalRemains> = remains
            .journals
            .iter()
            .filter(|journal| {
                let begun = matches!(&journal.header, Ok(header) if header.first_seq > in_segments);
                begun || journal.own().any(|frame| frame.seq > in_segments)
            })
            .collect();
        live.sort_by_key(|journal| (journal.first_seq(), journal.generation()));
        let begins = live.first().and_then(|journal| journal.first_seq());
        let newest_live = live
            .iter()
            .flat_map(|journal| journal.own())
            .map(|frame| frame.seq)
            .max();
        // A file is begun only when everything before its first event is durable.
        let begun_last = live
            .iter()
            .filter_map(|journal| journal.first_seq())
            .map(before);
        let last = begun_last
            .chain(newest_live)
            .chain(witness)
            .chain([in_segments])
            .max()
            .unwrap_or_default();
        let sealed = match begins {
            Some(first) => before(first).max(in_segments),
            None => last,
        };
        let segments = plan_segments(remains, &leaves, sealed);
        let sound = match recover(disk, store, sealed, OpenMode::Read, |_, _, _| {}) {
            Ok(found) => {
                found.damage.is_empty() && witness.is_none_or(|seen| seen < found.next_seq)
            }
            Err(LogError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let mut spare: Vec<Spare> = remains
            .segments
            .iter()
            .filter_map(|segment| match &segment.state {
                SegmentState::Broken { why, .. } if segment.first_seq > sealed => Some(Spare {
                    path: segment.path.clone(),
                    why: why.clone(),
                    events: SpareEvents::InJournal,
                }),
                _ => None,
            })
            .collect();
        spare.extend(unreadable_journals(remains, sealed));
        spare.extend(too_long_journals(remains, &live, sealed));
        let journals = if sound {
            Vec::new()
        } else {
            let frames: Vec<LiveFrame> = live.iter().flat_map(|one| one.own()).copied().collect();
            for double in take_doubles(&mut live) {
                spare.push(Spare {
                    path: journal_path(double.slot),
                    why: "another journal file has its events as well".to_owned(),
                    events: SpareEvents::InJournal,
                });
            }
            plan_journals(store, remains, &live, &frames, sealed, last, journal_bytes)
        };
        let mut mend = Self {
            spare,
            end: live.is_empty().then(|| last.next()),
            segments,
            journals,
            lost: Vec::new(),
            sealed,
        };
        mend.note_lost(&leaves)?;
        Ok(mend)
    }

    fn note_lost(&mut self, leaves: &Leaves<'_>) -> Result<(), LogError> {
        let mut lost: Vec<(EventSeq, EventSeq)> = Vec::new();
        let mut note = |seq: EventSeq| match lost.last_mut() {
            Some((_, last)) if last.next() == seq => *last = seq,
            _ => lost.push((seq, seq)),
        };
        for segment in &mut self.segments {
            if are_too_many(segment.first_seq, segment.last_seq) {
                return Err(LogError::Missing {
                    seq: segment.last_seq,
                });
            }
            for seq in segment.first_seq.0..=segment.last_seq.0 {
                if !leaves.holds(EventSeq(seq)) {
                    segment.lost += 1;
                    note(EventSeq(seq));
                }
            }
        }
        for journal in &mut self.journals {
            if are_too_many(journal.header.first_seq, journal.last_seq.next()) {
                return Err(LogError::Missing {
                    seq: journal.last_seq,
                });
            }
            for seq in journal.header.first_seq.0..=journal.last_seq.0 {
                if !journal.kept.contains_key(&EventSeq(seq)) {
                    journal.lost += 1;
                    note(EventSeq(seq));
                }
            }
        }
        self.lost = lost;
        Ok(())
    }
}

fn are_too_many(first: EventSeq, last: EventSeq) -> bool {
    last.0.saturating_sub(first.0) > LOST_MAX
}

fn before(seq: EventSeq) -> EventSeq {
    EventSeq(seq.0.saturating_sub(1))
}

/// The newest event that is, or was, in a segment.
fn newest_sealed(remains: &Remains, leaves: &Leaves<'_>) -> EventSeq {
    let ends = remains
        .segments
        .iter()
        .filter_map(|segment| match &segment.state {
            SegmentState::Intact(reader) => Some(reader.last_seq()),
            SegmentState::Broken { end, .. } => end.as_ref().map(|(reader, _)| reader.last_seq()),
        });
    ends.chain(leaves.newest_in_blocks())
        .max()
        .unwrap_or_default()
}

/// The stretches up to `sealed` that no intact segment covers, cut where a broken one has its name.
fn plan_segments(remains: &Remains, leaves: &Leaves<'_>, sealed: EventSeq) -> Vec<SegmentMend> {
    let mut mends = Vec::new();
    let mut next = EventSeq(1);
    let intact = remains
        .segments
        .iter()
        .filter_map(|segment| match &segment.state {
            SegmentState::Intact(reader) => Some((segment.first_seq, reader.last_seq())),
            SegmentState::Broken { .. } => None,
        });
    for (first, last) in intact.chain([(sealed.next(), sealed)]) {
        while next < first {
            let broken = |seq: EventSeq| {
                remains
                    .segments
                    .iter()
                    .find(|segment| segment.first_seq == seq)
            };
            let end = remains
                .segments
                .iter()
                .map(|segment| segment.first_seq)
                .filter(|name| *name > next && *name < first)
                .min()
                .map_or(before(first), before);
            let (why, old_end) = match broken(next).map(|segment| &segment.state) {
                Some(SegmentState::Broken { why, end, .. }) => (Some(why.clone()), end.as_ref()),
                _ => (None, None),
            };
            let kept = old_end.filter(|(reader, _)| reader.last_seq() == end);
            let whole = (next.0..=end.0).all(|seq| leaves.holds(EventSeq(seq)));
            let tree = match kept {
                Some((_, footer)) => RepairedTree::Kept(footer.clone()),
                None if whole => RepairedTree::Grown,
                None => RepairedTree::Unknown,
            };
            mends.push(SegmentMend {
                path: segment_path(next),
                first_seq: next,
                last_seq: end,
                why,
                lost: 0,
                tree,
            });
            next = end.next();
        }
        next = next.max(last.next());
    }
    // The log goes on from its last segment, whose tree must be known. Behind leaves that are lost it begins to grow over
    // those that stand for them.
    let newest_intact = remains
        .segments
        .iter()
        .filter(|segment| matches!(segment.state, SegmentState::Intact(_)))
        .map(|segment| segment.first_seq)
        .max();
    let last_known = mends
        .iter()
        .filter(|mend| matches!(mend.tree, RepairedTree::Kept(_)))
        .map(|mend| mend.first_seq)
        .chain(newest_intact)
        .max();
    for mend in &mut mends {
        if mend.tree == RepairedTree::Unknown && last_known.is_none_or(|last| last < mend.first_seq)
        {
            mend.tree = RepairedTree::Grown;
        }
    }
    mends
}

/// Files without a header and without a frame that can be read, but with the head of one that was not sealed: something had been
/// recorded there.
fn unreadable_journals(remains: &Remains, sealed: EventSeq) -> impl Iterator<Item = Spare> {
    remains.journals.iter().filter_map(move |journal| {
        let Err(why) = &journal.header else {
            return None;
        };
        let was_begun =
            journal.newest_head > Some(sealed) && journal.own().all(|frame| frame.seq <= sealed);
        was_begun.then(|| Spare {
            path: journal_path(journal.slot),
            why: format!("header: {why}"),
            events: SpareEvents::Unreadable,
        })
    })
}

fn too_long(journal: &JournalRemains) -> String {
    format!(
        "it has {} bytes, and a journal file has at most {JOURNAL_BYTES_MAX}",
        journal.bytes
    )
}

/// Files that are longer than a journal file may be and hold no event that is not sealed.
fn too_long_journals(remains: &Remains, live: &[&JournalRemains], sealed: EventSeq) -> Vec<Spare> {
    let is_live = |slot: u32| live.iter().any(|one| one.slot == slot);
    let of_no_use = remains.journals.iter().filter(|journal| {
        journal.bytes > JOURNAL_BYTES_MAX
            && !is_live(journal.slot)
            && journal.newest_head <= Some(sealed)
    });
    of_no_use
        .map(|journal| Spare {
            path: journal_path(journal.slot),
            why: too_long(journal),
            events: SpareEvents::Sealed,
        })
        .collect()
}

/// Takes out the files that begin with the same event as another one, which has more events: an older copy of a file, in the
/// place of another. Files without events are none; the log can go on in them.
fn take_doubles<'a>(live: &mut Vec<&'a JournalRemains>) -> Vec<&'a JournalRemains> {
    let all = live.clone();
    let rank = |nth: usize| (all[nth].own().count(), nth);
    let (mut kept, mut doubles) = (Vec::new(), Vec::new());
    for (nth, journal) in all.iter().enumerate() {
        let outdone = (0..all.len())
            .any(|other| all[other].first_seq() == journal.first_seq() && rank(other) > rank(nth));
        if outdone && journal.own().next().is_some() {
            doubles.push(*journal);
        } else {
            kept.push(*journal);
        }
    }
    *live = kept;
    doubles
}

/// The journal files that are not whole from the first event they must hold to the last. `intact` are the frames of all files, also
/// of those that are not to be kept.
fn plan_journals(
    store: &StoreId,
    remains: &Remains,
    live: &[&JournalRemains],
    intact: &[LiveFrame],
    sealed: EventSeq,
    last: EventSeq,
    journal_bytes: u64,
) -> Vec<JournalMend> {
    let mut frames: BTreeMap<EventSeq, LiveFrame> = BTreeMap::new();
    for frame in intact {
        if frame.seq > sealed {
            frames.entry(frame.seq).or_insert(*frame);
        }
    }
    let newest_generation = remains
        .journals
        .iter()
        .flat_map(|journal| {
            let named = journal.header.as_ref().ok().map(|header| header.generation);
            let seen = journal.frames.iter().map(|frame| frame.generation);
            seen.chain(named)
        })
        .max()
        .unwrap_or(0);
    let mut mends = Vec::new();
    for (nth, journal) in live.iter().enumerate() {
        let begins = journal.first_seq().unwrap_or_default();
        let first_seq = begins.max(sealed.next());
        let later = live.get(nth + 1).and_then(|next| next.first_seq());
        let last_seq = later.map_or(last, before);
        let mut kept = frames.split_off(&first_seq);
        frames = kept.split_off(&last_seq.next());
        let why = match &journal.header {
            Err(why) => Some(format!("header: {why}")),
            Ok(header) if header.file_bytes > journal.bytes => Some(format!(
                "{} bytes are left of {}",
                journal.bytes, header.file_bytes
            )),
            Ok(_) if journal.bytes > JOURNAL_BYTES_MAX => Some(too_long(journal)),
            Ok(header) if header.file_bytes < journal.bytes => Some(format!(
                "it has {} bytes and was made with {}",
                journal.bytes, header.file_bytes
            )),
            Ok(_) if stand_in_a_row(journal, begins, last_seq) => None,
            Ok(_) => {
                let own = journal.own().map(|frame| frame.seq.0);
                let what = if own.eq(begins.0..=last_seq.0) {
                    "its events do not stand where they belong"
                } else {
                    "not all of its events can be read"
                };
                Some(what.to_owned())
            }
        };
        let Some(why) = why else {
            continue;
        };
        let header = JournalHeader {
            store: *store,
            generation: journal.generation().unwrap_or(newest_generation + 1),
            first_seq,
            // A header can say anything: the file gets no longer than it is or than the store's files are made.
            file_bytes: match &journal.header {
                _ if journal.bytes > JOURNAL_BYTES_MAX => journal_bytes,
                Ok(header) => header.file_bytes.min(journal.bytes.max(journal_bytes)),
                Err(_) => journal.bytes.max(journal_bytes),
            },
        };
        mends.push(JournalMend {
            path: journal_path(journal.slot),
            why: Some(why),
            lost: 0,
            last_seq,
            header,
            kept,
        });
    }
    if live.is_empty() {
        let slots = remains.journals.iter().map(|journal| journal.slot + 1);
        mends.push(JournalMend {
            path: journal_path(slots.max().unwrap_or(0)),
            why: None,
            lost: 0,
            last_seq: last.next(),
            header: JournalHeader {
                store: *store,
                generation: newest_generation + 1,
                first_seq: last.next(),
                file_bytes: journal_bytes,
            },
            kept: BTreeMap::new(),
        });
    }
    mends
}

/// Whether a file has all of these events, each behind the one before: who opens the store reads no others.
fn stand_in_a_row(journal: &JournalRemains, first: EventSeq, last: EventSeq) -> bool {
    let (mut at, mut next) = (JOURNAL_HEADER_BYTES as u64, first);
    for frame in journal.own() {
        if (frame.offset, frame.seq) != (at, next) {
            return false;
        }
        at += u64::from(frame.frame_bytes);
        next = next.next();
    }
    next == last.next()
}

/// Makes the leaf that stands for an event that is lost from the file at a path.
pub(crate) type Stand<'a> = dyn Fn(EventSeq, &Path) -> Result<Vec<u8>, LogError> + 'a;

impl LogMend {
    /// Writes the segments, oldest first, each through `tmp`. Durable on `Ok`; after an error some may be written, and to
    /// plan and write again is right.
    pub(crate) fn write_segments(
        &self,
        disk: &Arc<dyn Disk>,
        store: &StoreId,
        remains: &Remains,
        tmp: &Path,
        stand: &Stand<'_>,
    ) -> Result<(), LogError> {
        let mut leaves = remains.leaves();
        for mend in &self.segments {
            let frontier = self.tree_before(mend, remains, &mut leaves, stand)?;
            let mut writer = SegmentWriter::create(
                Arc::clone(disk),
                tmp.to_owned(),
                store,
                mend.first_seq,
                frontier,
            )?;
            for seq in mend.first_seq.0..=mend.last_seq.0 {
                let seq = EventSeq(seq);
                match leaves.leaf(seq)? {
                    Some(leaf) => writer.push(&leaf)?,
                    None => writer.push(&stand(seq, &mend.path)?)?,
                }
            }
            writer.finish_repaired(mend.tree.clone())?.publish()?;
        }
        Ok(())
    }

    /// The tree over all leaves before a segment: as the segment before states it, or else grown from the last that does.
    fn tree_before(
        &self,
        mend: &SegmentMend,
        remains: &Remains,
        leaves: &mut Leaves<'_>,
        stand: &Stand<'_>,
    ) -> Result<Frontier, LogError> {
        let mut known: BTreeMap<EventSeq, Frontier> = BTreeMap::new();
        for segment in &remains.segments {
            if let SegmentState::Intact(reader) = &segment.state
                && let Ok(frontier) = reader.frontier()
            {
                known.insert(reader.last_seq().next(), frontier);
            }
        }
        for earlier in &self.segments {
            if let RepairedTree::Kept(footer) = &earlier.tree
                && let Ok(frontier) = Frontier::from_bytes(&footer.frontier)
            {
                known.insert(earlier.last_seq.next(), frontier);
            }
        }
        let (mut next, mut frontier) = known
            .range(..=mend.first_seq)
            .next_back()
            .map_or((EventSeq(1), Frontier::new()), |(seq, frontier)| {
                (*seq, frontier.clone())
            });
        // What lies between was written a moment ago, out of the same leaves.
        while next < mend.first_seq {
            match leaves.leaf(next)? {
                Some(leaf) => frontier.push(&leaf),
                None => frontier.push(&stand(next, &mend.path)?),
            }
            next = next.next();
        }
        Ok(frontier)
    }

    /// Writes the journal files. Durable on `Ok`.
    pub(crate) fn write_journals(
        &self,
        disk: &dyn Disk,
        remains: &Remains,
        tmp: &Path,
        stand: &Stand<'_>,
    ) -> Result<(), LogError> {
        for mend in &self.journals {
            let image = mend.image(remains, stand)?;
            let write = || {
                let file = disk.open(tmp, OpenMode::CreateNew)?;
                file.write_all_at(&image, 0)?;
                file.sync()?;
                publish(disk, tmp, &mend.path).map_err(|error| match error {
                    PublishError::Rename(error) | PublishError::SyncDir(error) => error,
                })
            };
            write().map_err(LogError::io("write", &mend.path))?;
        }
        Ok(())
    }
}

impl JournalMend {
    /// The first event it must hold.
    pub(crate) fn first_seq(&self) -> EventSeq {
        self.header.first_seq
    }

    /// The whole file.
    fn image(&self, remains: &Remains, stand: &Stand<'_>) -> Result<Vec<u8>, LogError> {
        let mut frames = Vec::new();
        for seq in self.header.first_seq.0..=self.last_seq.0 {
            let seq = EventSeq(seq);
            match self.kept.get(&seq) {
                Some(live) => self.copy_frame(live, remains, &mut frames)?,
                None => {
                    let leaf = stand(seq, &self.path)?;
                    let frame = NewFrame {
                        generation: self.header.generation,
                        seq,
                        group: seq,
                        time: Timestamp::from_micros(0),
                        retention: crate::entry::Retention::Forever,
                        level: 0,
                        leaf: &leaf,
                        records: &[],
                    };
                    self.encode(&frame, &mut frames)?;
                }
            }
        }
        let needed = (JOURNAL_HEADER_BYTES + frames.len() + TERMINATOR_BYTES) as u64;
        let header = JournalHeader {
            file_bytes: self.header.file_bytes.max(needed.next_multiple_of(4096)),
            ..self.header
        };
        let mut image = header.encode();
        image.append(&mut frames);
        image.resize(usize::try_from(header.file_bytes).unwrap_or(image.len()), 0);
        Ok(image)
    }

    /// The frame with the generation of this file: it may have been found in another.
    fn copy_frame(
        &self,
        live: &LiveFrame,
        remains: &Remains,
        out: &mut Vec<u8>,
    ) -> Result<(), LogError> {
        let missing = || LogError::Missing { seq: live.seq };
        let journal = remains
            .journals
            .iter()
            .find(|journal| journal.slot == live.slot)
            .ok_or_else(missing)?;
        let owned = read_frame(&*journal.file, live)?.ok_or_else(missing)?;
        let frame = owned.frame().map_err(|why| LogError::Frame {
            path: journal_path(live.slot),
            offset: live.offset,
            why,
        })?;
        let mut records = Vec::new();
        let mut rest = frame.records;
        while let Ok((header, _)) = record::decode(rest) {
            let (one, behind) = rest.split_at(header.record_len() as usize);
            records.push(one);
            rest = behind;
        }
        let copy = NewFrame {
            generation: self.header.generation,
            seq: frame.header.seq,
            group: frame.header.group,
            time: frame.header.time,
            retention: frame.header.retention,
            level: frame.header.level,
            leaf: frame.leaf,
            records: &records,
        };
        self.encode(&copy, out)
    }

    fn encode(&self, frame: &NewFrame<'_>, out: &mut Vec<u8>) -> Result<(), LogError> {
        frame.encode_into(out).map_err(|why| LogError::Frame {
            path: self.path.clone(),
            offset: 0,
            why,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{Call, Fault, Repeat, SimDisk};
    use crate::format::frame::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameError};
    use crate::format::segment::{SEGMENT_HEADER_BYTES, SEGMENT_TRAILER_BYTES};
    use crate::log::segment::SegmentReader;
    use crate::log::tests::{STORE, disk, journal, leaf, seal, tree};
    use crate::log::{EVENTS_DIR, JOURNAL_BYTES_MIN};

    const TMP: &str = "tmp/mend";

    fn survey(disk: &SimDisk) -> Remains {
        Remains::survey(disk, &STORE).expect("readable")
    }

    fn plan(disk: &SimDisk, remains: &Remains, witness: Option<u64>) -> Result<LogMend, LogError> {
        let witness = witness.map(EventSeq);
        LogMend::plan(disk, &STORE, remains, witness, JOURNAL_BYTES_MIN)
    }

    fn planned(disk: &SimDisk) -> LogMend {
        plan(disk, &survey(disk), None).expect("a plan")
    }

    /// Leaves that are no events, and say for which they stand.
    fn stands() -> impl Fn(EventSeq, &Path) -> Result<Vec<u8>, LogError> {
        |seq, _| Ok(format!("in place of {seq}").into_bytes())
    }

    #[test]
    fn a_log_that_is_whole_is_left_as_it_is() {
        let disk = disk();
        seal(&disk, 1..=3);
        journal(&disk, 0, 1, 4..=5);
        let mend = planned(&disk);
        assert!(mend.is_empty() && mend.lost.is_empty());
        assert_eq!((mend.sealed, mend.end), (EventSeq(3), None));
        disk.lose(journal_path(0)).expect("there");
        assert!(!planned(&disk).is_empty());
    }

    /// Two blocks had changed places, and with them all events of a file, in their order: where the first one belongs there were
    /// zeros. The file counted as whole, and the repair ended in a store that it called damaged beyond repair.
    #[test]
    fn events_that_all_stand_elsewhere_are_brought_back_to_their_places() {
        let disk = disk();
        seal(&disk, 1..=3);
        let places = journal(&disk, 0, 1, 4..=5);
        let path = journal_path(0);
        let sound = disk.content(&path).expect("there");
        let mut moved = sound.clone();
        let at = usize::try_from(places[0]).expect("small");
        moved.copy_within(at..at + 8_192, at + 8_192);
        moved[at..at + 8_192].fill(0);
        disk.plant(&path, &moved).expect("written");
        let remains = survey(&disk);
        let mend = plan(&disk, &remains, Some(5)).expect("a plan");
        let [journal] = &mend.journals[..] else {
            panic!("one");
        };
        let why = "its events do not stand where they belong";
        assert_eq!(journal.why.as_deref(), Some(why));
        assert!(mend.lost.is_empty() && journal.lost == 0);
        mend.write_journals(&disk, &remains, Path::new(TMP), &stands())
            .expect("written");
        assert!(disk.content(&path).expect("there") == sound);
        assert!(planned(&disk).is_empty());
    }

    /// Two files had changed places and one of them was taken back: the log went on in the shorter copy, under numbers that nobody
    /// would have looked for there.
    #[test]
    fn an_older_copy_of_a_file_beside_it_is_told_and_set_aside() {
        for (older, newer) in [(0, 1), (1, 0)] {
            let disk = disk();
            seal(&disk, 1..=3);
            journal(&disk, older, 2, 4..=4);
            journal(&disk, newer, 2, 4..=6);
            let found = recover(&disk, &STORE, EventSeq(3), OpenMode::Read, |_, _, _| {});
            let found = found.expect("readable");
            assert_eq!(found.next_seq, EventSeq(7));
            if older == 0 {
                assert!(found.damage.is_empty(), "the log goes on in the longer one");
                continue;
            }
            let [why] = &found.damage[..] else {
                panic!("{:?}", found.damage);
            };
            assert!(why.ends_with("it goes on with event 5, and the log with event 7"));
            let mend = planned(&disk);
            let [Spare { path, events, .. }] = &mend.spare[..] else {
                panic!("one");
            };
            assert_eq!(*path, journal_path(older));
            assert_eq!(*events, SpareEvents::InJournal);
            assert!(mend.journals.is_empty() && mend.lost.is_empty());
            disk.lose(path).expect("there");
            assert!(planned(&disk).is_empty());
        }
    }

    /// The header was gone, and of all events only the head of the first was left: too little for the file to be mended, and enough
    /// for it to be called damaged when the store was opened after the repair.
    #[test]
    fn a_file_of_which_only_the_head_of_an_event_is_left_is_set_aside() {
        let disk = disk();
        seal(&disk, 1..=3);
        let places = journal(&disk, 0, 1, 4..=5);
        let path = journal_path(0);
        disk.flip_bit(&path, 225).expect("there");
        let body = places[0] + FRAME_HEADER_BYTES as u64;
        let len = disk.content(&path).expect("there").len();
        let zeros = vec![0; len - usize::try_from(body).expect("small")];
        disk.overwrite(&path, body, &zeros).expect("there");
        let remains = survey(&disk);
        let mend = plan(&disk, &remains, None).expect("a plan");
        let [spare] = &mend.spare[..] else {
            panic!("one");
        };
        assert_eq!(spare.path, path);
        assert_eq!(spare.events, SpareEvents::Unreadable);
        assert_eq!(mend.end, Some(EventSeq(4)));
        mend.write_journals(&disk, &remains, Path::new(TMP), &stands())
            .expect("written");
        disk.lose(&path).expect("there");
        assert!(planned(&disk).is_empty());
    }

    /// A header is damaged alone: what it stood over decides whether the file is mended, in the way, or of no account.
    #[test]
    fn a_file_without_its_header_is_set_aside_only_when_nothing_of_what_was_recorded_can_be_read() {
        let headless = |sealed: u64, seqs: std::ops::RangeInclusive<u64>, broken: Option<usize>| {
            let disk = disk();
            seal(&disk, 1..=sealed);
            let places = journal(&disk, 0, 1, seqs);
            disk.flip_bit(journal_path(0), 225).expect("there");
            if let Some(nth) = broken {
                let body = (places[nth] + FRAME_HEADER_BYTES as u64) * 8;
                disk.flip_bit(journal_path(0), body).expect("there");
            }
            let mend = planned(&disk);
            let aside = mend.spare.iter().map(|spare| spare.events);
            (aside.collect::<Vec<_>>(), mend.journals.len())
        };
        // The one that is made is the next of the log: it has none any more.
        assert_eq!(headless(3, 4..=5, None), (vec![], 1), "it is mended");
        assert_eq!(headless(3, 1..=3, None), (vec![], 1), "all was sealed");
        assert_eq!(headless(4, 2..=3, None), (vec![], 1), "long sealed");
        let unreadable = vec![SpareEvents::Unreadable];
        assert_eq!(
            headless(3, 3..=4, Some(1)),
            (unreadable, 1),
            "a head is left"
        );
    }

    /// A witness told of events that the journal lacks. Taken for whole, the log would go on under their numbers.
    #[test]
    fn what_a_witness_knows_of_and_the_log_lacks_is_lost() {
        let disk = disk();
        seal(&disk, 1..=3);
        journal(&disk, 0, 1, 4..=5);
        let remains = survey(&disk);
        let mend = plan(&disk, &remains, Some(7)).expect("a plan");
        assert_eq!(mend.lost, [(EventSeq(6), EventSeq(7))]);
        assert_eq!(mend.journals.len(), 1);
        assert!(plan(&disk, &remains, Some(5)).expect("a plan").is_empty());
    }

    /// The log goes on from its last segment, and nothing behind the lost leaves says what the tree over them was.
    #[test]
    fn a_tree_that_nothing_states_grows_over_what_stands_for_lost_events() {
        let disk = disk();
        seal(&disk, 1..=3);
        let segment = seal(&disk, 4..=5);
        let path = segment.path().to_owned();
        journal(&disk, 0, 1, 6..=6);
        disk.truncate(&path, SEGMENT_HEADER_BYTES as u64)
            .expect("cut");
        let mend = planned(&disk);
        let [lost] = &mend.segments[..] else {
            panic!("one");
        };
        assert_eq!(
            (lost.first_seq, lost.last_seq, lost.lost),
            (EventSeq(4), EventSeq(5), 2)
        );
        assert!(lost.tree == RepairedTree::Grown);
    }

    /// What stands for a lost event may be longer than the event was.
    #[test]
    fn a_journal_file_is_made_as_long_as_what_it_must_hold() {
        let disk = disk();
        let made = |count: u64, leaf_bytes: usize| {
            let mend = JournalMend {
                path: journal_path(0),
                why: None,
                lost: count,
                last_seq: EventSeq(count),
                header: JournalHeader {
                    store: STORE,
                    generation: 1,
                    first_seq: EventSeq(1),
                    file_bytes: JOURNAL_BYTES_MIN,
                },
                kept: BTreeMap::new(),
            };
            let stand = move |_, _: &Path| Ok(vec![b'x'; leaf_bytes]);
            mend.image(&survey(&disk), &stand).expect("made")
        };
        let frame = |leaf_bytes: usize| FRAME_HEADER_BYTES + leaf_bytes;
        for (count, leaf_bytes, file_bytes) in [
            (2, 1_000, 65_536),
            // They end just where the terminator must begin, and eight bytes behind.
            (
                3,
                (65_536 - 4_096 - 64) / 3 / 8 * 8 - FRAME_HEADER_BYTES,
                65_536,
            ),
            (1, 65_536 - 4_096 - 64 - FRAME_HEADER_BYTES, 65_536),
            (1, 65_536 - 4_096 - 56 - FRAME_HEADER_BYTES, 69_632),
            (5, 20_000, 106_496),
        ] {
            let image = made(count, leaf_bytes);
            let frames = usize::try_from(count).expect("few") * frame(leaf_bytes);
            assert_eq!(image.len(), file_bytes, "{count} of {leaf_bytes}");
            let (used, free) = image.split_at(4_096 + frames);
            assert_eq!(used.last(), Some(&b'x'));
            assert!(free.len() >= 64 && free.iter().all(|byte| *byte == 0));
            let header = JournalHeader::decode(&image, &STORE).expect("a header");
            assert_eq!(header.file_bytes, file_bytes as u64);
        }
    }

    fn ranges(mend: &LogMend) -> Vec<(u64, u64)> {
        mend.lost
            .iter()
            .map(|(first, last)| (first.0, last.0))
            .collect()
    }

    #[test]
    fn events_that_are_lost_are_counted_for_each_file_and_told_as_ranges() {
        let disk = disk();
        let segment = seal(&disk, 1..=3);
        let block = SEGMENT_HEADER_BYTES as u64;
        disk.flip_bit(segment.path(), block * 8).expect("there");
        let places = journal(&disk, 0, 1, 4..=10);
        for nth in [1, 2, 4] {
            disk.flip_bit(journal_path(0), places[nth] * 8)
                .expect("there");
        }
        let mend = planned(&disk);
        assert_eq!(ranges(&mend), [(1, 3), (5, 6), (8, 8)]);
        let [segment] = &mend.segments[..] else {
            panic!("one");
        };
        assert_eq!((segment.lost, mend.journals[0].lost), (3, 3));
        assert!(
            matches!(segment.tree, RepairedTree::Kept(_)),
            "its end says what it was"
        );
    }

    /// A witness may say anything.
    #[test]
    fn more_than_sixteen_million_events_are_not_believed_to_be_lost() {
        let are = |first, last| are_too_many(EventSeq(first), EventSeq(last));
        assert!(!are(1, 1) && !are(5, 5 + LOST_MAX));
        assert!(are(5, 6 + LOST_MAX) && are(1, EventSeq::MAX.0));
        let disk = disk();
        seal(&disk, 1..=3);
        let refused = plan(&disk, &survey(&disk), Some(EventSeq::MAX.0 - 1));
        assert!(matches!(refused, Err(LogError::Missing { .. })));
    }

    /// Its events are in the journal; or it is the last one, which is written anew under its own name.
    #[test]
    fn a_broken_segment_is_set_aside_only_where_nothing_takes_its_place() {
        let rotten = |seqs: std::ops::RangeInclusive<u64>| {
            let disk = disk();
            seal(&disk, 1..=3);
            let segment = seal(&disk, seqs);
            let block = SEGMENT_HEADER_BYTES as u64;
            disk.flip_bit(segment.path(), block * 8).expect("there");
            disk
        };
        let last = rotten(4..=4);
        let mend = planned(&last);
        let segments = mend.segments.iter().map(|one| one.first_seq.0);
        assert_eq!(segments.collect::<Vec<_>>(), [4]);
        assert!(mend.spare.is_empty());

        let in_journal = disk();
        seal(&in_journal, 1..=3);
        let path = seal(&in_journal, 4..=5).path().to_owned();
        in_journal
            .truncate(&path, SEGMENT_HEADER_BYTES as u64)
            .expect("cut");
        journal(&in_journal, 0, 1, 4..=5);
        let mend = planned(&in_journal);
        let [spare] = &mend.spare[..] else {
            panic!("one");
        };
        assert_eq!((&spare.path, spare.events), (&path, SpareEvents::InJournal));
        assert!(mend.segments.is_empty() && mend.lost.is_empty());
    }

    #[test]
    fn a_segment_that_is_made_anew_says_what_was_wrong_with_the_one_of_its_name() {
        let disk = disk();
        let first = seal(&disk, 1..=2);
        let second = seal(&disk, 3..=4);
        seal(&disk, 5..=6);
        disk.lose(first.path()).expect("there");
        let block = SEGMENT_HEADER_BYTES as u64;
        disk.flip_bit(second.path(), block * 8).expect("there");
        let mend = planned(&disk);
        let told = mend
            .segments
            .iter()
            .map(|one| (one.first_seq.0, one.why.is_some()));
        assert_eq!(told.collect::<Vec<_>>(), [(1, false), (3, true)]);
    }

    /// Where a later segment states the tree, leaves that are lost leave it unknown before; leaves that are whole do not.
    #[test]
    fn a_tree_is_grown_anew_over_whole_leaves_and_left_unknown_over_lost_ones() {
        for block_too in [false, true] {
            let disk = disk();
            let first = seal(&disk, 1..=2);
            seal(&disk, 3..=4);
            let trailer = first.bytes() - SEGMENT_TRAILER_BYTES as u64;
            disk.flip_bit(first.path(), trailer * 8).expect("there");
            if block_too {
                let block = SEGMENT_HEADER_BYTES as u64;
                disk.flip_bit(first.path(), block * 8).expect("there");
            }
            let mend = planned(&disk);
            let expected = if block_too {
                RepairedTree::Unknown
            } else {
                RepairedTree::Grown
            };
            assert_eq!(mend.segments.len(), 1);
            assert_eq!(mend.segments[0].tree, expected, "{block_too}");
        }
    }

    #[test]
    fn only_journal_files_that_are_not_whole_are_made_anew() {
        let disk = disk();
        let places = journal(&disk, 0, 1, 1..=3);
        journal(&disk, 1, 2, 4..=5);
        disk.flip_bit(journal_path(0), places[1] * 8)
            .expect("there");
        let anew = |disk: &SimDisk| -> Vec<(PathBuf, Option<String>)> {
            let mends = planned(disk).journals.into_iter();
            mends.map(|one| (one.path, one.why)).collect()
        };
        let unread = "not all of its events can be read".to_owned();
        assert_eq!(anew(&disk), [(journal_path(0), Some(unread))]);
        disk.flip_bit(journal_path(0), places[1] * 8)
            .expect("there");
        assert_eq!(anew(&disk), []);
        // Behind its last event; but nobody knows what else was there.
        disk.truncate(journal_path(1), 40_000).expect("cut");
        let short = "40000 bytes are left of 65536".to_owned();
        assert_eq!(anew(&disk), [(journal_path(1), Some(short))]);
    }

    /// The newest file may hold nothing yet, or begin with events that were sealed by now.
    #[test]
    fn a_journal_file_begun_or_used_behind_the_last_segment_is_the_end_of_the_log() {
        let begun = disk();
        seal(&begun, 1..=3);
        let places = journal(&begun, 0, 1, 4..=4);
        begun
            .overwrite(journal_path(0), places[0], &[0; 4_096])
            .expect("taken back");
        assert_eq!(planned(&begun).end, None);
        let used = disk();
        seal(&used, 1..=3);
        journal(&used, 0, 1, 2..=5);
        assert_eq!(planned(&used).end, None);
    }

    #[test]
    fn a_journal_file_that_ends_with_the_last_segment_is_not_the_end_of_the_log() {
        let disk = disk();
        seal(&disk, 1..=3);
        journal(&disk, 0, 6, 1..=3);
        let mend = planned(&disk);
        assert_eq!(mend.end, Some(EventSeq(4)));
        let made = mend.journals.first().expect("one is made");
        assert_eq!((made.path.as_path(), &made.why), (&*journal_path(1), &None));
        assert_eq!((made.first_seq(), made.header.generation), (EventSeq(4), 7));
    }

    #[test]
    fn a_journal_folder_that_is_gone_is_made_up_for_and_a_disk_that_fails_is_told() {
        let bare = SimDisk::new();
        for folder in ["tmp", EVENTS_DIR] {
            bare.make_dir(Path::new(folder)).expect("a folder");
        }
        seal(&bare, 1..=3);
        let mend = planned(&bare);
        assert_eq!((mend.journals.len(), mend.end), (1, Some(EventSeq(4))));

        let disk = disk();
        seal(&disk, 1..=3);
        journal(&disk, 0, 1, 4..=5);
        let remains = survey(&disk);
        disk.fail_at(0, Fault::Os(5), Repeat::Once);
        match plan(&disk, &remains, None) {
            Err(LogError::Io { action, source, .. }) => {
                assert_eq!((action, source.raw_os_error()), ("list", Some(5)));
            }
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("taken for damage"),
        }
    }

    /// Two segments whose ends rotted, the first with its block. Of its two events one is in the journal still.
    #[test]
    fn a_tree_grows_over_what_stands_for_the_events_before_a_segment() {
        let disk = disk();
        let first = seal(&disk, 1..=2);
        let second = seal(&disk, 3..=4);
        for segment in [&first, &second] {
            let trailer = segment.bytes() - SEGMENT_TRAILER_BYTES as u64;
            disk.flip_bit(segment.path(), trailer * 8).expect("there");
        }
        let block = SEGMENT_HEADER_BYTES as u64;
        disk.flip_bit(first.path(), block * 8).expect("there");
        journal(&disk, 0, 1, 1..=1);
        journal(&disk, 1, 2, 5..=5);
        let remains = survey(&disk);
        let mend = plan(&disk, &remains, None).expect("a plan");
        let ends = mend
            .segments
            .iter()
            .map(|one| (one.first_seq.0, one.last_seq.0));
        assert_eq!(ends.collect::<Vec<_>>(), [(1, 2), (3, 4)]);
        assert_eq!(mend.lost, [(EventSeq(2), EventSeq(2))]);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        mend.write_segments(&shared, &STORE, &remains, Path::new(TMP), &stands())
            .expect("written");
        let stand = b"in place of 2".to_vec();
        let mut leaves = vec![leaf(1), stand, leaf(3), leaf(4)];
        let tree_of = |first| {
            let reader = SegmentReader::open(&disk, &STORE, EventSeq(first));
            let tree = reader.and_then(|reader| reader.frontier());
            tree.expect("a tree").root()
        };
        assert_eq!(tree_of(3), tree(&leaves).root());
        leaves.truncate(2);
        assert_eq!(tree_of(1), tree(&leaves).root());
    }

    #[test]
    fn a_journal_file_that_could_not_be_written_is_told_with_its_name() {
        let sound = disk();
        seal(&sound, 1..=3);
        let remains = survey(&sound);
        let mend = planned(&sound);
        for calls in 0.. {
            let disk = sound.snapshot();
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            let written = mend.write_journals(&disk, &remains, Path::new(TMP), &stands());
            let struck = disk.struck_census();
            if struck.total() == 0 {
                written.expect("written");
                disk.heal();
                assert!(planned(&disk).is_empty());
                assert_eq!(calls, 5);
                break;
            }
            assert_eq!(struck.of(Call::Rename), u64::from(calls == 3));
            assert_eq!(struck.of(Call::SyncDir), u64::from(calls == 4));
            match written {
                Err(LogError::Io { action, path, .. }) => {
                    assert_eq!((action, path), ("write", mend.journals[0].path.clone()));
                }
                other => panic!("call {calls}: {other:?}"),
            }
        }
    }

    /// A journal file of which event 5 was lost, so that it is made anew out of event 4.
    fn one_left(disk: &SimDisk) -> (Remains, LogMend, u64) {
        seal(disk, 1..=3);
        let places = journal(disk, 0, 1, 4..=5);
        disk.flip_bit(journal_path(0), places[1] * 8)
            .expect("there");
        let remains = survey(disk);
        let mend = plan(disk, &remains, Some(5)).expect("a plan");
        assert_eq!(mend.lost, [(EventSeq(5), EventSeq(5))]);
        (remains, mend, places[0])
    }

    #[test]
    fn an_event_that_cannot_be_read_any_more_while_its_file_is_made_anew_ends_the_repair() {
        let damaged = |at: u64| {
            let disk = disk();
            let (remains, mend, place) = one_left(&disk);
            let bit = (place + at) * 8;
            disk.flip_bit(journal_path(0), bit).expect("there");
            let written = mend.write_journals(&disk, &remains, Path::new(TMP), &stands());
            assert!(disk.content(TMP).is_err(), "nothing is begun");
            (written, place)
        };
        let (header_rotted, _) = damaged(0);
        assert!(
            matches!(header_rotted, Err(LogError::Missing { seq }) if seq == EventSeq(4)),
            "{header_rotted:?}"
        );
        match damaged(FRAME_HEADER_BYTES as u64) {
            (Err(LogError::Frame { path, offset, why }), place) => {
                assert_eq!((path, offset), (journal_path(0), place));
                assert_eq!(why, FrameError::BodyChecksum);
            }
            (other, _) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_stands_for_an_event_must_fit_into_a_frame() {
        let disk = disk();
        let (remains, mend, _) = one_left(&disk);
        let too_long = |_: EventSeq, _: &Path| Ok(vec![b'x'; FRAME_BYTES_MAX]);
        match mend.write_journals(&disk, &remains, Path::new(TMP), &too_long) {
            Err(LogError::Frame { path, offset, why }) => {
                assert_eq!((path, offset), (journal_path(0), 0));
                assert_eq!(why, FrameError::Length);
            }
            other => panic!("{other:?}"),
        }
    }
}
