//! The table of entries, as readers see it: row by row, though the rows are packed in groups, and
//! groups are cut into parts.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use redb::{ReadOnlyTable, ReadableTable};

use super::error::IndexError;
use super::rows::{RowGroup, first_of, group_of};
use super::tables::Bytes;
use crate::id::EntryId;

/// The bytes of a part. Eight parts fill a page of redb, with the key and the length of each. A
/// whole group would leave much of its page empty.
pub(super) const PART_BYTES: usize = 499;
const PART_BITS: u32 = 20;

/// Returns the key of a part of a group.
pub(super) fn part_key(group: u64, part: usize) -> u64 {
    group << PART_BITS | part as u64
}

/// Reads a group. Returns the group, and how many parts it has: none when there is no such group.
pub(super) fn read_group(
    table: &impl ReadableTable<u64, Bytes>,
    number: u64,
) -> Result<(RowGroup, usize), IndexError> {
    let mut packed = Vec::new();
    let mut parts = 0;
    for stored in table.range(part_key(number, 0)..part_key(number + 1, 0))? {
        packed.extend_from_slice(stored?.1.value());
        parts += 1;
    }
    if parts == 0 {
        return Ok((RowGroup::default(), 0));
    }
    Ok((RowGroup::unpack(&packed)?, parts))
}

/// The table of entries.
pub(super) struct Entries {
    pub(super) table: ReadOnlyTable<u64, Bytes>,
    /// The group that was read last: who asks for an entry often asks for its neighbour next.
    last: Mutex<Option<(u64, Arc<RowGroup>)>>,
}

/// The row of an entry.
pub(super) struct RowGuard {
    group: Arc<RowGroup>,
    row: Range<usize>,
}

impl RowGuard {
    /// Returns the bytes of the row.
    pub(super) fn value(&self) -> &[u8] {
        self.group.bytes(self.row.clone())
    }
}

impl Entries {
    pub(super) fn over(table: ReadOnlyTable<u64, Bytes>) -> Self {
        Self {
            table,
            last: Mutex::default(),
        }
    }

    /// Returns the row of an entry; `None` when there is no such entry.
    pub(super) fn get(&self, id: EntryId) -> Result<Option<RowGuard>, IndexError> {
        let (number, place) = group_of(id.0);
        let Some(group) = self.group(number)? else {
            return Ok(None);
        };
        Ok(group.find(place).map(|row| RowGuard { group, row }))
    }

    fn group(&self, number: u64) -> Result<Option<Arc<RowGroup>>, IndexError> {
        let mut last = self.last.lock().expect("no panic while held");
        if let Some((_, group)) = last.as_ref().filter(|(read, _)| *read == number) {
            return Ok(Some(Arc::clone(group)));
        }
        // Others must not wait for the disk.
        drop(last);
        let (group, parts) = read_group(&self.table, number)?;
        if parts == 0 {
            return Ok(None);
        }
        let group = Arc::new(group);
        last = self.last.lock().expect("no panic while held");
        *last = Some((number, Arc::clone(&group)));
        Ok(Some(group))
    }

    /// Reads entries whose numbers ascend. Each thread has a cursor of its own.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor {
            table: &self.table,
            read: None,
        }
    }

    /// Passes the groups to `each`, oldest first, until it returns false.
    pub(super) fn each_group(
        &self,
        mut each: impl FnMut(u64, &RowGroup) -> Result<bool, IndexError>,
    ) -> Result<(), IndexError> {
        let mut packed = Vec::new();
        let mut before = None;
        for stored in self.table.range::<u64>(..)? {
            let (key, part) = stored?;
            let number = key.value() >> PART_BITS;
            if let Some(before) = before.filter(|before| *before != number) {
                if !each(first_of(before), &RowGroup::unpack(&packed)?)? {
                    return Ok(());
                }
                packed.clear();
            }
            before = Some(number);
            packed.extend_from_slice(part.value());
        }
        if let Some(before) = before {
            each(first_of(before), &RowGroup::unpack(&packed)?)?;
        }
        Ok(())
    }
}

/// Reads the rows of neighbours without unpacking their group for each.
pub(super) struct Cursor<'a> {
    table: &'a ReadOnlyTable<u64, Bytes>,
    read: Option<(u64, RowGroup)>,
}

impl Cursor<'_> {
    /// Returns the row of an entry, which must be there.
    pub(super) fn row(&mut self, id: EntryId) -> Result<&[u8], IndexError> {
        let missing = || IndexError::Damaged("the entries");
        let (number, place) = group_of(id.0);
        if self.read.as_ref().is_none_or(|(read, _)| *read != number) {
            self.read = Some((number, read_group(self.table, number)?.0));
        }
        let (_, group) = self.read.as_ref().ok_or_else(missing)?;
        let row = group.find(place).ok_or_else(missing)?;
        Ok(group.bytes(row))
    }
}
