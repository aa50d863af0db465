//! The file `TREE`: hashes of the log's tree, and which entry each event is about, so that a proof
//! reads a few pages instead of the log.
//!
//! Groups of 256 events are summed up, one after the other, when a proof is asked for. The file is
//! never synced and may be deleted at any time. What it says is believed only as far as a proof
//! made of it leads to the signed root.
//!
//! ```text
//! header 64 bytes     0 magic "ANNALST\n"  8 version u16  10 zero u16  12 store id [16]  28 zeros
//!                     60 crc32c of bytes 0..60 u32
//! group, group, ...   group g has the events 256 g + 1 to 256 g + 256
//!   0     256 distances u32        how far an event comes after the one that its entry is named by
//!   1024  nodes [32], ...          roots of the perfect subtrees that end with the group: of 256
//!                                  leaves, of 512, ...; one more than g has trailing one-bits
//!         crc32c of the group so far u32
//! ```

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, OpenMode};
use crate::evidence::proof::Subtree;
use crate::evidence::tree::{TreeHash, leaf_hash, node_hash, root_of};
use crate::format::bytes::Put;
use crate::format::leaf::subject_in;
use crate::id::{EntryId, EventSeq, StoreId};
use crate::log::{LogFiles, LogReader};

/// The name of the file.
pub(in crate::archive) const TREE_FILE: &str = "TREE";
/// The level of the subtree over one group.
pub(in crate::archive) const GROUP_LEVEL: u32 = 8;
/// Events of a group.
pub(in crate::archive) const GROUP_EVENTS: u64 = 1 << GROUP_LEVEL;

const MAGIC: [u8; 8] = *b"ANNALST\n";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 64;
const DISTANCES_BYTES: usize = 4 << GROUP_LEVEL;
const NODE_BYTES: usize = 32;
const CRC_BYTES: usize = 4;
/// The event is about no entry.
const NONE: u32 = u32::MAX;
/// The event comes so far after its entry that only its line says which one that is.
const FAR: u32 = u32::MAX - 1;
/// Bytes of groups that are written at once.
const WRITTEN_BYTES: usize = 1 << 20;
/// Groups that are read at once to find the events of an entry.
const READ_GROUPS: u64 = 256;

/// Why the file is of no use now. The log has everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) struct NoUse;

type Result<T> = std::result::Result<T, NoUse>;

/// Whether the file may be made and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum TreeAccess {
    ReadOnly,
    ReadWrite,
}

/// The open file.
pub(in crate::archive) struct TreeFile {
    file: Arc<dyn DiskFile>,
    /// Complete groups in the file.
    groups: u64,
    /// The checkpoint whose root the file was compared with last.
    pub(in crate::archive) matched: Option<Matched>,
}

/// A checkpoint that the file gives the root of.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Matched {
    pub(in crate::archive) size: u64,
    pub(in crate::archive) root: TreeHash,
    /// The hashes of the leaves after the last complete group.
    pub(in crate::archive) tail: Vec<TreeHash>,
}

impl TreeFile {
    /// Opens the file of a store, or makes it.
    pub(in crate::archive) fn open(
        disk: &dyn Disk,
        store: &StoreId,
        access: TreeAccess,
    ) -> Result<Self> {
        let path = Path::new(TREE_FILE);
        let mode = match access {
            TreeAccess::ReadOnly => OpenMode::Read,
            TreeAccess::ReadWrite => OpenMode::Write,
        };
        if let Ok(file) = disk.open(path, mode) {
            let mut found = [0; HEADER_BYTES];
            let is_own = file.read_exact_at(&mut found, 0).is_ok() && found == header(store);
            if is_own {
                let groups = groups_in(file.size().map_err(no_use)?);
                return Ok(Self {
                    file,
                    groups,
                    matched: None,
                });
            }
        }
        if access == TreeAccess::ReadOnly {
            return Err(NoUse);
        }
        Self::make(disk, store)
    }

    /// Makes an empty file in place of one that may be wrong.
    pub(in crate::archive) fn make(disk: &dyn Disk, store: &StoreId) -> Result<Self> {
        let path = Path::new(TREE_FILE);
        let _ = disk.remove(path);
        let file = disk.open(path, OpenMode::CreateNew).map_err(no_use)?;
        file.write_all_at(&header(store), 0).map_err(no_use)?;
        Ok(Self {
            file,
            groups: 0,
            matched: None,
        })
    }

    /// Returns the last event of the last group.
    pub(in crate::archive) const fn covers(&self) -> EventSeq {
        EventSeq(self.groups * GROUP_EVENTS)
    }

    /// Sums up the groups that are complete in the first `last` events and not in the file yet.
    pub(in crate::archive) fn extend(&mut self, log: &Arc<LogFiles>, last: EventSeq) -> Result<()> {
        let end = last.0 / GROUP_EVENTS;
        if self.groups >= end {
            return Ok(());
        }
        let mut peaks = self.peaks()?;
        let from = EventSeq(self.groups * GROUP_EVENTS + 1);
        let mut reader = LogReader::new(Arc::clone(log), from, EventSeq(end * GROUP_EVENTS));
        let mut out = Vec::new();
        let mut group = self.groups;
        while group < end {
            let begins = out.len();
            let mut leaves = Vec::with_capacity(1 << GROUP_LEVEL);
            for _ in 0..GROUP_EVENTS {
                let (seq, line) = reader.next_leaf().ok_or(NoUse)?.map_err(|_| NoUse)?;
                leaves.push(leaf_hash(&line));
                out.put_u32(distance(seq, &line));
            }
            let mut node = root_of(&leaves);
            out.put(&node);
            for _ in 0..group.trailing_ones() {
                let left = peaks.pop().ok_or(NoUse)?;
                node = node_hash(&left, &node);
                out.put(&node);
            }
            peaks.push(node);
            let crc = crc32c::crc32c(&out[begins..]);
            out.put_u32(crc);
            group += 1;
            if out.len() >= WRITTEN_BYTES || group == end {
                let at = offset(self.groups);
                self.file.write_all_at(&out, at).map_err(no_use)?;
                self.groups = group;
                out.clear();
            }
        }
        Ok(())
    }

