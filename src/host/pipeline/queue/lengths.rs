//! The lengths of the queues, and how a status shows them.

use std::time::Duration;

use crate::host::observe::status::QueueStatus;

/// The lengths of the queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::host) struct QueueLengths {
    pub(in crate::host) to_archive: usize,
    pub(in crate::host) archiving: usize,
    pub(in crate::host) to_convert: usize,
    pub(in crate::host) converting: usize,
    pub(in crate::host) to_record: usize,
    pub(in crate::host::pipeline) recording: usize,
    /// The longest waiting time among the files that are next in a queue.
    pub(in crate::host) oldest: Duration,
}

impl From<QueueLengths> for QueueStatus {
    fn from(lengths: QueueLengths) -> Self {
        Self {
            to_archive: (lengths.to_archive + lengths.archiving) as u64,
            to_convert: lengths.to_convert as u64,
            converting: lengths.converting as u64,
            to_record: (lengths.to_record + lengths.recording) as u64,
            oldest_ms: u64::try_from(lengths.oldest.as_millis()).unwrap_or(u64::MAX),
            left: 0,
        }
    }
}
