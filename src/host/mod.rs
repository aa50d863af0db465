//! The converter host: watches folders, has what it finds archived and converted, sends the reports, and clears the files
//! away.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod answer;
mod bounds;
mod config;
mod edit;
mod endpoint;
mod file;
mod guard;
mod http;
mod http_host;
mod identity;
mod intake;
mod line;
mod listen;
mod listing;
mod memory;
mod metrics;
mod names;
mod notice;
mod outbox;
mod overlap;
mod post_process;
mod purges;
mod queue;
mod run;
mod schema;
mod setup;
mod source;
mod space;
mod status;
mod trouble;
mod units;
mod wake;
mod workers;
mod writers;
mod zip;

pub use config::{
    ArchiveSettings, Config, ConfigErrors, ConverterConfig, KeyInfo, LogFormat, Origin, Problem,
    Retry, Setting, Unarchivable,
};
pub use edit::Edit;
pub use endpoint::Submit;
pub use intake::{Links, Writers};
pub use line::StoppedLine;
pub use listen::Listener;
pub use notice::{FileError, Hooks, Notice, RunSummary};
pub use post_process::Disposed;
pub use run::{Archives, Host, Stop, run_once};
#[cfg(feature = "cli")]
pub(crate) use source::distinct_name;
pub use space::Space;
pub use status::{
    ARCHIVE_SECONDS, ConfigurationStatus, ConverterStatus, Histogram, HostState, HostStatus,
    QueueStatus, RetentionStatus, SilentFolder, StoreStatus, SubmissionStatus,
};
pub use trouble::{StuckAt, StuckFile, StuckFiles};

/// What a thread that panicked left is taken as it is: counts and notes, of which none can be half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
