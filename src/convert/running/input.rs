//! Puts a source where the converter reads it: a file, a folder, or a file with its companions.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::request::Request;
use crate::convert::converter::Takes;
use crate::convert::folder::{BEGINNING_BYTES, UnpackError, has_main_file, unpack};
use crate::convert::scratch::{make_private, safe_name};
use crate::{Error, ErrorKind, Result};

/// The path that a converter is given, with the name of the source; or why this converter cannot
/// take the source.
type Placed = Result<(PathBuf, String), String>;

/// Puts a source into an empty folder.
pub(in crate::convert) fn place(
    takes: &Takes,
    request: Request<'_>,
    source: &mut dyn Read,
    folder: &Path,
) -> Result<Placed> {
    let input = folder.join(safe_name(request.name));
    let named = |input| (input, request.name.to_owned());
    match takes {
        Takes::Files => {
            copy_in(source, &input, request.modified)?;
            Ok(Ok(named(input)))
        }
        Takes::Folders => {
            make_private(&input).map_err(|error| Error::io("create", &input, error))?;
            let unpacked = understood(unpack(source, &input))?;
            Ok(unpacked.map(|_| named(input)))
        }
        Takes::WithCompanions(_) => {
            let mut beginning = Vec::new();
            let mut first = source.take(BEGINNING_BYTES);
            first.read_to_end(&mut beginning).map_err(unreadable)?;
            let is_packed = has_main_file(&beginning);
            let mut source = beginning.chain(source);
            if !is_packed {
                // A main file without companions is archived as a plain file.
                copy_in(&mut source, &input, request.modified)?;
                return Ok(Ok(named(input)));
            }
            match understood(unpack(&mut source, folder))? {
                Ok(main) => Ok(Ok(readable(folder, &main.unwrap_or_default())?)),
                Err(why) => Ok(Err(why)),
            }
        }
    }
}

/// Returns the path of a main file that was unpacked into a folder.
///
/// A name that is not UTF-8 is replaced, because a request could not contain it.
fn readable(folder: &Path, main: &std::ffi::OsStr) -> Result<(PathBuf, String)> {
    let called = main.to_string_lossy().into_owned();
    let mut input = folder.join(main);
    if main.to_str().is_none() {
        let named = folder.join(safe_name(&called));
        fs::rename(&input, &named).map_err(|error| Error::io("rename", &input, error))?;
        input = named;
    }
    Ok((input, called))
}

/// Separates a source that can never be unpacked (inner `Err`) from a problem of this machine
/// (outer `Err`).
fn understood<T>(unpacked: Result<T, UnpackError>) -> Result<Result<T, String>> {
    match unpacked {
        Ok(unpacked) => Ok(Ok(unpacked)),
        Err(error @ UnpackError::Format(_)) => Ok(Err(error.to_string())),
        Err(UnpackError::Source(error)) => Err(unreadable(error)),
        Err(UnpackError::Write { path, source }) => Err(Error::io("write", &path, source)),
    }
}

fn copy_in(source: &mut dyn Read, input: &Path, modified: Option<SystemTime>) -> Result<()> {
    let mut file = File::create_new(input).map_err(|error| Error::io("create", input, error))?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        // Read and write errors are kept apart: an unreadable source is not a full temporary
        // folder.
        let read = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(unreadable(error));
            }
        };
        file.write_all(&buffer[..read])
            .map_err(|error| Error::io("write", input, error))?;
    }
    if let Some(modified) = modified {
        // Some converters use the file's time as the test's. If it cannot be set, the conversion
        // still runs.
        let _ = file.set_modified(modified);
    }
    Ok(())
}

fn unreadable(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot read the source: {error}")).caused_by(error)
}
