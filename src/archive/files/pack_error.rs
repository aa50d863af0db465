//! Turns errors of packs into errors of the store that name the file.

use std::io;
use std::path::Path;

use crate::blob::pack_reader::PackReadError;
use crate::blob::pack_writer::PackWriteError;
use crate::{Error, ErrorKind};

/// Makes the error of a failed read, with the file it happened in.
pub(in crate::archive) fn read_error(path: &Path, error: PackReadError) -> Error {
    match error {
        PackReadError::Io(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound
            ) =>
        {
            Error::io("read", path, error)
        }
        other => Error::new(
            ErrorKind::Damaged,
            format!("{} is damaged: {other}", path.display()),
        )
        .hint(
            "run 'annals verify --deep' for the whole picture; the undamaged rest stays readable",
        ),
    }
}

/// Makes the error of a pack that could not be written.
pub(in crate::archive) fn write_error(error: PackWriteError) -> Error {
    match error {
        PackWriteError::Io {
            action,
            path,
            source,
        } => Error::io(action, path, source),
        other => Error::new(ErrorKind::Io, other.to_string()),
    }
}
