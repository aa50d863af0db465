//! The status of a host, as one value for the command line, `/healthz` and `/metrics`.
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::notice::FileError;
use super::space::Space;
use super::stuck::StuckFiles;
use crate::archive::FailureGroup;
use crate::event::{GateEvidence, whole_evidence_if_any};
use crate::id::{ConverterId, EntryId};
use crate::time::Timestamp;

/// Upper bounds, in seconds, of the classes of the archiving time histogram.
pub const ARCHIVE_SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0];

/// The status of a host, which may be a moment old.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HostStatus {
    /// What the host is doing.
    pub state: HostState,
    /// Why the host cannot do all of its work, in words; empty when all is well.
    pub reasons: Vec<String>,
    /// Number of scans of the watch folders so far.
    pub scans: u64,
    /// When the last scan ended.
    pub scanned_at: Option<Timestamp>,
    /// The lengths of the queues.
    pub queue: QueueStatus,
    /// Files that stay in their folders because of a problem, not because they wait in a queue.
    pub stuck: StuckFiles,
    /// Folders that do not answer.
    pub silent_folders: Vec<SilentFolder>,
    /// The converters in the order of the configuration.
    pub converters: Vec<ConverterStatus>,
    /// Reports that wait or were sent.
    pub submissions: SubmissionStatus,
    /// The disk with the least room.
    pub disk: Space,
    /// Purges by the rules of the configuration.
    pub retention: RetentionStatus,
    /// The active configuration.
    pub configuration: ConfigurationStatus,
    /// The stores.
    pub stores: Vec<StoreStatus>,
    /// How long archiving took, from taking the file on, by the classes of [`ARCHIVE_SECONDS`] and
    /// one beyond.
    pub archive_seconds: Histogram,
}

/// What a host is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HostState {
    /// It has not started, or has ended.
    #[default]
    Idle,
    /// It watches and works.
    Running,
    /// It takes no more files and waits for running conversions.
    Stopping,
}

/// A folder that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SilentFolder {
    /// The folder.
    pub folder: PathBuf,
    /// The file whose step has not ended; `None` when the folder cannot be listed.
    pub path: Option<PathBuf>,
    /// How long it has not answered.
    pub seconds: u64,
}

/// The lengths of the queues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueStatus {
    /// Number of files that wait to be archived or are being archived.
    pub to_archive: u64,
    /// Number of files that wait to be converted.
    pub to_convert: u64,
    /// Number of running conversions.
    pub converting: u64,
    /// Number of conversions that wait to be recorded or are being recorded.
    pub to_record: u64,
    /// The longest waiting time among the files that are next in a queue.
    pub oldest_ms: u64,
    /// Number of files left in their folders by the last scan: still changing, or waiting for a
    /// retry.
    pub left: u64,
}

/// The status of one converter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConverterStatus {
    /// The name of the converter.
    pub name: String,
    /// The folder it watches.
    pub watch_folder: Option<PathBuf>,
    /// Number of files archived since the host started.
    pub archived: u64,
    /// Number of files that could not be archived.
    pub archive_failed: u64,
    /// Number of conversions since the host started that succeeded.
    pub successful: u64,
    /// Number of conversions that failed.
    pub failed: u64,
    /// Number of conversions that asked for a retry later.
    pub suspended: u64,
    /// Number of conversions that had nothing to convert.
    pub skipped: u64,
    /// Number of conversions that were rejected.
    pub rejected: u64,
    /// Number of conversions with a suspicious result; they are counted by their outcome, too.
    pub suspicious: u64,
    /// Number of files archived in the last minute.
    pub archived_per_minute: u64,
    /// Number of files converted in the last minute.
    pub converted_per_minute: u64,
    /// Number of entries purged by its rules.
    pub purged: u64,
    /// Maximum number of its conversions at a time.
    pub max_concurrent: u64,
    /// Number of its worker processes, with and without work.
    pub workers: u64,
    /// Number of its files that stay in their folder because of a problem.
    pub stuck: u64,
    /// Why the converter cannot run; `None` while it can.
    pub stopped: Option<StoppedLine>,
    /// How its promotions stand; `None` where they are not gated.
    pub promotion: Option<PromotionStatus>,
}

