//! The status of a host, as one value for the command line, `/healthz` and `/metrics`.
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::notice::FileError;
use super::space::Space;
use super::stuck::StuckFiles;
use crate::time::Timestamp;

/// Upper bounds of the classes that archiving times are counted in, in seconds.
pub const ARCHIVE_SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];

/// The status of a host, at most a moment old.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HostStatus {
    /// What the host is doing.
    pub state: HostState,
    /// What keeps it from its work, in words; nothing when all is well.
    pub reasons: Vec<String>,
    /// Looks into the watch folders so far.
    pub scans: u64,
    /// When the last one ended.
    pub scanned_at: Option<Timestamp>,
    /// What is in hand.
    pub queue: QueueStatus,
    /// Files that stay in their folders for another reason than waiting for their turn.
    pub stuck: StuckFiles,
    /// Folders that do not answer.
    pub silent_folders: Vec<SilentFolder>,
    /// The converters in the order of the configuration.
    pub converters: Vec<ConverterStatus>,
    /// Reports on their way.
    pub submissions: SubmissionStatus,
    /// The disk with the least room.
    pub disk: Space,
    /// Purges by the rules of the configuration.
    pub retention: RetentionStatus,
    /// The configuration in force.
    pub configuration: ConfigurationStatus,
    /// The stores.
    pub stores: Vec<StoreStatus>,
    /// How long archiving took from a file's being taken, counted in classes: [`ARCHIVE_SECONDS`]
    /// and beyond.
    pub archive_seconds: Histogram,
}

/// What a host is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HostState {
    /// It has not begun, or has ended.
    #[default]
    Idle,
    /// It watches and works.
    Running,
    /// It takes no more files and waits for what is being converted.
    Stopping,
}

/// A folder that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SilentFolder {
    /// The folder.
    pub folder: PathBuf,
    /// The file that a step was begun over and has not ended; nothing when the folder cannot be
    /// listed.
    pub path: Option<PathBuf>,
    /// For how long.
    pub seconds: u64,
}

/// What is in hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueStatus {
    /// Files that wait to be archived, those at work included.
    pub to_archive: u64,
    /// Files that wait to be converted.
    pub to_convert: u64,
    /// Conversions that run.
    pub converting: u64,
    /// Conversions that wait to be recorded, those at work included.
    pub to_record: u64,
    /// How long the next one in a queue has waited there.
    pub oldest_ms: u64,
    /// Files left in their folders at the last look: still changing, or to be tried again.
    pub left: u64,
}

/// One converter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConverterStatus {
    /// Its name.
    pub name: String,
    /// The folder it watches.
    pub watch_folder: Option<PathBuf>,
    /// Files archived since the host began.
    pub archived: u64,
    /// Files that could not be.
    pub archive_failed: u64,
    /// Conversions by outcome, since the host began.
    pub successful: u64,
    /// Failed.
    pub failed: u64,
    /// Asked to be tried again later.
    pub suspended: u64,
    /// Had nothing to convert.
    pub skipped: u64,
    /// Were refused.
    pub rejected: u64,
    /// Files archived in the last minute.
    pub archived_per_minute: u64,
    /// Files converted in the last minute.
    pub converted_per_minute: u64,
    /// Entries that were purged by its rules.
    pub purged: u64,
    /// Its files that stay in their folder for another reason than waiting for their turn.
    pub stuck: u64,
    /// Why it cannot run, if so.
    pub stopped: Option<StoppedLine>,
}

/// A converter that cannot run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoppedLine {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
    /// How often it was tried.
    pub trials: u64,
}

/// Reports on their way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct SubmissionStatus {
    /// Reports that wait in the stores.
    pub waiting: u64,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
    /// Reports that servers took since the host began.
    pub submitted: u64,
    /// Reports that servers refused.
    pub rejected: u64,
    /// What stands in the way, by endpoint.
    pub troubles: Vec<FileError>,
}

/// Purges by the rules of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RetentionStatus {
    /// When the rules were applied last.
    pub applied_at: Option<Timestamp>,
    /// Entries purged since the host began.
    pub purged: u64,
    /// Bytes that freed.
    pub bytes_freed: u64,
    /// Why the rules could not be applied the last time.
    pub error: Option<String>,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConfigurationStatus {
    /// The file.
    pub path: PathBuf,
    /// When it came into force.
    pub since: Timestamp,
    /// Why a later one was refused.
    pub refused: Option<String>,
}

/// A store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreStatus {
    /// Its folder.
    pub dir: PathBuf,
    /// Entries that are not purged.
    pub entries: u64,
    /// Of those, entries of the configured converters whose last attempt failed.
    pub failed: u64,
    /// Bytes their content takes.
    pub stored_bytes: u64,
    /// Bytes free on its disk.
    pub free_bytes: Option<u64>,
    /// Why it cannot be asked.
    pub error: Option<String>,
}

/// How often something took how long.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Histogram {
    /// Counts by class, the last one beyond all bounds.
    pub counts: [u64; ARCHIVE_SECONDS.len() + 1],
    /// Sum of all times.
    pub sum_s: f64,
}

impl Histogram {
    pub(in crate::host) fn count(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let class = ARCHIVE_SECONDS.partition_point(|bound| *bound < seconds);
        self.counts[class] += 1;
        self.sum_s += seconds;
    }
}
