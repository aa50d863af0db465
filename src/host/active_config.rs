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
use crate::id::ConverterId;
use crate::{Error, ErrorKind, Result};

/// A current identity, and what runs it.
type Promoted = (ConverterId, Arc<Runner>);

pub(in crate::host) struct ActiveConfig {
    pub(in crate::host) config: Config,
    pub(in crate::host) outbox: Arc<Outbox>,
    /// Cancels the outbox when a reload replaces it.
    pub(in crate::host) outbox_over: Cancel,
    /// Cancelled when a reload replaces this configuration.
    pub(in crate::host) replaced: Cancel,
    runners: Vec<Mutex<Option<Arc<Runner>>>>,
    /// Current identities that are not the configured ones, from their archived bundles.
    promoted: Vec<Mutex<Option<Promoted>>>,
    folders: CheckedFolders,
}

impl ActiveConfig {
    pub(in crate::host) fn new(archives: &Archives, config: Config) -> Self {
        Self {
            outbox: Arc::new(Outbox::new(archives, &config)),
            outbox_over: Cancel::default(),
            replaced: Cancel::default(),
            runners: config.converters.iter().map(|_| Mutex::default()).collect(),
            promoted: config.converters.iter().map(|_| Mutex::default()).collect(),
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
        let slots = next.runners.iter_mut().zip(&mut next.promoted);
        for ((slot, promoted), new) in slots.zip(&next.config.converters) {
            let same = |old: &ConverterConfig| old.converter == new.converter;
            if let Some(at) = self.config.converters.iter().position(same) {
                let runner = lock(&self.runners[at]).clone();
                let current = lock(&self.promoted[at]).clone();
                for runner in runner
                    .iter()
                    .chain(current.as_ref().map(|(_, runner)| runner))
                {
                    runner.set_workers(new.max_concurrent);
                }
                *slot = Mutex::new(runner);
                *promoted = Mutex::new(current);
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
    /// Returns the identity that live files of a converter are given to.
    pub(in crate::host) fn live_identity(
        &self,
        converter: usize,
        archives: &Archives,
        scratch: &Path,
    ) -> Result<ConverterId> {
        if let Some(config) = self.config.converters.get(converter)
            && config.promotion.is_gated()
            && let Some(archive) = archives.of(config)
            && let Some(current) = archive.promoted(&config.converter.name)?
        {
            return Ok(current);
        }
        self.runner(converter, scratch)?.converter_id()
    }

    /// Returns the runner of a current identity that is not the configured one. It is created when
    /// it is first needed.
    pub(in crate::host) fn promoted_runner(
        &self,
        converter: usize,
        current: ConverterId,
        make: impl FnOnce() -> Result<Runner>,
    ) -> Result<Arc<Runner>> {
        let mut slot = lock(&self.promoted[converter]);
        if let Some((id, runner)) = &*slot
            && *id == current
        {
            return Ok(Arc::clone(runner));
        }
        let runner = Arc::new(make()?);
        *slot = Some((current, Arc::clone(&runner)));
        Ok(runner)
    }

    /// Drops the runner of an identity that was current before the configured one.
    pub(in crate::host) fn forget_promoted(&self, converter: usize) {
        *lock(&self.promoted[converter]) = None;
    }

    /// Returns the runners of a converter that were needed so far.
    fn runners_of(&self, converter: usize) -> impl Iterator<Item = Arc<Runner>> {
        let configured = self
            .runners
            .get(converter)
            .and_then(|slot| lock(slot).clone());
        let promoted = self
            .promoted
            .get(converter)
            .and_then(|slot| lock(slot).clone());
        configured
            .into_iter()
            .chain(promoted.map(|(_, runner)| runner))
    }

    /// Ends worker processes that had no work for their converter's `worker_idle_s`.
    ///
    /// Returns how long it takes until the next one may have to be ended.
    pub(in crate::host) fn end_idle_workers(&self) -> Duration {
        let mut next = Duration::MAX;
        for (at, config) in self.config.converters.iter().enumerate() {
            let ends_at_once = config.worker_idle.is_zero();
            if config.converter.mode == Mode::OneShot || ends_at_once {
                continue;
            }
            // A worker that becomes idle from now on is kept for at least this long.
            next = next.min(config.worker_idle);
            for runner in self.runners_of(at) {
                let left = runner.end_idle_workers(config.worker_idle);
                next = next.min(left.unwrap_or(Duration::MAX));
            }
        }
        next
    }

    /// Returns the number of running worker processes of a converter.
    pub(in crate::host) fn workers(&self, converter: usize) -> usize {
        self.runners_of(converter)
            .map(|runner| runner.workers())
            .sum()
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
