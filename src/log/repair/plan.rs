//! Decides which files of a damaged log to write, and from which events.

use super::remains::{JournalRemains, Leaves, Remains, SegmentState};
use crate::disk::{Disk, OpenMode};
use crate::format::frame::{JOURNAL_HEADER_BYTES, JournalHeader};
use crate::id::{EventSeq, StoreId};
use crate::log::LogError;
use crate::log::journal::{JOURNAL_BYTES_MAX, journal_path};
use crate::log::reader::LiveFrame;
use crate::log::recovery::recover;
use crate::log::segment::{RepairedTree, segment_path};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// The most events that a repair replaces. A watermark that claims more lost events is not trusted.
pub(super) const LOST_MAX: u64 = 1 << 24;

/// The files to write so that the log is complete.
pub(crate) struct LogMend {
    pub(crate) segments: Vec<SegmentMend>,
    pub(crate) journals: Vec<JournalMend>,
    /// Events that can no longer be read anywhere, as ascending inclusive ranges.
    pub(crate) lost: Vec<(EventSeq, EventSeq)>,
    /// The last event in a segment after the repair.
    pub(crate) sealed: EventSeq,
    /// Files to be taken out that no new file replaces.
    pub(crate) spare: Vec<Spare>,
    /// Set when the journal file that was written last is gone. It is the first event after all
    /// that other sources know of. Events from there on may have been recorded; then they are lost,
    /// and their number is unknown.
    pub(crate) end: Option<EventSeq>,
}

/// A file to be taken out of the log.
pub(crate) struct Spare {
    pub(crate) path: PathBuf,
    /// What is wrong with the file.
    pub(crate) why: String,
    pub(crate) events: SpareEvents,
}

/// Where the events of a file to be taken out can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpareEvents {
    /// In journal files that are kept or written again.
    InJournal,
    /// Nowhere: none of them can be read.
    Unreadable,
    /// In segments, if it ever had any.
    Sealed,
}

/// A segment to write.
pub(crate) struct SegmentMend {
    pub(crate) path: PathBuf,
    pub(crate) first_seq: EventSeq,
    pub(crate) last_seq: EventSeq,
    /// What is wrong with the existing segment; `None` when there is none.
    pub(crate) why: Option<String>,
    pub(crate) lost: u64,
    pub(super) tree: RepairedTree,
}

/// A journal file to write.
pub(crate) struct JournalMend {
    pub(crate) path: PathBuf,
    /// What is wrong with the existing file; `None` when there is none.
    pub(crate) why: Option<String>,
    pub(crate) lost: u64,
    pub(crate) last_seq: EventSeq,
    pub(super) header: JournalHeader,
    /// The frames of events that can be read; the others are lost.
    pub(super) kept: BTreeMap<EventSeq, LiveFrame>,
}

impl LogMend {
    /// Returns true when the log is complete and needs no repair.
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.journals.is_empty() && self.spare.is_empty()
    }

    /// Plans the repair. `witness` is the newest event known from outside the log. A journal file
    /// that must be made from nothing gets `journal_bytes`.
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

pub(super) fn are_too_many(first: EventSeq, last: EventSeq) -> bool {
    last.0.saturating_sub(first.0) > LOST_MAX
}

pub(super) fn before(seq: EventSeq) -> EventSeq {
    EventSeq(seq.0.saturating_sub(1))
}

/// Returns the newest event that is, or was, in a segment.
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

/// Returns the segments to write: the ranges up to `sealed` that no intact segment covers, cut
/// where a broken segment begins by its name.
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
    // The log continues after its last segment, whose tree must be known. Where leaves are lost,
    // the tree is built over their stand-ins.
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

/// Returns files without a header and without a readable frame, but with the frame header of an
/// unsealed event: something was recorded there.
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

/// Returns files that are longer than a journal file may be and hold no unsealed event.
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

/// Takes out every file that begins with the same event as a file with more events: it is an older
/// copy that was put in place of another file. Files without events are kept, because the log can
/// continue in them.
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

/// Returns the journal files that do not hold every event from the first to the last that they must
/// hold. `intact` are the frames of all files, also of files that are not kept.
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
            // A damaged header can state any length. The file gets no longer than it is now or than
            // the store makes its files.
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

/// Returns whether a file has all of these events in consecutive frames. Recovery reads only such
/// events.
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
