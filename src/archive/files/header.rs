//! Reads `FORMAT`, the header that makes a folder a store.

use std::io;
use std::path::Path;

use crate::archive::files::backup_marker::holds_backup;
use crate::archive::files::folders;
use crate::archive::files::folders::HEADER_FILE;
use crate::disk::{Disk, OpenMode};
use crate::format::header::{self, HeaderError};
use crate::id::StoreId;
use crate::{Error, ErrorKind, Result};

/// Reads the id of the store in a folder, or says why it cannot be opened.
pub(in crate::archive) fn read_header(disk: &dyn Disk, dir: &Path) -> Result<StoreId> {
    let path = Path::new(HEADER_FILE);
    let shown = dir.join(path);
    let no_store = |what: &str| {
        Error::new(ErrorKind::NoStore, format!("{what} {}", dir.display()))
            .hint("make a store with 'annals init', or name one with --store")
    };
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && holds_backup(disk) => {
            let said = format!("{} is the backup of a store, not a store", dir.display());
            return Err(Error::new(ErrorKind::NoStore, said).hint(
                "`annals restore-store DIR --to NEW` makes a store of it; `annals verify` checks \
                 it",
            ));
        }
        Err(error) => {
            return Err(match error.kind() {
                io::ErrorKind::NotFound if folders::hold_events(disk) => headless("missing", dir),
                io::ErrorKind::NotFound => no_store("there is no store in"),
                io::ErrorKind::NotADirectory => {
                    no_store("a store is a folder, and a file is what is at")
                }
                _ => Error::io("read", shown, error),
            });
        }
    };
    let size = file
        .size()
        .map_err(|error| Error::io("measure", &shown, error))?;
    let mut bytes = vec![0; usize::try_from(size.min(header::HEADER_BYTES_MAX)).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)
        .map_err(|error| Error::io("read", &shown, error))?;
    if bytes.iter().all(|byte| *byte == 0) && folders::hold_events(disk) {
        return Err(headless("empty", dir));
    }
    header::decode(&bytes).map_err(|error| {
        let kind = match error {
            HeaderError::NotAStore => ErrorKind::NoStore,
            HeaderError::Checksum => ErrorKind::Damaged,
            HeaderError::Version(_) | HeaderError::Feature(_) => ErrorKind::Unsupported,
        };
        let built = Error::new(
            kind,
            format!("cannot open the store in {}: {error}", dir.display()),
        );
        match kind {
            ErrorKind::Unsupported => {
                built.hint("use the version of annals that wrote it, or a newer one")
            }
            ErrorKind::Damaged => {
                built.hint("restore the file FORMAT from a copy; nothing else depends on it")
            }
            _ => built,
        }
    })
}

fn headless(how: &str, dir: &Path) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "the file {HEADER_FILE} in {} is {how}, and events of a store are there",
            dir.display()
        ),
    )
    .hint("bring FORMAT back from a copy, or have `annals repair --store DIR` make it")
}