/// How the promotions of a converter stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PromotionStatus {
    /// The identity that converts live files.
    pub current: ConverterId,
    /// The configured identity, if it waits to be promoted.
    pub candidate: Option<ConverterId>,
    /// The time since which it waits.
    pub since: Option<Timestamp>,
    /// True while it is tested.
    pub testing: bool,
    /// What the last test of it came to.
    pub verdict: Option<String>,
    /// What that test found.
    #[serde(serialize_with = "whole_evidence_if_any")]
    pub evidence: Option<GateEvidence>,
    /// The first entries that worked, break, and are not waived.
    pub broken: Vec<EntryId>,
}

impl PromotionStatus {
    /// Returns the status of a converter whose configured identity is current.
    pub(in crate::host) fn settled(current: ConverterId) -> Self {
        Self {
            current,
            candidate: None,
            since: None,
            testing: false,
            verdict: None,
            evidence: None,
            broken: Vec::new(),
        }
    }

    /// Returns the status of a converter whose configured identity waits.
    pub(in crate::host) fn waiting(
        current: ConverterId,
        candidate: ConverterId,
        since: Timestamp,
    ) -> Self {
        Self {
            candidate: Some(candidate),
            since: Some(since),
            ..Self::settled(current)
        }
    }
}

/// A converter that cannot run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoppedLine {
    /// The time since which it cannot run.
    pub since: Timestamp,
    /// The reason.
    pub reason: String,
    /// How often it was tried since.
    pub trials: u64,
}

/// Reports that wait or were sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct SubmissionStatus {
    /// Number of reports that wait in the stores.
    pub waiting: u64,
    /// The time since which the oldest of them waits.
    pub oldest: Option<Timestamp>,
    /// Number of reports that servers accepted since the host started.
    pub submitted: u64,
    /// Number of reports that servers refused.
    pub rejected: u64,
    /// Problems of sending, by endpoint.
    pub troubles: Vec<FileError>,
}

/// Purges by the rules of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RetentionStatus {
    /// When the rules were applied last.
    pub applied_at: Option<Timestamp>,
    /// Number of entries purged since the host started.
    pub purged: u64,
    /// Bytes freed by these purges.
    pub bytes_freed: u64,
    /// Why the rules could not be applied the last time.
    pub error: Option<String>,
    /// Purges that wait for a person.
    pub waiting: Vec<WaitingPurge>,
    /// What is to be done about holds, in sentences: overdue reviews, limits that cannot be met.
    pub holds: Vec<String>,
    /// Number of holds whose review is overdue.
    pub holds_overdue: u64,
    /// Number of limits that holds keep from being met.
    pub limits_unmet: u64,
    /// Number of purged entries that can come back.
    pub pending_entries: u64,
}

/// A purge by rule that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WaitingPurge {
    /// The converter whose rules select the entries.
    pub converter: String,
    /// Number of entries.
    pub entries: u64,
    /// Bytes on disk that it would free.
    pub bytes_freed: u64,
    /// Why it waits, and what to do, in words.
    pub why: String,
    /// When it goes on by itself; `None` when it does not.
    pub until: Option<Timestamp>,
}

/// The active configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConfigurationStatus {
    /// The configuration file.
    pub path: PathBuf,
    /// When it became active.
    pub since: Timestamp,
    /// Why a later configuration was refused.
    pub refused: Option<String>,
}

/// The status of one store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoreStatus {
    /// The folder of the store.
    pub dir: PathBuf,
    /// Number of entries that are not purged.
    pub entries: u64,
    /// Number of those that belong to a configured converter and whose last attempt failed.
    pub failed: u64,
    /// The three most frequent troubles of the last attempts, by cause.
    pub troubles: Vec<FailureGroup>,
    /// Entries whose last success was made by an older identity of their converter.
    pub outdated: Vec<OutdatedEntries>,
    /// Bytes that their content takes.
    pub stored_bytes: u64,
    /// Free bytes on the store's disk.
    pub free_bytes: Option<u64>,
    /// Why the store cannot be read.
    pub error: Option<String>,
    /// Why the last checkpoint was not signed or not published, and what to do.
    pub signing_error: Option<String>,
}

/// Entries that an older identity of their converter made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OutdatedEntries {
    /// The name of the converter.
    pub converter: String,
    /// How many entries.
    pub entries: u64,
}

/// A histogram of durations.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Histogram {
    /// Counts by class; the last one is for durations beyond all bounds.
    pub counts: [u64; ARCHIVE_SECONDS.len() + 1],
    /// Sum of all durations in seconds.
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
