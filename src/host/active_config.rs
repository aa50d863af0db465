//! One active configuration, with the converters and the outbox that were created from it.
//!
//! A reload creates a new one. A file that is being processed finishes under the configuration it
//! started with.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::convert::{Cancel, Runner};
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
    runners: Vec<Mutex<Option<Arc<Runner>>>>,
    folders: CheckedFolders,
}

impl ActiveConfig {
    pub(in crate::host) fn new(archives: &Archives, config: Config) -> Self {
        Self {
            outbox: Arc::new(Outbox::new(archives, &config)),
            outbox_over: Cancel::default(),
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
        if self.config.max_concurrent == next.config.max_concurrent {
            for (slot, new) in next.runners.iter_mut().zip(&next.config.converters) {
                let same = |old: &ConverterConfig| old.converter == new.converter;
                if let Some(at) = self.config.converters.iter().position(same) {
                    *slot = Mutex::new(lock(&self.runners[at]).clone());
                }
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
        let workers = self.config.max_concurrent;
        let runner = Arc::new(Runner::new(config.converter.clone(), workers, scratch)?);
        *slot = Some(Arc::clone(&runner));
        Ok(runner)
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
