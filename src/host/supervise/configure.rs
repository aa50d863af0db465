//! Makes a host, and reloads its configuration while it runs.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use crate::archive::Archive;
use crate::event::ConfigChanged;
use crate::host::active_config::ActiveConfig;
use crate::host::archives::Archives;
use crate::host::config::settings::Config;
use crate::host::observe::counters::Counters;
use crate::host::observe::space::DiskSpace;
use crate::host::observe::stuck::StuckTracker;
use crate::host::panics::lock;
use crate::host::pipeline::host::Host;
use crate::host::pipeline::memory::FileMemory;
use crate::host::pipeline::queue::Queue;
use crate::host::pipeline::stopped_converters::StoppedConverters;
use crate::host::sources::clear;
use crate::host::sources::scanners::FolderScanners;
use crate::{Error, ErrorKind, Result, convert};

impl Host {
    /// Makes a host and records its configuration in every store, where it differs from what is
    /// recorded there.
    ///
    /// # Errors
    /// `Invalid` when folders overlap, and when a store cannot record it.
    pub fn new(archives: Archives, config: Config) -> Result<Self> {
        config.check_folders(archives.shared_dir())?;
        config.check_bounds()?;
        for archive in archives.iter() {
            record(archive, &config)?;
        }
        let scratch = std::env::temp_dir();
        convert::remove_abandoned(&scratch, SystemTime::now());
        remove_partials(&config);
        Ok(Self {
            active: Mutex::new(Arc::new(ActiveConfig::new(&archives, config))),
            archives,
            scratch,
            queue: Queue::default(),
            counters: Counters::new(),
            stuck: StuckTracker::default(),
            stopped: StoppedConverters::default(),
            scanners: FolderScanners::default(),
            purge_asked: AtomicBool::new(false),
            surroundings: OnceLock::new(),
            reloading: Mutex::default(),
            memory: FileMemory::default(),
            space: DiskSpace::default(),
        })
    }

    /// Puts another configuration in force and records it.
    ///
    /// Running conversions end under the previous one. Files that were taken and not begun are
    /// taken again.
    ///
    /// # Errors
    /// `Refused` for what takes a restart, and when a store cannot record it. The configuration
    /// before stays in force then.
    pub fn reload(&self, config: Config) -> Result<()> {
        let _one_at_a_time = lock(&self.reloading);
        let old = self.active();
        let changed = refuse(&self.archives, &old.config, &config).and_then(|()| {
            self.archives
                .iter()
                .try_for_each(|archive| record(archive, &config))
        });
        if let Err(error) = changed {
            self.refuse_reload(&error);
            return Err(error);
        }
        let new = Arc::new(old.changed(&self.archives, config));
        self.queue.set_converters_max(new.config.max_concurrent);
        *lock(&self.active) = Arc::clone(&new);
        if !Arc::ptr_eq(&old.outbox, &new.outbox) {
            old.outbox_over.cancel();
        }
        self.counters.reloaded(old.outbox.sent());
        // Whoever reloads may have mended what a converter lacked.
        self.stopped.forget();
        Ok(())
    }

    /// Notes that a new configuration could not even be read.
    pub fn refuse_reload(&self, error: &Error) {
        self.counters.reload_refused(error.to_string());
    }

    /// The configuration in force.
    pub fn config(&self) -> Config {
        self.active().config.clone()
    }
}

/// Removes what killed hosts were making in the folders beside the watched ones, in the background:
/// a share that does not answer must not hold up the start.
fn remove_partials(config: &Config) {
    for converter in &config.converters {
        let folders = [&converter.done_folder, &converter.error_folder];
        for folder in folders.into_iter().flatten() {
            let folder = folder.clone();
            let work = move || {
                clear::remove_partials(&folder, SystemTime::now());
                // Of a report that was being removed there, or of a file with its companions that
                // was on its way there. A folder that is not there holds none.
                let _ = clear::recover(&folder);
            };
            // Where no thread can be had they stay until the next start.
            let _ = std::thread::Builder::new()
                .name("annals-tidy".to_owned())
                .spawn(work);
        }
    }
}

/// What the host's configuration is recorded under.
const CONFIG_ITEM: &str = "host";

/// Why a running host cannot take a configuration over, if so.
fn refuse(archives: &Archives, old: &Config, new: &Config) -> Result<()> {
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
pub(in crate::host) fn record(archive: &Archive, config: &Config) -> Result<()> {
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
