//! The row of a report, the state of its submission, and its place in the queue.

use super::codec::Raw;
use super::since::Since;
use crate::entry::{Report, Submission};
use crate::event::{BlobRef, Corrected, SubmitRejected};
use crate::id::{AttemptNo, BlobId, EntryId, EventSeq, Sha256};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The row form of a [`Report`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::index) struct ReportRow<'a> {
    #[serde(borrow)]
    pub(in crate::index) blake3: Raw<'a>,
    #[serde(borrow)]
    pub(in crate::index) sha256: Raw<'a>,
    pub(super) size: u64,
    #[serde(borrow)]
    pub(in crate::index) report_id: Option<&'a str>,
    pub(super) reported_at: Option<Since>,
    #[serde(borrow)]
    pub(in crate::index) submission: Option<SubmissionRow<'a>>,
    /// How many times a server refused it.
    pub(in crate::index) rejections: u32,
}

/// The row form of a [`Submission`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::index) enum SubmissionRow<'a> {
    Waiting {
        /// The event that put it into the queue.
        queued: EventSeq,
        since: Timestamp,
        #[serde(borrow)]
        endpoint: &'a str,
    },
    Rejected {
        at: Timestamp,
        #[serde(borrow)]
        endpoint: &'a str,
        status: u16,
        #[serde(borrow)]
        text: &'a str,
    },
}

impl<'a> ReportRow<'a> {
    pub(super) fn made(blob: &'a BlobRef, submission: Option<SubmissionRow<'a>>) -> Self {
        Self {
            blake3: Raw(blob.blake3.as_bytes()),
            sha256: Raw(blob.sha256.as_bytes()),
            size: blob.size,
            report_id: None,
            reported_at: None,
            submission,
            rejections: 0,
        }
    }

    /// Returns the event that queued the report, while the report waits.
    pub(in crate::index) fn queued(&self) -> Option<EventSeq> {
        match self.submission {
            Some(SubmissionRow::Waiting { queued, .. }) => Some(queued),
            _ => None,
        }
    }

    /// Records that a server refused the report.
    pub(in crate::index) fn reject(&mut self, at: Timestamp, event: &'a SubmitRejected) {
        self.submission = Some(SubmissionRow::Rejected {
            at,
            endpoint: &event.endpoint,
            status: event.status,
            text: &event.text,
        });
        self.rejections = self.rejections.saturating_add(1);
    }

    pub(super) fn report(&self, archived: Timestamp) -> Report {
        Report {
            blake3: BlobId::from_bytes(*self.blake3.0),
            sha256: Sha256::from_bytes(*self.sha256.0),
            size: self.size,
            report_id: self.report_id.map(str::to_owned),
            reported_at: self.reported_at.map(|at| at.at(archived)),
            submission: self.submission.map(SubmissionRow::submission),
        }
    }
}

impl SubmissionRow<'_> {
    fn submission(self) -> Submission {
        match self {
            Self::Waiting {
                since, endpoint, ..
            } => Submission::Waiting {
                since,
                endpoint: endpoint.to_owned(),
            },
            Self::Rejected {
                at,
                endpoint,
                status,
                text,
            } => Submission::Rejected {
                at,
                endpoint: endpoint.to_owned(),
                status,
                text: text.to_owned(),
            },
        }
    }
}

/// A report that waits to be submitted. The key holds its converter, the event that queued it, and
/// its index in the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueuedRow {
    /// The entry.
    pub(crate) entry: EntryId,
    /// The attempt that made it.
    pub(crate) attempt: AttemptNo,
    /// When it was queued.
    pub(crate) since: Timestamp,
    /// How many times a server has refused it.
    pub(crate) rejections: u32,
    /// True when a request with it may have been sent.
    pub(crate) intended: bool,
    /// The report that the request said it corrects.
    pub(crate) corrects: Option<CorrectedRow>,
}

/// The row form of a [`Corrected`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CorrectedRow {
    pub(crate) attempt: AttemptNo,
    pub(crate) report_id: String,
}

impl From<&Corrected> for CorrectedRow {
    fn from(corrected: &Corrected) -> Self {
        Self {
            attempt: corrected.attempt,
            report_id: corrected.report_id.clone(),
        }
    }
}

impl From<CorrectedRow> for Corrected {
    fn from(row: CorrectedRow) -> Self {
        Self {
            attempt: row.attempt,
            report_id: row.report_id,
        }
    }
}
