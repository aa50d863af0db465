//! The converter host: watches folders, has what it finds archived and converted, sends the reports, and clears the files
//! away.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod answer;
mod config;
mod edit;
mod endpoint;
mod expiry;
mod http;
mod intake;
mod outbox;
mod post_process;
mod run;
mod schema;
mod zip;

pub use config::{
    ArchiveSettings, Config, ConfigErrors, ConverterConfig, KeyInfo, Origin, Problem, Retry,
    Setting,
};
pub use edit::Edit;
pub use endpoint::Submit;
pub use expiry::Expired;
pub use post_process::Disposed;
pub use run::{Archives, FileError, Hooks, Host, Notice, RunSummary, run_once};

/// What a thread that panicked left is taken as it is: counts and notes, of which none can be half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
