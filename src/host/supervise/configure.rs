//! Creates a host, and reloads its configuration while it runs.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use crate::archive::{Archive, RECORD_ACCESS};
use crate::event::ConfigChanged;
use crate::host::active_config::ActiveConfig;
use crate::host::archives::Archives;
use crate::host::config::settings::Config;
use crate::host::observe::counters::Counters;
use crate::host::observe::gates::Gates;
use crate::host::observe::space::DiskSpace;
use crate::host::observe::stuck::StuckTracker;
use crate::host::panics::lock;
use crate::host::pipeline::host::{Host, PurgeRequest};
use crate::host::pipeline::memory::FileMemory;
use crate::host::pipeline::queue::Queue;
use crate::host::pipeline::stopped_converters::StoppedConverters;
use crate::host::sources::clear;
use crate::host::sources::scan;
use crate::host::sources::scanners::FolderScanners;
use crate::{Error, ErrorKind, Result, convert};

impl Host {
    /// Creates a host, and records its configuration in every store that holds a different one.
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
            gates: Gates::default(),
            promoting_first: Mutex::default(),
            scanners: FolderScanners::default(),
            purge_asked: PurgeRequest::default(),
            retention_begun: OnceLock::new(),
            surroundings: OnceLock::new(),
            reloading: Mutex::default(),
            memory: FileMemory::default(),
            space: DiskSpace::default(),
        })
    }

    /// Activates another configuration and records it.
    ///
    /// Running conversions finish under the previous one. Files that were taken but not started are
    /// taken again.
    ///
    /// # Errors
    /// `Refused` for changes that need a restart, and when a store cannot record it. The previous
    /// configuration stays active then.
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
        self.queue.set_limits(new.config.limits());
        *lock(&self.active) = Arc::clone(&new);
        old.replaced.cancel();
        if !Arc::ptr_eq(&old.outbox, &new.outbox) {
            old.outbox_over.cancel();
        }
        self.counters.reloaded(old.outbox.sent());
        // The person who reloads may have fixed what a converter lacked.
        self.stopped.forget();
        Ok(())
    }

    /// Records that a new configuration could not even be read.
    pub fn refuse_reload(&self, error: &Error) {
        self.counters.reload_refused(error.to_string());
    }

    /// Returns the active configuration.
    pub fn config(&self) -> Config {
        self.active().config.clone()
    }

    /// Returns the names that a request may ask for, beside those that need no configuration.
    #[cfg(feature = "serve")]
    pub(crate) fn listen_names(&self) -> Vec<String> {
        self.active().config.listen_names.clone()
    }
}

/// Removes partial files of killed hosts from the done and error folders.
///
/// It runs in the background, because a share that does not answer must not hold up the start.
fn remove_partials(config: &Config) {
    for converter in &config.converters {
        let folders = [&converter.done_folder, &converter.error_folder];
        for folder in folders.into_iter().flatten() {
            let (folder, subfolders) = (folder.clone(), converter.subfolders);
            let work = move || {
                for folder in scan::folders_of(&folder, subfolders) {
                    clear::remove_partials(&folder, SystemTime::now());
                    // Recovers a report that was being removed there, or a file with companions
                    // on its way there. A missing folder holds none.
                    let _ = clear::recover(&folder);
                }
            };
            // If no thread can be started, they stay until the next start.
            let _ = std::thread::Builder::new()
                .name("annals-tidy".to_owned())
                .spawn(work);
        }
    }
}

/// The name under which the host's configuration is recorded.
const CONFIG_ITEM: &str = "host";

/// Returns an error when a running host cannot take over the new configuration.
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
    if old.tls != new.tls {
        return restart("host.tls_certificate or host.tls_key");
    }
    if old.token_file != new.token_file {
        return restart("host.token_file");
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

/// Records whether accesses are recorded, so that verbs that read no configuration follow the rule.
fn record_access_rule(archive: &Archive, config: &Config) -> Result<()> {
    let before = archive.recorded_config(RECORD_ACCESS)?;
    let now = config.evidence.record_access.to_string();
    let is_news = match &before {
        Some(before) => *before != now,
        None => config.evidence.record_access,
    };
    if is_news {
        archive.record_config_change(ConfigChanged {
            old: before,
            new: Some(now),
            ..ConfigChanged::of(RECORD_ACCESS)
        })?;
    }
    Ok(())
}

/// Records the configuration with secrets masked, unless the store holds an equal one.
pub(in crate::host) fn record(archive: &Archive, config: &Config) -> Result<()> {
    // Declared first: what is recorded from here on may have values of these fields.
    let why = format!("[privacy] of the configuration {}", config.digest());
    archive.declare_personal(&config.personal, Some(&why))?;
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
                old: before,
                new: Some(now),
                ..ConfigChanged::of(section)
            })?;
        }
    }
    record_access_rule(archive, config)?;
    // Recorded last, so that after a crash the rest is recorded again, and not left out.
    archive.record_config_change(ConfigChanged {
        old: recorded,
        new: Some(digest),
        ..ConfigChanged::of(CONFIG_ITEM)
    })
}
