//! The host: what its threads share.
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::files::{Converted, Ready, Taken};
use super::lines::Lines;
use super::memory::FileMemory;
use super::queue::Queue;
use crate::archive::Archive;
use crate::host::archives::Archives;
use crate::host::config::settings::ConverterConfig;
use crate::host::observe::counters::Books;
use crate::host::observe::notice::{Hooks, Notice};
use crate::host::observe::space::{Guard, Space, Turned};
use crate::host::observe::stuck::Troubles;
use crate::host::panics::lock;
use crate::host::setup::Setup;
use crate::host::sources::listers::{Listers, Looking};
use crate::host::sources::silent::Silent;
use crate::id::ConverterId;
use crate::time::{Clock, SystemClock};
use crate::{Error, ErrorKind, Result};

/// A converter host: configuration, converters ready to run, and what it remembers of files between passes.
pub struct Host {
    pub(in crate::host) archives: Archives,
    pub(in crate::host) scratch: PathBuf,
    pub(in crate::host) queue: Queue<Taken, Ready, Converted>,
    pub(in crate::host) books: Books,
    pub(in crate::host) troubles: Troubles,
    pub(in crate::host) lines: Lines,
    pub(in crate::host) listers: Listers,
    pub(in crate::host) purge_asked: AtomicBool,
    /// Asked what is wrong with the program around the host.
    pub(in crate::host) surroundings: OnceLock<Box<Surroundings>>,
    pub(in crate::host) setup: Mutex<Arc<Setup>>,
    /// Held while a configuration is checked and recorded.
    pub(in crate::host) reloading: Mutex<()>,
    pub(in crate::host) memory: FileMemory,
    pub(in crate::host) space: Guard,
}

type Surroundings = dyn Fn() -> Vec<String> + Send + Sync;

impl Host {
    pub(in crate::host) fn setup(&self) -> Arc<Setup> {
        Arc::clone(&lock(&self.setup))
    }

    pub(in crate::host) fn is_current(&self, setup: &Arc<Setup>) -> bool {
        Arc::ptr_eq(&lock(&self.setup), setup)
    }

    /// Who a converter is now.
    pub(in crate::host) fn identity(&self, setup: &Setup, converter: usize) -> Result<ConverterId> {
        setup.runner(converter, &self.scratch)?.converter_id()
    }

    pub(in crate::host) fn archive_of(&self, config: &ConverterConfig) -> Result<&Archive> {
        self.archives
            .of(config)
            .ok_or_else(|| Error::new(ErrorKind::NoStore, "the store is not open any more"))
    }

    /// Whether files may be taken; tells when that changes.
    pub(in crate::host) fn has_room(&self, setup: &Setup, hooks: &Hooks) -> bool {
        let stores = self.archives.iter().map(Archive::dir);
        let scratch =
            Some(self.scratch.as_path()).filter(|_| self.archives.iter().next().is_none());
        let folders = stores.chain(scratch);
        let (space, turned) =
            self.space
                .look(folders, setup.config.min_free_disk, SystemClock.now());
        let trouble = space.trouble();
        match (turned, &trouble) {
            (Turned::Low, Some(error)) => {
                self.purge_asked.store(true, Ordering::Relaxed);
                if let Space::Low { folder, .. } = &space {
                    self.books.trouble(folder, error);
                }
                (hooks.notice)(&Notice::DiskLow { error });
            }
            (Turned::Enough, _) => {
                if let Space::Enough { free } = space {
                    let free = free.unwrap_or_default();
                    (hooks.notice)(&Notice::DiskEnough { free });
                }
            }
            _ => {}
        }
        trouble.is_none()
    }

    /// The folders that do not answer, or where a step does not end.
    pub(in crate::host) fn silent(&self) -> Vec<Silent> {
        let mut silent = self.queue.silent();
        for other in self.listers.silent() {
            if !silent.iter().any(|known| known.folder == other.folder) {
                silent.push(other);
            }
        }
        silent
    }

    pub(in crate::host) fn looking(&self) -> Looking<'_> {
        Looking {
            archives: &self.archives,
            scratch: &self.scratch,
            failed_in: self.memory.failed_in(),
        }
    }
}
