//! What the owner of a store tells about itself: `annals host status`, `/api/v1/host`, the page.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Serialize;

use crate::complete::Complete;
use crate::host::{Host, HostStatus, RunSummary};
use crate::time::Timestamp;

/// What a process that owns a store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It watches folders, and may serve the page as well.
    Host,
    /// It serves the page.
    Page,
}

/// The status of an owner. The owner updates it while it works, and clients read it.
pub struct Owner {
    status: Mutex<OwnerStatus>,
    host: OnceLock<Arc<Host>>,
}

/// See [`Owner`].
#[derive(Debug, Clone, Serialize)]
pub struct OwnerStatus {
    /// What it does.
    #[serde(skip)]
    pub role: Role,
    /// The process that has the store open.
    pub pid: u32,
    /// The version of its program.
    pub version: &'static str,
    /// When it opened the store.
    pub since: Timestamp,
    /// Path of the configuration file.
    pub config: String,
    /// The watched folders.
    pub watches: Vec<Watch>,
    /// Number of passes over the watch folders so far.
    pub passes: u64,
    /// When the last pass ended.
    pub passed_at: Option<Timestamp>,
    /// The last pass that had something to do.
    pub last_work: Option<Work>,
    /// The status that the host reports.
    #[serde(flatten)]
    pub host: Option<HostStatus>,
}

/// A watched folder and the converter of its files.
#[derive(Debug, Clone, Serialize)]
pub struct Watch {
    /// The name of the converter.
    pub converter: String,
    /// The folder.
    pub folder: String,
}

/// The result of a pass, and when the pass ended.
#[derive(Debug, Clone, Serialize)]
pub struct Work {
    /// When it ended.
    pub at: Timestamp,
    /// What it came to.
    #[serde(flatten)]
    pub summary: RunSummary,
}

/// What `annals host status --json` prints and `/api/v1/host` answers.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "serve", derive(utoipa::ToSchema))]
pub struct StatusObject<'a> {
    /// Whether a host runs on the store.
    running: bool,
    /// The folder of the store.
    store: String,
    /// What the owner says.
    #[serde(flatten)]
    #[cfg_attr(feature = "serve", schema(value_type = Object))]
    status: Complete<Option<&'a OwnerStatus>>,
}

/// What an owner says. A page that owns a store says less than a host, and nobody nothing.
const STATUS_FIELDS: &[&str] = &[
    "pid",
    "version",
    "since",
    "config",
    "watches",
    "passes",
    "passed_at",
    "last_work",
    "state",
    "reasons",
    "scans",
    "scanned_at",
    "queue",
    "stuck",
    "silent_folders",
    "converters",
    "submissions",
    "disk",
    "retention",
    "configuration",
    "stores",
    "archive_seconds",
];

impl<'a> StatusObject<'a> {
    /// Returns the object of a store and its owner, if it has one.
    pub fn new(store: String, status: Option<&'a OwnerStatus>) -> Self {
        Self {
            running: status.is_some_and(|status| status.role == Role::Host),
            store,
            status: Complete::new(status, STATUS_FIELDS),
        }
    }
}

impl Owner {
    /// Returns an owner that has done nothing yet.
    pub fn new(role: Role, since: Timestamp, config: String, watches: Vec<Watch>) -> Self {
        let status = OwnerStatus {
            role,
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
        }
    }

    /// Sets the host whose status is included from now on.
    pub fn ask(&self, host: &Arc<Host>) {
        // Setting fails only on a second call, which does not happen.
        let _ = self.host.set(Arc::clone(host));
    }

    /// Returns the host, if one was set.
    pub fn host(&self) -> Option<&Arc<Host>> {
        self.host.get()
    }

    /// Records that a pass over the watch folders ended at `at`.
    pub fn passed(&self, summary: &RunSummary, at: Timestamp) {
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
    pub fn status(&self) -> OwnerStatus {
        self.status_with(self.host.get().map(|host| host.status()))
    }

    /// Returns the current status around what the host said a moment ago.
    pub fn status_with(&self, host: Option<HostStatus>) -> OwnerStatus {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        OwnerStatus {
            host,
            ..status.clone()
        }
    }
}
