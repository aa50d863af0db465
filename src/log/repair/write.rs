//! Writes the segments and journal files that complete a damaged log.

use super::plan::{JournalMend, LogMend, SegmentMend};
use super::remains::{Leaves, Remains, SegmentState};
use crate::disk::{Disk, OpenMode, PublishError, publish};
use crate::evidence::tree::Frontier;
use crate::format::frame::{JOURNAL_HEADER_BYTES, JournalHeader, NewFrame};
use crate::format::record;
use crate::id::{EventSeq, StoreId};
use crate::log::LogError;
use crate::log::journal::{TERMINATOR_BYTES, journal_path};
use crate::log::reader::{LiveFrame, read_frame};
use crate::log::segment::{RepairedTree, SegmentWriter};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Makes the stand-in leaf for an event that was lost from the file at the given path.
pub(crate) type Stand<'a> = dyn Fn(EventSeq, &Path) -> Result<Vec<u8>, LogError> + 'a;

impl LogMend {
    /// Writes the segments, oldest first, each through `tmp`. Durable on `Ok`. After an error some
    /// may be written; planning and writing again is safe.
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

    /// Returns the tree over all leaves before a segment: from the footer of the segment before it,
    /// or else built from the last footer that states one.
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
        // The segments in between were just written from these leaves.
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
    /// Returns the first event that the file must hold.
    pub(crate) fn first_seq(&self) -> EventSeq {
        self.header.first_seq
    }

    /// Returns the bytes of the whole file.
    pub(super) fn image(&self, remains: &Remains, stand: &Stand<'_>) -> Result<Vec<u8>, LogError> {
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

    /// Copies a frame with the generation of this file, because it may come from another file.
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
