//! Reports single steps to logs and progress bars, and sums up a pass.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::status::WaitingPurge;
use crate::Error;
use crate::archive::PurgeOutcome;
use crate::convert::{Conversion, GateReport, ReprocessResult};
use crate::entry::Outcome;
use crate::id::{ConverterId, EntryId, JobId};

/// Maximum number of errors that a summary lists.
pub(super) const ERRORS_MAX: usize = 1000;

/// Receives notices of what a host does. It is called from several threads.
///
/// It is shared instead of borrowed, because a thread that hangs in a silent folder may outlive the
/// host's run.
#[derive(Clone)]
pub struct Hooks {
    /// Called with each step.
    pub notice: Arc<dyn Fn(&Notice<'_>) + Send + Sync>,
}

impl Hooks {
    /// Creates hooks that call `notice` with each step.
    pub fn new(notice: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        Self {
            notice: Arc::new(notice),
        }
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

/// What happened to a file in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disposed {
    /// It stays where it is.
    Kept,
    /// It was removed, and no archive holds it.
    Deleted,
    /// It was removed; the archive holds it.
    Archived,
    /// It was moved to this path.
    Moved(PathBuf),
    /// It was moved into this zip file.
    Zipped(PathBuf),
}

/// One step of the host.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A file was archived.
    Archived {
        /// The file.
        path: &'a Path,
        /// The entry of the file.
        entry: EntryId,
        /// True when an earlier pass had archived it.
        existing: bool,
    },
    /// A file was converted.
    Converted {
        /// The file.
        path: &'a Path,
        /// The converter.
        converter: &'a str,
        /// The entry of the file, if it is archived.
        entry: Option<EntryId>,
        /// The result of the conversion.
        conversion: &'a Conversion,
    },
    /// A file is only cleared away, because its entry already had its final attempt.
    DoneBefore {
        /// The file.
        path: &'a Path,
        /// The entry of the file.
        entry: EntryId,
        /// The outcome of that attempt.
        outcome: Outcome,
        /// Why it did not succeed, if it did not and said so.
        error: Option<&'a str>,
    },
    /// A file was cleared away, or kept for good.
    Disposed {
        /// The file.
        path: &'a Path,
        /// What happened to the file.
        how: &'a Disposed,
    },
    /// A file was left for a later pass.
    Left {
        /// The file.
        path: &'a Path,
        /// The reason.
        why: &'a str,
    },
    /// Something went wrong.
    Trouble {
        /// The file or folder.
        path: &'a Path,
        /// The error.
        error: &'a Error,
    },
    /// A server accepted a report.
    Submitted {
        /// The entry of the report, if it is archived.
        entry: Option<EntryId>,
        /// The endpoint it was sent to.
        endpoint: &'a str,
        /// The id that the server gave the report, or else the key it was sent under.
        report_id: &'a str,
    },
    /// A server refused a report.
    SubmissionRejected {
        /// The entry of the report, if it is archived.
        entry: Option<EntryId>,
        /// The endpoint it was sent to.
        endpoint: &'a str,
        /// The HTTP status of the answer.
        status: u16,
        /// The server's message.
        text: &'a str,
    },
    /// An endpoint does not accept reports; they wait.
    SubmissionWaits {
        /// The endpoint.
        endpoint: &'a str,
        /// The reason.
        error: &'a Error,
        /// The time before the next try.
        wait: Duration,
    },
    /// A file that should be archived could not be.
    ArchiveFailed {
        /// The file.
        path: &'a Path,
        /// The reason.
        error: &'a Error,
        /// True if the file waits until it can be archived; otherwise it is converted and kept.
        waits: bool,
    },
    /// Only facts are kept of a file, because it is larger than what is archived.
    FactsOnly {
        /// The file.
        path: &'a Path,
        /// The entry of the file.
        entry: EntryId,
        /// Bytes of the file.
        bytes: u64,
        /// True if the file is not removed, whatever is to become of converted files.
        stays: bool,
    },
    /// A disk is nearly full: no files are taken.
    DiskLow {
        /// The disk, and how much space is missing.
        error: &'a Error,
    },
    /// The disks have room for files.
    DiskEnough {
        /// Free bytes.
        free: u64,
    },
    /// Entries were purged by the rules of a converter.
    Purged {
        /// The converter.
        converter: &'a str,
        /// The purged entries, by rule.
        outcome: &'a PurgeOutcome,
        /// Number of entries that stay because of a hold.
        held: u64,
        /// Number of entries that stay because their reports wait to be submitted.
        waiting: u64,
    },
    /// A purge by the rules of a converter waits for a person.
    PurgeWaits {
        /// The converter.
        converter: &'a str,
        /// What waits, and why.
        waiting: &'a WaitingPurge,
    },
    /// Purges became final whose grace period is over.
    PurgesFinal {
        /// Number of entries.
        entries: u64,
        /// Bytes that were freed.
        bytes_freed: u64,
    },
    /// Holds need a look: reviews are overdue, or limits cannot be met because of them.
    HoldsNeedLook {
        /// Each in a sentence.
        what: &'a [String],
    },
    /// Entries of a converter could not be purged; that is tried again.
    PurgeFailed {
        /// The converter.
        converter: &'a str,
        /// The reason.
        error: &'a Error,
    },
    /// A reprocess job that had been cut off goes on.
    JobResumed {
        /// The job.
        job: JobId,
        /// Number of entries that it runs over.
        entries: u64,
    },
    /// A reprocess job that went on has ended, or the host stops.
    JobEnded {
        /// The job.
        job: JobId,
        /// What came of it.
        result: &'a ReprocessResult,
    },
    /// A time stamp over a checkpoint is on record.
    Timestamped {
        /// When the checkpoint was there, as the server states it.
        time: crate::time::Timestamp,
        /// The event that records it.
        event: crate::id::EventSeq,
    },
    /// No time stamp was to be had; the server is asked again.
    TimestampFailed {
        /// The reason.
        error: &'a Error,
    },
    /// Another configuration is active.
    Reloaded,
    /// A configuration was refused; the one before stays active.
    ReloadRefused {
        /// The reason.
        error: &'a Error,
    },
    /// The system does not report changes in a folder; it is still scanned regularly.
    Unwatched {
        /// The folder.
        path: &'a Path,
        /// The reason.
        why: &'a str,
    },
    /// A folder does not answer: no step is started there, while other folders continue.
    FolderSilent {
        /// The folder.
        path: &'a Path,
        /// How long it has not answered, and in which step.
        error: &'a Error,
    },
    /// A folder answers again.
    FolderAnswers {
        /// The folder.
        path: &'a Path,
        /// How long it did not answer.
        after: Duration,
    },
    /// A converter cannot run: its files wait without an attempt, and it is tried again later.
    LineStopped {
        /// The converter.
        converter: &'a str,
        /// The reason.
        error: &'a Error,
    },
    /// A converter that could not run works again.
    LineRuns {
        /// The converter.
        converter: &'a str,
    },
    /// A new identity of a converter waits to be promoted; the current one goes on converting.
    CandidateWaits {
        /// The converter.
        converter: &'a str,
        /// The identity that converts.
        current: ConverterId,
        /// The identity that waits.
        candidate: ConverterId,
    },
    /// A new identity of a converter was tested, and is current from now on.
    Promoted {
        /// What the test found.
        report: &'a GateReport,
    },
    /// A new identity of a converter was tested, and is not promoted.
    PromotionRefused {
        /// What the test found.
        report: &'a GateReport,
    },
    /// The host ended without waiting for steps that hang; its next start continues them.
    LeftBehind {
        /// Number of these steps.
        steps: u64,
    },
    /// The host takes no more files; running conversions may finish.
    Stopping {
        /// Number of running conversions.
        converting: u64,
        /// The time they have before they are killed.
        within: Duration,
    },
    /// A scan of all folders ended; sums up the work since the scan before.
    Passed(&'a RunSummary),
}

/// Sums up what one pass did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// Number of files that some converter takes.
    pub found: u64,
    /// Number of files newly archived.
    pub archived: u64,
    /// Number of files converted.
    pub converted: u64,
    /// Number of conversions that succeeded.
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
    /// Number of files that an earlier pass finished.
    pub known: u64,
    /// Number of files that were only cleared away, because their entries already had their final
    /// attempts.
    pub done_before: u64,
    /// Number of those whose final attempt failed or was rejected.
    pub failed_before: u64,
    /// Number of files not taken: still changing, waiting for a retry, or held up by a problem.
    pub left: u64,
    /// Number of files that should be archived and could not be.
    pub archive_failed: u64,
    /// Number of reports that a server accepted since the pass before.
    pub reports_submitted: u64,
    /// Number of reports that a server refused since the pass before.
    pub reports_rejected: u64,
    /// Number of reports that wait to be sent.
    pub reports_waiting: u64,
    /// The first thousand errors. A conversion that merely fails is not among them.
    pub errors: Vec<FileError>,
}

/// An error with one file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileError {
    /// The file or folder.
    pub path: String,
    /// The error.
    pub error: String,
}

impl RunSummary {
    pub(in crate::host) fn count(&mut self, outcome: Outcome) {
        self.converted += 1;
        *match outcome {
            Outcome::Success => &mut self.successful,
            Outcome::Failed => &mut self.failed,
            Outcome::Suspended => &mut self.suspended,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Rejected => &mut self.rejected,
        } += 1;
    }
}
