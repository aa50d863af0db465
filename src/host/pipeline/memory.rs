//! Remembers files between two scans. The memory is lost when the process ends or the file goes.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use super::files::Cleanup;
use crate::host::config::settings::ConverterConfig;
use crate::host::panics::lock;
use crate::host::sources::candidate::Candidate;
use crate::host::sources::file_meta::FileMeta;
use crate::id::ConverterId;

/// The pause before a file is tried again after a panic.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// What is remembered of one file.
#[derive(Debug, Clone)]
pub(in crate::host) enum Memory {
    /// The file was seen, but not taken yet.
    Seen { meta: FileMeta, since: Instant },
    /// The file was tried, and is not tried again before a point in time.
    Waiting {
        meta: FileMeta,
        until: Instant,
        failures: u32,
    },
    /// The file is finished. If its converter could not convert it, that holds until the converter
    /// changes.
    Done {
        meta: FileMeta,
        failed_by: Option<ConverterId>,
    },
    /// The file was converted, but not cleared away yet.
    Uncleared { cleanup: Cleanup, until: Instant },
    /// The file was left because its converter cannot run. `trials` counts how often.
    Parked {
        meta: FileMeta,
        failures: u32,
        trials: u32,
    },
}

impl Memory {
    fn look(&self) -> &FileMeta {
        match self {
            Self::Seen { meta, .. }
            | Self::Waiting { meta, .. }
            | Self::Done { meta, .. }
            | Self::Parked { meta, .. } => meta,
            Self::Uncleared { cleanup, .. } => &cleanup.seen.meta,
        }
    }
}

/// What is remembered of a file that has not changed since.
pub(in crate::host) enum Recalled {
    Fresh,
    /// The file was tried before, and its retry is due.
    Again {
        failures: u32,
    },
    /// The converter of the file could not run.
    Parked {
        failures: u32,
        trials: u32,
    },
    Known,
    /// The converter with this identity could not convert the file.
    FailedBy(ConverterId),
    Left(&'static str),
    Clear(Cleanup),
}

/// What a host remembers of the files in its folders, by their paths.
#[derive(Default)]
pub(in crate::host) struct FileMemory(Mutex<HashMap<PathBuf, Memory>>);

impl FileMemory {
    pub(super) fn remember(&self, path: &Path, memory: Memory) {
        lock(&self.0).insert(path.to_owned(), memory);
    }

    /// Forgets the files for which `stays` returns false.
    pub(super) fn retain(&self, stays: impl Fn(&Path) -> bool) {
        lock(&self.0).retain(|path, _| stays(path));
    }

    /// Leaves a file for a while after a step on it panicked.
    pub(super) fn leave_after_panic(&self, path: &Path) {
        let mut memory = lock(&self.0);
        if let Some(meta) = memory.get(path).map(|known| *known.look()) {
            let waiting = Memory::Waiting {
                meta,
                until: Instant::now() + AFTER_PANIC,
                failures: 0,
            };
            memory.insert(path.to_owned(), waiting);
        }
    }

    /// Returns how often a file was left because its converter could not run.
    pub(super) fn trials(&self, path: &Path) -> Option<u32> {
        match lock(&self.0).get(path) {
            Some(Memory::Parked { trials, .. }) => Some(*trials),
            _ => None,
        }
    }

    /// Returns true when nothing was done with the file yet.
    pub(super) fn is_new(&self, path: &Path) -> bool {
        matches!(lock(&self.0).get(path), None | Some(Memory::Seen { .. }))
    }

    /// Lists the folders with files that a converter could not convert.
    pub(in crate::host) fn failed_in(&self) -> HashSet<PathBuf> {
        let memory = lock(&self.0);
        let failed = memory.iter().filter(|(_, known)| {
            matches!(
                known,
                Memory::Done {
                    failed_by: Some(_),
                    ..
                }
            )
        });
        failed
            .filter_map(|(path, _)| path.parent().map(Path::to_owned))
            .collect()
    }

    pub(super) fn recall(&self, candidate: &Candidate) -> Recalled {
        let mut memory = lock(&self.0);
        let Some(known) = memory.get(&candidate.path) else {
            return Recalled::Fresh;
        };
        if *known.look() != candidate.meta {
            if !matches!(known, Memory::Seen { .. }) {
                memory.remove(&candidate.path);
            }
            return Recalled::Fresh;
        }
        match known {
            Memory::Seen { .. } => Recalled::Fresh,
            Memory::Done { failed_by, .. } => failed_by.map_or(Recalled::Known, Recalled::FailedBy),
            Memory::Waiting { until, .. } if Instant::now() < *until => {
                Recalled::Left("its next attempt is not due yet")
            }
            Memory::Waiting { failures, .. } => Recalled::Again {
                failures: *failures,
            },
            Memory::Parked {
                failures, trials, ..
            } => Recalled::Parked {
                failures: *failures,
                trials: *trials,
            },
            Memory::Uncleared { until, .. } if Instant::now() < *until => {
                Recalled::Left("it could not be cleared away yet")
            }
            Memory::Uncleared { cleanup, .. } => Recalled::Clear(cleanup.clone()),
        }
    }

    /// Returns true when the file has not changed for its converter's `settle_s`.
    pub(super) fn is_stable(&self, candidate: &Candidate, config: &ConverterConfig) -> bool {
        let settle = config.settle;
        if candidate.meta.age(SystemTime::now()) >= settle {
            return true;
        }
        let mut memory = lock(&self.0);
        match memory.get(&candidate.path) {
            Some(Memory::Seen { meta, since }) if *meta == candidate.meta => {
                since.elapsed() >= settle
            }
            Some(known) if *known.look() == candidate.meta => true,
            _ => {
                memory.insert(
                    candidate.path.clone(),
                    Memory::Seen {
                        meta: candidate.meta,
                        since: Instant::now(),
                    },
                );
                settle.is_zero()
            }
        }
    }
}
