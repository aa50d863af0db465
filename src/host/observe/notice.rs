//! Notices of single steps, for logs and progress bars, and the summary of a pass.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::Error;
use crate::archive::PurgeOutcome;
use crate::convert::Conversion;
use crate::entry::Outcome;
use crate::id::EntryId;

/// Errors that a summary lists at most.
pub(super) const ERRORS_MAX: usize = 1000;

/// Receives notices of what a host does. It is called from several threads.
///
/// Shared instead of borrowed, because a thread that hangs in a folder that does not answer may
/// outlive the host's run.
#[derive(Clone)]
pub struct Hooks {
    /// Told each step.
    pub notice: Arc<dyn Fn(&Notice<'_>) + Send + Sync>,
}

impl Hooks {
    /// Has `notice` told each step.
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

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disposed {
    /// It stays where it is.
    Kept,
    /// It was removed, and no archive holds it.
    Deleted,
    /// It was removed; the archive holds it.
    Archived,
    /// It is now here.
    Moved(PathBuf),
    /// It is now inside this zip file.
    Zipped(PathBuf),
}

/// One step of the host.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A file is in the archive.
    Archived {
        /// The file.
        path: &'a Path,
        /// Its entry.
        entry: EntryId,
        /// True when an earlier pass had archived it.
        existing: bool,
    },
    /// A file was converted.
    Converted {
        /// The file.
        path: &'a Path,
        /// By which converter.
        converter: &'a str,
        /// Its entry, if it is archived.
        entry: Option<EntryId>,
        /// What came of it.
        conversion: &'a Conversion,
    },
    /// A file is only cleared away, for its entry had its final attempt before.
    DoneBefore {
        /// The file.
        path: &'a Path,
        /// Its entry.
        entry: EntryId,
        /// What that attempt came to.
        outcome: Outcome,
    },
    /// A file was cleared away, or kept for good.
    Disposed {
        /// The file.
        path: &'a Path,
        /// What became of it.
        how: &'a Disposed,
    },
    /// A file was left for a later pass.
    Left {
        /// The file.
        path: &'a Path,
        /// Why.
        why: &'a str,
    },
    /// Something went wrong.
    Trouble {
        /// With which file or folder.
        path: &'a Path,
        /// What.
        error: &'a Error,
    },
    /// A server took a report.
    Submitted {
        /// Its entry, if it is archived.
        entry: Option<EntryId>,
        /// Where it was sent.
        endpoint: &'a str,
        /// The name the server gave it; else the key it was sent under.
        report_id: &'a str,
    },
    /// A server refused a report.
    SubmissionRejected {
        /// Its entry, if it is archived.
        entry: Option<EntryId>,
        /// Where it was sent.
        endpoint: &'a str,
        /// The HTTP status of the answer.
        status: u16,
        /// What the server said.
        text: &'a str,
    },
    /// An endpoint takes no reports; they wait.
    SubmissionWaits {
        /// The endpoint.
        endpoint: &'a str,
        /// Why.
        error: &'a Error,
        /// Before it is asked again.
        wait: Duration,
    },
    /// A file that is to be archived could not be.
    ArchiveFailed {
        /// The file.
        path: &'a Path,
        /// Why.
        error: &'a Error,
        /// It waits until it can be; else it is converted and kept.
        waits: bool,
    },
    /// A disk is nearly full: no files are taken.
    DiskLow {
        /// Which, and how much is missing.
        error: &'a Error,
    },
    /// There is room again.
    DiskEnough {
        /// Bytes free.
        free: u64,
    },
    /// Entries went by the rules of a converter.
    Purged {
        /// Whose.
        converter: &'a str,
        /// What went, and by which rules.
        outcome: &'a PurgeOutcome,
        /// Entries that stay because of a hold.
        held: u64,
        /// Entries that stay because their reports wait to be submitted.
        waiting: u64,
    },
    /// Entries of a converter could not be purged; that is tried again.
    PurgeFailed {
        /// Whose.
        converter: &'a str,
        /// Why.
        error: &'a Error,
    },
    /// Another configuration is in force.
    Reloaded,
    /// A configuration was refused; the one before stays in force.
    ReloadRefused {
        /// Why.
        error: &'a Error,
    },
    /// Nobody tells when something appears in a folder; it is looked into all the same.
    Unwatched {
        /// The folder.
        path: &'a Path,
        /// Why.
        why: &'a str,
    },
    /// A folder does not answer: nothing more is begun there, the others go on.
    FolderSilent {
        /// The folder.
        path: &'a Path,
        /// For how long, and over what.
        error: &'a Error,
    },
    /// A folder answers again.
    FolderAnswers {
        /// The folder.
        path: &'a Path,
        /// How long it did not.
        after: Duration,
    },
    /// A converter cannot run: its files wait, without an attempt, and it is tried again.
    LineStopped {
        /// The converter.
        converter: &'a str,
        /// Why.
        error: &'a Error,
    },
    /// A converter that could not run answers again.
    LineRuns {
        /// The converter.
        converter: &'a str,
    },
    /// The host ended without waiting for what hangs; the next one takes it up.
    LeftBehind {
        /// So many steps over files.
        steps: u64,
    },
    /// No more files are taken; what is being converted may end.
    Stopping {
        /// So many conversions.
        converting: u64,
        /// Within this time, then they are killed.
        within: Duration,
    },
    /// A look into all folders is over, and this was done since the one before.
    Passed(&'a RunSummary),
}

/// What one pass did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// Files that some converter takes.
    pub found: u64,
    /// Files newly archived.
    pub archived: u64,
    /// Files converted.
    pub converted: u64,
    /// Of those, ended in success.
    pub successful: u64,
    /// Failed.
    pub failed: u64,
    /// Asked to be tried again later.
    pub suspended: u64,
    /// Had nothing to convert.
    pub skipped: u64,
    /// Were refused.
    pub rejected: u64,
    /// Files already done with in an earlier pass.
    pub known: u64,
    /// Files that were only cleared away, for their entries had their final attempts before.
    pub done_before: u64,
    /// Of those, failed or were refused in it.
    pub failed_before: u64,
    /// Files not taken: still changing, waiting for another attempt, or out of the way of trouble.
    pub left: u64,
    /// Files that were to be archived and could not be.
    pub archive_failed: u64,
    /// Reports that a server took since the pass before.
    pub reports_submitted: u64,
    /// Reports that a server refused since the pass before.
    pub reports_rejected: u64,
    /// Reports that wait to be sent.
    pub reports_waiting: u64,
    /// The first thousand things that went wrong. A conversion that merely fails is not among them.
    pub errors: Vec<FileError>,
}

/// What went wrong with one file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileError {
    /// The file or folder.
    pub path: String,
    /// What.
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
