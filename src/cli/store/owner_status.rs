//! The status that an owner reports about itself.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Serialize;

use crate::host::{Host, HostStatus, RunSummary};
use crate::time::Timestamp;
#[cfg(feature = "serve")]
use crate::web::Entrance;

/// The status of an owner. The owner updates it while it works, and clients read it.
pub(crate) struct State {
    status: Mutex<Status>,
    host: OnceLock<Arc<Host>>,
    /// The page that this owner serves.
    #[cfg(feature = "serve")]
    entrance: OnceLock<Entrance>,
}

/// See [`State`].
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    pub(crate) pid: u32,
    pub(crate) version: &'static str,
    pub(crate) since: Timestamp,
    /// Path of the configuration file.
    pub(crate) config: String,
    pub(crate) watches: Vec<Watch>,
    /// Number of passes over the watch folders so far.
    pub(crate) passes: u64,
    /// When the last pass ended.
    pub(crate) passed_at: Option<Timestamp>,
    /// The last pass that had something to do.
    pub(crate) last_work: Option<Work>,
    /// The status that the host reports.
    #[serde(flatten)]
    pub(crate) host: Option<HostStatus>,
}

/// A watched folder and the converter of its files.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Watch {
    pub(crate) converter: String,
    pub(crate) folder: String,
}

/// The result of a pass, and when the pass ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Work {
    pub(crate) at: Timestamp,
    #[serde(flatten)]
    pub(crate) summary: RunSummary,
}

impl State {
    pub(crate) fn new(since: Timestamp, config: String, watches: Vec<Watch>) -> Self {
        let status = Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            since,
            config,
            watches,
            passes: 0,
            passed_at: None,
            last_work: None,
            host: None,
        };
        Self {
            status: Mutex::new(status),
            host: OnceLock::new(),
            #[cfg(feature = "serve")]
            entrance: OnceLock::new(),
        }
    }

    /// Sets the host whose status is included from now on.
    pub(crate) fn ask(&self, host: &Arc<Host>) {
        // Setting fails only on a second call, which does not happen.
        let _ = self.host.set(Arc::clone(host));
    }

    /// Returns the host, if one was set.
    pub(crate) fn host(&self) -> Option<&Arc<Host>> {
        self.host.get()
    }

    /// Sets the page that this owner serves from now on.
    #[cfg(feature = "serve")]
    pub(crate) fn open_entrance(&self, entrance: Entrance) {
        // Setting fails only on a second call, which does not happen.
        let _ = self.entrance.set(entrance);
    }

    /// Returns the page that this owner serves, if it does.
    #[cfg(feature = "serve")]
    pub(crate) fn entrance(&self) -> Option<&Entrance> {
        self.entrance.get()
    }

    /// Records that a pass over the watch folders ended at `at`.
    pub(crate) fn passed(&self, summary: &RunSummary, at: Timestamp) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.passes += 1;
        status.passed_at = Some(at);
        let sent = summary.reports_submitted + summary.reports_rejected;
        if summary.archived + summary.converted + sent > 0 || !summary.errors.is_empty() {
            status.last_work = Some(Work {
                at,
                summary: summary.clone(),
            });
        }
    }

    /// Returns the current status.
    pub(crate) fn status(&self) -> Status {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let mut status = status.clone();
        status.host = self.host.get().map(|host| host.status());
        status
    }
}
