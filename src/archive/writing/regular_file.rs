//! Regular files that are archived: opening one, and noticing that it changes while it is read.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use crate::{Error, ErrorKind, Result};

/// Opens a regular file, following a symbolic link.
pub(super) fn open_regular(path: &Path) -> Result<(File, Metadata)> {
    let found = std::fs::metadata(path).map_err(|error| Error::io("read", path, error))?;
    let kind = found.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() {
            "a directory"
        } else {
            "neither a file nor a directory"
        };
        return Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "{} is {what}; only regular files can be archived",
                path.display()
            ),
        ));
    }
    let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
    let before = file
        .metadata()
        .map_err(|error| Error::io("read", path, error))?;
    if !before.is_file() {
        return Err(Error::new(
            ErrorKind::Changed,
            format!("{} was replaced while it was opened", path.display()),
        ));
    }
    Ok((file, before))
}

/// A file that must not change until its end was read.
pub(super) struct Unchanging<'a> {
    pub(super) file: &'a File,
    pub(super) before: &'a Metadata,
    pub(super) read: u64,
    pub(super) changed: Option<&'static str>,
}

impl Read for Unchanging<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = (&mut &*self.file).read(out)?;
        self.read += read as u64;
        if read == 0 && !out.is_empty() {
            // Checked before anything is recorded: the writer waits for the end of the content.
            let after = self.file.metadata()?;
            self.changed = if self.read < self.before.len() {
                Some("shrank")
            } else if self.read > self.before.len() || after.len() != self.before.len() {
                Some("grew")
            } else if after.modified().ok() != self.before.modified().ok() {
                Some("changed")
            } else {
                None
            };
            if self.changed.is_some() {
                return Err(io::Error::other("the file changed while it was read"));
            }
        }
        Ok(read)
    }
}
