//! The converter host: watches folders, has what it finds archived and converted, and clears the files away.

mod config;
mod intake;
mod post_process;
mod run;
mod schema;
mod zip;

pub use config::{
    ArchiveSettings, Config, ConfigErrors, ConverterConfig, KeyInfo, Origin, Problem, Retry,
    Setting, Submit,
};
pub use post_process::Disposed;
pub use run::{Archives, Delivery, FileError, Hooks, Host, Notice, RunSummary, run_once};
