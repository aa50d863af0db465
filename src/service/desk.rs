//! What a door works on: an open store, and what is known around it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::time::{Zone, parse_when};
use super::words::path_text;
use crate::Result;
use crate::archive::Archive;
use crate::host::{Config, Host};
use crate::time::Timestamp;

/// What one request of a door works on: an open store, and what is known around it.
///
/// It is cheap to make: the configuration is read when it is first needed.
#[derive(Clone)]
pub struct Desk {
    /// The open store, lent to whoever asks.
    pub archive: Archive,
    /// The zone in which dates are read and times are shown.
    pub zone: Zone,
    /// When the request began. `yesterday` and `90d` count from it.
    pub now: Timestamp,
    /// The host that runs in this process and owns the store.
    pub host: Option<Arc<Host>>,
    /// The file of the configuration, if one is named.
    pub config_file: Option<PathBuf>,
    config: OnceLock<Option<Arc<Config>>>,
}

impl Desk {
    /// Returns a desk with nothing but a store. `now` gets the offset that JSON prints.
    pub fn new(archive: Archive, zone: Zone, now: Timestamp) -> Self {
        Self {
            archive,
            now: zone.exact(now),
            zone,
            host: None,
            config_file: None,
            config: OnceLock::new(),
        }
    }

    /// Adds the host that runs in this process, if one does.
    #[must_use]
    pub fn with_host(mut self, host: Option<Arc<Host>>) -> Self {
        self.host = host;
        self
    }

    /// Adds the file of the configuration, which is read when it is first needed.
    #[must_use]
    pub fn with_config_file(mut self, file: Option<PathBuf>) -> Self {
        self.config_file = file;
        self
    }

    /// Adds a configuration that was read already.
    #[must_use]
    pub fn with_config(mut self, config: Arc<Config>) -> Self {
        self.config_file = Some(config.path.clone());
        self.config = OnceLock::from(Some(config));
        self
    }

    /// Returns the configuration, if one is named and can be used.
    pub fn config(&self) -> Option<&Config> {
        let load = || {
            let file = self.config_file.as_deref()?;
            Config::load(file).ok().map(Arc::new)
        };
        self.config.get_or_init(load).as_deref()
    }

    /// Returns the file of the configuration as text, for command lines that are shown.
    pub fn config_text(&self) -> Option<String> {
        self.config_file.as_deref().map(path_text)
    }

    /// Returns the instant that a date means, such as `yesterday`.
    pub fn when(&self, text: &str) -> Result<Timestamp> {
        parse_when(text, self.now, &self.zone)
    }
}