    /// Returns the root of a perfect subtree of 256 leaves or more.
    pub(in crate::archive) fn node(&self, subtree: Subtree) -> Result<TreeHash> {
        let above = subtree.level.checked_sub(GROUP_LEVEL).ok_or(NoUse)?;
        let ends = (subtree.index + 1).checked_shl(above).ok_or(NoUse)?;
        let group = ends
            .checked_sub(1)
            .filter(|group| *group < self.groups)
            .ok_or(NoUse)?;
        let nth = usize::try_from(above).map_err(|_| NoUse)?;
        let at = offset(group) + (DISTANCES_BYTES + nth * NODE_BYTES) as u64;
        let mut node = [0; NODE_BYTES];
        self.file.read_exact_at(&mut node, at).map_err(no_use)?;
        Ok(node)
    }

    /// Returns the events up to [`TreeFile::covers`] that may be about an entry, ascending.
    pub(in crate::archive) fn events_of(&self, entry: EntryId) -> Result<Vec<EventSeq>> {
        let mut found = Vec::new();
        let mut group = entry.0.saturating_sub(1) / GROUP_EVENTS;
        while group < self.groups {
            let end = (group + READ_GROUPS).min(self.groups);
            let begin = offset(group);
            let len = usize::try_from(offset(end) - begin).map_err(|_| NoUse)?;
            let mut bytes = vec![0; len];
            self.file.read_exact_at(&mut bytes, begin).map_err(no_use)?;
            for number in group..end {
                let at = usize::try_from(offset(number) - begin).map_err(|_| NoUse)?;
                let next = usize::try_from(offset(number + 1) - begin).map_err(|_| NoUse)?;
                let (sums, crc) = bytes[at..next]
                    .split_last_chunk::<CRC_BYTES>()
                    .ok_or(NoUse)?;
                if crc32c::crc32c(sums).to_le_bytes() != *crc {
                    return Err(NoUse);
                }
                let distances = sums[..DISTANCES_BYTES].as_chunks::<4>().0;
                for (seq, distance) in (number * GROUP_EVENTS + 1..).zip(distances) {
                    let distance = u32::from_le_bytes(*distance);
                    let is_near = distance < FAR && u64::from(distance) + entry.0 == seq;
                    if is_near || distance == FAR {
                        found.push(EventSeq(seq));
                    }
                }
            }
            group = end;
        }
        Ok(found)
    }

    /// Returns the roots of the largest perfect subtrees of all groups, largest first.
    fn peaks(&self) -> Result<Vec<TreeHash>> {
        let levels = (0..u64::BITS)
            .rev()
            .filter(|bit| self.groups >> bit & 1 == 1);
        let peak = |above: u32| {
            self.node(Subtree {
                level: GROUP_LEVEL + above,
                index: (self.groups >> above) - 1,
            })
        };
        levels.map(peak).collect()
    }
}

/// Returns where a group begins in the file.
const fn offset(group: u64) -> u64 {
    // Of `group` groups, all perfect subtrees of at least one group.
    let nodes = 2 * group - group.count_ones() as u64;
    HEADER_BYTES as u64 + group * (DISTANCES_BYTES + CRC_BYTES) as u64 + nodes * NODE_BYTES as u64
}

/// Returns how many complete groups a file of that length has.
const fn groups_in(bytes: u64) -> u64 {
    let (mut low, mut high) = (0, bytes / DISTANCES_BYTES as u64 + 1);
    while low + 1 < high {
        let middle = u64::midpoint(low, high);
        if offset(middle) <= bytes {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn distance(seq: EventSeq, line: &[u8]) -> u32 {
    match subject_in(line).and_then(|entry| seq.0.checked_sub(entry.0)) {
        Some(distance) => u32::try_from(distance).map_or(FAR, |distance| distance.min(FAR)),
        None => NONE,
    }
}

fn header(store: &StoreId) -> [u8; HEADER_BYTES] {
    let mut out = Vec::with_capacity(HEADER_BYTES);
    out.put(&MAGIC);
    out.put_u16(VERSION);
    out.put(&[0; 2]);
    out.put(store.as_bytes());
    out.resize(HEADER_BYTES - CRC_BYTES, 0);
    let crc = crc32c::crc32c(&out);
    out.put_u32(crc);
    out.try_into().expect("64 bytes were written")
}

fn no_use(_: std::io::Error) -> NoUse {
    NoUse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_lie_where_their_number_says() {
        let mut at = HEADER_BYTES as u64;
        for group in 0..1_000_u64 {
            assert_eq!(offset(group), at);
            assert_eq!(groups_in(at), group);
            let nodes = u64::from(group.trailing_ones()) + 1;
            at += (DISTANCES_BYTES + CRC_BYTES) as u64 + nodes * NODE_BYTES as u64;
            assert_eq!(groups_in(at - 1), group);
        }
        for bytes in [0, 1, 63, 64, 65] {
            assert_eq!(groups_in(bytes), 0);
        }
    }
}
