//! Whether the disks have room for more files. The state has a margin, so that it does not flicker.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;

use crate::disk::{Disk, FsDisk};
use crate::host::panics::lock;
use crate::time::Timestamp;
use crate::{Error, ErrorKind};

/// How much is asked for beyond the limit before files are taken again: a tenth of it, and no more
/// than this.
const MARGIN_MAX: u64 = 1 << 30;

/// Whether there is room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
#[non_exhaustive]
pub enum Space {
    /// There is.
    Enough {
        /// Bytes free where there is least; nothing when nobody asked yet.
        free: Option<u64>,
    },
    /// There is not: no files are taken.
    Low {
        /// Since when.
        since: Timestamp,
        /// On the disk of this folder.
        folder: PathBuf,
        /// Bytes free.
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

/// How the state of the disks changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) enum SpaceChange {
    None,
    Low,
    Enough,
}

impl Space {
    /// The state after the one disk with the least room was looked at; `limit` is what must be
    /// free.
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

    /// Why no files are taken, if so.
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
    /// Looks at the disks of `folders`. A disk that cannot be asked is met at the write.
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
