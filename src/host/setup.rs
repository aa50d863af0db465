//! What a host works by: one configuration and what was made of it. A reload makes another; files that were begun under the one
//! before end under it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::config::{Config, ConverterConfig};
use super::lock;
use super::outbox::Outbox;
use super::overlap::CheckedFolders;
use super::run::Archives;
use crate::archive::Archive;
use crate::convert::{Cancel, Runner};
use crate::event::ConfigChanged;
use crate::{Error, ErrorKind, Result};

/// What the host's configuration is recorded under.
const CONFIG_ITEM: &str = "host";

pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) outbox: Arc<Outbox>,
    /// Ends the outbox when another takes its place.
    pub(super) outbox_over: Cancel,
    runners: Vec<Mutex<Option<Arc<Runner>>>>,
    folders: CheckedFolders,
}

impl Setup {
    pub(super) fn new(archives: &Archives, config: Config) -> Self {
        Self {
            outbox: Arc::new(Outbox::new(archives, &config)),
            outbox_over: Cancel::default(),
            runners: config.converters.iter().map(|_| Mutex::default()).collect(),
            folders: CheckedFolders::default(),
            config,
        }
    }

    /// The same with another configuration: converters that did not change keep their processes, and an outbox with the same
    /// endpoints goes on.
    pub(super) fn changed(&self, archives: &Archives, config: Config) -> Self {
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

    /// Refuses a folder that has come to overlap with another one: it appeared, or was swapped.
    pub(super) fn check_folder(&self, folder: &Path, archives: &Archives) -> Result<()> {
        self.folders
            .check(folder, &self.config, archives.shared_dir())
    }

    /// The converter ready to run, made when first needed.
    pub(super) fn runner(&self, converter: usize, scratch: &Path) -> Result<Arc<Runner>> {
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

/// Whose reports go where, and out of which store.
fn submissions(
    config: &Config,
) -> impl Iterator<Item = (&str, &super::endpoint::Submit, Option<&Path>, bool)> {
    config.converters.iter().filter_map(|converter| {
        Some((
            converter.converter.name.as_str(),
            converter.submit.as_ref()?,
            converter.archive.folder.as_deref(),
            converter.archive.archives(),
        ))
    })
}

/// Why a running host cannot take a configuration over, if so.
pub(super) fn refuse(archives: &Archives, old: &Config, new: &Config) -> Result<()> {
    new.check_folders(archives.shared_dir())?;
    new.check_bounds()?;
    let restart = |what: &str| {
        Err(Error::new(
            ErrorKind::Refused,
            format!(
                "{what} cannot change while the host runs; the configuration before stays in force"
            ),
        )
        .hint("restart the host"))
    };
    if old.store != new.store {
        return restart("store.path");
    }
    if old.listen != new.listen {
        return restart("host.listen");
    }
    if old.log != new.log {
        return restart("host.log");
    }
    for converter in &new.converters {
        let needs = converter.archive.archives()
            && (converter.watch_folder.is_some() || converter.submit.is_some());
        if needs && archives.of(converter).is_none() {
            let name = &converter.converter.name;
            return restart(&format!(
                "which stores are open (converter '{name}' needs another)"
            ));
        }
    }
    Ok(())
}

/// Records what the host does from now on, with secrets masked, unless the store knows.
pub(super) fn record(archive: &Archive, config: &Config) -> Result<()> {
    let digest = config.digest();
    let recorded = archive.recorded_config(CONFIG_ITEM)?;
    if recorded.as_deref() == Some(digest.as_str()) {
        return Ok(());
    }
    for converter in &config.converters {
        let section = format!("converter \"{}\"", converter.converter.name);
        let now = config.section(&section);
        let before = archive.recorded_config(&section)?;
        if before.as_deref() != Some(now.as_str()) {
            archive.record_config_change(ConfigChanged {
                what: section,
                old: before,
                new: Some(now),
            })?;
        }
    }
    // Last, so that a crash before it records the rest again instead of nothing.
    archive.record_config_change(ConfigChanged {
        what: CONFIG_ITEM.to_owned(),
        old: recorded,
        new: Some(digest),
    })
}
