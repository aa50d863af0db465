//! The errors of the log.

use std::io;
use std::path::{Path, PathBuf};

use crate::format::frame::FrameError;
use crate::format::leaf::LeafError;
use crate::format::segment::SegmentError;
use crate::id::EventSeq;
use crate::{Error, ErrorKind};

/// An error of the log.
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
            // This must not be retried, whatever the cause.
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
