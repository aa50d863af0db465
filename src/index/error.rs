//! The errors of the index.

use super::tables;
use crate::error::{Error, ErrorKind};
use crate::id::{EventSeq, StoreId};

/// An error of the index.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    /// The index was made for another store.
    #[error("the index belongs to store {0}")]
    OtherStore(StoreId),
    /// The index was made by another version.
    #[error("the index has layout {0}, this version knows {known}", known = tables::SCHEMA)]
    OtherSchema(u32),
    /// The file holds bytes that this program never writes.
    #[error("the index is damaged in {0}")]
    Damaged(&'static str),
    /// A row cannot be decoded.
    #[error("the index is damaged in a row")]
    Row(#[source] bincode::error::DecodeError),
    /// redb failed, or the file below it.
    #[error("the index cannot be read or written")]
    Redb(#[source] redb::Error),
    /// The cursor belongs to a listing in another order.
    #[error("the cursor belongs to a listing in another order")]
    OtherOrder,
    /// The event number is larger than any that the index can hold.
    #[error("event {0} is beyond what an index can hold")]
    TooManyEvents(EventSeq),
}

impl IndexError {
    /// Returns true when a rebuild of the index from the log is the remedy.
    pub(crate) fn calls_for_rebuild(&self) -> bool {
        match self {
            Self::OtherStore(_) | Self::OtherSchema(_) | Self::Damaged(_) | Self::Row(_) => true,
            Self::OtherOrder | Self::TooManyEvents(_) => false,
            Self::Redb(redb::Error::Io(error)) => matches!(
                error.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
            ),
            Self::Redb(error) => matches!(
                error,
                redb::Error::Corrupted(_)
                    | redb::Error::UpgradeRequired(_)
                    | redb::Error::RepairAborted
                    | redb::Error::TableTypeMismatch { .. }
                    | redb::Error::TypeDefinitionChanged { .. }
                    | redb::Error::TableIsMultimap(_)
                    | redb::Error::TableDoesNotExist(_)
            ),
        }
    }
}

impl From<IndexError> for Error {
    fn from(error: IndexError) -> Self {
        let rebuild = error.calls_for_rebuild();
        let error = match error {
            IndexError::Redb(redb::Error::Io(io)) if !rebuild => {
                return Self::io("read or write", "the index", io);
            }
            other => other,
        };
        let kind = match &error {
            _ if rebuild => ErrorKind::Damaged,
            IndexError::OtherOrder => ErrorKind::Invalid,
            IndexError::TooManyEvents(_) => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        };
        let built = Self::new(kind, error.to_string());
        let built = match error {
            _ if rebuild => built.hint("rebuild it from the log with 'annals rebuild'"),
            IndexError::OtherOrder => {
                built.hint("pass the cursor with the same --sort it was printed for")
            }
            _ => built,
        };
        built.caused_by(error)
    }
}

macro_rules! from_redb {
    ($($error:ident)*) => {$(
        impl From<redb::$error> for IndexError {
            fn from(error: redb::$error) -> Self {
                Self::Redb(error.into())
            }
        }
    )*};
}

from_redb!(DatabaseError TransactionError TableError StorageError CommitError CursorError);
