//! Tracks whether the disks have room for more files.
//!
//! Files are taken again only some way above the limit, so that the state does not flicker.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;

use crate::disk::{Disk, FsDisk};
use crate::host::panics::lock;
use crate::time::Timestamp;
use crate::{Error, ErrorKind};

/// Maximum bytes above the limit before files are taken again. The margin is a tenth of the limit,
/// up to this.
const MARGIN_MAX: u64 = 1 << 30;

/// Whether the disks have room for more files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
#[non_exhaustive]
pub enum Space {
    /// There is enough room.
    Enough {
        /// Free bytes of the fullest disk; `None` before the first check.
        free: Option<u64>,
    },
    /// There is too little room, so no files are taken.
    Low {
        /// The time since which room is low.
        since: Timestamp,
        /// A folder on the full disk.
        folder: PathBuf,
        /// Free bytes.
        free: u64,
        /// Bytes that must be free before files are taken again.
        needed: u64,
    },
}

impl Default for Space {
    fn default() -> Self {
        Self::Enough { free: None }
    }
}

/// A change between enough and too little room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) enum SpaceChange {
    None,
    Low,
    Enough,
}

impl Space {
    /// Returns the state after a check.
    ///
    /// `least` is the disk with the least room; `limit` is the number of bytes that must be free.
    fn after(&self, least: Option<(&Path, u64)>, limit: u64, now: Timestamp) -> Self {
        let Some((folder, free)) = least.filter(|_| limit > 0) else {
            return Self::Enough {
                free: least.map(|(_, free)| free),
            };
        };
        let again = limit.saturating_add((limit / 10).min(MARGIN_MAX));
        match self {
            Self::Low { since, .. } if free < again => Self::Low {
                since: *since,
                folder: folder.to_owned(),
                free,
                needed: again,
            },
            _ if free < limit => Self::Low {
                since: now,
                folder: folder.to_owned(),
                free,
                needed: again,
            },
            _ => Self::Enough { free: Some(free) },
        }
    }

    /// Returns why no files are taken; `None` while they are.
    pub fn trouble(&self) -> Option<Error> {
        let Self::Low {
            folder,
            free,
            needed,
            ..
        } = self
        else {
            return None;
        };
        let error = Error::new(
            ErrorKind::Full,
            format!(
                "{} has {} MiB left, less than min_free_disk_gb asks for; no files are taken until {} MiB are free",
                folder.display(),
                free >> 20,
                needed >> 20
            ),
        );
        Some(error.hint("free some space, or purge old entries; the files stay where they are"))
    }
}

/// The state of the fullest disk.
#[derive(Debug, Default)]
pub(in crate::host) struct DiskSpace(Mutex<Space>);

impl DiskSpace {
    /// Checks the disks of `folders`. A disk that does not answer is skipped; its error shows at
    /// the next write.
    pub(in crate::host) fn look<'a>(
        &self,
        folders: impl Iterator<Item = &'a Path>,
        limit: u64,
        now: Timestamp,
    ) -> (Space, SpaceChange) {
        let free = |folder: &'a Path| Some((folder, FsDisk::new(folder).free_bytes().ok()?));
        let least = folders.filter_map(free).min_by_key(|(_, free)| *free);
        let mut space = lock(&self.0);
        let next = space.after(least, limit, now);
        let turned = match (&*space, &next) {
            (Space::Enough { .. }, Space::Low { .. }) => SpaceChange::Low,
            (Space::Low { .. }, Space::Enough { .. }) => SpaceChange::Enough,
            _ => SpaceChange::None,
        };
        space.clone_from(&next);
        (next, turned)
    }

    pub(in crate::host) fn state(&self) -> Space {
        let space = lock(&self.0);
        space.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_about_its_limit_does_not_turn_with_every_byte() {
        let at = Timestamp::from_micros;
        let disk = Path::new("/d");
        let state = |space: &Space| match space {
            Space::Enough { .. } => None,
            Space::Low { since, needed, .. } => Some((since.micros(), *needed)),
        };
        let mut space = Space::default();
        for (micros, free, expected) in [
            (1, 1_000, None),
            (2, 999, Some((2, 1_100))),
            (3, 1_001, Some((2, 1_100))),
            (4, 1_099, Some((2, 1_100))),
            (5, 1_100, None),
            (6, 1_050, None),
            (7, 0, Some((7, 1_100))),
        ] {
            space = space.after(Some((disk, free)), 1_000, at(micros));
            assert_eq!(state(&space), expected, "{free} free");
            assert_eq!(space.trouble().is_some(), expected.is_some());
        }
        assert_eq!(state(&space.after(Some((disk, 0)), 0, at(8))), None);
    }
}
