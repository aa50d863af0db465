//! The converter host: watches folders, has what it finds archived and converted, sends the reports, and clears the files
//! away.

mod config;
mod file_id;
mod observe;
mod panics;
mod pipeline;
mod setup;
mod sources;
mod submit;
mod supervise;

pub use config::edit::Edit;
pub use config::endpoint::Submit;
pub use config::settings::{
    ArchiveSettings, Config, ConfigErrors, ConverterConfig, KeyInfo, LogFormat, Origin, Problem,
    Retry, Setting, Unarchivable,
};
pub use observe::listen::Listener;
pub use observe::notice::{FileError, Hooks, Notice, RunSummary};
pub use observe::space::Space;
pub use observe::status::{
    ARCHIVE_SECONDS, ConfigurationStatus, ConverterStatus, Histogram, HostState, HostStatus,
    QueueStatus, RetentionStatus, SilentFolder, StoreStatus, SubmissionStatus,
};
pub use observe::stuck::{StuckAt, StuckFile, StuckFiles};
pub use pipeline::disposition::Disposed;
pub use pipeline::lines::StoppedLine;
#[cfg(feature = "cli")]
pub(crate) use sources::clear::distinct_name;
pub use sources::scan::{Links, Writers};
pub use supervise::run::{Archives, Host, Stop, run_once};
