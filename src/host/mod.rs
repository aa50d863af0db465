//! The converter host: it watches folders, archives and converts what it finds, sends the reports,
//! and clears the files away.

mod active_config;
mod archives;
mod config;
mod file_id;
mod observe;
mod panics;
mod pipeline;
mod sources;
mod stop;
mod submit;
mod supervise;

pub use archives::Archives;
pub use config::edit::{Change, ChangedValue, Draft, Edit, Revision};
pub use config::endpoint::{Relation, Submit};
pub use config::promotion::{GateOver, GateSettings, Promotion};
pub use config::settings::{
    ArchiveSettings, Config, ConfigErrors, ConverterConfig, EvidenceSettings, KeyInfo, Links,
    LogFormat, Origin, Problem, Retry, Setting, Subfolders, Unarchivable, Writers,
};
#[cfg(feature = "serve")]
pub(crate) use observe::http_host::split_host;
pub use observe::listen::Listener;
#[cfg(feature = "serve")]
pub(crate) use observe::metrics::{CONTENT_TYPE as METRICS_CONTENT_TYPE, text as metrics_text};
pub use observe::notice::{Disposed, FileError, Hooks, Notice, RunSummary};
pub use observe::space::Space;
pub use observe::status::{
    ARCHIVE_SECONDS, ConfigurationStatus, ConverterStatus, Histogram, HostState, HostStatus,
    OutdatedEntries, PromotionStatus, QueueStatus, RetentionStatus, SilentFolder, StoppedLine,
    StoreStatus, SubmissionStatus,
};
pub use observe::stuck::{StuckAt, StuckFile, StuckFiles};
pub use pipeline::host::Host;
pub(crate) use sources::clear::distinct_name;
pub use stop::Stop;
pub use submit::timestamp::{ask_timestamp, without_login};
pub use supervise::run::run_once;
