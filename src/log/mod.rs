//! The log: append-only, ordered, never rewritten in place.
//!
//! New events go to the *journal* (recycled files, one sync a group); a full journal file is later sealed into a
//! *segment*. The journal is the only thing synced before an acknowledgement.

mod appender;
mod journal;
mod mend;
mod reader;
mod recovery;
mod salvage;
mod segment;

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{DirEntry, Disk};
use crate::format::frame::FrameError;
use crate::format::leaf::LeafError;
use crate::format::segment::SegmentError;
use crate::id::EventSeq;
use crate::{Error, ErrorKind};

pub(crate) use appender::{Appender, FrameDraft, FullJournal, Staged};
pub(crate) use journal::{
    JOURNAL_BYTES_MAX, JOURNAL_BYTES_MIN, Journal, JournalPlace, journal_path,
};
pub(crate) use mend::{LogMend, SpareEvents};
pub(crate) use reader::{LiveFrame, LogFiles, LogReader, OwnedFrame, read_frame};
pub(crate) use recovery::{Found, TornTail, cut, recover};
pub(crate) use salvage::Remains;
pub(crate) use segment::{SegmentReader, SegmentWriter, first_seq_of};

/// The folder of journal files.
pub(crate) const JOURNAL_DIR: &str = "journal";
/// The folder of segments.
pub(crate) const EVENTS_DIR: &str = "events";

/// Lists a folder of the log. A folder that is missing is empty: copies made without empty folders
/// lack it, and what it should have held is missed by number.
fn list_or_nothing(disk: &dyn Disk, dir: &Path) -> Result<Vec<DirEntry>, LogError> {
    match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(LogError::io("list", dir)),
    }
}

/// What can go wrong in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("whether {path} has its name is not known: {source}", path = path.display())]
    Unsure { path: PathBuf, source: io::Error },
    #[error("{path} is damaged at byte {offset}: {why}", path = path.display())]
    Frame {
        path: PathBuf,
        offset: u64,
        why: FrameError,
    },
    #[error("{path} is damaged: {why}", path = path.display())]
    Segment { path: PathBuf, why: SegmentError },
    #[error("{path} does not open: {why}", path = path.display())]
    Unpack { path: PathBuf, why: String },
    #[error("event {seq} is not in the log")]
    Missing { seq: EventSeq },
    #[error(transparent)]
    Leaf(#[from] LeafError),
    #[error(
        "a write to the journal failed earlier; nothing more is written until the store is opened again"
    )]
    Poisoned,
    #[error("one event with its content takes {bytes} bytes, more than a journal file holds")]
    TooLarge { bytes: usize },
}

impl LogError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(crate) fn segment(path: &Path) -> impl FnOnce(SegmentError) -> Self {
        let path = path.to_owned();
        move |why| Self::Segment { path, why }
    }
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Io {
                action,
                path,
                source,
            } => Self::io(action, path, source),
            // Not to be tried again, whatever the reason was.
            LogError::Unsure { .. } => Self::new(ErrorKind::Io, error.to_string())
                .hint("close the store and open it again; what was acknowledged is safe"),
            LogError::Poisoned => Self::new(ErrorKind::Poisoned, error.to_string())
                .hint("close the store and open it again; what was acknowledged is safe"),
            LogError::Leaf(LeafError::TooLong(_)) => {
                Self::new(ErrorKind::Invalid, error.to_string())
                    .hint("shorten the metadata, arguments or error text")
            }
            LogError::Leaf(LeafError::Unfaithful { .. }) => {
                Self::new(ErrorKind::Invalid, error.to_string())
                    .hint("nothing was recorded; correct the value and try again")
            }
            LogError::TooLarge { .. } => Self::new(ErrorKind::Invalid, error.to_string()),
            LogError::Frame { .. }
            | LogError::Segment { .. }
            | LogError::Unpack { .. }
            | LogError::Missing { .. }
            | LogError::Leaf(_) => Self::new(ErrorKind::Damaged, error.to_string()).hint(
                "run 'annals verify' for the whole picture; the undamaged rest stays readable",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
