//! One active configuration, with the converters and the outbox that were created from it.
//!
//! A reload creates a new one. A file that is being processed finishes under the configuration it
//! started with.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::convert::{Cancel, Mode, Runner};
use crate::host::archives::Archives;
use crate::host::config::overlap::CheckedFolders;
use crate::host::config::settings::{Config, ConverterConfig};
use crate::host::panics::lock;
use crate::host::submit::outbox::Outbox;
use crate::{Error, ErrorKind, Result};

pub(in crate::host) struct ActiveConfig {
    pub(in crate::host) config: Config,
    pub(in crate::host) outbox: Arc<Outbox>,
    /// Cancels the outbox when a reload replaces it.
    pub(in crate::host) outbox_over: Cancel,
    /// Cancelled when a reload replaces this configuration.
    pub(in crate::host) replaced: Cancel,
    runners: Vec<Mutex<Option<Arc<Runner>>>>,
    folders: CheckedFolders,
}

impl ActiveConfig {
    pub(in crate::host) fn new(archives: &Archives, config: Config) -> Self {
        Self {
            outbox: Arc::new(Outbox::new(archives, &config)),
            outbox_over: Cancel::default(),
            replaced: Cancel::default(),
            runners: config.converters.iter().map(|_| Mutex::default()).collect(),
            folders: CheckedFolders::default(),
            config,
        }
    }

    /// Creates the successor for a changed configuration.
    ///
    /// Unchanged converters keep their processes. An outbox with unchanged endpoints continues.
    pub(in crate::host) fn changed(&self, archives: &Archives, config: Config) -> Self {
        let mut next = Self::new(archives, config);
        let keeps_outbox = submissions(&self.config).eq(submissions(&next.config));
        if keeps_outbox {
            next.outbox = Arc::clone(&self.outbox);
            next.outbox_over = self.outbox_over.clone();
        }
        for (slot, new) in next.runners.iter_mut().zip(&next.config.converters) {
            let same = |old: &ConverterConfig| old.converter == new.converter;
            if let Some(at) = self.config.converters.iter().position(same) {
                let runner = lock(&self.runners[at]).clone();
                if let Some(runner) = &runner {
                    runner.set_workers(new.max_concurrent);
                }
                *slot = Mutex::new(runner);
            }
        }
        next
    }

    /// Refuses a folder that overlaps with another one, because it appeared or was replaced after
    /// the last check.
    pub(in crate::host) fn check_folder(&self, folder: &Path, archives: &Archives) -> Result<()> {
        self.folders
            .check(folder, &self.config, archives.shared_dir())
    }

    /// Returns the runner of a converter. It is created when it is first needed.
    pub(in crate::host) fn runner(&self, converter: usize, scratch: &Path) -> Result<Arc<Runner>> {
        let (Some(slot), Some(config)) = (
            self.runners.get(converter),
            self.config.converters.get(converter),
        ) else {
            return Err(Error::new(ErrorKind::Invalid, "there is no such converter"));
        };
        let mut slot = lock(slot);
        if let Some(runner) = &*slot {
            return Ok(Arc::clone(runner));
        }
        let workers = config.max_concurrent;
        let runner = Arc::new(Runner::new(config.converter.clone(), workers, scratch)?);
        *slot = Some(Arc::clone(&runner));
        Ok(runner)
    }
}

impl ActiveConfig {
    /// Ends worker processes that had no work for their converter's `worker_idle_s`.
    ///
    /// Returns how long it takes until the next one may have to be ended.
    pub(in crate::host) fn end_idle_workers(&self) -> Duration {
        let mut next = Duration::MAX;
        for (slot, config) in self.runners.iter().zip(&self.config.converters) {
            let ends_at_once = config.worker_idle.is_zero();
            if config.converter.mode == Mode::OneShot || ends_at_once {
                continue;
            }
            // A worker that becomes idle from now on is kept for at least this long.
            next = next.min(config.worker_idle);
            let runner = lock(slot).clone();
            let left = runner.and_then(|runner| runner.end_idle_workers(config.worker_idle));
            next = next.min(left.unwrap_or(Duration::MAX));
        }
        next
    }

    /// Returns the number of running worker processes of a converter.
    pub(in crate::host) fn workers(&self, converter: usize) -> usize {
        let runner = self
            .runners
            .get(converter)
            .and_then(|slot| lock(slot).clone());
        runner.map_or(0, |runner| runner.workers())
    }
}

/// Lists each converter that submits reports, with its endpoint and its store. Equal lists mean
/// that the outbox can stay.
fn submissions(
    config: &Config,
) -> impl Iterator<
    Item = (
        &str,
        &crate::host::config::endpoint::Submit,
        Option<&Path>,
        bool,
    ),
> {
    config.converters.iter().filter_map(|converter| {
        Some((
            converter.converter.name.as_str(),
            converter.submit.as_ref()?,
            converter.archive.folder.as_deref(),
            converter.archive.archives(),
        ))
    })
}
