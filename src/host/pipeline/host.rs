//! The state that all threads of a host share.
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::files::{ArchivedFile, FinalJob, TakenFile};
use super::memory::FileMemory;
use super::queue::Queue;
use super::stopped_converters::StoppedConverters;
use crate::archive::Archive;
use crate::host::active_config::ActiveConfig;
use crate::host::archives::Archives;
use crate::host::config::settings::ConverterConfig;
use crate::host::observe::counters::Counters;
use crate::host::observe::gates::Gates;
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::observe::space::{DiskSpace, Space, SpaceChange};
use crate::host::observe::stuck::StuckTracker;
use crate::host::panics::lock;
use crate::host::sources::scanners::{FolderScanners, ScanContext};
use crate::host::sources::silent::Silent;
use crate::id::ConverterId;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::{Error, ErrorKind, Result};

/// A converter host: its configuration, its queue, and what it remembers of files between scans.
pub struct Host {
    pub(in crate::host) archives: Archives,
    pub(in crate::host) scratch: PathBuf,
    pub(in crate::host) queue: Queue<TakenFile, ArchivedFile, FinalJob>,
    pub(in crate::host) counters: Counters,
    pub(in crate::host) stuck: StuckTracker,
    pub(in crate::host) stopped: StoppedConverters,
    pub(in crate::host) gates: Gates,
    /// Held while the first identity of a converter is made current.
    pub(in crate::host) promoting_first: Mutex<()>,
    pub(in crate::host) scanners: FolderScanners,
    pub(in crate::host) purge_asked: PurgeRequest,
    /// When retention was looked after for the first time.
    pub(in crate::host) retention_begun: OnceLock<Timestamp>,
    /// Returns problems of the program around the host, for its health.
    pub(in crate::host) surroundings: OnceLock<Box<Surroundings>>,
    pub(in crate::host) active: Mutex<Arc<ActiveConfig>>,
    /// Held while a configuration is checked and recorded.
    pub(in crate::host) reloading: Mutex<()>,
    pub(in crate::host) memory: FileMemory,
    pub(in crate::host) space: DiskSpace,
}

/// Asks for a purge before the next one is due.
pub(in crate::host) struct PurgeRequest {
    ask: Sender<()>,
    pub(in crate::host) asked: Receiver<()>,
}

impl Default for PurgeRequest {
    fn default() -> Self {
        let (ask, asked) = bounded(1);
        Self { ask, asked }
    }
}

impl PurgeRequest {
    fn ask(&self) {
        // A full channel means that one is asked for already.
        let _ = self.ask.try_send(());
    }
}

type Surroundings = dyn Fn() -> Vec<String> + Send + Sync;

impl Host {
    pub(in crate::host) fn active(&self) -> Arc<ActiveConfig> {
        Arc::clone(&lock(&self.active))
    }

    pub(in crate::host) fn is_current(&self, active: &Arc<ActiveConfig>) -> bool {
        Arc::ptr_eq(&lock(&self.active), active)
    }

    /// Returns the identity of a converter that live files are given to.
    pub(in crate::host) fn identity(
        &self,
        active: &ActiveConfig,
        converter: usize,
    ) -> Result<ConverterId> {
        active.live_identity(converter, &self.archives, &self.scratch)
    }

    pub(in crate::host) fn archive_of(&self, config: &ConverterConfig) -> Result<&Archive> {
        self.archives
            .of(config)
            .ok_or_else(|| Error::new(ErrorKind::NoStore, "the store is not open any more"))
    }

    /// Returns true when the disks have room for more files. Sends a notice when that changes.
    pub(in crate::host) fn has_room(&self, active: &ActiveConfig, hooks: &Hooks) -> bool {
        let stores = self.archives.iter().map(Archive::dir);
        let scratch =
            Some(self.scratch.as_path()).filter(|_| self.archives.iter().next().is_none());
        let folders = stores.chain(scratch);
        let (space, turned) =
            self.space
                .look(folders, active.config.min_free_disk, SystemClock.now());
        let trouble = space.trouble();
        match (turned, &trouble) {
            (SpaceChange::Low, Some(error)) => {
                self.purge_asked.ask();
                if let Space::Low { folder, .. } = &space {
                    self.counters.trouble(folder, error);
                }
                (hooks.notice)(&Notice::DiskLow { error });
            }
            (SpaceChange::Enough, _) => {
                if let Space::Enough { free } = space {
                    let free = free.unwrap_or_default();
                    (hooks.notice)(&Notice::DiskEnough { free });
                }
            }
            _ => {}
        }
        trouble.is_none()
    }

    /// Lists the folders that do not answer and those where a step does not end.
    pub(in crate::host) fn silent(&self) -> Vec<Silent> {
        let mut silent = self.queue.silent();
        for other in self.scanners.silent() {
            if !silent.iter().any(|known| known.folder == other.folder) {
                silent.push(other);
            }
        }
        silent
    }

    pub(in crate::host) fn scan_context(&self) -> ScanContext<'_> {
        ScanContext {
            archives: &self.archives,
            scratch: &self.scratch,
            failed_in: self.memory.failed_in(),
        }
    }
}
